//! JSON text to a tree, with what a rule needs and general readers drop: numbers as they are written, because amounts are
//! exact, and members given twice, because one of them would be lost silently.
//!
//! Guarantees: total; nesting and size are bounded, so time, memory and stack are; every fault has a JSON Pointer.

use crate::codes::Code;
use crate::limits::{CRITERIA_BYTES_MAX, NESTING_MAX};

/// A condition takes an object and, around its parts, an array.
const DEPTH_MAX: usize = 2 * NESTING_MAX + 8;

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Node {
    Null,
    Bool(bool),
    /// As written.
    Number(String),
    Text(String),
    List(Vec<Node>),
    Object(Vec<(String, Node)>),
}

impl Node {
    /// What it is, in a sentence.
    pub(super) fn describe(&self) -> &'static str {
        match self {
            Node::Null => "null",
            Node::Bool(_) => "true or false",
            Node::Number(_) => "a number",
            Node::Text(_) => "a text",
            Node::List(_) => "a list",
            Node::Object(_) => "an object",
        }
    }
}

/// What is wrong, and where.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Fault {
    pub(super) code: Code,
    pub(super) pointer: String,
    pub(super) message: String,
    pub(super) help: Option<String>,
}

impl Fault {
    pub(super) fn new(code: Code, pointer: &str, message: impl Into<String>) -> Fault {
        Fault { code, pointer: pointer.to_owned(), message: message.into(), help: None }
    }

    pub(super) fn help(mut self, help: impl Into<String>) -> Fault {
        self.help = Some(help.into());
        self
    }
}

/// Extends a JSON Pointer (RFC 6901).
pub(super) fn below(pointer: &str, step: &str) -> String {
    format!("{pointer}/{}", step.replace('~', "~0").replace('/', "~1"))
}

