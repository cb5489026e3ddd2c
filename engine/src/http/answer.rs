//! The answer to a decision, as JSON.
//!
//! Field names are those of the native protocol. Identifiers are text, money is integer millionths with its currency, the
//! order of fields and placements is that of the request, so that equal decisions are equal bytes.

use std::cell::RefCell;

use serde::ser::{Error as _, SerializeMap, SerializeSeq};
use serde::{Serialize, Serializer};
use tessera_engine_core::admit::Admitted;
use tessera_engine_core::decide::{Ad, Decision, PlacementOutcome};
use tessera_engine_core::explain::Explanation;
use tessera_engine_core::snapshot::Snapshot;
use tessera_wire::catalog::{AssetKind, Catalog, Template};
use tessera_wire::event::{Arm, TouchKind};
use tessera_wire::token::{Token, sign_into};

use super::context::Responder;
use super::explanation::ExplainBlock;
use super::problem::Problem;
use super::request::DecideBody;

/// Everything an answer is made from.
pub(super) struct Answer<'a> {
    pub(super) responder: &'a Responder,
    pub(super) snapshot: &'a Snapshot,
    pub(super) body: &'a DecideBody<'a>,
    pub(super) admitted: &'a Admitted<'a>,
    pub(super) decision: Decision<'a>,
    pub(super) explanation: Option<&'a Explanation>,
    pub(super) decision_id: u128,
    pub(super) now_ms: i64,
}

/// Appends the answer's JSON to `out`.
pub(super) fn encode(answer: &Answer<'_>, out: &mut Vec<u8>) -> Result<(), Problem> {
    serde_json::to_writer(out, answer).map_err(|error| {
        let status = hyper::StatusCode::INTERNAL_SERVER_ERROR;
        Problem::new(status, crate::counters::Refusal::Unavailable, "encoding", error.to_string())
    })
}

impl Serialize for Answer<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if let Some(id) = &self.body.request_id {
            map.serialize_entry("request_id", id.0.as_ref())?;
        }
        map.serialize_entry("decision_id", &Hex(self.decision_id))?;
        map.serialize_entry("bundle", &BundleRef(self.snapshot))?;
        map.serialize_entry("posterior_generation", &self.snapshot.posterior_generation())?;
        map.serialize_entry("tier", self.decision.tier.name())?;
        map.serialize_entry("tier_reason", self.admitted.reason().as_str())?;
        map.serialize_entry("mode", self.admitted.mode().name())?;
        map.serialize_entry("placements", &Placements(self))?;
        if let Some(explanation) = self.explanation {
            map.serialize_entry("explain", &ExplainBlock { placements: &self.body.placements, explanation })?;
        }
        map.end()
    }
}

struct Hex(u128);

impl Serialize for Hex {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut text = [0u8; 32];
        for (index, digit) in text.iter_mut().enumerate() {
            *digit = b"0123456789abcdef"[(self.0 >> (124 - 4 * index)) as usize & 15];
        }
        serializer.serialize_str(std::str::from_utf8(&text).map_err(S::Error::custom)?)
    }
}

struct BundleRef<'a>(&'a Snapshot);

impl Serialize for BundleRef<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry("version", &self.0.bundle().generation())?;
        map.serialize_entry("hash", self.0.bundle().short_hash())?;
        map.end()
    }
}

struct Placements<'a>(&'a Answer<'a>);

impl Serialize for Placements<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let answer = self.0;
        let mut map = serializer.serialize_map(Some(answer.decision.placements.len()))?;
        for (request, outcome) in answer.body.placements.iter().zip(answer.decision.placements) {
            map.serialize_entry(request.id.0.as_ref(), &PlacementAnswer { answer, outcome: *outcome })?;
        }
        map.end()
    }
}

struct PlacementAnswer<'a> {
    answer: &'a Answer<'a>,
    outcome: PlacementOutcome,
}

impl Serialize for PlacementAnswer<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("ads", &Ads(self))?;
        match self.outcome.no_fill {
            None => {
                let first = &self.answer.decision.ads[usize::from(self.outcome.first_ad)];
                map.serialize_entry("reason", &reason(self.answer, first))?;
                map.serialize_entry("reason_code", reason_code(first))?;
            }
            Some(loss) => {
                map.serialize_entry("reason", "no fill")?;
                map.serialize_entry("no_fill_code", loss.code())?;
            }
        }
        map.end()
    }
}

