//! Pages that a bench prints: run, and written down with the machine and the commit.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, bail, ensure};

use super::machine;

/// A bench that prints its own tables.
#[derive(Debug, Clone, Copy)]
pub struct Printed {
    /// Its name, and the page's.
    pub name: &'static str,
    title: &'static str,
    about: &'static str,
}

/// All of them.
pub const PRINTED: [Printed; 5] = [
    Printed {
        name: "whole",
        title: "Whole decisions in process",
        about: "Consent, admission and decision in a shop of 1,000 rules and 50 campaigns, for a visitor with three traits and a\n\
            cart. Medians of 31 rounds in which the cases take turns; instructions are counted by callgrind.",
    },
    Printed {
        name: "columnar",
        title: "Segments over columns",
        about: "A million made-up customers with the eleven fields of the segment criteria, one value in ten missing, in batches\n\
            of 65,536 rows; forty random segments; one core. Medians of nine rounds. A predicate is counted as often as it is\n\
            written; equal ones are tested once per batch, which is part of the point.",
    },
    Printed {
        name: "bundle",
        title: "A large bundle goes live",
        about: "What an engine's watcher does with a new bundle, and what a thread that decides without pause feels of it.",
    },
    Printed {
        name: "events",
        title: "From events to facts",
        about: "Appending events to the journal, and reading them from there into sums and Parquet files. Three in four served\n\
            ads are rendered, half are seen, one in fifty is clicked; decisions and subjects are random numbers.",
    },
    Printed {
        name: "visitors",
        title: "Memory of a million visitors",
        about: "Resident memory before and after a million visitors were remembered, each with a product view and four counted\n\
            events, three in ten with a cart.",
    },
];

/// Runs a bench and writes what it prints, with the machine and the commit.
///
/// # Errors
/// When the bench does not build or run.
pub fn printed(root: &Path, bench: &Printed, options: &[&str]) -> anyhow::Result<()> {
    let is_dry = match options {
        [] => false,
        ["--dry"] => true,
        _ => bail!("the only option is --dry"),
    };
    let words = ["bench", "--quiet", "--locked", "-p", "tessera-benches", "--bench", bench.name];
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo).args(words).current_dir(root).output().context("cannot run cargo")?;
    ensure!(output.status.success(), "the bench failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    let page = format!(
        "# {}\n\nWritten by `cargo xtask record {}`; not edited by hand.\n\n\
         - machine: {}\n- commit: {}\n- date: {}\n\n{}\n\n```text\ncargo {}\n```\n\n{}",
        bench.title,
        bench.name,
        machine::describe(),
        machine::commit(root)?,
        machine::date()?,
        bench.about,
        words.join(" "),
        String::from_utf8_lossy(&output.stdout),
    );
    if is_dry {
        print!("{page}");
        return Ok(());
    }
    let path = format!("benches/record/{}.md", bench.name);
    std::fs::write(root.join(&path), page).with_context(|| format!("cannot write {path}"))?;
    println!("wrote {path}");
    Ok(())
}
