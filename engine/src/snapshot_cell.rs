//! The one pointer that requests load: what is live now.
//!
//! Replacing is one atomic store; requests in flight keep what they loaded. Whoever replaces also retires: old snapshots
//! wait in the cell until no request holds them and are then freed by the replacing thread, never by a request.

use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::{ArcSwapOption, Guard};
use tessera_engine_core::bundle::LoadedBundle;
use tessera_engine_core::snapshot::Snapshot;
use tessera_engine_core::switches::Switches;
use tessera_wire::posterior::PosteriorTable;
use tessera_wire::switches;

use crate::budget::{Books, Table};
use crate::journal::Announcer;
use crate::server::now_ms;
use crate::user_store::{CountPlan, UserStore};

/// A snapshot and what it reads of visitors: one value, so that a request sees both of one bundle.
#[derive(Debug, Clone)]
pub struct Live {
    snapshot: Snapshot,
    plan: Arc<CountPlan>,
    budgets: Arc<Table>,
    switches: Arc<Switches>,
}

impl Live {
    /// A snapshot and the plan of its bundle, its keys numbered by `users`.
    pub fn new(snapshot: Snapshot, users: &UserStore) -> Live {
        let bundle = snapshot.bundle();
        let plan = CountPlan::new(bundle.program().program(), bundle.source(), &users.keys);
        let plan = Arc::new(plan.with_promises(bundle.catalog(), &users.keys));
        Live { snapshot, plan, budgets: Arc::default(), switches: Arc::default() }
    }

    /// What of the bundle is switched off.
    pub(crate) fn switches(&self) -> &Switches {
        &self.switches
    }

    /// Where workers take what they spend of the bundle's budgets.
    pub(crate) fn budgets(&self) -> &Arc<Table> {
        &self.budgets
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
    books: Option<Arc<Books>>,
    publishing: Mutex<Publishing>,
}

/// What only publishers touch.
#[derive(Default)]
struct Publishing {
    table: PosteriorTable,
    switches: switches::Switches,
    retired: Vec<Arc<Live>>,
    announcer: Option<Announcer>,
}

impl SnapshotCell {
    /// A cell whose publications are announced to the journal, if there is one, before they go live.
    pub fn new(announcer: Option<Announcer>, users: Arc<UserStore>) -> SnapshotCell {
        let publishing = Publishing { announcer, ..Publishing::default() };
        let (live, publishing) = (ArcSwapOption::empty(), Mutex::new(publishing));
        SnapshotCell { live, users, books: None, publishing }
    }

    /// The same, with books of what is spent of budgets.
    #[must_use]
    pub fn with_books(self, books: Arc<Books>) -> SnapshotCell {
        SnapshotCell { books: Some(books), ..self }
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
        let mut live = Live::new(Snapshot::new(Arc::new(bundle), &publishing.table), &self.users);
        if let Some(books) = &self.books {
            live.budgets = books.prepare(live.bundle().catalog(), now_ms());
        }
        live.switches = Arc::new(Switches::new(&publishing.switches, live.bundle().catalog()));
        self.replace(live, &mut publishing);
    }

    /// Switches off what the file says, and everything else on. It is kept for the next bundle too.
    pub fn publish_switches(&self, switches: switches::Switches) {
        let mut publishing = self.publishing.lock().unwrap_or_else(PoisonError::into_inner);
        publishing.switches = switches;
        if let Some(live) = self.live.load_full() {
            let switches = Arc::new(Switches::new(&publishing.switches, live.bundle().catalog()));
            let live = Live { switches, ..Live::clone(&live) };
            self.replace(live, &mut publishing);
        }
    }

    /// Makes a posterior table live. It is kept for the next bundle too.
    pub fn publish_posteriors(&self, table: PosteriorTable) {
        let mut publishing = self.publishing.lock().unwrap_or_else(PoisonError::into_inner);
        publishing.table = table;
        let live = self.live.load_full();
        if let Some(live) = live {
            let snapshot = Snapshot::new(live.shared_bundle(), &publishing.table);
            let replacement = Live { snapshot, ..Live::clone(&live) };
            drop(live);
            self.replace(replacement, &mut publishing);
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
