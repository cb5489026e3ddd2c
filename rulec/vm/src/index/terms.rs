//! Conditions as alternatives: from branch code to a small set of conjunctions, or to literals one of which must hold.
//!
//! Every way from an entry to [`ACCEPT`] makes some literals true; the condition implies that, for one of these ways, all
//! of them are. Where the code is monotone, as the compiler's is, the converse holds too and the conjunctions *are* the
//! condition ([`Expander::expand`]). Code of which that cannot be shown, or that has too many alternatives, keeps running
//! as code behind an *access set*: literals of which at least one holds whenever the condition does
//! ([`Expander::access_set`]).
//!
//! Guarantees: total on any verified code; all calls together stay within one budget of work, after which nothing more is
//! claimed of a condition. Cost: a few operations per branch for ordinary rules.

use tessera_wire::program::{ACCEPT, Branch, REJECT};

use crate::limits::{
    ACCESS_SET_MAX, CONJUNCTION_LITERALS_MAX, CONJUNCTIONS_MAX, ENTRY_BRANCHES_MAX, EXPANSION_LITERALS_MAX,
    EXPANSION_WORK_MAX,
};

/// How many of the cheapest literals are tried as the one that no way can avoid.
const MANDATORY_TRIES_MAX: usize = 16;

/// Expands entries of one program, one after the other.
pub(super) struct Expander<'p> {
    code: &'p [Branch],
    budget: usize,
    /// When a branch was last reached, and its position in `order` then.
    reached: Vec<(u32, u32)>,
    generation: u32,
    /// Branches reachable from the present entry, last first.
    order: Vec<u32>,
    pending: Vec<u32>,
    forms: Vec<Form>,
    terms: Vec<Term>,
    literals: Vec<u32>,
}

/// Sorted, distinct literals that must all hold: a slice of [`Expander::literals`].
#[derive(Debug, Clone, Copy)]
struct Term {
    first: u32,
    len: u32,
}

/// The alternatives of one branch: a slice of [`Expander::terms`].
#[derive(Debug, Clone, Copy)]
struct Form {
    first: u32,
    len: u32,
}

/// The condition that always holds has one empty conjunction: the first term.
const TRUE: Form = Form { first: 0, len: 1 };
const FALSE: Form = Form { first: 0, len: 0 };

