//! The one command people run: everything in one process with embedded defaults, or each part alone.
//!
//! Only composition lives here: configuration, starting parts, waiting for signals, and the demo's screen. Exit codes: 0
//! done, 1 failed, 2 misused.

mod cli;
mod commands;
mod config;
mod demo;
mod http;
mod process;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run()
}
