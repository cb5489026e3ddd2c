//! The `cargo xtask` command.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command speaks to a terminal")]

use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask <command>

commands:
  ci                    run every check, stop at the first that fails
  tidy                  check the house rules: sizes, module docs, manifests, links
  differential          compare the rule language's back ends on random programs: --cases N, --seed N
  record decide-http    measure decisions per second beside a bare server, write benches/record/decide-http.md
  record rules          measure the matcher beside other engines, write benches/record/rules.md
  record columnar       measure segments over a million customers, write benches/record/columnar.md
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match words.as_slice() {
        ["ci"] => xtask::ci::run(&xtask::root()),
        ["tidy"] => tidy(),
        ["differential", options @ ..] => xtask::differential::run(&xtask::root(), options),
        ["record", "decide-http", options @ ..] => xtask::record::decide_http(&xtask::root(), options),
        ["record", "rules", options @ ..] => xtask::record::rules(&xtask::root(), options),
        ["record", "columnar", options @ ..] => xtask::record::columnar(&xtask::root(), options),
        ["help" | "--help" | "-h"] => {
            print!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        _ => {
            eprint!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn tidy() -> anyhow::Result<()> {
    let problems = xtask::tidy::check(&xtask::root())?;
    for problem in &problems {
        eprintln!("{problem}");
    }
    anyhow::ensure!(problems.is_empty(), "{} house rules are broken", problems.len());
    println!("tidy");
    Ok(())
}
