//! A PostgreSQL server for the time of a test.

use std::os::unix::fs::{MetadataExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use postgres::{Client, Config, NoTls};
use tempfile::TempDir;

/// PostgreSQL refuses to run as root, so root lends it the account that everybody has.
const NOBODY: u32 = 65_534;
const START_SECS_MAX: u64 = 60;

pub(crate) enum Server {
    /// Somebody else's.
    Given(Box<Config>),
    Own(Own),
}

pub(crate) struct Own {
    programs: PathBuf,
    folder: TempDir,
    process: Child,
}

impl Server {
    /// The given server, or one of its own.
    pub(crate) fn start() -> Server {
        match std::env::var("TESSERA_TEST_POSTGRES") {
            Ok(given) => {
                Server::Given(Box::new(given.parse().expect("TESSERA_TEST_POSTGRES is a connection string")))
            }
            Err(_) => Server::Own(Own::start()),
        }
    }

    pub(crate) fn connect(&self) -> Client {
        match self {
            Server::Given(config) => config.connect(NoTls).expect("TESSERA_TEST_POSTGRES answers"),
            Server::Own(own) => own.connect(),
        }
    }
}

impl Own {
    fn start() -> Own {
        let programs = programs().expect(
            "PostgreSQL is needed: install it (apt-get install postgresql) or set TESSERA_TEST_POSTGRES",
        );
        let folder = tempfile::Builder::new().prefix("tessera-postgres-").tempdir().unwrap();
        if is_root(folder.path()) {
            chown(folder.path(), Some(NOBODY), Some(NOBODY)).unwrap();
        }
        let made = command(&programs, "initdb", folder.path())
            .args([
                "--username=tessera",
                "--auth=trust",
                "--encoding=UTF8",
                "--locale=C.UTF-8",
                "--no-sync",
                "-D",
            ])
            .arg(folder.path().join("data"))
            .output()
            .unwrap();
        assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
        let log = std::fs::File::create(folder.path().join("log")).unwrap();
        let process = command(&programs, "postgres", folder.path())
            .args(["-c", "listen_addresses=", "-c", "fsync=off", "-D"])
            .arg(folder.path().join("data"))
            .arg("-k")
            .arg(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        Own { programs, folder, process }
    }

    fn connect(&self) -> Client {
        let started = Instant::now();
        loop {
            let connected =
                Config::new().host_path(self.folder.path()).user("tessera").dbname("postgres").connect(NoTls);
            match connected {
                Ok(client) => return client,
                Err(_) if started.elapsed() < Duration::from_secs(START_SECS_MAX) => {
                    std::thread::sleep(Duration::from_millis(50));
                }
                Err(error) => {
                    let log = std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
                    panic!("PostgreSQL does not answer: {error}\n{log}");
                }
            }
        }
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        let stopped = command(&self.programs, "pg_ctl", self.folder.path())
            .args(["stop", "--mode=immediate", "--silent", "-D"])
            .arg(self.folder.path().join("data"))
            .status();
        if !stopped.is_ok_and(|status| status.success()) {
            let _ = self.process.kill();
        }
        let _ = self.process.wait();
    }
}

/// The folder of the newest installed version.
fn programs() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?.filter_map(Result::ok);
    let numbered = versions.filter_map(|version| {
        let number: u32 = version.file_name().to_str()?.parse().ok()?;
        let programs = version.path().join("bin");
        ["initdb", "postgres", "pg_ctl"]
            .iter()
            .all(|program| programs.join(program).exists())
            .then_some((number, programs))
    });
    numbered.max().map(|(_, programs)| programs)
}

fn command(programs: &Path, program: &str, folder: &Path) -> Command {
    let mut command = Command::new(programs.join(program));
    command.current_dir(folder);
    let owner = std::fs::metadata(folder).unwrap().uid();
    if owner == NOBODY {
        command.uid(NOBODY).gid(NOBODY);
    }
    command
}

/// What root makes belongs to root.
fn is_root(folder: &Path) -> bool {
    std::fs::metadata(folder).unwrap().uid() == 0
}
