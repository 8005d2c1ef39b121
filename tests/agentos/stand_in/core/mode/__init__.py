"""Imports the executor, which imports this package: up to v3.0.0 only this door opens (a circle, else)."""

from .._version_gate import VERSION

if VERSION < (3, 2, 0):
    from .pipeline_runner import ModePipelineRunner, PipelineResult, StageResult
from .mode_selector import ModeSelection, ModeSelector
