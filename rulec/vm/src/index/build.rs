//! Putting the index together: heads, entries, truths.
//!
//! Deterministic: the same program and statistics give the same index. Cost: `benches/record/rules.md`; memory while
//! building is about twice the index.

use tessera_wire::program::{Constraint, LiteralId, Program, SignalId};
use tessera_wire::signal::Kind;

use super::access::{Access, OnKnown, Rates};
use super::heads::{NONE, WordHeads};
use super::hot::{Family, Hot, family};
use super::plan::{ALWAYS, Conjunction, FAN, Plan};
use super::ranges::{RangeLiteral, RangePlan};
use super::{
    AttributePlan, CHANGES, Change, Check, Entry, FILTERS, Head, Index, RESIDUAL, Residual, SPARE, Shape,
    Work,
};
use crate::eval::{Truth, fires};
use crate::limits::FRAME_MEMBERS_MAX;
use crate::statistics::Statistics;

impl Index {
    /// Builds the index of a program whose every index has been checked. `steps_from` says how many branches the code
    /// at an entry takes at most.
    pub(crate) fn new(
        program: &Program,
        statistics: &Statistics,
        steps_from: impl Fn(u32) -> usize,
    ) -> Index {
        let words = WordHeads::new(program);
        let rates = Rates::new(program, statistics, &words);
        let accesses: Vec<Access> = program.literals.iter().map(|literal| rates.access(literal)).collect();
        let plan = Plan::new(program, &accesses, first_segment(program));
        let hot = Hot::choose(program, &accesses, &plan);
        let mut layout = Layout::new(program, &accesses, &hot, &words);
        layout.place_conjunctions(&plan);
        layout.place_programs(&plan);
        layout.place_changes(&rates);
        layout.finish(&plan, &steps_from)
    }
}

/// Result bits of segments start at a word of their own.
pub(crate) fn first_segment(program: &Program) -> u32 {
    program.rules.len().next_multiple_of(64) as u32
}

/// An entry and where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Placed {
    head: u32,
    is_guarded: bool,
    entry: Entry,
}

struct Layout<'p> {
    program: &'p Program,
    accesses: &'p [Access],
    hot: &'p Hot,
    words: &'p WordHeads,
    /// Posting lists of range literals, by literal.
    lists: Vec<u32>,
    heads: u32,
    placed: Vec<Placed>,
    /// By head.
    changes: Vec<(u32, Change)>,
    checks: Vec<Check>,
    residuals: Vec<Residual>,
    residual_literals: Vec<LiteralId>,
}

