"""Every name this library writes or reads: attributes, span names, trailers, environment variables.

GenAI names follow open-telemetry/semantic-conventions-genai (commit 11069855, Development); `vcs.*`,
`code.*`, `error.*` and `exception.*` follow semantic-conventions v1.44.0. They are kept as literals because the
GenAI conventions have no Python package and the generated `_incubating` constants are deprecated.
"""

from __future__ import annotations

from typing import Final

SCOPE_NAME: Final = "agentos_otel"
INSTRUMENTATION: Final = "agentos"
"""Our name as an instrumentation: of the entry point, and in `OTEL_PYTHON_DISABLED_INSTRUMENTATIONS`."""
SCHEMA_URL: Final = "https://opentelemetry.io/schemas/1.44.0"

# The two literals that the product promises. They break the naming guide (no prefix) on purpose: an engineer
# types `task_id=…` into Jaeger without having read any convention.
TASK_ID: Final = "task_id"
SESSION_ID: Final = "session_id"

# Our own, prefixed as naming.md asks of applications.
AGENTOS_KIND: Final = "agentos.kind"
AGENTOS_STAGE_NAME: Final = "agentos.stage.name"
AGENTOS_TASK_ATTEMPT: Final = "agentos.task.attempt"
AGENTOS_HOST_TASK_ID: Final = "agentos.host_task_id"
AGENTOS_CANCELLED: Final = "agentos.cancelled"
AGENTOS_ABANDONED: Final = "agentos.abandoned"
AGENTOS_RESERVED: Final = "agentos.reserved"
AGENTOS_LATE: Final = "agentos.late"
AGENTOS_CUT: Final = "agentos.cut"
AGENTOS_PATHS_RAISED: Final = "agentos.paths_raised"
AGENTOS_PATHS_MISSED: Final = "agentos.paths_missed"
AGENTOS_ID_PREFIX: Final = "agentos.id."
AGENTOS_ARGUMENT_PREFIX: Final = "agentos.argument."
AGENTOS_RESULT: Final = "agentos.result"
RETURNED_FAILURE: Final = "returned_failure"
REPORTED_FAILURE: Final = "reported_failure"
AGENTOS_CONTROL_FLOW_EVENT: Final = "agentos.control_flow"

# Resource (semconv: resource/service, process, host).
SERVICE_NAME: Final = "service.name"
SERVICE_INSTANCE_ID: Final = "service.instance.id"
PROCESS_PID: Final = "process.pid"
PROCESS_EXECUTABLE_NAME: Final = "process.executable.name"
PROCESS_EXIT_CODE: Final = "process.exit.code"
HOST_NAME: Final = "host.name"

# GenAI.
GEN_AI_OPERATION_NAME: Final = "gen_ai.operation.name"
GEN_AI_AGENT_NAME: Final = "gen_ai.agent.name"
GEN_AI_TOOL_NAME: Final = "gen_ai.tool.name"
GEN_AI_WORKFLOW_NAME: Final = "gen_ai.workflow.name"
GEN_AI_REQUEST_MODEL: Final = "gen_ai.request.model"
GEN_AI_CONVERSATION_ID: Final = "gen_ai.conversation.id"
OPERATION_INVOKE_AGENT: Final = "invoke_agent"
OPERATION_INVOKE_WORKFLOW: Final = "invoke_workflow"
OPERATION_EXECUTE_TOOL: Final = "execute_tool"
OPERATION_CHAT: Final = "chat"

# General.
ERROR_TYPE: Final = "error.type"
CODE_FUNCTION_NAME: Final = "code.function.name"
EXCEPTION_EVENT: Final = "exception"
EXCEPTION_TYPE: Final = "exception.type"
EXCEPTION_MESSAGE: Final = "exception.message"
EXCEPTION_STACKTRACE: Final = "exception.stacktrace"
VCS_HEAD_REVISION: Final = "vcs.ref.head.revision"
VCS_HEAD_NAME: Final = "vcs.ref.head.name"
VCS_REPOSITORY_NAME: Final = "vcs.repository.name"
LOG_LOGGER_NAME: Final = "log.logger.name"

