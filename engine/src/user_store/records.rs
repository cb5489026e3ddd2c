//! What is remembered, as journal records, and back: how the state is rebuilt after a restart.
//!
//! Replaying may begin earlier than where the saved state ends, so it must not count twice: an event adds a stamp only
//! when the state holds fewer equal ones (same visitor, key and second) than were replayed so far.

use std::collections::HashMap;

use tessera_wire::event::{COUNTED_MAX, NONE, Remembered, VisitorChange};

use super::state::{Change, CountKey};
use super::{UserStore, secs};

/// A change as a record.
pub(crate) fn record(subject: u128, change: Change<'_>, keys: &[CountKey], at_ms: i64) -> Remembered {
    let mut counted = [NONE; COUNTED_MAX];
    counted.iter_mut().zip(keys).for_each(|(slot, key)| *slot = key.0);
    let change = match change {
        Change::Other => VisitorChange::Counted,
        Change::ProductView { product_id } => {
            VisitorChange::ProductView { product_id: product_id.to_owned() }
        }
        Change::Search => VisitorChange::Search,
        Change::PriceDrop => VisitorChange::PriceDrop,
        Change::Cart { value, items } => VisitorChange::Cart { value, items },
        Change::CartAbandoned => VisitorChange::CartAbandoned,
        Change::CartCleared => VisitorChange::CartCleared,
        Change::Purchase => VisitorChange::Purchase,
    };
    Remembered { subject, at_ms, counted, change }
}

/// The change in a record; `None` for an erasure.
pub(super) fn change_of(change: &VisitorChange) -> Option<Change<'_>> {
    Some(match change {
        VisitorChange::Counted => Change::Other,
        VisitorChange::ProductView { product_id } => Change::ProductView { product_id },
        VisitorChange::Search => Change::Search,
        VisitorChange::PriceDrop => Change::PriceDrop,
        VisitorChange::Cart { value, items } => Change::Cart { value: *value, items: *items },
        VisitorChange::CartAbandoned => Change::CartAbandoned,
        VisitorChange::CartCleared => Change::CartCleared,
        VisitorChange::Purchase => Change::Purchase,
        VisitorChange::Erased => return None,
    })
}

/// A replay of records over a saved state.
pub(super) struct Replay<'s> {
    store: &'s UserStore,
    /// Equal events replayed so far.
    replayed: HashMap<(u128, CountKey, u32), usize>,
}

impl<'s> Replay<'s> {
    pub(super) fn new(store: &'s UserStore) -> Replay<'s> {
        Replay { store, replayed: HashMap::new() }
    }

    pub(super) fn apply(&mut self, record: &Remembered) {
        let Some(change) = change_of(&record.change) else {
            self.store.forget(record.subject);
            return;
        };
        let at_secs = secs(record.at_ms);
        let replayed = &mut self.replayed;
        self.store.update(record.subject, |user, _| {
            // A purchase that the state knows of already was counted with it.
            let is_known = change == Change::Purchase && at_secs <= user.recency.purchased_secs;
            if !is_known {
                user.apply(change, at_secs);
            }
            for key in record.counted.iter().filter(|key| **key != NONE).map(|key| CountKey(*key)) {
                let count = replayed.entry((record.subject, key, at_secs)).or_insert(0);
                *count += 1;
                let known = user.stamps.iter().filter(|one| one.key == key && one.at_secs == at_secs).count();
                if known < *count {
                    user.count(key, at_secs);
                }
            }
        });
    }
}
