"""Models by their key."""

from ...ext import tools as _tools


class ModelInvoker:
    def invoke(self, model_key, prompt, **kwargs):
        raise ValueError(f"Cannot find brand for model: {model_key}")
