//! A condition as JSON.
//!
//! What comes out is read back to a condition of the same meaning, and written again to the same text.

use super::quoted;
use crate::ast::{
    Bucket, Check, Cond, CondKind, Count, CountWindow, CountedEvent, CountedSubject, Includes, Key, Moment,
    Schedule, ScheduleKind, Value, ValueKind, Zone,
};
use crate::format::{self, Canon, Shape, Types, canon, schedule_text, span};
use crate::print::number;

/// The whole criteria: always a group, as requirement and screens expect it.
pub(super) fn criteria(cond: &Cond, types: &Types) -> String {
    let json = condition(cond, types);
    if json.starts_with("{\"match\"") { json } else { format!("{{\"match\":\"all\",\"rules\":[{json}]}}") }
}

fn condition(cond: &Cond, types: &Types) -> String {
    match &unwrapped(cond).kind {
        CondKind::And(parts) => group("all", parts, types),
        CondKind::Or(parts) => group("any", parts, types),
        CondKind::Not(inner) => match &unwrapped(inner).kind {
            CondKind::Or(parts) if parts.len() > 1 => group("none", parts, types),
            _ => wrapped("not", inner, types),
        },
        CondKind::Definitely(inner) => wrapped("definitely", inner, types),
        CondKind::Possibly(inner) => wrapped("possibly", inner, types),
        CondKind::Segment(name) => format!("{{\"segment\":{}}}", quoted(&name.text)),
        CondKind::Test(name, check) => {
            let operand = format!("\"field\":{}", quoted(&name.text));
            test(&operand, check, types.shape(&name.text))
        }
        CondKind::Count(count, check) => test(&count_members(count), check, &Shape::PLAIN_NUMBER),
        CondKind::Bucket(bucket, check) => test(&bucket_members(bucket), check, &Shape::Percent),
        CondKind::Active(schedule) => format!("{{\"active\":{}}}", schedule_object(schedule)),
    }
}

/// Without groups of one.
fn unwrapped(cond: &Cond) -> &Cond {
    match &cond.kind {
        CondKind::And(parts) | CondKind::Or(parts) if parts.len() == 1 => unwrapped(&parts[0]),
        _ => cond,
    }
}

fn group(mode: &str, parts: &[Cond], types: &Types) -> String {
    let rules: Vec<String> = parts.iter().map(|part| condition(part, types)).collect();
    format!("{{\"match\":\"{mode}\",\"rules\":[{}]}}", rules.join(","))
}

fn wrapped(word: &str, inner: &Cond, types: &Types) -> String {
    format!("{{\"{word}\":{}}}", condition(inner, types))
}

fn test(operand: &str, check: &Check, shape: &Shape) -> String {
    let (is_negated, canon) = canon(check, shape);
    let (operator, value) = operator(&canon, shape);
    let value = value.map_or(String::new(), |value| format!(",\"value\":{value}"));
    let test = format!("{{{operand},\"operator\":\"{operator}\"{value}}}");
    if is_negated { format!("{{\"not\":{test}}}") } else { test }
}

fn operator(canon: &Canon<'_>, shape: &Shape) -> (&'static str, Option<String>) {
    let spelled = |value: &Value| value_json(value, shape);
    match canon {
        Canon::Truth(truth) => ("is", Some(truth.to_string())),
        Canon::Known(true) => ("known", None),
        Canon::Known(false) => ("unknown", None),
        Canon::Is { is_negated, value } => {
            let operator = match (shape.is_ordered(), is_negated) {
                (true, false) => "=",
                (true, true) => "!=",
                (false, false) => "is",
                (false, true) => "is_not",
            };
            (operator, Some(spelled(value)))
        }
        Canon::Order(op, value) => (format::sign(*op), Some(spelled(value))),
        Canon::Range { low, high, is_half_open: false } => {
            ("between", Some(format!("[{},{}]", spelled(low), spelled(high))))
        }
        Canon::Range { low, high, is_half_open: true } => {
            ("in", Some(format!("[{}]", range(low, high, true, shape))))
        }
        Canon::In { is_negated: false, list } => ("in", Some(list_json(list, shape))),
        Canon::In { is_negated: true, list } => ("not_in", Some(list_json(list, shape))),
        Canon::Includes(mode, list) => {
            let operator = match mode {
                Includes::Any => "includes",
                Includes::All => "includes_all",
                Includes::None => "includes_none",
                Includes::Only => "includes_only",
            };
            (operator, Some(list_json(list, shape)))
        }
        Canon::Within(span_ms) => age("within_days", "within", *span_ms),
        Canon::Before(span_ms) => age("before_days", "before", *span_ms),
        Canon::StartsWith(text) => ("starts_with", Some(quoted(text))),
        Canon::EndsWith(text) => ("ends_with", Some(quoted(text))),
        Canon::Contains(text) => ("contains", Some(quoted(text))),
    }
}

fn age(in_days: &'static str, other: &'static str, span_ms: i64) -> (&'static str, Option<String>) {
    match span(span_ms) {
        (days, "d") => (in_days, Some(days)),
        (number, unit) => (other, Some(format!("\"{number}{unit}\""))),
    }
}

