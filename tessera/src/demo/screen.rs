//! The demo's screen: a table that redraws itself on a terminal, or a line now and then elsewhere.

use std::fmt::Write as _;
use std::io::{IsTerminal, Write as _};
use std::net::SocketAddr;
use std::time::Duration;

use tessera_loadtest::drive::Look;
use tessera_wire::event::Tier;

use super::report::Report;
use crate::cli::DemoArgs;
use crate::commands::say;

/// Width of the progress bar in characters.
const BAR: usize = 40;
/// Seconds between lines when there is no terminal to redraw.
const LINE_SECS: u64 = 5;

pub(super) struct Screen {
    is_terminal: bool,
    total: Duration,
    /// Lines drawn last time, to be drawn over.
    drawn: usize,
    last: Look,
    last_at: Duration,
    next_line_secs: u64,
}

impl Screen {
    pub(super) fn new(arguments: &DemoArgs, data: SocketAddr, control: SocketAddr) -> Screen {
        say(&format!(
            "Tessera demo: {} simulated visits/s for {}s, seed {}\n\
             data port http://{data}, console http://{control}/\n\
             The visitors' preferences are hidden from the product; it has to learn them from clicks.\n",
            arguments.rate,
            arguments.duration.as_secs(),
            arguments.seed
        ));
        Screen {
            is_terminal: std::io::stdout().is_terminal(),
            total: arguments.duration,
            drawn: 0,
            last: Look::default(),
            last_at: Duration::ZERO,
            next_line_secs: LINE_SECS,
        }
    }

    /// Shows where things stand.
    pub(super) fn draw(&mut self, elapsed: Duration, look: &Look, report: Option<&Report>) {
        let rate = self.rate(elapsed, look);
        if self.is_terminal {
            let table = self.table(elapsed, look, report, rate);
            let mut out = std::io::stdout();
            // Back to the first line of the last drawing, and clear what is below. A closed terminal ends nothing.
            if self.drawn > 0 {
                let _ = write!(out, "\x1b[{}A\x1b[J", self.drawn);
            }
            let _ = out.write_all(table.as_bytes()).and_then(|()| out.flush());
            self.drawn = table.lines().count();
        } else if elapsed.as_secs() >= self.next_line_secs {
            self.next_line_secs += LINE_SECS;
            say(&line(elapsed, look, report, rate));
        }
    }

    /// Requests per second since the last drawing.
    fn rate(&mut self, elapsed: Duration, look: &Look) -> f64 {
        let requests = look.requests - self.last.requests;
        let secs = (elapsed - self.last_at).as_secs_f64().max(1e-3);
        self.last = look.clone();
        self.last_at = elapsed;
        requests as f64 / secs
    }

    fn table(&self, elapsed: Duration, look: &Look, report: Option<&Report>, rate: f64) -> String {
        let mut out = String::new();
        let share = (elapsed.as_secs_f64() / self.total.as_secs_f64().max(1e-3)).min(1.0);
        let done = (share * BAR as f64) as usize;
        let secs = self.total.saturating_sub(elapsed).as_secs();
        // Writing to a String cannot fail, here and below.
        let _ = writeln!(out, "[{}{}] {secs:>3}s left", "#".repeat(done), "-".repeat(BAR - done));
        let _ = writeln!(
            out,
            "requests/s {rate:>8.0}   decision p50 {}   p99 {}   failed {}",
            millis(look.p50_us),
            millis(look.p99_us),
            look.failures
        );
        let _ = writeln!(out, "tiers      {}", tiers(look));
        match report {
            Some(report) => append_learning(report, &mut out),
            None => out.push_str("learning   waiting for the first results\n"),
        }
        out
    }

