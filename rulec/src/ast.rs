//! Rule files as written: names unresolved, types unchecked, every part with its place.

use crate::diagnostic::Place;

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
    pub(crate) segments: Vec<SegmentItem>,
    pub(crate) rules: Vec<RuleItem>,
    pub(crate) tests: Vec<TestItem>,
}

#[derive(Debug)]
pub(crate) struct AttributeItem {
    pub(crate) name: Name,
    pub(crate) ty: TypeName,
    pub(crate) type_place: Place,
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
    Set,
    Time,
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
    pub(crate) placement: Option<Name>,
    pub(crate) class: Option<(Class, Place)>,
    pub(crate) whens: Vec<Cond>,
    pub(crate) unlesses: Vec<Cond>,
    pub(crate) tiers: Vec<Tier>,
    pub(crate) otherwise: Option<Vec<ActionItem>>,
}

/// A branch of `choose first`; a plain `then` is one tier without condition.
#[derive(Debug)]
pub(crate) struct Tier {
    pub(crate) condition: Option<Cond>,
    pub(crate) actions: Vec<ActionItem>,
}

#[derive(Debug)]
pub(crate) struct ActionItem {
    pub(crate) kind: ActionKind,
    pub(crate) place: Place,
}

#[derive(Debug)]
pub(crate) enum ActionKind {
    ShowTemplate(Name),
    ShowCreative(Name),
    OfferDiscount(i64),
    OfferFreeShipping,
    OfferBundle(Name),
    OfferNamed(Name),
    Suppress,
    Tag(Name),
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
    Between(Value, Value),
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
    Range { low: Box<Value>, high: Box<Value>, is_half_open: bool },
}

#[derive(Debug)]
pub(crate) struct TestItem {
    pub(crate) name: Name,
    pub(crate) placement: Option<Name>,
    pub(crate) given: Vec<(Name, Vec<Value>)>,
    pub(crate) is_consent_given: bool,
    pub(crate) expects: Vec<Expect>,
}

#[derive(Debug)]
pub(crate) struct Expect {
    pub(crate) kind: ExpectKind,
    pub(crate) place: Place,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    True,
    False,
    Unknown,
}

#[derive(Debug)]
pub(crate) enum ExpectKind {
    Rule(Name, Outcome),
    Segment(Name, Outcome),
    Action(ActionItem),
    Nothing,
}
