//! Tokens to logical lines, and logical lines to text.
//!
//! A logical line is an item, a clause, or a part of a block, whatever lines its author spread it over. It holds tokens,
//! blocks of further lines, kept breaks and comments.

use std::collections::HashSet;
use std::fmt::Write;

use super::spacing::{is_spaced, spelling};
use super::{Comment, Gap, WIDTH};
use crate::lexer::{Token, TokenKind};

/// What can start an item.
const ITEMS: [&str; 9] =
    ["language", "bundle", "purpose", "attribute", "event", "segment", "rule", "when", "test"];
/// What starts a clause of a rule.
const CLAUSES: [&str; 7] = ["when", "unless", "active", "cap", "rollout", "then", "otherwise"];

/// Everything about the file.
pub(super) struct Source<'a> {
    pub(super) text: &'a str,
    pub(super) tokens: &'a [Token<'a>],
    /// The gap before each token; what follows the last token is handled as the gap of one more.
    pub(super) comments: &'a [Gap],
    pub(super) starts: &'a HashSet<u32>,
}

/// What the lines of a block are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Items,
    Clauses,
    Test,
    Conditions,
    Tiers,
    Arms,
}

pub(super) struct Line {
    before: Vec<Comment>,
    is_after_blank: bool,
    pieces: Vec<Piece>,
    /// A comment at its end.
    after: Option<String>,
}

enum Piece {
    Token(usize),
    Break,
    Comment(String),
    Block(Block),
}

struct Block {
    kind: Kind,
    lines: Vec<Line>,
    /// Comments after the last line.
    tail: Vec<Comment>,
    was_inline: bool,
    close: usize,
}

pub(super) struct Reader<'a> {
    source: &'a Source<'a>,
    at: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(source: &'a Source<'a>) -> Reader<'a> {
        Reader { source, at: 0 }
    }

    /// All lines of the file; the last may be only comments.
    pub(super) fn lines(mut self) -> Vec<Line> {
        let (mut lines, tail) = self.block(Kind::Items);
        if !tail.is_empty() {
            let is_after_blank = tail.first().is_some_and(|comment| comment.is_after_blank);
            lines.push(Line { before: tail, is_after_blank, pieces: Vec::new(), after: None });
        }
        lines
    }

    /// Lines up to the closing brace or the end, and the comments before that.
    fn block(&mut self, kind: Kind) -> (Vec<Line>, Vec<Comment>) {
        let mut lines: Vec<Line> = Vec::new();
        loop {
            let mut comments = self.gap(self.at).comments;
            if let Some(line) = lines.last_mut()
                && comments.first().is_some_and(|comment| !comment.is_alone)
            {
                line.after = Some(comments.remove(0).text);
            }
            if self.is_end() || self.is_sign(self.at, "}") {
                return (lines, comments);
            }
            lines.push(self.line(kind, comments));
        }
    }

    fn line(&mut self, kind: Kind, before: Vec<Comment>) -> Line {
        let gap = self.gap(self.at);
        let is_after_blank = match before.first() {
            Some(comment) => comment.is_after_blank,
            None => gap.is_after_blank,
        };
        let (mut pieces, mut depth) = (Vec::new(), 0i32);
        let first = self.at;
        while !self.is_end() && !self.is_sign(self.at, "}") {
            if self.at > first {
                if depth <= 0 && self.starts_line(kind) {
                    break;
                }
                self.push_gap(kind, depth, &mut pieces);
            }
            if self.is_sign(self.at, "{") {
                pieces.push(Piece::Block(self.braces(first)));
                continue;
            }
            depth += i32::from(self.is_sign(self.at, "(")) - i32::from(self.is_sign(self.at, ")"));
            pieces.push(Piece::Token(self.at));
            self.at += 1;
        }
        Line { before, is_after_blank, pieces, after: None }
    }

    /// Comments inside a line, and the breaks that are kept.
    fn push_gap(&self, kind: Kind, depth: i32, pieces: &mut Vec<Piece>) {
        let gap = self.gap(self.at);
        let is_joint = self.is_word(self.at, &["and", "or"]);
        if gap.comments.is_empty() && gap.breaks > 0 && is_joint && (kind != Kind::Arms || depth > 0) {
            pieces.push(Piece::Break);
        }
        pieces.extend(gap.comments.into_iter().map(|comment| Piece::Comment(comment.text)));
    }

    fn braces(&mut self, first: usize) -> Block {
        let open = self.at;
        let kind = self.kind_of_block(first, open);
        self.at += 1;
        let (lines, tail) = self.block(kind);
        let close = self.at.min(self.source.tokens.len().saturating_sub(1));
        let inside = open + 1..=close;
        let was_inline = inside.clone().all(|at| {
            let gap = self.gap(at);
            gap.breaks == 0 && gap.comments.is_empty()
        });
        self.at = close + 1;
        Block { kind, lines, tail, was_inline, close }
    }

    fn kind_of_block(&self, first: usize, open: usize) -> Kind {
        let before = open.saturating_sub(1);
        if self.is_word(before, &["all", "any", "none"]) && self.is_word(before.saturating_sub(1), &["match"])
        {
            Kind::Conditions
        } else if self.is_word(before, &["first"]) {
            Kind::Tiers
        } else if self.is_word(first, &["segment"]) {
            Kind::Conditions
        } else if self.is_word(first, &["rule"]) {
            Kind::Clauses
        } else if self.is_word(first, &["test"]) {
            Kind::Test
        } else {
            Kind::Arms
        }
    }

    fn starts_line(&self, kind: Kind) -> bool {
        let before = self.at - 1;
        match kind {
            Kind::Items => {
                let is_apart = self.source.tokens[self.at].is_at_margin || self.is_sign(before, "}");
                is_apart && self.is_word(self.at, &ITEMS)
            }
            // `active(…)` is a condition.
            Kind::Clauses => self.is_word(self.at, &CLAUSES) && !self.is_sign(self.at + 1, "("),
            Kind::Test => self.is_word(self.at, &["given", "expect"]),
            Kind::Conditions => self.is_listed_start() && !self.is_word(before, &["and", "or", "not"]),
            Kind::Tiers => self.is_listed_start() || self.is_word(self.at, &["otherwise"]),
            Kind::Arms => self.is_sign(before, ","),
        }
    }

    fn is_listed_start(&self) -> bool {
        self.source.starts.contains(&self.source.tokens[self.at].place.start)
    }

    fn is_end(&self) -> bool {
        self.at >= self.source.tokens.len()
    }

    fn is_sign(&self, at: usize, sign: &str) -> bool {
        let token = self.source.tokens.get(at);
        token.is_some_and(|token| matches!(token.kind, TokenKind::Sign(found) if found == sign))
    }

    fn is_word(&self, at: usize, words: &[&str]) -> bool {
        let token = self.source.tokens.get(at);
        token.is_some_and(|token| matches!(&token.kind, TokenKind::Word(word) if words.contains(word)))
    }

    fn gap(&self, at: usize) -> Gap {
        self.source.comments.get(at).cloned().unwrap_or_default()
    }
}