    /// Shows the result.
    pub(super) fn summarize(&self, elapsed: Duration, look: &Look, report: &Report) {
        let mut out = String::from("\nSummary\n");
        let _ = writeln!(
            out,
            "  visits          {} in {:.0}s, {:.0} requests/s, {} failed requests",
            look.visits,
            elapsed.as_secs_f64(),
            look.requests as f64 / elapsed.as_secs_f64().max(1e-3),
            look.failures
        );
        let _ = writeln!(
            out,
            "  decision time   p50 {}, p99 {} (client side, from the intended start)",
            millis(look.p50_us),
            millis(look.p99_us)
        );
        let _ = writeln!(out, "  tiers           {}", tiers(look));
        let _ = writeln!(out, "  posteriors      generation {}", report.posterior_generation);
        let _ = writeln!(out, "  personalized    {}", click_rate(report, "personalized"));
        let _ = writeln!(out, "  holdout         {}", click_rate(report, "holdout"));
        match report.lift() {
            Some((lift, bounds)) => {
                let _ = writeln!(
                    out,
                    "  lift            {:+.1} % {}, p = {:.2e}",
                    100.0 * lift,
                    interval(bounds),
                    report.p_value()
                );
            }
            None => out.push_str("  lift            not measurable yet\n"),
        }
        out.push_str("  best combination by segment\n");
        append_best(report, &mut out);
        let verdict = if report.has_positive_lift() {
            "Personalized traffic clicked more often than the holdout."
        } else {
            "Personalized traffic did not click more often than the holdout."
        };
        say(&format!("{out}\n{verdict}"));
    }
}

fn line(elapsed: Duration, look: &Look, report: Option<&Report>, rate: f64) -> String {
    let learned = report.map(|report| {
        let lift = report.lift().map_or("-".to_owned(), |(lift, _)| format!("{:+.1} %", 100.0 * lift));
        format!(
            "CTR {} against {} in the holdout, lift {lift}, posterior {}",
            percent(report.arm("personalized").ctr),
            percent(report.arm("holdout").ctr),
            report.posterior_generation
        )
    });
    let learned = learned.unwrap_or_else(|| "waiting for the first results".to_owned());
    format!("{:>4}s  {rate:>6.0} requests/s  p99 {}  {learned}", elapsed.as_secs(), millis(look.p99_us))
}

fn append_learning(report: &Report, out: &mut String) {
    let _ = writeln!(out, "personal   {}", click_rate(report, "personalized"));
    let _ = writeln!(out, "holdout    {}", click_rate(report, "holdout"));
    if let Some((lift, bounds)) = report.lift() {
        let _ = writeln!(
            out,
            "lift       {:+.1} % {}   posterior generation {}",
            100.0 * lift,
            interval(bounds),
            report.posterior_generation
        );
    }
    append_best(report, out);
}

/// One arm's click rate with its interval.
fn click_rate(report: &Report, arm: &str) -> String {
    let arm = report.arm(arm);
    format!("CTR {} {} on {} impressions", percent(arm.ctr), interval(arm.interval), arm.impressions)
}

fn append_best(report: &Report, out: &mut String) {
    for best in report.best() {
        let _ = writeln!(
            out,
            "    {:<10} {:<46} CTR {} on {}",
            best.segment,
            best.assets,
            percent(best.ctr),
            best.impressions
        );
    }
}

fn tiers(look: &Look) -> String {
    let total = look.tiers.iter().sum::<u64>().max(1);
    let shares = Tier::ALL.iter().zip(look.tiers).filter(|(_, count)| *count > 0);
    let words: Vec<String> = shares
        .map(|(tier, count)| format!("{} {:.0} %", tier.name(), 100.0 * count as f64 / total as f64))
        .collect();
    words.join(", ")
}

fn percent(share: f64) -> String {
    format!("{:.2} %", 100.0 * share)
}

fn interval(bounds: Option<(f64, f64)>) -> String {
    bounds.map_or(String::new(), |(low, high)| format!("(95 %: {:.2} to {:.2} %)", 100.0 * low, 100.0 * high))
}

fn millis(micros: u64) -> String {
    format!("{:.2} ms", micros as f64 / 1e3)
}
