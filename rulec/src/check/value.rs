//! Values and the type of the attribute they are compared with.

use tessera_rulevm::canonical;
use tessera_wire::signal::{NUMBER_SCALE, version};

use super::Checker;
use super::vocabulary::AttributeId;
use crate::ast::{Value, ValueKind};
use crate::codes::Code;
use crate::countries::near_country;
use crate::currencies::near_currency;
use crate::diagnostic::{Diagnostic, Place};
use crate::hir::Type;
use crate::print;

/// A percentage point of a bucket: ten thousand parts per million.
const BUCKET_PER_PERCENT: i64 = 10_000;

/// A type in a sentence that starts with "it is".
pub(crate) fn describe(ty: &Type) -> String {
    match ty {
        Type::Bool => "a bool: true or false".to_owned(),
        Type::Number(_) => "a number".to_owned(),
        Type::Percent => "a percentage".to_owned(),
        Type::Money(currency) if currency.is_empty() => "money".to_owned(),
        Type::Money(currency) => format!("money in {currency}"),
        Type::Text => "a text".to_owned(),
        Type::OneOf(values) => format!("one of {}", some_of(values)),
        Type::Country => "a country".to_owned(),
        Type::Language => "a language".to_owned(),
        Type::Currency => "a currency".to_owned(),
        Type::Timezone => "a time zone".to_owned(),
        Type::SetOf(values) => format!("a set of {}", some_of(values)),
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

    /// The values that a written value stands for: one number, or every millisecond of a date.
    pub(super) fn interval(&mut self, attribute: AttributeId, value: &Value) -> Option<(i64, i64)> {
        let entry = self.vocabulary.entry(attribute);
        let found = match (&entry.ty, &value.kind) {
            (Type::Time, ValueKind::Moment(moment)) => return self.instants(moment),
            (Type::Money(_), ValueKind::Money(..) | ValueKind::Number(_)) => {
                return self.money(attribute, value).map(|amount| (amount, amount));
            }
            (Type::Number(_), ValueKind::Measure(number, unit)) if entry.unit == unit.text => *number,
            (Type::Number(_), ValueKind::Measure(_, unit)) => {
                let help = match entry.unit.as_str() {
                    "" => format!("leave out `{}`: no unit is declared", unit.text),
                    declared => format!("it is counted in {declared}, not in {}", unit.text),
                };
                self.mismatch(attribute, unit.place, &help);
                return None;
            }
            (Type::Number(_) | Type::MinuteOfWeek, ValueKind::Number(number))
            | (Type::Percent, ValueKind::Percent(number))
            | (Type::Duration, ValueKind::DurationMs(number)) => *number,
            (Type::Bucket, ValueKind::Percent(number)) => number.checked_mul(BUCKET_PER_PERCENT)?,
            (Type::Version, kind) => match self.version_of(kind, value.place) {
                Some(version) => version,
                None => return self.does_not_fit(attribute, value.place),
            },
            (Type::Percent | Type::Bucket, ValueKind::Number(number)) => {
                let help = format!("write {}%", print::number(*number));
                self.mismatch(attribute, value.place, &help);
                return None;
            }
            (Type::Duration, ValueKind::Number(number)) => {
                let help = format!("write {0} minutes or {0} hours", print::number(*number));
                self.mismatch(attribute, value.place, &help);
                return None;
            }
            _ => return self.does_not_fit(attribute, value.place),
        };
        self.warn_outside_bounds(attribute, value.place, found);
        Some((found, found))
    }

    fn does_not_fit<T>(&mut self, attribute: AttributeId, place: Place) -> Option<T> {
        let help = format!("compare it with {}", example(&self.vocabulary.entry(attribute).ty));
        self.mismatch(attribute, place, &help);
        None
    }

    /// Two parts of a version look like a number, but `17.10` is not `17.1`: its text decides.
    fn version_of(&self, kind: &ValueKind, place: Place) -> Option<i64> {
        match kind {
            ValueKind::Version(text) | ValueKind::Text(text) | ValueKind::Word(text) => version(text),
            ValueKind::Number(number) => {
                let written = self.source_text(place).and_then(version);
                written.or_else(|| version(&print::number(*number)))
            }
            _ => None,
        }
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
            _ => self.interval(attribute, value),
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
        let first = match with_unit_of(&low.kind, &high.kind) {
            Some(kind) => self.interval(attribute, &Value { kind, place: low.place }),
            None => self.interval(attribute, low),
        };
        let (first, last) = (first?, self.interval(attribute, high)?);
        let end = if is_half_open { last.0.saturating_sub(1) } else { last.1 };
        if first.0 <= end {
            return Some((first.0, end));
        }
        let is_reversed = first.0 > last.0;
        let message = if is_reversed { "this range is reversed" } else { "this range is empty" };
        let mut diagnostic = Diagnostic::new(Code::E050, place, message);
        if is_reversed {
            let ty = &self.vocabulary.entry(attribute).ty;
            let (smaller, larger) = (print::amount(ty, last.0), print::amount(ty, first.0));
            diagnostic = diagnostic.help(format!("the smaller end comes first: {smaller}..{larger}"));
        }
        self.sink.push(diagnostic);
        None
    }

    /// A word of a text attribute, in the form in which texts are compared.
    pub(super) fn text_value(&mut self, attribute: AttributeId, value: &Value) -> Option<String> {
        let entry = self.vocabulary.entry(attribute);
        let text = match (&entry.ty, &value.kind) {
            (Type::Text | Type::Set, ValueKind::Word(word)) => {
                let help = format!("write \"{word}\"");
                self.mismatch(attribute, value.place, &help);
                return None;
            }
            (_, ValueKind::Text(text) | ValueKind::Word(text)) => text,
            _ => return self.does_not_fit(attribute, value.place),
        };
        let word = comparable(text, entry.is_caseless);
        if entry.has_word(&word) {
            return Some(word);
        }
        self.unknown_value(attribute, value.place, text);
        None
    }

    /// Is this word one that the attribute can have? Reported when not.
    pub(super) fn is_word_of(&mut self, attribute: AttributeId, word: &str) -> bool {
        let entry = self.vocabulary.entry(attribute);
        let does_fit = entry.has_word(&comparable(word, entry.is_caseless));
        if !does_fit {
            self.unknown_value(attribute, Place::NOWHERE, word);
        }
        does_fit
    }

    fn unknown_value(&mut self, attribute: AttributeId, place: Place, text: &str) {
        let entry = self.vocabulary.entry(attribute);
        let near = match &entry.ty {
            Type::OneOf(values) | Type::SetOf(values) => self.near(text, values.iter().map(String::as_str)),
            Type::Country => near_country(text),
            Type::Currency => near_currency(text),
            _ => None,
        };
        let zone = if entry.ty == Type::Timezone { self.near_zone(text) } else { None };
        let near = near.or(zone.as_deref());
        let message = format!("`{text}` is not one of the values of `{}`", entry.name);
        let mut diagnostic = Diagnostic::new(Code::E041, place, message).label("unknown value");
        if let Some(declared) = entry.place {
            diagnostic = diagnostic.secondary(declared, "declared here");
        }
        let help = match &entry.ty {
            Type::OneOf(values) | Type::SetOf(values) if near.is_none() => {
                Some(format!("the values are: {}", some_of(values)))
            }
            Type::Country if near.is_none() => {
                Some("countries are two capital letters, such as RO".to_owned())
            }
            Type::Language => Some("languages are two or three small letters, such as ro".to_owned()),
            Type::Currency if near.is_none() => {
                Some("currencies are three capital letters, such as EUR".to_owned())
            }
            _ => None,
        };
        diagnostic = diagnostic.did_you_mean(near);
        self.sink.push(help.into_iter().fold(diagnostic, |diagnostic, help| diagnostic.help(help)));
    }
}

/// All values, or so many that the rest can be guessed.
fn some_of(values: &[String]) -> String {
    let shown = values.iter().take(20).map(String::as_str).collect::<Vec<_>>().join(", ");
    let rest = if values.len() > 20 { ", …" } else { "" };
    format!("{shown}{rest}")
}

/// The form in which texts are compared.
pub(super) fn comparable(text: &str, is_caseless: bool) -> String {
    if text.is_ascii() && !is_caseless { text.to_owned() } else { canonical(text, is_caseless) }
}

/// In `50..100 EUR` the unit belongs to both ends; `None` when the lower end needs none.
fn with_unit_of(low: &ValueKind, high: &ValueKind) -> Option<ValueKind> {
    match (low, high) {
        (ValueKind::Number(amount), ValueKind::Money(_, currency)) => {
            Some(ValueKind::Money(*amount, currency.clone()))
        }
        (ValueKind::Number(number), ValueKind::Percent(_)) => Some(ValueKind::Percent(*number)),
        (ValueKind::Number(number), ValueKind::Measure(_, unit)) => {
            Some(ValueKind::Measure(*number, unit.clone()))
        }
        (ValueKind::Moment(low), ValueKind::Moment(high)) => {
            Some(ValueKind::Moment(Box::new(low.with_zone_of(high))))
        }
        _ => None,
    }
}

/// Parts per million of a share in percent.
pub(super) fn parts_per_million(share: i64) -> Option<i64> {
    let unit = NUMBER_SCALE / BUCKET_PER_PERCENT;
    (share % unit == 0).then_some(share / unit)
}

fn example(ty: &Type) -> String {
    match ty {
        Type::Bool => "true or false".to_owned(),
        Type::Number(_) => "a number such as 18".to_owned(),
        Type::Percent => "a percentage such as 10%".to_owned(),
        Type::Money(currency) if currency.is_empty() => "an amount such as 50 EUR".to_owned(),
        Type::Money(currency) => format!("an amount such as 50 {currency}"),
        Type::Text | Type::Set => "a text in quotes".to_owned(),
        Type::OneOf(values) | Type::SetOf(values) => format!("one of {}", some_of(values)),
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
