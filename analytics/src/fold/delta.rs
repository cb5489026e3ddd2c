//! What a batch of events changes: sums by key, to be added to the store in one transaction.
//!
//! Guarantees: deltas add up; the delta of two batches is the sum of theirs, in any order.

use std::sync::Arc;

use ahash::AHashMap;
use tessera_wire::event::Touch;

use super::fact::{Fact, FactKind};
use crate::names::{GenerationNames, NameId, NameList};

/// Key of the hourly facts. Everything counts in the hour its ad was served, so that rates have matching parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FactKey {
    /// Hours since the unix epoch.
    pub hour: i64,
    /// Campaign.
    pub campaign: NameId,
    /// Segment of the ad's context.
    pub segment: NameId,
    /// Code of the arm.
    pub arm: u8,
    /// Code of the consent mode.
    pub mode: u8,
    /// False for children, tests and bots.
    pub is_learnable: bool,
}

/// Counts of one key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Ads put into answers.
    pub served: u64,
    /// Ads rendered.
    pub impressions: u64,
    /// Ads seen.
    pub viewables: u64,
    /// Ads clicked.
    pub clicks: u64,
    /// Ads that led to a conversion.
    pub conversions: u64,
}

/// Key of the daily combination rollup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CombinationKey {
    /// Days since the unix epoch.
    pub day: i64,
    /// Campaign.
    pub campaign: NameId,
    /// Template.
    pub template: NameId,
    /// Segment.
    pub segment: NameId,
    /// Assets by slot.
    pub combination: NameList,
    /// Code of the arm.
    pub arm: u8,
    /// Code of the consent mode.
    pub mode: u8,
}

/// Key of the learner's sufficient statistics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CellKey {
    /// Template.
    pub template: NameId,
    /// Labels by field.
    pub context: NameList,
    /// Assets by slot.
    pub combination: NameList,
}

/// Key of the daily rollup of experiments and splits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ExperimentKey {
    /// Days since the unix epoch, of when the ad was served.
    pub day: i64,
    /// Experiment, or split of rules.
    pub experiment: NameId,
    /// Variant, or arm of the split.
    pub variant: NameId,
    /// Campaign.
    pub campaign: NameId,
    /// Currency of a conversion's value; zeros for everything without a value.
    pub currency: [u8; 3],
}

/// Counts of one variant. Revenue is per ad, because an ad converts once; its squares are of units, not of millionths.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct ExperimentCounts {
    /// Ads put into answers.
    pub served: u64,
    /// Ads rendered.
    pub impressions: u64,
    /// Ads clicked.
    pub clicks: u64,
    /// Ads that led to a conversion.
    pub conversions: u64,
    /// Sum of conversion values, in millionths.
    pub revenue_micros: i64,
    /// Sum of the squares of conversion values, in square units.
    pub revenue_squares: f64,
}

/// What became of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Outcome {
    /// It took effect.
    Stored,
    /// It was seen before.
    Duplicate,
    /// A touch without a served record inside the attribution window.
    Unjoined,
    /// A served record whose generation was never named.
    Unnamed,
    /// A touch that waits for its served record.
    Waiting,
}

impl Outcome {
    /// Every outcome, in code order.
    pub const ALL: [Outcome; 5] =
        [Outcome::Stored, Outcome::Duplicate, Outcome::Unjoined, Outcome::Unnamed, Outcome::Waiting];

    /// The word in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Outcome::Stored => "stored",
            Outcome::Duplicate => "duplicate",
            Outcome::Unjoined => "unjoined",
            Outcome::Unnamed => "unnamed",
            Outcome::Waiting => "waiting",
        }
    }
}

/// Impressions and clicks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Trials {
    /// Ads rendered.
    pub impressions: u64,
    /// Ads clicked.
    pub clicks: u64,
}

/// Where every record that was read has gone:
/// `read = stored + duplicate + unjoined + unnamed + waiting + remembered`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Whole records read.
    pub read: u64,
    /// Records that took effect.
    pub stored: u64,
    /// Records seen before.
    pub duplicate: u64,
    /// Touches without a served record inside the attribution window.
    pub unjoined: u64,
    /// Served records whose generation was never named.
    pub unnamed: u64,
    /// Changes of what engines remember of visitors, which the store does not keep.
    pub remembered: u64,
    /// Touches that wait for their served record: this batch's change.
    pub waiting: i64,
    /// Served ads that could no longer be joined because there were too many, before their window ended.
    pub evicted: u64,
    /// Impressions counted because a later touch implies them.
    pub implied_impressions: u64,
}

/// A change of the set of waiting touches, which is stored because its records may lie far back in the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaitingChange {
    /// A touch starts to wait; the journal's time then.
    Add(Touch, i64),
    /// It no longer waits.
    Remove(Touch),
}

/// What a batch changes.
#[derive(Debug, Default)]
pub struct Delta {
    /// Hourly facts.
    pub facts: AHashMap<FactKey, Counts>,
    /// Conversion values by currency, in millionths.
    pub values: AHashMap<(FactKey, [u8; 3]), i64>,
    /// Daily combination rollup.
    pub combinations: AHashMap<CombinationKey, Trials>,
    /// Learner statistics.
    pub cells: AHashMap<CellKey, Trials>,
    /// Behaviour events by hour and name.
    pub behaviours: AHashMap<(i64, NameId), u64>,
    /// Daily rollup of experiments and splits.
    pub experiments: AHashMap<ExperimentKey, ExperimentCounts>,
    /// Records by the hour of their own time, kind and outcome; a touch that no longer waits is taken back there.
    pub hours: AHashMap<(i64, FactKind, Outcome), i64>,
    /// One row for every record that took effect.
    pub rows: Vec<Fact>,
    /// Subjects to be erased: half of their keys, and when that was asked for.
    pub erased: Vec<(u64, i64)>,
    /// Changes of the waiting set, in order.
    pub waiting: Vec<WaitingChange>,
    /// Where the records have gone.
    pub tally: Tally,
    /// The newest generation named in this batch.
    pub generation: Option<Arc<GenerationNames>>,
}

const HOUR_MS: i64 = 3_600_000;

impl Delta {
    /// Counts what became of a record of this kind and time.
    pub(super) fn note(&mut self, kind: FactKind, at_ms: i64, outcome: Outcome) {
        self.add_to_hour(kind, at_ms, outcome, 1);
        match outcome {
            Outcome::Stored => self.tally.stored += 1,
            Outcome::Duplicate => self.tally.duplicate += 1,
            Outcome::Unjoined => self.tally.unjoined += 1,
            Outcome::Unnamed => self.tally.unnamed += 1,
            Outcome::Waiting => self.tally.waiting += 1,
        }
    }

    /// A touch no longer waits; its last outcome is noted by itself.
    pub(super) fn stop_waiting(&mut self, touch: Touch) {
        self.waiting.push(WaitingChange::Remove(touch));
        self.tally.waiting -= 1;
        self.add_to_hour(touch.kind.into(), touch.at_ms, Outcome::Waiting, -1);
    }

    fn add_to_hour(&mut self, kind: FactKind, at_ms: i64, outcome: Outcome, by: i64) {
        *self.hours.entry((at_ms.div_euclid(HOUR_MS), kind, outcome)).or_default() += by;
    }
}
