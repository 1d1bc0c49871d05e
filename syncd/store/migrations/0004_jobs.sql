-- Jobs of a vendor's that outlive a crash, and the deliveries that are in them.
CREATE TABLE jobs (
    number INTEGER PRIMARY KEY,
    connection TEXT NOT NULL,
    id TEXT NOT NULL,
    object TEXT NOT NULL,
    keys TEXT NOT NULL,
    begun_at INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX jobs_once ON jobs (connection, id);

ALTER TABLE deliveries ADD COLUMN job INTEGER REFERENCES jobs (number) CHECK (job IS NULL OR state = 'sending');
CREATE INDEX deliveries_of_job ON deliveries (job) WHERE job IS NOT NULL;

-- A person may be erased. SQLite cannot change a CHECK, so the table is made anew; its numbers go on where they stood.
ALTER TABLE changes RENAME TO changes_before;
CREATE TABLE changes (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    connection TEXT NOT NULL,
    object TEXT NOT NULL,
    external_id TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('state', 'hint', 'deleted', 'erased', 'merged', 'edit', 'opaque')),
    channel TEXT NOT NULL,
    lane INTEGER NOT NULL CHECK (lane BETWEEN 0 AND 3),
    dedupe_key TEXT NOT NULL,
    received_at INTEGER NOT NULL,
    occurred_at INTEGER NOT NULL,
    version TEXT NOT NULL,
    partial INTEGER NOT NULL CHECK (partial IN (0, 1)),
    correlation_id TEXT NOT NULL,
    payload TEXT,
    state TEXT NOT NULL DEFAULT 'staged' CHECK (state IN ('staged', 'folded', 'dropped', 'parked')),
    due_at INTEGER NOT NULL DEFAULT 0,
    attempts INTEGER NOT NULL DEFAULT 0,
    settled_at INTEGER CHECK ((settled_at IS NULL) = (state = 'staged')),
    reason TEXT NOT NULL DEFAULT ''
) STRICT;
INSERT INTO changes SELECT * FROM changes_before;
DELETE FROM sqlite_sequence WHERE name = 'changes';
INSERT INTO sqlite_sequence (name, seq) SELECT 'changes', seq FROM sqlite_sequence WHERE name = 'changes_before';
DROP TABLE changes_before;
CREATE UNIQUE INDEX changes_once ON changes (connection, dedupe_key);
CREATE INDEX changes_to_fold ON changes (lane, id) WHERE state = 'staged' AND kind <> 'hint';
CREATE INDEX changes_of_object ON changes (connection, object, external_id) WHERE state = 'staged' AND kind <> 'hint';
CREATE INDEX changes_to_read ON changes (connection, lane, id) WHERE state = 'staged' AND kind = 'hint';
CREATE INDEX changes_settled ON changes (settled_at) WHERE settled_at IS NOT NULL;
