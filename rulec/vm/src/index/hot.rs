//! Which literals are hot: computed on every request and tested by entries with one load each.
//!
//! A literal is hot when keeping it ready costs less than testing it where it is needed: the frequency of the tests that
//! entries would make of it, against how often its value makes it change. So rare thresholds of rare rules stay cold, and
//! the size of the hot set follows from the bundle instead of being chosen.
//!
//! Guarantees: numbers are distinct, not zero (zero is always true), and consecutive for the hot ranges of one attribute
//! on its value, and on its age. Literals that look inside a text or compare whole sets are never hot.

use tessera_wire::program::{Constraint, Literal, Program};
use tessera_wire::signal::Kind;

use super::access::Access;
use super::plan::{ALWAYS, Plan};
use super::ranges::{BLOCK, cuts_of};
use crate::limits::{HOT_LITERALS_MAX, INDEX_ROWS_BYTES_MAX, RANGE_ROWS_BYTES_MAX};

/// Nanoseconds to test a cold literal, branch missed included. Costs are measured by `benches/rules`.
const COLD_TEST_NS: f32 = 40.0;
/// Nanoseconds to make one hot word literal true.
const HOT_CHANGE_NS: f32 = 0.5;
/// Nanoseconds to reset or copy one hot literal.
const HOT_COPY_NS: f32 = 0.05;

/// Nanoseconds to look one value up, and all members of a set.
const LOOKUP_NS: f32 = 4.0;
const SET_LOOKUP_NS: f32 = 16.0;

/// Numbers of hot literals, by literal; zero is cold.
pub(super) struct Hot {
    pub(super) numbers: Vec<u16>,
    /// One past the highest number.
    pub(super) len: usize,
}

/// Which searches answer a literal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Family {
    Value,
    Age,
    Other,
}

pub(super) fn family(literal: &Literal) -> Family {
    match literal.constraint {
        Constraint::InRanges(_) => Family::Value,
        Constraint::AgeInRanges(_) => Family::Age,
        _ => Family::Other,
    }
}

impl Hot {
    pub(super) fn choose(program: &Program, accesses: &[Access], plan: &Plan) -> Hot {
        let demand = demand(accesses, plan);
        let mut wanted: Vec<(f32, u32)> = Vec::new();
        for (id, literal) in program.literals.iter().enumerate() {
            let gain = demand[id] * COLD_TEST_NS - price(literal, &accesses[id]);
            if demand[id] > 0.0 && gain > 0.0 {
                wanted.push((gain, id as u32));
            }
        }
        wanted.sort_unstable_by(|one, other| other.0.total_cmp(&one.0).then(one.1.cmp(&other.1)));
        drop_small(program, plan, &mut wanted);
        let mut is_hot = vec![false; program.literals.len()];
        let mut room = RowRoom::new(program, plan);
        let chosen = wanted.iter().filter(|(_, id)| room.take(program, *id)).take(HOT_LITERALS_MAX);
        chosen.for_each(|(_, id)| is_hot[*id as usize] = true);
        Hot::number(program, &is_hot)
    }

    fn number(program: &Program, is_hot: &[bool]) -> Hot {
        let mut order: Vec<u32> =
            (0..program.literals.len() as u32).filter(|id| is_hot[*id as usize]).collect();
        let key = |id: u32| {
            let literal = &program.literals[id as usize];
            (literal.signal, family(literal), id)
        };
        order.sort_unstable_by_key(|id| key(*id));
        let mut numbers = vec![0; program.literals.len()];
        let mut next = 1;
        for of_one in
            order.chunk_by(|one, other| key(*one).0 == key(*other).0 && key(*one).1 == key(*other).1)
        {
            let is_range = key(of_one[0]).1 != Family::Other;
            let pad = |next: usize| if is_range { next.next_multiple_of(BLOCK) } else { next };
            next = pad(next);
            if next + of_one.len() + BLOCK > HOT_LITERALS_MAX {
                continue;
            }
            for id in of_one {
                numbers[*id as usize] = next as u16;
                next += 1;
            }
            next = pad(next);
        }
        Hot { numbers, len: next }
    }

