//! Looking at a program's code from outside a request: which conditions it has, how each came out, and which would have to
//! come out otherwise.
//!
//! For explanations; allocates freely. Not here: evaluation (`eval`).

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};

use tessera_wire::program::{ACCEPT, LiteralId};

use crate::eval::{Truth, fires, truth};
use crate::frame::Frame;
use crate::verify::VerifiedProgram;

/// Whether a literal fires in this frame, and the truth behind it.
pub fn literal_truth(program: &VerifiedProgram, frame: &Frame, literal: LiteralId) -> (bool, Truth) {
    let program = program.program();
    let Some(literal) = program.literals.get(literal.0 as usize) else { return (false, Truth::Unknown) };
    let truth = truth(program, frame, literal);
    (fires(literal.polarity, truth), truth)
}

/// The distinct literals reachable from `entry`, in code order.
pub fn literals_of(program: &VerifiedProgram, entry: u32) -> Vec<LiteralId> {
    let code = &program.program().code;
    let (mut seen, mut found) = (BTreeSet::new(), Vec::new());
    for at in reachable(program, entry) {
        if seen.insert(code[at as usize].literal) {
            found.push(code[at as usize].literal);
        }
    }
    found
}

/// Ways that [`nearest_match`] follows at most; a program that takes more is not worth explaining.
const WAYS_MAX: usize = 20_000;

/// A way through the code as far as it has been followed.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Way {
    /// The fewest first.
    changes: Reverse<u32>,
    at: u32,
    outcomes: Vec<(LiteralId, bool)>,
}

/// The fewest literals that would have to come out otherwise for the code at `entry` to accept, in code order. Empty when
/// it accepts as it is; `None` when nothing would do.
pub fn nearest_match(program: &VerifiedProgram, frame: &Frame, entry: u32) -> Option<Vec<LiteralId>> {
    let code = &program.program().code;
    let hopeful = hopeful(program, entry);
    if !hopeful.contains(&entry) {
        return None;
    }
    let mut ways = BinaryHeap::from([Way { changes: Reverse(0), at: entry, outcomes: Vec::new() }]);
    for _ in 0..WAYS_MAX {
        let Way { changes: Reverse(changes), at, outcomes } = ways.pop()?;
        let Some(branch) = code.get(at as usize) else {
            return Some(changed(program, frame, entry, &outcomes));
        };
        let is_true = literal_truth(program, frame, branch.literal).0;
        // A literal that is asked again has come out one way already.
        let known =
            outcomes.iter().find(|(literal, _)| *literal == branch.literal).map(|(_, outcome)| *outcome);
        for (to, outcome) in [(branch.on_true, true), (branch.on_false, false)] {
            if !hopeful.contains(&to) || known.is_some_and(|known| known != outcome) {
                continue;
            }
            let changes = changes + u32::from(known.is_none() && outcome != is_true);
            let mut outcomes = outcomes.clone();
            if known.is_none() {
                outcomes.push((branch.literal, outcome));
            }
            ways.push(Way { changes: Reverse(changes), at: to, outcomes });
        }
    }
    None
}

/// The literals that come out otherwise than they do, in code order.
fn changed(
    program: &VerifiedProgram,
    frame: &Frame,
    entry: u32,
    outcomes: &[(LiteralId, bool)],
) -> Vec<LiteralId> {
    let is_changed = |literal: &LiteralId| {
        let outcome = outcomes.iter().find(|(one, _)| one == literal).map(|(_, outcome)| *outcome);
        outcome.is_some_and(|outcome| literal_truth(program, frame, *literal).0 != outcome)
    };
    literals_of(program, entry).into_iter().filter(is_changed).collect()
}

/// Places from which some outcomes lead to a match.
fn hopeful(program: &VerifiedProgram, entry: u32) -> BTreeSet<u32> {
    let mut hopeful = BTreeSet::from([ACCEPT]);
    // From the end, as code only goes forward.
    for at in reachable(program, entry).into_iter().rev() {
        let branch = program.program().code[at as usize];
        if hopeful.contains(&branch.on_true) || hopeful.contains(&branch.on_false) {
            hopeful.insert(at);
        }
    }
    hopeful
}

/// Places in the code that can be reached, in order.
fn reachable(program: &VerifiedProgram, entry: u32) -> BTreeSet<u32> {
    let code = &program.program().code;
    let (mut pending, mut seen) = (BTreeSet::from([entry]), BTreeSet::new());
    while let Some(at) = pending.pop_first() {
        let Some(branch) = code.get(at as usize) else { continue };
        if seen.insert(at) {
            pending.extend([branch.on_true, branch.on_false]);
        }
    }
    seen
}
