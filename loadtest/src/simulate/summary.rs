//! What runs over several seeds say together: means with 95 % intervals, as a table and as comma-separated values.
//!
//! Guarantees: intervals are Student's, over seeds; one seed has no interval. The order is that of the policies given.

use std::fmt::Write as _;

use super::{Run, Sums, marks};

/// All runs of one policy.
#[derive(Debug, Clone, PartialEq)]
pub struct Played {
    /// Its name.
    pub policy: String,
    /// One per seed, all of the same length.
    pub runs: Vec<Run>,
}

/// A mean over seeds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mean {
    /// The mean.
    pub mean: f64,
    /// Half the width of its 95 % interval; none for a single value.
    pub half: Option<f64>,
}

impl Mean {
    /// The mean of values; not a number without any.
    pub fn of(values: &[f64]) -> Mean {
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        let half = (values.len() > 1).then(|| student(values.len() - 1) * (squares / (n - 1.0) / n).sqrt());
        Mean { mean, half }
    }
}

impl std::fmt::Display for Mean {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.half {
            Some(half) => write!(f, "{:.3} ± {half:.3}", self.mean),
            None => write!(f, "{:.3}", self.mean),
        }
    }
}

/// The 97.5 % point of Student's t.
fn student(degrees: usize) -> f64 {
    const FIRST: [f64; 10] = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228];
    // Cornish-Fisher expansion around the normal's point; two terms are within 0.003 from eleven degrees on.
    let (z, d) = (1.959_964_f64, degrees as f64);
    let expanded =
        || z + (z.powi(3) + z) / (4.0 * d) + (5.0 * z.powi(5) + 16.0 * z.powi(3) + 3.0 * z) / (96.0 * d * d);
    degrees.checked_sub(1).and_then(|at| FIRST.get(at).copied()).unwrap_or_else(expanded)
}

impl Played {
    /// A quantity of the sums up to `mark`, over seeds.
    pub fn at(&self, mark: u64, quantity: impl Fn(&Sums) -> f64) -> Mean {
        let sums = self.runs.iter().filter_map(|run| run.points.iter().find(|(t, _)| *t == mark));
        Mean::of(&sums.map(|(_, sums)| quantity(sums)).collect::<Vec<_>>())
    }

    /// A quantity of the tails, over seeds.
    pub fn in_tail(&self, quantity: impl Fn(&Sums) -> f64) -> Mean {
        Mean::of(&self.runs.iter().map(|run| quantity(&run.tail)).collect::<Vec<_>>())
    }

    /// The points of all its runs.
    pub fn steps(&self) -> Vec<u64> {
        self.runs.first().map(|run| run.points.iter().map(|(t, _)| *t).collect()).unwrap_or_default()
    }
}

/// The table in Markdown.
pub fn table(played: &[Played], impressions: u64) -> String {
    let marks = marks(impressions);
    let mut out = String::from("| policy |");
    for mark in &marks {
        let _ = write!(out, " {} |", short(*mark));
    }
    let rule = " ---: |".repeat(marks.len() + 4);
    let _ =
        write!(out, " tail | clicks lost per 1,000 | CTR over generic | the same, tail |\n| --- |{rule}\n");
    for one in played {
        let _ = write!(out, "| {} |", one.policy);
        for mark in &marks {
            let _ = write!(out, " {} |", one.at(*mark, Sums::frac_lift));
        }
        let regret = one.at(impressions, |sums| 1e3 * sums.regret() / sums.impressions);
        let over = one.at(impressions, Sums::over_generic);
        let (tail, tail_over) = (one.in_tail(Sums::frac_lift), one.in_tail(Sums::over_generic));
        let _ = writeln!(out, " {tail} | {regret} | {over} | {tail_over} |");
    }
    out
}

/// Every point of every run, and every tail.
pub fn csv(played: &[Played]) -> String {
    let mut out = String::from("policy,seed,window,impressions,frac_lift,over_generic,ctr,regret\n");
    for one in played {
        for run in &one.runs {
            let whole = run.points.iter().map(|(t, sums)| ("start", *t, sums));
            let end = run.points.last().map_or(0, |(t, _)| *t);
            for (window, t, sums) in whole.chain([("tail", end, &run.tail)]) {
                let _ = writeln!(
                    out,
                    "{},{},{window},{t},{:.6},{:.6},{:.8},{:.3}",
                    one.policy,
                    run.seed,
                    sums.frac_lift(),
                    sums.over_generic(),
                    sums.earned / sums.impressions,
                    sums.regret(),
                );
            }
        }
    }
    out
}

/// A number of impressions as people write it.
pub fn short(impressions: u64) -> String {
    match impressions {
        n if n >= 1_000_000 && n.is_multiple_of(1_000_000) => format!("{}M", n / 1_000_000),
        n if n >= 1_000 && n.is_multiple_of(1_000) => format!("{}k", n / 1_000),
        n => n.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_students() {
        let mean = Mean::of(&[1.0, 2.0, 3.0]);
        // 4.303 standard errors of 1 / sqrt(3).
        assert!((mean.mean - 2.0).abs() < 1e-12 && (mean.half.unwrap() - 2.484).abs() < 1e-3);
        assert_eq!(Mean::of(&[5.0]).half, None);
        for (degrees, wanted) in [(11, 2.201), (19, 2.093), (30, 2.042), (100, 1.984)] {
            assert!((student(degrees) - wanted).abs() < 3e-3, "{degrees}: {}", student(degrees));
        }
    }

    #[test]
    fn tables_and_csv_hold_every_policy_and_mark() {
        let sums = |n: f64| Sums {
            impressions: n,
            earned: 0.03 * n,
            oracle: 0.04 * n,
            uniform: 0.02 * n,
            generic: 0.02 * n,
        };
        let run =
            |seed| Run { seed, points: vec![(10_000, sums(1e4)), (20_000, sums(2e4))], tail: sums(2e3) };
        let played = [Played { policy: "coin".into(), runs: vec![run(1), run(2)] }];
        let table = table(&played, 20_000);
        assert!(table.starts_with("| policy | 10k | 20k | tail |"), "{table}");
        assert!(
            table.contains("| coin | 0.500 ± 0.000 | 0.500 ± 0.000 | 0.500 ± 0.000 | 10.000 ± 0.000 | 1.500"),
            "{table}"
        );
        let csv = csv(&played);
        assert_eq!(csv.lines().count(), 1 + 2 * 3);
        assert!(csv.contains("coin,2,tail,20000,0.500000,1.500000,0.03000000,20.000\n"), "{csv}");
    }
}
