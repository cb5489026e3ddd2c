//! Values and the type of the attribute they are compared with.

use super::Checker;
use super::vocabulary::AttributeId;
use crate::ast::{Value, ValueKind};
use crate::codes::Code;
use crate::countries::{is_country, near_country};
use crate::diagnostic::{Diagnostic, Place};
use crate::hir::Type;
use crate::nearest::nearest;
use crate::print;

/// A type in a sentence that starts with "it is".
pub(crate) fn describe(ty: &Type) -> String {
    match ty {
        Type::Bool => "a bool: true or false".to_owned(),
        Type::Number(_) => "a number".to_owned(),
        Type::Percent => "a percentage".to_owned(),
        Type::Money(currency) if currency.is_empty() => "money".to_owned(),
        Type::Money(currency) => format!("money in {currency}"),
        Type::Text => "a text".to_owned(),
        Type::OneOf(values) => format!("one of {}", values.join(", ")),
        Type::Country => "a country".to_owned(),
        Type::Language => "a language".to_owned(),
        Type::Currency => "a currency".to_owned(),
        Type::Timezone => "a time zone".to_owned(),
        Type::SetOf(values) => format!("a set of {}", values.join(", ")),
        Type::Duration => "a span of time".to_owned(),
        Type::Version => "a version".to_owned(),
        Type::Bucket => "a bucket, counted in percent".to_owned(),
        Type::MinuteOfWeek => "a minute of the week".to_owned(),
        Type::Set => "a set of texts".to_owned(),
        Type::Time => "a time".to_owned(),
    }
}

impl Checker<'_> {
    /// A value outside any condition is compared with this attribute, whose type it does not fit.
    pub(super) fn mismatch(&mut self, attribute: AttributeId, place: Place, help: &str) {
        let entry = self.vocabulary.entry(attribute);
        let message = format!("`{}` is {}", entry.name, describe(&entry.ty));
        let mut diagnostic = Diagnostic::new(Code::E045, place, message).label("this does not fit");
        if let Some(declared) = entry.place {
            diagnostic = diagnostic.secondary(declared, "declared here");
        }
        self.sink.push(diagnostic.help(help));
    }

    /// A scaled number in the unit of the attribute.
    pub(super) fn amount(&mut self, attribute: AttributeId, value: &Value) -> Option<i64> {
        let found = match (&self.vocabulary.entry(attribute).ty, &value.kind) {
            (Type::Number(_), ValueKind::Number(number)) | (Type::Percent, ValueKind::Percent(number)) => {
                *number
            }
            (Type::Percent, ValueKind::Number(number)) => {
                let help = format!("write {}%", print::number(*number));
                self.mismatch(attribute, value.place, &help);
                return None;
            }
            (Type::Money(_), ValueKind::Money(..) | ValueKind::Number(_)) => {
                return self.money(attribute, value);
            }
            (ty, _) => {
                let help = format!("compare it with {}", example(ty));
                self.mismatch(attribute, value.place, &help);
                return None;
            }
        };
        self.warn_outside_bounds(attribute, value.place, found);
        Some(found)
    }

    fn money(&mut self, attribute: AttributeId, value: &Value) -> Option<i64> {
        let entry = self.vocabulary.entry(attribute);
        let (name, declared) = (&entry.name, entry.place);
        let Type::Money(currency) = &entry.ty else { return None };
        let diagnostic = match &value.kind {
            _ if currency.is_empty() => {
                let message = format!("`{name}` is money, but its currency is not declared");
                let help = format!("add: attribute {name} : money(EUR)");
                Diagnostic::new(Code::E043, value.place, message).help(help)
            }
            ValueKind::Money(amount, found) if found == currency => return Some(*amount),
            ValueKind::Money(_, found) => {
                let message = format!("`{name}` is in {currency}, not in {found}");
                let diagnostic = Diagnostic::new(Code::E044, value.place, message);
                declared.into_iter().fold(diagnostic, |d, place| d.secondary(place, "declared here"))
            }
            ValueKind::Number(amount) => {
                let message = format!("`{name}` is money: the amount needs a currency");
                let help = format!("write {} {currency}", print::number(*amount));
                Diagnostic::new(Code::E043, value.place, message).help(help)
            }
            _ => return None,
        };
        self.sink.push(diagnostic);
        None
    }

    fn warn_outside_bounds(&mut self, attribute: AttributeId, place: Place, value: i64) {
        let entry = self.vocabulary.entry(attribute);
        let Type::Number(Some((low, high))) = entry.ty else { return };
        if (low..=high).contains(&value) {
            return;
        }
        let message = format!("{} is outside the range of `{}`", print::number(value), entry.name);
        let mut diagnostic = Diagnostic::new(Code::W051, place, message);
        if let Some(declared) = entry.place {
            let label = format!("declared in {}..{}", print::number(low), print::number(high));
            diagnostic = diagnostic.secondary(declared, label);
        }
        self.sink.push(diagnostic);
    }

    /// An inclusive range: one value, or two with a sign between them.
    pub(super) fn range(&mut self, attribute: AttributeId, value: &Value) -> Option<(i64, i64)> {
        match &value.kind {
            ValueKind::Range { low, high, is_half_open } => {
                self.ends(attribute, low, high, *is_half_open, value.place)
            }
            _ => self.amount(attribute, value).map(|amount| (amount, amount)),
        }
    }

    pub(super) fn ends(
        &mut self,
        attribute: AttributeId,
        low: &Value,
        high: &Value,
        is_half_open: bool,
        place: Place,
    ) -> Option<(i64, i64)> {
        let low_with_unit = Value { kind: with_unit_of(&low.kind, &high.kind), place: low.place };
        let low = self.amount(attribute, &low_with_unit);
        let (low, end) = (low?, self.amount(attribute, high)?);
        let high = if is_half_open { end.saturating_sub(1) } else { end };
        if low > high {
            let message = if low > end { "this range is reversed" } else { "this range is empty" };
            let mut diagnostic = Diagnostic::new(Code::E050, place, message);
            if low > end {
                let (first, last) = (print::number(end), print::number(low));
                diagnostic = diagnostic.help(format!("the smaller end comes first: {first}..{last}"));
            }
            self.sink.push(diagnostic);
            return None;
        }
        Some((low, high))
    }

    /// A word of a text attribute.
    pub(super) fn text_value(&mut self, attribute: AttributeId, value: &Value) -> Option<String> {
        let ty = self.vocabulary.entry(attribute).ty.clone();
        let text = match (&ty, &value.kind) {
            (Type::Text | Type::Set, ValueKind::Word(word)) => {
                let help = format!("write \"{word}\"");
                self.mismatch(attribute, value.place, &help);
                return None;
            }
            (_, ValueKind::Text(text) | ValueKind::Word(text)) => text,
            _ => {
                let help = format!("compare it with {}", example(&ty));
                self.mismatch(attribute, value.place, &help);
                return None;
            }
        };
        if has_word(&ty, text) {
            return Some(text.clone());
        }
        self.unknown_value(attribute, value.place, text);
        None
    }

    /// Is this word one that the attribute can have? Reported when not.
    pub(super) fn is_word_of(&mut self, attribute: AttributeId, word: &str) -> bool {
        let does_fit = has_word(&self.vocabulary.entry(attribute).ty, word);
        if !does_fit {
            self.unknown_value(attribute, Place::NOWHERE, word);
        }
        does_fit
    }

    fn unknown_value(&mut self, attribute: AttributeId, place: Place, text: &str) {
        let entry = self.vocabulary.entry(attribute);
        let near = match &entry.ty {
            Type::OneOf(values) => nearest(text, values.iter().map(String::as_str)),
            Type::Country => near_country(text),
            _ => None,
        };
        let message = format!("`{text}` is not one of the values of `{}`", entry.name);
        let mut diagnostic = Diagnostic::new(Code::E041, place, message).label("unknown value");
        if let Some(declared) = entry.place {
            diagnostic = diagnostic.secondary(declared, "declared here");
        }
        let help = match &entry.ty {
            Type::OneOf(values) if near.is_none() => Some(format!("the values are: {}", values.join(", "))),
            Type::Country if near.is_none() => {
                Some("countries are two capital letters, such as RO".to_owned())
            }
            Type::Language => Some("languages are two or three small letters, such as ro".to_owned()),
            _ => None,
        };
        diagnostic = diagnostic.did_you_mean(near);
        self.sink.push(help.into_iter().fold(diagnostic, |diagnostic, help| diagnostic.help(help)));
    }
}

