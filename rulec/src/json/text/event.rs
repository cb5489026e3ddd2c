//! A visitor as JSON to the `given` of a test block, so that one checker types both.
//!
//! Members are attributes and their values, as in criteria; `null` is a missing value. Five names have a meaning of their
//! own: `consent`, `now`, `counts`, `buckets` and `user`. Points in time that are more precise than the language writes
//! them, such as `2026-11-27T12:00:05Z`, are kept beside the text.

use jiff::fmt::temporal::Pieces;
use jiff::tz::{Offset, TimeZone};
use jiff::{SignedDuration, Timestamp};
use tessera_wire::signal::PURPOSES;

use super::{Object, Text, Writer, is_path};
use crate::codes::Code;
use crate::format::{Shape, Types};
use crate::json::read::{Fault, Node, below};
use crate::nearest::nearest;

/// A visitor as text, and what the text cannot say.
#[derive(Debug, Default)]
pub(crate) struct EventText {
    pub(crate) text: Text,
    /// Attributes that hold an instant, in unix milliseconds.
    pub(crate) instants: Vec<(String, i64)>,
    /// Does the visitor say what time it is?
    pub(crate) has_now: bool,
    /// The clock, in unix milliseconds, where the text cannot say it.
    pub(crate) now_ms: Option<i64>,
    /// The zone that an instant brought along.
    pub(crate) zone: Option<TimeZone>,
    /// The identifier that buckets are computed from.
    pub(crate) user: Option<String>,
}

/// Stands in the text where the clock is known more precisely: the zone beside it is checked all the same.
const ANY_DAY: &str = "2000-01-01";

/// Writes the visitor, or says everything that is wrong with its shape.
pub(in crate::json) fn event_of(node: &Node, types: &Types) -> Result<EventText, Vec<Fault>> {
    let writer = Writer { types, out: Text::default(), faults: Vec::new() };
    let mut event = EventWriter { writer, event: EventText::default() };
    match node {
        Node::Object(members) => event.members(Object { members, pointer: "" }),
        other => {
            let message = format!("a visitor is an object, not {}", other.describe());
            event.writer.fault(Fault::new(Code::E030, "", message).help(EXAMPLE));
        }
    }
    let EventWriter { writer, event } = event;
    if writer.faults.is_empty() { Ok(EventText { text: writer.out, ..event }) } else { Err(writer.faults) }
}

const EXAMPLE: &str = "write {\"device.type\": \"mobile\", \"age\": 21, \"consent\": \"all\"}";

struct EventWriter<'a> {
    writer: Writer<'a>,
    event: EventText,
}

