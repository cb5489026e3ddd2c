//! A server under measurement: started, waited for, asked, and stopped whatever happens.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};

/// How long a server may take until it answers.
const START_SECS_MAX: u64 = 30;
/// How long one exchange may take.
const EXCHANGE_SECS_MAX: u64 = 5;
/// A decide request for a sample answer.
const SAMPLE: &str = r#"{"placements":[{"id":"hero","slot":"home_hero"}]}"#;

/// A running server. Dropping it ends its process.
pub(super) struct Server {
    pub(super) name: &'static str,
    pub(super) address: SocketAddr,
    /// The command, for people.
    pub(super) shown: String,
    child: Child,
    output: tempfile::NamedTempFile,
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail only when the process has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An address that was free a moment ago.
pub(super) fn free_address() -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).context("cannot find a free port")?;
    Ok(listener.local_addr()?)
}

impl Server {
    /// Starts a program of the release build and waits until `GET /readyz` is answered with `ready`.
    pub(super) fn start(
        root: &Path,
        name: &'static str,
        program: &str,
        arguments: &[&str],
        shown: String,
        address: SocketAddr,
        ready: &str,
    ) -> anyhow::Result<Server> {
        let output = tempfile::NamedTempFile::new().context("cannot make a file for output")?;
        let log =
            || -> std::io::Result<Stdio> { Ok(File::options().append(true).open(output.path())?.into()) };
        let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), Into::into);
        let mut command = Command::new(target.join("release").join(program));
        command.args(arguments).current_dir(root).stdin(Stdio::null()).stdout(log()?).stderr(log()?);
        let child = command.spawn().with_context(|| format!("cannot run {shown}"))?;
        let mut server = Server { name, address, shown, child, output };
        server.wait_until(ready).with_context(|| server.log())?;
        Ok(server)
    }

    fn wait_until(&mut self, ready: &str) -> anyhow::Result<()> {
        let end = Instant::now() + Duration::from_secs(START_SECS_MAX);
        while Instant::now() < end {
            if let Some(status) = self.child.try_wait()? {
                bail!("{} ended at once ({status})", self.name);
            }
            if self.exchange("GET /readyz", "").is_ok_and(|answer| answer.starts_with(ready)) {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        bail!("{} was not ready within {START_SECS_MAX} seconds", self.name)
    }

    /// What the server wrote, for an error message.
    pub(super) fn log(&self) -> String {
        let text = std::fs::read_to_string(self.output.path()).unwrap_or_default();
        let last: Vec<&str> = text.lines().rev().take(10).collect();
        let last: Vec<&str> = last.into_iter().rev().collect();
        format!("while measuring {}; its last output:\n{}", self.shown, last.join("\n"))
    }

    /// Bytes of the body that answers a plain decide request with an ad.
    pub(super) fn sample_answer_bytes(&self) -> anyhow::Result<usize> {
        let answer = self.exchange("POST /v1/decide", SAMPLE)?;
        let (head, body) = answer.split_once("\r\n\r\n").context("the sample answer has no body")?;
        ensure!(head.starts_with("HTTP/1.1 200"), "the sample request failed: {answer}");
        ensure!(body.contains("creative_id"), "the sample request was answered without an ad: {body}");
        Ok(body.len())
    }

    fn exchange(&self, request: &str, body: &str) -> anyhow::Result<String> {
        let timeout = Duration::from_secs(EXCHANGE_SECS_MAX);
        let mut stream = TcpStream::connect_timeout(&self.address, timeout)?;
        stream.set_read_timeout(Some(timeout))?;
        stream.set_write_timeout(Some(timeout))?;
        let (address, length) = (self.address, body.len());
        write!(
            stream,
            "{request} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Type: application/json\r\n\
             Content-Length: {length}\r\n\r\n{body}"
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }
}
