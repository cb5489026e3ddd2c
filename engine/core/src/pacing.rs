//! Pacing: how large a share of the decisions that could spend a budget may do so now.
//!
//! A continuous controller. It keeps a running estimate of demand (what would be spent per second if everybody could), and
//! lets in the share that brings spending to where the plan wants it a little later. There are no thresholds, so traffic
//! that rises and falls moves the share smoothly, and what was missed is caught up with over the horizon.
//!
//! Pure: time and spending come in, a share goes out. Cost: a few floating point operations per budget and step, off the
//! request path.

use tessera_wire::catalog::Pacing;

/// Everybody.
pub const ALL_PPM: u32 = 1_000_000;
/// Time over which demand is averaged, in seconds: long enough to see through the noise of small budgets.
const DEMAND_SECS: f64 = 30.0;
/// The controller looks this far ahead, as a share of the budget's time, within these bounds in seconds.
const HORIZON_SHARE: f64 = 0.01;
const HORIZON_SECS: (f64, f64) = (5.0, 600.0);
/// A share below this would make demand invisible.
const ENTRY_MIN: f64 = 1e-5;

/// How an amount is to be spent over a time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Plan {
    /// How it is spread.
    pub pacing: Pacing,
    /// The amount.
    pub amount: i64,
    /// First instant, unix milliseconds.
    pub start_ms: i64,
    /// First instant after the time, unix milliseconds.
    pub end_ms: i64,
}

impl Plan {
    /// What should have been spent by `at_ms`.
    pub fn target(&self, at_ms: i64) -> f64 {
        let passed = (at_ms.saturating_sub(self.start_ms)) as f64 / self.length_ms();
        let passed = passed.clamp(0.0, 1.0);
        let share = match self.pacing {
            Pacing::Asap => 1.0,
            Pacing::Even => passed,
            Pacing::FrontLoaded => passed * (1.5 - 0.5 * passed),
        };
        share * self.amount as f64
    }

    /// How far the controller looks ahead.
    pub fn horizon_secs(&self) -> f64 {
        (self.length_ms() / 1_000.0 * HORIZON_SHARE).clamp(HORIZON_SECS.0, HORIZON_SECS.1)
    }

    fn length_ms(&self) -> f64 {
        self.end_ms.saturating_sub(self.start_ms).max(1) as f64
    }

    /// What should be spent per second from `now_ms` on, after `spent`.
    pub fn rate(&self, now_ms: i64, spent: i64) -> f64 {
        let left_secs = (self.end_ms.saturating_sub(now_ms)).max(0) as f64 / 1_000.0;
        let horizon = self.horizon_secs().min(left_secs.max(0.1));
        let until_ms = now_ms.saturating_add((horizon * 1_000.0) as i64);
        ((self.target(until_ms) - spent as f64) / horizon).max(0.0)
    }
}

/// The controller of one budget.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pacer {
    demand_per_sec: f64,
    /// Share of what was seen that the estimate rests on: the first moments must not weigh more than later ones.
    weight: f64,
    entry: f64,
}

impl Default for Pacer {
    fn default() -> Self {
        Pacer { demand_per_sec: 0.0, weight: 0.0, entry: 1.0 }
    }
}

