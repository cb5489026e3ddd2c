//! One simulated visit as requests and answers: what is asked, what came back, what is clicked.

use std::collections::BTreeMap;

use http_body_util::Full;
use hyper::Request;
use hyper::body::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::population::{Consent, Visitor};

/// The part of an answer that a page needs.
#[derive(Debug, Deserialize)]
pub(crate) struct DecideAnswer {
    pub(crate) tier: String,
    placements: BTreeMap<String, PlacementAnswer>,
}

#[derive(Debug, Deserialize)]
struct PlacementAnswer {
    ads: Vec<AdAnswer>,
}

/// The part of an ad that a page needs.
#[derive(Debug, Deserialize)]
pub(crate) struct AdAnswer {
    combination: BTreeMap<String, String>,
    #[serde(default)]
    offer: Option<OfferAnswer>,
    impression_url: String,
    click_url: String,
}

#[derive(Debug, Deserialize)]
struct OfferAnswer {
    r#type: String,
    value: f64,
}

impl DecideAnswer {
    /// The ad of the only placement that a visit asks for.
    pub(crate) fn into_ad(self) -> Option<AdAnswer> {
        self.placements.into_values().next()?.ads.into_iter().next()
    }
}

impl AdAnswer {
    /// The combination as a number over `slots` (name and asset ids), the last slot fastest; `None` for another template.
    pub(crate) fn combination(&self, slots: &[(String, Vec<String>)]) -> Option<usize> {
        if self.combination.len() != slots.len() {
            return None;
        }
        slots.iter().try_fold(0, |number, (slot, assets)| {
            let chosen = self.combination.get(slot)?;
            Some(number * assets.len() + assets.iter().position(|asset| asset == chosen)?)
        })
    }

    /// Discount of the offer, 0.1 for ten percent.
    pub(crate) fn discount(&self) -> f64 {
        self.offer
            .as_ref()
            .filter(|offer| offer.r#type == "discount_percent")
            .map_or(0.0, |offer| offer.value / 100.0)
    }

    pub(crate) fn impression(&self, host: &str) -> Option<Request<Full<Bytes>>> {
        get(host, path_of(&self.impression_url)?)
    }

    pub(crate) fn click(&self, host: &str) -> Option<Request<Full<Bytes>>> {
        get(host, &format!("{}?noredirect", path_of(&self.click_url)?))
    }
}

/// The decide request of a visitor for one slot.
pub(crate) fn decide(visitor: &Visitor, slot: &str, host: &str) -> Option<Request<Full<Bytes>>> {
    let body = serde_json::to_vec(&body(visitor, slot)).ok()?;
    let mut request = Request::post("/v1/decide")
        .header("host", host)
        .header("content-type", "application/json")
        .header("user-agent", visitor.user_agent);
    if let Some(address) = visitor.client_ip {
        request = request.header("x-forwarded-for", address.to_string());
    }
    request.body(Full::new(Bytes::from(body))).ok()
}

/// The body of a visitor's decide request: what a shop's page would send.
pub(crate) fn body(visitor: &Visitor, slot: &str) -> Value {
    let mut body = json!({
        "placements": [{"id": "hero", "slot": slot, "formats": [{"w": 970, "h": 250}]}],
        "user": {
            "anonymous_id": visitor.id,
            "traits": {"interest": visitor.interest, "age": visitor.age, "member_tier": visitor.member_tier},
        },
        "page": {"url": "https://fernweh.example/autumn", "category": [visitor.page_category]},
        "consent": consent(visitor.consent),
    });
    if let Some(value_micros) = visitor.cart_value_micros {
        body["session"] = json!({"cart": {"value_micros": value_micros, "currency": "EUR", "items": 2}});
    }
    body
}

fn consent(consent: Consent) -> Value {
    let all = |granted: bool| {
        json!({"purposes": {"storage": granted, "ads_profile": granted, "ads_personalization": granted,
            "content_personalization": granted, "analytics": granted}})
    };
    match consent {
        Consent::Granted => all(true),
        Consent::GlobalPrivacyControl => json!({"gpc": true}),
        Consent::Refused => all(false),
        Consent::NoSignal => json!({}),
    }
}

fn get(host: &str, path: &str) -> Option<Request<Full<Bytes>>> {
    Request::get(path).header("host", host).body(Full::new(Bytes::new())).ok()
}

/// Path and query of a URL.
fn path_of(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    rest.find('/').map(|at| &rest[at..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn combinations_are_numbered_with_the_last_slot_fastest() {
        let answer = r#"{"tier":"full","placements":{"hero":{"ads":[{"combination":{"a":"a1","b":"b2"},
            "impression_url":"http://h/e/t","click_url":"http://h/c/t"}]}}}"#;
        let ad = serde_json::from_str::<DecideAnswer>(answer).unwrap().into_ad().unwrap();
        let slots = [
            ("a".to_owned(), vec!["a0".to_owned(), "a1".into()]),
            ("b".into(), vec!["b0".into(), "b1".into(), "b2".into()]),
        ];
        assert_eq!(ad.combination(&slots), Some(5));
        assert_eq!(ad.combination(&slots[..1]), None);
        assert_eq!(ad.click("h").unwrap().uri(), "/c/t?noredirect");
    }
}
