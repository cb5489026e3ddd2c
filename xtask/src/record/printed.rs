//! Pages that a bench or command prints: run, and written down with the machine and the commit.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, bail, ensure};

use super::machine;

/// What is run for a page.
#[derive(Debug, Clone, Copy)]
enum How {
    /// The bench of the page's name.
    Bench,
    /// `tessera` with these arguments, one after the other.
    Product(&'static [&'static [&'static str]]),
}

/// A bench or command that prints its own tables.
#[derive(Debug, Clone, Copy)]
pub struct Printed {
    /// Its name, and the page's.
    pub name: &'static str,
    title: &'static str,
    about: &'static str,
    how: How,
}

const BENCH: [&str; 6] = ["bench", "--quiet", "--locked", "-p", "tessera-benches", "--bench"];
const PRODUCT: [&str; 7] = ["run", "--release", "--quiet", "--locked", "-p", "tessera", "--"];
/// Seeds that nothing was tuned on. The picture is written beside the page.
const LEARNING: [&[&str]; 1] = [&[
    "simulate",
    "--policies",
    "tessera,best-static,generic,uniform",
    "--svg",
    "benches/record/learning.svg",
]];

/// All of them.
pub const PRINTED: [Printed; 6] = [
    Printed {
        name: "whole",
        title: "Whole decisions in process",
        about: "Consent, admission and decision in a shop of 1,000 rules and 50 campaigns, for a visitor with three traits and a\n\
            cart. Medians of 31 rounds in which the cases take turns; instructions are counted by callgrind.",
        how: How::Bench,
    },
    Printed {
        name: "columnar",
        title: "Segments over columns",
        about: "A million made-up customers with the eleven fields of the segment criteria, one value in ten missing, in batches\n\
            of 65,536 rows; forty random segments; one core. Medians of nine rounds. A predicate is counted as often as it is\n\
            written; equal ones are tested once per batch, which is part of the point.",
        how: How::Bench,
    },
    Printed {
        name: "bundle",
        title: "A large bundle goes live",
        about: "What an engine's watcher does with a new bundle, and what a thread that decides without pause feels of it.",
        how: How::Bench,
    },
    Printed {
        name: "events",
        title: "From events to facts",
        about: "Appending events to the journal, and reading them from there into sums and Parquet files. Three in four served\n\
            ads are rendered, half are seen, one in fifty is clicked; decisions and subjects are random numbers.",
        how: How::Bench,
    },
    Printed {
        name: "visitors",
        title: "Memory of a million visitors",
        about: "Resident memory before and after a million visitors were remembered, each with a product view and four counted\n\
            events, three in ten with a cart.",
        how: How::Bench,
    },
    Printed {
        name: "learning",
        title: "What the learner reaches",
        about: "The product (`tessera`: the real learner and the real decision) and other ways of choosing play the reference\n\
            environment: visitors of known taste, 576 contexts, 250 combinations (preset core), clicks of 1.5 %\n\
            under uniform choice. 0 is uniform choice, 1 the best combination in every context, by true probabilities and\n\
            cumulative from the first impression; the tail is the last tenth. Nothing was tuned on these seeds.\n\
            The curves: [learning.svg](learning.svg).",
        how: How::Product(&LEARNING),
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
    let commands: Vec<Vec<&str>> = match bench.how {
        How::Bench => vec![[&BENCH[..], &[bench.name]].concat()],
        How::Product(all) => all.iter().map(|arguments| [&PRODUCT[..], arguments].concat()).collect(),
    };
    let mut results = String::new();
    for words in &commands {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let output =
            Command::new(cargo).args(words).current_dir(root).output().context("cannot run cargo")?;
        let complaint = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "cargo {} failed: {}", words.join(" "), complaint.trim());
        results.push_str(if results.is_empty() { "" } else { "\n" });
        results.push_str(&String::from_utf8_lossy(&output.stdout));
    }
    let shown: Vec<String> = commands.iter().map(|words| format!("cargo {}", words.join(" "))).collect();
    let page = format!(
        "# {}\n\nWritten by `cargo xtask record {}`; not edited by hand.\n\n\
         - machine: {}\n- commit: {}\n- date: {}\n\n{}\n\n```text\n{}\n```\n\n{}",
        bench.title,
        bench.name,
        machine::describe(),
        machine::commit(root)?,
        machine::date()?,
        bench.about,
        shown.join("\n"),
        results,
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
