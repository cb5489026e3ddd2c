//! How long the pure part of a decision takes: consent, admission, decision.
//!
//! The demo shop, one placement, a visitor with three traits and a cart. `decide` is measured before anything was learned,
//! with a model whose best combinations are remembered, and with one that has to search them anew.

use std::hint::black_box;

use criterion::Criterion;
use tessera_benches::{
    NOW_MS, PLACEMENTS, TCF_STRING, demo_bundle, own_consent, traits, visitor, with_models, without_models,
};
use tessera_engine_core::admit::admit;
use tessera_engine_core::consent::{ConsentInputs, Policy, evaluate};
use tessera_engine_core::decide::decide;
use tessera_engine_core::scratch::Scratch;
use tessera_engine_core::snapshot::Snapshot;
use tessera_rulevm::Frame;

fn main() -> anyhow::Result<()> {
    let mut criterion = Criterion::default().configure_from_args();
    consent(&mut criterion);
    decisions(&mut criterion)?;
    criterion.final_summary();
    Ok(())
}

fn consent(criterion: &mut Criterion) {
    let policy = Policy::default();
    let own = own_consent();
    criterion.bench_function("consent/own dialog", |bencher| {
        bencher.iter(|| evaluate(black_box(&own), &policy, NOW_MS));
    });
    let tcf = ConsentInputs { tcf: Some(TCF_STRING), country: Some("RO"), ..ConsentInputs::default() };
    criterion.bench_function("consent/TC string", |bencher| {
        bencher.iter(|| evaluate(black_box(&tcf), &policy, NOW_MS));
    });
}

fn decisions(criterion: &mut Criterion) -> anyhow::Result<()> {
    let bundle = demo_bundle()?;
    let outcome = evaluate(&own_consent(), &Policy::default(), NOW_MS);
    let traits = traits();
    let visitors: Vec<_> = (0..64).map(|number| visitor(number, &traits)).collect();
    let mut frame = Frame::new(bundle.program());
    criterion.bench_function("admit", |bencher| {
        let mut turn = 0;
        bencher.iter(|| {
            turn += 1;
            let raw = &visitors[turn % visitors.len()];
            admit(bundle.program(), black_box(raw), &PLACEMENTS, &outcome, NOW_MS, &mut frame).gates()
        });
    });
    let cases: [(&str, Vec<Snapshot>); 3] = [
        ("decide/nothing learned", vec![without_models(&bundle)]),
        ("decide/model, remembered", vec![with_models(&bundle, 1)]),
        // Two generations in turn: what is remembered is always of the other one.
        ("decide/model, searched", vec![with_models(&bundle, 1), with_models(&bundle, 2)]),
    ];
    for (name, snapshots) in &cases {
        let mut scratch = Scratch::new(bundle.program());
        let admitted = admit(bundle.program(), &visitors[1], &PLACEMENTS, &outcome, NOW_MS, &mut frame);
        criterion.bench_function(name, |bencher| {
            let mut seed = 0u64;
            bencher.iter(|| {
                seed += 1;
                let snapshot = &snapshots[seed as usize % snapshots.len()];
                decide(snapshot, black_box(&admitted), NOW_MS, seed, &mut scratch).ads.len()
            });
        });
    }
    whole(criterion, &with_models(&bundle, 1));
    Ok(())
}

/// Consent, admission and decision, visitor after visitor.
fn whole(criterion: &mut Criterion, snapshot: &Snapshot) {
    let program = snapshot.bundle().program();
    let (policy, own, traits) = (Policy::default(), own_consent(), traits());
    let visitors: Vec<_> = (0..64).map(|number| visitor(number, &traits)).collect();
    let (mut frame, mut scratch) = (Frame::new(program), Scratch::new(program));
    criterion.bench_function("consent, admit, decide", |bencher| {
        let mut seed = 0u64;
        bencher.iter(|| {
            seed += 1;
            let raw = &visitors[seed as usize % visitors.len()];
            let outcome = evaluate(black_box(&own), &policy, NOW_MS);
            let admitted = admit(program, black_box(raw), &PLACEMENTS, &outcome, NOW_MS, &mut frame);
            decide(snapshot, &admitted, NOW_MS, seed, &mut scratch).ads.len()
        });
    });
}
