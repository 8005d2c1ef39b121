"""A plan from a model."""

from ..llm import model as models
from ..schemas import OpenPlan
from .._version_gate import VERSION


class OpenPlanBuilder:
    def __init__(self, api_key=None, model="gpt-4o-mini", base_url=None):
        self.model = model

    def build(self, goal, mode_selection, context=None):
        found = models.ask(self.model, goal)
        return OpenPlan(found["goal"], mode_selection, found["steps"], found["artifacts"], {"model": self.model})
