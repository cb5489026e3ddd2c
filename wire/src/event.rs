//! Events: what the engine writes down and the analytics writer reads.
//!
//! A journal explains itself: every segment file starts with a [`Event::Generation`] record that names what the numbers
//! in later [`Served`] records mean, and another one follows whenever the engine swaps its bundle. Whoever reads the
//! journal needs no bundle.
//!
//! Served records carry arm, tier, propensity and generation; later touches join them by decision id, so that learning
//! and lift never depend on reconstructing the past. No event carries an address, a raw identifier or free text about a
//! person.

use serde::{Deserialize, Serialize};

use crate::limits;

/// One journal record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(
    clippy::large_enum_variant,
    reason = "the large variant is the frequent one and is never stored in bulk"
)]
pub enum Event {
    /// The names behind the numbers of the records that follow.
    Generation(Generation),
    /// An ad was put into an answer.
    Served(Served),
    /// Something happened to a served ad.
    Touch(Touch),
    /// A visitor did something on the page or in the app.
    Behaviour(Behaviour),
    /// What is remembered of a visitor changed.
    Remembered(Remembered),
}

/// Things that one event can be counted as.
pub const COUNTED_MAX: usize = 7;

/// A change of what an engine remembers of a visitor, so that it can be remembered again after a restart. Written only
/// where the visitor allows remembering.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remembered {
    /// Pseudonymous subject key.
    pub subject: u128,
    /// When, unix milliseconds.
    pub at_ms: i64,
    /// Numbers of what it counts as, in this engine's own list; the rest is [`NONE`].
    pub counted: [u32; COUNTED_MAX],
    /// What changed.
    pub change: VisitorChange,
}

/// What changed in what is remembered of a visitor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum VisitorChange {
    /// Nothing but the counts.
    Counted,
    /// A product was viewed.
    ProductView {
        /// Which, empty when nobody said.
        product_id: String,
    },
    /// Something was searched.
    Search,
    /// A watched price dropped.
    PriceDrop,
    /// The cart was touched.
    Cart {
        /// Value of the whole cart in millionths, and its ISO 4217 currency.
        value: Option<(i64, [u8; 3])>,
        /// Items in it.
        items: Option<u16>,
    },
    /// The shop says that the cart was left behind.
    CartAbandoned,
    /// The cart was emptied.
    CartCleared,
    /// Something was bought.
    Purchase,
    /// Everything about the visitor is to be forgotten, here and wherever the subject key is stored.
    Erased,
}

/// Names behind the numbers of one generation's [`Served`] records.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Generation {
    /// Which generation.
    pub generation: u64,
    /// Hash of the bundle, lower-case hex.
    pub bundle_hash: String,
    /// Text ids of the placements.
    pub placements: Vec<String>,
    /// Campaigns.
    pub campaigns: Vec<CampaignNames>,
    /// Templates, and after them the bandits that rules name: see [`BANDIT_PREFIX`].
    pub templates: Vec<TemplateNames>,
    /// Text ids of the offers.
    pub offers: Vec<String>,
    /// Kinds of the offers, and how much they give.
    pub offer_values: Vec<(String, i64)>,
    /// Names of the source rules.
    pub rules: Vec<String>,
    /// Arms of splits: the split's name and the arm's.
    pub variants: Vec<(String, String)>,
    /// Words that rules report.
    pub tags: Vec<String>,
    /// Language tags that ads can speak.
    pub locales: Vec<String>,
    /// Text ids of the flights.
    pub flights: Vec<String>,
    /// Experiments.
    pub experiments: Vec<ExperimentNames>,
}

/// An experiment's names.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ExperimentNames {
    /// Text id.
    pub id: String,
    /// Index into [`Generation::campaigns`].
    pub campaign: u32,
    /// Text ids of its variants.
    pub variants: Vec<String>,
    /// The share of each variant, in parts per million: what a check for sample ratio mismatch expects.
    pub shares_ppm: Vec<u32>,
}

/// A campaign's names.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct CampaignNames {
    /// Text id.
    pub id: String,
    /// Text id of the advertiser.
    pub advertiser: String,
}

/// A template's names.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TemplateNames {
    /// Text id.
    pub id: String,
    /// Index into [`Generation::campaigns`].
    pub campaign: u32,
    /// Slot names with the text ids of their assets.
    pub slots: Vec<(String, Vec<String>)>,
    /// Context fields: name and value labels, label 0 being the unknown level.
    pub fields: Vec<(String, Vec<String>)>,
}

/// Why this combination was shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Arm {
    /// Chosen by the model.
    Personalized,
    /// The holdout saw the campaign's control creative.
    Holdout,
    /// A rule named a fixed creative.
    Fixed,
    /// The placement's house ad.
    House,
}

/// How much the decision knew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Tier {
    /// All profile signals were allowed.
    Full,
    /// Some were.
    Session,
    /// None were: page, place, time and device only.
    Contextual,
    /// A fallback rule decided.
    Fallback,
    /// The house ad.
    Default,
}

impl Tier {
    /// Every tier, best first.
    pub const ALL: [Tier; 5] = [Tier::Full, Tier::Session, Tier::Contextual, Tier::Fallback, Tier::Default];

    /// The word in answers and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Tier::Full => "full",
            Tier::Session => "session",
            Tier::Contextual => "contextual",
            Tier::Fallback => "fallback",
            Tier::Default => "default",
        }
    }
}

/// The consent mode of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Mode {
    /// Every gate but precise location and sharing is open.
    Full,
    /// Some profile gates are open.
    Partial,
    /// No profile gate is open.
    Contextual,
    /// A child: nothing is allowed and nothing is learned.
    Child,
}

