//! Explanations: what they say of known cases, and what always holds of random ones.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use proptest::prelude::*;
use proptest::sample::select;
use rulec::explain::{self, Case, Explanation, Known, Node, Refusal, Visitor};
use rulec::{SourceFile, assumed_names};
use tessera_rulevm::Truth;

/// 2026-11-27 10:00 UTC, a Friday.
const NOW_MS: i64 = 1_795_773_600_000;

const DECLARATIONS: &str = r#"attribute age : number in 13..120 needs ads_personalization
attribute distance : number km from request
attribute vip : bool from request
attribute tier : one of none, silver, gold needs ads_personalization
attribute tags : set of text needs behaviour
attribute colors : set of one of red, green, blue from request
attribute title : text caseless from request
attribute total : money(EUR) needs behaviour
attribute seen : time needs behaviour
attribute app : version from request
attribute stay : duration from request
attribute share : percent from request
segment "fans" { tags includes any of ("rock", "metal")  age >= 18 }
segment "late" { seen before 90 days ago }
"#;

fn case(rules: &str, json: &str) -> Case {
    let files = [SourceFile { path: "x.rules".to_owned(), text: rules.to_owned() }];
    let names = assumed_names(&files);
    let visitor = Visitor { json, now_ms: NOW_MS, bucket: None };
    match Case::read(&files, &names, visitor) {
        Ok(case) => case,
        Err(Refusal::Rules(found)) => {
            panic!("{rules}\n{}", found.iter().map(|one| one.render(&files)).collect::<String>())
        }
        Err(Refusal::Visitor(found)) => {
            panic!("{json}\n{}", found.iter().map(|one| one.rendered.clone()).collect::<String>())
        }
    }
}

const MUSIC: &str = r#"rule "young mobile" priority 20 for placement "home" {
  when age in 18..24 and device.type is mobile
  unless segment("late")
  then show creative "a"
}
rule "generic" for placement "home" fallback { then show creative "g" }
"#;

fn music(json: &str) -> Case {
    case(&format!("{DECLARATIONS}{MUSIC}"), json)
}

