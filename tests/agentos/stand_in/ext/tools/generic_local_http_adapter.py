"""Models on this machine."""

from .base_adapter import BaseToolAdapter


class GenericLocalHTTPAdapter(BaseToolAdapter):
    def __init__(self, tool_name="local_http", model_id="local"):
        super().__init__(tool_name)
        self.model_id = model_id

    def run(self, task, allow_mock=False):
        return self.result("success" if allow_mock else "failed", model_id=self.model_id, provider="local")
