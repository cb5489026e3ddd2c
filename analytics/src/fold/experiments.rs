//! Sums by experiment and variant, and by split and arm: what reports on experiments are made of.
//!
//! Guarantees: only ads that may be learned from count; an ad under an experiment and in two splits counts once in each.

use tessera_wire::event::{Touch, TouchKind};

use super::fact::exposure;
use super::joins::ServedAd;
use super::{Delta, ExperimentCounts, ExperimentKey, FactKey};

const MICROS: f64 = 1e6;

/// Adds to the counts of everything that the ad was shown under.
pub(super) fn count(
    ad: &ServedAd,
    fact: FactKey,
    currency: [u8; 3],
    delta: &mut Delta,
    add: impl Fn(&mut ExperimentCounts),
) {
    if !ad.is_learnable {
        return;
    }
    let splits = ad.splits.iter().flatten().filter_map(|index| ad.names.splits.get(*index as usize).copied());
    for (experiment, variant) in exposure(&ad.names, ad).into_iter().chain(splits) {
        let day = fact.hour.div_euclid(24);
        let key = ExperimentKey { day, experiment, variant, campaign: fact.campaign, currency };
        add(delta.experiments.entry(key).or_default());
    }
}

/// Adds a touch, or the impression that it implies. A conversion stands under its currency.
pub(super) fn count_touch(kind: TouchKind, touch: &Touch, ad: &ServedAd, key: FactKey, delta: &mut Delta) {
    let has_value = kind == TouchKind::Conversion && touch.value_micros != 0;
    let currency = if has_value { touch.currency } else { [0; 3] };
    count(ad, key, currency, delta, |counts| match kind {
        TouchKind::Impression => counts.impressions += 1,
        TouchKind::Viewable => {}
        TouchKind::Click => counts.clicks += 1,
        TouchKind::Conversion => {
            counts.conversions += 1;
            counts.revenue_micros = counts.revenue_micros.saturating_add(touch.value_micros);
            counts.revenue_squares += (touch.value_micros as f64 / MICROS).powi(2);
        }
    });
}
