//! Verification accepts what is right and names what is wrong.
#![allow(clippy::expect_used)]

mod sample;

use sample::{AGE, BOUNDS, DEVICE, program};
use tessera_rulevm::{CatalogBounds, Part, VerifiedProgram, VerifyError, limits, work_of};
use tessera_wire::catalog::{CreativeId, OfferId, PlacementId, TemplateId};
use tessera_wire::program::*;
use tessera_wire::signal::{Gates, Kind};

fn refusal(change: impl FnOnce(&mut Program)) -> VerifyError {
    let mut changed = program();
    change(&mut changed);
    VerifiedProgram::verify(changed, BOUNDS).expect_err("the corruption was accepted")
}

fn dangling(part: Part, at: usize, target: Part) -> VerifyError {
    VerifyError::DanglingIndex { part, at, target }
}

#[test]
fn a_good_program_is_accepted_and_indexed() {
    let verified = sample::verified();
    assert_eq!(verified.word("beta"), WordId(2));
    assert_eq!(verified.word("delta"), WordId::OTHER);
    assert_eq!(verified.rules_of(PlacementId(0)), 0..3);
    assert_eq!(verified.rules_of(PlacementId(1)), 3..4);
    assert_eq!(verified.rules_of(PlacementId(2)), 0..0);
    assert_eq!(verified.rules_of(PlacementId(u32::MAX)), 0..0);
    assert_eq!(work_of(verified.program()), 13 + 11 + 4 + 1);
    assert!(verified.work_max() >= 29);
}

#[test]
fn an_empty_program_is_accepted() {
    let verified = VerifiedProgram::verify(Program::default(), CatalogBounds::default()).unwrap();
    assert_eq!(verified.work_max(), 0);
    assert_eq!(verified.rules_of(PlacementId(0)), 0..0);
}

#[test]
fn dangling_indices_are_refused() {
    assert_eq!(refusal(|p| p.literals[12].signal.0 = 99), dangling(Part::Literal, 12, Part::Attribute));
    assert_eq!(
        refusal(|p| p.literals[2].constraint = Constraint::InRanges(Span { first: 4, len: 2 })),
        dangling(Part::Literal, 2, Part::Range)
    );
    assert_eq!(
        refusal(|p| p.literals[0].constraint = Constraint::OneOf(Span { first: u32::MAX, len: u32::MAX })),
        dangling(Part::Literal, 0, Part::Word)
    );
    assert_eq!(refusal(|p| p.words[1] = WordId(4)), dangling(Part::Literal, 0, Part::Dictionary));
    assert_eq!(refusal(|p| p.words[0] = WordId::OTHER), dangling(Part::Literal, 0, Part::Dictionary));
    assert_eq!(
        refusal(|p| p.literals[9].constraint = Constraint::StartsWith(WordId(0))),
        dangling(Part::Literal, 9, Part::Dictionary)
    );
    assert_eq!(refusal(|p| p.code[3].literal.0 = 13), dangling(Part::Code, 3, Part::Literal));
    assert_eq!(refusal(|p| p.code[3].on_true = 13), dangling(Part::Code, 3, Part::Code));
    assert_eq!(refusal(|p| p.code[3].on_false = REJECT - 1), dangling(Part::Code, 3, Part::Code));
    assert_eq!(refusal(|p| p.rules[0].entry = 13), dangling(Part::Rule, 0, Part::Code));
    assert_eq!(refusal(|p| p.rules[3].placement.0 = 2), dangling(Part::Rule, 3, Part::Placement));
    assert_eq!(refusal(|p| p.rules[2].actions.len = 3), dangling(Part::Rule, 2, Part::Action));
    assert_eq!(refusal(|p| p.segments[0].entry = 13), dangling(Part::Segment, 0, Part::Code));
    let actions = [
        (Action::ShowTemplate(TemplateId(1)), Part::Template),
        (Action::ShowCreative(CreativeId(2)), Part::Creative),
        (Action::Offer(OfferId(1)), Part::Offer),
        (Action::Tag(WordId(4)), Part::Dictionary),
        (Action::Tag(WordId(0)), Part::Dictionary),
    ];
    for (action, target) in actions {
        assert_eq!(refusal(|p| p.actions[3] = action), dangling(Part::Action, 3, target));
    }
}

#[test]
fn code_that_does_not_go_forward_is_refused() {
    assert_eq!(refusal(|p| p.code[5].on_true = 5), VerifyError::BackwardBranch { at: 5 });
    assert_eq!(refusal(|p| p.code[5].on_false = 0), VerifyError::BackwardBranch { at: 5 });
}

#[test]
fn unsorted_lists_are_refused() {
    let order = |part, at| VerifyError::OutOfOrder { part, at };
    assert_eq!(refusal(|p| p.dictionary.swap(0, 1)), order(Part::Dictionary, 1));
    assert_eq!(refusal(|p| p.dictionary[1] = "alpha".into()), order(Part::Dictionary, 1));
    assert_eq!(refusal(|p| p.words.swap(0, 1)), order(Part::Word, 1));
    assert_eq!(refusal(|p| p.literals.swap(0, 12)), order(Part::Literal, 1));
    assert_eq!(refusal(|p| p.rules.swap(0, 1)), order(Part::Rule, 1));
    assert_eq!(refusal(|p| p.rules[2].priority = 11), order(Part::Rule, 2));
    assert_eq!(refusal(|p| p.rules[1].tier = 0), order(Part::Rule, 1));
    assert_eq!(refusal(|p| p.rules[3].placement.0 = 0), order(Part::Rule, 3));
    assert_eq!(refusal(|p| p.attributes[1].name = "device.type".into()), order(Part::Attribute, 1));
    assert_eq!(refusal(|p| p.segments.push(p.segments[0].clone())), order(Part::Segment, 1));
}

