//! Signals of every kind, conditions on them, and rows, with values near the edges of what conditions ask for.

use rulec::Place;
use rulec::hir::{Action, Check, Condition, Rule, Signal, Test, Type, Unit};
use tessera_rulevm::{Frame, VerifiedProgram};
use tessera_wire::program::{Attribute, Origin, RuleClass, SignalId};
use tessera_wire::signal::{Gates, Kind, NUMBER_SCALE, version};

use super::random::Random;

pub const NOW_MS: i64 = 1_795_132_800_000;
const DAY_MS: i64 = 86_400_000;
const WORDS: [&str; 10] =
    ["mobile", "is", "RO-CJ", "two words", "q\"u\\ote", "", "50%", "a_b", "ăîșț", "Mobile"];
const TEXTS: [&str; 14] = [
    "mobile",
    "/mobile/two words",
    "unmentioned",
    "",
    "is",
    "RO-CJ",
    "100",
    "50% off",
    "a_bc",
    "axb",
    "ăîșț și ăîșț",
    "MOBILE",
    "x50%",
    "a\u{306}i",
];
/// Members of the large set: more than fit a mask.
const INTERESTS: usize = 90;

/// What a row holds of a signal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    Integer(i64),
    Text(String),
    Set(Vec<String>),
}

/// A profile, and what may be used of it.
#[derive(Debug, Clone)]
pub struct Row {
    /// By signal.
    pub values: Vec<Option<Value>>,
    pub open: Gates,
}

impl Row {
    /// Sets what may be used, or everything there is.
    pub fn fill(&self, program: &VerifiedProgram, frame: &mut Frame, is_gated: bool) {
        self.fill_with(program, frame, NOW_MS, if is_gated { self.open } else { Gates::ALL });
    }

    /// Sets everything there is, at another time.
    pub fn fill_at(&self, program: &VerifiedProgram, frame: &mut Frame, now_ms: i64) {
        self.fill_with(program, frame, now_ms, Gates::ALL);
    }

    fn fill_with(&self, program: &VerifiedProgram, frame: &mut Frame, now_ms: i64, open: Gates) {
        frame.reset(program, now_ms);
        for (index, value) in self.values.iter().enumerate() {
            let signal = SignalId(index as u16);
            if !open.covers(program.program().attributes[index].gates) {
                continue;
            }
            match value {
                None => {}
                Some(Value::Integer(value)) => frame.set_integer(signal, *value),
                Some(Value::Text(text)) => frame.set_text(program, signal, text),
                Some(Value::Set(members)) => {
                    frame.begin_set(signal);
                    members.iter().for_each(|member| frame.push_member(program, signal, member));
                }
            }
        }
    }
}

fn signal(name: &str, ty: Type, kind: Kind, gates: Gates) -> Signal {
    let currency = if kind == Kind::Money { "EUR" } else { "" };
    let attribute = Attribute {
        name: name.to_owned(),
        kind,
        currency: currency.to_owned(),
        origin: Origin::Context(name.to_owned()),
        gates,
        needs_text: false,
        is_caseless: name == "city",
    };
    Signal { ty, unit: String::new(), attribute }
}

/// One signal of every sort; the numbers are used below.
pub fn signals() -> Vec<Signal> {
    let (open, personal) = (Gates::NONE, Gates::ADS_PERSONALIZE);
    let near = personal.or(Gates::PRECISE_GEO);
    vec![
        signal("flag", Type::Bool, Kind::Bool, open),
        signal("age", Type::Number(None), Kind::Number, personal),
        signal("price", Type::Money("EUR".to_owned()), Kind::Money, open),
        signal("category", Type::Text, Kind::Text, open),
        signal("path", Type::Text, Kind::Text, open),
        signal("genres", Type::Set, Kind::Set, personal),
        signal("seen", Type::Time, Kind::Time, open),
        signal("wait", Type::Duration, Kind::Duration, open),
        signal("app", Type::Version, Kind::Version, open),
        signal("city", Type::Text, Kind::Text, near),
        signal("interests", Type::Set, Kind::Set, open),
        signal("score", Type::Number(None), Kind::Number, open),
    ]
}

fn interest(number: usize) -> String {
    format!("interest {number:02}")
}

fn words(random: &mut Random) -> Vec<String> {
    let count = 1 + random.below(4);
    sorted((0..count).map(|_| (*random.pick(&WORDS)).to_owned()).collect())
}

fn interests(random: &mut Random) -> Vec<String> {
    // Now and then so many that the column needs postings.
    let count = if random.chance(15) { 70 } else { 1 + random.below(5) };
    sorted((0..count).map(|_| interest(random.below(INTERESTS))).collect())
}

fn sorted(mut words: Vec<String>) -> Vec<String> {
    words.sort();
    words.dedup();
    words
}

fn number(random: &mut Random) -> i64 {
    random.between(-3, 14) * NUMBER_SCALE + if random.chance(25) { random.between(-1, 1) } else { 0 }
}

fn far_number(random: &mut Random) -> i64 {
    *random.pick(&[
        i64::MIN,
        i64::MIN + 1,
        -9_000_000_000_000_000_000,
        -1,
        0,
        1,
        5_000_000_000,
        i64::MAX - 1,
        i64::MAX,
    ])
}

fn version_number(random: &mut Random) -> i64 {
    let text = random.pick::<&str>(&["1", "1.2", "1.2.3", "2.0.1", "1.10", "17.4.1"]);
    version(text).unwrap()
}

