//! The compiled program: what the rule compiler emits and the virtual machine verifies and runs.
//!
//! A program is flat: literals, code and rules refer to one another by index. Conditions are in negation normal form over
//! *strict* literals, so a rule matches exactly when its formula is true with every unknown literal read as false
//! (monotonicity makes that equal to Kleene's strong three-valued logic; see `rulec`'s reference evaluator).
//!
//! Code is forward-only: every branch target lies after the branch, so evaluation ends after at most `code.len()` steps.
//! None of this is trusted on load: `tessera-rulevm` checks every index, range and target before anything runs.

mod source;

use serde::{Deserialize, Serialize};

use crate::catalog::{AssetId, CampaignId, CreativeId, FlightId, OfferId, PlacementId, TemplateId};
use crate::signal::{Builtin, Gates, Kind};

pub use source::{LiteralSpan, SourceMap, SourceRule};

/// Index of an attribute in [`Program::attributes`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SignalId(pub u16);
/// Index of a literal in [`Program::literals`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LiteralId(pub u32);
/// Index of a rule in [`Program::rules`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RuleId(pub u32);
/// Index of a segment in [`Program::segments`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SegmentId(pub u32);
/// A word of the bundle's dictionary: its index in [`Program::dictionary`] plus one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct WordId(pub u32);

impl WordId {
    /// A known text that no rule mentions.
    pub const OTHER: WordId = WordId(0);
}

/// Everything a virtual machine needs to evaluate the rules of one bundle.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Program {
    /// Signals that rules read. A [`SignalId`] indexes this list.
    pub attributes: Vec<Attribute>,
    /// Texts that rules mention, sorted and distinct.
    pub dictionary: Vec<String>,
    /// Inclusive value ranges that literals refer to, sorted and disjoint within one literal.
    pub ranges: Vec<(i64, i64)>,
    /// Sorted dictionary words that literals refer to.
    pub words: Vec<WordId>,
    /// Distinct literals, grouped by attribute.
    pub literals: Vec<Literal>,
    /// Branches; see [`Branch`].
    pub code: Vec<Branch>,
    /// Rules sorted by (placement, priority descending, source order, tier).
    pub rules: Vec<Rule>,
    /// Named segments, evaluated like rules but without actions.
    pub segments: Vec<Segment>,
    /// Actions that rules refer to.
    pub actions: Vec<Action>,
    /// What must be counted for rules to read it: [`Origin::Feature`] indexes this list.
    pub features: Vec<Feature>,
    /// Branches that one evaluation takes at most, all rules and segments together. Readers may plan with it; whoever
    /// runs the program proves it first.
    pub work_max: u64,
}

/// A signal as a bundle declares it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attribute {
    /// Name in rules, such as `device.type` or `age`.
    pub name: String,
    /// Kind of value.
    pub kind: Kind,
    /// ISO 4217 currency for [`Kind::Money`], empty otherwise.
    pub currency: String,
    /// Where the engine finds the value.
    pub origin: Origin,
    /// Gates that must all be open, else the signal is unknown. A superset of a built-in's own gates.
    pub gates: Gates,
    /// Do literals look at the text itself (prefix, suffix, contains), not only at its dictionary word?
    pub needs_text: bool,
    /// Is text compared without regard to upper and lower case? Its words in the dictionary are lower case then.
    pub is_caseless: bool,
}

/// Where an attribute's value comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Origin {
    /// Derived by the engine.
    Builtin(Builtin),
    /// `user.traits[name]` of the request.
    Trait(String),
    /// `context[name]` of the request.
    Context(String),
    /// A count that the engine keeps of this visitor's events: index into [`Program::features`]. A whole number scaled
    /// by [`crate::signal::NUMBER_SCALE`].
    Feature(u16),
    /// The sticky bucket, 0 to 999,999, of the key under this salt: a whole number scaled by
    /// [`crate::signal::NUMBER_SCALE`]. `engine-core::hash` documents the hash.
    Bucket {
        /// What is hashed.
        key: BucketKey,
        /// Equal salts give equal buckets.
        salt: String,
    },
    /// Minute of the week in this IANA time zone: 0 is Monday 00:00. A whole number scaled by
    /// [`crate::signal::NUMBER_SCALE`].
    MinuteOfWeek(String),
}

/// What a sticky bucket is computed from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum BucketKey {
    /// The visitor's identifier: needs storage.
    User,
    /// The request itself: needs nothing and is not sticky.
    Request,
}

/// A row of the feature manifest: a count that ingestion must keep, because a rule reads it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Feature {
    /// What is counted.
    pub event: FeatureEvent,
    /// Which of them.
    pub subject: FeatureSubject,
    /// Text id of the subject, which outlives the bundle; empty for [`FeatureSubject::Any`]. A rule's is its name.
    pub subject_id: String,
    /// How far back.
    pub window: Window,
    /// Width of the time buckets that are precise enough for the window, in milliseconds.
    pub bucket_ms: i64,
}

/// Which events a feature counts.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum FeatureEvent {
    /// Ads shown to the visitor.
    Impression,
    /// Ads the visitor clicked.
    Click,
    /// Behaviour events of this name, such as `product_view`.
    Behaviour(String),
}

impl FeatureEvent {
    /// Gates that a count of these events needs at least.
    pub const fn gates(&self) -> Gates {
        match self {
            FeatureEvent::Impression | FeatureEvent::Click => Gates::FREQUENCY_CAP,
            FeatureEvent::Behaviour(_) => Gates::ADS_PERSONALIZE,
        }
    }
}