    pub(super) fn of(&self, literal: u32) -> Option<u16> {
        self.numbers.get(literal as usize).copied().filter(|number| *number != 0)
    }
}

/// Leaves out what would be the only reason to look an attribute up, unless it is reason enough.
fn drop_small(program: &Program, plan: &Plan, wanted: &mut Vec<(f32, u32)>) {
    let slot = |literal: &Literal| usize::from(literal.signal.0) * 3 + family(literal) as usize;
    let mut worth = vec![0.0f32; program.attributes.len() * 3];
    for id in plan.access_literals() {
        worth[slot(&program.literals[id as usize])] = f32::INFINITY;
    }
    for (gain, id) in wanted.iter() {
        worth[slot(&program.literals[*id as usize])] += gain;
    }
    wanted.retain(|(_, id)| {
        let literal = &program.literals[*id as usize];
        let kind = program.attributes[usize::from(literal.signal.0)].kind;
        worth[slot(literal)] > if kind == Kind::Set { SET_LOOKUP_NS } else { LOOKUP_NS }
    });
}

/// How often a request would test each literal if entries stopped at the first that fails.
fn demand(accesses: &[Access], plan: &Plan) -> Vec<f32> {
    let mut demand = vec![0.0; accesses.len()];
    for one in &plan.conjunctions {
        let mut reached = if one.pivot == ALWAYS { 1.0 } else { accesses[one.pivot as usize].cost };
        for id in &plan.literals[one.first as usize..(one.first + one.len) as usize] {
            demand[*id as usize] += reached;
            reached *= accesses[*id as usize].rate;
        }
    }
    demand
}

/// What keeping the literal ready costs per request; infinite for literals that are never hot.
fn price(literal: &Literal, access: &Access) -> f32 {
    let copy = HOT_COPY_NS;
    match literal.constraint {
        Constraint::StartsWith(_)
        | Constraint::EndsWith(_)
        | Constraint::Contains(_)
        | Constraint::OnlyOf(_) => f32::INFINITY,
        Constraint::InRanges(_) | Constraint::AgeInRanges(_) => copy * 2.0,
        Constraint::Known | Constraint::OneOf(_) | Constraint::AnyOf(_) => copy + access.rate * HOT_CHANGE_NS,
        Constraint::AllOf(_) => copy + access.cost * COLD_TEST_NS,
    }
}

/// Room for rows of range literals, per attribute and family.
struct RowRoom {
    cuts: Vec<[usize; 2]>,
    literals: Vec<[usize; 2]>,
    bytes: usize,
}

impl RowRoom {
    /// Access literals cut their attribute's numbers whether they are hot or not.
    fn new(program: &Program, plan: &Plan) -> RowRoom {
        let count = program.attributes.len();
        let mut room = RowRoom { cuts: vec![[0; 2]; count], literals: vec![[0; 2]; count], bytes: 0 };
        for id in plan.access_literals() {
            let literal = &program.literals[id as usize];
            if let Some(slot) = slot_of(literal) {
                room.cuts[usize::from(literal.signal.0)][slot] += cuts_of(program, literal).count();
            }
        }
        room
    }

    fn take(&mut self, program: &Program, id: u32) -> bool {
        let literal = &program.literals[id as usize];
        let Some(slot) = slot_of(literal) else { return true };
        let at = usize::from(literal.signal.0);
        let (old_cuts, old_literals) = (self.cuts[at][slot], self.literals[at][slot]);
        let cuts = old_cuts + cuts_of(program, literal).count();
        let own = (cuts + 1).saturating_mul(old_literals + 1);
        let all = self.bytes.saturating_add(own).saturating_sub((old_cuts + 1) * old_literals);
        let fits = own <= RANGE_ROWS_BYTES_MAX && all <= INDEX_ROWS_BYTES_MAX;
        if fits {
            (self.cuts[at][slot], self.literals[at][slot], self.bytes) = (cuts, old_literals + 1, all);
        }
        fits
    }
}

fn slot_of(literal: &Literal) -> Option<usize> {
    match family(literal) {
        Family::Value => Some(0),
        Family::Age => Some(1),
        Family::Other => None,
    }
}
