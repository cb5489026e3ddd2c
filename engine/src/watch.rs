//! The watcher thread: notices new bundles, posteriors, location databases, weather, and takes what verifies.
//!
//! A file that does not verify changes nothing but a counter and a log line; it is looked at again when it changes.
//! Writers replace files by renaming, so a file is either the old or the new one.
//! Also here: everything else that happens off the request path now and then (time zone offsets, freeing old snapshots).

mod state;

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use tessera_engine_core::bundle::LoadedBundle;
use tessera_wire::bundle::made_at_ms;
use tessera_wire::limits::{BUNDLE_BYTES_MAX, POSTERIOR_BYTES_MAX};
use tessera_wire::signature::{self, BundleVerifier};
use tessera_wire::switches::{SWITCHES_BYTES_MAX, SWITCHES_MAX, Switches};
use tessera_wire::weather::{WEATHER_BYTES_MAX, Weather};

use crate::access::{Access, AccessCell};
use crate::bidding::{Terms, TermsCell};
use crate::enrich::geo_cell::GeoCell;
use crate::enrich::weather::{WeatherTable, WeatherTableCell};
use crate::enrich::zone_cell::ZoneCell;
use crate::keys::Keys;
use crate::limits::{ACCESS_BYTES_MAX, TERMS_BYTES_MAX, WATCH_INTERVAL_MS};
use crate::server::now_ms;
use crate::settings::Files;
use crate::snapshot_cell::SnapshotCell;

pub(crate) use self::state::{LastRefusal, WatchState, age_secs};
use self::state::{Reason, Refused};

const OFFSETS_INTERVAL: Duration = Duration::from_secs(60);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Watched {
    Bundle,
    Posteriors,
    Geo,
    Bidding,
    Access,
    Switches,
    Weather,
}

impl Watched {
    const ALL: [(Watched, &'static str); 7] = [
        (Watched::Bundle, "bundle"),
        (Watched::Posteriors, "posteriors"),
        (Watched::Geo, "geo"),
        (Watched::Bidding, "bidding"),
        (Watched::Access, "access"),
        (Watched::Switches, "switches"),
        (Watched::Weather, "weather"),
    ];

    const fn name(self) -> &'static str {
        Watched::ALL[self as usize].1
    }
}

/// What the watcher keeps current, and what it verifies with.
#[derive(Clone)]
pub(crate) struct Cells {
    pub(crate) snapshots: Arc<SnapshotCell>,
    pub(crate) geography: Arc<GeoCell>,
    pub(crate) zones: Arc<ZoneCell>,
    pub(crate) weather: Arc<WeatherTableCell>,
    pub(crate) terms: Arc<TermsCell>,
    pub(crate) access: Arc<AccessCell>,
    pub(crate) keys: Keys,
    pub(crate) bundle_keys: Arc<[BundleVerifier]>,
}

/// Looks at the files and keeps the shared cells current.
pub(crate) struct Watcher {
    files: Vec<WatchedFile>,
    cells: Cells,
    state: Arc<WatchState>,
    offsets_at: Instant,
}

struct WatchedFile {
    what: Watched,
    path: PathBuf,
    /// The version that was looked at last.
    seen: Option<Version>,
}

/// What tells one version of a file from another without reading it. Size and time alone are not enough: a restored
/// backup, or a second replacement within one tick of the file system's clock, can have both in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Version {
    bytes: u64,
    modified: SystemTime,
    inode: u64,
}

impl Watcher {
    pub(crate) fn new(files: &Files, cells: Cells, state: Arc<WatchState>) -> Watcher {
        // Location first: the first decision should already know where its visitor is.
        let watched = [
            (Watched::Geo, files.geo.clone()),
            // Before the bundle: what is switched off is never shown, not even first.
            (Watched::Switches, Some(files.switches.clone())),
            (Watched::Weather, Some(files.weather.clone())),
            (Watched::Bidding, Some(files.bidding.clone())),
            (Watched::Access, Some(files.access.clone())),
            (Watched::Posteriors, Some(files.posteriors.clone())),
            (Watched::Bundle, Some(files.bundle.clone())),
        ];
        let files = watched
            .into_iter()
            .filter_map(|(what, path)| Some(WatchedFile { what, path: path?, seen: None }))
            .collect();
        Watcher { files, cells, state, offsets_at: Instant::now() }
    }