#[test]
fn an_explanation_reads_like_the_rule() {
    let case = music(r#"{"age": 21, "device.type": "mobile", "seen": "2 hours ago", "consent": "none"}"#);
    let explained = case.explain("young mobile").unwrap();
    let text = explain::text(&explained, false);
    let expected = "rule \"young mobile\" (x.rules:15, priority 20)  UNKNOWN -> does not serve
├ age in 18..24              unknown  no consent for ads_personalization  (x.rules:16:8)
├ device.type is mobile      true     device.type = mobile
└ unless segment(\"late\")     true
  └ seen before 90 days ago  unknown  no consent for ads_personalization
nearest match: 1 of 3 conditions missing; it would match with: consent for ads_personalization
home: \"generic\" (priority 0) decides
";
    assert_eq!(text, expected, "{text}");
}

#[test]
fn values_that_need_consent_are_shown_to_nobody_who_did_not_ask() {
    let case = music(r#"{"age": 31, "device.type": "tv", "seen": "777 days ago", "tags": ["secret"]}"#);
    let explained = case.explain("young mobile").unwrap();
    for hidden in [explain::text(&explained, false), explain::json(&explained, false).to_string()] {
        assert!(!hidden.contains("31") && !hidden.contains("777") && !hidden.contains("secret"), "{hidden}");
        assert!(hidden.contains("tv"), "what needs no consent is shown: {hidden}");
    }
    let shown = explain::text(&explained, true);
    assert!(shown.contains("age = 31") && shown.contains("777 days ago"), "{shown}");
}

#[test]
fn the_taken_tier_and_the_deciding_rule_are_named() {
    let rules = format!(
        "{DECLARATIONS}rule \"cart\" priority 9 for placement \"home\" {{ when total is known then choose first {{\n\
         total in 50 EUR ..< 100 EUR -> show creative \"ten\"\n  total >= 100 EUR -> show creative \"more\" }} }}\n{MUSIC}"
    );
    let case = case(&rules, r#"{"total": 100}"#);
    let explained = case.explain("cart").unwrap();
    assert_eq!((explained.truth, explained.taken, explained.tiers.len()), (Truth::True, Some(1), 2));
    assert!(explained.outcomes[0].decides);
    assert_eq!(explained.tiers.iter().map(|tier| tier.decides).collect::<Vec<_>>(), [false, true]);
    let other = case.explain("generic").unwrap();
    assert_eq!(other.outcomes[0].decider, Some(("cart".to_owned(), 9)));
    assert!(explain::text(&other, false).contains("another rule comes first"));
    let unknown = case.explain("generics").unwrap_err();
    assert_eq!(unknown.to_string(), "there is no rule `generics`; did you mean `generic`?");
}

#[test]
fn counts_buckets_and_clocks_are_given_as_in_criteria() {
    let rules = r#"rule "r" for placement "p" {
  cap 2 per user per day
  rollout 10% by user salt "s"
  active mon..fri 11:30..14:00 in visitor time
  then no ad
}"#;
    let json = r#"{"now": {"at": "2026-11-27T10:00:00Z", "zone": "Europe/Bucharest"},
        "counts": [{"impressions": {"rule": "r"}, "in_last": "1d", "value": 1}],
        "buckets": [{"bucket": "s", "value": 9.5}]}"#;
    let explained = case(rules, json).explain("r").unwrap();
    assert_eq!(explained.truth, Truth::True, "{}", explain::text(&explained, true));
    let too_late =
        json.replace("10:00:00Z", "12:00:30Z").replace("\"value\": 1", "\"value\": 2").replace("9.5", "10");
    let explained = case(rules, &too_late).explain("r").unwrap();
    let truths: Vec<Truth> = explained.clauses.iter().map(|clause| clause.truth).collect();
    assert_eq!(truths, [Truth::True, Truth::False, Truth::False], "14:00 is included to its last second");
    let text = explain::text(&explained, true);
    assert!(text.contains("bucket of \"s\" by user = 10%"), "{text}");
    assert!(text.contains("in last 1 day = 2"), "{text}");
    let user = Visitor { json: r#"{"user": "u-1"}"#, now_ms: NOW_MS, bucket: Some(&|_, _| 99_999) };
    let files = [SourceFile { path: "x.rules".to_owned(), text: rules.to_owned() }];
    let dealt = Case::read(&files, &assumed_names(&files), user).ok().unwrap().explain("r").unwrap();
    assert_eq!(dealt.clauses[2].truth, Truth::True, "{}", explain::text(&dealt, true));
}

#[test]
fn a_wrong_visitor_is_told_where_it_is_wrong() {
    let wrong = [
        (r#"[1]"#, ""),
        (r#"{"agee": 3}"#, "/agee"),
        (r#"{"age": "x"}"#, "/age"),
        (r#"{"consent": ["al"]}"#, "/consent/0"),
        (r#"{"consent": 1}"#, "/consent"),
        (r#"{"now": "soon"}"#, "/now"),
        (r#"{"now": {"at": "2026-11-27", "zone": "Mars/One"}}"#, "/now"),
        (r#"{"counts": [{"impressions": "any", "value": 1}]}"#, "/counts/0"),
        (r#"{"counts": 1}"#, "/counts"),
        (r#"{"buckets": [{"bucket": "s", "value": 1, "of": 2}]}"#, "/buckets/0/of"),
        (r#"{"seen": "yesterday"}"#, "/seen"),
        (r#"{"tags": [1]}"#, "/tags/0"),
        (r#"{"title": ["a", "b"]}"#, "/title"),
    ];
    let files = [SourceFile { path: "x.rules".to_owned(), text: format!("{DECLARATIONS}{MUSIC}") }];
    for (json, pointer) in wrong {
        let read = Case::read(&files, &assumed_names(&files), Visitor { json, now_ms: 0, bucket: None });
        let Err(Refusal::Visitor(found)) = read else { panic!("{json} was taken") };
        assert!(
            found[0].pointer.as_deref().is_some_and(|found| found.starts_with(pointer)),
            "{json}: {found:?}"
        );
    }
}

const TESTS: &[&str] = &[
    "age >= 18",
    "age in 18..24",
    "age < 30",
    "age == 40",
    "age is known",
    "age is unknown",
    "distance <= 5 km",
    "distance in 2..<7.5 km",
    "vip",
    "vip is false",
    "tier is gold",
    "tier in (silver, gold)",
    "tier is not none",
    "tags includes any of (\"rock\", \"folk\")",
    "tags includes all of (\"rock\", \"jazz\")",
    "tags includes none of (\"metal\")",
    "tags includes only of (\"rock\", \"jazz\", \"pop\")",
    "colors includes all of (red, green)",
    "colors includes only of (red)",
    "title starts with \"The \"",
    "title ends with \"end\"",
    "title contains \"Sea\"",
    "title is \"home\"",
    "total >= 100 EUR",
    "total in 49.99 EUR..<50 EUR",
    "seen within 24 hours",
    "seen before 7 days ago",
    "seen >= 2026-01-01",
    "app >= 17.4",
    "app in 2.1..3.0.9",
    "stay > 90 seconds",
    "share in 10%..20%",
    "country is RO",
    "country not in (RO, MD)",
    "language is ro",
    "device.type is mobile",
    "hour in 9..17",
    "weekday in (sat, sun)",
    "active(mon..fri 11:30..14:00 in visitor time)",
    "active(sat..sun in \"Asia/Tokyo\")",
    "active(from 2026-12-24 to 2026-12-26 in \"Europe/Bucharest\")",
    "impressions of creative \"a\" in last 7 days < 3",
    "count of product_view today >= 2",
    "bucket of \"s\" < 10%",
    "bucket of \"r\" by request in 20%..30%",
    "segment(\"fans\")",
    "segment(\"late\")",
];

const VALUES: &[&str] = &[
    "\"age\": 17",
    "\"age\": 24.5",
    "\"distance\": 6",
    "\"vip\": false",
    "\"tier\": \"none\"",
    "\"tags\": []",
    "\"tags\": [\"rock\", \"metal\", \"ska\"]",
    "\"colors\": [\"blue\"]",
    "\"title\": \"THE Sea\"",
    "\"total\": 12.34",
    "\"seen\": \"100 days ago\"",
    "\"seen\": \"2026-11-27T09:59:59.5Z\"",
    "\"app\": \"2.0.7\"",
    "\"stay\": \"5m\"",
    "\"share\": 15",
    "\"country\": \"RO\"",
    "\"language\": \"en\"",
    "\"device.type\": \"tv\"",
    "\"hour\": 3",
    "\"now\": {\"at\": \"2026-11-28 23:30\", \"zone\": \"Europe/Bucharest\"}",
    "\"now\": \"2026-10-25T03:30:00+03:00\"",
    "\"consent\": \"none\"",
    "\"consent\": [\"behaviour\"]",
    "\"consent\": [\"frequency\", \"storage\"]",
];

#[test]
fn every_kind_of_test_can_be_made_to_hold_and_to_fail() {
    for test in TESTS {
        for condition in [(*test).to_owned(), format!("not ({test})")] {
            for json in ["{}", r#"{"consent": "none"}"#] {
                let rules =
                    format!("{DECLARATIONS}rule \"r\" for placement \"p\" {{ when {condition} then no ad }}");
                let explained = case(&rules, json).explain("r").unwrap();
                let is_found = explained.truth == Truth::True || explained.nearest.is_some();
                assert!(is_found, "{condition} for {json}");
            }
        }
    }
}

#[test]
fn what_cannot_match_has_no_nearest_match() {
    for condition in
        ["age >= 50 and age < 40", "vip and not vip", "hour > 23", "country is RO and country is DE"]
    {
        let rules = format!("{DECLARATIONS}rule \"r\" for placement \"p\" {{ when {condition} then no ad }}");
        let explained = case(&rules, "{}").explain("r").unwrap();
        assert_eq!((explained.truth, explained.nearest), (Truth::Unknown, None), "{condition}");
    }
}

fn condition() -> impl Strategy<Value = String> {
    let leaf = select(TESTS).prop_map(str::to_owned);
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..4).prop_map(|parts| format!("({})", parts.join(" and "))),
            prop::collection::vec(inner.clone(), 2..4).prop_map(|parts| format!("({})", parts.join(" or "))),
            inner.clone().prop_map(|inner| format!("not ({inner})")),
            inner.clone().prop_map(|inner| format!("definitely({inner})")),
            inner.clone().prop_map(|inner| format!("possibly({inner})")),
            prop::collection::vec(inner, 1..4)
                .prop_map(|parts| format!("match none {{ {} }}", parts.join("\n"))),
        ]
    })
}

fn visitor() -> impl Strategy<Value = String> {
    prop::sample::subsequence(VALUES, 0..VALUES.len()).prop_map(|mut values| {
        // A member stands once.
        let name = |value: &&str| value.split(':').next().unwrap_or("").to_owned();
        values.dedup_by_key(|value| name(value));
        format!("{{{}}}", values.join(", "))
    })
}

fn rules() -> impl Strategy<Value = String> {
    let clauses = prop::collection::vec(condition(), 0..3);
    let tiers = prop::collection::vec(condition(), 0..3);
    (clauses, prop::option::of(condition()), tiers, any::<[bool; 3]>()).prop_map(
        |(whens, unless, tiers, [capped, rolled, otherwise])| {
            let mut text = format!("{DECLARATIONS}rule \"r\" for placement \"home\" {{\n");
            whens.iter().for_each(|when| text.push_str(&format!("  when {when}\n")));
            unless.iter().for_each(|unless| text.push_str(&format!("  unless {unless}\n")));
            text.push_str(if capped { "  cap 2 per user per day\n" } else { "" });
            text.push_str(if rolled { "  rollout 10% by user salt \"x\"\n" } else { "" });
            text.push_str("  then ");
            if tiers.is_empty() {
                text.push_str("show creative \"a\"\n");
            } else {
                text.push_str("choose first {\n");
                tiers.iter().for_each(|tier| text.push_str(&format!("    {tier} -> show creative \"a\"\n")));
                text.push_str("  }\n");
            }
            text.push_str(if otherwise { "  otherwise show creative \"b\"\n}\n" } else { "}\n" });
            text
        },
    )
}

fn all(nodes: &[Node]) -> Truth {
    let has = |truth: Truth| nodes.iter().any(|node| node.truth == truth);
    if has(Truth::False) {
        Truth::False
    } else if has(Truth::Unknown) {
        Truth::Unknown
    } else {
        Truth::True
    }
}

/// Every part, those inside others included.
fn walk<'a>(nodes: &'a [Node], visit: &mut dyn FnMut(&'a Node)) {
    for node in nodes {
        visit(node);
        walk(&node.parts, visit);
    }
}

fn check_tree(explained: &Explanation) {
    let mut check = |node: &Node| {
        assert!(node.position.line > 0, "{node:?}");
        // A connective is what its parts make of it.
        let truths = || node.parts.iter().map(|part| part.truth);
        if node.text.starts_with("definitely(") && node.parts.len() == 1 {
            let inner = truths().next().unwrap();
            assert_eq!(node.truth == Truth::True, inner == Truth::True, "{node:?}");
        }
        if node.decides && !node.parts.is_empty() {
            assert!(node.parts.iter().any(|part| part.decides), "{node:?}");
        }
        // A test whose values are known is itself known.
        let are_known = node.facts.iter().all(|fact| matches!(fact.known, Known::Value { .. }));
        if node.parts.is_empty() && are_known {
            assert!(node.truth != Truth::Unknown, "{node:?}");
        }
    };
    walk(&explained.clauses, &mut check);
    walk(&explained.tiers, &mut check);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn applying_the_nearest_change_makes_the_rule_match(rules in rules(), json in visitor()) {
        let mut case = case(&rules, &json);
        let explained = case.explain("r").unwrap();
        if explained.tiers.is_empty() {
            prop_assert_eq!(all(&explained.clauses), explained.truth, "{}\n{}", rules, explain::text(&explained, true));
        }
        check_tree(&explained);
        prop_assert_eq!(explained.truth == Truth::True, explained.outcomes[0].takes_part);
        let Some(nearest) = &explained.nearest else { return Ok(()) };
        prop_assert!(explained.truth != Truth::True && nearest.missing > 0 && nearest.missing <= nearest.conditions);
        case.apply(&nearest.changes);
        let after = case.explain("r").unwrap();
        prop_assert_eq!(after.truth, Truth::True, "{}\n{}\n{}", rules, json, explain::text(&explained, true));
        prop_assert!(after.nearest.is_none());
    }

    /// Conditions on different attributes do not stand in one another's way, so what is missing can be counted.
    #[test]
    fn no_condition_that_holds_counts_as_missing(json in visitor(), picked in prop::sample::subsequence(
        vec!["age >= 18", "vip", "tier is gold", "tags includes any of (\"rock\", \"folk\")", "colors includes only of (red)",
            "title is \"home\"", "total >= 100 EUR", "app >= 17.4", "country is DE", "bucket of \"s\" < 10%"], 1..10)) {
        let rules = format!("{DECLARATIONS}rule \"r\" {{ when {} then no ad }}", picked.join(" and "));
        let case = case(&rules, &json);
        let explained = case.explain("r").unwrap();
        let missing = explained.clauses.iter().filter(|clause| clause.truth != Truth::True).count();
        match explained.nearest {
            Some(nearest) => prop_assert_eq!((nearest.missing, nearest.conditions), (missing, picked.len())),
            None => prop_assert_eq!(explained.truth, Truth::True),
        }
    }
}
