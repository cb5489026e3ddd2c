//! JSON templates: reads a template's JSON once and says how a value must be written at each macro.
//!
//! Accepts exactly RFC 8259 with macros inside string values, and in the place of a number, `true`, `false` or `null`. What
//! is rendered is therefore always JSON. A string that begins as an absolute address is read as one.

use super::TemplateErrorKind as Kind;
use super::escape::Escape;
use super::macros::Macro;
use super::url::UrlContext;
use crate::limits::TEMPLATE_DEPTH_MAX;

type Fed<T> = Result<T, Kind>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Value,
    /// Behind `[`.
    ValueOrEnd,
    /// Behind `{`.
    KeyOrEnd,
    /// Behind `,` in an object.
    Key,
    Colon,
    /// Behind a value.
    Behind,
    Text,
    Backslash,
    /// Hexadecimal digits still to come.
    Unicode(u8),
    Number(Digits),
    /// Rest of `true`, `false` or `null`.
    Word(&'static str),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Digits {
    Minus,
    Zero,
    Whole,
    Point,
    Fraction,
    Exponent,
    Sign,
    Power,
}

/// Reads JSON from its beginning.
pub(super) struct JsonContext {
    state: State,
    /// Open brackets.
    open: Vec<char>,
    is_key: bool,
    url: Option<UrlContext>,
    has_begun: bool,
    must_be_object: bool,
}

impl JsonContext {
    pub(super) fn new(must_be_object: bool) -> JsonContext {
        JsonContext {
            state: State::Value,
            open: Vec::new(),
            is_key: false,
            url: None,
            has_begun: false,
            must_be_object,
        }
    }

    pub(super) fn char(&mut self, one: char) -> Fed<()> {
        match self.state {
            State::Text => return self.text(one),
            State::Backslash => return self.backslash(one),
            State::Unicode(left) if one.is_ascii_hexdigit() => {
                self.state = if left == 1 { State::Text } else { State::Unicode(left - 1) };
                return Ok(());
            }
            State::Unicode(_) => return Err(Kind::Malformed("`\\u` is followed by four hexadecimal digits")),
            State::Word(rest) => return self.word(one, rest),
            State::Number(digits) => match digits.next(one) {
                Some(digits) => {
                    self.state = State::Number(digits);
                    return Ok(());
                }
                None if digits.may_end() => self.state = State::Behind,
                None => return Err(Kind::Malformed("this is no JSON number")),
            },
            _ => {}
        }
        if matches!(one, ' ' | '\t' | '\n' | '\r') {
            return Ok(());
        }
        self.token(one)
    }

    /// How a value is written here.
    pub(super) fn value(&mut self, of: Macro, is_own_url: bool) -> Fed<Escape> {
        match self.state {
            State::Text if self.is_key => Err(Kind::Misplaced("in the name of a member")),
            State::Text => match &mut self.url {
                Some(url) if url.is_absolute() => {
                    url.value(of, is_own_url, Escape::UrlJson).map_err(Kind::Address)
                }
                _ if of.is_consent() => Err(Kind::Misplaced("outside the query of an address")),
                _ => {
                    self.url = None;
                    Ok(Escape::Json)
                }
            },
            State::Value | State::ValueOrEnd if self.has_begun || !self.must_be_object => {
                self.has_begun = true;
                self.state = State::Behind;
                if is_scalar_macro(of) {
                    Ok(Escape::Scalar)
                } else {
                    Err(Kind::Misplaced("without quotes; only numbers and parameters can stand so"))
                }
            }
            _ => Err(Kind::Misplaced("here; only strings and the places of numbers can hold one")),
        }
    }

    pub(super) fn end(&self) -> Result<(), (Kind, Option<usize>)> {
        let is_done = match self.state {
            State::Behind => true,
            State::Number(digits) => digits.may_end(),
            _ => false,
        };
        if is_done && self.open.is_empty() { Ok(()) } else { Err((Kind::Unclosed("JSON value"), None)) }
    }

    fn token(&mut self, one: char) -> Fed<()> {
        if !self.has_begun && self.must_be_object && one != '{' {
            return Err(Kind::Malformed("a native content is a JSON object"));
        }
        self.has_begun = true;
        match (self.state, one) {
            (State::Value | State::ValueOrEnd, '{') => self.open('{', State::KeyOrEnd)?,
            (State::Value | State::ValueOrEnd, '[') => self.open('[', State::ValueOrEnd)?,
            (State::Value | State::ValueOrEnd, '"') => {
                self.is_key = false;
                self.url = Some(UrlContext::default());
                self.state = State::Text;
            }
            (State::ValueOrEnd, ']') => self.close('['),
            (State::KeyOrEnd, '}') => self.close('{'),
            (State::Key | State::KeyOrEnd, '"') => {
                self.is_key = true;
                self.url = None;
                self.state = State::Text;
            }
            (State::Colon, ':') => self.state = State::Value,
            (State::Behind, ',') => match self.open.last() {
                Some('{') => self.state = State::Key,
                Some(_) => self.state = State::Value,
                None => return Err(Kind::Malformed("there is one JSON value")),
            },
            (State::Behind, '}') if self.open.last() == Some(&'{') => self.close('{'),
            (State::Behind, ']') if self.open.last() == Some(&'[') => self.close('['),
            (State::Value | State::ValueOrEnd, _) => self.scalar(one)?,
            _ => return Err(Kind::Malformed("this character cannot stand here in JSON")),
        }
        Ok(())
    }

