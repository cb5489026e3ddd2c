//! Criteria to text of the rule language, with a map from the text back into the JSON.
//!
//! Going through the language's own text means that both forms have one grammar, one checker and one set of messages: a
//! mistake has its place in the JSON and is shown in the text. Nothing of the JSON is copied into the text as it is:
//! names are checked, texts are quoted, numbers are read and written again.

use std::ops::Range;

use tessera_wire::signal::NUMBER_SCALE;

use super::read::{Fault, Node, below};
use crate::codes::Code;
use crate::format::Types;
use crate::limits::NESTING_MAX;
use crate::nearest::nearest;
use crate::parser::RESERVED;
use crate::print::quoted;

mod event;
mod operand;
mod value;

pub(crate) use event::EventText;
pub(super) use event::event_of;

/// A part of the text and where it comes from.
#[derive(Debug, Clone)]
pub(crate) struct Origin {
    pub(crate) range: Range<usize>,
    pub(crate) pointer: String,
    /// Is it a condition, not a part of one?
    pub(crate) is_rule: bool,
}

/// Criteria as text.
#[derive(Debug, Default)]
pub(crate) struct Text {
    pub(crate) text: String,
    /// Inner parts before those that they stand in.
    pub(crate) origins: Vec<Origin>,
}

/// Writes the condition, or says everything that is wrong with its shape.
pub(super) fn text_of(node: &Node, types: &Types) -> Result<Text, Vec<Fault>> {
    let mut writer = Writer { types, out: Text::default(), faults: Vec::new() };
    writer.condition(node, "", 0, false);
    if writer.faults.is_empty() { Ok(writer.out) } else { Err(writer.faults) }
}

/// What makes an object a condition of some kind, and what else it may have.
const KINDS: [(&str, &[&str]); 10] = [
    ("match", &["rules"]),
    ("field", &["operator", "value"]),
    ("segment", &[]),
    ("not", &[]),
    ("definitely", &[]),
    ("possibly", &[]),
    ("count", &["in_last", "today", "operator", "value"]),
    ("impressions", &["in_last", "today", "operator", "value"]),
    ("clicks", &["in_last", "today", "operator", "value"]),
    ("bucket", &["by", "operator", "value"]),
];

/// Stands alone, and has members of its own.
const ACTIVE: &str = "active";

struct Writer<'a> {
    types: &'a Types,
    out: Text,
    faults: Vec<Fault>,
}

/// The members of an object, and where it is.
#[derive(Clone, Copy)]
struct Object<'a> {
    members: &'a [(String, Node)],
    pointer: &'a str,
}

impl<'a> Object<'a> {
    fn get(self, name: &str) -> Option<&'a Node> {
        self.members.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    fn at(self, name: &str) -> String {
        below(self.pointer, name)
    }
}

