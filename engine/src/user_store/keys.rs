//! Numbers for what is counted, and what one bundle needs counted.
//!
//! A key's text (`impression/creative/hero-red`) outlives bundles, its number outlives restarts: the list is saved with
//! the visitors' state. Rules and caps read counts by feature index; a [`CountPlan`] says once per bundle which key each
//! feature reads and which keys each served ad adds to.

use std::collections::HashMap;
use std::io::Write;
use std::sync::{Mutex, PoisonError};

use tessera_engine_core::decide::Ad;
use tessera_wire::catalog::{CampaignId, Catalog, Hold, OfferId};
use tessera_wire::program::{Feature, FeatureEvent, FeatureSubject, Origin, Program, SourceMap, Window};
use tessera_wire::signal::Builtin;

use super::state::CountKey;
use crate::limits::{COUNT_KEYS_MAX, PROMISES_MAX};

/// All keys that were ever counted here, by text.
#[derive(Debug, Default)]
pub struct KeyRegistry(Mutex<Keys>);

#[derive(Debug, Default)]
struct Keys {
    by_text: HashMap<Box<str>, CountKey>,
    /// Where new keys are written before they are used.
    file: Option<std::fs::File>,
}

impl KeyRegistry {
    /// The keys as they were saved, in number order; `file` gets a line for each new one.
    pub(super) fn kept(texts: Vec<String>, file: std::fs::File) -> KeyRegistry {
        let keys = texts.into_iter().zip(0..).map(|(text, number)| (text.into(), CountKey(number)));
        KeyRegistry(Mutex::new(Keys { by_text: keys.collect(), file: Some(file) }))
    }

    /// The key of this text; `None` when there are too many already.
    fn key(&self, text: String) -> Option<CountKey> {
        let mut keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(key) = keys.by_text.get(text.as_str()) {
            return Some(*key);
        }
        if keys.by_text.len() >= COUNT_KEYS_MAX {
            tracing::error!(
                limit = COUNT_KEYS_MAX,
                "too many counted things; a cap or counter does not work"
            );
            return None;
        }
        if let Some(file) = &mut keys.file {
            let written = file.write_all(format!("{}\n", text.replace('\n', " ")).as_bytes());
            if let Err(error) = written.and_then(|()| file.sync_data()) {
                // Counting goes on; only a restart before the next good write may mix this one up with another.
                tracing::error!(%error, "a new counter's name cannot be written");
            }
        }
        let key = CountKey(keys.by_text.len() as u32);
        keys.by_text.insert(text.into(), key);
        Some(key)
    }
}

/// What one feature reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PlannedFeature {
    pub(super) key: Option<CountKey>,
    pub(super) window: Window,
}

/// What one bundle reads of a visitor, and what it wants counted.
#[derive(Debug, Default)]
pub struct CountPlan {
    pub(super) features: Vec<PlannedFeature>,
    /// Features by key, sorted: which of them one counted event adds to.
    by_key: Vec<(CountKey, u16)>,
    /// Do rules read the cart, the last product and the like?
    pub(super) reads_behaviour: bool,
    impressions: AdKeys,
    clicks: AdKeys,
    behaviours: HashMap<Box<str>, CountKey>,
    promises: Promises,
}

/// Offers that visitors keep: a stamp of such a key says when one was given.
#[derive(Debug, Default)]
struct Promises {
    keys: HashMap<(CampaignId, OfferId), CountKey>,
    offers: HashMap<CountKey, (CampaignId, OfferId)>,
}

/// Keys that an ad adds to, by what the ad is.
#[derive(Debug, Default)]
struct AdKeys {
    any: Option<CountKey>,
    campaigns: HashMap<u32, CountKey>,
    templates: HashMap<u32, CountKey>,
    creatives: HashMap<u32, CountKey>,
    offers: HashMap<u32, CountKey>,
    rules: HashMap<u32, CountKey>,
    flights: HashMap<u32, CountKey>,
}

impl CountPlan {
    /// The plan of a program, giving numbers to what was never counted before.
    pub fn new(program: &Program, source: &SourceMap, registry: &KeyRegistry) -> CountPlan {
        let mut plan = CountPlan { reads_behaviour: reads_behaviour(program), ..CountPlan::default() };
        for feature in &program.features {
            let key = registry.key(key_text(feature));
            plan.features.push(PlannedFeature { key, window: feature.window });
            if let Some(key) = key {
                plan.want(feature, key, source);
            }
        }
        let keyed = plan.features.iter().zip(0u16..);
        plan.by_key = keyed.filter_map(|(feature, number)| Some((feature.key?, number))).collect();
        plan.by_key.sort_unstable();
        plan
    }

    /// Adds what the campaigns of a catalog promise: with every campaign that holds its offers, each of them.
    pub fn with_promises(mut self, catalog: &Catalog, registry: &KeyRegistry) -> CountPlan {
        let holding = (0..).map(CampaignId).zip(&catalog.campaigns).filter(|(_, one)| one.hold != Hold::No);
        for (campaign, terms) in holding {
            for (offer, named) in (0..).map(OfferId).zip(&catalog.offers) {
                if self.promises.keys.len() == PROMISES_MAX {
                    tracing::error!(
                        limit = PROMISES_MAX,
                        "too many held offers; visitors do not keep the rest"
                    );
                    return self;
                }
                let (campaign_id, offer_id) = (catalog.str(terms.id), catalog.str(named.id));
                let text = format!("offer/{}/{campaign_id}/{offer_id}", campaign_id.len());
                if let Some(key) = registry.key(text) {
                    self.promises.keys.insert((campaign, offer), key);
                    self.promises.offers.insert(key, (campaign, offer));
                }
            }
        }
        self
    }

