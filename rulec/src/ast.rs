//! Rule files as written: names unresolved, types unchecked, every part with its place.

mod schedule;
mod test;

use crate::diagnostic::Place;

pub(crate) use schedule::{Moment, Schedule, ScheduleKind, Weekly, Zone};
pub(crate) use test::{Because, ConsentGiven, Expect, ExpectKind, Given, Outcome, TestItem};

/// A name or text and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Name {
    pub(crate) text: String,
    pub(crate) place: Place,
}

#[derive(Debug, Default)]
pub(crate) struct File {
    pub(crate) attributes: Vec<AttributeItem>,
    pub(crate) purposes: Vec<Name>,
    /// Behaviour events that may be counted.
    pub(crate) events: Vec<Name>,
    pub(crate) segments: Vec<SegmentItem>,
    pub(crate) rules: Vec<RuleItem>,
    pub(crate) tests: Vec<TestItem>,
}

#[derive(Debug)]
pub(crate) struct AttributeItem {
    pub(crate) name: Name,
    pub(crate) ty: TypeName,
    pub(crate) type_place: Place,
    /// Of a number: what it counts, such as `km`.
    pub(crate) unit: Option<Name>,
    /// Of texts: compared without regard to upper and lower case.
    pub(crate) is_caseless: bool,
    pub(crate) is_from_request: Option<bool>,
    pub(crate) needs: Vec<Name>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TypeName {
    Bool,
    Number(Option<(i64, i64)>),
    Percent,
    Money(String),
    Text,
    OneOf(Vec<String>),
    Country,
    Language,
    Currency,
    Timezone,
    Set,
    /// A set with a closed list of members.
    SetOf(Vec<String>),
    Time,
    Duration,
    Version,
}

#[derive(Debug)]
pub(crate) struct SegmentItem {
    pub(crate) name: Name,
    pub(crate) conditions: Vec<Cond>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    Contextual,
    Fallback,
}

#[derive(Debug)]
pub(crate) struct RuleItem {
    /// Empty for a one-line rule.
    pub(crate) name: Name,
    pub(crate) is_one_line: bool,
    pub(crate) place: Place,
    pub(crate) priority: i32,
    /// Empty: every placement.
    pub(crate) placements: Vec<Name>,
    pub(crate) class: Option<(Class, Place)>,
    pub(crate) whens: Vec<Cond>,
    pub(crate) unlesses: Vec<Cond>,
    pub(crate) schedules: Vec<Schedule>,
    pub(crate) caps: Vec<Cap>,
    pub(crate) rollout: Option<Rollout>,
    pub(crate) tiers: Vec<Tier>,
    pub(crate) otherwise: Option<Vec<ActionItem>>,
}

/// `cap 2 per user per day`
#[derive(Debug)]
pub(crate) struct Cap {
    pub(crate) impressions: i64,
    pub(crate) window_ms: i64,
    pub(crate) place: Place,
}

/// What people are dealt into buckets by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Key {
    User,
    Request,
}

/// `rollout 10% by user salt "x"`
#[derive(Debug)]
pub(crate) struct Rollout {
    /// Scaled percentage.
    pub(crate) share: i64,
    pub(crate) key: Key,
    pub(crate) salt: Option<Name>,
    pub(crate) place: Place,
}

/// A branch of `choose first`; a plain `then` is one tier without condition.
#[derive(Debug)]
pub(crate) struct Tier {
    pub(crate) condition: Option<Cond>,
    /// Done by every arm that does something, when the tier is split.
    pub(crate) actions: Vec<ActionItem>,
    pub(crate) split: Option<Box<Split>>,
}

/// `split by user salt "x" { 45% creative "a", 55% control }`
#[derive(Debug)]
pub(crate) struct Split {
    pub(crate) key: Key,
    pub(crate) salt: Option<Name>,
    pub(crate) arms: Vec<SplitArm>,
    pub(crate) place: Place,
}

#[derive(Debug)]
pub(crate) struct SplitArm {
    /// Scaled percentage.
    pub(crate) share: i64,
    pub(crate) share_place: Place,
    /// How events call it: what it shows or offers, or `control`.
    pub(crate) name: Name,
    /// Empty for the control.
    pub(crate) actions: Vec<ActionItem>,
}

