//! Text to tokens, one at a time.
//!
//! Guarantees: total on any text; every token knows its bytes; numbers are exact (scaled integers, never floats);
//! look-alike characters are reported and then read as what they stand for, so that one curly quote costs one message.
//!
//! Cost: linear, and no memory: tokens borrow the text. Not here: what the tokens mean.

mod literal;

use tessera_rulevm::limits::WORD_BYTES_MAX;

use crate::codes::Code;
use crate::diagnostic::{Diagnostic, Place, Sink};

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TokenKind<'a> {
    /// A keyword, name or path such as `device.type`.
    Word(&'a str),
    /// A quoted text.
    Text(Quoted<'a>),
    /// A number, scaled.
    Number(i64),
    /// Three numbers or more with dots, such as `17.4.1`.
    Version(&'a str),
    /// Year, month and day, as written.
    Date(i16, i8, i8),
    /// Minute of the day; 24:00 is 1,440.
    Clock(u16),
    /// A sign, such as `{` or `->`.
    Sign(&'static str),
    /// The end of the file.
    End,
}

/// What stands between quotes, escapes included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Quoted<'a> {
    raw: &'a str,
    has_escapes: bool,
}

impl Quoted<'_> {
    /// The text itself.
    pub(crate) fn value(self) -> String {
        if !self.has_escapes {
            return self.raw.to_owned();
        }
        let mut value = String::with_capacity(self.raw.len());
        let mut chars = self.raw.chars().peekable();
        while let Some(found) = chars.next() {
            let is_escape = found == '\\' && matches!(chars.peek(), Some('"' | '\\'));
            value.push(if is_escape { chars.next().unwrap_or(found) } else { found });
        }
        value
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Token<'a> {
    pub(crate) kind: TokenKind<'a>,
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

#[derive(Debug)]
pub(crate) struct Lexer<'a> {
    text: &'a str,
    file: u32,
    at: usize,
    is_after_break: bool,
}

/// The tokens of a text up to [`TokenKind::End`], for those who need them all at once.
pub(crate) fn lex<'a>(text: &'a str, file: u32, sink: &mut Sink) -> Vec<Token<'a>> {
    let mut lexer = Lexer::new(text, file);
    let mut tokens = Vec::new();
    loop {
        let token = lexer.next(sink);
        tokens.push(token);
        if token.kind == TokenKind::End {
            return tokens;
        }
    }
}

