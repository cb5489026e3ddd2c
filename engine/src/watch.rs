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

use tessera_wire::switches::{SWITCHES_BYTES_MAX, SWITCHES_MAX, Switches};

use crate::counters::{family, line};
use crate::enrich::geo_cell::GeoCell;
use crate::enrich::zone_cell::ZoneCell;
use crate::journal::count;
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
    Switches,
}

impl Watched {
    const ALL: [(Watched, &'static str); 4] = [
        (Watched::Bundle, "bundle"),
        (Watched::Posteriors, "posteriors"),
        (Watched::Geo, "geo"),
        (Watched::Switches, "switches"),
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
        geography: Arc<GeoCell>,
        zones: Arc<ZoneCell>,
        counters: Arc<WatchCounters>,
    ) -> Watcher {
        // Location first: the first decision should already know where its visitor is.
        let watched = [
            (Watched::Geo, files.geo.clone()),
            // Before the bundle: what is switched off is never shown, not even first.
            (Watched::Switches, Some(files.switches.clone())),
            (Watched::Posteriors, Some(files.posteriors.clone())),
            (Watched::Bundle, Some(files.bundle.clone())),
        ];
        let files = watched
            .into_iter()
            .filter_map(|(what, path)| Some(WatchedFile { what, path: path?, seen: None }))
            .collect();
        Watcher { files, snapshots, geography, zones, counters, offsets_at: Instant::now() }
    }

    /// Looks once at every file.
    pub(crate) fn look(&mut self) {
        let Watcher { files, snapshots, geography, zones, counters, .. } = self;
        for file in files {
            let Some(version) = version_of(&file.path) else { continue };
            if file.seen == Some(version) {
                continue;
            }
            file.seen = Some(version);
            let outcome = take(file.what, &file.path, snapshots, geography, zones);
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

fn read_switches(path: &Path) -> Result<Switches, String> {
    let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
    if text.len() > SWITCHES_BYTES_MAX {
        return Err(format!("it has more than {SWITCHES_BYTES_MAX} bytes"));
    }
    let switches: Switches = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    if switches.fits() { Ok(switches) } else { Err(format!("a list names more than {SWITCHES_MAX}")) }
}

fn version_of(path: &Path) -> Option<Version> {
    let metadata = std::fs::metadata(path).ok()?;
    #[cfg(unix)]
    let inode = std::os::unix::fs::MetadataExt::ino(&metadata);
    #[cfg(not(unix))]
    let inode = 0;
    Some(Version { bytes: metadata.len(), modified: metadata.modified().ok()?, inode })
}

/// Reads, verifies and publishes one file. The error is for the log only.
fn take(
    what: Watched,
    path: &Path,
    snapshots: &SnapshotCell,
    geography: &GeoCell,
    zones: &ZoneCell,
) -> Result<(), String> {
    let text = |error: &dyn std::fmt::Display| error.to_string();
    match what {
        Watched::Geo => geography.install_file(path, now_ms()).map_err(|error| text(&error)),
        Watched::Bundle => {
            let bytes = std::fs::read(path).map_err(|error| text(&error))?;
            let bundle = LoadedBundle::from_bytes(&bytes).map_err(|error| text(&error))?;
            zones.prepare(bundle.program().program(), now_ms());
            snapshots.publish_bundle(bundle);
            Ok(())
        }
        Watched::Posteriors => {
            let bytes = std::fs::read(path).map_err(|error| text(&error))?;
            let table = tessera_wire::posterior::decode(&bytes).map_err(|error| text(&error))?;
            snapshots.publish_posteriors(table);
            Ok(())
        }
        Watched::Switches => {
            snapshots.publish_switches(read_switches(path)?);
            Ok(())
        }
    }
}
