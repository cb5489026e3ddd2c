//! What evaluation means, signal by signal.

mod sample;

use sample::*;
use tessera_rulevm::{Frame, Scratch, Truth, evaluate, limits, literal_truth, literals_of};
use tessera_wire::program::{LiteralId, RuleId, SegmentId, WordId};

#[test]
fn rules_and_segments_match_when_their_condition_is_true() {
    let program = verified();
    let (mut frame, mut scratch) = (Frame::new(&program), Scratch::new(&program));
    fill(&program, &mut frame);
    evaluate(&program, &frame, &mut scratch);
    // The conjunction needs age both inside and outside its ranges, so only the unconditional rule and the text rule match.
    let matches: Vec<bool> = (0..4).map(|rule| scratch.is_rule_true(RuleId(rule))).collect();
    assert_eq!(matches, [false, false, true, true]);
    assert!(scratch.is_segment_true(SegmentId(0)));
    assert!(!scratch.is_segment_true(SegmentId(1)));
    assert!(scratch.steps() <= program.work_max());
}

#[test]
fn an_unknown_signal_fires_only_possibly_and_not_definitely() {
    let program = verified();
    let mut frame = Frame::new(&program);
    for literal in 0..13 {
        let (fires, truth) = literal_truth(&program, &frame, LiteralId(literal));
        assert_eq!(truth, Truth::Unknown, "literal {literal}");
        assert_eq!(fires, matches!(literal, 1 | 4), "literal {literal}");
    }
    fill(&program, &mut frame);
    let expected: [bool; 13] =
        [true, false, true, false, true, true, true, true, true, true, true, true, true];
    for (literal, expected) in expected.into_iter().enumerate() {
        assert_eq!(
            literal_truth(&program, &frame, LiteralId(literal as u32)).0,
            expected,
            "literal {literal}"
        );
    }
    assert_eq!(literal_truth(&program, &frame, LiteralId(99)), (false, Truth::Unknown));
}

#[test]
fn range_ends_belong_to_the_range() {
    let program = verified();
    let mut frame = Frame::new(&program);
    for (age, expected) in
        [(-1, false), (0, true), (10, true), (11, false), (20, true), (30, true), (31, false)]
    {
        frame.set_integer(AGE, age);
        assert_eq!(literal_truth(&program, &frame, LiteralId(2)).0, expected, "{age}");
    }
    for (visit, expected) in
        [(10_001, false), (10_000, true), (9_000, true), (8_999, false), (i64::MIN, false)]
    {
        frame.reset(&program, 10_000);
        frame.set_integer(VISIT, visit);
        assert_eq!(literal_truth(&program, &frame, LiteralId(8)).0, expected, "{visit}");
    }
}

#[test]
fn sets_tell_empty_from_unknown() {
    let program = verified();
    let mut frame = Frame::new(&program);
    let truths =
        |frame: &Frame| [5, 6, 7].map(|literal| literal_truth(&program, frame, LiteralId(literal)).1);
    assert_eq!(truths(&frame), [Truth::Unknown; 3]);
    frame.begin_set(KEYWORDS);
    assert_eq!(truths(&frame), [Truth::False, Truth::False, Truth::True]);
    frame.push_member(&program, KEYWORDS, "alpha");
    assert_eq!(truths(&frame), [Truth::True, Truth::False, Truth::True]);
    frame.push_member(&program, KEYWORDS, "unmentioned");
    frame.push_member(&program, KEYWORDS, "also unmentioned");
    assert_eq!(truths(&frame), [Truth::True, Truth::False, Truth::False]);
    frame.push_member(&program, KEYWORDS, "gamma");
    assert_eq!(truths(&frame), [Truth::True, Truth::True, Truth::False]);
    assert_eq!(frame.members(KEYWORDS), Some(&[WordId::OTHER, WordId(1), WordId(3)][..]));
}

#[test]
fn getters_answer_only_for_the_shape_that_was_set() {
    let program = verified();
    let mut frame = Frame::new(&program);
    fill(&program, &mut frame);
    assert_eq!(
        (frame.integer(AGE), frame.word(AGE), frame.text(AGE), frame.members(AGE)),
        (Some(25), None, None, None)
    );
    assert_eq!(
        (frame.word(DEVICE), frame.text(DEVICE), frame.integer(DEVICE)),
        (Some(WordId(1)), Some(""), None)
    );
    assert_eq!(frame.text(PATH), Some("alpha/gamma/beta"));
    assert_eq!(frame.now_ms(), 10_000);
    frame.reset(&program, 1);
    assert!((0..7).all(|signal| !frame.is_known(tessera_wire::program::SignalId(signal))));
}

