//! Test blocks as written.

use super::{ActionItem, Bucket, Count, Moment, Name, Value};
use crate::diagnostic::Place;

#[derive(Debug)]
pub(crate) struct TestItem {
    pub(crate) name: Name,
    pub(crate) placement: Option<Name>,
    pub(crate) given: Vec<Given>,
    pub(crate) consent: ConsentGiven,
    pub(crate) expects: Vec<Expect>,
}

#[derive(Debug)]
pub(crate) enum Given {
    Attribute(Name, Vec<Value>),
    Count(Count, Value),
    Bucket(Bucket, Value),
    Now(Moment),
}

/// Which purposes a test's visitor agreed to.
#[derive(Debug)]
pub(crate) enum ConsentGiven {
    All,
    Purposes(Vec<Name>),
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

/// Why something is unknown.
#[derive(Debug)]
pub(crate) enum Because {
    /// A purpose was not granted.
    Consent(Vec<Name>),
    /// There is no value.
    Missing,
}

#[derive(Debug)]
pub(crate) enum ExpectKind {
    Rule(Name, Outcome, Option<Because>),
    Segment(Name, Outcome, Option<Because>),
    Action(ActionItem),
    /// An arm of a split, and perhaps which split.
    Variant(Name, Option<Name>),
    /// A bandit decides.
    Bandit(Name),
    Nothing,
}
