//! The page that a measurement becomes.

use std::fmt::Write as _;

use super::wrk::Round;

/// Everything a reader needs to believe or repeat a number.
pub(super) struct Record {
    pub(super) machine: String,
    pub(super) commit: String,
    pub(super) date: String,
    pub(super) commands: Vec<String>,
    pub(super) engine: Vec<Round>,
    pub(super) bare: Vec<Round>,
    pub(super) engine_answer_bytes: usize,
    pub(super) bare_answer_bytes: usize,
}

impl Record {
    /// The page in Markdown.
    pub(super) fn render(&self) -> String {
        let mut page = String::new();
        let commands = self.commands.join("\n");
        let (engine, bare) = (self.engine.as_slice(), self.bare.as_slice());
        let ratio = median(engine, rate) / median(bare, rate);
        let _ = write!(
            page,
            "# Decisions per second over HTTP\n\n\
             Written by `cargo xtask record decide-http`; not edited by hand.\n\n\
             - machine: {}\n- commit: {}\n- date: {}\n\n\
             The engine serves the demo shop and answers one placement with about {} bytes; the bare server has the same\n\
             runtime shape, parses a small part of the same request and answers with {} fixed bytes. Load generator and\n\
             server share the machine. Rounds alternate. Journal and analytics writer run along, every ad is written down and\n\
             counted; nobody clicks, so no model has been learned yet.\n\n```text\n{commands}\n```\n\n\
             | round | engine, requests/s | p50 | p99 | bare, requests/s | p50 | p99 |\n\
             | --- | ---: | ---: | ---: | ---: | ---: | ---: |\n",
            self.machine, self.commit, self.date, self.engine_answer_bytes, self.bare_answer_bytes,
        );
        for (number, (engine, bare)) in engine.iter().zip(bare).enumerate() {
            let _ = writeln!(page, "| {} | {} | {} |", number + 1, cells(engine), cells(bare));
        }
        let of_medians = |rounds: &[Round]| Round {
            requests_per_sec: median(rounds, rate),
            p50_us: median(rounds, |round| round.p50_us),
            p99_us: median(rounds, |round| round.p99_us),
        };
        let _ = writeln!(page, "| median | {} | {} |", cells(&of_medians(engine)), cells(&of_medians(bare)));
        let _ = writeln!(page, "\nThe engine answers {ratio:.2} times as many requests as the bare server.");
        page
    }
}

fn rate(round: &Round) -> f64 {
    round.requests_per_sec
}

fn cells(round: &Round) -> String {
    format!("{:.0} | {} | {}", round.requests_per_sec, time(round.p50_us), time(round.p99_us))
}

fn time(micros: f64) -> String {
    if micros < 1_000.0 { format!("{micros:.0} µs") } else { format!("{:.2} ms", micros / 1_000.0) }
}

fn median(rounds: &[Round], value: impl Fn(&Round) -> f64) -> f64 {
    let mut values: Vec<f64> = rounds.iter().map(value).collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => f64::NAN,
        count if count % 2 == 1 => values[middle],
        _ => (values[middle - 1] + values[middle]) / 2.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rounds(rates: &[f64]) -> Vec<Round> {
        rates.iter().map(|rate| Round { requests_per_sec: *rate, p50_us: 500.0, p99_us: 1_500.0 }).collect()
    }

    #[test]
    fn the_page_names_machine_commit_commands_and_every_round() {
        let record = Record {
            machine: "a machine".into(),
            commit: "abc".into(),
            date: "2026-01-01".into(),
            commands: vec!["first command".into(), "second command".into()],
            engine: rounds(&[80.0, 120.0, 100.0]),
            bare: rounds(&[190.0, 200.0, 900.0]),
            engine_answer_bytes: 1_900,
            bare_answer_bytes: 450,
        };
        let page = record.render();
        let expected =
            ["a machine", "abc", "2026-01-01", "first command\nsecond command", "1900 bytes", "450 fixed"];
        for text in expected {
            assert!(page.contains(text), "{text}: {page}");
        }
        assert!(page.contains("| 2 | 120 | 500 µs | 1.50 ms | 200 | 500 µs | 1.50 ms |"), "{page}");
        assert!(page.contains("| median | 100 | 500 µs | 1.50 ms | 200 | 500 µs | 1.50 ms |"), "{page}");
        assert!(page.contains("0.50 times"), "{page}");
    }

    #[test]
    fn medians_of_even_counts_lie_between() {
        assert_eq!(median(&rounds(&[1.0, 4.0, 2.0, 9.0]), rate), 3.0);
    }
}
