//! Schedules and moments.

use tessera_wire::signal::WEEKDAYS;

use super::{Parsed, Parser, is_word};
use crate::ast::{Moment, Schedule, ScheduleKind, Weekly, Zone};
use crate::codes::Code;
use crate::diagnostic::Diagnostic;
use crate::lexer::TokenKind;

/// Minutes of a day.
const DAY_MINUTES: u16 = 1_440;

impl Parser<'_> {
    /// What follows `active`.
    pub(super) fn schedule(&mut self) -> Parsed<Schedule> {
        self.spend()?;
        let start = self.place();
        let is_weekly = match self.token().kind {
            TokenKind::Word(word) => WEEKDAYS.contains(&word),
            TokenKind::Clock(_) => true,
            _ => false,
        };
        let kind = if is_weekly { self.windows()? } else { self.dates_or_misspelt_day()? };
        let zone = self.zone()?;
        Ok(Schedule { kind, zone, place: start.to(self.last_place()) })
    }

    fn dates_or_misspelt_day(&mut self) -> Parsed<ScheduleKind> {
        let words: [&'static str; 9] = ["from", "to", "mon", "tue", "wed", "thu", "fri", "sat", "sun"];
        match self.keyword(&words)? {
            "from" => {
                let from = Some(self.moment()?);
                let to = if self.eat_word("to") { Some(self.moment()?) } else { None };
                Ok(ScheduleKind::Dates { from, to })
            }
            "to" => Ok(ScheduleKind::Dates { from: None, to: Some(self.moment()?) }),
            // The day was misspelt, which is reported: go on as if it stood alone.
            day => {
                let place = self.last_place();
                let first = day_number(day);
                let last = self.last_day(first)?;
                let minutes = self.minutes()?;
                Ok(ScheduleKind::Weekly(vec![Weekly { days: Some((first, last)), minutes, place }]))
            }
        }
    }

    /// Windows with commas between them. Either all have hours or none has: `mon, tue 10:00..12:00` has two readings.
    fn windows(&mut self) -> Parsed<ScheduleKind> {
        let mut windows = vec![self.window()?];
        while self.eat_sign(",") {
            self.spend()?;
            windows.push(self.window()?);
        }
        let has_hours = windows[0].minutes.is_some();
        match windows.iter().find(|window| window.minutes.is_some() != has_hours) {
            Some(odd) => {
                let message = "some of these days have hours and some have not";
                self.gave_up(
                    Diagnostic::new(Code::E030, odd.place, message)
                        .help("give each day its hours: mon 10:00..12:00, tue 10:00..12:00"),
                )
            }
            None => Ok(ScheduleKind::Weekly(windows)),
        }
    }

    fn window(&mut self) -> Parsed<Weekly> {
        let start = self.place();
        let days = match self.token().kind {
            TokenKind::Word(_) => {
                let first = day_number(self.keyword(&WEEKDAYS)?);
                Some((first, self.last_day(first)?))
            }
            _ => None,
        };
        let minutes = self.minutes()?;
        if days.is_none() && minutes.is_none() {
            return Err(self.expected("a day such as `mon` or hours such as `11:30..14:00`"));
        }
        Ok(Weekly { days, minutes, place: start.to(self.last_place()) })
    }

    fn last_day(&mut self, first: u8) -> Parsed<u8> {
        if self.eat_sign("..") { Ok(day_number(self.keyword(&WEEKDAYS)?)) } else { Ok(first) }
    }

    fn minutes(&mut self) -> Parsed<Option<(u16, u16, bool)>> {
        let TokenKind::Clock(first) = self.token().kind else { return Ok(None) };
        let start = self.bump();
        let is_half_open = self.is_sign("..<");
        if is_half_open {
            self.bump();
        } else {
            self.sign("..")?;
        }
        let TokenKind::Clock(last) = self.token().kind else {
            return Err(self.expected("a time of day such as `14:00`"));
        };
        let place = start.to(self.bump());
        let is_empty = is_half_open && first == last;
        let is_outside = first == DAY_MINUTES || (last == DAY_MINUTES && !is_half_open);
        if is_empty || is_outside {
            let message = if is_empty { "this range is empty" } else { "the last minute of a day is 23:59" };
            let help = "all day is 00:00..<24:00";
            self.sink.push(Diagnostic::new(Code::E050, place, message).help(help));
            return Ok(Some((0, DAY_MINUTES, true)));
        }
        Ok(Some((first, last, is_half_open)))
    }

    /// A date, perhaps with a time of day and a zone.
    pub(super) fn moment(&mut self) -> Parsed<Moment> {
        let TokenKind::Date(year, month, day) = self.token().kind else {
            return Err(self.expected("a date such as `2026-11-27`"));
        };
        let place = self.bump();
        let minute = match self.token().kind {
            TokenKind::Clock(minute) if !self.token().is_after_break => {
                self.bump();
                Some(minute)
            }
            _ => None,
        };
        let zone = self.zone()?;
        Ok(Moment { year, month, day, minute, zone, place: place.to(self.last_place()) })
    }

    /// `in "Europe/Bucharest"` or `in visitor time`, if it stands here.
    fn zone(&mut self) -> Parsed<Zone> {
        let names_zone = match self.ahead(1) {
            TokenKind::Text(_) => true,
            TokenKind::Word(_) => !is_word(self.ahead(1), "last"),
            _ => false,
        };
        if !self.is_word("in") || !names_zone {
            return Ok(Zone::Unsaid);
        }
        self.bump();
        if let TokenKind::Text(_) = self.token().kind {
            return Ok(Zone::Named(self.quoted("a time zone in quotes")?));
        }
        self.keyword(&["visitor"])?;
        let start = self.last_place();
        self.keyword(&["time"])?;
        Ok(Zone::Visitor(start.to(self.last_place())))
    }
}

fn day_number(day: &str) -> u8 {
    WEEKDAYS.iter().position(|name| *name == day).unwrap_or(0) as u8
}
