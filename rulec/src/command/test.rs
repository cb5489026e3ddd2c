//! `rulec test`: the test blocks, one by one, and what they cover.

use std::path::PathBuf;
use std::process::ExitCode;

use super::{FINDINGS, Host, complain, print, say, sources};
use crate::coverage::{self, Boundaries, Coverage, Report};
use crate::explain::Refusal;
use crate::{SourceFile, report};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Rule files, or directories that hold some
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// Catalog whose names the rules may use; else the names they use are taken for granted
    #[arg(long)]
    catalog: Option<PathBuf>,
    /// Fail when the tests saw less than so many percent of what there is to see
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u32).range(0..=100))]
    min_coverage: Option<u32>,
    /// List everything that no test saw
    #[arg(long)]
    uncovered: bool,
    /// Print what becomes of the values right at and next to every threshold, to read and approve
    #[arg(long)]
    boundaries: bool,
    /// With --boundaries: of this rule only
    #[arg(long, requires = "boundaries")]
    rule: Option<String>,
}

pub(super) fn run(host: Host<'_>, args: &Args) -> Result<ExitCode, String> {
    let files = sources::read(&args.paths)?;
    let catalog = sources::catalog(host, args.catalog.as_deref(), &files)?;
    if args.boundaries {
        return match coverage::boundaries(&files, &catalog.names, args.rule.as_deref()) {
            Ok(tables) => print_tables(&tables, args.rule.as_deref()),
            Err(Refusal::Rules(diagnostics)) => Ok(refuse(&diagnostics, &files)),
            Err(Refusal::Visitor(_)) => Err("no visitor could be made up".to_owned()),
        };
    }
    match coverage::run(&files, &catalog.names, &catalog.extras) {
        Ok(report) => Ok(summary(&report, &files, args)),
        Err(diagnostics) => Ok(refuse(&diagnostics, &files)),
    }
}

fn refuse(diagnostics: &[crate::Diagnostic], files: &[SourceFile]) -> ExitCode {
    complain(report::render(diagnostics, files, report::Format::Text).trim_end());
    ExitCode::from(FINDINGS)
}

fn summary(found: &Report, files: &[SourceFile], args: &Args) -> ExitCode {
    let mut failed = 0;
    for test in &found.tests {
        let passes = test.failures.is_empty();
        say(&format!("{} {} ({}:{})", if passes { "ok  " } else { "FAIL" }, test.name, test.file, test.line));
        failed += usize::from(!passes);
        print(&report::render(&test.failures, files, report::Format::Text));
    }
    let (seen, total) = found.coverage.points();
    // A share is rounded down: only what is complete is 100%.
    let percent = if total == 0 { 100 } else { seen as u128 * 100 / total as u128 };
    if args.uncovered {
        print_uncovered(&found.coverage);
    }
    say(&format!(
        "{} passed, {failed} failed; coverage {percent}% ({seen} of {total})",
        found.tests.len() - failed
    ));
    let wanted = args.min_coverage.filter(|percent| !found.coverage.reaches(*percent));
    if let Some(wanted) = wanted {
        complain(&format!("coverage is below {wanted}%; --uncovered lists what no test saw"));
    }
    if failed > 0 || wanted.is_some() { ExitCode::from(FINDINGS) } else { ExitCode::SUCCESS }
}

fn print_uncovered(coverage: &Coverage) {
    for literal in &coverage.literals {
        let unseen = literal.unseen();
        if !unseen.is_empty() {
            say(&format!(
                "{}:{}: {} was never {}",
                literal.file,
                literal.line,
                literal.text,
                unseen.join(", ")
            ));
        }
    }
    for tier in &coverage.tiers {
        let unseen = tier.unseen();
        if !unseen.is_empty() {
            let number = tier.tier + 1;
            say(&format!(
                "{}:{}: rule \"{}\" tier {number} was never {}",
                tier.file,
                tier.line,
                tier.rule,
                unseen.join(", ")
            ));
        }
    }
}

fn print_tables(tables: &[Boundaries], rule: Option<&str>) -> Result<ExitCode, String> {
    if let (Some(rule), []) = (rule, tables) {
        return Err(format!("there is no rule `{rule}`"));
    }
    tables.iter().filter(|table| !table.rows.is_empty()).for_each(print_table);
    Ok(ExitCode::SUCCESS)
}

fn print_table(table: &Boundaries) {
    let with =
        if table.visitor.is_empty() { String::new() } else { format!(", with {}", table.visitor.join("; ")) };
    say(&format!("rule \"{}\" in placement \"{}\"{with}", table.rule, table.placement));
    if !table.is_reachable {
        say("  no visitor was found whom this rule wants");
    }
    let cells: Vec<[String; 5]> = table
        .rows
        .iter()
        .map(|row| {
            let tier = row.tier.map_or(String::new(), |tier| format!(" (tier {tier})"));
            let decider = row.decider.as_ref().map_or("-".to_owned(), |name| format!("\"{name}\""));
            let offer = row.offer.as_ref().map_or("-".to_owned(), |name| format!("\"{name}\""));
            [row.attribute.clone(), row.value.clone(), format!("{}{tier}", row.truth), decider, offer]
        })
        .collect();
    let titles = ["attribute", "value", "rule is", "decides", "offer"].map(str::to_owned);
    let lines: Vec<&[String; 5]> = std::iter::once(&titles).chain(&cells).collect();
    let width = |column: usize| {
        let widths = lines.iter().map(|line| line[column].chars().count());
        widths.max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..titles.len()).map(width).collect();
    for line in lines {
        let padded: Vec<String> =
            line.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        say(format!("  {}", padded.join("  ")).trim_end());
    }
    if table.left_out > 0 {
        say(&format!("  {} more values are left out", table.left_out));
    }
    say("");
}
