//! The nearest time at which the clock says what several tests ask for.
//!
//! Several signals follow the clock: the time itself, the visitor's local hour, weekday and part of the day, and minutes
//! of the week in other zones. So they are solved together, by looking at every minute of the week before and after the
//! times that the tests speak of.

use jiff::tz::TimeZone;
use tessera_wire::program::SignalId;

use super::Case;
use super::ways::Literal;
use crate::check::{Given, Preset, TypedTest};
use crate::hir::Check;

const MINUTE_MS: i64 = 60_000;
/// A week, and a day for clocks that are put forward or back.
const MINUTES_MAX: i64 = 8 * 1_440;
/// Times that are looked around.
const STARTS_MAX: usize = 16;
/// Tests of the clock that are looked at, all minutes together.
const STEPS_MAX: usize = 20_000_000;

/// Does the signal follow the clock, because the visitor says nothing else?
pub(super) fn follows(case: &Case, visitor: &TypedTest, signal: SignalId) -> bool {
    let is_given = visitor.given.iter().any(|(known, _)| *known == signal);
    !is_given && matches!(case.preset(signal), Some(Preset::Now | Preset::MinuteOfWeek(_) | Preset::Local(_)))
}

/// A time, and the visitor's zone where it was not known, at which all of the tests hold.
pub(super) fn nearest(
    case: &Case,
    visitor: &TypedTest,
    literals: &[Literal<'_>],
) -> Option<(i64, Option<TimeZone>)> {
    let needs_zone = visitor.zone.is_none()
        && literals.iter().any(|literal| matches!(case.preset(literal.signal), Some(Preset::Local(_))));
    let zone = needs_zone.then_some(TimeZone::UTC);
    let mut at = visitor.clone();
    at.zone = zone.clone().or(at.zone);
    let mut best: Option<i64> = None;
    let mut steps = 0usize;
    for start in starts(case, visitor.now_ms, literals) {
        for minute in 0..MINUTES_MAX {
            let offset = minute.saturating_mul(MINUTE_MS);
            let found =
                [start.saturating_add(offset), start.saturating_sub(offset)].into_iter().find(|time| {
                    at.now_ms = *time;
                    holds_all(case, &at, literals)
                });
            steps = steps.saturating_add(2 * literals.len());
            if found.is_some() || steps > STEPS_MAX {
                best = nearer(best, found, visitor.now_ms);
                break;
            }
        }
    }
    best.map(|now_ms| (now_ms, zone))
}

fn nearer(best: Option<i64>, found: Option<i64>, now_ms: i64) -> Option<i64> {
    best.into_iter().chain(found).min_by_key(|time| time.abs_diff(now_ms))
}

/// Now, and the ends of every range of dates.
fn starts(case: &Case, now_ms: i64, literals: &[Literal<'_>]) -> Vec<i64> {
    // Whole minutes are what people can read.
    let mut starts = vec![now_ms, now_ms - now_ms.rem_euclid(MINUTE_MS)];
    for literal in literals {
        let is_now = matches!(case.preset(literal.signal), Some(Preset::Now));
        let Check::InRanges(ranges) = literal.check else { continue };
        if !is_now {
            continue;
        }
        for (low, high) in ranges {
            let last = high.saturating_sub(high.rem_euclid(MINUTE_MS));
            let outside = [low.saturating_sub(MINUTE_MS), last.saturating_add(MINUTE_MS)];
            starts.extend([*low, last].into_iter().chain(outside));
        }
    }
    starts.retain(|start| (0..=253_402_000_000_000).contains(start));
    starts.sort_by_key(|start| start.abs_diff(now_ms));
    starts.dedup();
    starts.truncate(STARTS_MAX);
    starts
}

fn holds_all(case: &Case, at: &TypedTest, literals: &[Literal<'_>]) -> bool {
    literals.iter().all(|literal| {
        let value = case.preset(literal.signal).and_then(|preset| preset.value(at));
        let satisfied = match (&value, literal.check) {
            (None, Check::Known) => return !literal.needs_value(),
            (None, _) => return !literal.needs_value(),
            (Some(_), Check::Known) => true,
            (Some(Given::Integer(value)), Check::InRanges(ranges)) => {
                ranges.iter().any(|(low, high)| (*low..=*high).contains(value))
            }
            (Some(Given::Integer(value)), Check::AgeInRanges(ranges)) => {
                let age = at.now_ms.saturating_sub(*value);
                ranges.iter().any(|(low, high)| (*low..=*high).contains(&age))
            }
            (Some(Given::Text(text)), Check::OneOf(words)) => words.contains(text),
            (Some(Given::Text(text)), Check::StartsWith(part)) => text.starts_with(part.as_str()),
            (Some(Given::Text(text)), Check::EndsWith(part)) => text.ends_with(part.as_str()),
            (Some(Given::Text(text)), Check::Contains(part)) => text.contains(part.as_str()),
            _ => return false,
        };
        literal.is_satisfied_by(satisfied)
    })
}