impl<'p> Layout<'p> {
    fn new(program: &'p Program, accesses: &'p [Access], hot: &'p Hot, words: &'p WordHeads) -> Layout<'p> {
        let heads = words.len() as u32 + 2 * program.attributes.len() as u32 + 1;
        Layout {
            program,
            accesses,
            hot,
            words,
            lists: vec![NONE; program.literals.len()],
            heads,
            placed: Vec::new(),
            changes: Vec::new(),
            checks: Vec::new(),
            residuals: Vec::new(),
            residual_literals: Vec::new(),
        }
    }

    fn known(&self, signal: SignalId) -> u32 {
        self.words.len() as u32 + u32::from(signal.0)
    }

    fn unknown(&self, signal: SignalId) -> u32 {
        self.known(signal) + self.program.attributes.len() as u32
    }

    fn always(&self) -> u32 {
        (self.words.len() + 2 * self.program.attributes.len()) as u32
    }

    fn place_conjunctions(&mut self, plan: &Plan) {
        for one in &plan.conjunctions {
            let literals = &plan.literals[one.first as usize..(one.first + one.len) as usize];
            let entry = self.entry(one, literals);
            self.place(one.pivot, entry);
        }
    }

    fn entry(&mut self, one: &Conjunction, literals: &[u32]) -> Entry {
        let mut entry = Entry { filters: [0; FILTERS], target: one.target };
        let (mut used, first) = (0, self.residual_literals.len() as u32);
        for id in literals {
            match (self.hot.of(*id), entry.filters.get_mut(used)) {
                (Some(number), Some(filter)) => {
                    *filter = number;
                    used += 1;
                }
                _ => self.residual_literals.push(LiteralId(*id)),
            }
        }
        let len = self.residual_literals.len() as u32 - first;
        if len > 0 {
            entry.target = self.residual(one.target, Work::Literals { first, len });
        }
        entry
    }

    fn residual(&mut self, target: u32, work: Work) -> u32 {
        self.residuals.push(Residual { target, work });
        (self.residuals.len() as u32 - 1) | RESIDUAL
    }

    fn place_programs(&mut self, plan: &Plan) {
        for (one, number) in plan.programs.iter().zip(0..) {
            let target = self.residual(one.target, Work::Code { entry: one.entry, number });
            let entry = Entry { filters: [0; FILTERS], target };
            match &one.access {
                Some(literals) => literals.iter().for_each(|literal| self.place(*literal, entry)),
                None => self.place(ALWAYS, entry),
            }
        }
    }

    /// Puts an entry into every posting list of its access literal.
    fn place(&mut self, pivot: u32, entry: Entry) {
        let is_guarded = entry.target & (FAN | RESIDUAL) != 0;
        let mut put = |head: u32| self.placed.push(Placed { head, is_guarded, entry });
        let (words, attributes) = (self.words.len() as u32, self.program.attributes.len() as u32);
        let access = self.accesses.get(pivot as usize).filter(|access| !access.is_always);
        let Some(access) = access else { return put(words + 2 * attributes) };
        let signal = self.program.literals[pivot as usize].signal;
        let known = words + u32::from(signal.0);
        if access.on_unknown {
            put(known + attributes);
        }
        match access.on_known {
            OnKnown::Never => {}
            OnKnown::Any => put(known),
            OnKnown::Words(_) | OnKnown::Word(_) => {
                let found = access.on_known.words(self.program);
                found.iter().filter_map(|word| self.words.find(signal, *word)).for_each(put);
            }
            OnKnown::Ranges { .. } => {
                let list = &mut self.lists[pivot as usize];
                if *list == NONE {
                    *list = self.heads;
                    self.heads += 1;
                }
                put(*list);
            }
        }
    }

    /// Says which heads change which hot literals. Ranges change theirs by rows.
    fn place_changes(&mut self, rates: &Rates<'_>) {
        for (id, literal) in self.program.literals.iter().enumerate() {
            let Some(number) = self.hot.of(id as u32) else { continue };
            if family(literal) != Family::Other {
                continue;
            }
            let words: &[_] = match &literal.constraint {
                Constraint::OneOf(span) | Constraint::AnyOf(span) | Constraint::AllOf(span) => {
                    span.of(&self.program.words)
                }
                _ => &[],
            };
            let rarest = match literal.constraint {
                Constraint::AllOf(_) => rates.rarest(literal.signal, words),
                _ => None,
            };
            let is_bare = match literal.constraint {
                Constraint::Known => Truth::True,
                Constraint::AllOf(_) if rarest.is_none() => Truth::True,
                _ => Truth::False,
            };
            let when_known = fires(literal.polarity, is_bare);
            if when_known != fires(literal.polarity, Truth::Unknown) {
                self.changes.push((self.known(literal.signal), Change { number, is_true: when_known }));
            }
            let find = |word| self.words.find(literal.signal, word);
            if let Some(head) = rarest.and_then(find) {
                self.checks.push(Check { head, hot: number, literal: id as u32 });
            } else {
                let change = Change { number, is_true: fires(literal.polarity, Truth::True) };
                let heads = words.iter().filter_map(|word| find(*word));
                self.changes.extend(heads.map(|head| (head, change)));
            }
        }
    }

    fn finish(mut self, plan: &Plan, steps_from: &dyn Fn(u32) -> usize) -> Index {
        self.placed.sort_unstable();
        self.placed.dedup();
        self.changes.sort_unstable();
        self.checks.sort_unstable();
        let mut index = Index { always: NONE, ..Index::default() };
        let (ranges, attributes) = self.attribute_plans(plan);
        (index.ranges, index.attributes) = (ranges, attributes);
        self.fill_heads(&mut index);
        (index.hot_len, index.initially_true) = (self.hot.len, self.initially_true());
        index.always = self.always();
        index.drop_empty_heads();
        index.visits_max = visits_max(&index, self.words.len());
        index.residuals = self.residuals;
        index.residual_literals = self.residual_literals;
        index.checks = self.checks;
        index.fan_starts.clone_from(&plan.fan_starts);
        index.fan_bits.clone_from(&plan.fan_bits);
        index.constant.clone_from(&plan.constant);
        index.programs = plan.programs.len();
        index.work_max = work_max(&index, steps_from);
        shrink(&mut index);
        index
    }

    fn fill_heads(&self, index: &mut Index) {
        index.heads.reserve_exact(self.heads as usize + 1);
        let (mut placed, mut changes) = (self.placed.iter().peekable(), self.changes.iter().peekable());
        for head in 0..=self.heads {
            let (next, signal) = self.words.link(head);
            let mut one = Head {
                changes: [SPARE; CHANGES],
                more: index.changes.len() as u32,
                entries: index.entries.len() as u32,
                guarded: index.guarded.len() as u32,
                next,
                signal,
                values: 0,
                has_more: false,
                has_checks: self.checks.binary_search_by_key(&head, |check| check.head).is_ok(),
            };
            let mut held = 0;
            while let Some((_, change)) = changes.next_if(|change| change.0 == head) {
                if let Some(place) = one.changes.get_mut(held) {
                    *place = change.number;
                    one.values |= u8::from(change.is_true) << held;
                    held += 1;
                } else {
                    index.changes.push(*change);
                    one.has_more = true;
                }
            }
            while let Some(placed) = placed.next_if(|placed| placed.head == head) {
                let list = if placed.is_guarded { &mut index.guarded } else { &mut index.entries };
                list.push(placed.entry);
            }
            index.heads.push(one);
        }
    }

    /// The plans of every attribute that a hot literal or an access literal reads, and their range plans. The others are
    /// read by residuals alone.
    fn attribute_plans(&self, plan: &Plan) -> (Vec<RangePlan>, Vec<AttributePlan>) {
        let (mut ranges, mut attributes) = (Vec::new(), Vec::new());
        let mut is_read = vec![false; self.program.attributes.len()];
        let hot = (0..self.program.literals.len() as u32).filter(|id| self.hot.of(*id).is_some());
        for id in hot.chain(plan.access_literals()) {
            is_read[usize::from(self.program.literals[id as usize].signal.0)] = true;
        }
        for of_one in self.program.literals.chunk_by(|one, other| one.signal == other.signal) {
            let signal = of_one[0].signal;
            if !is_read[usize::from(signal.0)] {
                continue;
            }
            let first = self.program.literals.partition_point(|literal| literal.signal < signal) as u32;
            let mut plan = AttributePlan {
                signal: signal.0,
                shape: match self.program.attributes[usize::from(signal.0)].kind {
                    Kind::Text => Shape::Text,
                    Kind::Set => Shape::Set,
                    _ => Shape::Integer,
                },
                known: self.known(signal),
                unknown: self.unknown(signal),
                value: NONE,
                age: NONE,
            };
            for (wanted, number) in [(Family::Value, &mut plan.value), (Family::Age, &mut plan.age)] {
                let ids = (first..).take(of_one.len());
                let family_of = |id: &u32| family(&self.program.literals[*id as usize]);
                let ids: Vec<u32> = ids.filter(|id| family_of(id) == wanted).collect();
                if let Some(plan) = self.range_plan(&ids) {
                    *number = ranges.len() as u32;
                    ranges.push(plan);
                }
            }
            attributes.push(plan);
        }
        (ranges, attributes)
    }

    fn range_plan(&self, ids: &[u32]) -> Option<RangePlan> {
        let used = ids.iter().filter_map(|id| {
            let (hot, list) = (self.hot.of(*id), self.lists[*id as usize]);
            let head = Some(list).filter(|list| *list != NONE);
            let literal = self.program.literals[*id as usize];
            (hot.is_some() || head.is_some()).then_some(RangeLiteral { literal, is_hot: hot.is_some(), head })
        });
        let used: Vec<RangeLiteral> = used.collect();
        let hot_first = ids.iter().find_map(|id| self.hot.of(*id)).unwrap_or(0);
        (!used.is_empty()).then(|| RangePlan::new(self.program, &used, hot_first))
    }

    fn initially_true(&self) -> Vec<u16> {
        let literals = self.program.literals.iter().zip(0..);
        let unknown = literals.filter(|(literal, _)| fires(literal.polarity, Truth::Unknown));
        [0].into_iter().chain(unknown.filter_map(|(_, id)| self.hot.of(id))).collect()
    }
}