impl<'a> Lexer<'a> {
    pub(crate) fn new(text: &'a str, file: u32) -> Lexer<'a> {
        Lexer { text, file, at: 0, is_after_break: true }
    }

    /// From this byte on, which must begin a character.
    pub(crate) fn from(text: &'a str, file: u32, at: usize) -> Lexer<'a> {
        Lexer { at, ..Lexer::new(text, file) }
    }

    /// The next token; at the end of the text [`TokenKind::End`], again and again.
    pub(crate) fn next(&mut self, sink: &mut Sink) -> Token<'a> {
        loop {
            self.skip_space();
            let start = self.at;
            let found = match self.text.as_bytes().get(start) {
                None => Some(TokenKind::End),
                Some(b'"') => Some(self.quoted('"', sink)),
                Some(b'0'..=b'9') => Some(self.number(sink)),
                Some(b'-') if matches!(self.text.as_bytes().get(start + 1), Some(b'0'..=b'9')) => {
                    Some(self.number(sink))
                }
                Some(b'a'..=b'z' | b'A'..=b'Z' | b'_') => Some(self.word(sink)),
                Some(byte) if byte.is_ascii() => self.sign(sink),
                Some(_) => self.beyond_ascii(sink),
            };
            if let Some(kind) = found {
                return self.token(kind, start);
            }
        }
    }

    /// Past spaces, line breaks and comments.
    fn skip_space(&mut self) {
        let bytes = self.text.as_bytes();
        loop {
            match bytes.get(self.at) {
                Some(b'\n') => {
                    self.is_after_break = true;
                    self.at += 1;
                }
                Some(b' ' | b'\t' | b'\r') => self.at += 1,
                Some(b'#') => {
                    let rest = &self.text[self.at..];
                    self.at += rest.find('\n').unwrap_or(rest.len());
                }
                _ => return,
            }
        }
    }

    fn token(&mut self, kind: TokenKind<'a>, start: usize) -> Token<'a> {
        let is_at_margin = start == 0 || self.text.as_bytes().get(start - 1) == Some(&b'\n');
        let is_after_break = std::mem::take(&mut self.is_after_break);
        Token { kind, place: self.place(start, self.at), is_at_margin, is_after_break }
    }

    fn place(&self, start: usize, end: usize) -> Place {
        Place { file: self.file, start: start as u32, end: end as u32 }
    }

    fn word(&mut self, sink: &mut Sink) -> TokenKind<'a> {
        let start = self.at;
        self.at = start + word_end(&self.text[start..]);
        let word = &self.text[start..self.at];
        if word.len() <= WORD_BYTES_MAX {
            return TokenKind::Word(word);
        }
        self.report_long(start, sink);
        TokenKind::Word(cut(word))
    }

    /// Reads a text up to `close`, or a double quote, or the end of the line.
    fn quoted(&mut self, close: char, sink: &mut Sink) -> TokenKind<'a> {
        let start = self.at;
        let open = self.text[start..].chars().next().map_or(0, char::len_utf8);
        let body = &self.text[start + open..];
        let mut has_escapes = false;
        let mut chars = body.char_indices().peekable();
        while let Some((offset, found)) = chars.next() {
            match found {
                '\\' if matches!(chars.peek(), Some((_, '"' | '\\'))) => {
                    has_escapes = true;
                    chars.next();
                }
                '\n' => break,
                _ if found == '"' || found == close => {
                    self.at = start + open + offset + found.len_utf8();
                    let quoted = Quoted { raw: &body[..offset], has_escapes };
                    if quoted.raw.len() <= WORD_BYTES_MAX || quoted.value().len() <= WORD_BYTES_MAX {
                        return TokenKind::Text(quoted);
                    }
                    self.report_long(start, sink);
                    return TokenKind::Text(Quoted { raw: cut(quoted.raw), has_escapes });
                }
                _ => {}
            }
        }
        let line = body.find('\n').unwrap_or(body.len());
        self.at = start + open + line;
        sink.push(
            Diagnostic::new(Code::E001, self.place(start, self.at), "this text is not closed")
                .label("a text ends with `\"` on the same line"),
        );
        TokenKind::Text(Quoted { raw: cut(&body[..line]), has_escapes })
    }

    fn report_long(&self, start: usize, sink: &mut Sink) {
        let message = format!("this text has more than {WORD_BYTES_MAX} bytes");
        sink.push(Diagnostic::new(Code::E005, self.place(start, self.at), message));
    }

    /// A sign, or nothing when the character is reported and left out.
    fn sign(&mut self, sink: &mut Sink) -> Option<TokenKind<'a>> {
        let rest = &self.text[self.at..];
        if let Some(sign) = SIGNS.into_iter().find(|sign| rest.starts_with(sign)) {
            self.at += sign.len();
            return Some(TokenKind::Sign(sign));
        }
        let first = rest.chars().next()?;
        if first.is_ascii_whitespace() || first == '\u{b}' {
            self.at += 1;
            return None;
        }
        self.unexpected(first, sink)
    }

    fn beyond_ascii(&mut self, sink: &mut Sink) -> Option<TokenKind<'a>> {
        let first = self.text[self.at..].chars().next()?;
        if first.is_alphabetic() {
            Some(self.word(sink))
        } else if first.is_whitespace() || first == '\u{feff}' {
            self.at += first.len_utf8();
            None
        } else if let Some((_, meant)) = LOOK_ALIKES.into_iter().find(|(look_alike, _)| *look_alike == first)
        {
            Some(self.look_alike(first, meant, sink))
        } else {
            self.unexpected(first, sink)
        }
    }

    fn look_alike(&mut self, found: char, meant: &'static str, sink: &mut Sink) -> TokenKind<'a> {
        let start = self.at;
        let place = self.place(start, start + found.len_utf8());
        sink.push(
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
            self.quoted(close, sink)
        } else {
            self.at += found.len_utf8();
            TokenKind::Sign(meant)
        }
    }

    fn unexpected(&mut self, found: char, sink: &mut Sink) -> Option<TokenKind<'a>> {
        let start = self.at;
        let rest = &self.text[start..];
        let meant =
            [("&&", "and"), ("||", "or"), ("!", "not")].into_iter().find(|(sign, _)| rest.starts_with(sign));
        self.at += meant.map_or(found.len_utf8(), |(sign, _)| sign.len());
        let place = self.place(start, self.at);
        let diagnostic = Diagnostic::new(Code::E003, place, "this character has no meaning here");
        match meant {
            Some((_, word)) => {
                sink.push(diagnostic.help(format!("write `{word}`")));
                Some(TokenKind::Word(word))
            }
            None => {
                sink.push(diagnostic);
                None
            }
        }
    }
}

