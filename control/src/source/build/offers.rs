//! Offers, and the terms on which campaigns give them.

use rulec::OfferName;
use tessera_wire::catalog::{Hold, MinMargin, Offer, OfferId, OfferKind};
use tessera_wire::program::Span;
use tessera_wire::signal::{Kind, NUMBER_SCALE};

use super::Builder;
use crate::source::problem::{CatalogCode, Problem};
use crate::source::schema::{Name, RawCampaign, RawOffer};
use crate::source::value;

/// How long an offer holds when the catalog does not say.
const OFFER_TTL_SECS: u32 = 86_400;
/// A campaign that says nothing gives any discount.
const WHOLE: i64 = 100 * NUMBER_SCALE;

/// On which terms a campaign gives offers.
pub(super) struct Terms {
    pub(super) max_discount: i64,
    pub(super) min_margin: Option<MinMargin>,
    pub(super) default_offer: Option<OfferId>,
    pub(super) hold: Hold,
}

impl Builder<'_> {
    pub(super) fn add_offers(&mut self) -> Vec<OfferName> {
        let raw = self.raw;
        raw.offer.iter().map(|offer| self.add_offer(offer)).collect()
    }

    fn add_offer(&mut self, raw: &RawOffer) -> OfferName {
        let given =
            [raw.discount.is_some(), raw.free_shipping, raw.bundle].iter().filter(|given| **given).count();
        if given != 1 {
            let message = format!(
                "offer `{}` must be exactly one of discount, free_shipping, bundle",
                raw.id.get_ref()
            );
            self.problem(Problem::catalog(CatalogCode::Inconsistent, raw.id.span(), message));
        }
        let (kind, value) = match &raw.discount {
            Some(discount) => (OfferKind::DiscountPercent, self.read(discount, value::percent)),
            None if raw.free_shipping => (OfferKind::FreeShipping, 0),
            None => (OfferKind::Bundle, 0),
        };
        let ttl_secs =
            raw.valid_for.as_ref().map_or(OFFER_TTL_SECS, |valid_for| self.read(valid_for, value::seconds));
        let offer = Offer {
            id: self.text(raw.id.get_ref()),
            kind,
            value,
            code: self.text(&raw.code),
            ttl_secs,
            caps: Span::default(),
        };
        self.catalog.offers.push(offer);
        OfferName { id: raw.id.get_ref().clone(), kind, value }
    }

    pub(super) fn terms(&mut self, raw: &RawCampaign, compiled: Option<&rulec::Compiled>) -> Terms {
        let max_discount = raw.max_discount.as_ref().map_or(WHOLE, |most| self.read(most, value::percent));
        let default_offer =
            raw.default_offer.as_ref().and_then(|offer| self.find("offer", offer, &self.names.offers));
        let hold = raw.hold_offers.as_ref().map_or(Hold::No, |hold| self.read(hold, value::hold));
        let default_offer = default_offer.map(OfferId);
        self.check_default_offer(raw, default_offer, max_discount);
        Terms { max_discount, min_margin: self.min_margin(raw, compiled), default_offer, hold }
    }

    /// A default that is never given would be a surprise.
    fn check_default_offer(&mut self, raw: &RawCampaign, offer: Option<OfferId>, max_discount: i64) {
        let offer = offer.and_then(|offer| self.catalog.offers.get(offer.index()));
        let (Some(offer), Some(name)) = (offer, &raw.default_offer) else { return };
        if offer.kind == OfferKind::DiscountPercent && offer.value > max_discount {
            let message =
                format!("default offer `{}` is a larger discount than max_discount", name.get_ref());
            self.problem(Problem::catalog(CatalogCode::Inconsistent, name.span(), message));
        }
    }

    fn min_margin(&mut self, raw: &RawCampaign, compiled: Option<&rulec::Compiled>) -> Option<MinMargin> {
        let (least, signal) = match (&raw.min_margin, &raw.margin_signal) {
            (Some(least), Some(signal)) => (self.read(least, value::percent), signal),
            (None, None) => return None,
            (Some(one), None) | (None, Some(one)) => {
                let message = "min_margin and margin_signal belong together";
                let help =
                    "margin_signal names a number attribute: the item's margin in percent of its price";
                self.problem(Problem::catalog(CatalogCode::Inconsistent, one.span(), message).help(help));
                return None;
            }
        };
        let compiled = compiled?;
        let Some(found) = compiled.signal(signal.get_ref()) else {
            self.unknown("signal", signal, None);
            return None;
        };
        let attribute = compiled.program.attributes.get(usize::from(found.0));
        if attribute.is_some_and(|attribute| attribute.kind != Kind::Number) {
            let message = format!("signal `{}` is no number", signal.get_ref());
            self.problem(Problem::catalog(CatalogCode::Inconsistent, signal.span(), message));
        }
        Some(MinMargin { signal: found, least })
    }
}

/// Signals that the terms of campaigns read, whether or not a rule does.
pub(super) fn margin_signals(campaigns: &[RawCampaign]) -> impl Iterator<Item = &Name> {
    campaigns.iter().filter_map(|campaign| campaign.margin_signal.as_ref())
}
