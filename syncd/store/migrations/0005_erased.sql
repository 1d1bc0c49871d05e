-- A link to what was deleted for privacy: nothing brings it back.
ALTER TABLE links ADD COLUMN erased INTEGER NOT NULL DEFAULT 0 CHECK (erased = 0 OR gone = 1);
