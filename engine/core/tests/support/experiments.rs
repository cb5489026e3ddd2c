//! Experiments of made-up worlds: what they mean, how they are written, and who sees what, read slowly off the documented
//! hash.

use std::fmt::Write;

use tessera_engine_core::hash::bucket;

use super::world::{Class, Creative, Template, World};
use super::{Dice, NOW_MS};

/// What a variant shows instead of what rules show.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Shows {
    AsDecided,
    Creative(usize),
    Template(usize),
}

#[derive(Debug, Clone)]
pub(crate) struct Experiment {
    pub(crate) campaign: usize,
    pub(crate) layer: Option<usize>,
    /// Percent of the layer, from the first to before the last.
    pub(crate) takes: (u32, u32),
    pub(crate) times: (i64, i64),
    /// Weights and what they show.
    pub(crate) variants: Vec<(u32, Shows)>,
}

/// What a tester wants to see.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Wishes {
    pub(crate) is_held_out: Option<bool>,
    pub(crate) variants: Vec<(usize, usize)>,
}

/// What a campaign is to a visitor.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Assigned {
    Ordinary,
    HeldOut,
    /// Experiment and variant.
    Exposed(usize, usize),
}

/// What is shown in place of a candidate: template, fixed creative, and what it was assigned to.
pub(crate) type StandIn = (usize, Option<usize>, Assigned);

/// Experiments for some campaigns. Those of a layer take what is left of it, one after the other.
pub(crate) fn experiments(
    dice: &mut Dice,
    campaigns: usize,
    templates: &[Template],
    creatives: &[Creative],
) -> Vec<Experiment> {
    let mut used = [0; 2];
    let mut all = Vec::new();
    for campaign in 0..campaigns {
        let count = dice.pick(&[0, 0, 1, 2]);
        for _ in 0..count {
            let layer = (count > 1 || dice.percent(50)).then_some(campaign % 2);
            let start = layer.map_or(dice.pick(&[0, 30]), |layer| used[layer]);
            let end = (start + dice.pick(&[0, 20, 50, 100])).min(100);
            if let Some(layer) = layer {
                used[layer] = end;
            }
            let shows = |dice: &mut Dice| match dice.below(3) {
                0 => Shows::AsDecided,
                1 => {
                    Shows::Creative(own(dice, creatives, |one| templates[one.template].campaign == campaign))
                }
                _ => Shows::Template(own(dice, templates, |one| one.campaign == campaign)),
            };
            let variants = (0..2 + dice.below(2)).map(|_| (dice.pick(&[1, 1, 0, 3]), shows(dice)));
            let mut variants: Vec<(u32, Shows)> = variants.collect();
            variants[0].0 = 1;
            let times = dice.pick(&[(-100, 100), (-100, 100), (0, 1), (-5, 0), (1, 5)]);
            let times = (NOW_MS + times.0, NOW_MS + times.1);
            all.push(Experiment { campaign, layer, takes: (start, end), times, variants });
        }
    }
    all
}

fn own<T>(dice: &mut Dice, all: &[T], is_own: impl Fn(&T) -> bool) -> usize {
    let own: Vec<usize> = (0..all.len()).filter(|one| is_own(&all[*one])).collect();
    dice.pick(&own)
}

