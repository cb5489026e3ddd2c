//! What starts with a digit: numbers, versions, dates and times of day.

use tessera_wire::signal::NUMBER_SCALE;

use super::{Lexer, TokenKind};
use crate::codes::Code;
use crate::diagnostic::{Diagnostic, Sink};

impl<'a> Lexer<'a> {
    pub(super) fn number(&mut self, sink: &mut Sink) -> TokenKind<'a> {
        let start = self.at;
        let bytes = &self.text.as_bytes()[start..];
        if let Some((year, month, day)) = date(bytes) {
            self.at = start + 10;
            return TokenKind::Date(year, month, day);
        }
        if let Some((hour, minute, length)) = clock(bytes) {
            self.at = start + length;
            return TokenKind::Clock(self.minute_of_day(start, hour, minute, sink));
        }
        let mut parts = 1;
        let mut at = digits(bytes, usize::from(bytes[0] == b'-'));
        while bytes.get(at) == Some(&b'.') && bytes.get(at + 1).is_some_and(u8::is_ascii_digit) {
            at = digits(bytes, at + 1);
            parts += 1;
        }
        self.at = start + at;
        let written = &self.text[start..self.at];
        if parts > 2 {
            return TokenKind::Version(written);
        }
        let value = scaled(written);
        if value.is_none() {
            let place = self.place(start, self.at);
            sink.push(
                Diagnostic::new(Code::E004, place, "this number cannot be represented")
                    .label("at most six decimals, and not this large"),
            );
        }
        TokenKind::Number(value.unwrap_or(0))
    }

    fn minute_of_day(&self, start: usize, hour: u16, minute: u16, sink: &mut Sink) -> u16 {
        let total = hour * 60 + minute;
        if minute < 60 && total <= 1_440 {
            return total;
        }
        let place = self.place(start, self.at);
        sink.push(
            Diagnostic::new(Code::E008, place, "there is no such time of day")
                .label("times go from 00:00 to 24:00"),
        );
        0
    }
}

/// Past digits and underscores.
fn digits(bytes: &[u8], mut at: usize) -> usize {
    while matches!(bytes.get(at), Some(b'0'..=b'9' | b'_')) {
        at += 1;
    }
    at
}

/// Exactly `YYYY-MM-DD`.
fn date(bytes: &[u8]) -> Option<(i16, i8, i8)> {
    let (text, after) = (bytes.get(..10)?, bytes.get(10));
    if text[4] != b'-' || text[7] != b'-' || after.is_some_and(u8::is_ascii_digit) {
        return None;
    }
    let number = |part: &[u8]| {
        let value = |number: i16, digit: &u8| Some(number * 10 + i16::from(digit.wrapping_sub(b'0')));
        part.iter().all(u8::is_ascii_digit).then(|| part.iter().try_fold(0, value)).flatten()
    };
    Some((number(&text[..4])?, number(&text[5..7])? as i8, number(&text[8..])? as i8))
}

/// `H:MM` or `HH:MM`, and how long it is.
fn clock(bytes: &[u8]) -> Option<(u16, u16, usize)> {
    let colon = bytes.iter().take(3).position(|byte| *byte == b':')?;
    let (hour, minute) = (bytes.get(..colon)?, bytes.get(colon + 1..colon + 3)?);
    let is_number = |part: &[u8]| !part.is_empty() && part.iter().all(u8::is_ascii_digit);
    let number = |part: &[u8]| part.iter().fold(0, |number, digit| number * 10 + u16::from(digit - b'0'));
    let is_longer = bytes.get(colon + 3).is_some_and(u8::is_ascii_digit);
    (is_number(hour) && is_number(minute) && !is_longer).then(|| (number(hour), number(minute), colon + 3))
}

/// A number with optional sign, underscores and decimals, times [`NUMBER_SCALE`]; `None` when it cannot be exact.
fn scaled(text: &str) -> Option<i64> {
    let (is_negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text),
    };
    let (whole, decimals) = digits.split_once('.').unwrap_or((digits, ""));
    let mut value: i64 = 0;
    for digit in whole.bytes().filter(u8::is_ascii_digit) {
        value = value.checked_mul(10)?.checked_add(i64::from(digit - b'0'))?;
    }
    let (mut fraction, mut unit) = (0, NUMBER_SCALE);
    for digit in decimals.bytes().filter(u8::is_ascii_digit) {
        unit /= 10;
        if unit == 0 {
            return None;
        }
        fraction += unit * i64::from(digit - b'0');
    }
    let value = value.checked_mul(NUMBER_SCALE)?.checked_add(fraction)?;
    Some(if is_negative { -value } else { value })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_scaled_exactly_or_not_at_all() {
        assert_eq!(scaled("-2_000.5"), Some(-2_000_500_000));
        assert_eq!(scaled("9223372036854.775807"), Some(i64::MAX));
        assert_eq!(scaled("9223372036854.775808"), None);
        assert_eq!(scaled("0.0000001"), None);
        assert_eq!(scaled("0.000_001"), Some(1));
    }
}
