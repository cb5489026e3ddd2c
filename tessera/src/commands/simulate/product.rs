//! The product as a policy: the real learner learns, and the real decision chooses from a bundle made for the world.
//!
//! Guarantees: the propensity is the decision's own, of what it has shown. A click counts once per decision, as in the
//! journal's fold. The model is fitted when the learner asks for it and a hundredth more has been seen, which leaves out
//! refits that a service makes because it has the time.
//!
//! Not here: consent, the journal and HTTP; the simulator's visitors tell their context with the request.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt::Write as _;
use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use tessera_analytics::learner::TemplateLearner;
use tessera_analytics::learner::cells::Trial;
use tessera_analytics::names::{Names, TemplateShape};
use tessera_control::source::{SourceFile, Sources, compile, render_all};
use tessera_engine_core::admit::admit;
use tessera_engine_core::bundle::LoadedBundle;
use tessera_engine_core::consent::{ConsentInputs, Outcome, Policy as ConsentPolicy, evaluate};
use tessera_engine_core::decide::decide;
use tessera_engine_core::hash::draw;
use tessera_engine_core::scratch::Scratch;
use tessera_engine_core::signals::{PlacementRequest, RawSignals, Value};
use tessera_engine_core::snapshot::Snapshot;
use tessera_loadtest::environment::{FIELDS, context_values};
use tessera_loadtest::policies::{Choice, Policy, Shown};
use tessera_rulevm::Frame;
use tessera_wire::limits::CONTEXT_FIELDS_MAX;
use tessera_wire::posterior::PosteriorTable;

/// Impressions grow by this share between fits.
const REFIT_GROWTH: f64 = 0.01;
/// Within the bundle's flight.
const NOW_MS: i64 = 1_795_132_800_000;
/// Signals of the context fields.
const SIGNALS: [&str; 4] = ["segment", "device", "part", "place"];
const PLACEMENTS: [PlacementRequest<'static>; 1] =
    [PlacementRequest { slot: "page", count: 1, formats: &[], filter: None, floor_micros: 0 }];

/// How the product is set up.
#[derive(Debug, Clone, Copy)]
pub(super) struct Terms<'a> {
    /// The template's uniform exploration, as the catalog writes it.
    pub(super) exploration: &'a str,
    /// Impressions in which statistics lose half their weight.
    pub(super) half_life: Option<u64>,
}

/// One engine with its learner.
pub(super) struct Product {
    snapshot: Snapshot,
    scratch: Scratch,
    frame: Frame,
    consent: Outcome,
    learner: TemplateLearner,
    labels: Vec<Vec<String>>,
    clicked: HashSet<u64>,
    half_life: Option<u64>,
    seen: f64,
    fitted: f64,
    seed: u64,
}

impl Product {
    /// An engine that has seen nothing, with a template of these slots.
    pub(super) fn new(slots: &[usize], seed: u64, terms: &Terms<'_>) -> anyhow::Result<Product> {
        let bundle = Arc::new(bundle(slots, terms.exploration)?);
        let names = bundle.names();
        let template = names.templates.first().context("the bundle has a template")?;
        let shape = TemplateShape::new(template, &mut Names::default());
        let learner = TemplateLearner::new(&shape).context("the world is too large to learn")?;
        let label = |size: &usize| (0..*size).map(|value| format!("v{value}")).collect();
        Ok(Product {
            scratch: Scratch::new(bundle.program()),
            frame: Frame::new(bundle.program()),
            consent: evaluate(&ConsentInputs::default(), &ConsentPolicy::default(), NOW_MS),
            snapshot: Snapshot::new(bundle, &PosteriorTable::default()),
            learner,
            labels: FIELDS.iter().map(label).collect(),
            clicked: HashSet::new(),
            half_life: terms.half_life,
            seen: 0.0,
            fitted: 0.0,
            seed,
        })
    }

