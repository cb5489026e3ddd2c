//! Amounts and ranges of every type that is a whole number inside.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use tessera_wire::signal::NUMBER_SCALE;

use crate::hir::{Signal, Type};

const MINUTE_MS: i64 = 60_000;
const DAY_MS: i64 = 86_400_000;
/// Bits of one part of a packed version.
const VERSION_BITS: u32 = 20;

/// The test that a value lies in one of these ranges, without the name.
pub(super) fn ranges(signal: &Signal, ranges: &[(i64, i64)]) -> String {
    let text = |value: i64| with_unit(signal, amount(&signal.ty, value));
    match ranges {
        [range] if signal.ty == Type::Time => time_range(*range),
        // Of two spellings of the same limit, the shorter is the one that was written.
        [(i64::MIN, high)] => {
            let (below, up_to) = (text(high.saturating_add(1)), text(*high));
            if below.len() < up_to.len() { format!("< {below}") } else { format!("<= {up_to}") }
        }
        [(low, i64::MAX)] => {
            let (above, from) = (text(low.saturating_sub(1)), text(*low));
            if above.len() < from.len() { format!("> {above}") } else { format!(">= {from}") }
        }
        [(low, high)] if low == high => format!("== {}", text(*low)),
        [one] => format!("in {}", range(signal, *one)),
        _ => {
            let ranges: Vec<String> = ranges.iter().map(|one| range(signal, *one)).collect();
            format!("in ({})", ranges.join(", "))
        }
    }
}

fn with_unit(signal: &Signal, amount: String) -> String {
    if signal.unit.is_empty() { amount } else { format!("{amount} {}", signal.unit) }
}

fn range(signal: &Signal, (low, high): (i64, i64)) -> String {
    let ty = &signal.ty;
    if *ty == Type::Time {
        return format!("{}..{}", first_minute(low), last_minute(high));
    }
    if low == high {
        return with_unit(signal, amount(ty, low));
    }
    let (start, end, after) = (amount(ty, low), amount(ty, high), amount(ty, high.saturating_add(1)));
    let text = if after.len() < end.len() {
        format!("{start} ..< {after}")
    } else if matches!(ty, Type::Number(_)) {
        format!("{start}..{end}")
    } else {
        format!("{start} .. {end}")
    };
    with_unit(signal, text)
}

/// One value of a type, with what belongs to it.
pub(crate) fn amount(ty: &Type, value: i64) -> String {
    match ty {
        Type::Percent => format!("{}%", number(value)),
        Type::Bucket => format!("{}%", decimal(value, 10)),
        Type::Money(currency) => format!("{} {currency}", number(value)),
        Type::Duration => span_text(value),
        Type::Version => version(value),
        Type::Time => first_minute(value),
        _ => number(value),
    }
}

/// A scaled number with as many decimals as it needs.
pub fn number(value: i64) -> String {
    decimal(value, NUMBER_SCALE.ilog10())
}

/// A number in units of a power of ten, with as many decimals as it needs. Parts per million are scaled like all numbers,
/// so a bucket in percent has ten decimals.
fn decimal(value: i64, decimals: u32) -> String {
    let scale = 10u64.pow(decimals);
    let magnitude = value.unsigned_abs();
    let sign = if value < 0 { "-" } else { "" };
    let (whole, fraction) = (magnitude / scale, magnitude % scale);
    if fraction == 0 {
        return format!("{sign}{whole}");
    }
    let fraction = format!("{fraction:0width$}", width = decimals as usize);
    format!("{sign}{whole}.{}", fraction.trim_end_matches('0'))
}

/// The largest unit that divides the span; seconds with decimals as the last resort.
pub(crate) fn span_text(span_ms: i64) -> String {
    for (unit, unit_ms) in [("day", DAY_MS), ("hour", 3_600_000), ("minute", MINUTE_MS)] {
        if span_ms % unit_ms == 0 {
            let count = span_ms / unit_ms;
            let plural = if count == 1 { "" } else { "s" };
            return format!("{count} {unit}{plural}");
        }
    }
    let scaled = i128::from(span_ms) * i128::from(NUMBER_SCALE / 1_000);
    match i64::try_from(scaled) {
        Ok(scaled) => format!("{} seconds", number(scaled)),
        // Longer than the language can write in seconds.
        Err(_) => format!("{} minutes", span_ms / MINUTE_MS),
    }
}

fn version(value: i64) -> String {
    let part = |index: u32| (value >> (VERSION_BITS * index)) & ((1 << VERSION_BITS) - 1);
    if value < 0 { number(value) } else { format!("{}.{}.{}", part(2), part(1), part(0)) }
}

fn time_range((low, high): (i64, i64)) -> String {
    match (low, high) {
        (i64::MIN, high) => format!("<= {}", last_minute(high)),
        (low, i64::MAX) => format!(">= {}", first_minute(low)),
        _ => format!("in {}..{}", first_minute(low), last_minute(high)),
    }
}

/// The date or minute that begins here.
fn first_minute(ms: i64) -> String {
    moment(ms, ms.rem_euclid(DAY_MS) == 0)
}

/// The date or minute that ends here.
fn last_minute(ms: i64) -> String {
    moment(ms, ms.saturating_add(1).rem_euclid(DAY_MS) == 0)
}

fn moment(ms: i64, is_whole_day: bool) -> String {
    let Ok(timestamp) = Timestamp::from_millisecond(ms) else { return "beyond the calendar".to_owned() };
    let time = TimeZone::UTC.to_datetime(timestamp);
    let date = time.date();
    let date = format!("{:04}-{:02}-{:02}", date.year(), date.month(), date.day());
    if is_whole_day { date } else { format!("{date} {:02}:{:02}", time.hour(), time.minute()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_print_exactly() {
        assert_eq!(number(18_000_000), "18");
        assert_eq!(number(-500_000), "-0.5");
        assert_eq!(number(1), "0.000001");
        assert_eq!(number(i64::MIN), "-9223372036854.775808");
    }

    #[test]
    fn buckets_print_as_percentages() {
        assert_eq!(amount(&Type::Bucket, 100_000 * NUMBER_SCALE), "10%");
        assert_eq!(amount(&Type::Bucket, NUMBER_SCALE), "0.0001%");
        assert_eq!(amount(&Type::Bucket, 1), "0.0000000001%");
    }

    #[test]
    fn spans_print_in_their_largest_unit() {
        assert_eq!(span_text(DAY_MS * 90), "90 days");
        assert_eq!(span_text(3_600_000), "1 hour");
        assert_eq!(span_text(3_600_000 * 36), "36 hours");
        assert_eq!(span_text(MINUTE_MS * 5), "5 minutes");
        assert_eq!(span_text(1_500), "1.5 seconds");
        assert_eq!(span_text(i64::MAX), "153722867280912 minutes");
    }

    #[test]
    fn versions_and_moments_print_as_they_are_written() {
        let packed = tessera_wire::signal::version("17.10.3").unwrap();
        assert_eq!(version(packed), "17.10.3");
        assert_eq!(first_minute(1_795_730_400_000), "2026-11-26 22:00");
        assert_eq!(last_minute(1_795_737_599_999), "2026-11-26 23:59".replace(" 23:59", ""));
        assert_eq!(first_minute(i64::MAX), "beyond the calendar");
    }
}
