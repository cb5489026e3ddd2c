//! Every limit holds, and input at its edge is still handled in bounded time and stack.
#![allow(clippy::unwrap_used)]

use rulec::{Code, Diagnostic, Extra, Names, SourceFile, compile, limits};
use tessera_wire::program::{FeatureSubject, SegmentId};
use tessera_wire::signal::Gates;

fn names(placements: usize) -> Names {
    Names { placements: (0..placements).map(|number| format!("p{number}")).collect(), ..Names::default() }
}

fn codes(text: String, placements: usize) -> Vec<Code> {
    let files = [SourceFile { path: "a.rules".to_owned(), text }];
    let diagnostics: Vec<Diagnostic> = match compile(&files, &names(placements), &[]) {
        Ok(compiled) => compiled.warnings,
        Err(diagnostics) => diagnostics,
    };
    diagnostics.iter().map(|diagnostic| diagnostic.code).collect()
}

#[test]
fn large_files_and_many_files_are_refused() {
    assert_eq!(codes(" ".repeat(limits::FILE_BYTES_MAX), 1), []);
    assert_eq!(codes(" ".repeat(limits::FILE_BYTES_MAX + 1), 1), [Code::E005]);
    let file = SourceFile { path: String::new(), text: String::new() };
    let error = compile(&vec![file; limits::FILES_MAX + 1], &names(1), &[]).unwrap_err();
    assert_eq!(error[0].code, Code::E005);
}

/// Long input of one kind ends in a program or in diagnostics, and the number of diagnostics is bounded.
#[test]
fn long_files_of_anything_end() {
    assert_eq!(codes("# nothing to see here\n".repeat(1_000_000), 1), []);
    for (line, expected) in [
        ("oops\n", Code::E030),
        ("when x is y then no ad\n", Code::E040),
        ("rule \"a\" { when country is XX then show creative \"b\" }\n", Code::E041),
        ("when country is RO then show creative \"b\"\n", Code::E046),
        ("event a\n", Code::E034),
        ("segment \"s\" { segment(\"t\") }\n", Code::E034),
        ("“\n", Code::E001),
    ] {
        let found = codes(line.repeat(100_000), 1);
        assert!(found.len() <= limits::DIAGNOSTICS_MAX && found.contains(&expected), "{line}: {found:?}");
    }
}

#[test]
fn trees_are_bounded() {
    let values = "1,".repeat(limits::TREE_NODES_MAX);
    assert_eq!(codes(format!("when hour in ({values}1) then no ad\n"), 1), [Code::E080]);
}

#[test]
fn counts_and_tests_are_bounded() {
    let rule = |number: usize| {
        format!("rule \"{number}\" {{ when impressions in last {} minutes < 3 then no ad }}\n", number + 1)
    };
    let rules =
        |count: usize| (0..count).map(rule).collect::<String>() + "rule \"x\" fallback { then no ad }\n";
    assert_eq!(codes(rules(256), 1), []);
    assert_eq!(codes(rules(257), 1), [Code::E080]);
    let tests = "test \"t\" { expect no ad }\n".repeat(50_000);
    let rules: String = (0..20_001).map(|n| format!("rule \"{n}\" fallback {{ then no ad }}\n")).collect();
    assert_eq!(codes(rules + &tests, 1), [Code::E080]);
}

#[test]
fn attributes_and_segments_are_bounded() {
    let rules = |count: usize| {
        let rule = |number| format!("rule \"{number}\" {{ rollout 5% then no ad }}\n");
        (0..count).map(rule).collect::<String>() + "rule \"x\" fallback { then no ad }\n"
    };
    assert_eq!(codes(rules(4_096), 1), []);
    assert_eq!(codes(rules(4_097), 1), [Code::E080]);
    let segments: String = (0..65_537).map(|n| format!("segment \"{n}\" {{ country is RO }}\n")).collect();
    assert!(codes(segments, 1).contains(&Code::E080));
}