/// Writes all lines of a file.
pub(super) fn write(source: &Source<'_>, lines: &[Line], out: &mut String) {
    let mut writer = Writer { source, out, column: 0, before: 0..0, is_given: false, is_declaration: false };
    writer.lines(lines, 0);
}

struct Writer<'a> {
    source: &'a Source<'a>,
    out: &'a mut String,
    column: usize,
    /// Tokens of the current line so far.
    before: std::ops::Range<usize>,
    is_given: bool,
    is_declaration: bool,
}

impl Writer<'_> {
    fn lines(&mut self, lines: &[Line], indent: usize) {
        for (number, line) in lines.iter().enumerate() {
            if number > 0 && line.is_after_blank {
                self.out.push('\n');
            }
            self.own_comments(&line.before, indent, true);
            if line.pieces.is_empty() {
                continue;
            }
            self.indent(indent);
            self.begin(line);
            self.pieces(&line.pieces, indent);
            if let Some(comment) = &line.after {
                self.push("  ");
                self.push(comment);
            }
            self.end_line();
        }
    }

    fn begin(&mut self, line: &Line) {
        let first = line.pieces.iter().find_map(|piece| match piece {
            Piece::Token(at) => Some(*at),
            _ => None,
        });
        let first = first.unwrap_or(0);
        let is_word = |word: &str| matches!(self.source.tokens.get(first).map(|token| &token.kind), Some(TokenKind::Word(found)) if *found == word);
        (self.is_given, self.is_declaration) = (is_word("given"), is_word("attribute"));
        self.before = first..first;
    }

    fn own_comments(&mut self, comments: &[Comment], indent: usize, skips_first_blank: bool) {
        for (number, comment) in comments.iter().enumerate() {
            if comment.is_after_blank && !(number == 0 && skips_first_blank) {
                self.out.push('\n');
            }
            self.indent(indent);
            self.push(&comment.text);
            self.end_line();
        }
    }

    fn pieces(&mut self, pieces: &[Piece], indent: usize) {
        for (number, piece) in pieces.iter().enumerate() {
            match piece {
                Piece::Token(at) => self.token(*at),
                Piece::Break => {
                    self.end_line();
                    self.indent(indent + 1);
                }
                Piece::Comment(text) => {
                    self.push("  ");
                    self.push(text);
                    self.end_line();
                    let is_last = number + 1 == pieces.len();
                    self.indent(if is_last { indent } else { indent + 1 });
                }
                Piece::Block(block) => self.block(block, indent),
            }
        }
    }

    fn block(&mut self, block: &Block, indent: usize) {
        self.gap_before_brace();
        let mut inline = String::new();
        if block.was_inline && inline_block(self.source, block, self.state(), &mut inline) {
            let width = self.column + inline.chars().count();
            if width <= WIDTH {
                self.push(&inline);
                self.before = block.close..block.close + 1;
                return;
            }
        }
        let (is_given, is_declaration) = (self.is_given, self.is_declaration);
        self.push("{");
        self.end_line();
        self.lines(&block.lines, indent + 1);
        self.own_comments(&block.tail, indent + 1, false);
        self.indent(indent);
        self.push("}");
        (self.is_given, self.is_declaration) = (is_given, is_declaration);
        self.before = block.close..block.close + 1;
    }

    fn state(&self) -> (bool, bool) {
        (self.is_given, self.is_declaration)
    }

    fn gap_before_brace(&mut self) {
        if self.column > 0 && !self.out.ends_with(' ') {
            self.push(" ");
        }
    }

    fn token(&mut self, at: usize) {
        let is_line_start = self.out.is_empty() || self.out.ends_with('\n') || self.out.ends_with("  ");
        let before = &self.source.tokens[self.before.clone()];
        let token = &self.source.tokens[at];
        let was_tight = self.source.comments.get(at).is_some_and(|gap| gap.is_empty);
        if !is_line_start && is_spaced(before, token, was_tight, self.is_declaration) {
            self.push(" ");
        }
        let text = text_of(self.source, at, self.is_given);
        self.push(text);
        self.before = if self.before.end == at { self.before.start..at + 1 } else { at..at + 1 };
    }

    fn push(&mut self, text: &str) {
        self.out.push_str(text);
        self.column += text.chars().count();
    }

    fn indent(&mut self, indent: usize) {
        // Writing to a String cannot fail.
        let _ = write!(self.out, "{:1$}", "", indent * 2);
        self.column = indent * 2;
    }

    fn end_line(&mut self) {
        self.out.truncate(self.out.trim_end_matches(' ').len());
        self.out.push('\n');
        self.column = 0;
    }
}

