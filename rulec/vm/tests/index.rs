//! The index says what running the code says, for any program, any statistics and any frame.
//!
//! Two kinds of programs: branches that go anywhere forward, as no compiler makes them, and formulas over many literals,
//! whose disjunctive form is often too large to expand. Frames have unknown signals, and sometimes values of a shape that
//! does not fit their attribute.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use tessera_rulevm::{
    AttributeStatistics, CatalogBounds, Frame, Scratch, Statistics, StatisticsBuilder, VerifiedProgram,
    evaluate, evaluate_by_code, work_of,
};
use tessera_wire::catalog::PlacementId;
use tessera_wire::codec;
use tessera_wire::program::*;
use tessera_wire::signal::{Gates, Kind};

const KINDS: [Kind; 7] =
    [Kind::Text, Kind::Text, Kind::Set, Kind::Set, Kind::Number, Kind::Time, Kind::Version];
const WORDS: u32 = 24;
const BOUNDS: CatalogBounds = CatalogBounds {
    placements: 3,
    templates: 0,
    creatives: 0,
    offers: 0,
    assets: 0,
    campaigns: 0,
    flights: 0,
};
const POLARITIES: [Polarity; 4] =
    [Polarity::Holds, Polarity::Fails, Polarity::Possibly, Polarity::NotDefinitely];

/// Before the pools: words and ranges are written out.
#[derive(Debug, Clone)]
struct Test {
    signal: u16,
    polarity: Polarity,
    shape: u8,
    words: Vec<u32>,
    bounds: Vec<i64>,
}

fn tests(count: usize) -> impl Strategy<Value = Vec<Test>> {
    let polarity = prop_oneof![5 => Just(0usize), 2 => Just(1), 1 => Just(2), 1 => Just(3)];
    let words = proptest::collection::btree_set(1..=WORDS, 0..6);
    let bounds = proptest::collection::btree_set(-40i64..40, 0..5);
    let one =
        (0u16..7, polarity, 0u8..8, words, bounds).prop_map(|(signal, polarity, shape, words, bounds)| {
            Test {
                signal,
                polarity: POLARITIES[polarity],
                shape,
                words: words.into_iter().collect(),
                bounds: bounds.into_iter().collect(),
            }
        });
    proptest::collection::vec(one, 1..count)
}

fn ranges(test: &Test) -> Vec<(i64, i64)> {
    let mut ranges: Vec<(i64, i64)> =
        test.bounds.chunks(2).map(|pair| (pair[0], pair[pair.len() - 1])).collect();
    if let (Some(first), 1) = (ranges.first_mut(), test.shape % 3) {
        first.0 = i64::MIN;
    }
    if let (Some(last), 2) = (ranges.last_mut(), test.shape % 3) {
        last.1 = i64::MAX;
    }
    ranges
}

fn constraint(program: &mut Program, test: &Test) -> Constraint {
    let (first, first_range) = (program.words.len() as u32, program.ranges.len() as u32);
    let words = Span { first, len: test.words.len() as u32 };
    let text = WordId(test.words.first().copied().unwrap_or(1));
    if test.shape == 7 {
        return Constraint::Known;
    }
    let constraint = match KINDS[usize::from(test.signal)] {
        Kind::Text => match test.shape {
            0 => return Constraint::StartsWith(text),
            1 => return Constraint::Contains(text),
            _ => Constraint::OneOf(words),
        },
        Kind::Set => match test.shape {
            0 | 1 => Constraint::AllOf(words),
            2 => Constraint::OnlyOf(words),
            _ => Constraint::AnyOf(words),
        },
        kind => {
            program.ranges.extend(ranges(test));
            let span = Span { first: first_range, len: program.ranges.len() as u32 - first_range };
            let is_age = kind == Kind::Time && test.shape < 4;
            return if is_age { Constraint::AgeInRanges(span) } else { Constraint::InRanges(span) };
        }
    };
    program.words.extend(test.words.iter().map(|word| WordId(*word)));
    constraint
}

fn base(tests: &[Test]) -> Program {
    let attribute = |(index, kind): (usize, &Kind)| Attribute {
        name: format!("a{index}"),
        kind: *kind,
        currency: String::new(),
        origin: Origin::Context(format!("a{index}")),
        gates: Gates::NONE,
        needs_text: *kind == Kind::Text,
        is_caseless: false,
    };
    let mut program = Program {
        attributes: KINDS.iter().enumerate().map(attribute).collect(),
        dictionary: (1..=WORDS).map(text).collect(),
        ..Program::default()
    };
    let mut tests = tests.to_vec();
    tests.sort_by_key(|test| test.signal);
    for test in &tests {
        let constraint = constraint(&mut program, test);
        program.literals.push(Literal { signal: SignalId(test.signal), polarity: test.polarity, constraint });
    }
    program
}

