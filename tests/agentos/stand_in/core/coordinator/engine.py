"""A state machine over an intent; an exception becomes the state ABORTED."""

from dataclasses import dataclass
from datetime import datetime
from typing import Optional

_STATES = ["INIT", "RECEIVED", "PRECHECKED", "CONTEXT_BUILT", "RULES_EVALUATED", "GRAPH_DRAFTED", "GRAPH_FINALIZED",
           "REVIEW_PACK_BUILT", "FROZEN_OUTPUTS", "DONE"]


@dataclass
class CoordinatorRun:
    run_id: str
    intent_id: str
    final_state: str
    graph: Optional[dict] = None
    questions: Optional[dict] = None
    review: Optional[dict] = None
    tape: Optional[dict] = None
    audit_log: Optional[list] = None
    failure_pack: Optional[dict] = None


class CoordinatorEngine:
    def __init__(self, registry, memory_service):
        self.current_state = "INIT"
        self.run_tape = []

    def coordinate(self, intent, policy, factpack):
        run_id = f"coord_run_{intent['id']}_{datetime.now().strftime('%Y%m%d%H%M%S')}"
        try:
            for before, after in zip(_STATES, _STATES[1:]):
                self._transition(before, after, "next")
            if policy.get("mode") == "unknown":
                raise ValueError("unknown mode")
        except Exception as error:
            return CoordinatorRun(run_id, intent["id"], "ABORTED", failure_pack={"error": str(error)})
        return CoordinatorRun(run_id, intent["id"], self.current_state, tape={"run_id": run_id, "steps": self.run_tape})

    def _transition(self, from_state, to_state, trigger):
        self.run_tape.append({"from_state": from_state, "to_state": to_state, "trigger": trigger})
        self.current_state = to_state
        return True
