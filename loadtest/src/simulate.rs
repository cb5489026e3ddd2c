//! The ground-truth simulator: a policy plays the reference environment, batch by batch, and is judged by the truth.
//!
//! A batch of [`BATCH`] impressions is decided with one frozen state, then its clicks are handed over: the delay between
//! a click and the next posterior table. [`Troubles`] make the world less orderly than the learning references' one.
//!
//! Guarantees: a run is a function of (preset, seed, impressions, troubles, policy); visitors and the luck of clicks are
//! the same for all policies. Metrics use true probabilities, not clicks, and count people, not bots.
//!
//! Cost: about 0.1 µs per impression besides the policy; a turn of the whole table per batch under drift.
//!
//! Not here: intervals over seeds ([`summary`]), drawing ([`crate::plot`]).

mod queue;
pub mod summary;

use crate::environment::{Environment, FIELDS, Preset};
use crate::policies::{Policy, Shown};
use crate::random::{mix64, uniform};
use queue::Queue;

/// Impressions that are decided with one state.
pub const BATCH: u64 = 1_000;
/// The longest run: a day of 1,200 impressions per second.
pub const IMPRESSIONS_MAX: u64 = 100_000_000;
/// Where the learning references look.
const MARKS: [u64; 9] =
    [10_000, 30_000, 100_000, 300_000, 1_000_000, 3_000_000, 10_000_000, 30_000_000, 100_000_000];
/// Share of the run that the tail is.
const TAIL: u64 = 10;
/// Points per decade of a run's curve.
const CURVE_POINTS: f64 = 12.0;
/// Run seeds are environment seeds plus this (learning references).
const RUN_SEED: u64 = 1_000;
/// Seed of the world that tastes drift to, and of the troubles' own stream.
const OTHER_WORLD: u64 = 0x5EED_0F0E;
const TROUBLE: u64 = 0x7120_B1E5;
/// A bot clicks this often, whatever it sees.
const BOT_CLICKS: f64 = 0.10;

/// What is less orderly than in the references. The default is none of it.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Troubles {
    /// Mean delay of a click in impressions, exponentially distributed; 0 is none.
    pub delay: f64,
    /// Share of clicks that never arrive.
    pub lost: f64,
    /// Share of clicks that arrive twice.
    pub duplicated: f64,
    /// Share of impressions that go to bots nobody has recognised; they click one time in ten.
    pub bots: f64,
    /// Impressions of a day: dayparts come one after the other instead of at random.
    pub day: Option<u64>,
    /// Impressions in which tastes become those of another world: a quarter turn.
    pub drift: Option<u64>,
}

/// A trouble makes no sense.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum TroubleError {
    /// Not a share.
    #[error("the share of {what} is {found}; it must be from 0 to 1")]
    Share {
        /// Which one.
        what: &'static str,
        /// What it is.
        found: f64,
    },
    /// Not a number of impressions.
    #[error("{what} takes a number of impressions from {least} to {IMPRESSIONS_MAX}")]
    Impressions {
        /// Which one.
        what: &'static str,
        /// The smallest.
        least: u64,
    },
}

impl Troubles {
    /// Checks that shares are shares and spans are spans.
    ///
    /// # Errors
    /// [`TroubleError`] names the first that is not.
    pub fn check(&self) -> Result<(), TroubleError> {
        let shares =
            [("lost clicks", self.lost), ("duplicated clicks", self.duplicated), ("bots", self.bots)];
        for (what, found) in shares {
            if !(0.0..=1.0).contains(&found) {
                return Err(TroubleError::Share { what, found });
            }
        }
        if !(0.0..=IMPRESSIONS_MAX as f64).contains(&self.delay) {
            return Err(TroubleError::Impressions { what: "the delay", least: 0 });
        }
        for (what, span, least) in [("a day", self.day, 4), ("drift", self.drift, BATCH)] {
            if span.is_some_and(|span| !(least..=IMPRESSIONS_MAX).contains(&span)) {
                return Err(TroubleError::Impressions { what, least });
            }
        }
        Ok(())
    }
}

/// The seed of the run that belongs to an environment's seed.
pub fn run_seed(seed: u64) -> u64 {
    RUN_SEED.wrapping_add(seed)
}

