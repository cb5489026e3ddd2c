//! Measurements that are written down, with the machine, the commit and the commands that made them.
//!
//! [`decide_http`] measures the engine beside the bare server, alternating, so that a machine that slows down slows both;
//! [`printed()`] and [`rules()`] write down what a bench prints.
//! Guarantees: every wait is bounded, every server is stopped on every path, and a round with a failed request is an error
//! instead of a number.
//!
//! Not here: the benches themselves (`benches/`).

mod machine;
mod page;
mod printed;
mod rules;
mod server;
mod wrk;

pub use printed::{PRINTED, printed};
pub use rules::rules;

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, bail, ensure};

use self::page::Record;
use self::server::Server;
use self::wrk::Round;

/// Where the result goes.
const PAGE: &str = "benches/record/decide-http.md";
/// What each request looks like.
const SCRIPT: &str = "benches/wrk/decide.lua";
/// Seconds before the first round that are not counted: the posteriors, the allocator and the processor warm up.
const WARM_UP_SECS: u32 = 3;

/// What can be chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Options {
    secs: u32,
    rounds: usize,
    answer_bytes: usize,
    is_dry: bool,
}

impl Options {
    fn parse(words: &[&str]) -> anyhow::Result<Options> {
        let mut options = Options { secs: 10, rounds: 3, answer_bytes: 450, is_dry: false };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let mut number = || -> anyhow::Result<usize> {
                let value = words.next().with_context(|| format!("{word} needs a number"))?;
                let number: usize =
                    value.parse().with_context(|| format!("{word} needs a number, not `{value}`"))?;
                ensure!((1..=1_000_000).contains(&number), "{word} takes 1 to 1000000");
                Ok(number)
            };
            match *word {
                "--secs" => options.secs = number()? as u32,
                "--rounds" => options.rounds = number()?,
                "--answer-bytes" => options.answer_bytes = number()?,
                "--dry" => options.is_dry = true,
                other => bail!(
                    "unknown option `{other}`; there are --secs N, --rounds N, --answer-bytes N and --dry"
                ),
            }
        }
        Ok(options)
    }
}

/// Measures decisions per second over HTTP, beside a bare server, and writes the page.
///
/// # Errors
/// When wrk is missing, a server does not start, or a request fails.
pub fn decide_http(root: &Path, options: &[&str]) -> anyhow::Result<()> {
    let options = Options::parse(options)?;
    wrk::check_installed()?;
    build(root)?;
    let directory =
        tempfile::Builder::new().prefix("tessera-record-").tempdir().context("cannot make a folder")?;
    let engine = start_engine(root, directory.path())?;
    let bare = start_bare(root, options.answer_bytes)?;
    let mut rounds: [Vec<Round>; 2] = Default::default();
    for server in [&engine, &bare] {
        wrk::run(root, SCRIPT, WARM_UP_SECS, server.address).with_context(|| server.log())?;
    }
    let answer_bytes = engine.sample_answer_bytes()?;
    for number in 1..=options.rounds {
        for (server, rounds) in [&engine, &bare].into_iter().zip(&mut rounds) {
            let round = wrk::run(root, SCRIPT, options.secs, server.address).with_context(|| server.log())?;
            println!("{:<8} round {number}: {:>9.0} requests/s", server.name, round.requests_per_sec);
            rounds.push(round);
        }
    }
    let [engine_rounds, bare_rounds] = rounds;
    let record = Record {
        machine: machine::describe(),
        commit: machine::commit(root)?,
        date: machine::date()?,
        commands: vec![
            build_command(),
            engine.shown.clone(),
            bare.shown.clone(),
            wrk::shown(SCRIPT, options.secs),
        ],
        engine: engine_rounds,
        bare: bare_rounds,
        engine_answer_bytes: answer_bytes,
        bare_answer_bytes: options.answer_bytes,
    };
    let text = record.render();
    if options.is_dry {
        print!("{text}");
        return Ok(());
    }
    let page = root.join(PAGE);
    std::fs::create_dir_all(page.parent().unwrap_or(root))?;
    std::fs::write(&page, text).with_context(|| format!("cannot write {PAGE}"))?;
    println!("wrote {PAGE}");
    Ok(())
}

