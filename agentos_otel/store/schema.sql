-- The index: where the records of a trace lie. Bodies stay in the journals; deleted, it is built anew from them.
CREATE TABLE files (
    file_id INTEGER PRIMARY KEY,
    path TEXT NOT NULL UNIQUE,
    run_id TEXT NOT NULL,
    host TEXT NOT NULL,
    offset INTEGER NOT NULL DEFAULT 0,
    damaged INTEGER NOT NULL DEFAULT 0,
    damaged_bytes INTEGER NOT NULL DEFAULT 0,
    dropped INTEGER NOT NULL DEFAULT 0,
    ended INTEGER NOT NULL DEFAULT 0
);
-- One row for the records of one trace found in one reading of one file: packed (offset, size, field) triples, and
-- the span ids among them as one blob (a row per id made ingestion ten times slower at 10^7).
CREATE TABLE slices (
    trace_id BLOB NOT NULL,
    file_id INTEGER NOT NULL,
    places BLOB NOT NULL,
    span_ids BLOB NOT NULL
);
CREATE INDEX slices_by_trace ON slices (trace_id);
CREATE INDEX slices_by_file ON slices (file_id);
