//! Values, spans of time, dates and schedules as they are written.

use tessera_wire::signal::{NUMBER_SCALE, WEEKDAYS};

use super::types::{Shape, Types};
use crate::ast::{Check, Cond, CondKind, Moment, Schedule, ScheduleKind, Value, ValueKind, Weekly, Zone};
use crate::parser::RESERVED;
use crate::print::{number, quoted, span_text};

/// One value or range.
pub(super) fn value_text(value: &Value, shape: &Shape) -> String {
    match &value.kind {
        ValueKind::Number(value) => match shape {
            Shape::Number(unit) if !unit.is_empty() => format!("{} {unit}", number(*value)),
            _ => number(*value),
        },
        ValueKind::Percent(value) => format!("{}%", number(*value)),
        ValueKind::Money(amount, currency) => format!("{} {currency}", number(*amount)),
        ValueKind::Text(text) => word_text(text, shape),
        ValueKind::Word(word) if *shape == Shape::Words => word_text(word, shape),
        ValueKind::Word(word) => word.clone(),
        ValueKind::AgoMs(span_ms) => format!("{} ago", span_text(*span_ms)),
        ValueKind::Measure(value, unit) => format!("{} {}", number(*value), unit.text),
        ValueKind::DurationMs(span_ms) => span_text(*span_ms),
        ValueKind::Version(version) => version.clone(),
        ValueKind::Moment(moment) => moment_text(moment),
        ValueKind::Range { low, high, is_half_open } => range_text(low, high, *is_half_open, shape),
    }
}

/// Several, in parentheses; one alone.
pub(super) fn values_text(list: &[Value], shape: &Shape) -> String {
    let list: Vec<String> = list.iter().map(|value| value_text(value, shape)).collect();
    format!("({})", list.join(", "))
}

/// A unit of both ends stands after the second.
pub(super) fn range_text(low: &Value, high: &Value, is_half_open: bool, shape: &Shape) -> String {
    let low_text = match (&low.kind, &high.kind) {
        (ValueKind::Number(low), _) | (ValueKind::Percent(low), ValueKind::Percent(_)) => number(*low),
        (ValueKind::Money(low, left), ValueKind::Money(_, right)) if left == right => number(*low),
        (ValueKind::Measure(low, left), ValueKind::Measure(_, right)) if left.text == right.text => {
            number(*low)
        }
        _ => value_text(low, shape),
    };
    let high_text = value_text(high, shape);
    let dots = if is_half_open { "..<" } else { ".." };
    // The unit after the second end does not ask for spaces.
    if low_text.contains(' ') {
        format!("{low_text} {dots} {high_text}")
    } else {
        format!("{low_text}{dots}{high_text}")
    }
}

/// Without quotes where the language allows it.
fn word_text(word: &str, shape: &Shape) -> String {
    let is_plain = word.starts_with(|letter: char| letter.is_ascii_alphabetic())
        && word.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_');
    let is_taken = RESERVED.contains(&word) || word == "true" || word == "false";
    if *shape == Shape::Words && is_plain && !is_taken { word.to_owned() } else { quoted(word) }
}

/// Gives versions of two parts their text: `17.10` looks like a number, but is not 17.1. `source` is what was parsed.
pub(crate) fn settle(cond: &mut Cond, types: &Types, source: &str) {
    match &mut cond.kind {
        CondKind::And(parts) | CondKind::Or(parts) => {
            parts.iter_mut().for_each(|part| settle(part, types, source));
        }
        CondKind::Not(inner) | CondKind::Definitely(inner) | CondKind::Possibly(inner) => {
            settle(inner, types, source);
        }
        CondKind::Test(name, check) if *types.shape(&name.text) == Shape::Version => match check {
            Check::Compare(_, value) => settle_value(value, source),
            Check::In { list, .. } => list.iter_mut().for_each(|value| settle_value(value, source)),
            Check::Between(low, high) => {
                settle_value(low, source);
                settle_value(high, source);
            }
            _ => {}
        },
        CondKind::Segment(_)
        | CondKind::Test(..)
        | CondKind::Count(..)
        | CondKind::Bucket(..)
        | CondKind::Active(_) => {}
    }
}

