//! Weekly hours of flights. Whose hours they are is an attribute of the program that holds a minute of the week, so that the
//! engine keeps the same clocks for rules and flights.

use tessera_wire::limits::{ATTRIBUTES_MAX, DAYPARTS_PER_FLIGHT_MAX};
use tessera_wire::program::{Attribute, Origin, SignalId, Span};
use tessera_wire::signal::{Builtin, Gates, Kind};

use super::Builder;
use crate::source::problem::{CatalogCode, Problem};
use crate::source::schema::{RawCampaign, RawFlight};
use crate::source::value;

impl Builder<'_> {
    pub(super) fn add_dayparts(&mut self, raw: &RawFlight, campaign: &RawCampaign) -> (Span, SignalId) {
        let first = self.catalog.dayparts.len() as u32;
        if raw.dayparts.is_empty() {
            return (Span { first, len: 0 }, SignalId(0));
        }
        let mut parts: Vec<(u16, u16)> = Vec::new();
        for name in &raw.dayparts {
            parts.extend(self.read(name, value::dayparts));
        }
        parts.sort_unstable();
        if parts.len() > DAYPARTS_PER_FLIGHT_MAX {
            let message = format!(
                "flight `{}` has {} dayparts, days counted one by one",
                raw.id.get_ref(),
                parts.len()
            );
            let problem = Problem::catalog(CatalogCode::TooMany, raw.id.span(), message);
            self.problem(problem.help(format!("at most {DAYPARTS_PER_FLIGHT_MAX} are allowed")));
        }
        self.catalog.dayparts.extend(&parts);
        let zone = raw.daypart_zone.as_ref().or(raw.zone.as_ref()).or(campaign.zone.as_ref());
        let origin = match zone.map(|zone| zone.get_ref().as_str()) {
            Some("visitor") => Origin::Builtin(Builtin::MinuteOfWeek),
            Some(text) => {
                if let Some(zone) = &raw.daypart_zone {
                    self.read(zone, value::zone);
                }
                Origin::MinuteOfWeek(text.to_owned())
            }
            None => Origin::MinuteOfWeek("UTC".to_owned()),
        };
        (Span { first, len: parts.len() as u32 }, self.clock(origin, raw))
    }

    fn clock(&mut self, origin: Origin, raw: &RawFlight) -> SignalId {
        let name = match &origin {
            Origin::MinuteOfWeek(zone) => format!("minute_of_week in \"{zone}\" for dayparts"),
            _ => Builtin::MinuteOfWeek.spec().name.to_owned(),
        };
        // A clock that asks for consent is another one: when a flight runs is nobody's secret.
        let is_same = |known: &Attribute| known.origin == origin && known.gates == Gates::NONE;
        if let Some(known) = self.attributes.iter().position(is_same) {
            return SignalId(known as u16);
        }
        if self.attributes.len() == ATTRIBUTES_MAX {
            let message = format!("rules and dayparts read more than {ATTRIBUTES_MAX} attributes");
            self.problem(Problem::catalog(CatalogCode::TooMany, raw.id.span(), message));
        }
        let (currency, kind, gates) = (String::new(), Kind::Number, Gates::NONE);
        let (needs_text, is_caseless) = (false, false);
        self.attributes.push(Attribute { name, kind, currency, origin, gates, needs_text, is_caseless });
        SignalId((self.attributes.len() - 1).min(ATTRIBUTES_MAX) as u16)
    }
}
