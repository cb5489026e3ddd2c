//! The server's thread: accept, read, answer.

use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::ServerSettings;
use super::api::{Api, Call, Problem};
use crate::limits::{BODY_BYTES_MAX, REQUEST_READ_SECS_MAX};
use crate::publisher::PublishError;

/// The control server did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// The port is taken or not allowed.
    #[error("cannot listen on {address}: {cause}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why not.
        cause: std::io::Error,
    },
    /// The bundle directory cannot be used.
    #[error(transparent)]
    Bundles(#[from] PublishError),
    /// A thread or runtime could not be made.
    #[error("cannot start: {0}")]
    System(std::io::Error),
}

/// A running control server.
pub struct Server {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    thread: JoinHandle<()>,
}

impl Server {
    /// Starts the server.
    ///
    /// # Errors
    /// [`ServerError`]; nothing is left running.
    pub fn start(settings: ServerSettings) -> Result<Server, ServerError> {
        let listener = std::net::TcpListener::bind(settings.listen)
            .and_then(|listener| listener.set_nonblocking(true).map(|()| listener))
            .map_err(|cause| ServerError::Listen { address: settings.listen, cause })?;
        let address = listener.local_addr().map_err(ServerError::System)?;
        let api = Arc::new(Api::new(settings)?);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            // Reports and compilation block; a few at a time are enough for a console.
            .max_blocking_threads(4)
            .build()
            .map_err(ServerError::System)?;
        let (stop, stopped) = watch::channel(false);
        let thread = std::thread::Builder::new()
            .name("control".into())
            .spawn(move || runtime.block_on(accept(listener, api, stopped)))
            .map_err(ServerError::System)?;
        Ok(Server { address, stop, thread })
    }

    /// Where it listens; tells the port when 0 was asked for.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops accepting and ends the thread.
    pub fn stop(self) {
        // An error means that the thread is gone already.
        let _ = self.stop.send(true);
        if self.thread.join().is_err() {
            tracing::error!("the control thread panicked");
        }
    }
}

async fn accept(listener: std::net::TcpListener, api: Arc<Api>, mut stopped: watch::Receiver<bool>) {
    let listener = match TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => return tracing::error!(%error, "the control listener could not be used"),
    };
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => drop(tokio::spawn(serve(stream, Arc::clone(&api)))),
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            },
            _ = stopped.changed() => return,
        }
    }
}

async fn serve(stream: TcpStream, api: Arc<Api>) {
    let service = service_fn(move |request| {
        let api = Arc::clone(&api);
        async move { Ok::<_, std::convert::Infallible>(answer(request, api).await) }
    });
    // An error ends the connection; the peer has broken it or the protocol, and there is nobody to tell.
    let _ = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_secs(REQUEST_READ_SECS_MAX))
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

async fn answer(request: Request<Incoming>, api: Arc<Api>) -> Response<Full<Bytes>> {
    let (head, body) = request.into_parts();
    let read = tokio::time::timeout(
        Duration::from_secs(REQUEST_READ_SECS_MAX),
        Limited::new(body, BODY_BYTES_MAX).collect(),
    );
    let body = match read.await {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(_)) => return Problem::body_too_large().response(),
        Err(_) => return Problem::timeout().response(),
    };
    let call = Call { method: head.method, uri: head.uri, headers: head.headers, body };
    match tokio::task::spawn_blocking(move || api.answer(&call)).await {
        Ok(response) => response,
        Err(_) => Problem::internal("the request could not be finished").response(),
    }
}
