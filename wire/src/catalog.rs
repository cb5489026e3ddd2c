//! The catalog: campaigns, flights, templates, creatives, offers and placements of one bundle, flat.
//!
//! All text lives in one arena and every list is a slice of a pool, so that a catalog of 100,000 creatives is freed in
//! microseconds. Ids are indices valid within one bundle; what outlives a bundle (events, posteriors, tokens) uses the
//! text ids.
//!
//! A *creative* is a renderable unit: a template with one *asset* in each slot. A *combination* of a template is such a
//! choice written as one number, mixed radix over the slots with the last slot fastest.

mod limits;

use serde::{Deserialize, Serialize};

mod contents;
mod flights;
mod offers;

pub use contents::{Content, ContentKind, Translation};
pub use flights::{Flight, FlightClass};
pub use offers::{Hold, MinMargin, Offer, OfferKind};

use crate::program::{SegmentId, SignalId, Span, WordId};

pub use limits::{Budget, BudgetUnit, Cap, Pacing};

macro_rules! index_types {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub struct $name(pub u32);

        impl $name {
            /// As an index into its pool.
            #[inline]
            pub const fn index(self) -> usize {
                self.0 as usize
            }
        }
    )*};
}

index_types! {
    /// Index into [`Catalog::placements`].
    PlacementId,
    /// Index into [`Catalog::campaigns`].
    CampaignId,
    /// Index into [`Catalog::flights`].
    FlightId,
    /// Index into [`Catalog::budgets`].
    BudgetId,
    /// Index into [`Catalog::templates`].
    TemplateId,
    /// Index into [`Catalog::assets`].
    AssetId,
    /// Index into [`Catalog::creatives`].
    CreativeId,
    /// Index into [`Catalog::offers`].
    OfferId,
    /// Index into [`Catalog::locales`].
    LocaleId,
}

/// A piece of [`Catalog::text`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Text {
    /// First byte.
    pub start: u32,
    /// Number of bytes.
    pub len: u32,
}

/// Everything a decision may show.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Catalog {
    /// Every name, url and text, one after the other.
    pub text: String,
    /// Where ads can appear.
    pub placements: Vec<Placement>,
    /// Campaigns.
    pub campaigns: Vec<Campaign>,
    /// Flights, grouped by campaign.
    pub flights: Vec<Flight>,
    /// Templates.
    pub templates: Vec<Template>,
    /// Slots, grouped by template.
    pub slots: Vec<Slot>,
    /// Assets of slots; [`Slot::assets`] indexes this list.
    pub slot_assets: Vec<AssetId>,
    /// Assets.
    pub assets: Vec<Asset>,
    /// Fixed creatives.
    pub creatives: Vec<Creative>,
    /// Offers.
    pub offers: Vec<Offer>,
    /// Context fields of templates' models, grouped by template.
    pub fields: Vec<ContextField>,
    /// Segments that fields refer to.
    pub field_segments: Vec<SegmentId>,
    /// Words that fields refer to.
    pub field_words: Vec<WordId>,
    /// Pairs of assets that never stand together, grouped by template.
    pub exclusions: Vec<(AssetId, AssetId)>,
    /// Sources of what templates are rendered to, grouped by template.
    pub contents: Vec<Content>,
    /// Assets in other languages, grouped by asset.
    pub translations: Vec<Translation>,
    /// Language tags, lower case, such as `de-at`.
    pub locales: Vec<Text>,
    /// Language of the assets themselves, beside their translations, when the catalog says it.
    pub locale: Option<LocaleId>,
    /// Frequency caps, grouped by what they limit.
    pub caps: Vec<Cap>,
    /// Budgets and goals, grouped by what they limit.
    pub budgets: Vec<Budget>,
    /// Weekly hours, grouped by flight: first minute of the week, Monday 00:00 being 0, and the minute after the last.
    pub dayparts: Vec<(u16, u16)>,
    /// Numbers of exclusion groups, by campaign: equal names, equal numbers.
    pub groups: Vec<u16>,
    /// Categories of advertising, by campaign.
    pub categories: Vec<Text>,
    /// ISO 4217 currency of all prices and budgets, empty when nothing has a price.
    pub currency: Text,
    /// Experiments, grouped by campaign.
    pub experiments: Vec<Experiment>,
    /// Variants, grouped by experiment.
    pub variants: Vec<Variant>,
    /// Share of visitors to whom no campaign is personalised, in parts per million.
    pub holdout_ppm: u32,
    /// Salt of the hash that decides who they are.
    pub holdout_salt: Text,
}

