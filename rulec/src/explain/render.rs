//! Explanations as text and as JSON.
//!
//! Guarantees: without `shows_values` no value of an attribute that needs consent is in the output, neither the visitor's
//! own nor one computed from it.

use serde_json::{Value, json};
use tessera_rulevm::Truth;

use super::{Explanation, Fact, Known, Nearest, Node, Outcome, Position};

/// Columns up to which truths are aligned.
const WIDTH_MAX: usize = 60;

/// An explanation for people. Ends with a line break.
pub fn text(explanation: &Explanation, shows_values: bool) -> String {
    let Explanation { rule, position, truth, .. } = explanation;
    let mut rows = Vec::new();
    let has_tiers = !explanation.tiers.is_empty();
    for (index, clause) in explanation.clauses.iter().enumerate() {
        let is_last = index + 1 == explanation.clauses.len() && !has_tiers;
        push_rows(&mut rows, clause, "", is_last, shows_values);
    }
    for (index, tier) in explanation.tiers.iter().enumerate() {
        let mut tier = tier.clone();
        let mark = if explanation.taken == Some(index) { "takes tier" } else { "tier" };
        tier.text = format!("{mark} {}: {}", index + 1, tier.text);
        push_rows(&mut rows, &tier, "", index + 1 == explanation.tiers.len(), shows_values);
    }
    let width = rows.iter().map(|row| row.head.chars().count()).max().unwrap_or(0).min(WIDTH_MAX);
    let mut out = format!(
        "rule \"{rule}\" ({}:{}, priority {})  {} -> {}\n",
        position.file,
        position.line,
        explanation.priority,
        word(*truth).to_uppercase(),
        verdict(explanation)
    );
    for row in &rows {
        let line = format!("{:width$}  {:7}  {}", row.head, row.truth, row.tail);
        out.push_str(line.trim_end());
        out.push('\n');
    }
    if *truth != Truth::True {
        out.push_str(&nearest_text(explanation.nearest.as_ref(), shows_values));
    }
    explanation.outcomes.iter().for_each(|outcome| out.push_str(&outcome_text(outcome)));
    out
}

struct Row {
    head: String,
    truth: &'static str,
    tail: String,
}

fn push_rows(rows: &mut Vec<Row>, node: &Node, indent: &str, is_last: bool, shows_values: bool) {
    let branch = if is_last { "└ " } else { "├ " };
    let mut tail: Vec<String> = node.facts.iter().map(|fact| fact_text(fact, shows_values)).collect();
    if node.decides && node.parts.is_empty() {
        let Position { file, line, column } = &node.position;
        tail.push(format!("({file}:{line}:{column})"));
    }
    let head = format!("{indent}{branch}{}", node.text);
    rows.push(Row { head, truth: word(node.truth), tail: tail.join("  ") });
    let inner = format!("{indent}{}", if is_last { "  " } else { "│ " });
    for (index, part) in node.parts.iter().enumerate() {
        push_rows(rows, part, &inner, index + 1 == node.parts.len(), shows_values);
    }
}

fn word(truth: Truth) -> &'static str {
    match truth {
        Truth::True => "true",
        Truth::False => "false",
        Truth::Unknown => "unknown",
    }
}

fn verdict(explanation: &Explanation) -> &'static str {
    let outcomes = &explanation.outcomes;
    if explanation.truth != Truth::True {
        "does not serve"
    } else if outcomes.iter().any(|outcome| outcome.decides) {
        "serves"
    } else if outcomes.iter().any(|outcome| outcome.takes_part) {
        "takes part"
    } else {
        "another rule comes first"
    }
}

fn fact_text(fact: &Fact, shows_values: bool) -> String {
    let name = &fact.attribute;
    match &fact.known {
        Known::Value { is_personal: true, .. } if !shows_values => format!("{name} has a value (not shown)"),
        Known::Value { text, .. } => format!("{name} = {text}"),
        Known::Missing => format!("{name} is missing"),
        Known::NoConsent(purposes) => format!("no consent for {}", purposes.join(", ")),
    }
}

fn nearest_text(nearest: Option<&Nearest>, shows_values: bool) -> String {
    let Some(Nearest { missing, conditions, changes }) = nearest else {
        return "nearest match: none found\n".to_owned();
    };
    let changes: Vec<&str> = changes.iter().map(|change| change.text(shows_values)).collect();
    format!(
        "nearest match: {missing} of {conditions} conditions missing; it would match with: {}\n",
        changes.join("; ")
    )
}

fn outcome_text(outcome: &Outcome) -> String {
    let placement = &outcome.placement;
    match &outcome.decider {
        _ if outcome.decides => format!("{placement}: this rule decides\n"),
        Some((name, priority)) => format!("{placement}: \"{name}\" (priority {priority}) decides\n"),
        None => format!("{placement}: no rule decides\n"),
    }
}

/// An explanation for programs.
pub fn json(explanation: &Explanation, shows_values: bool) -> Value {
    let nodes =
        |nodes: &[Node]| nodes.iter().map(|node| node_json(node, shows_values)).collect::<Vec<Value>>();
    let nearest = explanation.nearest.as_ref().map(|nearest| {
        let changes = nearest
            .changes
            .iter()
            .map(|change| json!({ "kind": change.kind(), "text": change.text(shows_values) }));
        json!({
            "missing": nearest.missing,
            "conditions": nearest.conditions,
            "changes": changes.collect::<Vec<Value>>(),
        })
    });
    let outcomes = explanation.outcomes.iter().map(|outcome| {
        json!({
            "placement": outcome.placement,
            "decider": outcome.decider.as_ref().map(|(name, _)| name),
            "priority": outcome.decider.as_ref().map(|(_, priority)| priority),
            "decides": outcome.decides,
            "takes_part": outcome.takes_part,
        })
    });
    json!({
        "rule": explanation.rule,
        "at": position_json(&explanation.position),
        "priority": explanation.priority,
        "truth": word(explanation.truth),
        "clauses": nodes(&explanation.clauses),
        "tiers": nodes(&explanation.tiers),
        "taken": explanation.taken,
        "nearest": nearest,
        "outcomes": outcomes.collect::<Vec<Value>>(),
    })
}

fn position_json(position: &Position) -> Value {
    json!({ "file": position.file, "line": position.line, "column": position.column })
}

fn node_json(node: &Node, shows_values: bool) -> Value {
    let facts = node.facts.iter().map(|fact| {
        let mut object = json!({ "attribute": fact.attribute });
        match &fact.known {
            Known::Value { text, is_personal } if shows_values || !is_personal => {
                object["value"] = json!(text)
            }
            Known::Value { .. } => object["hidden"] = json!(true),
            Known::Missing => object["because"] = json!("missing"),
            Known::NoConsent(purposes) => {
                object["because"] = json!("consent");
                object["purposes"] = json!(purposes);
            }
        }
        object
    });
    let parts = node.parts.iter().map(|part| node_json(part, shows_values));
    json!({
        "text": node.text,
        "at": position_json(&node.position),
        "truth": word(node.truth),
        "decides": node.decides,
        "facts": facts.collect::<Vec<Value>>(),
        "parts": parts.collect::<Vec<Value>>(),
    })
}
