//! Conjunctions that make a condition true, or false, read off its compiled code.
//!
//! Conditions are monotone in their strict literals (negations were pushed into them), so on an accepting path only the
//! literals that came out true matter: having those is enough, whatever the others are. In the same way the literals
//! that came out false on a rejecting path are enough to make the condition false.

use tessera_wire::program::{ACCEPT, Branch, LiteralId, Polarity, REJECT};

/// Conjunctions looked at per condition; beyond that the analyses say nothing about it.
pub(super) const IMPLICANTS_MAX: usize = 64;

/// Sets of literals, each of which is enough for one outcome. Each is sorted.
pub(super) type Implicants = Vec<Vec<LiteralId>>;

/// Literal sets of which each makes the condition at `entry` accept. `None` when there are too many.
pub(super) fn accepting(code: &[Branch], entry: u32) -> Option<Implicants> {
    collect(code, entry, true)
}

/// Literal sets such that the condition rejects when all literals of one set are *not* true. `None` when too many.
pub(super) fn rejecting(code: &[Branch], entry: u32) -> Option<Implicants> {
    collect(code, entry, false)
}

fn collect(code: &[Branch], entry: u32, accepts: bool) -> Option<Implicants> {
    let wanted = if accepts { ACCEPT } else { REJECT };
    let mut found: Implicants = Vec::new();
    let mut pending = vec![(entry, Vec::new())];
    // A path can fork at each branch, and forks may die; this bounds the walk, not only what it finds.
    let mut steps = 0;
    while let Some((at, literals)) = pending.pop() {
        steps += 1;
        if found.len() > IMPLICANTS_MAX || steps > 64 * IMPLICANTS_MAX {
            return None;
        }
        let Some(branch) = code.get(at as usize) else {
            if at == wanted {
                found.push(literals);
            }
            continue;
        };
        let mut with = literals.clone();
        if let Err(place) = with.binary_search(&branch.literal) {
            with.insert(place, branch.literal);
        }
        let (kept, other) =
            if accepts { (branch.on_true, branch.on_false) } else { (branch.on_false, branch.on_true) };
        pending.push((other, literals));
        pending.push((kept, with));
    }
    found.sort();
    found.dedup();
    Some(found)
}

/// The reading that is true exactly when the given one is not.
pub(super) const fn opposite(polarity: Polarity) -> Polarity {
    match polarity {
        Polarity::Holds => Polarity::NotDefinitely,
        Polarity::NotDefinitely => Polarity::Holds,
        Polarity::Fails => Polarity::Possibly,
        Polarity::Possibly => Polarity::Fails,
    }
}
