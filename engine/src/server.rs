//! The engine's threads: one listener and runtime per worker, the watcher, the journal, the admin port.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::sync::watch;

use crate::access::{Access, AccessCell};
use crate::budget::Books;
use crate::connections::{listen, listen_all, spawn_admin, spawn_worker};
use crate::counters::Shard;
use crate::decision_log::DecisionLog;
use crate::enrich::device::DeviceClassifier;
use crate::http::admin::AdminState;
use crate::http::context::{Memory, Responder, Worker};
use crate::journal::{Journal, JournalConfig};
use crate::keys::Keys;
use crate::settings::EngineSettings;
use crate::snapshot_cell::SnapshotCell;
use crate::start_error::StartError;
use crate::user_store::housekeeping::{self, Housekeeping};
use crate::user_store::{UserStore, VisitorFiles};
use crate::watch::{Cells, WatchState, Watcher};

/// A running engine. Dropping it does not stop it; [`Engine::stop`] does.
pub struct Engine {
    data_address: SocketAddr,
    admin_address: SocketAddr,
    keys: Keys,
    stop: Arc<AtomicBool>,
    stop_workers: watch::Sender<bool>,
    threads: Vec<JoinHandle<()>>,
    journal: Journal,
    users: Arc<UserStore>,
    books: Arc<Books>,
    visitor_files: VisitorFiles,
}

/// Unix milliseconds, the engine's only clock for decisions.
pub(crate) fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64)
}

impl Engine {
    /// Starts an engine. `more_metrics` is appended to the metrics page.
    ///
    /// # Errors
    /// [`StartError`]; nothing is left running.
    pub fn start(
        settings: EngineSettings,
        more_metrics: impl Fn(&mut String) + Send + Sync + 'static,
    ) -> Result<Engine, StartError> {
        // Ports first: they are what most often fails, and nothing has been touched yet.
        let (data_address, listeners) = listen_all(settings.listen, settings.workers)?;
        let admin = listen_admin(settings.admin_listen)?;
        let admin_address = admin.local_addr().map_err(StartError::System)?;
        let keys = Keys::load_or_create(&settings.key_directory)
            .map_err(|cause| StartError::Keys { directory: settings.key_directory.clone(), cause })?;
        // Before anything runs: who may not be told apart may not be let in.
        let access = Access::load(&settings.files.access, &keys)?.shared();
        let (users, files) = restore_visitors(&settings)?;
        let (journal, ends) = open_journal(&settings)?;
        let books = open_books(&settings)?;
        let snapshots = SnapshotCell::new(Some(journal.announcer()), Arc::clone(&users));
        let cells = cells(&settings, snapshots.with_books(Arc::clone(&books)), &keys, access);
        let watch_state = Arc::new(WatchState::default());
        let mut watcher = Watcher::new(&settings.files, cells.clone(), Arc::clone(&watch_state));
        watcher.look();
        let shards: Arc<[Arc<Shard>]> = ends.iter().map(|_| Arc::new(Shard::default())).collect();
        let responder = Arc::new(responder(settings, cells, users)?);
        let state = AdminState {
            snapshots: Arc::clone(&responder.snapshots),
            geography: Arc::clone(&responder.geography),
            weather: Arc::clone(&responder.weather),
            shards: Arc::clone(&shards),
            journal: journal.counters(),
            watch: watch_state,
            users: Arc::clone(&responder.users),
            decisions: Arc::clone(&responder.decisions),
            books: Arc::clone(&books),
            more: Arc::new(more_metrics),
        };
        let stop = Arc::new(AtomicBool::new(false));
        let (stop_workers, stopped) = watch::channel(false);
        let mut threads = vec![watcher.spawn(Arc::clone(&stop)).map_err(StartError::System)?];
        threads.push(spawn_admin(admin, state, stopped.clone())?);
        threads.push(Arc::clone(&books).spawn(Arc::clone(&stop)).map_err(StartError::System)?);
        let (users, journal_counters) = (Arc::clone(&responder.users), journal.counters());
        let visitor_files = files.clone();
        let housekeeping = Housekeeping { users: Arc::clone(&users), files, journal: journal_counters };
        threads.push(housekeeping.spawn(Arc::clone(&stop)).map_err(StartError::System)?);
        for ((listener, journal), shard) in listeners.into_iter().zip(ends).zip(shards.iter()) {
            // Made now, so that the first visitor does not wait for it.
            let memory = responder.snapshots.load().as_ref().map(|live| Memory::new(live));
            let worker = Worker { memory, journal, shard: Arc::clone(shard) };
            threads.push(spawn_worker(listener, Arc::clone(&responder), worker, stopped.clone())?);
        }
        Ok(Engine {
            data_address,
            admin_address,
            keys,
            stop,
            stop_workers,
            threads,
            journal,
            users,
            books,
            visitor_files,
        })
    }

