//! A visitor that two rules both want.

use tessera_rulevm::{Frame, Scratch, VerifiedProgram, evaluate};
use tessera_wire::program::{Attribute, LiteralId, Program, Rule, RuleId, SignalId};
use tessera_wire::signal::Kind;

use super::boxes::{Boxes, Conjunction};
use super::region::{Region, text_of};
use super::words::Pattern;
use crate::print;

/// A value for one signal.
enum Value {
    Integer(i64),
    Text(String),
    Set(Vec<String>),
}

/// A moment that suits no schedule in particular.
const NOW_MS: i64 = 1_800_000_000_000;

/// Signals that satisfy both conjunctions, as text. `None` when none were found; that they satisfy both rules was tried.
pub(super) fn witness(
    program: &VerifiedProgram,
    boxes: &Boxes,
    conjunctions: [&Conjunction; 2],
    rules: [&Rule; 2],
) -> Option<String> {
    let source = program.program();
    let mut values: Vec<(SignalId, Value)> = Vec::new();
    for (signal, literals) in joined(source, boxes, conjunctions) {
        let region = Region::new(source, signal, literals);
        if !region.known.is_empty() {
            values.push((signal, pick(source, &region)?));
        } else if !region.allows_unknown {
            return None;
        }
    }
    let frame = frame_of(program, &values);
    let mut scratch = Scratch::new(program);
    evaluate(program, &frame, &mut scratch);
    let is_true = |rule: &Rule| {
        let id = source.rules.iter().position(|one| one == rule);
        id.is_some_and(|id| scratch.is_rule_true(RuleId(id as u32)))
    };
    rules.into_iter().all(is_true).then(|| text(source, &values))
}

fn joined(
    program: &Program,
    boxes: &Boxes,
    conjunctions: [&Conjunction; 2],
) -> Vec<(SignalId, Vec<LiteralId>)> {
    let mut literals: Vec<_> = conjunctions
        .into_iter()
        .flatten()
        .flat_map(|region| boxes.regions[*region as usize].literals.iter().copied())
        .collect();
    literals.sort_unstable();
    literals.dedup();
    super::boxes::by_signal(program, &literals)
}

fn pick(program: &Program, region: &Region) -> Option<Value> {
    let attribute = program.attributes.get(usize::from(region.signal.0))?;
    let known = &region.known;
    match attribute.kind {
        Kind::Text => {
            if let Some(listed) = &known.words.listed {
                return listed.first().map(|word| Value::Text(text_of(program, *word).to_owned()));
            }
            let mut made = String::new();
            let must = known.words.patterns.iter().filter(|(_, must)| *must).map(|(pattern, _)| pattern);
            for pattern in must {
                match pattern {
                    Pattern::StartsWith(start) => made.insert_str(0, start),
                    Pattern::EndsWith(part) | Pattern::Contains(part) => made.push_str(part),
                }
            }
            Some(Value::Text(if made.is_empty() { "something else".to_owned() } else { made }))
        }
        Kind::Set => {
            let members = &known.members;
            let mut chosen = members.required.clone();
            for list in &members.some {
                chosen.extend(list.iter().copied().find(|word| !members.is_impossible(*word)));
            }
            chosen.sort_unstable();
            chosen.dedup();
            let mut texts: Vec<String> =
                chosen.into_iter().map(|word| text_of(program, word).to_owned()).collect();
            if !members.beyond.is_empty() && members.only.is_none() {
                texts.push("something else".to_owned());
            }
            Some(Value::Set(texts))
        }
        _ => {
            let by_age = known.ages.first().filter(|(low, high)| (*low, *high) != (i64::MIN, i64::MAX));
            let value = match by_age {
                Some((low, high)) => NOW_MS.checked_sub(reachable(*low, *high))?,
                None => known.integers.first().map(|(low, high)| reachable(*low, *high))?,
            };
            Some(Value::Integer(value))
        }
    }
}

/// A value of the range that an author would write: its finite end, or zero.
fn reachable(low: i64, high: i64) -> i64 {
    if low != i64::MIN {
        low
    } else if high != i64::MAX {
        high
    } else {
        0
    }
}

fn frame_of(program: &VerifiedProgram, values: &[(SignalId, Value)]) -> Frame {
    let mut frame = Frame::new(program);
    frame.reset(program, NOW_MS);
    for (signal, value) in values {
        match value {
            Value::Integer(value) => frame.set_integer(*signal, *value),
            Value::Text(text) => frame.set_text(program, *signal, text),
            Value::Set(members) => {
                frame.begin_set(*signal);
                members.iter().for_each(|member| frame.push_member(program, *signal, member));
            }
        }
    }
    frame
}

fn text(program: &Program, values: &[(SignalId, Value)]) -> String {
    let one = |(signal, value): &(SignalId, Value)| {
        let attribute = program.attributes.get(usize::from(signal.0))?;
        Some(match value {
            Value::Integer(value) => format!("{} = {}", attribute.name, integer_text(attribute, *value)),
            Value::Text(text) => format!("{} = {text}", attribute.name),
            Value::Set(members) if members.is_empty() => format!("{} = ()", attribute.name),
            Value::Set(members) => format!("{} = ({})", attribute.name, members.join(", ")),
        })
    };
    values.iter().filter_map(one).collect::<Vec<_>>().join(", ")
}

/// A whole number as an author would write it.
pub(super) fn integer_text(attribute: &Attribute, value: i64) -> String {
    match attribute.kind {
        Kind::Bool => (value != 0).to_string(),
        Kind::Money => format!("{} {}", print::number(value), attribute.currency),
        Kind::Time => format!("{} ago", span_text(NOW_MS.saturating_sub(value))),
        Kind::Duration => span_text(value),
        Kind::Version => {
            let part = |shift: u32| (value >> shift) & 0xf_ffff;
            format!("{}.{}.{}", part(40), part(20), part(0))
        }
        _ => print::number(value),
    }
}

/// A span in the largest unit that divides it.
fn span_text(span_ms: i64) -> String {
    let units = [(86_400_000, "days"), (3_600_000, "hours"), (60_000, "minutes"), (1_000, "seconds")];
    match units.into_iter().find(|(unit, _)| span_ms % unit == 0) {
        Some((unit, name)) => format!("{} {name}", span_ms / unit),
        None => format!("{span_ms} milliseconds"),
    }
}
