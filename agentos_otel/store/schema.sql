-- The index: where the records of a trace lie. Bodies stay in the journals; deleted, it is built anew from them.
CREATE TABLE facts (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
-- A file of the journal directory (path relative to it, so that the state directory may be moved), how far it is
-- read, and why it cannot be.
CREATE TABLE files (
    file_id INTEGER PRIMARY KEY,
    path TEXT NOT NULL UNIQUE,
    offset INTEGER NOT NULL DEFAULT 0,
    refused TEXT
);
-- What one process wrote into one file, named host/run.otlp: the whole of a live file, a part of a day file. All
-- offsets below count from its base, and stay as they are when it is moved.
CREATE TABLE segments (
    segment_id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    run_id TEXT NOT NULL,
    file_id INTEGER NOT NULL,
    base INTEGER NOT NULL,
    length INTEGER NOT NULL DEFAULT 0,
    ended INTEGER NOT NULL DEFAULT 0,
    damaged INTEGER NOT NULL DEFAULT 0,
    dropped INTEGER NOT NULL DEFAULT 0,
    cut INTEGER NOT NULL DEFAULT 0,
    late INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX segments_by_run ON segments (run_id);
CREATE INDEX segments_by_file ON segments (file_id, base);
-- The records of one trace found in one reading of one segment: packed (offset, size, field) triples.
CREATE TABLE slices (
    slice_id INTEGER PRIMARY KEY,
    trace_id BLOB NOT NULL,
    segment_id INTEGER NOT NULL,
    places BLOB NOT NULL
);
CREATE INDEX slices_by_trace ON slices (trace_id);
-- The span ids of one reading by their first byte: sorted (span id, slice_id) pairs. A row per id made ingestion ten
-- times slower at 10^7; ids beside their slice made a search read all of them.
CREATE TABLE span_ids (
    bucket INTEGER NOT NULL,
    last_slice INTEGER NOT NULL,
    ids BLOB NOT NULL
);
CREATE INDEX span_ids_by_bucket ON span_ids (bucket);
-- Records that the task store has not been told of yet, in the order in which it has to be.
CREATE TABLE pending (
    pending_id INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    segment_id INTEGER NOT NULL,
    offset INTEGER NOT NULL,
    size INTEGER NOT NULL,
    field INTEGER NOT NULL
);
CREATE INDEX pending_by_time ON pending (at);
CREATE INDEX pending_by_segment ON pending (segment_id);
-- What processes say that they lost of a trace, by kind: dropped.
CREATE TABLE lost (
    trace_id BLOB NOT NULL,
    kind TEXT NOT NULL,
    records INTEGER NOT NULL,
    PRIMARY KEY (trace_id, kind)
) WITHOUT ROWID;
