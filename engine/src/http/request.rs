//! The body of `POST /v1/decide`, borrowed from the request's bytes.
//!
//! Unknown fields are ignored; a known field of the wrong type is an error with a JSON Pointer. Free values (`traits`,
//! `context`, `attributes`) may be of any type; what no attribute can hold is ignored.

use std::borrow::Cow;

use serde::Deserialize;
use tessera_engine_core::limits::{ADS_PER_PLACEMENT_MAX, PLACEMENTS_PER_REQUEST_MAX};

use super::filter::FilterBody;
use super::google_consent::GoogleBody;
use super::problem::Problem;
use super::values::{free_values, optional_texts, texts};
use crate::limits::{FILTER_ENTRIES_MAX, FORMATS_PER_PLACEMENT_MAX, REQUEST_ID_BYTES_MAX};

pub(crate) use super::values::{Flag, FreeValues, Str};

#[derive(Debug, Deserialize)]
pub(crate) struct DecideBody<'a> {
    /// Milliseconds that the caller waits, our queueing included.
    pub(crate) tmax_ms: Option<u32>,
    #[serde(borrow, default)]
    pub(crate) request_id: Option<Str<'a>>,
    #[serde(borrow)]
    pub(crate) placements: Vec<PlacementBody<'a>>,
    #[serde(borrow, default)]
    pub(crate) user: UserBody<'a>,
    #[serde(borrow, default)]
    pub(crate) session: SessionBody<'a>,
    #[serde(borrow, default)]
    pub(crate) device: DeviceBody<'a>,
    #[serde(borrow, default)]
    pub(crate) geo: GeoBody<'a>,
    #[serde(borrow, default)]
    pub(crate) page: PageBody<'a>,
    #[serde(borrow, default)]
    pub(crate) consent: ConsentBody<'a>,
    #[serde(borrow, default, deserialize_with = "free_values")]
    pub(crate) context: FreeValues<'a>,
    #[serde(default)]
    pub(crate) options: OptionsBody,
}

#[derive(Debug, Deserialize)]
pub(crate) struct PlacementBody<'a> {
    #[serde(borrow)]
    pub(crate) id: Str<'a>,
    #[serde(borrow)]
    pub(crate) slot: Str<'a>,
    #[serde(default)]
    pub(crate) formats: Vec<FormatBody>,
    #[serde(default = "one")]
    pub(crate) count: u32,
    #[serde(borrow, default, deserialize_with = "free_values")]
    pub(crate) attributes: FreeValues<'a>,
    #[serde(borrow, default)]
    pub(crate) filter: Option<FilterBody<'a>>,
    #[serde(default)]
    pub(crate) floor_micros: i64,
}

#[derive(Debug, Deserialize)]
pub(crate) struct FormatBody {
    pub(crate) w: u32,
    pub(crate) h: u32,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct UserBody<'a> {
    #[serde(borrow)]
    pub(crate) id: Option<Str<'a>>,
    #[serde(borrow)]
    pub(crate) anonymous_id: Option<Str<'a>>,
    #[serde(borrow, deserialize_with = "optional_texts")]
    pub(crate) segments: Option<Vec<Cow<'a, str>>>,
    #[serde(borrow, deserialize_with = "free_values")]
    pub(crate) traits: FreeValues<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct SessionBody<'a> {
    #[serde(borrow)]
    pub(crate) cart: Option<CartBody<'a>>,
    pub(crate) page_views: Option<i64>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct CartBody<'a> {
    #[serde(default)]
    pub(crate) value_micros: Option<i64>,
    #[serde(borrow, default)]
    pub(crate) currency: Option<Str<'a>>,
    #[serde(default)]
    pub(crate) items: Option<i64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct DeviceBody<'a> {
    #[serde(borrow)]
    pub(crate) ua: Option<Str<'a>>,
    #[serde(borrow)]
    pub(crate) ip: Option<Str<'a>>,
    #[serde(borrow)]
    pub(crate) lang: Option<Str<'a>>,
    pub(crate) lmt: Flag,
    pub(crate) dnt: Flag,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct GeoBody<'a> {
    #[serde(borrow)]
    pub(crate) country: Option<Str<'a>>,
    #[serde(borrow)]
    pub(crate) region: Option<Str<'a>>,
    #[serde(borrow)]
    pub(crate) city: Option<Str<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct PageBody<'a> {
    #[serde(borrow)]
    pub(crate) url: Option<Str<'a>>,
    #[serde(borrow)]
    pub(crate) referrer: Option<Str<'a>>,
    #[serde(borrow, deserialize_with = "texts")]
    pub(crate) keywords: Vec<Cow<'a, str>>,
    #[serde(borrow, deserialize_with = "texts")]
    pub(crate) category: Vec<Cow<'a, str>>,
}

