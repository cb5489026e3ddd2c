//! `bare`: the bare server as a command, to be measured beside the engine.

use std::io::Write as _;
use std::net::SocketAddr;

use clap::Parser;
use tessera_loadtest::bare::{ANSWER_BYTES, start};

/// Answers every well-formed decide request with the same bytes.
#[derive(Debug, Parser)]
struct Arguments {
    /// Where to listen; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Worker threads; 0: one per core
    #[arg(long, default_value_t = 0)]
    workers: usize,
    /// Size of the answer's body in bytes
    #[arg(long, default_value_t = ANSWER_BYTES)]
    answer_bytes: usize,
}

fn main() -> std::io::Result<()> {
    let arguments = Arguments::parse();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let workers = if arguments.workers == 0 { cores } else { arguments.workers };
    let (address, threads) = start(arguments.listen, workers, arguments.answer_bytes)?;
    writeln!(std::io::stdout(), "listening on http://{address}")?;
    for thread in threads {
        if thread.join().is_err() {
            return Err(std::io::Error::other("a worker panicked"));
        }
    }
    Ok(())
}
