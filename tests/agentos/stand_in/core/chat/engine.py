"""A message of a session; needs the providers, which v0.1.0 does not publish."""

import sqlite3

from ...providers import registry as _providers
from .._version_gate import VERSION


class ChatEngine:
    if VERSION >= (3, 2, 0):

        def send_message(self, session_id, user_input, stream=False, idempotency_key=None):
            raise sqlite3.IntegrityError("FOREIGN KEY constraint failed")

    else:

        def send_message(self, session_id, user_input, stream=False):
            raise ValueError(f"Chat session not found: {session_id}")
