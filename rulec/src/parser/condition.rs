//! Conditions: connectives, blocks and the tests of one attribute.

use super::{GaveUp, Parsed, Parser, is_sign, is_word};
use crate::ast::{Check, Cond, CondKind, Includes, Op};
use crate::codes::Code;
use crate::diagnostic::{Diagnostic, Place};
use crate::lexer::TokenKind;
use crate::limits;
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

/// Words before a parenthesis.
const WRAPPERS: [&str; 4] = ["definitely", "possibly", "segment", "active"];

impl Parser<'_> {
    pub(super) fn condition(&mut self) -> Parsed<Cond> {
        self.nested(Self::chain)
    }

    /// Conditions up to the closing brace; they are all meant.
    pub(super) fn conditions_in_braces(&mut self) -> Parsed<Vec<Cond>> {
        self.sign("{")?;
        let mut conditions = Vec::new();
        while !self.is_sign("}") {
            conditions.push(self.in_block(true, Self::condition)?);
        }
        if conditions.is_empty() {
            return Err(self.expected("a condition"));
        }
        self.bump();
        Ok(conditions)
    }

    fn chain(&mut self) -> Parsed<Cond> {
        let first = self.negation()?;
        let Some(join) = self.connective() else { return Ok(first) };
        let start = first.place;
        let (mut parts, mut joins) = (vec![first], vec![join]);
        loop {
            parts.push(self.negation()?);
            match self.connective() {
                Some(join) => joins.push(join),
                None => break,
            }
        }
        self.spend()?;
        let is_and = join.0;
        if let Some((_, place)) = joins.iter().find(|join| join.0 != is_and) {
            self.report_mixture(*place, &parts, &joins);
        }
        let kind = if is_and { CondKind::And(parts) } else { CondKind::Or(parts) };
        Ok(Cond { kind, place: start.to(self.last_place()) })
    }

    /// `and` (true) or `or`. In a block another condition may follow instead, so only outside one is a misspelling clear.
    fn connective(&mut self) -> Option<(bool, Place)> {
        let token = self.token();
        let TokenKind::Word(word) = token.kind else { return None };
        let meant = match word {
            "and" => "and",
            "or" => "or",
            _ if token.is_after_break || self.is_in_block || RESERVED.contains(&word) => return None,
            _ => {
                let meant = nearest(word, ["and", "or"])?;
                self.misspelt(meant);
                return Some((meant == "and", token.place));
            }
        };
        Some((meant == "and", self.bump()))
    }

    fn report_mixture(&mut self, place: Place, parts: &[Cond], joins: &[(bool, Place)]) {
        let mut diagnostic =
            Diagnostic::new(Code::E020, place, "`and` and `or` are mixed without parentheses")
                .label("which of the two belongs together?");
        let whole = parts[0].place.to(self.last_place());
        if whole.range().len() <= 2 * limits::LINE_CHARS_MAX {
            let and_first = self.reading(parts, joins, true);
            let or_first = self.reading(parts, joins, false);
            diagnostic = diagnostic
                .help(format!("if you mean this, write: {and_first}"))
                .help(format!("or this:                 {or_first}"));
        }
        self.sink.push(diagnostic);
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
    pub(super) fn source(&self, place: Place) -> String {
        self.text[place.range()].split_whitespace().collect::<Vec<_>>().join(" ")
    }

    fn negation(&mut self) -> Parsed<Cond> {
        if !self.is_word("not") {
            return self.primary();
        }
        self.spend()?;
        let start = self.bump();
        let inner = self.nested(Self::negation)?;
        let place = start.to(inner.place);
        Ok(Cond { kind: CondKind::Not(Box::new(inner)), place })
    }

    fn primary(&mut self) -> Parsed<Cond> {
        self.spend()?;
        let start = self.place();
        if self.eat_sign("(") {
            let inner = self.in_block(false, Self::condition)?;
            self.sign(")")?;
            return Ok(Cond { place: start.to(self.last_place()), ..inner });
        }
        let TokenKind::Word(word) = self.token().kind else { return Err(self.expected("a condition")) };
        let kind = if let Some(wrapper) = self.wrapper(word) {
            self.wrapped(wrapper)?
        } else if word == "match" {
            self.bump();
            self.match_block()?
        } else if self.is_count_ahead() {
            let count = self.count()?;
            CondKind::Count(Box::new(count), self.check()?)
        } else if self.is_bucket_ahead() {
            let bucket = self.bucket()?;
            CondKind::Bucket(bucket, self.check()?)
        } else if RESERVED.contains(&word) {
            return Err(self.expected("a condition"));
        } else {
            let operand = self.word("a condition")?;
            CondKind::Test(operand, self.check()?)
        };
        Ok(Cond { kind, place: start.to(self.last_place()) })
    }

    /// A word such as `possibly`, perhaps misspelt, before a parenthesis; both are read.
    fn wrapper(&mut self, word: &str) -> Option<&'static str> {
        if !is_sign(self.ahead(1), "(") {
            return None;
        }
        let wrapper = self.keyword_here(&WRAPPERS)?;
        debug_assert!(self.is_sign("("), "INVARIANT: `{word}` was followed by a parenthesis");
        self.bump();
        Some(wrapper)
    }

    fn wrapped(&mut self, wrapper: &str) -> Parsed<CondKind> {
        let kind = match wrapper {
            "segment" => CondKind::Segment(self.quoted("the segment's name in quotes")?),
            "active" => CondKind::Active(Box::new(self.schedule()?)),
            _ => {
                let inner = Box::new(self.in_block(false, Self::condition)?);
                if wrapper == "definitely" { CondKind::Definitely(inner) } else { CondKind::Possibly(inner) }
            }
        };
        self.sign(")")?;
        Ok(kind)
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

    fn check(&mut self) -> Parsed<Check> {
        let word = match self.token().kind {
            TokenKind::Sign(sign) => {
                let Some(op) = comparison(sign) else { return Ok(Check::Bare) };
                self.bump();
                return Ok(Check::Compare(op, self.value()?));
            }
            TokenKind::Word(word) => word,
            _ => return Ok(Check::Bare),
        };
        match word {
            "is" => {
                self.bump();
                self.check_is()
            }
            "in" => {
                self.bump();
                Ok(Check::In { is_negated: false, list: self.list()? })
            }
            "not" if is_word(self.ahead(1), "in") => {
                self.bump();
                self.bump();
                Ok(Check::In { is_negated: true, list: self.list()? })
            }
            "not" if is_word(self.ahead(1), "includes") => {
                self.bump();
                self.bump();
                self.check_includes(true)
            }
            _ => match self.test_word(word) {
                Some(word) => self.check_word(word),
                None => Ok(Check::Bare),
            },
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
    fn test_word(&mut self, written: &str) -> Option<&'static str> {
        if let Some(word) = TEST_WORDS.into_iter().find(|word| *word == written) {
            self.bump();
            return Some(word);
        }
        // A test goes on with a value; otherwise the word is the next condition of a block.
        let ends_here = match self.ahead(1) {
            TokenKind::Sign(sign) => sign != "(",
            TokenKind::Word("and" | "or" | "then") | TokenKind::End => true,
            _ => self.is_check_ahead(1),
        };
        if ends_here || self.token().is_after_break || RESERVED.contains(&written) {
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
                Ok(Check::Between(Box::new(low), Box::new(self.value()?)))
            }
            "includes" => self.check_includes(false),
            "within" => {
                if let TokenKind::Word(_) = self.token().kind {
                    self.keyword(&["last"])?;
                }
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
        let mut mode = Includes::Any;
        if is_word(self.ahead(1), "of") {
            mode = match self.keyword(&["any", "all", "none", "only"])? {
                "any" => Includes::Any,
                "all" => Includes::All,
                "none" => Includes::None,
                _ => Includes::Only,
            };
            self.keyword(&["of"])?;
        }
        Ok(Check::Includes { is_negated, mode, list: self.list()? })
    }

    /// Does a check begin `by` tokens further on, so that the word before it names an attribute?
    pub(super) fn is_check_ahead(&self, by: usize) -> bool {
        match self.ahead(by) {
            TokenKind::Sign(sign) => comparison(sign).is_some(),
            TokenKind::Word("is" | "in") => true,
            TokenKind::Word(word) => TEST_WORDS.contains(&word),
            _ => false,
        }
    }

    pub(super) fn gave_up<T>(&mut self, diagnostic: Diagnostic) -> Parsed<T> {
        self.sink.push(diagnostic);
        Err(GaveUp)
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
