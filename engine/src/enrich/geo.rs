//! Where a truncated address is: country, subdivision, city and time zone.
//!
//! A [`GeoDb`] exists only if its file passed verification, every record in it decoded, at least one names a country
//! and a sample of look-ups found what the walk found. Every distinct record is interned into flat arenas at load, so a
//! lookup decodes nothing. A damaged or foreign file is a typed error, never a panic.
//!
//! Cost: a lookup is one tree walk and one hash probe, no allocation; loading walks the whole database.
//! Not here: truncation ([`super::client_addr::truncate`]); swapping databases ([`super::geo_cell`]).

use std::collections::HashMap;
use std::net::IpAddr;
use std::path::Path;

use ahash::RandomState;
use maxminddb::{LookupResult, MaxMindDbError, PathElement, Reader, WithinOptions, path};

use super::country_zone::sole_zone;
use super::limits::{GEO_DATABASE_BYTES_MAX, GEO_NAME_BYTES_MAX, GEO_RECORDS_MAX, TIME_ZONES_MAX};

/// Networks that are looked up again after loading, to see that walk and lookup agree.
const PROBES_MAX: usize = 64;

/// Position of a time zone in [`GeoDb::zones`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ZoneIndex(pub u16);

/// The file is not a usable geo database; the engine keeps the one it has.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GeoError {
    /// The file could not be read.
    #[error("cannot read the geo database")]
    Read(#[source] std::io::Error),
    /// The file is larger than any geo database we know.
    #[error("geo database has {bytes} bytes, more than the {bytes_max} that are accepted")]
    TooLarge {
        /// Size of the file.
        bytes: u64,
        /// The limit.
        bytes_max: u64,
    },
    /// Not a MaxMind database, or its metadata is damaged.
    #[error("not a MaxMind database")]
    Open(#[source] MaxMindDbError),
    /// The search tree or the data section is damaged.
    #[error("geo database is damaged")]
    Damaged(#[source] MaxMindDbError),
    /// A record has another shape than a geo record.
    #[error("geo database holds a record that is not a geo record")]
    Record(#[source] MaxMindDbError),
    /// More distinct records than are accepted.
    #[error("geo database holds more than {records_max} distinct records")]
    TooManyRecords {
        /// The limit.
        records_max: usize,
    },
    /// More distinct time zones than exist.
    #[error("geo database holds more than {zones_max} time zones")]
    TooManyZones {
        /// The limit.
        zones_max: usize,
    },
    /// A MaxMind database of another kind, such as autonomous systems.
    #[error("database names no country")]
    NoCountry,
    /// A lookup did not find what the walk over the database found.
    #[error("look-ups disagree with the walk over the geo database")]
    Inconsistent,
}

/// A piece of the text arena. Empty means absent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Span {
    start: u32,
    len: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct GeoRecord {
    country: Span,
    region: Span,
    city: Span,
    zone: Option<ZoneIndex>,
}

/// A verified geo database. See the module for what that means.
#[derive(Debug)]
pub struct GeoDb {
    reader: Reader<Vec<u8>>,
    index: HashMap<usize, u32, RandomState>,
    records: Vec<GeoRecord>,
    text: String,
    zones: Vec<Box<str>>,
}

/// What a database says about an address.
#[derive(Debug, Clone, Copy)]
pub struct GeoRef<'db> {
    db: &'db GeoDb,
    record: GeoRecord,
}

impl GeoDb {
    /// Opens and verifies a database file. Blocking; never on the request path.
    ///
    /// # Errors
    ///
    /// [`GeoError`] when the file cannot be read or is not a usable geo database.
    pub fn open(path: &Path) -> Result<GeoDb, GeoError> {
        let bytes = std::fs::metadata(path).map_err(GeoError::Read)?.len();
        if bytes > GEO_DATABASE_BYTES_MAX {
            return Err(GeoError::TooLarge { bytes, bytes_max: GEO_DATABASE_BYTES_MAX });
        }
        // A copy in memory, not a mapping: a file that shrinks under a mapping would kill the process.
        GeoDb::from_bytes(std::fs::read(path).map_err(GeoError::Read)?)
    }

    /// Verifies a database in memory.
    ///
    /// # Errors
    ///
    /// [`GeoError`] when the bytes are not a usable geo database.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<GeoDb, GeoError> {
        let reader = Reader::from_source(bytes).map_err(GeoError::Open)?;
        reader.verify().map_err(GeoError::Damaged)?;
        let mut interner = Interner::default();
        let mut probes = Vec::new();
        for network in reader.networks(WithinOptions::default()).map_err(GeoError::Damaged)? {
            let found = network.map_err(GeoError::Damaged)?;
            let Some(offset) = found.offset() else { continue };
            if probes.len() < PROBES_MAX {
                probes.push((found.network().map_err(GeoError::Damaged)?.ip(), offset));
            }
            interner.intern(offset, &found)?;
        }
        if interner.records.iter().all(|record| record.country == Span::default()) {
            return Err(GeoError::NoCountry);
        }
        let Interner { index, records, text, zones, .. } = interner;
        let db = GeoDb { reader, index, records, text, zones };
        if probes.iter().any(|(address, offset)| db.offset(*address) != Some(*offset)) {
            return Err(GeoError::Inconsistent);
        }
        Ok(db)
    }

    /// What the database says about an address. Pass the truncated form only.
    pub fn lookup(&self, address: IpAddr) -> Option<GeoRef<'_>> {
        let record = self.index.get(&self.offset(address)?)?;
        Some(GeoRef { db: self, record: *self.records.get(*record as usize)? })
    }

    /// Names of the time zones, in the order of [`ZoneIndex`].
    pub fn zones(&self) -> &[Box<str>] {
        &self.zones
    }

    /// Number of distinct records.
    pub fn record_count(&self) -> usize {
        self.records.len()
    }

    /// When the database was built, unix seconds.
    pub fn built_at_secs(&self) -> u64 {
        self.reader.metadata().build_epoch
    }

    fn offset(&self, address: IpAddr) -> Option<usize> {
        // The reader would allocate an error for this.
        if address.is_ipv6() && self.reader.metadata().ip_version == 4 {
            return None;
        }
        self.reader.lookup(address).ok()?.offset()
    }

    fn slice(&self, span: Span) -> Option<&str> {
        let start = span.start as usize;
        self.text.get(start..start + usize::from(span.len)).filter(|text| !text.is_empty())
    }
}