/// Sums of true click probabilities.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Sums {
    /// Impressions of people.
    pub impressions: f64,
    /// Of what was shown.
    pub earned: f64,
    /// Of the best combination in each context.
    pub oracle: f64,
    /// Of uniform choice, on average over contexts.
    pub uniform: f64,
    /// Of the generic combination, on average over contexts.
    pub generic: f64,
}

impl Sums {
    /// Share of the oracle's lift over uniform choice.
    pub fn frac_lift(&self) -> f64 {
        (self.earned - self.uniform) / (self.oracle - self.uniform)
    }

    /// Click rate as a multiple of the generic combination's.
    pub fn over_generic(&self) -> f64 {
        self.earned / self.generic
    }

    /// Clicks lost to not knowing.
    pub fn regret(&self) -> f64 {
        self.oracle - self.earned
    }

    fn since(&self, start: &Sums) -> Sums {
        Sums {
            impressions: self.impressions - start.impressions,
            earned: self.earned - start.earned,
            oracle: self.oracle - start.oracle,
            uniform: self.uniform - start.uniform,
            generic: self.generic - start.generic,
        }
    }
}

/// What became of one policy in one run.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// Seed of the environment.
    pub seed: u64,
    /// Sums up to growing numbers of impressions, the last one being the whole run.
    pub points: Vec<(u64, Sums)>,
    /// The last tenth.
    pub tail: Sums,
}

/// The marks of a run of this length, its end included.
pub fn marks(impressions: u64) -> Vec<u64> {
    let mut marks: Vec<u64> = MARKS.into_iter().filter(|mark| *mark < impressions).collect();
    marks.push(impressions);
    marks
}

/// A world to play in: environments are expensive, so all policies of a seed share one.
#[derive(Debug)]
pub struct World {
    seed: u64,
    start: Environment,
    other: Option<Environment>,
    troubles: Troubles,
}

impl World {
    /// The world of a seed.
    ///
    /// # Errors
    /// [`TroubleError`] when the troubles make no sense.
    pub fn new(preset: &Preset, seed: u64, troubles: Troubles) -> Result<World, TroubleError> {
        troubles.check()?;
        let other = troubles.drift.map(|_| Environment::new(preset, mix64(seed ^ OTHER_WORLD)));
        Ok(World { seed, start: Environment::new(preset, seed), other, troubles })
    }

    /// The environment at the start.
    pub fn environment(&self) -> &Environment {
        &self.start
    }

    /// Seed of the environment.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The environment that a batch lives in, if it is not the one of the start.
    fn present(&self, t: u64) -> Option<Environment> {
        let (other, span) = (self.other.as_ref()?, self.troubles.drift?);
        let angle = std::f64::consts::FRAC_PI_2 * (t as f64 / span as f64);
        Some(self.start.turned(other, angle))
    }

    fn context(&self, run_seed: u64, t: u64) -> usize {
        match self.troubles.day {
            None => self.start.context(run_seed, t),
            Some(day) => self.start.context_at_phase(run_seed, t, (t % day) as f64 / day as f64),
        }
    }

    /// Plays a policy through the first `impressions` impressions.
    pub fn play(&self, policy: &mut dyn Policy, impressions: u64) -> Run {
        let mut game = Game::new(self);
        let (mut points, mut next) = (Vec::new(), 0);
        let marks = curve(impressions);
        let tail_start = impressions - impressions / TAIL;
        let mut before_tail = Sums::default();
        let mut t = 0;
        while t < impressions {
            let stop = marks.get(next).copied().unwrap_or(impressions);
            let end = (t + BATCH).min(stop.max(t + 1));
            let end = if t < tail_start { end.min(tail_start) } else { end };
            game.batch(policy, t, end);
            t = end;
            if t == stop {
                points.push((t, game.sums));
                next += 1;
            }
            if t == tail_start {
                before_tail = game.sums;
            }
        }
        Run { seed: self.seed, points, tail: game.sums.since(&before_tail) }
    }
}

/// Whole batches at which the curve has a point: the marks and others between, evenly on a logarithmic scale.
fn curve(impressions: u64) -> Vec<u64> {
    let last = ((impressions as f64).log10() * CURVE_POINTS) as i32;
    let between = (0..=last).map(|i| 10f64.powf(f64::from(i) / CURVE_POINTS) as u64 / BATCH * BATCH);
    let mut curve: Vec<u64> = between.filter(|t| *t >= BATCH && *t < impressions).collect();
    curve.extend(marks(impressions));
    curve.sort_unstable();
    curve.dedup();
    curve
}

