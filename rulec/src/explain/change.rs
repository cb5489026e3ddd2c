//! What could be different about a visitor, and how values are written.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use tessera_wire::program::SignalId;
use tessera_wire::signal::{Gates, NUMBER_SCALE, WEEKDAYS};

use super::purposes_of;
use crate::check::{Given, TypedTest};
use crate::hir::{Signal, Type};
use crate::print;

/// One thing that would have to be different.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    pub(super) kind: Kind,
    /// What it would be, as the language writes it.
    pub(super) text: String,
    /// The same without the value, for an attribute that needs consent: what the rule asks of it.
    pub(super) asked: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// These gates are open too.
    Grant(Gates),
    /// The signal has this value.
    Value(SignalId, Given),
    /// The signal has no value.
    Missing(SignalId),
    /// It is another time.
    Clock(i64, Option<TimeZone>),
}

impl Change {
    /// As people read it. Values that need consent are only in it when they may be shown.
    pub fn text(&self, shows_values: bool) -> &str {
        self.asked.as_deref().filter(|_| !shows_values).unwrap_or(&self.text)
    }

    /// What kind of change it is: `consent`, `value`, `missing` or `now`.
    pub fn kind(&self) -> &'static str {
        match self.kind {
            Kind::Grant(_) => "consent",
            Kind::Value(..) => "value",
            Kind::Missing(_) => "missing",
            Kind::Clock(..) => "now",
        }
    }

    pub(super) fn grant(gates: Gates) -> Change {
        let text = format!("consent for {}", purposes_of(gates).join(", "));
        Change { kind: Kind::Grant(gates), text, asked: None }
    }

    pub(super) fn value(id: SignalId, signal: &Signal, given: Given, asked: String) -> Change {
        let text = format!("{} = {}", signal.attribute.name, value_text(signal, &given));
        let asked = (signal.attribute.gates != Gates::NONE).then_some(asked);
        Change { kind: Kind::Value(id, given), text, asked }
    }

    pub(super) fn missing(id: SignalId, signal: &Signal) -> Change {
        let text = format!("{} is unknown", signal.attribute.name);
        Change { kind: Kind::Missing(id), text, asked: None }
    }

    /// `known` is where the visitor lives, if that is known already.
    pub(super) fn clock(now_ms: i64, zone: Option<TimeZone>, known: Option<TimeZone>) -> Change {
        let local = zone.clone().or(known).unwrap_or(TimeZone::UTC);
        let text = match Timestamp::from_millisecond(now_ms) {
            Ok(now) => {
                let time = local.to_datetime(now);
                let zone = local.iana_name().map_or(String::new(), |name| format!(" in \"{name}\""));
                format!("now = {} {:02}:{:02}{zone}", time.date(), time.hour(), time.minute())
            }
            Err(_) => "another time".to_owned(),
        };
        Change { kind: Kind::Clock(now_ms, zone), text, asked: None }
    }

    pub(super) fn apply(&self, visitor: &mut TypedTest) {
        match &self.kind {
            Kind::Grant(gates) => visitor.granted = visitor.granted.or(*gates),
            Kind::Value(signal, given) => visitor.given.push((*signal, given.clone())),
            Kind::Missing(signal) => visitor.given.retain(|(known, _)| known != signal),
            Kind::Clock(now_ms, zone) => {
                visitor.now_ms = *now_ms;
                if zone.is_some() {
                    visitor.zone.clone_from(zone);
                }
            }
        }
    }
}

/// A value as the language writes it; points in time with their milliseconds.
pub(crate) fn value_text(signal: &Signal, given: &Given) -> String {
    match given {
        Given::Integer(value) => integer_text(signal, *value),
        Given::AgeMs(age_ms) if *age_ms >= 0 => format!("{} ago", print::span_text(*age_ms)),
        Given::AgeMs(age_ms) => format!("{} from now", print::span_text(age_ms.saturating_neg())),
        Given::Text(text) => print::word_text(&signal.ty, text),
        Given::Members(members) => {
            let members: Vec<String> =
                members.iter().map(|member| print::word_text(&signal.ty, member)).collect();
            format!("({})", members.join(", "))
        }
    }
}

fn integer_text(signal: &Signal, value: i64) -> String {
    match signal.ty {
        Type::Bool => (value == 1).to_string(),
        Type::MinuteOfWeek => {
            let minute = value / NUMBER_SCALE;
            let day = usize::try_from(minute / 1_440).ok().and_then(|day| WEEKDAYS.get(day));
            format!("{} {:02}:{:02}", day.unwrap_or(&"?"), minute % 1_440 / 60, minute % 60)
        }
        Type::Time => match Timestamp::from_millisecond(value) {
            Ok(time) => time.to_string(),
            Err(_) => "beyond the calendar".to_owned(),
        },
        _ if signal.unit.is_empty() => print::amount(&signal.ty, value),
        _ => format!("{} {}", print::amount(&signal.ty, value), signal.unit),
    }
}