    fn scalar(&mut self, one: char) -> Fed<()> {
        self.state = match one {
            't' => State::Word("rue"),
            'f' => State::Word("alse"),
            'n' => State::Word("ull"),
            '-' => State::Number(Digits::Minus),
            '0' => State::Number(Digits::Zero),
            '1'..='9' => State::Number(Digits::Whole),
            _ => return Err(Kind::Malformed("this is no JSON value")),
        };
        Ok(())
    }

    fn open(&mut self, bracket: char, state: State) -> Fed<()> {
        if self.open.len() == TEMPLATE_DEPTH_MAX {
            return Err(Kind::TooMuch("brackets inside one another"));
        }
        self.open.push(bracket);
        self.state = state;
        Ok(())
    }

    fn close(&mut self, bracket: char) {
        debug_assert_eq!(self.open.last(), Some(&bracket), "INVARIANT: looked at before");
        self.open.pop();
        self.state = State::Behind;
    }

    fn text(&mut self, one: char) -> Fed<()> {
        match one {
            '"' => {
                if let Some(url) = self.url.take().filter(UrlContext::is_absolute) {
                    url.end().map_err(Kind::Address)?;
                }
                self.state = if self.is_key { State::Colon } else { State::Behind };
            }
            '\\' => self.state = State::Backslash,
            one if one < ' ' => return Err(Kind::Malformed("a JSON string has no control characters")),
            one => self.url_char(one)?,
        }
        Ok(())
    }

    /// What an address cannot hold ends a text that only looked like one until its scheme is complete.
    fn url_char(&mut self, one: char) -> Fed<()> {
        let Some(url) = &mut self.url else { return Ok(()) };
        match url.char(one) {
            Err(problem) if url.is_absolute() => Err(Kind::Address(problem)),
            Err(_) => {
                self.url = None;
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }

    fn backslash(&mut self, one: char) -> Fed<()> {
        let is_address = self.url.as_ref().is_some_and(UrlContext::is_absolute);
        self.state = match one {
            'u' => State::Unicode(4),
            '"' | '\\' | '/' | 'b' | 'f' | 'n' | 'r' | 't' => State::Text,
            _ => return Err(Kind::Malformed("`\\` is followed by one of \" \\ / b f n r t u")),
        };
        if is_address {
            return Err(Kind::Address("an address is written without `\\`"));
        }
        // Whatever it was going to be, it is read as text.
        self.url = None;
        Ok(())
    }

    fn word(&mut self, one: char, rest: &'static str) -> Fed<()> {
        let Some(left) = rest.strip_prefix(one) else { return Err(Kind::Malformed("this is no JSON value")) };
        self.state = if left.is_empty() { State::Behind } else { State::Word(left) };
        Ok(())
    }
}

impl Digits {
    const fn next(self, one: char) -> Option<Digits> {
        match (self, one) {
            (Digits::Minus, '0') => Some(Digits::Zero),
            (Digits::Minus, '1'..='9') | (Digits::Whole, '0'..='9') => Some(Digits::Whole),
            (Digits::Zero | Digits::Whole, '.') => Some(Digits::Point),
            (Digits::Point | Digits::Fraction, '0'..='9') => Some(Digits::Fraction),
            (Digits::Zero | Digits::Whole | Digits::Fraction, 'e' | 'E') => Some(Digits::Exponent),
            (Digits::Exponent, '+' | '-') => Some(Digits::Sign),
            (Digits::Exponent | Digits::Sign | Digits::Power, '0'..='9') => Some(Digits::Power),
            _ => None,
        }
    }

    const fn may_end(self) -> bool {
        matches!(self, Digits::Zero | Digits::Whole | Digits::Fraction | Digits::Power)
    }
}

fn is_scalar_macro(of: Macro) -> bool {
    matches!(of, Macro::OfferValue | Macro::Timestamp | Macro::CacheBuster | Macro::Parameter(_))
}

/// Is it a JSON number, `true`, `false` or `null`?
pub(super) fn is_scalar(text: &str) -> bool {
    if matches!(text, "true" | "false" | "null") {
        return true;
    }
    let mut chars = text.chars();
    let first = match chars.next() {
        Some('-') => Digits::Minus,
        Some('0') => Digits::Zero,
        Some('1'..='9') => Digits::Whole,
        _ => return false,
    };
    chars.try_fold(first, Digits::next).is_some_and(Digits::may_end)
}
