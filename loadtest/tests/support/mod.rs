//! Offline evaluation: the analytics learner plays the reference environment, batch by batch.
//!
//! As in the learning references: a batch of 1,000 impressions is decided with one frozen pool of draws, then its clicks
//! are applied; the pool is drawn anew whenever the learner says a refit is due.

#![allow(clippy::unwrap_used, dead_code, missing_docs, unreachable_pub, reason = "test support")]

use std::collections::HashMap;

use tessera_analytics::learner::TemplateLearner;
use tessera_analytics::learner::cells::Trial;
use tessera_analytics::names::{Names, TemplateShape};
use tessera_loadtest::environment::{Environment, FIELDS, context_values};
use tessera_loadtest::random::uniform;
use tessera_wire::event::TemplateNames;
use tessera_wire::posterior::{Layout, TemplateModel};

const BATCH: u64 = 1_000;
/// Number of the pool choice in the counter stream.
const DRAW_STREAM: u64 = 5;

/// Share of the oracle's lift over uniform choice, cumulative over the run.
pub struct Outcome {
    pub frac_lift: f64,
    pub over_generic: f64,
    pub refits: usize,
    pub refit_ms: f64,
}

pub fn shape(slots: &[usize], fields: &[usize]) -> TemplateShape {
    let texts = |prefix: String, count: usize| (0..count).map(|i| format!("{prefix}{i}")).collect();
    let slots = slots.iter().enumerate();
    let fields = fields.iter().enumerate();
    let names = TemplateNames {
        id: "reference".into(),
        campaign: 0,
        slots: slots.map(|(s, size)| (format!("s{s}"), texts(format!("a{s}-"), *size))).collect(),
        fields: fields.map(|(f, size)| (format!("f{f}"), texts(format!("v{f}-"), *size))).collect(),
    };
    TemplateShape::new(&names, &mut Names::default())
}

fn place(context: usize) -> Context {
    let mut place = [0; 8];
    for (field, value) in context_values(context).iter().enumerate() {
        place[field] = *value as u8;
    }
    place
}

/// Plays up to the last of the marks; the outcome at each.
pub fn play(environment: &Environment, run_seed: u64, marks: &[u64]) -> Vec<Outcome> {
    let mut learner = TemplateLearner::new(&shape(&environment.slots, &FIELDS)).unwrap();
    play_with(&mut learner, environment, run_seed, marks)
}

/// The same with a learner that may know something already.
pub fn play_with(
    learner: &mut TemplateLearner,
    environment: &Environment,
    run_seed: u64,
    marks: &[u64],
) -> Vec<Outcome> {
    if learner.is_due() {
        learner.refit(run_seed).unwrap();
    }
    let layout = learner.cells().layout().clone();
    let baselines = environment.baselines();
    let (mut earned, mut oracle, mut refits, mut refit_ms) = (0.0, 0.0, 0, 0.0);
    let mut outcomes = Vec::new();
    let mut t = 0;
    for mark in marks {
        while t < *mark {
            let mut chooser = learner.model().map(|model| Chooser::new(&layout, model));
            let mut batch = Vec::new();
            for step in t..t + BATCH {
                let context = environment.context(run_seed, step);
                let u = uniform(run_seed, step, DRAW_STREAM);
                let combination = match &mut chooser {
                    Some(chooser) => chooser.choose(place(context), u),
                    None => (u * environment.combinations as f64) as usize,
                };
                let probability = environment.probability(context, combination);
                earned += probability;
                oracle += environment.oracle(context);
                let clicks = f64::from(u8::from(environment.is_click(run_seed, step, probability)));
                batch.push((context, combination, clicks));
            }
            for (context, combination, clicks) in batch {
                learner.add((place(context), combination as u32), Trial { impressions: 1.0, clicks });
            }
            t += BATCH;
            if learner.is_due() {
                let start = std::time::Instant::now();
                learner.refit(run_seed ^ t).unwrap();
                refit_ms += start.elapsed().as_secs_f64() * 1e3;
                refits += 1;
            }
        }
        let n = t as f64;
        outcomes.push(Outcome {
            frac_lift: (earned / n - baselines.uniform) / (oracle / n - baselines.uniform),
            over_generic: earned / n / baselines.generic.1,
            refits,
            refit_ms: refit_ms / f64::from(refits.max(1) as u32),
        });
    }
    outcomes
}

/// A cell's context, as served events carry it.
pub type Context = [u8; 8];

/// Takes the best combination of one draw of the pool; remembers it per (context, draw).
pub struct Chooser<'a> {
    layout: &'a Layout,
    draws: Vec<&'a [f32]>,
    best: HashMap<(Context, usize), usize>,
}

impl<'a> Chooser<'a> {
    pub fn new(layout: &'a Layout, model: &'a TemplateModel) -> Chooser<'a> {
        Chooser { layout, draws: model.draws.chunks_exact(layout.len).collect(), best: HashMap::new() }
    }

    pub fn choose(&mut self, context: Context, u: f64) -> usize {
        let draw = ((u * self.draws.len() as f64) as usize).min(self.draws.len() - 1);
        let (layout, weights) = (self.layout, self.draws[draw]);
        *self.best.entry((context, draw)).or_insert_with(|| argmax(layout, weights, &context))
    }
}

fn argmax(layout: &Layout, weights: &[f32], context: &Context) -> usize {
    let mut scores = vec![0.0f32; layout.assets()];
    for (asset, score) in scores.iter_mut().enumerate() {
        *score = weights[layout.asset(asset)];
        for (start, value) in layout.field_start.iter().zip(context).take(layout.fields.len()) {
            *score += weights[layout.cross(start + usize::from(*value)) + asset];
        }
    }
    let slots = layout.slots.len();
    let mut choice = vec![0; slots];
    let mut best = (f32::NEG_INFINITY, 0);
    for combination in 0..layout.combinations() {
        layout.unpack(combination, &mut choice);
        let mut score: f32 = (0..slots).map(|s| scores[layout.slot_start[s] + choice[s]]).sum();
        for left in 0..slots {
            for right in left + 1..slots {
                score += weights[layout.pair(left, right, choice[left], choice[right])];
            }
        }
        if score > best.0 {
            best = (score, combination);
        }
    }
    best.1
}