impl EventWriter<'_> {
    fn members(&mut self, object: Object<'_>) {
        for (name, value) in object.members {
            let pointer = object.at(name);
            match (name.as_str(), value) {
                // Consent comes last: in the text its list of purposes has no end of its own.
                ("consent", _) | (_, Node::Null) => {}
                ("now", value) => self.now(value, &pointer),
                ("user", Node::Text(user)) => self.event.user = Some(user.clone()),
                ("counts", Node::List(counts)) => {
                    self.operands(counts, &pointer, &["count", "impressions", "clicks"]);
                }
                ("buckets", Node::List(buckets)) => self.operands(buckets, &pointer, &["bucket"]),
                ("user" | "counts" | "buckets", _) => {
                    let what = if name == "user" { "a text" } else { "a list" };
                    self.writer.fault(Fault::new(Code::E030, &pointer, format!("\"{name}\" is {what}")));
                }
                (name, value) => self.attribute(name, value, &pointer),
            }
        }
        if let Some(consent) = object.get("consent") {
            self.consent(consent, &object.at("consent"));
        }
    }

    fn begin(&mut self) {
        let is_first = self.writer.out.text.is_empty();
        self.writer.push(if is_first { "given " } else { ",\n  " });
    }

    fn attribute(&mut self, name: &str, value: &Node, pointer: &str) {
        if !is_path(name) {
            let message = format!("there is no attribute `{}`", name.escape_debug());
            return self.writer.fault(Fault::new(Code::E040, pointer, message));
        }
        let shape = self.writer.types.shape(name).clone();
        if let (Shape::Time, Node::Text(text)) = (&shape, value)
            && let Ok(instant) = text.parse::<Timestamp>()
        {
            // The text holds another time, so that the name and its type are checked.
            self.event.instants.push((name.to_owned(), instant.as_millisecond()));
            self.begin();
            return self.writer.push_from(&format!("{name} = {ANY_DAY}"), pointer);
        }
        self.begin();
        let start = self.writer.out.text.len();
        self.writer.push_from(name, pointer);
        self.writer.push(" = ");
        match value {
            Node::List(list) if list.is_empty() => self.writer.push_from("()", pointer),
            Node::List(list) => self.writer.list(list, &shape, pointer),
            Node::Text(text) if shape == Shape::Time && text.ends_with(" ago") => {
                let age = Node::Text(text.trim_end_matches(" ago").to_owned());
                self.writer.span(&age, pointer);
                self.writer.push(" ago");
            }
            value => self.writer.value(value, &shape, pointer),
        }
        self.writer.came_from(start, pointer, true);
    }

    fn now(&mut self, value: &Node, pointer: &str) {
        self.begin();
        self.event.has_now = true;
        self.writer.push("now = ");
        let start = self.writer.out.text.len();
        let (at, zone) = match value {
            Node::Text(at) => (Some(at), None),
            Node::Object(members) => {
                let object = Object { members, pointer };
                for (name, _) in members.iter().filter(|(name, _)| name != "at" && name != "zone") {
                    self.writer.stray(object, name, "at", &["at", "zone"]);
                }
                let at = object.get("at").and_then(|at| match at {
                    Node::Text(at) => Some(at),
                    _ => None,
                });
                (at, object.get("zone"))
            }
            _ => (None, None),
        };
        match at.and_then(|at| instant(at)) {
            Some((instant, offset)) => {
                self.event.now_ms = Some(instant.as_millisecond());
                self.event.zone = zone.is_none().then(|| TimeZone::fixed(offset));
                self.writer.push(ANY_DAY);
                if let Some(zone) = zone {
                    self.writer.zone(zone, &below(pointer, "zone"));
                }
            }
            None if self.writer.moment(value, pointer) => {}
            None => {
                let message = "this is not a time";
                let help = "write \"2026-11-27T12:00:00Z\", or {\"at\": \"2026-11-27 12:00\", \"zone\": \"Europe/Bucharest\"}";
                self.writer.fault(Fault::new(Code::E030, pointer, message).help(help));
            }
        }
        self.writer.came_from(start, pointer, true);
    }

    /// Counts or buckets: objects as in criteria, without an operator.
    fn operands(&mut self, list: &[Node], pointer: &str, kinds: &[&str]) {
        for (index, node) in list.iter().enumerate() {
            let pointer = below(pointer, &index.to_string());
            let members = match node {
                Node::Object(members) => members.as_slice(),
                _ => &[],
            };
            let object = Object { members, pointer: &pointer };
            let kind = kinds.iter().find(|kind| object.get(kind).is_some());
            let (Some(kind), Some(value)) = (kind, object.get("value")) else {
                let help = match kinds {
                    ["bucket"] => "write {\"bucket\": \"spring\", \"value\": 37}",
                    _ => {
                        "write {\"impressions\": {\"creative\": \"welcome\"}, \"today\": true, \"value\": 2}"
                    }
                };
                let message = "this is no count and no bucket with a value";
                self.writer.fault(Fault::new(Code::E030, &pointer, message).help(help));
                continue;
            };
            let known: &[&str] =
                if *kind == "bucket" { &["by", "value"] } else { &["in_last", "today", "value"] };
            for (name, _) in
                members.iter().filter(|(name, _)| name != kind && !known.contains(&name.as_str()))
            {
                self.writer.stray(object, name, kind, known);
            }
            self.begin();
            let start = self.writer.out.text.len();
            let shape = self.writer.operand(object, kind);
            self.writer.push(" = ");
            self.writer.value(value, &shape, &object.at("value"));
            self.writer.came_from(start, &pointer, true);
        }
    }

    fn consent(&mut self, consent: &Node, pointer: &str) {
        self.begin();
        self.writer.push("consent = ");
        let start = self.writer.out.text.len();
        match consent {
            Node::Text(word) if word == "all" || word == "none" => self.writer.push(word),
            Node::List(purposes) if purposes.is_empty() => self.writer.push("none"),
            Node::List(purposes) => {
                for (index, purpose) in purposes.iter().enumerate() {
                    self.writer.push(if index > 0 { ", " } else { "" });
                    self.purpose(purpose, &below(pointer, &index.to_string()));
                }
            }
            _ => {
                let message = "\"consent\" is \"all\", \"none\" or a list of purposes";
                self.writer.fault(Fault::new(Code::E030, pointer, message));
            }
        }
        self.writer.came_from(start, pointer, true);
    }

    fn purpose(&mut self, purpose: &Node, pointer: &str) {
        let names = PURPOSES.map(|purpose| purpose.name);
        match purpose {
            Node::Text(name) if names.contains(&name.as_str()) => self.writer.push_from(name, pointer),
            other => {
                let near = match other {
                    Node::Text(name) => nearest(name, names),
                    _ => None,
                };
                let help = near.map_or_else(
                    || format!("the purposes are: {}", names.join(", ")),
                    |near| format!("did you mean \"{near}\"?"),
                );
                let message = "this is no consent purpose";
                self.writer.fault(Fault::new(Code::E042, pointer, message).help(help));
            }
        }
    }
}

/// A point in time with its offset from UTC, such as `2026-11-27T12:00:05+02:00`.
fn instant(text: &str) -> Option<(Timestamp, Offset)> {
    let instant = text.parse::<Timestamp>().ok()?;
    let offset = Pieces::parse(text).ok()?.to_numeric_offset().unwrap_or(Offset::UTC);
    // The calendar's ends leave no room for a local time.
    let day = SignedDuration::from_hours(24);
    let has_room = instant.checked_add(day).is_ok() && instant.checked_sub(day).is_ok();
    has_room.then_some((instant, offset))
}
