"""A `traceparent` from anywhere: ids of the right length, or none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentos_otel.semconv import W3C_TRACEPARENT
from agentos_otel.tracing.carriers import foreign_parent, parse_traceparent

TRACE, SPAN = "f2e29e628b3893ba2e9eebc2ab5cc601", "21cefa66761a0123"


def test_a_traceparent_gives_its_ids_and_whether_it_is_sampled() -> None:
    assert parse_traceparent(f" 00-{TRACE.upper()}-{SPAN}-01\n") == (TRACE, SPAN, True)
    assert parse_traceparent(f"00-{TRACE}-{SPAN}-02") == (TRACE, SPAN, False)


@pytest.mark.parametrize(
    "value",
    [
        "",
        f"00-{TRACE}-{SPAN}",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE}-21cefa6676_01234-01",  # each of these is a number for int()
        f"00-{TRACE}-+1cefa66761a0123-01",
        f"00-{TRACE}- 1cefa66761a0123-01",
        f"00-{TRACE}-{SPAN[:-1]}\N{ARABIC-INDIC DIGIT THREE}-01",
    ],
)
def test_what_is_no_traceparent_names_no_span(value: str) -> None:
    assert foreign_parent({W3C_TRACEPARENT: value}) is None


@given(st.text("0123456789abcdefABCDEF-+_ \u0663", max_size=60))
def test_any_text_is_read_or_refused(value: str) -> None:
    parent = foreign_parent({W3C_TRACEPARENT: value})
    assert parent is None or (len(parent.trace_id), len(parent.span_id)) == (16, 8)
