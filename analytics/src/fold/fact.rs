//! Facts: one row for every record that took effect, as it is kept for queries.
//!
//! Guarantees: a fact says in which hour and under which campaign, segment, arm and mode it counts, so that sums over facts
//! equal the rollups; an impression that a later touch implied is a fact of its own. Half of the pseudonymous subject key
//! stands on served ads and behaviour only: touches join by decision id.
//!
//! Not here: the file format ([`crate::store`]).

use serde::{Deserialize, Serialize};
use tessera_wire::event::{Behaviour, NONE, Served, Touch, TouchKind};

use super::FactKey;
use super::joins::ServedAd;
use crate::names::{GenerationNames, NameId, NameList};

const HOUR_MS: i64 = 3_600_000;

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum FactKind {
    /// An ad was put into an answer.
    Served,
    /// It was rendered.
    Impression,
    /// It was in view.
    Viewable,
    /// It was clicked.
    Click,
    /// It led to a conversion.
    Conversion,
    /// A visitor did something.
    Behaviour,
}

impl FactKind {
    /// Every kind, in code order.
    pub const ALL: [FactKind; 6] = [
        FactKind::Served,
        FactKind::Impression,
        FactKind::Viewable,
        FactKind::Click,
        FactKind::Conversion,
        FactKind::Behaviour,
    ];

    /// The word in files and reports.
    pub const fn name(self) -> &'static str {
        match self {
            FactKind::Served => "served",
            FactKind::Impression => "impression",
            FactKind::Viewable => "viewable",
            FactKind::Click => "click",
            FactKind::Conversion => "conversion",
            FactKind::Behaviour => "behaviour",
        }
    }
}

impl From<TouchKind> for FactKind {
    fn from(kind: TouchKind) -> FactKind {
        match kind {
            TouchKind::Impression => FactKind::Impression,
            TouchKind::Viewable => FactKind::Viewable,
            TouchKind::Click => FactKind::Click,
            TouchKind::Conversion => FactKind::Conversion,
        }
    }
}

/// What only the decision knew.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ServedFact {
    /// Generation that decided.
    pub generation: u64,
    /// Posterior table that decided.
    pub posterior_generation: u64,
    /// Placement.
    pub placement: NameId,
    /// Flight, if any.
    pub flight: Option<NameId>,
    /// Offer, if any.
    pub offer: Option<NameId>,
    /// Rule, if any.
    pub rule: Option<NameId>,
    /// Language, if any.
    pub locale: Option<NameId>,
    /// Code of the tier.
    pub tier: u8,
    /// Probability with which the combination was chosen.
    pub propensity: f32,
    /// Price of a thousand, in millionths.
    pub cpm_micros: i64,
}

/// One row.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Fact {
    /// What happened.
    pub kind: FactKind,
    /// When, unix milliseconds.
    pub at_ms: i64,
    /// The hour in which it counts: when its ad was served.
    pub hour: i64,
    /// The decision; zero for behaviour.
    pub decision_id: u128,
    /// Which ad of it.
    pub ad: u16,
    /// Campaign, none for behaviour.
    pub campaign: Option<NameId>,
    /// Segment, none for behaviour.
    pub segment: Option<NameId>,
    /// Template, where the ad has one.
    pub template: Option<NameId>,
    /// Assets by slot, where the ad has a template.
    pub combination: Option<NameList>,
    /// Experiment and variant that the ad was shown under.
    pub exposure: Option<(NameId, NameId)>,
    /// Code of the arm.
    pub arm: u8,
    /// Code of the consent mode.
    pub mode: u8,
    /// May it be learned from and reported about?
    pub is_learnable: bool,
    /// Was it counted because of a later touch, without a record of its own?
    pub is_implied: bool,
    /// What only the decision knew.
    pub served: Option<ServedFact>,
    /// Name of a behaviour event.
    pub behaviour: Option<NameId>,
    /// Half of the pseudonymous subject key, none without permission and after erasure.
    pub subject: Option<u64>,
    /// Value in millionths of the currency's unit.
    pub value_micros: i64,
    /// ISO 4217 currency, zeros when none.
    pub currency: [u8; 3],
}

/// The half of a subject key that facts keep: enough to tell visitors apart, and little enough not to double their size.
pub fn subject_half(subject: u128) -> Option<u64> {
    (subject != 0).then_some(subject as u64)
}

impl Fact {
    /// The fact of a served ad.
    pub(super) fn served(served: &Served, ad: &ServedAd, key: FactKey) -> Fact {
        let names = &ad.names;
        let name = |list: &[NameId], index: u32| {
            (index != NONE).then(|| list.get(index as usize).copied()).flatten()
        };
        Fact {
            served: Some(ServedFact {
                generation: served.generation,
                posterior_generation: served.posterior_generation,
                placement: name(&names.placements, served.placement).unwrap_or_default(),
                flight: name(&names.flights, served.flight),
                offer: name(&names.offers, served.offer),
                rule: name(&names.rules, served.rule),
                locale: name(&names.locales, served.locale),
                tier: served.tier as u8,
                propensity: served.propensity,
                cpm_micros: served.cpm_micros,
            }),
            subject: subject_half(served.subject),
            ..Fact::of_ad(FactKind::Served, served.at_ms, ad, key)
        }
    }

    /// The fact of a touch.
    pub(super) fn touch(kind: TouchKind, touch: &Touch, ad: &ServedAd, key: FactKey) -> Fact {
        let is_implied = kind != touch.kind;
        let value_micros = if is_implied { 0 } else { touch.value_micros };
        let currency = if is_implied { [0; 3] } else { touch.currency };
        Fact { is_implied, value_micros, currency, ..Fact::of_ad(kind.into(), touch.at_ms, ad, key) }
    }

    /// The fact of a behaviour event.
    pub(super) fn behaviour(behaviour: &Behaviour, name: NameId) -> Fact {
        Fact {
            kind: FactKind::Behaviour,
            at_ms: behaviour.at_ms,
            hour: behaviour.at_ms.div_euclid(HOUR_MS),
            decision_id: 0,
            ad: 0,
            campaign: None,
            segment: None,
            template: None,
            combination: None,
            exposure: None,
            arm: 0,
            mode: 0,
            is_learnable: false,
            is_implied: false,
            served: None,
            behaviour: Some(name),
            subject: subject_half(behaviour.subject),
            value_micros: behaviour.value_micros,
            currency: behaviour.currency,
        }
    }

    fn of_ad(kind: FactKind, at_ms: i64, ad: &ServedAd, key: FactKey) -> Fact {
        let shape = ad.names.templates.get(ad.template as usize);
        Fact {
            kind,
            at_ms,
            hour: key.hour,
            decision_id: ad.key.0,
            ad: ad.key.1,
            campaign: Some(key.campaign),
            segment: Some(key.segment),
            template: shape.map(|shape| shape.template),
            combination: shape.and_then(|shape| shape.combination(ad.combination)),
            exposure: exposure(&ad.names, ad),
            arm: key.arm,
            mode: key.mode,
            is_learnable: key.is_learnable,
            is_implied: false,
            served: None,
            behaviour: None,
            subject: None,
            value_micros: 0,
            currency: [0; 3],
        }
    }
}

/// The experiment and variant of an ad, by name.
pub(super) fn exposure(names: &GenerationNames, ad: &ServedAd) -> Option<(NameId, NameId)> {
    let exposure = ad.exposure?;
    let (experiment, variants) = names.experiments.get(exposure.experiment as usize)?;
    Some((*experiment, *variants.get(usize::from(exposure.variant))?))
}
