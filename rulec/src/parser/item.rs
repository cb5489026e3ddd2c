//! Top-level items besides rules and tests: header, declarations and segments.

use tessera_wire::signal::NUMBER_SCALE;

use super::{Parsed, Parser};
use crate::ast::{AttributeItem, File, Name, SegmentItem, TypeName};
use crate::codes::Code;
use crate::currencies::{is_currency, near_currency};
use crate::diagnostic::Diagnostic;
use crate::lexer::TokenKind;

/// The edition this compiler understands.
const EDITION: i64 = 1;

const TYPES: [&str; 15] = [
    "bool", "number", "percent", "money", "text", "one", "country", "language", "currency", "timezone",
    "set", "time", "duration", "version", "ip",
];

impl Parser<'_> {
    pub(super) fn language(&mut self) -> Parsed<()> {
        let (edition, place) = self.number("the edition's number")?;
        if edition != EDITION * NUMBER_SCALE {
            let message = "this edition of the language is not known";
            let help = format!("this compiler knows edition {EDITION}");
            self.sink.push(Diagnostic::new(Code::E032, place, message).help(help));
        }
        Ok(())
    }

    pub(super) fn bundle(&mut self) -> Parsed<()> {
        self.quoted("the bundle's name in quotes")?;
        if self.eat_word("version") {
            self.number("the version's number")?;
        }
        if self.is_word("language") && !self.token().is_at_margin {
            self.bump();
            self.language()?;
        }
        Ok(())
    }

    pub(super) fn purpose(&mut self, tree: &mut File) -> Parsed<()> {
        tree.purposes.push(self.word("a purpose")?);
        self.skip_description();
        Ok(())
    }

    pub(super) fn event(&mut self, tree: &mut File) -> Parsed<()> {
        self.spend()?;
        tree.events.push(self.word("the event's name")?);
        self.skip_description();
        Ok(())
    }

    fn skip_description(&mut self) {
        if let TokenKind::Text(_) = self.token().kind {
            self.bump();
        }
    }

    pub(super) fn attribute(&mut self, tree: &mut File) -> Parsed<()> {
        self.spend()?;
        let name = self.word("the attribute's name")?;
        self.sign(":")?;
        let start = self.place();
        let (ty, unit) = self.type_name()?;
        let is_of_texts = matches!(ty, TypeName::Text | TypeName::Set);
        let is_caseless = is_of_texts && self.eat_word("caseless");
        let type_place = start.to(self.last_place());
        let (is_from_request, needs) = (None, Vec::new());
        let mut item = AttributeItem { name, ty, type_place, unit, is_caseless, is_from_request, needs };
        while !self.is_at_end() && !self.token().is_at_margin {
            let words: &[&'static str] =
                if is_of_texts { &["from", "needs", "caseless"] } else { &["from", "needs"] };
            match self.keyword(words)? {
                "from" => item.is_from_request = Some(self.keyword(&["request", "profile"])? == "request"),
                "needs" => item.needs.extend(self.words("a purpose")?),
                _ => item.is_caseless = true,
            }
        }
        tree.attributes.push(item);
        Ok(())
    }

    pub(super) fn words(&mut self, what: &str) -> Parsed<Vec<Name>> {
        let mut words = vec![self.word(what)?];
        while self.eat_sign(",") {
            words.push(self.word(what)?);
        }
        Ok(words)
    }

    /// A type, and for numbers the label of their unit.
    fn type_name(&mut self) -> Parsed<(TypeName, Option<Name>)> {
        let ty = match self.keyword(&TYPES)? {
            "bool" => TypeName::Bool,
            "number" => {
                let unit = self.unit_label()?;
                return Ok((TypeName::Number(self.bounds()?), unit));
            }
            "percent" => TypeName::Percent,
            "money" => TypeName::Money(self.currency()?),
            "text" => TypeName::Text,
            "one" => {
                self.keyword(&["of"])?;
                TypeName::OneOf(self.closed_list()?)
            }
            "country" => TypeName::Country,
            "language" => TypeName::Language,
            "currency" => TypeName::Currency,
            "timezone" => TypeName::Timezone,
            "set" => self.set_type()?,
            "time" => TypeName::Time,
            "duration" => TypeName::Duration,
            "version" => TypeName::Version,
            _ => return self.refused_type(),
        };
        Ok((ty, None))
    }

    fn refused_type(&mut self) -> Parsed<(TypeName, Option<Name>)> {
        let message = "addresses are never shown to rules";
        let diagnostic = Diagnostic::new(Code::E035, self.last_place(), message);
        self.gave_up(diagnostic.help("use what is derived from the address: country, region, city"))
    }

    fn set_type(&mut self) -> Parsed<TypeName> {
        self.keyword(&["of"])?;
        Ok(match self.keyword(&["text", "one"])? {
            "text" => TypeName::Set,
            _ => {
                self.keyword(&["of"])?;
                TypeName::SetOf(self.closed_list()?)
            }
        })
    }

    /// A word in the line of `number` that is none of the words that may follow.
    fn unit_label(&mut self) -> Parsed<Option<Name>> {
        match self.token().kind {
            TokenKind::Word(word) if self.units.contains(word) && !self.token().is_after_break => {
                Ok(Some(self.word("a unit")?))
            }
            _ => Ok(None),
        }
    }

    fn bounds(&mut self) -> Parsed<Option<(i64, i64)>> {
        if !self.eat_word("in") {
            return Ok(None);
        }
        let (low, start) = self.number("the smallest value")?;
        self.sign("..")?;
        let (high, end) = self.number("the largest value")?;
        if low > high {
            self.sink.push(Diagnostic::new(Code::E050, start.to(end), "these bounds are reversed"));
            return Ok(None);
        }
        Ok(Some((low, high)))
    }

    fn currency(&mut self) -> Parsed<String> {
        if !self.is_sign("(") {
            let message = "money needs a currency";
            let diagnostic = Diagnostic::new(Code::E043, self.last_place(), message);
            return self.gave_up(diagnostic.help("write money(EUR)"));
        }
        self.bump();
        let word = self.word("a currency such as `EUR`")?;
        self.sign(")")?;
        if is_currency(&word.text) {
            return Ok(word.text);
        }
        let message = format!("`{}` is not a currency code", word.text);
        let near = near_currency(&word.text);
        let help = near.is_none().then_some("write three letters, such as EUR");
        let diagnostic = Diagnostic::new(Code::E043, word.place, message).did_you_mean(near);
        self.gave_up(help.into_iter().fold(diagnostic, |diagnostic, help| diagnostic.help(help)))
    }

    fn closed_list(&mut self) -> Parsed<Vec<String>> {
        let mut values = Vec::new();
        loop {
            self.spend()?;
            match self.token().kind {
                TokenKind::Word(text) => values.push(text.to_owned()),
                TokenKind::Text(text) => values.push(text.value()),
                _ => return Err(self.expected("a value of the list")),
            }
            self.bump();
            if !self.eat_sign(",") {
                return Ok(values);
            }
        }
    }

    pub(super) fn segment(&mut self, tree: &mut File) -> Parsed<()> {
        let name = self.quoted("the segment's name in quotes")?;
        let conditions = self.conditions_in_braces()?;
        tree.segments.push(SegmentItem { name, conditions });
        Ok(())
    }
}
