//! What rules report with an ad, as far as a served event carries it.

use tessera_engine_core::decide::{Decision, Note, PlacementOutcome};
use tessera_wire::limits::NOTES_PER_AD_MAX;

/// What rules report in the placement of the ad with this number.
pub(super) fn notes_of<'s>(decision: &Decision<'s>, ad: usize) -> &'s [Note] {
    let is_own = |one: &&PlacementOutcome| {
        (usize::from(one.first_ad)..usize::from(one.first_ad) + usize::from(one.ads)).contains(&ad)
    };
    decision.placements.iter().find(is_own).map_or(&[], |outcome| decision.notes_of(outcome))
}

/// The first notes of one kind, as many as an event carries.
pub(super) fn first_of(
    notes: &[Note],
    number: impl Fn(Note) -> Option<u32>,
) -> [Option<u32>; NOTES_PER_AD_MAX] {
    let mut first = [None; NOTES_PER_AD_MAX];
    for (into, found) in first.iter_mut().zip(notes.iter().filter_map(|note| number(*note))) {
        *into = Some(found);
    }
    first
}