fn text(word: u32) -> String {
    format!("w{word:02}")
}

/// Gives the entries to rules, every third to several placements, and to segments.
fn with_entries(mut program: Program, entries: &[u32]) -> Program {
    for placement in 0..3 {
        for (source, entry) in entries.iter().enumerate() {
            if placement == 0 || source % 3 == 0 {
                program.rules.push(Rule {
                    source: source as u32,
                    tier: 0,
                    placement: PlacementId(placement),
                    priority: 0,
                    class: RuleClass::Personalized,
                    entry: *entry,
                    actions: Span { first: 0, len: 0 },
                });
            }
        }
    }
    let segments = entries.iter().enumerate().filter(|(number, _)| number % 4 == 0);
    let segment = |(number, entry): (usize, &u32)| Segment {
        name: format!("s{number}"),
        entry: *entry,
        gates: Gates::ALL,
    };
    program.segments = segments.map(segment).collect();
    program.work_max = work_of(&program);
    program
}

/// Branches that go anywhere forward.
fn wild_program() -> impl Strategy<Value = Program> {
    let branch = (any::<u32>(), any::<u32>(), any::<u32>());
    (tests(30), proptest::collection::vec(branch, 1..50), proptest::collection::vec(any::<u32>(), 1..40))
        .prop_map(|(tests, branches, entries)| {
            let mut program = base(&tests);
            let (count, literals) = (branches.len() as u32, program.literals.len() as u32);
            let target = |at: u32, choice: u32| match choice % 5 {
                0 => ACCEPT,
                1 => REJECT,
                _ if at + 1 < count => at + 1 + choice / 5 % (count - at - 1),
                _ => REJECT,
            };
            program.code = (0u32..)
                .zip(&branches)
                .map(|(at, branch)| Branch {
                    literal: LiteralId(branch.0 % literals),
                    on_true: target(at, branch.1),
                    on_false: target(at, branch.2),
                })
                .collect();
            let entries: Vec<u32> = entries
                .iter()
                .map(|entry| match entry % 12 {
                    0 => ACCEPT,
                    1 => REJECT,
                    _ => entry / 12 % count,
                })
                .collect();
            with_entries(program, &entries)
        })
}

/// Nested `and` and `or`, written as lists of lists.
#[derive(Debug, Clone)]
enum Formula {
    Literal(u32),
    Junction(bool, Vec<Formula>),
}

fn formula() -> impl Strategy<Value = Formula> {
    let leaf = any::<u32>().prop_map(Formula::Literal);
    leaf.prop_recursive(4, 60, 6, |inner| {
        (any::<bool>(), proptest::collection::vec(inner, 1..6))
            .prop_map(|(is_and, parts)| Formula::Junction(is_and, parts))
    })
}

/// Emits backwards, as compilers do; indices are turned round in the end.
fn emit(formula: &Formula, literals: u32, on_true: u32, on_false: u32, code: &mut Vec<Branch>) -> u32 {
    match formula {
        Formula::Literal(literal) => {
            code.push(Branch { literal: LiteralId(literal % literals), on_true, on_false });
            code.len() as u32 - 1
        }
        Formula::Junction(true, parts) => {
            parts.iter().rev().fold(on_true, |next, part| emit(part, literals, next, on_false, code))
        }
        Formula::Junction(false, parts) => {
            parts.iter().rev().fold(on_false, |next, part| emit(part, literals, on_true, next, code))
        }
    }
}

fn tame_program() -> impl Strategy<Value = Program> {
    (tests(60), proptest::collection::vec(formula(), 1..30)).prop_map(|(tests, formulas)| {
        let mut program = base(&tests);
        let literals = program.literals.len() as u32;
        let mut code = Vec::new();
        let entries = formulas.iter().map(|one| emit(one, literals, ACCEPT, REJECT, &mut code));
        let entries: Vec<u32> = entries.collect();
        let last = (code.len() as u32).wrapping_sub(1);
        let turn = |at: u32| if at >= REJECT { at } else { last - at };
        program.code = code
            .iter()
            .rev()
            .map(|branch| Branch {
                literal: branch.literal,
                on_true: turn(branch.on_true),
                on_false: turn(branch.on_false),
            })
            .collect();
        let entries: Vec<u32> = entries.into_iter().map(turn).collect();
        with_entries(program, &entries)
    })
}

#[derive(Debug, Clone)]
struct Visitor {
    words: [Option<u32>; 2],
    sets: [Option<Vec<u32>>; 2],
    integers: [Option<i64>; 3],
    /// An attribute that gets an integer whatever its kind, rarely.
    misfit: Option<u16>,
}