impl Pacer {
    /// The share of decisions, in parts per million, that may spend from now on.
    ///
    /// `spent` is what the plan's amount has lost so far, `just_spent` what of that went in the last `elapsed_secs`.
    pub fn step(&mut self, plan: &Plan, now_ms: i64, spent: i64, just_spent: i64, elapsed_secs: f64) -> u32 {
        if plan.pacing == Pacing::Asap {
            self.entry = 1.0;
            return ALL_PPM;
        }
        // While nobody was let in there was nothing to see.
        if elapsed_secs > 0.0 && self.entry > 0.0 {
            let demand = just_spent.max(0) as f64 / elapsed_secs / self.entry;
            let keeps = (-elapsed_secs / DEMAND_SECS).exp();
            self.demand_per_sec = self.demand_per_sec * keeps + demand * (1.0 - keeps);
            self.weight = self.weight * keeps + (1.0 - keeps);
        }
        let demand = self.demand_per_sec / self.weight.max(f64::MIN_POSITIVE);
        let rate = plan.rate(now_ms, spent);
        self.entry = if rate <= 0.0 {
            0.0
        } else if demand <= 0.0 {
            1.0
        } else {
            (rate / demand).clamp(ENTRY_MIN, 1.0)
        };
        (self.entry * f64::from(ALL_PPM)).round() as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::{below, draw};

    const DAY_SECS: i64 = 86_400;

    /// Ads that could be shown in one second of a day with a deep night and a high evening.
    fn traffic(second: i64, mean: f64) -> f64 {
        let turn = (second as f64 / DAY_SECS as f64 - 0.8) * std::f64::consts::TAU;
        mean * (1.0 + 0.9 * turn.cos())
    }

    /// Runs a day; returns what was spent, and the largest distance from the plan as a share of the amount.
    fn day(pacing: Pacing, amount: i64, mean: f64, seed: u64) -> (i64, f64) {
        let plan = Plan { pacing, amount, start_ms: 0, end_ms: DAY_SECS * 1_000 };
        let (mut pacer, mut spent, mut furthest) = (Pacer::default(), 0i64, 0f64);
        let mut just_spent = 0;
        let mut draws = 0;
        for second in 0..DAY_SECS {
            let entry = pacer.step(&plan, second * 1_000, spent, just_spent, 1.0);
            // The mean of a second as whole ads, the fraction by chance.
            let mean = traffic(second, mean);
            draws += 1;
            let extra = f64::from(below(draw(seed, draws), ALL_PPM)) < mean.fract() * 1e6;
            just_spent = 0;
            for _ in 0..mean as i64 + i64::from(extra) {
                draws += 1;
                just_spent +=
                    i64::from(spent + just_spent < amount && below(draw(seed, draws), ALL_PPM) < entry);
            }
            spent += just_spent;
            furthest = furthest.max((spent as f64 - plan.target((second + 1) * 1_000)).abs() / amount as f64);
        }
        (spent, furthest)
    }

    #[test]
    fn a_paced_day_ends_within_a_hundredth_of_its_budget_whatever_the_traffic_does() {
        for (pacing, amount, mean) in
            [(Pacing::Even, 40_000, 8.0), (Pacing::Even, 4_000, 40.0), (Pacing::FrontLoaded, 50_000, 15.0)]
        {
            for seed in 0..3 {
                let (spent, furthest) = day(pacing, amount, mean, seed);
                let error = (amount - spent) as f64 / amount as f64;
                assert!((0.0..0.01).contains(&error), "{pacing:?} {amount} {mean}: {error}");
                assert!(furthest < 0.03, "{pacing:?} {amount} {mean}: {furthest} away from the plan");
            }
        }
    }

    #[test]
    fn what_is_not_paced_is_spent_as_fast_as_visitors_come() {
        let (spent, furthest) = day(Pacing::Asap, 5_000, 8.0, 1);
        assert!(spent == 5_000 && furthest > 0.5, "{spent}, {furthest}");
    }

    #[test]
    fn too_little_traffic_lets_everybody_in() {
        let plan = Plan { pacing: Pacing::Even, amount: 1_000_000, start_ms: 0, end_ms: 86_400_000 };
        let mut pacer = Pacer::default();
        let mut entry = 0;
        for second in 1..1_000 {
            entry = pacer.step(&plan, second * 1_000, second, 1, 1.0);
        }
        assert_eq!(entry, ALL_PPM);
    }

    #[test]
    fn strange_clocks_and_amounts_give_a_share() {
        for (now_ms, spent, just_spent, elapsed) in [
            (i64::MIN, 0, 0, 0.0),
            (i64::MAX, i64::MAX, i64::MIN, 1e9),
            (5, -3, i64::MAX, 1e-9),
            (0, i64::MIN, 0, -1.0),
        ] {
            for pacing in [Pacing::Asap, Pacing::Even, Pacing::FrontLoaded] {
                let plan = Plan { pacing, amount: i64::MAX, start_ms: i64::MIN, end_ms: i64::MAX };
                let mut pacer = Pacer::default();
                for _ in 0..3 {
                    assert!(pacer.step(&plan, now_ms, spent, just_spent, elapsed) <= ALL_PPM);
                }
            }
        }
    }
}
