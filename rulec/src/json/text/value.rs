//! Operators and values.

use super::{Object, Writer, scaled};
use crate::codes::Code;
use crate::format::Shape;
use crate::json::read::{Fault, Node, below};
use crate::nearest::nearest;
use crate::print::number;

/// Every operator, and how the language writes it before its value.
const OPERATORS: [(&str, &str, Takes); 26] = [
    (">=", ">=", Takes::Value),
    ("<=", "<=", Takes::Value),
    (">", ">", Takes::Value),
    ("<", "<", Takes::Value),
    ("=", "==", Takes::Value),
    ("==", "==", Takes::Value),
    ("!=", "!=", Takes::Value),
    ("is", "is", Takes::Value),
    ("is_not", "is not", Takes::Value),
    ("between", "in", Takes::Ends),
    ("in", "in", Takes::List),
    ("not_in", "not in", Takes::List),
    ("includes", "includes any of", Takes::List),
    ("includes_any", "includes any of", Takes::List),
    ("includes_all", "includes all of", Takes::List),
    ("includes_none", "includes none of", Takes::List),
    ("includes_only", "includes only of", Takes::List),
    ("within_days", "within", Takes::Days),
    ("before_days", "before", Takes::Days),
    ("within", "within", Takes::Span),
    ("before", "before", Takes::Span),
    ("known", "is known", Takes::Nothing),
    ("unknown", "is unknown", Takes::Nothing),
    ("starts_with", "starts with", Takes::Text),
    ("ends_with", "ends with", Takes::Text),
    ("contains", "contains", Takes::Text),
];

/// What stands after an operator.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Takes {
    Value,
    Ends,
    List,
    Days,
    Span,
    Text,
    Nothing,
}

/// Units of spans: what JSON writes, and the language.
const UNITS: [(&str, &str); 17] = [
    ("w", "weeks"),
    ("d", "days"),
    ("h", "hours"),
    ("m", "minutes"),
    ("min", "minutes"),
    ("s", "seconds"),
    ("week", "weeks"),
    ("weeks", "weeks"),
    ("day", "days"),
    ("days", "days"),
    ("hour", "hours"),
    ("hours", "hours"),
    ("minute", "minutes"),
    ("minutes", "minutes"),
    ("second", "seconds"),
    ("seconds", "seconds"),
    ("sec", "seconds"),
];

