"""A message of a session; needs the providers, which v0.1.0 does not publish."""

import sqlite3

from ...providers import registry as _providers
from .._version_gate import VERSION


class ChatEngine:
    if VERSION >= (3, 2, 0):

        def send_message(self, session_id, user_input, stream=False, idempotency_key=None):
            return self._send(session_id)

    else:

        def send_message(self, session_id, user_input, stream=False):
            return self._send(session_id)

    def _send(self, session_id):
        """A session that is not there: since v2.1.0 the database says so."""
        if VERSION >= (2, 1, 0):
            raise sqlite3.IntegrityError("FOREIGN KEY constraint failed")
        raise ValueError(f"Chat session not found: {session_id}")
