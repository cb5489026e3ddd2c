//! The watcher thread: notices new bundles, posteriors and location databases, and takes what verifies.
//!
//! A file that does not verify changes nothing but a counter and a log line; it is looked at again when it changes.
//! Writers replace files by renaming, so a file is either the old or the new one.
//! Also here: everything else that happens off the request path now and then (time zone offsets, freeing old snapshots).

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use tessera_engine_core::bundle::LoadedBundle;

use crate::access::{Access, AccessCell};
use crate::bidding::{Terms, TermsCell};
use crate::counters::{family, line};
use crate::enrich::geo_cell::GeoCell;
use crate::enrich::zone_cell::ZoneCell;
use crate::journal::count;
use crate::keys::Keys;
use crate::limits::WATCH_INTERVAL_MS;
use crate::server::now_ms;
use crate::settings::Files;
use crate::snapshot_cell::SnapshotCell;

const OFFSETS_INTERVAL: Duration = Duration::from_secs(60);

/// What happened to watched files.
#[derive(Debug, Default)]
pub(crate) struct WatchCounters {
    swapped: [AtomicU64; Watched::ALL.len()],
    refused: [AtomicU64; Watched::ALL.len()],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Watched {
    Bundle,
    Posteriors,
    Geo,
    Bidding,
    Access,
}

impl Watched {
    const ALL: [(Watched, &'static str); 5] = [
        (Watched::Bundle, "bundle"),
        (Watched::Posteriors, "posteriors"),
        (Watched::Geo, "geo"),
        (Watched::Bidding, "bidding"),
        (Watched::Access, "access"),
    ];
}

impl WatchCounters {
    pub(crate) fn render(&self, out: &mut String) {
        family(out, "swap_total", "counter", "Watched files taken over or refused.");
        for (index, (_, name)) in Watched::ALL.iter().enumerate() {
            let taken = self.swapped[index].load(Ordering::Relaxed);
            let refused = self.refused[index].load(Ordering::Relaxed);
            line(out, &format!("swap_total{{file=\"{name}\",result=\"taken\"}}"), taken);
            line(out, &format!("swap_total{{file=\"{name}\",result=\"refused\"}}"), refused);
        }
    }
}

/// Looks at the files and keeps the shared cells current.
pub(crate) struct Watcher {
    files: Vec<WatchedFile>,
    snapshots: Arc<SnapshotCell>,
    geography: Arc<GeoCell>,
    zones: Arc<ZoneCell>,
    terms: Arc<TermsCell>,
    access: (Arc<AccessCell>, Keys),
    counters: Arc<WatchCounters>,
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
    pub(crate) fn new(
        files: &Files,
        snapshots: Arc<SnapshotCell>,
        (geography, zones): (Arc<GeoCell>, Arc<ZoneCell>),
        terms: Arc<TermsCell>,
        access: (Arc<AccessCell>, Keys),
        counters: Arc<WatchCounters>,
    ) -> Watcher {
        // Location first: the first decision should already know where its visitor is.
        let watched = [
            (Watched::Geo, files.geo.clone()),
            (Watched::Bidding, Some(files.bidding.clone())),
            (Watched::Access, Some(files.access.clone())),
            (Watched::Posteriors, Some(files.posteriors.clone())),
            (Watched::Bundle, Some(files.bundle.clone())),
        ];
        let files = watched
            .into_iter()
            .filter_map(|(what, path)| Some(WatchedFile { what, path: path?, seen: None }))
            .collect();
        Watcher { files, snapshots, geography, zones, terms, access, counters, offsets_at: Instant::now() }
    }

    /// Looks once at every file.
    pub(crate) fn look(&mut self) {
        for file in &mut self.files {
            let Some(version) = version_of(&file.path) else { continue };
            if file.seen == Some(version) {
                continue;
            }
            file.seen = Some(version);
            let outcome = match file.what {
                Watched::Geo => take_geography(&file.path, &self.geography),
                Watched::Bundle => take_bundle(&file.path, &self.snapshots, &self.zones),
                Watched::Posteriors => take_posteriors(&file.path, &self.snapshots),
                Watched::Bidding => take_terms(&file.path, &self.terms),
                Watched::Access => take_access(&file.path, &self.access),
            };
            let counters = &self.counters;
            let path = file.path.display();
            match outcome {
                Ok(()) => {
                    count(&counters.swapped[file.what as usize], 1);
                    tracing::debug!(%path, "taken over");
                }
                Err(error) => {
                    count(&counters.refused[file.what as usize], 1);
                    tracing::warn!(%path, error, "refused; the version in use stays");
                }
            }
        }
        if self.offsets_at.elapsed() >= OFFSETS_INTERVAL {
            self.offsets_at = Instant::now();
            self.geography.refresh_offsets(now_ms());
            if let Some(live) = self.snapshots.load().as_ref() {
                self.zones.refresh(live.bundle().program().program(), now_ms());
            }
        }
        self.snapshots.reap();
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

// Each of these reads, verifies and publishes one file. The error is for the log only.

fn take_geography(path: &Path, geography: &GeoCell) -> Result<(), String> {
    geography.install_file(path, now_ms()).map_err(|error| error.to_string())
}

fn take_bundle(path: &Path, snapshots: &SnapshotCell, zones: &ZoneCell) -> Result<(), String> {
    let bytes = std::fs::read(path).map_err(|error| error.to_string())?;
    let bundle = LoadedBundle::from_bytes(&bytes).map_err(|error| error.to_string())?;
    zones.prepare(bundle.program().program(), now_ms());
    snapshots.publish_bundle(bundle);
    Ok(())
}

fn take_posteriors(path: &Path, snapshots: &SnapshotCell) -> Result<(), String> {
    let bytes = std::fs::read(path).map_err(|error| error.to_string())?;
    let table = tessera_wire::posterior::decode(&bytes).map_err(|error| error.to_string())?;
    snapshots.publish_posteriors(table);
    Ok(())
}

fn take_terms(path: &Path, terms: &TermsCell) -> Result<(), String> {
    let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
    terms.store(Some(Arc::new(Terms::parse(&text).map_err(|error| error.to_string())?)));
    Ok(())
}

fn take_access(path: &Path, (access, keys): &(Arc<AccessCell>, Keys)) -> Result<(), String> {
    let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
    access.store(Arc::new(Access::parse(&text, keys).map_err(|error| error.to_string())?));
    Ok(())
}
