//! Preview tokens: what a tester sends along to look at chosen variants of experiments, without being counted.
//!
//! ```text
//! token = base64url( kind u8 = 'P' | expiry u32 (unix seconds) | held out u8 (0 by hash, 1 yes, 2 no) | wishes u8
//!                    | (length u8, experiment, length u8, variant)* | mac 16 )
//! ```
//! The MAC is that of touch tokens, under a key of its own. Experiments and variants go by their text ids, so a token
//! outlives publications. Little-endian.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::limits;
use crate::token::{MAC_BYTES, TokenError, TokenKey, constant_time_equal, mac};

const KIND: u8 = b'P';
const FIXED_BYTES: usize = 7;

/// What a preview token says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PreviewToken {
    /// Unix second from which it is refused.
    pub expires_at_secs: u32,
    /// Is the visitor held out of everything? `None` leaves it to the hash.
    pub is_held_out: Option<bool>,
    /// Experiments with the variants to see, by text id.
    pub wishes: Vec<(String, String)>,
}

/// What does not fit into a preview token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PreviewError {
    /// Too many wishes.
    #[error("a preview chooses at most {} variants", limits::PREVIEW_WISHES_MAX)]
    TooMany,
    /// An id is too long.
    #[error("an id in a preview has at most 255 bytes")]
    TooLong,
}

/// The token's text (ASCII).
///
/// # Errors
/// [`PreviewError`] when it would not fit.
pub fn sign(key: &TokenKey, token: &PreviewToken) -> Result<String, PreviewError> {
    if token.wishes.len() > limits::PREVIEW_WISHES_MAX {
        return Err(PreviewError::TooMany);
    }
    let mut raw = vec![KIND];
    raw.extend_from_slice(&token.expires_at_secs.to_le_bytes());
    raw.push(match token.is_held_out {
        None => 0,
        Some(true) => 1,
        Some(false) => 2,
    });
    raw.push(token.wishes.len() as u8);
    for text in token.wishes.iter().flat_map(|(experiment, variant)| [experiment, variant]) {
        raw.push(u8::try_from(text.len()).map_err(|_| PreviewError::TooLong)?);
        raw.extend_from_slice(text.as_bytes());
    }
    raw.extend_from_slice(&mac(key, &raw));
    Ok(URL_SAFE_NO_PAD.encode(raw))
}

/// Reads a token's text and checks its signature, then its expiry.
///
/// # Errors
/// [`TokenError`]; nothing in an erroneous token can be trusted.
pub fn verify(key: &TokenKey, text: &str, now_secs: u64) -> Result<PreviewToken, TokenError> {
    if text.len() > limits::PREVIEW_TEXT_BYTES_MAX {
        return Err(TokenError::Malformed);
    }
    let raw = URL_SAFE_NO_PAD.decode(text).map_err(|_| TokenError::Malformed)?;
    let body = raw.len().checked_sub(MAC_BYTES).filter(|body| *body >= FIXED_BYTES);
    let (body, signature) = raw.split_at(body.ok_or(TokenError::Malformed)?);
    if !constant_time_equal(&mac(key, body), signature) {
        return Err(TokenError::BadSignature);
    }
    let token = parse(body).ok_or(TokenError::Malformed)?;
    if now_secs >= u64::from(token.expires_at_secs) {
        return Err(TokenError::Expired);
    }
    Ok(token)
}

fn parse(body: &[u8]) -> Option<PreviewToken> {
    let (fixed, mut rest) = body.split_first_chunk::<FIXED_BYTES>()?;
    let [KIND, expiry @ .., held_out, wishes] = fixed else { return None };
    let mut take = || {
        let (length, after) = rest.split_first()?;
        let (text, after) = after.split_at_checked(usize::from(*length))?;
        rest = after;
        String::from_utf8(text.to_vec()).ok()
    };
    let wishes = (0..*wishes).map(|_| Some((take()?, take()?))).collect::<Option<Vec<_>>>()?;
    let is_held_out = match held_out {
        0 => None,
        1 => Some(true),
        2 => Some(false),
        _ => return None,
    };
    let expires_at_secs = u32::from_le_bytes(*expiry);
    rest.is_empty().then_some(PreviewToken { expires_at_secs, is_held_out, wishes })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token() -> PreviewToken {
        let wishes = vec![("headline".into(), "bold".into()), ("größe".into(), String::new())];
        PreviewToken { expires_at_secs: 1_000, is_held_out: Some(false), wishes }
    }

    #[test]
    fn a_preview_reads_back_until_it_expires() {
        let key = TokenKey::new([7; 32]);
        for is_held_out in [None, Some(true), Some(false)] {
            let token = PreviewToken { is_held_out, ..token() };
            let text = sign(&key, &token).unwrap();
            assert_eq!(verify(&key, &text, 999), Ok(token));
            assert_eq!(verify(&key, &text, 1_000), Err(TokenError::Expired));
            assert_eq!(verify(&TokenKey::new([8; 32]), &text, 0), Err(TokenError::BadSignature));
        }
    }

    #[test]
    fn no_changed_character_and_no_touch_token_is_accepted() {
        let key = TokenKey::new([7; 32]);
        let text = sign(&key, &token()).unwrap();
        for index in 0..text.len() {
            let mut bad = text.clone().into_bytes();
            bad[index] = if bad[index] == b'A' { b'B' } else { b'A' };
            assert!(verify(&key, &String::from_utf8(bad).unwrap(), 0).is_err(), "character {index}");
        }
        for junk in ["", "A", "====", "ä", &"A".repeat(50_000)] {
            assert!(verify(&key, junk, 0).is_err());
        }
        let mut touch = Vec::new();
        let click = crate::token::Token {
            kind: crate::event::TouchKind::Click,
            expires_at_secs: u32::MAX,
            decision_id: 1,
            ad: 0,
            target: "https://shop.example/",
        };
        crate::token::sign_into(&key, &click, &mut touch);
        let touch = String::from_utf8(touch).unwrap();
        assert_eq!(verify(&key, &touch, 0), Err(TokenError::Malformed), "even under one key");
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let key = TokenKey::new([7; 32]);
        let wish = ("e".to_owned(), "v".to_owned());
        let many = PreviewToken { wishes: vec![wish; limits::PREVIEW_WISHES_MAX + 1], ..token() };
        assert_eq!(sign(&key, &many), Err(PreviewError::TooMany));
        let long = PreviewToken { wishes: vec![("e".repeat(256), "v".into())], ..token() };
        assert_eq!(sign(&key, &long), Err(PreviewError::TooLong));
        let largest = PreviewToken {
            wishes: vec![("e".repeat(255), "v".repeat(255)); limits::PREVIEW_WISHES_MAX],
            ..token()
        };
        assert_eq!(verify(&key, &sign(&key, &largest).unwrap(), 0), Ok(largest));
    }
}
