//! Connections: listening, accepting, and speaking HTTP/1.1 or HTTP/2 with whoever connects.
//!
//! The first bytes tell which: a client with prior knowledge of HTTP/2 begins with its preface (RFC 9113, section 3.3),
//! everybody else speaks HTTP/1.1. Looking costs one system call per connection, none per request.
//!
//! Guarantees: heads, bodies, streams, connections and idle time are bounded; when the engine stops, requests that have
//! begun are answered, within [`DRAIN_SECS`].

use std::cell::Cell;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::{http1, http2};
use hyper::service::{Service, service_fn};
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::LocalSet;

use crate::http::admin::AdminState;
use crate::http::context::{Responder, Worker};
use crate::http::router::Handler;
use crate::limits::{
    BODY_BYTES_MAX, CONNECTIONS_PER_WORKER_MAX, HEAD_BYTES_MAX, HEAD_READ_SECS_MAX, IDLE_SECS_MAX,
    RESETS_PENDING_MAX, STREAMS_PER_CONNECTION_MAX,
};
use crate::linger::Lingering;
use crate::start_error::StartError;

/// How long open connections may finish their request when the engine stops.
const DRAIN_SECS: u64 = 5;
/// What an HTTP/2 client says first begins like this, and no HTTP/1.1 request does.
const PREFACE: &[u8] = b"PRI";
/// Between two looks at a connection that has sent less than that.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// One listener per worker on the same port; the kernel spreads connections over them.
pub(crate) fn listen_all(
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

/// A listener, alone on its port or sharing it.
pub(crate) fn listen(address: SocketAddr, is_shared: bool) -> std::io::Result<std::net::TcpListener> {
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

/// A thread that answers the data port.
pub(crate) fn spawn_worker(
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

/// A thread that answers the admin port.
pub(crate) fn spawn_admin(
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
    S: Service<Request<Incoming>, Response = Response<Full<Bytes>>, Error = Infallible>,
    S::Future: 'static,
{
    let speaks_http2 = tokio::select! {
        found = tokio::time::timeout(Duration::from_secs(HEAD_READ_SECS_MAX), speaks_http2(&stream)) => found,
        _ = stopped.changed() => return,
    };
    match speaks_http2 {
        Ok(Ok(true)) => serve_http2(stream, service, stopped).await,
        Ok(Ok(false)) => serve_http1(stream, service, stopped).await,
        // Nothing was said in time, or the peer has gone.
        Ok(Err(_)) | Err(_) => {}
    }
}

/// Does the peer begin with the preface of HTTP/2?
async fn speaks_http2(stream: &TcpStream) -> std::io::Result<bool> {
    let mut first = [0; PREFACE.len()];
    loop {
        let seen = stream.peek(&mut first).await?;
        if seen == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        if seen == PREFACE.len() || !PREFACE.starts_with(&first[..seen]) {
            return Ok(first == PREFACE);
        }
        // The socket stays readable, so waiting for it would spin.
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

async fn serve_http1<S>(stream: TcpStream, service: S, mut stopped: watch::Receiver<bool>)
where
    S: Service<Request<Incoming>, Response = Response<Full<Bytes>>, Error = Infallible>,
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

/// Runs a connection's streams on its own thread, like everything else of a worker.
#[derive(Debug, Clone, Copy)]
struct OnThisThread;

impl<F> hyper::rt::Executor<F> for OnThisThread
where
    F: Future<Output = ()> + 'static,
{
    fn execute(&self, stream: F) {
        tokio::task::spawn_local(stream);
    }
}

/// How busy a connection is.
struct Activity {
    open: Cell<usize>,
    since: Cell<Instant>,
}

async fn serve_http2<S>(stream: TcpStream, service: S, mut stopped: watch::Receiver<bool>)
where
    S: Service<Request<Incoming>, Response = Response<Full<Bytes>>, Error = Infallible>,
    S::Future: 'static,
{
    let activity = Rc::new(Activity { open: Cell::new(0), since: Cell::new(Instant::now()) });
    let counted = {
        let activity = Rc::clone(&activity);
        service_fn(move |request| {
            let (answer, activity) = (service.call(request), Open::new(&activity));
            async move {
                let answer = answer.await;
                drop(activity);
                answer
            }
        })
    };
    let connection = http2::Builder::new(OnThisThread)
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_PER_CONNECTION_MAX)
        .max_header_list_size(HEAD_BYTES_MAX)
        .max_pending_accept_reset_streams(RESETS_PENDING_MAX)
        .initial_stream_window_size(BODY_BYTES_MAX as u32)
        .initial_connection_window_size(4 * BODY_BYTES_MAX as u32)
        .max_send_buf_size(BODY_BYTES_MAX)
        .keep_alive_interval(Duration::from_secs(IDLE_SECS_MAX / 2))
        .keep_alive_timeout(Duration::from_secs(HEAD_READ_SECS_MAX))
        .serve_connection(TokioIo::new(Lingering::new(stream)), counted);
    let mut connection = std::pin::pin!(connection);
    loop {
        tokio::select! {
            _ = connection.as_mut() => return,
            _ = stopped.changed() => break,
            () = tokio::time::sleep(Duration::from_secs(IDLE_SECS_MAX / 4)) => {
                let is_idle = activity.open.get() == 0;
                if is_idle && activity.since.get().elapsed().as_secs() >= IDLE_SECS_MAX {
                    break;
                }
            }
        }
    }
    connection.as_mut().graceful_shutdown();
    // A peer that keeps sending may not keep the connection: what is open is answered, then it ends.
    let _ = tokio::time::timeout(Duration::from_secs(DRAIN_SECS), connection).await;
}

/// A request that is being answered; counted out also when its stream is reset.
struct Open(Rc<Activity>);

impl Open {
    fn new(activity: &Rc<Activity>) -> Open {
        activity.open.set(activity.open.get() + 1);
        Open(Rc::clone(activity))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.set(self.0.open.get() - 1);
        self.0.since.set(Instant::now());
    }
}
