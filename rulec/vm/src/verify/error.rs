//! What verification refuses, and how it says so.

/// A part of a program or catalog that an error speaks about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// [`Program::attributes`](tessera_wire::program::Program::attributes).
    Attribute,
    /// [`Program::dictionary`](tessera_wire::program::Program::dictionary).
    Dictionary,
    /// [`Program::ranges`](tessera_wire::program::Program::ranges).
    Range,
    /// [`Program::words`](tessera_wire::program::Program::words).
    Word,
    /// [`Program::literals`](tessera_wire::program::Program::literals).
    Literal,
    /// [`Program::code`](tessera_wire::program::Program::code).
    Code,
    /// [`Program::rules`](tessera_wire::program::Program::rules).
    Rule,
    /// [`Program::segments`](tessera_wire::program::Program::segments).
    Segment,
    /// [`Program::actions`](tessera_wire::program::Program::actions).
    Action,
    /// Placements of the catalog.
    Placement,
    /// Templates of the catalog.
    Template,
    /// Creatives of the catalog.
    Creative,
    /// Offers of the catalog.
    Offer,
    /// Assets of the catalog.
    Asset,
    /// Campaigns of the catalog.
    Campaign,
    /// Flights of the catalog.
    Flight,
    /// [`Program::features`](tessera_wire::program::Program::features).
    Feature,
}

impl std::fmt::Display for Part {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Part::Attribute => "attribute",
            Part::Dictionary => "dictionary word",
            Part::Range => "range",
            Part::Word => "word reference",
            Part::Literal => "literal",
            Part::Code => "branch",
            Part::Rule => "rule",
            Part::Segment => "segment",
            Part::Action => "action",
            Part::Placement => "placement",
            Part::Template => "template",
            Part::Creative => "creative",
            Part::Offer => "offer",
            Part::Asset => "asset",
            Part::Campaign => "campaign",
            Part::Flight => "flight",
            Part::Feature => "feature",
        })
    }
}

/// The program may not run; whoever loads it keeps the one they have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// More of something than a named limit allows.
    #[error("the program has {found} of part `{part}`, more than the {max} allowed")]
    TooMany {
        /// Which part.
        part: Part,
        /// How many there are.
        found: usize,
        /// How many may be.
        max: usize,
    },
    /// The longest evaluation takes too many steps.
    #[error(
        "the program may take {found} steps, more than the {max} allowed; rule {rule} takes {of_rule} of them"
    )]
    TooMuchWork {
        /// Steps in the worst case.
        found: usize,
        /// Steps allowed.
        max: usize,
        /// Source index of the rule that takes most, in all its tiers and placements together.
        rule: u32,
        /// How many it takes.
        of_rule: usize,
    },
    /// The longest evaluation takes more steps than the program states.
    #[error("the program may take {found} steps, more than the {stated} it states")]
    UnderstatedWork {
        /// Steps in the worst case.
        found: usize,
        /// Steps stated.
        stated: u64,
    },
    /// Something refers to what is not there.
    #[error("{part} {at} refers to a {target} that does not exist")]
    DanglingIndex {
        /// Which part refers.
        part: Part,
        /// Its index.
        at: usize,
        /// What it refers to.
        target: Part,
    },
    /// A branch does not go forward.
    #[error("branch {at} does not go forward")]
    BackwardBranch {
        /// Its index.
        at: usize,
    },
    /// A list that must be sorted and distinct is not.
    #[error("{part} {at} is out of order or a duplicate")]
    OutOfOrder {
        /// Which part.
        part: Part,
        /// Its index.
        at: usize,
    },
    /// A range ends before it starts, or overlaps its neighbour.
    #[error("literal {literal} has reversed or overlapping ranges")]
    BadRanges {
        /// Which literal.
        literal: usize,
    },
    /// A dictionary word is longer than allowed.
    #[error("dictionary word {at} is longer than the {max} bytes allowed")]
    WordTooLong {
        /// Its index.
        at: usize,
        /// Bytes allowed.
        max: usize,
    },
    /// A literal tests what its attribute's kind does not have.
    #[error("literal {literal} does not fit the kind of its attribute")]
    KindMismatch {
        /// Which literal.
        literal: usize,
    },
    /// A literal looks inside a text that frames do not keep.
    #[error("literal {literal} looks inside a text that is not kept")]
    TextNotKept {
        /// Which literal.
        literal: usize,
    },
    /// An attribute's name, kind or currency contradicts its origin or kind.
    #[error("attribute {at} contradicts its declaration")]
    BadAttribute {
        /// Its index.
        at: usize,
    },
    /// A feature's window or bucket is empty, or the bucket is wider than the window.
    #[error("feature {at} has an impossible window")]
    BadFeature {
        /// Its index.
        at: usize,
    },
    /// An attribute would read a signal with fewer gates than the signal needs.
    #[error("attribute {at} lacks a consent gate of its signal")]
    MissingGate {
        /// Its index.
        at: usize,
    },
    /// A segment claims fewer gates than it reads.
    #[error("segment {at} lacks a consent gate of what it reads")]
    SegmentGates {
        /// Its index.
        at: usize,
    },
}
