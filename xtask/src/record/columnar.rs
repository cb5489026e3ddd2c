//! `cargo xtask record columnar`: segments over a million customers, by columns and one by one.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, bail, ensure};

use super::machine;

const PAGE: &str = "benches/record/columnar.md";
const BENCH: [&str; 7] = ["bench", "--quiet", "--locked", "-p", "tessera-benches", "--bench", "columnar"];

/// Runs the bench and writes what it prints, with the machine and the commit.
///
/// # Errors
/// When the bench does not build or run.
pub fn columnar(root: &Path, options: &[&str]) -> anyhow::Result<()> {
    let is_dry = match options {
        [] => false,
        ["--dry"] => true,
        _ => bail!("the only option is --dry"),
    };
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo).args(BENCH).current_dir(root).output().context("cannot run cargo")?;
    ensure!(output.status.success(), "the bench failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    let page = format!(
        "# Segments over columns\n\n\
         Written by `cargo xtask record columnar`; not edited by hand.\n\n\
         - machine: {}\n- commit: {}\n- date: {}\n\n\
         A million made-up customers with the eleven fields of the segment criteria, one value in ten missing, in batches\n\
         of 65,536 rows; forty random segments; one core. Medians of nine rounds. A predicate is counted as often as it is\n\
         written; equal ones are tested once per batch, which is part of the point.\n\n\
         ```text\ncargo {}\n```\n\n{}",
        machine::describe(),
        machine::commit(root)?,
        machine::date()?,
        BENCH.join(" "),
        String::from_utf8_lossy(&output.stdout),
    );
    if is_dry {
        print!("{page}");
        return Ok(());
    }
    std::fs::write(root.join(PAGE), page).with_context(|| format!("cannot write {PAGE}"))?;
    println!("wrote {PAGE}");
    Ok(())
}
