"""Secrets are replaced before anything is written, and nothing else is."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentos_otel.tracing.limits import LEFT_OUT, MARGIN, cut
from agentos_otel.tracing.redaction import REDACTED, SECRETS, Secret, is_secret_name, redact

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("secret", SECRETS, ids=lambda secret: secret.name)
def test_the_example_of_each_pattern_is_found_wherever_it_stands(secret: Secret) -> None:
    found = re.search(secret.pattern, secret.example)
    assert found is not None
    assert all(sign in found[0] or sign == "@" for sign in secret.signs)
    hidden = found[0].removeprefix(found.groupdict().get("kept") or "")
    assert hidden
    for text in (secret.example, f"before {secret.example} after", f"{secret.example}\n{secret.example}"):
        assert hidden not in redact(text)
        assert REDACTED in redact(text)


@pytest.mark.parametrize(
    "text",
    ["max_tokens=4096", "def check(token): ...", "the secret of success", "sk-short", "a ghost_story", "password",
     "see https://example.org/a:b", "mailto:ann@example.org", "a passwordless login: yes", "tokens: 12, keys = 3"],
)  # fmt: skip
def test_what_is_no_secret_stays(text: str) -> None:
    assert redact(text) == text


def test_what_says_that_there_is_a_secret_stays() -> None:
    assert redact("postgresql://ann:hunter22@db/tasks") == "postgresql://****@db/tasks"
    assert redact("Authorization: Bearer abcdef0123456789") == "Authorization: Bearer ****"
    assert redact("export OPENAI_API_KEY=abcdef0123") == "export OPENAI_API_KEY=****"
    assert redact('{"password": "hunter2222", "user": "ann"}') == '{"password": "****", "user": "ann"}'


@pytest.mark.parametrize(
    ("name", "secret"),
    [("password", True), ("db_password", True), ("githubToken", True), ("X-Api-Key", True), ("apikey", True),
     ("Authorization", True), ("client_secret", True), ("set-cookie", True), ("MAX_TOKENS", False),
     ("max_tokens", False), ("token_count", False), ("key", False), ("author", False), ("passwords_seen", False),
     ("", False)],
)  # fmt: skip
def test_names(name: str, secret: bool) -> None:
    assert is_secret_name(name) is secret


@given(st.text(max_size=200), st.integers(20, 80), st.booleans())
def test_a_text_without_a_secret_is_itself_or_its_beginning_or_its_end(text: str, limit: int, keep_end: bool) -> None:
    kept, was_cut = cut(text, limit, keep_end=keep_end)
    if REDACTED in kept and REDACTED not in text:
        return  # hypothesis made a secret
    assert was_cut == (len(text) > limit)
    if not was_cut:
        assert kept == text
    else:
        assert len(kept) == limit
        assert LEFT_OUT in (kept[:3], kept[-3:])
        assert text.endswith(kept[3:]) if keep_end else text.startswith(kept[:-3])


@given(st.integers(0, 400), st.integers(0, 400), st.booleans())
def test_not_even_half_of_a_secret_is_left_at_the_cut(before: int, after: int, keep_end: bool) -> None:
    key = "sk-ant-api03-" + "Zz9" * 20
    kept, _ = cut("." * before + " " + key + " " + "." * after, 200, keep_end=keep_end)
    assert "Zz9" not in kept
    assert len(kept) <= 200
    assert len(key) < MARGIN


def test_the_page_is_made_from_the_patterns() -> None:
    made = subprocess.run(
        [sys.executable, ROOT / "docs" / "make_redaction.py"], capture_output=True, text=True, check=True
    )
    assert made.stdout == (ROOT / "docs" / "redaction.md").read_text()


@pytest.mark.parametrize("word", ["task", "disk", "risk"])
def test_a_word_that_ends_like_the_beginning_of_a_key_begins_none(word: str) -> None:
    text = f"{word}-0123456789abcdef0123"
    assert redact(text) == text