# Span names by kind of point: `{action} {target}`, low cardinality.
SPAN_NAME_PREFIX: Final = {
    "task": "task ",
    "stage": "stage ",
    "agent": "invoke_agent ",
    "tool": "execute_tool ",
    "llm": "chat ",
    "commit": "commit",
}
COMMIT_SPAN: Final = "commit"
TASK_STARTED_SPAN: Final = "task started"

# Commit trailers (design 3.8).
TRAILER_TASK: Final = "Task-Id"
TRAILER_SESSION: Final = "Session-Id"
TRAILER_TRACE: Final = "Trace-Id"

# Fields of a log record (OpenTelemetry "Trace Context in non-OTLP Log Formats", and ours).
LOG_TRACE_ID: Final = "trace_id"
LOG_SPAN_ID: Final = "span_id"
LOG_TRACE_FLAGS: Final = "trace_flags"

# Environment variables of our own (design 3.9). Those of OpenTelemetry keep their names.
ENV_PREFIX: Final = "AGENTOS_OTEL_"
ENV_TASK_ID: Final = "AGENTOS_OTEL_TASK_ID"
ENV_SESSION_ID: Final = "AGENTOS_OTEL_SESSION_ID"
ENV_TRACEPARENT: Final = "AGENTOS_OTEL_TRACEPARENT"
ENV_TASK_FILE: Final = "AGENTOS_OTEL_TASK_FILE"
ENV_STATE_DIR: Final = "AGENTOS_OTEL_STATE_DIR"
ENV_DATABASE_URL: Final = "AGENTOS_OTEL_DATABASE_URL"
ENV_JAEGER_URL: Final = "AGENTOS_OTEL_JAEGER_URL"
ENV_MAP: Final = "AGENTOS_OTEL_MAP"
ENV_CAPTURE: Final = "AGENTOS_OTEL_CAPTURE"
ENV_IDLE_DAYS: Final = "AGENTOS_OTEL_IDLE_DAYS"
ENV_PARENT: Final = "AGENTOS_OTEL_PARENT"
ENV_DISABLED: Final = "AGENTOS_OTEL_DISABLED"
ENV_HOST_TABLES: Final = "AGENTOS_OTEL_HOST_TABLES"
ENV_TRAILERS: Final = "AGENTOS_OTEL_TRAILERS"
ENV_MAX_RUN_SIZE: Final = "AGENTOS_OTEL_MAX_RUN_SIZE"
ENV_MAX_SIZE: Final = "AGENTOS_OTEL_MAX_SIZE"
ENV_MAX_AGE: Final = "AGENTOS_OTEL_MAX_AGE"
ENV_KEEP: Final = "AGENTOS_OTEL_KEEP"
W3C_TRACEPARENT: Final = "TRACEPARENT"
OTEL_SDK_DISABLED: Final = "OTEL_SDK_DISABLED"
OTEL_DISABLED_INSTRUMENTATIONS: Final = "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS"
OTEL_SERVICE_NAME: Final = "OTEL_SERVICE_NAME"
OTEL_TRACES_SAMPLER: Final = "OTEL_TRACES_SAMPLER"
OTEL_TRACES_SAMPLER_ARG: Final = "OTEL_TRACES_SAMPLER_ARG"
OTEL_TRACES_EXPORTER: Final = "OTEL_TRACES_EXPORTER"
OTEL_EXPORTER_OTLP_PREFIX: Final = "OTEL_EXPORTER_OTLP_"
OTEL_EXPORTER_OTLP_TRACES_PREFIX: Final = "OTEL_EXPORTER_OTLP_TRACES_"
OTEL_CAPTURE_CONTENT: Final = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"

# Kinds of ids that have a column of their own in `tasks` (design 3.7); any other kind is a row of `task_refs`.
ID_COLUMNS: Final = (
    "nl_request_id",
    "intent_id",
    "coordinator_run_id",
    "dry_result_id",
    "execution_request_id",
)
REF_HOST_TASK: Final = "host_task"
HOST_METADATA_TRACE_ID: Final = "trace_id"
"""Key of the trace id in metadata that a host keeps with its task."""

# Stage names that move the phase of a task (design 3.1); other names are free and leave it alone.
PHASES: Final = ("intent", "coordination", "dry_execution", "execution", "completed")
