//! Segment's HTTP tracking API, which RudderStack speaks too: `POST /v1/batch`, `/v1/track`, `/v1/identify`, `/v1/page`,
//! `/v1/screen`, `/v1/group` and `/v1/alias`, so that a site that has either sends us its events by changing an address.
//!
//! A call becomes the event that [`super::events`] knows: `track` by its event's name, the others by their type. Products,
//! values and items of the e-commerce specification are read; free properties and traits are never stored, and what a call
//! says about identity beyond its own ids (`previousId`, `groupId`) is not acted on. Consent comes with the call, as
//! `context.consent` in the words of our own requests. A client's clock is corrected by when it says it sent the call.
//!
//! Guarantees: one bad call costs that call only, and is counted with its reason; the answer is Segment's.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::context::{Arrival, Responder};
use super::events::{Batch, EventBody, PropertiesBody, Reader};
use super::problem::Problem;
use super::request::{ConsentBody, DeviceBody, Str, parse_json};
use crate::limits::{EVENT_AGE_MS_MAX, EVENTS_PER_BATCH_MAX, SEGMENT_CALL_BYTES_MAX};

/// What is answered to everything that could be read.
pub(super) const SUCCESS: &[u8] = br#"{"success":true}"#;

const TYPES: [&str; 6] = ["track", "identify", "page", "screen", "group", "alias"];
/// Segment's currency where none is named.
const CURRENCY: &str = "USD";
/// Values beyond this are mistakes.
const VALUE_MAX: f64 = 1e12;

#[derive(Deserialize)]
struct BatchBody<'a> {
    #[serde(borrow)]
    batch: Vec<&'a RawValue>,
    #[serde(borrow, default, rename = "sentAt")]
    sent_at: Option<Str<'a>>,
    #[serde(borrow, default)]
    context: Option<Context<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Call<'a> {
    #[serde(borrow, default)]
    r#type: Option<Str<'a>>,
    #[serde(borrow, default)]
    event: Option<Str<'a>>,
    #[serde(borrow, default)]
    message_id: Option<Str<'a>>,
    #[serde(borrow, default)]
    user_id: Option<Str<'a>>,
    #[serde(borrow, default)]
    anonymous_id: Option<Str<'a>>,
    #[serde(borrow, default)]
    properties: Option<Properties<'a>>,
    #[serde(borrow, default)]
    context: Option<Context<'a>>,
    #[serde(borrow, default)]
    timestamp: Option<Str<'a>>,
    #[serde(borrow, default)]
    original_timestamp: Option<Str<'a>>,
    #[serde(borrow, default)]
    sent_at: Option<Str<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Properties<'a> {
    #[serde(borrow)]
    product_id: Option<Id<'a>>,
    #[serde(borrow)]
    sku: Option<Id<'a>>,
    #[serde(borrow)]
    products: Option<Vec<Product<'a>>>,
    revenue: Option<Number>,
    total: Option<Number>,
    value: Option<Number>,
    quantity: Option<Number>,
    #[serde(borrow)]
    currency: Option<Str<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Product<'a> {
    #[serde(borrow)]
    product_id: Option<Id<'a>>,
    #[serde(borrow)]
    sku: Option<Id<'a>>,
    quantity: Option<Number>,
}

/// An id that shops write as text or as a number.
#[derive(Deserialize)]
#[serde(untagged)]
enum Id<'a> {
    Text(#[serde(borrow)] Cow<'a, str>),
    Number(i64),
}

/// A number that shops write as a number or as text.
#[derive(Deserialize)]
#[serde(untagged)]
enum Number {
    Number(f64),
    Text(String),
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Context<'a> {
    #[serde(borrow)]
    ip: Option<Str<'a>>,
    #[serde(borrow)]
    user_agent: Option<Str<'a>>,
    #[serde(borrow)]
    consent: Option<ConsentBody<'a>>,
}

impl Responder {
    /// Reads a request of Segment's protocol; `path_type` is the type that the address names.
    pub(crate) fn segment(
        &self,
        arrival: &Arrival<'_>,
        path_type: Option<&str>,
        bytes: &[u8],
    ) -> Result<Batch, Problem> {
        let Some(path_type) = path_type else { return self.segment_batch(arrival, bytes) };
        let call: Call<'_> = parse_json(bytes)?;
        Ok(self.read_calls(arrival, None, Some(path_type), &[Ok(call)]))
    }

    fn segment_batch(&self, arrival: &Arrival<'_>, bytes: &[u8]) -> Result<Batch, Problem> {
        let body: BatchBody<'_> = parse_json(bytes)?;
        let count = body.batch.len();
        if count == 0 || count > EVENTS_PER_BATCH_MAX {
            let detail = format!("a batch has 1 to {EVENTS_PER_BATCH_MAX} calls, this one {count}");
            return Err(Problem::bad_request("event_count", detail).at("/batch"));
        }
        let calls: Vec<Result<Call<'_>, &'static str>> =
            body.batch.iter().map(|raw| parse_call(raw)).collect();
        Ok(self.read_calls(arrival, Some(&body), None, &calls))
    }

