"""What the content registry offers for a request."""


class RegistryQueryService:
    def __init__(self, registry):
        self.registry = registry

    def find_matching_workflows(self, parsed_nl):
        return [{"workflow": item, "score": 1, "reason": ""} for item in self.registry.list(type_="workflow")]

    def find_matching_agents(self, parsed_nl):
        found = self.registry.list(type_="agent", status="active", limit=100)
        return [{"agent": item, "score": 1, "role": "writer", "reason": "keywords"} for item in found]

    def find_matching_commands(self, parsed_nl, selected_agents):
        return [{"command": item, "score": 1} for item in self.registry.list(type_="command")]