/// Where an ad can appear.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placement {
    /// Text id: the `slot` of a decide request.
    pub id: Text,
    /// Width in CSS pixels, 0 for any.
    pub width: u32,
    /// Height in CSS pixels, 0 for any.
    pub height: u32,
    /// What to show when nothing else can be shown.
    pub house: Option<CreativeId>,
}

/// A campaign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Campaign {
    /// Text id.
    pub id: Text,
    /// Text id of the advertiser, empty when none.
    pub advertiser: Text,
    /// Where a click goes.
    pub landing_url: Text,
    /// Its flights ([`Catalog::flights`]).
    pub flights: Span,
    /// Is it switched on?
    pub is_active: bool,
    /// Largest discount that its ads may carry, as a percentage scaled by [`crate::signal::NUMBER_SCALE`].
    pub max_discount: i64,
    /// What a discount must leave of the margin.
    pub min_margin: Option<MinMargin>,
    /// What goes with its ads when no rule gives anything else, also without consent to personalised prices.
    pub default_offer: Option<OfferId>,
    /// Does a visitor keep an offer until it ends?
    pub hold: Hold,
    /// Share of visitors kept unpersonalised to measure lift, in parts per million.
    pub holdout_ppm: u32,
    /// Salt of the holdout hash: equal salts hold out equal visitors.
    pub holdout_salt: Text,
    /// What the holdout sees. Present whenever `holdout_ppm > 0`.
    pub control: Option<CreativeId>,
    /// Its frequency caps ([`Catalog::caps`]).
    pub caps: Span,
    /// What all its flights together may spend ([`Catalog::budgets`]).
    pub budgets: Span,
    /// Exclusion groups ([`Catalog::groups`]), ascending: of each, one advertiser at most is in an answer.
    pub groups: Span,
    /// What it advertises ([`Catalog::categories`]).
    pub categories: Span,
    /// Domain of the advertiser, empty when none.
    pub domain: Text,
    /// Most ads of one answer, 0 for no such limit.
    pub ads_per_answer_max: u16,
    /// Its experiments ([`Catalog::experiments`]), all in one layer.
    pub experiments: Span,
}

/// A comparison of variants within a campaign. Who takes part and who sees which variant are two hashes with two salts,
/// so that widening the one never moves anybody in the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Experiment {
    /// Text id.
    pub id: Text,
    /// Salt of the hash that decides who takes part: its layer's. Experiments of one layer share nobody.
    pub layer_salt: Text,
    /// First bucket of the layer that takes part, of a million.
    pub first_bucket: u32,
    /// First bucket after those.
    pub end_bucket: u32,
    /// Salt of the hash that decides who sees which variant.
    pub split_salt: Text,
    /// First instant, unix milliseconds.
    pub start_ms: i64,
    /// First instant after it, unix milliseconds.
    pub end_ms: i64,
    /// Its variants ([`Catalog::variants`]) by rising `end_bucket`, the last of which is a million.
    pub variants: Span,
}

/// One of an experiment's alternatives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Variant {
    /// Text id, unique within its experiment.
    pub id: Text,
    /// First bucket of the split after this variant's, of a million.
    pub end_bucket: u32,
    /// What stands in for whatever rules show of the campaign.
    pub shows: VariantShows,
}