/// The name of the rule that decided.
fn reason<'a>(answer: &Answer<'a>, ad: &Ad) -> &'a str {
    let rules = &answer.snapshot.bundle().source().rules;
    ad.rule.and_then(|rule| rules.get(rule as usize)).map_or("house ad", |rule| rule.name.as_str())
}

const fn reason_code(ad: &Ad) -> &'static str {
    match ad.arm {
        Arm::Personalized => "selected",
        Arm::Holdout => "holdout",
        Arm::Fixed => "rule",
        Arm::House => "house",
    }
}

struct Ads<'a>(&'a PlacementAnswer<'a>);

impl Serialize for Ads<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let PlacementAnswer { answer, outcome } = self.0;
        let first = usize::from(outcome.first_ad);
        let mut list = serializer.serialize_seq(Some(usize::from(outcome.ads)))?;
        for number in first..first + usize::from(outcome.ads) {
            list.serialize_element(&AdAnswer {
                answer,
                ad: &answer.decision.ads[number],
                number: number as u16,
            })?;
        }
        list.end()
    }
}

struct AdAnswer<'a> {
    answer: &'a Answer<'a>,
    ad: &'a Ad,
    number: u16,
}

impl Serialize for AdAnswer<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let catalog = self.answer.snapshot.bundle().catalog();
        let template = &catalog.templates[self.ad.template.index()];
        let campaign = &catalog.campaigns[template.campaign.index()];
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("id", &self.number)?;
        map.serialize_entry("campaign_id", catalog.str(campaign.id))?;
        if let Some(flight) = running_flight(catalog, template, self.answer.now_ms) {
            map.serialize_entry("flight_id", flight)?;
        }
        match self.ad.creative {
            Some(creative) => {
                map.serialize_entry("creative_id", catalog.str(catalog.creatives[creative.index()].id))?
            }
            None => map.serialize_entry("creative_id", catalog.str(template.id))?,
        }
        if campaign.advertiser.len > 0 {
            map.serialize_entry("advertiser_id", catalog.str(campaign.advertiser))?;
        }
        map.serialize_entry("combination", &Combination { catalog, template, number: self.ad.combination })?;
        if let Some(offer) = self.ad.offer {
            map.serialize_entry("offer", &OfferAnswer { catalog, offer, now_ms: self.answer.now_ms })?;
        }
        if matches!(self.ad.arm, Arm::Personalized | Arm::Holdout) && campaign.holdout_ppm > 0 {
            map.serialize_entry(
                "experiment",
                &Experiment { id: catalog.str(campaign.holdout_salt), arm: self.ad.arm },
            )?;
        }
        map.serialize_entry("propensity", &self.ad.propensity)?;
        map.serialize_entry("tier", self.ad.tier.name())?;
        map.serialize_entry("priority", &self.ad.priority)?;
        map.serialize_entry("contents", &[Contents { catalog, template, number: self.ad.combination }])?;
        self.serialize_urls(&mut map, catalog.str(campaign.landing_url))?;
        map.end()
    }
}

/// The flight of the template's campaign that runs now.
fn running_flight<'a>(catalog: &'a Catalog, template: &Template, now_ms: i64) -> Option<&'a str> {
    let flights = catalog.campaigns[template.campaign.index()].flights.of(&catalog.flights);
    flights
        .iter()
        .find(|flight| (flight.start_ms..flight.end_ms).contains(&now_ms))
        .map(|flight| catalog.str(flight.id))
}

impl AdAnswer<'_> {
    fn serialize_urls<M: SerializeMap>(&self, map: &mut M, landing_url: &str) -> Result<(), M::Error> {
        let signed = |kind: TouchKind, target| Signed { ad: self, kind, target };
        map.serialize_entry("impression_url", &Url("/e/", signed(TouchKind::Impression, "")))?;
        map.serialize_entry("viewable_url", &Url("/e/", signed(TouchKind::Viewable, "")))?;
        map.serialize_entry("click_url", &Url("/c/", signed(TouchKind::Click, landing_url)))?;
        map.serialize_entry("events", &[EventUrl(Url("/e/", signed(TouchKind::Conversion, "")))])
    }
}

/// A token to be signed when it is written.
struct Signed<'a> {
    ad: &'a AdAnswer<'a>,
    kind: TouchKind,
    target: &'a str,
}

struct Url<'a>(&'static str, Signed<'a>);

