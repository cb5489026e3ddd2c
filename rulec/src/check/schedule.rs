//! Schedules and dates: from calendars and zones to ranges of milliseconds and of minutes of the week.
//!
//! A date without a clock is its whole day, with one its whole minute; without a zone it is UTC. Where clocks go back and a
//! local time happens twice, a start means the first and an end the second. Hours of the week include both ends unless
//! `..<` leaves the last out, and go over midnight and over Sunday. Windows of dates are alternatives, and so are hours of
//! the week; when there are both, both must hold.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::{AmbiguousOffset, TimeZone};
use tessera_wire::program::Origin;
use tessera_wire::signal::{Builtin, Gates, NUMBER_SCALE};

use super::Checker;
use super::condition::merged;
use super::vocabulary::AttributeId;
use crate::ast::{Moment, Schedule, ScheduleKind, Weekly, Zone};
use crate::codes::Code;
use crate::diagnostic::{Diagnostic, Place};
use crate::hir::{Check, Condition, Test, Type};
use crate::print;

const DAY_MINUTES: i64 = 1_440;
const WEEK_MINUTES: i64 = 7 * DAY_MINUTES;
const MINUTE_MS: i64 = 60_000;

/// Hours of the week on one clock.
struct Hours {
    clock: AttributeId,
    place: Place,
    minutes: Vec<(i64, i64)>,
}

/// The zone of exactly this IANA name.
pub(super) fn zone(name: &str) -> Option<TimeZone> {
    // Names are found whatever their case; rules spell them as the database does.
    TimeZone::get(name).ok().filter(|zone| zone.iana_name() == Some(name))
}

