//! Where rules name their literals.

use tessera_wire::program::LiteralId;

use crate::diagnostic::Place;

/// Where a rule names a literal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LiteralPlace {
    /// Index of the source rule.
    pub rule: u32,
    /// Which literal.
    pub literal: LiteralId,
    /// Where.
    pub place: Place,
}

/// The first place of each literal in each rule. Code is emitted backwards, so the first place is not the first met.
pub(super) fn first(found: Vec<(u32, u32, Place)>, final_ids: &[u32]) -> Vec<LiteralPlace> {
    let literal = |id: u32| LiteralId(final_ids[id as usize]);
    let placed =
        found.into_iter().map(|(rule, id, place)| LiteralPlace { rule, literal: literal(id), place });
    let mut places: Vec<LiteralPlace> = placed.collect();
    // Rules come in order, so a stable sort only looks, and what is left to sort is short.
    places.sort_by_key(|one| one.rule);
    for own in places.chunk_by_mut(|one, other| one.rule == other.rule) {
        own.sort_unstable_by_key(|one| (one.literal, one.place.file, one.place.start));
    }
    places.dedup_by_key(|one| (one.rule, one.literal));
    places
}