thread_local! {
    /// Text of the URL being written, reused.
    static URL: RefCell<String> = const { RefCell::new(String::new()) };
}

impl Serialize for Url<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Url(path, signed) = self;
        let answer = signed.ad.answer;
        let expires = answer.now_ms / 1_000 + i64::from(answer.responder.token_ttl_secs);
        let token = Token {
            kind: signed.kind,
            expires_at_secs: u32::try_from(expires).unwrap_or(u32::MAX),
            decision_id: answer.decision_id,
            ad: signed.ad.number,
            target: signed.target,
        };
        URL.with_borrow_mut(|url| {
            url.clear();
            url.push_str(&answer.responder.public_url);
            url.push_str(path);
            sign_into(&answer.responder.keys.token, &token, url);
            serializer.serialize_str(url)
        })
    }
}

struct EventUrl<'a>(Url<'a>);

impl Serialize for EventUrl<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry("name", self.0.1.kind.name())?;
        map.serialize_entry("url", &self.0)?;
        map.end()
    }
}

struct Combination<'a> {
    catalog: &'a Catalog,
    template: &'a Template,
    number: u32,
}

impl Serialize for Combination<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (slot, asset) in chosen_assets(self.catalog, self.template, self.number) {
            map.serialize_entry(slot, self.catalog.str(asset.id))?;
        }
        map.end()
    }
}

/// Slot names with the assets of a combination number.
fn chosen_assets<'a>(
    catalog: &'a Catalog,
    template: &'a Template,
    number: u32,
) -> impl Iterator<Item = (&'a str, &'a tessera_wire::catalog::Asset)> {
    let mut radix = template.combinations;
    catalog.slots_of(template).iter().map(move |slot| {
        let assets = catalog.assets_of(slot);
        radix /= assets.len() as u32;
        let chosen = assets[(number / radix) as usize % assets.len()];
        (catalog.str(slot.name), &catalog.assets[chosen.index()])
    })
}

struct Contents<'a> {
    catalog: &'a Catalog,
    template: &'a Template,
    number: u32,
}

impl Serialize for Contents<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(3))?;
        map.serialize_entry("type", "slots")?;
        map.serialize_entry("template", self.catalog.str(self.template.id))?;
        map.serialize_entry("data", &ContentData(self))?;
        map.end()
    }
}

struct ContentData<'a>(&'a Contents<'a>);

impl Serialize for ContentData<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Contents { catalog, template, number } = self.0;
        let mut map = serializer.serialize_map(None)?;
        for (slot, asset) in chosen_assets(catalog, template, *number) {
            match asset.kind {
                AssetKind::Text => map.serialize_entry(slot, catalog.str(asset.content))?,
                AssetKind::Image => {
                    let image = Image { url: catalog.str(asset.content), alt: catalog.str(asset.alt) };
                    map.serialize_entry(slot, &image)?;
                }
            }
        }
        map.end()
    }
}

#[derive(Serialize)]
struct Image<'a> {
    url: &'a str,
    alt: &'a str,
}

struct OfferAnswer<'a> {
    catalog: &'a Catalog,
    offer: tessera_wire::catalog::OfferId,
    now_ms: i64,
}

impl Serialize for OfferAnswer<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let offer = &self.catalog.offers[self.offer.index()];
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("id", self.catalog.str(offer.id))?;
        map.serialize_entry("type", offer.kind.name())?;
        map.serialize_entry("value", &(offer.value as f64 / tessera_wire::signal::NUMBER_SCALE as f64))?;
        if offer.code.len > 0 {
            map.serialize_entry("code", self.catalog.str(offer.code))?;
        }
        let expires_at_ms = self.now_ms.saturating_add(i64::from(offer.ttl_secs) * 1_000);
        let expires = jiff::Timestamp::from_millisecond(expires_at_ms).map_err(S::Error::custom)?;
        map.serialize_entry("expires_at", &expires.to_string())?;
        map.end()
    }
}

struct Experiment<'a> {
    id: &'a str,
    arm: Arm,
}

impl Serialize for Experiment<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let is_holdout = self.arm == Arm::Holdout;
        let mut map = serializer.serialize_map(Some(3))?;
        map.serialize_entry("id", self.id)?;
        map.serialize_entry("variant", if is_holdout { "holdout" } else { "personalized" })?;
        map.serialize_entry("holdout", &is_holdout)?;
        map.end()
    }
}
