//! Compiled evaluation agrees with the reference, through verification and through the bundle's bytes.
//!
//! Random conditions over attributes of every kind meet random signals, some missing. A rule must match exactly when the
//! reference says *true*. Half of the comparisons run a program that went through bundle encoding and decoding.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use proptest::prelude::*;
use rulec::hir::{Action, Check, Condition, Rule, Signal, Test, Type, Unit};
use rulec::{Names, Place, SourceFile, compile, lower, print, reference};
use tessera_rulevm::{
    CatalogBounds, Frame, Scratch, Truth, VerifiedProgram, evaluate, evaluate_by_code, literal_truth,
    literals_of,
};
use tessera_wire::bundle::{self, Bundle};
use tessera_wire::program::{Attribute, Origin, Polarity, Program, RuleClass, RuleId, SegmentId, SignalId};
use tessera_wire::signal::{Gates, Kind, NUMBER_SCALE};

const NOW_MS: i64 = 1_000_000_000_000;
const WORDS: [&str; 6] = ["mobile", "is", "RO-CJ", "two words", "q\"u\\ote", ""];
const TEXTS: [&str; 6] = ["mobile", "/mobile/two words", "unmentioned", "", "is", "RO-CJ"];
const DAY_MS: i64 = 86_400_000;

fn signals() -> Vec<Signal> {
    let text = |name: &str| (name.to_owned(), Type::Text, Kind::Text);
    let table = [
        ("flag".to_owned(), Type::Bool, Kind::Bool),
        ("age".to_owned(), Type::Number(None), Kind::Number),
        ("price".to_owned(), Type::Money("EUR".to_owned()), Kind::Money),
        text("category"),
        text("path"),
        ("genres".to_owned(), Type::Set, Kind::Set),
        ("seen".to_owned(), Type::Time, Kind::Time),
        ("other".to_owned(), Type::Bool, Kind::Bool),
    ];
    let signal = |(name, ty, kind): (String, Type, Kind)| {
        let currency = if kind == Kind::Money { "EUR".to_owned() } else { String::new() };
        let (origin, gates) = (Origin::Context(name.clone()), Gates::NONE);
        Signal {
            ty,
            attribute: Attribute {
                name,
                kind,
                currency,
                origin,
                gates,
                needs_text: false,
                is_caseless: false,
            },
        }
    };
    table.into_iter().map(signal).collect()
}

const DECLARATIONS: &str = "attribute flag : bool from request\nattribute age : number from request\n\
    attribute price : money(EUR) from request\nattribute category : text from request\n\
    attribute path : text from request\nattribute genres : set of text from request\n\
    attribute seen : time from request\nattribute other : bool from request\n";

fn ranges() -> impl Strategy<Value = Vec<(i64, i64)>> {
    let whole = -2i64..9;
    let closed = (whole.clone(), 0i64..10)
        .prop_map(|(low, width)| vec![(low * NUMBER_SCALE, (low + width) * NUMBER_SCALE)]);
    let half_open = (whole.clone(), 1i64..10)
        .prop_map(|(low, width)| vec![(low * NUMBER_SCALE, (low + width) * NUMBER_SCALE - 1)]);
    let from = whole.clone().prop_map(|low| vec![(low * NUMBER_SCALE, i64::MAX)]);
    let above = whole.clone().prop_map(|low| vec![(low * NUMBER_SCALE + 1, i64::MAX)]);
    let to = whole.clone().prop_map(|high| vec![(i64::MIN, high * NUMBER_SCALE)]);
    let below = whole.clone().prop_map(|high| vec![(i64::MIN, high * NUMBER_SCALE - 1)]);
    let two = (whole, 0i64..3, 2i64..5, 0i64..9).prop_map(|(low, width, gap, more)| {
        let next = low + width + gap;
        vec![
            (low * NUMBER_SCALE, (low + width) * NUMBER_SCALE),
            (next * NUMBER_SCALE, (next + more) * NUMBER_SCALE),
        ]
    });
    prop_oneof![closed, half_open, from, above, to, below, two]
}

