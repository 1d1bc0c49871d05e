-- Today's schema, whole. The road to it is in migrations/; a test builds both and demands no difference.
-- Instants end in _at: integers, milliseconds since the epoch, UTC. JSON is text.

CREATE TABLE meta (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- What systems told us, as it arrived.
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
CREATE UNIQUE INDEX changes_once ON changes (connection, dedupe_key);
CREATE INDEX changes_to_fold ON changes (lane, id) WHERE state = 'staged' AND kind <> 'hint';
CREATE INDEX changes_of_object ON changes (connection, object, external_id) WHERE state = 'staged' AND kind <> 'hint';
CREATE INDEX changes_to_read ON changes (connection, lane, id) WHERE state = 'staged' AND kind = 'hint';
CREATE INDEX changes_settled ON changes (settled_at) WHERE settled_at IS NOT NULL;

-- Golden records.
CREATE TABLE records (
    id TEXT PRIMARY KEY,
    entity TEXT NOT NULL,
    fields TEXT NOT NULL,
    origins TEXT NOT NULL,
    version INTEGER NOT NULL CHECK (version >= 1),
    title TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;
CREATE INDEX records_recent ON records (updated_at, id);
CREATE INDEX records_titled ON records (title COLLATE NOCASE);

-- Which records an identity value belongs to. More than one means: ambiguous, never merged silently.
CREATE TABLE identities (
    entity TEXT NOT NULL,
    field TEXT NOT NULL,
    value TEXT NOT NULL,
    record_id TEXT NOT NULL REFERENCES records (id),
    PRIMARY KEY (entity, field, value, record_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX identities_of_record ON identities (record_id);

-- A record's place in a connection, with the shadow of what stands there.
CREATE TABLE links (
    connection TEXT NOT NULL,
    object TEXT NOT NULL,
    external_id TEXT NOT NULL,
    record_id TEXT NOT NULL REFERENCES records (id),
    shadow TEXT NOT NULL,
    sent TEXT NOT NULL,
    version TEXT NOT NULL,
    modified_at INTEGER NOT NULL,
    children TEXT NOT NULL,
    gone INTEGER NOT NULL CHECK (gone IN (0, 1)),
    erased INTEGER NOT NULL DEFAULT 0 CHECK (erased = 0 OR gone = 1),
    PRIMARY KEY (connection, object, external_id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX links_of_record ON links (record_id, connection, object) WHERE gone = 0;
CREATE INDEX links_gone ON links (record_id) WHERE gone = 1;

-- Jobs of a vendor's that outlive a crash; the deliveries that are in them point here.
CREATE TABLE jobs (
    number INTEGER PRIMARY KEY,
    connection TEXT NOT NULL,
    id TEXT NOT NULL,
    object TEXT NOT NULL,
    keys TEXT NOT NULL,
    begun_at INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX jobs_once ON jobs (connection, id);

-- Records that must be written: one row per record, connection and object; newer state coalesces into it.
CREATE TABLE deliveries (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    record_id TEXT NOT NULL REFERENCES records (id),
    entity TEXT NOT NULL,
    connection TEXT NOT NULL,
    object TEXT NOT NULL,
    state TEXT NOT NULL
        CHECK (state IN ('waiting', 'sending', 'unknown', 'blocked', 'held', 'dead', 'done')),
    lane INTEGER NOT NULL CHECK (lane BETWEEN 0 AND 3),
    due_at INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    since_at INTEGER NOT NULL,
    change_id INTEGER NOT NULL,
    correlation_id TEXT NOT NULL,
    wanted_version INTEGER NOT NULL,
    parent_id TEXT NOT NULL DEFAULT '' CHECK ((parent_id <> '') = (state = 'blocked')),
    reason TEXT NOT NULL DEFAULT '',
    sending_at INTEGER CHECK ((sending_at IS NOT NULL) = (state = 'sending')),
    done_at INTEGER CHECK (state <> 'done' OR done_at IS NOT NULL),
    job INTEGER REFERENCES jobs (number) CHECK (job IS NULL OR state = 'sending')
) STRICT;
CREATE UNIQUE INDEX deliveries_once ON deliveries (record_id, connection, object);
CREATE INDEX deliveries_due ON deliveries (connection, state, lane, due_at) WHERE state IN ('waiting', 'unknown');
CREATE INDEX deliveries_open ON deliveries (connection, object, state, lane, since_at) WHERE state <> 'done';
CREATE INDEX deliveries_blocked ON deliveries (parent_id, connection) WHERE state = 'blocked';
CREATE INDEX deliveries_of_job ON deliveries (job) WHERE job IS NOT NULL;

-- What was sent in writes whose outcome is not known yet: their echo must not pass for somebody else's edit.
CREATE TABLE in_flight (
    delivery_id INTEGER PRIMARY KEY REFERENCES deliveries (id),
    record_id TEXT NOT NULL,
    connection TEXT NOT NULL,
    object TEXT NOT NULL,
    fields TEXT NOT NULL
) STRICT;
CREATE INDEX in_flight_of_record ON in_flight (record_id);

-- One try of a delivery.
CREATE TABLE attempts (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    delivery_id INTEGER NOT NULL,
    record_id TEXT NOT NULL,
    connection TEXT NOT NULL,
    object TEXT NOT NULL,
    at INTEGER NOT NULL,
    duration_ms INTEGER NOT NULL,
    action TEXT NOT NULL,
    outcome TEXT NOT NULL,
    fields TEXT NOT NULL,
    sent TEXT NOT NULL,
    code TEXT NOT NULL DEFAULT '',
    message TEXT NOT NULL DEFAULT '',
    status INTEGER NOT NULL DEFAULT 0,
    reply TEXT NOT NULL DEFAULT '',
    correlation_id TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX attempts_of_record ON attempts (record_id, id);
CREATE INDEX attempts_aged ON attempts (at);

-- What each fold decided, field by field.
CREATE TABLE history (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    record_id TEXT NOT NULL,
    version INTEGER NOT NULL,
    at INTEGER NOT NULL,
    change_id INTEGER NOT NULL,
    connection TEXT NOT NULL,
    channel TEXT NOT NULL,
    correlation_id TEXT NOT NULL,
    decisions TEXT NOT NULL,
    who TEXT NOT NULL DEFAULT '',
    why TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX history_of_record ON history (record_id, id);
CREATE INDEX history_aged ON history (at);

-- Changes, deliveries and conflicts that need a human.
CREATE TABLE dead_letters (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL CHECK (kind IN ('change', 'delivery', 'conflict')),
    subject TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('open', 'replayed', 'discarded', 'resolved')),
    change_id INTEGER NOT NULL,
    delivery_id INTEGER NOT NULL,
    record_id TEXT NOT NULL,
    entity TEXT NOT NULL,
    connection TEXT NOT NULL,
    object TEXT NOT NULL,
    code TEXT NOT NULL,
    message TEXT NOT NULL,
    fields TEXT NOT NULL,
    detail TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    at INTEGER NOT NULL,
    correlation_id TEXT NOT NULL,
    closed_at INTEGER CHECK ((closed_at IS NULL) = (state = 'open')),
    closed_by TEXT NOT NULL DEFAULT '',
    closed_why TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE UNIQUE INDEX dead_letters_once ON dead_letters (kind, subject) WHERE state = 'open';
CREATE INDEX dead_letters_by_cause ON dead_letters (fingerprint, id) WHERE state = 'open';
CREATE INDEX dead_letters_of_record ON dead_letters (record_id);

-- When time itself becomes a change.
CREATE TABLE timers (
    record_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    due_at INTEGER NOT NULL,
    PRIMARY KEY (record_id, kind)
) STRICT, WITHOUT ROWID;
CREATE INDEX timers_due ON timers (due_at);

-- Where each capture stands.
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

-- What an operator paused: a connection, or a mapping as connection.object.
CREATE TABLE pauses (
    target TEXT PRIMARY KEY,
    at INTEGER NOT NULL,
    who TEXT NOT NULL,
    why TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Who did what and why.
CREATE TABLE audit (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    command_id TEXT NOT NULL,
    who TEXT NOT NULL,
    action TEXT NOT NULL,
    target TEXT NOT NULL,
    why TEXT NOT NULL,
    detail TEXT NOT NULL,
    result TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX audit_once ON audit (command_id);

CREATE TABLE counters (
    name TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The console's plots, so that they outlive a restart.
CREATE TABLE samples (
    series TEXT NOT NULL,
    at INTEGER NOT NULL,
    value REAL NOT NULL,
    PRIMARY KEY (series, at)
) STRICT, WITHOUT ROWID;

-- What was spent of each vendor's windows.
CREATE TABLE budgets (
    connection TEXT PRIMARY KEY,
    state BLOB NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
