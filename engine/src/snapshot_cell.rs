//! The one pointer that requests load: what is live now.
//!
//! Replacing is one atomic store; requests in flight keep what they loaded. Whoever replaces also retires: old snapshots
//! wait in the cell until no request holds them and are then freed by the replacing thread, never by a request.

use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::{ArcSwapOption, Guard};
use tessera_engine_core::bundle::LoadedBundle;
use tessera_engine_core::snapshot::Snapshot;
use tessera_wire::posterior::PosteriorTable;

use crate::journal::Announcer;
use crate::user_store::{CountPlan, UserStore};

/// A snapshot and what it reads of visitors: one value, so that a request sees both of one bundle.
#[derive(Debug)]
pub struct Live {
    snapshot: Snapshot,
    plan: Arc<CountPlan>,
}

impl Live {
    /// A snapshot and the plan of its bundle, its keys numbered by `users`.
    pub fn new(snapshot: Snapshot, users: &UserStore) -> Live {
        let bundle = snapshot.bundle();
        let plan = CountPlan::new(bundle.program().program(), bundle.source(), &users.keys);
        let plan = Arc::new(plan.with_promises(bundle.catalog(), &users.keys));
        Live { snapshot, plan }
    }

    /// What the bundle reads of a visitor and wants counted.
    pub fn plan(&self) -> &CountPlan {
        &self.plan
    }
}

impl std::ops::Deref for Live {
    type Target = Snapshot;

    #[inline]
    fn deref(&self) -> &Snapshot {
        &self.snapshot
    }
}

/// The live snapshot, absent until the first bundle.
pub struct SnapshotCell {
    live: ArcSwapOption<Live>,
    users: Arc<UserStore>,
    publishing: Mutex<Publishing>,
}

/// What only publishers touch.
#[derive(Default)]
struct Publishing {
    table: PosteriorTable,
    retired: Vec<Arc<Live>>,
    announcer: Option<Announcer>,
}

impl SnapshotCell {
    /// A cell whose publications are announced to the journal, if there is one, before they go live.
    pub fn new(announcer: Option<Announcer>, users: Arc<UserStore>) -> SnapshotCell {
        let publishing = Publishing { announcer, ..Publishing::default() };
        SnapshotCell { live: ArcSwapOption::empty(), users, publishing: Mutex::new(publishing) }
    }

    /// What is live now. Wait-free.
    #[inline]
    pub fn load(&self) -> Guard<Option<Arc<Live>>> {
        self.live.load()
    }

    /// Makes a bundle live, with the posteriors that fit it.
    pub fn publish_bundle(&self, bundle: LoadedBundle) {
        let mut publishing = self.publishing.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(announcer) = &publishing.announcer {
            announcer.announce(bundle.names());
        }
        let snapshot = Snapshot::new(Arc::new(bundle), &publishing.table);
        self.replace(Live::new(snapshot, &self.users), &mut publishing);
    }

    /// Makes a posterior table live. It is kept for the next bundle too.
    pub fn publish_posteriors(&self, table: PosteriorTable) {
        let mut publishing = self.publishing.lock().unwrap_or_else(PoisonError::into_inner);
        publishing.table = table;
        let live = self.live.load_full();
        if let Some(live) = live {
            let snapshot = Snapshot::new(live.shared_bundle(), &publishing.table);
            let plan = Arc::clone(&live.plan);
            drop(live);
            self.replace(Live { snapshot, plan }, &mut publishing);
        }
    }

    /// Frees retired snapshots that no request holds any more. The watcher calls this now and then.
    pub fn reap(&self) {
        let mut publishing = self.publishing.lock().unwrap_or_else(PoisonError::into_inner);
        publishing.retired.retain(|snapshot| Arc::strong_count(snapshot) > 1);
    }

    fn replace(&self, live: Live, publishing: &mut Publishing) {
        let old = self.live.swap(Some(Arc::new(live)));
        publishing.retired.extend(old);
        publishing.retired.retain(|snapshot| Arc::strong_count(snapshot) > 1);
    }
}
