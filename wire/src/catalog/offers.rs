//! Offers, and the terms on which campaigns give them.

use serde::{Deserialize, Serialize};

use super::Text;
use crate::program::{SignalId, Span};

/// What an offer gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum OfferKind {
    /// A percentage off; the value is the percentage scaled by [`crate::signal::NUMBER_SCALE`].
    DiscountPercent,
    /// No shipping cost; the value is 0.
    FreeShipping,
    /// A named bundle of products; the value is 0.
    Bundle,
}

impl OfferKind {
    /// The word in answers and in the catalog source.
    pub const fn name(self) -> &'static str {
        match self {
            OfferKind::DiscountPercent => "discount_percent",
            OfferKind::FreeShipping => "free_shipping",
            OfferKind::Bundle => "bundle",
        }
    }
}

/// An incentive attached to an ad.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    /// Text id.
    pub id: Text,
    /// What it gives.
    pub kind: OfferKind,
    /// How much, in the unit of its kind.
    pub value: i64,
    /// Code the visitor enters, empty when none.
    pub code: Text,
    /// How long it holds after the decision, in seconds.
    pub ttl_secs: u32,
    /// Its frequency caps ([`Catalog::caps`](super::Catalog::caps)).
    pub caps: Span,
}

/// The least margin that a discount must leave, in percent scaled by [`crate::signal::NUMBER_SCALE`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct MinMargin {
    /// A number signal: margin of the item in percent of its price.
    pub signal: SignalId,
    /// The least margin in percent of what is paid.
    pub least: i64,
}

/// Does a visitor keep an offer of a campaign until it ends?
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Hold {
    /// Every decision gives what fits then.
    #[default]
    No,
    /// Whatever was given first.
    Keep,
    /// Whatever was given first, until a larger discount comes.
    Improve,
}
