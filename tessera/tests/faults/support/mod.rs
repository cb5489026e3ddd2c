//! Runs the real `tessera` binary as a child process and talks to it over TCP.
//!
//! Every wait has a deadline, every child is killed when its handle is dropped, and a failure shows what the child wrote.

pub mod http;
pub mod journal;

use std::fs::File;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use http::{Answer, Connection, once};

/// Longest wait for something that normally takes milliseconds, on a machine that is busy with other things.
pub const PATIENCE: Duration = Duration::from_secs(20);
/// Pause between two looks.
const LOOK: Duration = Duration::from_millis(5);

/// Looks until there is a value, or fails with `what` after [`PATIENCE`].
pub fn wait_for<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    wait_within(PATIENCE, what, look)
}

/// Looks until there is a value, or fails with `what` after `limit`.
pub fn wait_within<T>(limit: Duration, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(value) = look() {
            return value;
        }
        assert!(started.elapsed() < limit, "not within {limit:?}: {what}");
        std::thread::sleep(LOOK);
    }
}

/// Directories of one test: data and a copy of the demo's sources.
pub struct World {
    root: tempfile::TempDir,
}

impl World {
    pub fn new() -> World {
        let world = World { root: tempfile::tempdir().unwrap() };
        for (path, text) in tessera_fixtures::DEMO_SOURCES {
            world.write_source(path, text);
        }
        std::fs::write(world.geo(), tessera_fixtures::DEMO_GEO).unwrap();
        world
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    pub fn data(&self) -> PathBuf {
        self.path("data")
    }

    pub fn source(&self) -> PathBuf {
        self.path("source")
    }

    pub fn geo(&self) -> PathBuf {
        self.path("geo.mmdb")
    }

    /// Writes one file of the source directory.
    pub fn write_source(&self, path: &str, text: &str) {
        let path = self.source().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// Replaces a file as a well-behaved writer does: beside it, then renamed over it.
    pub fn replace(&self, path: &Path, bytes: &[u8]) {
        let temporary = self.path("replacement");
        std::fs::write(&temporary, bytes).unwrap();
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::rename(&temporary, path).unwrap();
    }

    /// Runs a command to its end, with this world's data directory.
    pub fn run(&self, arguments: &[&str]) -> Output {
        let mut command = self.command();
        command.args(arguments).arg("--data-dir").arg(self.data());
        command.output().unwrap()
    }

    /// The binary, with nothing inherited that could configure it.
    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tessera"));
        command.env_clear().current_dir(self.root.path());
        command
    }
}

/// Three free ports. They lie below the range from which the system takes ports for outgoing connections, so that only
/// another listener can be in the way; [`Launch::start`] tries again then.
#[derive(Debug, Clone, Copy)]
pub struct Ports {
    pub data: SocketAddr,
    pub control: SocketAddr,
    pub admin: SocketAddr,
}

impl Ports {
    pub fn free() -> Ports {
        Ports { data: free_port(), control: free_port(), admin: free_port() }
    }
}

fn free_port() -> SocketAddr {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = (std::process::id() % 16_000) as u16;
    for _ in 0..2_000 {
        let offset = start.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % 16_000;
        let address = SocketAddr::from(([127, 0, 0, 1], 15_000 + offset));
        if TcpListener::bind(address).is_ok() {
            return address;
        }
    }
    panic!("no free port between 15000 and 31000");
}

/// What to start.
pub struct Launch<'a> {
    world: &'a World,
    part: &'static str,
    arguments: Vec<String>,
    shell: Option<String>,
    has_source: bool,
}

