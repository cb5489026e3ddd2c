//! Tokens: what a browser sends back to say that an ad was rendered, seen or clicked.
//!
//! ```text
//! token = base64url( version u8 | kind u8 | expiry u32 (unix seconds) | decision id u128 | ad u16 | click target | mac 16 )
//! ```
//! The MAC is keyed BLAKE3 over everything before it, cut to 128 bits. A click target is inside the authenticated part, so
//! a redirect can only go where the engine that signed the token wanted it to go, even after the campaign has left the
//! bundle. Behind it the engine may put what the event is counted as, encrypted; otherwise tokens carry no personal data.
//!
//! Cost: two hash blocks and a base64 pass; no allocation when the output string has room.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::event::TouchKind;
use crate::limits;

/// A secret of this engine cluster.
#[derive(Clone)]
pub struct TokenKey([u8; 32]);

impl TokenKey {
    /// A key from 32 secret bytes.
    pub const fn new(bytes: [u8; 32]) -> TokenKey {
        TokenKey(bytes)
    }
}

impl std::fmt::Debug for TokenKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("TokenKey(..)")
    }
}

/// What a token says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token<'a> {
    /// What it reports.
    pub kind: TouchKind,
    /// Unix second from which it is refused.
    pub expires_at_secs: u32,
    /// The decision.
    pub decision_id: u128,
    /// Which ad of it.
    pub ad: u16,
    /// Where a click goes; empty for other kinds.
    pub target: &'a str,
}

/// The text is not a token that this engine signed, or no longer valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// Not base64url, too short, too long, or of an unknown version or kind.
    #[error("malformed token")]
    Malformed,
    /// The signature does not match.
    #[error("token signature does not match")]
    BadSignature,
    /// Signed by us, but too old.
    #[error("token expired")]
    Expired,
}

const VERSION: u8 = 1;
const FIXED_BYTES: usize = 24;
pub(crate) const MAC_BYTES: usize = 16;
const SHORT_TARGET_BYTES: usize = 216;
const RAW_BYTES_MAX: usize = FIXED_BYTES + limits::TOKEN_TARGET_BYTES_MAX + MAC_BYTES;

/// Appends the token's text (ASCII) to `out`.
///
/// A target longer than [`limits::TOKEN_TARGET_BYTES_MAX`] is dropped; compilers refuse such addresses.
pub fn sign_into(key: &TokenKey, token: &Token<'_>, out: &mut Vec<u8>) {
    let target = if token.target.len() > limits::TOKEN_TARGET_BYTES_MAX { "" } else { token.target };
    // Most targets are short; clearing the longest buffer would cost more than signing.
    if target.len() <= SHORT_TARGET_BYTES {
        sign_raw::<{ FIXED_BYTES + SHORT_TARGET_BYTES + MAC_BYTES }>(key, token, target, out);
    } else {
        sign_raw::<RAW_BYTES_MAX>(key, token, target, out);
    }
}

fn sign_raw<const BYTES: usize>(key: &TokenKey, token: &Token<'_>, target: &str, out: &mut Vec<u8>) {
    let mut raw = [0u8; BYTES];
    raw[0] = VERSION;
    raw[1] = token.kind as u8;
    raw[2..6].copy_from_slice(&token.expires_at_secs.to_le_bytes());
    raw[6..22].copy_from_slice(&token.decision_id.to_le_bytes());
    raw[22..24].copy_from_slice(&token.ad.to_le_bytes());
    let body = FIXED_BYTES + target.len();
    raw[FIXED_BYTES..body].copy_from_slice(target.as_bytes());
    let mac = mac(key, &raw[..body]);
    raw[body..body + MAC_BYTES].copy_from_slice(&mac);
    let raw = &raw[..body + MAC_BYTES];
    let start = out.len();
    out.resize(start + raw.len().div_ceil(3) * 4, 0);
    // The room is enough for any input of this length, so encoding cannot fail.
    let written = URL_SAFE_NO_PAD.encode_slice(raw, &mut out[start..]).unwrap_or(0);
    out.truncate(start + written);
}

/// A buffer that [`verify`] decodes into; reuse it.
#[derive(Debug)]
pub struct TokenBuffer([u8; RAW_BYTES_MAX]);

impl Default for TokenBuffer {
    fn default() -> Self {
        TokenBuffer([0; RAW_BYTES_MAX])
    }
}