fn text_of<'a>(source: &Source<'a>, at: usize, is_given: bool) -> &'a str {
    let token = &source.tokens[at];
    let written = source.text.get(token.place.range()).unwrap_or("");
    spelling(token, source.tokens.get(at + 1), written, is_given)
}

/// The block in one line; false when something in it needs lines of its own.
fn inline_block(source: &Source<'_>, block: &Block, state: (bool, bool), out: &mut String) -> bool {
    // Without a comma or an arrow between them, two conditions need a wider gap to be told apart.
    let gap = if block.kind == Kind::Conditions { "  " } else { " " };
    out.push('{');
    for (number, line) in block.lines.iter().enumerate() {
        out.push_str(if number == 0 { " " } else { gap });
        let mut writer = Writer {
            source,
            out: &mut String::new(),
            column: 0,
            before: 0..0,
            is_given: state.0,
            is_declaration: state.1,
        };
        if line.after.is_some() || !line.before.is_empty() {
            return false;
        }
        writer.begin(line);
        for piece in &line.pieces {
            match piece {
                Piece::Token(at) => writer.token(*at),
                Piece::Block(inner) => {
                    writer.gap_before_brace();
                    let mut text = String::new();
                    if !inline_block(source, inner, writer.state(), &mut text) {
                        return false;
                    }
                    writer.push(&text);
                    writer.before = inner.close..inner.close + 1;
                }
                Piece::Break | Piece::Comment(_) => return false,
            }
        }
        out.push_str(writer.out);
    }
    out.push_str(" }");
    true
}
