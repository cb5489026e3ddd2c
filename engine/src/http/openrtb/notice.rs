//! What exchanges tell of our bids: `nurl` (won), `burl` (billed) and `lurl` (lost).
//!
//! The impression of an auction is its billing notice: only then is a touch written, and only then do frequency caps count
//! it. What they count travels inside the notice's signed token, encrypted, because a bid that is never billed must leave
//! nothing behind and an exchange must not learn who its visitors are to us. Wins and losses are counted, no more.
//!
//! An exchange puts the price into `price`, sometimes encrypted, sometimes `AUDIT`: what is not a number is no price.

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::{Response, StatusCode};
use smallvec::SmallVec;
use tessera_wire::event::{Event, Remembered, Touch};
use tessera_wire::token::TokenBuffer;

use super::super::context::Responder;
use super::super::decided::Shown;
use super::super::problem::Problem;
use super::super::touch::{currency, query_values};
use crate::bidding::MICROS;
use crate::counters::{Notice, Refusal};
use crate::snapshot_cell::Live;
use crate::user_store::CountKey;

/// A kind of notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Win,
    Billing,
    Loss,
}

impl Kind {
    const ALL: [Kind; 3] = [Kind::Win, Kind::Billing, Kind::Loss];

    /// First letter of the token's target, so that no notice passes for another.
    pub(super) const fn mark(self) -> &'static str {
        match self {
            Kind::Win => "w",
            Kind::Billing => "b",
            Kind::Loss => "l",
        }
    }

    /// Where it is sent.
    pub(super) const fn path(self) -> &'static str {
        match self {
            Kind::Win => "/openrtb2/win/",
            Kind::Billing => "/openrtb2/billing/",
            Kind::Loss => "/openrtb2/loss/",
        }
    }

    /// What the exchange fills in.
    pub(super) const fn macros(self) -> &'static str {
        match self {
            Kind::Win | Kind::Billing => "price=${AUCTION_PRICE}&cur=${AUCTION_CURRENCY}",
            Kind::Loss => "reason=${AUCTION_LOSS}&mtw=${AUCTION_MIN_TO_WIN}",
        }
    }

    /// The kind and token of a path.
    pub(crate) fn of_path(path: &str) -> Option<(Kind, &str)> {
        Kind::ALL.into_iter().find_map(|kind| Some((kind, path.strip_prefix(kind.path())?)))
    }

    /// As it is counted.
    pub(crate) const fn notice(self) -> Notice {
        match self {
            Kind::Win => Notice::Win,
            Kind::Billing => Notice::Billing,
            Kind::Loss => Notice::Loss,
        }
    }
}

/// A verified notice.
pub(crate) struct Noticed {
    /// The impression, when it is billed, and what is remembered with it.
    pub(crate) events: Vec<Event>,
    pub(crate) remembered: Option<Remembered>,
}

impl Responder {
    /// Reads a notice.
    pub(crate) fn notice(
        &self,
        kind: Kind,
        token: &str,
        query: &str,
        now_ms: i64,
    ) -> Result<Noticed, Problem> {
        let mut buffer = TokenBuffer::default();
        let token = self.verify(token, now_ms, &mut buffer)?;
        let Some(counted) = token.target.strip_prefix(kind.mark()) else {
            let detail = "this token belongs to another notice";
            return Err(Problem::new(StatusCode::BAD_REQUEST, Refusal::BadToken, "not_this_notice", detail));
        };
        if kind != Kind::Billing {
            return Ok(Noticed { events: Vec::new(), remembered: None });
        }
        let (value_micros, currency) = cleared(query);
        let touch = Touch {
            decision_id: token.decision_id,
            ad: token.ad,
            kind: token.kind,
            at_ms: now_ms,
            value_micros,
            currency,
        };
        let remembered = self.unpack(counted, (token.decision_id, token.ad), now_ms);
        let events = std::iter::once(Event::Touch(touch)).chain(remembered.clone().map(Event::Remembered));
        Ok(Noticed { events: events.collect(), remembered })
    }
}

/// What a billing notice has to carry so that its impression can be counted; empty when nothing counts it.
pub(super) fn counted_text(responder: &Responder, live: &Live, shown: &Shown<'_>) -> String {
    if shown.counted_subject == 0 || !live.plan().counts_impressions() {
        return String::new();
    }
    let mut keys: SmallVec<[CountKey; 8]> = SmallVec::new();
    live.plan().impression_keys(live.bundle().catalog(), shown.ad, |key| keys.push(key));
    let of = (shown.served.decision_id, shown.served.ad);
    responder.pack(shown.counted_subject, &keys, of).unwrap_or_default()
}

/// Price of this one impression and its currency, from the price of a thousand; zeros when the exchange does not say.
fn cleared(query: &str) -> (i64, [u8; 3]) {
    let value = |wanted: &str| query_values(query).find(|(name, _)| *name == wanted).map(|(_, value)| value);
    let price: Option<f64> = value("price").and_then(|price| price.parse().ok());
    let price = price.filter(|price| price.is_finite() && (0.0..1e6).contains(price));
    match (price, value("cur").map(currency)) {
        (Some(price), Some(cur)) if cur != [0; 3] => ((price * MICROS as f64 / 1e3).round() as i64, cur),
        _ => (0, [0; 3]),
    }
}

/// A notice's answer.
pub(crate) fn thanks() -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::new()));
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_numbers_are_prices() {
        assert_eq!(cleared("price=2.5&cur=EUR"), (2_500, *b"EUR"));
        for other in
            ["", "price=2.5", "price=AUDIT&cur=EUR", "price=NaN&cur=EUR", "price=-1&cur=EUR", "price=1&cur=e"]
        {
            assert_eq!(cleared(other), (0, [0; 3]), "{other}");
        }
        assert_eq!(cleared("price=${AUCTION_PRICE}&cur=${AUCTION_CURRENCY}"), (0, [0; 3]));
    }
}
