"""An intent from a request; as published, `_build_audit` is given one argument too many."""

import uuid

from .registry_query import RegistryQueryService


class IntentBuilder:
    def __init__(self, registry, model_router=None, project_kb=None):
        self.query_service = RegistryQueryService(registry)

    def build_intent(self, nl_request, policy="semi_auto"):
        parsed = {"goal": nl_request["input_text"], "areas": ["docs"]}
        workflows = self.query_service.find_matching_workflows(parsed)
        agents = self.query_service.find_matching_agents(parsed)
        commands = self.query_service.find_matching_commands(parsed, agents)
        intent = {
            "id": f"intent_{uuid.uuid4().hex[:12]}", "title": parsed["goal"], "risk": {"overall": "low"},
            "selected_agents": [item["agent"]["id"] for item in agents], "audit": {"checksum": "0" * 64},
        }
        audit = self._build_audit(policy, parsed, workflows, agents, commands, [])
        return {
            "id": f"builder_out_{uuid.uuid4().hex[:12]}", "schema_version": "0.9.4", "nl_request_id": nl_request["id"],
            "execution_intent": intent, "question_pack": None, "selection_evidence": {}, "builder_audit": audit,
            "lineage": {"derived_from": [nl_request["id"]]},
        }

    def _build_audit(self, policy, parsed_nl, workflows, agents, commands):
        return {"policy_applied": policy}
