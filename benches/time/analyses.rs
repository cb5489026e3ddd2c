//! How long the analyses of a whole bundle take: what never matches, never comes first, ties and gaps, over all pairs of
//! rules in one placement.

use std::hint::black_box;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use rulec::{Names, SourceFile, analyse, compile};
use tessera_fixtures::workload::rules::rules;
use tessera_fixtures::workload::text::rule_files;
use tessera_fixtures::workload::{Profile, RULES_SEED};
use tessera_rulevm::VerifiedProgram;

fn verified(count: usize, profile: Profile) -> Option<VerifiedProgram> {
    let texts = rule_files(&rules(count, profile, RULES_SEED)).into_iter();
    // Rules that show something compete; those that only report do not.
    let shown = texts.map(|text| text.replace("then tag \"t\"", "then show creative \"a\""));
    let files: Vec<SourceFile> =
        shown.map(|text| SourceFile { path: "workload.rules".to_owned(), text }).collect();
    let names = Names { placements: vec!["home".to_owned()], ..rulec::assumed_names(&files) };
    let compiled = compile(&files, &names, &[]).ok()?;
    VerifiedProgram::verify(compiled.program, names.bounds()).ok()
}

fn analyses(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("analyses");
    group.sample_size(10);
    for (name, profile) in [("broad", Profile::Broad), ("narrow", Profile::Narrow)] {
        for count in [1_000, 10_000] {
            // A workload that does not compile shows as a missing line.
            let Some(program) = verified(count, profile) else { continue };
            group.bench_function(format!("{count} {name}"), |bencher| {
                bencher.iter_batched(
                    || (),
                    |()| black_box(analyse::analyse(&program)),
                    BatchSize::PerIteration,
                );
            });
        }
    }
    group.finish();
}

criterion_group!(benches, analyses);
criterion_main!(benches);
