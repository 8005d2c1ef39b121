"""A mode proposed by a model."""

from ..llm import model
from ..schemas import ModeSelection


class ModeProposer:
    def __init__(self, api_key=None, model="gpt-4o-mini"):
        self.model = model

    def propose_mode(self, nl_input, available_modes=None, additional_context=None):
        found = model.ask(self.model, nl_input)
        return ModeSelection(found["primary_mode"], found["pipeline"], found["confidence"], found["reason"])
