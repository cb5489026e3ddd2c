//! What tests of decisions share: the demo bundle, made-up posteriors, made-up visitors. All of it follows from a seed.

#![allow(dead_code, reason = "every test binary uses a part of it")]

pub(crate) mod experiments;
pub(crate) mod oracle;
pub(crate) mod ranking;
pub(crate) mod terms;
pub(crate) mod visit;
pub(crate) mod world;

use tessera_control::source::{SourceFile, Sources, compile};
use tessera_engine_core::bundle::LoadedBundle;
use tessera_engine_core::hash;
use tessera_wire::bundle::Bundle;
use tessera_wire::catalog::TemplateId;
use tessera_wire::event::Generation;
use tessera_wire::posterior::{Layout, PosteriorTable, TemplateModel};

/// 2026-11-20T12:00:00Z.
pub(crate) const NOW_MS: i64 = 1_795_176_000_000;

/// A seed, and how much of it was used.
pub(crate) struct Dice {
    seed: u64,
    rolls: u64,
}

impl Dice {
    pub(crate) fn new(seed: u64) -> Dice {
        Dice { seed, rolls: 0 }
    }

    pub(crate) fn word(&mut self) -> u64 {
        self.rolls += 1;
        hash::draw(self.seed, self.rolls)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.word() % bound
    }

    /// True this many times in a hundred.
    pub(crate) fn percent(&mut self, share: u64) -> bool {
        self.below(100) < share
    }

    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize]
    }

    pub(crate) fn maybe<T: Copy>(&mut self, share: u64, from: &[T]) -> Option<T> {
        let picked = self.pick(from);
        self.percent(share).then_some(picked)
    }
}

/// The sources of a bundle, compiled.
pub(crate) fn compiled(files: &[(&str, &str)]) -> Bundle {
    let file = |(path, text): &(&str, &str)| SourceFile { path: (*path).into(), text: (*text).into() };
    let sources = Sources { files: files.iter().map(file).collect() };
    match compile(&sources) {
        Ok(compiled) => compiled.bundle,
        Err(problems) => panic!("{}", tessera_control::source::render_all(&problems, &sources.files)),
    }
}

/// The bundle after a round trip through its bytes, as an engine would load it.
pub(crate) fn loaded(bundle: Bundle) -> LoadedBundle {
    LoadedBundle::from_bytes(&tessera_wire::bundle::encode(&bundle)).unwrap()
}

/// The demo shop.
pub(crate) fn demo() -> LoadedBundle {
    loaded(Bundle { generation: 7, ..compiled(&tessera_fixtures::DEMO_SOURCES) })
}

/// A valid table with a model for every template that `wants` takes. Weights are small whole numbers, so that sums are
/// exact in any order.
pub(crate) fn posteriors(
    bundle: &LoadedBundle,
    generation: u64,
    seed: u64,
    wants: impl Fn(&str) -> bool,
) -> PosteriorTable {
    let names = bundle.names();
    let wanted = (0..names.templates.len()).filter(|index| wants(&names.templates[*index].id));
    let models = wanted.map(|index| model(&names, index, bundle.layout(TemplateId(index as u32)), seed));
    let table = PosteriorTable { generation, made_at_ms: NOW_MS, models: models.collect() };
    tessera_wire::posterior::decode(&tessera_wire::posterior::encode(&table)).unwrap()
}

fn model(names: &Generation, index: usize, layout: &Layout, seed: u64) -> TemplateModel {
    let template = &names.templates[index];
    let mut dice = Dice::new(seed ^ index as u64);
    let draws = 1 + dice.below(64) as usize;
    let mut weights = |count: usize| (0..count).map(|_| dice.below(41) as f32 - 20.0).collect::<Vec<f32>>();
    TemplateModel {
        template: template.id.clone(),
        slots: template.slots.iter().map(|(_, assets)| assets.clone()).collect(),
        fields: template.fields.clone(),
        impressions: 1_000,
        clicks: 10,
        mean: weights(layout.len),
        draws: weights(layout.len * draws),
    }
}
