-- Named queries, for SQLite and PostgreSQL alike: no RETURNING, casts where PostgreSQL cannot infer a type.

-- name: store_identity
SELECT MIN(applied_ns) AS made_ns FROM schema_migrations

-- name: add_session
INSERT INTO sessions (session_id, created_ns, metadata) VALUES (:session_id, :at, :metadata)
ON CONFLICT (session_id) DO NOTHING

-- name: add_task
INSERT INTO tasks (task_id, session_id, name, status, namespace, owner_run, without_store, created_ns, updated_ns,
                   metadata)
VALUES (:task_id, :session_id, :name, :status, :namespace, :owner_run, :without_store, :at, :at, :metadata)
ON CONFLICT (task_id) DO NOTHING

-- name: add_attempt
INSERT INTO task_attempts (task_id, attempt, trace_id, root_span_id, root_name, owner_run, sampled, links,
                           resource, root_parent_id, started_ns)
VALUES (:task_id, :attempt, :trace_id, :root_span_id, :root_name, :owner_run, :sampled, :links,
        :resource, :root_parent_id, :at)
ON CONFLICT DO NOTHING

-- name: point_at_attempt
UPDATE tasks SET attempt = :attempt, trace_id = :trace_id, owner_run = :owner_run, status = :status,
       ended_ns = NULL, error_type = NULL, updated_ns = CASE WHEN updated_ns < :at THEN :at ELSE updated_ns END
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

-- name: parts_of_run
SELECT task_id, attempt FROM task_runs WHERE run_id = :run_id AND left_ns IS NULL

-- name: join_late
UPDATE task_runs SET late = 1 WHERE run_id = :run_id AND task_id = :task_id AND attempt = :attempt AND left_ns IS NULL
  AND EXISTS (SELECT 1 FROM task_attempts a WHERE a.task_id = :task_id AND a.attempt = :attempt
              AND a.ended_ns IS NOT NULL AND a.ended_by <> :run_id AND (:live = 1 OR a.ended_ns <= :at))

-- name: stay_late
UPDATE task_runs SET late = 1 WHERE task_id = :task_id AND attempt = :attempt AND left_ns IS NULL AND run_id <> :run_id

-- name: left_late
UPDATE task_runs SET late = CASE WHEN EXISTS (
    SELECT 1 FROM task_attempts a WHERE a.task_id = :task_id AND a.attempt = :attempt
    AND a.ended_ns < :at AND a.ended_by <> :run_id) THEN 1 ELSE 0 END
WHERE run_id = :run_id AND task_id = :task_id AND attempt = :attempt

-- name: set_waiting
UPDATE tasks SET status = 'waiting', updated_ns = CASE WHEN updated_ns < :at THEN :at ELSE updated_ns END
WHERE task_id = :task_id AND ended_ns IS NULL AND owner_run = '' AND attempt = :attempt
  AND NOT EXISTS (SELECT 1 FROM task_runs WHERE task_id = :task_id AND attempt = :attempt AND left_ns IS NULL)

-- name: set_state
UPDATE tasks SET status = :status, phase = CASE WHEN :phase = '' THEN phase ELSE :phase END,
       updated_ns = CASE WHEN updated_ns < :at THEN :at ELSE updated_ns END
WHERE task_id = :task_id AND ended_ns IS NULL
  AND NOT EXISTS (SELECT 1 FROM task_runs WHERE run_id = :run_id AND task_id = :task_id AND state_ns >= :at)
  AND (:live = 1 OR updated_ns <= :at OR EXISTS (
       SELECT 1 FROM task_runs WHERE run_id = :run_id AND task_id = :task_id AND left_ns IS NULL))

-- name: note_state
UPDATE task_runs SET state_ns = :at WHERE run_id = :run_id AND task_id = :task_id AND state_ns < :at

-- name: resume_work
UPDATE tasks SET status = 'executing', updated_ns = CASE WHEN updated_ns < :at THEN :at ELSE updated_ns END
WHERE task_id = :task_id AND attempt = :attempt AND status = 'waiting'

-- name: end_attempt
UPDATE task_attempts SET ended_ns = CASE WHEN :at < started_ns THEN started_ns ELSE :at END,
       status = :status, error_type = :error_type, ended_by = :run_id
WHERE task_id = :task_id AND attempt = :attempt AND ended_ns IS NULL

-- name: end_task
UPDATE tasks SET status = :status, error_type = :error_type,
       ended_ns = CASE WHEN :at < created_ns THEN created_ns ELSE :at END,
       updated_ns = CASE WHEN updated_ns < :at THEN :at ELSE updated_ns END,
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

-- name: follow_rewrite
UPDATE tasks SET commit_hash = :new_sha WHERE task_id = :task_id AND commit_hash = :sha