/// One to three ranges, sorted and disjoint, some open, made of numbers from `value`.
fn ranges(random: &mut Random, value: impl Fn(&mut Random) -> i64) -> Vec<(i64, i64)> {
    let mut ends: Vec<i64> = (0..2 * random.between(1, 3)).map(|_| value(random)).collect();
    ends.sort_unstable();
    ends.dedup();
    if random.chance(20) {
        ends.insert(0, i64::MIN);
    }
    if random.chance(20) {
        ends.push(i64::MAX);
    }
    ends.dedup();
    if ends.len() % 2 == 1 {
        let last = ends[ends.len() - 1];
        ends.push(last);
    }
    ends.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect()
}

fn span(random: &mut Random) -> i64 {
    if random.chance(50) { random.between(0, 5_000) } else { random.between(0, 9) * DAY_MS }
}

fn ages(random: &mut Random) -> Vec<(i64, i64)> {
    let age_ms = span(random);
    if random.chance(50) { vec![(0, age_ms)] } else { vec![(age_ms + 1, i64::MAX)] }
}

fn test(random: &mut Random) -> Condition {
    let word = |random: &mut Random| (*random.pick(&WORDS)).to_owned();
    let of = |signal: u16, check| (signal, check);
    let (signal, check) = match random.below(20) {
        0 => of(random.below(12) as u16, Check::Known),
        1 => of(0, Check::InRanges(vec![(1, 1)])),
        2 | 3 => of(1, Check::InRanges(ranges(random, number))),
        4 | 5 => of(2, Check::InRanges(ranges(random, number))),
        6 => of(3, Check::OneOf(words(random))),
        7 => of(4, Check::OneOf(words(random))),
        8 => of(4, Check::StartsWith(word(random))),
        9 => of(4, Check::EndsWith(word(random))),
        10 => of(4, Check::Contains(word(random))),
        11 => of(5, Check::AnyOf(words(random))),
        12 => of(5, Check::AllOf(words(random))),
        13 => of(5, Check::OnlyOf(words(random))),
        14 => of(6, Check::AgeInRanges(ages(random))),
        15 if random.chance(50) => {
            of(6, Check::InRanges(ranges(random, |random| NOW_MS - random.between(-3, 9) * DAY_MS)))
        }
        15 => of(7, Check::InRanges(ranges(random, span))),
        16 => of(8, Check::InRanges(ranges(random, version_number))),
        17 => {
            // Conditions on a caseless signal are written in lower case.
            let word = tessera_rulevm::canonical(&word(random), true);
            of(9, if random.chance(50) { Check::OneOf(vec![word]) } else { Check::Contains(word) })
        }
        18 => {
            let words = interests(random);
            let check: fn(Vec<String>) -> Check = *random.pick(&[Check::AnyOf, Check::AllOf, Check::OnlyOf]);
            of(10, check(words))
        }
        _ => of(11, Check::InRanges(ranges(random, far_number))),
    };
    Condition::Test(Test { signal: SignalId(signal), check, place: Place::NOWHERE })
}

/// A condition of up to about a dozen tests.
pub fn condition(random: &mut Random, depth: usize) -> Condition {
    if depth == 0 || random.chance(20) {
        return if random.chance(2) { Condition::Constant(random.chance(50)) } else { test(random) };
    }
    let depth = depth - 1;
    match random.below(8) {
        0 => condition(random, depth).negated(),
        1 => Condition::Definitely(Box::new(condition(random, depth))),
        2 => Condition::Possibly(Box::new(condition(random, depth))),
        join => {
            let parts = (0..=random.below(4)).map(|_| condition(random, depth)).collect();
            if join < 6 { Condition::And(parts) } else { Condition::Or(parts) }
        }
    }
}

fn text(random: &mut Random) -> Value {
    Value::Text((*random.pick(&TEXTS)).to_owned())
}

fn value(random: &mut Random, signal: usize) -> Value {
    match signal {
        0 => Value::Integer(i64::from(random.chance(50))),
        1 | 2 => Value::Integer(number(random)),
        3 | 4 => text(random),
        5 => {
            let members = [&WORDS[..], &["unmentioned", "another"]].concat();
            let count = random.below(5);
            Value::Set((0..count).map(|_| (*random.pick(&members)).to_owned()).collect())
        }
        6 => Value::Integer(NOW_MS - span(random) - random.between(-1, 1)),
        7 => Value::Integer(span(random)),
        8 => Value::Integer(version_number(random)),
        9 => text(random),
        10 => Value::Set((0..random.below(6)).map(|_| interest(random.below(INTERESTS + 3))).collect()),
        _ => Value::Integer(far_number(random)),
    }
}

/// A row; a quarter of what it could hold is missing, and often consent is.
pub fn row(random: &mut Random) -> Row {
    let open = *random.pick(&[
        Gates::ALL,
        Gates::ALL,
        Gates::NONE,
        Gates::ADS_PERSONALIZE,
        Gates::ADS_PERSONALIZE.or(Gates::PRECISE_GEO),
    ]);
    let values = (0..12).map(|signal| random.chance(75).then(|| value(random, signal))).collect();
    Row { values, open }
}

/// Every condition as a segment, and as a rule in each of two placements.
pub fn unit(conditions: &[Condition]) -> Unit {
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
        features: Vec::new(),
        words: Vec::new(),
    }
}
