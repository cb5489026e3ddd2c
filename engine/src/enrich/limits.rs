//! Named limits of enrichment: unit in the name, reason beside it.

/// Bytes of a user agent that are classified; the tokens that matter come first, and a longer one is an attack.
pub const USER_AGENT_BYTES_MAX: usize = 512;
/// Bytes of one client hint header that are looked at; brand lists are below 200.
pub const CLIENT_HINT_BYTES_MAX: usize = 512;
/// Bytes of a language header that are looked at.
pub const LANGUAGE_BYTES_MAX: usize = 512;
/// Hops of a forwarding header; real chains have two or three.
pub const FORWARD_HOPS_MAX: usize = 32;
/// Bytes of a geo database. The largest public city databases are around 150 MB.
pub const GEO_DATABASE_BYTES_MAX: u64 = 1 << 30;
/// Distinct records of a geo database that are interned; city databases have some hundred thousand.
pub const GEO_RECORDS_MAX: usize = 4_000_000;
/// Bytes of one name (region or city) kept from a geo database.
pub const GEO_NAME_BYTES_MAX: usize = 128;
/// Distinct time zones of a geo database; IANA has about 600 names.
pub const TIME_ZONES_MAX: usize = 1_024;
/// Devices that one worker remembers. Most traffic comes from a few hundred user agents.
pub const DEVICE_CACHE_ENTRIES: usize = 1_024;
/// Bytes of a user agent with its hints above which a device is not remembered: a stranger cannot fill the memory.
pub const DEVICE_KEY_BYTES_MAX: usize = 1_024;
/// Languages of a visitor that are looked at; browsers list a handful.
pub const LANGUAGES_MAX: usize = 8;
