//! What each condition becomes: always true, conjunctions behind an access literal, or code behind an access set.
//!
//! Rules and segments with the same entry share one plan and are matched once. Guarantees: whenever a condition holds, one
//! of its conjunctions holds, or its code runs; and the other way round for conjunctions. The number of index entries is
//! limited: conditions beyond keep running as code on every request, as all did without an index.

use tessera_wire::program::{ACCEPT, Program, REJECT};

use super::access::{Access, OnKnown};
use super::terms::Expander;
use crate::limits::INDEX_ENTRIES_MAX;

/// Marks a target as a fan: a list of result bits instead of one.
pub(super) const FAN: u32 = 1 << 31;
/// No access literal: tried on every request.
pub(super) const ALWAYS: u32 = u32::MAX;

/// All conditions of a program, planned.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// Result bits that are always set.
    pub(super) constant: Vec<u32>,
    pub(super) conjunctions: Vec<Conjunction>,
    /// What conjunctions must still test, most selective first.
    pub(super) literals: Vec<u32>,
    pub(super) programs: Vec<ProgramPlan>,
    pub(super) fan_starts: Vec<u32>,
    pub(super) fan_bits: Vec<u32>,
}

/// Literals that must all hold.
#[derive(Debug, Clone, Copy)]
pub(super) struct Conjunction {
    /// The access literal, or [`ALWAYS`].
    pub(super) pivot: u32,
    /// Slice of [`Plan::literals`].
    pub(super) first: u32,
    pub(super) len: u32,
    pub(super) target: u32,
}

/// Code that runs when one of the access literals holds.
#[derive(Debug)]
pub(super) struct ProgramPlan {
    pub(super) entry: u32,
    /// Access literals; `None` runs on every request.
    pub(super) access: Option<Vec<u32>>,
    pub(super) target: u32,
}

impl Plan {
    /// Plans every rule and segment. Result bits of segments follow those of rules, from `first_segment` on.
    pub(super) fn new(program: &Program, accesses: &[Access], first_segment: u32) -> Plan {
        let rules = program.rules.iter().map(|rule| rule.entry).zip(0u32..);
        let segments = program.segments.iter().map(|segment| segment.entry).zip(first_segment..);
        let mut owners: Vec<(u32, u32)> = rules.chain(segments).filter(|owner| owner.0 != REJECT).collect();
        owners.sort_unstable();
        let mut planner = Planner {
            program,
            accesses,
            costs: accesses.iter().map(|one| if one.is_always { f32::INFINITY } else { one.cost }).collect(),
            expander: Expander::new(&program.code),
            entries: 0,
            plan: Plan { fan_starts: vec![0], ..Plan::default() },
        };
        for group in owners.chunk_by(|one, other| one.0 == other.0) {
            planner.group(group[0].0, group);
        }
        planner.plan
    }

    /// Literals that posting lists hang on, distinct.
    pub(super) fn access_literals(&self) -> Vec<u32> {
        let pivots = self.conjunctions.iter().map(|one| one.pivot).filter(|pivot| *pivot != ALWAYS);
        let sets = self.programs.iter().flat_map(|one| one.access.iter().flatten().copied());
        let mut literals: Vec<u32> = pivots.chain(sets).collect();
        literals.sort_unstable();
        literals.dedup();
        literals
    }
}

struct Planner<'p> {
    program: &'p Program,
    accesses: &'p [Access],
    /// By literal; infinite where the literal leads nowhere in particular.
    costs: Vec<f32>,
    expander: Expander<'p>,
    /// Index entries so far.
    entries: usize,
    plan: Plan,
}

impl Planner<'_> {
    fn group(&mut self, entry: u32, owners: &[(u32, u32)]) {
        if entry == ACCEPT {
            self.plan.constant.extend(owners.iter().map(|owner| owner.1));
            return;
        }
        let target = self.target(owners);
        let (conjunctions, literals) = (self.plan.conjunctions.len(), self.plan.literals.len());
        let entries = self.conjunctions(entry, target);
        if entries.is_some_and(|entries| self.take(entries)) {
            return;
        }
        self.plan.conjunctions.truncate(conjunctions);
        self.plan.literals.truncate(literals);
        let access = self.expander.access_set(entry, &self.costs);
        let entries = access.iter().flatten().map(|literal| self.entries_of(*literal)).sum();
        let access = access.filter(|_| self.take(entries));
        self.plan.programs.push(ProgramPlan { entry, access, target });
    }

    fn take(&mut self, entries: usize) -> bool {
        let fits = self.entries + entries <= INDEX_ENTRIES_MAX;
        self.entries += if fits { entries } else { 0 };
        fits
    }

    fn target(&mut self, owners: &[(u32, u32)]) -> u32 {
        if let [(_, bit)] = owners {
            return *bit;
        }
        let fan = self.plan.fan_starts.len() as u32 - 1;
        self.plan.fan_bits.extend(owners.iter().map(|owner| owner.1));
        self.plan.fan_starts.push(self.plan.fan_bits.len() as u32);
        fan | FAN
    }

    /// Adds the conjunctions of `entry`; how many index entries they take, or `None` when there are too many of them.
    fn conjunctions(&mut self, entry: u32, target: u32) -> Option<usize> {
        let mut entries = 0usize;
        for term in self.expander.expand(entry)? {
            let cheapest = term.iter().copied().min_by(|one, other| {
                self.costs[*one as usize].total_cmp(&self.costs[*other as usize]).then(one.cmp(other))
            });
            let pivot = cheapest.filter(|id| self.costs[*id as usize].is_finite()).unwrap_or(ALWAYS);
            let first = self.plan.literals.len();
            let is_proven = pivot != ALWAYS && self.accesses[pivot as usize].is_exact;
            self.plan.literals.extend(term.iter().filter(|id| !is_proven || **id != pivot));
            let rate = |id: &u32| self.accesses[*id as usize].rate;
            self.plan.literals[first..]
                .sort_unstable_by(|one, other| rate(one).total_cmp(&rate(other)).then(one.cmp(other)));
            let len = (self.plan.literals.len() - first) as u32;
            self.plan.conjunctions.push(Conjunction { pivot, first: first as u32, len, target });
            let own = match self.accesses.get(pivot as usize) {
                Some(access) => entries_of(access, self.program),
                None => 1,
            };
            entries = entries.saturating_add(own);
        }
        Some(entries)
    }

    fn entries_of(&self, literal: u32) -> usize {
        entries_of(&self.accesses[literal as usize], self.program)
    }
}

/// How many posting lists an entry behind this access stands in.
fn entries_of(access: &Access, program: &Program) -> usize {
    let known = match access.on_known {
        OnKnown::Never => 0,
        OnKnown::Any | OnKnown::Word(_) | OnKnown::Ranges { .. } => 1,
        OnKnown::Words(span) => span.of(&program.words).len(),
    };
    known + usize::from(access.on_unknown)
}
