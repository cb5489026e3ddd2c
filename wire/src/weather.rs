//! The weather by country and subdivision, as control writes it and engines watch it.
//!
//! A JSON file: `{"cells": [{"country": "DE", "subdivision": "DE-BE", "condition": "rain", "temperature_c": 7.5,
//! "observed_at": "2026-11-20T11:50:00Z", "expires_at": "2026-11-20T13:00:00Z"}]}`. A cell without subdivision is for the
//! places of its country that have none of their own. Whoever reads the file checks all of it with [`Weather::observations`].

use serde::{Deserialize, Serialize};

use crate::signal::{NUMBER_SCALE, WEATHER_CONDITIONS};

/// Cells of one file; the world has about five thousand subdivisions.
pub const WEATHER_CELLS_MAX: usize = 6_000;
/// Bytes of the file: what control takes in a body, and the indentation that it adds.
pub const WEATHER_BYTES_MAX: usize = 2 << 20;
/// Longest time that an observation may be used; a forecast that is older is a guess.
pub const WEATHER_TTL_MS_MAX: i64 = 24 * 3_600_000;
/// Degrees Celsius that have been measured anywhere, with room.
pub const TEMPERATURE_C_RANGE: std::ops::RangeInclusive<f64> = -100.0..=70.0;

/// The file.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Weather {
    /// One entry for each place.
    pub cells: Vec<WeatherCell>,
}

/// The weather of one place.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WeatherCell {
    /// ISO 3166-1 alpha-2, upper case.
    pub country: String,
    /// ISO 3166-2 with its country, such as `DE-BE`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subdivision: Option<String>,
    /// One of [`WEATHER_CONDITIONS`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub condition: Option<String>,
    /// Degrees Celsius.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temperature_c: Option<f64>,
    /// When it was so, RFC 3339.
    pub observed_at: String,
    /// Until when it may be taken to be so, RFC 3339.
    pub expires_at: String,
}

/// A checked cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observation {
    /// Country or subdivision, as the signals of the same names spell them.
    pub place: String,
    /// Index into [`WEATHER_CONDITIONS`].
    pub condition: Option<u8>,
    /// Degrees Celsius, scaled by [`NUMBER_SCALE`].
    pub temperature: Option<i64>,
    /// When it was so, unix milliseconds.
    pub observed_at_ms: i64,
    /// From when on it is not known any more, unix milliseconds.
    pub expires_at_ms: i64,
}

/// A file that is not used at all; the one in use stays.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cell {index}: {what}")]
pub struct WeatherError {
    /// Which cell, counted from zero.
    pub index: usize,
    /// What is wrong with it, and how it is written.
    pub what: &'static str,
}

impl Weather {
    /// Every cell checked, sorted by place. `time` reads an RFC 3339 time as unix milliseconds.
    ///
    /// # Errors
    /// [`WeatherError`] of the first cell that is not as described.
    pub fn observations(&self, time: impl Fn(&str) -> Option<i64>) -> Result<Vec<Observation>, WeatherError> {
        if self.cells.len() > WEATHER_CELLS_MAX {
            return Err(WeatherError { index: WEATHER_CELLS_MAX, what: "more than 6000 cells" });
        }
        let mut all = Vec::with_capacity(self.cells.len());
        for (index, cell) in self.cells.iter().enumerate() {
            all.push((cell.observation(&time).map_err(|what| WeatherError { index, what })?, index));
        }
        all.sort_by(|one, other| one.0.place.cmp(&other.0.place));
        if let Some(pair) = all.windows(2).find(|pair| pair[0].0.place == pair[1].0.place) {
            let index = pair[0].1.max(pair[1].1);
            return Err(WeatherError { index, what: "another cell is for the same place" });
        }
        Ok(all.into_iter().map(|(observation, _)| observation).collect())
    }
}