fn visitor() -> impl Strategy<Value = Visitor> {
    let word = || proptest::option::weighted(0.8, 0..=WORDS + 1);
    let set = || proptest::option::weighted(0.8, proptest::collection::vec(0..=WORDS + 1, 0..10));
    let integer = || proptest::option::weighted(0.8, prop_oneof![9 => -45i64..45, 1 => any::<i64>()]);
    let misfit = proptest::option::weighted(0.05, 0u16..7);
    ([word(), word()], [set(), set()], [integer(), integer(), integer()], misfit)
        .prop_map(|(words, sets, integers, misfit)| Visitor { words, sets, integers, misfit })
}

fn fill(frame: &mut Frame, program: &VerifiedProgram, visitor: &Visitor) {
    frame.reset(program, 7);
    for (signal, word) in (0..).zip(&visitor.words) {
        word.iter().for_each(|word| frame.set_text(program, SignalId(signal), &text(*word)));
    }
    for (signal, set) in (2..).zip(&visitor.sets) {
        let Some(set) = set else { continue };
        frame.begin_set(SignalId(signal));
        set.iter().for_each(|word| frame.push_member(program, SignalId(signal), &text(*word)));
    }
    for (signal, value) in (4..).zip(visitor.integers) {
        value.into_iter().for_each(|value| frame.set_integer(SignalId(signal), value));
    }
    visitor.misfit.into_iter().for_each(|signal| frame.set_integer(SignalId(signal), 1));
}

fn statistics() -> impl Strategy<Value = Statistics> {
    let share = prop_oneof![0.0f32..1.0, Just(f32::NAN), Just(-1.0), Just(f32::INFINITY)];
    let one = (
        share.clone(),
        proptest::collection::vec((1..=WORDS, share), 0..10),
        proptest::collection::vec(-50i64..50, 0..9),
    );
    proptest::collection::vec(one, 0..7).prop_map(|attributes| {
        let mut statistics = Statistics::default();
        for (index, (known, words, sample)) in attributes.into_iter().enumerate() {
            let words = words.into_iter().map(|(word, share)| (text(word), share)).collect();
            statistics.insert(&format!("a{index}"), AttributeStatistics { known, words, sample });
        }
        statistics
    })
}

fn results(program: &VerifiedProgram, scratch: &Scratch) -> (Vec<bool>, Vec<bool>) {
    let rules = (0..program.program().rules.len() as u32).map(|rule| scratch.is_rule_true(RuleId(rule)));
    let segments = (0..program.program().segments.len() as u32).map(SegmentId);
    (rules.collect(), segments.map(|segment| scratch.is_segment_true(segment)).collect())
}

