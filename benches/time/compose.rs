//! How long a whole decision takes in a larger shop: 1,000 rules, 50 campaigns, up to 10,000 combinations.
//!
//! Consent, admission and decision together. "remembered" decides for visitors whose context was seen since the last
//! posteriors; "searched" alternates between two posterior tables, so that every decision looks for the best combination
//! under each of 64 draws anew.

use std::hint::black_box;

use criterion::Criterion;
use tessera_benches::shop::{Shop, large_shop};
use tessera_benches::{NOW_MS, PLACEMENTS, own_consent, traits, visitor, with_models};
use tessera_engine_core::admit::admit;
use tessera_engine_core::consent::{Policy, evaluate};
use tessera_engine_core::decide::decide;
use tessera_engine_core::scratch::Scratch;
use tessera_engine_core::snapshot::Snapshot;
use tessera_rulevm::Frame;
use tessera_wire::event::Arm;

fn main() -> anyhow::Result<()> {
    let mut criterion = Criterion::default().configure_from_args();
    let cases: [(&str, &[usize], bool, bool); 5] = [
        ("250 combinations", &[5, 10, 5], false, false),
        ("1250 combinations", &[5, 10, 5, 5], false, false),
        ("10000 combinations", &[10, 10, 10, 10], false, false),
        ("10000 combinations, one pair excluded", &[10, 10, 10, 10], false, true),
        ("10000 combinations, one slot pinned", &[10, 10, 10, 10], true, false),
    ];
    for (name, slots, pins, excludes) in cases {
        let bundle = Shop { pins, excludes, ..large_shop(slots) }.bundle()?;
        let snapshots = [with_models(&bundle, 1), with_models(&bundle, 2)];
        measure(&mut criterion, &format!("compose/{name}, remembered"), &snapshots[..1]);
        measure(&mut criterion, &format!("compose/{name}, searched"), &snapshots);
    }
    criterion.final_summary();
    Ok(())
}

fn measure(criterion: &mut Criterion, name: &str, snapshots: &[Snapshot]) {
    let program = snapshots[0].bundle().program();
    let (policy, own, traits) = (Policy::default(), own_consent(), traits());
    let visitors: Vec<_> = (0..64).map(|number| visitor(number, &traits)).collect();
    let (mut frame, mut scratch) = (Frame::new(program), Scratch::new(program));
    criterion.bench_function(name, |bencher| {
        let mut seed = 0u64;
        bencher.iter(|| {
            seed += 1;
            let snapshot = &snapshots[seed as usize % snapshots.len()];
            let raw = &visitors[seed as usize % visitors.len()];
            let outcome = evaluate(black_box(&own), &policy, NOW_MS);
            let admitted = admit(program, black_box(raw), &PLACEMENTS, &outcome, NOW_MS, &mut frame);
            let decision = decide(snapshot, &admitted, NOW_MS, seed, &mut scratch);
            debug_assert!(decision.ads[0].arm == Arm::Personalized);
            decision.ads[0].combination
        });
    });
}
