//! Text to tokens.
//!
//! Guarantees: total on any text; every token knows its bytes; numbers are exact (scaled integers, never floats);
//! look-alike characters are reported and then read as what they stand for, so that one curly quote costs one message.
//!
//! Cost: linear. Not here: what the tokens mean.

use tessera_rulevm::limits::WORD_BYTES_MAX;
use tessera_wire::signal::NUMBER_SCALE;

use crate::codes::Code;
use crate::diagnostic::{Diagnostic, Place, Sink};

/// What a token is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TokenKind {
    /// A keyword, name or path such as `device.type`.
    Word(String),
    /// A quoted text, without quotes and escapes.
    Text(String),
    /// A number, scaled.
    Number(i64),
    /// A sign, such as `{` or `->`.
    Sign(&'static str),
    /// The end of the file.
    End,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) kind: TokenKind,
    pub(crate) place: Place,
    /// Is it the first thing in its line, without indentation?
    pub(crate) is_at_margin: bool,
    /// Is there a line break between the token before and this one?
    pub(crate) is_after_break: bool,
}

/// Signs, longest first.
const SIGNS: [&str; 19] =
    ["..<", "..", "->", "==", "!=", ">=", "<=", ">", "<", "=", "{", "}", "(", ")", ",", ":", "%", "-", "."];

/// Look-alikes and what they stand for.
const LOOK_ALIKES: [(char, &str); 12] = [
    ('≥', ">="),
    ('≤', "<="),
    ('≠', "!="),
    ('→', "->"),
    ('…', ".."),
    ('“', "\""),
    ('”', "\""),
    ('„', "\""),
    ('«', "\""),
    ('»', "\""),
    ('‘', "\""),
    ('’', "\""),
];

struct Lexer<'a> {
    text: &'a str,
    file: u32,
    at: usize,
    tokens: Vec<Token>,
    sink: &'a mut Sink,
    is_after_break: bool,
}

/// The tokens of a file, ending with [`TokenKind::End`].
pub(crate) fn lex(text: &str, file: u32, sink: &mut Sink) -> Vec<Token> {
    let mut lexer = Lexer { text, file, at: 0, tokens: Vec::new(), sink, is_after_break: true };
    while lexer.next() {}
    lexer.push(TokenKind::End, text.len());
    lexer.tokens
}

impl Lexer<'_> {
    /// Reads one token or one piece of space; false at the end.
    fn next(&mut self) -> bool {
        let rest = &self.text[self.at..];
        let Some(first) = rest.chars().next() else { return false };
        if first == '\n' {
            self.is_after_break = true;
            self.at += 1;
        } else if first.is_whitespace() || first == '\u{feff}' {
            self.at += first.len_utf8();
        } else if first == '#' {
            self.at += rest.find('\n').unwrap_or(rest.len());
        } else if first == '"' {
            self.quoted('"');
        } else if first.is_ascii_digit()
            || (first == '-' && rest[1..].starts_with(|c: char| c.is_ascii_digit()))
        {
            self.number();
        } else if first.is_alphabetic() || first == '_' {
            self.word();
        } else {
            self.sign(first);
        }
        true
    }

    fn push(&mut self, kind: TokenKind, start: usize) {
        let is_at_margin = start == 0 || self.text.as_bytes().get(start - 1) == Some(&b'\n');
        let place = self.place(start, self.at);
        self.tokens.push(Token { kind, place, is_at_margin, is_after_break: self.is_after_break });
        self.is_after_break = false;
    }

    fn place(&self, start: usize, end: usize) -> Place {
        Place { file: self.file, start: start as u32, end: end as u32 }
    }

    fn word(&mut self) {
        let start = self.at;
        let bytes = self.text.as_bytes();
        let continues = |at: usize| {
            self.text[at..].chars().next().filter(|c| c.is_alphanumeric() || *c == '_').map(char::len_utf8)
        };
        let mut at = start;
        loop {
            if let Some(width) = continues(at) {
                at += width;
            } else if matches!(bytes.get(at), Some(b'.' | b'-')) && continues(at + 1).is_some() {
                at += 1;
            } else {
                break;
            }
        }
        self.at = at;
        self.push(TokenKind::Word(self.text[start..at].to_owned()), start);
    }

    fn number(&mut self) {
        let start = self.at;
        let bytes = self.text.as_bytes();
        let mut at = start + usize::from(bytes[start] == b'-');
        let digits = |mut at: usize| {
            while matches!(bytes.get(at), Some(b'0'..=b'9' | b'_')) {
                at += 1;
            }
            at
        };
        at = digits(at);
        if bytes.get(at) == Some(&b'.') && bytes.get(at + 1).is_some_and(u8::is_ascii_digit) {
            at = digits(at + 1);
        }
        self.at = at;
        let value = scaled(&self.text[start..at]);
        if value.is_none() {
            let place = self.place(start, at);
            self.sink.push(
                Diagnostic::new(Code::E004, place, "this number cannot be represented")
                    .label("at most six decimals, and not this large"),
            );
        }
        self.push(TokenKind::Number(value.unwrap_or(0)), start);
    }

    /// Reads a text up to `close`, or a double quote, or the end of the line.
    fn quoted(&mut self, close: char) {
        let start = self.at;
        let mut value = String::new();
        let mut chars = self.text[start..].char_indices().skip(1).peekable();
        while let Some((offset, found)) = chars.next() {
            match found {
                '\\' if matches!(chars.peek(), Some((_, '"' | '\\'))) => {
                    value.extend(chars.next().map(|(_, escaped)| escaped));
                }
                '\n' => break,
                _ if found == '"' || found == close => {
                    self.at = start + offset + found.len_utf8();
                    self.report_long_text(start, value.len());
                    self.push(TokenKind::Text(value), start);
                    return;
                }
                _ => value.push(found),
            }
        }
        let rest = &self.text[start..];
        self.at = start + rest.find('\n').unwrap_or(rest.len());
        self.sink.push(
            Diagnostic::new(Code::E001, self.place(start, self.at), "this text is not closed")
                .label("a text ends with `\"` on the same line"),
        );
        self.push(TokenKind::Text(value), start);
    }

    fn report_long_text(&mut self, start: usize, length: usize) {
        if length > WORD_BYTES_MAX {
            let message = format!("this text has more than {WORD_BYTES_MAX} bytes");
            self.sink.push(Diagnostic::new(Code::E005, self.place(start, self.at), message));
        }
    }

    fn sign(&mut self, first: char) {
        let start = self.at;
        let rest = &self.text[start..];
        if let Some(sign) = SIGNS.into_iter().find(|sign| rest.starts_with(sign)) {
            self.at += sign.len();
            self.push(TokenKind::Sign(sign), start);
        } else if let Some((_, meant)) = LOOK_ALIKES.into_iter().find(|(look_alike, _)| *look_alike == first)
        {
            self.look_alike(first, meant);
        } else {
            self.unexpected(first);
        }
    }

    fn look_alike(&mut self, found: char, meant: &'static str) {
        let start = self.at;
        let place = self.place(start, start + found.len_utf8());
        self.sink.push(
            Diagnostic::new(Code::E002, place, format!("`{found}` is a typographic character"))
                .label("not part of the language")
                .help(format!("write {meant}")),
        );
        if meant == "\"" {
            let close = match found {
                '“' | '„' => '”',
                '‘' => '’',
                '«' => '»',
                other => other,
            };
            self.quoted(close);
        } else {
            self.at += found.len_utf8();
            self.push(TokenKind::Sign(meant), start);
        }
    }

    fn unexpected(&mut self, found: char) {
        let start = self.at;
        let rest = &self.text[start..];
        let meant =
            [("&&", "and"), ("||", "or"), ("!", "not")].into_iter().find(|(sign, _)| rest.starts_with(sign));
        self.at += meant.map_or(found.len_utf8(), |(sign, _)| sign.len());
        let place = self.place(start, self.at);
        let diagnostic = Diagnostic::new(Code::E003, place, "this character has no meaning here");
        match meant {
            Some((_, word)) => {
                self.sink.push(diagnostic.help(format!("write `{word}`")));
                self.push(TokenKind::Word(word.to_owned()), start);
            }
            None => self.sink.push(diagnostic),
        }
    }
}

