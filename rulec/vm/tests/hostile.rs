//! Arbitrary damage to a program is refused or harmless: never a panic, never more steps than were proven.

mod sample;

use proptest::prelude::*;
use sample::{BOUNDS, program};
use tessera_rulevm::{
    Frame, Scratch, VerifiedProgram, evaluate, evaluate_by_code, literal_truth, literals_of,
};
use tessera_wire::codec;
use tessera_wire::program::*;
use tessera_wire::signal::{Gates, Kind};

/// Runs whatever verification accepts, with everything unknown and with values.
fn run(mut program: Program) -> bool {
    program.work_max = tessera_rulevm::work_of(&program);
    let Ok(verified) = VerifiedProgram::verify(program, BOUNDS) else { return false };
    let (mut frame, mut scratch) = (Frame::new(&verified), Scratch::new(&verified));
    let mut by_code = Scratch::new(&verified);
    for is_filled in [false, true] {
        if is_filled {
            sample::fill(&verified, &mut frame);
        }
        evaluate(&verified, &frame, &mut scratch);
        assert!(scratch.steps() <= verified.work_max());
        evaluate_by_code(&verified, &frame, &mut by_code);
        assert!(by_code.steps() <= verified.work_max());
        for rule in (0..verified.program().rules.len() as u32).map(RuleId) {
            assert_eq!(scratch.is_rule_true(rule), by_code.is_rule_true(rule), "{rule:?}");
        }
        for rule in &verified.program().rules {
            for literal in literals_of(&verified, rule.entry) {
                literal_truth(&verified, &frame, literal);
            }
        }
    }
    true
}

fn index() -> impl Strategy<Value = u32> {
    prop_oneof![8 => 0u32..16, 1 => Just(ACCEPT), 1 => Just(REJECT), 1 => any::<u32>()]
}

fn span() -> impl Strategy<Value = Span> {
    (index(), index()).prop_map(|(first, len)| Span { first, len })
}

fn constraint() -> impl Strategy<Value = Constraint> {
    prop_oneof![
        Just(Constraint::Known),
        span().prop_map(Constraint::InRanges),
        span().prop_map(Constraint::AgeInRanges),
        span().prop_map(Constraint::OneOf),
        span().prop_map(Constraint::AnyOf),
        span().prop_map(Constraint::AllOf),
        span().prop_map(Constraint::OnlyOf),
        index().prop_map(|word| Constraint::StartsWith(WordId(word))),
        index().prop_map(|word| Constraint::EndsWith(WordId(word))),
        index().prop_map(|word| Constraint::Contains(WordId(word))),
    ]
}

#[derive(Debug, Clone)]
enum Damage {
    Constraint(usize, Constraint),
    LiteralSignal(usize, u16),
    Branch(usize, u32, u32, u32),
    Entry(usize, u32),
    Actions(usize, Span),
    Range(usize, i64, i64),
    Word(usize, u32),
    Kind(usize, u8),
    Gates(usize, u16),
    SwapRules(usize, usize),
    SwapWords(usize, usize),
    Placement(usize, u32),
    DropLast(u8),
}

fn damage() -> impl Strategy<Value = Damage> {
    let at = 0usize..16;
    prop_oneof![
        (at.clone(), constraint()).prop_map(|(at, constraint)| Damage::Constraint(at, constraint)),
        (at.clone(), 0u16..9).prop_map(|(at, signal)| Damage::LiteralSignal(at, signal)),
        (at.clone(), index(), index(), index()).prop_map(|(at, a, b, c)| Damage::Branch(at, a, b, c)),
        (at.clone(), index()).prop_map(|(at, entry)| Damage::Entry(at, entry)),
        (at.clone(), span()).prop_map(|(at, span)| Damage::Actions(at, span)),
        (at.clone(), any::<i64>(), any::<i64>()).prop_map(|(at, low, high)| Damage::Range(at, low, high)),
        (at.clone(), index()).prop_map(|(at, word)| Damage::Word(at, word)),
        (at.clone(), 0u8..6).prop_map(|(at, kind)| Damage::Kind(at, kind)),
        (at.clone(), any::<u16>()).prop_map(|(at, gates)| Damage::Gates(at, gates)),
        (at.clone(), at.clone()).prop_map(|(left, right)| Damage::SwapRules(left, right)),
        (at.clone(), at.clone()).prop_map(|(left, right)| Damage::SwapWords(left, right)),
        (at, index()).prop_map(|(at, placement)| Damage::Placement(at, placement)),
        (0u8..8).prop_map(Damage::DropLast),
    ]
}

fn apply(program: &mut Program, damage: Damage) {
    match damage {
        Damage::Constraint(at, constraint) => program.literals[at % 13].constraint = constraint,
        Damage::LiteralSignal(at, signal) => program.literals[at % 13].signal = SignalId(signal),
        Damage::Branch(at, literal, on_true, on_false) => {
            program.code[at % 13] = Branch { literal: LiteralId(literal), on_true, on_false };
        }
        Damage::Entry(at, entry) => program.rules[at % 4].entry = entry,
        Damage::Actions(at, span) => program.rules[at % 4].actions = span,
        Damage::Range(at, low, high) => program.ranges[at % 5] = (low, high),
        Damage::Word(at, word) => program.words[at % 2] = WordId(word),
        Damage::Kind(at, kind) => {
            let kinds = [Kind::Bool, Kind::Number, Kind::Money, Kind::Text, Kind::Set, Kind::Time];
            program.attributes[at % 7].kind = kinds[kind as usize];
        }
        Damage::Gates(at, gates) => program.attributes[at % 7].gates = Gates(gates),
        Damage::SwapRules(left, right) => program.rules.swap(left % 4, right % 4),
        Damage::SwapWords(left, right) => program.dictionary.swap(left % 3, right % 3),
        Damage::Placement(at, placement) => program.rules[at % 4].placement.0 = placement,
        Damage::DropLast(_) => {}
    }
}

fn drop_last(program: &mut Program, which: u8) {
    match which {
        0 => drop(program.attributes.pop()),
        1 => drop(program.dictionary.pop()),
        2 => drop(program.ranges.pop()),
        3 => drop(program.words.pop()),
        4 => drop(program.literals.pop()),
        5 => drop(program.code.pop()),
        6 => drop(program.actions.pop()),
        _ => drop(program.rules.pop()),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn damaged_fields_are_refused_or_harmless(damages in proptest::collection::vec(damage(), 1..5)) {
        let mut damaged = program();
        let mut dropped = Vec::new();
        for damage in damages {
            if let Damage::DropLast(which) = damage {
                dropped.push(which);
            } else {
                apply(&mut damaged, damage);
            }
        }
        dropped.into_iter().for_each(|which| drop_last(&mut damaged, which));
        run(damaged);
    }

    #[test]
    fn damaged_bytes_are_refused_or_harmless(
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4)
    ) {
        let mut bytes = codec::encode(&program());
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if let Ok(damaged) = codec::decode::<Program, { 1 << 20 }>(&bytes) {
            run(damaged);
        }
    }
}

#[test]
fn the_undamaged_program_runs() {
    assert!(run(program()));
}