fn check(program: Program, statistics: &Statistics, visitors: &[Visitor]) -> Result<(), TestCaseError> {
    let bytes = codec::encode(&program);
    let decoded: Program = codec::decode::<Program, { 1 << 22 }>(&bytes).unwrap();
    let program = VerifiedProgram::verify_with(decoded, BOUNDS, statistics).unwrap();
    let (mut frame, mut scratch, mut by_code) =
        (Frame::new(&program), Scratch::default(), Scratch::default());
    let mut gathered = StatisticsBuilder::new(&program);
    for visitor in visitors {
        fill(&mut frame, &program, visitor);
        gathered.observe(&program, &frame);
        evaluate(&program, &frame, &mut scratch);
        evaluate_by_code(&program, &frame, &mut by_code);
        prop_assert_eq!(results(&program, &scratch), results(&program, &by_code));
        prop_assert!(scratch.steps() <= program.work_max());
        prop_assert!(by_code.steps() as u64 <= work_of(program.program()));
    }
    // An index for the very traffic it will see, evaluated in the same scratch.
    let gathered = gathered.finish(&program);
    let tuned = VerifiedProgram::verify_with(program.into_program(), BOUNDS, &gathered).unwrap();
    for visitor in visitors {
        fill(&mut frame, &tuned, visitor);
        evaluate(&tuned, &frame, &mut scratch);
        evaluate_by_code(&tuned, &frame, &mut by_code);
        prop_assert_eq!(results(&tuned, &scratch), results(&tuned, &by_code));
        prop_assert!(scratch.steps() <= tuned.work_max());
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_index_agrees_with_code_that_goes_anywhere(
        program in wild_program(),
        statistics in statistics(),
        visitors in proptest::collection::vec(visitor(), 1..6),
    ) {
        check(program, &statistics, &visitors)?;
    }

    #[test]
    fn the_index_agrees_with_formulas(
        program in tame_program(),
        statistics in statistics(),
        visitors in proptest::collection::vec(visitor(), 1..6),
    ) {
        check(program, &statistics, &visitors)?;
    }
}

/// Many alternatives of many: an expansion would have 3^20 conjunctions.
#[test]
fn conditions_too_large_to_expand_are_reached_by_their_rarest_part() {
    let tests: Vec<Test> = (1..=60)
        .map(|number| Test {
            signal: 2 + (number % 2) as u16,
            polarity: Polarity::Holds,
            shape: 3,
            words: vec![1 + number % WORDS],
            bounds: Vec::new(),
        })
        .collect();
    let mut program = base(&tests);
    program.code = (0..60)
        .map(|at| {
            let next = (at / 3 + 1) * 3;
            let on_true = if next == 60 { ACCEPT } else { next };
            let on_false = if at % 3 == 2 { REJECT } else { at + 1 };
            Branch { literal: LiteralId(at), on_true, on_false }
        })
        .collect();
    let program = VerifiedProgram::verify(with_entries(program, &[0]), BOUNDS).unwrap();
    let (mut frame, mut scratch) = (Frame::new(&program), Scratch::new(&program));
    for (members, expected) in [(0..0, false), (1..WORDS + 1, true), (1..7, false)] {
        frame.reset(&program, 0);
        for signal in [2, 3].map(SignalId) {
            frame.begin_set(signal);
            members.clone().for_each(|word| frame.push_member(&program, signal, &text(word)));
        }
        evaluate(&program, &frame, &mut scratch);
        assert_eq!(scratch.is_rule_true(RuleId(0)), expected, "{members:?}");
        if members.is_empty() {
            assert_eq!(scratch.steps(), 0, "nobody looks at a rule whose values do not occur");
        }
    }
}

/// What holds without knowing anything must be found without a value to look it up by.
#[test]
fn rules_that_unknown_signals_satisfy_match_an_empty_frame() {
    let test = |polarity, words| Test { signal: 0, polarity, shape: 3, words, bounds: Vec::new() };
    let tests = [
        test(Polarity::Possibly, vec![1]),
        test(Polarity::NotDefinitely, vec![1]),
        test(Polarity::Holds, vec![1]),
        test(Polarity::Fails, vec![1]),
    ];
    let mut program = base(&tests);
    let branch = |literal| Branch { literal: LiteralId(literal), on_true: ACCEPT, on_false: REJECT };
    program.code = (0..4).map(branch).collect();
    let program = VerifiedProgram::verify(with_entries(program, &[0, 1, 2, 3, ACCEPT]), BOUNDS).unwrap();
    let (mut frame, mut scratch) = (Frame::new(&program), Scratch::new(&program));
    let mut matches = |word: Option<&str>| {
        frame.reset(&program, 0);
        word.into_iter().for_each(|word| frame.set_text(&program, SignalId(0), word));
        evaluate(&program, &frame, &mut scratch);
        [0, 1, 2, 3, 4].map(|rule| scratch.is_rule_true(RuleId(rule)))
    };
    assert_eq!(matches(None), [true, true, false, false, true]);
    assert_eq!(matches(Some("w01")), [true, false, true, false, true]);
    assert_eq!(matches(Some("else")), [false, true, false, true, true]);
}

/// Entries hold six filters; conjunctions of every length must test each of their literals.
#[test]
fn every_literal_of_a_long_conjunction_is_tested() {
    let frequent = (1..=12).map(|word| (text(word), 0.9)).collect();
    let mut statistics = Statistics::default();
    statistics.insert("a2", AttributeStatistics { known: 1.0, words: frequent, sample: Vec::new() });
    for length in 1..=12u32 {
        let test =
            |word| Test { signal: 2, polarity: Polarity::Holds, shape: 3, words: vec![word], bounds: vec![] };
        let mut program = base(&(1..=length).map(test).collect::<Vec<_>>());
        let next = |at: u32| if at + 1 == length { ACCEPT } else { at + 1 };
        let branch = |at| Branch { literal: LiteralId(at), on_true: next(at), on_false: REJECT };
        program.code = (0..length).map(branch).collect();
        let program = VerifiedProgram::verify_with(with_entries(program, &[0]), BOUNDS, &statistics).unwrap();
        let (mut frame, mut scratch) = (Frame::new(&program), Scratch::new(&program));
        for missing in 0..=length {
            frame.reset(&program, 0);
            frame.begin_set(SignalId(2));
            for word in (1..=length).filter(|word| *word != missing) {
                frame.push_member(&program, SignalId(2), &text(word));
            }
            evaluate(&program, &frame, &mut scratch);
            assert_eq!(scratch.is_rule_true(RuleId(0)), missing == 0, "{missing} of {length}");
        }
    }
}
