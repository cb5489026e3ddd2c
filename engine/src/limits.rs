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
/// Milliseconds that a decision may take when the caller does not say (`tmax_ms`), waiting included.
pub const TMAX_MS: u64 = 50;
/// Milliseconds of waiting after which a decide request is refused without a look at it: nobody waits that long for an ad.
pub const WAITED_MS_MAX: u64 = 250;
/// Decisions that a worker keeps for explanation per second, in the long run: keeping one costs about as much as making it.
pub const DECISIONS_LOGGED_PER_SEC: f64 = 100.0;
/// The same in a burst.
pub const DECISIONS_LOGGED_BURST: f64 = 500.0;
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
/// Bytes of the bidding terms. A thousand campaigns with categories and domains take about 200 KB.
pub const TERMS_BYTES_MAX: usize = 4 << 20;
/// Entries of one list or table of the bidding terms.
pub const TERMS_ENTRIES_MAX: usize = 10_000;
/// Bytes of one name in the bidding terms.
pub const TERMS_TEXT_BYTES_MAX: usize = 128;
/// Impressions of one bid request. Exchanges send one to a dozen.
pub const IMPRESSIONS_PER_BID_REQUEST_MAX: usize = 100;
/// Impressions that are decided together; with the ads of one decision bounded, fewer at a time leave each more choice.
pub const IMPRESSIONS_PER_DECISION: usize = 10;
/// Assets of one native ad request. The standard's own layouts have up to eight.
pub const NATIVE_ASSETS_MAX: usize = 32;
/// Bytes of an id that an exchange may give to a request or an impression; they are echoed.
pub const AUCTION_ID_BYTES_MAX: usize = 256;
/// API keys: each is compared on every request that brings one, in about four nanoseconds.
pub const ACCESS_KEYS_MAX: usize = 256;
/// Bytes of the file of API keys: an entry takes about 150.
pub const ACCESS_BYTES_MAX: usize = 256 << 10;
/// Origins whose pages may call the data port.
pub const ORIGINS_MAX: usize = 256;
/// Bytes of a request's head over HTTP/2; HTTP/1.1 has the same order by itself.
pub const HEAD_BYTES_MAX: u32 = 64 << 10;
/// Requests at a time on one HTTP/2 connection.
pub const STREAMS_PER_CONNECTION_MAX: u32 = 128;
/// Streams that a peer may open and reset before they are looked at, against floods of resets.
pub const RESETS_PENDING_MAX: usize = 32;
/// Seconds without a request after which an HTTP/2 connection is closed; over HTTP/1.1 it is [`HEAD_READ_SECS_MAX`].
pub const IDLE_SECS_MAX: u64 = 60;
/// Bytes of one call in Segment's protocol: its own limit.
pub const SEGMENT_CALL_BYTES_MAX: usize = 32 << 10;
/// Bytes of one request in Segment's protocol: its own limit for batches.
pub const SEGMENT_BODY_BYTES_MAX: usize = 500 << 10;
/// Bytes that browsers let a page send while it closes.
pub const BEACON_BYTES_MAX: usize = 64 << 10;
/// Milliseconds that an event may have waited for being sent; an older one counts as that old.
pub const EVENT_AGE_MS_MAX: i64 = 24 * 3_600_000;
/// Pairs of a campaign and an offer that visitors keep; each takes a key for what is counted.
pub const PROMISES_MAX: usize = 16_384;
