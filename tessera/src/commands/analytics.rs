//! `tessera analytics reconcile`: compares what became of events with the facts that are stored.

use std::process::ExitCode;

use anyhow::Context;
use tessera_analytics::fold::Outcome;
use tessera_analytics::store::{self, HourCounts, Reconciliation};

use super::say;
use crate::config::Config;

/// Hours shown although everything agrees in them.
const HOURS_SHOWN: usize = 24;
const HOUR_SECS: i64 = 3_600;

/// Prints the comparison; the exit code is 1 when something does not agree.
pub(crate) fn reconcile(config: &Config) -> anyhow::Result<ExitCode> {
    let path = config.store_path();
    let connection = store::open_read_only(&path)
        .with_context(|| format!("cannot open the store `{}`", path.display()))?;
    let found = store::reconcile(&connection).context("cannot compare")?;
    print(&found);
    Ok(if found.is_balanced() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn print(found: &Reconciliation) {
    let outcomes = Outcome::ALL.map(|outcome| format!("{:>10}", outcome.name())).join("");
    say(&format!("{:<17} {:<10} {outcomes}{:>10}", "hour (UTC)", "kind", "facts"));
    let shown = found.hours.len().saturating_sub(HOURS_SHOWN);
    for (place, ((hour, kind), counts)) in found.hours.iter().enumerate() {
        if place >= shown || counts.difference() != 0 {
            say(&format!("{:<17} {:<10} {}", hour_text(*hour), kind.name(), counts_text(counts)));
        }
    }
    let count = |name: &str| found.totals.get(name).copied().unwrap_or(0);
    say(&format!(
        "appended {} = stored {} + duplicate {} + unjoined {} + unnamed {} + waiting {} + remembered {} + damaged {} + missing {}",
        found.appended(),
        count("stored"),
        count("duplicate"),
        count("unjoined"),
        count("unnamed"),
        count("waiting"),
        count("remembered"),
        count("damaged"),
        count("missing"),
    ));
    if found.is_balanced() {
        say("everything is accounted for");
    } else {
        say(&format!(
            "NOT ACCOUNTED FOR: {} records; hours with a difference are marked. Rebuild the store with `tessera replay`",
            found.unaccounted()
        ));
    }
}

fn counts_text(counts: &HourCounts) -> String {
    let outcomes = counts.outcomes.map(|count| format!("{count:>10}")).join("");
    let facts = counts.facts.map_or("deleted".to_owned(), |facts| facts.to_string());
    let mark = if counts.difference() == 0 { "" } else { "  DIFFERS" };
    format!("{outcomes}{facts:>10}{mark}")
}

/// Year to hour, from hours since the epoch.
fn hour_text(hour: i64) -> String {
    jiff::Timestamp::from_second(hour.saturating_mul(HOUR_SECS))
        .map_or_else(|_| hour.to_string(), |at| at.strftime("%Y-%m-%d %H:00").to_string())
}
