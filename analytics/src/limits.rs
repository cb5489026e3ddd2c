//! Named limits of the writer: unit in the name, reason beside it.

/// Bytes read from the journal at a time; about 7,000 events.
pub const READ_CHUNK_BYTES: usize = 1 << 20;
/// Events folded before a commit. Bounds the memory of a batch and the work a crash repeats.
pub const BATCH_EVENTS_MAX: usize = 20_000;
/// Served ads that touches can join, about 230 bytes each. Beyond it the oldest are evicted and counted.
pub const JOINS_MAX: usize = 2_000_000;
/// Touches that wait for their served record, normally a handful.
pub const WAITING_MAX: usize = 65_536;
/// How long a touch waits for its served record, in time of the journal: workers' rings drain within milliseconds.
pub const WAIT_MS: i64 = 10 * 60 * 1_000;
/// Message ids remembered to recognise repeated behaviour events.
pub const MESSAGES_MAX: usize = 500_000;
/// Distinct behaviour names counted under their own name; later ones are counted as `other`.
pub const BEHAVIOUR_NAMES_MAX: usize = 1_024;
/// Generations whose names are remembered. Records of older ones still resolve while their ads can be joined.
pub const GENERATIONS_MAX: usize = 64;
/// Default attribution window: touches later than this after the ad was served do not count.
pub const ATTRIBUTION_WINDOW_MS: i64 = 7 * 24 * 3_600 * 1_000;
/// Cells (context, combination) that one template's model keeps; later new cells are counted and left out of the model.
pub const CELLS_PER_TEMPLATE_MAX: usize = 250_000;
/// Weights of one model. A Cholesky factor of this size takes 128 MB and a second or two; larger templates stay uniform.
pub const WEIGHTS_MAX: usize = 4_096;
/// Facts after which the tail becomes a part file: about 25 MB in memory while they wait, 2 MB as a file.
pub const PART_ROWS_MAX: usize = 131_072;
/// Bytes of one batch of facts in the tail: a full batch of the largest facts takes a tenth of it.
pub const TAIL_BYTES_MAX: usize = 64 << 20;
/// Journals that one writer reads.
pub const JOURNALS_MAX: usize = 256;
/// How long facts wait before they become a file, whatever their number: external engines see them then.
pub const PART_INTERVAL_MS: i64 = 5 * 60 * 1_000;
/// Passes of erasure over the files begin at least this far apart, so that many requests cost one pass. Together with the
/// time of a pass this is how long an erased subject's key can stay on facts.
pub const ERASE_INTERVAL_MS: i64 = 3_600 * 1_000;
/// How often old facts and rollups are looked for.
pub const EXPIRE_INTERVAL_MS: i64 = 3_600 * 1_000;
