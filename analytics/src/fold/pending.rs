//! Bounded memories in order of arrival: touches that came before their served record, and message ids already counted.
//!
//! Guarantees: both are bounded by count; touches also by the journal's own time.

use std::collections::VecDeque;
use std::sync::Arc;

use ahash::AHashMap;
use tessera_wire::event::{Touch, TouchKind};

use super::joins::AdKey;

/// Touches that wait for their served record.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    touches: AHashMap<(AdKey, TouchKind), Waiter>,
    order: VecDeque<(u64, (AdKey, TouchKind))>,
    next: u64,
}

#[derive(Debug, Clone, Copy)]
struct Waiter {
    touch: Touch,
    since_ms: i64,
    ordinal: u64,
}

impl Waiting {
    /// Adds a touch; false when the same one waits already.
    pub(super) fn insert(&mut self, touch: Touch, since_ms: i64) -> bool {
        let key = ((touch.decision_id, touch.ad), touch.kind);
        if self.touches.contains_key(&key) {
            return false;
        }
        let ordinal = self.next;
        self.next += 1;
        self.touches.insert(key, Waiter { touch, since_ms, ordinal });
        self.order.push_back((ordinal, key));
        true
    }

    /// Takes the touches of an ad, in kind order.
    pub(super) fn take(&mut self, ad: AdKey) -> impl Iterator<Item = Touch> + use<> {
        let found = if self.touches.is_empty() {
            [None; 4]
        } else {
            TouchKind::ALL.map(|kind| self.touches.remove(&(ad, kind)).map(|waiter| waiter.touch))
        };
        found.into_iter().flatten()
    }

    /// Takes the oldest touch if it began to wait before `cutoff_ms`, or if more than `max` wait.
    pub(super) fn take_expired(&mut self, cutoff_ms: i64, max: usize) -> Option<Touch> {
        while let Some((ordinal, key)) = self.order.front().copied() {
            let Some(waiter) = self.touches.get(&key).filter(|waiter| waiter.ordinal == ordinal).copied()
            else {
                self.order.pop_front(); // it was joined meanwhile
                continue;
            };
            if waiter.since_ms >= cutoff_ms && self.touches.len() <= max {
                return None;
            }
            self.order.pop_front();
            self.touches.remove(&key);
            return Some(waiter.touch);
        }
        None
    }
}

/// Message ids already counted. A repetition renews the memory of its id, so that what is remembered depends on the last
/// window's records alone and reading those again rebuilds it.
#[derive(Debug, Default)]
pub(super) struct Messages {
    last_seen: AHashMap<Arc<str>, u64>,
    order: VecDeque<(i64, Arc<str>)>,
    first: u64,
}

impl Messages {
    /// Ordinal of the oldest sighting remembered, or of the next to come.
    pub(super) fn oldest(&self) -> u64 {
        self.first
    }

    /// Ordinal of the next sighting to come.
    pub(super) fn next(&self) -> u64 {
        self.first + self.order.len() as u64
    }

    /// Remembers an id; false when it is known.
    pub(super) fn insert(&mut self, message_id: &str, now_ms: i64) -> bool {
        let ordinal = self.next();
        let known = self.last_seen.get_key_value(message_id).map(|(id, _)| Arc::clone(id));
        let is_new = known.is_none();
        let id = known.unwrap_or_else(|| message_id.into());
        self.last_seen.insert(Arc::clone(&id), ordinal);
        self.order.push_back((now_ms, id));
        is_new
    }

    /// Forgets sightings before `cutoff_ms`, and the oldest beyond `max`.
    pub(super) fn evict(&mut self, cutoff_ms: i64, max: usize) {
        while let Some((since_ms, id)) = self.order.front() {
            if *since_ms >= cutoff_ms && self.order.len() <= max {
                break;
            }
            if self.last_seen.get(id) == Some(&self.first) {
                self.last_seen.remove(id);
            }
            self.order.pop_front();
            self.first += 1;
        }
    }
}
