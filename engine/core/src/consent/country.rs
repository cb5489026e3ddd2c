//! Countries as two letters, and sets of them that are asked in one step.
//!
//! Cost: a set is 88 bytes and a lookup one bit test, no allocation. Not here: where a visitor is.

const LETTERS: usize = 26;
const WORDS: usize = (LETTERS * LETTERS).div_ceil(64);

/// A text is not an ISO 3166-1 alpha-2 code; the configuration is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("country code must be two letters")]
pub struct CountryError;

/// A set of countries by ISO 3166-1 alpha-2 code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CountrySet {
    words: [u64; WORDS],
}

impl CountrySet {
    /// No country.
    pub const EMPTY: CountrySet = CountrySet { words: [0; WORDS] };

    /// EU 27, Iceland, Liechtenstein, Norway, the United Kingdom and Switzerland with the territories where the GDPR or
    /// its local twin applies. `EU` is a code that some databases use for "somewhere in Europe".
    pub const GDPR: CountrySet = CountrySet::of(&[
        b"AT", b"BE", b"BG", b"CY", b"CZ", b"DE", b"DK", b"EE", b"ES", b"EU", b"FI", b"FR", b"GR", b"HR",
        b"HU", b"IE", b"IT", b"LT", b"LU", b"LV", b"MT", b"NL", b"PL", b"PT", b"RO", b"SE", b"SI", b"SK",
        b"IS", b"LI", b"NO", b"GB", b"CH", // EEA, United Kingdom, Switzerland
        b"AX", b"BL", b"GF", b"GP", b"MF", b"MQ", b"PM", b"RE", b"YT", // Finnish and French territories
        b"GG", b"GI", b"IM", b"JE", // British territories
    ]);

    /// A set of codes. Codes that are not two upper-case letters are left out.
    pub const fn of(codes: &[&[u8; 2]]) -> CountrySet {
        let mut set = CountrySet::EMPTY;
        let mut at = 0;
        while at < codes.len() {
            if let Some(bit) = position(codes[at]) {
                set.words[bit / 64] |= 1 << (bit % 64);
            }
            at += 1;
        }
        set
    }

    /// A set of codes from configuration, in either case.
    ///
    /// # Errors
    ///
    /// [`CountryError`] when a code is not two letters.
    pub fn from_codes<'a>(codes: impl IntoIterator<Item = &'a str>) -> Result<CountrySet, CountryError> {
        let mut set = CountrySet::EMPTY;
        for code in codes {
            let bit = parse(code).ok_or(CountryError)?;
            set.words[bit / 64] |= 1 << (bit % 64);
        }
        Ok(set)
    }

    /// Is this country in the set? Text that is no country code is not.
    pub fn contains(&self, code: &str) -> bool {
        parse(code).is_some_and(|bit| self.words[bit / 64] >> (bit % 64) & 1 == 1)
    }
}

/// Does this text name a country? `XX` and `ZZ` are how databases write "unknown".
pub fn is_known(code: &str) -> bool {
    parse(code).is_some() && !code.eq_ignore_ascii_case("XX") && !code.eq_ignore_ascii_case("ZZ")
}

fn parse(code: &str) -> Option<usize> {
    let code: [u8; 2] = code.as_bytes().try_into().ok()?;
    position(&code.map(|letter| letter.to_ascii_uppercase()))
}

const fn position(code: &[u8; 2]) -> Option<usize> {
    let [first, second] = *code;
    if !first.is_ascii_uppercase() || !second.is_ascii_uppercase() {
        return None;
    }
    Some((first - b'A') as usize * LETTERS + (second - b'A') as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_hold_what_they_were_given_in_either_case() {
        let set = CountrySet::from_codes(["BR", "ca"]).unwrap();
        assert!(set.contains("BR") && set.contains("br") && set.contains("CA"));
        assert!(!set.contains("AA") && !set.contains("ZZ") && !set.contains("BRA") && !set.contains(""));
        assert_eq!(CountrySet::from_codes(["BRA"]), Err(CountryError));
    }

    #[test]
    fn gdpr_reaches_the_territories_and_not_beyond() {
        for code in ["DE", "RO", "IS", "GB", "CH", "RE", "GI"] {
            assert!(CountrySet::GDPR.contains(code), "{code}");
        }
        for code in ["US", "BR", "RS", "TR", "UA", "GL"] {
            assert!(!CountrySet::GDPR.contains(code), "{code}");
        }
    }

    #[test]
    fn placeholders_are_unknown_countries() {
        assert!(is_known("DE") && is_known("de"));
        assert!(!is_known("XX") && !is_known("zz") && !is_known("T1") && !is_known("") && !is_known("DEU"));
    }
}