impl Checker<'_> {
    /// All of a rule's schedules together; nothing when there are none.
    pub(super) fn schedules(&mut self, schedules: &[Schedule]) -> Option<Vec<Condition>> {
        let mut dates: Option<(Place, Vec<(i64, i64)>)> = None;
        let mut weekly: Vec<Hours> = Vec::new();
        let mut is_right = true;
        for schedule in schedules {
            match &schedule.kind {
                ScheduleKind::Dates { from, to } => {
                    match self.dates(from.as_ref(), to.as_ref(), schedule.place) {
                        Some(range) => dates.get_or_insert((schedule.place, Vec::new())).1.push(range),
                        None => is_right = false,
                    }
                }
                ScheduleKind::Weekly(windows) => match self.clock(&schedule.zone) {
                    Some(clock) => {
                        let ranges = windows.iter().flat_map(minutes_of_week);
                        match weekly.iter_mut().find(|hours| hours.clock == clock) {
                            Some(hours) => hours.minutes.extend(ranges),
                            None => {
                                let (place, minutes) = (schedule.place, ranges.collect());
                                weekly.push(Hours { clock, place, minutes });
                            }
                        }
                    }
                    None => is_right = false,
                },
            }
        }
        if !is_right {
            return None;
        }
        let mut parts = Vec::new();
        if let Some((place, ranges)) = dates {
            let now = self.builtin(Builtin::Now);
            parts.push(self.in_ranges(now, merged(ranges), place));
        }
        let mut weekly: Vec<Condition> = weekly
            .into_iter()
            .map(|hours| self.in_ranges(hours.clock, scaled(merged(hours.minutes)), hours.place))
            .collect();
        match weekly.len() {
            0 => {}
            1 => parts.append(&mut weekly),
            _ => parts.push(Condition::Or(weekly)),
        }
        Some(parts)
    }

    pub(super) fn in_ranges(&mut self, id: AttributeId, ranges: Vec<(i64, i64)>, place: Place) -> Condition {
        let signal = self.vocabulary.signal(id);
        Condition::Test(Test { signal, check: Check::InRanges(ranges), place })
    }

    fn builtin(&self, builtin: Builtin) -> AttributeId {
        self.vocabulary.builtin(builtin)
    }

    /// First and last millisecond of `from … to …`.
    fn dates(&mut self, from: Option<&Moment>, to: Option<&Moment>, place: Place) -> Option<(i64, i64)> {
        let start = match (from, to) {
            (Some(from), Some(to)) => self.instants(&from.with_zone_of(to)).map(|range| range.0),
            (Some(from), None) => self.instants(from).map(|range| range.0),
            (None, _) => Some(i64::MIN),
        };
        let end = match to {
            Some(to) => self.instants(to).map(|range| range.1),
            None => Some(i64::MAX),
        };
        let (start, end) = (start?, end?);
        if start > end {
            let diagnostic = Diagnostic::new(Code::E050, place, "this schedule ends before it starts");
            self.sink.push(diagnostic);
            return None;
        }
        Some((start, end))
    }

    /// First and last millisecond of a date or minute.
    pub(super) fn instants(&mut self, moment: &Moment) -> Option<(i64, i64)> {
        let zone = match &moment.zone {
            Zone::Unsaid => TimeZone::UTC,
            Zone::Named(name) => self.zone(&name.text, name.place)?,
            Zone::Visitor(place) => {
                let message = "dates need a fixed time zone";
                self.sink.push(
                    Diagnostic::new(Code::E036, *place, message)
                        .label("every visitor would start at another moment")
                        .help("write `in \"Europe/Bucharest\"`, or leave it out for UTC"),
                );
                return None;
            }
        };
        let found = instants(moment, &zone);
        if found.is_none() {
            let message = "there is no such date";
            self.sink.push(Diagnostic::new(Code::E008, moment.place, message));
        }
        found
    }

    pub(super) fn zone(&mut self, name: &str, place: Place) -> Option<TimeZone> {
        let found = zone(name);
        if found.is_none() {
            let near = self.near_zone(name);
            let message = format!("`{name}` is not a time zone");
            self.sink.push(
                Diagnostic::new(Code::E041, place, message)
                    .label("unknown value")
                    .did_you_mean(near.as_deref())
                    .help("time zones are named after places, such as \"Europe/Bucharest\""),
            );
        }
        found
    }

    pub(super) fn near_zone(&self, name: &str) -> Option<String> {
        let mut names: Vec<String> =
            jiff::tz::db().available().map(|zone| zone.as_str().to_owned()).collect();
        names.sort();
        self.near(name, names.iter().map(String::as_str)).map(str::to_owned)
    }

    /// The minute of the week on this clock.
    pub(super) fn clock(&mut self, zone: &Zone) -> Option<AttributeId> {
        let name = match zone {
            Zone::Visitor(_) => return Some(self.builtin(Builtin::MinuteOfWeek)),
            Zone::Unsaid => "UTC",
            Zone::Named(name) => {
                self.zone(&name.text, name.place)?;
                &name.text
            }
        };
        let attribute = format!("minute_of_week in {}", print::quoted(name));
        let origin = || Origin::MinuteOfWeek(name.to_owned());
        Some(self.vocabulary.derived(attribute, Type::MinuteOfWeek, Gates::NONE, "", origin))
    }
}

fn instants(moment: &Moment, zone: &TimeZone) -> Option<(i64, i64)> {
    let date = Date::new(moment.year, moment.month, moment.day).ok()?;
    let Some(minute) = moment.minute else {
        let start = millisecond(zone, date.to_datetime(jiff::civil::Time::midnight()), false)?;
        let after =
            millisecond(zone, date.tomorrow().ok()?.to_datetime(jiff::civil::Time::midnight()), false)?;
        return Some((start, after - 1));
    };
    let (date, minute) =
        if i64::from(minute) == DAY_MINUTES { (date.tomorrow().ok()?, 0) } else { (date, minute) };
    let time = date.at((minute / 60) as i8, (minute % 60) as i8, 0, 0);
    Some((millisecond(zone, time, false)?, millisecond(zone, time, true)? + MINUTE_MS - 1))
}

