//! Tokens to the tree as written: hand-written recursive descent with two tokens of look-ahead.
//!
//! Guarantees: total on any tokens; nesting is bounded, so recursion is; the tree is bounded, so memory is; after an error
//! the parser goes on at the next top-level keyword at the margin, and a misspelt keyword is reported and then read as what
//! it looks like, so that one run reports several mistakes.
//!
//! Not here: names and types (`crate::check`).

mod action;
mod condition;
mod item;
mod operand;
mod rule;
mod schedule;
mod test;
mod units;
mod value;

pub(crate) use condition::RESERVED;
use units::Units;

use crate::ast::{File, Name};
use crate::codes::Code;
use crate::diagnostic::{Diagnostic, Place, Sink, SourceFile};
use crate::lexer::{Lexer, Token, TokenKind};
use crate::limits;
use crate::nearest::nearest;

/// The parser gave up on the current item; the reason is reported.
#[derive(Debug)]
pub(crate) struct GaveUp;

pub(crate) type Parsed<T> = Result<T, GaveUp>;

/// What can start an item.
const ITEMS: [&str; 9] =
    ["language", "bundle", "purpose", "attribute", "event", "segment", "rule", "when", "test"];

/// The token that is read next and the two after it.
const AHEAD: usize = 3;

pub(crate) struct Parser<'a> {
    text: &'a str,
    lexer: Lexer<'a>,
    /// A ring: the next token is at `at`.
    tokens: [Token<'a>; AHEAD],
    at: usize,
    last_place: Place,
    depth: usize,
    /// Stands the condition in a block, where another one may follow in the same line?
    is_in_block: bool,
    units: &'a Units<'a>,
    nodes: &'a mut usize,
    sink: &'a mut Sink,
}

/// Parses all files of a bundle. What could not be parsed is left out and reported.
pub(crate) fn parse_all(files: &[SourceFile], sink: &mut Sink) -> Vec<File> {
    let (units, mut nodes) = (Units::of(files), 0);
    let numbered = files.iter().zip(0u32..);
    numbered.map(|(file, index)| parse(&file.text, index, &units, &mut nodes, sink)).collect()
}

/// Parses one file. What could not be parsed is left out and reported. `nodes` counts the parts of the trees of all files.
fn parse(text: &str, file: u32, units: &Units<'_>, nodes: &mut usize, sink: &mut Sink) -> File {
    let mut lexer = Lexer::new(text, file);
    let tokens = std::array::from_fn(|_| lexer.next(sink));
    let last_place = Place { file, start: 0, end: 0 };
    let (depth, is_in_block) = (0, false);
    let mut parser =
        Parser { text, lexer, tokens, at: 0, last_place, depth, is_in_block, units, nodes, sink };
    let mut tree = File::default();
    while !parser.is_at_end() && !parser.is_exhausted() {
        (parser.depth, parser.is_in_block) = (0, false);
        if parser.item(&mut tree).is_err() {
            parser.recover();
        }
    }
    tree
}

impl<'a> Parser<'a> {
    fn item(&mut self, tree: &mut File) -> Parsed<()> {
        match self.keyword(&ITEMS)? {
            "language" => self.language(),
            "bundle" => self.bundle(),
            "purpose" => self.purpose(tree),
            "attribute" => self.attribute(tree),
            "event" => self.event(tree),
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
            let is_item = matches!(token.kind, TokenKind::Word(word) if ITEMS.contains(&word));
            if token.is_at_margin && is_item {
                return;
            }
            self.bump();
        }
    }

    /// Is there no point in reading on? Either nothing more would be kept, or nothing more would be shown.
    fn is_exhausted(&self) -> bool {
        *self.nodes > limits::TREE_NODES_MAX || self.sink.is_full()
    }

    /// Counts a part of the tree.
    fn spend(&mut self) -> Parsed<()> {
        *self.nodes += 1;
        if *self.nodes <= limits::TREE_NODES_MAX {
            return Ok(());
        }
        if *self.nodes == limits::TREE_NODES_MAX + 1 {
            let message = format!("the files have more than {} parts", limits::TREE_NODES_MAX);
            self.sink.push(Diagnostic::new(Code::E080, self.place(), message));
        }
        Err(GaveUp)
    }