/// Reads a token's text and checks its signature, then its expiry.
///
/// # Errors
/// [`TokenError`]; nothing in an erroneous token can be trusted.
pub fn verify<'b>(
    key: &TokenKey,
    text: &str,
    now_secs: u64,
    buffer: &'b mut TokenBuffer,
) -> Result<Token<'b>, TokenError> {
    if text.len() > limits::TOKEN_TEXT_BYTES_MAX {
        return Err(TokenError::Malformed);
    }
    let length = URL_SAFE_NO_PAD.decode_slice(text, &mut buffer.0).map_err(|_| TokenError::Malformed)?;
    let raw = buffer.0.get(..length).ok_or(TokenError::Malformed)?;
    if length < FIXED_BYTES + MAC_BYTES {
        return Err(TokenError::Malformed);
    }
    let (body, signature) = raw.split_at(length - MAC_BYTES);
    if !constant_time_equal(&mac(key, body), signature) {
        return Err(TokenError::BadSignature);
    }
    let token = parse(body)?;
    if now_secs >= u64::from(token.expires_at_secs) {
        return Err(TokenError::Expired);
    }
    Ok(token)
}

fn parse(body: &[u8]) -> Result<Token<'_>, TokenError> {
    if body[0] != VERSION {
        return Err(TokenError::Malformed);
    }
    let kind = TouchKind::ALL.get(usize::from(body[1])).copied().ok_or(TokenError::Malformed)?;
    let mut expiry = [0; 4];
    expiry.copy_from_slice(&body[2..6]);
    let mut decision_id = [0; 16];
    decision_id.copy_from_slice(&body[6..22]);
    Ok(Token {
        kind,
        expires_at_secs: u32::from_le_bytes(expiry),
        decision_id: u128::from_le_bytes(decision_id),
        ad: u16::from_le_bytes([body[22], body[23]]),
        target: std::str::from_utf8(&body[FIXED_BYTES..]).map_err(|_| TokenError::Malformed)?,
    })
}

pub(crate) fn mac(key: &TokenKey, body: &[u8]) -> [u8; MAC_BYTES] {
    let full = blake3::keyed_hash(&key.0, body);
    let mut cut = [0; MAC_BYTES];
    cut.copy_from_slice(&full.as_bytes()[..MAC_BYTES]);
    cut
}

pub(crate) fn constant_time_equal(ours: &[u8; MAC_BYTES], theirs: &[u8]) -> bool {
    theirs.len() == MAC_BYTES
        && ours.iter().zip(theirs).fold(0, |difference, (a, b)| difference | (a ^ b)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token() -> Token<'static> {
        Token {
            kind: TouchKind::Click,
            expires_at_secs: 1_000,
            decision_id: 0x0123_4567_89ab_cdef,
            ad: 2,
            target: "https://shop.example/autumn?x=1",
        }
    }

    fn signed(key: &TokenKey) -> String {
        let mut text = Vec::new();
        sign_into(key, &token(), &mut text);
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn a_token_reads_back() {
        let key = TokenKey::new([7; 32]);
        let mut buffer = TokenBuffer::default();
        assert_eq!(verify(&key, &signed(&key), 999, &mut buffer), Ok(token()));
    }

    #[test]
    fn targets_of_every_length_read_back() {
        let key = TokenKey::new([7; 32]);
        let long = "x".repeat(limits::TOKEN_TARGET_BYTES_MAX);
        for length in (0..300).chain([limits::TOKEN_TARGET_BYTES_MAX]) {
            let (mut text, mut buffer) = (b"before".to_vec(), TokenBuffer::default());
            let token = Token { target: &long[..length], ..token() };
            sign_into(&key, &token, &mut text);
            assert_eq!(verify(&key, std::str::from_utf8(&text[6..]).unwrap(), 0, &mut buffer), Ok(token));
        }
    }

    #[test]
    fn expiry_and_foreign_keys_are_refused() {
        let key = TokenKey::new([7; 32]);
        let text = signed(&key);
        let mut buffer = TokenBuffer::default();
        assert_eq!(verify(&key, &text, 1_000, &mut buffer), Err(TokenError::Expired));
        assert_eq!(verify(&TokenKey::new([8; 32]), &text, 0, &mut buffer), Err(TokenError::BadSignature));
    }

    #[test]
    fn no_changed_character_is_accepted() {
        let key = TokenKey::new([7; 32]);
        let text = signed(&key);
        let mut buffer = TokenBuffer::default();
        for index in 0..text.len() {
            let mut bad = text.clone().into_bytes();
            bad[index] = if bad[index] == b'A' { b'B' } else { b'A' };
            let bad = String::from_utf8(bad).unwrap();
            assert!(verify(&key, &bad, 0, &mut buffer).is_err(), "character {index}");
        }
        for junk in ["", "A", "====", "ä", &"A".repeat(5_000)] {
            assert!(verify(&key, junk, 0, &mut buffer).is_err());
        }
    }
}
