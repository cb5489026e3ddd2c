//! A worker's reusable memory: everything a decision writes to.
//!
//! Sized once; a decision grows it only when a new bundle needs more room, so that the warmed-up path neither allocates
//! nor frees. The memo of best combinations is a cache of a pure function: it changes speed, never a decision.

use tessera_rulevm::VerifiedProgram;
use tessera_wire::limits::POSTERIOR_DRAWS_MAX;

use crate::compose::Pinned;
use crate::decide::{Ad, Note, PlacementOutcome};
use crate::limits::{
    ADS_PER_DECISION_MAX, MEMO_ENTRIES, NOTES_PER_DECISION_MAX, PINS_PER_PLACEMENT_MAX,
    PLACEMENTS_PER_REQUEST_MAX, RANKED_CANDIDATES_MAX,
};
use crate::model::{Best, Context, Pins, ScoreBuffer};
use crate::rank::Contender;

/// One worker's decision memory.
#[derive(Debug)]
pub struct Scratch {
    pub(crate) rules: tessera_rulevm::Scratch,
    pub(crate) ads: Vec<Ad>,
    pub(crate) outcomes: Vec<PlacementOutcome>,
    pub(crate) notes: Vec<Note>,
    /// Pins of the rules reached in the present placement.
    pub(crate) pins: Vec<Pinned>,
    /// Candidates of rules of one priority, while they are ranked.
    pub(crate) ranked: Vec<Contender>,
    pub(crate) scores: ScoreBuffer,
    pub(crate) memo: Memo,
}

impl Scratch {
    /// The ads of the last decision that was made in it.
    pub fn ads(&self) -> &[Ad] {
        &self.ads
    }

    /// Scratch for decisions from bundles like this one.
    pub fn new(program: &VerifiedProgram) -> Scratch {
        Scratch {
            rules: tessera_rulevm::Scratch::new(program),
            ads: Vec::with_capacity(ADS_PER_DECISION_MAX),
            outcomes: Vec::with_capacity(PLACEMENTS_PER_REQUEST_MAX),
            notes: Vec::with_capacity(NOTES_PER_DECISION_MAX),
            pins: Vec::with_capacity(PINS_PER_PLACEMENT_MAX),
            ranked: Vec::with_capacity(RANKED_CANDIDATES_MAX),
            scores: ScoreBuffer::default(),
            memo: Memo::default(),
        }
    }
}

/// Best combinations per draw, for recently seen (posterior generation, template, context, pins).
#[derive(Debug)]
pub(crate) struct Memo {
    entries: Vec<MemoEntry>,
}

/// Which question an entry answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MemoKey {
    pub(crate) bundle_generation: u64,
    pub(crate) posterior_generation: u64,
    pub(crate) fingerprint: u64,
    pub(crate) template: u32,
    pub(crate) context: Context,
    pub(crate) pins: Pins,
}

#[derive(Debug, Clone)]
struct MemoEntry {
    key: Option<MemoKey>,
    best: Best,
}

impl Default for Memo {
    fn default() -> Self {
        Memo { entries: vec![MemoEntry { key: None, best: [0; POSTERIOR_DRAWS_MAX] }; MEMO_ENTRIES] }
    }
}

impl Memo {
    /// The best combination of each draw, computed by `fill` unless it is remembered.
    pub(crate) fn best(&mut self, key: MemoKey, fill: impl FnOnce(&mut Best)) -> &Best {
        let pins =
            key.pins.iter().fold(0u64, |mixed, pin| mixed.wrapping_mul(1_031).wrapping_add(u64::from(*pin)));
        let context = u64::from_le_bytes(key.context) ^ (u64::from(key.template) << 32);
        let mixed = crate::hash::mix64(context ^ crate::hash::mix64(pins));
        let entry = &mut self.entries[mixed as usize & (MEMO_ENTRIES - 1)];
        if entry.key != Some(key) {
            fill(&mut entry.best);
            entry.key = Some(key);
        }
        &entry.best
    }
}
