//! Writing JSON straight into a byte buffer: answers are written a hundred thousand times a second, always in the same
//! shape, so they need no serializer between the values and the bytes.
//!
//! Guarantees: strings are escaped as RFC 8259 section 7 asks; commas are placed by the writer, brackets are the caller's
//! to balance (a debug assertion checks them). Cost: one pass over each string, no allocation but the buffer's growth.

/// Appends JSON to a buffer.
pub(super) struct Json<'o> {
    out: &'o mut Vec<u8>,
    /// Is a comma due before the next element?
    is_after_value: bool,
    #[cfg(debug_assertions)]
    depth: i32,
}

impl<'o> Json<'o> {
    pub(super) fn new(out: &'o mut Vec<u8>) -> Json<'o> {
        Json {
            out,
            is_after_value: false,
            #[cfg(debug_assertions)]
            depth: 0,
        }
    }

    /// `{` or `[`.
    pub(super) fn open(&mut self, bracket: u8) {
        self.comma();
        self.out.push(bracket);
        self.is_after_value = false;
        #[cfg(debug_assertions)]
        {
            self.depth += 1;
        }
    }

    /// `}` or `]`.
    pub(super) fn close(&mut self, bracket: u8) {
        self.out.push(bracket);
        self.is_after_value = true;
        #[cfg(debug_assertions)]
        {
            self.depth -= 1;
            debug_assert!(self.depth >= 0, "INVARIANT: brackets are balanced");
        }
    }

    /// An object's key; `name` needs no escaping.
    pub(super) fn key(&mut self, name: &'static str) {
        self.comma();
        self.out.push(b'"');
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"\":");
        self.is_after_value = false;
    }

    /// An object's key that comes from outside.
    pub(super) fn foreign_key(&mut self, name: &str) {
        self.comma();
        self.quoted(name);
        self.out.push(b':');
        self.is_after_value = false;
    }

    /// A string value.
    pub(super) fn string(&mut self, text: &str) {
        self.comma();
        self.quoted(text);
        self.is_after_value = true;
    }

    /// A key with a string.
    pub(super) fn field(&mut self, name: &'static str, text: &str) {
        self.key(name);
        self.string(text);
    }

    /// A key with a whole number.
    pub(super) fn number_field(&mut self, name: &'static str, number: impl itoa::Integer) {
        self.key(name);
        self.out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
        self.is_after_value = true;
    }

    /// A key with `true` or `false`.
    pub(super) fn flag_field(&mut self, name: &'static str, value: bool) {
        self.key(name);
        self.out.extend_from_slice(if value { b"true" } else { b"false" });
        self.is_after_value = true;
    }

    /// A value that writes itself; what it writes must be one JSON value.
    pub(super) fn value(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        self.comma();
        write(self.out);
        self.is_after_value = true;
    }

    /// A string whose content writes itself; it must need no escaping.
    pub(super) fn plain(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        self.comma();
        self.out.push(b'"');
        write(self.out);
        self.out.push(b'"');
        self.is_after_value = true;
    }

    fn comma(&mut self) {
        if self.is_after_value {
            self.out.push(b',');
        }
    }

    fn quoted(&mut self, text: &str) {
        self.out.push(b'"');
        if is_plain(text.as_bytes()) {
            self.out.extend_from_slice(text.as_bytes());
        } else {
            self.escaped(text);
        }
        self.out.push(b'"');
    }

    fn escaped(&mut self, text: &str) {
        for byte in text.bytes() {
            match byte {
                b'"' | b'\\' => self.out.extend_from_slice(&[b'\\', byte]),
                b'\n' => self.out.extend_from_slice(b"\\n"),
                b'\r' => self.out.extend_from_slice(b"\\r"),
                b'\t' => self.out.extend_from_slice(b"\\t"),
                byte if byte < 0x20 => {
                    let digit = |value: u8| b"0123456789abcdef"[usize::from(value)];
                    self.out.extend_from_slice(&[
                        b'\\',
                        b'u',
                        b'0',
                        b'0',
                        digit(byte >> 4),
                        digit(byte & 15),
                    ]);
                }
                byte => self.out.push(byte),
            }
        }
    }
}

/// Does no byte have to be escaped inside a JSON string? Looks at eight bytes at a time.
fn is_plain(text: &[u8]) -> bool {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = 0x8080_8080_8080_8080;
    // The high bit of some byte is set exactly when some byte of `word` is zero (Mycroft 1987).
    let has_zero = |word: u64| word.wrapping_sub(ONES) & !word & HIGHS;
    let (words, rest) = text.as_chunks::<8>();
    let is_word_plain = |bytes: &[u8; 8]| {
        let word = u64::from_le_bytes(*bytes);
        let controls = word.wrapping_sub(ONES * 0x20) & !word & HIGHS;
        controls | has_zero(word ^ (ONES * 0x22)) | has_zero(word ^ (ONES * 0x5c)) == 0
    };
    words.iter().all(is_word_plain)
        && !rest.iter().any(|byte| *byte < 0x20 || *byte == b'"' || *byte == b'\\')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn commas_stand_between_elements_only() {
        let mut out = Vec::new();
        let mut json = Json::new(&mut out);
        json.open(b'{');
        json.field("a", "x");
        json.key("b");
        json.open(b'[');
        json.string("1");
        json.string("2");
        json.open(b'{');
        json.close(b'}');
        json.close(b']');
        json.number_field("c", -7i64);
        json.flag_field("d", true);
        json.close(b'}');
        assert_eq!(String::from_utf8(out).unwrap(), r#"{"a":"x","b":["1","2",{}],"c":-7,"d":true}"#);
    }

    #[test]
    fn every_byte_that_needs_escaping_is_found_at_every_place() {
        for byte in 0..=255u8 {
            for place in 0..20 {
                let mut text = [b'a'; 20];
                text[place] = byte;
                let needs_escape = byte < 0x20 || byte == b'"' || byte == b'\\';
                assert_eq!(is_plain(&text), !needs_escape, "byte {byte} at {place}");
            }
        }
    }

    proptest! {
        #[test]
        fn any_text_reads_back(text: String, key: String) {
            let mut out = Vec::new();
            let mut json = Json::new(&mut out);
            json.open(b'{');
            json.foreign_key(&key);
            json.string(&text);
            json.close(b'}');
            let value: serde_json::Value = serde_json::from_slice(&out).unwrap();
            prop_assert_eq!(value[&key].as_str(), Some(text.as_str()));
        }
    }
}
