-- Named queries, for SQLite and PostgreSQL alike: no RETURNING, casts where PostgreSQL cannot infer a type.

-- name: add_session
INSERT INTO sessions (session_id, created_ns, metadata) VALUES (:session_id, :at, :metadata)
ON CONFLICT (session_id) DO NOTHING

-- name: add_task
INSERT INTO tasks (task_id, session_id, name, status, namespace, owner_run, created_ns, updated_ns, metadata)
VALUES (:task_id, :session_id, :name, :status, :namespace, :owner_run, :at, :at, :metadata)
ON CONFLICT (task_id) DO NOTHING

-- name: add_attempt
INSERT INTO task_attempts (task_id, attempt, trace_id, root_span_id, root_name, owner_run, sampled, started_ns)
VALUES (:task_id, :attempt, :trace_id, :root_span_id, :root_name, :owner_run, :sampled, :at)
ON CONFLICT DO NOTHING

-- name: point_at_attempt
UPDATE tasks SET attempt = :attempt, trace_id = :trace_id, owner_run = :owner_run, status = :status,
       ended_ns = NULL, error_type = NULL, updated_ns = :at
WHERE task_id = :task_id AND attempt < :attempt

-- name: add_run
INSERT INTO task_runs (run_id, task_id, attempt, host, pid, program, late, started_ns)
VALUES (:run_id, :task_id, :attempt, :host, :pid, :program, :late, :at)
ON CONFLICT (run_id, task_id, attempt) DO NOTHING

-- name: rejoin_run
UPDATE task_runs SET left_ns = NULL WHERE run_id = :run_id AND task_id = :task_id AND attempt = :attempt AND left_ns < :at

-- name: leave_run
UPDATE task_runs SET left_ns = :at WHERE run_id = :run_id AND task_id = :task_id AND attempt = :attempt
AND left_ns IS NULL

-- name: set_waiting
UPDATE tasks SET status = 'waiting', updated_ns = :at
WHERE task_id = :task_id AND ended_ns IS NULL AND owner_run = '' AND attempt = :attempt
  AND NOT EXISTS (SELECT 1 FROM task_runs WHERE task_id = :task_id AND attempt = :attempt AND left_ns IS NULL)

-- name: set_state
UPDATE tasks SET status = :status, phase = CASE WHEN :phase = '' THEN phase ELSE :phase END, updated_ns = :at
WHERE task_id = :task_id AND ended_ns IS NULL AND updated_ns <= :at

-- name: end_attempt
UPDATE task_attempts SET ended_ns = :at, status = :status, error_type = :error_type, ended_by = :run_id
WHERE task_id = :task_id AND attempt = :attempt AND ended_ns IS NULL

-- name: end_task
UPDATE tasks SET status = :status, error_type = :error_type, ended_ns = :at, updated_ns = :at,
       phase = CASE WHEN :status = 'completed' THEN 'completed' ELSE phase END
WHERE task_id = :task_id AND attempt = :attempt AND ended_ns IS NULL

-- name: add_ref
INSERT INTO task_refs (task_id, kind, value, role, stage, trace_id, span_id, seen_ns)
VALUES (:task_id, :kind, :value, :role, :stage, :trace_id, :span_id, :at)
ON CONFLICT (task_id, kind, value, role, stage) DO NOTHING

-- name: add_agent
INSERT INTO task_agents (task_id, trace_id, span_id, name, status, started_ns, ended_ns)
VALUES (:task_id, :trace_id, :span_id, :name, :status, :started_ns, :ended_ns)
ON CONFLICT (task_id, span_id) DO NOTHING

-- name: agent_names
SELECT DISTINCT name FROM task_agents WHERE task_id = :task_id ORDER BY name

-- name: set_agent_ids
UPDATE tasks SET agent_ids = :agent_ids WHERE task_id = :task_id

-- name: add_artifact
INSERT INTO task_artifacts (task_id, path, stage, size, sha256, span_id, seen_ns)
VALUES (:task_id, :path, :stage, :size, :sha256, :span_id, :at)
ON CONFLICT (task_id, path, stage) DO UPDATE SET size = excluded.size, sha256 = excluded.sha256,
    span_id = excluded.span_id, seen_ns = excluded.seen_ns WHERE task_artifacts.seen_ns <= excluded.seen_ns

-- name: add_commit
INSERT INTO task_commits (task_id, sha, repository, branch, trace_id, span_id, seen_ns)
VALUES (:task_id, :sha, :repository, :branch, :trace_id, :span_id, :at)
ON CONFLICT (task_id, sha) DO NOTHING

-- name: rewrite_commit
UPDATE task_commits SET rewritten_to = :new_sha WHERE sha = :sha AND task_id = :task_id

-- name: set_commit_hash
UPDATE tasks SET commit_hash = :sha, updated_ns = :at WHERE task_id = :task_id

-- name: set_nl_request_id
UPDATE tasks SET nl_request_id = :value WHERE task_id = :task_id
-- name: set_intent_id
UPDATE tasks SET intent_id = :value WHERE task_id = :task_id
-- name: set_coordinator_run_id
UPDATE tasks SET coordinator_run_id = :value WHERE task_id = :task_id
-- name: set_dry_result_id
UPDATE tasks SET dry_result_id = :value WHERE task_id = :task_id
-- name: set_execution_request_id
UPDATE tasks SET execution_request_id = :value WHERE task_id = :task_id

