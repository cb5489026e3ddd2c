//! Which offer goes with an ad: what rules give, within the campaign's terms, and what the visitor was promised before.
//!
//! Of the offers that matching rules give, the first counts that the campaign's terms allow; the campaign's default offer
//! stands in when there is none. Without the purpose of personalised ads nobody gets a price of their own: only the default
//! offer is given. A campaign that holds its offers gives a visitor the same offer until it ends, with the end it had at
//! first; if the campaign improves, a larger discount replaces a smaller one, and nothing else replaces anything.
//!
//! Cost: one look at the promises, and another walk down the rules only where terms refuse what comes first.

use tessera_wire::catalog::{Campaign, CampaignId, Hold, OfferId, OfferKind};
use tessera_wire::event::ArmChoice;
use tessera_wire::program::Action;
use tessera_wire::signal::{Gates, NUMBER_SCALE};

use crate::compose::Given;
use crate::decide::Loss;
use crate::place::{Matching, Place};
use crate::scratch::Scratch;
use tessera_wire::catalog::PlacementId;

/// A hundred percent, as discounts and margins are written.
const WHOLE: i128 = 100 * NUMBER_SCALE as i128;

/// An offer that a visitor was given before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeldOffer {
    /// With an ad of this campaign.
    pub campaign: CampaignId,
    /// Which.
    pub offer: OfferId,
    /// When, unix milliseconds.
    pub at_ms: i64,
}

/// An offer that goes with an ad.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Granted {
    pub(crate) offer: OfferId,
    pub(crate) choice: Option<ArmChoice>,
    /// Since when it holds, unix milliseconds.
    pub(crate) at_ms: i64,
}