    fn read_calls(
        &self,
        arrival: &Arrival<'_>,
        body: Option<&BatchBody<'_>>,
        path_type: Option<&str>,
        calls: &[Result<Call<'_>, &'static str>],
    ) -> Batch {
        let events: Vec<Result<EventBody<'_>, &'static str>> = calls
            .iter()
            .enumerate()
            .map(|(index, call)| read_call(call.as_ref().map_err(|code| *code)?, path_type, arrival, index))
            .collect();
        let mut reader = Reader::new(self, arrival.now_ms);
        let shared = body.and_then(|body| body.context.as_ref());
        let sent_at = body.and_then(|body| body.sent_at.as_ref());
        for (index, (call, event)) in calls.iter().zip(&events).enumerate() {
            match (call, event) {
                (Ok(call), Ok(event)) => {
                    self.prepare(arrival, call, (shared, sent_at), &mut reader);
                    reader.take(index, event);
                }
                (Err(code), _) | (_, Err(code)) => reader.reject(index, code),
            }
        }
        reader.finish()
    }

    /// Consent and time of the call that is read next.
    fn prepare(
        &self,
        arrival: &Arrival<'_>,
        call: &Call<'_>,
        (shared, sent_at): (Option<&Context<'_>>, Option<&Str<'_>>),
        reader: &mut Reader<'_>,
    ) {
        let context = call.context.as_ref();
        let first = |own: Option<&Str<'_>>, shared: Option<&Str<'_>>| {
            own.or(shared).map(|text| Str(Cow::Owned(text.0.to_string())))
        };
        let device = DeviceBody {
            ip: first(context.and_then(|own| own.ip.as_ref()), shared.and_then(|all| all.ip.as_ref())),
            ua: first(
                context.and_then(|own| own.user_agent.as_ref()),
                shared.and_then(|all| all.user_agent.as_ref()),
            ),
            ..DeviceBody::default()
        };
        let nothing = ConsentBody::default();
        let consent = context.and_then(|own| own.consent.as_ref());
        let consent = consent.or(shared.and_then(|all| all.consent.as_ref())).unwrap_or(&nothing);
        let geography = self.geography.load();
        let enriched = self.enrich(arrival, &device, geography.as_deref());
        reader.gates = self.consent(arrival, consent, &device, &enriched, None, false).gates;
        let at = call.original_timestamp.as_ref().or(call.timestamp.as_ref());
        reader.at_ms = happened_at(at, call.sent_at.as_ref().or(sent_at), arrival.now_ms);
    }
}

fn parse_call(raw: &RawValue) -> Result<Call<'_>, &'static str> {
    if raw.get().len() > SEGMENT_CALL_BYTES_MAX {
        return Err("event_too_large");
    }
    serde_json::from_str(raw.get()).map_err(|_| "event_malformed")
}

/// A call as one of our events.
fn read_call<'c>(
    call: &'c Call<'c>,
    path_type: Option<&str>,
    arrival: &Arrival<'_>,
    index: usize,
) -> Result<EventBody<'c>, &'static str> {
    let kind = path_type.or(call.r#type.as_ref().map(|kind| kind.0.as_ref())).ok_or("type_missing")?;
    let kind = TYPES.into_iter().find(|known| *known == kind).ok_or("type_unknown")?;
    let name = match kind {
        "track" => Cow::Borrowed(call.event.as_ref().ok_or("name_missing")?.0.as_ref()),
        other => Cow::Borrowed(other),
    };
    if call.user_id.is_none() && call.anonymous_id.is_none() {
        return Err("identity_missing");
    }
    // Who sends no id of the message cannot mean an earlier one.
    let message_id = match &call.message_id {
        Some(id) => Cow::Borrowed(id.0.as_ref()),
        None => Cow::Owned(format!("{:032x}-{index}", arrival.random)),
    };
    Ok(EventBody {
        name: Some(Str(name)),
        message_id: Some(Str(message_id)),
        user_id: borrowed(&call.user_id),
        anonymous_id: borrowed(&call.anonymous_id),
        properties: call.properties.as_ref().map(read_properties).unwrap_or_default(),
        ..EventBody::default()
    })
}

fn borrowed<'c>(text: &'c Option<Str<'_>>) -> Option<Str<'c>> {
    text.as_ref().map(|text| Str(Cow::Borrowed(text.0.as_ref())))
}

fn read_properties<'c>(properties: &'c Properties<'c>) -> PropertiesBody<'c> {
    let products = properties.products.as_deref().unwrap_or(&[]);
    let listed = products.first().and_then(|product| product.product_id.as_ref().or(product.sku.as_ref()));
    let product = properties.product_id.as_ref().or(properties.sku.as_ref()).or(listed);
    let value = [&properties.revenue, &properties.total, &properties.value];
    let value_micros = value.into_iter().flatten().find_map(Number::micros);
    let quantity = |product: &Product<'_>| product.quantity.as_ref().and_then(Number::count).unwrap_or(1);
    let listed_items = products.iter().map(quantity).fold(0, u16::saturating_add);
    let items = properties.quantity.as_ref().and_then(Number::count);
    PropertiesBody {
        product_id: product.map(|id| Str(id.text())),
        value_micros,
        currency: value_micros.map(|_| {
            let named = properties.currency.as_ref().map_or(CURRENCY, |currency| currency.0.as_ref());
            Str(Cow::Owned(named.to_ascii_uppercase()))
        }),
        items: items.or((!products.is_empty()).then_some(listed_items)),
    }
}

impl Id<'_> {
    fn text(&self) -> Cow<'_, str> {
        match self {
            Id::Text(text) => Cow::Borrowed(text.as_ref()),
            Id::Number(number) => Cow::Owned(number.to_string()),
        }
    }
}