const BUILD: [&str; 7] = ["build", "--release", "--locked", "-p", "tessera", "-p", "tessera-loadtest"];

fn build_command() -> String {
    format!("cargo {}", BUILD.join(" "))
}

fn build(root: &Path) -> anyhow::Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo).args(BUILD).current_dir(root).status().context("cannot run cargo")?;
    ensure!(status.success(), "{} failed", build_command());
    Ok(())
}

/// The demo shop, as a product would run it: the caller is trusted to say where its visitor is.
fn start_engine(root: &Path, data_dir: &Path) -> anyhow::Result<Server> {
    let data = server::free_address()?;
    let control = server::free_address()?;
    let admin = server::free_address()?;
    let data_dir = data_dir.display().to_string();
    let arguments = [
        ("serve", ""),
        ("--data-dir", &data_dir),
        ("--source", "fixtures/demo"),
        ("--geo", "fixtures/geo/demo.mmdb"),
        ("--listen", &data.to_string()),
        ("--control-listen", &control.to_string()),
        ("--admin-listen", &admin.to_string()),
        ("--log-level", "warn"),
        ("--set", "engine.trusted_proxies=127.0.0.0/8"),
    ];
    let shown = shown(
        "tessera",
        &arguments,
        &[&data_dir, &data.to_string(), &control.to_string(), &admin.to_string()],
    );
    let words = arguments.iter().flat_map(|(name, value)| [*name, *value]).filter(|word| !word.is_empty());
    Server::start(root, "engine", "tessera", &words.collect::<Vec<_>>(), shown, data, "HTTP/1.1 200")
}

fn start_bare(root: &Path, answer_bytes: usize) -> anyhow::Result<Server> {
    let address = server::free_address()?;
    let arguments = [("--listen", address.to_string()), ("--answer-bytes", answer_bytes.to_string())];
    let arguments = arguments.each_ref().map(|(name, value)| (*name, value.as_str()));
    let shown = shown("bare", &arguments, &[&address.to_string()]);
    let words: Vec<&str> = arguments.iter().flat_map(|(name, value)| [*name, *value]).collect();
    // It understands decide requests only, and says so.
    Server::start(root, "bare", "bare", &words, shown, address, "HTTP/1.1 400")
}

/// The command as the page shows it: what differs from run to run is left open.
fn shown(program: &str, arguments: &[(&str, &str)], varying: &[&str]) -> String {
    let mut text = format!("target/release/{program}");
    for (name, value) in arguments {
        let value = match varying.iter().position(|text| text == value) {
            None => (*value).to_owned(),
            Some(_) if value.parse::<SocketAddr>().is_ok() => "127.0.0.1:PORT".to_owned(),
            Some(_) => "DIR".to_owned(),
        };
        text.push_str(&format!(" {name} {value}"));
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_have_defaults_and_bounds() {
        assert_eq!(
            Options::parse(&[]).unwrap(),
            Options { secs: 10, rounds: 3, answer_bytes: 450, is_dry: false }
        );
        let options =
            Options::parse(&["--secs", "2", "--rounds", "1", "--answer-bytes", "2000", "--dry"]).unwrap();
        assert_eq!(options, Options { secs: 2, rounds: 1, answer_bytes: 2_000, is_dry: true });
        for bad in [&["--secs"][..], &["--secs", "0"], &["--rounds", "x"], &["--fast"]] {
            assert!(Options::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn shown_commands_leave_open_what_varies() {
        let arguments =
            [("serve", ""), ("--data-dir", "/tmp/x"), ("--listen", "127.0.0.1:7"), ("--geo", "a.mmdb")];
        let text = shown("tessera", &arguments, &["/tmp/x", "127.0.0.1:7"]);
        assert_eq!(text, "target/release/tessera serve --data-dir DIR --listen 127.0.0.1:PORT --geo a.mmdb");
    }
}