#[test]
fn equal_counts_are_one_feature() {
    let text = "rule \"a\" { when impressions in last 60 minutes < 3 and clicks today == 0 then no ad }\n\
        rule \"b\" { when impressions in last 1 hour > 5 or clicks today > 1 then no ad }\n\
        rule \"c\" { cap 1 per user per hour cap 2 per user per 60 minutes then no ad }\n\
        rule \"d\" fallback { then no ad }";
    let files = [SourceFile { path: "a.rules".to_owned(), text: text.to_owned() }];
    let compiled = compile(&files, &names(1), &[]).unwrap();
    let features = &compiled.program.features;
    assert_eq!(features.len(), 3, "{features:?}");
    assert_eq!(features[0].bucket_ms, 120_000);
    assert_eq!((features[2].subject_id.as_str(), features[2].subject), ("c", FeatureSubject::Rule(2)));
    let names: Vec<&str> =
        compiled.program.attributes.iter().map(|attribute| attribute.name.as_str()).collect();
    assert_eq!(
        names,
        ["impressions in last 1 hour", "clicks today", "impressions of rule \"c\" in last 1 hour"]
    );
    assert!(compiled.program.attributes.iter().all(|attribute| attribute.gates == Gates::FREQUENCY_CAP));
}

#[test]
fn deep_nesting_is_refused_at_any_depth() {
    for (open, close) in [("(", ")"), ("not ", ""), ("match any { ", " }"), ("possibly(", ")")] {
        for depth in [20, 200, 100_000] {
            let text = format!(
                "when {}country is RO{} then no ad\nrule \"x\" fallback {{ then no ad }}",
                open.repeat(depth),
                close.repeat(depth)
            );
            let expected: &[Code] = if depth == 20 { &[] } else { &[Code::E006] };
            assert_eq!(codes(text, 1), expected, "{depth} times {open}");
        }
    }
}

#[test]
fn long_chains_of_segments_are_refused() {
    let chain = |length: usize| {
        let link = |number| format!("segment \"s{number:05}\" {{ not segment(\"s{:05}\") }}\n", number + 1);
        let links: String = (0..length).map(link).collect();
        format!(
            "{links}segment \"s{length:05}\" {{ country is RO }}\nrule \"r\" fallback {{ when segment(\"s00000\") then no ad }}"
        )
    };
    assert_eq!(codes(chain(20), 1), []);
    let long = codes(chain(5_000), 1);
    assert!(long.iter().all(|code| *code == Code::E006) && !long.is_empty(), "{long:?}");
}

#[test]
fn deep_segments_behind_one_another_do_not_exhaust_the_stack() {
    for deep in ["not ", "possibly(not ", "match any { not "] {
        let close = if deep.starts_with('p') {
            ")"
        } else if deep.starts_with('m') {
            "}"
        } else {
            ""
        };
        let depth = if deep == "not " { 60 } else { 20 };
        let link = |number| {
            let (open, close) = (deep.repeat(depth), close.repeat(depth));
            format!("segment \"s{number:05}\" {{ {open}segment(\"s{:05}\"){close} }}\n", number + 1)
        };
        let links: String = (0..40).rev().map(link).collect();
        let text = format!("{links}segment \"s00040\" {{ country is RO }}\n");
        let found = codes(text, 1);
        assert!(found.contains(&Code::E006) && found.iter().all(|code| *code == Code::E006), "{found:?}");
    }
}

#[test]
fn long_texts_are_refused() {
    let rule =
        |length| format!("rule \"r\" fallback {{ when page.path is \"{}\" then no ad }}", "x".repeat(length));
    assert_eq!(codes(rule(1_024), 1), []);
    assert_eq!(codes(rule(1_025), 1), [Code::E005]);
}

#[test]
fn segments_that_double_one_another_are_refused() {
    let mut text = "segment \"s0\" { country is RO hour >= 5 }\n".to_owned();
    for number in 1..25 {
        text += &format!("segment \"s{number}\" {{ segment(\"s{0}\") segment(\"s{0}\") }}\n", number - 1);
    }
    text += "rule \"r\" fallback { when segment(\"s24\") then no ad }";
    assert!(codes(text, 1).contains(&Code::E007));
}

