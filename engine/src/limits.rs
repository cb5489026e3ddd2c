//! Named limits of the data plane: unit in the name, reason beside it.

/// Bytes of a request body. A decision with 50 placements and a full profile takes about 30 KB.
pub const BODY_BYTES_MAX: usize = 256 << 10;
/// Seconds a client may take to send its request head, against slow senders.
pub const HEAD_READ_SECS_MAX: u64 = 10;
/// Seconds a client may take to send its body.
pub const BODY_READ_SECS_MAX: u64 = 10;
/// Bytes that are read and thrown away after the last answer, so that a client that is still sending can read it.
pub const LINGER_BYTES_MAX: usize = 16 << 20;
/// Seconds that a client may take to close its side after the last answer.
pub const LINGER_SECS_MAX: u64 = 1;
/// Open connections per worker; more are closed at once so that memory stays bounded.
pub const CONNECTIONS_PER_WORKER_MAX: usize = 16_384;
/// Entries of a worker's event ring: 160 bytes each, more than half a second of 100,000 served ads per second.
pub const RING_ENTRIES: usize = 65_536;
/// Entries of the ring that served ads may not use, so that clicks and conversions still fit when it is nearly full.
pub const RING_RESERVED_FOR_TOUCHES: usize = RING_ENTRIES / 8;
/// Bytes after which the journal starts a new segment.
pub const SEGMENT_BYTES_MAX: u64 = 64 << 20;
/// Bytes that the journal collects before it writes.
pub const WRITE_BATCH_BYTES: usize = 1 << 20;
/// Milliseconds between attempts to write while the disk refuses.
pub const DISK_RETRY_MS: u64 = 100;
/// Events of one `POST /v1/events`.
pub const EVENTS_PER_BATCH_MAX: usize = 500;
/// Bytes of an event's message id.
pub const MESSAGE_ID_BYTES_MAX: usize = 64;
/// Bytes of an event's name or product id.
pub const EVENT_TEXT_BYTES_MAX: usize = 128;
/// Bytes of a request id that is echoed.
pub const REQUEST_ID_BYTES_MAX: usize = 128;
/// Traits or context entries of one request.
pub const FREE_VALUES_MAX: usize = 256;
/// Entries of each list of a placement's filter: every candidate is compared with them.
pub const FILTER_ENTRIES_MAX: usize = 256;
/// Sizes of one placement.
pub const FORMATS_PER_PLACEMENT_MAX: usize = 16;
/// Milliseconds between looks at the bundle, posterior and location files.
pub const WATCH_INTERVAL_MS: u64 = 100;
/// Counted events remembered per visitor: 8 bytes each. A visitor who sees more ads within a cap's window than this would
/// be shown too many.
pub const STAMPS_PER_VISITOR_MAX: usize = 96;
/// Different things that are counted, over the life of a data directory. A bundle has at most 256 features.
pub const COUNT_KEYS_MAX: usize = 65_536;
/// Seconds after which an untouched cart counts as abandoned, unless the shop says so earlier.
pub const ABANDONED_AFTER_SECS: u32 = 30 * 60;
/// Seconds after which a visitor who does nothing is forgotten: 90 days, the longest window worth counting.
pub const VISITOR_TTL_SECS: u32 = 90 * 86_400;
/// Bytes of one journal segment that are read back at the start: a segment ends soon after 64 MiB, unless one record is
/// as large as records may be.
pub const JOURNAL_SEGMENT_READ_BYTES_MAX: u64 = 256 << 20;
/// Milliseconds between two looks at budgets: how late a lease can be, and how often the books are written at most.
pub const BUDGETS_TICK_MS: u64 = 100;
/// Budgets of all bundles that were ever live over a data directory: a line of some 60 bytes each.
pub const BUDGETS_REMEMBERED_MAX: usize = 100_000;
/// Seconds between two saves of what is remembered of visitors.
pub const VISITORS_SAVE_SECS: u64 = 30;
