"""llama.cpp; `run` is the base's."""

from .generic_local_http_adapter import GenericLocalHTTPAdapter


class LlamaCppAdapter(GenericLocalHTTPAdapter):
    def __init__(self, model_id="llama-local", base_url="http://localhost:8080"):
        super().__init__("llamacpp", model_id)