#[test]
fn what_does_not_fit_becomes_unknown() {
    let program = verified();
    let mut frame = Frame::new(&program);
    frame.set_text(&program, PATH, "alpha");
    frame.set_text(&program, PATH, &"x".repeat(limits::FRAME_TEXT_BYTES_MAX));
    assert!(!frame.is_known(PATH));
    frame.set_text(&program, DEVICE, &"x".repeat(limits::FRAME_TEXT_BYTES_MAX));
    assert_eq!(frame.word(DEVICE), Some(WordId::OTHER), "texts that nobody looks into take no space");
    frame.begin_set(KEYWORDS);
    frame.set_integer(KEYWORDS, 1);
    frame.push_member(&program, KEYWORDS, "alpha");
    assert_eq!(frame.members(KEYWORDS), None, "a value set since then is not a set to add to");
    frame.set_integer(tessera_wire::program::SignalId(99), 1);
    frame.set_text(&program, tessera_wire::program::SignalId(99), "x");
    frame.begin_set(tessera_wire::program::SignalId(99));
    frame.push_member(&program, tessera_wire::program::SignalId(99), "x");
}

#[test]
fn a_member_for_another_set_than_the_open_one_makes_it_unknown() {
    let mut source = program();
    source.attributes[4].kind = tessera_wire::signal::Kind::Set;
    source.literals[8].constraint = tessera_wire::program::Constraint::Known;
    let program = tessera_rulevm::VerifiedProgram::verify(source, BOUNDS).unwrap();
    let mut frame = Frame::new(&program);
    frame.begin_set(KEYWORDS);
    frame.begin_set(VISIT);
    frame.push_member(&program, VISIT, "alpha");
    frame.push_member(&program, KEYWORDS, "alpha");
    assert_eq!(frame.members(KEYWORDS), None);
    assert_eq!(frame.members(VISIT), Some(&[WordId(1)][..]));
}

#[test]
fn the_next_true_rule_is_the_first_set_bit_of_the_range() {
    let mut source = program();
    let rule = source.rules[2].clone();
    source.rules = (0..200).map(|source| tessera_wire::program::Rule { source, ..rule.clone() }).collect();
    for (index, rule) in source.rules.iter_mut().enumerate() {
        rule.entry = if [3, 63, 64, 130].contains(&index) {
            tessera_wire::program::ACCEPT
        } else {
            tessera_wire::program::REJECT
        };
    }
    let program = tessera_rulevm::VerifiedProgram::verify(source, BOUNDS).unwrap();
    let (frame, mut scratch) = (Frame::new(&program), Scratch::default());
    evaluate(&program, &frame, &mut scratch);
    for start in 0..202u32 {
        for end in [start, 63, 64, 65, 130, 131, 200, 500] {
            let expected = (start..end).find(|rule| [3, 63, 64, 130].contains(rule)).map(RuleId);
            assert_eq!(scratch.next_true_rule(start..end), expected, "{start}..{end}");
            let all: Vec<u32> = scratch.true_rules(start..end).map(|rule| rule.0).collect();
            let expected = [3, 63, 64, 130].into_iter().filter(|rule| (start..end).contains(rule));
            assert_eq!(all, expected.collect::<Vec<u32>>(), "{start}..{end}");
        }
    }
}

#[test]
fn scratch_and_frame_adapt_to_another_program() {
    let (small, large) =
        (tessera_rulevm::VerifiedProgram::verify(Default::default(), BOUNDS).unwrap(), verified());
    let (mut frame, mut scratch) = (Frame::new(&small), Scratch::new(&small));
    fill(&large, &mut frame);
    evaluate(&large, &frame, &mut scratch);
    assert!(scratch.is_rule_true(RuleId(2)));
    frame.reset(&small, 0);
    evaluate(&small, &frame, &mut scratch);
    assert!(!scratch.is_rule_true(RuleId(2)));
}

#[test]
fn literals_of_an_entry_come_in_code_order() {
    let program = verified();
    let all: Vec<u32> = literals_of(&program, 0).into_iter().map(|literal| literal.0).collect();
    assert_eq!(all, (0..13).collect::<Vec<_>>());
    let text: Vec<u32> = literals_of(&program, 9).into_iter().map(|literal| literal.0).collect();
    assert_eq!(text, [9, 10, 11, 12]);
    assert!(literals_of(&program, tessera_wire::program::ACCEPT).is_empty());
}
