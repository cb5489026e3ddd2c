//! What a token carries so that its event can be counted for the visitor: whom, and as what.
//!
//! A bid that is never billed and an ad that is never clicked must leave nothing behind, so it travels with the visitor,
//! inside a signed token and encrypted, because neither an exchange nor a page may learn who its visitors are to us.
//! It is there only where counting was allowed when the ad was decided, and is not used for who has been erased since.
//!
//! A click's token has it behind its target, after a character that no address holds.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use smallvec::SmallVec;
use tessera_engine_core::decide::Ad;
use tessera_wire::catalog::Catalog;
use tessera_wire::event::{Remembered, TouchKind};
use tessera_wire::token::Token;

use super::context::Responder;
use crate::user_store::{Change, CountKey, CountPlan, record};

/// Bytes of a subject key.
const SUBJECT_BYTES: usize = 16;
/// Bytes of a count key.
const KEY_BYTES: usize = 4;
/// Between a click's target and what it is counted as.
const MARK: char = '\0';
/// Set in the ad's number for a click, so that no key stream is used twice; ads are far fewer.
const CLICK_STREAM: u16 = 1 << 15;

/// Whose clicks are counted, and as what.
#[derive(Clone, Copy)]
pub(super) struct Clicks<'a> {
    pub(super) plan: &'a CountPlan,
    /// 0 when counting is not allowed.
    pub(super) subject: u128,
}

impl Clicks<'_> {
    /// The target of an ad's click token; `None` when it is the landing page alone.
    pub(super) fn target(
        &self,
        responder: &Responder,
        (catalog, ad): (&Catalog, &Ad),
        (decision_id, number): (u128, u16),
        landing_url: &str,
    ) -> Option<String> {
        if self.subject == 0 || !self.plan.counts_clicks() {
            return None;
        }
        let mut keys: SmallVec<[CountKey; 8]> = SmallVec::new();
        self.plan.click_keys(catalog, ad, |key| keys.push(key));
        let text = responder.pack(self.subject, &keys, (decision_id, number | CLICK_STREAM))?;
        Some(format!("{landing_url}{MARK}{text}"))
    }
}

/// Where a click leads.
pub(super) fn landing_of<'t>(token: &Token<'t>) -> &'t str {
    token.target.split(MARK).next().unwrap_or("")
}

impl Responder {
    /// What has to travel; nothing when nothing is counted.
    pub(super) fn pack(
        &self,
        subject: u128,
        keys: &[CountKey],
        (decision_id, stream): (u128, u16),
    ) -> Option<String> {
        if subject == 0 || keys.is_empty() {
            return None;
        }
        let mut bytes: SmallVec<[u8; 64]> = SmallVec::from_slice(&subject.to_le_bytes());
        keys.iter().for_each(|key| bytes.extend_from_slice(&key.0.to_le_bytes()));
        self.keys.mask(decision_id, stream, &mut bytes);
        Some(URL_SAFE_NO_PAD.encode(&bytes))
    }

    /// What the event adds to the counts of its visitor.
    pub(super) fn unpack(&self, text: &str, of: (u128, u16), now_ms: i64) -> Option<Remembered> {
        let mut bytes: SmallVec<[u8; 64]> = SmallVec::from_vec(URL_SAFE_NO_PAD.decode(text).ok()?);
        self.keys.mask(of.0, of.1, &mut bytes);
        let (subject, keys) = bytes.split_at_checked(SUBJECT_BYTES)?;
        let subject = u128::from_le_bytes(subject.try_into().ok()?);
        let keys: SmallVec<[CountKey; 8]> =
            keys.as_chunks::<KEY_BYTES>().0.iter().map(|key| CountKey(u32::from_le_bytes(*key))).collect();
        let is_counted = subject != 0 && !keys.is_empty() && !self.users.is_suppressed(subject);
        is_counted.then(|| record(subject, Change::Other, &keys, now_ms))
    }

    /// What a click adds to the counts of its visitor.
    pub(super) fn counted_click(&self, token: &Token<'_>, now_ms: i64) -> Option<Remembered> {
        let (_, text) = token.target.split_once(MARK)?;
        let of = (token.decision_id, token.ad | CLICK_STREAM);
        if token.kind == TouchKind::Click { self.unpack(text, of, now_ms) } else { None }
    }
}
