//! Experiments: which buckets of a layer each takes, and how its variants share them out.

use tessera_wire::catalog::{CreativeId, Experiment, TemplateId, Text, Variant, VariantShows};
use tessera_wire::limits::VARIANTS_PER_EXPERIMENT_MAX;
use tessera_wire::program::Span;

use super::Builder;
use crate::source::problem::{CatalogCode, Problem};
use crate::source::schema::{RawCampaign, RawExperiment, RawVariant};
use crate::source::value;

/// Buckets of a layer and of a split.
const BUCKETS: u32 = 1_000_000;
/// Shares are written in whole numbers; with larger ones a sum might not fit.
const WEIGHT_MAX: u32 = 1_000_000;

/// What an experiment takes of its layer.
#[derive(Clone)]
pub(super) struct Taken {
    layer: String,
    buckets: std::ops::Range<u32>,
    times: std::ops::Range<i64>,
}

impl Builder<'_> {
    /// Where each experiment stands in its layer, in the order of the catalog: one that does not say follows the last
    /// one so far.
    pub(super) fn lay_out_experiments(&mut self) -> Vec<Taken> {
        let raw = self.raw;
        let mut taken: Vec<Taken> = Vec::new();
        for experiment in &raw.experiment {
            self.find("campaign", &experiment.campaign, &self.names.campaigns);
            let new = self.take(experiment, &taken);
            taken.push(new);
        }
        taken
    }

    fn take(&mut self, raw: &RawExperiment, taken: &[Taken]) -> Taken {
        let layer = layer_of(raw);
        let of_layer = || taken.iter().filter(|other| other.layer == layer);
        let coverage =
            raw.coverage.as_ref().map_or(BUCKETS, |share| self.read(share, value::parts_per_million));
        let first = match &raw.from {
            Some(from) => self.read(from, value::parts_per_million),
            None => of_layer().map(|other| other.buckets.end).max().unwrap_or(0),
        };
        let start = raw.start.as_ref().map_or(i64::MIN, |start| self.read(start, value::instant));
        let end = raw.end.as_ref().map_or(i64::MAX, |end| self.read(end, value::instant));
        let mut problem = |message: String, help: &str| {
            let problem = Problem::catalog(CatalogCode::Inconsistent, raw.id.span(), message);
            self.problem(problem.help(help));
        };
        let id = raw.id.get_ref();
        if start >= end {
            problem(format!("experiment `{id}` ends before it starts"), "give it an `end` after its `start`");
        }
        let new = Taken { layer, buckets: first..first.saturating_add(coverage), times: start..end };
        if new.buckets.end > BUCKETS {
            let message = format!("experiment `{id}` does not fit into layer `{}`", new.layer);
            problem(message, "the experiments of a layer cover at most 100% together; lower a `coverage`");
        }
        if taken.iter().any(|other| other.layer == new.layer && new.collides(other)) {
            let message = format!("experiment `{id}` takes visitors of another one in layer `{}`", new.layer);
            problem(message, "change its `from`, or let it start when the other one has ended");
        }
        new
    }

    /// The experiments of a campaign, in the order of the catalog.
    pub(super) fn add_experiments(&mut self, campaign: &RawCampaign) -> Span {
        let raw = self.raw;
        let first = self.catalog.experiments.len() as u32;
        let mut layer: Option<String> = None;
        for (number, experiment) in raw.experiment.iter().enumerate() {
            if experiment.campaign.get_ref() != campaign.id.get_ref() {
                continue;
            }
            let Some(taken) = self.taken.get(number).cloned() else { continue };
            if *layer.get_or_insert_with(|| taken.layer.clone()) != taken.layer {
                let message =
                    format!("the experiments of campaign `{}` must share a layer", campaign.id.get_ref());
                let problem = Problem::catalog(CatalogCode::Inconsistent, experiment.id.span(), message);
                self.problem(
                    problem.help("give them the same `layer`, so that no visitor takes part in two"),
                );
            }
            self.add_experiment(experiment, taken);
        }
        Span { first, len: self.catalog.experiments.len() as u32 - first }
    }

    fn add_experiment(&mut self, raw: &RawExperiment, taken: Taken) {
        let id = raw.id.get_ref();
        let variants = self.add_variants(raw);
        let experiment = Experiment {
            id: self.text(id),
            layer_salt: self.text(&taken.layer),
            first_bucket: taken.buckets.start,
            end_bucket: taken.buckets.end,
            split_salt: self.text(&format!("split:{id}")),
            start_ms: taken.times.start,
            end_ms: taken.times.end,
            variants,
        };
        self.catalog.experiments.push(experiment);
    }

    fn add_variants(&mut self, raw: &RawExperiment) -> Span {
        let id = raw.id.get_ref();
        let total: u64 = raw.variant.iter().map(|variant| u64::from(variant.weight)).sum();
        let mut problem = |code, message: String, help: &str| {
            self.problem(Problem::catalog(code, raw.id.span(), message).help(help));
        };
        if raw.variant.len() < 2 || total == 0 {
            let help =
                "add `[[experiment.variant]]`s; one without `creative` and `template` shows what rules say";
            problem(CatalogCode::Inconsistent, format!("experiment `{id}` compares nothing"), help);
        }
        if raw.variant.len() > VARIANTS_PER_EXPERIMENT_MAX {
            let message = format!("experiment `{id}` has more than {VARIANTS_PER_EXPERIMENT_MAX} variants");
            problem(CatalogCode::TooMany, message, "with more, each would see too few visitors");
        }
        let first = self.catalog.variants.len() as u32;
        let mut weight = 0u64;
        for (number, variant) in raw.variant.iter().enumerate() {
            weight += u64::from(variant.weight);
            if variant.weight > WEIGHT_MAX {
                let message = format!("a weight is at most {WEIGHT_MAX}");
                self.problem(Problem::catalog(CatalogCode::BadValue, variant.id.span(), message));
            }
            let is_twice =
                raw.variant[..number].iter().any(|other| other.id.get_ref() == variant.id.get_ref());
            if is_twice {
                let message = format!("variant `{}` is defined twice", variant.id.get_ref());
                self.problem(Problem::catalog(CatalogCode::DuplicateId, variant.id.span(), message));
            }
            let shows = self.shows(raw, variant);
            let end_bucket = (weight * u64::from(BUCKETS)).checked_div(total).unwrap_or(0) as u32;
            let id: Text = self.text(variant.id.get_ref());
            self.catalog.variants.push(Variant { id, end_bucket, shows });
        }
        Span { first, len: self.catalog.variants.len() as u32 - first }
    }

    fn shows(&mut self, experiment: &RawExperiment, raw: &RawVariant) -> VariantShows {
        let template_of = |creative: u32| self.raw.creative.get(creative as usize).map(|one| &one.template);
        let (shows, template) = match (&raw.creative, &raw.template) {
            (None, None) => return VariantShows::AsDecided,
            (Some(creative), None) => {
                let Some(creative) = self.find("creative", creative, &self.names.creatives) else {
                    return VariantShows::AsDecided;
                };
                let template = template_of(creative).map(|name| name.get_ref().as_str());
                (VariantShows::Creative(CreativeId(creative)), template.unwrap_or(""))
            }
            (None, Some(template)) => {
                let Some(number) = self.find("template", template, &self.names.templates) else {
                    return VariantShows::AsDecided;
                };
                (VariantShows::Template(TemplateId(number)), template.get_ref().as_str())
            }
            (Some(creative), Some(_)) => {
                let message = format!("variant `{}` shows a creative and a template", raw.id.get_ref());
                self.problem(Problem::catalog(CatalogCode::Inconsistent, creative.span(), message));
                return VariantShows::AsDecided;
            }
        };
        let owner =
            self.names.templates.get(template).and_then(|number| self.raw.template.get(*number as usize));
        if owner.is_some_and(|owner| owner.campaign.get_ref() != experiment.campaign.get_ref()) {
            let message = format!("variant `{}` shows something of another campaign", raw.id.get_ref());
            let problem = Problem::catalog(CatalogCode::Inconsistent, raw.id.span(), message);
            self.problem(
                problem.help("a variant shows creatives and templates of the experiment's campaign"),
            );
        }
        shows
    }
}

impl Taken {
    fn collides(&self, other: &Taken) -> bool {
        let is_beside = self.buckets.end <= other.buckets.start || other.buckets.end <= self.buckets.start;
        let is_apart = self.times.end <= other.times.start || other.times.end <= self.times.start;
        !is_beside && !is_apart
    }
}

/// The salt that decides who takes part.
fn layer_of(raw: &RawExperiment) -> String {
    match &raw.layer {
        Some(layer) => format!("layer:{layer}"),
        None => format!("experiment:{}", raw.id.get_ref()),
    }
}
