"""Rounds of questions and answers."""

import hashlib

from ..llm import model
from ..time import now


class MultiRoundCoordinator:
    MAX_DEPTH = 3

    def __init__(self, initial_question_pack, llm_suggester=None, max_depth=MAX_DEPTH):
        self.initial_question_pack, self.llm_suggester = initial_question_pack, llm_suggester
        self.rounds, self.current_depth = [], 0

    def start_round(self, question_pack):
        if self.current_depth >= self.MAX_DEPTH:
            raise ValueError("Maximum depth reached")
        digest = hashlib.sha256(f"{question_pack.get('pack_id')}:{now()}".encode()).hexdigest()[:8]
        self.rounds.append({"round_id": f"round_{self.current_depth}_{digest}", "question_pack": question_pack})
        self.current_depth += 1
        return self.rounds[-1]["round_id"]

    def complete_round(self, round_id, answer_pack):
        found = [item for item in self.rounds if item["round_id"] == round_id]
        if not found:
            raise ValueError(f"Round not found: {round_id}")
        found[0]["answer_pack"] = answer_pack

    def generate_followup_questions(self, answer_pack, triggered_by_question_id=None):
        if not self.llm_suggester:
            return None
        response = self._llm_call_followup("follow-up")
        if not response or not response.get("questions"):
            return None
        digest = hashlib.sha256(str(response).encode()).hexdigest()[:8]
        return {
            "pack_id": f"qpack_followup_{self.current_depth}_{digest}", "schema_version": "0.9.2",
            "coordinator_run_id": self.initial_question_pack.get("coordinator_run_id"),
            "intent_id": self.initial_question_pack.get("intent_id"), "questions": response["questions"],
            "policy_constraints": {}, "created_at": now(), "metadata": {"triggered_by": triggered_by_question_id},
        }

    def _llm_call_followup(self, prompt):
        try:
            return model.ask(self.llm_suggester.model, prompt)
        except Exception as error:
            print(f"LLM follow-up call error: {error}")
            return None