fn has_word(ty: &Type, text: &str) -> bool {
    match ty {
        Type::OneOf(values) => values.iter().any(|value| value == text),
        Type::Country => is_country(text),
        Type::Language => matches!(text.len(), 2 | 3) && text.bytes().all(|byte| byte.is_ascii_lowercase()),
        _ => true,
    }
}

/// In `50..100 EUR` the unit belongs to both ends.
fn with_unit_of(low: &ValueKind, high: &ValueKind) -> ValueKind {
    match (low, high) {
        (ValueKind::Number(amount), ValueKind::Money(_, currency)) => {
            ValueKind::Money(*amount, currency.clone())
        }
        (ValueKind::Number(number), ValueKind::Percent(_)) => ValueKind::Percent(*number),
        _ => low.clone(),
    }
}

fn example(ty: &Type) -> String {
    match ty {
        Type::Bool => "true or false".to_owned(),
        Type::Number(_) => "a number such as 18".to_owned(),
        Type::Percent => "a percentage such as 10%".to_owned(),
        Type::Money(currency) if currency.is_empty() => "an amount such as 50 EUR".to_owned(),
        Type::Money(currency) => format!("an amount such as 50 {currency}"),
        Type::Text | Type::Set => "a text in quotes".to_owned(),
        Type::OneOf(values) | Type::SetOf(values) => format!("one of {}", values.join(", ")),
        Type::Currency => "a currency such as EUR".to_owned(),
        Type::Timezone => "a time zone such as \"Europe/Bucharest\"".to_owned(),
        Type::Duration => "a span of time such as 5 minutes".to_owned(),
        Type::Version => "a version such as 17.4".to_owned(),
        Type::Bucket => "a percentage such as 10%".to_owned(),
        Type::MinuteOfWeek => "a number from 0 to 10079".to_owned(),
        Type::Country => "a country such as RO".to_owned(),
        Type::Language => "a language such as ro".to_owned(),
        Type::Time => "now: `within 24 hours` or `before 90 days ago`".to_owned(),
    }
}
