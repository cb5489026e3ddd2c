//! Small values of the catalog: percentages, sizes, durations, instants.
//!
//! Each function says in its error what a right value looks like.

use tessera_wire::catalog::{Hold, Pacing};
use tessera_wire::signal::{NUMBER_SCALE, WEEKDAYS};

/// `10%` or `0.5%` as a percentage scaled by [`NUMBER_SCALE`].
pub(super) fn percent(text: &str) -> Result<i64, &'static str> {
    const HELP: &str = "write a percentage such as \"10%\" or \"0.5%\", at most 100%";
    let number = text.trim().strip_suffix('%').ok_or(HELP)?.trim_end();
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let is_number = !whole.is_empty()
        && fraction.len() <= 6
        && whole.len() <= 3
        && whole.bytes().chain(fraction.bytes()).all(|digit| digit.is_ascii_digit());
    if !is_number || number.ends_with('.') {
        return Err(HELP);
    }
    let whole: i64 = whole.parse().map_err(|_| HELP)?;
    let fraction: i64 = format!("{fraction:0<6}").parse().map_err(|_| HELP)?;
    let value = whole * NUMBER_SCALE + fraction;
    if value <= 100 * NUMBER_SCALE { Ok(value) } else { Err(HELP) }
}

/// A percentage as parts per million.
pub(super) fn parts_per_million(text: &str) -> Result<u32, &'static str> {
    percent(text).map(|value| (value / 100) as u32)
}

/// `970x250` in CSS pixels.
pub(super) fn size(text: &str) -> Result<(u32, u32), &'static str> {
    const HELP: &str = "write a size in CSS pixels such as \"970x250\"";
    let (width, height) = text.split_once('x').ok_or(HELP)?;
    let side = |text: &str| text.parse::<u32>().ok().filter(|side| (1..=20_000).contains(side)).ok_or(HELP);
    Ok((side(width)?, side(height)?))
}

/// `30m`, `24h` or `7d` in seconds.
pub(super) fn seconds(text: &str) -> Result<u32, &'static str> {
    const HELP: &str = "write a duration such as \"30m\", \"24h\" or \"7d\", at most 366 days";
    let unit_secs = match text.as_bytes().last() {
        Some(b'm') => 60,
        Some(b'h') => 3_600,
        Some(b'd') => 86_400,
        _ => return Err(HELP),
    };
    let count: u32 = text[..text.len() - 1].parse().map_err(|_| HELP)?;
    count.checked_mul(unit_secs).filter(|secs| (1..=366 * 86_400).contains(secs)).ok_or(HELP)
}

/// How far back a frequency cap counts, in milliseconds: `hour`, `day`, `week`, `12 hours`, `30 days` or `lifetime`.
///
/// A lifetime is longer than anything is remembered.
pub(super) fn cap_window(text: &str) -> Result<i64, &'static str> {
    const HELP: &str =
        "write \"hour\", \"day\", \"week\", \"12 hours\", \"30 days\" or \"lifetime\"; at most 400 days";
    const HOUR_MS: i64 = 3_600_000;
    const LONGEST_MS: i64 = 400 * 24 * HOUR_MS;
    let (count, unit) = match text.split_once(' ') {
        Some((count, unit)) => {
            (count.parse::<i64>().map_err(|_| HELP)?, unit.strip_suffix('s').unwrap_or(unit))
        }
        None if text == "lifetime" => return Ok(LONGEST_MS),
        None => (1, text),
    };
    let unit_ms = match unit {
        "hour" => HOUR_MS,
        "day" => 24 * HOUR_MS,
        "week" => 7 * 24 * HOUR_MS,
        _ => return Err(HELP),
    };
    let window_ms = count.checked_mul(unit_ms);
    window_ms.filter(|window_ms| (1..=LONGEST_MS).contains(window_ms)).ok_or(HELP)
}

/// What a cap does with a visitor whose count cannot be known: `block` or `allow`.
pub(super) fn blocks(text: &str) -> Result<bool, &'static str> {
    match text {
        "block" => Ok(true),
        "allow" => Ok(false),
        _ => Err("write \"allow\" or \"block\""),
    }
}

