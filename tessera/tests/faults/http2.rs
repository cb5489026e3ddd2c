//! HTTP/2 with prior knowledge on the data port, beside HTTP/1.1.

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};

use crate::support::{DECIDE, Launch, Process, World};

type Client = SendRequest<Full<Bytes>>;

fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

async fn connect(process: &Process) -> Client {
    let stream = tokio::net::TcpStream::connect(process.ports.data).await.unwrap();
    let (client, connection) = handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    client
}

async fn post(client: &Client, path: &str, body: Vec<u8>) -> Result<(StatusCode, Bytes), hyper::Error> {
    let mut client = client.clone();
    client.ready().await?;
    let request = Request::builder().method(Method::POST).uri(format!("http://tessera.test{path}"));
    let response = client.send_request(request.body(Full::new(Bytes::from(body))).unwrap()).await?;
    let status = response.status();
    Ok((status, response.into_body().collect().await?.to_bytes()))
}

#[test]
fn many_decisions_share_one_connection_and_http_1_goes_on() {
    let world = World::new();
    let process = Launch::new(&world, "serve").start();
    run(async {
        let client = connect(&process).await;
        let tasks: Vec<_> = (0..300)
            .map(|_| {
                let client = client.clone();
                tokio::spawn(async move { post(&client, "/v1/decide", DECIDE.into()).await.unwrap() })
            })
            .collect();
        for task in tasks {
            let (status, body) = task.await.unwrap();
            assert_eq!(status, 200);
            let answer: serde_json::Value = serde_json::from_slice(&body).unwrap();
            assert_eq!(answer["placements"]["hero"]["ads"].as_array().unwrap().len(), 1);
        }
        assert_eq!(process.decide(DECIDE).status, 200);
    });
}

#[test]
fn bodies_are_bounded_over_http_2_too() {
    let world = World::new();
    let process = Launch::new(&world, "serve").start();
    run(async {
        let client = connect(&process).await;
        let (status, _) = post(&client, "/v1/decide", vec![b' '; 300 << 10]).await.unwrap();
        assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
        let (status, _) = post(&client, "/v1/decide", DECIDE.into()).await.unwrap();
        assert_eq!(status, 200, "the connection lives on");
    });
}

#[test]
fn what_has_begun_is_answered_when_the_engine_stops() {
    let world = World::new();
    let mut process = Launch::new(&world, "serve").start();
    run(async {
        let client = connect(&process).await;
        assert_eq!(post(&client, "/v1/decide", DECIDE.into()).await.unwrap().0, 200);
        process.terminate();
        // Until the goodbye arrives requests are answered; after it they are refused, and none is left hanging.
        let mut answered = 0;
        while let Ok((status, _)) = post(&client, "/v1/decide", DECIDE.into()).await {
            assert_eq!(status, 200);
            answered += 1;
            assert!(answered < 1_000_000, "the engine does not stop");
        }
    });
    assert!(process.wait_for_exit().success());
}

#[test]
fn a_preface_that_comes_in_pieces_or_breaks_off_hurts_nobody() {
    use std::io::Write;
    let world = World::new();
    let process = Launch::new(&world, "serve").start();
    let mut broken: Vec<std::net::TcpStream> = Vec::new();
    for piece in
        ["P", "PR", "PRI", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nnot a frame at all", "PRX / HTTP/1.1\r\n\r\n"]
    {
        let mut stream = std::net::TcpStream::connect(process.ports.data).unwrap();
        stream.write_all(piece.as_bytes()).unwrap();
        broken.push(stream);
    }
    assert_eq!(process.decide(DECIDE).status, 200);
    // The rest of a slow HTTP/1.1 client's first word is waited for.
    let mut slow = process.connect();
    slow.write(b"P").unwrap();
    std::thread::sleep(std::time::Duration::from_millis(20));
    let head =
        format!("OST /v1/decide HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n{DECIDE}", DECIDE.len());
    slow.write(head.as_bytes()).unwrap();
    assert_eq!(slow.read().unwrap().status, 200);
}
