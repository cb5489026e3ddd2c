//! The weather over HTTP: the whole table is read, checked, and put in place of the file that engines watch.
//!
//! Whoever knows the weather (a puller of a weather service, a station) sends it here; no request of a visitor ever waits
//! for it.

use std::sync::PoisonError;

use hyper::StatusCode;
use jiff::{Timestamp, ToSpan};
use tessera_wire::weather::Weather;

use super::api::{Answer, Api, Call, Problem, json};
use super::switches::replace;

const EXAMPLE: &str = r#"{"cells":[{"country":"DE","subdivision":"DE-BE","condition":"rain","temperature_c":7.5,"observed_at":"2026-11-20T12:00:00Z","expires_at":"2026-11-20T13:00:00Z"}]}"#;

impl Api {
    pub(super) fn weather(&self) -> Result<Answer, Problem> {
        let weather = match std::fs::read(&self.settings.weather_path) {
            Ok(text) => serde_json::from_slice(&text).map_err(|error| {
                let detail = format!(
                    "`weather.json` cannot be read: {error}; engines keep what they had, PUT replaces it"
                );
                Problem::new(StatusCode::CONFLICT, "weather_damaged", detail)
            })?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Weather::default(),
            Err(error) => return Err(Problem::internal(error.to_string())),
        };
        json(StatusCode::OK, &weather)
    }

    pub(super) fn set_weather(&self, call: &Call) -> Result<Answer, Problem> {
        let bad = |detail| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_weather", detail);
        let weather: Weather = serde_json::from_slice(&call.body)
            .map_err(|error| bad(format!("{error}; write it like {EXAMPLE}")))?;
        let observations = weather.observations(read_time).map_err(|error| bad(error.to_string()))?;
        // A clock that is wrong, or an hour in local time, would make weather of tomorrow.
        let latest = Timestamp::now().saturating_add(5.minutes()).map_or(i64::MAX, Timestamp::as_millisecond);
        if let Some(early) = observations.iter().find(|one| one.observed_at_ms > latest) {
            return Err(bad(format!("`{}`: `observed_at` is in the future", early.place)));
        }
        let _one_at_a_time = self.publishing.lock().unwrap_or_else(PoisonError::into_inner);
        let path = &self.settings.weather_path;
        replace(path, &weather).map_err(|error| Problem::internal(error.to_string()))?;
        json(StatusCode::OK, &weather)
    }
}

fn read_time(text: &str) -> Option<i64> {
    text.parse::<Timestamp>().ok().map(Timestamp::as_millisecond)
}
