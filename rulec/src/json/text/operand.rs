//! What can be tested besides attributes: counts of events, buckets and schedules.

use super::{Object, Writer, is_path};
use crate::codes::Code;
use crate::format::Shape;
use crate::json::read::{Fault, Node, below};
use crate::print::quoted;

/// What ads can be counted of.
const SUBJECTS: [&str; 5] = ["creative", "campaign", "template", "offer", "rule"];

impl Writer<'_> {
    pub(super) fn counted(&mut self, object: Object<'_>, what: &str) {
        let shape = self.operand(object, what);
        self.test(object, &shape);
    }

    /// A count or a bucket, and how its values are written.
    pub(super) fn operand(&mut self, object: Object<'_>, what: &str) -> Shape {
        let start = self.out.text.len();
        let shape = match what {
            "bucket" => {
                self.bucket(object);
                Shape::Percent
            }
            "count" => {
                self.behaviour(object);
                self.window(object);
                Shape::PLAIN_NUMBER
            }
            _ => {
                self.push(what);
                self.subject(object, what);
                self.window(object);
                Shape::PLAIN_NUMBER
            }
        };
        self.came_from(start, &object.at(what), false);
        shape
    }

    fn behaviour(&mut self, object: Object<'_>) {
        match object.get("count") {
            Some(Node::Text(event)) if is_path(event) => self.push(&format!("count of {event}")),
            _ => self.fault(Fault::new(Code::E030, &object.at("count"), "\"count\" names an event")),
        }
    }

    fn subject(&mut self, object: Object<'_>, what: &str) {
        let pointer = object.at(what);
        match object.get(what) {
            Some(Node::Text(any)) if any == "any" => {}
            Some(Node::Object(members)) if members.len() == 1 => {
                let (subject, name) = &members[0];
                match name {
                    Node::Text(name) if SUBJECTS.contains(&subject.as_str()) => {
                        self.push(&format!(" of {subject} "));
                        self.quoted_text(name, &below(&pointer, subject));
                    }
                    _ => self.subject_fault(&pointer),
                }
            }
            _ => self.subject_fault(&pointer),
        }
    }

    fn subject_fault(&mut self, pointer: &str) {
        let message = "ads are counted of \"any\", or of one thing by its name";
        let help = "such as {\"creative\": \"welcome\"}: creative, campaign, template, offer or rule";
        self.fault(Fault::new(Code::E030, pointer, message).help(help));
    }

    fn window(&mut self, object: Object<'_>) {
        match (object.get("in_last"), object.get("today")) {
            (Some(span), None) => {
                self.push(" in last ");
                self.span(span, &object.at("in_last"));
            }
            (None, Some(Node::Bool(true))) => self.push(" today"),
            _ => {
                let message = "a count says how far back: \"in_last\" or \"today\"";
                let help = "\"in_last\": \"7d\", or \"today\": true";
                self.fault(Fault::new(Code::E030, object.pointer, message).help(help));
            }
        }
    }

    fn bucket(&mut self, object: Object<'_>) {
        self.push("bucket of ");
        match object.get("bucket") {
            Some(Node::Text(salt)) => self.quoted_text(salt, &object.at("bucket")),
            _ => self.fault(Fault::new(Code::E030, &object.at("bucket"), "a bucket is named by its salt")),
        }
        match object.get("by") {
            None => {}
            Some(Node::Text(key)) if key == "user" || key == "request" => self.push(&format!(" by {key}")),
            Some(_) => {
                self.fault(Fault::new(Code::E030, &object.at("by"), "\"by\" is \"user\" or \"request\""))
            }
        }
    }

    pub(super) fn active(&mut self, object: Object<'_>) {
        let pointer = object.at("active");
        let Some(Node::Object(members)) = object.get("active") else {
            let help = "such as {\"from\": \"2026-11-27\", \"zone\": \"Europe/Bucharest\"}";
            return self.fault(Fault::new(Code::E030, &pointer, "\"active\" holds a schedule").help(help));
        };
        let schedule = Object { members, pointer: &pointer };
        let known = ["from", "to", "weekly", "zone"];
        for (name, _) in members.iter().filter(|(name, _)| !known.contains(&name.as_str())) {
            let message = format!("\"{name}\" has no meaning in a schedule");
            self.fault(
                Fault::new(Code::E030, &schedule.at(name), message).help("it has from, to, weekly and zone"),
            );
        }
        self.push("active(");
        match schedule.get("weekly") {
            Some(Node::List(windows)) if !windows.is_empty() => self.windows(windows, &schedule.at("weekly")),
            Some(_) => {
                self.fault(Fault::new(Code::E030, &schedule.at("weekly"), "\"weekly\" is a list of hours"))
            }
            None => self.dates(schedule),
        }
        if let Some(zone) = schedule.get("zone") {
            self.zone(zone, &schedule.at("zone"));
        }
        self.push(")");
    }

    fn dates(&mut self, schedule: Object<'_>) {
        let mut is_first = true;
        for word in ["from", "to"] {
            let Some(moment) = schedule.get(word) else { continue };
            self.push(if is_first { "" } else { " " });
            self.push(&format!("{word} "));
            if !self.moment(moment, &schedule.at(word)) {
                let message = "a date is written 2026-11-27 or 2026-11-27 23:59";
                self.fault(Fault::new(Code::E030, &schedule.at(word), message));
            }
            is_first = false;
        }
        if is_first {
            let message = "a schedule has \"from\", \"to\" or \"weekly\"";
            self.fault(Fault::new(Code::E030, schedule.pointer, message));
        }
    }

    fn windows(&mut self, windows: &[Node], pointer: &str) {
        for (index, window) in windows.iter().enumerate() {
            let own = below(pointer, &index.to_string());
            self.push(if index > 0 { ", " } else { "" });
            let Node::Object(members) = window else {
                let message = "hours of the week are an object with \"days\", \"hours\" or both";
                self.fault(Fault::new(Code::E030, &own, message));
                continue;
            };
            let window = Object { members, pointer: &own };
            let mut parts = Vec::new();
            for (name, value) in members {
                match (name.as_str(), value) {
                    ("days" | "hours", Node::Text(text)) if is_range(text) => parts.push(name),
                    _ => {
                        let message = "days are written mon..fri, hours 11:30..14:00";
                        self.fault(Fault::new(Code::E030, &window.at(name), message));
                    }
                }
            }
            let text = |name: &str| match window.get(name) {
                Some(Node::Text(text)) => text.clone(),
                _ => String::new(),
            };
            self.push_from(format!("{} {}", text("days"), text("hours")).trim(), &own);
        }
    }

    pub(super) fn zone(&mut self, zone: &Node, pointer: &str) {
        match zone {
            Node::Text(zone) if zone == "visitor" => self.push(" in visitor time"),
            Node::Text(zone) => {
                self.push(" in ");
                self.push_from(&quoted(&zone.replace('\n', " ")), pointer);
            }
            _ => {
                let message = "a time zone is \"visitor\" or a name such as \"Europe/Bucharest\"";
                self.fault(Fault::new(Code::E030, pointer, message));
            }
        }
    }
}

/// Nothing but what days and hours are made of, so that nothing else can come of it.
fn is_range(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b":.<".contains(&byte))
}
