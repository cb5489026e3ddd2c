//! What an explanation says.

use tessera_rulevm::Truth;

use super::Change;

/// Where something is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// Path of the file.
    pub file: String,
    /// Line, counted from one.
    pub line: usize,
    /// Column in characters, counted from one.
    pub column: usize,
}

/// Everything about one rule and one visitor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// Name of the rule.
    pub rule: String,
    /// Where it begins.
    pub position: Position,
    /// Its priority.
    pub priority: i32,
    /// Does it match? Unknown when one more value or consent could decide.
    pub truth: Truth,
    /// Its clauses: `when`, `unless`, schedules, caps and rollout. All must hold.
    pub clauses: Vec<Node>,
    /// Its tiers, where it has several or the only one has a condition. The first that holds is taken.
    pub tiers: Vec<Node>,
    /// Index of the tier that is taken, among [`Explanation::tiers`].
    pub taken: Option<usize>,
    /// What would make it match, unless it does or nothing was found.
    pub nearest: Option<Nearest>,
    /// What happens in the rule's placements, twenty at most.
    pub outcomes: Vec<Outcome>,
}

/// A part of a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// As written, in one line.
    pub text: String,
    /// Where.
    pub position: Position,
    /// Its truth.
    pub truth: Truth,
    /// Did it decide about what it is a part of?
    pub decides: bool,
    /// What is known of the attributes that it tests.
    pub facts: Vec<Fact>,
    /// Parts of it.
    pub parts: Vec<Node>,
}

/// What is known of an attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    /// Its name.
    pub attribute: String,
    /// What.
    pub known: Known,
}

/// See [`Fact`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Known {
    /// The value, as the language writes it.
    Value {
        /// Text.
        text: String,
        /// Does it need consent?
        is_personal: bool,
    },
    /// There is no value.
    Missing,
    /// These purposes are not granted, so there may be a value or not.
    NoConsent(Vec<&'static str>),
}

/// The least that would have to be different.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nearest {
    /// Conditions of the way to match that is meant which do not hold.
    pub missing: usize,
    /// All conditions of that way.
    pub conditions: usize,
    /// What to change. All of it is needed.
    pub changes: Vec<Change>,
}

/// What rules decide in one placement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Name of the placement.
    pub placement: String,
    /// The rule that shows or suppresses, and its priority.
    pub decider: Option<(String, i32)>,
    /// Is the explained rule among those that take part, because nothing decides before it?
    pub takes_part: bool,
    /// Does the explained rule decide?
    pub decides: bool,
}
