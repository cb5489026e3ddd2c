//! What tests cover, and the table of boundaries.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use rulec::coverage::{Boundaries, boundaries, run};
use rulec::{SourceFile, assumed_names};

const RULES: &str = r#"attribute age : number from request
attribute total : money(EUR) from request
segment "grown up" { age >= 18 }
rule "cart" priority 2 for placement "p" {
  when segment("grown up")
  then choose first {
    total in 50 EUR ..< 100 EUR -> show creative "ten"
    total >= 100 EUR -> show creative "fifteen"
  }
}
rule "rest" for placement "p" fallback { then show creative "c" }
"#;

fn files(tests: &str) -> [SourceFile; 1] {
    [SourceFile { path: "x.rules".to_owned(), text: format!("{RULES}{tests}") }]
}

#[test]
fn coverage_counts_what_was_seen_of_literals_and_tiers() {
    let tests = "test \"a\" { given age = 20, total = 60 EUR  expect show creative \"ten\" }\n\
        test \"b\" { given age = 3  expect show creative \"ten\" }\n";
    let files = files(tests);
    let report = run(&files, &assumed_names(&files), &[]).unwrap();
    let passed: Vec<bool> = report.tests.iter().map(|test| test.failures.is_empty()).collect();
    assert_eq!(passed, [true, false]);
    assert_eq!((report.tests[1].line, report.tests[1].failures[0].code.to_string()), (13, "E090".to_owned()));
    let literals: Vec<_> =
        report.coverage.literals.iter().map(|one| (one.text.as_str(), one.line, one.seen)).collect();
    // The segment's own literal counts once, where it is written.
    assert_eq!(
        literals,
        [
            ("age >= 18", 3, [1, 1, 0]),
            ("total in 50 EUR ..< 100 EUR", 7, [1, 0, 1]),
            ("total >= 100 EUR", 8, [0, 1, 1]),
        ]
    );
    let tiers: Vec<_> =
        report.coverage.tiers.iter().map(|one| (one.rule.as_str(), one.tier, one.seen)).collect();
    assert_eq!(tiers, [("cart", 0, [1, 1]), ("cart", 1, [0, 2]), ("rest", 0, [2, 0])]);
    // Nine of literals, of which three are missing; five of tiers, of which one is.
    assert_eq!(report.coverage.points(), (10, 14));
    assert!(report.coverage.reaches(71) && !report.coverage.reaches(72));
    assert_eq!(report.coverage.literals[0].unseen(), ["unknown"]);
}

#[test]
fn without_anything_to_see_everything_is_seen() {
    let files = [SourceFile { path: "x.rules".to_owned(), text: String::new() }];
    let report = run(&files, &assumed_names(&files), &[]).unwrap();
    assert!(report.tests.is_empty() && report.coverage.reaches(100));
}

type RowText<'a> = (&'a str, &'a str, &'a str, Option<usize>, Option<&'a str>);

fn rows(table: &Boundaries) -> Vec<RowText<'_>> {
    table
        .rows
        .iter()
        .map(|row| (row.attribute.as_str(), row.value.as_str(), row.truth, row.tier, row.decider.as_deref()))
        .collect()
}

#[test]
fn boundaries_show_both_sides_of_every_threshold() {
    let files = files("");
    let names = assumed_names(&files);
    let tables = boundaries(&files, &names, None).ok().unwrap();
    assert_eq!(tables.iter().map(|table| table.rule.as_str()).collect::<Vec<_>>(), ["cart", "rest"]);
    assert_eq!(tables[0].visitor, ["age = 18", "total = 50 EUR"]);
    let (cart, rest) = (Some("cart"), Some("rest"));
    assert_eq!(
        rows(&tables[0]),
        [
            ("age", "17", "false", None, rest),
            ("age", "18", "true", Some(1), cart),
            ("age", "19", "true", Some(1), cart),
            ("age", "(missing)", "unknown", None, rest),
            ("total", "49.99 EUR", "false", None, rest),
            ("total", "50 EUR", "true", Some(1), cart),
            ("total", "50.01 EUR", "true", Some(1), cart),
            ("total", "99.99 EUR", "true", Some(1), cart),
            ("total", "100 EUR", "true", Some(2), cart),
            ("total", "100.01 EUR", "true", Some(2), cart),
            ("total", "(missing)", "unknown", None, rest),
        ]
    );
    let again = boundaries(&files, &names, None).ok().unwrap();
    assert_eq!(again, tables, "the table can be compared with the approved one");
    assert_eq!(boundaries(&files, &names, Some("rest")).ok().unwrap().len(), 1);
}

#[test]
fn words_sets_and_clocks_have_boundaries_too() {
    let text = r#"attribute tags : set of text from request
rule "r" for placement "p" {
  when weather is rain and tags includes any of ("a", "b") and now >= 2026-06-01
  cap 2 per user per day
  then no ad
}
attribute weather : one of rain, sun from request
"#;
    let files = [SourceFile { path: "x.rules".to_owned(), text: text.to_owned() }];
    let table = boundaries(&files, &assumed_names(&files), Some("r")).ok().unwrap().remove(0);
    assert!(table.is_reachable);
    let found: Vec<(&str, &str)> = table.rows.iter().map(|row| (row.value.as_str(), row.truth)).collect();
    let expected = [
        ("1", "true"),
        ("2", "false"),
        ("3", "false"),
        ("rain", "true"),
        ("sun", "false"),
        ("(missing)", "unknown"),
        ("(\"a\")", "true"),
        ("(\"b\")", "true"),
        ("(\"other\")", "false"),
        ("(\"a\", \"b\")", "true"),
        ("()", "false"),
        ("(missing)", "unknown"),
        ("2026-05-31T23:59:00Z", "false"),
        ("2026-06-01T00:00:00Z", "true"),
        ("2026-06-01T00:01:00Z", "true"),
    ];
    assert_eq!(found, expected);
}