/// What the counted events must be about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum FeatureSubject {
    /// Anything.
    Any,
    /// A campaign.
    Campaign(CampaignId),
    /// A template.
    Template(TemplateId),
    /// A fixed creative.
    Creative(CreativeId),
    /// An offer.
    Offer(OfferId),
    /// Ads that the rule with this source index showed.
    Rule(u32),
    /// A flight.
    Flight(FlightId),
}

/// How far back a feature counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Window {
    /// The last so many milliseconds, rolling.
    LastMs(i64),
    /// Since the visitor's local midnight; UTC when the zone is not known.
    Today,
}

/// When a literal counts as true, given what is known of its constraint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Polarity {
    /// The value is known and satisfies the constraint.
    Holds,
    /// The value is known and does not satisfy it.
    Fails,
    /// Not (known and failing): `possibly`.
    Possibly,
    /// Not (known and satisfying): negated `definitely`.
    NotDefinitely,
}

/// One test of one attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Literal {
    /// Which attribute.
    pub signal: SignalId,
    /// Three-valued reading.
    pub polarity: Polarity,
    /// The two-valued test on a known value.
    pub constraint: Constraint,
}

/// A slice of one of the program's pools.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub struct Span {
    /// Index of the first element.
    pub first: u32,
    /// Number of elements.
    pub len: u32,
}

impl Span {
    /// The elements of `pool` in this span.
    ///
    /// Empty when the span does not fit, which verification excludes.
    #[inline]
    pub fn of<T>(self, pool: &[T]) -> &[T] {
        let first = self.first as usize;
        pool.get(first..first + self.len as usize).unwrap_or(&[])
    }
}

/// A two-valued test on a known value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Constraint {
    /// Satisfied by every known value. With [`Polarity::Holds`]: `is known`; with [`Polarity::NotDefinitely`]: `is unknown`.
    Known,
    /// Every kind that is a whole number: the value lies in one of these ranges ([`Program::ranges`]).
    InRanges(Span),
    /// Time: the age `now - value` in milliseconds lies in one of these ranges ([`Program::ranges`]).
    AgeInRanges(Span),
    /// Text: the word is one of these ([`Program::words`]).
    OneOf(Span),
    /// Text: starts with the dictionary word.
    StartsWith(WordId),
    /// Text: ends with the dictionary word.
    EndsWith(WordId),
    /// Text: contains the dictionary word.
    Contains(WordId),
    /// Set: has at least one of these.
    AnyOf(Span),
    /// Set: has all of these.
    AllOf(Span),
    /// Set: has nothing but these (the empty set satisfies it).
    OnlyOf(Span),
}

/// Branch targets are indices into [`Program::code`] greater than the branch's own, or one of these two.
pub const ACCEPT: u32 = u32::MAX;
/// Target that ends a condition as not true.
pub const REJECT: u32 = u32::MAX - 1;

/// Test a literal and go on at one of two later places.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Branch {
    /// What to test.
    pub literal: LiteralId,
    /// Where to go when it is true.
    pub on_true: u32,
    /// Where to go when it is not.
    pub on_false: u32,
}

/// What kind of traffic a rule is meant for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum RuleClass {
    /// May need consent.
    Personalized,
    /// Works on contextual signals alone (`contextual`).
    Contextual,
    /// Last resort before the house ad (`fallback`).
    Fallback,
}

/// One branch of one source rule, for one placement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// Index of the rule in the bundle's source map; all tiers of one rule share it.
    pub source: u32,
    /// Which tier of the rule, counted from zero.
    pub tier: u16,
    /// Placement it competes for.
    pub placement: PlacementId,
    /// Higher goes first.
    pub priority: i32,
    /// Which traffic it is meant for.
    pub class: RuleClass,
    /// Where its condition starts: a code index, or [`ACCEPT`] / [`REJECT`] for a constant.
    pub entry: u32,
    /// What it does ([`Program::actions`]).
    pub actions: Span,
}

/// A named condition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Segment {
    /// Its name.
    pub name: String,
    /// Where its condition starts.
    pub entry: u32,
    /// Union of the gates of every attribute it reads.
    pub gates: Gates,
}

/// What a matching rule does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Action {
    /// Let the template's bandit choose a combination.
    ShowTemplate(TemplateId),
    /// Show this fixed creative.
    ShowCreative(CreativeId),
    /// Attach this offer to whatever is shown.
    Offer(OfferId),
    /// Show nothing in this placement.
    Suppress,
    /// Report this word with the decision.
    Tag(WordId),
    /// Put this asset into the slot of this name, in whatever template is shown that has both.
    Pin {
        /// Name of the slot.
        slot: WordId,
        /// What fills it.
        asset: AssetId,
    },
    /// Fill a parameter of the shown template.
    Bind {
        /// Name of the parameter.
        parameter: WordId,
        /// With what.
        value: Binding,
    },
    /// Let a bandit do one of these actions, which stand in [`Program::actions`] outside every rule's span.
    Choose {
        /// Its name: equal names share what was learned.
        bandit: WordId,
        /// The arms.
        arms: Span,
    },
    /// This tier is an arm of a split: report it with the decision.
    Variant {
        /// Name of the split: its salt.
        split: WordId,
        /// Name of the arm.
        arm: WordId,
    },
}

/// What fills a template's parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Binding {
    /// This text.
    Word(WordId),
    /// The value of a signal, where it is known.
    Signal(SignalId),
}
