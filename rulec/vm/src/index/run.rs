//! Evaluation over the index.
//!
//! First the request's values make hot literals true and name the heads they visit; then the lists of those heads are
//! scanned. The order matters: an entry may test any hot literal. Guarantees: see [`super`].

use tessera_wire::program::{Program, SignalId, WordId};

use super::heads::NONE;
use super::plan::FAN;
use super::{AttributePlan, Entry, FILTERS, Head, Index, RESIDUAL, Shape, Work};
use crate::eval::{Scratch, fires, truth};
use crate::frame::{Frame, Slot};

impl Index {
    /// Buffers of [`Scratch`] that fit this index.
    pub(crate) fn prepare(&self, scratch: &mut Scratch) {
        // One more than ever counts: what need not be noted is written there.
        scratch.pending.resize(self.visits_max + 1, (0, 0));
        scratch.guarded.resize(self.visits_max + 1, (0, 0));
        (scratch.pending_len, scratch.guarded_len) = (0, 0);
        scratch.ran.clear();
        scratch.ran.resize(self.programs.div_ceil(64), 0);
    }

    /// Evaluates into a scratch that was cleared and prepared. `false` when a value has another shape than its attribute's
    /// kind, which only running the code answers; nothing is set then.
    pub(crate) fn evaluate(&self, program: &Program, frame: &Frame, scratch: &mut Scratch) -> bool {
        if let Some(truths) = scratch.truths.get_mut(..self.hot_len) {
            truths.fill(0);
        }
        for number in &self.initially_true {
            scratch.truths[usize::from(*number)] = 1;
        }
        self.visit(self.always, scratch);
        for plan in &self.attributes {
            if !self.apply(plan, program, frame, scratch) {
                return false;
            }
        }
        for bit in &self.constant {
            scratch.set(*bit);
        }
        self.scan(scratch);
        for number in 0..scratch.guarded_len {
            let Some(&(first, last)) = scratch.guarded.get(number) else { break };
            for entry in self.guarded.get(first as usize..last as usize).unwrap_or_default() {
                self.guarded(entry, program, frame, scratch);
            }
        }
        true
    }

    /// Looks one attribute's value up.
    #[inline]
    fn apply(&self, plan: &AttributePlan, program: &Program, frame: &Frame, scratch: &mut Scratch) -> bool {
        let signal = SignalId(plan.signal);
        let slot = frame.slot(signal);
        if slot == Slot::Unknown {
            self.visit(plan.unknown, scratch);
            return true;
        }
        self.visit(plan.known, scratch);
        match (plan.shape, slot) {
            (Shape::Integer, Slot::Integer(value)) => {
                self.apply_range(plan.value, value, scratch);
                if plan.age != NONE {
                    self.apply_range(plan.age, frame.now_ms().saturating_sub(value), scratch);
                }
            }
            (Shape::Text, Slot::Text { word, .. }) => self.apply_word(signal, word, program, frame, scratch),
            (Shape::Set, Slot::Set { .. }) => {
                for word in frame.members(signal).unwrap_or_default() {
                    self.apply_word(signal, *word, program, frame, scratch);
                }
            }
            _ => return false,
        }
        true
    }

    #[inline(always)]
    fn apply_range(&self, plan: u32, value: i64, scratch: &mut Scratch) {
        if let Some(plan) = self.ranges.get(plan as usize) {
            let segment = plan.apply(value, scratch.truths.as_mut_slice());
            for of_node in plan.heads(segment) {
                for head in of_node {
                    if let Some([one, next, ..]) = self.heads.get(*head as usize..) {
                        scratch.note((one.entries, next.entries), (one.guarded, next.guarded));
                    }
                }
            }
        }
    }

    #[inline(always)]
    fn apply_word(
        &self,
        signal: SignalId,
        word: WordId,
        program: &Program,
        frame: &Frame,
        scratch: &mut Scratch,
    ) {
        let mut head = word.0.wrapping_sub(1);
        while let Some([one, next, ..]) = self.heads.get(head as usize..) {
            if one.signal == signal.0 {
                change(one, next, scratch);
                if one.has_more {
                    self.change_more(one, next, scratch);
                }
                if one.has_checks {
                    self.check(head, program, frame, scratch);
                }
                return;
            }
            head = one.next;
        }
    }

