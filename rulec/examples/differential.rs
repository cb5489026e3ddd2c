//! Compares the back ends on random programs and rows; run it as `cargo xtask differential`.
//!
//! Every program meets many rows. The first difference ends the run with the seed of its program, which alone makes it
//! again: `--cases 1 --seed THAT`.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command speaks to a terminal")]

#[path = "../tests/differential/mod.rs"]
mod differential;

use std::process::ExitCode;
use std::time::Instant;

use differential::compare::{Done, Plan, program};
use differential::sqlite::Sqlite;

/// Rows for each program: more than a word of a bitmap, and not a multiple of it.
const PLAN: Plan = Plan { rows: 500, sqlite_every: 200 };
/// Programs between two lines of progress.
const REPORT_EVERY: u64 = 2_000;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (Some(cases), Some(first)) = (number(&arguments, "--cases"), number(&arguments, "--seed")) else {
        eprintln!("usage: differential --cases N --seed N");
        return ExitCode::from(2);
    };
    let mut sqlite = Sqlite::new();
    let (mut total, started) = (Done::default(), Instant::now());
    for seed in first.. {
        if total.cases >= cases {
            break;
        }
        match program(seed, PLAN, &mut sqlite) {
            Ok(done) => {
                total.cases += done.cases;
                total.answers += done.answers;
                total.matches += done.matches;
            }
            Err(difference) => {
                eprintln!("{difference}again: cargo xtask differential --cases 1 --seed {seed}");
                return ExitCode::FAILURE;
            }
        }
        if (seed - first + 1).is_multiple_of(REPORT_EVERY) {
            report(&total, started);
        }
    }
    report(&total, started);
    ExitCode::SUCCESS
}

fn report(total: &Done, started: Instant) {
    let rate = total.cases as f64 / started.elapsed().as_secs_f64();
    let share = 100.0 * total.matches as f64 / total.answers.max(1) as f64;
    println!(
        "{} cases, {} answers by six ways, {share:.0} % of them true, no difference, {rate:.0} cases/s",
        total.cases, total.answers
    );
}

fn number(arguments: &[String], name: &str) -> Option<u64> {
    let place = arguments.iter().position(|argument| argument == name)?;
    arguments.get(place + 1)?.parse().ok()
}