/// As much of a text as a name may have.
fn cut(text: &str) -> &str {
    let mut end = text.len().min(WORD_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// Bytes of the word that `text` begins with. Dots and hyphens stand only between its letters and digits.
fn word_end(text: &str) -> usize {
    let bytes = text.as_bytes();
    let letter = |at: usize| match bytes.get(at) {
        Some(byte) if byte.is_ascii() => usize::from(byte.is_ascii_alphanumeric() || *byte == b'_'),
        Some(_) => {
            text[at..].chars().next().filter(|found| found.is_alphanumeric()).map_or(0, char::len_utf8)
        }
        None => 0,
    };
    let mut at = 0;
    loop {
        let width = letter(at);
        if width > 0 {
            at += width;
        } else if matches!(bytes.get(at), Some(b'.' | b'-')) && letter(at + 1) > 0 {
            at += 1;
        } else {
            return at;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lex(text: &str, sink: &mut Sink) -> Vec<String> {
        let mut lexer = Lexer::new(text, 0);
        let mut kinds = Vec::new();
        loop {
            let token = lexer.next(sink);
            kinds.push(match token.kind {
                TokenKind::Word(word) => format!("w:{word}"),
                TokenKind::Text(text) => format!("t:{}", text.value()),
                TokenKind::Number(number) => format!("n:{number}"),
                TokenKind::Version(version) => format!("v:{version}"),
                TokenKind::Date(year, month, day) => format!("d:{year}/{month}/{day}"),
                TokenKind::Clock(minute) => format!("c:{minute}"),
                TokenKind::Sign(sign) => sign.to_owned(),
                TokenKind::End => return kinds,
            });
        }
    }

    fn kinds(text: &str) -> Vec<String> {
        lex(text, &mut Sink::default())
    }

    #[test]
    fn numbers_are_exact_and_ranges_are_not_decimals() {
        assert_eq!(kinds("2_000.5"), ["n:2000500000"]);
        assert_eq!(kinds("18..24"), ["n:18000000", "..", "n:24000000"]);
        assert_eq!(kinds("-1..<-0.5"), ["n:-1000000", "..<", "n:-500000"]);
    }

    #[test]
    fn dates_clocks_and_versions_are_one_token_each() {
        assert_eq!(kinds("2026-11-27 23:59"), ["d:2026/11/27", "c:1439"]);
        assert_eq!(kinds("2026-11-27..2026-11-30"), ["d:2026/11/27", "..", "d:2026/11/30"]);
        assert_eq!(kinds("7:05..<24:00"), ["c:425", "..<", "c:1440"]);
        assert_eq!(kinds("17.4.1..17.10"), ["v:17.4.1", "..", "n:17100000"]);
        assert_eq!(kinds("20261-11-27"), ["n:20261000000", "n:-11000000", "n:-27000000"]);
        assert_eq!(kinds("mon..fri"), ["w:mon", "..", "w:fri"]);
    }

    #[test]
    fn words_contain_dots_and_hyphens_but_not_at_their_end() {
        assert_eq!(kinds("device.type RO-CJ"), ["w:device.type", "w:RO-CJ"]);
        assert_eq!(kinds("a->"), ["w:a", "->"]);
        assert_eq!(kinds("a..b"), ["w:a", "..", "w:b"]);
        assert_eq!(kinds("țară.1ș-"), ["w:țară.1ș", "-"]);
    }

    #[test]
    fn look_alikes_are_read_as_what_they_stand_for() {
        let mut sink = Sink::default();
        assert_eq!(lex("“ab” ≥ \"c\\\"d\\e\"", &mut sink), ["t:ab", ">=", "t:c\"d\\e"]);
        assert_eq!(sink.into_sorted(&[]).len(), 2);
    }
}
