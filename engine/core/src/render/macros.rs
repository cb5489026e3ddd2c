//! Macros: what a template may ask for, and where the answers come from.
//!
//! | macro | value | may be missing |
//! | --- | --- | --- |
//! | `slot.NAME` | text or address of the asset in that slot, in the ad's language | |
//! | `slot.NAME.alt` | alternative text of the image in that slot | |
//! | `param.NAME` | what the rule binds with `with` | yes |
//! | `offer.id`, `.type`, `.value`, `.code`, `.expires_at` | the offer | yes |
//! | `click_url`, `impression_url`, `viewable_url` | signed addresses of this ad | |
//! | `cache_buster` | a number that differs from ad to ad | |
//! | `request_id` | as the caller sent it | yes |
//! | `decision_id` | hexadecimal | |
//! | `campaign`, `creative`, `placement` | text ids | |
//! | `locale` | language of the ad's texts | yes |
//! | `timestamp` | unix milliseconds | |
//! | `consent.tcf`, `consent.gpp` | the consent string as sent, for an address's query only | yes |
//!
//! What may be missing needs a fallback, `${param.name|there}`, so a rendering never lacks a value.

use tessera_wire::program::WordId;

use crate::limits::{CONSENT_BYTES_MAX, URL_BYTES_MAX, VALUE_BYTES_MAX};

/// What a template asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Macro {
    /// Content of the asset in a slot, by the slot's place in the template.
    Slot(u8),
    /// Alternative text of that asset.
    Alt(u8),
    /// A parameter; `None` when no rule of the bundle binds one of this name.
    Parameter(Option<WordId>),
    /// Text id of the offer.
    OfferId,
    /// Kind of the offer.
    OfferType,
    /// Value of the offer.
    OfferValue,
    /// Code of the offer.
    OfferCode,
    /// When the offer ends, RFC 3339.
    OfferExpiresAt,
    /// Where a click goes.
    ClickUrl,
    /// What counts an impression.
    ImpressionUrl,
    /// What counts an ad that was in view.
    ViewableUrl,
    /// A number that differs from ad to ad.
    CacheBuster,
    /// As the caller sent it.
    RequestId,
    /// Hexadecimal.
    DecisionId,
    /// Text id of the campaign.
    Campaign,
    /// Text id of the creative, or of the template.
    Creative,
    /// Text id of the placement.
    Placement,
    /// Language of the ad's texts.
    Locale,
    /// Unix milliseconds.
    Timestamp,
    /// Transparency and consent string.
    ConsentTcf,
    /// Global privacy string.
    ConsentGpp,
}

impl Macro {
    /// Macros without a name of their own in them.
    pub const PLAIN: [(&'static str, Macro); 18] = [
        ("offer.id", Macro::OfferId),
        ("offer.type", Macro::OfferType),
        ("offer.value", Macro::OfferValue),
        ("offer.code", Macro::OfferCode),
        ("offer.expires_at", Macro::OfferExpiresAt),
        ("click_url", Macro::ClickUrl),
        ("impression_url", Macro::ImpressionUrl),
        ("viewable_url", Macro::ViewableUrl),
        ("cache_buster", Macro::CacheBuster),
        ("request_id", Macro::RequestId),
        ("decision_id", Macro::DecisionId),
        ("campaign", Macro::Campaign),
        ("creative", Macro::Creative),
        ("placement", Macro::Placement),
        ("locale", Macro::Locale),
        ("timestamp", Macro::Timestamp),
        ("consent.tcf", Macro::ConsentTcf),
        ("consent.gpp", Macro::ConsentGpp),
    ];

    /// May there be no value?
    pub const fn may_be_missing(self) -> bool {
        matches!(
            self,
            Macro::Parameter(_)
                | Macro::OfferId
                | Macro::OfferType
                | Macro::OfferValue
                | Macro::OfferCode
                | Macro::OfferExpiresAt
                | Macro::RequestId
                | Macro::Locale
                | Macro::ConsentTcf
                | Macro::ConsentGpp
        )
    }

    /// Is its value an address that the engine makes itself?
    pub(super) const fn is_own_url(self) -> bool {
        matches!(self, Macro::ClickUrl | Macro::ImpressionUrl | Macro::ViewableUrl)
    }

    /// Is it a string that may be passed on only where partners read it?
    pub(super) const fn is_consent(self) -> bool {
        matches!(self, Macro::ConsentTcf | Macro::ConsentGpp)
    }

    /// Longest value that is taken, in bytes; a longer one counts as missing.
    pub(super) const fn bytes_max(self) -> usize {
        match self {
            Macro::ConsentTcf | Macro::ConsentGpp => CONSENT_BYTES_MAX,
            Macro::ClickUrl | Macro::ImpressionUrl | Macro::ViewableUrl => URL_BYTES_MAX,
            _ => VALUE_BYTES_MAX,
        }
    }
}

/// One slot of the template, as far as macros need to know it.
#[derive(Debug, Clone)]
pub struct SlotScope<'a> {
    /// Its name.
    pub name: &'a str,
    /// Is every content that can fill it an address?
    pub holds_urls: bool,
    /// Does every content that can fill it have an alternative text?
    pub holds_images: bool,
    /// Bytes of the longest content or alternative text.
    pub bytes_max: usize,
}

