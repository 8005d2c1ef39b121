-- A page of tasks, and an id, are found at once among a million tasks.
CREATE INDEX tasks_by_status ON tasks (status, created_ns);

CREATE INDEX task_attempts_by_root ON task_attempts (root_span_id);
