-- What the end of runs needs: which state of a run is in the row already (its own clock, so that a replay is known
-- whatever the clocks of other hosts say), links of a root that another process may have to write, merged births.
ALTER TABLE tasks ADD COLUMN merged_into TEXT;

ALTER TABLE tasks ADD COLUMN without_store INTEGER NOT NULL DEFAULT 0;

ALTER TABLE task_attempts ADD COLUMN links TEXT NOT NULL DEFAULT '[]';

ALTER TABLE task_runs ADD COLUMN state_ns BIGINT NOT NULL DEFAULT 0;

CREATE INDEX tasks_open ON tasks (updated_ns) WHERE ended_ns IS NULL;

CREATE INDEX tasks_merged ON tasks (merged_into) WHERE merged_into IS NOT NULL;

CREATE INDEX tasks_born_alone ON tasks (created_ns) WHERE without_store = 1;
