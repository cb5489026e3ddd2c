//! Current UTC offsets of the time zones that rules name (`active mon..fri in "Europe/Bucharest"`).
//!
//! Rebuilt every minute and before a bundle goes live, off the request path: a request reads one pointer. A zone stays
//! listed until the next rebuild after the bundle that named it, so a request that still holds the old bundle finds it.

use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};
use tessera_wire::program::{Origin, Program};

use super::geo::ZoneIndex;
use super::local_time::OffsetTable;

/// Zones by name, with minutes east of UTC.
pub type ZoneOffsets = Vec<(Box<str>, i16)>;

/// Holds the offsets in force.
#[derive(Debug, Default)]
pub struct ZoneCell(ArcSwap<ZoneOffsets>);

impl ZoneCell {
    /// The offsets in force. Load once per request.
    pub fn load(&self) -> Guard<Arc<ZoneOffsets>> {
        self.0.load()
    }

    /// Adds the zones that `program` names. Call before its bundle goes live.
    pub fn prepare(&self, program: &Program, now_ms: i64) {
        let known = self.0.load();
        let mut zones: Vec<Box<str>> = zones_of(program).collect();
        zones.extend(known.iter().map(|(zone, _)| zone.clone()));
        self.install(zones, now_ms);
    }

    /// Rebuilds the offsets for what `program` names. Call every minute.
    pub fn refresh(&self, program: &Program, now_ms: i64) {
        self.install(zones_of(program).collect(), now_ms);
    }

    fn install(&self, mut zones: Vec<Box<str>>, now_ms: i64) {
        zones.sort();
        zones.dedup();
        if zones.is_empty() && self.0.load().is_empty() {
            return;
        }
        let table = OffsetTable::build(&zones, now_ms);
        let offset = |index| table.offset_minutes(ZoneIndex(index));
        let offsets = zones.into_iter().zip(0u16..);
        let offsets = offsets.filter_map(|(zone, index)| Some((zone, offset(index)?))).collect();
        self.0.store(Arc::new(offsets));
    }
}

fn zones_of(program: &Program) -> impl Iterator<Item = Box<str>> {
    program.attributes.iter().filter_map(|attribute| match &attribute.origin {
        Origin::MinuteOfWeek(zone) => Some(Box::from(zone.as_str())),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use tessera_wire::program::Attribute;
    use tessera_wire::signal::{Gates, Kind};

    const WINTER_MS: i64 = 1_795_132_800_000; // 2026-11-20T00:00:00Z
    const SUMMER_MS: i64 = 1_783_000_000_000; // 2026-07-02T13:46:40Z

    fn program(zone: &str) -> Program {
        let attribute = Attribute {
            name: format!("minute_of_week in {zone}"),
            kind: Kind::Number,
            currency: String::new(),
            origin: Origin::MinuteOfWeek(zone.to_owned()),
            gates: Gates::NONE,
            needs_text: false,
            is_caseless: false,
        };
        Program { attributes: vec![attribute], ..Program::default() }
    }

    #[test]
    fn offsets_follow_the_season_and_forget_old_zones_at_the_next_refresh() {
        let cell = ZoneCell::default();
        cell.prepare(&program("Europe/Bucharest"), WINTER_MS);
        assert_eq!(**cell.load(), [(Box::from("Europe/Bucharest"), 120)]);
        cell.prepare(&program("Asia/Kolkata"), SUMMER_MS);
        assert_eq!(**cell.load(), [(Box::from("Asia/Kolkata"), 330), (Box::from("Europe/Bucharest"), 180)]);
        cell.refresh(&program("Asia/Kolkata"), SUMMER_MS);
        assert_eq!(**cell.load(), [(Box::from("Asia/Kolkata"), 330)]);
        cell.prepare(&program("Mars/Olympus"), SUMMER_MS);
        assert_eq!(cell.load().len(), 1, "an unknown zone has no offset");
    }
}
