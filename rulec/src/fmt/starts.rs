//! Where the conditions and tiers start that get a line of their own.

use std::collections::HashSet;

use crate::ast::{Cond, CondKind, File, Tier};

/// First bytes of everything that starts a line inside a block of conditions or tiers.
pub(super) fn of(files: &[File]) -> HashSet<u32> {
    let mut starts = HashSet::new();
    for segment in files.iter().flat_map(|file| &file.segments) {
        segment.conditions.iter().for_each(|condition| add(condition, &mut starts));
    }
    for rule in files.iter().flat_map(|file| &file.rules) {
        let conditions = rule.whens.iter().chain(&rule.unlesses);
        conditions.for_each(|condition| parts(condition, &mut starts));
        rule.tiers.iter().filter_map(|tier: &Tier| tier.condition.as_ref()).for_each(|condition| {
            add(condition, &mut starts);
        });
    }
    starts
}

fn add(condition: &Cond, starts: &mut HashSet<u32>) {
    starts.insert(condition.place.start);
    parts(condition, starts);
}

/// The parts of `match` blocks start lines; those of `and` and `or` do not, but it does no harm to list them: a start only
/// counts at the beginning of its block, or after another part of it.
fn parts(condition: &Cond, starts: &mut HashSet<u32>) {
    match &condition.kind {
        CondKind::Not(inner) | CondKind::Definitely(inner) | CondKind::Possibly(inner) => {
            parts(inner, starts)
        }
        CondKind::And(list) | CondKind::Or(list) => list.iter().for_each(|part| add(part, starts)),
        _ => {}
    }
}