/// Consent signals as the caller sends them, in a decide or an events request.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ConsentBody<'a> {
    #[serde(borrow)]
    pub(crate) tcf: Option<Str<'a>>,
    #[serde(borrow)]
    pub(crate) gpp: Option<Str<'a>>,
    pub(crate) gpp_sid: Vec<i32>,
    #[serde(borrow)]
    pub(crate) us_privacy: Option<Str<'a>>,
    pub(crate) gdpr: Option<Flag>,
    pub(crate) coppa: Flag,
    pub(crate) gpc: Flag,
    /// Google consent mode's state object.
    #[serde(borrow)]
    pub(crate) google: Option<GoogleBody<'a>>,
    /// Google consent mode, as its tags send it.
    #[serde(borrow)]
    pub(crate) gcs: Option<Str<'a>>,
    /// A public screen: there is no person to consent. Only an exchange says so.
    #[serde(skip)]
    pub(crate) dooh: bool,
    #[serde(borrow, deserialize_with = "free_values")]
    pub(crate) purposes: FreeValues<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct OptionsBody {
    pub(crate) explain: bool,
    pub(crate) test: bool,
    /// Say what ads cost.
    pub(crate) pricing: bool,
    /// Assignments to look at, signed (`tessera preview`).
    pub(crate) preview_token: Option<String>,
    /// Decide as of this time: RFC 3339.
    pub(crate) at_time: Option<String>,
    /// Only asked, not served: nothing is counted, remembered or written down. The address says so, never the body.
    #[serde(skip)]
    pub(crate) is_what_if: bool,
}

fn one() -> u32 {
    1
}

/// Reads and checks a decide body.
pub(crate) fn parse(bytes: &[u8]) -> Result<DecideBody<'_>, Problem> {
    let body: DecideBody<'_> = parse_json(bytes)?;
    check(&body)?;
    Ok(body)
}

/// Reads JSON; the slow path that finds the place of an error runs only when there is one.
pub(crate) fn parse_json<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, Problem> {
    // Checking the encoding once for the whole body is cheaper than once for each string in it.
    let text = std::str::from_utf8(bytes)
        .map_err(|error| Problem::bad_request("malformed_json", format!("the body is not UTF-8: {error}")))?;
    serde_json::from_str(text).map_err(|_| {
        let mut deserializer = serde_json::Deserializer::from_str(text);
        let outcome: Result<T, _> = serde_path_to_error::deserialize(&mut deserializer);
        match outcome.map_err(|error| (pointer(error.path()), error.into_inner())) {
            Err((pointer, error)) if error.is_data() => {
                Problem::bad_request("invalid_field", error.to_string()).at(pointer)
            }
            Err((_, error)) => Problem::bad_request("malformed_json", error.to_string()),
            Ok(_) => Problem::bad_request("malformed_json", "characters follow the JSON value"),
        }
    })
}

fn pointer(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    let mut pointer = String::new();
    for segment in path.iter() {
        pointer.push('/');
        match segment {
            Segment::Seq { index } => pointer.push_str(&index.to_string()),
            Segment::Map { key } => pointer.push_str(&key.replace('~', "~0").replace('/', "~1")),
            Segment::Enum { variant } => pointer.push_str(variant),
            Segment::Unknown => pointer.push('?'),
        }
    }
    pointer
}

