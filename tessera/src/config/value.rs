//! Small values of the configuration: numbers, shares, sizes and times. Each function says in its error what a right value
//! looks like.

use std::time::Duration;

pub(super) fn number<T: std::str::FromStr>(text: &str) -> Result<T, &'static str> {
    text.parse().map_err(|_| "write a whole number from 0 to 65535")
}

/// `100%` or `33.3%`, with at most four decimals, as parts per million.
pub(super) fn share_ppm(text: &str) -> Result<u32, &'static str> {
    const HELP: &str = "write a percentage above 0% and up to 100%, such as 50% or 33.3%";
    let (whole, fraction) =
        text.strip_suffix('%').map(|number| number.split_once('.').unwrap_or((number, ""))).ok_or(HELP)?;
    let is_number = whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit());
    if !is_number || fraction.len() > 4 {
        return Err(HELP);
    }
    let ppm: u32 = format!("{whole}{fraction:0<4}").parse().map_err(|_| HELP)?;
    Some(ppm).filter(|ppm| (1..=1_000_000).contains(ppm)).ok_or(HELP)
}

/// A whole number of megabytes or gigabytes, decimal.
pub(super) fn bytes(text: &str) -> Result<usize, &'static str> {
    const HELP: &str = "write megabytes or gigabytes, such as 512MB or 4GB";
    let (number, unit) = match text.strip_suffix("GB") {
        Some(number) => (number, 1_000_000_000),
        None => (text.strip_suffix("MB").ok_or(HELP)?, 1_000_000),
    };
    number.trim().parse::<usize>().ok().and_then(|number| number.checked_mul(unit)).ok_or(HELP)
}

/// A number of days in milliseconds; zero is none.
pub(super) fn days(text: &str) -> Result<Option<i64>, &'static str> {
    const DAYS_MAX: i64 = 36_500;
    let days = text.parse::<i64>().ok().filter(|days| (0..=DAYS_MAX).contains(days));
    let days = days.ok_or("write a number of days from 0 to 36500; 0 keeps everything")?;
    Ok((days > 0).then_some(days * 86_400_000))
}

/// `10ms`, `30s`, `5m`, `24h` or `7d`.
pub(crate) fn duration(text: &str) -> Result<Duration, &'static str> {
    const HELP: &str = "write a duration such as 10ms, 30s, 5m, 24h or 7d";
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let count: u64 = text[..digits].parse().map_err(|_| HELP)?;
    let unit_ms = match &text[digits..] {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(HELP),
    };
    let longest = Duration::from_secs(3_660 * 86_400);
    count.checked_mul(unit_ms).map(Duration::from_millis).filter(|duration| *duration <= longest).ok_or(HELP)
}