/// `2.50 EUR` as millionths and the currency.
pub(super) fn money(text: &str) -> Result<(i64, String), &'static str> {
    const HELP: &str = "write an amount and its ISO 4217 currency, such as \"2.50 EUR\"";
    let (number, currency) = text.split_once(' ').ok_or(HELP)?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let is_number = !whole.is_empty()
        && !number.ends_with('.')
        && fraction.len() <= 6
        && whole.len() <= 10
        && whole.bytes().chain(fraction.bytes()).all(|digit| digit.is_ascii_digit());
    if !is_number || currency.len() != 3 || !currency.bytes().all(|letter| letter.is_ascii_uppercase()) {
        return Err(HELP);
    }
    let whole: i64 = whole.parse().map_err(|_| HELP)?;
    let fraction: i64 = format!("{fraction:0<6}").parse().map_err(|_| HELP)?;
    Ok((whole * NUMBER_SCALE + fraction, currency.to_owned()))
}

/// How a budget is spread.
pub(super) fn pacing(text: &str) -> Result<Option<Pacing>, &'static str> {
    match text {
        "asap" => Ok(Some(Pacing::Asap)),
        "even" => Ok(Some(Pacing::Even)),
        "front_loaded" => Ok(Some(Pacing::FrontLoaded)),
        _ => Err("write \"even\", \"front_loaded\" or \"asap\""),
    }
}

/// A domain such as `shop.example`, in lower case.
pub(super) fn domain(text: &str) -> Result<(), &'static str> {
    let is_label = |label: &str| {
        !label.is_empty()
            && label.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    };
    let is_domain = text.contains('.') && text.len() <= 253 && text.split('.').all(is_label);
    if is_domain { Ok(()) } else { Err("write a domain in lower case, such as \"shop.example\"") }
}

/// `mon..fri 08:00-18:00` or `sat,sun 22:00-02:00`: minutes of the week, a range for each day. What passes midnight goes on
/// on the next day; `00:00-24:00` is the whole day.
pub(super) fn dayparts(text: &str) -> Result<Vec<(u16, u16)>, &'static str> {
    const HELP: &str = "write days and hours such as \"mon..fri 08:00-18:00\" or \"sat,sun 22:00-02:00\"";
    const DAY: u16 = 24 * 60;
    let (days, hours) = text.split_once(' ').ok_or(HELP)?;
    let day = |name: &str| WEEKDAYS.iter().position(|known| *known == name).ok_or(HELP);
    let time = |text: &str| -> Result<u16, &'static str> {
        let (hour, minute) = text.split_once(':').ok_or(HELP)?;
        let number = |text: &str| {
            let is_number = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
            is_number.then(|| text.parse::<u16>().ok()).flatten().ok_or(HELP)
        };
        let (hour, minute) = (number(hour)?, number(minute)?);
        let is_time = minute < 60 && hour * 60 + minute <= DAY;
        if is_time { Ok(hour * 60 + minute) } else { Err(HELP) }
    };
    let (from, to) = hours.split_once('-').ok_or(HELP)?;
    let (from, to) = (time(from)?, time(to)?);
    if from == DAY || from == to {
        return Err(HELP);
    }
    let mut parts = Vec::new();
    for item in days.split(',') {
        let (first, last) = match item.split_once("..") {
            Some((first, last)) => (day(first)?, day(last)?),
            None => (day(item)?, day(item)?),
        };
        let count = (last + 7 - first) % 7 + 1;
        for number in 0..count {
            let start = ((first + number) % 7) as u16 * DAY;
            if to > from {
                parts.push((start + from, start + to));
            } else {
                parts.push((start + from, start + DAY));
                let next = (start + DAY) % (7 * DAY);
                parts.extend((to > 0).then_some((next, next + to)));
            }
        }
    }
    Ok(parts)
}

/// A name of the time zone database.
pub(super) fn zone(text: &str) -> Result<(), &'static str> {
    const HELP: &str = "write a name of the IANA time zone database, such as \"Europe/Bucharest\"";
    jiff::tz::TimeZone::get(text).map(|_| ()).map_err(|_| HELP)
}

/// An RFC 3339 instant in unix milliseconds.
pub(super) fn instant(text: &str) -> Result<i64, &'static str> {
    const HELP: &str = "write an RFC 3339 time with its zone, such as \"2026-11-20T18:00:00Z\"";
    let instant: jiff::Timestamp = text.parse().map_err(|_| HELP)?;
    Ok(instant.as_millisecond())
}

