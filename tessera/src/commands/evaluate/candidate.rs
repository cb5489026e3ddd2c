//! How probable each combination is under a bundle and a posterior table, and what a model says it earns.
//!
//! Guarantees: probabilities are those that the engine would log: the share of draws that agree, mixed with the template's
//! exploration; they sum to 1. Contexts are worked out once each. Cost: one search and one pass over the combinations per
//! context.

use std::collections::HashMap;
use std::sync::Arc;

use tessera_engine_core::bundle::LoadedBundle;
use tessera_engine_core::model::{Best, Context, Pins, ScoreBuffer, score_by_definition};
use tessera_engine_core::snapshot::Snapshot;
use tessera_wire::catalog::TemplateId;
use tessera_wire::limits::POSTERIOR_DRAWS_MAX;
use tessera_wire::posterior::{Layout, PosteriorTable};

/// The policy that is evaluated.
pub(super) struct Candidate(Snapshot);

impl Candidate {
    pub(super) fn new(bundle: LoadedBundle, table: &PosteriorTable) -> Candidate {
        Candidate(Snapshot::new(Arc::new(bundle), table))
    }

    /// Are some combinations of the template never shown?
    pub(super) fn keeps_assets_apart(&self, template: usize) -> bool {
        self.0.bundle().catalog().templates.get(template).is_some_and(|spec| spec.exclusions.len > 0)
    }

    /// Its choices for one template, with models that predict the halves of a log.
    pub(super) fn of_template(&self, template: usize, halves: [Option<Predictor>; 2]) -> Choices<'_> {
        Choices {
            snapshot: &self.0,
            template: TemplateId(template as u32),
            halves,
            buffer: ScoreBuffer::default(),
            known: HashMap::new(),
        }
    }
}

/// A fitted click model.
#[derive(Debug)]
pub(super) struct Predictor {
    layout: Layout,
    weights: Vec<f32>,
}

impl Predictor {
    pub(super) fn new(layout: Layout, weights: Vec<f32>) -> Predictor {
        Predictor { layout, weights }
    }

    fn predict(&self, context: &Context, combination: u32) -> f64 {
        let Predictor { layout, weights } = self;
        let values = layout.fields.iter().zip(context).enumerate();
        let shared: f32 = values
            .map(|(field, (size, value))| {
                let value = if usize::from(*value) < *size { usize::from(*value) } else { 0 };
                weights[layout.context(layout.field_start[field] + value)]
            })
            .sum();
        let logit = weights[0] + shared + score_by_definition(layout, weights, context, combination);
        1.0 / (1.0 + (-f64::from(logit)).exp())
    }
}

/// Choices for one template.
pub(super) struct Choices<'s> {
    snapshot: &'s Snapshot,
    template: TemplateId,
    halves: [Option<Predictor>; 2],
    buffer: ScoreBuffer,
    known: HashMap<Context, Choice>,
}

/// What would be chosen in one context.
pub(super) struct Choice {
    probabilities: Vec<f64>,
    /// By half: predictions of each combination, empty without a model, and their mean under the policy.
    predictions: [(Vec<f64>, f64); 2],
}

impl Choice {
    pub(super) fn probability(&self, combination: u32) -> f64 {
        self.probabilities.get(combination as usize).copied().unwrap_or(0.0)
    }

    /// What a combination earns, and what the policy earns; both 0 without a model.
    pub(super) fn predicted(&self, half: usize, combination: u32) -> (f64, f64) {
        let (each, mean) = &self.predictions[half];
        each.get(combination as usize).map_or((0.0, 0.0), |one| (*one, *mean))
    }
}

impl Choices<'_> {
    pub(super) fn at(&mut self, context: Context) -> &Choice {
        let Choices { snapshot, template, halves, buffer, known } = self;
        known.entry(context).or_insert_with(|| {
            let probabilities = probabilities(snapshot, *template, &context, buffer);
            let predictions = halves.each_ref().map(|model| {
                let model = model.as_ref();
                let all = 0..probabilities.len() as u32;
                let each: Vec<f64> =
                    model.map(|model| all.map(|k| model.predict(&context, k)).collect()).unwrap_or_default();
                let mean = each.iter().zip(&probabilities).map(|(one, p)| one * p).sum();
                (each, mean)
            });
            Choice { probabilities, predictions }
        })
    }
}

fn probabilities(
    snapshot: &Snapshot,
    template: TemplateId,
    context: &Context,
    buffer: &mut ScoreBuffer,
) -> Vec<f64> {
    let combinations = snapshot.bundle().layout(template).combinations();
    let uniform = 1.0 / combinations as f64;
    let Some(model) = snapshot.model(template) else { return vec![uniform; combinations] };
    let templates = &snapshot.bundle().catalog().templates;
    let exploration =
        templates.get(template.index()).map_or(0.0, |spec| f64::from(spec.exploration_ppm) / 1e6);
    let mut best: Best = [0; POSTERIOR_DRAWS_MAX];
    model.best(context, &Pins::default(), buffer, &mut best);
    let mut probabilities = vec![exploration * uniform; combinations];
    for combination in &best[..model.draws()] {
        probabilities[usize::from(*combination)] += (1.0 - exploration) / model.draws() as f64;
    }
    probabilities
}
