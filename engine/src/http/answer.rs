//! The answer to a decision, as JSON.
//!
//! Field names are those of the native protocol. Identifiers are text, money is integer millionths with its currency, the
//! order of fields and placements is that of the request, so that equal decisions are equal bytes.

use std::cell::Cell;

use tessera_engine_core::admit::Admitted;
use tessera_engine_core::decide::{Ad, Decision, Note, PlacementOutcome};
use tessera_engine_core::explain::Explanation;
use tessera_engine_core::locale::Language;
use tessera_engine_core::snapshot::Snapshot;
use tessera_wire::catalog::{Asset, Campaign, Catalog, Offer, Template};
use tessera_wire::event::{Arm, TouchKind};
use tessera_wire::signal::NUMBER_SCALE;

use super::ad_urls::{AdUrls, UrlsOf};
use super::contents::Contents;
use super::context::Responder;
use super::counted::Clicks;
use super::explanation;
use super::json::Json;
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
    /// Whose clicks on it are counted.
    pub(super) clicks: Clicks<'a>,
    /// The visitor's languages, from the best down.
    pub(super) languages: &'a [&'a str],
    /// Memory for the addresses of one ad.
    pub(super) urls: &'a Cell<Vec<u8>>,
}

impl Answer<'_> {
    /// Appends the answer's JSON to `out`.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        let json = &mut Json::new(out);
        json.open(b'{');
        if let Some(id) = &self.body.request_id {
            json.field("request_id", &id.0);
        }
        json.key("decision_id");
        json.plain(|out| append_hex(self.decision_id, out));
        json.key("bundle");
        json.open(b'{');
        json.number_field("version", self.snapshot.bundle().generation());
        json.field("hash", self.snapshot.bundle().short_hash());
        json.close(b'}');
        json.number_field("posterior_generation", self.snapshot.posterior_generation());
        json.field("tier", self.decision.tier.name());
        json.field("tier_reason", self.admitted.reason().as_str());
        json.field("mode", self.admitted.mode().name());
        if self.admitted.preview().is_some() {
            json.flag_field("preview", true);
        }
        json.key("placements");
        json.open(b'{');
        for (request, outcome) in self.body.placements.iter().zip(self.decision.placements) {
            json.foreign_key(&request.id.0);
            self.placement(*outcome, json);
        }
        json.close(b'}');
        if let Some(explained) = self.explanation {
            json.key("explain");
            json.value(|out| {
                explanation::encode(self.body.placements.iter().map(|one| one.id.0.as_ref()), explained, out)
            });
        }
        json.close(b'}');
    }

    fn placement(&self, outcome: PlacementOutcome, json: &mut Json<'_>) {
        let first = usize::from(outcome.first_ad);
        let ads = &self.decision.ads[first..first + usize::from(outcome.ads)];
        json.open(b'{');
        json.key("ads");
        json.open(b'[');
        for (offset, ad) in ads.iter().enumerate() {
            self.ad(ad, (first + offset) as u16, json);
        }
        json.close(b']');
        self.notes(&outcome, json);
        match (outcome.no_fill, ads.first()) {
            (None, Some(ad)) => {
                json.field("reason", self.reason(ad));
                json.field("reason_code", reason_code(ad));
            }
            (loss, _) => {
                json.field("reason", "no fill");
                json.field("no_fill_code", loss.map_or("rule_false", |loss| loss.code()));
            }
        }
        json.close(b'}');
    }

    /// Arms of splits and tags that rules report; nothing when they report none.
    fn notes(&self, outcome: &PlacementOutcome, json: &mut Json<'_>) {
        let (bundle, notes) = (self.snapshot.bundle(), self.decision.notes_of(outcome));
        if notes.iter().any(|note| matches!(note, Note::Variant(_))) {
            json.key("variants");
            json.open(b'[');
            for note in notes {
                let Note::Variant(number) = note else { continue };
                let (split, arm) = bundle.actions().variants()[*number as usize];
                json.open(b'{');
                json.field("split", bundle.word(split));
                json.field("arm", bundle.word(arm));
                json.close(b'}');
            }
            json.close(b']');
        }
        if notes.iter().any(|note| matches!(note, Note::Tag(_))) {
            json.key("tags");
            json.open(b'[');
            for note in notes {
                let Note::Tag(number) = note else { continue };
                json.string(bundle.word(bundle.actions().tags()[*number as usize]));
            }
            json.close(b']');
        }
    }

    /// Arms that bandits of rules chose for the ad; nothing when there are none.
    fn choices(&self, ad: &Ad, json: &mut Json<'_>) {
        if ad.choices.iter().all(Option::is_none) {
            return;
        }
        json.key("choices");
        json.open(b'[');
        for choice in ad.choices.iter().flatten() {
            let (bandit, arm) = self.snapshot.bundle().arm_name(choice);
            json.open(b'{');
            json.field("bandit", bandit);
            json.field("arm", arm);
            json.key("propensity");
            json.value(|out| append_number(&choice.propensity, out));
            json.close(b'}');
        }
        json.close(b']');
    }

    /// The name of the rule that decided.
    fn reason(&self, ad: &Ad) -> &str {
        let rules = &self.snapshot.bundle().source().rules;
        ad.rule.and_then(|rule| rules.get(rule as usize)).map_or("house ad", |rule| rule.name.as_str())
    }

    fn ad(&self, ad: &Ad, number: u16, json: &mut Json<'_>) {
        let catalog = self.snapshot.bundle().catalog();
        let template = &catalog.templates[ad.template.index()];
        let campaign = &catalog.campaigns[template.campaign.index()];
        let creative = ad.creative.map_or(template.id, |creative| catalog.creatives[creative.index()].id);
        json.open(b'{');
        json.number_field("id", number);
        json.field("campaign_id", catalog.str(campaign.id));
        if let Some(flight) = ad.flight {
            json.field("flight_id", catalog.str(catalog.flights[flight.index()].id));
        }
        json.field("creative_id", catalog.str(creative));
        if campaign.advertiser.len > 0 {
            json.field("advertiser_id", catalog.str(campaign.advertiser));
        }
        append_combination(catalog, template, ad.combination, json);
        if let Some(offer) = ad.offer {
            append_offer(catalog, &catalog.offers[offer.index()], ad.offer_at_ms, json);
        }
        self.experiment(ad, campaign, json);
        json.key("propensity");
        json.value(|out| append_number(&ad.propensity, out));
        self.choices(ad, json);
        json.field("tier", ad.tier.name());
        json.number_field("priority", ad.priority);
        if ad.share < 1.0 {
            json.key("share");
            json.value(|out| append_number(&ad.share, out));
        }
        self.pricing(ad, json);
        let language = language_of(catalog, ad, self.languages);
        if let Some(locale) = language.locale() {
            json.field("locale", catalog.str(catalog.locales[locale.index()]));
        }
        let landing_url = catalog.str(campaign.landing_url);
        let of = (self.decision_id, number);
        let counted = self.clicks.target(self.responder, (catalog, ad), of, landing_url);
        let click_target = counted.as_deref().unwrap_or(landing_url);
        let of = UrlsOf { decision_id: self.decision_id, ad: number, now_ms: self.now_ms, click_target };
        let mut buffer = self.urls.take();
        let urls = &AdUrls::sign(self.responder, &of, &mut buffer);
        Contents { answer: self, ad, template, language, urls, number }.append(json);
        append_urls(urls, json);
        self.urls.set(buffer);
        json.close(b'}');
    }

    /// What the ad costs, where that was asked and the flight has a price.
    fn pricing(&self, ad: &Ad, json: &mut Json<'_>) {
        let catalog = self.snapshot.bundle().catalog();
        let price = ad.flight.map_or(0, |flight| catalog.flights[flight.index()].cpm_micros);
        if !self.body.options.pricing || price == 0 {
            return;
        }
        json.key("pricing");
        json.open(b'{');
        json.number_field("price_micros", price);
        json.field("currency", catalog.str(catalog.currency));
        json.field("rate_type", "cpm");
        json.close(b'}');
    }

    /// The variant that the ad was shown under, else on which side of the holdout it was shown.
    fn experiment(&self, ad: &Ad, campaign: &Campaign, json: &mut Json<'_>) {
        let catalog = self.snapshot.bundle().catalog();
        let is_holdout = ad.arm == Arm::Holdout;
        let (id, variant) = match ad.exposure {
            Some(exposure) => self.snapshot.bundle().exposure_name(exposure),
            None if is_holdout && campaign.holdout_ppm == 0 => (catalog.str(catalog.holdout_salt), "holdout"),
            None if is_holdout => (catalog.str(campaign.holdout_salt), "holdout"),
            None if ad.arm == Arm::Personalized && campaign.holdout_ppm > 0 => {
                (catalog.str(campaign.holdout_salt), "personalized")
            }
            None => return,
        };
        json.key("experiment");
        json.open(b'{');
        json.field("id", id);
        json.field("variant", variant);
        json.flag_field("holdout", is_holdout);
        json.close(b'}');
    }
}

