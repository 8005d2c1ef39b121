-- How far each journal file is sent, what is held back and why, and what became of the rest. Deleted, everything that
-- still lies in the journals is sent again; servers know a span by its ids.
CREATE TABLE files (
    path TEXT PRIMARY KEY,      -- relative to the folder of the journals
    offset INTEGER NOT NULL     -- everything before it is sent, parked or not for sending
) WITHOUT ROWID;
-- Records that were passed over, by where they lie; the journal is the buffer, so no content is copied.
CREATE TABLE parked (
    id INTEGER PRIMARY KEY,
    task_id TEXT NOT NULL,      -- of what waits for the end of its task, else empty
    trace_id BLOB NOT NULL,
    path TEXT NOT NULL,
    places BLOB NOT NULL,       -- packed (offset, size) pairs
    spans INTEGER NOT NULL,
    reason TEXT NOT NULL,       -- why the server refused them; empty: they wait for the end of their task
    at INTEGER NOT NULL         -- Unix seconds
);
CREATE INDEX parked_by_task ON parked (task_id);
CREATE INDEX parked_by_trace ON parked (trace_id);
CREATE INDEX parked_by_path ON parked (path);
-- What AGENTOS_OTEL_KEEP has decided, for spans that come after the end of their task.
CREATE TABLE decisions (
    task_id TEXT PRIMARY KEY,
    kept INTEGER                -- NULL: it has ended, and nothing is decided
) WITHOUT ROWID;
-- Counters, and where the retry schedule stands: of all processes together, since they share one server.
CREATE TABLE state (
    name TEXT PRIMARY KEY,
    value
) WITHOUT ROWID;
