//! The matcher's benchmark, written down with the machine it ran on.
//!
//! The bench itself compares, measures and prints its tables (`benches/rules`); here they get a heading.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, ensure};

use super::machine;

/// Where the result goes.
const PAGE: &str = "benches/record/rules.md";
const BENCH: [&str; 6] = ["bench", "--locked", "-p", "tessera-benches", "--bench", "rules"];

/// Runs the matcher's benchmark and writes the page. Options are the bench's own, and `--dry` to print instead.
///
/// # Errors
/// When the bench fails, which it does when any engine disagrees with the reference.
pub fn rules(root: &Path, options: &[&str]) -> anyhow::Result<()> {
    let is_dry = options.contains(&"--dry");
    let options: Vec<&str> = options.iter().copied().filter(|word| *word != "--dry").collect();
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(BENCH).current_dir(root).stderr(std::process::Stdio::inherit());
    if !options.is_empty() {
        command.arg("--").args(&options);
    }
    let output = command.output().context("cannot run cargo")?;
    ensure!(output.status.success(), "{} failed", shown(&options));
    let tables = String::from_utf8(output.stdout).context("the bench did not print text")?;
    let text = page(&machine::describe(), &machine::commit(root)?, &machine::date()?, &options, &tables);
    if is_dry {
        print!("{text}");
        return Ok(());
    }
    std::fs::write(root.join(PAGE), text).with_context(|| format!("cannot write {PAGE}"))?;
    println!("wrote {PAGE}");
    Ok(())
}

fn shown(options: &[&str]) -> String {
    let separator = (!options.is_empty()).then_some("--");
    let words: Vec<&str> =
        ["cargo"].into_iter().chain(BENCH).chain(separator).chain(options.iter().copied()).collect();
    words.join(" ")
}

fn page(machine: &str, commit: &str, date: &str, options: &[&str], tables: &str) -> String {
    format!(
        "# Matching rules\n\n\
         Written by `cargo xtask record rules`; not edited by hand.\n\n\
         - machine: {machine}\n- commit: {commit}\n- date: {date}\n\n\
         The workload is `tessera_fixtures::workload`. Times are processor time of one thread, medians of rounds in which\n\
         all engines take turns; other work shared the machine. `index` lists the matching rules, `index, as bits` leaves\n\
         them in the result; `code` runs every condition's branches; `tree walk` is the reference. Peers get their events\n\
         in their own form, made outside the timing.\n\n\
         ```text\n{}\n```\n\n{tables}",
        shown(options)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_names_machine_commit_and_command() {
        let page = page("a machine", "abc", "2026-01-01", &["--sizes", "100"], "| a | b |\n");
        let command = "cargo bench --locked -p tessera-benches --bench rules -- --sizes 100";
        for text in ["a machine", "abc", "2026-01-01", command, "| a | b |"] {
            assert!(page.contains(text), "{text}: {page}");
        }
        assert!(!shown(&[]).contains(" -- "));
    }
}
