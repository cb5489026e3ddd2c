-- Version 1. Integers are counts unless their name has a unit; arm and mode are codes of the wire enums; combinations and
-- contexts are lists of name numbers, four little-endian bytes each.

-- Text ids. kind: 1 campaign, 2 template, 3 segment, 4 asset (owner: slot), 5 label (owner: field), 6 behaviour.
CREATE TABLE names (
    id INTEGER PRIMARY KEY,
    kind INTEGER NOT NULL,
    owner TEXT NOT NULL,
    text TEXT NOT NULL,
    UNIQUE (kind, owner, text)
) STRICT;

-- One row: how far the journal has taken effect.
CREATE TABLE progress (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    segment INTEGER NOT NULL,
    offset INTEGER NOT NULL,
    -- Segment from which a restart must read to rebuild what can still be joined.
    replay_segment INTEGER NOT NULL,
    -- Time of the newest served record before that segment.
    replay_watermark_ms INTEGER NOT NULL,
    -- Time of the newest served record.
    watermark_ms INTEGER NOT NULL,
    -- Learner statistics have been faded up to this hour.
    faded_hour INTEGER NOT NULL
) STRICT;

-- The last posterior generation that was handed out.
CREATE TABLE publication (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    generation INTEGER NOT NULL
) STRICT;

-- Counters of the whole journal, by name.
CREATE TABLE totals (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;

CREATE TABLE waiting_touches (
    decision_id BLOB NOT NULL,
    ad INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    value_micros INTEGER NOT NULL,
    currency BLOB NOT NULL,
    since_ms INTEGER NOT NULL,
    PRIMARY KEY (decision_id, ad, kind)
) STRICT;

CREATE TABLE facts_hourly (
    hour INTEGER NOT NULL,
    campaign INTEGER NOT NULL,
    segment INTEGER NOT NULL,
    arm INTEGER NOT NULL,
    mode INTEGER NOT NULL,
    is_learnable INTEGER NOT NULL,
    served INTEGER NOT NULL,
    impressions INTEGER NOT NULL,
    viewables INTEGER NOT NULL,
    clicks INTEGER NOT NULL,
    conversions INTEGER NOT NULL,
    PRIMARY KEY (hour, campaign, segment, arm, mode, is_learnable)
) STRICT, WITHOUT ROWID;

CREATE TABLE values_hourly (
    hour INTEGER NOT NULL,
    campaign INTEGER NOT NULL,
    segment INTEGER NOT NULL,
    arm INTEGER NOT NULL,
    mode INTEGER NOT NULL,
    is_learnable INTEGER NOT NULL,
    currency TEXT NOT NULL,
    value_micros INTEGER NOT NULL,
    PRIMARY KEY (hour, campaign, segment, arm, mode, is_learnable, currency)
) STRICT, WITHOUT ROWID;

CREATE TABLE combinations_daily (
    day INTEGER NOT NULL,
    campaign INTEGER NOT NULL,
    template INTEGER NOT NULL,
    segment INTEGER NOT NULL,
    combination BLOB NOT NULL,
    arm INTEGER NOT NULL,
    mode INTEGER NOT NULL,
    impressions INTEGER NOT NULL,
    clicks INTEGER NOT NULL,
    PRIMARY KEY (day, campaign, template, segment, combination, arm, mode)
) STRICT, WITHOUT ROWID;

-- The learner's sufficient statistics; real numbers because old data may fade.
CREATE TABLE cells (
    template INTEGER NOT NULL,
    context BLOB NOT NULL,
    combination BLOB NOT NULL,
    impressions REAL NOT NULL,
    clicks REAL NOT NULL,
    PRIMARY KEY (template, context, combination)
) STRICT, WITHOUT ROWID;

CREATE TABLE behaviours_hourly (
    hour INTEGER NOT NULL,
    name INTEGER NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (hour, name)
) STRICT, WITHOUT ROWID;
