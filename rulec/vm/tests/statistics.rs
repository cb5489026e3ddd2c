//! What statistics say of traffic, and that they choose where rules are looked up.
#![allow(clippy::unwrap_used)]

mod sample;

use sample::*;
use tessera_rulevm::{
    AttributeStatistics, Frame, Scratch, Statistics, StatisticsBuilder, VerifiedProgram, evaluate, limits,
};
use tessera_wire::program::*;

#[test]
fn gathered_statistics_are_shares_of_all_requests() {
    let program = verified();
    let mut builder = StatisticsBuilder::new(&program);
    let mut frame = Frame::new(&program);
    for number in 0..40i64 {
        frame.reset(&program, 10_000);
        if number % 4 == 0 {
            fill(&program, &mut frame);
            frame.set_integer(AGE, number);
        }
        builder.observe(&program, &frame);
    }
    let statistics = builder.finish(&program);
    let of = |name: &str| statistics.get(name).unwrap();
    assert_eq!(of("age").known, 0.25);
    assert_eq!(of("age").sample, [0, 4, 8, 12, 16, 20, 24, 28, 32, 36]);
    assert_eq!(of("last_visit").sample, [500; 10], "of times their ages");
    let words: Vec<(&str, f32)> =
        of("page.keywords").words.iter().map(|(word, share)| (word.as_str(), *share)).collect();
    assert_eq!(words, [("alpha", 0.25), ("gamma", 0.25)]);
    assert_eq!(statistics.get("nobody"), None);
}

#[test]
fn samples_stay_bounded_and_spread_over_all_requests() {
    let program = verified();
    let mut builder = StatisticsBuilder::new(&program);
    let mut frame = Frame::new(&program);
    let requests = limits::STATISTICS_SAMPLE_MAX as i64 * 20;
    for number in 0..requests {
        frame.reset(&program, 0);
        frame.set_integer(AGE, number);
        builder.observe(&program, &frame);
    }
    let statistics = builder.finish(&program);
    let sample = &statistics.get("age").unwrap().sample;
    assert!((limits::STATISTICS_SAMPLE_MAX / 2..=limits::STATISTICS_SAMPLE_MAX).contains(&sample.len()));
    let middle = sample[sample.len() / 2];
    assert!((requests * 4 / 10..requests * 6 / 10).contains(&middle), "{middle} of {requests}");
}

/// One rule reads a device and a keyword. It is looked up by whichever is said to be rare.
#[test]
fn rules_are_looked_up_by_their_rarest_literal() {
    let mut source = program();
    source.code.truncate(2);
    source.code[0] = Branch { literal: LiteralId(0), on_true: 1, on_false: REJECT };
    source.code[1] = Branch { literal: LiteralId(5), on_true: ACCEPT, on_false: REJECT };
    source.rules.truncate(1);
    source.rules[0].entry = 0;
    source.segments.clear();
    let word = |share: f32| {
        let words = ["alpha", "gamma"].map(|word| (word.to_owned(), share)).into_iter().collect();
        AttributeStatistics { known: 1.0, words, sample: Vec::new() }
    };
    for (device, keywords, is_by_device) in [(0.9, 0.01, false), (0.01, 0.9, true)] {
        let mut statistics = Statistics::default();
        statistics.insert("device.type", word(device));
        statistics.insert("page.keywords", word(keywords));
        let program = VerifiedProgram::verify_with(source.clone(), BOUNDS, &statistics).unwrap();
        let (mut frame, mut scratch) = (Frame::new(&program), Scratch::new(&program));
        frame.set_text(&program, DEVICE, "alpha");
        evaluate(&program, &frame, &mut scratch);
        assert_eq!(scratch.steps() > 0, is_by_device, "{device} {keywords}");
        frame.begin_set(KEYWORDS);
        frame.push_member(&program, KEYWORDS, "gamma");
        evaluate(&program, &frame, &mut scratch);
        assert!(scratch.is_rule_true(RuleId(0)));
    }
}
