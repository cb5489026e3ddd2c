//! Values, lists and spans of time.

use tessera_wire::signal::NUMBER_SCALE;

use super::condition::RESERVED;
use super::{Parsed, Parser, is_word};
use crate::ast::{Name, Value, ValueKind};
use crate::codes::Code;
use crate::diagnostic::Diagnostic;
use crate::lexer::TokenKind;

/// Units of time and their milliseconds.
pub(crate) const UNITS: [(&str, i64); 10] = [
    ("days", 86_400_000),
    ("day", 86_400_000),
    ("hours", 3_600_000),
    ("hour", 3_600_000),
    ("minutes", 60_000),
    ("minute", 60_000),
    ("seconds", 1_000),
    ("second", 1_000),
    ("weeks", 604_800_000),
    ("week", 604_800_000),
];

impl Parser<'_> {
    /// A value, or a range of two.
    pub(super) fn value(&mut self) -> Parsed<Value> {
        let low = self.single_value()?;
        let is_half_open = self.is_sign("..<");
        if !is_half_open && !self.is_sign("..") {
            return Ok(low);
        }
        self.bump();
        let high = self.single_value()?;
        let place = low.place.to(high.place);
        let kind = ValueKind::Range { low: Box::new(low), high: Box::new(high), is_half_open };
        Ok(Value { kind, place })
    }

    /// One value, or several in parentheses.
    pub(super) fn list(&mut self) -> Parsed<Vec<Value>> {
        if !self.eat_sign("(") {
            return Ok(vec![self.value()?]);
        }
        let mut list = vec![self.value()?];
        while self.eat_sign(",") && !self.is_sign(")") {
            list.push(self.value()?);
        }
        self.sign(")")?;
        Ok(list)
    }

    fn single_value(&mut self) -> Parsed<Value> {
        self.spend()?;
        let start = self.place();
        let kind = match self.token().kind {
            TokenKind::Number(number) => {
                self.bump();
                self.unit(number)?
            }
            TokenKind::Text(text) => {
                self.bump();
                ValueKind::Text(text.value())
            }
            TokenKind::Word(word) if !RESERVED.contains(&word) => {
                self.bump();
                ValueKind::Word(word.to_owned())
            }
            TokenKind::Version(version) => {
                self.bump();
                ValueKind::Version(version.to_owned())
            }
            TokenKind::Date(..) => ValueKind::Moment(Box::new(self.moment()?)),
            _ => return Err(self.expected("a value")),
        };
        Ok(Value { kind, place: start.to(self.last_place()) })
    }

    /// What follows a number in the same line: `%`, a currency, a unit, or a span of time and perhaps `ago`.
    fn unit(&mut self, number: i64) -> Parsed<ValueKind> {
        if self.token().is_after_break {
            return Ok(ValueKind::Number(number));
        }
        if self.eat_sign("%") {
            return Ok(ValueKind::Percent(number));
        }
        let TokenKind::Word(word) = self.token().kind else { return Ok(ValueKind::Number(number)) };
        if word.len() == 3 && word.bytes().all(|byte| byte.is_ascii_uppercase()) {
            self.bump();
            return Ok(ValueKind::Money(number, word.to_owned()));
        }
        let is_time = UNITS.iter().any(|(unit, _)| *unit == word);
        if is_time && is_word(self.ahead(1), "ago") {
            let age_ms = self.span_of_time(number)?;
            self.bump();
            return Ok(ValueKind::AgoMs(age_ms));
        }
        // In a block, what looks like a unit may be the attribute of the next condition.
        let is_attribute = self.is_check_ahead(1);
        if self.units.contains(word) && !is_attribute {
            let unit = Name { text: word.to_owned(), place: self.bump() };
            return Ok(ValueKind::Measure(number, Box::new(unit)));
        }
        if is_time && !is_attribute {
            return Ok(ValueKind::DurationMs(self.span_of_time(number)?));
        }
        Ok(ValueKind::Number(number))
    }

    /// Such as `24 hours`, in milliseconds.
    pub(super) fn duration(&mut self) -> Parsed<i64> {
        let (number, _) = self.number("a span of time such as `24 hours`")?;
        self.span_of_time(number)
    }

    pub(super) fn span_of_time(&mut self, number: i64) -> Parsed<i64> {
        let place = self.last_place();
        let unit = self.keyword(&UNITS.map(|(unit, _)| unit))?;
        let unit_ms = UNITS.into_iter().find(|(name, _)| *name == unit).map_or(0, |(_, unit_ms)| unit_ms);
        let span_ms = i128::from(number) * i128::from(unit_ms) / i128::from(NUMBER_SCALE);
        match i64::try_from(span_ms) {
            Ok(span_ms) if span_ms >= 0 => Ok(span_ms),
            _ => {
                self.sink.push(Diagnostic::new(Code::E004, place, "this is not a span of time"));
                Ok(0)
            }
        }
    }

    /// A number and `%`, at most 100.
    pub(super) fn share(&mut self, what: &str) -> Parsed<(i64, crate::diagnostic::Place)> {
        let (percent, start) = self.number(what)?;
        let place = start.to(self.sign("%")?);
        if (0..=100 * NUMBER_SCALE).contains(&percent) {
            return Ok((percent, place));
        }
        let message = "a share lies between 0% and 100%";
        self.sink.push(Diagnostic::new(Code::E053, place, message));
        Ok((0, place))
    }
}
