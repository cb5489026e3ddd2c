//! JSON criteria: everything of requirement 2, errors with their place, and nothing lost between JSON and text.
#![allow(clippy::unwrap_used, clippy::panic)]

use rulec::json::{Criteria, Declarations, Finding, parse_condition};
use rulec::{Code, Names, Severity, SourceFile};
use tessera_wire::program::{Constraint, Program};

const DECLARATIONS: &str = r#"
attribute total_spent : money(EUR)
attribute purchase_count : number
attribute avg_order : money(EUR)
attribute engagement_score : number in 0..100
attribute churn_risk : number in 0..100
attribute last_purchase : time
attribute genres : set of text
attribute event_types : set of text
attribute age : number in 0..120
attribute vip : bool
attribute share : percent
attribute tier : one of silver, gold, "black card", true
segment "loyal" { total_spent >= 500 EUR }
rule "not looked at" { when nothing_like_this then show creative "missing" }
"#;

fn files() -> Vec<SourceFile> {
    let without_rule =
        DECLARATIONS.replace("nothing_like_this", "vip").replace("creative \"missing\"", "creative \"a\"");
    vec![SourceFile { path: "audience.rules".to_owned(), text: without_rule }]
}

fn names() -> Names {
    Names { creatives: vec!["a".to_owned()], ..Names::default() }
}

fn json(json: &str) -> Result<Criteria, Vec<Finding>> {
    parse_condition(json, Declarations { files: &files(), names: &names() })
}

fn text(text: &str) -> Result<Criteria, Vec<Finding>> {
    Criteria::from_text(text, Declarations { files: &files(), names: &names() })
}

fn program(criteria: &Criteria) -> Program {
    criteria.compile("s").unwrap().program
}

