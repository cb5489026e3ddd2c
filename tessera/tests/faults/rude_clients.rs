//! Peers that do not speak HTTP, do not finish, or go away: the engine drops them and decides for the others.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use crate::support::http::{Connection, path_of};
use crate::support::{DECIDE, Launch, Process, World, wait_for};

fn raw(process: &Process) -> TcpStream {
    let stream = TcpStream::connect(process.ports.data).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream.set_write_timeout(Some(Duration::from_secs(10))).unwrap();
    stream
}

fn decide_request() -> String {
    format!("POST /v1/decide HTTP/1.1\r\nhost: t\r\ncontent-length: {}\r\n\r\n{DECIDE}", DECIDE.len())
}

#[test]
fn junk_instead_of_http_ends_that_connection_only() {
    let world = World::new();
    let process = Launch::new(&world, "serve").start();
    let mut good = process.connect();
    let zeros = vec![0u8; 100_000];
    let endless_head = [b"GET / HTTP/1.1\r\nx: ".as_slice(), &vec![b'a'; 2 << 20]].concat();
    let many_headers =
        ["GET / HTTP/1.1\r\n".to_owned(), "a: b\r\n".repeat(5_000), "\r\n".to_owned()].concat();
    let junk: [&[u8]; 9] = [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nnone of the frames that there are",
        b"hello\r\n\r\n",
        b"GET /v1/decide HTTP/9.9\r\n\r\n",
        b"POST /v1/decide HTTP/1.1\r\ncontent-length: -5\r\n\r\n",
        b"POST /v1/decide HTTP/1.1\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello",
        &zeros,
        &endless_head,
        many_headers.as_bytes(),
    ];
    for bytes in junk {
        let mut connection = Connection::open(process.ports.data).unwrap();
        // The engine may close before everything is written.
        let _ = connection.write(bytes);
        assert!(connection.is_closed_by_peer(), "{:?} was not refused", &bytes[..bytes.len().min(40)]);
        let answer = good.send("POST", "/v1/decide", &[], DECIDE.as_bytes()).unwrap();
        assert_eq!(answer.status, 200, "after {:?}", &bytes[..bytes.len().min(40)]);
    }
    assert_eq!(process.decide(DECIDE).status, 200);
}

#[test]
fn clients_that_never_finish_are_closed_and_hinder_nobody() {
    let world = World::new();
    let process = Launch::new(&world, "serve").start();
    let mut slow: Vec<TcpStream> = (0..200)
        .map(|number| {
            let mut stream = raw(&process);
            let half: &[u8] = match number % 3 {
                0 => b"",
                1 => b"POST /v1/decide HTTP/1.1\r\nhost: t\r\ncontent-le",
                _ => b"POST /v1/decide HTTP/1.1\r\nhost: t\r\ncontent-length: 100\r\n\r\n{\"placem",
            };
            stream.write_all(half).unwrap();
            stream
        })
        .collect();
    for _ in 0..50 {
        assert_eq!(process.decide(DECIDE).status, 200);
    }
    assert!(process.metric("http_connections") >= 200.0);
    // Ten seconds for a head and ten for a body, then the engine ends the connection by itself.
    wait_for("slow connections are closed", || (process.metric("http_connections") < 10.0).then_some(()));
    let mut rest = String::new();
    slow[2].read_to_string(&mut rest).unwrap();
    assert!(rest.starts_with("HTTP/1.1 408 ") && rest.contains("body_timeout"), "{rest}");
    assert_eq!(process.decide(DECIDE).status, 200);
}

#[test]
fn a_client_that_goes_away_takes_nothing_with_it() {
    let world = World::new();
    let process = Launch::new(&world, "serve").start();
    for _ in 0..100 {
        // Gone before the answer is read, without a goodbye.
        let mut gone = raw(&process);
        gone.write_all(decide_request().as_bytes()).unwrap();
        drop(gone);
        // Half closed in the middle of the head, and in the middle of the body.
        for length in [40, decide_request().len() - 10] {
            let mut half = raw(&process);
            half.write_all(&decide_request().as_bytes()[..length]).unwrap();
            half.shutdown(Shutdown::Write).unwrap();
            let mut rest = String::new();
            half.read_to_string(&mut rest).unwrap();
            assert!(!rest.contains("200 OK"), "{rest}");
        }
    }
    wait_for("every connection is let go of", || (process.metric("http_connections") <= 1.0).then_some(()));
    assert_eq!(process.decide(DECIDE).status, 200);
}

#[test]
fn a_client_that_has_finished_sending_still_gets_its_answers() {
    let world = World::new();
    let process = Launch::new(&world, "serve").start();
    for _ in 0..20 {
        let ad = process.decide(DECIDE).json()["placements"]["hero"]["ads"][0].clone();
        let touch = format!("GET {} HTTP/1.1\r\nhost: t\r\n\r\n", path_of(&ad["impression_url"]));
        let mut stream = raw(&process);
        // In one go, then the end. A touch is answered only once it is written, so its client waits longest.
        stream.write_all(&[decide_request(), decide_request(), touch].concat().into_bytes()).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut answers = String::new();
        stream.read_to_string(&mut answers).unwrap();
        assert_eq!(answers.matches("HTTP/1.1 200 OK").count(), 2, "{answers}");
        assert!(answers.contains("HTTP/1.1 204 No Content"), "{answers}");
    }
}
