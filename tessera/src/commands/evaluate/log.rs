//! What an engine's journal says about the model's choices.
//!
//! Guarantees: a click counts once, wherever it stands in the journal; an ad counts for the bundle's template of the same id
//! only when assets and context values are the same, in the same order.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use anyhow::{Context, ensure};
use tessera_analytics::journal_reader::{JournalReader, Position};
use tessera_engine_core::bundle::LoadedBundle;
use tessera_engine_core::model;
use tessera_wire::event::{Arm, Event, Generation, Served, TouchKind};

/// Ads and clicks that are kept in memory, each; an ad takes about 80 bytes.
const ADS_MAX: usize = 20_000_000;

/// One ad that the model chose.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Impression {
    /// Index of the bundle's template.
    pub(super) template: u32,
    pub(super) combination: u32,
    pub(super) context: model::Context,
    pub(super) propensity: f32,
    pub(super) is_clicked: bool,
    /// Which half of the log it is in, 0 or 1.
    pub(super) half: usize,
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Log {
    impressions: Vec<Impression>,
    /// Ads of templates or shapes that the bundle does not have, or that the model did not choose.
    pub(super) foreign: u64,
}

impl Log {
    /// Reads a journal to its present end.
    pub(super) fn read(directory: &Path, bundle: &LoadedBundle) -> anyhow::Result<Log> {
        let mut reader = JournalReader::new(directory, Position::default());
        let mut reading = Reading::new(bundle);
        while let Some(event) = reader
            .next_event()
            .with_context(|| format!("cannot read the journal in `{}`", directory.display()))?
        {
            reading.take(&event)?;
        }
        Ok(reading.finish())
    }

    pub(super) fn of_template(&self, template: u32) -> impl Iterator<Item = Impression> + '_ {
        self.impressions.iter().filter(move |one| one.template == template).copied()
    }
}

pub(super) struct Reading {
    ours: Generation,
    /// Template of ours by generation and template number there.
    templates: HashMap<u64, Vec<Option<u32>>>,
    keys: Vec<(u128, u16)>,
    clicks: HashSet<(u128, u16)>,
    log: Log,
}

impl Reading {
    pub(super) fn new(bundle: &LoadedBundle) -> Reading {
        Reading {
            ours: bundle.names(),
            templates: HashMap::new(),
            keys: Vec::new(),
            clicks: HashSet::new(),
            log: Log::default(),
        }
    }

    pub(super) fn take(&mut self, event: &Event) -> anyhow::Result<()> {
        match event {
            Event::Generation(generation) => {
                let ours = &self.ours.templates;
                let same = generation
                    .templates
                    .iter()
                    .map(|template| ours.iter().position(|own| own == template).map(|number| number as u32));
                self.templates.insert(generation.generation, same.collect());
            }
            Event::Served(served) => self.serve(served),
            Event::Touch(touch) if touch.kind == TouchKind::Click => {
                self.clicks.insert((touch.decision_id, touch.ad));
            }
            _ => {}
        }
        let is_small = self.keys.len() <= ADS_MAX && self.clicks.len() <= ADS_MAX;
        ensure!(
            is_small,
            "the journal holds more than {ADS_MAX} ads or clicks: give a directory with fewer segments"
        );
        Ok(())
    }

    fn serve(&mut self, served: &Served) {
        let templates = self.templates.get(&served.generation);
        let template = templates.and_then(|all| *all.get(served.template as usize)?);
        match template {
            Some(template) if served.arm == Arm::Personalized && served.is_learnable => {
                self.keys.push((served.decision_id, served.ad));
                self.log.impressions.push(Impression {
                    template,
                    combination: served.combination,
                    context: served.context,
                    propensity: served.propensity,
                    is_clicked: false,
                    half: (served.decision_id.count_ones() % 2) as usize,
                });
            }
            _ => self.log.foreign += 1,
        }
    }

    pub(super) fn finish(mut self) -> Log {
        for (one, key) in self.log.impressions.iter_mut().zip(&self.keys) {
            one.is_clicked = self.clicks.contains(key);
        }
        self.log
    }
}