    #[inline(never)]
    fn check(&self, head: u32, program: &Program, frame: &Frame, scratch: &mut Scratch) {
        let first = self.checks.partition_point(|check| check.head < head);
        for check in self.checks[first..].iter().take_while(|check| check.head == head) {
            let literal = &program.literals[check.literal as usize];
            let is_true = fires(literal.polarity, truth(program, frame, literal));
            scratch.truths[usize::from(check.hot)] = u8::from(is_true);
        }
    }

    #[inline]
    fn visit(&self, head: u32, scratch: &mut Scratch) {
        if head == NONE {
            return;
        }
        if let Some([one, next, ..]) = self.heads.get(head as usize..) {
            change(one, next, scratch);
            self.change_more(one, next, scratch);
        }
    }

    #[inline(never)]
    fn change_more(&self, one: &Head, next: &Head, scratch: &mut Scratch) {
        for change in self.changes.get(one.more as usize..next.more as usize).unwrap_or_default() {
            scratch.truths[usize::from(change.number)] = u8::from(change.is_true);
        }
    }

    /// Sets the results of entries whose filters all hold, without branching on them.
    fn scan(&self, scratch: &mut Scratch) {
        let Scratch { truths, results, steps, pending, pending_len, .. } = scratch;
        for (first, last) in pending.iter().take(*pending_len) {
            let entries = self.entries.get(*first as usize..*last as usize).unwrap_or_default();
            *steps += entries.len();
            for entry in entries {
                let is_true = holds(entry, truths);
                if let Some(word) = results.get_mut(entry.target as usize / 64) {
                    *word |= u64::from(is_true) << (entry.target % 64);
                }
            }
        }
    }

    fn guarded(&self, entry: &Entry, program: &Program, frame: &Frame, scratch: &mut Scratch) {
        scratch.steps += 1;
        if holds(entry, &scratch.truths) == 0 {
            return;
        }
        if entry.target & FAN != 0 {
            return self.fan_out(entry.target, scratch);
        }
        let Some(residual) = self.residuals.get((entry.target & !RESIDUAL) as usize) else { return };
        let is_true = match residual.work {
            Work::Literals { first, len } => {
                let literals = self.residual_literals.get(first as usize..(first + len) as usize);
                literals.unwrap_or_default().iter().all(|literal| {
                    scratch.steps += 1;
                    scratch.test(program, frame, *literal)
                })
            }
            Work::Code { entry, number } => {
                let (word, mask) = (number as usize / 64, 1u64 << (number % 64));
                let has_run = scratch.ran[word] & mask != 0;
                scratch.ran[word] |= mask;
                !has_run && scratch.run(program, frame, entry)
            }
        };
        if is_true {
            self.fan_out(residual.target, scratch);
        }
    }

    /// Sets all result bits of a target, unless that has been done.
    fn fan_out(&self, target: u32, scratch: &mut Scratch) {
        if target & FAN == 0 {
            return scratch.set(target);
        }
        let fan = (target & !FAN) as usize;
        let (Some(from), Some(to)) = (self.fan_starts.get(fan), self.fan_starts.get(fan + 1)) else { return };
        let bits = self.fan_bits.get(*from as usize..*to as usize).unwrap_or_default();
        if bits.first().is_some_and(|bit| scratch.is_set(*bit)) {
            return;
        }
        scratch.steps += bits.len();
        bits.iter().for_each(|bit| scratch.set(*bit));
    }
}

/// Makes the changes that a head holds and notes its lists for later, without branching on whether there are any.
#[inline]
fn change(one: &Head, next: &Head, scratch: &mut Scratch) {
    for (bit, number) in one.changes.iter().enumerate() {
        scratch.truths[usize::from(*number)] = one.values >> bit & 1;
    }
    scratch.note((one.entries, next.entries), (one.guarded, next.guarded));
}

/// One when all filters are true, else zero. Unused filters are number zero, which is always true.
#[inline]
fn holds(entry: &Entry, truths: &[u8; 1 << 16]) -> u8 {
    const { assert!(FILTERS == 6) };
    let [a, b, c, d, e, f] = entry.filters.map(usize::from);
    truths[a] & truths[b] & truths[c] & truths[d] & truths[e] & truths[f]
}
