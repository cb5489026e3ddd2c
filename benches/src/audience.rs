//! An audience to ask questions of: a million made-up customers with the eleven fields of the segment criteria, and random
//! segments over them.
//!
//! Guarantees: a function of constants, so that two runs measure the same work.

use rulec::json::{Criteria, Declarations};
use rulec::{Names, SourceFile, compile};
use tessera_rulevm::{CatalogBounds, Frame, VerifiedProgram};
use tessera_wire::program::{Polarity, SignalId};
use tessera_wire::signal::NUMBER_SCALE;

/// The time of every question.
pub const NOW_MS: i64 = 1_795_132_800_000;
const DAY_MS: i64 = 86_400_000;
const SEGMENTS: usize = 40;

const DECLARATIONS: &str = "\
attribute total_spent : money(EUR)
attribute purchase_count : number
attribute avg_order : money(EUR)
attribute engagement_score : number in 0..100
attribute churn_risk : number in 0..100
attribute last_purchase : time
attribute genres : set of text
attribute event_types : set of text
attribute age : number in 13..120
";
const CITIES: [&str; 12] = [
    "Bucharest",
    "Cluj-Napoca",
    "Iasi",
    "Timisoara",
    "Brasov",
    "Vienna",
    "Berlin",
    "Paris",
    "London",
    "Madrid",
    "Rome",
    "Chisinau",
];
const COUNTRIES: [&str; 8] = ["RO", "MD", "AT", "DE", "FR", "GB", "ES", "IT"];
const GENRES: [&str; 14] = [
    "rock",
    "metal",
    "pop",
    "jazz",
    "folk",
    "techno",
    "house",
    "classical",
    "hiphop",
    "punk",
    "blues",
    "soul",
    "latin",
    "indie",
];
const TYPES: [&str; 6] = ["concert", "festival", "theatre", "comedy", "sport", "conference"];

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, count: i64) -> i64 {
        ((u128::from(self.next()) * count as u128) >> 64) as i64
    }

    fn pick<'a>(&mut self, list: &[&'a str]) -> &'a str {
        list[self.below(list.len() as i64) as usize]
    }
}

/// The questions.
#[derive(Debug)]
pub struct Audience {
    /// A program with a segment for each question.
    pub program: VerifiedProgram,
    /// Tests of all questions together, equal ones counted as often as they are asked.
    pub predicates: usize,
}

/// Forty random segments of two to six tests.
///
/// # Errors
/// When they do not compile.
pub fn audience() -> anyhow::Result<Audience> {
    let mut random = Random(0x5eed);
    let mut text = DECLARATIONS.to_owned();
    let mut predicates = 0;
    for number in 0..SEGMENTS {
        let condition = condition(&mut random);
        predicates += tests(&condition)?;
        text.push_str(&format!("segment \"s{number:02}\" {{ {condition} }}\n"));
    }
    let files = [SourceFile { path: "audience.rules".into(), text }];
    let compiled = compile(&files, &Names::default(), &[])
        .map_err(|found| anyhow::anyhow!("{}", found[0].render(&files)))?;
    let program = VerifiedProgram::verify(compiled.program, CatalogBounds::default())?;
    Ok(Audience { program, predicates })
}

fn tests(condition: &str) -> anyhow::Result<usize> {
    let files = [SourceFile { path: "audience.rules".into(), text: DECLARATIONS.into() }];
    let declarations = Declarations { files: &files, names: &Names::default() };
    let criteria = Criteria::from_text(condition, declarations)
        .map_err(|found| anyhow::anyhow!("{condition}: {}", found[0].rendered))?;
    let segment = criteria.compile("s").map_err(|found| anyhow::anyhow!("{}", found[0].rendered))?;
    let mut count = 0;
    segment.condition.visit_tests(Polarity::Holds, &mut |_, _| count += 1);
    Ok(count)
}

fn condition(random: &mut Random) -> String {
    let count = 2 + random.below(5);
    let mut tests: Vec<String> = (0..count).map(|_| test(random)).collect();
    if tests.len() > 2 && random.below(100) < 40 {
        let last = tests.split_off(tests.len() - 2);
        tests.push(format!("({})", last.join(" or ")));
    }
    tests.join(" and ")
}

fn test(random: &mut Random) -> String {
    let test = match random.below(11) {
        0 => format!("total_spent >= {} EUR", 50 * random.below(20)),
        1 => format!("purchase_count in {}..{}", random.below(3), 3 + random.below(20)),
        2 => format!("avg_order < {} EUR", 20 + 10 * random.below(15)),
        3 => format!("engagement_score >= {}", 5 * random.below(18)),
        4 => format!("churn_risk in 0..{}", 20 + 5 * random.below(14)),
        5 => format!("last_purchase within {} days", 30 * (1 + random.below(12))),
        6 => format!("genres includes any of (\"{}\", \"{}\")", random.pick(&GENRES), random.pick(&GENRES)),
        7 => format!("event_types includes \"{}\"", random.pick(&TYPES)),
        8 => format!("city in (\"{}\", \"{}\")", random.pick(&CITIES), random.pick(&CITIES)),
        9 => format!("country is {}", random.pick(&COUNTRIES)),
        _ => format!("age in {}..{}", 18 + random.below(10), 30 + random.below(40)),
    };
    if random.below(100) < 10 { format!("not ({test})") } else { test }
}

/// Fills the frame with customer `number`; one value in ten is missing.
pub fn fill(program: &VerifiedProgram, frame: &mut Frame, number: u64) {
    let mut random = Random(number.wrapping_mul(0x9e37_79b9));
    frame.reset(program, NOW_MS);
    for (index, attribute) in program.program().attributes.iter().enumerate() {
        let signal = SignalId(index as u16);
        if random.below(10) == 0 {
            continue;
        }
        let whole = |number: i64| number * NUMBER_SCALE;
        match attribute.name.as_str() {
            "total_spent" => frame
                .set_integer(signal, random.below(100_000) * random.below(100) / 100 * NUMBER_SCALE / 100),
            "purchase_count" => frame.set_integer(signal, whole(random.below(40))),
            "avg_order" => frame.set_integer(signal, random.below(25_000) * NUMBER_SCALE / 100),
            "engagement_score" | "churn_risk" => frame.set_integer(signal, whole(random.below(101))),
            "last_purchase" => frame.set_integer(signal, NOW_MS - random.below(730 * DAY_MS)),
            "age" => frame.set_integer(signal, whole(16 + random.below(70))),
            "city" => frame.set_text(program, signal, random.pick(&CITIES)),
            "country" => frame.set_text(program, signal, random.pick(&COUNTRIES)),
            _ => {
                let list: &[&str] = if attribute.name == "genres" { &GENRES } else { &TYPES };
                frame.begin_set(signal);
                for _ in 0..random.below(5) {
                    frame.push_member(program, signal, random.pick(list));
                }
            }
        }
    }
}