/// An absolute web address without spaces, control characters or credentials.
pub(super) fn url(text: &str) -> Result<(), &'static str> {
    const HELP: &str = "write an absolute address that begins with https:// or http://";
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).ok_or(HELP)?;
    let is_plain = text.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&byte));
    let authority = rest.split(['/', '?', '#']).next().unwrap_or("");
    if is_plain && !authority.is_empty() && !authority.contains('@') { Ok(()) } else { Err(HELP) }
}

/// `keep` or `improve`.
pub(super) fn hold(text: &str) -> Result<Hold, &'static str> {
    match text {
        "keep" => Ok(Hold::Keep),
        "improve" => Ok(Hold::Improve),
        _ => Err("write \"keep\", or \"improve\" if a larger discount may replace a smaller one"),
    }
}

/// A language tag such as `de` or `pt-BR`, in lower case.
pub(super) fn language_tag(text: &str) -> Result<String, &'static str> {
    const HELP: &str = "write a language tag such as \"de\", \"pt-BR\" or \"zh-Hant\"";
    let is_subtag = |part: &str| {
        (1..=8).contains(&part.len()) && part.bytes().all(|letter| letter.is_ascii_alphanumeric())
    };
    let language = text.split('-').next().unwrap_or("");
    let is_tag = (2..=8).contains(&language.len())
        && language.bytes().all(|letter| letter.is_ascii_alphabetic())
        && text.len() <= 35
        && text.split('-').all(is_subtag);
    if is_tag { Ok(text.to_ascii_lowercase()) } else { Err(HELP) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_values_are_read() {
        assert_eq!(percent("10%"), Ok(10_000_000));
        assert_eq!(percent("0.5 %"), Ok(500_000));
        assert_eq!(parts_per_million("10%"), Ok(100_000));
        assert_eq!(parts_per_million("100%"), Ok(1_000_000));
        assert_eq!(size("970x250"), Ok((970, 250)));
        assert_eq!(seconds("24h"), Ok(86_400));
        assert_eq!(instant("1970-01-01T00:00:01Z"), Ok(1_000));
        assert_eq!(money("2.50 EUR"), Ok((2_500_000, "EUR".to_owned())));
        assert_eq!(cap_window("day"), Ok(86_400_000));
        assert_eq!(cap_window("12 hours"), Ok(43_200_000));
        assert_eq!(cap_window("400 days"), cap_window("lifetime"));
        assert_eq!(url("https://shop.example/a?b=c"), Ok(()));
    }

    #[test]
    fn bad_values_are_refused() {
        for text in ["10", "%", "-1%", "101%", "1.%", "1.1234567%", "١%", "9999%"] {
            assert!(percent(text).is_err(), "{text}");
        }
        for text in ["970", "0x1", "axb", "970x250x1", ""] {
            assert!(size(text).is_err(), "{text}");
        }
        for text in ["24", "h", "0h", "9999999d", "", "1ä"] {
            assert!(seconds(text).is_err(), "{text}");
        }
        for text in ["", "0 days", "401 days", "1 year", "-1 day", "9223372036854775807 weeks", "days"] {
            assert!(cap_window(text).is_err(), "{text}");
        }
        assert_eq!(dayparts("sat..mon 08:00-24:00"), Ok(vec![(7_680, 8_640), (9_120, 10_080), (480, 1_440)]));
        assert_eq!(dayparts("sun 22:00-02:00"), Ok(vec![(9_960, 10_080), (0, 120)]));
        for text in [
            "mon",
            "mon 8:00-9:00",
            "mon 08:00-08:00",
            "mon 24:00-02:00",
            "xyz 08:00-09:00",
            "mon 08:60-09:00",
            "mon. 08:00-09:00",
        ] {
            assert!(dayparts(text).is_err(), "{text}");
        }
        for text in ["shop", "https://shop.example", "Shop.example", "shop..example", ""] {
            assert!(domain(text).is_err(), "{text}");
        }
        for text in ["2.50", "-1 EUR", "1. EUR", "1 eur", "12345678901 EUR", "1.1234567 EUR", "1  EUR"] {
            assert!(money(text).is_err(), "{text}");
        }
        assert!(instant("2026-11-20").is_err());
        for text in
            ["javascript:alert(1)", "//shop.example", "https://", "https://a b", "https://u@shop.example/"]
        {
            assert!(url(text).is_err(), "{text}");
        }
    }
}
