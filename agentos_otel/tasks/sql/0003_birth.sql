-- What a root must say whoever writes it: the resource of the process that began its attempt, and its parent where the
-- user lets a foreign trace be one. Several tasks may then lie in one trace.
ALTER TABLE task_attempts ADD COLUMN resource TEXT NOT NULL DEFAULT '{}';

ALTER TABLE task_attempts ADD COLUMN root_parent_id TEXT NOT NULL DEFAULT '';

DROP INDEX task_attempts_by_trace;

CREATE INDEX task_attempts_by_trace ON task_attempts (trace_id);