fn settle_value(value: &mut Value, source: &str) {
    let is_dotted = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    match &mut value.kind {
        ValueKind::Number(found) => {
            let written = source.get(value.place.range()).filter(|written| is_dotted(written));
            value.kind = ValueKind::Version(written.map_or_else(|| number(*found), str::to_owned));
        }
        ValueKind::Text(text) | ValueKind::Word(text) if is_dotted(text) => {
            value.kind = ValueKind::Version(std::mem::take(text));
        }
        ValueKind::Range { low, high, .. } => {
            settle_value(low, source);
            settle_value(high, source);
        }
        _ => {}
    }
}

/// A span of time as a number and the largest unit that divides it: `d`, `h`, `m` or `s`, seconds with decimals.
pub(crate) fn span(span_ms: i64) -> (String, &'static str) {
    for (unit, unit_ms) in [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000)] {
        if span_ms % unit_ms == 0 {
            return ((span_ms / unit_ms).to_string(), unit);
        }
    }
    let (seconds, rest) = (span_ms / 1_000, span_ms % 1_000);
    let scaled =
        i128::from(seconds) * i128::from(NUMBER_SCALE) + i128::from(rest) * i128::from(NUMBER_SCALE / 1_000);
    (number(i64::try_from(scaled).unwrap_or(i64::MAX)), "s")
}

/// Such as `2026-11-27 12:00 in "Europe/Bucharest"`.
fn moment_text(moment: &Moment) -> String {
    format!("{}{}", local_text(moment), zone_text(&moment.zone))
}

/// A date, perhaps with a time of day.
pub(crate) fn local_text(moment: &Moment) -> String {
    let date = format!("{:04}-{:02}-{:02}", moment.year, moment.month, moment.day);
    match moment.minute {
        Some(minute) => format!("{date} {}", clock_text(minute)),
        None => date,
    }
}

fn zone_text(zone: &Zone) -> String {
    match zone {
        Zone::Unsaid => String::new(),
        Zone::Visitor(_) => " in visitor time".to_owned(),
        Zone::Named(name) => format!(" in {}", quoted(&name.text)),
    }
}

/// What stands after `active`.
pub(crate) fn schedule_text(schedule: &Schedule) -> String {
    let times = match &schedule.kind {
        ScheduleKind::Dates { from, to } => {
            let end = |word: &str, moment: &Option<Moment>| {
                moment.as_ref().map(|moment| format!("{word} {}", moment_text(moment)))
            };
            let ends: Vec<String> = [end("from", from), end("to", to)].into_iter().flatten().collect();
            ends.join(" ")
        }
        ScheduleKind::Weekly(windows) => {
            let windows: Vec<String> = windows.iter().map(window_text).collect();
            windows.join(", ")
        }
    };
    format!("{times}{}", zone_text(&schedule.zone))
}

fn window_text(window: &Weekly) -> String {
    let parts = [window.days.map(days_text), window.minutes.map(hours_text)];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

/// Such as `mon..fri`.
pub(crate) fn days_text((first, last): (u8, u8)) -> String {
    let day = |day: u8| WEEKDAYS.get(usize::from(day)).copied().unwrap_or("mon");
    if first == last { day(first).to_owned() } else { format!("{}..{}", day(first), day(last)) }
}

/// Such as `11:30..14:00`.
pub(crate) fn hours_text((first, last, is_half_open): (u16, u16, bool)) -> String {
    let dots = if is_half_open { "..<" } else { ".." };
    format!("{}{dots}{}", clock_text(first), clock_text(last))
}

fn clock_text(minute: u16) -> String {
    format!("{:02}:{:02}", minute / 60, minute % 60)
}

#[cfg(test)]
mod tests {
    #[test]
    fn spans_are_exact_in_their_largest_unit() {
        let span = |span_ms| {
            let (number, unit) = super::span(span_ms);
            format!("{number}{unit}")
        };
        assert_eq!(span(86_400_000 * 90), "90d");
        assert_eq!(span(3_600_000 * 36), "36h");
        assert_eq!(span(300_000), "5m");
        assert_eq!(span(1_030), "1.03s");
        assert_eq!(span(1), "0.001s");
        assert_eq!(span(0), "0d");
    }
}
