"""Trailers as text: written once, where git finds them, and read back."""

from __future__ import annotations

import pytest

from agentos_otel.correlation.trailers import Identity, read, stamp

IDS = Identity("task0001", "session0001", "ab" * 16)
BLOCK = f"Task-Id: task0001\nSession-Id: session0001\nTrace-Id: {'ab' * 16}\n"


@pytest.mark.parametrize(
    ("message", "stamped"),
    [
        ("Subject", f"Subject\n\n{BLOCK}"),
        ("Subject\n\nBody.\n", f"Subject\n\nBody.\n\n{BLOCK}"),
        ("Subject\n\nSigned-off-by: A <a@b>\n", f"Subject\n\nSigned-off-by: A <a@b>\n{BLOCK}"),
        ("Subject: more\n", f"Subject: more\n\n{BLOCK}"),
        ("Subject\n\n---\nnotes\n", f"Subject\n\n{BLOCK}\n---\nnotes\n"),
        ("", ""),
        ("# only a comment\n", "# only a comment\n"),
        ("Subject\n\nTask-Id: other001\n", "Subject\n\nTask-Id: other001\n"),
    ],
)
def test_a_message_gets_the_block_where_git_finds_it(message: str, stamped: str) -> None:
    assert stamp(message, IDS) == stamped
    assert stamp(stamped, IDS) == stamped


def test_a_task_that_is_sampled_out_has_no_trace_id_trailer() -> None:
    assert "Trace-Id" not in stamp("Subject", Identity("task0001", "session0001"))


def test_trailers_are_read_also_where_a_squash_has_indented_them() -> None:
    assert read("Squashed\n\n    Subject\n\n    Task-Id: task0001\n") == {"Task-Id": "task0001"}
