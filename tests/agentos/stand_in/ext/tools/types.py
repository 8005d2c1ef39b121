"""A tool's task and result."""

from dataclasses import dataclass, field
from typing import Optional

from ...core.time import now


@dataclass
class ToolTask:
    task_id: str
    instruction: str
    repo_path: str
    allowed_paths: list = field(default_factory=list)
    forbidden_paths: list = field(default_factory=list)
    timeout_seconds: int = 300


@dataclass
class ToolResult:
    tool: str
    status: str
    diff: str
    files_touched: list
    line_count: int
    tool_run_id: str
    timestamp: str = field(default_factory=now)
    model_id: Optional[str] = None
    provider: Optional[str] = None
    output_kind: str = "diff"
    error_category: Optional[str] = None
    endpoint: Optional[str] = None
    stdout: Optional[str] = None
    stderr: Optional[str] = None
    error_message: Optional[str] = None
    diff_validation: Optional[dict] = None
    _mock_used: bool = False
    _mock_reason: Optional[str] = None
    wrote_files: bool = False
    committed: bool = False