#[derive(Debug)]
pub(crate) struct ActionItem {
    pub(crate) kind: ActionKind,
    pub(crate) place: Place,
}

#[derive(Debug)]
pub(crate) enum ActionKind {
    /// A template and what fills its parameters.
    ShowTemplate(Name, Vec<Bind>),
    ShowCreative(Name),
    /// An asset in a slot of whatever template is shown.
    Pin {
        slot: Name,
        asset: Name,
    },
    OfferDiscount(i64),
    OfferFreeShipping,
    OfferBundle(Name),
    OfferNamed(Name),
    /// A bandit picks one of these.
    Choose {
        bandit: Name,
        arms: Vec<ActionItem>,
    },
    Suppress,
    Tag(Name),
}

/// `with product last_viewed` or `with title "Hello"`
#[derive(Debug)]
pub(crate) struct Bind {
    pub(crate) parameter: Name,
    pub(crate) value: BindValue,
}

#[derive(Debug)]
pub(crate) enum BindValue {
    Attribute(Name),
    Text(Name),
}

#[derive(Debug)]
pub(crate) struct Cond {
    pub(crate) kind: CondKind,
    pub(crate) place: Place,
}

#[derive(Debug)]
pub(crate) enum CondKind {
    Not(Box<Cond>),
    And(Vec<Cond>),
    Or(Vec<Cond>),
    Definitely(Box<Cond>),
    Possibly(Box<Cond>),
    Segment(Name),
    Test(Name, Check),
    /// `impressions of creative "x" today < 3`
    Count(Box<Count>, Check),
    /// `bucket of "salt" in 0%..<50%`
    Bucket(Bucket, Check),
    /// `active(mon..fri in visitor time)`
    Active(Box<Schedule>),
}

/// A count of a visitor's events.
#[derive(Debug, Clone)]
pub(crate) struct Count {
    pub(crate) event: CountedEvent,
    pub(crate) subject: CountedSubject,
    pub(crate) window: CountWindow,
    pub(crate) place: Place,
}

#[derive(Debug, Clone)]
pub(crate) enum CountedEvent {
    Impressions,
    Clicks,
    /// `count of product_view`
    Behaviour(Name),
}

#[derive(Debug, Clone)]
pub(crate) enum CountedSubject {
    Any,
    Campaign(Name),
    Template(Name),
    Creative(Name),
    Offer(Name),
    Rule(Name),
    ThisRule(Place),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CountWindow {
    Today,
    LastMs(i64),
}

/// A bucket that people or requests are dealt into.
#[derive(Debug, Clone)]
pub(crate) struct Bucket {
    pub(crate) key: Key,
    pub(crate) salt: Name,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Op {
    Equal,
    NotEqual,
    AtLeast,
    AtMost,
    Above,
    Below,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Includes {
    Any,
    All,
    None,
    Only,
}

#[derive(Debug)]
pub(crate) enum Check {
    /// A bare attribute.
    Bare,
    Compare(Op, Value),
    Known,
    Unknown,
    In {
        is_negated: bool,
        list: Vec<Value>,
    },
    Between(Box<Value>, Box<Value>),
    Includes {
        is_negated: bool,
        mode: Includes,
        list: Vec<Value>,
    },
    WithinMs(i64),
    BeforeMs(i64),
    StartsWith(Name),
    EndsWith(Name),
    Contains(Name),
}

#[derive(Debug, Clone)]
pub(crate) struct Value {
    pub(crate) kind: ValueKind,
    pub(crate) place: Place,
}

#[derive(Debug, Clone)]
pub(crate) enum ValueKind {
    Number(i64),
    Percent(i64),
    Money(i64, String),
    Text(String),
    Word(String),
    AgoMs(i64),
    /// A number with the label of its unit, such as `5 km`.
    Measure(i64, Box<Name>),
    /// A span of time, such as `5 minutes`.
    DurationMs(i64),
    /// Three numbers or more, such as `17.4.1`.
    Version(String),
    /// A date or minute, such as `2026-11-27 12:00 in "Europe/Bucharest"`.
    Moment(Box<Moment>),
    Range {
        low: Box<Value>,
        high: Box<Value>,
        is_half_open: bool,
    },
}
