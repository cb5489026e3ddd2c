//! How long it takes from rule text to an index that answers requests, over the matcher's public workload: parsing,
//! checking, lowering, and verifying, which builds the index. The last part is measured alone too, because it is what an
//! engine does with a bundle.

use std::hint::black_box;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use rulec::{Compiled, Names, SourceFile, compile};
use tessera_fixtures::workload::rules::rules;
use tessera_fixtures::workload::text::rule_files;
use tessera_fixtures::workload::{Profile, RULES_SEED};
use tessera_rulevm::VerifiedProgram;

fn files(count: usize, profile: Profile) -> Vec<SourceFile> {
    let texts = rule_files(&rules(count, profile, RULES_SEED)).into_iter().enumerate();
    texts.map(|(number, text)| SourceFile { path: format!("{number}.rules"), text }).collect()
}

fn compiling(criterion: &mut Criterion) {
    let names = Names { placements: vec!["p".to_owned()], ..Names::default() };
    for (name, profile) in [("broad", Profile::Broad), ("narrow", Profile::Narrow)] {
        for count in [100, 1_000, 10_000, 100_000] {
            let files = files(count, profile);
            // A workload that does not compile shows as a missing line.
            let Ok(Compiled { program, .. }) = compile(&files, &names, &[]) else { continue };
            let mut group = criterion.benchmark_group(format!("compile {count} {name}"));
            group.sample_size(10);
            group.bench_function("text to index", |bencher| {
                bencher.iter_with_large_drop(|| black_box(compile(&files, &names, &[])));
            });
            group.bench_function("program to index", |bencher| {
                bencher.iter_batched(
                    || program.clone(),
                    |program| black_box(VerifiedProgram::verify(program, names.bounds())),
                    BatchSize::PerIteration,
                );
            });
            group.finish();
        }
    }
}

criterion_group!(benches, compiling);
criterion_main!(benches);
