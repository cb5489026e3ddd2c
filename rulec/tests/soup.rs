//! Any text gives a program or diagnostics: never a panic, never nothing.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use rulec::{Names, Severity, SlotName, SourceFile, compile, limits};

const PIECES: [&str; 108] = [
    "rule",
    "\"x\"",
    "{",
    "}",
    "when",
    "unless",
    "then",
    "otherwise",
    "show",
    "creative",
    "template",
    "offer",
    "discount",
    "10%",
    "and",
    "or",
    "not",
    "(",
    ")",
    "age",
    "device.type",
    "is",
    "in",
    "18..24",
    "18..<24",
    "mobile",
    "segment",
    "test",
    "given",
    "=",
    "expect",
    "\n",
    "\nrule \"r\" {",
    "\nsegment \"s\" {",
    "\nattribute a : number",
    "\n",
    "match",
    "any",
    "all",
    "none",
    "definitely",
    "possibly",
    "->",
    ",",
    ":",
    "50 EUR",
    "cart.value",
    ">=",
    "<",
    "between",
    "includes",
    "of",
    "within",
    "3 days",
    "ago",
    "choose first",
    "from",
    "request",
    "needs",
    "ads_personalization",
    "“",
    "\"",
    "-",
    "é",
    "active",
    "from 2026-11-27",
    "to 2026-11-30 23:59",
    "mon..fri",
    "22:00..<02:00",
    "in \"Europe/Bucharest\"",
    "in visitor time",
    "active(",
    "cap 2 per user per day",
    "rollout 10%",
    "by user",
    "by request",
    "salt \"s\"",
    "split by user",
    "50% creative \"x\"",
    "10% control",
    "choose by bandit \"b\" {",
    "creative \"x\"",
    "image \"x\"",
    "with",
    "product a",
    "impressions",
    "clicks",
    "of creative \"x\"",
    "of this rule",
    "today",
    "in last 7 days",
    "count of view",
    "bucket of \"s\"",
    "event view",
    "now = 2026-01-01",
    "consent = frequency",
    "because missing",
    "expect variant \"x\"",
    "5 km",
    "number km",
    "17.4.1",
    "5 minutes",
    "2026-02-30",
    "25:99",
    "caseless",
    "set of one of a",
    "duration",
    "version",
];

/// Cases whose rules are damaged, Markdown and all.
const FILES: [&str; 5] = ["decisions.md", "examples.md", "schedules.md", "counts.md", "actions.md"];

fn compiles_or_explains(text: String) {
    let names = Names {
        placements: vec!["home".to_owned()],
        creatives: vec!["x".to_owned()],
        templates: vec!["x".to_owned()],
        assets: vec!["x".to_owned()],
        slots: vec![SlotName { template: 0, name: "image".to_owned(), assets: vec![0] }],
        ..Names::default()
    };
    let files = [SourceFile { path: "soup.rules".to_owned(), text }];
    match compile(&files, &names, &[]) {
        Ok(compiled) => compiled.warnings.iter().for_each(|warning| drop(warning.render(&files))),
        Err(diagnostics) => {
            assert!(diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error));
            assert!(diagnostics.len() <= limits::DIAGNOSTICS_MAX);
            for diagnostic in diagnostics {
                assert!(diagnostic.span.start <= diagnostic.span.end, "{diagnostic:?}");
                assert!(diagnostic.render(&files).starts_with(['e', 'w']));
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn bytes(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        compiles_or_explains(String::from_utf8_lossy(&bytes).into_owned());
    }

    #[test]
    fn pieces_of_the_language(pieces in proptest::collection::vec(proptest::sample::select(PIECES.to_vec()), 0..60)) {
        compiles_or_explains(pieces.join(" "));
    }

    #[test]
    fn damaged_rules(
        file in proptest::sample::select(FILES.to_vec()),
        at in any::<prop::sample::Index>(),
        length in 0usize..12,
        piece in proptest::sample::select(PIECES.to_vec()),
    ) {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/rules/");
        let good = std::fs::read_to_string(format!("{folder}{file}"));
        let mut chars: Vec<char> = good.unwrap().chars().take(4_000).collect();
        let at = at.index(chars.len() - length);
        chars.splice(at..at + length, piece.chars());
        compiles_or_explains(chars.into_iter().collect());
    }
}
