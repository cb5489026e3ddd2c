//! Between JSON and text nothing is lost, and no input breaks the reader.
#![allow(clippy::unwrap_used, clippy::panic)]

#[path = "differential/random.rs"]
#[allow(unreachable_pub, dead_code)]
mod random;

use proptest::prelude::*;
use random::Random;
use rulec::json::{Criteria, Declarations, Finding};
use rulec::{Names, SourceFile};
use tessera_wire::program::Program;

const DECLARATIONS: &str = r#"
attribute spent : money(EUR)
attribute count : number
attribute share : percent
attribute seen : time
attribute genres : set of text
attribute name : text
attribute vip : bool
attribute tier : one of silver, gold, "black card", true, in
attribute distance : number km
attribute wait : duration
attribute app : version
attribute paid_in : currency
attribute interests : set of one of music, film, "stand-up"
attribute nickname : text caseless
event product_view
segment "loyal" { spent >= 500 EUR }
segment "a \"quoted\\ name" { vip }
"#;

fn with_declarations<T>(run: impl FnOnce(Declarations<'_>) -> T) -> T {
    let text = format!(
        "{DECLARATIONS}rule \"hero\" for placement \"none such\" {{ when vip then show creative \"gone\" }}\n"
    );
    let files = [SourceFile { path: "audience.rules".to_owned(), text }];
    let names = Names {
        creatives: vec!["welcome".to_owned()],
        campaigns: vec!["autumn \"26\"".to_owned()],
        templates: vec!["hero".to_owned()],
        ..Names::default()
    };
    run(Declarations { files: &files, names: &names })
}

fn text(text: &str) -> Result<Criteria, Vec<Finding>> {
    with_declarations(|declarations| Criteria::from_text(text, declarations))
}

fn json(json: &str) -> Result<Criteria, Vec<Finding>> {
    with_declarations(|declarations| Criteria::from_json(json, declarations))
}

fn told(found: Result<Criteria, Vec<Finding>>, what: &str) -> Criteria {
    found.unwrap_or_else(|found| panic!("{what}\n{}", found[0].rendered))
}

fn program(criteria: &Criteria) -> Program {
    criteria.compile("s").unwrap().program
}

fn number(random: &mut Random) -> String {
    let whole = random.between(-20, 2_000);
    match random.below(4) {
        0 => format!("{whole}.{}", random.between(1, 999_999)),
        1 => "9_223_372_036_854.775807".to_owned(),
        _ => whole.to_string(),
    }
}

/// A range with its smaller end first.
fn range(random: &mut Random, unit: &str) -> String {
    let low = random.between(-5, 100);
    let high = low + random.between(1, 50);
    let dots = *random.pick(&["..", "..<", " .. "]);
    let low_unit = *random.pick(&["", unit]);
    format!("{low}{low_unit}{dots}{high}{unit}")
}

fn amounts(random: &mut Random, unit: &str) -> String {
    let count = 1 + random.below(3);
    let list = (0..count)
        .map(|_| if random.chance(40) { range(random, unit) } else { format!("{}{unit}", number(random)) });
    let list = list.collect::<Vec<_>>();
    if list.len() == 1 && random.chance(50) { list[0].clone() } else { format!("({})", list.join(", ")) }
}

fn amount_test(random: &mut Random, name: &str, unit: &str) -> String {
    let sign = *random.pick(&["==", "=", "!=", ">=", "<=", ">", "<", "is", "is not"]);
    match random.below(6) {
        0 => {
            let low = random.between(0, 50);
            format!("{name} between {low}{unit} and {}{unit}", low + 7)
        }
        1 => format!("{name} in {}", amounts(random, unit)),
        2 => format!("{name} not in {}", amounts(random, unit)),
        3 => format!("{name} is not {}", range(random, unit)),
        _ => format!("{name} {sign} {}{unit}", number(random)),
    }
}

fn span(random: &mut Random) -> String {
    let units = ["days", "day", "hours", "minutes", "weeks"];
    let decimals = *random.pick(&["", "", ".5", ".123456"]);
    format!("{}{decimals} {}", random.between(0, 200), random.pick(&units))
}

const TEXTS: [&str; 8] = [
    "\"rock\"",
    "\"\"",
    "\"a \\\"b\\\\\"",
    "\"in\"",
    "\"ăî/~\"",
    "\"50% ' off\"",
    "\"}\"",
    "\"\u{7}tab\u{1f600}\"",
];

fn texts(random: &mut Random) -> String {
    let count = 1 + random.below(4);
    let list: Vec<&str> = (0..count).map(|_| *random.pick(&TEXTS)).collect();
    if count == 1 && random.chance(50) { list[0].to_owned() } else { format!("({})", list.join(", ")) }
}

fn test(random: &mut Random) -> String {
    let word = *random.pick(&["silver", "gold", "\"black card\"", "\"true\"", "\"in\"", "\"gold\""]);
    let country = *random.pick(&["RO", "\"MD\"", "\"IN\""]);
    let flag = *random.pick(&["true", "false"]);
    let mode = *random.pick(&["", "any of ", "all of ", "none of ", "only of "]);
    let not = *random.pick(&["", "not "]);
    let is = *random.pick(&["is", "is not", "==", "!="]);
    match random.below(20) {
        12 => special_test(random),
        13 => counted(random),
        14 => format!("active({})", schedule(random)),
        15 => {
            let unit = if random.chance(50) { "" } else { " km" };
            amount_test(random, "distance", unit)
        }
        16 => format!("wait {} {}", random.pick(&[">", "<=", "==", "is not"]), span(random)),
        17 => format!("app {}", version_test(random)),
        18 => format!("seen {}", moment_test(random)),
        0 => amount_test(random, "count", ""),
        1 => amount_test(random, "spent", " EUR"),
        2 => amount_test(random, "share", "%"),
        3 => format!("tier {is} {word}"),
        4 => format!("tier {not}in ({word}, silver)"),
        5 => format!("country {is} {country}"),
        6 => format!("genres {not}includes {mode}{}", texts(random)),
        7 => format!(
            "name {} {}",
            random.pick(&["starts with", "ends with", "contains", "is", "is not"]),
            random.pick(&TEXTS)
        ),
        8 => format!("seen within {}", span(random)),
        9 => format!("seen before {} ago", span(random)),
        10 => (*random.pick(&["vip", "vip is known", "seen is unknown", "genres is not known"])).to_owned(),
        11 => format!("vip {is} {flag}"),
        _ => (*random.pick(&["segment(\"loyal\")", "segment(\"a \\\"quoted\\\\ name\")"])).to_owned(),
    }
}

fn special_test(random: &mut Random) -> String {
    (*random.pick(&[
        "paid_in in (EUR, RON)",
        "paid_in is not \"USD\"",
        "interests includes any of (music, \"stand-up\")",
        "interests not includes only of film",
        "nickname is \"ÉMILE\"",
        "nickname starts with \"É\"",
        "wait in 90 seconds ..< 3 hours",
        "wait between 1 minute and 2 days",
    ]))
    .to_owned()
}

fn counted(random: &mut Random) -> String {
    let subject = *random.pick(&[
        "",
        " of creative \"welcome\"",
        " of campaign \"autumn \\\"26\\\"\"",
        " of template \"hero\"",
        " of rule \"hero\"",
    ]);
    let window = if random.chance(40) {
        "today".to_owned()
    } else {
        format!("in last {} hours", 1 + random.below(200))
    };
    let check = *random.pick(&["< 3", ">= 1", "== 2", "in 1..3", "is known", "not in (1, 4..5)"]);
    match random.below(4) {
        0 => format!("count of product_view {window} {check}"),
        1 => format!("clicks{subject} {window} {check}"),
        2 => {
            let key = *random.pick(&["", " by user", " by request"]);
            format!("bucket of \"s\\\"1\"{key} {}", random.pick(&["< 10%", "in 10%..<20%", ">= 99.5%"]))
        }
        _ => format!("impressions{subject} {window} {check}"),
    }
}

fn schedule(random: &mut Random) -> String {
    (*random.pick(&[
        "mon..fri 11:30..14:00 in visitor time",
        "sat, sun in \"Europe/Bucharest\"",
        "fri..mon in visitor time",
        "22:00..<02:00 in \"UTC\"",
        "mon 9:00..12:00, tue..wed 00:00..<24:00 in visitor time",
        "from 2026-11-27 to 2026-11-30 23:59 in \"Europe/Bucharest\"",
        "from 2026-11-27 12:00 in \"UTC\"",
        "to 2026-11-27 in \"UTC\"",
    ]))
    .to_owned()
}

fn version_test(random: &mut Random) -> String {
    (*random.pick(&[
        ">= 17.4.1",
        "< 17.10",
        "!= 18",
        "in (17.4.1..17.5, 19)",
        "is not \"17.5.1\"",
        "in 17.10..<17.100",
        "== 17.1",
        "between 17.10 and 18.0",
    ]))
    .to_owned()
}

fn moment_test(random: &mut Random) -> String {
    (*random.pick(&[
        ">= 2026-11-27",
        "< 2026-11-27 12:00",
        "in 2026-11-27..2026-11-30",
        "> 2026-03-29 10:00 in \"Europe/Bucharest\"",
        "is not 2026-01-01",
    ]))
    .to_owned()
}

fn condition(random: &mut Random, depth: usize) -> String {
    if depth == 0 || random.chance(25) {
        return test(random);
    }
    let parts = |random: &mut Random| -> Vec<String> {
        (0..1 + random.below(4)).map(|_| condition(random, depth - 1)).collect()
    };
    let in_parentheses =
        |parts: Vec<String>| -> Vec<String> { parts.iter().map(|part| format!("({part})")).collect() };
    match random.below(7) {
        0 => format!("not ({})", condition(random, depth - 1)),
        1 => format!("{}({})", random.pick(&["definitely", "possibly"]), condition(random, depth - 1)),
        2 | 3 => in_parentheses(parts(random)).join(" and "),
        4 => in_parentheses(parts(random)).join(" or "),
        _ => format!(
            "match {} {{ {} }}",
            random.pick(&["all", "any", "none"]),
            in_parentheses(parts(random)).join("\n")
        ),
    }
}

#[test]
fn text_and_json_are_equal_forms() {
    let mut random = Random::new(11);
    for _ in 0..2_000 {
        let written = condition(&mut random, 4);
        let from_text = told(text(&written), &written);
        let (as_text, as_json) = (from_text.to_text(), from_text.to_json());
        // The canonical forms are fixed points, alone and through one another.
        let again = told(text(&as_text), &as_text);
        assert_eq!((again.to_text(), again.to_json()), (as_text.clone(), as_json.clone()), "{written}");
        let from_json = told(json(&as_json), &as_json);
        assert_eq!(
            (from_json.to_text(), from_json.to_json()),
            (as_text.clone(), as_json.clone()),
            "{written}"
        );
        // And all of them mean what was written.
        assert_eq!(program(&again), program(&from_text), "{written}\n{as_text}");
        assert_eq!(program(&from_json), program(&from_text), "{written}\n{as_json}");
        assert!(serde_json::from_str::<serde_json::Value>(&as_json).is_ok(), "{as_json}");
    }
}

#[test]
fn depth_is_limited_alike() {
    for depth in [50, 60, 64, 70, 500, 100_000] {
        let deep_json =
            format!("{}{}{}", r#"{"not":"#.repeat(depth), r#"{"segment":"loyal"}"#, "}".repeat(depth));
        let deep_text = format!("{}segment(\"loyal\")", "not ".repeat(depth));
        let (from_json, from_text) = (json(&deep_json), text(&deep_text));
        assert_eq!(from_json.is_ok(), from_text.is_ok(), "{depth}");
        assert_eq!(from_json.is_ok(), depth < 64, "{depth}");
        if let Ok(criteria) = from_text {
            assert_eq!(told(json(&criteria.to_json()), "deep").to_text(), criteria.to_text());
        }
        let lists = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(json(&lists).is_err());
        let groups = r#"{"match":"all","rules":["#.repeat(depth);
        assert!(json(&groups).is_err());
    }
}

#[test]
fn long_lists_are_read_in_a_moment() {
    let list: Vec<String> = (0..50_000).map(|number| format!("\"{number}\"")).collect();
    let criteria = format!(r#"{{"field":"name","operator":"in","value":[{}]}}"#, list.join(","));
    assert_eq!(program(&told(json(&criteria), "list")).dictionary.len(), 50_000);
    let too_large = format!("[{}", "1,".repeat(3 << 20));
    assert!(json(&too_large).unwrap_err()[0].rendered.contains("bytes"));
}

fn reads_or_explains(criteria: &str) {
    match json(criteria) {
        Ok(criteria) => assert!(json(&criteria.to_json()).is_ok()),
        Err(found) => {
            assert!(!found.is_empty());
            found
                .iter()
                .for_each(|finding| assert!(finding.pointer.is_some() && !finding.rendered.is_empty()));
        }
    }
}

const PIECES: [&str; 40] = [
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "\"field\"",
    "\"operator\"",
    "\"value\"",
    "\"match\"",
    "\"rules\"",
    "\"all\"",
    "\"none\"",
    "\"not\"",
    "\"segment\"",
    "\"loyal\"",
    "\"age\"",
    "\"count\"",
    "\"spent\"",
    "\"vip\"",
    "\">=\"",
    "\"in\"",
    "\"is\"",
    "\"between\"",
    "\"within\"",
    "\"24h\"",
    "18",
    "-1.5e3",
    "true",
    "null",
    "\"\\u00e9\"",
    "\\ud800",
    "é",
    "\"today\"",
    "\"impressions\"",
    "\"any\"",
    "\"active\"",
    "\"bucket\"",
    " ",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_reads_or_explains(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        reads_or_explains(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn any_pieces_read_or_explain(pieces in proptest::collection::vec(proptest::sample::select(PIECES.to_vec()), 0..40)) {
        reads_or_explains(&pieces.concat());
    }

    #[test]
    fn damaged_criteria_read_or_explain(
        seed in any::<u64>(),
        at in any::<prop::sample::Index>(),
        length in 0usize..8,
        piece in proptest::sample::select(PIECES.to_vec()),
    ) {
        let good = told(text(&condition(&mut Random::new(seed), 3)), "good").to_json();
        let mut letters: Vec<char> = good.chars().collect();
        let at = at.index(letters.len());
        let end = (at + length).min(letters.len());
        letters.splice(at..end, piece.chars());
        reads_or_explains(&letters.into_iter().collect::<String>());
    }
}