impl Mode {
    /// The word in answers and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Mode::Full => "full",
            Mode::Partial => "partial",
            Mode::Contextual => "contextual",
            Mode::Child => "child",
        }
    }
}

/// What the text id of a bandit named by rules begins with, where it stands among templates. It is learned about like a
/// template with one slot whose assets are the arms; no template's id may begin so.
pub const BANDIT_PREFIX: &str = "bandit:";

/// An arm that a bandit of the rules chose, and that took effect in the ad.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ArmChoice {
    /// Index into [`Generation::templates`].
    pub bandit: u32,
    /// Which of its arms, over all rules that name it.
    pub arm: u16,
    /// Probability with which it was chosen among the arms that could be.
    pub propensity: f32,
}

/// The variant of an experiment that an ad was shown under.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Exposure {
    /// Index into [`Generation::experiments`].
    pub experiment: u32,
    /// Which of its variants.
    pub variant: u16,
}

/// "No such thing" in the index fields of [`Served`].
pub const NONE: u32 = u32::MAX;

/// An ad was put into an answer.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Served {
    /// Identifies the decision; random, never derived from a person.
    pub decision_id: u128,
    /// Which ad of the decision, counted from zero.
    pub ad: u16,
    /// When, unix milliseconds.
    pub at_ms: i64,
    /// Generation that decided; its names are in the last [`Generation`] record with this number.
    pub generation: u64,
    /// Posterior table that decided, 0 before the first.
    pub posterior_generation: u64,
    /// Index into [`Generation::placements`].
    pub placement: u32,
    /// Index into [`Generation::campaigns`].
    pub campaign: u32,
    /// Index into [`Generation::flights`], or [`NONE`].
    pub flight: u32,
    /// Price of a thousand of it in millionths of the catalog's currency, 0 for what costs nothing.
    pub cpm_micros: i64,
    /// Index into [`Generation::templates`].
    pub template: u32,
    /// Combination number of the template.
    pub combination: u32,
    /// Index into [`Generation::offers`], or [`NONE`].
    pub offer: u32,
    /// Since when the offer holds, unix milliseconds, 0 without one.
    pub offer_at_ms: i64,
    /// Margin of the item in percent, scaled, where the campaign reads it and it is known.
    pub item_margin: Option<i64>,
    /// Index into [`Generation::rules`], or [`NONE`].
    pub rule: u32,
    /// Language of the ad's texts: index into [`Generation::locales`], or [`NONE`].
    pub locale: u32,
    /// Arms of bandits that took effect: of what is shown, of its offer, and of one pin.
    pub choices: [Option<ArmChoice>; limits::CHOICES_PER_AD_MAX],
    /// The first arms of splits reported: indices into [`Generation::variants`].
    pub variants: [Option<u32>; limits::NOTES_PER_AD_MAX],
    /// The first tags reported: indices into [`Generation::tags`].
    pub tags: [Option<u32>; limits::NOTES_PER_AD_MAX],
    /// The campaign's experiment that the visitor takes part in.
    pub exposure: Option<Exposure>,
    /// Why this combination.
    pub arm: Arm,
    /// How much the decision knew.
    pub tier: Tier,
    /// Consent mode.
    pub mode: Mode,
    /// Values of the template's context fields; fields beyond the template's own are 0.
    pub context: [u8; limits::CONTEXT_FIELDS_MAX],
    /// Probability with which this combination was chosen.
    pub propensity: f32,
    /// May the learner use it? False for children, tests and bots.
    pub is_learnable: bool,
    /// Pseudonymous subject key, 0 without permission to measure with an identifier.
    pub subject: u128,
}

/// What happened to a served ad.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[repr(u8)]
pub enum TouchKind {
    /// The page says it was rendered.
    Impression,
    /// It was in view.
    Viewable,
    /// It was clicked.
    Click,
    /// It led to a conversion.
    Conversion,
}

impl TouchKind {
    /// Every kind, in code order.
    pub const ALL: [TouchKind; 4] =
        [TouchKind::Impression, TouchKind::Viewable, TouchKind::Click, TouchKind::Conversion];

    /// The standard event name.
    pub const fn name(self) -> &'static str {
        match self {
            TouchKind::Impression => "impression",
            TouchKind::Viewable => "viewable",
            TouchKind::Click => "click",
            TouchKind::Conversion => "conversion",
        }
    }
}

/// A touch of a served ad. Its identity is `(decision_id, ad, kind)`: a repeated touch counts once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Touch {
    /// The decision.
    pub decision_id: u128,
    /// Which ad of it.
    pub ad: u16,
    /// What happened.
    pub kind: TouchKind,
    /// When, unix milliseconds.
    pub at_ms: i64,
    /// Value in millionths of the currency's unit, 0 when none.
    pub value_micros: i64,
    /// ISO 4217 currency, zeros when none.
    pub currency: [u8; 3],
}

/// A visitor's action that is not about a served ad. Its identity is `message_id`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Behaviour {
    /// The sender's id of the message, at most 64 bytes.
    pub message_id: String,
    /// Standard name, such as `product_view`.
    pub name: String,
    /// When, unix milliseconds.
    pub at_ms: i64,
    /// Pseudonymous subject key, 0 when none.
    pub subject: u128,
    /// Product the event is about, empty when none.
    pub product_id: String,
    /// Value in millionths of the currency's unit, 0 when none.
    pub value_micros: i64,
    /// ISO 4217 currency, zeros when none.
    pub currency: [u8; 3],
}