struct Game<'w> {
    world: &'w World,
    run_seed: u64,
    generic: usize,
    sums: Sums,
    present: Option<Environment>,
    /// Uniform and generic rate of the present.
    rates: (f64, f64),
    oracle: Vec<f64>,
    queue: Queue,
    shown: Vec<Shown>,
    clicks: Vec<Shown>,
}

impl<'w> Game<'w> {
    fn new(world: &'w World) -> Game<'w> {
        let baselines = world.start.baselines();
        Game {
            world,
            run_seed: run_seed(world.seed),
            generic: baselines.generic.0,
            sums: Sums::default(),
            present: None,
            rates: (baselines.uniform, baselines.generic.1),
            oracle: oracle(&world.start),
            queue: Queue::default(),
            shown: Vec::new(),
            clicks: Vec::new(),
        }
    }

    fn batch(&mut self, policy: &mut dyn Policy, start: u64, end: u64) {
        if let Some(present) = self.world.present(start) {
            self.rates = (present.baselines().uniform, present.static_rate(self.generic));
            self.oracle = oracle(&present);
            self.present = Some(present);
        }
        self.shown.clear();
        for t in start..end {
            self.impression(policy, t);
        }
        self.clicks.clear();
        self.queue.take(end, &mut self.clicks);
        policy.learn(&self.shown, &self.clicks);
    }

    fn impression(&mut self, policy: &mut dyn Policy, t: u64) {
        let troubles = &self.world.troubles;
        let luck = |k: u64| uniform(self.run_seed ^ TROUBLE, t, k);
        let context = self.world.context(self.run_seed, t);
        let combination = policy.choose(context, t).combination;
        let shown = Shown { step: t, context, combination };
        self.shown.push(shown);
        let environment = self.present.as_ref().unwrap_or(&self.world.start);
        let mut probability = environment.probability(context, combination);
        if luck(0) < troubles.bots {
            probability = BOT_CLICKS;
        } else {
            self.sums.impressions += 1.0;
            self.sums.earned += probability;
            self.sums.oracle += self.oracle[context];
            self.sums.uniform += self.rates.0;
            self.sums.generic += self.rates.1;
        }
        if !environment.is_click(self.run_seed, t, probability) || luck(1) < troubles.lost {
            return;
        }
        let due = |u: f64| t + (-troubles.delay * (1.0 - u).ln()) as u64;
        self.queue.add(due(luck(2)), shown);
        if luck(3) < troubles.duplicated {
            self.queue.add(due(luck(4)), shown);
        }
    }
}

fn oracle(environment: &Environment) -> Vec<f64> {
    (0..FIELDS.iter().product()).map(|context| environment.oracle(context)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policies;

    fn small() -> Preset {
        Preset { slots: vec![2, 3, 2], ..Preset::core() }
    }

    fn play(name: &str, troubles: Troubles, impressions: u64) -> Run {
        let world = World::new(&small(), 4, troubles).unwrap();
        let mut policy = policies::named(name, world.environment(), run_seed(4)).unwrap();
        world.play(policy.as_mut(), impressions)
    }

    #[test]
    fn the_oracle_reaches_all_of_its_lift_and_uniform_choice_none() {
        let oracle = play("oracle", Troubles::default(), 20_000);
        assert!((oracle.tail.frac_lift() - 1.0).abs() < 1e-9);
        assert!(oracle.tail.regret().abs() < 1e-9);
        let uniform = play("uniform", Troubles::default(), 20_000);
        assert!(uniform.points.last().unwrap().1.frac_lift().abs() < 0.05);
    }

    #[test]
    fn a_run_repeats_and_its_start_does_not_depend_on_its_length() {
        let (long, again) =
            (play("probit", Troubles::default(), 12_000), play("probit", Troubles::default(), 12_000));
        assert_eq!(long, again);
        let short = play("probit", Troubles::default(), 5_000);
        let at = |run: &Run| run.points.iter().find(|(t, _)| *t == 4_000).map(|(_, sums)| *sums);
        assert!(at(&short).is_some());
        assert_eq!(at(&long), at(&short));
    }

    #[test]
    fn points_end_with_the_run_and_the_tail_is_its_last_tenth() {
        for impressions in [1, 999, 1_000, 12_345] {
            let run = play("uniform", Troubles::default(), impressions);
            let (last, sums) = *run.points.last().unwrap();
            assert_eq!((last, sums.impressions), (impressions, impressions as f64));
            assert_eq!(run.tail.impressions, (impressions / TAIL) as f64);
            assert!(run.points.windows(2).all(|pair| pair[0].0 < pair[1].0));
        }
    }

    #[test]
    fn tastes_that_turn_make_yesterdays_best_choice_worse() {
        let drift = Troubles { drift: Some(20_000), ..Troubles::default() };
        let still = play("oracle", Troubles::default(), 20_000).tail.frac_lift();
        let turned = play("oracle", drift, 20_000).tail.frac_lift();
        assert!(turned < still - 0.2, "{turned:.3} after the turn, {still:.3} without");
    }

    #[test]
    fn dayparts_follow_the_clock() {
        let world = World::new(&small(), 4, Troubles { day: Some(1_000), ..Troubles::default() }).unwrap();
        let daypart = |t: u64| crate::environment::context_values(world.context(9, t))[2];
        let parts = [0, 100, 150, 449, 450, 749, 750, 999, 1_000].map(daypart);
        assert_eq!(parts, [0, 0, 1, 1, 2, 2, 3, 3, 0]);
    }

    /// Counts what it is told.
    #[derive(Default)]
    struct Ears {
        shown: u64,
        clicks: Vec<u64>,
        latest: u64,
    }

    impl Policy for Ears {
        fn choose(&mut self, _context: usize, _step: u64) -> policies::Choice {
            policies::Choice { combination: 0, propensity: None }
        }

        fn learn(&mut self, shown: &[Shown], clicks: &[Shown]) {
            self.shown += shown.len() as u64;
            self.latest = shown.last().map_or(self.latest, |one| one.step);
            assert!(
                clicks.iter().all(|click| click.step <= self.latest),
                "a click came before its impression"
            );
            self.clicks.extend(clicks.iter().map(|click| click.step));
        }
    }

    fn heard(troubles: Troubles) -> Ears {
        let mut ears = Ears::default();
        World::new(&small(), 4, troubles).unwrap().play(&mut ears, 50_000);
        assert_eq!(ears.shown, 50_000);
        ears
    }

    #[test]
    fn clicks_are_delayed_lost_and_duplicated_as_asked() {
        let all = heard(Troubles::default()).clicks;
        let lost = heard(Troubles { lost: 0.3, ..Troubles::default() }).clicks;
        let share = lost.len() as f64 / all.len() as f64;
        assert!((0.62..0.78).contains(&share), "{share}");
        let mut twice = heard(Troubles { duplicated: 1.0, ..Troubles::default() }).clicks;
        assert_eq!(twice.len(), 2 * all.len());
        twice.dedup();
        assert_eq!(twice, all);
        let late = heard(Troubles { delay: 10_000.0, ..Troubles::default() }).clicks;
        // The mean of those that arrive in time: a fifth is still on its way at the end.
        let share = late.len() as f64 / all.len() as f64;
        assert!((0.70..0.90).contains(&share), "{share}");
    }

    #[test]
    fn bots_click_and_are_not_people() {
        let world = World::new(&small(), 4, Troubles { bots: 0.5, ..Troubles::default() }).unwrap();
        let mut ears = Ears::default();
        let run = world.play(&mut ears, 20_000);
        let people = run.points.last().unwrap().1.impressions;
        assert!((9_500.0..10_500.0).contains(&people), "{people}");
        assert!(ears.clicks.len() > 900);
    }

    #[test]
    fn troubles_that_make_no_sense_are_refused() {
        for troubles in [
            Troubles { lost: 1.5, ..Troubles::default() },
            Troubles { bots: f64::NAN, ..Troubles::default() },
            Troubles { delay: -1.0, ..Troubles::default() },
            Troubles { day: Some(0), ..Troubles::default() },
            Troubles { drift: Some(u64::MAX), ..Troubles::default() },
        ] {
            assert!(troubles.check().is_err(), "{troubles:?}");
        }
    }
}