pub(crate) fn write_experiment(out: &mut String, number: usize, experiment: &Experiment) {
    let Experiment { campaign, layer, takes, times, variants } = experiment;
    let _ = write!(out, "[[experiment]]\nid = \"e{number}\"\ncampaign = \"c{campaign}\"\n");
    if let Some(layer) = layer {
        let _ = writeln!(out, "layer = \"l{layer}\"");
    }
    // What stands alone in its layer may leave out where it begins, as may what follows the one before it.
    if layer.is_none() {
        let _ = writeln!(out, "from = \"{}%\"", takes.0);
    }
    let _ = writeln!(out, "coverage = \"{}%\"", takes.1 - takes.0);
    let instant = super::world::instant;
    let _ = writeln!(out, "start = \"{}\"\nend = \"{}\"", instant(times.0), instant(times.1));
    for (variant, (weight, shows)) in variants.iter().enumerate() {
        let _ = write!(out, "[[experiment.variant]]\nid = \"v{variant}\"\nweight = {weight}\n");
        let _ = match shows {
            Shows::AsDecided => Ok(()),
            Shows::Creative(number) => writeln!(out, "creative = \"cr{number}\""),
            Shows::Template(number) => writeln!(out, "template = \"t{number}\""),
        };
    }
}

impl World {
    /// What a campaign is to the visitor with this key.
    fn assigned(&self, campaign: usize, key: u64, wishes: &Wishes) -> Assigned {
        let wished = |(experiment, _): &&(usize, usize)| self.experiments[*experiment].campaign == campaign;
        if let Some((experiment, variant)) = wishes.variants.iter().filter(wished).min() {
            return Assigned::Exposed(*experiment, *variant);
        }
        let own =
            bucket(&format!("holdout:c{campaign}"), key) < self.campaigns[campaign].holdout_percent * 10_000;
        let all = bucket("holdout", key) < self.holdout_percent * 10_000;
        if wishes.is_held_out.unwrap_or(own || all) {
            return Assigned::HeldOut;
        }
        let takes_part = |(number, experiment): &(usize, &Experiment)| {
            let layer =
                experiment.layer.map_or(format!("experiment:e{number}"), |layer| format!("layer:l{layer}"));
            let percent = f64::from(bucket(&layer, key)) / 10_000.0;
            experiment.campaign == campaign
                && (experiment.times.0..experiment.times.1).contains(&NOW_MS)
                && f64::from(experiment.takes.0) <= percent
                && percent < f64::from(experiment.takes.1)
        };
        let Some((number, experiment)) = self.experiments.iter().enumerate().find(takes_part) else {
            return Assigned::Ordinary;
        };
        let total: u32 = experiment.variants.iter().map(|(weight, _)| weight).sum();
        let place = u64::from(bucket(&format!("split:e{number}"), key));
        let mut before = 0;
        let variant = experiment.variants.iter().position(|(weight, _)| {
            before += weight;
            place < u64::from(before) * 1_000_000 / u64::from(total)
        });
        Assigned::Exposed(number, variant.unwrap())
    }

    /// What is shown in place of a candidate; `None` when the visitor is to see nothing of the campaign.
    pub(crate) fn stand_in(
        &self,
        (template, creative): (usize, Option<usize>),
        class: Class,
        key: u64,
        wishes: &Wishes,
    ) -> Option<StandIn> {
        if class == Class::Fallback {
            return Some((template, creative, Assigned::Ordinary));
        }
        let campaign = self.templates[template].campaign;
        let assigned = self.assigned(campaign, key, wishes);
        let fixed = |creative: usize| (self.creatives[creative].template, Some(creative), assigned);
        match assigned {
            Assigned::Ordinary => Some((template, creative, assigned)),
            Assigned::HeldOut => self.campaigns[campaign].control.map(fixed),
            Assigned::Exposed(experiment, variant) => {
                Some(match self.experiments[experiment].variants[variant].1 {
                    Shows::AsDecided => (template, creative, assigned),
                    Shows::Creative(creative) => fixed(creative),
                    Shows::Template(template) => (template, None, assigned),
                })
            }
        }
    }

    /// Did something else than what the rule names come to be shown?
    pub(crate) fn is_replaced(&self, assigned: Assigned) -> bool {
        match assigned {
            Assigned::Ordinary => false,
            Assigned::HeldOut => true,
            Assigned::Exposed(experiment, variant) => {
                !matches!(self.experiments[experiment].variants[variant].1, Shows::AsDecided)
            }
        }
    }
}