impl Place<'_> {
    fn may_price(&self) -> bool {
        self.admitted.gates().covers(Gates::ADS_PERSONALIZE)
    }

    /// The offer that goes with an ad of this campaign; `first` is the first that rules give here.
    pub(crate) fn granted(
        &self,
        campaign: CampaignId,
        (placement, first): (PlacementId, Option<Given>),
        scratch: &Scratch,
    ) -> Option<Granted> {
        let terms = &self.snapshot.bundle().catalog().campaigns[campaign.index()];
        let given = self.given(terms, (placement, first), scratch);
        let fresh = given.map(|(offer, choice)| Granted { offer, choice, at_ms: self.granted_ms(terms) });
        let Some(held) = self.held(campaign, terms, scratch) else { return fresh };
        match fresh {
            Some(fresh) if terms.hold == Hold::Improve && self.is_better(fresh.offer, held.offer) => {
                Some(fresh)
            }
            _ => Some(Granted { offer: held.offer, choice: None, at_ms: held.at_ms }),
        }
    }

    /// Do the terms allow it, and its caps?
    fn may_give(&self, terms: &Campaign, offer: OfferId, scratch: &Scratch) -> bool {
        self.terms_loss(terms, offer).is_none() && self.offer_loss(offer, &scratch.ads).is_none()
    }

    /// What is remembered in whole seconds begins at one.
    fn granted_ms(&self, terms: &Campaign) -> i64 {
        if terms.hold == Hold::No { self.now_ms } else { self.now_ms - self.now_ms.rem_euclid(1_000) }
    }

    fn given(
        &self,
        terms: &Campaign,
        (placement, first): (PlacementId, Option<Given>),
        scratch: &Scratch,
    ) -> Option<Given> {
        let is_allowed = |offer: OfferId| self.may_give(terms, offer, scratch);
        let by_rules = match first {
            // What does not depend on the visitor was nobody's choice either.
            Some(_) if !self.may_price() => None,
            Some((offer, choice)) if is_allowed(offer) => Some((offer, choice)),
            Some(_) => self.first_offer(placement, scratch, is_allowed),
            None => None,
        };
        by_rules.or(terms.default_offer.filter(|offer| is_allowed(*offer)).map(|offer| (offer, None)))
    }

    /// The offer of the first matching rule that gives one of the wanted. Fallback rules give theirs too: an offer is not
    /// a fill.
    pub(crate) fn first_offer(
        &self,
        placement: PlacementId,
        scratch: &Scratch,
        is_wanted: impl Fn(OfferId) -> bool,
    ) -> Option<Given> {
        let mut matching = Matching::new(self.snapshot, placement);
        while let Some(id) = matching.next(&scratch.rules) {
            for effect in self.effects(&self.program().rules[id.0 as usize]) {
                if let Action::Offer(offer) = effect.action
                    && is_wanted(offer)
                {
                    return Some((offer, effect.choice));
                }
            }
        }
        None
    }

    /// Why a campaign may not give this offer to this visitor, if so.
    pub(crate) fn terms_loss(&self, terms: &Campaign, offer: OfferId) -> Option<Loss> {
        if !self.may_price() && terms.default_offer != Some(offer) {
            return Some(Loss::NotConsented);
        }
        let offer = &self.snapshot.bundle().catalog().offers[offer.index()];
        if offer.kind != OfferKind::DiscountPercent {
            return None;
        }
        if offer.value > terms.max_discount {
            return Some(Loss::DiscountTooLarge);
        }
        let margin = terms.min_margin?;
        let known = self.admitted.frame().integer(margin.signal);
        let is_kept = known.is_some_and(|known| keeps_margin(known, offer.value, margin.least));
        (!is_kept).then_some(Loss::MarginTooSmall)
    }

    /// What the visitor was promised with this campaign, unless it has ended or may not be given any more.
    pub(crate) fn held(
        &self,
        campaign: CampaignId,
        terms: &Campaign,
        scratch: &Scratch,
    ) -> Option<HeldOffer> {
        if terms.hold == Hold::No || !self.may_price() {
            return None;
        }
        let offers = &self.snapshot.bundle().catalog().offers;
        let holds = |held: &&HeldOffer| {
            let ttl_ms = i64::from(offers[held.offer.index()].ttl_secs) * 1_000;
            held.campaign == campaign
                && (held.at_ms..held.at_ms.saturating_add(ttl_ms)).contains(&self.now_ms)
                && self.may_give(terms, held.offer, scratch)
        };
        self.admitted.held().iter().filter(holds).max_by_key(|held| held.at_ms).copied()
    }

    fn is_better(&self, fresh: OfferId, held: OfferId) -> bool {
        let offers = &self.snapshot.bundle().catalog().offers;
        let (fresh, held) = (&offers[fresh.index()], &offers[held.index()]);
        fresh.kind == OfferKind::DiscountPercent && held.kind == fresh.kind && fresh.value > held.value
    }
}

/// Does a discount leave the least margin? All are percentages: of the price, of the price, and of what is paid.
///
/// A margin `m` of the price is `m - d` after a discount `d`, of a price that is `1 - d`.
fn keeps_margin(margin: i64, discount: i64, least: i64) -> bool {
    let (margin, discount, least) = (i128::from(margin), i128::from(discount), i128::from(least));
    discount < WHOLE && (margin - discount) * WHOLE >= least * (WHOLE - discount)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn margins_are_exact_on_both_sides() {
        let keeps = |margin: i64, discount: i64, least: i64| {
            keeps_margin(margin * NUMBER_SCALE, discount * NUMBER_SCALE, least * NUMBER_SCALE)
        };
        // 100 with a cost of 60 sold at 80: 20 of 80 are left.
        assert!(keeps(40, 20, 25));
        assert!(!keeps_margin(40 * NUMBER_SCALE, 20 * NUMBER_SCALE, 25 * NUMBER_SCALE + 1));
        assert!(!keeps_margin(40 * NUMBER_SCALE - 1, 20 * NUMBER_SCALE, 25 * NUMBER_SCALE));
        assert!(keeps(40, 40, 0));
        assert!(!keeps(40, 41, 0));
        assert!(!keeps(100, 100, 0));
        assert!(!keeps_margin(i64::MIN, 1, i64::MAX));
    }
}