impl WeatherCell {
    fn observation(&self, time: impl Fn(&str) -> Option<i64>) -> Result<Observation, &'static str> {
        if !is_country(&self.country) {
            return Err("`country` is two upper-case letters such as `DE`");
        }
        if self.subdivision.as_ref().is_some_and(|name| !is_subdivision(name, &self.country)) {
            return Err(
                "`subdivision` is its country's code, a hyphen and one to three letters or digits, such as `DE-BE`",
            );
        }
        let condition = match &self.condition {
            None => None,
            Some(word) => {
                let code = WEATHER_CONDITIONS.iter().position(|known| known == word);
                let unknown = "`condition` is one of clear, cloudy, fog, drizzle, rain, snow, thunder";
                Some(code.ok_or(unknown)? as u8)
            }
        };
        if self.temperature_c.is_some_and(|degrees| !TEMPERATURE_C_RANGE.contains(&degrees)) {
            return Err("`temperature_c` is in degrees Celsius, from -100 to 70");
        }
        if condition.is_none() && self.temperature_c.is_none() {
            return Err("neither `condition` nor `temperature_c` is there");
        }
        let observed_at_ms = time(&self.observed_at)
            .ok_or("`observed_at` is an RFC 3339 time such as `2026-11-20T12:00:00Z`")?;
        let expires_at_ms = time(&self.expires_at)
            .ok_or("`expires_at` is an RFC 3339 time such as `2026-11-20T13:00:00Z`")?;
        let ttl_ms = expires_at_ms.saturating_sub(observed_at_ms);
        if !(1..=WEATHER_TTL_MS_MAX).contains(&ttl_ms) {
            return Err("`expires_at` is after `observed_at`, by a day at most");
        }
        Ok(Observation {
            place: self.subdivision.as_ref().unwrap_or(&self.country).clone(),
            condition,
            temperature: self.temperature_c.map(|degrees| (degrees * NUMBER_SCALE as f64).round() as i64),
            observed_at_ms,
            expires_at_ms,
        })
    }
}

fn is_country(text: &str) -> bool {
    text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_uppercase())
}

fn is_subdivision(text: &str, country: &str) -> bool {
    let own = text.strip_prefix(country).and_then(|rest| rest.strip_prefix('-'));
    own.is_some_and(|own| {
        (1..=3).contains(&own.len())
            && own.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Times of these tests are plain numbers.
    fn time(text: &str) -> Option<i64> {
        text.parse().ok()
    }

    fn cell() -> WeatherCell {
        WeatherCell {
            country: "DE".into(),
            subdivision: Some("DE-BE".into()),
            condition: Some("rain".into()),
            temperature_c: Some(-0.25),
            observed_at: "1000".into(),
            expires_at: "2000".into(),
        }
    }

    #[test]
    fn a_good_cell_is_one_observation_of_its_place() {
        let whole = WeatherCell { subdivision: None, condition: None, ..cell() };
        let weather = Weather { cells: vec![cell(), whole] };
        let observations = weather.observations(time).unwrap();
        let places: Vec<&str> = observations.iter().map(|one| one.place.as_str()).collect();
        assert_eq!(places, ["DE", "DE-BE"], "sorted, the country without a condition");
        assert_eq!((observations[0].condition, observations[0].temperature), (None, Some(-250_000)));
        assert_eq!(observations[1].condition, Some(4));
        assert_eq!(WEATHER_CONDITIONS[4], "rain");
    }

    #[test]
    fn every_bad_cell_is_refused_with_its_number_and_what_to_write() {
        let bad = [
            (WeatherCell { country: "de".into(), ..cell() }, "country"),
            (WeatherCell { country: "DEU".into(), ..cell() }, "country"),
            (WeatherCell { subdivision: Some("BE".into()), ..cell() }, "subdivision"),
            (WeatherCell { subdivision: Some("FR-BE".into()), ..cell() }, "subdivision"),
            (WeatherCell { subdivision: Some("DE-BERL".into()), ..cell() }, "subdivision"),
            (WeatherCell { condition: Some("Rain".into()), ..cell() }, "condition"),
            (WeatherCell { temperature_c: Some(298.48), ..cell() }, "temperature_c"),
            (WeatherCell { temperature_c: Some(f64::NAN), ..cell() }, "temperature_c"),
            (WeatherCell { temperature_c: None, condition: None, ..cell() }, "neither"),
            (WeatherCell { observed_at: "noon".into(), ..cell() }, "observed_at"),
            (WeatherCell { expires_at: "later".into(), ..cell() }, "expires_at"),
            (WeatherCell { expires_at: "1000".into(), ..cell() }, "expires_at"),
            (WeatherCell { expires_at: i64::MAX.to_string(), ..cell() }, "a day at most"),
            (WeatherCell { country: "DE".into(), ..cell() }, "the same place"),
        ];
        for (bad, says) in bad {
            let first = WeatherCell { temperature_c: None, ..cell() };
            let error = Weather { cells: vec![first, bad] }.observations(time).unwrap_err();
            assert!(error.index == 1 && error.to_string().contains(says), "{error}");
        }
        let many = Weather { cells: vec![cell(); WEATHER_CELLS_MAX + 1] };
        assert!(many.observations(time).is_err());
    }
}