    fn token(&self) -> Token<'a> {
        self.tokens[self.at]
    }

    fn ahead(&self, by: usize) -> TokenKind<'a> {
        self.tokens[(self.at + by) % AHEAD].kind
    }

    fn is_at_end(&self) -> bool {
        self.token().kind == TokenKind::End
    }

    fn place(&self) -> Place {
        self.token().place
    }

    /// Place of the token before.
    fn last_place(&self) -> Place {
        self.last_place
    }

    fn bump(&mut self) -> Place {
        let token = self.token();
        if token.kind != TokenKind::End {
            self.tokens[self.at] = self.lexer.next(self.sink);
            self.at = (self.at + 1) % AHEAD;
            self.last_place = token.place;
        }
        token.place
    }

    fn is_word(&self, word: &str) -> bool {
        is_word(self.token().kind, word)
    }

    fn is_sign(&self, sign: &str) -> bool {
        is_sign(self.token().kind, sign)
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
        if let Some(found) = self.keyword_here(keywords) {
            return Ok(found);
        }
        let list: Vec<String> = keywords.iter().map(|keyword| format!("`{keyword}`")).collect();
        Err(self.expected(&list.join(", ")))
    }

    /// One of the keywords, perhaps misspelt, if one stands here.
    fn keyword_here(&mut self, keywords: &[&'static str]) -> Option<&'static str> {
        let TokenKind::Word(word) = self.token().kind else { return None };
        if let Some(found) = keywords.iter().find(|keyword| **keyword == word) {
            self.bump();
            return Some(found);
        }
        let meant = nearest(word, keywords.iter().copied())?;
        let meant = keywords.iter().find(|keyword| **keyword == meant)?;
        self.misspelt(meant);
        Some(meant)
    }

    /// Is the word here the keyword or a near miss of it?
    fn looks_like(&self, keyword: &str) -> bool {
        matches!(self.token().kind, TokenKind::Word(word) if nearest(word, [keyword]).is_some())
    }

    fn misspelt(&mut self, meant: &str) {
        let place = self.bump();
        self.sink.push(Diagnostic::misspelt(place, &self.text[place.range()], meant));
    }

    fn word(&mut self, what: &str) -> Parsed<Name> {
        match self.token().kind {
            TokenKind::Word(text) => Ok(Name { text: text.to_owned(), place: self.bump() }),
            _ => Err(self.expected(what)),
        }
    }

    fn quoted(&mut self, what: &str) -> Parsed<Name> {
        match self.token().kind {
            TokenKind::Text(text) => Ok(Name { text: text.value(), place: self.bump() }),
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
        let found = match token.kind {
            TokenKind::End => "the end of the file".to_owned(),
            _ => format!("`{}`", excerpt(&self.text[token.place.range()])),
        };
        let diagnostic = Diagnostic::new(Code::E030, token.place, format!("expected {what}, found {found}"));
        self.sink.push(diagnostic);
        GaveUp
    }

    /// A part that may appear once appears again.
    fn once(&mut self, is_repeated: bool, place: Place, what: &str) {
        if is_repeated {
            self.sink.push(Diagnostic::new(Code::E034, place, format!("{what} is given twice")));
        }
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

    /// Parses a part that stands in a block of its own, or in parentheses inside one.
    fn in_block<T>(&mut self, is_in_block: bool, parse: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        let outer = std::mem::replace(&mut self.is_in_block, is_in_block);
        let result = parse(self);
        self.is_in_block = outer;
        result
    }
}

/// A text, or so much of it that a message stays readable.
fn excerpt(text: &str) -> String {
    match text.char_indices().nth(limits::EXCERPT_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

fn is_word(kind: TokenKind<'_>, word: &str) -> bool {
    matches!(kind, TokenKind::Word(found) if found == word)
}

fn is_sign(kind: TokenKind<'_>, sign: &str) -> bool {
    matches!(kind, TokenKind::Sign(found) if found == sign)
}
