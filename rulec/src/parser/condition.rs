//! Conditions: connectives, blocks and the tests of one attribute.

use super::{GaveUp, Parsed, Parser, is_word};
use crate::ast::{Check, Cond, CondKind, Includes, Name, Op};
use crate::codes::Code;
use crate::diagnostic::{Diagnostic, Place};
use crate::lexer::TokenKind;
use crate::nearest::nearest;

/// Words that cannot name an attribute or stand for a value without quotes.
pub(crate) const RESERVED: [&str; 24] = [
    "and",
    "or",
    "not",
    "in",
    "is",
    "between",
    "includes",
    "within",
    "before",
    "starts",
    "ends",
    "contains",
    "match",
    "definitely",
    "possibly",
    "segment",
    "when",
    "unless",
    "then",
    "otherwise",
    "choose",
    "known",
    "unknown",
    "priority",
];

/// Words after an attribute that are long enough to recognise when misspelt.
const TEST_WORDS: [&str; 7] = ["between", "includes", "within", "before", "starts", "ends", "contains"];

impl Parser<'_> {
    pub(super) fn condition(&mut self) -> Parsed<Cond> {
        self.nested(Self::chain)
    }

    /// Conditions up to the closing brace; they are all meant.
    pub(super) fn conditions_in_braces(&mut self) -> Parsed<Vec<Cond>> {
        self.sign("{")?;
        let mut conditions = Vec::new();
        while !self.is_sign("}") {
            conditions.push(self.condition()?);
        }
        if conditions.is_empty() {
            return Err(self.expected("a condition"));
        }
        self.bump();
        Ok(conditions)
    }

    fn chain(&mut self) -> Parsed<Cond> {
        let mut parts = vec![self.negation()?];
        let mut joins: Vec<(bool, Place)> = Vec::new();
        while self.is_word("and") || self.is_word("or") {
            let is_and = self.is_word("and");
            joins.push((is_and, self.bump()));
            parts.push(self.negation()?);
        }
        let Some((is_and, _)) = joins.first().copied() else {
            return parts.pop().ok_or(GaveUp);
        };
        if let Some((_, place)) = joins.iter().find(|join| join.0 != is_and) {
            self.report_mixture(*place, &parts, &joins);
        }
        let place = parts[0].place.to(self.last_place());
        let kind = if is_and { CondKind::And(parts) } else { CondKind::Or(parts) };
        Ok(Cond { kind, place })
    }

    fn report_mixture(&mut self, place: Place, parts: &[Cond], joins: &[(bool, Place)]) {
        let and_first = self.reading(parts, joins, true);
        let or_first = self.reading(parts, joins, false);
        self.sink.push(
            Diagnostic::new(Code::E020, place, "`and` and `or` are mixed without parentheses")
                .label("which of the two belongs together?")
                .help(format!("if you mean this, write: {and_first}"))
                .help(format!("or this:                 {or_first}")),
        );
    }

    /// The chain with parentheses, as if `and` (or `or`) bound closer.
    fn reading(&self, parts: &[Cond], joins: &[(bool, Place)], is_and_closer: bool) -> String {
        let mut groups = vec![vec![self.source(parts[0].place)]];
        for (part, (is_and, _)) in parts[1..].iter().zip(joins) {
            let text = self.source(part.place);
            match groups.last_mut() {
                Some(group) if *is_and == is_and_closer => group.push(text),
                _ => groups.push(vec![text]),
            }
        }
        let (inner, outer) = if is_and_closer { (" and ", " or ") } else { (" or ", " and ") };
        let groups = groups
            .into_iter()
            .map(|group| if group.len() == 1 { group.concat() } else { format!("({})", group.join(inner)) });
        groups.collect::<Vec<_>>().join(outer)
    }

    /// The source text of a place in one line.
    fn source(&self, place: Place) -> String {
        self.text[place.range()].split_whitespace().collect::<Vec<_>>().join(" ")
    }

    fn negation(&mut self) -> Parsed<Cond> {
        if !self.is_word("not") {
            return self.primary();
        }
        let start = self.bump();
        let inner = self.nested(Self::negation)?;
        let place = start.to(inner.place);
        Ok(Cond { kind: CondKind::Not(Box::new(inner)), place })
    }

    fn primary(&mut self) -> Parsed<Cond> {
        let start = self.place();
        let opens = |kind: &TokenKind| *kind == TokenKind::Sign("(");
        let kind = if self.eat_sign("(") {
            let inner = self.condition()?;
            self.sign(")")?;
            return Ok(Cond { place: start.to(self.last_place()), ..inner });
        } else if self.is_word("match") {
            self.bump();
            self.match_block()?
        } else if self.is_word("definitely") || self.is_word("possibly") {
            let is_definitely = self.is_word("definitely");
            self.bump();
            self.sign("(")?;
            let inner = Box::new(self.condition()?);
            self.sign(")")?;
            if is_definitely { CondKind::Definitely(inner) } else { CondKind::Possibly(inner) }
        } else if self.is_word("segment") && opens(self.ahead(1)) {
            self.bump();
            self.bump();
            let name = self.quoted("the segment's name in quotes")?;
            self.sign(")")?;
            CondKind::Segment(name)
        } else {
            let operand = self.operand()?;
            let check = self.check()?;
            CondKind::Test(operand, check)
        };
        Ok(Cond { kind, place: start.to(self.last_place()) })
    }

    fn match_block(&mut self) -> Parsed<CondKind> {
        let mode = self.keyword(&["all", "any", "none"])?;
        let start = self.place();
        let parts = self.nested(Self::conditions_in_braces)?;
        Ok(match mode {
            "all" => CondKind::And(parts),
            "any" => CondKind::Or(parts),
            _ => {
                let any = Cond { kind: CondKind::Or(parts), place: start.to(self.last_place()) };
                CondKind::Not(Box::new(any))
            }
        })
    }

    fn operand(&mut self) -> Parsed<Name> {
        let is_reserved =
            matches!(&self.token().kind, TokenKind::Word(word) if RESERVED.contains(&word.as_str()));
        if is_reserved {
            return Err(self.expected("a condition"));
        }
        self.word("a condition")
    }

    fn check(&mut self) -> Parsed<Check> {
        if let TokenKind::Sign(sign) = self.token().kind
            && let Some(op) = comparison(sign)
        {
            self.bump();
            return Ok(Check::Compare(op, self.value()?));
        }
        if self.eat_word("is") {
            return self.check_is();
        }
        if self.is_word("not") && (is_word(self.ahead(1), "in") || is_word(self.ahead(1), "includes")) {
            self.bump();
            return if self.eat_word("in") {
                Ok(Check::In { is_negated: true, list: self.list()? })
            } else {
                self.bump();
                self.check_includes(true)
            };
        }
        if self.eat_word("in") {
            return Ok(Check::In { is_negated: false, list: self.list()? });
        }
        match self.test_word() {
            Some(word) => self.check_word(word),
            None => Ok(Check::Bare),
        }
    }

    fn check_is(&mut self) -> Parsed<Check> {
        let is_negated = self.eat_word("not");
        if self.eat_word("in") {
            return Ok(Check::In { is_negated, list: self.list()? });
        }
        if self.is_word("known") || self.is_word("unknown") {
            let is_known = self.is_word("known") != is_negated;
            self.bump();
            return Ok(if is_known { Check::Known } else { Check::Unknown });
        }
        let op = if is_negated { Op::NotEqual } else { Op::Equal };
        Ok(Check::Compare(op, self.value()?))
    }

    /// A word such as `includes`, possibly misspelt, in the same line as the attribute.
    fn test_word(&mut self) -> Option<&'static str> {
        if let Some(word) = TEST_WORDS.into_iter().find(|word| self.is_word(word)) {
            self.bump();
            return Some(word);
        }
        let token = self.token();
        let TokenKind::Word(written) = &token.kind else { return None };
        if token.is_after_break || RESERVED.contains(&written.as_str()) {
            return None;
        }
        let meant = nearest(written, TEST_WORDS)?;
        let meant = TEST_WORDS.into_iter().find(|word| *word == meant)?;
        self.misspelt(meant);
        Some(meant)
    }

    fn check_word(&mut self, word: &str) -> Parsed<Check> {
        match word {
            "between" => {
                let low = self.value()?;
                self.keyword(&["and"])?;
                Ok(Check::Between(low, self.value()?))
            }
            "includes" => self.check_includes(false),
            "within" => {
                self.eat_word("last");
                Ok(Check::WithinMs(self.duration()?))
            }
            "before" => {
                let age_ms = self.duration()?;
                self.keyword(&["ago"])?;
                Ok(Check::BeforeMs(age_ms))
            }
            "contains" => Ok(Check::Contains(self.quoted("a text in quotes")?)),
            _ => {
                self.keyword(&["with"])?;
                let text = self.quoted("a text in quotes")?;
                Ok(if word == "starts" { Check::StartsWith(text) } else { Check::EndsWith(text) })
            }
        }
    }

    fn check_includes(&mut self, is_negated: bool) -> Parsed<Check> {
        let modes = [
            ("any", Includes::Any),
            ("all", Includes::All),
            ("none", Includes::None),
            ("only", Includes::Only),
        ];
        let mut mode = Includes::Any;
        if let Some((_, found)) = modes.into_iter().find(|(word, _)| self.is_word(word)) {
            self.bump();
            self.keyword(&["of"])?;
            mode = found;
        }
        Ok(Check::Includes { is_negated, mode, list: self.list()? })
    }
}

fn comparison(sign: &str) -> Option<Op> {
    match sign {
        "==" | "=" => Some(Op::Equal),
        "!=" => Some(Op::NotEqual),
        ">=" => Some(Op::AtLeast),
        "<=" => Some(Op::AtMost),
        ">" => Some(Op::Above),
        "<" => Some(Op::Below),
        _ => None,
    }
}
