"""Models in a cloud."""

from .base_adapter import BaseToolAdapter


class CloudChatAdapter(BaseToolAdapter):
    def __init__(self, tool_name, model_id):
        super().__init__(tool_name)
        self.model_id = model_id

    def run(self, task, allow_mock=False):
        return self.result("success" if allow_mock else "failed", model_id=self.model_id, provider="cloud")
