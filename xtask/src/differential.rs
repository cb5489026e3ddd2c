//! `cargo xtask differential`: the back ends of the rule language against one another, for as long as one likes.
//!
//! The work is an example of `rulec`, built with optimization; this only checks the arguments, builds and runs it.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, bail, ensure};

/// Runs the comparison.
///
/// # Errors
/// When the options are not understood, the example does not build, or the back ends differ.
pub fn run(root: &Path, words: &[&str]) -> anyhow::Result<()> {
    let (cases, seed) = parse(words)?;
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args([
        "run",
        "--quiet",
        "--release",
        "--locked",
        "-p",
        "rulec",
        "--example",
        "differential",
        "--",
    ]);
    command.args(["--cases", &cases.to_string(), "--seed", &seed.to_string()]).current_dir(root);
    let status = command.status().context("cannot run cargo")?;
    ensure!(status.success(), "the comparison failed ({status})");
    Ok(())
}

fn parse(words: &[&str]) -> anyhow::Result<(u64, u64)> {
    let (mut cases, mut seed) = (1_000_000, 1);
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let value = words.next().with_context(|| format!("{word} needs a number"))?;
        let number: u64 = value.parse().with_context(|| format!("{word} needs a number, not `{value}`"))?;
        match *word {
            "--cases" => cases = number,
            "--seed" => seed = number,
            other => bail!("unknown option `{other}`; there are --cases N and --seed N"),
        }
    }
    Ok((cases, seed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_have_defaults_and_are_checked() {
        assert_eq!(parse(&[]).unwrap(), (1_000_000, 1));
        assert_eq!(parse(&["--seed", "7", "--cases", "10"]).unwrap(), (10, 7));
        for wrong in [&["--cases"][..], &["--cases", "many"], &["--rows", "3"]] {
            assert!(parse(wrong).is_err(), "{wrong:?}");
        }
    }
}
