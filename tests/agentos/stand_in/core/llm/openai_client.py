"""Specifications of agents from a model."""

from . import model


class OpenAIClient:
    def __init__(self, api_key=None):
        self.client = None

    def generate_agent_spec(self, factpack, agent_type, schema):
        return model.ask("gpt-4o-2024-08-06", agent_type)
