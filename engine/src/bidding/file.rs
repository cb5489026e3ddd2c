//! The terms' file: TOML to checked values.

use std::collections::{BTreeMap, HashMap};

use serde::Deserialize;

use super::{CampaignTerms, Terms, micros};
use crate::limits::{TERMS_BYTES_MAX, TERMS_ENTRIES_MAX, TERMS_TEXT_BYTES_MAX};

/// The file cannot be used; the terms in force stay.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TermsError {
    /// Too large to be what it should be.
    #[error("the bidding terms have {found} bytes, at most {TERMS_BYTES_MAX} are read")]
    TooLarge {
        /// Bytes given.
        found: usize,
    },
    /// Not TOML, or not of the right shape.
    #[error("the bidding terms are not valid: {0}")]
    Toml(String),
    /// A value makes no sense.
    #[error("the bidding terms are not valid: `{key}`: {help}")]
    Value {
        /// Where it stands.
        key: String,
        /// What a right one looks like.
        help: &'static str,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTerms {
    seat: String,
    currency: String,
    cpm: Option<f64>,
    #[serde(default = "margin")]
    tmax_margin_ms: u32,
    #[serde(default)]
    rates: BTreeMap<String, f64>,
    #[serde(default)]
    slots: BTreeMap<String, String>,
    #[serde(default)]
    campaign: BTreeMap<String, RawCampaign>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCampaign {
    cpm: Option<f64>,
    #[serde(default)]
    adomain: Vec<String>,
    #[serde(default)]
    cat: Vec<String>,
    #[serde(default)]
    attr: Vec<i64>,
    #[serde(default)]
    deals: Vec<String>,
}

/// A data centre's round trip and the exchange's own work.
fn margin() -> u32 {
    10
}

const CURRENCY_HELP: &str = "write an ISO 4217 code such as EUR";
const PRICE_HELP: &str = "write a price of a thousand impressions above 0, such as 1.20";
const TEXT_HELP: &str = "write 1 to 128 bytes without control characters";
const MANY_HELP: &str = "there are too many entries";

impl Terms {
    /// Reads a terms file.
    ///
    /// # Errors
    /// [`TermsError`] says where it is wrong.
    pub(crate) fn parse(text: &str) -> Result<Terms, TermsError> {
        if text.len() > TERMS_BYTES_MAX {
            return Err(TermsError::TooLarge { found: text.len() });
        }
        let raw: RawTerms = toml::from_str(text).map_err(|error| TermsError::Toml(error.to_string()))?;
        check_text("seat", &raw.seat)?;
        check(is_currency(&raw.currency), "currency", CURRENCY_HELP)?;
        for (currency, rate) in &raw.rates {
            let key = || format!("rates.{currency}");
            check(is_currency(currency), &key(), CURRENCY_HELP)?;
            check(rate.is_finite() && (1e-6..=1e6).contains(rate), &key(), "write a rate above 0")?;
        }
        for (tag, slot) in &raw.slots {
            check_text(&format!("slots.{tag}"), slot)?;
        }
        let is_bounded = [raw.rates.len(), raw.slots.len(), raw.campaign.len()];
        check(is_bounded.iter().all(|count| *count <= TERMS_ENTRIES_MAX), "slots, campaign", MANY_HELP)?;
        let mut campaigns = HashMap::new();
        for (id, campaign) in raw.campaign {
            let terms = campaign_terms(&id, campaign)?;
            campaigns.insert(id, terms);
        }
        Ok(Terms {
            cpm_micros: price("cpm", raw.cpm)?,
            seat: raw.seat,
            currency: raw.currency,
            tmax_margin_ms: raw.tmax_margin_ms,
            rates: raw.rates.into_iter().collect(),
            slots: raw.slots.into_iter().collect(),
            campaigns,
            nothing: CampaignTerms::default(),
        })
    }
}

fn campaign_terms(id: &str, raw: RawCampaign) -> Result<CampaignTerms, TermsError> {
    for (name, list) in [("adomain", &raw.adomain), ("cat", &raw.cat), ("deals", &raw.deals)] {
        let key = format!("campaign.{id}.{name}");
        check(list.len() <= TERMS_ENTRIES_MAX, &key, MANY_HELP)?;
        list.iter().try_for_each(|text| check_text(&key, text))?;
    }
    let adomain = raw.adomain.into_iter().map(|domain| domain.to_ascii_lowercase()).collect();
    Ok(CampaignTerms {
        cpm_micros: price(&format!("campaign.{id}.cpm"), raw.cpm)?,
        adomain,
        cat: raw.cat,
        attr: raw.attr,
        deals: raw.deals,
    })
}

fn price(key: &str, price: Option<f64>) -> Result<Option<i64>, TermsError> {
    let Some(price) = price else { return Ok(None) };
    let micros = micros(price);
    check(micros.is_some(), key, PRICE_HELP)?;
    Ok(micros)
}

fn check_text(key: &str, text: &str) -> Result<(), TermsError> {
    let is_plain = !text.is_empty() && text.len() <= TERMS_TEXT_BYTES_MAX;
    check(is_plain && !text.chars().any(char::is_control), key, TEXT_HELP)
}

fn check(is_right: bool, key: &str, help: &'static str) -> Result<(), TermsError> {
    if is_right { Ok(()) } else { Err(TermsError::Value { key: key.to_owned(), help }) }
}

fn is_currency(code: &str) -> bool {
    code.len() == 3 && code.bytes().all(|letter| letter.is_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_named() {
        for (text, expected) in [
            ("seat = 's'", "currency"),
            ("seat = ''\ncurrency = 'EUR'", "`seat`"),
            ("seat = 's'\ncurrency = 'euro'", "`currency`"),
            ("seat = 's'\ncurrency = 'EUR'\ncpm = 0", "`cpm`"),
            ("seat = 's'\ncurrency = 'EUR'\ncpm = inf", "`cpm`"),
            ("seat = 's'\ncurrency = 'EUR'\n[rates]\nUSD = -1", "`rates.USD`"),
            ("seat = 's'\ncurrency = 'EUR'\n[campaign.a]\nprice = 1", "price"),
            ("seat = 's'\ncurrency = 'EUR'\n[campaign.a]\ncpm = nan", "`campaign.a.cpm`"),
            ("seat = 's'\ncurrency = 'EUR'\n[campaign.a]\ncat = ['']", "`campaign.a.cat`"),
        ] {
            let message = Terms::parse(text).unwrap_err().to_string();
            assert!(message.contains(expected), "{text}: {message}");
        }
        assert!(matches!(Terms::parse(&"#".repeat(TERMS_BYTES_MAX + 1)), Err(TermsError::TooLarge { .. })));
    }
}