/// A list of rules in a group, as a screen sends it.
fn all(rules: &str) -> String {
    format!(r#"{{"match": "all", "rules": [{rules}]}}"#)
}

fn field(name: &str, operator: &str, value: &str) -> String {
    format!(r#"{{"field": "{name}", "operator": "{operator}", "value": {value}}}"#)
}

#[test]
fn the_criteria_of_requirement_2_read_as_they_stand() {
    let example = r#"{
        "match": "all",
        "rules": [
          {"field": "total_spent", "operator": ">=", "value": 100},
          {"field": "genres", "operator": "includes", "value": ["rock", "metal"]},
          {"field": "last_purchase", "operator": "within_days", "value": 90}
        ]
      }"#;
    let criteria = json(example).unwrap();
    let expected = r#"total_spent >= 100 EUR and genres includes any of ("rock", "metal") and last_purchase within 90 days"#;
    assert_eq!(criteria.to_text(), expected);
    let direct = text(
        "total_spent >= 100 EUR\ngenres includes any of (\"rock\", \"metal\")\nlast_purchase within 90 days",
    );
    assert_eq!(program(&criteria), program(&direct.unwrap()));
    assert!(criteria.warnings().is_empty());
}

#[test]
fn every_field_and_operator_of_requirement_2_is_there() {
    let table: [(&str, &[&str], &str, &str); 11] = [
        ("total_spent", &[">=", "<=", "=", "between"], "100", "100 EUR"),
        ("purchase_count", &[">=", "<=", "=", "between"], "3", "3"),
        ("avg_order", &[">=", "<=", "between"], "49.99", "49.99 EUR"),
        ("engagement_score", &[">=", "<=", "between"], "70", "70"),
        ("churn_risk", &[">=", "<=", "between"], "60", "60"),
        ("last_purchase", &["within_days", "before_days"], "90", "90 days"),
        ("genres", &["includes"], r#"["rock"]"#, r#"("rock")"#),
        ("event_types", &["includes"], r#""festival""#, r#"("festival")"#),
        ("city", &["is", "in"], r#""Cluj-Napoca""#, r#""Cluj-Napoca""#),
        ("country", &["is", "in"], r#""RO""#, "RO"),
        ("age", &[">=", "<=", "between"], "18", "18"),
    ];
    for (name, operators, value, written) in table {
        for operator in operators {
            let value = if *operator == "between" { format!("[{value}, {value}]") } else { value.to_owned() };
            let criteria = json(&all(&field(name, operator, &value)));
            let criteria =
                criteria.unwrap_or_else(|found| panic!("{name} {operator}: {}", found[0].rendered));
            assert!(criteria.to_text().contains(written), "{} has no {written}", criteria.to_text());
            assert_eq!(program(&criteria).literals.len(), 1);
        }
    }
}

#[test]
fn numbers_take_the_unit_of_their_attribute_and_are_exact() {
    let cases = [
        ("total_spent", "0.1", "100000"),
        ("total_spent", "9007199254740.993", "9007199254740993000"),
        ("share", "12.5", "12500000"),
        ("share", "\"12.5%\"", "12500000"),
        ("total_spent", "\"50 EUR\"", "50000000"),
        ("purchase_count", "1e2", "100000000"),
    ];
    for (name, value, expected) in cases {
        let criteria = json(&field(name, "=", value)).unwrap();
        let program = program(&criteria);
        let Constraint::InRanges(span) = program.literals[0].constraint else {
            panic!("{:?}", program.literals)
        };
        let expected: i64 = expected.parse().unwrap();
        assert_eq!(span.of(&program.ranges), [(expected, expected)], "{name} {value}");
    }
}

#[test]
fn groups_and_wrappers_nest() {
    let inner = [
        field("vip", "is", "true"),
        r#"{"match": "any", "rules": [{"segment": "loyal"}, {"field": "age", "operator": "unknown"}]}"#
            .to_owned(),
        format!(
            r#"{{"match": "none", "rules": [{}, {}]}}"#,
            field("tier", "is", "\"gold\""),
            field("age", "<", "18")
        ),
        format!(r#"{{"not": {}}}"#, field("country", "in", r#"["RO", "MD"]"#)),
        format!(r#"{{"definitely": {}}}"#, field("age", ">=", "18")),
        format!(r#"{{"possibly": {}}}"#, field("churn_risk", "in", r#"[{"from": 0, "below": 20}, 50]"#)),
    ];
    let criteria = json(&all(&inner.join(","))).unwrap();
    assert_eq!(
        criteria.to_text(),
        "vip and (segment(\"loyal\") or age is unknown) and not (tier is gold or age < 18) and not (country in (RO, MD)) \
         and definitely(age >= 18) and possibly(churn_risk in (0..<20, 50))"
    );
}

#[test]
fn a_compiled_segment_has_nothing_but_what_it_reads() {
    let criteria =
        json(&all(&[r#"{"segment": "loyal"}"#.to_owned(), field("vip", "is", "false")].join(","))).unwrap();
    let segment = criteria.compile("mine").unwrap();
    let attributes: Vec<&str> =
        segment.program.attributes.iter().map(|attribute| attribute.name.as_str()).collect();
    assert_eq!(attributes, ["total_spent", "vip"]);
    assert_eq!(segment.program.segments[0].name, "mine");
    assert_eq!((segment.program.segments.len(), segment.program.rules.len()), (1, 0));
    assert_eq!(segment.signals.len(), 2);
}

/// One line per finding: code and pointer.
fn wrong(criteria: &str) -> Vec<(Code, String)> {
    let found = json(criteria).unwrap_err();
    for finding in &found {
        assert!(finding.rendered.starts_with("error[") || finding.diagnostic.severity == Severity::Warning);
        assert!(finding.rendered.contains("  = in: "), "{}", finding.rendered);
    }
    found.into_iter().map(|finding| (finding.diagnostic.code, finding.pointer.unwrap())).collect()
}

#[test]
fn mistakes_are_told_with_their_place() {
    let cases = [
        (field("agee", ">=", "18"), Code::E040, "/field"),
        (field("age", ">==", "18"), Code::E031, "/operator"),
        (field("age", ">=", "\"old\""), Code::E045, "/value"),
        (field("age", ">=", "null"), Code::E030, "/value"),
        (field("age", "between", "[60, 18]"), Code::E050, "/value"),
        (field("age", "between", "[18]"), Code::E030, "/value"),
        (field("age", "in", "[18, \"x\"]"), Code::E045, "/value/1"),
        (field("age", "in", "[]"), Code::E030, "/value"),
        (field("age", ">=", "1.23456789"), Code::E004, "/value"),
        (field("age", "known", "1"), Code::E030, "/value"),
        (field("country", "is", "\"UK\""), Code::E041, "/value"),
        (field("country", "is", "\"a\\nb\""), Code::E003, "/value"),
        (field("genres", "is", "\"rock\""), Code::E047, ""),
        (field("total_spent", ">=", "\"50 USD\""), Code::E044, "/value"),
        (field("last_purchase", "within", "\"24 parsecs\""), Code::E004, "/value"),
        (field("age) or vip or (age", ">=", "18"), Code::E040, "/field"),
        (r#"{"field": "age", "operator": ">="}"#.to_owned(), Code::E030, ""),
        (r#"{"field": "age", "operator": ">=", "vaule": 3}"#.to_owned(), Code::E030, "/vaule"),
        (r#"{"field": "age", "field": "vip"}"#.to_owned(), Code::E034, "/field"),
        (r#"{"segment": "loyall"}"#.to_owned(), Code::E042, "/segment"),
        (r#"{"match": "most", "rules": []}"#.to_owned(), Code::E030, "/match"),
        (r#"{"match": "all", "rules": []}"#.to_owned(), Code::E030, "/rules"),
        (r#"{"match": "all", "not": {}}"#.to_owned(), Code::E030, ""),
        (r#"{"match": "all"}"#.to_owned(), Code::E030, ""),
        (r#"[1]"#.to_owned(), Code::E030, ""),
        (r#"{"not": {"a/b~c": 1}}"#.to_owned(), Code::E030, "/not"),
        (
            all(&[field("age", ">=", "18"), field("age", "is", "true")].join(",")),
            Code::E045,
            "/rules/1/value",
        ),
        ("{\"match\": ".to_owned(), Code::E030, "/match"),
        ("".to_owned(), Code::E030, ""),
    ];
    for (criteria, code, pointer) in cases {
        let found = wrong(&criteria);
        assert_eq!(found.first(), Some(&(code, pointer.to_owned())), "{criteria}: {found:?}");
    }
    let several = wrong(&all(&[field("a b", "=", "1"), field("age", "~", "1"), "7".to_owned()].join(",")));
    assert_eq!(
        several.iter().map(|(_, pointer)| pointer.as_str()).collect::<Vec<_>>(),
        ["/rules/0/field", "/rules/1/operator", "/rules/2"]
    );
}

#[test]
fn a_finding_shows_the_rule_as_text() {
    let rules = [field("vip", "is", "true"), field("tier", "in", r#"["gold", "sliver"]"#)];
    let finding = json(&all(&rules.join(","))).unwrap_err().remove(0);
    assert_eq!(finding.pointer.as_deref(), Some("/rules/1/value/1"));
    assert_eq!(finding.rule.as_deref(), Some(r#"tier in ("gold", "sliver")"#));
    let expected = r#"error[E041]: `sliver` is not one of the values of `tier`
  --> criteria:1:34
   |
 1 | vip is true and tier in ("gold", "sliver")
   |                                  ^^^^^^^^ unknown value
"#;
    assert!(finding.rendered.starts_with(expected), "{}", finding.rendered);
    assert!(
        finding.rendered.contains("did you mean `silver`?\n  = in: /rules/1/value/1\n"),
        "{}",
        finding.rendered
    );
}

#[test]
fn warnings_are_told_with_their_place() {
    let criteria = json(&all(&field("age", ">", "150"))).unwrap();
    let [warning] = criteria.warnings() else { panic!("{:?}", criteria.warnings()) };
    assert_eq!(warning.diagnostic.code, Code::W051);
    assert_eq!(warning.pointer.as_deref(), Some("/rules/0/value"));
    assert!(warning.rendered.contains("1 | age > 150"), "{}", warning.rendered);
}

#[test]
fn text_criteria_are_conditions_and_nothing_else() {
    assert_eq!(text("age >= 18\n\nvip").unwrap().to_text(), "age >= 18 and vip");
    for not_a_condition in
        ["", "age >= 18 }\nsegment \"x\" { vip", "vip }\nattribute b : bool\nsegment \"y\" { b", "age >="]
    {
        let found = text(not_a_condition).unwrap_err();
        assert!(found.iter().all(|finding| finding.pointer.is_none()), "{found:?}");
    }
    let found = text("vip and\n  agee >= 18").unwrap_err();
    assert!(found[0].rendered.contains("--> criteria:2:3"), "{}", found[0].rendered);
}

#[test]
fn the_documentation_says_what_is_the_case() {
    let page = include_str!("../../docs/CRITERIA.md");
    let files = [SourceFile {
        path: "audience.rules".to_owned(),
        text: format!("{}event product_view\n", files()[0].text),
    }];
    let names = Names { creatives: vec!["a".to_owned(), "welcome".to_owned()], ..Names::default() };
    let declarations = Declarations { files: &files, names: &names };
    let mut shown = 0;
    for line in
        page.lines().filter(|line| line.starts_with("| `{") && !line.contains('…') && !line.contains("A"))
    {
        let cells: Vec<&str> =
            line.trim_matches(['|', ' ']).split(" | ").map(|cell| cell.trim_matches('`')).collect();
        let criteria = parse_condition(cells[0], declarations);
        let criteria = criteria.unwrap_or_else(|found| panic!("{line}: {}", found[0].rendered));
        assert_eq!(criteria.to_text(), cells[1], "{line}");
        shown += 1;
    }
    assert!(shown >= 6, "only {shown} examples were found");
    let blocks: Vec<&str> = page.split("```").collect();
    let example = blocks[1].strip_prefix("json").unwrap();
    let criteria = parse_condition(example, declarations).unwrap();
    assert_eq!(criteria.to_text(), blocks[3].strip_prefix("text").unwrap().trim());
}