-- name: set_commit_hash
UPDATE tasks SET commit_hash = :sha, updated_ns = CASE WHEN updated_ns < :at THEN :at ELSE updated_ns END
WHERE task_id = :task_id
  AND NOT EXISTS (SELECT 1 FROM task_commits WHERE task_id = :task_id AND seen_ns > :at)

-- name: set_nl_request_id
UPDATE tasks SET nl_request_id = :value WHERE task_id = :task_id AND (:live = 1 OR NOT EXISTS (
    SELECT 1 FROM task_refs WHERE task_id = :task_id AND kind = 'nl_request_id' AND seen_ns > :at))
-- name: set_intent_id
UPDATE tasks SET intent_id = :value WHERE task_id = :task_id AND (:live = 1 OR NOT EXISTS (
    SELECT 1 FROM task_refs WHERE task_id = :task_id AND kind = 'intent_id' AND seen_ns > :at))
-- name: set_coordinator_run_id
UPDATE tasks SET coordinator_run_id = :value WHERE task_id = :task_id AND (:live = 1 OR NOT EXISTS (
    SELECT 1 FROM task_refs WHERE task_id = :task_id AND kind = 'coordinator_run_id' AND seen_ns > :at))
-- name: set_dry_result_id
UPDATE tasks SET dry_result_id = :value WHERE task_id = :task_id AND (:live = 1 OR NOT EXISTS (
    SELECT 1 FROM task_refs WHERE task_id = :task_id AND kind = 'dry_result_id' AND seen_ns > :at))
-- name: set_execution_request_id
UPDATE tasks SET execution_request_id = :value WHERE task_id = :task_id AND (:live = 1 OR NOT EXISTS (
    SELECT 1 FROM task_refs WHERE task_id = :task_id AND kind = 'execution_request_id' AND seen_ns > :at))

-- name: update_task
UPDATE tasks SET name = :name, session_id = :session_id, metadata = :metadata,
       updated_ns = CASE WHEN updated_ns < :at THEN :at ELSE updated_ns END
WHERE task_id = :task_id AND (:live = 1 OR updated_ns <= :at)

-- name: take_session
UPDATE tasks SET session_id = :session_id WHERE task_id = :task_id AND session_id = :made_up

-- name: delete_task
UPDATE tasks SET deleted_ns = :at WHERE task_id = :task_id

-- name: merge_task
UPDATE tasks SET merged_into = :target WHERE task_id = :task_id AND without_store = 1 AND merged_into IS NULL

-- name: follow_merge
UPDATE tasks SET merged_into = :target WHERE merged_into = :task_id

-- name: split_task
UPDATE tasks SET merged_into = NULL, without_store = 0 WHERE task_id = :task_id

-- name: joinable
SELECT DISTINCT o.task_id, r.role, o.ended_ns FROM task_refs r JOIN tasks t ON t.task_id = r.task_id
JOIN tasks o ON o.task_id = COALESCE(t.merged_into, t.task_id)
WHERE r.value = :value AND r.role IN ('produced', 'born') AND t.deleted_ns IS NULL AND o.deleted_ns IS NULL
  AND (t.namespace = :namespace OR t.namespace = '' OR :namespace = '')
  AND (o.ended_ns IS NULL OR (r.role = 'produced' AND o.ended_ns > :since))
UNION SELECT o.task_id, 'key', o.ended_ns FROM tasks t JOIN tasks o ON o.task_id = COALESCE(t.merged_into, t.task_id)
WHERE t.task_id = :value AND t.deleted_ns IS NULL AND o.deleted_ns IS NULL
  AND (t.namespace = :namespace OR t.namespace = '' OR :namespace = '')

-- name: host_traces
SELECT r.value AS host_id, t.trace_id FROM task_refs r JOIN tasks t ON t.task_id = r.task_id
WHERE r.kind = 'host_task' AND t.trace_id IS NOT NULL ORDER BY t.created_ns DESC LIMIT 10000

-- name: born_alone
SELECT DISTINCT t.task_id, t.owner_run, o.task_id AS target FROM tasks t
JOIN task_refs b ON b.task_id = t.task_id AND b.role = 'born'
JOIN task_refs p ON p.value = b.value AND p.role = 'produced' AND p.task_id <> t.task_id
JOIN tasks m ON m.task_id = p.task_id
JOIN tasks o ON o.task_id = COALESCE(m.merged_into, m.task_id)
WHERE t.without_store = 1 AND t.merged_into IS NULL AND t.deleted_ns IS NULL
  AND o.task_id <> t.task_id AND o.deleted_ns IS NULL
  AND (t.namespace = m.namespace OR t.namespace = '' OR m.namespace = '')
  AND (o.ended_ns IS NULL OR o.ended_ns > t.created_ns - :window)
