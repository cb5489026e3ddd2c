//! `catalog.toml` as written. Every reference keeps its place in the file.

use serde::Deserialize;
use toml::Spanned;

pub(super) type Name = Spanned<String>;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawCatalog {
    /// Language of the assets themselves.
    pub(super) locale: Option<Name>,
    pub(super) placement: Vec<RawPlacement>,
    pub(super) campaign: Vec<RawCampaign>,
    pub(super) flight: Vec<RawFlight>,
    pub(super) asset: Vec<RawAsset>,
    pub(super) template: Vec<RawTemplate>,
    pub(super) creative: Vec<RawCreative>,
    pub(super) offer: Vec<RawOffer>,
    pub(super) experiment: Vec<RawExperiment>,
    /// Share of visitors to whom no campaign is personalised.
    pub(super) holdout: Option<Name>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawPlacement {
    pub(super) id: Name,
    pub(super) size: Option<Name>,
    pub(super) house: Option<Name>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawCampaign {
    pub(super) id: Name,
    #[serde(default)]
    pub(super) advertiser: String,
    pub(super) landing_url: Name,
    #[serde(default = "yes")]
    pub(super) active: bool,
    /// Largest discount of its ads.
    pub(super) max_discount: Option<Name>,
    /// Least margin that a discount leaves, in percent of what is paid.
    pub(super) min_margin: Option<Name>,
    /// Signal with the margin of the item, in percent of its price.
    pub(super) margin_signal: Option<Name>,
    pub(super) default_offer: Option<Name>,
    /// `keep` or `improve`: a visitor keeps an offer until it ends.
    pub(super) hold_offers: Option<Name>,
    pub(super) holdout: Option<Name>,
    pub(super) control: Option<Name>,
    #[serde(default)]
    pub(super) caps: Vec<RawCap>,
    pub(super) budget: Option<RawBudget>,
    pub(super) goal: Option<RawGoal>,
    /// Of each, one advertiser at most is in an answer.
    #[serde(default)]
    pub(super) exclusion_groups: Vec<Name>,
    #[serde(default)]
    pub(super) categories: Vec<Name>,
    pub(super) advertiser_domain: Option<Name>,
    pub(super) at_most_per_answer: Option<Spanned<u16>>,
    /// IANA time zone of its days.
    pub(super) zone: Option<Name>,
}

/// Money that may be spent.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawBudget {
    pub(super) total: Option<Name>,
    pub(super) daily: Option<Name>,
    pub(super) pacing: Option<Name>,
}

/// Ads that shall be shown.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawGoal {
    pub(super) total: Option<Spanned<i64>>,
    pub(super) daily: Option<Spanned<i64>>,
    pub(super) pacing: Option<Name>,
}

/// A frequency cap: so many impressions per visitor and window.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawCap {
    pub(super) count: Spanned<u32>,
    pub(super) per: Name,
    pub(super) when_unknown: Option<Name>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawFlight {
    pub(super) id: Name,
    pub(super) campaign: Name,
    pub(super) start: Name,
    pub(super) end: Name,
    #[serde(default)]
    pub(super) caps: Vec<RawCap>,
    /// When in the week it runs, such as `mon..fri 08:00-18:00`.
    #[serde(default)]
    pub(super) dayparts: Vec<Name>,
    /// Whose clock dayparts follow: `visitor`, or a time zone.
    pub(super) daypart_zone: Option<Name>,
    /// `sponsorship`, `standard`, `bulk` or `house`.
    pub(super) class: Option<Name>,
    /// Within its class.
    pub(super) priority: Option<Spanned<i64>>,
    /// Against its equals.
    pub(super) weight: Option<Spanned<i64>>,
    /// Of a thousand ads.
    pub(super) price: Option<Name>,
    pub(super) budget: Option<RawBudget>,
    pub(super) goal: Option<RawGoal>,
    /// IANA time zone of its days; that of its campaign when it names none.
    pub(super) zone: Option<Name>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawAsset {
    pub(super) id: Name,
    pub(super) image: Option<String>,
    pub(super) text: Option<String>,
    #[serde(default)]
    pub(super) alt: String,
    #[serde(default)]
    pub(super) translation: Vec<RawTranslation>,
}

/// An asset in another language.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawTranslation {
    pub(super) locale: Name,
    pub(super) image: Option<String>,
    pub(super) text: Option<String>,
    #[serde(default)]
    pub(super) alt: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawTemplate {
    pub(super) id: Name,
    pub(super) campaign: Name,
    pub(super) size: Option<Name>,
    pub(super) exploration: Option<Name>,
    /// Pairs of assets that are never shown together.
    #[serde(default)]
    pub(super) never_together: Vec<[Name; 2]>,
    #[serde(default)]
    pub(super) slot: Vec<RawSlot>,
    #[serde(default)]
    pub(super) context: Vec<RawContext>,
    #[serde(default)]
    pub(super) content: Vec<RawContent>,
    #[serde(default)]
    pub(super) caps: Vec<RawCap>,
}

/// What the template is rendered to: a source of its own, or one in a file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawContent {
    pub(super) r#type: Name,
    pub(super) body: Option<Name>,
    pub(super) file: Option<Name>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawSlot {
    pub(super) name: Name,
    pub(super) assets: Spanned<Vec<Name>>,
}

/// One feature of the model: either segments in order of precedence, or values of one signal.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawContext {
    pub(super) name: Name,
    #[serde(default)]
    pub(super) segments: Vec<Name>,
    pub(super) signal: Option<Name>,
    #[serde(default)]
    pub(super) values: Vec<Name>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawCreative {
    pub(super) id: Name,
    pub(super) template: Name,
    pub(super) assets: Spanned<std::collections::BTreeMap<String, Name>>,
    #[serde(default)]
    pub(super) caps: Vec<RawCap>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawOffer {
    pub(super) id: Name,
    pub(super) discount: Option<Name>,
    #[serde(default)]
    pub(super) free_shipping: bool,
    #[serde(default)]
    pub(super) bundle: bool,
    #[serde(default)]
    pub(super) code: String,
    pub(super) valid_for: Option<Name>,
    #[serde(default)]
    pub(super) caps: Vec<RawCap>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawExperiment {
    pub(super) id: Name,
    pub(super) campaign: Name,
    /// Experiments of one layer share no visitor.
    pub(super) layer: Option<String>,
    /// Share of the layer that takes part; everyone without it.
    pub(super) coverage: Option<Name>,
    /// Where in the layer its share begins; after the ones before it without.
    pub(super) from: Option<Name>,
    pub(super) start: Option<Name>,
    pub(super) end: Option<Name>,
    #[serde(default)]
    pub(super) variant: Vec<RawVariant>,
}

/// Without creative and template: what rules show.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawVariant {
    pub(super) id: Name,
    #[serde(default = "one")]
    pub(super) weight: u32,
    pub(super) creative: Option<Name>,
    pub(super) template: Option<Name>,
}

fn one() -> u32 {
    1
}

fn yes() -> bool {
    true
}