    fn publish(&mut self) {
        let generation = self.snapshot.posterior_generation() + 1;
        // A fit that fails leaves the previous model, as in a service.
        let Ok(model) = self.learner.refit(draw(self.seed, generation)) else { return };
        let table = PosteriorTable { generation, made_at_ms: NOW_MS, models: vec![model.clone()] };
        self.snapshot = Snapshot::new(self.snapshot.shared_bundle(), &table);
        self.fitted = self.seen;
    }
}

/// The model's place of an impression: value 0 of each field is the unknown one.
fn place(shown: &Shown) -> ([u8; CONTEXT_FIELDS_MAX], u32) {
    let mut context = [0; CONTEXT_FIELDS_MAX];
    for (into, value) in context.iter_mut().zip(context_values(shown.context)) {
        *into = value as u8 + 1;
    }
    (context, shown.combination as u32)
}

impl Policy for Product {
    fn choose(&mut self, context: usize, step: u64) -> Choice {
        let values = context_values(context);
        let known: [(Cow<'_, str>, Value<'_>); 4] = std::array::from_fn(|field| {
            let label = self.labels[field][values[field]].as_str();
            (Cow::Borrowed(SIGNALS[field]), Value::Text(Cow::Borrowed(label)))
        });
        let raw = RawSignals { context: &known, ..RawSignals::default() };
        let program = self.snapshot.bundle().program();
        let admitted = admit(program, &raw, &PLACEMENTS, &self.consent, NOW_MS, &mut self.frame);
        let seed = draw(self.seed, step);
        let decision = decide(&self.snapshot, &admitted, NOW_MS, seed, &mut self.scratch);
        // The bundle always fills its one placement; without an ad the first combination stands for the page's own.
        decision.ads.first().map_or(Choice { combination: 0, propensity: None }, |ad| {
            let shown = Shown { step, context, combination: ad.combination as usize };
            debug_assert_eq!(ad.context, place(&shown).0, "INVARIANT: the decision sees the world's context");
            Choice { combination: shown.combination, propensity: Some(f64::from(ad.propensity)) }
        })
    }

    fn learn(&mut self, shown: &[Shown], clicks: &[Shown]) {
        if let Some(half_life) = self.half_life {
            let factor = 0.5f64.powf(shown.len() as f64 / half_life as f64);
            self.learner.fade(factor);
            self.seen *= factor;
            self.fitted *= factor;
        }
        for one in shown {
            self.learner.add(place(one), Trial { impressions: 1.0, clicks: 0.0 });
        }
        self.seen += shown.len() as f64;
        for one in clicks {
            if self.clicked.insert(one.step) {
                self.learner.add(place(one), Trial { impressions: 0.0, clicks: 1.0 });
            }
        }
        if self.learner.is_due() && self.seen >= self.fitted * (1.0 + REFIT_GROWTH) {
            self.publish();
        }
    }
}

/// A bundle with one template of these slots and the world's context fields, shown to everybody.
fn bundle(slots: &[usize], exploration: &str) -> anyhow::Result<LoadedBundle> {
    let files = [("catalog.toml", catalog(slots, exploration)), ("all.rules", rules())];
    let files = files.into_iter().map(|(path, text)| SourceFile { path: path.into(), text });
    let sources = Sources { files: files.collect() };
    let compiled =
        compile(&sources).map_err(|problems| anyhow!("{}", render_all(&problems, &sources.files)))?;
    Ok(LoadedBundle::from_bytes(&tessera_wire::bundle::encode(&compiled.bundle))?)
}

