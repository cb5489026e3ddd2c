//! Formatting keeps meaning and comments, and formatting twice is formatting once: on every fixture and on random layouts.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::{Path, PathBuf};

use proptest::prelude::*;
use rulec::{Names, OfferName, SourceFile, compile, fmt};
use tessera_wire::catalog::OfferKind;
use tessera_wire::signal::NUMBER_SCALE;

fn file(text: &str) -> SourceFile {
    SourceFile { path: "x.rules".to_owned(), text: text.to_owned() }
}

fn format(text: &str) -> Option<String> {
    fmt::format(&file(text)).ok()
}

/// The words and signs of a text without comments: what formatting must not change, but for its three spellings.
fn skeleton(text: &str) -> String {
    let mut code = String::new();
    for line in text.lines() {
        let mut is_quoted = false;
        let is_comment = |letter: char| {
            is_quoted ^= letter == '"';
            letter == '#' && !is_quoted
        };
        code.push_str(line.split(is_comment).next().unwrap_or(""));
        code.push(' ');
    }
    let words = code.split_whitespace().collect::<Vec<_>>().join(" ");
    let plain = words.replace("==", "=").replace(" is not ", "!=").replace(" is ", "=");
    plain.replace(' ', "")
}

fn comments(text: &str) -> Vec<String> {
    let is_comment = |line: &str| {
        let place = line
            .char_indices()
            .find(|(at, letter)| *letter == '#' && line[..*at].matches('"').count().is_multiple_of(2));
        place.map(|(at, _)| line[at..].trim_end().to_owned())
    };
    text.lines().filter_map(is_comment).collect()
}

fn check(text: &str) {
    let Some(once) = format(text) else { return };
    let twice = format(&once).expect("what was formatted parses");
    assert_eq!(once, twice, "formatting twice is formatting once\n{text}");
    assert_eq!(comments(&once), comments(text), "comments survive\n{text}");
    assert_eq!(skeleton(&once), skeleton(text), "nothing is lost\n{text}");
    assert!(!once.lines().any(|line| line.ends_with(' ')), "{once}");
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rules" || extension == "md") {
            found.push(path);
        }
    }
}

/// Every rule file, and every block of rules in a Markdown file.
fn sources() -> Vec<String> {
    let mut paths = Vec::new();
    files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures"), &mut paths);
    let mut sources = Vec::new();
    for path in paths {
        let text = std::fs::read_to_string(&path).unwrap();
        if path.extension().is_some_and(|extension| extension == "rules") {
            sources.push(text);
            continue;
        }
        let blocks = text.split("```rules\n").skip(1).filter_map(|block| block.split("\n```").next());
        sources.extend(blocks.map(|block| format!("{block}\n")));
    }
    sources
}

#[test]
fn every_fixture_is_formatted_without_loss() {
    let sources = sources();
    let formatted = sources.iter().filter(|source| format(source).is_some()).count();
    assert!(formatted > 35, "{formatted} of {} parse", sources.len());
    sources.iter().for_each(|source| check(source));
}

#[test]
fn what_is_formatted_compiles_to_the_same_program() {
    let offer = |id: &str, kind, value| OfferName { id: id.to_owned(), kind, value };
    let text = |list: &[&str]| list.iter().map(|one| (*one).to_owned()).collect::<Vec<String>>();
    let names = Names {
        placements: text(&["home", "side"]),
        templates: text(&["hero"]),
        creatives: text(&["a", "b", "c"]),
        offers: vec![
            offer("ten", OfferKind::DiscountPercent, 10 * NUMBER_SCALE),
            offer("fifteen", OfferKind::DiscountPercent, 15 * NUMBER_SCALE),
            offer("ship", OfferKind::FreeShipping, 0),
            offer("duo", OfferKind::Bundle, 0),
        ],
        ..Names::default()
    };
    let program = |text: &str| compile(&[file(text)], &names, &[]).ok().map(|compiled| compiled.program);
    let mut compared = 0;
    for source in sources() {
        let Some(before) = program(&source) else { continue };
        assert_eq!(program(&format(&source).unwrap()), Some(before), "{source}");
        compared += 1;
    }
    assert!(compared > 15, "{compared} files compile");
}

#[test]
fn the_layout_is_this() {
    let written = "# Shop\nlanguage 1   bundle \"shop\"\n\n\n\nattribute age: number in 13 .. 120 needs ads_personalization # years
segment \"grown up\"{age>=18 # adults
   # and at home
 country is RO
}
rule   \"young\" priority 20 for placement \"home\" {
when age in 18..24 and device.type = mobile
   or_not then show creative \"a\" and
      tag \"x\"
}
rule \"cart\" { when match any { hour == 3 weekday=mon } and cart.items=2
  and country != RO
  then choose first { cart.value in 50 EUR..<100 EUR->offer discount 10%
 otherwise -> no ad } }
when country in (RO,MD) then no ad
test \"t\"{given country=RO,hour = 3 expect rule \"cart\" true}
# the end
";
    let written = written.replace("   or_not then", "   then");
    let expected = "# Shop
language 1 bundle \"shop\"

attribute age : number in 13..120 needs ads_personalization  # years
segment \"grown up\" {
  age >= 18  # adults
  # and at home
  country is RO
}
rule \"young\" priority 20 for placement \"home\" {
  when age in 18..24 and device.type is mobile
  then show creative \"a\" and tag \"x\"
}
rule \"cart\" {
  when match any { hour == 3  weekday is mon } and cart.items == 2
    and country is not RO
  then choose first {
    cart.value in 50 EUR ..< 100 EUR -> offer discount 10%
    otherwise -> no ad
  }
}
when country in (RO, MD) then no ad
test \"t\" { given country = RO, hour = 3 expect rule \"cart\" true }
# the end
";
    assert_eq!(format(&written).unwrap(), expected);
    check(&written);
}

#[test]
fn a_file_with_syntax_errors_is_not_touched() {
    let errors = fmt::format(&file("rule \"x\" { when }")).unwrap_err();
    assert!(!errors.is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn any_layout_of_a_fixture_comes_out_without_loss(which in any::<prop::sample::Index>(), seed in any::<u64>()) {
        let sources = sources();
        check(&shaken(which.get::<String>(&sources), seed));
    }
}

/// The text with spaces between words made into other spaces, breaks or comments, and lines joined.
fn shaken(text: &str, mut seed: u64) -> String {
    let mut next = |bound: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % bound
    };
    let mut out = String::new();
    for line in text.lines() {
        let is_item = !line.starts_with([' ', '}']);
        if line.contains('#') || is_item || line.contains('"') {
            out.push_str(line);
            out.push('\n');
            continue;
        }
        for word in line.split(' ') {
            out.push_str(word);
            out.push_str(match next(12) {
                0 => "   ",
                1 => "  # said here\n ",
                2 => "\n   ",
                _ => " ",
            });
        }
        out.push_str(if next(4) == 0 { " " } else { "\n" });
    }
    out
}