impl<'db> GeoRef<'db> {
    /// ISO 3166-1 alpha-2 country, upper case.
    pub fn country(&self) -> Option<&'db str> {
        self.db.slice(self.record.country)
    }

    /// ISO 3166-2 subdivision with its country, such as `RO-CJ`; the largest one when several are nested.
    pub fn region(&self) -> Option<&'db str> {
        self.db.slice(self.record.region)
    }

    /// English city name.
    pub fn city(&self) -> Option<&'db str> {
        self.db.slice(self.record.city)
    }

    /// IANA time zone; for a database without zones, that of a country which keeps one time.
    pub fn time_zone(&self) -> Option<&'db str> {
        self.db.zones.get(usize::from(self.record.zone?.0)).map(|zone| &**zone)
    }

    /// Position of the time zone in [`GeoDb::zones`].
    pub fn tz_index(&self) -> Option<ZoneIndex> {
        self.record.zone
    }
}

/// Collects distinct records while a database is walked.
#[derive(Default)]
struct Interner {
    index: HashMap<usize, u32, RandomState>,
    records: Vec<GeoRecord>,
    text: String,
    zones: Vec<Box<str>>,
    spans: HashMap<Box<str>, Span, RandomState>,
    zone_indexes: HashMap<Box<str>, ZoneIndex, RandomState>,
}

impl Interner {
    fn intern(&mut self, offset: usize, found: &LookupResult<'_, Vec<u8>>) -> Result<(), GeoError> {
        if self.index.contains_key(&offset) {
            return Ok(());
        }
        if self.records.len() == GEO_RECORDS_MAX {
            return Err(GeoError::TooManyRecords { records_max: GEO_RECORDS_MAX });
        }
        let country = text_at(found, &path!["country", "iso_code"])?.filter(|code| is_country_code(code));
        let subdivision =
            text_at(found, &path!["subdivisions", 0, "iso_code"])?.filter(|code| is_subdivision_code(code));
        let city =
            text_at(found, &path!["city", "names", "en"])?.filter(|name| name.len() <= GEO_NAME_BYTES_MAX);
        let zone = text_at(found, &path!["location", "time_zone"])?.or_else(|| sole_zone(country?));
        let region = country.zip(subdivision).map(|(country, code)| format!("{country}-{code}"));
        let record = GeoRecord {
            country: self.span(country),
            region: self.span(region.as_deref()),
            city: self.span(city),
            zone: zone.map(|zone| self.zone(zone)).transpose()?,
        };
        self.index.insert(offset, self.records.len() as u32);
        self.records.push(record);
        Ok(())
    }

    fn span(&mut self, text: Option<&str>) -> Span {
        let Some(text) = text else { return Span::default() };
        if let Some(span) = self.spans.get(text) {
            return *span;
        }
        // INVARIANT: text is at most GEO_NAME_BYTES_MAX bytes, and the arena is smaller than the file, below 2^30.
        debug_assert!(text.len() <= GEO_NAME_BYTES_MAX);
        let span = Span { start: self.text.len() as u32, len: text.len() as u8 };
        self.text.push_str(text);
        self.spans.insert(text.into(), span);
        span
    }

    fn zone(&mut self, name: &str) -> Result<ZoneIndex, GeoError> {
        if let Some(zone) = self.zone_indexes.get(name) {
            return Ok(*zone);
        }
        if self.zones.len() == TIME_ZONES_MAX {
            return Err(GeoError::TooManyZones { zones_max: TIME_ZONES_MAX });
        }
        let zone = ZoneIndex(self.zones.len() as u16);
        self.zones.push(name.into());
        self.zone_indexes.insert(name.into(), zone);
        Ok(zone)
    }
}

/// Text at a path of a record, if the record has that path.
fn text_at<'db>(
    found: &LookupResult<'db, Vec<u8>>,
    path: &[PathElement<'_>],
) -> Result<Option<&'db str>, GeoError> {
    found.decode_path(path).map_err(GeoError::Record)
}

fn is_country_code(code: &str) -> bool {
    code.len() == 2 && code.bytes().all(|byte| byte.is_ascii_uppercase())
}

fn is_subdivision_code(code: &str) -> bool {
    (1..=3).contains(&code.len())
        && code.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
}