ORDER BY t.task_id

-- name: merged_waiting
SELECT task_id, merged_into, updated_ns FROM tasks
WHERE merged_into IS NOT NULL AND ended_ns IS NULL AND status = 'waiting' AND deleted_ns IS NULL

-- name: merged_from
SELECT task_id FROM tasks WHERE merged_into = :task_id AND deleted_ns IS NULL ORDER BY created_ns, task_id

-- name: find_merged
SELECT task_id FROM tasks WHERE merged_into IS NOT NULL AND task_id >= :low AND task_id < :high

-- name: idle_tasks
SELECT task_id, attempt, updated_ns FROM tasks
WHERE ended_ns IS NULL AND deleted_ns IS NULL AND updated_ns < :before AND attempt > 0
ORDER BY updated_ns LIMIT 1000

-- name: get_task
SELECT * FROM tasks WHERE task_id = :task_id AND deleted_ns IS NULL

-- name: get_any_task
SELECT * FROM tasks WHERE task_id = :task_id

-- name: get_attempt
SELECT * FROM task_attempts WHERE task_id = :task_id AND attempt = :attempt

-- name: get_host_task
SELECT value AS host_task_id FROM task_refs WHERE task_id = :task_id AND kind = 'host_task' ORDER BY seen_ns LIMIT 1

-- name: list_attempts
SELECT * FROM task_attempts WHERE task_id = :task_id ORDER BY attempt

-- name: list_runs
SELECT * FROM task_runs WHERE task_id = :task_id ORDER BY started_ns

-- name: living_runs
SELECT run_id, host FROM task_runs WHERE task_id = :task_id AND attempt = :attempt AND left_ns IS NULL

-- name: runs_of_attempt
SELECT run_id, host, started_ns, left_ns FROM task_runs WHERE task_id = :task_id AND attempt = :attempt

-- name: list_refs
SELECT * FROM task_refs WHERE task_id = :task_id ORDER BY seen_ns, kind, value

-- name: list_artifacts
SELECT * FROM task_artifacts WHERE task_id = :task_id ORDER BY seen_ns, path

-- name: list_commits
SELECT * FROM task_commits WHERE task_id = :task_id ORDER BY seen_ns, sha

-- name: list_tasks
-- A branch for each index: with the filters in one, a status that few tasks have is looked for among all of them.
SELECT * FROM tasks WHERE :status = '' AND :session_id = ''
  AND deleted_ns IS NULL AND merged_into IS NULL AND (:phase = '' OR phase = :phase) AND created_ns >= :since
UNION ALL
SELECT * FROM tasks WHERE :status <> '' AND :session_id = '' AND status = :status
  AND deleted_ns IS NULL AND merged_into IS NULL AND (:phase = '' OR phase = :phase) AND created_ns >= :since
UNION ALL
SELECT * FROM tasks WHERE :session_id <> '' AND session_id = :session_id AND (:status = '' OR status = :status)
  AND deleted_ns IS NULL AND merged_into IS NULL AND (:phase = '' OR phase = :phase) AND created_ns >= :since
ORDER BY created_ns DESC, task_id LIMIT :count

-- name: get_session
SELECT * FROM sessions WHERE session_id = :session_id

-- name: list_sessions
SELECT s.session_id, s.created_ns, s.metadata, COUNT(t.task_id) AS tasks FROM sessions s
LEFT JOIN tasks t ON t.session_id = s.session_id AND t.deleted_ns IS NULL AND t.merged_into IS NULL
GROUP BY s.session_id, s.created_ns, s.metadata ORDER BY s.created_ns DESC LIMIT :count

-- name: session_tasks
SELECT * FROM tasks WHERE session_id = :session_id AND deleted_ns IS NULL AND merged_into IS NULL ORDER BY created_ns, task_id

-- name: find_ids
SELECT DISTINCT COALESCE(t.merged_into, t.task_id) AS task_id, what, value FROM (
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
) AS hits JOIN tasks t ON t.task_id = hits.task_id WHERE t.deleted_ns IS NULL LIMIT 1000

-- name: ambiguous_ids
SELECT value, COUNT(DISTINCT task_id) AS tasks FROM task_refs WHERE role = 'produced'
GROUP BY value HAVING COUNT(DISTINCT task_id) > 1 ORDER BY value LIMIT 20

-- name: open_traces
SELECT trace_id FROM task_attempts WHERE ended_ns IS NULL

-- name: task_of_trace
SELECT a.task_id, t.ended_ns FROM task_attempts a JOIN tasks t ON t.task_id = a.task_id WHERE a.trace_id = :trace_id

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
