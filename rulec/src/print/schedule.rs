//! Minutes of the week as a schedule: `active(mon..fri 11:30..<14:00 in visitor time)`.

use tessera_wire::program::Origin;
use tessera_wire::signal::{Builtin, NUMBER_SCALE, WEEKDAYS};

use super::quoted;

const DAY_MINUTES: i64 = 1_440;
const WEEK_MINUTES: i64 = 7 * DAY_MINUTES;

/// The schedule of these ranges; `None` when they are not whole minutes of one week, which a schedule always is.
pub(super) fn active(origin: &Origin, ranges: &[(i64, i64)]) -> Option<String> {
    let zone = match origin {
        Origin::Builtin(Builtin::MinuteOfWeek) => "visitor time".to_owned(),
        Origin::MinuteOfWeek(zone) => quoted(zone),
        _ => return None,
    };
    let mut windows: Vec<(i64, (i64, i64))> = Vec::new();
    for (low, high) in ranges {
        let (low, high) = (minute(*low)?, minute(*high)?);
        for day in low / DAY_MINUTES..=high / DAY_MINUTES {
            let midnight = day * DAY_MINUTES;
            windows.push((day, ((low - midnight).max(0), (high - midnight).min(DAY_MINUTES - 1))));
        }
    }
    Some(format!("active({} in {zone})", texts(windows)?))
}

fn minute(value: i64) -> Option<i64> {
    let minute = value / NUMBER_SCALE;
    (value % NUMBER_SCALE == 0 && (0..WEEK_MINUTES).contains(&minute)).then_some(minute)
}

/// Neighbouring days with the same hours are one window. `None` when there are no windows.
fn texts(mut windows: Vec<(i64, (i64, i64))>) -> Option<String> {
    let all_day = (0, DAY_MINUTES - 1);
    let are_days = windows.iter().all(|(_, minutes)| *minutes == all_day);
    windows.sort_by_key(|(day, minutes)| (*minutes, *day));
    let mut runs: Vec<(i64, i64, (i64, i64))> = Vec::new();
    for (day, minutes) in windows {
        match runs.last_mut() {
            Some((_, last, same)) if *last + 1 == day && *same == minutes => *last = day,
            _ => runs.push((day, day, minutes)),
        }
    }
    let texts: Vec<String> = runs.iter().map(|run| run_text(*run, are_days)).collect();
    (!texts.is_empty()).then(|| texts.join(", "))
}

fn run_text((first, last, (start, end)): (i64, i64, (i64, i64)), are_days: bool) -> String {
    let day = |day: i64| WEEKDAYS[day as usize % 7];
    let days = if first == last { day(first).to_owned() } else { format!("{}..{}", day(first), day(last)) };
    if are_days {
        return days;
    }
    let clock = |minute: i64| format!("{:02}:{:02}", minute / 60, minute % 60);
    let after = end + 1;
    let hours = if after % 5 == 0 {
        format!("{}..<{}", clock(start), clock(after))
    } else {
        format!("{}..{}", clock(start), clock(end))
    };
    if (first, last) == (0, 6) { hours } else { format!("{days} {hours}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_print_as_people_write_them() {
        let of = |minutes: &[(i64, i64)]| {
            let ranges: Vec<_> =
                minutes.iter().map(|(low, high)| (low * NUMBER_SCALE, high * NUMBER_SCALE)).collect();
            active(&Origin::MinuteOfWeek("UTC".to_owned()), &ranges)
        };
        let is = |text: &str| Some(format!("active({text} in \"UTC\")"));
        assert_eq!(of(&[(690, 839), (2_130, 2_279)]), is("mon..tue 11:30..<14:00"));
        assert_eq!(of(&[(690, 840)]), is("mon 11:30..14:00"));
        assert_eq!(of(&[(0, 2_879), (8_640, 10_079)]), is("mon..tue, sun"));
        assert_eq!(of(&[(1_320, 1_559)]), is("tue 00:00..<02:00, mon 22:00..<24:00"));
        assert_eq!(of(&[(0, 10_080)]), None);
        assert_eq!(of(&[]), None);
    }
}
