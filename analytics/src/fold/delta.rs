//! What a batch of events changes: sums by key, to be added to the store in one transaction.
//!
//! Guarantees: deltas add up; the delta of two batches is the sum of theirs, in any order.

use std::sync::Arc;

use ahash::AHashMap;
use tessera_wire::event::Touch;

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

/// Impressions and clicks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Trials {
    /// Ads rendered.
    pub impressions: u64,
    /// Ads clicked.
    pub clicks: u64,
}

/// Where every record that was read has gone: `read = stored + duplicate + unjoined + unnamed + waiting`.
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
    /// Changes of the waiting set, in order.
    pub waiting: Vec<WaitingChange>,
    /// Where the records have gone.
    pub tally: Tally,
    /// The newest generation named in this batch.
    pub generation: Option<Arc<GenerationNames>>,
}