impl Writer<'_> {
    /// Operator and value of a condition whose operand is written.
    pub(super) fn test(&mut self, object: Object<'_>, shape: &Shape) {
        let Some(Node::Text(operator)) = object.get("operator") else {
            let message = "a condition on a field needs an \"operator\"";
            return self.fault(
                Fault::new(Code::E030, object.pointer, message).help("such as \">=\", \"is\" or \"in\""),
            );
        };
        let Some((_, written, takes)) = OPERATORS.into_iter().find(|(name, ..)| name == operator) else {
            let near = nearest(operator, OPERATORS.iter().map(|(name, ..)| *name));
            let message = format!("there is no operator \"{}\"", operator.escape_debug());
            let fault = Fault::new(Code::E031, &object.at("operator"), message);
            return self.fault(match near {
                Some(near) => fault.help(format!("did you mean \"{near}\"?")),
                None => fault.help("docs/CRITERIA.md has all of them"),
            });
        };
        self.push(" ");
        self.push_from(written, &object.at("operator"));
        let pointer = object.at("value");
        match (takes, object.get("value")) {
            (Takes::Nothing, None) => {}
            (Takes::Nothing, Some(_)) => {
                let message = format!("\"{operator}\" takes no value");
                self.fault(Fault::new(Code::E030, &pointer, message));
            }
            (_, None) => {
                let message = format!("\"{operator}\" needs a \"value\"");
                self.fault(Fault::new(Code::E030, object.pointer, message));
            }
            (takes, Some(value)) => {
                self.push(" ");
                self.operand_of(takes, value, shape, &pointer);
                self.push(if written == "before" { " ago" } else { "" });
            }
        }
    }

    fn operand_of(&mut self, takes: Takes, value: &Node, shape: &Shape, pointer: &str) {
        match (takes, value) {
            (Takes::Value, value) => self.value(value, shape, pointer),
            (Takes::List, Node::List(list)) if !list.is_empty() => self.list(list, shape, pointer),
            (Takes::List, Node::List(_)) => {
                self.fault(Fault::new(Code::E030, pointer, "a list needs at least one value"));
            }
            (Takes::List, one) => self.list(std::slice::from_ref(one), shape, pointer),
            (Takes::Ends, Node::List(ends)) if ends.len() == 2 => {
                self.range(
                    &ends[0],
                    &ends[1],
                    "..",
                    shape,
                    [pointer, &below(pointer, "0"), &below(pointer, "1")],
                );
            }
            (Takes::Ends, _) => {
                let message = "\"between\" takes a list of two values, the smaller one first";
                self.fault(Fault::new(Code::E030, pointer, message));
            }
            (Takes::Days, Node::Number(days)) => match scaled(days).filter(|days| *days >= 0) {
                Some(days) => self.push_from(&format!("{} days", number(days)), pointer),
                None => self.fault(Fault::new(Code::E004, pointer, "this is not a number of days")),
            },
            (Takes::Days, _) => self.fault(Fault::new(Code::E030, pointer, "a number of days is expected")),
            (Takes::Span, span) => self.span(span, pointer),
            (Takes::Text, Node::Text(text)) => self.quoted_text(text, pointer),
            (Takes::Text, _) => self.fault(Fault::new(Code::E030, pointer, "a text is expected")),
            (Takes::Nothing, _) => {}
        }
    }

    pub(super) fn list(&mut self, list: &[Node], shape: &Shape, pointer: &str) {
        let start = self.out.text.len();
        self.push("(");
        for (index, item) in list.iter().enumerate() {
            self.push(if index > 0 { ", " } else { "" });
            self.value(item, shape, &below(pointer, &index.to_string()));
        }
        self.push(")");
        self.came_from(start, pointer, false);
    }

    /// `pointers`: of the whole and its ends.
    fn range(&mut self, low: &Node, high: &Node, dots: &str, shape: &Shape, pointers: [&str; 3]) {
        let start = self.out.text.len();
        self.value(low, shape, pointers[1]);
        self.push(&format!(" {dots} "));
        self.value(high, shape, pointers[2]);
        self.came_from(start, pointers[0], false);
    }

    /// One value, or a range as an object, as the language writes it for an attribute of this shape.
    pub(super) fn value(&mut self, value: &Node, shape: &Shape, pointer: &str) {
        match value {
            Node::Bool(value) => self.push_from(if *value { "true" } else { "false" }, pointer),
            Node::Number(written) => self.number(written, shape, pointer),
            Node::Text(text) => match spelled(text, shape) {
                Some(spelled) => self.push_from(&spelled, pointer),
                None => self.quoted_text(text, pointer),
            },
            Node::Object(members) => self.object_value(Object { members, pointer }, value, shape),
            Node::Null | Node::List(_) => {
                let message = format!("a value is expected, not {}", value.describe());
                self.fault(
                    Fault::new(Code::E030, pointer, message).help("to ask for missing values: \"unknown\""),
                );
            }
        }
    }

    fn number(&mut self, written: &str, shape: &Shape, pointer: &str) {
        let Some(value) = scaled(written) else {
            let message = "this number cannot be represented";
            return self.fault(
                Fault::new(Code::E004, pointer, message).help("at most six decimals, and not this large"),
            );
        };
        let value = number(value);
        match shape {
            Shape::Percent => self.push_from(&format!("{value}%"), pointer),
            Shape::Money(currency) if !currency.is_empty() => {
                self.push_from(&format!("{value} {currency}"), pointer)
            }
            Shape::Duration => {
                let message = "a span of time needs a unit";
                self.fault(
                    Fault::new(Code::E045, pointer, message).help("such as \"5m\", \"24h\" or \"7d\""),
                );
            }
            Shape::Version if written.contains(['.', 'e', 'E']) => {
                let message = "a version with dots is a text";
                self.fault(Fault::new(Code::E045, pointer, message).help(format!("write \"{written}\"")));
            }
            _ => self.push_from(&value, pointer),
        }
    }

    fn object_value(&mut self, object: Object<'_>, value: &Node, shape: &Shape) {
        let range = match object.members.len() {
            2 => object.get("from").map(|from| (from, object.get("to"), object.get("below"))),
            _ => None,
        };
        match range {
            Some((from, Some(to), _)) => {
                self.range(from, to, "..", shape, [object.pointer, &object.at("from"), &object.at("to")])
            }
            Some((from, None, Some(end))) => {
                self.range(
                    from,
                    end,
                    "..<",
                    shape,
                    [object.pointer, &object.at("from"), &object.at("below")],
                );
            }
            _ if *shape == Shape::Time && self.moment(value, object.pointer) => {}
            _ => {
                let message = "this object is no value";
                let help = "a range is {\"from\": …, \"to\": …}, or {\"from\": …, \"below\": …} without its upper end";
                self.fault(Fault::new(Code::E030, object.pointer, message).help(help));
            }
        }
    }

    /// A date as a text, or with its zone as an object. False when it is something else.
    pub(super) fn moment(&mut self, value: &Node, pointer: &str) -> bool {
        let (text, zone) = match value {
            Node::Text(text) => (text, None),
            Node::Object(members) => {
                let object = Object { members, pointer };
                match (object.get("at"), object.get("zone")) {
                    (Some(Node::Text(text)), Some(zone)) if members.len() == 2 => (text, Some(zone)),
                    _ => return false,
                }
            }
            _ => return false,
        };
        let Some(local) = local(text) else { return false };
        self.push_from(&local, pointer);
        if let Some(zone) = zone {
            self.zone(zone, &below(pointer, "zone"));
        }
        true
    }

    pub(super) fn span(&mut self, span: &Node, pointer: &str) {
        let written = match span {
            Node::Text(text) => span_text(text),
            _ => None,
        };
        match written {
            Some(written) => self.push_from(&written, pointer),
            None => {
                let message = "this is not a span of time";
                self.fault(
                    Fault::new(Code::E004, pointer, message).help("such as \"5m\", \"24h\" or \"7d\""),
                );
            }
        }
    }
}

