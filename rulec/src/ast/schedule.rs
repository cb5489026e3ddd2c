//! Schedules and moments as written.

use super::Name;
use crate::diagnostic::Place;

/// When a rule is active.
#[derive(Debug)]
pub(crate) struct Schedule {
    pub(crate) kind: ScheduleKind,
    pub(crate) zone: Zone,
    pub(crate) place: Place,
}

#[derive(Debug)]
pub(crate) enum ScheduleKind {
    /// `from … to …`; one end may be open.
    Dates { from: Option<Moment>, to: Option<Moment> },
    /// `mon..fri 11:30..14:00, sat`
    Weekly(Vec<Weekly>),
}

/// Whose clock a schedule follows.
#[derive(Debug, Clone)]
pub(crate) enum Zone {
    /// Nothing is said.
    Unsaid,
    /// `in visitor time`
    Visitor(Place),
    /// `in "Europe/Bucharest"`
    Named(Name),
}

/// Some hours of some days of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Weekly {
    /// First and last day, Monday is 0; a range may go over Sunday. `None`: every day.
    pub(crate) days: Option<(u8, u8)>,
    /// First and last minute of the day, and whether the last is left out; a range may go over midnight. `None`: all day.
    pub(crate) minutes: Option<(u16, u16, bool)>,
    pub(crate) place: Place,
}

/// A date or a minute as written: without a clock it stands for the whole day, with one for the whole minute.
#[derive(Debug, Clone)]
pub(crate) struct Moment {
    pub(crate) year: i16,
    pub(crate) month: i8,
    pub(crate) day: i8,
    /// Minute of the day.
    pub(crate) minute: Option<u16>,
    pub(crate) zone: Zone,
    pub(crate) place: Place,
}

impl Moment {
    /// In `from … to … in "zone"` the zone belongs to both ends.
    pub(crate) fn with_zone_of(&self, later: &Moment) -> Moment {
        let zone = if let Zone::Unsaid = self.zone { later.zone.clone() } else { self.zone.clone() };
        Moment { zone, ..self.clone() }
    }
}
