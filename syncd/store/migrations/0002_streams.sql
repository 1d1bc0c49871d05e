-- Streams have cursors too. SQLite cannot change a CHECK, so the table is made anew.
CREATE TEMP TABLE kept AS SELECT * FROM cursors;
DROP TABLE cursors;
CREATE TABLE cursors (
    connection TEXT NOT NULL,
    object TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('poll', 'hydrate', 'stream')),
    cursor TEXT NOT NULL,
    finished INTEGER NOT NULL DEFAULT 0 CHECK (finished IN (0, 1)),
    seen INTEGER NOT NULL DEFAULT 0,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (connection, object, kind)
) STRICT, WITHOUT ROWID;
INSERT INTO cursors SELECT * FROM kept;
DROP TABLE kept;
