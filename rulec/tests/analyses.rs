//! Findings about rules hold for every visitor: random rule sets over small domains, compared with brute force.
#![allow(clippy::unwrap_used, clippy::panic)]

use proptest::prelude::*;
use rulec::analyse::{Finding, analyse, unshown_creatives};
use rulec::{Names, SourceFile, compile};
use tessera_rulevm::{CatalogBounds, Frame, Scratch, VerifiedProgram, evaluate};
use tessera_wire::catalog::{CreativeId, PlacementId};
use tessera_wire::program::{Action, Program, RuleClass, RuleId, SegmentId, SignalId};
use tessera_wire::signal::{Kind, NUMBER_SCALE};

const NOW_MS: i64 = 1_800_000_000_000;
const HOUR_MS: i64 = 3_600_000;

const HEAD: &str = "
attribute n : number from request
attribute t : text from request
attribute s : set of text from request
attribute seen : time from request
";

fn names() -> Names {
    Names {
        placements: vec!["home".to_owned()],
        creatives: ["a", "b", "c"].map(str::to_owned).to_vec(),
        ..Names::default()
    }
}

fn program(rules: &str) -> VerifiedProgram {
    let files = [SourceFile { path: "x.rules".to_owned(), text: format!("{HEAD}{rules}") }];
    let compiled = compile(&files, &names(), &[]).unwrap_or_else(|diagnostics| {
        panic!("{}", diagnostics.iter().map(|one| one.render(&files)).collect::<String>())
    });
    let bounds = CatalogBounds { placements: 1, creatives: 3, ..CatalogBounds::default() };
    VerifiedProgram::verify(compiled.program, bounds).unwrap()
}