/// The language's spelling of a value that JSON writes as a text although it is none; `None` for texts.
fn spelled(text: &str, shape: &Shape) -> Option<String> {
    match shape {
        Shape::Number(_) | Shape::Percent | Shape::Money(_) => amount(text),
        Shape::Duration => span_text(text),
        Shape::Version => {
            let is_version = text
                .split('.')
                .all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()));
            is_version.then(|| text.to_owned())
        }
        Shape::Time => local(text),
        Shape::Unknown | Shape::Bool | Shape::Text | Shape::Words => None,
    }
}

/// Such as `50 EUR`, `10%` or `5 km`.
fn amount(text: &str) -> Option<String> {
    let (value, unit) = numbered(text)?;
    let is_unit = unit == "%" || unit.chars().all(|letter| letter.is_alphabetic() || letter == '_');
    is_unit.then(|| format!("{value}{}{unit}", if unit == "%" { "" } else { " " }).trim_end().to_owned())
}

/// Such as `24h` or `24 hours`.
fn span_text(text: &str) -> Option<String> {
    let (value, unit) = numbered(text)?;
    let (_, unit) = UNITS.into_iter().find(|(name, _)| *name == unit)?;
    (!value.starts_with('-')).then(|| format!("{value} {unit}"))
}

/// A number and what follows it.
fn numbered(text: &str) -> Option<(String, &str)> {
    let text = text.trim();
    let end = text
        .find(|letter: char| !(letter.is_ascii_digit() || letter == '.' || letter == '-'))
        .unwrap_or(text.len());
    let (digits, unit) = text.split_at(end);
    let starts_right = digits.trim_start_matches('-').starts_with(|letter: char| letter.is_ascii_digit());
    let value = scaled(digits).filter(|_| starts_right && !digits.ends_with(['.', '-']))?;
    Some((number(value), unit.trim()))
}

/// `2026-11-27`, perhaps with `T` or a space and a time of day.
fn local(text: &str) -> Option<String> {
    let (date, clock) = text.split_once(['T', ' ']).map_or((text, None), |(date, clock)| (date, Some(clock)));
    let has_form = |text: &str, form: &str| {
        text.len() == form.len()
            && text
                .bytes()
                .zip(form.bytes())
                .all(|(byte, form)| if form == b'0' { byte.is_ascii_digit() } else { byte == form })
    };
    let is_right = has_form(date, "0000-00-00") && clock.is_none_or(|clock| has_form(clock, "00:00"));
    is_right.then(|| clock.map_or(date.to_owned(), |clock| format!("{date} {clock}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operator_is_documented() {
        let page = include_str!("../../../../docs/CRITERIA.md");
        for (operator, ..) in OPERATORS {
            assert!(page.contains(&format!("`{operator}`")), "docs/CRITERIA.md does not mention {operator}");
        }
    }

    #[test]
    fn spelled_values_are_read_and_written_again() {
        assert_eq!(amount("50 EUR").as_deref(), Some("50 EUR"));
        assert_eq!(amount("12.50%").as_deref(), Some("12.5%"));
        assert_eq!(amount("-3").as_deref(), Some("-3"));
        assert_eq!(span_text("24h").as_deref(), Some("24 hours"));
        assert_eq!(span_text("1.5 days").as_deref(), Some("1.5 days"));
        assert_eq!(local("2026-11-27T23:59").as_deref(), Some("2026-11-27 23:59"));
        for wrong in ["", "EUR", "5)", "5 and vip", "--5", "1.2.3", "5 \"x\""] {
            assert_eq!(amount(wrong), None, "{wrong}");
            assert_eq!(span_text(wrong), None, "{wrong}");
            assert_eq!(local(wrong), None, "{wrong}");
        }
        assert_eq!(span_text("-1d"), None);
    }
}
