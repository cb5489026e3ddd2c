-- Version 2. Facts as files, experiments by day, records by hour, one checkpoint per node.

-- One row per node: how far its journal has taken effect.
CREATE TABLE checkpoints (
    node INTEGER PRIMARY KEY,
    segment INTEGER NOT NULL,
    offset INTEGER NOT NULL,
    -- Segment from which a restart must read to rebuild what can still be joined.
    replay_segment INTEGER NOT NULL,
    -- Time of the newest served record before that segment.
    replay_watermark_ms INTEGER NOT NULL
) STRICT;

-- One row: the time of the newest served record of all nodes, and the hour up to which learner statistics have been faded.
CREATE TABLE clock (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    watermark_ms INTEGER NOT NULL,
    faded_hour INTEGER NOT NULL
) STRICT;

-- Version 1 knew one node and wrote no facts: its sums stay, and its journal goes on under the number that engines have by
-- default.
INSERT INTO checkpoints SELECT 1, segment, offset, replay_segment, replay_watermark_ms FROM progress;
INSERT INTO clock SELECT 1, watermark_ms, faded_hour FROM progress;
DROP TABLE progress;

-- Facts that are not in a part file yet, by batch.
CREATE TABLE fact_tail (
    id INTEGER PRIMARY KEY,
    made_at_ms INTEGER NOT NULL,
    facts BLOB NOT NULL
) STRICT;

-- The manifest: a file of facts that has no row here does not exist. Times are those of the events.
CREATE TABLE parts (
    id INTEGER PRIMARY KEY,
    file TEXT NOT NULL UNIQUE,
    facts INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    min_at_ms INTEGER NOT NULL,
    max_at_ms INTEGER NOT NULL
) STRICT;

-- How far each node's journal had taken effect when the part was made.
CREATE TABLE part_reaches (
    part INTEGER NOT NULL,
    node INTEGER NOT NULL,
    segment INTEGER NOT NULL,
    offset INTEGER NOT NULL,
    PRIMARY KEY (part, node)
) STRICT, WITHOUT ROWID;

-- Facts that have a record of their own, by part, hour of the record and kind.
CREATE TABLE part_hours (
    part INTEGER NOT NULL,
    hour INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (part, hour, kind)
) STRICT, WITHOUT ROWID;

-- What became of records, by the hour of their own time.
CREATE TABLE records_hourly (
    hour INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    outcome INTEGER NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (hour, kind, outcome)
) STRICT, WITHOUT ROWID;

-- Learnable ads only. The currency is empty for everything but conversions with a value; squares are of units.
CREATE TABLE experiment_days (
    day INTEGER NOT NULL,
    experiment INTEGER NOT NULL,
    variant INTEGER NOT NULL,
    campaign INTEGER NOT NULL,
    currency TEXT NOT NULL,
    served INTEGER NOT NULL,
    impressions INTEGER NOT NULL,
    clicks INTEGER NOT NULL,
    conversions INTEGER NOT NULL,
    revenue_micros INTEGER NOT NULL,
    revenue_squares REAL NOT NULL,
    PRIMARY KEY (day, experiment, variant, campaign, currency)
) STRICT, WITHOUT ROWID;

-- Subjects whose facts are still to be freed of them. Parts up to `part_done` have been looked at.
CREATE TABLE erasures (
    subject INTEGER PRIMARY KEY,
    asked_at_ms INTEGER NOT NULL,
    part_done INTEGER NOT NULL
) STRICT;

-- One row: events before this have been deleted for their age.
CREATE TABLE retained (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    facts_from_ms INTEGER NOT NULL
) STRICT;
