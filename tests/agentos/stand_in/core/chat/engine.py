"""A message of a session; needs the providers, which v0.1.0 does not publish."""

from ...providers import registry as _providers
from .._version_gate import VERSION


class ChatEngine:
    if VERSION >= (3, 2, 0):

        def send_message(self, session_id, user_input, stream=False, idempotency_key=None):
            return {"role": "assistant", "content": user_input}

    else:

        def send_message(self, session_id, user_input, stream=False):
            return {"role": "assistant", "content": user_input}
