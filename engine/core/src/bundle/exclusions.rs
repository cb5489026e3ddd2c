//! Which combinations of a template hold two assets that exclude one another.
//!
//! Cost: one pass over the combinations on load, and only for templates that exclude anything; two bytes for each
//! combination that is left.

use tessera_wire::catalog::{AssetId, Catalog, Template};
use tessera_wire::limits::SLOTS_PER_TEMPLATE_MAX;
use tessera_wire::posterior::Layout;

/// A template's excluded pairs, as weights of its model, and what they leave.
#[derive(Debug, Default)]
pub(crate) struct Exclusions {
    // INVARIANT: both are empty when the template excludes nothing, else both are not: a template that leaves nothing is
    // refused.
    pairs: Vec<usize>,
    left: Vec<u16>,
    // INVARIANT: only combinations of a template of at most `EXCLUDING_COMBINATIONS_MAX` are listed.
    sizes: [u16; SLOTS_PER_TEMPLATE_MAX],
}

impl Exclusions {
    pub(super) fn new(catalog: &Catalog, template: &Template, layout: &Layout) -> Exclusions {
        let excluded = template.exclusions.of(&catalog.exclusions);
        if excluded.is_empty() {
            return Exclusions::default();
        }
        let slots: Vec<&[AssetId]> =
            catalog.slots_of(template).iter().map(|slot| catalog.assets_of(slot)).collect();
        let mut pairs = Vec::new();
        for (one, other) in excluded {
            for (left, right) in
                (0..slots.len()).flat_map(|left| (left + 1..slots.len()).map(move |right| (left, right)))
            {
                let place = |slot: usize, asset: &AssetId| slots[slot].iter().position(|own| own == asset);
                for (i, j) in
                    [(place(left, one), place(right, other)), (place(left, other), place(right, one))]
                {
                    pairs.extend(i.zip(j).map(|(i, j)| layout.pair(left, right, i, j)));
                }
            }
        }
        pairs.sort_unstable();
        pairs.dedup();
        let mut sizes = [0; SLOTS_PER_TEMPLATE_MAX];
        for (into, size) in sizes.iter_mut().zip(&layout.slots) {
            *into = *size as u16;
        }
        let combinations = layout.combinations().min(crate::limits::EXCLUDING_COMBINATIONS_MAX);
        let is_left = |combination: &usize| !holds_pair(layout, *combination, &pairs);
        let left = (0..combinations).filter(is_left).map(|combination| combination as u16).collect();
        Exclusions { pairs, left, sizes }
    }

    /// Weights of pairs that never stand together.
    pub(crate) fn pairs(&self) -> &[usize] {
        &self.pairs
    }

    /// The combinations that may be shown, ascending; empty when all may.
    pub(crate) fn left(&self) -> &[u16] {
        &self.left
    }

    /// Does the template exclude pairs?
    pub(crate) fn is_none(&self) -> bool {
        self.pairs.is_empty()
    }

    /// The combinations that may be shown and have the pinned assets.
    pub(crate) fn pinned<'a>(&'a self, pins: &'a crate::model::Pins) -> impl Iterator<Item = u16> + 'a {
        self.left.iter().copied().filter(move |combination| {
            let mut rest = *combination;
            let slots = self.sizes.iter().zip(pins).rev().filter(|(size, _)| **size > 0);
            slots.into_iter().all(|(size, pin)| {
                let asset = rest % size;
                rest /= size;
                *pin == 0 || *pin == asset + 1
            })
        })
    }
}

fn holds_pair(layout: &Layout, combination: usize, pairs: &[usize]) -> bool {
    let mut choice = [0usize; SLOTS_PER_TEMPLATE_MAX];
    layout.unpack(combination, &mut choice);
    let slots = layout.slots.len();
    (0..slots).any(|left| {
        (left + 1..slots)
            .any(|right| pairs.binary_search(&layout.pair(left, right, choice[left], choice[right])).is_ok())
    })
}