impl Writer<'_> {
    fn fault(&mut self, fault: Fault) {
        self.faults.push(fault);
    }

    fn push(&mut self, text: &str) {
        self.out.text.push_str(text);
    }

    /// Remembers where the text from `start` on comes from.
    fn came_from(&mut self, start: usize, pointer: &str, is_rule: bool) {
        let range = start..self.out.text.len();
        self.out.origins.push(Origin { range, pointer: pointer.to_owned(), is_rule });
    }

    /// Writes a value's text and where it comes from.
    fn push_from(&mut self, text: &str, pointer: &str) {
        let start = self.out.text.len();
        self.push(text);
        self.came_from(start, pointer, false);
    }

    fn condition(&mut self, node: &Node, pointer: &str, level: usize, is_part: bool) {
        let start = self.out.text.len();
        if level > NESTING_MAX {
            let message = format!("more than {NESTING_MAX} levels inside one another");
            return self.fault(Fault::new(Code::E006, pointer, message));
        }
        let Node::Object(members) = node else {
            let message = format!("a condition is an object, not {}", node.describe());
            return self.fault(Fault::new(Code::E030, pointer, message).help(EXAMPLE));
        };
        let object = Object { members, pointer };
        match self.kind(object) {
            Some("match") => self.group(object, level, is_part),
            Some("segment") => self.segment(object),
            Some("not") => {
                self.push("not ");
                self.inner(object, "not", level, true);
            }
            Some(wrapper @ ("definitely" | "possibly")) => {
                self.push(&format!("{wrapper}("));
                self.inner(object, wrapper, level, false);
                self.push(")");
            }
            Some("field") => self.field(object),
            Some(ACTIVE) => self.active(object),
            Some(counted) => self.counted(object, counted),
            None => {}
        }
        self.came_from(start, pointer, true);
    }

    /// What kind of condition it is; reported when it is none, or two, or has members that do not belong to it.
    fn kind(&mut self, object: Object<'_>) -> Option<&'static str> {
        let kinds = KINDS.iter().copied().chain([(ACTIVE, &[][..])]);
        let found: Vec<(&'static str, &[&str])> =
            kinds.filter(|(kind, _)| object.get(kind).is_some()).collect();
        let (kind, others) = match found.as_slice() {
            [only] => *only,
            [] => {
                let message = "this object is no condition";
                self.fault(Fault::new(Code::E030, object.pointer, message).help(EXAMPLE));
                return None;
            }
            [first, second, ..] => {
                let message = format!("a condition has \"{}\" or \"{}\", not both", first.0, second.0);
                self.fault(Fault::new(Code::E030, object.pointer, message));
                return None;
            }
        };
        for (name, _) in
            object.members.iter().filter(|(name, _)| name != kind && !others.contains(&name.as_str()))
        {
            self.stray(object, name, kind, others);
        }
        Some(kind)
    }

    /// A member that has no meaning where it stands.
    fn stray(&mut self, object: Object<'_>, name: &str, beside: &str, known: &[&str]) {
        let message = format!("\"{}\" has no meaning beside \"{beside}\"", name.escape_debug());
        let fault = Fault::new(Code::E030, &object.at(name), message);
        self.fault(match nearest(name, known.iter().copied()) {
            Some(near) => fault.help(format!("did you mean \"{near}\"?")),
            None => fault,
        });
    }

    fn inner(&mut self, object: Object<'_>, name: &str, level: usize, is_part: bool) {
        if let Some(inner) = object.get(name) {
            self.condition(inner, &object.at(name), level + 1, is_part);
        }
    }

    fn group(&mut self, object: Object<'_>, level: usize, is_part: bool) {
        let mode = match object.get("match") {
            Some(Node::Text(mode)) if ["all", "any", "none"].contains(&mode.as_str()) => mode.as_str(),
            _ => {
                let message = "\"match\" is \"all\", \"any\" or \"none\"";
                return self.fault(Fault::new(Code::E030, &object.at("match"), message));
            }
        };
        let rules = match object.get("rules") {
            Some(Node::List(rules)) if !rules.is_empty() => rules,
            Some(Node::List(_)) => {
                let message = "\"rules\" needs at least one condition";
                return self.fault(Fault::new(Code::E030, &object.at("rules"), message));
            }
            _ => {
                let message = "\"match\" needs \"rules\": a list of conditions";
                return self.fault(Fault::new(Code::E030, object.pointer, message));
            }
        };
        let is_none = mode == "none";
        if is_none {
            self.push("not ");
        }
        let needs_parentheses = rules.len() > 1 && (is_part || is_none);
        let rules_pointer = object.at("rules");
        self.push(if needs_parentheses { "(" } else { "" });
        for (index, rule) in rules.iter().enumerate() {
            if index > 0 {
                self.push(if mode == "all" { " and " } else { " or " });
            }
            let is_part = rules.len() > 1 || is_part || is_none;
            self.condition(rule, &below(&rules_pointer, &index.to_string()), level + 1, is_part);
        }
        self.push(if needs_parentheses { ")" } else { "" });
    }

    fn segment(&mut self, object: Object<'_>) {
        match object.get("segment") {
            Some(Node::Text(name)) => {
                self.push("segment(");
                self.quoted_text(name, &object.at("segment"));
                self.push(")");
            }
            _ => self.fault(Fault::new(Code::E030, &object.at("segment"), "a segment is named by a text")),
        }
    }

    fn field(&mut self, object: Object<'_>) {
        let Some(Node::Text(name)) = object.get("field") else {
            return self.fault(Fault::new(Code::E030, &object.at("field"), "a field is named by a text"));
        };
        if !is_path(name) {
            let message = format!("there is no attribute `{}`", name.escape_debug());
            return self.fault(Fault::new(Code::E040, &object.at("field"), message));
        }
        self.push_from(name, &object.at("field"));
        self.test(object, &self.types.shape(name).clone());
    }

    /// A text in quotes; reported when the language cannot write it.
    fn quoted_text(&mut self, text: &str, pointer: &str) {
        if text.contains('\n') {
            return self.fault(Fault::new(Code::E003, pointer, "a line break cannot stand in a text"));
        }
        self.push_from(&quoted(text), pointer);
    }
}

const EXAMPLE: &str = "write {\"field\": …, \"operator\": …, \"value\": …}, {\"match\": \"all\", \"rules\": […]} or \
    another kind of condition (docs/CRITERIA.md)";

/// Can this be the name of an attribute?
fn is_path(name: &str) -> bool {
    let parts_are_words = name
        .split(['.', '-'])
        .all(|part| !part.is_empty() && part.chars().all(|letter| letter.is_alphanumeric() || letter == '_'));
    let starts_right = name.starts_with(|letter: char| letter.is_alphabetic() || letter == '_');
    parts_are_words && starts_right && !RESERVED.contains(&name)
}

/// A JSON number times [`NUMBER_SCALE`]; `None` when it cannot be exact.
fn scaled(number: &str) -> Option<i64> {
    let (mantissa, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
    let exponent: i32 = exponent.parse().ok().filter(|exponent: &i32| exponent.abs() < 64)?;
    let (is_negative, mantissa) = match mantissa.strip_prefix('-') {
        Some(mantissa) => (true, mantissa),
        None => (false, mantissa),
    };
    let (whole, decimals) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{decimals}");
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let digits = digits.trim_start_matches('0');
    let mut shift = exponent - i32::try_from(decimals.len()).ok()? + 6;
    let mut value: i128 =
        if digits.is_empty() { 0 } else { digits.get(..digits.len().min(38))?.parse().ok()? };
    if digits.len() > 38 {
        return None;
    }
    while shift > 0 && value != 0 {
        value = value.checked_mul(10)?;
        shift -= 1;
    }
    while shift < 0 && value != 0 {
        if value % 10 != 0 {
            return None;
        }
        value /= 10;
        shift += 1;
    }
    let value = if is_negative { -value } else { value };
    const { assert!(NUMBER_SCALE == 1_000_000, "the shift is six decimals") };
    i64::try_from(value).ok().filter(|value| *value != i64::MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_exact_or_refused() {
        for (text, expected) in [
            ("18", Some(18_000_000)),
            ("-0.5", Some(-500_000)),
            ("1e3", Some(1_000_000_000)),
            ("1.5E-3", Some(1_500)),
            ("0.0000010", Some(1)),
            ("0.0000001", None),
            ("9223372036854.775807", Some(i64::MAX)),
            ("9223372036854.775808", None),
            ("1e400", None),
            ("0e40", Some(0)),
            ("0.000", Some(0)),
        ] {
            assert_eq!(scaled(text), expected, "{text}");
        }
        assert_eq!(scaled(&"1".repeat(99)), None);
    }

    #[test]
    fn only_paths_name_attributes() {
        for good in ["age", "device.type", "total_spent", "țară", "a-b.c"] {
            assert!(is_path(good), "{good}");
        }
        for bad in ["", "a b", "a..b", ".a", "a.", "not", "9a", "a)", "a\"", "a\n"] {
            assert!(!is_path(bad), "{bad:?}");
        }
    }
}
