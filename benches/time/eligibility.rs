//! What eligibility costs per candidate: a hundred campaigns of one placement, none of which may be shown.
//!
//! Switched off, each loses at the first question; capped, at the last but budgets, after the schedule, sizes, filters and
//! conflicts. The difference between the two, divided by a hundred, is all of those together; `caps` is the same with
//! four caps that are asked one after the other. `ranked` gives the flights weights, and every ad is shown.

use std::fmt::Write;
use std::hint::black_box;
use std::sync::Arc;

use anyhow::anyhow;
use criterion::{Criterion, Throughput};
use tessera_benches::{NOW_MS, own_consent, traits, visitor, without_models};
use tessera_control::source::{SourceFile, Sources, compile, render_all};
use tessera_engine_core::admit::admit;
use tessera_engine_core::bundle::LoadedBundle;
use tessera_engine_core::consent::{Policy, evaluate};
use tessera_engine_core::decide::decide;
use tessera_engine_core::scratch::Scratch;
use tessera_engine_core::signals::{PlacementRequest, RawSignals};
use tessera_rulevm::Frame;

const CANDIDATES: usize = 100;

fn bundle(campaign: &str, flight: &str) -> anyhow::Result<Arc<LoadedBundle>> {
    let mut catalog = "[[placement]]\nid = \"top\"\n[[asset]]\nid = \"a\"\ntext = \"A\"\n".to_owned();
    let mut rules = "language 1\n".to_owned();
    for number in 0..CANDIDATES {
        write!(
            catalog,
            "[[campaign]]\nid = \"c{number}\"\nlanding_url = \"https://x.example/\"\n{campaign}\n\
             [[flight]]\nid = \"f{number}\"\ncampaign = \"c{number}\"\nstart = \"2026-01-01T00:00:00Z\"\n\
             end = \"2028-01-01T00:00:00Z\"\n{flight}\n[[template]]\nid = \"t{number}\"\ncampaign = \"c{number}\"\n\
             [[template.slot]]\nname = \"s\"\nassets = [\"a\"]\n"
        )?;
        writeln!(
            rules,
            "rule \"r{number}\" for placement \"top\" contextual {{ then show template \"t{number}\" }}"
        )?;
    }
    let files = [("catalog.toml", catalog), ("all.rules", rules)];
    let files = files.into_iter().map(|(path, text)| SourceFile { path: path.into(), text });
    let sources = Sources { files: files.collect() };
    let compiled =
        compile(&sources).map_err(|problems| anyhow!("{}", render_all(&problems, &sources.files)))?;
    Ok(Arc::new(LoadedBundle::from_bytes(&tessera_wire::bundle::encode(&compiled.bundle))?))
}

fn main() -> anyhow::Result<()> {
    let mut criterion = Criterion::default().configure_from_args();
    let one = "caps = [{ count = 3, per = \"day\" }]";
    let four = "caps = [{ count = 9, per = \"day\" }, { count = 9, per = \"week\" }, \
                { count = 9, per = \"30 days\" }, { count = 3, per = \"lifetime\" }]";
    let cases = [
        ("switched off", "active = false", "", 0),
        ("one cap", one, "", 0),
        ("four caps", four, "", 0),
        ("shown in order", "", "", 20),
        ("ranked by weight", "", "weight = 3", 20),
    ];
    let mut group = criterion.benchmark_group("eligibility of 100 candidates");
    group.throughput(Throughput::Elements(CANDIDATES as u64));
    for (name, campaign, flight, shown) in cases {
        let bundle = bundle(campaign, flight)?;
        let snapshot = without_models(&bundle);
        let program = bundle.program();
        let (mut frame, mut scratch) = (Frame::new(program), Scratch::new(program));
        let outcome = evaluate(&own_consent(), &Policy::default(), NOW_MS);
        let (traits, features) = (traits(), vec![Some(3); program.program().features.len()]);
        let raw = RawSignals { features: &features, ..visitor(1, &traits) };
        let asked = PlacementRequest { slot: "top", count: 20, ..PlacementRequest::default() };
        let admitted = admit(program, &raw, std::slice::from_ref(&asked), &outcome, NOW_MS, &mut frame);
        let ads = decide(&snapshot, &admitted, NOW_MS, 1, &mut scratch).ads.len();
        anyhow::ensure!(ads == shown, "{name}: {ads} ads instead of {shown}");
        group.bench_function(name, |bencher| {
            let mut seed = 0u64;
            bencher.iter(|| {
                seed += 1;
                decide(&snapshot, black_box(&admitted), NOW_MS, seed, &mut scratch).ads.len()
            });
        });
    }
    group.finish();
    criterion.final_summary();
    Ok(())
}