/// What a template may refer to.
#[derive(Debug, Clone, Default)]
pub struct Scope<'a> {
    /// Its slots in order.
    pub slots: Vec<SlotScope<'a>>,
    /// Parameters that rules bind for it; `None` when the rules are not known.
    pub parameters: Option<Vec<(&'a str, WordId)>>,
}

/// A name that leads nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unknown {
    Macro,
    Slot,
    Parameter,
    Alt,
}

impl Scope<'_> {
    /// The macro with this name.
    pub(super) fn find(&self, name: &str) -> Result<Macro, Unknown> {
        if let Some(name) = name.strip_prefix("slot.") {
            return self.slot(name);
        }
        if let Some(name) = name.strip_prefix("param.") {
            let Some(parameters) = &self.parameters else { return Ok(Macro::Parameter(None)) };
            let found = parameters.iter().find(|(known, _)| *known == name);
            return found.map(|(_, word)| Macro::Parameter(Some(*word))).ok_or(Unknown::Parameter);
        }
        Macro::PLAIN.iter().find(|(known, _)| *known == name).map(|(_, of)| *of).ok_or(Unknown::Macro)
    }

    fn slot(&self, name: &str) -> Result<Macro, Unknown> {
        let place = |name: &str| self.slots.iter().position(|slot| slot.name == name);
        if let Some(slot) = place(name) {
            return Ok(Macro::Slot(slot as u8));
        }
        let slot = name.strip_suffix(".alt").and_then(place).ok_or(Unknown::Slot)?;
        if self.slots[slot].holds_images { Ok(Macro::Alt(slot as u8)) } else { Err(Unknown::Alt) }
    }

    /// Every name that could have been meant.
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = Macro::PLAIN.iter().map(|(name, _)| (*name).to_owned()).collect();
        for slot in &self.slots {
            names.push(format!("slot.{}", slot.name));
            if slot.holds_images {
                names.push(format!("slot.{}.alt", slot.name));
            }
        }
        let parameters = self.parameters.iter().flatten();
        names.extend(parameters.map(|(name, _)| format!("param.{name}")));
        names
    }

    pub(super) fn is_own_url(&self, of: Macro) -> bool {
        match of {
            Macro::Slot(slot) => self.slots.get(usize::from(slot)).is_some_and(|slot| slot.holds_urls),
            _ => of.is_own_url(),
        }
    }

    pub(super) fn bytes_max(&self, of: Macro) -> usize {
        match of {
            Macro::Slot(slot) | Macro::Alt(slot) => {
                self.slots.get(usize::from(slot)).map_or(0, |slot| slot.bytes_max)
            }
            _ => of.bytes_max(),
        }
    }
}