impl Number {
    fn value(&self) -> Option<f64> {
        match self {
            Number::Number(number) => Some(*number),
            Number::Text(text) => text.trim().parse().ok(),
        }
    }

    fn micros(&self) -> Option<i64> {
        let value = self.value().filter(|value| value.is_finite() && value.abs() <= VALUE_MAX)?;
        Some((value * 1e6).round() as i64)
    }

    fn count(&self) -> Option<u16> {
        let value = self.value().filter(|value| (0.0..=f64::from(u16::MAX)).contains(value))?;
        Some(value as u16)
    }
}

/// When it happened, by our clock: as long before now as it happened before it was sent.
fn happened_at(at: Option<&Str<'_>>, sent_at: Option<&Str<'_>>, now_ms: i64) -> i64 {
    let read = |text: &Str<'_>| text.0.parse::<jiff::Timestamp>().ok().map(|time| time.as_millisecond());
    let Some(at) = at.and_then(read) else { return now_ms };
    let waited = sent_at.and_then(read).unwrap_or(now_ms).saturating_sub(at);
    now_ms - waited.clamp(0, EVENT_AGE_MS_MAX)
}

/// Is this the body of a batch in Segment's protocol?
pub(super) fn is_batch(bytes: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Probe {
        batch: Option<serde::de::IgnoredAny>,
    }
    serde_json::from_slice::<Probe>(bytes).is_ok_and(|probe| probe.batch.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text(text: &str) -> Str<'_> {
        Str(Cow::Borrowed(text))
    }

    #[test]
    fn a_clients_clock_is_corrected_by_when_it_sent() {
        const NOW_MS: i64 = 1_795_176_000_000;
        let at = |at: &str, sent: Option<&str>| {
            happened_at(Some(&text(at)), sent.map(text).as_ref(), NOW_MS) - NOW_MS
        };
        // Two hours ahead of us, sent ten seconds after it happened.
        assert_eq!(at("2026-11-20T14:00:00Z", Some("2026-11-20T14:00:10.000Z")), -10_000);
        assert_eq!(at("2026-11-20T11:59:00Z", None), -60_000);
        assert_eq!(at("2026-11-20T14:00:00Z", None), 0, "the future is now");
        assert_eq!(at("2020-01-01T00:00:00Z", None), -EVENT_AGE_MS_MAX);
        assert_eq!(at("yesterday", None), 0);
        assert_eq!(happened_at(None, None, NOW_MS), NOW_MS);
    }

    #[test]
    fn orders_are_read_in_every_spelling() {
        let read = |json: &str| {
            let properties: Properties<'_> = serde_json::from_str(json).unwrap();
            let read = read_properties(&properties);
            let product = read.product_id.map(|id| id.0.into_owned());
            (product, read.value_micros, read.currency.map(|code| code.0.into_owned()), read.items)
        };
        let order = r#"{"order_id":"50314b8e","revenue":25.99,"total":"27.5","currency":"eur",
            "products":[{"product_id":7,"quantity":2},{"sku":"a","price":3}]}"#;
        assert_eq!(read(order), (Some("7".into()), Some(25_990_000), Some("EUR".into()), Some(3)));
        assert_eq!(
            read(r#"{"sku":"a","value":"3"}"#),
            (Some("a".into()), Some(3_000_000), Some("USD".into()), None)
        );
        assert_eq!(read(r#"{"revenue":"many"}"#), (None, None, None, None));
        assert_eq!(read(r#"{"revenue":1e300,"quantity":-1}"#), (None, None, None, None));
    }

    proptest! {
        #[test]
        fn any_call_is_read_or_refused(json in "\\PC{0,200}") {
            let _ = is_batch(json.as_bytes());
            if let Ok(raw) = serde_json::from_str::<&RawValue>(&json) {
                let _ = parse_call(raw).is_ok();
            }
        }
    }
}