    /// Where decisions are answered; tells the port when 0 was asked for.
    pub fn data_address(&self) -> SocketAddr {
        self.data_address
    }

    /// Where health and metrics are answered.
    pub fn admin_address(&self) -> SocketAddr {
        self.admin_address
    }

    /// The key that allows explanations.
    pub fn explain_key(&self) -> &str {
        &self.keys.explain
    }

    /// Stops accepting, lets open requests finish, writes the journal's rest and ends all threads.
    pub fn stop(self) {
        self.stop.store(true, Ordering::Release);
        // An error means that the workers are gone already.
        let _ = self.stop_workers.send(true);
        for thread in self.threads {
            thread.thread().unpark();
            if thread.join().is_err() {
                tracing::error!("an engine thread panicked");
            }
        }
        // The workers are gone, and have given back what they had in hand.
        self.books.settle();
        let counters = self.journal.counters();
        self.journal.close();
        let sequence = counters.next_sequence.load(Ordering::Relaxed);
        housekeeping::save(&self.visitor_files, &self.users, sequence);
    }
}

fn listen_admin(address: SocketAddr) -> Result<std::net::TcpListener, StartError> {
    listen(address, false).map_err(|cause| StartError::Listen { address, is_admin: true, cause })
}

/// What the watcher keeps current and requests read.
fn cells(settings: &EngineSettings, snapshots: SnapshotCell, keys: &Keys, access: Arc<AccessCell>) -> Cells {
    Cells {
        snapshots: Arc::new(snapshots),
        geography: Arc::default(),
        zones: Arc::default(),
        weather: Arc::default(),
        terms: Arc::default(),
        access,
        keys: keys.clone(),
        bundle_keys: settings.bundle_keys.clone().into(),
    }
}

fn responder(settings: EngineSettings, cells: Cells, users: Arc<UserStore>) -> Result<Responder, StartError> {
    let devices =
        DeviceClassifier::new().map_err(|error| StartError::System(std::io::Error::other(error)))?;
    let Cells { snapshots, geography, zones, weather, terms, access, keys, .. } = cells;
    Ok(Responder {
        snapshots,
        geography,
        zones,
        weather,
        users,
        devices,
        client_addresses: settings.client_addresses,
        consent: settings.consent,
        keys,
        public_url: settings.public_url,
        token_ttl_secs: settings.token_ttl_secs,
        terms,
        access,
        origins: settings.origins,
        decisions: Arc::new(DecisionLog::new(settings.explain_bytes_max)),
    })
}

/// What is remembered of visitors, from the saved state and the journal, which must not be open yet.
fn restore_visitors(settings: &EngineSettings) -> Result<(Arc<UserStore>, VisitorFiles), StartError> {
    let failed = |cause| StartError::Journal { directory: settings.visitor_directory.clone(), cause };
    let files = VisitorFiles::open(&settings.visitor_directory).map_err(failed)?;
    let users = Arc::new(UserStore::new(settings.visitor_bytes_max, files.keys().map_err(failed)?));
    let restored = files.restore(&users, &settings.journal_directory);
    if restored.saved + restored.replayed + restored.damaged > 0 {
        tracing::info!(
            visitors = users.len(),
            replayed = restored.replayed,
            damaged_chunks = restored.damaged,
            "visitors are remembered"
        );
    }
    Ok((users, files))
}

fn open_books(settings: &EngineSettings) -> Result<Arc<Books>, StartError> {
    let directory = &settings.budget_directory;
    let books = Books::open(directory, settings.workers, settings.budget_share_ppm);
    books.map(Arc::new).map_err(|cause| StartError::Budgets { directory: directory.clone(), cause })
}

fn open_journal(settings: &EngineSettings) -> Result<crate::journal::Opened, StartError> {
    let config = JournalConfig {
        directory: settings.journal_directory.clone(),
        sync: settings.journal_sync,
        node: settings.node,
        workers: settings.workers,
    };
    Journal::open(&config, now_ms)
        .map_err(|cause| StartError::Journal { directory: settings.journal_directory.clone(), cause })
}
