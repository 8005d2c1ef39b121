"""Plans without executing."""

from .dry_executor import DryExecutor, run_dry_execution

__all__ = ["DryExecutor", "run_dry_execution"]
