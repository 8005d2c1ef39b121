"""The test kit: spans in memory, nothing on disk."""

from __future__ import annotations

from pathlib import Path

import pytest
from opentelemetry.trace import StatusCode

from agentos_otel import current_task, stage, task, tool
from agentos_otel.testing import recording


def test_spans_are_collected_as_they_end_and_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AGENTOS_OTEL_STATE_DIR", str(tmp_path / "state"))

    @tool
    def fail() -> None:
        raise ValueError("no")

    with recording() as spans, task("t"), stage("intent", produces={"intent_id": "intent_12345678"}):
        task_id = current_task()
        with pytest.raises(ValueError, match="no"):
            fail()
    assert task_id is not None
    assert [span.name for span in spans] == ["execute_tool fail", "stage intent", "task t"]
    failed, intent, root = spans
    assert failed.status.status_code is StatusCode.ERROR
    assert failed.events[0].name == "exception"
    assert (failed.parent, intent.parent, root.parent) == (intent.context, root.context, None)
    assert intent.attributes["agentos.id.intent_id"] == "intent_12345678"
    assert {span.attributes["task_id"] for span in spans} == {task_id.task_id}
    assert not (tmp_path / "state").exists()


def test_arguments_and_results_are_kept_where_it_is_asked_for() -> None:
    @tool
    def double(number: int) -> int:
        return 2 * number

    with recording(capture=True) as spans:
        double(4)
    assert (spans[0].attributes["agentos.argument.number"], spans[0].attributes["agentos.result"]) == ("4", "8")
    with recording() as spans:
        double(4)
    assert "agentos.result" not in spans[0].attributes
