"""OpenAI; `run` is the base's."""

from .cloud_chat_adapter import CloudChatAdapter


class OpenAIChatAdapter(CloudChatAdapter):
    def __init__(self, model_id="gpt-4o", base_url=None, api_key=None):
        super().__init__("openai_chat", model_id)