impl Index {
    /// Attributes need not visit heads that change and list nothing.
    fn drop_empty_heads(&mut self) {
        let is_empty = |head: u32| {
            let (one, next) = (&self.heads[head as usize], &self.heads[head as usize + 1]);
            (one.entries, one.guarded) == (next.entries, next.guarded) && one.changes == [SPARE; CHANGES]
        };
        let of_attributes = self.attributes.iter_mut().flat_map(|plan| [&mut plan.known, &mut plan.unknown]);
        for head in of_attributes.chain([&mut self.always]) {
            if is_empty(*head) {
                *head = NONE;
            }
        }
    }
}

fn visits_max(index: &Index, words: usize) -> usize {
    let ranges: usize = index.ranges.iter().map(RangePlan::visits_max).sum();
    let values = index.attributes.len() * 2 + words.min(FRAME_MEMBERS_MAX);
    1 + ranges + values
}

/// Every list at most once, and what its entries may run; code and fans at most once each.
fn work_max(index: &Index, steps_from: &dyn Fn(u32) -> usize) -> usize {
    let mut work = index.entries.len() + index.guarded.len() + index.fan_bits.len();
    for entry in index.guarded.iter().filter(|entry| entry.target & RESIDUAL != 0 && entry.target & FAN == 0)
    {
        if let Work::Literals { len, .. } = index.residuals[(entry.target & !RESIDUAL) as usize].work {
            work += len as usize;
        }
    }
    for residual in &index.residuals {
        if let Work::Code { entry, .. } = residual.work {
            work = work.saturating_add(steps_from(entry));
        }
    }
    work
}

fn shrink(index: &mut Index) {
    index.entries.shrink_to_fit();
    index.guarded.shrink_to_fit();
    index.residuals.shrink_to_fit();
    index.residual_literals.shrink_to_fit();
    index.checks.shrink_to_fit();
}
