-- Spans of which a stream could not tell every change, until they have been read again.
CREATE TABLE gaps (
    connection TEXT NOT NULL,
    object TEXT NOT NULL,
    from_at INTEGER NOT NULL,
    until_at INTEGER NOT NULL,
    reason TEXT NOT NULL,
    stated_at INTEGER NOT NULL,
    PRIMARY KEY (connection, object)
) STRICT, WITHOUT ROWID;
