//! `POST /v1/events`: batches of what visitors did.
//!
//! An event with a token is a touch of a served ad; any other is behaviour. Without permission to measure with an
//! identifier, behaviour is kept as a bare count: no subject, no product. Free properties are never stored. With permission
//! to build an advertising profile, what is remembered of the visitor changes too, before the answer is sent: the very
//! next decision knows.

use std::borrow::Cow;

use hyper::StatusCode;
use serde::{Deserialize, Serialize};
use tessera_wire::event::{Behaviour, Event, Remembered, TouchKind};
use tessera_wire::signal::Gates;
use tessera_wire::token::TokenBuffer;

use super::behaviour::{Details, canonical, change};
use super::context::{Arrival, Responder};
use super::problem::Problem;
use super::request::{ConsentBody, DeviceBody, Str, parse_json};
use super::touch::{currency, touch_event};
use crate::limits::{EVENT_TEXT_BYTES_MAX, EVENTS_PER_BATCH_MAX, MESSAGE_ID_BYTES_MAX};
use crate::user_store::{Change, record};

#[derive(Debug, Deserialize)]
struct EventsBody<'a> {
    #[serde(borrow)]
    events: Vec<EventBody<'a>>,
    #[serde(borrow, default)]
    consent: ConsentBody<'a>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct EventBody<'a> {
    #[serde(borrow, default)]
    pub(super) r#type: Option<Str<'a>>,
    #[serde(borrow, default)]
    pub(super) name: Option<Str<'a>>,
    #[serde(borrow, default)]
    pub(super) message_id: Option<Str<'a>>,
    #[serde(borrow, default)]
    pub(super) user_id: Option<Str<'a>>,
    #[serde(borrow, default)]
    pub(super) anonymous_id: Option<Str<'a>>,
    #[serde(borrow, default)]
    pub(super) token: Option<Str<'a>>,
    #[serde(borrow, default)]
    pub(super) properties: PropertiesBody<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct PropertiesBody<'a> {
    #[serde(borrow)]
    pub(super) product_id: Option<Str<'a>>,
    pub(super) value_micros: Option<i64>,
    #[serde(borrow)]
    pub(super) currency: Option<Str<'a>>,
    /// Items in the cart.
    pub(super) items: Option<u16>,
}

/// The answer to a batch.
#[derive(Debug, Serialize, PartialEq, Eq)]
pub(crate) struct Accepted {
    accepted: usize,
    duplicate: usize,
    rejected: Vec<Rejected>,
}

#[derive(Debug, Serialize, PartialEq, Eq)]
struct Rejected {
    index: usize,
    code: &'static str,
}

/// A read batch: what to write, and what to answer once it is written.
pub(crate) struct Batch {
    pub(crate) events: Box<[Event]>,
    pub(crate) touches: Vec<TouchKind>,
    pub(crate) behaviours: u64,
    pub(crate) remembered: Vec<Remembered>,
    pub(crate) answer: Accepted,
}

impl Accepted {
    /// Why events were refused.
    pub(crate) fn codes(&self) -> impl Iterator<Item = &'static str> {
        self.rejected.iter().map(|rejected| rejected.code)
    }
}

impl Responder {
    /// Reads a batch. One bad event costs that event only.
    pub(crate) fn events(&self, arrival: &Arrival<'_>, bytes: &[u8]) -> Result<Batch, Problem> {
        let body: EventsBody<'_> = parse_json(bytes)?;
        let count = body.events.len();
        if count == 0 || count > EVENTS_PER_BATCH_MAX {
            let detail = format!("a batch has 1 to {EVENTS_PER_BATCH_MAX} events, this one {count}");
            return Err(Problem::bad_request("event_count", detail).at("/events"));
        }
        let geography = self.geography.load();
        let device = DeviceBody::default();
        let enriched = self.enrich(arrival, &device, geography.as_deref());
        let gates = self.consent(arrival, &body.consent, &device, &enriched, None, false).gates;
        let mut reader = Reader::new(self, arrival.now_ms);
        reader.gates = gates;
        body.events.iter().enumerate().for_each(|(index, event)| reader.take(index, event));
        Ok(reader.finish())
    }

    /// Changes what is known of visitors. Call when the events are in the journal.
    pub(crate) fn remember(&self, remembered: &[Remembered]) {
        remembered.iter().for_each(|record| self.users.apply_record(record));
    }
}

impl Responder {
    /// The subject key of whoever is named, 0 for nobody.
    fn subject_of(&self, user_id: Option<&Str<'_>>, anonymous_id: Option<&Str<'_>>) -> u128 {
        match (user_id, anonymous_id) {
            (Some(id), _) => self.keys.subject_key("id", &id.0),
            (None, Some(id)) => self.keys.subject_key("anonymous_id", &id.0),
            (None, None) => 0,
        }
    }
}