/// The configured start of addresses is checked to need no escaping, a token never does.
fn append_urls(urls: &AdUrls<'_>, json: &mut Json<'_>) {
    let mut url = |name, url: &str| {
        json.key(name);
        json.plain(|out| out.extend_from_slice(url.as_bytes()));
    };
    url("impression_url", urls.impression());
    url("viewable_url", urls.viewable());
    url("click_url", urls.click());
    json.key("events");
    json.open(b'[');
    json.open(b'{');
    json.field("name", TouchKind::Conversion.name());
    json.key("url");
    json.plain(|out| out.extend_from_slice(urls.conversion().as_bytes()));
    json.close(b'}');
    json.close(b']');
}

const fn reason_code(ad: &Ad) -> &'static str {
    match ad.arm {
        Arm::Personalized => "selected",
        Arm::Holdout => "holdout",
        Arm::Fixed => "rule",
        Arm::House => "house",
    }
}

/// The language that an ad speaks to this visitor.
pub(super) fn language_of<'r>(catalog: &Catalog, ad: &Ad, languages: &[&'r str]) -> Language<'r> {
    let template = &catalog.templates[ad.template.index()];
    let assets = chosen_assets(catalog, template, ad.combination).map(|(_, asset)| asset);
    Language::choose(catalog, assets, languages)
}