    /// Looks once at every file.
    pub(crate) fn look(&mut self) {
        for file in &mut self.files {
            let Some(version) = version_of(&file.path) else { continue };
            if file.seen == Some(version) {
                continue;
            }
            file.seen = Some(version);
            let path = file.path.display();
            match take(file.what, &file.path, &self.cells, &self.state) {
                Ok(()) => {
                    self.state.take(file.what);
                    tracing::debug!(%path, "taken over");
                }
                Err(refused) => {
                    tracing::warn!(%path, error = refused.detail, "refused; the version in use stays");
                    self.state.refuse(file.what, refused);
                }
            }
        }
        if self.offsets_at.elapsed() >= OFFSETS_INTERVAL {
            self.offsets_at = Instant::now();
            self.cells.geography.refresh_offsets(now_ms());
            if let Some(live) = self.cells.snapshots.load().as_ref() {
                self.cells.zones.refresh(live.bundle().program().program(), now_ms());
            }
        }
        self.cells.snapshots.reap();
    }

    /// Runs until the flag is set.
    pub(crate) fn spawn(mut self, stop: Arc<AtomicBool>) -> std::io::Result<JoinHandle<()>> {
        std::thread::Builder::new().name("watcher".into()).spawn(move || {
            while !stop.load(Ordering::Acquire) {
                self.look();
                std::thread::park_timeout(Duration::from_millis(WATCH_INTERVAL_MS));
            }
        })
    }
}

fn version_of(path: &Path) -> Option<Version> {
    let metadata = std::fs::metadata(path).ok()?;
    #[cfg(unix)]
    let inode = std::os::unix::fs::MetadataExt::ino(&metadata);
    #[cfg(not(unix))]
    let inode = 0;
    Some(Version { bytes: metadata.len(), modified: metadata.modified().ok()?, inode })
}

/// Reads, verifies and publishes one file.
fn take(what: Watched, path: &Path, cells: &Cells, state: &WatchState) -> Result<(), Refused> {
    match what {
        Watched::Geo => {
            let installed = cells.geography.install_file(path, now_ms());
            installed.map_err(|error| Refused::new(Reason::Corrupt, error))
        }
        Watched::Bundle => take_bundle(path, cells, state),
        Watched::Posteriors => {
            let table = tessera_wire::posterior::decode(&read(path, POSTERIOR_BYTES_MAX)?);
            cells.snapshots.publish_posteriors(table.map_err(|error| Refused::new(Reason::Corrupt, error))?);
            Ok(())
        }
        Watched::Bidding => {
            let terms = Terms::parse(&read_text(path, TERMS_BYTES_MAX)?);
            cells.terms.store(Some(Arc::new(terms.map_err(|error| Refused::new(Reason::Invalid, error))?)));
            Ok(())
        }
        Watched::Access => {
            let access = Access::parse(&read_text(path, ACCESS_BYTES_MAX)?, &cells.keys);
            cells.access.store(Arc::new(access.map_err(|error| Refused::new(Reason::Invalid, error))?));
            Ok(())
        }
        Watched::Weather => {
            let weather: Weather = serde_json::from_slice(&read(path, WEATHER_BYTES_MAX)?)
                .map_err(|error| Refused::new(Reason::Invalid, error))?;
            let table = WeatherTable::new(&weather);
            cells.weather.install(table.map_err(|error| Refused::new(Reason::Invalid, error))?);
            Ok(())
        }
        Watched::Switches => {
            cells.snapshots.publish_switches(read_switches(path)?);
            Ok(())
        }
    }
}

fn take_bundle(path: &Path, cells: &Cells, state: &WatchState) -> Result<(), Refused> {
    let bytes = read(path, BUNDLE_BYTES_MAX)?;
    // Before anything in it is looked at.
    signature::verify(&bytes, &cells.bundle_keys)?;
    let bundle = LoadedBundle::from_bytes(&bytes)?;
    cells.zones.prepare(bundle.program().program(), now_ms());
    cells.snapshots.publish_bundle(bundle);
    state.bundle_made(made_at_ms(&bytes)?);
    Ok(())
}

fn read_switches(path: &Path) -> Result<Switches, Refused> {
    let switches: Switches = serde_json::from_slice(&read(path, SWITCHES_BYTES_MAX)?)
        .map_err(|error| Refused::new(Reason::Invalid, error))?;
    let too_many = || Refused::new(Reason::OverLimit, format!("a list names more than {SWITCHES_MAX}"));
    if switches.fits() { Ok(switches) } else { Err(too_many()) }
}

/// A file's bytes, unless there are more of them than anybody would read.
fn read(path: &Path, bytes_max: usize) -> Result<Vec<u8>, Refused> {
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(bytes_max as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > bytes_max {
        return Err(Refused::new(Reason::OverLimit, format!("the file has more than {bytes_max} bytes")));
    }
    Ok(bytes)
}

fn read_text(path: &Path, bytes_max: usize) -> Result<String, Refused> {
    String::from_utf8(read(path, bytes_max)?).map_err(|error| Refused::new(Reason::Corrupt, error))
}
