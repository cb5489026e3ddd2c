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
use tessera_wire::program::{
    Attribute, BucketKey, Feature, FeatureEvent, FeatureSubject, Origin, Polarity, Program, RuleClass,
    RuleId, SegmentId, SignalId, Window,
};
use tessera_wire::signal::{Builtin, Gates, Kind, NUMBER_SCALE, version};

const NOW_MS: i64 = 1_000_000_000_000;
const WORDS: [&str; 6] = ["mobile", "is", "RO-CJ", "two words", "q\"u\\ote", ""];
const TEXTS: [&str; 6] = ["mobile", "/mobile/two words", "unmentioned", "", "is", "RO-CJ"];
const DAY_MS: i64 = 86_400_000;

const INTERESTS: [&str; 3] = ["film", "music", "stand-up"];
const MINUTE_MS: i64 = 60_000;

/// Signals by index; the tests below know which index has which kind.
fn signals() -> Vec<Signal> {
    let context = |name: &str| Origin::Context(name.to_owned());
    let bucket = Origin::Bucket { key: BucketKey::User, salt: "s".to_owned() };
    let closed = Type::SetOf(INTERESTS.map(str::to_owned).to_vec());
    let table = [
        ("flag", Type::Bool, Kind::Bool, context("flag"), Gates::NONE),
        ("age", Type::Number(None), Kind::Number, context("age"), Gates::NONE),
        ("price", Type::Money("EUR".to_owned()), Kind::Money, context("price"), Gates::NONE),
        ("category", Type::Text, Kind::Text, context("category"), Gates::NONE),
        ("path", Type::Text, Kind::Text, context("path"), Gates::NONE),
        ("genres", Type::Set, Kind::Set, context("genres"), Gates::NONE),
        ("seen", Type::Time, Kind::Time, context("seen"), Gates::NONE),
        ("other", Type::Bool, Kind::Bool, context("other"), Gates::NONE),
        ("visit", Type::Duration, Kind::Duration, context("visit"), Gates::NONE),
        ("app", Type::Version, Kind::Version, context("app"), Gates::NONE),
        ("bucket of \"s\" by user", Type::Bucket, Kind::Number, bucket, Gates::STORE_ACCESS),
        (
            "minute_of_week",
            Type::MinuteOfWeek,
            Kind::Number,
            Origin::Builtin(Builtin::MinuteOfWeek),
            Gates::NONE,
        ),
        ("impressions today", Type::Number(None), Kind::Number, Origin::Feature(0), Gates::FREQUENCY_CAP),
        ("signup", Type::Time, Kind::Time, context("signup"), Gates::NONE),
        ("keyword", Type::Text, Kind::Text, context("keyword"), Gates::NONE),
        ("interests", closed, Kind::Set, context("interests"), Gates::NONE),
        ("distance", Type::Number(None), Kind::Number, context("distance"), Gates::NONE),
    ];
    let signal = |(name, ty, kind, origin, gates): (&str, Type, Kind, Origin, Gates)| {
        let currency = if kind == Kind::Money { "EUR".to_owned() } else { String::new() };
        let unit = if name == "distance" { "km".to_owned() } else { String::new() };
        let (is_caseless, name) = (name == "keyword", name.to_owned());
        let attribute = Attribute { name, kind, currency, origin, gates, needs_text: false, is_caseless };
        Signal { ty, unit, attribute }
    };
    table.into_iter().map(signal).collect()
}

fn features() -> Vec<Feature> {
    let (event, subject, subject_id) = (FeatureEvent::Impression, FeatureSubject::Any, String::new());
    vec![Feature { event, subject, subject_id, window: Window::Today, bucket_ms: 900_000 }]
}

const DECLARATIONS: &str = "attribute flag : bool from request\nattribute age : number from request\n\
    attribute price : money(EUR) from request\nattribute category : text from request\n\
    attribute path : text from request\nattribute genres : set of text from request\n\
    attribute seen : time from request\nattribute other : bool from request\n\
    attribute visit : duration from request\nattribute app : version from request\n\
    attribute signup : time from request\nattribute keyword : text caseless from request\n\
    attribute interests : set of one of music, film, \"stand-up\" from request\n\
    attribute distance : number km from request\n";

