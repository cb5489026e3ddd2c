//! Tokens to the tree as written: hand-written recursive descent with two tokens of look-ahead.
//!
//! Guarantees: total on any tokens; nesting is bounded, so recursion is; after an error the parser goes on at the next
//! top-level keyword at the margin, and a misspelt keyword is reported and then read as what it looks like, so that one
//! run reports several mistakes.
//!
//! Not here: names and types (`crate::check`).

mod condition;
mod item;
mod value;

pub(crate) use condition::RESERVED;

use crate::ast::{File, Name};
use crate::codes::Code;
use crate::diagnostic::{Diagnostic, Place, Sink};
use crate::lexer::{Token, TokenKind, lex};
use crate::limits;
use crate::nearest::nearest;

/// The parser gave up on the current item; the reason is reported.
#[derive(Debug)]
pub(crate) struct GaveUp;

pub(crate) type Parsed<T> = Result<T, GaveUp>;

/// What can start an item.
const ITEMS: [&str; 8] = ["language", "bundle", "purpose", "attribute", "segment", "rule", "when", "test"];

pub(crate) struct Parser<'a> {
    text: &'a str,
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
    sink: &'a mut Sink,
}

/// Parses one file. What could not be parsed is left out and reported.
pub(crate) fn parse(text: &str, file: u32, sink: &mut Sink) -> File {
    let tokens = lex(text, file, sink);
    let mut parser = Parser { text, tokens, at: 0, depth: 0, sink };
    let mut tree = File::default();
    while !parser.is_at_end() {
        parser.depth = 0;
        if parser.item(&mut tree).is_err() {
            parser.recover();
        }
    }
    tree
}

impl Parser<'_> {
    fn item(&mut self, tree: &mut File) -> Parsed<()> {
        match self.keyword(&ITEMS)? {
            "language" => self.language(),
            "bundle" => self.bundle(),
            "purpose" => self.purpose(tree),
            "attribute" => self.attribute(tree),
            "segment" => self.segment(tree),
            "rule" => self.rule(tree),
            "when" => self.one_line_rule(tree),
            _ => self.test(tree),
        }
    }

    /// Skips to the next item at the margin. Always makes progress unless it already stands there.
    fn recover(&mut self) {
        while !self.is_at_end() {
            let token = self.token();
            let is_item = matches!(&token.kind, TokenKind::Word(word) if ITEMS.contains(&word.as_str()));
            if token.is_at_margin && is_item {
                return;
            }
            self.bump();
        }
    }

    fn token(&self) -> &Token {
        &self.tokens[self.at]
    }

    fn ahead(&self, by: usize) -> &TokenKind {
        let last = self.tokens.len() - 1;
        &self.tokens[(self.at + by).min(last)].kind
    }

    fn is_at_end(&self) -> bool {
        self.token().kind == TokenKind::End
    }

    fn place(&self) -> Place {
        self.token().place
    }

    /// Place of the token before.
    fn last_place(&self) -> Place {
        self.tokens[self.at.saturating_sub(1)].place
    }

    fn bump(&mut self) -> Place {
        let place = self.place();
        if !self.is_at_end() {
            self.at += 1;
        }
        place
    }

    fn is_word(&self, word: &str) -> bool {
        is_word(&self.token().kind, word)
    }

    fn is_sign(&self, sign: &str) -> bool {
        matches!(&self.token().kind, TokenKind::Sign(found) if *found == sign)
    }

    fn eat_word(&mut self, word: &str) -> bool {
        let is_there = self.is_word(word);
        if is_there {
            self.bump();
        }
        is_there
    }

    fn eat_sign(&mut self, sign: &str) -> bool {
        let is_there = self.is_sign(sign);
        if is_there {
            self.bump();
        }
        is_there
    }

    fn sign(&mut self, sign: &'static str) -> Parsed<Place> {
        if self.is_sign(sign) { Ok(self.bump()) } else { Err(self.expected(&format!("`{sign}`"))) }
    }

    /// One of the keywords; a near miss is reported and taken for the keyword.
    fn keyword(&mut self, keywords: &[&'static str]) -> Parsed<&'static str> {
        if let Some(found) = keywords.iter().find(|keyword| self.is_word(keyword)) {
            self.bump();
            return Ok(found);
        }
        if let TokenKind::Word(word) = &self.token().kind
            && let Some(meant) = nearest(word, keywords.iter().copied())
            && let Some(meant) = keywords.iter().find(|keyword| **keyword == meant)
        {
            self.misspelt(meant);
            return Ok(meant);
        }
        let list: Vec<String> = keywords.iter().map(|keyword| format!("`{keyword}`")).collect();
        Err(self.expected(&list.join(", ")))
    }

    fn misspelt(&mut self, meant: &str) {
        let place = self.bump();
        let written = &self.text[place.range()];
        self.sink.push(
            Diagnostic::new(Code::E031, place, format!("`{written}` is not a keyword"))
                .label(format!("`{meant}` is expected here"))
                .did_you_mean(Some(meant)),
        );
    }

    fn word(&mut self, what: &str) -> Parsed<Name> {
        match self.token().kind.clone() {
            TokenKind::Word(text) => Ok(Name { text, place: self.bump() }),
            _ => Err(self.expected(what)),
        }
    }

    fn quoted(&mut self, what: &str) -> Parsed<Name> {
        match self.token().kind.clone() {
            TokenKind::Text(text) => Ok(Name { text, place: self.bump() }),
            _ => Err(self.expected(what)),
        }
    }

    fn number(&mut self, what: &str) -> Parsed<(i64, Place)> {
        match self.token().kind {
            TokenKind::Number(value) => Ok((value, self.bump())),
            _ => Err(self.expected(what)),
        }
    }

    fn expected(&mut self, what: &str) -> GaveUp {
        let token = self.token();
        let found = match &token.kind {
            TokenKind::End => "the end of the file".to_owned(),
            _ => format!("`{}`", &self.text[token.place.range()]),
        };
        let diagnostic = Diagnostic::new(Code::E030, token.place, format!("expected {what}, found {found}"));
        self.sink.push(diagnostic);
        GaveUp
    }

    /// Goes one level deeper for the duration of `parse`.
    fn nested<T>(&mut self, parse: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        if self.depth == limits::NESTING_MAX {
            let message = format!("more than {} levels inside one another", limits::NESTING_MAX);
            self.sink.push(Diagnostic::new(Code::E006, self.place(), message));
            return Err(GaveUp);
        }
        self.depth += 1;
        let result = parse(self);
        self.depth -= 1;
        result
    }
}

fn is_word(kind: &TokenKind, word: &str) -> bool {
    matches!(kind, TokenKind::Word(found) if found == word)
}