fn check(body: &DecideBody<'_>) -> Result<(), Problem> {
    let count = body.placements.len();
    if count == 0 || count > PLACEMENTS_PER_REQUEST_MAX {
        let detail =
            format!("a request asks for 1 to {PLACEMENTS_PER_REQUEST_MAX} placements, this one for {count}");
        return Err(Problem::bad_request("placement_count", detail).at("/placements"));
    }
    if body.request_id.as_ref().is_some_and(|id| id.0.len() > REQUEST_ID_BYTES_MAX) {
        let detail = format!("a request id has at most {REQUEST_ID_BYTES_MAX} bytes");
        return Err(Problem::bad_request("request_id_too_long", detail).at("/request_id"));
    }
    if body.tmax_ms == Some(0) {
        return Err(Problem::bad_request("invalid_field", "`tmax_ms` is at least 1").at("/tmax_ms"));
    }
    for (index, placement) in body.placements.iter().enumerate() {
        if !(1..=ADS_PER_PLACEMENT_MAX as u32).contains(&placement.count) {
            let detail = format!("a placement takes 1 to {ADS_PER_PLACEMENT_MAX} ads");
            return Err(Problem::bad_request("ad_count", detail).at(format!("/placements/{index}/count")));
        }
        if placement.formats.len() > FORMATS_PER_PLACEMENT_MAX {
            let detail = format!("a placement has at most {FORMATS_PER_PLACEMENT_MAX} formats");
            return Err(
                Problem::bad_request("format_count", detail).at(format!("/placements/{index}/formats"))
            );
        }
        if placement.filter.as_ref().is_some_and(|filter| !filter.fits()) {
            let detail = format!("a list of a filter names at most {FILTER_ENTRIES_MAX}");
            let place = format!("/placements/{index}/filter");
            return Err(Problem::bad_request("filter_count", detail).at(place));
        }
        if body.placements[..index].iter().any(|earlier| earlier.id == placement.id) {
            let detail = format!("the placement id `{}` is used twice", placement.id.0);
            return Err(
                Problem::bad_request("duplicate_placement", detail).at(format!("/placements/{index}/id"))
            );
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use tessera_engine_core::signals::Value;

    use super::*;

    fn problem(body: &str) -> Problem {
        parse(body.as_bytes()).map(|_| ()).unwrap_err()
    }

    #[test]
    fn fields_are_read_and_unknown_ones_ignored() {
        let body =
            br#"{"placements":[{"id":"a","slot":"hero","count":2,"formats":[{"w":1,"h":2,"type":"x"}]}],
            "user":{"id":"u","traits":{"age":21,"vip":true,"tags":["a",1,"b"],"deep":{"x":1},"none":null}},
            "consent":{"gdpr":1,"gpc":true},"new_field":[{}]}"#;
        let body = parse(body).unwrap();
        assert_eq!(body.placements[0].count, 2);
        let traits: Vec<_> =
            body.user.traits.iter().map(|(name, value)| (name.as_ref(), value.clone())).collect();
        let tags = Value::List(vec!["a".into(), "b".into()]);
        assert_eq!(traits, [("age", Value::Number(21_000_000)), ("vip", Value::Bool(true)), ("tags", tags)]);
        assert_eq!(body.consent.gdpr, Some(Flag(1)));
        assert!(body.consent.gpc.is_set());
    }

    #[test]
    fn errors_say_what_and_where() {
        assert_eq!(problem("{").code, "malformed_json");
        let wrong = problem(r#"{"placements":[{"id":"a","slot":7}]}"#);
        assert_eq!((wrong.code, wrong.pointer.as_str()), ("invalid_field", "/placements/0/slot"));
        assert!(wrong.detail.contains("expected a string"), "{}", wrong.detail);
        assert_eq!(problem(r#"{"placements":[]}"#).code, "placement_count");
        let twice = problem(r#"{"placements":[{"id":"a","slot":"x"},{"id":"a","slot":"y"}]}"#);
        assert_eq!((twice.code, twice.pointer.as_str()), ("duplicate_placement", "/placements/1/id"));
        let many = problem(r#"{"placements":[{"id":"a","slot":"x","count":21}]}"#);
        assert_eq!((many.code, many.pointer.as_str()), ("ad_count", "/placements/0/count"));
        assert_eq!(problem(r#"{"placements":[{"id":"a","slot":"x"}]} x"#).code, "malformed_json");
    }

    #[test]
    fn deep_nesting_is_an_error_not_a_crash() {
        let body = format!(r#"{{"placements":[],"context":{{"x":{}}}}}"#, "[".repeat(100_000));
        assert_eq!(problem(&body).code, "malformed_json");
    }
}
