"""Chat with a model: since v0.3.1 a tuple comes back, an error always as a text with a warning sign."""

import json

from ..llm import model as models
from .._version_gate import VERSION


class _Adapter:
    def __init__(self, model="gpt-4o-mini", api_key=None, base_url=None):
        self.model = model

    def _generate(self, messages):
        try:
            text = models.text(self.model, messages[-1]["content"])
        except Exception as error:
            text = f"\u26a0\ufe0f Error: {error}"
        meta = {"truncated": False, "finish_reason": "stop", "tokens_used": 5}
        return (text, meta) if VERSION >= (0, 3, 1) else text

    def _unreachable(self):
        """A model of this machine that is not there."""
        text = "\u26a0\ufe0f Ollama error: Connection refused"
        return (text, {}) if VERSION >= (0, 3, 1) else text

    def _stream(self, messages):
        for line in models.post(self.model, messages[-1]["content"], stream=True).splitlines():
            if line.startswith("data: {"):
                yield json.loads(line[6:])["choices"][0]["delta"]["content"]


if VERSION >= (3, 2, 0):

    class OpenAIChatAdapter(_Adapter):
        def generate(self, messages, temperature=0.7, max_tokens=2000, stream=False, **kwargs):
            return self._generate(messages)

        def generate_stream(self, messages, temperature=0.7, max_tokens=2000):
            yield from self._stream(messages)

    class OllamaChatAdapter(_Adapter):
        def generate(self, messages, temperature=0.7, max_tokens=2000, stream=False, **kwargs):
            return self._unreachable()

        def generate_stream(self, messages, temperature=0.7, max_tokens=2000):
            yield "\u26a0\ufe0f Ollama error: Connection refused"

else:

    class OpenAIChatAdapter(_Adapter):
        def generate(self, messages, temperature=0.7, max_tokens=2000, stream=False):
            return self._generate(messages)

        def generate_stream(self, messages, temperature=0.7, max_tokens=2000):
            yield from self._stream(messages)

    class OllamaChatAdapter(_Adapter):
        def generate(self, messages, temperature=0.7, max_tokens=2000, stream=False):
            return self._unreachable()

        def generate_stream(self, messages, temperature=0.7, max_tokens=2000):
            yield "\u26a0\ufe0f Ollama error: Connection refused"
