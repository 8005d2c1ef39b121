"""Stages of modes, one after the other; a stage's exception becomes a value."""

import dataclasses
import json
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

from ..executor.executor_engine import ExecutorEngine
from ..task import TaskContext, TaskManager
from ..time import now
from .._version_gate import VERSION
from .mode_selector import ModeSelection


@dataclass
class StageResult:
    mode_id: str
    status: str
    output: dict
    started_at: str
    finished_at: str
    error: Optional[str] = None


@dataclass
class PipelineResult:
    pipeline_id: str
    mode_selection: ModeSelection
    stages: list
    overall_status: str
    started_at: str
    finished_at: str
    task_id: Optional[str] = None


class ModePipelineRunner:
    def __init__(self, output_dir=None):
        self.output_dir = Path(output_dir or "outputs/pipeline")
        self.output_dir.mkdir(parents=True, exist_ok=True)
        self.task_manager = TaskManager()

    def run_pipeline(self, mode_selection, nl_input, repo_path, policy_path=None, task_id=None, session_id=None):
        pipeline_id, started = f"pipeline_{uuid.uuid4().hex[:12]}", now()
        if not task_id:
            task = self.task_manager.create_task(
                title=f"Pipeline: {nl_input[:50]}...", session_id=session_id, created_by="pipeline_runner"
            )
            task_id = task.task_id
        context = TaskContext(task_id=task_id, session_id=session_id)
        self.task_manager.add_lineage(task_id=task_id, kind="pipeline", ref_id=pipeline_id, phase="started")
        folder = self.output_dir / pipeline_id
        folder.mkdir(parents=True)
        (folder / "pipeline_metadata.json").write_text(json.dumps({"pipeline_id": pipeline_id, "task_id": task_id}))
        stages, status = [], "success"
        for index, mode in enumerate(mode_selection.pipeline):
            stage = self._run_stage(
                mode_id=mode, stage_idx=index, context={"original_input": nl_input}, repo_path=repo_path,
                policy_path=policy_path, pipeline_dir=folder, task_context=context,
            )
            stages.append(stage)
            if stage.status != "success":
                status = "failed"
                break
        self.task_manager.update_task_status(task_id, status)
        self.task_manager.add_lineage(task_id=task_id, kind="pipeline", ref_id=pipeline_id, phase="completed")
        result = PipelineResult(pipeline_id, mode_selection, stages, status, started, now())
        result.task_id = task_id  # set after it was made
        (folder / "pipeline_result.json").write_text(json.dumps({"pipeline_id": pipeline_id, "status": status}))
        return result

    def _run_stage(self, mode_id, stage_idx, context, repo_path, policy_path, pipeline_dir, task_context):
        started, request_id = now(), f"stage_{stage_idx}_{mode_id}_{uuid.uuid4().hex[:8]}"
        request = {
            "execution_request_id": request_id, "task_id": task_context.task_id, "mode_id": mode_id,
            "session_id": task_context.session_id, "context": context, "repo_path": str(repo_path), "steps": [],
        }
        self.task_manager.add_lineage(
            task_id=task_context.task_id, kind="execution_request", ref_id=request_id, phase=mode_id
        )
        folder = pipeline_dir / f"stage_{stage_idx}_{mode_id}"
        try:
            engine = ExecutorEngine(repo_path=repo_path, output_dir=folder)
            extra = {"caller_source": "task_runner"} if VERSION >= (0, 3, 1) else {}
            output = engine.execute(execution_request=request, sandbox_policy={}, policy_path=policy_path, **extra)
            status = output.get("status", "unknown")
            error = output.get("error") if status != "success" else None
            return StageResult(mode_id, status, output, started, now(), error)
        except Exception as error:
            return StageResult(mode_id, "failed", {"error": str(error)}, started, now(), str(error))
