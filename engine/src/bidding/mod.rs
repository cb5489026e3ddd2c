//! The terms on which we bid in real-time auctions: who we are, what an impression is worth to us, what our ads are.
//!
//! Auctions ask for facts that a catalog of ads has no other use for: the seat, blocked-category codes, creative
//! attributes, deals, exchange rates. They stand in one small TOML file beside the bundle ([`Terms::parse`]), which the
//! watcher takes over when it changes and verifies. Without it the bidder says no to everything.
//!
//! Guarantees: terms that are loaded are consistent: prices are positive, names are bounded, currencies are three capitals.
//! Cost: look-ups by name only. Not here: the protocol (`http::openrtb`).

mod file;

use std::collections::HashMap;

use arc_swap::ArcSwapOption;

/// Millionths of a unit of currency.
pub(crate) const MICROS: i64 = 1_000_000;

/// The terms that are in force, absent until a file was taken over.
pub(crate) type TermsCell = ArcSwapOption<Terms>;

/// What bids are made of besides the decision.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Terms {
    /// Our seat at the exchange.
    pub(crate) seat: String,
    /// ISO 4217 code of all our prices.
    pub(crate) currency: String,
    /// Price of a thousand impressions where a campaign names none, millionths; `None` does not bid for such a campaign.
    pub(crate) cpm_micros: Option<i64>,
    /// Milliseconds of an exchange's `tmax` that we leave to the network.
    pub(crate) tmax_margin_ms: u32,
    /// What one unit of our currency is worth in others.
    rates: HashMap<String, f64>,
    /// Placements by the exchange's tag.
    slots: HashMap<String, String>,
    campaigns: HashMap<String, CampaignTerms>,
    nothing: CampaignTerms,
}

/// What is particular to one campaign.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct CampaignTerms {
    pub(crate) cpm_micros: Option<i64>,
    /// Domains of the advertiser; empty means the host of the landing page.
    pub(crate) adomain: Vec<String>,
    /// IAB content categories; empty means that nobody has said.
    pub(crate) cat: Vec<String>,
    /// Creative attributes (AdCOM list 5.3).
    pub(crate) attr: Vec<i64>,
    /// Deals it may be sold under.
    pub(crate) deals: Vec<String>,
}

impl Terms {
    /// The terms of a campaign.
    pub(crate) fn campaign(&self, id: &str) -> &CampaignTerms {
        self.campaigns.get(id).unwrap_or(&self.nothing)
    }

    /// What a thousand impressions of a campaign are worth: its own price, or the one for all.
    pub(crate) fn price_micros(&self, campaign: &CampaignTerms) -> Option<i64> {
        campaign.cpm_micros.or(self.cpm_micros)
    }

    /// The placement that an exchange's tag stands for; the tag itself when nobody has said.
    pub(crate) fn slot<'a>(&'a self, tag: &'a str) -> &'a str {
        self.slots.get(tag).map_or(tag, String::as_str)
    }

    /// An amount of `currency` in ours, rounded up; `None` when we know no rate.
    pub(crate) fn in_our_currency(&self, amount: f64, currency: &str) -> Option<i64> {
        let rate = if currency == self.currency { 1.0 } else { *self.rates.get(currency)? };
        let micros = (amount / rate * MICROS as f64).ceil();
        // A floor beyond any price stays beyond any price: `as` saturates.
        (micros.is_finite() && micros >= 0.0).then_some(micros as i64)
    }

    /// An amount of ours in `currency`, rounded down; `None` when we know no rate.
    pub(crate) fn in_currency(&self, micros: i64, currency: &str) -> Option<i64> {
        if currency == self.currency {
            return Some(micros);
        }
        let rate = self.rates.get(currency)?;
        Some((micros as f64 * rate).floor() as i64)
    }
}

/// A price, in the unit of the currency, of so many millionths; to the nearest millionth.
fn micros(price: f64) -> Option<i64> {
    let micros = (price * MICROS as f64).round();
    (micros.is_finite() && (1.0..=1e12).contains(&micros)).then_some(micros as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floors_round_up_and_prices_down() {
        let terms = Terms::parse("seat = 's'\ncurrency = 'EUR'\n[rates]\nUSD = 1.1\n").unwrap();
        assert_eq!(terms.in_our_currency(1.0, "EUR"), Some(1_000_000));
        assert_eq!(terms.in_our_currency(1.0, "USD"), Some(909_091));
        assert_eq!(terms.in_currency(909_090, "USD"), Some(999_999));
        assert_eq!(terms.in_our_currency(1.0, "GBP"), None);
        assert_eq!(terms.in_our_currency(f64::NAN, "EUR"), None);
        assert_eq!(terms.in_our_currency(1e300, "EUR"), Some(i64::MAX));
    }

    #[test]
    fn a_campaigns_price_goes_before_the_one_for_all() {
        let terms =
            Terms::parse("seat='s'\ncurrency='EUR'\ncpm=1\n[campaign.a]\ncpm=2.5\n[campaign.b]\n").unwrap();
        assert_eq!(terms.price_micros(terms.campaign("a")), Some(2_500_000));
        assert_eq!(terms.price_micros(terms.campaign("b")), Some(1_000_000));
        assert_eq!(terms.price_micros(terms.campaign("unheard of")), Some(1_000_000));
    }
}