fn catalog(slots: &[usize], exploration: &str) -> String {
    let mut out = format!(
        "[[placement]]\nid = \"page\"\n[[campaign]]\nid = \"world\"\nlanding_url = \"https://world.example/\"\n\
         [[flight]]\nid = \"always\"\ncampaign = \"world\"\nstart = \"2026-01-01T00:00:00Z\"\n\
         end = \"2036-01-01T00:00:00Z\"\n[[template]]\nid = \"world\"\ncampaign = \"world\"\nexploration = {exploration:?}\n"
    );
    let list = |prefix: &str, size: usize| {
        let all: Vec<String> = (0..size).map(|number| format!("\"{prefix}{number}\"")).collect();
        all.join(", ")
    };
    for (slot, size) in slots.iter().enumerate() {
        let assets = list(&format!("a{slot}-"), *size);
        let _ = writeln!(out, "[[template.slot]]\nname = \"s{slot}\"\nassets = [{assets}]");
    }
    for (signal, size) in SIGNALS.iter().zip(FIELDS) {
        let values = list("v", size);
        let _ = writeln!(
            out,
            "[[template.context]]\nname = \"{signal}\"\nsignal = \"{signal}\"\nvalues = [{values}]"
        );
    }
    for (slot, size) in slots.iter().enumerate() {
        for asset in 0..*size {
            let _ = writeln!(out, "[[asset]]\nid = \"a{slot}-{asset}\"\ntext = \"Text {asset}\"");
        }
    }
    out
}

fn rules() -> String {
    let mut out = String::from("language 1\n");
    for (signal, size) in SIGNALS.iter().zip(FIELDS) {
        let values: Vec<String> = (0..size).map(|value| format!("v{value}")).collect();
        let _ = writeln!(out, "attribute {signal} : one of {} from request", values.join(", "));
    }
    out.push_str("rule \"everybody\" for placement \"page\" { then show template \"world\" }\n");
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use tessera_loadtest::environment::Preset;
    use tessera_loadtest::simulate::{Troubles, World, run_seed};

    const TERMS: Terms<'static> = Terms { exploration: "0%", half_life: None };

    fn small() -> Preset {
        Preset { slots: vec![3, 4], base: 0.05, ..Preset::core() }
    }

    fn frac_lift(troubles: Troubles, terms: &Terms<'_>, impressions: u64) -> f64 {
        let lift = |seed: u64| {
            let world = World::new(&small(), seed, troubles).unwrap();
            let mut product = Product::new(&world.environment().slots, run_seed(seed), terms).unwrap();
            world.play(&mut product, impressions).tail.frac_lift()
        };
        [1, 2, 3, 4].map(lift).iter().sum::<f64>() / 4.0
    }

    #[test]
    fn the_product_learns_the_worlds_of_all_presets() {
        for name in Preset::NAMES {
            let slots = Preset::named(name).unwrap().slots;
            let mut product = Product::new(&slots, 1, &TERMS).unwrap();
            let combinations = slots.iter().product::<usize>();
            let choice = product.choose(575, 0);
            assert!(choice.combination < combinations);
            // Without a model all are equally likely.
            assert!((choice.propensity.unwrap() * combinations as f64 - 1.0).abs() < 1e-3);
        }
    }

    #[test]
    fn the_product_finds_what_there_is_to_find_and_repeats_itself() {
        let (found, again) =
            (frac_lift(Troubles::default(), &TERMS, 20_000), frac_lift(Troubles::default(), &TERMS, 20_000));
        assert!(found > 0.45, "found {found:.3}");
        assert_eq!(found, again);
    }

    #[test]
    fn propensities_are_how_often_the_product_chooses() {
        let world = World::new(&small(), 2, Troubles::default()).unwrap();
        let mut product = Product::new(&world.environment().slots, run_seed(2), &TERMS).unwrap();
        world.play(&mut product, 4_000);
        let count = 20_000;
        let mut tally = vec![(0.0, 0.0); 12];
        for step in 0..count {
            let choice = product.choose(7, 1_000_000 + step);
            tally[choice.combination] = (tally[choice.combination].0 + 1.0, choice.propensity.unwrap());
        }
        let mut sum = 0.0;
        for (shown, propensity) in tally {
            sum += propensity;
            assert!((shown / count as f64 - propensity).abs() < 0.02, "{shown} of {count} at {propensity}");
        }
        assert!((sum - 1.0).abs() < 1e-3, "{sum}");
    }

    #[test]
    fn clicks_that_come_twice_count_once() {
        let twice = Troubles { duplicated: 1.0, ..Troubles::default() };
        let once = frac_lift(Troubles::default(), &TERMS, 4_000);
        assert_eq!(frac_lift(twice, &TERMS, 4_000), once);
    }
}
