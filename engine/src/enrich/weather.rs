//! The weather in force, by country and subdivision.
//!
//! The table is a file that the watcher takes over; a request only looks into it. What has expired is unknown, as is the
//! weather of a place that cannot be told: nothing is guessed from neighbours or from yesterday.
//!
//! Cost: one pointer load and a binary search or two, no allocation. Not here: fetching weather, which is somebody
//! else's process and reaches us through the control port.

use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};
use tessera_engine_core::signals::WeatherHere;
use tessera_wire::weather::{Observation, Weather, WeatherError};

use crate::counters::{family, line};

/// Clocks of two machines differ; what was observed this far in our future is believed.
const CLOCK_SKEW_MS_MAX: i64 = 5 * 60_000;

/// The weather of all places, sorted by place.
#[derive(Debug, Default)]
pub struct WeatherTable(Vec<Observation>);

impl WeatherTable {
    /// The table of a file's cells.
    ///
    /// # Errors
    /// [`WeatherError`]; the table in force stays.
    pub fn new(weather: &Weather) -> Result<WeatherTable, WeatherError> {
        let time = |text: &str| text.parse().ok().map(jiff::Timestamp::as_millisecond);
        weather.observations(time).map(WeatherTable)
    }

    /// The weather of a subdivision if it has any of its own, else of its country.
    #[inline]
    pub fn at(&self, country: Option<&str>, region: Option<&str>, now_ms: i64) -> WeatherHere {
        if self.0.is_empty() {
            return WeatherHere::default();
        }
        let found = region.and_then(|place| self.of(place, now_ms));
        let found = found.or_else(|| country.and_then(|place| self.of(place, now_ms)));
        found.map_or_else(WeatherHere::default, |one| WeatherHere {
            condition: one.condition,
            temperature: one.temperature,
        })
    }

    fn of(&self, place: &str, now_ms: i64) -> Option<&Observation> {
        let index = self.0.binary_search_by(|one| one.place.as_str().cmp(place)).ok()?;
        Some(&self.0[index]).filter(|one| is_current(one, now_ms))
    }
}

fn is_current(one: &Observation, now_ms: i64) -> bool {
    one.observed_at_ms.saturating_sub(CLOCK_SKEW_MS_MAX) <= now_ms && now_ms < one.expires_at_ms
}

/// Holds the weather in force.
#[derive(Debug, Default)]
pub struct WeatherTableCell(ArcSwap<WeatherTable>);

impl WeatherTableCell {
    /// The weather in force. Load once per request.
    pub fn load(&self) -> Guard<Arc<WeatherTable>> {
        self.0.load()
    }

    /// Puts a table in force. Never on the request path.
    pub fn install(&self, table: WeatherTable) {
        self.0.store(Arc::new(table));
    }

    pub(crate) fn render(&self, out: &mut String, now_ms: i64) {
        let table = self.load();
        let current = table.0.iter().filter(|one| is_current(one, now_ms)).count();
        family(out, "weather_places", "gauge", "Places whose weather is known, and whose has expired.");
        line(out, "weather_places{state=\"current\"}", current as u64);
        line(out, "weather_places{state=\"expired\"}", (table.0.len() - current) as u64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tessera_wire::weather::WeatherCell;

    fn time(ms: i64) -> String {
        jiff::Timestamp::from_millisecond(ms).unwrap().to_string()
    }

    fn cell(country: &str, subdivision: Option<&str>, degrees: i64, (from, to): (i64, i64)) -> WeatherCell {
        WeatherCell {
            country: country.into(),
            subdivision: subdivision.map(Into::into),
            condition: None,
            temperature_c: Some(degrees as f64),
            observed_at: time(from),
            expires_at: time(to),
        }
    }

    /// The same by looking at every cell of the file.
    fn slow(cells: &[WeatherCell], country: Option<&str>, region: Option<&str>, now_ms: i64) -> Option<i64> {
        let ms = |text: &str| text.parse::<jiff::Timestamp>().unwrap().as_millisecond();
        let current =
            |cell: &&WeatherCell| now_ms >= ms(&cell.observed_at) - 300_000 && now_ms < ms(&cell.expires_at);
        let own = |cell: &&WeatherCell| region.is_some() && cell.subdivision.as_deref() == region;
        let whole =
            |cell: &&WeatherCell| cell.subdivision.is_none() && Some(cell.country.as_str()) == country;
        let found = cells.iter().find(|cell| own(cell) && current(cell));
        let found = found.or_else(|| cells.iter().find(|cell| whole(cell) && current(cell)));
        found.map(|cell| cell.temperature_c.unwrap() as i64 * 1_000_000)
    }

    const COUNTRIES: [&str; 3] = ["DE", "RO", "US"];
    const REGIONS: [&str; 4] = ["DE-BE", "DE-BY", "RO-CJ", "US-CA"];

    proptest! {
        #[test]
        fn a_look_into_the_table_finds_what_reading_the_whole_file_finds(
            spans in proptest::collection::vec((-40i64..40, 1i64..20_000_000, 0i64..20_000_000), 7),
            has in proptest::collection::vec(any::<bool>(), 7),
            country in proptest::option::of(0usize..4),
            region in proptest::option::of(0usize..5),
            now_ms in -1_000_000i64..25_000_000,
        ) {
            let places = COUNTRIES.map(|country| (country, None)).into_iter();
            let places = places.chain(REGIONS.map(|region| (&region[..2], Some(region))));
            let cells: Vec<WeatherCell> = places.zip(spans).zip(has).filter(|(_, has)| *has)
                .map(|(((country, region), (degrees, length, from)), _)| {
                    cell(country, region, degrees, (from, from + length))
                })
                .collect();
            let table = WeatherTable::new(&Weather { cells: cells.clone() }).unwrap();
            let country = country.map(|index| *COUNTRIES.get(index).unwrap_or(&"XX"));
            let region = region.map(|index| *REGIONS.get(index).unwrap_or(&"DE-XX"));
            let found = table.at(country, region, now_ms).temperature;
            prop_assert_eq!(found, slow(&cells, country, region, now_ms));
        }
    }

    #[test]
    fn what_has_expired_is_unknown_to_the_millisecond() {
        let table = WeatherTable::new(&Weather { cells: vec![cell("DE", None, 3, (0, 1_000))] }).unwrap();
        assert_eq!(table.at(Some("DE"), Some("DE-BE"), 999).temperature, Some(3_000_000));
        assert_eq!(table.at(Some("DE"), None, 1_000), WeatherHere::default());
        assert_eq!(table.at(None, None, 999), WeatherHere::default());
        assert_eq!(table.at(Some("DE"), None, -300_001), WeatherHere::default());
    }
}
