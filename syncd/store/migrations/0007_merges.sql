-- Merges that an operator approved: carried out one after the other, whatever restarts lie between.
CREATE TABLE merges (
    command_id TEXT PRIMARY KEY,
    survivor TEXT NOT NULL,
    absorbed TEXT NOT NULL,
    who TEXT NOT NULL,
    why TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('open', 'done', 'failed')),
    reason TEXT NOT NULL DEFAULT '',
    asked_at INTEGER NOT NULL,
    ended_at INTEGER CHECK ((ended_at IS NULL) = (state = 'open'))
) STRICT, WITHOUT ROWID;