-- name: update_task
UPDATE tasks SET name = :name, session_id = :session_id, metadata = :metadata, updated_ns = :at
WHERE task_id = :task_id AND updated_ns <= :at

-- name: delete_task
UPDATE tasks SET deleted_ns = :at WHERE task_id = :task_id

-- name: joinable
SELECT DISTINCT r.task_id, r.role, t.ended_ns FROM task_refs r JOIN tasks t ON t.task_id = r.task_id
WHERE r.value = :value AND r.role IN ('produced', 'born') AND t.deleted_ns IS NULL
  AND (t.namespace = :namespace OR t.namespace = '' OR :namespace = '')
  AND (t.ended_ns IS NULL OR (r.role = 'produced' AND t.ended_ns > :since))

-- name: get_task
SELECT * FROM tasks WHERE task_id = :task_id AND deleted_ns IS NULL

-- name: get_attempt
SELECT * FROM task_attempts WHERE task_id = :task_id AND attempt = :attempt

-- name: list_attempts
SELECT * FROM task_attempts WHERE task_id = :task_id ORDER BY attempt

-- name: list_runs
SELECT * FROM task_runs WHERE task_id = :task_id ORDER BY started_ns

-- name: open_attempts_of_run
SELECT r.task_id, r.attempt, a.owner_run, a.ended_ns, a.trace_id, r.left_ns FROM task_runs r
JOIN task_attempts a ON a.task_id = r.task_id AND a.attempt = r.attempt WHERE r.run_id = :run_id

-- name: living_runs
SELECT run_id FROM task_runs WHERE task_id = :task_id AND attempt = :attempt AND left_ns IS NULL

-- name: list_refs
SELECT * FROM task_refs WHERE task_id = :task_id ORDER BY seen_ns, kind, value

-- name: list_artifacts
SELECT * FROM task_artifacts WHERE task_id = :task_id ORDER BY seen_ns, path

-- name: list_commits
SELECT * FROM task_commits WHERE task_id = :task_id ORDER BY seen_ns, sha

-- name: list_tasks
SELECT * FROM tasks WHERE deleted_ns IS NULL
  AND (:status = '' OR status = :status) AND (:session_id = '' OR session_id = :session_id)
  AND (:phase = '' OR phase = :phase) AND created_ns >= :since
ORDER BY created_ns DESC, task_id LIMIT :count

-- name: get_session
SELECT * FROM sessions WHERE session_id = :session_id

-- name: list_sessions
SELECT s.session_id, s.created_ns, s.metadata, COUNT(t.task_id) AS tasks FROM sessions s
LEFT JOIN tasks t ON t.session_id = s.session_id AND t.deleted_ns IS NULL
GROUP BY s.session_id, s.created_ns, s.metadata ORDER BY s.created_ns DESC LIMIT :count

-- name: session_tasks
SELECT * FROM tasks WHERE session_id = :session_id AND deleted_ns IS NULL ORDER BY created_ns, task_id

-- name: find_ids
SELECT DISTINCT task_id, what, value FROM (
    SELECT task_id, 'task' AS what, task_id AS value FROM tasks WHERE task_id >= :low AND task_id < :high
    UNION ALL
    SELECT task_id, 'session', session_id FROM tasks WHERE session_id >= :low AND session_id < :high
    UNION ALL
    SELECT task_id, 'trace', trace_id FROM task_attempts WHERE trace_id >= :low AND trace_id < :high
    UNION ALL
    SELECT task_id, kind, value FROM task_refs WHERE value >= :low AND value < :high
    UNION ALL
    SELECT task_id, 'commit', sha FROM task_commits WHERE sha >= :low AND sha < :high
    UNION ALL
    SELECT task_id, 'span', root_span_id FROM task_attempts WHERE root_span_id >= :low AND root_span_id < :high
    UNION ALL
    SELECT task_id, 'run', run_id FROM task_runs WHERE run_id >= :low AND run_id < :high
) AS hits WHERE task_id IN (SELECT task_id FROM tasks WHERE deleted_ns IS NULL) LIMIT 1000

-- name: ambiguous_ids
SELECT value, COUNT(DISTINCT task_id) AS tasks FROM task_refs WHERE role = 'produced'
GROUP BY value HAVING COUNT(DISTINCT task_id) > 1 ORDER BY value LIMIT 20

-- name: erase_refs
DELETE FROM task_refs WHERE task_id = :task_id
-- name: erase_agents
DELETE FROM task_agents WHERE task_id = :task_id
-- name: erase_artifacts
DELETE FROM task_artifacts WHERE task_id = :task_id
-- name: erase_commits
DELETE FROM task_commits WHERE task_id = :task_id
-- name: erase_runs
DELETE FROM task_runs WHERE task_id = :task_id
-- name: erase_attempts
DELETE FROM task_attempts WHERE task_id = :task_id
-- name: erase_task
DELETE FROM tasks WHERE task_id = :task_id
