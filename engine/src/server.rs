//! The engine's threads: one listener and runtime per worker, the watcher, the journal, the admin port.

use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::LocalSet;

use crate::budget::Books;
use crate::counters::Shard;
use crate::enrich::device::DeviceClassifier;
use crate::enrich::geo_cell::GeoCell;
use crate::enrich::zone_cell::ZoneCell;
use crate::http::admin::AdminState;
use crate::http::context::{Memory, Responder, Worker};
use crate::http::router::Handler;
use crate::journal::{Journal, JournalConfig};
use crate::keys::Keys;
use crate::limits::{CONNECTIONS_PER_WORKER_MAX, HEAD_READ_SECS_MAX};
use crate::linger::Lingering;
use crate::settings::EngineSettings;
use crate::snapshot_cell::SnapshotCell;
use crate::start_error::StartError;
use crate::user_store::housekeeping::{self, Housekeeping};
use crate::user_store::{UserStore, VisitorFiles};
use crate::watch::{WatchCounters, Watcher};

/// How long open connections may finish their request when the engine stops.
const DRAIN_SECS: u64 = 5;

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
        let admin = listen(settings.admin_listen, false).map_err(|cause| StartError::Listen {
            address: settings.admin_listen,
            is_admin: true,
            cause,
        })?;
        let admin_address = admin.local_addr().map_err(StartError::System)?;
        let keys = Keys::load_or_create(&settings.key_directory)
            .map_err(|cause| StartError::Keys { directory: settings.key_directory.clone(), cause })?;
        let (users, files) = restore_visitors(&settings)?;
        let (journal, ends) = open_journal(&settings)?;
        let books = open_books(&settings)?;
        let snapshots = SnapshotCell::new(Some(journal.announcer()), Arc::clone(&users));
        let snapshots = Arc::new(snapshots.with_books(Arc::clone(&books)));
        let geography = Arc::new(GeoCell::default());
        let zones = Arc::new(ZoneCell::default());
        let watch_counters = Arc::new(WatchCounters::default());
        let mut watcher = Watcher::new(
            &settings.files,
            Arc::clone(&snapshots),
            Arc::clone(&geography),
            Arc::clone(&zones),
            Arc::clone(&watch_counters),
        );
        watcher.look();
        let shards: Arc<[Arc<Shard>]> = ends.iter().map(|_| Arc::new(Shard::default())).collect();
        let state = AdminState {
            snapshots: Arc::clone(&snapshots),
            shards: Arc::clone(&shards),
            journal: journal.counters(),
            watch: watch_counters,
            users: Arc::clone(&users),
            books: Arc::clone(&books),
            more: Arc::new(more_metrics),
        };
        let responder = Arc::new(responder(settings, snapshots, (geography, zones, users), keys.clone())?);
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