/// Slot names with the assets of a combination number.
pub(super) fn chosen_assets<'a>(
    catalog: &'a Catalog,
    template: &'a Template,
    number: u32,
) -> impl Iterator<Item = (&'a str, &'a Asset)> + Clone {
    let mut radix = template.combinations;
    catalog.slots_of(template).iter().map(move |slot| {
        let assets = catalog.assets_of(slot);
        radix /= assets.len() as u32;
        let chosen = assets[(number / radix) as usize % assets.len()];
        (catalog.str(slot.name), &catalog.assets[chosen.index()])
    })
}

fn append_combination(catalog: &Catalog, template: &Template, number: u32, json: &mut Json<'_>) {
    json.key("combination");
    json.open(b'{');
    for (slot, asset) in chosen_assets(catalog, template, number) {
        json.foreign_key(slot);
        json.string(catalog.str(asset.id));
    }
    json.close(b'}');
}

fn append_offer(catalog: &Catalog, offer: &Offer, at_ms: i64, json: &mut Json<'_>) {
    json.key("offer");
    json.open(b'{');
    json.field("id", catalog.str(offer.id));
    json.field("type", offer.kind.name());
    json.key("value");
    json.value(|out| append_number(&(offer.value as f64 / NUMBER_SCALE as f64), out));
    if offer.code.len > 0 {
        json.field("code", catalog.str(offer.code));
    }
    if let Some(expires_at) = offer_expires_at(offer, at_ms) {
        json.key("expires_at");
        json.plain(|out| append_display(&expires_at, out));
    }
    json.close(b'}');
}

/// When an offer ends that has held since then.
pub(super) fn offer_expires_at(offer: &Offer, at_ms: i64) -> Option<jiff::Timestamp> {
    let expires_at_ms = at_ms.saturating_add(i64::from(offer.ttl_secs) * 1_000);
    jiff::Timestamp::from_millisecond(expires_at_ms).ok()
}

pub(super) fn append_hex(number: u128, out: &mut Vec<u8>) {
    for byte in number.to_be_bytes() {
        let digit = |value: u8| b"0123456789abcdef"[usize::from(value)];
        out.extend_from_slice(&[digit(byte >> 4), digit(byte & 15)]);
    }
}

/// The shortest text that reads back as the same number; our numbers are finite.
pub(super) fn append_number(number: &impl serde::Serialize, out: &mut Vec<u8>) {
    if serde_json::to_writer(&mut *out, number).is_err() {
        debug_assert!(false, "INVARIANT: numbers always encode");
        out.push(b'0');
    }
}

pub(super) fn append_display(value: &impl std::fmt::Display, out: &mut Vec<u8>) {
    use std::io::Write;
    // Writing to a Vec cannot fail.
    let _ = write!(out, "{value}");
}
