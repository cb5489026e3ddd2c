//! Every check, in order, on a developer's machine as on any other.
//!
//! Cheap and telling checks come first. The tests come last, so that a log ends with their own summary.
//! Guarantees: stops at the first failure; runs the commands that the README names and no others.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

/// One check.
struct Step {
    name: &'static str,
    arguments: &'static [&'static str],
    rustdoc_flags: Option<&'static str>,
}

const STEPS: [Step; 5] = [
    Step { name: "formatting", arguments: &["fmt", "--all", "--check"], rustdoc_flags: None },
    Step {
        name: "lints",
        arguments: &["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"],
        rustdoc_flags: None,
    },
    Step {
        name: "documentation",
        arguments: &["doc", "--workspace", "--no-deps", "--locked"],
        rustdoc_flags: Some("-D warnings"),
    },
    Step {
        name: "demo",
        arguments: &["run", "--release", "--locked", "--", "demo", "--once", "--for", "20s"],
        rustdoc_flags: None,
    },
    Step { name: "tests", arguments: &["test", "--workspace", "--locked"], rustdoc_flags: None },
];

/// Runs all checks on the repository at `root`.
///
/// # Errors
/// Names the first check that failed.
pub fn run(root: &Path) -> anyhow::Result<()> {
    let mut passed: Vec<(&str, Duration)> = Vec::new();
    tidy(root, &mut passed)?;
    for (number, step) in STEPS.iter().enumerate() {
        if number + 1 == STEPS.len() {
            summarize(&passed);
        }
        let started = Instant::now();
        step.run(root)?;
        passed.push((step.name, started.elapsed()));
    }
    Ok(())
}

fn tidy(root: &Path, passed: &mut Vec<(&str, Duration)>) -> anyhow::Result<()> {
    let started = Instant::now();
    heading("house rules", "cargo xtask tidy");
    let problems = crate::tidy::check(root)?;
    for problem in &problems {
        println!("{problem}");
    }
    if !problems.is_empty() {
        bail!("{} house rules are broken", problems.len());
    }
    passed.push(("house rules", started.elapsed()));
    Ok(())
}

impl Step {
    fn run(&self, root: &Path) -> anyhow::Result<()> {
        let shown = format!("cargo {}", self.arguments.join(" "));
        match self.rustdoc_flags {
            Some(flags) => heading(self.name, &format!("RUSTDOCFLAGS=\"{flags}\" {shown}")),
            None => heading(self.name, &shown),
        }
        let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        command.args(self.arguments).current_dir(root);
        if let Some(flags) = self.rustdoc_flags {
            command.env("RUSTDOCFLAGS", flags);
        }
        let status = command.status().with_context(|| format!("cannot run {shown}"))?;
        if !status.success() {
            bail!("{} failed: {shown} ({status})", self.name);
        }
        Ok(())
    }
}

fn heading(name: &str, command: &str) {
    println!("\n=== {name}: {command}");
}

fn summarize(passed: &[(&str, Duration)]) {
    println!("\n=== passed so far");
    for (name, took) in passed {
        println!("{name:<16}{:>8.1} s", took.as_secs_f64());
    }
}