impl<'p> Expander<'p> {
    pub(super) fn new(code: &'p [Branch]) -> Expander<'p> {
        Expander {
            code,
            budget: EXPANSION_WORK_MAX,
            reached: vec![(0, 0); code.len()],
            generation: 0,
            order: Vec::new(),
            pending: Vec::new(),
            forms: Vec::new(),
            terms: Vec::new(),
            literals: Vec::new(),
        }
    }

    /// The conjunctions of which the condition at `entry` is the disjunction; `None` when there is no small such set.
    pub(super) fn expand(&mut self, entry: u32) -> Option<impl Iterator<Item = &[u32]>> {
        self.reach(entry)?;
        self.forms.clear();
        self.terms.clear();
        self.literals.clear();
        self.terms.push(Term { first: 0, len: 0 });
        for at in 0..self.order.len() {
            let form = self.form(self.order[at])?;
            self.forms.push(form);
        }
        let form = self.form_of(entry);
        Some(self.terms_of(form).iter().map(|term| self.literals_of(*term)))
    }

    /// Literals of which at least one holds whenever the condition at `entry` does, few and rare ones where there is a
    /// choice; `None` when there are none. `cost` says how rare each literal is, infinite for one that must not be used.
    pub(super) fn access_set(&mut self, entry: u32, cost: &[f32]) -> Option<Vec<u32>> {
        self.reach(entry)?;
        let mut costs: Vec<(f32, bool)> = Vec::with_capacity(self.order.len());
        for at in &self.order {
            let branch = self.code[*at as usize];
            let of = |target: u32| match target {
                ACCEPT => f32::INFINITY,
                REJECT => 0.0,
                _ => costs[self.reached[target as usize].1 as usize].0,
            };
            let (own, on_true) = (cost[branch.literal.0 as usize], of(branch.on_true));
            costs.push((own.min(on_true) + of(branch.on_false), own <= on_true));
        }
        let total = costs.last().map_or(f32::INFINITY, |cost| cost.0);
        if let Some(literal) = self.mandatory(entry, cost, total) {
            return Some(vec![literal]);
        }
        if total.is_finite() { self.chosen(entry, &costs) } else { None }
    }

    /// A literal that every way to acceptance makes true, rarer than `total`.
    fn mandatory(&mut self, entry: u32, cost: &[f32], total: f32) -> Option<u32> {
        let mut tries: Vec<u32> = self
            .order
            .iter()
            .map(|at| self.code[*at as usize].literal.0)
            .filter(|id| cost[*id as usize] < total)
            .collect();
        tries.sort_unstable_by(|one, other| {
            cost[*one as usize].total_cmp(&cost[*other as usize]).then(one.cmp(other))
        });
        tries.dedup();
        tries.truncate(MANDATORY_TRIES_MAX);
        for literal in tries {
            self.spend(self.order.len())?;
            let mut is_open = vec![false; self.order.len()];
            let position = |at: u32| self.reached[at as usize].1 as usize;
            is_open[position(entry)] = true;
            let mut is_avoidable = false;
            for at in self.order.iter().rev().filter(|at| **at < REJECT) {
                if !is_open[position(*at)] {
                    continue;
                }
                let branch = self.code[*at as usize];
                let taken = (branch.literal.0 != literal).then_some(branch.on_true);
                for target in taken.into_iter().chain([branch.on_false]) {
                    is_avoidable |= target == ACCEPT;
                    if target < REJECT {
                        is_open[position(target)] = true;
                    }
                }
            }
            if !is_avoidable {
                return Some(literal);
            }
        }
        None
    }

    /// Follows the choices that made the cost; a choice of the literal itself cuts its true side off.
    fn chosen(&self, entry: u32, costs: &[(f32, bool)]) -> Option<Vec<u32>> {
        let mut found = Vec::new();
        let mut is_seen = vec![false; self.order.len()];
        let mut pending = vec![entry];
        while let Some(at) = pending.pop() {
            if at >= REJECT {
                continue;
            }
            let position = self.reached[at as usize].1 as usize;
            if std::mem::replace(&mut is_seen[position], true) {
                continue;
            }
            let branch = self.code[at as usize];
            if costs[position].1 {
                found.push(branch.literal.0);
            } else {
                pending.push(branch.on_true);
            }
            pending.push(branch.on_false);
        }
        found.sort_unstable();
        found.dedup();
        (found.len() <= ACCESS_SET_MAX).then_some(found)
    }

    /// Lists what can be reached from `entry`, last first.
    fn reach(&mut self, entry: u32) -> Option<()> {
        self.generation += 1;
        self.order.clear();
        self.pending.clear();
        self.pending.push(entry);
        while let Some(at) = self.pending.pop() {
            if at >= REJECT || self.reached[at as usize].0 == self.generation {
                continue;
            }
            self.reached[at as usize].0 = self.generation;
            self.order.push(at);
            if self.order.len() > ENTRY_BRANCHES_MAX {
                return None;
            }
            self.spend(1)?;
            let branch = self.code[at as usize];
            self.pending.extend([branch.on_false, branch.on_true]);
        }
        self.order.sort_unstable_by(|one, other| other.cmp(one));
        for (position, at) in self.order.iter().enumerate() {
            self.reached[*at as usize].1 = position as u32;
        }
        Some(())
    }

    fn spend(&mut self, work: usize) -> Option<()> {
        self.budget = self.budget.saturating_sub(work);
        (self.budget > 0).then_some(())
    }

    /// The alternatives of the branch at `at`, given those of its targets.
    fn form(&mut self, at: u32) -> Option<Form> {
        let branch = self.code[at as usize];
        let (on_true, on_false) = (self.form_of(branch.on_true), self.form_of(branch.on_false));
        let tested: usize = self.terms_of(on_true).iter().map(|term| term.len as usize + 1).sum();
        self.spend((tested + 1) * (on_true.len + on_false.len + 1) as usize)?;
        let literal = branch.literal.0;
        if !self.is_monotone(literal, on_true, on_false) {
            return None;
        }
        let first = self.terms.len() as u32;
        for number in on_true.first..on_true.first + on_true.len {
            let term = self.with(self.terms[number as usize], literal)?;
            let others = self.terms_of(on_false).iter().chain(&self.terms[first as usize..]);
            if !others.into_iter().any(|other| self.is_within(*other, term)) {
                self.terms.push(term);
            }
        }
        for number in on_false.first..on_false.first + on_false.len {
            self.terms.push(self.terms[number as usize]);
        }
        let len = self.terms.len() as u32 - first;
        (len as usize <= CONJUNCTIONS_MAX).then_some(Form { first, len })
    }

    /// Does what holds when the literal does not still hold when it does? Then the alternatives say all there is.
    fn is_monotone(&self, literal: u32, on_true: Form, on_false: Form) -> bool {
        self.terms_of(on_false).iter().all(|term| {
            self.terms_of(on_true).iter().any(|wider| {
                let allowed = self.literals_of(*term);
                self.literals_of(*wider)
                    .iter()
                    .all(|needed| *needed == literal || allowed.binary_search(needed).is_ok())
            })
        })
    }

    fn form_of(&self, target: u32) -> Form {
        match target {
            ACCEPT => TRUE,
            REJECT => FALSE,
            _ => self.forms[self.reached[target as usize].1 as usize],
        }
    }

    fn terms_of(&self, form: Form) -> &[Term] {
        &self.terms[form.first as usize..(form.first + form.len) as usize]
    }

    fn literals_of(&self, term: Term) -> &[u32] {
        &self.literals[term.first as usize..(term.first + term.len) as usize]
    }

    fn with(&mut self, term: Term, literal: u32) -> Option<Term> {
        let Err(place) = self.literals_of(term).binary_search(&literal) else { return Some(term) };
        if term.len as usize == CONJUNCTION_LITERALS_MAX || self.literals.len() > EXPANSION_LITERALS_MAX {
            return None;
        }
        let first = self.literals.len() as u32;
        self.literals.extend_from_within(term.first as usize..(term.first + term.len) as usize);
        self.literals.insert(first as usize + place, literal);
        Some(Term { first, len: term.len + 1 })
    }

    /// Are all literals of `inner` in `outer`?
    fn is_within(&self, inner: Term, outer: Term) -> bool {
        let outer = self.literals_of(outer);
        inner.len as usize <= outer.len()
            && self.literals_of(inner).iter().all(|literal| outer.binary_search(literal).is_ok())
    }
}
