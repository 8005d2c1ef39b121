"""Ollama."""

from .base_adapter import BaseToolAdapter


class OllamaAdapter(BaseToolAdapter):
    def __init__(self, model_id="llama3"):
        super().__init__("ollama")
        self.model_id = model_id

    def run(self, task, allow_mock=False):
        return self.result("success" if allow_mock else "failed", model_id=self.model_id, provider="local")