fn list_json(list: &[Value], shape: &Shape) -> String {
    let list: Vec<String> = list.iter().map(|value| value_json(value, shape)).collect();
    format!("[{}]", list.join(","))
}

fn range(low: &Value, high: &Value, is_half_open: bool, shape: &Shape) -> String {
    let end = if is_half_open { "below" } else { "to" };
    format!("{{\"from\":{},\"{end}\":{}}}", value_json(low, shape), value_json(high, shape))
}

/// In the unit of the attribute, which need not be said; anything else as a text with its unit.
fn value_json(value: &Value, shape: &Shape) -> String {
    match (&value.kind, shape) {
        (ValueKind::Number(value), Shape::Version) => quoted(&number(*value)),
        (ValueKind::Number(value), _) => number(*value),
        (ValueKind::Percent(value), Shape::Percent) => number(*value),
        (ValueKind::Percent(value), _) => quoted(&format!("{}%", number(*value))),
        (ValueKind::Money(amount, found), Shape::Money(currency)) if found == currency => number(*amount),
        (ValueKind::Money(amount, currency), _) => quoted(&format!("{} {currency}", number(*amount))),
        (ValueKind::Measure(value, unit), Shape::Number(own)) if unit.text == *own => number(*value),
        (ValueKind::Measure(value, unit), _) => quoted(&format!("{} {}", number(*value), unit.text)),
        (ValueKind::Word(word), Shape::Bool) if word == "true" || word == "false" => word.clone(),
        (ValueKind::Text(text) | ValueKind::Word(text) | ValueKind::Version(text), _) => quoted(text),
        (ValueKind::DurationMs(span_ms) | ValueKind::AgoMs(span_ms), _) => span_json(*span_ms),
        (ValueKind::Moment(moment), _) => moment_json(moment),
        (ValueKind::Range { low, high, is_half_open }, shape) => range(low, high, *is_half_open, shape),
    }
}

fn span_json(span_ms: i64) -> String {
    let (number, unit) = span(span_ms);
    format!("\"{number}{unit}\"")
}

fn count_members(count: &Count) -> String {
    let what = match &count.event {
        CountedEvent::Behaviour(name) => format!("\"count\":{}", quoted(&name.text)),
        CountedEvent::Impressions => format!("\"impressions\":{}", subject(&count.subject)),
        CountedEvent::Clicks => format!("\"clicks\":{}", subject(&count.subject)),
    };
    let window = match count.window {
        CountWindow::Today => "\"today\":true".to_owned(),
        CountWindow::LastMs(span_ms) => format!("\"in_last\":{}", span_json(span_ms)),
    };
    format!("{what},{window}")
}

fn subject(subject: &CountedSubject) -> String {
    let (kind, name) = match subject {
        // Criteria have no rule of their own; the checker refuses it before anything is written.
        CountedSubject::Any | CountedSubject::ThisRule(_) => return "\"any\"".to_owned(),
        CountedSubject::Campaign(name) => ("campaign", name),
        CountedSubject::Template(name) => ("template", name),
        CountedSubject::Creative(name) => ("creative", name),
        CountedSubject::Offer(name) => ("offer", name),
        CountedSubject::Rule(name) => ("rule", name),
    };
    format!("{{\"{kind}\":{}}}", quoted(&name.text))
}

fn bucket_members(bucket: &Bucket) -> String {
    let key = match bucket.key {
        Key::User => "",
        Key::Request => ",\"by\":\"request\"",
    };
    format!("\"bucket\":{}{key}", quoted(&bucket.salt.text))
}

fn schedule_object(schedule: &Schedule) -> String {
    let mut members = match &schedule.kind {
        ScheduleKind::Dates { from, to } => {
            let end = |name: &str, moment: &Option<Moment>| {
                moment.as_ref().map(|moment| format!("\"{name}\":{}", moment_json(moment)))
            };
            [end("from", from), end("to", to)].into_iter().flatten().collect()
        }
        ScheduleKind::Weekly(windows) => {
            let windows: Vec<String> = windows
                .iter()
                .map(|window| {
                    let days = window.days.map(|days| format!("\"days\":\"{}\"", format::days_text(days)));
                    let hours =
                        window.minutes.map(|hours| format!("\"hours\":\"{}\"", format::hours_text(hours)));
                    let members: Vec<String> = [days, hours].into_iter().flatten().collect();
                    format!("{{{}}}", members.join(","))
                })
                .collect();
            vec![format!("\"weekly\":[{}]", windows.join(","))]
        }
    };
    members.extend(zone_member(&schedule.zone));
    debug_assert!(!members.is_empty(), "INVARIANT: a schedule says something: {}", schedule_text(schedule));
    format!("{{{}}}", members.join(","))
}

fn moment_json(moment: &Moment) -> String {
    let local = quoted(&format::local_text(moment));
    match zone_member(&moment.zone) {
        Some(zone) => format!("{{\"at\":{local},{zone}}}"),
        None => local,
    }
}

fn zone_member(zone: &Zone) -> Option<String> {
    match zone {
        Zone::Unsaid => None,
        Zone::Visitor(_) => Some("\"zone\":\"visitor\"".to_owned()),
        Zone::Named(name) => Some(format!("\"zone\":{}", quoted(&name.text))),
    }
}
