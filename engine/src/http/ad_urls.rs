//! The signed addresses of an ad, written once and used wherever the answer needs them.

use tessera_wire::event::TouchKind;
use tessera_wire::token::{Token, sign_into};

use super::context::Responder;

/// The addresses of one ad; borrows the worker's memory for them.
pub(super) struct AdUrls<'a> {
    text: &'a str,
    /// Where each ends: impression, viewable, click, conversion.
    ends: [usize; 4],
}

/// What the addresses of an ad say.
pub(super) struct UrlsOf<'a> {
    pub(super) decision_id: u128,
    pub(super) ad: u16,
    pub(super) now_ms: i64,
    /// Where a click goes, and what it is counted as.
    pub(super) click_target: &'a str,
}

impl<'a> AdUrls<'a> {
    /// Signs them into `buffer`, whose content is replaced.
    pub(super) fn sign(responder: &Responder, of: &UrlsOf<'_>, buffer: &'a mut Vec<u8>) -> AdUrls<'a> {
        buffer.clear();
        let kinds = [TouchKind::Impression, TouchKind::Viewable, TouchKind::Click, TouchKind::Conversion];
        let expires = of.now_ms / 1_000 + i64::from(responder.token_ttl_secs);
        let expires_at_secs = u32::try_from(expires).unwrap_or(u32::MAX);
        let ends = kinds.map(|kind| {
            let (path, target) =
                if kind == TouchKind::Click { ("/c/", of.click_target) } else { ("/e/", "") };
            let token = Token { kind, expires_at_secs, decision_id: of.decision_id, ad: of.ad, target };
            buffer.extend_from_slice(responder.public_url.as_bytes());
            buffer.extend_from_slice(path.as_bytes());
            sign_into(&responder.keys.token, &token, buffer);
            buffer.len()
        });
        // The configured start is text, a token is ASCII.
        let text = std::str::from_utf8(buffer).unwrap_or("");
        debug_assert_eq!(text.len(), ends[3], "INVARIANT: addresses are text");
        AdUrls { text, ends }
    }

    /// Addresses that exist already, in the order of their kinds: impression, viewable, click, conversion.
    pub(super) fn given(urls: [&str; 4], buffer: &'a mut Vec<u8>) -> AdUrls<'a> {
        buffer.clear();
        let ends = urls.map(|url| {
            buffer.extend_from_slice(url.as_bytes());
            buffer.len()
        });
        // One text after the other is text.
        AdUrls { text: std::str::from_utf8(buffer).unwrap_or(""), ends }
    }

    fn part(&self, number: usize) -> &str {
        let start = if number == 0 { 0 } else { self.ends[number - 1] };
        self.text.get(start..self.ends[number]).unwrap_or("")
    }

    pub(super) fn impression(&self) -> &str {
        self.part(0)
    }

    pub(super) fn viewable(&self) -> &str {
        self.part(1)
    }

    pub(super) fn click(&self) -> &str {
        self.part(2)
    }

    pub(super) fn conversion(&self) -> &str {
        self.part(3)
    }
}
