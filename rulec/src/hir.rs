//! The typed tree: names resolved, units applied, segments expanded. What the compiler lowers and the reference evaluates.
//!
//! Guarantees (by construction in `crate::check`): a test fits the type of its signal, ranges are sorted and disjoint,
//! depth and size are bounded by [`crate::limits`].

use std::sync::Arc;

use tessera_wire::catalog::{AssetId, PlacementId};
use tessera_wire::program::{Attribute, Polarity, RuleClass, SignalId};

use crate::diagnostic::Place;

/// The type of an attribute, as declared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Type {
    /// True or false.
    Bool,
    /// A number, perhaps with declared bounds (scaled).
    Number(Option<(i64, i64)>),
    /// A percentage.
    Percent,
    /// An amount of this currency; empty when a built-in's currency is not declared.
    Money(String),
    /// Any text.
    Text,
    /// One word of a closed list.
    OneOf(Vec<String>),
    /// An ISO 3166-1 alpha-2 country.
    Country,
    /// A primary language subtag.
    Language,
    /// An ISO 4217 currency code.
    Currency,
    /// An IANA time zone name.
    Timezone,
    /// A set of texts.
    Set,
    /// A set of words of a closed list.
    SetOf(Vec<String>),
    /// A point in time.
    Time,
    /// A span of time.
    Duration,
    /// A dotted version.
    Version,
    /// A sticky bucket, as a percentage of the people or requests.
    Bucket,
    /// The minute of the week in some zone.
    MinuteOfWeek,
}

/// A signal that the program reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signal {
    /// Its type, for printing.
    pub ty: Type,
    /// What a number counts, such as `km`; often empty.
    pub unit: String,
    /// As the program will declare it; lowering decides `needs_text`.
    pub attribute: Attribute,
}

/// A condition with Kleene's three values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// Always the same.
    Constant(bool),
    /// A test of one signal.
    Test(Test),
    /// True when the inner one is false, unknown when it is unknown.
    Not(Box<Condition>),
    /// False when one is false, else unknown when one is unknown, else true.
    And(Vec<Condition>),
    /// True when one is true, else unknown when one is unknown, else false.
    Or(Vec<Condition>),
    /// Unknown becomes false.
    Definitely(Box<Condition>),
    /// Unknown becomes true.
    Possibly(Box<Condition>),
}

/// A test of one signal: unknown when the signal is, except for [`Check::Known`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Test {
    /// Which signal.
    pub signal: SignalId,
    /// What about it.
    pub check: Check,
    /// Where it is written.
    pub place: Place,
}

/// The two-valued part of a test.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Check {
    /// There is a value. Never unknown.
    Known,
    /// The value lies in one of these inclusive ranges.
    InRanges(Vec<(i64, i64)>),
    /// The age in milliseconds lies in one of these inclusive ranges.
    AgeInRanges(Vec<(i64, i64)>),
    /// The text is one of these.
    OneOf(Vec<String>),
    /// The text starts with this.
    StartsWith(String),
    /// The text ends with this.
    EndsWith(String),
    /// The text contains this.
    Contains(String),
    /// The set has at least one of these.
    AnyOf(Vec<String>),
    /// The set has all of these.
    AllOf(Vec<String>),
    /// The set has nothing but these.
    OnlyOf(Vec<String>),
}

/// What a rule does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Anything but a tag.
    Plain(tessera_wire::program::Action),
    /// Report this word.
    Tag(String),
    /// Put this asset into the slot of this name.
    Pin {
        /// Name of the slot.
        slot: String,
        /// What fills it.
        asset: AssetId,
    },
    /// Fill a parameter of the shown template.
    Bind {
        /// Name of the parameter.
        parameter: String,
        /// With what.
        value: Bound,
    },
    /// Let a bandit do one of these.
    Choose {
        /// Its name.
        bandit: String,
        /// What it chooses from.
        arms: Vec<Action>,
    },
    /// This tier is an arm of a split.
    Variant {
        /// The split's salt.
        split: String,
        /// Name of the arm.
        arm: String,
    },
}

/// What fills a parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bound {
    /// This text.
    Text(String),
    /// The value of a signal.
    Signal(SignalId),
}

/// One tier of one source rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Index of the source rule.
    pub source: u32,
    /// Which tier.
    pub tier: u16,
    /// Placements it competes for, sorted and distinct.
    pub placements: Arc<[u32]>,
    /// Higher goes first.
    pub priority: i32,
    /// Which traffic it is for.
    pub class: RuleClass,
    /// When it matches.
    pub condition: Condition,
    /// What it does then.
    pub actions: Vec<Action>,
}

/// Everything that becomes one program.
#[derive(Debug, Clone, Default)]
pub struct Unit {
    /// Signals by [`SignalId`].
    pub signals: Vec<Signal>,
    /// Named conditions.
    pub segments: Vec<(String, Condition)>,
    /// Rules in source order.
    pub rules: Vec<Rule>,
    /// Words that must be in the dictionary although no rule mentions them.
    pub words: Vec<String>,
    /// What the engine must count.
    pub features: Vec<tessera_wire::program::Feature>,
}

impl Rule {
    /// The placements, one by one.
    pub fn placement_ids(&self) -> impl Iterator<Item = PlacementId> + use<'_> {
        self.placements.iter().copied().map(PlacementId)
    }
}

impl Condition {
    /// The opposite.
    #[must_use]
    pub fn negated(self) -> Condition {
        Condition::Not(Box::new(self))
    }

    /// Calls `visit` with every test and the polarity it gets when this condition is read with `polarity`.
    pub fn visit_tests<'a>(&'a self, polarity: Polarity, visit: &mut impl FnMut(&'a Test, Polarity)) {
        match self {
            Condition::Constant(_) => {}
            Condition::Test(test) => visit(test, test_polarity(test, polarity)),
            Condition::And(parts) | Condition::Or(parts) => {
                parts.iter().for_each(|part| part.visit_tests(polarity, visit));
            }
            Condition::Not(inner) => inner.visit_tests(opposite(polarity), visit),
            Condition::Definitely(inner) => inner.visit_tests(definite(polarity), visit),
            Condition::Possibly(inner) => inner.visit_tests(possible(polarity), visit),
        }
    }
}

/// How the inner condition of a `not` is read.
pub(crate) fn opposite(polarity: Polarity) -> Polarity {
    match polarity {
        Polarity::Holds => Polarity::Fails,
        Polarity::Fails => Polarity::Holds,
        Polarity::Possibly => Polarity::NotDefinitely,
        Polarity::NotDefinitely => Polarity::Possibly,
    }
}

/// How the inner condition of a `definitely` is read.
pub(crate) fn definite(polarity: Polarity) -> Polarity {
    if is_affirmative(polarity) { Polarity::Holds } else { Polarity::NotDefinitely }
}

/// How the inner condition of a `possibly` is read.
pub(crate) fn possible(polarity: Polarity) -> Polarity {
    if is_affirmative(polarity) { Polarity::Possibly } else { Polarity::Fails }
}

/// `is known` is never unknown, so it has two readings only.
pub(crate) fn test_polarity(test: &Test, polarity: Polarity) -> Polarity {
    match test.check {
        Check::Known => definite(polarity),
        _ => polarity,
    }
}

pub(crate) fn is_affirmative(polarity: Polarity) -> bool {
    matches!(polarity, Polarity::Holds | Polarity::Possibly)
}