#[test]
fn bad_ranges_are_refused() {
    assert_eq!(refusal(|p| p.ranges[0] = (10, 0)), VerifyError::BadRanges { literal: 2 });
    assert_eq!(refusal(|p| p.ranges[1] = (10, 30)), VerifyError::BadRanges { literal: 2 });
    assert_eq!(refusal(|p| p.ranges.swap(0, 1)), VerifyError::BadRanges { literal: 2 });
}

#[test]
fn literals_must_fit_the_kind_of_their_attribute() {
    for (at, kind) in [(0, Kind::Set), (1, Kind::Text), (3, Kind::Text), (4, Kind::Number), (6, Kind::Text)] {
        let error = refusal(|p| {
            p.attributes[at].kind = kind;
            p.attributes[at].origin = Origin::Context("x".into());
        });
        assert!(matches!(error, VerifyError::KindMismatch { .. }), "{at} {kind:?} {error:?}");
    }
    assert_eq!(refusal(|p| p.attributes[5].needs_text = false), VerifyError::TextNotKept { literal: 9 });
}

#[test]
fn attributes_must_agree_with_themselves_and_the_vocabulary() {
    let bad = |at| VerifyError::BadAttribute { at };
    assert_eq!(refusal(|p| p.attributes[0].name = "device".into()), bad(0));
    assert_eq!(refusal(|p| p.attributes[0].kind = Kind::Set), bad(0));
    assert_eq!(refusal(|p| p.attributes[1].name.clear()), bad(1));
    assert_eq!(refusal(|p| p.attributes[1].currency = "EUR".into()), bad(1));
    assert_eq!(refusal(|p| p.attributes[2].currency.clear()), bad(2));
    assert_eq!(refusal(|p| p.attributes[2].currency = "eur".into()), bad(2));
    assert_eq!(refusal(|p| p.attributes[1].needs_text = true), bad(1));
    assert_eq!(refusal(|p| p.attributes[1].gates = Gates(1 << 15)), bad(1));
}

#[test]
fn consent_gates_cannot_be_dropped() {
    assert_eq!(refusal(|p| p.attributes[2].gates = Gates::STORE_ACCESS), VerifyError::MissingGate { at: 2 });
    assert_eq!(refusal(|p| p.segments[0].gates = Gates::NONE), VerifyError::SegmentGates { at: 0 });
    assert_eq!(refusal(|p| p.attributes[6].gates = Gates::ALL), VerifyError::SegmentGates { at: 0 });
}

#[test]
fn named_limits_hold() {
    assert_eq!(
        refusal(|p| p.dictionary[2] = "z".repeat(limits::WORD_BYTES_MAX + 1)),
        VerifyError::WordTooLong { at: 2, max: limits::WORD_BYTES_MAX }
    );
    let too_many = |part, max| VerifyError::TooMany { part, found: max + 1, max };
    let segment = program().segments[0].clone();
    assert_eq!(
        refusal(|p| p.segments = vec![segment; limits::SEGMENTS_MAX + 1]),
        too_many(Part::Segment, limits::SEGMENTS_MAX)
    );
    let literal = Literal { signal: AGE, polarity: Polarity::Holds, constraint: Constraint::Known };
    assert_eq!(
        refusal(|p| p.literals = vec![literal; limits::LITERALS_MAX + 1]),
        too_many(Part::Literal, limits::LITERALS_MAX)
    );
    let bounds = CatalogBounds { placements: u32::MAX, ..BOUNDS };
    assert!(matches!(
        VerifiedProgram::verify(program(), bounds),
        Err(VerifyError::TooMany { part: Part::Placement, .. })
    ));
}

#[test]
fn the_work_bound_is_the_longest_path_of_every_rule() {
    let mut long = Program { attributes: program().attributes, ..Program::default() };
    long.literals =
        vec![Literal { signal: DEVICE, polarity: Polarity::Holds, constraint: Constraint::Known }];
    let length = 100_000u32;
    let branch = |at| Branch { literal: LiteralId(0), on_true: at, on_false: REJECT };
    long.code = (1..=length).map(|next| branch(if next == length { ACCEPT } else { next })).collect();
    let mut rule = program().rules[2].clone();
    rule.actions = Span { first: 0, len: 0 };
    rule.entry = 0;
    let many = limits::WORK_STEPS_MAX as u32 / length + 1;
    // Two of the rules are tiers of one.
    let of = |source: u32| if source == 7 { (6, 1) } else { (source, 0) };
    long.rules = (0..many).map(of).map(|(source, tier)| Rule { source, tier, ..rule.clone() }).collect();
    let found = (many * length) as usize;
    long.work_max = u64::MAX;
    let culprit = VerifyError::TooMuchWork {
        found,
        max: limits::WORK_STEPS_MAX,
        rule: 6,
        of_rule: 2 * length as usize,
    };
    assert_eq!(VerifiedProgram::verify(long.clone(), BOUNDS).unwrap_err(), culprit);
    assert!(culprit.to_string().contains("rule 6 takes 200000 of them"));
    long.rules.pop();
    let found = found - length as usize;
    assert_eq!(work_of(&long), found as u64);
    long.work_max = found as u64 - 1;
    assert_eq!(
        VerifiedProgram::verify(long.clone(), BOUNDS).unwrap_err(),
        VerifyError::UnderstatedWork { found, stated: found as u64 - 1 }
    );
    long.work_max = found as u64;
    let verified = VerifiedProgram::verify(long, BOUNDS).unwrap();
    assert!((found..=limits::WORK_STEPS_MAX).contains(&verified.work_max()));
}
