//! How long segments take over a million customers: columns of them, and one customer after another.
//!
//! Prints a table; `cargo xtask record columnar` writes it down.
#![allow(clippy::print_stdout, reason = "a bench speaks to a terminal")]

use std::time::Instant;

use tessera_benches::audience::{Audience, NOW_MS, audience, fill};
use tessera_rulevm::columnar::{Batch, Matches, Query};
use tessera_rulevm::{Frame, Scratch, evaluate};
use tessera_wire::program::SegmentId;
use tessera_wire::signal::Gates;

const ROWS: u64 = 1_000_000;
const ROUNDS: usize = 9;
/// Rows that are also evaluated one by one.
const SINGLE_ROWS: u64 = 20_000;

fn main() -> anyhow::Result<()> {
    // `cargo test --benches` must not take a minute.
    if std::env::args().any(|argument| argument == "--test") {
        return Ok(());
    }
    let Audience { program, predicates } = audience()?;
    let all = Query::segments(&program);
    let started = Instant::now();
    let mut batches = fill_batches(&program, &all);
    let filled = started.elapsed().as_secs_f64();
    let mut matches = Matches::default();
    let started = Instant::now();
    batches.iter_mut().for_each(|batch| all.evaluate(&program, batch, NOW_MS, &mut matches));
    let first = started.elapsed().as_secs_f64();
    let rows = ROWS as f64;
    let segments = all.len() as f64;
    println!(
        "{predicates} predicates in {segments} segments, {} distinct literals\n",
        program.program().literals.len()
    );
    println!(
        "| what | total | per row | per segment and row | per predicate and row |\n| --- | ---: | ---: | ---: | ---: |"
    );
    let line = |what: &str, secs: f64, asked: f64, rows: f64| {
        let per_row = secs * 1e9 / rows;
        println!(
            "| {what} | {:.1} ms | {per_row:.2} ns | {:.3} ns | {:.3} ns |",
            secs * 1e3,
            per_row / segments,
            per_row / asked
        );
    };
    let median =
        median(|| batches.iter_mut().for_each(|batch| all.evaluate(&program, batch, NOW_MS, &mut matches)));
    line("all segments over a million packed rows", median, predicates as f64, rows);
    one_by_one(&program, predicates as f64, &line);
    println!(
        "\nMaking and filling frames, and pushing them: {:.0} ns per row. Packing, once: {:.1} ns per row.",
        filled * 1e9 / rows,
        (first - median).max(0.0) * 1e9 / rows
    );
    let alone = single_segments(&program);
    println!(
        "One segment alone over a million packed rows: {:.1} ms (median of {} segments).",
        alone * 1e3,
        all.len()
    );
    Ok(())
}

fn fill_batches(program: &tessera_rulevm::VerifiedProgram, query: &Query) -> Vec<Batch> {
    let mut frame = Frame::new(program);
    let mut batches = vec![Batch::new(program, query)];
    for number in 0..ROWS {
        fill(program, &mut frame, number);
        while !batches.last_mut().is_some_and(|batch| batch.push(&frame, Gates::ALL)) {
            batches.push(Batch::new(program, query));
        }
    }
    batches
}

/// The same question by the matcher of requests; both must find the same customers.
fn one_by_one(
    program: &tessera_rulevm::VerifiedProgram,
    predicates: f64,
    line: &impl Fn(&str, f64, f64, f64),
) {
    let mut scratch = Scratch::new(program);
    let mut frames = Vec::new();
    for number in 0..SINGLE_ROWS {
        let mut frame = Frame::new(program);
        fill(program, &mut frame, number);
        frames.push(frame);
    }
    let mut found = 0;
    let secs = median(|| {
        found = 0;
        for frame in &frames {
            evaluate(program, frame, &mut scratch);
            let segments = 0..program.program().segments.len() as u32;
            found += segments.filter(|segment| scratch.is_segment_true(SegmentId(*segment))).count();
        }
    });
    line("the same, one frame after another", secs, predicates, SINGLE_ROWS as f64);
    let query = Query::segments(program);
    let (mut batch, mut matches) = (Batch::new(program, &query), Matches::default());
    assert!(frames.iter().all(|frame| batch.push(frame, Gates::ALL)), "the batch is large enough");
    query.evaluate(program, &mut batch, NOW_MS, &mut matches);
    let columnar: usize = (0..query.len()).map(|segment| matches.count(segment)).sum();
    assert_eq!(columnar, found, "both ways find the same customers");
}

/// Median over the segments of the time that each takes alone.
fn single_segments(program: &tessera_rulevm::VerifiedProgram) -> f64 {
    let mut times: Vec<f64> = Vec::new();
    for segment in &program.program().segments {
        let query = Query::new(program, &[segment.entry]);
        let mut batches = fill_batches(program, &query);
        let mut matches = Matches::default();
        batches.iter_mut().for_each(|batch| query.evaluate(program, batch, NOW_MS, &mut matches));
        times.push(median(|| {
            batches.iter_mut().for_each(|batch| query.evaluate(program, batch, NOW_MS, &mut matches));
        }));
    }
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// Median seconds of some rounds.
fn median(mut run: impl FnMut()) -> f64 {
    let mut rounds: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let started = Instant::now();
            run();
            started.elapsed().as_secs_f64()
        })
        .collect();
    rounds.sort_by(f64::total_cmp);
    rounds[ROUNDS / 2]
}
