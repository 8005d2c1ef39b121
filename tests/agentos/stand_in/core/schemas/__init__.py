"""Plans and selections as values."""

from dataclasses import dataclass, field


@dataclass
class ModeSelection:
    primary_mode: str
    pipeline: list
    confidence: float
    reason: str


@dataclass
class OpenPlan:
    goal: str
    mode_selection: ModeSelection
    steps: list
    artifacts: list
    metadata: dict = field(default_factory=dict)
