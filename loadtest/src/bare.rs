//! A bare server of the engine's shape: what HTTP and JSON alone cost on a machine.
//!
//! Everything around the decision is as in the engine: one current-thread runtime per worker with its own `SO_REUSEPORT`
//! listener, the same connection settings, the same reading of bodies. The decision itself is replaced by a parse of a
//! small struct and a fixed answer, so that engine and bare server beside each other show what deciding costs.
//!
//! Not here: anything a production server needs beyond that (draining, counters, problem documents).

use std::convert::Infallible;
use std::net::SocketAddr;
use std::thread::JoinHandle;
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde::Deserialize;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::LocalSet;

/// Bytes of the default answer: a small decision.
pub const ANSWER_BYTES: usize = 450;
/// Seconds a client may take for its head or its body, as in the engine.
const READ_SECS_MAX: u64 = 10;

/// What the bare server understands of a decide request.
#[derive(Debug, Deserialize)]
struct SmallRequest<'a> {
    #[serde(borrow, default)]
    request_id: Option<&'a str>,
    #[serde(borrow)]
    placements: Vec<SmallPlacement<'a>>,
}

#[derive(Debug, Deserialize)]
struct SmallPlacement<'a> {
    id: &'a str,
    slot: &'a str,
}

/// Starts `workers` workers on one address that all answer with `answer_bytes` bytes. They run until the process ends.
///
/// # Errors
/// When the address is taken or a thread cannot be made.
pub fn start(
    address: SocketAddr,
    workers: usize,
    answer_bytes: usize,
) -> std::io::Result<(SocketAddr, Vec<JoinHandle<()>>)> {
    // Several listeners may share a port only if all ask for it, so a foreign server on it must be found first.
    drop(listen(address, false)?);
    let first = listen(address, true)?;
    let bound = first.local_addr()?;
    let mut listeners = vec![first];
    for _ in 1..workers {
        listeners.push(listen(bound, true)?);
    }
    let answer = answer(answer_bytes);
    let threads = listeners.into_iter().map(|listener| spawn_worker(listener, answer.clone()));
    Ok((bound, threads.collect::<Result<_, _>>()?))
}

/// A JSON document of exactly `bytes` bytes, or the shortest one if that is longer.
fn answer(bytes: usize) -> Bytes {
    const FRAME: &str = r#"{"decision":""}"#;
    let filler = "x".repeat(bytes.saturating_sub(FRAME.len()));
    Bytes::from(format!(r#"{{"decision":"{filler}"}}"#))
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

fn spawn_worker(listener: std::net::TcpListener, answer: Bytes) -> std::io::Result<JoinHandle<()>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let thread = std::thread::Builder::new().name("worker".into());
    thread.spawn(move || {
        runtime.block_on(LocalSet::new().run_until(async move {
            // A listener that cannot be used ends its worker; whoever measures sees that nobody answers.
            if let Ok(listener) = TcpListener::from_std(listener) {
                accept(listener, answer).await;
            }
        }));
    })
}

async fn accept(listener: TcpListener, answer: Bytes) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let _ = stream.set_nodelay(true);
                tokio::task::spawn_local(serve_connection(stream, answer.clone()));
            }
            // Out of descriptors, most likely: give open connections time to close.
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}

async fn serve_connection(stream: TcpStream, answer: Bytes) {
    let service = service_fn(move |request| {
        let answer = answer.clone();
        async move { Ok::<_, Infallible>(handle(request, answer).await) }
    });
    // An error ends the connection; the peer has broken it or the protocol, and there is nobody to tell.
    let _ = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_secs(READ_SECS_MAX))
        .half_close(true)
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

async fn handle(request: Request<Incoming>, answer: Bytes) -> Response<Full<Bytes>> {
    let read = tokio::time::timeout(Duration::from_secs(READ_SECS_MAX), request.into_body().collect());
    let is_understood = match read.await {
        Ok(Ok(body)) => is_understood(&body.to_bytes()),
        _ => false,
    };
    if !is_understood {
        let mut response = Response::new(Full::new(Bytes::new()));
        *response.status_mut() = StatusCode::BAD_REQUEST;
        return response;
    }
    let mut response = Response::new(Full::new(answer));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// Parses, and looks at every field, so that no part of the parse can be left out.
fn is_understood(body: &[u8]) -> bool {
    serde_json::from_slice::<SmallRequest<'_>>(body).is_ok_and(|request| {
        let has_id = request.request_id.is_none_or(|id| !id.is_empty());
        has_id
            && request
                .placements
                .iter()
                .all(|placement| !placement.id.is_empty() && !placement.slot.is_empty())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_has_the_asked_size_and_is_json() {
        for bytes in [15, ANSWER_BYTES, 2_000] {
            let answer = answer(bytes);
            assert_eq!(answer.len(), bytes);
            assert!(serde_json::from_slice::<serde_json::Value>(&answer).is_ok());
        }
    }

    #[test]
    fn decide_requests_are_understood_and_others_are_not() {
        assert!(is_understood(
            br#"{"request_id":"r","placements":[{"id":"a","slot":"s"}],"user":{"id":"u"}}"#
        ));
        assert!(!is_understood(br#"{"placements":[{"id":"a"}]}"#));
        assert!(!is_understood(b"{"));
    }
}