fn ages() -> impl Strategy<Value = Vec<(i64, i64)>> {
    let spans = prop_oneof![0i64..5_000, (0i64..9).prop_map(|days| days * DAY_MS)];
    prop_oneof![
        spans.clone().prop_map(|age_ms| vec![(0, age_ms)]),
        spans.prop_map(|age_ms| vec![(age_ms + 1, i64::MAX)]),
    ]
}

fn words() -> impl Strategy<Value = Vec<String>> {
    proptest::sample::subsequence(WORDS.to_vec(), 1..4).prop_map(|words| {
        let mut words: Vec<String> = words.into_iter().map(str::to_owned).collect();
        words.sort();
        words
    })
}

fn word() -> impl Strategy<Value = String> {
    proptest::sample::select(WORDS.to_vec()).prop_map(str::to_owned)
}

fn test() -> impl Strategy<Value = Condition> {
    let known = (0u16..8).prop_map(|signal| (signal, Check::Known));
    let check = prop_oneof![
        known,
        prop_oneof![Just(0u16), Just(7)].prop_map(|signal| (signal, Check::InRanges(vec![(1, 1)]))),
        (1u16..3, ranges()).prop_map(|(signal, ranges)| (signal, Check::InRanges(ranges))),
        (3u16..5, words()).prop_map(|(signal, words)| (signal, Check::OneOf(words))),
        word().prop_map(|text| (4, Check::StartsWith(text))),
        word().prop_map(|text| (4, Check::EndsWith(text))),
        word().prop_map(|text| (4, Check::Contains(text))),
        words().prop_map(|words| (5, Check::AnyOf(words))),
        words().prop_map(|words| (5, Check::AllOf(words))),
        words().prop_map(|words| (5, Check::OnlyOf(words))),
        ages().prop_map(|ages| (6, Check::AgeInRanges(ages))),
    ];
    check.prop_map(|(signal, check)| {
        Condition::Test(Test { signal: SignalId(signal), check, place: Place::NOWHERE })
    })
}

/// With constants or without: the language cannot write them, lowering must fold them.
fn condition(has_constants: bool) -> BoxedStrategy<Condition> {
    let leaf = if has_constants {
        prop_oneof![10 => test(), 1 => any::<bool>().prop_map(Condition::Constant)].boxed()
    } else {
        test().boxed()
    };
    leaf.prop_recursive(5, 40, 4, |inner| {
        let parts = proptest::collection::vec(inner.clone(), 1..4);
        prop_oneof![
            inner.clone().prop_map(Condition::negated),
            inner.clone().prop_map(|inner| Condition::Definitely(Box::new(inner))),
            inner.prop_map(|inner| Condition::Possibly(Box::new(inner))),
            parts.clone().prop_map(Condition::And),
            parts.prop_map(Condition::Or),
        ]
    })
    .boxed()
}

