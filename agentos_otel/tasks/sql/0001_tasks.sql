-- Times are Unix nanoseconds (BIGINT), ids lower-case text. No foreign keys: a ref or a commit may be recorded
-- before the row of its task is (the journal is the truth, these tables are its projection).
CREATE TABLE sessions (
    session_id TEXT PRIMARY KEY,
    created_ns BIGINT NOT NULL,
    metadata TEXT NOT NULL DEFAULT '{}'
);

CREATE TABLE tasks (
    task_id TEXT PRIMARY KEY,
    session_id TEXT NOT NULL,
    name TEXT NOT NULL DEFAULT '',
    status TEXT NOT NULL,
    phase TEXT NOT NULL DEFAULT '',
    namespace TEXT NOT NULL DEFAULT '',
    owner_run TEXT NOT NULL DEFAULT '',
    created_ns BIGINT NOT NULL,
    updated_ns BIGINT NOT NULL,
    ended_ns BIGINT,
    error_type TEXT,
    attempt INTEGER NOT NULL DEFAULT 0,
    trace_id TEXT,
    nl_request_id TEXT,
    intent_id TEXT,
    coordinator_run_id TEXT,
    dry_result_id TEXT,
    execution_request_id TEXT,
    agent_ids TEXT NOT NULL DEFAULT '[]',
    commit_hash TEXT,
    metadata TEXT NOT NULL DEFAULT '{}',
    deleted_ns BIGINT
);

CREATE INDEX tasks_by_session ON tasks (session_id, created_ns);

CREATE INDEX tasks_by_time ON tasks (created_ns);

CREATE TABLE task_attempts (
    task_id TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    trace_id TEXT NOT NULL,
    root_span_id TEXT NOT NULL,
    root_name TEXT NOT NULL,
    owner_run TEXT NOT NULL DEFAULT '',
    sampled INTEGER NOT NULL DEFAULT 1,
    started_ns BIGINT NOT NULL,
    ended_ns BIGINT,
    status TEXT,
    error_type TEXT,
    ended_by TEXT,
    PRIMARY KEY (task_id, attempt)
);

CREATE UNIQUE INDEX task_attempts_by_trace ON task_attempts (trace_id);

CREATE TABLE task_runs (
    run_id TEXT NOT NULL,
    task_id TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    host TEXT NOT NULL DEFAULT '',
    pid BIGINT NOT NULL DEFAULT 0,
    program TEXT NOT NULL DEFAULT '',
    late INTEGER NOT NULL DEFAULT 0,
    started_ns BIGINT NOT NULL,
    left_ns BIGINT,
    PRIMARY KEY (run_id, task_id, attempt)
);

CREATE INDEX task_runs_by_task ON task_runs (task_id, attempt);

CREATE TABLE task_refs (
    task_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    value TEXT NOT NULL,
    role TEXT NOT NULL,
    stage TEXT NOT NULL DEFAULT '',
    trace_id TEXT,
    span_id TEXT,
    seen_ns BIGINT NOT NULL,
    PRIMARY KEY (task_id, kind, value, role, stage)
);

CREATE INDEX task_refs_by_value ON task_refs (value);

CREATE TABLE task_agents (
    task_id TEXT NOT NULL,
    trace_id TEXT NOT NULL,
    span_id TEXT NOT NULL,
    name TEXT NOT NULL,
    status TEXT NOT NULL,
    started_ns BIGINT NOT NULL,
    ended_ns BIGINT,
    PRIMARY KEY (task_id, span_id)
);

CREATE TABLE task_commits (
    task_id TEXT NOT NULL,
    sha TEXT NOT NULL,
    repository TEXT NOT NULL DEFAULT '',
    branch TEXT,
    trace_id TEXT,
    span_id TEXT,
    rewritten_to TEXT,
    seen_ns BIGINT NOT NULL,
    PRIMARY KEY (task_id, sha)
);

CREATE INDEX task_commits_by_sha ON task_commits (sha);

CREATE TABLE task_artifacts (
    task_id TEXT NOT NULL,
    path TEXT NOT NULL,
    stage TEXT NOT NULL DEFAULT '',
    size BIGINT,
    sha256 TEXT,
    span_id TEXT,
    seen_ns BIGINT NOT NULL,
    PRIMARY KEY (task_id, path, stage)
);
