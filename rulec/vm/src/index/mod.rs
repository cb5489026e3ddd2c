//! The matcher: which conditions can hold at all for this request, and which of them do.
//!
//! Built from a verified program when it is loaded, never shipped. Every condition is a few conjunctions; each hangs on
//! its *access literal*, the one that fires most rarely, in the posting lists of the values that make it fire. A request
//! visits the lists of its own values and nothing else. An entry of a list is sixteen bytes: up to six hot literals,
//! whose truth the request has computed before, and what to set when all of them hold. What does not fit into that runs
//! a residual: cold literals one by one, or the condition's own code.
//!
//! Guarantees: the same result as running every rule's code (`tests/agreement.rs` of this crate and of `rulec`), whatever
//! the statistics; at most [`Index::work_max`] steps; no allocation, lock or panic in evaluation.
//!
//! Cost: see `benches/record/rules.md`; memory is 16 bytes per entry and some 30 per word. Why it is built this way, and
//! what did not help, is told in `docs/adr/0005-matcher.md`.

mod access;
mod build;
mod heads;
mod hot;
mod plan;
mod ranges;
mod run;
mod terms;

use tessera_wire::program::LiteralId;

pub(crate) use self::build::first_segment;
use self::ranges::RangePlan;
use crate::verify::IndexSize;

/// Number of filters in an entry.
const FILTERS: usize = 6;
/// Changes that a head holds itself.
const CHANGES: usize = 4;
/// The number of no literal: written, never read.
const SPARE: u16 = u16::MAX;
/// Marks an entry's target as a residual.
const RESIDUAL: u32 = 1 << 30;

/// The index of one program.
#[derive(Debug, Default)]
pub(crate) struct Index {
    /// First those of words, then the others, and one more that ends the last.
    heads: Vec<Head>,
    /// Changes that do not fit into their head.
    changes: Vec<Change>,
    /// Entries whose target is one result bit.
    entries: Vec<Entry>,
    /// Entries whose target is a fan or a residual.
    guarded: Vec<Entry>,
    residuals: Vec<Residual>,
    residual_literals: Vec<LiteralId>,
    fan_starts: Vec<u32>,
    fan_bits: Vec<u32>,
    attributes: Vec<AttributePlan>,
    ranges: Vec<RangePlan>,
    /// Hot literals that only a test can tell, sorted by head.
    checks: Vec<Check>,
    /// One past the highest number of a hot literal.
    hot_len: usize,
    /// Hot literals that are true when everything is unknown, and number zero.
    initially_true: Vec<u16>,
    /// Result bits that are always set.
    constant: Vec<u32>,
    /// Visited on every request, or [`heads::NONE`].
    always: u32,
    /// Residuals that run code: each at most once per request.
    programs: usize,
    /// Lists that one request visits at most.
    visits_max: usize,
    work_max: usize,
}

/// What a value changes and where its lists start; they end where the next head's start. The head of word `w` of the
/// first attribute that mentions it is number `w` - 1; heads of the same word for other attributes are chained.
#[derive(Debug, Clone, Copy)]
struct Head {
    /// The first changes: numbers of hot literals, unused ones [`SPARE`]. Written without branching on how many there are.
    changes: [u16; CHANGES],
    /// Further ones, in [`Index::changes`].
    more: u32,
    entries: u32,
    guarded: u32,
    /// The next head of the same word, or [`heads::NONE`].
    next: u32,
    /// Whose word this is.
    signal: u16,
    /// One bit for each of `changes`: what the literal becomes.
    values: u8,
    /// Is there anything in `more`?
    has_more: bool,
    has_checks: bool,
}

/// A hot literal and what it becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Change {
    number: u16,
    is_true: bool,
}

/// Up to six hot literals, and what follows when all of them are true.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    filters: [u16; FILTERS],
    /// A result bit, a fan ([`plan::FAN`]) or a residual ([`RESIDUAL`]).
    target: u32,
}

/// What an entry's filters cannot tell.
#[derive(Debug, Clone, Copy)]
struct Residual {
    /// A result bit or a fan.
    target: u32,
    work: Work,
}

#[derive(Debug, Clone, Copy)]
enum Work {
    /// These of [`Index::residual_literals`] must hold.
    Literals { first: u32, len: u32 },
    /// The code at this entry must accept; `number` counts such residuals.
    Code { entry: u32, number: u32 },
}

/// How an attribute's value is looked up.
#[derive(Debug, Clone, Copy)]
struct AttributePlan {
    signal: u16,
    shape: Shape,
    /// Visited for any known value, or [`heads::NONE`].
    known: u32,
    /// Visited when there is none, or [`heads::NONE`].
    unknown: u32,
    /// Number of the plan for values and for ages, or [`heads::NONE`].
    value: u32,
    age: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Integer,
    Text,
    Set,
}

/// A hot literal on several members of one set: tested when the rarest of them is met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Check {
    head: u32,
    hot: u16,
    literal: u32,
}

impl Index {
    /// Steps of one evaluation at most: entries visited, residual tests, and result bits of fans.
    pub(crate) fn work_max(&self) -> usize {
        self.work_max
    }

    /// What the index takes.
    pub(crate) fn size(&self) -> IndexSize {
        let entries = self.entries.len() + self.guarded.len();
        IndexSize { bytes: self.bytes(), entries, hot_literals: self.hot_len.saturating_sub(1) }
    }

    fn bytes(&self) -> usize {
        let lists = size_of_val(self.heads.as_slice())
            + size_of_val(self.changes.as_slice())
            + size_of_val(self.entries.as_slice())
            + size_of_val(self.guarded.as_slice())
            + size_of_val(self.residuals.as_slice())
            + size_of_val(self.residual_literals.as_slice())
            + size_of_val(self.fan_starts.as_slice())
            + size_of_val(self.fan_bits.as_slice())
            + size_of_val(self.checks.as_slice());
        let ranges: usize = self.ranges.iter().map(|plan| size_of::<RangePlan>() + plan.memory_bytes()).sum();
        lists
            + ranges
            + size_of_val(self.attributes.as_slice())
            + size_of_val(self.initially_true.as_slice())
            + size_of_val(self.constant.as_slice())
    }
}