#[derive(Debug, Clone)]
struct Visitor {
    flags: [Option<bool>; 2],
    numbers: [Option<i64>; 2],
    texts: [Option<&'static str>; 2],
    genres: Option<Vec<&'static str>>,
    age_ms: Option<i64>,
}

fn visitor() -> impl Strategy<Value = Visitor> {
    let number = || {
        let near = (-3i64..16, -1i64..2).prop_map(|(whole, beside)| whole * NUMBER_SCALE + beside);
        proptest::option::weighted(0.75, near)
    };
    let text = || proptest::option::weighted(0.75, proptest::sample::select(TEXTS.to_vec()));
    let flag = || proptest::option::weighted(0.75, any::<bool>());
    let members = [&WORDS[..], &["unmentioned"]].concat();
    let genres = proptest::option::weighted(0.75, proptest::sample::subsequence(members, 0..5));
    let age =
        prop_oneof![-2i64..5_003, (0i64..9, -1i64..2).prop_map(|(days, beside)| days * DAY_MS + beside)];
    let age = proptest::option::weighted(0.75, age);
    (flag(), flag(), number(), number(), text(), text(), genres, age).prop_map(
        |(flag, other, age, price, category, path, genres, age_ms)| Visitor {
            flags: [flag, other],
            numbers: [age, price],
            texts: [category, path],
            genres,
            age_ms,
        },
    )
}

fn fill(frame: &mut Frame, program: &VerifiedProgram, visitor: &Visitor) {
    frame.reset(program, NOW_MS);
    for (signal, flag) in [0, 7].into_iter().zip(visitor.flags) {
        flag.into_iter().for_each(|flag| frame.set_integer(SignalId(signal), i64::from(flag)));
    }
    for (signal, number) in [1, 2].into_iter().zip(visitor.numbers) {
        number.into_iter().for_each(|number| frame.set_integer(SignalId(signal), number));
    }
    for (signal, text) in [3, 4].into_iter().zip(visitor.texts) {
        text.into_iter().for_each(|text| frame.set_text(program, SignalId(signal), text));
    }
    if let Some(genres) = &visitor.genres {
        frame.begin_set(SignalId(5));
        genres.iter().for_each(|genre| frame.push_member(program, SignalId(5), genre));
    }
    visitor.age_ms.into_iter().for_each(|age_ms| frame.set_integer(SignalId(6), NOW_MS - age_ms));
}

fn unit(conditions: &[Condition]) -> Unit {
    let rule = |(index, condition): (usize, &Condition)| Rule {
        source: index as u32,
        tier: 0,
        placements: 0..2,
        priority: 0,
        class: RuleClass::Personalized,
        condition: condition.clone(),
        actions: vec![Action::Tag(format!("rule {index}"))],
    };
    let segment = |(index, condition): (usize, &Condition)| (format!("segment {index}"), condition.clone());
    Unit {
        signals: signals(),
        segments: conditions.iter().enumerate().map(segment).collect(),
        rules: conditions.iter().enumerate().map(rule).collect(),
        features: Vec::new(),
        words: Vec::new(),
    }
}

fn verify(program: Program) -> VerifiedProgram {
    let bounds = CatalogBounds { placements: 2, ..CatalogBounds::default() };
    VerifiedProgram::verify(program, bounds).unwrap()
}

fn round_trip(program: Program) -> Program {
    let bytes = bundle::encode(&Bundle { program, ..Bundle::default() });
    bundle::decode(&bytes).unwrap().program
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn compiled_rules_match_exactly_when_the_reference_says_true(
        conditions in proptest::collection::vec(condition(true), 1..4),
        visitors in proptest::collection::vec(visitor(), 1..5),
        is_through_bytes in any::<bool>(),
    ) {
        let lowered = lower(&unit(&conditions)).program;
        let program = verify(if is_through_bytes { round_trip(lowered) } else { lowered });
        let (mut frame, mut scratch) = (Frame::new(&program), Scratch::new(&program));
        let mut by_code = Scratch::new(&program);
        for visitor in &visitors {
            fill(&mut frame, &program, visitor);
            evaluate(&program, &frame, &mut scratch);
            prop_assert!(scratch.steps() <= program.work_max());
            evaluate_by_code(&program, &frame, &mut by_code);
            prop_assert!(by_code.steps() <= program.work_max());
            for (index, condition) in conditions.iter().enumerate() {
                let expected = reference::truth(condition, &program, &frame) == Truth::True;
                prop_assert_eq!(scratch.is_segment_true(SegmentId(index as u32)), expected);
                for placement in 0..2 {
                    let rule = RuleId((placement * conditions.len() + index) as u32);
                    prop_assert_eq!(scratch.is_rule_true(rule), expected);
                    prop_assert_eq!(by_code.is_rule_true(rule), expected);
                }
            }
        }
    }

    /// An unknown signal has no value in the frame, so who was served before and what was withheld cannot matter.
    #[test]
    fn a_frame_carries_nothing_over_from_another_visitor(
        condition in condition(false),
        before in visitor(),
        visitor in visitor(),
    ) {
        let program = verify(lower(&unit(std::slice::from_ref(&condition))).program);
        let mut results = Vec::new();
        for other in [None, Some(before)] {
            let (mut frame, mut scratch) = (Frame::new(&program), Scratch::new(&program));
            if let Some(other) = other {
                fill(&mut frame, &program, &other);
                evaluate(&program, &frame, &mut scratch);
            }
            fill(&mut frame, &program, &visitor);
            evaluate(&program, &frame, &mut scratch);
            results.push((scratch.is_rule_true(RuleId(0)), reference::truth(&condition, &program, &frame)));
        }
        prop_assert_eq!(results[0], results[1]);
    }

    #[test]
    fn a_printed_condition_means_the_same(
        condition in condition(false),
        visitors in proptest::collection::vec(visitor(), 1..4),
    ) {
        let signals = signals();
        let text = print::condition(&signals, &condition);
        let text = format!("{DECLARATIONS}rule \"r\" fallback {{ when {text} then tag \"t\" }}\n");
        let names = Names { placements: vec!["p".to_owned()], ..Names::default() };
        let file = SourceFile { path: "r.rules".to_owned(), text };
        let compiled = compile(std::slice::from_ref(&file), &names, &[]);
        let compiled = compiled.map_err(|list| TestCaseError::fail(list[0].render(std::slice::from_ref(&file))))?;
        let direct = verify(lower(&unit(std::slice::from_ref(&condition))).program);
        let parsed = verify(compiled.program);
        for visitor in &visitors {
            let (mut frame, mut scratch) = (Frame::new(&direct), Scratch::new(&direct));
            fill(&mut frame, &direct, visitor);
            evaluate(&direct, &frame, &mut scratch);
            let expected = scratch.is_rule_true(RuleId(0));
            fill_by_name(&mut frame, &parsed, visitor);
            evaluate(&parsed, &frame, &mut scratch);
            prop_assert_eq!(scratch.is_rule_true(RuleId(0)), expected, "{}", file.text);
        }
    }

    /// What explain shows of a literal is consistent with what it did.
    #[test]
    fn literals_fire_as_their_polarity_says(condition in condition(false), visitor in visitor()) {
        let program = verify(lower(&unit(std::slice::from_ref(&condition))).program);
        let mut frame = Frame::new(&program);
        fill(&mut frame, &program, &visitor);
        for literal in literals_of(&program, program.program().rules[0].entry) {
            let (fires, truth) = literal_truth(&program, &frame, literal);
            let expected = match program.program().literals[literal.0 as usize].polarity {
                Polarity::Holds => truth == Truth::True,
                Polarity::Fails => truth == Truth::False,
                Polarity::Possibly => truth != Truth::False,
                Polarity::NotDefinitely => truth != Truth::True,
            };
            prop_assert_eq!(fires, expected);
        }
    }
}

/// Like [`fill`], for a program whose signals are numbered by first use.
fn fill_by_name(frame: &mut Frame, program: &VerifiedProgram, visitor: &Visitor) {
    frame.reset(program, NOW_MS);
    for (index, attribute) in program.program().attributes.iter().enumerate() {
        let signal = SignalId(index as u16);
        let text = |frame: &mut Frame, text: Option<&str>| {
            text.into_iter().for_each(|text| frame.set_text(program, signal, text));
        };
        let integer = |frame: &mut Frame, value: Option<i64>| {
            value.into_iter().for_each(|value| frame.set_integer(signal, value));
        };
        match attribute.name.as_str() {
            "flag" => integer(frame, visitor.flags[0].map(i64::from)),
            "other" => integer(frame, visitor.flags[1].map(i64::from)),
            "age" => integer(frame, visitor.numbers[0]),
            "price" => integer(frame, visitor.numbers[1]),
            "category" => text(frame, visitor.texts[0]),
            "path" => text(frame, visitor.texts[1]),
            "seen" => integer(frame, visitor.age_ms.map(|age_ms| NOW_MS - age_ms)),
            _ => {
                let Some(genres) = &visitor.genres else { continue };
                frame.begin_set(signal);
                genres.iter().for_each(|genre| frame.push_member(program, signal, genre));
            }
        }
    }
}