/// Ranges over the values that `of` makes of small numbers, in every shape that the language has.
fn shaped(of: fn(i64) -> i64) -> impl Strategy<Value = Vec<(i64, i64)>> {
    (0i64..6, 0i64..6, 0u8..6).prop_map(move |(low, width, shape)| {
        let (start, end) = (of(low), of(low + width));
        vec![match shape {
            0 => (start, end),
            1 => (start, of(low + width + 1) - 1),
            2 => (start, i64::MAX),
            3 => (start + 1, i64::MAX),
            4 => (i64::MIN, end),
            _ => (i64::MIN, end - 1),
        }]
    })
}

fn half_minutes(number: i64) -> i64 {
    number * MINUTE_MS / 2 + 1
}

fn versions(number: i64) -> i64 {
    version(&format!("{}.{}", number / 2, number % 2 * 7)).unwrap()
}

fn percents(number: i64) -> i64 {
    number * 10_000 * NUMBER_SCALE
}

fn wholes(number: i64) -> i64 {
    number * NUMBER_SCALE
}

/// Whole days and whole minutes, as dates and clocks are.
fn moments() -> impl Strategy<Value = Vec<(i64, i64)>> {
    (0i64..6, 0i64..6, any::<bool>(), 0u8..3).prop_map(|(low, width, is_days, shape)| {
        let unit_ms = if is_days { DAY_MS } else { MINUTE_MS };
        let start = NOW_MS - NOW_MS % DAY_MS + low * unit_ms;
        let end = start + (width + 1) * unit_ms - 1;
        vec![match shape {
            0 => (start, end),
            1 => (start, i64::MAX),
            _ => (i64::MIN, end),
        }]
    })
}

/// Windows of the week, apart from one another.
fn weeks() -> impl Strategy<Value = Vec<(i64, i64)>> {
    proptest::collection::btree_set(0i64..10_080, 1..4).prop_map(|minutes| {
        let minutes: Vec<i64> = minutes.into_iter().collect();
        let ends = minutes.iter().skip(1).map(|next| next - 1).chain([10_079]);
        let spans = minutes.iter().zip(ends).enumerate();
        let cut = |(at, (low, end)): (usize, (&i64, i64))| {
            let high = if at % 2 == 0 { low + (end - low) * 2 / 3 } else { *low };
            (low * NUMBER_SCALE, high.min(end) * NUMBER_SCALE)
        };
        spans.map(cut).filter(|(low, high)| low <= high).fold(Vec::new(), |mut kept, range| {
            let is_apart = kept.last().is_none_or(|last: &(i64, i64)| last.1 + NUMBER_SCALE < range.0);
            if is_apart {
                kept.push(range);
            }
            kept
        })
    })
}

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

fn lower_words() -> impl Strategy<Value = Vec<String>> {
    words().prop_map(|words| {
        let mut words: Vec<String> = words.iter().map(|word| word.to_lowercase()).collect();
        words.sort();
        words
    })
}

fn interests() -> impl Strategy<Value = Vec<String>> {
    proptest::sample::subsequence(INTERESTS.to_vec(), 1..3)
        .prop_map(|words| words.into_iter().map(str::to_owned).collect())
}