/// A value that brute force tries.
#[derive(Debug, Clone)]
enum Value {
    Unknown,
    Integer(i64),
    Text(&'static str),
    Set(Vec<&'static str>),
}

/// Values that tell all tests of the generated rules apart.
fn domain(kind: Kind) -> Vec<Value> {
    let mut values = vec![Value::Unknown];
    match kind {
        Kind::Number => {
            let around =
                |whole: i64| [whole * NUMBER_SCALE - 1, whole * NUMBER_SCALE, whole * NUMBER_SCALE + 1];
            values.extend((0..5).flat_map(around).map(Value::Integer));
        }
        Kind::Time => {
            let ages = [-1, 0, 1, HOUR_MS, HOUR_MS + 1, 2 * HOUR_MS, 2 * HOUR_MS + 1];
            values.extend(ages.map(|age| Value::Integer(NOW_MS - age)));
        }
        Kind::Text => values.extend(["x", "xy", "yx", "xyx", "z", "else"].map(Value::Text)),
        _ => values.extend((0..16usize).map(|mask| {
            let all = ["p", "q", "r", "else"];
            Value::Set(
                all.into_iter()
                    .enumerate()
                    .filter(|(bit, _)| mask >> bit & 1 == 1)
                    .map(|(_, one)| one)
                    .collect(),
            )
        })),
    }
    values
}

/// Calls `visit` with the results of every combination of values.
fn brute_force(program: &VerifiedProgram, mut visit: impl FnMut(&Scratch)) {
    let domains: Vec<Vec<Value>> =
        program.program().attributes.iter().map(|attribute| domain(attribute.kind)).collect();
    let (mut frame, mut scratch) = (Frame::new(program), Scratch::new(program));
    let total: usize = domains.iter().map(Vec::len).product();
    for number in 0..total {
        frame.reset(program, NOW_MS);
        let mut rest = number;
        for (signal, domain) in (0u16..).map(SignalId).zip(&domains) {
            match &domain[rest % domain.len()] {
                Value::Unknown => {}
                Value::Integer(value) => frame.set_integer(signal, *value),
                Value::Text(text) => frame.set_text(program, signal, text),
                Value::Set(members) => {
                    frame.begin_set(signal);
                    members.iter().for_each(|member| frame.push_member(program, signal, member));
                }
            }
            rest /= domain.len();
        }
        evaluate(program, &frame, &mut scratch);
        visit(&scratch);
    }
}

fn condition() -> impl Strategy<Value = String> {
    let number = (0i64..5, 0i64..5, 0u8..4).prop_map(|(one, two, form)| match form {
        0 => format!("n >= {one}"),
        1 => format!("n < {one}"),
        2 => format!("n in {}..{}", one.min(two), one.max(two)),
        _ => format!("n == {one}"),
    });
    let words = prop::sample::select(vec!["\"x\"", "\"xy\"", "(\"x\", \"yx\")", "(\"z\", \"xy\", \"x\")"]);
    let text = (words, 0u8..2).prop_map(|(list, form)| match form {
        0 => format!("t in {list}"),
        _ => format!("t not in {list}"),
    });
    let inside = prop::sample::select(vec![
        "t starts with \"x\"",
        "t starts with \"xy\"",
        "t ends with \"x\"",
        "t contains \"y\"",
        "t is known",
        "t is unknown",
        "n is unknown",
        "s is known",
        "seen within 1 hours",
        "seen within 2 hours",
        "seen before 1 hours ago",
    ]);
    let list =
        prop::sample::select(vec!["\"p\"", "(\"p\", \"q\")", "(\"q\", \"r\")", "(\"p\", \"q\", \"r\")"]);
    let mode = prop::sample::select(vec!["any of", "all of", "none of", "only of"]);
    let set = (list, mode).prop_map(|(list, mode)| format!("s includes {mode} {list}"));
    let leaf = prop_oneof![3 => number, 2 => text, 2 => inside.prop_map(str::to_owned), 2 => set];
    leaf.prop_recursive(2, 6, 3, |inner| {
        prop_oneof![
            3 => prop::collection::vec(inner.clone(), 2..4).prop_map(|parts| format!("match all {{ {} }}", parts.join(" "))),
            2 => prop::collection::vec(inner.clone(), 2..4).prop_map(|parts| format!("match any {{ {} }}", parts.join(" "))),
            1 => inner.clone().prop_map(|one| format!("not ({one})")),
            1 => inner.clone().prop_map(|one| format!("definitely({one})")),
            1 => inner.prop_map(|one| format!("possibly({one})")),
        ]
    })
}

fn rules() -> impl Strategy<Value = String> {
    let action = prop::sample::select(vec![
        "show creative \"a\"",
        "show creative \"b\"",
        "show creative \"c\"",
        "no ad",
        "tag \"seen\"",
    ]);
    let class = prop::sample::select(vec!["", "", "", "contextual", "fallback"]);
    let rule = (condition(), prop::option::of(condition()), action, 0i32..3, class);
    prop::collection::vec(rule, 2..7).prop_map(|rules| {
        let one = |(index, (when, tier, action, priority, class)): (
            usize,
            (String, Option<String>, &str, i32, &str),
        )| {
            let then = match tier {
                Some(tier) => format!("choose first {{ {tier} -> {action} {when} -> show creative \"a\" }}"),
                None => action.to_owned(),
            };
            format!("rule \"r{index}\" priority {priority} {class} {{ when {when} then {then} }}\n")
        };
        rules.into_iter().enumerate().map(one).collect()
    })
}

fn fills(program: &Program, rule: u32) -> bool {
    let actions = program.rules[rule as usize].actions.of(&program.actions);
    actions.iter().any(|action| matches!(action, Action::ShowCreative(_) | Action::Suppress))
}

fn ids_of(program: &Program, source: u32, tier: u16) -> Vec<RuleId> {
    let is_it = |id: &u32| {
        let rule = &program.rules[*id as usize];
        (rule.source, rule.tier) == (source, tier)
    };
    (0..program.rules.len() as u32).filter(is_it).map(RuleId).collect()
}

/// Does a rule that is asked earlier take the visitor?
fn is_taken_before(program: &Program, scratch: &Scratch, rule: RuleId) -> bool {
    let own = &program.rules[rule.0 as usize];
    let rank = |id: u32| (program.rules[id as usize].class == RuleClass::Fallback, id);
    (0..program.rules.len() as u32).filter(|id| rank(*id) < rank(rule.0)).any(|id| {
        let is_own_tier = program.rules[id as usize].source == own.source;
        scratch.is_rule_true(RuleId(id)) && (is_own_tier || fills(program, id))
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 250, ..ProptestConfig::default() })]

    #[test]
    fn findings_hold_for_every_visitor(text in rules(), segment in condition()) {
        let text = format!("segment \"g\" {{ {segment} }}\n{text}when segment(\"g\") then no ad");
        let verified = program(&text);
        let program = verified.program();
        let findings = analyse(&verified);
        let mut ties: Vec<bool> = findings.iter().map(|finding| !matches!(finding, Finding::Tie { .. })).collect();
        brute_force(&verified, |scratch| {
            for (finding, tie) in findings.iter().zip(&mut ties) {
                match finding {
                    Finding::NeverTrue { rule, tier } => {
                        assert!(!ids_of(program, *rule, *tier).iter().any(|id| scratch.is_rule_true(*id)), "{finding:?} {text}");
                    }
                    Finding::AlwaysTrue { rule, tier } => {
                        assert!(ids_of(program, *rule, *tier).iter().all(|id| scratch.is_rule_true(*id)), "{finding:?} {text}");
                    }
                    Finding::EmptySegment { segment } => assert!(!scratch.is_segment_true(SegmentId(*segment)), "{text}"),
                    Finding::NeverFirst { rule, .. } => {
                        for id in ids_of(program, rule.0, rule.1) {
                            let is_first = scratch.is_rule_true(id) && !is_taken_before(program, scratch, id);
                            assert!(!is_first, "{finding:?} {text}");
                        }
                    }
                    Finding::Tie { first, second, .. } => {
                        let is_true = |source: u32| (0..program.rules.len() as u32)
                            .any(|id| program.rules[id as usize].source == source && scratch.is_rule_true(RuleId(id)));
                        *tie |= is_true(*first) && is_true(*second);
                    }
                    Finding::Gap { .. } => {}
                }
            }
        });
        prop_assert!(ties.into_iter().all(|holds| holds), "{findings:?} {text}");
    }
}

fn findings(rules: &str) -> Vec<Finding> {
    analyse(&program(rules))
}

#[test]
fn contradictions_are_found() {
    for condition in [
        "n > 3 and n < 2",
        "t is \"x\" and t starts with \"z\"",
        "t starts with \"xy\" and t not in (\"q\") and not (t starts with \"x\")",
        "s includes all of (\"p\", \"q\") and s includes none of (\"q\")",
        "s includes only of (\"p\") and s includes \"q\"",
        "n is unknown and n >= 0",
        "seen within 1 hours and seen before 2 hours ago",
        "definitely(n > 3) and not possibly(n > 2)",
    ] {
        let text = format!("rule \"r\" {{ when {condition} then no ad }}");
        assert_eq!(findings(&text), [Finding::NeverTrue { rule: 0, tier: 0 }], "{condition}");
    }
}

#[test]
fn tautologies_are_found() {
    for condition in [
        "n is known or n is unknown",
        "possibly(n > 2) or definitely(n <= 3)",
        "not definitely(t is \"x\") or t in (\"x\", \"z\")",
    ] {
        let text = format!("rule \"r\" {{ when {condition} then no ad }}");
        assert_eq!(findings(&text), [Finding::AlwaysTrue { rule: 0, tier: 0 }], "{condition}");
    }
    assert_eq!(findings("rule \"r\" { when n <= 3 or n > 2 then no ad }"), [], "unknown is neither");
}

#[test]
fn shadows_ties_and_gaps_are_found() {
    let shadow = "rule \"wide\" priority 2 { when n > 1 then show creative \"a\" }
        rule \"narrow\" priority 1 { when n > 2 and t is \"x\" then show creative \"b\" }";
    assert_eq!(findings(shadow), [Finding::NeverFirst { rule: (1, 0), by: (0, 0) }]);
    let fallback = "rule \"first\" fallback priority 9 { then show creative \"a\" }
        rule \"second\" { when n > 1 then show creative \"b\" }";
    assert_eq!(findings(fallback), [], "a fallback is asked last, whatever its priority");
    let offers = "rule \"wide\" priority 2 { when n > 1 then tag \"x\" }
        rule \"narrow\" priority 1 { when n > 2 then show creative \"b\" }";
    assert_eq!(findings(offers), [], "a tag takes nothing away");
    let tie = "rule \"one\" { when n > 1 then show creative \"a\" } rule \"two\" { when t is \"x\" then show creative \"b\" }";
    let visitor = "n = 1.000001, t = x".to_owned();
    assert_eq!(findings(tie), [Finding::Tie { first: 0, second: 1, visitor }]);
    let gap = "attribute price : money(EUR) from request
rule \"r\" { when t is \"x\" then choose first { price in 50 EUR ..< 100 EUR -> no ad price > 100 EUR -> tag \"x\" } }";
    let (low, high) = (100 * NUMBER_SCALE, 100 * NUMBER_SCALE);
    assert_eq!(findings(gap), [Finding::Gap { rule: 0, signal: SignalId(1), low, high }]);
    let ages = "rule \"r\" { then choose first { n in 18..24 -> no ad n in 25..34 -> tag \"x\" } }";
    assert_eq!(findings(ages), [], "whole numbers leave nothing out");
}

#[test]
fn a_creative_that_only_impossible_rules_show_is_never_shown() {
    let verified = program(
        "rule \"r\" { when n > 3 and n < 2 then show creative \"a\" } rule \"s\" { then show creative \"b\" }",
    );
    assert_eq!(unshown_creatives(&verified, 3), [CreativeId(0), CreativeId(2)]);
    assert_eq!(verified.rules_of(PlacementId(0)).len(), 2);
}