impl<'a> Launch<'a> {
    /// `serve`, `engine`, `control` or `analytics` over the world's data directory.
    pub fn new(world: &'a World, part: &'static str) -> Launch<'a> {
        let has_source = matches!(part, "serve" | "control");
        Launch { world, part, arguments: Vec::new(), shell: None, has_source }
    }

    /// Sets a setting.
    pub fn set(mut self, setting: &str) -> Launch<'a> {
        self.arguments.extend(["--set".to_owned(), setting.to_owned()]);
        self
    }

    /// Publishes nothing at start.
    pub fn without_source(mut self) -> Launch<'a> {
        self.has_source = false;
        self
    }

    /// Runs shell text in the process before it becomes the binary.
    pub fn after_shell(mut self, text: &str) -> Launch<'a> {
        self.shell = Some(text.to_owned());
        self
    }

    /// Starts it on ports of its own and waits until it answers.
    pub fn start(&self) -> Process {
        for _ in 0..5 {
            let mut process = self.spawn(Ports::free());
            if process.is_up(self.part) {
                return process;
            }
            let log = process.log();
            assert!(log.contains("another program has this port"), "tessera did not start:\n{log}");
        }
        panic!("five times in a row somebody took the ports");
    }

    /// Starts it on these ports and waits for nothing.
    pub fn spawn(&self, ports: Ports) -> Process {
        static NUMBER: AtomicU16 = AtomicU16::new(0);
        let log_path = self.world.path(&format!("log-{}", NUMBER.fetch_add(1, Ordering::Relaxed)));
        let log = File::create(&log_path).unwrap();
        let mut command = match &self.shell {
            None => self.world.command(),
            Some(text) => {
                let mut command = Command::new("/bin/sh");
                command.arg("-c").arg(format!("{text}; exec \"$0\" \"$@\"")).env_clear();
                command.current_dir(self.world.root.path()).arg(env!("CARGO_BIN_EXE_tessera"));
                command
            }
        };
        command.arg(self.part).arg("--data-dir").arg(self.world.data());
        for (flag, address) in
            [("--listen", ports.data), ("--control-listen", ports.control), ("--admin-listen", ports.admin)]
        {
            command.arg(flag).arg(address.to_string());
        }
        if self.has_source {
            command.arg("--source").arg(self.world.source());
        }
        command.arg("--geo").arg(self.world.geo()).args(&self.arguments);
        // Two workers, so that events of one visitor travel through different rings on any machine.
        command.args(["--set", "engine.workers=2", "--set", "engine.trusted_proxies=127.0.0.1/32"]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        Process { child: command.spawn().unwrap(), ports, log_path }
    }
}

/// A running process; killed when dropped.
pub struct Process {
    child: Child,
    pub ports: Ports,
    log_path: PathBuf,
}

impl Process {
    /// What it has written to standard error.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log_path).unwrap_or_default()
    }

    /// SIGKILL: no destructor, no flush, no goodbye.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// SIGTERM: finish what is open, write what is queued, end.
    pub fn terminate(&self) {
        let sent = Command::new("/bin/sh").args(["-c", &format!("kill -TERM {}", self.child.id())]).status();
        assert!(sent.unwrap().success());
    }

    /// Waits until it has ended by itself.
    pub fn wait_for_exit(&mut self) -> ExitStatus {
        wait_for("the process ends", || self.child.try_wait().unwrap())
    }

    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Waits until it answers; false when it has ended instead.
    fn is_up(&mut self, part: &str) -> bool {
        let (address, path) = match part {
            // It has no port: its store appearing is its sign of life, and its readers wait for that themselves.
            "analytics" => return true,
            "control" => (self.ports.control, "/healthz"),
            _ => (self.ports.admin, "/healthz"),
        };
        wait_for("the process answers or ends", || {
            if !self.is_running() {
                return Some(false);
            }
            let answer = once(address, "GET", path, "").ok()?;
            (answer.status == 200).then_some(true)
        })
    }

    pub fn connect(&self) -> Connection {
        Connection::open(self.ports.data).unwrap()
    }

    /// Decides once on a connection of its own.
    pub fn decide(&self, body: &str) -> Answer {
        once(self.ports.data, "POST", "/v1/decide", body).unwrap()
    }

    /// The value of one series of the metrics page, 0 while it is absent.
    pub fn metric(&self, series: &str) -> f64 {
        let text = once(self.ports.admin, "GET", "/metrics", "").unwrap().text();
        let value = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' ')?.parse().ok());
        value.unwrap_or(0.0)
    }

    /// A JSON document of the control API.
    pub fn control(&self, path: &str) -> serde_json::Value {
        let answer = once(self.ports.control, "GET", path, "").unwrap();
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        answer.json()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            eprintln!("--- what the process wrote ---\n{}", self.log());
        }
    }
}

/// A decide body for the demo's main placement.
pub const DECIDE: &str = r#"{"placements":[{"id":"hero","slot":"home_hero"}]}"#;
