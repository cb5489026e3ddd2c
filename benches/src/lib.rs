//! What benches measure on: the demo shop, visitors to it, and posteriors of the right shape.
//!
//! Guarantees: everything is a function of constants, so that two runs measure the same work.
//!
//! Not here: the benches (`time/`), the HTTP measurement (`cargo xtask record decide-http`) and its results (`record/`).

pub mod audience;
pub mod shop;

use std::borrow::Cow;
use std::sync::Arc;

use anyhow::anyhow;
use tessera_control::source::{SourceFile, Sources, compile, render_all};
use tessera_engine_core::bundle::LoadedBundle;
use tessera_engine_core::consent::{ConsentInputs, OwnConsent};
use tessera_engine_core::hash::{draw, sticky_key};
use tessera_engine_core::signals::{Device, LocalTime, Money, PlacementRequest, RawSignals, Value};
use tessera_engine_core::snapshot::Snapshot;
use tessera_wire::catalog::TemplateId;
use tessera_wire::limits::POSTERIOR_DRAWS_MAX;
use tessera_wire::posterior::{PosteriorTable, TemplateModel};

/// The time of every decision: within the demo's flights.
pub const NOW_MS: i64 = 1_795_132_800_000;
/// A TC string of the fixtures (`d-002`) that opens everything; fresh at [`NOW_MS`].
pub const TCF_STRING: &str =
    "CQlH_MAQlH_MANwADBENCNFsAP_gAEPgAAYgIzQBYAAgAEABwAGgC8wIzAXnAEAACABwAGgC8wAA.IJXwAYAAgle";

/// One placement of the demo, as a page asks for it.
pub const PLACEMENTS: [PlacementRequest<'static>; 1] =
    [PlacementRequest { slot: "home_hero", count: 1, formats: &[], filter: None, floor_micros: 0 }];

/// The demo shop's bundle, as an engine loads it.
///
/// # Errors
/// When the demo does not compile or load.
pub fn demo_bundle() -> anyhow::Result<Arc<LoadedBundle>> {
    let files = tessera_fixtures::DEMO_SOURCES
        .iter()
        .map(|(path, text)| SourceFile { path: (*path).into(), text: (*text).into() });
    let sources = Sources { files: files.collect() };
    let compiled =
        compile(&sources).map_err(|problems| anyhow!("{}", render_all(&problems, &sources.files)))?;
    Ok(Arc::new(LoadedBundle::from_bytes(&tessera_wire::bundle::encode(&compiled.bundle))?))
}

/// A snapshot whose templates all have a model with as many draws as there may be.
pub fn with_models(bundle: &Arc<LoadedBundle>, generation: u64) -> Snapshot {
    let templates = bundle.names().templates;
    let models = templates.into_iter().enumerate().map(|(number, template)| {
        let layout = bundle.layout(TemplateId(number as u32));
        let weight = |index: usize| (draw(generation, index as u64) >> 40) as f32 / (1u64 << 24) as f32 - 0.5;
        TemplateModel {
            template: template.id,
            slots: template.slots.into_iter().map(|(_, assets)| assets).collect(),
            fields: template.fields,
            impressions: 10_000,
            clicks: 100,
            mean: (0..layout.len).map(weight).collect(),
            draws: (0..layout.len * POSTERIOR_DRAWS_MAX).map(weight).collect(),
        }
    });
    let table = PosteriorTable { generation, made_at_ms: NOW_MS, models: models.collect() };
    Snapshot::new(Arc::clone(bundle), &table)
}

/// A snapshot before anything was learned.
pub fn without_models(bundle: &Arc<LoadedBundle>) -> Snapshot {
    Snapshot::new(Arc::clone(bundle), &PosteriorTable { generation: 0, made_at_ms: 0, models: Vec::new() })
}

/// Everything a page said about the visitor with this number.
pub fn visitor<'a>(number: u64, traits: &'a [(Cow<'a, str>, Value<'a>)]) -> RawSignals<'a> {
    RawSignals {
        country: Some("RO"),
        region: Some("RO-CJ"),
        city: Some("Cluj-Napoca"),
        local_time: Some(LocalTime { hour: 20, minute: 15, weekday: 4 }),
        device: Some(Device { kind: 0, os: 1, browser: 1 }),
        language: Some("ro"),
        page_origin: Some("https://fernweh.example"),
        page_path: Some("/running"),
        cart_value: Some(Money { micros: 120_000_000, currency: "EUR" }),
        cart_items: Some(2),
        page_views: Some(3),
        traits,
        sticky_key: Some(sticky_key(&format!("visitor-{number}"))),
        subject: u128::from(number),
        ..RawSignals::default()
    }
}

/// The traits of a visitor.
pub fn traits() -> [(Cow<'static, str>, Value<'static>); 3] {
    [
        ("interest".into(), Value::Text("running".into())),
        ("age".into(), Value::Number(34_000_000)),
        ("member_tier".into(), Value::Text("gold".into())),
    ]
}

/// A visitor who agreed to everything in the site's own dialog.
pub fn own_consent() -> ConsentInputs<'static> {
    let own = OwnConsent {
        storage: true,
        ads_profile: Some(true),
        ads_personalization: true,
        content_personalization: true,
        analytics: true,
        ..OwnConsent::default()
    };
    ConsentInputs { country: Some("RO"), own: Some(own), ..ConsentInputs::default() }
}

#[cfg(test)]
mod tests {
    use tessera_engine_core::admit::admit;
    use tessera_engine_core::consent::{Policy, evaluate};
    use tessera_engine_core::decide::decide;
    use tessera_engine_core::scratch::Scratch;
    use tessera_rulevm::Frame;
    use tessera_wire::event::{Arm, Mode};

    use super::*;

    #[test]
    fn the_models_fit_and_are_asked() {
        let bundle = demo_bundle().unwrap();
        let snapshot = with_models(&bundle, 1);
        assert_eq!(snapshot.ignored_models(), 0);
        let (mut frame, mut scratch) = (Frame::new(bundle.program()), Scratch::new(bundle.program()));
        let outcome = evaluate(&own_consent(), &Policy::default(), NOW_MS);
        let traits = traits();
        let mut is_personalized = false;
        for number in 0..20 {
            let raw = visitor(number, &traits);
            let admitted = admit(bundle.program(), &raw, &PLACEMENTS, &outcome, NOW_MS, &mut frame);
            let decision = decide(&snapshot, &admitted, NOW_MS, number, &mut scratch);
            assert_eq!(decision.ads.len(), 1);
            assert!(decision.ads[0].offer.is_some() || decision.ads[0].arm == Arm::Holdout);
            is_personalized |= decision.ads[0].arm == Arm::Personalized;
        }
        assert!(is_personalized);
    }

    #[test]
    fn the_consent_string_is_fresh_when_it_is_measured() {
        let inputs = ConsentInputs { tcf: Some(TCF_STRING), country: Some("RO"), ..ConsentInputs::default() };
        let outcome = evaluate(&inputs, &Policy::default(), NOW_MS);
        assert_eq!(outcome.mode, Mode::Full, "{outcome:?}");
    }
}