fn test() -> impl Strategy<Value = Condition> {
    let known = (0u16..17).prop_map(|signal| (signal, Check::Known));
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
        shaped(half_minutes).prop_map(|ranges| (8, Check::InRanges(ranges))),
        shaped(versions).prop_map(|ranges| (9, Check::InRanges(ranges))),
        shaped(percents).prop_map(|ranges| (10, Check::InRanges(ranges))),
        weeks().prop_map(|ranges| (11, Check::InRanges(ranges))),
        shaped(wholes).prop_map(|ranges| (12, Check::InRanges(ranges))),
        moments().prop_map(|ranges| (13, Check::InRanges(ranges))),
        lower_words().prop_map(|words| (14, Check::OneOf(words))),
        word().prop_map(|text| (14, Check::Contains(text.to_lowercase()))),
        interests().prop_map(|words| (15, Check::AnyOf(words))),
        interests().prop_map(|words| (15, Check::AllOf(words))),
        ranges().prop_map(|ranges| (16, Check::InRanges(ranges))),
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

/// Values by name of the signal; what is missing is unknown.
#[derive(Debug, Clone)]
struct Visitor {
    integers: Vec<(&'static str, Option<i64>)>,
    texts: Vec<(&'static str, Option<&'static str>)>,
    sets: Vec<(&'static str, Option<Vec<&'static str>>)>,
}

fn sometimes<T: std::fmt::Debug>(values: impl Strategy<Value = T>) -> impl Strategy<Value = Option<T>> {
    proptest::option::weighted(0.75, values)
}

fn integers() -> impl Strategy<Value = Vec<(&'static str, Option<i64>)>> {
    let named = |name: &'static str, values: BoxedStrategy<i64>| {
        sometimes(values).prop_map(move |value| (name, value))
    };
    let near = |of: fn(i64) -> i64| {
        (0i64..13, -1i64..2).prop_map(move |(number, beside)| of(number) + beside).boxed()
    };
    let number = || (-3i64..16, -1i64..2).prop_map(|(whole, beside)| whole * NUMBER_SCALE + beside).boxed();
    let flag = || (0i64..2).boxed();
    let age =
        prop_oneof![-2i64..5_003, (0i64..9, -1i64..2).prop_map(|(days, beside)| days * DAY_MS + beside)];
    let moment = (0i64..13, any::<bool>(), -1i64..2).prop_map(|(number, is_days, beside)| {
        NOW_MS - NOW_MS % DAY_MS + number * if is_days { DAY_MS } else { MINUTE_MS } + beside
    });
    let few = (
        named("flag", flag()),
        named("other", flag()),
        named("age", number()),
        named("price", number()),
        named("distance", number()),
        named("seen", age.prop_map(|age_ms| NOW_MS - age_ms).boxed()),
    );
    let more = (
        named("visit", near(half_minutes)),
        named("app", near(versions)),
        named("bucket of \"s\" by user", near(percents)),
        named("minute_of_week", (0i64..10_080).prop_map(wholes).boxed()),
        named("impressions today", (0i64..13).prop_map(wholes).boxed()),
        named("signup", moment.boxed()),
    );
    (few, more).prop_map(|((a, b, c, d, e, f), (g, h, i, j, k, l))| vec![a, b, c, d, e, f, g, h, i, j, k, l])
}

fn visitor() -> impl Strategy<Value = Visitor> {
    let text = || sometimes(proptest::sample::select(TEXTS.to_vec()));
    let shouted = sometimes(proptest::sample::select(vec!["MOBILE", "Two Words", "is", "ro-cj", "x"]));
    let members = [&WORDS[..], &["unmentioned"]].concat();
    let genres = sometimes(proptest::sample::subsequence(members, 0..5));
    let interests = sometimes(proptest::sample::subsequence(INTERESTS.to_vec(), 0..4));
    (integers(), text(), text(), shouted, genres, interests).prop_map(
        |(integers, category, path, keyword, genres, interests)| Visitor {
            integers,
            texts: vec![("category", category), ("path", path), ("keyword", keyword)],
            sets: vec![("genres", genres), ("interests", interests)],
        },
    )
}

/// By name, because programs number signals by first use.
fn fill(frame: &mut Frame, program: &VerifiedProgram, visitor: &Visitor) {
    fn of<'v, T>(values: &'v [(&'static str, Option<T>)], name: &str) -> Option<&'v T> {
        values.iter().find(|(known, _)| *known == name).and_then(|(_, value)| value.as_ref())
    }
    frame.reset(program, NOW_MS);
    for (index, attribute) in program.program().attributes.iter().enumerate() {
        let signal = SignalId(index as u16);
        if let Some(value) = of(&visitor.integers, &attribute.name) {
            frame.set_integer(signal, *value);
        }
        if let Some(text) = of(&visitor.texts, &attribute.name) {
            frame.set_text(program, signal, text);
        }
        if let Some(members) = of(&visitor.sets, &attribute.name) {
            frame.begin_set(signal);
            members.iter().for_each(|member| frame.push_member(program, signal, member));
        }
    }
}

fn unit(conditions: &[Condition]) -> Unit {
    let rule = |(index, condition): (usize, &Condition)| Rule {
        source: index as u32,
        tier: 0,
        placements: [0, 1].into(),
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
        features: features(),
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
        let text = format!("{DECLARATIONS}rule \"r\" {{ when {text} then tag \"t\" }}\n");
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
            fill(&mut frame, &parsed, visitor);
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