/// When it is this local time, unix milliseconds. A time that is skipped counts as if clocks had not gone forward yet.
fn millisecond(zone: &TimeZone, local: DateTime, is_end: bool) -> Option<i64> {
    let ambiguous = zone.to_ambiguous_timestamp(local);
    let is_twice = matches!(ambiguous.offset(), AmbiguousOffset::Fold { .. });
    let timestamp: Timestamp =
        if is_twice && is_end { ambiguous.later().ok()? } else { ambiguous.compatible().ok()? };
    Some(timestamp.as_millisecond())
}

/// Inclusive ranges of minutes of the week, within the week.
fn minutes_of_week(window: &Weekly) -> Vec<(i64, i64)> {
    let (first_day, last_day) =
        window.days.map_or((0, 6), |(first, last)| (i64::from(first), i64::from(last)));
    let last_day = if last_day < first_day { last_day + 7 } else { last_day };
    let (start, end) = match window.minutes {
        None => (0, DAY_MINUTES - 1),
        Some((first, last, is_half_open)) => {
            let end = if last < first { i64::from(last) + DAY_MINUTES } else { i64::from(last) };
            (i64::from(first), end - i64::from(is_half_open))
        }
    };
    let mut ranges = Vec::new();
    for day in first_day..=last_day {
        let (low, high) = (day * DAY_MINUTES + start, day * DAY_MINUTES + end);
        let low_in_week = low % WEEK_MINUTES;
        let high_in_week = low_in_week + (high - low);
        ranges.push((low_in_week, high_in_week.min(WEEK_MINUTES - 1)));
        if high_in_week >= WEEK_MINUTES {
            ranges.push((0, high_in_week - WEEK_MINUTES));
        }
    }
    ranges
}

fn scaled(minutes: Vec<(i64, i64)>) -> Vec<(i64, i64)> {
    minutes.into_iter().map(|(low, high)| (low * NUMBER_SCALE, high * NUMBER_SCALE)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(text: (i16, i8, i8), minute: Option<u16>) -> Moment {
        let (year, month, day) = text;
        Moment { year, month, day, minute, zone: Zone::Unsaid, place: Place::NOWHERE }
    }

    #[test]
    fn days_are_as_long_as_the_zone_makes_them() {
        let bucharest = zone("Europe/Bucharest").unwrap();
        let hours = |date| {
            let (start, end) = instants(&moment(date, None), &bucharest).unwrap();
            (end + 1 - start) / 3_600_000
        };
        assert_eq!((hours((2026, 3, 29)), hours((2026, 6, 1)), hours((2026, 10, 25))), (23, 24, 25));
        let (start, _) = instants(&moment((2026, 11, 27), Some(0)), &bucharest).unwrap();
        assert_eq!(start, 1_795_730_400_000);
        assert_eq!(instants(&moment((2026, 2, 30), None), &bucharest), None);
        assert!(instants(&moment((9999, 12, 31), None), &bucharest).is_none());
    }

    #[test]
    fn an_hour_that_happens_twice_is_covered_to_its_second_end() {
        let bucharest = zone("Europe/Bucharest").unwrap();
        let (start, end) = instants(&moment((2026, 10, 25), Some(3 * 60 + 30)), &bucharest).unwrap();
        assert_eq!(end + 1 - start, 3_600_000 + MINUTE_MS);
        assert!(zone("europe/bucharest").is_none() && zone("Europe/Bukarest").is_none());
    }

    #[test]
    fn weekly_windows_go_over_midnight_and_sunday() {
        let window = |days, minutes| minutes_of_week(&Weekly { days, minutes, place: Place::NOWHERE });
        assert_eq!(window(Some((0, 1)), Some((690, 840, false))), [(690, 840), (2_130, 2_280)]);
        assert_eq!(window(Some((0, 0)), Some((1_320, 120, true))), [(1_320, 1_559)]);
        assert_eq!(window(Some((6, 6)), Some((1_320, 120, false))), [(9_960, 10_079), (0, 120)]);
        assert_eq!(window(Some((6, 0)), None), [(8_640, 10_079), (0, 1_439)]);
        assert_eq!(window(None, Some((1_320, 0, true))).len(), 7);
        assert_eq!(window(Some((2, 2)), Some((1_320, 0, true))), [(4_200, 4_319)]);
    }
}