fn responder(
    settings: EngineSettings,
    snapshots: Arc<SnapshotCell>,
    (geography, zones, users): (Arc<GeoCell>, Arc<ZoneCell>, Arc<UserStore>),
    keys: Keys,
) -> Result<Responder, StartError> {
    let devices =
        DeviceClassifier::new().map_err(|error| StartError::System(std::io::Error::other(error)))?;
    Ok(Responder {
        snapshots,
        geography,
        zones,
        users,
        devices,
        client_addresses: settings.client_addresses,
        consent: settings.consent,
        keys,
        public_url: settings.public_url,
        token_ttl_secs: settings.token_ttl_secs,
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

/// One listener per worker on the same port; the kernel spreads connections over them.
fn listen_all(
    address: SocketAddr,
    workers: usize,
) -> Result<(SocketAddr, Vec<std::net::TcpListener>), StartError> {
    let failed = |cause| StartError::Listen { address, is_admin: false, cause };
    // Several listeners may share a port only if all ask for it, so a foreign server on it must be found first.
    drop(listen(address, false).map_err(failed)?);
    let first = listen(address, true).map_err(failed)?;
    let bound = first.local_addr().map_err(failed)?;
    let mut listeners = vec![first];
    for _ in 1..workers {
        listeners.push(listen(bound, true).map_err(failed)?);
    }
    Ok((bound, listeners))
}

fn listen(address: SocketAddr, is_shared: bool) -> std::io::Result<std::net::TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    if is_shared {
        socket.set_reuse_port(true)?;
    }
    socket.bind(&address.into())?;
    socket.listen(4_096)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

fn spawn_worker(
    listener: std::net::TcpListener,
    responder: Arc<Responder>,
    worker: Worker,
    stopped: watch::Receiver<bool>,
) -> Result<JoinHandle<()>, StartError> {
    spawn_runtime("worker", move || async move {
        let handler = Rc::new(Handler::new(responder, worker));
        let open = Rc::new(Cell::new(0u64));
        let serve = move |stream: TcpStream, peer: SocketAddr, stopped: watch::Receiver<bool>| {
            let (handler, open) = (Rc::clone(&handler), Rc::clone(&open));
            async move {
                if !handler.connect(CONNECTIONS_PER_WORKER_MAX as u64) {
                    return;
                }
                open.set(open.get() + 1);
                let service = {
                    let handler = Rc::clone(&handler);
                    service_fn(move |request| {
                        let handler = Rc::clone(&handler);
                        async move { Ok::<_, std::convert::Infallible>(handler.handle(request, peer.ip()).await) }
                    })
                };
                serve_connection(stream, service, stopped).await;
                handler.disconnect();
                open.set(open.get() - 1);
            }
        };
        accept(listener, serve, stopped).await;
    })
}

fn spawn_admin(
    listener: std::net::TcpListener,
    state: AdminState,
    stopped: watch::Receiver<bool>,
) -> Result<JoinHandle<()>, StartError> {
    spawn_runtime("admin", move || async move {
        let serve = move |stream: TcpStream, _: SocketAddr, stopped: watch::Receiver<bool>| {
            let state = state.clone();
            async move {
                let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
                    let response = state.answer(request.method(), request.uri().path());
                    async move { Ok::<_, std::convert::Infallible>(response) }
                });
                serve_connection(stream, service, stopped).await;
            }
        };
        accept(listener, serve, stopped).await;
    })
}

/// A thread with a runtime of its own, whose tasks never leave it.
fn spawn_runtime<F, Fut>(name: &str, main: F) -> Result<JoinHandle<()>, StartError>
where
    F: FnOnce() -> Fut + Send + 'static,
    Fut: Future<Output = ()> + 'static,
{
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(StartError::System)?;
    let thread = std::thread::Builder::new().name(name.into());
    thread.spawn(move || runtime.block_on(LocalSet::new().run_until(main()))).map_err(StartError::System)
}

/// Accepts until told to stop, then waits a little for open connections.
async fn accept<S, Fut>(listener: std::net::TcpListener, serve: S, mut stopped: watch::Receiver<bool>)
where
    S: Fn(TcpStream, SocketAddr, watch::Receiver<bool>) -> Fut,
    Fut: Future<Output = ()> + 'static,
{
    let listener = match TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => return tracing::error!(%error, "a listener could not be used"),
    };
    let mut tasks = tokio::task::JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    // Answers are small and written whole: waiting to fill a packet would only add latency.
                    let _ = stream.set_nodelay(true);
                    tasks.spawn_local(serve(stream, peer, stopped.clone()));
                }
                // Out of descriptors, most likely: give open connections time to close.
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            },
            Some(_) = tasks.join_next(), if !tasks.is_empty() => {}
            _ = stopped.changed() => break,
        }
    }
    drop(listener);
    let drained = async { while tasks.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(Duration::from_secs(DRAIN_SECS), drained).await;
}

async fn serve_connection<S>(stream: TcpStream, service: S, mut stopped: watch::Receiver<bool>)
where
    S: hyper::service::HttpService<hyper::body::Incoming, ResBody = http_body_util::Full<hyper::body::Bytes>>,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_secs(HEAD_READ_SECS_MAX))
        // Who has finished sending still waits for answers, and for the acknowledgement of what was recorded.
        .half_close(true)
        .serve_connection(TokioIo::new(Lingering::new(stream)), service);
    let mut connection = std::pin::pin!(connection);
    // An error ends the connection; the peer has broken it or the protocol, and there is nobody to tell.
    tokio::select! {
        _ = connection.as_mut() => {}
        _ = stopped.changed() => {
            connection.as_mut().graceful_shutdown();
            let _ = connection.await;
        }
    }
}
