//! `/e/{token}` and `/c/{token}`: what happened to a served ad.
//!
//! The answer is sent only after the touch has been written to the journal, with one exception: a click whose event cannot
//! be written still redirects, because the visitor must get where they wanted to go; the loss is counted.

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION};
use hyper::{Response, StatusCode};
use tessera_wire::event::{Event, Remembered, Touch, TouchKind};
use tessera_wire::token::{Token, TokenBuffer, TokenError, verify};

use super::context::Responder;
use super::counted::landing_of;
use super::problem::Problem;
use crate::counters::Refusal;

/// Target of an impression address that counts nothing, because something else counts the impression.
pub(super) const UNCOUNTED: &str = "-";

/// A transparent 1x1 GIF.
const PIXEL: &[u8] = b"GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff!\xf9\x04\x01\x00\x00\x00\x00,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;";

/// A verified touch and what to answer it with.
pub(crate) struct Touched {
    /// Absent where the address is answered and nothing happened that counts.
    pub(crate) event: Option<Event>,
    /// What the visitor's counts are told of it, once it is written.
    pub(crate) remembered: Option<Remembered>,
    pub(crate) kind: TouchKind,
    pub(crate) response: Response<Full<Bytes>>,
    /// Is the answer sent even when the event cannot be written?
    pub(crate) answers_anyway: bool,
}

impl Responder {
    /// Reads a `/e/` request.
    pub(crate) fn touch(
        &self,
        path: &str,
        query: &str,
        headers: &HeaderMap,
        now_ms: i64,
    ) -> Result<Touched, Problem> {
        let wants_pixel = path.ends_with(".gif") || accepts_image(headers);
        let mut buffer = TokenBuffer::default();
        let token = self.verify(path.strip_suffix(".gif").unwrap_or(path), now_ms, &mut buffer)?;
        if token.kind == TouchKind::Impression && token.target == UNCOUNTED {
            let response = if wants_pixel { pixel() } else { empty(StatusCode::NO_CONTENT) };
            return Ok(Touched { event: None, ..touched(&token, query, now_ms, response, false) });
        }
        // A notice of an auction is for its own address; a click's target is for a redirect only.
        if !token.target.is_empty() && token.kind != TouchKind::Click {
            let detail = "this token is not for this address";
            return Err(Problem::new(StatusCode::BAD_REQUEST, Refusal::BadToken, "not_a_touch", detail));
        }
        let response = if wants_pixel { pixel() } else { empty(StatusCode::NO_CONTENT) };
        let remembered = self.counted_click(&token, now_ms);
        Ok(Touched { remembered, ..touched(&token, query, now_ms, response, false) })
    }

    /// Reads a `/c/` request: only a click token redirects, and only to its signed target.
    pub(crate) fn click(&self, path: &str, query: &str, now_ms: i64) -> Result<Touched, Problem> {
        let mut buffer = TokenBuffer::default();
        let token = self.verify(path, now_ms, &mut buffer)?;
        let location = HeaderValue::from_str(landing_of(&token)).ok().filter(|_| !token.target.is_empty());
        let Some(location) = location.filter(|_| token.kind == TouchKind::Click) else {
            let detail = "this token is not a click token";
            return Err(Problem::new(StatusCode::BAD_REQUEST, Refusal::BadToken, "not_a_click", detail));
        };
        let remembered = self.counted_click(&token, now_ms);
        if query_values(query).any(|(name, _)| name == "noredirect") {
            let touched = touched(&token, query, now_ms, empty(StatusCode::NO_CONTENT), false);
            return Ok(Touched { remembered, ..touched });
        }
        let mut response = empty(StatusCode::FOUND);
        response.headers_mut().insert(LOCATION, location);
        Ok(Touched { remembered, ..touched(&token, query, now_ms, response, true) })
    }

    /// Verifies a token's text.
    pub(crate) fn verify<'b>(
        &self,
        text: &str,
        now_ms: i64,
        buffer: &'b mut TokenBuffer,
    ) -> Result<Token<'b>, Problem> {
        let now_secs = (now_ms / 1_000).max(0) as u64;
        verify(&self.keys.token, text, now_secs, buffer).map_err(|error| {
            let (status, code) = match error {
                TokenError::Expired => (StatusCode::GONE, "token_expired"),
                _ => (StatusCode::BAD_REQUEST, "bad_token"),
            };
            Problem::new(status, Refusal::BadToken, code, error.to_string())
        })
    }
}

/// The touch event of a token, with its value and currency, if any.
pub(crate) fn touch_event(token: &Token<'_>, at_ms: i64, value_micros: i64, currency: [u8; 3]) -> Event {
    Event::Touch(Touch {
        decision_id: token.decision_id,
        ad: token.ad,
        kind: token.kind,
        at_ms,
        value_micros,
        currency,
    })
}

/// A three-letter currency code, zeros for anything else.
pub(crate) fn currency(code: &str) -> [u8; 3] {
    match code.as_bytes() {
        [a, b, c] if code.bytes().all(|letter| letter.is_ascii_uppercase()) => [*a, *b, *c],
        _ => [0; 3],
    }
}

fn touched(
    token: &Token<'_>,
    query: &str,
    now_ms: i64,
    mut response: Response<Full<Bytes>>,
    answers_anyway: bool,
) -> Touched {
    let mut value_micros = 0;
    let mut cur = [0; 3];
    for (name, value) in query_values(query) {
        match name {
            "v" => value_micros = value.parse().unwrap_or(0),
            "cur" => cur = currency(value),
            _ => {}
        }
    }
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Touched {
        event: Some(touch_event(token, now_ms, value_micros, cur)),
        remembered: None,
        kind: token.kind,
        response,
        answers_anyway,
    }
}

pub(super) fn query_values(query: &str) -> impl Iterator<Item = (&str, &str)> {
    query.split('&').filter(|part| !part.is_empty()).map(|part| part.split_once('=').unwrap_or((part, "")))
}

fn accepts_image(headers: &HeaderMap) -> bool {
    headers
        .get(ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .is_some_and(|accept| accept.contains("image/"))
}

fn pixel() -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from_static(PIXEL)));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("image/gif"));
    response
}

fn empty(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::new()));
    *response.status_mut() = status;
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pixel_is_a_43_byte_gif() {
        assert_eq!(PIXEL.len(), 43);
        assert!(PIXEL.starts_with(b"GIF89a"));
    }

    #[test]
    fn only_three_capitals_are_a_currency() {
        assert_eq!(currency("EUR"), *b"EUR");
        assert_eq!(currency("eur"), [0; 3]);
        assert_eq!(currency("EURO"), [0; 3]);
    }
}
