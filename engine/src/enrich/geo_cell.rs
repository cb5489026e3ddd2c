//! The geography in force: one database and the clock table that belongs to it, swapped together.
//!
//! A zone index only means something in the database it came from, so both live behind one pointer: a request loads it
//! once and cannot mix a new database with old offsets. A file that is refused changes nothing.
//!
//! Cost: loading is one pointer load. Not here: deciding when to reload (the engine's housekeeping).

use std::path::Path;
use std::sync::Arc;

use arc_swap::{ArcSwapOption, Guard};

use super::geo::{GeoDb, GeoError, GeoRef};
use super::local_time::{LocalTime, OffsetTable};

/// A database with the offsets of its zones at some minute.
#[derive(Debug)]
pub struct Geography {
    /// The database.
    pub db: Arc<GeoDb>,
    /// Current offsets of its zones.
    pub offsets: OffsetTable,
}

impl Geography {
    /// The local time at a place this geography's database named.
    pub fn local_time(&self, place: &GeoRef<'_>, now_ms: i64) -> Option<LocalTime> {
        self.offsets.local_time(place.tz_index()?, now_ms)
    }
}

/// Holds the geography in force, if any.
#[derive(Debug, Default)]
pub struct GeoCell(ArcSwapOption<Geography>);

impl GeoCell {
    /// The geography in force. Load once per request and pass it down.
    pub fn load(&self) -> Guard<Option<Arc<Geography>>> {
        self.0.load()
    }

    /// Puts a database in force. Never on the request path.
    pub fn install(&self, db: GeoDb, now_ms: i64) {
        let offsets = OffsetTable::build(db.zones(), now_ms);
        self.0.store(Some(Arc::new(Geography { db: Arc::new(db), offsets })));
    }

    /// Opens a file and puts it in force. Never on the request path.
    ///
    /// # Errors
    ///
    /// [`GeoError`] when the file is refused; the geography in force stays.
    pub fn install_file(&self, path: &Path, now_ms: i64) -> Result<(), GeoError> {
        self.install(GeoDb::open(path)?, now_ms);
        Ok(())
    }

    /// Rebuilds the offsets of the database in force; call once a minute, off the request path.
    pub fn refresh_offsets(&self, now_ms: i64) {
        self.0.rcu(|current| {
            current.as_ref().map(|current| {
                let offsets = OffsetTable::build(current.db.zones(), now_ms);
                Arc::new(Geography { db: Arc::clone(&current.db), offsets })
            })
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_MS: i64 = 1_795_132_800_000; // 2026-11-20T00:00:00Z
    const JULY_MS: i64 = 1_783_000_000_000; // 2026-07-02T13:46:40Z

    fn installed() -> GeoCell {
        let cell = GeoCell::default();
        assert!(cell.load().is_none());
        cell.install(GeoDb::from_bytes(tessera_fixtures::DEMO_GEO.to_vec()).unwrap(), NOW_MS);
        cell
    }

    #[test]
    fn a_refused_file_keeps_the_geography_in_force() {
        let cell = installed();
        let folder = std::env::temp_dir().join(format!("tessera-geo-cell-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("damaged.mmdb");
        std::fs::write(&path, &tessera_fixtures::DEMO_GEO[..tessera_fixtures::DEMO_GEO.len() - 100]).unwrap();
        assert!(cell.install_file(&path, NOW_MS).is_err());
        assert!(matches!(cell.install_file(&folder.join("missing.mmdb"), NOW_MS), Err(GeoError::Read(_))));
        std::fs::remove_dir_all(&folder).unwrap();
        let geography = cell.load();
        let place = geography.as_ref().unwrap().db.lookup("198.18.1.0".parse().unwrap());
        assert_eq!(place.unwrap().region(), Some("RO-CJ"));
    }

    #[test]
    fn offsets_follow_the_clock_and_the_database() {
        let cell = installed();
        let hour = |now_ms| {
            let geography = cell.load();
            let geography = geography.as_ref().unwrap();
            let place = geography.db.lookup("198.18.4.0".parse().unwrap()).unwrap();
            geography.local_time(&place, now_ms).unwrap().hour
        };
        assert_eq!(hour(NOW_MS), 1, "Berlin is an hour ahead in winter");
        cell.refresh_offsets(JULY_MS);
        assert_eq!(hour(JULY_MS), 15, "and two in summer");
    }
}