    /// The offer that a stamp of this key promised.
    pub(super) fn promise(&self, key: CountKey) -> Option<(CampaignId, OfferId)> {
        self.promises.offers.get(&key).copied()
    }

    pub(super) fn has_promises(&self) -> bool {
        !self.promises.keys.is_empty()
    }

    /// The key of an offer that begins to hold with this ad, in the second of `at_ms`.
    pub fn promise_key(&self, catalog: &Catalog, ad: &Ad, at_ms: i64) -> Option<CountKey> {
        let campaign = catalog.templates.get(ad.template.index())?.campaign;
        let key = self.promises.keys.get(&(campaign, ad.offer?))?;
        (ad.offer_at_ms == at_ms - at_ms.rem_euclid(1_000)).then_some(*key)
    }

    fn want(&mut self, feature: &Feature, key: CountKey, source: &SourceMap) {
        let keys = match &feature.event {
            FeatureEvent::Impression => &mut self.impressions,
            FeatureEvent::Click => &mut self.clicks,
            FeatureEvent::Behaviour(name) => {
                self.behaviours.insert(name.as_str().into(), key);
                return;
            }
        };
        match feature.subject {
            FeatureSubject::Any => keys.any = Some(key),
            FeatureSubject::Campaign(id) => drop(keys.campaigns.insert(id.0, key)),
            FeatureSubject::Template(id) => drop(keys.templates.insert(id.0, key)),
            FeatureSubject::Creative(id) => drop(keys.creatives.insert(id.0, key)),
            FeatureSubject::Offer(id) => drop(keys.offers.insert(id.0, key)),
            FeatureSubject::Flight(id) => drop(keys.flights.insert(id.0, key)),
            FeatureSubject::Rule(index) => {
                // The name counts, because indices move: a bundle may have no rule of this name any more.
                let is_named = |index: u32| {
                    source.rules.get(index as usize).is_some_and(|rule| rule.name == feature.subject_id)
                };
                if is_named(index) {
                    keys.rules.insert(index, key);
                }
            }
        }
    }

    /// The features that an event of this key adds to.
    pub(super) fn features_of(&self, key: CountKey) -> impl Iterator<Item = usize> {
        let first = self.by_key.partition_point(|(other, _)| *other < key);
        let own = self.by_key[first..].iter().take_while(move |(other, _)| *other == key);
        own.map(|(_, feature)| usize::from(*feature))
    }

    /// Must a visitor's state be looked up at all?
    pub fn reads_anything(&self) -> bool {
        self.reads_behaviour || !self.features.is_empty() || self.has_promises()
    }

    /// Must served ads be counted?
    pub fn counts_impressions(&self) -> bool {
        !self.impressions.is_empty() || self.has_promises()
    }

    /// Calls `count` with each key that showing this ad adds to.
    pub fn impression_keys(&self, catalog: &Catalog, ad: &Ad, count: impl FnMut(CountKey)) {
        self.impressions.of(catalog, ad, count);
    }

    /// Must clicks be counted?
    pub fn counts_clicks(&self) -> bool {
        !self.clicks.is_empty()
    }

    /// Calls `count` with each key that a click on this ad adds to.
    pub fn click_keys(&self, catalog: &Catalog, ad: &Ad, count: impl FnMut(CountKey)) {
        self.clicks.of(catalog, ad, count);
    }

    /// The key that a behaviour event adds to, if rules count it.
    pub fn behaviour_key(&self, name: &str) -> Option<CountKey> {
        self.behaviours.get(name).copied()
    }
}

impl AdKeys {
    fn is_empty(&self) -> bool {
        let AdKeys { campaigns, templates, creatives, offers, rules, flights, .. } = self;
        let lists = [campaigns, templates, creatives, offers, rules, flights];
        self.any.is_none() && lists.into_iter().all(HashMap::is_empty)
    }

    fn of(&self, catalog: &Catalog, ad: &Ad, count: impl FnMut(CountKey)) {
        let find = |keys: &HashMap<u32, CountKey>, id: Option<u32>| keys.get(&id?).copied();
        let campaign = catalog.templates.get(ad.template.index()).map(|template| template.campaign.0);
        let keys = [
            self.any,
            find(&self.campaigns, campaign),
            find(&self.templates, Some(ad.template.0)),
            find(&self.creatives, ad.creative.map(|creative| creative.0)),
            find(&self.offers, ad.offer.map(|offer| offer.0)),
            find(&self.rules, ad.rule),
            find(&self.flights, ad.flight.map(|flight| flight.0)),
        ];
        keys.into_iter().flatten().for_each(count);
    }
}

fn key_text(feature: &Feature) -> String {
    let event = match &feature.event {
        FeatureEvent::Impression => "impression",
        FeatureEvent::Click => "click",
        FeatureEvent::Behaviour(name) => return format!("behaviour/{name}"),
    };
    let subject = match feature.subject {
        FeatureSubject::Any => "any",
        FeatureSubject::Campaign(_) => "campaign",
        FeatureSubject::Template(_) => "template",
        FeatureSubject::Creative(_) => "creative",
        FeatureSubject::Offer(_) => "offer",
        FeatureSubject::Rule(_) => "rule",
        FeatureSubject::Flight(_) => "flight",
    };
    format!("{event}/{subject}/{}", feature.subject_id)
}

fn reads_behaviour(program: &Program) -> bool {
    program.attributes.iter().any(|attribute| {
        matches!(
            attribute.origin,
            Origin::Builtin(
                Builtin::CartValue
                    | Builtin::CartItems
                    | Builtin::CartAbandoned
                    | Builtin::ProductViewed
                    | Builtin::Searched
                    | Builtin::PriceDropped
                    | Builtin::Purchased
                    | Builtin::Purchases
                    | Builtin::LastViewed
            )
        )
    })
}
