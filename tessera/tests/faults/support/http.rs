//! A blocking HTTP/1.1 client over one TCP connection: small enough to be trusted, and able to be rude.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// No single exchange may take longer; a hang is a failure, not a wait.
const TIMEOUT: Duration = Duration::from_secs(10);

/// An answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error} in {}", self.text()))
    }

    /// Status, code and pointer of a problem document.
    pub fn problem(&self) -> (u16, String, String) {
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{}", self.text());
        let document = self.json();
        assert_eq!(document["status"], self.status, "the document repeats the status");
        let text = |name: &str| document[name].as_str().unwrap_or("").to_owned();
        (self.status, text("code"), text("pointer"))
    }
}

/// One keep-alive connection.
pub struct Connection {
    stream: BufReader<TcpStream>,
}

impl Connection {
    pub fn open(address: SocketAddr) -> io::Result<Connection> {
        let stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        stream.set_write_timeout(Some(TIMEOUT))?;
        stream.set_nodelay(true)?;
        Ok(Connection { stream: BufReader::new(stream) })
    }

    /// One request with a `Content-Length`, and its answer.
    pub fn send(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> io::Result<Answer> {
        let mut request = head(method, path, headers);
        request.extend_from_slice(format!("content-length: {}\r\n\r\n", body.len()).as_bytes());
        request.extend_from_slice(body);
        self.write(&request)?;
        self.read()
    }

    /// One request whose body comes in chunks.
    pub fn send_chunked(&mut self, path: &str, chunks: &[&[u8]]) -> io::Result<Answer> {
        let mut request = head("POST", path, &[("transfer-encoding", "chunked")]);
        request.extend_from_slice(b"\r\n");
        self.write(&request)?;
        for chunk in chunks {
            self.write(&[format!("{:x}\r\n", chunk.len()).as_bytes(), chunk, b"\r\n"].concat())?;
        }
        self.write(b"0\r\n\r\n")?;
        self.read()
    }

    /// The head of a request whose body never comes.
    pub fn send_head(&mut self, path: &str, length: usize) -> io::Result<Answer> {
        let mut request = head("POST", path, &[]);
        request.extend_from_slice(format!("content-length: {length}\r\n\r\n").as_bytes());
        self.write(&request)?;
        self.read()
    }

    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.get_mut().write_all(bytes)
    }

    /// Reads one answer.
    pub fn read(&mut self) -> io::Result<Answer> {
        let broken = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
        let status_line = self.line()?;
        let status = status_line.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.ok_or_else(|| broken(&status_line))?;
        let mut headers = Vec::new();
        loop {
            let line = self.line()?;
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(':').ok_or_else(|| broken(&line))?;
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let mut answer = Answer { status, headers, body: Vec::new() };
        let length = answer.header("content-length").map_or(Ok(0), str::parse);
        answer.body = vec![0; length.map_err(|_| broken("content-length"))?];
        self.stream.read_exact(&mut answer.body)?;
        Ok(answer)
    }

    /// Reads until the peer closes; an error other than a timeout counts as closing.
    pub fn is_closed_by_peer(&mut self) -> bool {
        let mut rest = Vec::new();
        match self.stream.read_to_end(&mut rest) {
            Ok(_) => true,
            Err(error) => !matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut),
        }
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        if self.stream.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(line.trim_end().to_owned())
    }
}

fn head(method: &str, path: &str, headers: &[(&str, &str)]) -> Vec<u8> {
    let mut head = format!("{method} {path} HTTP/1.1\r\nhost: tessera.test\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.into_bytes()
}

/// One request on a connection of its own.
pub fn once(address: SocketAddr, method: &str, path: &str, body: &str) -> io::Result<Answer> {
    let json = [("content-type", "application/json")];
    Connection::open(address)?.send(method, path, &json, body.as_bytes())
}

/// The path of a URL that the engine put into an answer.
pub fn path_of(url: &serde_json::Value) -> String {
    let url = url.as_str().expect("a URL");
    let (_, rest) = url.split_once("://").expect("an absolute URL");
    rest[rest.find('/').expect("a path")..].to_owned()
}
