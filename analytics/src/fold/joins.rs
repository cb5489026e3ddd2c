//! The served ads that touches can still join: a bounded window in order of arrival.
//!
//! Guarantees: at most the given number of entries; the oldest leave first, and whoever leaves before its window ended is
//! counted by the caller.
//!
//! Cost: one hash look-up per served record or touch; about 230 bytes per entry.

use std::collections::VecDeque;
use std::sync::Arc;

use ahash::AHashMap;
use tessera_wire::event::{Arm, Exposure, Mode, Served, TouchKind};
use tessera_wire::limits::{CHOICES_PER_AD_MAX, CONTEXT_FIELDS_MAX, NOTES_PER_AD_MAX};

use crate::names::GenerationNames;

/// Identity of a served ad: decision and place in it.
pub(super) type AdKey = (u128, u16);

/// What later touches need to know about a served ad.
#[derive(Debug, Clone)]
pub(super) struct ServedAd {
    /// Identity.
    pub key: AdKey,
    /// When it was served.
    pub at_ms: i64,
    /// What its numbers mean.
    pub names: Arc<GenerationNames>,
    /// Campaign index.
    pub campaign: u32,
    /// Template index.
    pub template: u32,
    /// Combination number.
    pub combination: u32,
    /// Arms of bandits of rules: template index of the bandit, and number of the arm.
    pub choices: [Option<(u32, u16)>; CHOICES_PER_AD_MAX],
    /// The campaign's experiment that the visitor takes part in.
    pub exposure: Option<Exposure>,
    /// Arms of splits reported.
    pub splits: [Option<u32>; NOTES_PER_AD_MAX],
    /// Arm.
    pub arm: Arm,
    /// Consent mode.
    pub mode: Mode,
    /// Context values.
    pub context: [u8; CONTEXT_FIELDS_MAX],
    /// May the learner use it?
    pub is_learnable: bool,
    seen: u8,
}

impl ServedAd {
    /// Keeps what joining needs of a record.
    pub(super) fn new(served: &Served, names: Arc<GenerationNames>) -> ServedAd {
        ServedAd {
            key: (served.decision_id, served.ad),
            at_ms: served.at_ms,
            names,
            campaign: served.campaign,
            template: served.template,
            combination: served.combination,
            choices: served.choices.map(|choice| choice.map(|choice| (choice.bandit, choice.arm))),
            exposure: served.exposure,
            splits: served.variants,
            arm: served.arm,
            mode: served.mode,
            context: served.context,
            is_learnable: served.is_learnable,
            seen: 0,
        }
    }

    /// Notes a touch; false when this kind was noted before.
    pub(super) fn note(&mut self, kind: TouchKind) -> bool {
        let bit = 1 << kind as u8;
        let is_new = self.seen & bit == 0;
        self.seen |= bit;
        is_new
    }
}

/// The window.
#[derive(Debug, Default)]
pub(super) struct Joins {
    entries: VecDeque<ServedAd>,
    places: AHashMap<AdKey, u64>,
    /// Ordinal of the first entry; ordinals count all entries that ever arrived.
    first: u64,
}

impl Joins {
    /// Ordinal of the oldest entry, or of the next to come.
    pub(super) fn oldest(&self) -> u64 {
        self.first
    }

    /// Ordinal of the next entry to come.
    pub(super) fn next(&self) -> u64 {
        self.first + self.entries.len() as u64
    }

    /// The entry of an ad served at `cutoff_ms` or later. Older ones may still stand behind a younger one.
    pub(super) fn get_mut(&mut self, key: AdKey, cutoff_ms: i64) -> Option<&mut ServedAd> {
        let ordinal = *self.places.get(&key)?;
        self.entries.get_mut((ordinal - self.first) as usize).filter(|ad| ad.at_ms >= cutoff_ms)
    }

    /// Adds an ad; false when it is there already.
    pub(super) fn insert(&mut self, ad: ServedAd) -> bool {
        let ordinal = self.next();
        match self.places.entry(ad.key) {
            std::collections::hash_map::Entry::Occupied(_) => false,
            std::collections::hash_map::Entry::Vacant(place) => {
                place.insert(ordinal);
                self.entries.push_back(ad);
                true
            }
        }
    }

    /// Lets go of ads served before `cutoff_ms`, and of the oldest beyond `max`; returns how many of the latter.
    pub(super) fn evict(&mut self, cutoff_ms: i64, max: usize) -> u64 {
        let mut evicted = 0;
        while let Some(oldest) = self.entries.front() {
            let is_over = self.entries.len() > max;
            if !is_over && oldest.at_ms >= cutoff_ms {
                break;
            }
            evicted += u64::from(oldest.at_ms >= cutoff_ms);
            self.places.remove(&oldest.key);
            self.entries.pop_front();
            self.first += 1;
        }
        evicted
    }
}