#[test]
fn too_many_rules_are_refused_before_they_are_expanded() {
    let rules: String = (0..2_000).map(|n| format!("rule \"{n}\" fallback {{ then no ad }}\n")).collect();
    assert_eq!(codes(rules.clone(), 10), []);
    assert_eq!(codes(rules, 1_000), [Code::E080]);
}

#[test]
fn extras_and_segments_are_found_by_name() {
    let text = "segment \"a\" { country is RO }\nsegment \"b\" { country is MD }\n".to_owned();
    let files = [SourceFile { path: "a.rules".to_owned(), text }];
    let words = vec!["tablet".to_owned(), "mobile".to_owned()];
    let extra = Extra { attribute: "device.type".to_owned(), words };
    let mut compiled = compile(&files, &names(1), &[extra]).unwrap();
    assert_eq!(compiled.segment("b"), Some(SegmentId(1)));
    assert_eq!(compiled.segment("c"), None);
    let signal = compiled.signal("device.type").unwrap();
    assert_eq!(compiled.program.attributes[signal.0 as usize].name, "device.type");
    assert_eq!(compiled.signal("hour"), None);
    assert_eq!(compiled.program.dictionary, ["MD", "RO", "mobile", "tablet"]);
    assert_eq!(compiled.warnings.len(), 2);
    compiled.mark_segment_used("a");
    assert_eq!(compiled.warnings.len(), 1);

    let bad = |attribute: &str, word: &str| {
        let extra = Extra { attribute: attribute.to_owned(), words: vec![word.to_owned()] };
        compile(&files, &names(1), &[extra]).unwrap_err()[0].code
    };
    assert_eq!(bad("device.typ", "mobile"), Code::E040);
    assert_eq!(bad("device.type", "moblie"), Code::E041);
}

#[test]
fn compiling_twice_gives_the_same_bytes() {
    let text =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/rules/decisions.md"));
    let text = text.unwrap();
    let rules: String = text.split("```rules\n").nth(2).unwrap().split("```").next().unwrap().to_owned();
    let mut names = names(0);
    names.placements = vec!["home".to_owned(), "side".to_owned()];
    names.creatives = ["a", "b", "c"].map(str::to_owned).to_vec();
    let offer = |id: &str, kind| rulec::OfferName { id: id.to_owned(), kind, value: 0 };
    names.offers = vec![
        offer("ship", tessera_wire::catalog::OfferKind::FreeShipping),
        offer("duo", tessera_wire::catalog::OfferKind::Bundle),
    ];
    let files = [SourceFile { path: "a.rules".to_owned(), text: rules }];
    let (first, second) = (compile(&files, &names, &[]).unwrap(), compile(&files, &names, &[]).unwrap());
    assert_eq!(first, second);
    assert!(first.source.literals.contains(&"possibly(age >= 18)".to_owned()), "{:?}", first.source.literals);
    assert_eq!(first.source.rules[1].name, "gold");
}

#[test]
fn copies_of_one_large_condition_are_counted() {
    let large = "hour > 1 ".repeat(5_000);
    let rules: String = (0..500)
        .map(|number| format!("rule \"{number}\" fallback {{ when segment(\"large\") then no ad }}\n"))
        .collect();
    assert_eq!(codes(format!("segment \"large\" {{ {large} }}\n{rules}"), 1), [Code::E080]);
    let tiers = "hour > 5 -> no ad ".repeat(900);
    let rule = format!("rule \"r\" fallback {{ when segment(\"large\") then choose first {{ {tiers} }} }}");
    assert_eq!(codes(format!("segment \"large\" {{ {large} }}\n{rule}"), 1), [Code::E080]);
    let tiers = "hour > 5 -> no ad ".repeat(limits::TIERS_MAX + 1);
    let rule = format!("rule \"r\" fallback {{ then choose first {{ {tiers} }} }}");
    assert_eq!(codes(rule, 1), [Code::E080]);
}
