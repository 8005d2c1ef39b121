"""Rules that choose a pipeline of modes."""

from dataclasses import dataclass


@dataclass
class ModeSelection:
    primary_mode: str
    pipeline: list
    reason: str


class ModeSelector:
    def select_mode(self, nl_input):
        return ModeSelection("chat", ["chat"], "No specific pattern matched")