/// A number with optional sign, underscores and decimals, times [`NUMBER_SCALE`]; `None` when it cannot be exact.
fn scaled(text: &str) -> Option<i64> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    let decimals = decimals.replace('_', "");
    if decimals.len() > 6 {
        return None;
    }
    let is_negative = whole.starts_with('-');
    let whole: i64 = whole.trim_start_matches('-').replace('_', "").parse().ok()?;
    let fraction: i64 = format!("{decimals:0<6}").parse().ok()?;
    let value = whole.checked_mul(NUMBER_SCALE)?.checked_add(fraction)?;
    Some(if is_negative { -value } else { value })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str) -> Vec<TokenKind> {
        lex(text, 0, &mut Sink::default()).into_iter().map(|token| token.kind).collect()
    }

    #[test]
    fn numbers_are_exact_and_ranges_are_not_decimals() {
        use TokenKind::{End, Number, Sign};
        assert_eq!(kinds("2_000.5"), [Number(2_000_500_000), End]);
        assert_eq!(kinds("18..24"), [Number(18_000_000), Sign(".."), Number(24_000_000), End]);
        assert_eq!(kinds("-1..<-0.5"), [Number(-1_000_000), Sign("..<"), Number(-500_000), End]);
        assert_eq!(scaled("9223372036854.775807"), Some(i64::MAX));
        assert_eq!(scaled("9223372036854.775808"), None);
        assert_eq!(scaled("0.0000001"), None);
    }

    #[test]
    fn words_contain_dots_and_hyphens_but_not_at_their_end() {
        let word = |text: &str| TokenKind::Word(text.to_owned());
        assert_eq!(kinds("device.type RO-CJ"), [word("device.type"), word("RO-CJ"), TokenKind::End]);
        assert_eq!(kinds("a->"), [word("a"), TokenKind::Sign("->"), TokenKind::End]);
        assert_eq!(kinds("a..b"), [word("a"), TokenKind::Sign(".."), word("b"), TokenKind::End]);
    }

    #[test]
    fn look_alikes_are_read_as_what_they_stand_for() {
        let mut sink = Sink::default();
        let tokens = lex("“ab” ≥ \"c\\\"d\"", 0, &mut sink);
        let text = |text: &str| TokenKind::Text(text.to_owned());
        let kinds: Vec<_> = tokens.into_iter().map(|token| token.kind).collect();
        assert_eq!(kinds, [text("ab"), TokenKind::Sign(">="), text("c\"d"), TokenKind::End]);
        assert_eq!(sink.into_sorted(&[]).len(), 2);
    }
}
