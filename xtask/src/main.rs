//! The `cargo xtask` command.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command speaks to a terminal")]

use std::process::ExitCode;

use xtask::record::PRINTED;

const USAGE: &str = "\
usage: cargo xtask <command>

commands:
  ci                    run every check, stop at the first that fails
  tidy                  check the house rules: sizes, module docs, manifests, links
  differential          compare the rule language's back ends on random programs: --cases N, --seed N
  record decide-http    measure decisions per second beside a bare server, write benches/record/decide-http.md
  record rules          measure the matcher beside other engines, write benches/record/rules.md
  record whole          measure whole decisions in process, write benches/record/whole.md
  record columnar       measure segments over a million customers, write benches/record/columnar.md
  record bundle         measure how a bundle of 100,000 rules goes live, write benches/record/bundle.md
  record visitors       measure the memory of a million visitors, write benches/record/visitors.md
  record learning       measure what the learner reaches in a world of known taste, write benches/record/learning.md
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
        ["record", name, options @ ..] if PRINTED.iter().any(|bench| bench.name == *name) => PRINTED
            .iter()
            .filter(|bench| bench.name == *name)
            .try_for_each(|bench| xtask::record::printed(&xtask::root(), bench, options)),
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
