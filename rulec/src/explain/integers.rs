//! The nearest whole number that several tests of one attribute ask for.

use tessera_wire::program::Origin;
use tessera_wire::signal::{Builtin, NUMBER_SCALE};

use super::ways::Literal;
use crate::hir::{Check, Signal, Type};
use crate::ranges::{complement, intersection};

const MINUTE_MS: i64 = 60_000;
const DAY_MS: i64 = 24 * 60 * MINUTE_MS;
/// The last day of the year 9999 is left out, so that every zone can write what is left.
const TIME_MS_MAX: i64 = 253_402_207_200_000 - 2 * DAY_MS;
/// The largest value of a packed version.
const VERSION_MAX: i64 = (1 << 60) - 1;

/// A value that satisfies all of the tests and is as near to `current` as a readable value can be.
pub(super) fn nearest(
    signal: &Signal,
    literals: &[Literal<'_>],
    current: Option<i64>,
    now_ms: i64,
) -> Option<i64> {
    let mut allowed = vec![domain(signal)];
    let mut has_ages = false;
    for literal in literals {
        let ranges = match literal.check {
            Check::InRanges(ranges) => ranges.clone(),
            Check::AgeInRanges(ranges) => {
                has_ages = true;
                values_of_ages(ranges, now_ms)
            }
            _ => continue,
        };
        let ranges = if literal.is_satisfied_by(true) { ranges } else { complement(&ranges) };
        allowed = intersection(&allowed, &ranges);
    }
    let base = if has_ages { now_ms } else { 0 };
    let grains = grains(signal);
    let candidates = allowed.iter().filter_map(|range| near_in(*range, current, base, grains));
    candidates.min_by_key(|value| {
        let from = current.unwrap_or(base);
        (i128::from(*value) - i128::from(from)).unsigned_abs()
    })
}

/// The values that the attribute can have.
pub(crate) fn domain(signal: &Signal) -> (i64, i64) {
    match (&signal.attribute.origin, &signal.ty) {
        (Origin::Feature(_), _) => (0, i64::MAX),
        (Origin::Builtin(Builtin::Hour), _) => (0, 23 * NUMBER_SCALE),
        (_, Type::Bool) => (0, 1),
        (_, Type::Number(Some(bounds))) => *bounds,
        (_, Type::Bucket) => (0, 1_000_000 * NUMBER_SCALE - 1),
        (_, Type::MinuteOfWeek) => (0, 10_079 * NUMBER_SCALE),
        (_, Type::Duration) => (0, i64::MAX),
        (_, Type::Version) => (0, VERSION_MAX),
        (_, Type::Time) => (0, TIME_MS_MAX),
        _ => (-i64::MAX, i64::MAX),
    }
}

/// Steps that people count in, the coarsest first; the last is the finest that the attribute can have.
pub(crate) fn grains(signal: &Signal) -> &'static [i64] {
    match (&signal.attribute.origin, &signal.ty) {
        (Origin::Feature(_) | Origin::Builtin(Builtin::Hour), _) | (_, Type::MinuteOfWeek) => &[NUMBER_SCALE],
        (_, Type::Bool | Type::Version) => &[1],
        (_, Type::Bucket) => &[10_000 * NUMBER_SCALE, NUMBER_SCALE],
        (_, Type::Time | Type::Duration) => &[MINUTE_MS, 1_000, 1],
        (_, Type::Money(_)) => &[NUMBER_SCALE / 100, 1],
        _ => &[NUMBER_SCALE, NUMBER_SCALE / 100, 1],
    }
}

fn near_in((low, high): (i64, i64), current: Option<i64>, base: i64, grains: &[i64]) -> Option<i64> {
    if let Some(current) = current.filter(|current| (low..=high).contains(current)) {
        return Some(current);
    }
    let (low, high, base) = (i128::from(low), i128::from(high), i128::from(base));
    grains.iter().find_map(|grain| {
        let grain = i128::from(*grain);
        let first = base + ceiling(low - base, grain);
        let last = base + (high - base).div_euclid(grain) * grain;
        let wanted = current.map_or(base, i128::from);
        (first <= last).then(|| i64::try_from(wanted.clamp(first, last)).ok())?.filter(|value| {
            // Between two readable ends the visitor's own value may be unreadable, but then it is inside already.
            (low..=high).contains(&i128::from(*value))
        })
    })
}

fn ceiling(value: i128, grain: i128) -> i128 {
    -((-value).div_euclid(grain)) * grain
}

fn values_of_ages(ages: &[(i64, i64)], now_ms: i64) -> Vec<(i64, i64)> {
    let value = |age: i64| now_ms.saturating_sub(age);
    let ranges = ages.iter().rev();
    ranges.map(|(low, high)| (if *high == i64::MAX { i64::MIN } else { value(*high) }, value(*low))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_range_the_end_that_is_near_and_readable() {
        let grains = &[1_000_000, 10_000, 1];
        assert_eq!(near_in((18_000_000, 24_000_000), Some(30_000_000), 0, grains), Some(24_000_000));
        assert_eq!(near_in((18_000_000, 24_000_000), Some(3), 0, grains), Some(18_000_000));
        assert_eq!(near_in((i64::MIN, 17_999_999), Some(30_000_000), 0, grains), Some(17_000_000));
        assert_eq!(near_in((5, 7), Some(0), 0, grains), Some(5));
        assert_eq!(near_in((5, 7), None, 0, &[1_000_000]), None);
        assert_eq!(near_in((10, 90), None, 100, &[60, 1]), Some(40));
    }
}
