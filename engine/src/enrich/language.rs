//! The visitor's language: the primary subtag they prefer most.
//!
//! Cost: one scan of the header, no allocation. Not here: matching against the languages a creative exists in.

use smallvec::SmallVec;

use super::limits::{LANGUAGE_BYTES_MAX, LANGUAGES_MAX};
use super::prefix;

/// A primary language subtag, lower case: two or three letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Language {
    // INVARIANT: the first `len` bytes are ASCII lower-case letters.
    letters: [u8; 3],
    len: u8,
}

impl Language {
    /// The primary subtag of one tag such as `ro-RO`, if it has two or three letters.
    pub fn from_tag(tag: &str) -> Option<Language> {
        let primary = tag.split(['-', '_']).next().unwrap_or(tag).as_bytes();
        if !(2..=3).contains(&primary.len()) || !primary.iter().all(u8::is_ascii_alphabetic) {
            return None;
        }
        let mut letters = [0; 3];
        for (letter, byte) in letters.iter_mut().zip(primary) {
            *letter = byte.to_ascii_lowercase();
        }
        Some(Language { letters, len: primary.len() as u8 })
    }

    /// The subtag as text, such as `ro`.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.letters[..usize::from(self.len)]).unwrap_or("")
    }
}

/// The most preferred language of an `Accept-Language` header. Among equals the first wins; `q=0` is a refusal.
pub fn from_accept_language(header: &str) -> Option<Language> {
    let mut best: Option<(u16, Language)> = None;
    for item in prefix(header, LANGUAGE_BYTES_MAX).split(',') {
        let mut parts = item.split(';');
        let Some(language) = parts.next().and_then(|tag| Language::from_tag(tag.trim())) else { continue };
        let quality = parts.find_map(|part| part.trim().strip_prefix("q=")).map_or(1_000, per_mille);
        if quality > 0 && best.is_none_or(|(known, _)| quality > known) {
            best = Some((quality, language));
        }
    }
    best.map(|(_, language)| language)
}

/// Language tags as they were sent, from the best down.
pub type Ranges<'h> = SmallVec<[&'h str; LANGUAGES_MAX]>;

/// The languages of an `Accept-Language` header, from the most preferred down, equals in their order; `q=0` is a refusal.
pub fn ranges(header: &str) -> Ranges<'_> {
    let mut found: SmallVec<[(u16, &str); LANGUAGES_MAX]> = SmallVec::new();
    for item in prefix(header, LANGUAGE_BYTES_MAX).split(',') {
        let mut parts = item.split(';');
        let tag = parts.next().unwrap_or("").trim();
        let quality = parts.find_map(|part| part.trim().strip_prefix("q=")).map_or(1_000, per_mille);
        if tag.is_empty() || tag == "*" || quality == 0 || found.len() == LANGUAGES_MAX {
            continue;
        }
        let place = found.iter().position(|(known, _)| *known < quality).unwrap_or(found.len());
        found.insert(place, (quality, tag));
    }
    found.into_iter().map(|(_, tag)| tag).collect()
}

/// A quality value in thousandths; anything malformed counts as the lowest that is still accepted.
fn per_mille(text: &str) -> u16 {
    let (whole, fraction) = text.trim().split_once('.').unwrap_or((text.trim(), ""));
    let is_digits = fraction.len() <= 3 && fraction.bytes().all(|byte| byte.is_ascii_digit());
    match whole {
        "1" => 1_000,
        "0" if is_digits => {
            let scale = [0, 100, 10, 1][fraction.len()];
            fraction.parse::<u16>().unwrap_or(0) * scale
        }
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn best(header: &str) -> Option<String> {
        from_accept_language(header).map(|language| language.as_str().to_owned())
    }

    #[test]
    fn highest_quality_wins_and_ties_go_to_the_first() {
        assert_eq!(best("ro-RO,ro;q=0.9,en;q=0.8").as_deref(), Some("ro"));
        assert_eq!(best("en;q=0.5, de-AT ;q=0.75, fr;q=0.7").as_deref(), Some("de"));
        assert_eq!(best("fr,en").as_deref(), Some("fr"));
        assert_eq!(best("fil-PH").as_deref(), Some("fil"));
        assert_eq!(best("EN-us").as_deref(), Some("en"));
    }

    #[test]
    fn refusals_wildcards_and_garbage_are_skipped() {
        assert_eq!(best("de;q=0,en;q=0.1").as_deref(), Some("en"));
        assert_eq!(best("*,it;q=0.2").as_deref(), Some("it"));
        assert_eq!(best("*"), None);
        assert_eq!(best(""), None);
        assert_eq!(best("x-klingon, 12, abcd"), None);
        assert_eq!(best("de;q=banana,en;q=0.5").as_deref(), Some("en"));
    }

    #[test]
    fn languages_are_listed_from_the_best_down() {
        let list = |header| ranges(header).join(" ");
        assert_eq!(list("de-AT;q=0.5, fr ,ro-RO;q=0.9,en;q=0.9, *;q=0.1, it;q=0"), "fr ro-RO en de-AT");
        assert_eq!(list(""), "");
        assert_eq!(ranges(&"de,".repeat(100)).len(), LANGUAGES_MAX);
    }

    #[test]
    fn long_headers_are_cut_on_a_character() {
        let header = format!("{}é,ro", "x".repeat(LANGUAGE_BYTES_MAX - 1));
        assert_eq!(best(&header), None);
    }
}