/// What a variant shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum VariantShows {
    /// What rules show, unchanged.
    AsDecided,
    /// This creative of the campaign.
    Creative(CreativeId),
    /// This template of the campaign, its combination chosen by the model.
    Template(TemplateId),
}

/// A frame with slots, and the model that learns which combination to put into it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Template {
    /// Text id.
    pub id: Text,
    /// Its campaign.
    pub campaign: CampaignId,
    /// Width in CSS pixels, 0 for any.
    pub width: u32,
    /// Height in CSS pixels, 0 for any.
    pub height: u32,
    /// Its slots ([`Catalog::slots`]).
    pub slots: Span,
    /// Product of its slots' sizes, excluded combinations counted.
    pub combinations: u32,
    /// Context fields of its model ([`Catalog::fields`]).
    pub fields: Span,
    /// Share of choices made uniformly at random, in parts per million.
    pub exploration_ppm: u32,
    /// Pairs of assets that it never shows together ([`Catalog::exclusions`]).
    pub exclusions: Span,
    /// What it is rendered to ([`Catalog::contents`]).
    pub contents: Span,
    /// Its frequency caps ([`Catalog::caps`]).
    pub caps: Span,
}

/// A hole in a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slot {
    /// Its name, such as `image`.
    pub name: Text,
    /// What can fill it ([`Catalog::slot_assets`]).
    pub assets: Span,
}

/// What an asset holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum AssetKind {
    /// An image; the content is its URL.
    Image,
    /// Text; the content is the text.
    Text,
}

/// One filling of one slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asset {
    /// Text id.
    pub id: Text,
    /// What it holds.
    pub kind: AssetKind,
    /// URL or text.
    pub content: Text,
    /// Alternative text of an image, empty for text.
    pub alt: Text,
    /// The same in other languages ([`Catalog::translations`]). They are one asset: learned about together.
    pub translations: Span,
}

/// A fixed choice of one asset per slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Creative {
    /// Text id.
    pub id: Text,
    /// Its template (and with it, its campaign).
    pub template: TemplateId,
    /// The same choice as a combination number of the template.
    pub combination: u32,
    /// Its frequency caps ([`Catalog::caps`]).
    pub caps: Span,
}

/// One categorical feature of a template's model. Value 0 means unknown or none of the listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContextField {
    /// Its name in reports.
    pub name: Text,
    /// How its value is found.
    pub kind: FieldKind,
    /// Number of values, unknown included.
    pub values: u16,
}

/// How a context field finds its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum FieldKind {
    /// One plus the index of the first of these segments ([`Catalog::field_segments`]) that the visitor is in.
    FirstSegment(Span),
    /// One plus the index of the signal's word among these ([`Catalog::field_words`]).
    SignalWord {
        /// A text signal.
        signal: SignalId,
        /// The words, in field order.
        words: Span,
    },
}

impl Catalog {
    /// The text behind a reference; empty when it does not fit, which verification excludes.
    #[inline]
    pub fn str(&self, text: Text) -> &str {
        let start = text.start as usize;
        self.text.get(start..start + text.len as usize).unwrap_or("")
    }

    /// The slots of a template.
    #[inline]
    pub fn slots_of(&self, template: &Template) -> &[Slot] {
        template.slots.of(&self.slots)
    }

    /// The assets that can fill a slot.
    #[inline]
    pub fn assets_of(&self, slot: &Slot) -> &[AssetId] {
        slot.assets.of(&self.slot_assets)
    }

    /// What a template is rendered from.
    #[inline]
    pub fn contents_of(&self, template: &Template) -> &[Content] {
        template.contents.of(&self.contents)
    }

    /// An asset in other languages.
    #[inline]
    pub fn translations_of(&self, asset: &Asset) -> &[Translation] {
        asset.translations.of(&self.translations)
    }

    /// The context fields of a template's model.
    #[inline]
    pub fn fields_of(&self, template: &Template) -> &[ContextField] {
        template.fields.of(&self.fields)
    }
}