/// Reads events one by one into a batch.
pub(super) struct Reader<'a> {
    responder: &'a Responder,
    now_ms: i64,
    /// When the event that is read next happened.
    pub(super) at_ms: i64,
    /// What its visitor allows.
    pub(super) gates: Gates,
    answer: Accepted,
    seen: Vec<Cow<'a, str>>,
    events: Vec<Event>,
    touches: Vec<TouchKind>,
    remembered: Vec<Remembered>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(responder: &'a Responder, now_ms: i64) -> Reader<'a> {
        Reader {
            responder,
            now_ms,
            at_ms: now_ms,
            gates: Gates::NONE,
            answer: Accepted { accepted: 0, duplicate: 0, rejected: Vec::new() },
            seen: Vec::new(),
            events: Vec::new(),
            touches: Vec::new(),
            remembered: Vec::new(),
        }
    }

    /// Reads the event at `index`.
    pub(super) fn take(&mut self, index: usize, event: &'a EventBody<'a>) {
        match self.read(event) {
            Ok(true) => self.answer.accepted += 1,
            Ok(false) => self.answer.duplicate += 1,
            Err(code) => self.reject(index, code),
        }
    }

    /// Refuses the event at `index`.
    pub(super) fn reject(&mut self, index: usize, code: &'static str) {
        self.answer.rejected.push(Rejected { index, code });
    }

    /// What to write, and what to answer.
    pub(super) fn finish(self) -> Batch {
        let behaviours = self.seen.len() as u64;
        let Reader { events, touches, remembered, answer, .. } = self;
        Batch { events: events.into(), touches, behaviours, remembered, answer }
    }

    /// Reads one event; false means that the batch has it already. The error is a stable code.
    fn read(&mut self, event: &'a EventBody<'a>) -> Result<bool, &'static str> {
        match &event.token {
            Some(token) => self.read_touch(event, &token.0),
            None => self.read_behaviour(event),
        }
    }

    fn read_touch(&mut self, event: &EventBody<'_>, text: &str) -> Result<bool, &'static str> {
        let mut buffer = TokenBuffer::default();
        let token = self.responder.verify(text, self.now_ms, &mut buffer).map_err(|problem| problem.code)?;
        let value_micros = event.properties.value_micros.unwrap_or(0);
        let touch = touch_event(&token, self.at_ms, value_micros, currency_of(event));
        if self.events.contains(&touch) {
            return Ok(false);
        }
        self.touches.push(token.kind);
        self.events.push(touch);
        if let Some(record) = self.responder.counted_click(&token, self.at_ms) {
            self.events.push(Event::Remembered(record.clone()));
            self.remembered.push(record);
        }
        Ok(true)
    }

    fn read_behaviour(&mut self, event: &'a EventBody<'a>) -> Result<bool, &'static str> {
        let name = event.name.as_ref().or(event.r#type.as_ref()).ok_or("name_missing")?;
        if name.0.is_empty() || name.0.len() > EVENT_TEXT_BYTES_MAX {
            return Err("name_length");
        }
        let message_id = event.message_id.as_ref().ok_or("message_id_missing")?;
        if message_id.0.is_empty() || message_id.0.len() > MESSAGE_ID_BYTES_MAX {
            return Err("message_id_length");
        }
        let product_id = event.properties.product_id.as_ref().map_or("", |id| id.0.as_ref());
        if product_id.len() > EVENT_TEXT_BYTES_MAX {
            return Err("product_id_length");
        }
        if self.seen.contains(&message_id.0) {
            return Ok(false);
        }
        self.seen.push(Cow::Borrowed(&message_id.0));
        let may_measure = self.gates.covers(Gates::MEASURE_ADS);
        let name = canonical(&name.0).into_owned();
        let subject = self.subject(event);
        self.remember(event, subject, &name, product_id);
        self.events.push(Event::Behaviour(Behaviour {
            message_id: message_id.0.clone().into_owned(),
            name,
            at_ms: self.at_ms,
            subject: if may_measure { subject } else { 0 },
            product_id: if may_measure { product_id.to_owned() } else { String::new() },
            value_micros: event.properties.value_micros.unwrap_or(0),
            currency: currency_of(event),
        }));
        Ok(true)
    }

    /// Keeps what changes the visitor's profile, where one may be built.
    fn remember(&mut self, event: &EventBody<'_>, subject: u128, name: &str, product_id: &str) {
        if subject == 0 || !self.gates.covers(Gates::ADS_PROFILE_WRITE) {
            return;
        }
        let value = event.properties.value_micros.map(|value| (value, currency_of(event)));
        let change = change(name, Details { product_id, value, items: event.properties.items });
        let live = self.responder.snapshots.load();
        let key = live.as_ref().and_then(|live| live.plan().behaviour_key(name));
        if change != Change::Other || key.is_some() {
            let record = record(subject, change, key.as_slice(), self.at_ms);
            self.events.push(Event::Remembered(record.clone()));
            self.remembered.push(record);
        }
    }

    fn subject(&self, event: &EventBody<'_>) -> u128 {
        let subject = self.responder.subject_of(event.user_id.as_ref(), event.anonymous_id.as_ref());
        // Nothing that happens is about an erased visitor any more.
        if self.responder.users.is_suppressed(subject) { 0 } else { subject }
    }
}

fn currency_of(event: &EventBody<'_>) -> [u8; 3] {
    event.properties.currency.as_ref().map_or([0; 3], |code| currency(&code.0))
}

/// The status of a written batch.
pub(crate) const ACCEPTED: StatusCode = StatusCode::ACCEPTED;
