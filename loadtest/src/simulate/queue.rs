//! Clicks on their way.
//!
//! Guarantees: they arrive in order of their time, then of their impression. At most two per impression of the run wait.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::policies::Shown;

#[derive(Default)]
pub(super) struct Queue(BinaryHeap<Reverse<(u64, u64, usize, usize)>>);

impl Queue {
    /// A click that arrives at step `due`.
    pub(super) fn add(&mut self, due: u64, shown: Shown) {
        self.0.push(Reverse((due, shown.step, shown.context, shown.combination)));
    }

    /// Appends everything that has arrived before step `end`.
    pub(super) fn take(&mut self, end: u64, into: &mut Vec<Shown>) {
        while let Some(Reverse((due, step, context, combination))) = self.0.peek().copied() {
            if due >= end {
                break;
            }
            into.push(Shown { step, context, combination });
            self.0.pop();
        }
    }
}
