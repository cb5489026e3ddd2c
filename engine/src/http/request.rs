//! The body of `POST /v1/decide`, borrowed from the request's bytes.
//!
//! Unknown fields are ignored; a known field of the wrong type is an error with a JSON Pointer. Free values (`traits`,
//! `context`, `attributes`) may be of any type; what no attribute can hold is ignored.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use tessera_engine_core::limits::{ADS_PER_PLACEMENT_MAX, PLACEMENTS_PER_REQUEST_MAX};
use tessera_engine_core::signals::Value;
use tessera_wire::signal::NUMBER_SCALE;

use super::filter::FilterBody;
use super::google_consent::GoogleBody;
use super::problem::Problem;
use crate::limits::{FILTER_ENTRIES_MAX, FORMATS_PER_PLACEMENT_MAX, FREE_VALUES_MAX, REQUEST_ID_BYTES_MAX};

/// Text that is borrowed unless it holds escapes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Str<'a>(pub(crate) Cow<'a, str>);

pub(crate) type FreeValues<'a> = Vec<(Cow<'a, str>, Value<'a>)>;

#[derive(Debug, Deserialize)]
pub(crate) struct DecideBody<'a> {
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
    /// Assignments to look at, signed (`tessera preview`).
    pub(crate) preview_token: Option<String>,
    /// Decide as of this time: RFC 3339.
    pub(crate) at_time: Option<String>,
    /// Only asked, not served: nothing is counted, remembered or written down. The address says so, never the body.
    #[serde(skip)]
    pub(crate) is_what_if: bool,
}

/// A flag that may come as a boolean or, as OpenRTB sends it, as a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Flag(pub(crate) i64);

impl Flag {
    pub(crate) fn is_set(self) -> bool {
        self.0 == 1
    }
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

impl<'de: 'a, 'a> Deserialize<'de> for Str<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl<'de> Visitor<'de> for Text {
            type Value = Str<'de>;
            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a string")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Str(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Str(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(Text)
    }
}

impl<'de> Deserialize<'de> for Flag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bit;
        impl Visitor<'_> for Bit {
            type Value = Flag;
            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("true, false, 0 or 1")
            }
            fn visit_bool<E>(self, value: bool) -> Result<Flag, E> {
                Ok(Flag(i64::from(value)))
            }
            fn visit_i64<E>(self, value: i64) -> Result<Flag, E> {
                Ok(Flag(value))
            }
            fn visit_u64<E>(self, value: u64) -> Result<Flag, E> {
                Ok(Flag(i64::try_from(value).unwrap_or(-1)))
            }
        }
        deserializer.deserialize_any(Bit)
    }
}

pub(super) fn texts<'de: 'a, 'a, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<Cow<'a, str>>, D::Error> {
    let list: Vec<Str<'a>> = Deserialize::deserialize(deserializer)?;
    Ok(list.into_iter().map(|text| text.0).collect())
}

fn optional_texts<'de: 'a, 'a, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Vec<Cow<'a, str>>>, D::Error> {
    let list: Option<Vec<Str<'a>>> = Deserialize::deserialize(deserializer)?;
    Ok(list.map(|list| list.into_iter().map(|text| text.0).collect()))
}

fn free_values<'de: 'a, 'a, D: Deserializer<'de>>(deserializer: D) -> Result<FreeValues<'a>, D::Error> {
    struct Map;
    impl<'de> Visitor<'de> for Map {
        type Value = FreeValues<'de>;
        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("an object")
        }
        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut values = Vec::new();
            while let Some((key, value)) = map.next_entry::<Str<'de>, FreeValue<'de>>()? {
                if values.len() == FREE_VALUES_MAX {
                    let what = format_args!("an object with more than {FREE_VALUES_MAX} entries").to_string();
                    return Err(serde::de::Error::custom(what));
                }
                if let Some(value) = value.0 {
                    values.push((key.0, value));
                }
            }
            Ok(values)
        }
    }
    deserializer.deserialize_map(Map)
}

/// A free value; `None` when no attribute could hold it.
struct FreeValue<'a>(Option<Value<'a>>);

impl<'de: 'a, 'a> Deserialize<'de> for FreeValue<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValue).map(FreeValue)
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Option<Value<'de>>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a value")
    }
    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }
    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Some(Value::Bool(value)))
    }
    fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
        Ok(Some(Value::Number(value.saturating_mul(NUMBER_SCALE))))
    }
    fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
        let value = i64::try_from(value).unwrap_or(i64::MAX);
        Ok(Some(Value::Number(value.saturating_mul(NUMBER_SCALE))))
    }
    fn visit_f64<E>(self, value: f64) -> Result<Self::Value, E> {
        // `as` saturates, so an absurd number stays an absurd number and never wraps.
        Ok(Some(Value::Number((value * NUMBER_SCALE as f64).round() as i64)))
    }
    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Some(Value::Text(Cow::Borrowed(text))))
    }
    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Some(Value::Text(Cow::Owned(text.to_owned()))))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut texts = Vec::new();
        while let Some(value) = list.next_element::<FreeValue<'de>>()? {
            if let Some(Value::Text(text)) = value.0 {
                texts.push(text);
            }
        }
        Ok(Some(Value::List(texts)))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
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
