//! wrk as the load generator: one bounded run, and what its report says.
//!
//! Not here: open-loop load; wrk waits for answers, so its latencies leave out what a stall would have delayed.

use std::io::Read as _;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};

const THREADS: &str = "-t2";
const CONNECTIONS: &str = "-c64";
/// How much longer than asked a run may take.
const GRACE_SECS: u64 = 20;

/// What one run found.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Round {
    pub(super) requests_per_sec: f64,
    pub(super) p50_us: f64,
    pub(super) p99_us: f64,
}

/// Is wrk there?
pub(super) fn check_installed() -> anyhow::Result<()> {
    let probe = Command::new("wrk").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    match probe {
        Ok(_) => Ok(()),
        Err(error) => bail!("cannot run wrk ({error}); on Debian and Ubuntu: apt-get install wrk"),
    }
}

/// The command, for people.
pub(super) fn shown(script: &str, secs: u32) -> String {
    format!("wrk {THREADS} {CONNECTIONS} -d{secs}s --latency -s {script} http://127.0.0.1:PORT")
}

/// One run against `address`.
pub(super) fn run(root: &Path, script: &str, secs: u32, address: SocketAddr) -> anyhow::Result<Round> {
    let mut command = Command::new("wrk");
    command.args([
        THREADS,
        CONNECTIONS,
        &format!("-d{secs}s"),
        "--latency",
        "-s",
        script,
        &format!("http://{address}"),
    ]);
    command.current_dir(root).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().context("cannot run wrk")?;
    let end = Instant::now() + Duration::from_secs(u64::from(secs) + GRACE_SECS);
    // Its report is far smaller than a pipe holds, so it can be read after the end.
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if Instant::now() > end {
            let _ = child.kill();
            let _ = child.wait();
            bail!("wrk did not end within {GRACE_SECS} seconds after its time");
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    let mut report = String::new();
    if let Some(mut output) = child.stdout.take() {
        output.read_to_string(&mut report)?;
    }
    if let Some(mut output) = child.stderr.take() {
        output.read_to_string(&mut report)?;
    }
    ensure!(status.success(), "wrk failed ({status}):\n{report}");
    parse(&report).with_context(|| format!("wrk reported:\n{report}"))
}

/// Reads wrk's report; failed requests are an error.
fn parse(report: &str) -> anyhow::Result<Round> {
    for line in report.lines().map(str::trim) {
        let is_failure = line.starts_with("Non-2xx or 3xx responses") || line.starts_with("Socket errors");
        ensure!(!is_failure, "requests failed: {line}");
    }
    let value = |label: &str| {
        let line = report.lines().map(str::trim).find_map(|line| line.strip_prefix(label));
        line.map(str::trim).with_context(|| format!("there is no `{label}` line"))
    };
    let requests_per_sec: f64 = value("Requests/sec:")?.parse().context("the request rate is no number")?;
    ensure!(requests_per_sec > 0.0, "no request was answered");
    Ok(Round { requests_per_sec, p50_us: micros(value("50%")?)?, p99_us: micros(value("99%")?)? })
}

/// `1.25ms` and the like.
fn micros(text: &str) -> anyhow::Result<f64> {
    let unit_at = text
        .find(|character: char| character.is_alphabetic())
        .with_context(|| format!("`{text}` has no unit"))?;
    let (number, unit) = text.split_at(unit_at);
    let number: f64 = number.parse().with_context(|| format!("`{text}` is no time"))?;
    match unit {
        "us" => Ok(number),
        "ms" => Ok(number * 1e3),
        "s" => Ok(number * 1e6),
        "m" => Ok(number * 60e6),
        _ => bail!("`{text}` has an unknown unit"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPORT: &str = "\
Running 1s test @ http://127.0.0.1:8080
  2 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency   725.05us    1.02ms  24.35ms   92.35%
    Req/Sec    51.03k     4.35k   57.60k    70.00%
  Latency Distribution
     50%  524.00us
     75%  841.00us
     90%    1.29ms
     99%    4.77ms
  101636 requests in 1.00s, 60.58MB read
Requests/sec: 101453.09
Transfer/sec:     60.47MB
";

    #[test]
    fn a_report_is_read() {
        let round = parse(REPORT).unwrap();
        assert_eq!(round, Round { requests_per_sec: 101_453.09, p50_us: 524.0, p99_us: 4_770.0 });
    }

    #[test]
    fn failed_requests_are_an_error() {
        for line in
            ["  Non-2xx or 3xx responses: 7", "  Socket errors: connect 0, read 1, write 0, timeout 0"]
        {
            assert!(parse(&format!("{REPORT}{line}\n")).is_err(), "{line}");
        }
        assert!(parse(&REPORT.replace("101453.09", "0.00")).is_err());
        assert!(parse("").is_err());
    }

    #[test]
    fn times_have_units() {
        assert_eq!(micros("1.50s").unwrap(), 1.5e6);
        assert_eq!(micros("2.00m").unwrap(), 120e6);
        assert!(micros("12").is_err() && micros("3fortnights").is_err());
    }
}
