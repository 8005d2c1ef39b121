"""Trailers as text: written once, where git finds them, and read back."""

from __future__ import annotations

import os
import re
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
        ("S\n\nIndex: a\nx\n", f"S\n\n{BLOCK}\nIndex: a\nx\n"),
        (
            "S\n\nSigned-off-by: A <a@b>\n(cherry picked from commit 1)\n",
            f"S\n\nSigned-off-by: A <a@b>\n(cherry picked from commit 1)\n{BLOCK}",
        ),
        ("S\n\n    Task-Id: squashed1\n", f"S\n\n    Task-Id: squashed1\n\n{BLOCK}"),
        ("S\n\nTask-Id:\nx\n", f"S\n\nTask-Id:\nx\n\n{BLOCK}"),
        ("--- starts so\n", "--- starts so\n"),
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


def test_the_last_set_counts_and_sets_are_not_mixed() -> None:
    assert read(f"S\n\n{BLOCK}\ntask-id: task0002\n") == {"Task-Id": "task0002"}
    assert read("S\n\nTask-Id:\nSession-Id:\n") == {}
    assert read("S\n\nTask-Id: task0001\n\n---\n    Task-Id: squashed1\n") == {"Task-Id": "task0001"}


@pytest.mark.parametrize("value", ["", "two words", "line\nTask-Id: other001"])
def test_a_value_that_would_not_be_read_back_is_left_out(value: str) -> None:
    assert stamp("S", Identity("task0001", value)) == "S\n\nTask-Id: task0001\n"
    assert stamp("S", Identity(value, "session0001")) == "S"


# Lines that have a meaning for git beside free text. What only git's own editor writes (comments that it has not
# stripped, scissors) is the hooks' matter.
_LINES = st.one_of(
    st.sampled_from(
        ["", "", " ", "Body", "Key: value", "Key:", "https://a/b", "Signed-off-by: A <a@b>", "  indented", "#1 x",
         "---", "(cherry picked from commit 1)", "--- a", "-- ", "    Task-Id: squashed1", "Task-Id: two words", "\r"]
    ),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n\0"), max_size=20),
)  # fmt: skip


@pytest.mark.git
@given(st.lists(_LINES, max_size=8), st.sampled_from(["", "\n", "\n\n"]))
def test_what_is_stamped_is_read_back_by_git_and_by_us_and_stamping_twice_changes_nothing(
    lines: list[str], end: str
) -> None:
    message = "\n".join(["Subject", *lines]) + end
    stamped = stamp(message, IDS)
    assert stamp(stamped, IDS) == stamped
    if re.search(r"^(task-id[ \t]*:[ \t]*\S+[ \t\r]*$|diff -|Index: )", message, re.MULTILINE | re.IGNORECASE):
        return  # left as it is; or cut by `git am` only, which interpret-trailers does not know
    assert read(stamped) == dict(line.split(": ") for line in IDS.lines())
    parsed = subprocess.run(
        ["git", "interpret-trailers", "--parse"], input=stamped.encode(), capture_output=True, check=True,
        env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", "GIT_CONFIG_NOSYSTEM": "1"},
    ).stdout.decode()  # fmt: skip
    assert parsed.endswith(BLOCK)


@pytest.mark.git
@pytest.mark.parametrize("cut", ["---", "--- a", "diff -u a b", "Index: a"])
def test_the_block_survives_the_cut_of_git_am(cut: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("mail")
    mail = f"From: A <a@b>\nSubject: [PATCH] S\n\n{stamp(f'Body{chr(10)}{chr(10)}{cut}{chr(10)}lost', IDS)}"
    subprocess.run(
        ["git", "mailinfo", "msg", "patch"], input=mail.encode(), cwd=folder, check=True, capture_output=True
    )
    assert (folder / "msg").read_text() == f"Body\n\n{BLOCK}\n"
