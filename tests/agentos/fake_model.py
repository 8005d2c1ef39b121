"""A model on the loopback interface that speaks the OpenAI protocol, and a `claude` for PATH."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

ANSWER = {
    "questions": [{"question_id": "q2", "question_text": "Which section?"}],
    "steps": [], "artifacts": [], "goal": "update", "summary": "", "primary_mode": "planning",
    "pipeline": ["planning"], "confidence": 0.5, "reason": "fake", "alternatives": [],
}  # fmt: skip


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        message = {"role": "assistant", "content": json.dumps(ANSWER)}
        head: dict[str, Any] = {"id": "chatcmpl-1", "created": 1, "model": request["model"]}
        usage = {"prompt_tokens": 3, "completion_tokens": 5, "total_tokens": 8}
        if request.get("stream"):
            pieces = [{**head, "object": "chat.completion.chunk",
                       "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}]}
                      for text in ("one ", "two")]  # fmt: skip
            body = "".join(f"data: {json.dumps(piece)}\n\n" for piece in pieces) + "data: [DONE]\n\n"
            self._answer("text/event-stream", body)
        else:
            choice = {"index": 0, "message": message, "finish_reason": "stop"}
            whole = {**head, "object": "chat.completion", "choices": [choice], "usage": usage}
            self._answer("application/json", json.dumps(whole))

    def _answer(self, kind: str, body: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *arguments: object) -> None:
        """Stay silent."""


class FakeModel:
    """The server, from the first line of a `with` block to its end; `url` is its base."""

    def __enter__(self) -> FakeModel:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def put_claude(folder: Path) -> None:
    """Write a `claude` that says hello and changes nothing."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "claude").write_text("#!/bin/sh\necho hello from claude\n")
    (folder / "claude").chmod(0o755)