/// Reads one value and nothing after it.
pub(super) fn read(text: &str) -> Result<Node, Fault> {
    if text.len() > CRITERIA_BYTES_MAX {
        return Err(Fault::new(
            Code::E005,
            "",
            format!("the criteria have more than {CRITERIA_BYTES_MAX} bytes"),
        ));
    }
    let mut reader = Reader { text, at: 0 };
    let node = reader.value("", 0)?;
    reader.skip_space();
    if reader.at < text.len() {
        return Err(reader.expected("", "the end"));
    }
    Ok(node)
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn eat(&mut self, byte: u8) -> bool {
        self.skip_space();
        let is_there = self.peek() == Some(byte);
        self.at += usize::from(is_there);
        is_there
    }

    fn expected(&self, pointer: &str, what: &str) -> Fault {
        let (line, column) = crate::diagnostic::line_column(self.text, self.at);
        Fault::new(
            Code::E030,
            pointer,
            format!("this is not JSON: expected {what} in line {line}, column {column}"),
        )
    }

    fn value(&mut self, pointer: &str, depth: usize) -> Result<Node, Fault> {
        if depth > DEPTH_MAX {
            return Err(Fault::new(
                Code::E006,
                pointer,
                format!("more than {NESTING_MAX} levels inside one another"),
            ));
        }
        self.skip_space();
        match self.peek() {
            Some(b'{') => self.object(pointer, depth),
            Some(b'[') => self.list(pointer, depth),
            Some(b'"') => Ok(Node::Text(self.string(pointer)?)),
            Some(b'-' | b'0'..=b'9') => self.number(pointer),
            _ => {
                for (word, node) in
                    [("true", Node::Bool(true)), ("false", Node::Bool(false)), ("null", Node::Null)]
                {
                    if self.text[self.at..].starts_with(word) {
                        self.at += word.len();
                        return Ok(node);
                    }
                }
                Err(self.expected(pointer, "a value"))
            }
        }
    }

    fn object(&mut self, pointer: &str, depth: usize) -> Result<Node, Fault> {
        self.at += 1;
        let mut members: Vec<(String, Node)> = Vec::new();
        if self.eat(b'}') {
            return Ok(Node::Object(members));
        }
        loop {
            self.skip_space();
            if self.peek() != Some(b'"') {
                return Err(self.expected(pointer, "a member's name in quotes"));
            }
            let name = self.string(pointer)?;
            let own = below(pointer, &name);
            if members.iter().any(|(known, _)| *known == name) {
                return Err(Fault::new(Code::E034, &own, format!("\"{name}\" is given twice")));
            }
            if !self.eat(b':') {
                return Err(self.expected(&own, "`:`"));
            }
            let value = self.value(&own, depth + 1)?;
            members.push((name, value));
            if self.eat(b'}') {
                return Ok(Node::Object(members));
            }
            if !self.eat(b',') {
                return Err(self.expected(pointer, "`,` or `}`"));
            }
            // No condition has as many members; looking for doubles stays cheap.
            if members.len() > MEMBERS_MAX {
                return Err(Fault::new(
                    Code::E030,
                    pointer,
                    format!("an object has more than {MEMBERS_MAX} members"),
                ));
            }
        }
    }

    fn list(&mut self, pointer: &str, depth: usize) -> Result<Node, Fault> {
        self.at += 1;
        let mut items = Vec::new();
        if self.eat(b']') {
            return Ok(Node::List(items));
        }
        loop {
            let own = below(pointer, &items.len().to_string());
            items.push(self.value(&own, depth + 1)?);
            if self.eat(b']') {
                return Ok(Node::List(items));
            }
            if !self.eat(b',') {
                return Err(self.expected(pointer, "`,` or `]`"));
            }
        }
    }

    fn number(&mut self, pointer: &str) -> Result<Node, Fault> {
        let start = self.at;
        self.at += usize::from(self.peek() == Some(b'-'));
        let is_zero = self.peek() == Some(b'0');
        let digits = self.digits();
        let mut is_right = digits > 0 && !(is_zero && digits > 1);
        if self.peek() == Some(b'.') {
            self.at += 1;
            is_right &= self.digits() > 0;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            self.at += usize::from(matches!(self.peek(), Some(b'+' | b'-')));
            is_right &= self.digits() > 0;
        }
        if !is_right {
            return Err(self.expected(pointer, "a number"));
        }
        Ok(Node::Number(self.text[start..self.at].to_owned()))
    }

    fn digits(&mut self) -> usize {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        self.at - start
    }

    /// At its opening quote.
    fn string(&mut self, pointer: &str) -> Result<String, Fault> {
        self.at += 1;
        let mut value = String::new();
        loop {
            let rest = &self.text[self.at..];
            let Some(found) = rest.chars().next() else {
                return Err(self.expected(pointer, "a closing quote"));
            };
            match found {
                '"' => {
                    self.at += 1;
                    return Ok(value);
                }
                '\\' => {
                    self.at += 1;
                    let escaped = self.escape(pointer)?;
                    value.push(escaped);
                }
                control if control < ' ' => {
                    return Err(self.expected(pointer, "a character that is not a control"));
                }
                other => {
                    value.push(other);
                    self.at += other.len_utf8();
                }
            }
        }
    }

    /// After the backslash.
    fn escape(&mut self, pointer: &str) -> Result<char, Fault> {
        let escape = self.peek();
        self.at += usize::from(escape.is_some_and(|byte| byte.is_ascii()));
        Ok(match escape {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.unicode(pointer),
            _ => return Err(self.expected(pointer, "an escaped character")),
        })
    }

    fn unicode(&mut self, pointer: &str) -> Result<char, Fault> {
        let first = self.hex(pointer)?;
        if !(0xd800..0xdc00).contains(&first) {
            return char::from_u32(first).ok_or_else(|| self.expected(pointer, "a whole character"));
        }
        if !self.text[self.at..].starts_with("\\u") {
            return Err(self.expected(pointer, "the second half of a character"));
        }
        self.at += 2;
        let second = self.hex(pointer)?;
        let low = second.checked_sub(0xdc00).filter(|low| *low < 0x400);
        let whole = low.and_then(|low| char::from_u32(0x1_0000 + (first - 0xd800) * 0x400 + low));
        whole.ok_or_else(|| self.expected(pointer, "the second half of a character"))
    }

    fn hex(&mut self, pointer: &str) -> Result<u32, Fault> {
        let digits = self
            .text
            .get(self.at..self.at + 4)
            .filter(|text| text.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let value = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        match value {
            Some(value) => {
                self.at += 4;
                Ok(value)
            }
            None => Err(self.expected(pointer, "four hexadecimal digits")),
        }
    }
}

/// Members of one object.
const MEMBERS_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::Value;

    /// The same tree, numbers aside.
    fn is_same(node: &Node, value: &Value) -> bool {
        match (node, value) {
            (Node::Null, Value::Null) => true,
            (Node::Bool(left), Value::Bool(right)) => left == right,
            (Node::Number(left), Value::Number(right)) => left.parse::<f64>().ok() == right.as_f64(),
            (Node::Text(left), Value::String(right)) => left == right,
            (Node::List(left), Value::Array(right)) => {
                left.len() == right.len() && left.iter().zip(right).all(|(left, right)| is_same(left, right))
            }
            (Node::Object(left), Value::Object(right)) => {
                left.len() == right.len()
                    && left
                        .iter()
                        .all(|(name, node)| right.get(name).is_some_and(|value| is_same(node, value)))
            }
            _ => false,
        }
    }

    fn agrees(text: &str) {
        match (read(text), serde_json::from_str::<Value>(text)) {
            (Ok(node), Ok(value)) => assert!(is_same(&node, &value), "{text}"),
            (Err(fault), Ok(_)) => {
                assert!(matches!(fault.code, Code::E034 | Code::E006), "{text}: {fault:?}")
            }
            // Floats that are too large for other readers are exact here.
            (Ok(_), Err(error)) => assert!(error.to_string().contains("out of range"), "{text}: {error}"),
            (Err(_), Err(_)) => {}
        }
    }

    #[test]
    fn what_is_json_is_read_and_what_is_not_is_refused() {
        for text in [
            "",
            " ",
            "nul",
            "nullx",
            "01",
            "-",
            "1.",
            "1e",
            ".5",
            "+1",
            "1 2",
            "[1,]",
            "{,}",
            "{\"a\":1,}",
            "\"",
            "\"\\x\"",
            "\"\\u12\"",
            "\"\\ud800\"",
            "\"\\udc00\"",
            "\"\\ud83d\\ude00\"",
            "\"\\ud83dx\"",
            "\"a\nb\"",
            "\u{feff}1",
            "1e400",
            "[[]]",
            "{\"a\":{\"b\":[]}}",
            "-0.0",
            "\"\\/\\b\\f\"",
            "\"\u{7f}\"",
            "{\"a\":1,\"a\":2}",
            "{'a':1}",
            "[1//x\n]",
        ] {
            agrees(text);
        }
        assert_eq!(read("\"\\ud83d\\ude00\""), Ok(Node::Text("\u{1f600}".to_owned())));
        assert_eq!(read("{\"a\":{\"b/~\":[0,tru]}}").unwrap_err().pointer, "/a/b~1~0/1");
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn the_reader_agrees_with_another_one(
            pieces in proptest::collection::vec(
                proptest::sample::select(vec![
                    "{", "}", "[", "]", ",", ":", "\"a\"", "\"b\"", "1", "-2.5e1", "0", "true", "null", " ", "\"", "\\", "u0041",
                ]),
                0..14,
            ),
        ) {
            agrees(&pieces.concat());
        }
    }
}
