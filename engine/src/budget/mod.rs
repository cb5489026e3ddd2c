//! Budgets: money and goals that workers spend from without asking anybody.
//!
//! ```text
//! budget --keeper, every tenth of a second, written down first--> pool --worker, an atomic--> what a decision may spend
//! ```
//! The keeper puts a *lease* aside: it writes down that the amount is gone, and only then puts it into the budget's pool.
//! Workers take small parts out of pools into their own hands, and a decision spends from those alone. So decisions share
//! nothing, and what is spent can never be more than what is written down, which is never more than the budget.
//!
//! Guarantees: this engine never spends more than its share of a total budget, whatever dies when. A daily budget may be
//! exceeded by what workers have in hand at midnight, at most [`ADS_IN_HAND_MAX`] ads each. After a crash the open lease
//! counts as spent: at most a twentieth of the budget, and usually two seconds of spending. After an orderly stop the books
//! are exact. When the books cannot be written or read, nothing more is put aside, and limited ads stop.
//!
//! Engines that share a budget are each configured with a share of it (`engine.budget_share`); they do not talk.
//! Not here: what an ad costs (`tessera_engine_core::budget`), pacing (`tessera_engine_core::pacing`).

mod file;
mod keeper;
mod row;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering};

use tessera_engine_core::budget::{Funds, charges};
use tessera_engine_core::decide::Ad;
use tessera_wire::catalog::{BudgetId, Catalog};

pub use keeper::Books;

/// Ads that a worker takes into its own hands at once, at most.
pub const ADS_IN_HAND_MAX: i64 = 64;

/// What workers may take of one budget.
#[derive(Debug)]
pub(crate) struct Account {
    // INVARIANT: everything in it is written down as spent.
    pool: AtomicI64,
    entry_ppm: AtomicU32,
}

impl Default for Account {
    fn default() -> Self {
        Account { pool: AtomicI64::new(0), entry_ppm: AtomicU32::new(0) }
    }
}

impl Account {
    /// Takes at most `wanted` in whole ads, gone from the pool before it is spent. Parts of ads would end in hands that
    /// can buy nothing for them.
    fn take(&self, wanted: i64, ad: i64) -> i64 {
        let taken = |pool: i64| pool.min(wanted).max(0) / ad * ad;
        let before = self.pool.fetch_update(Ordering::AcqRel, Ordering::Acquire, |pool| {
            (taken(pool) > 0).then(|| pool - taken(pool))
        });
        before.map_or(0, taken)
    }

    fn give(&self, amount: i64) {
        self.pool.fetch_add(amount, Ordering::AcqRel);
    }
}

/// The accounts of one bundle's budgets, by [`BudgetId`].
#[derive(Debug, Default)]
pub(crate) struct Table {
    entries: Vec<Entry>,
    /// Counts up when the keeper has changed something that workers should look at.
    version: AtomicU64,
    workers: i64,
}

#[derive(Debug)]
struct Entry {
    account: Arc<Account>,
    /// The most that one ad costs.
    ad_max: i64,
}

impl Entry {
    /// A part of the pool that leaves something for the other workers.
    fn part(&self, workers: i64) -> i64 {
        let fair = self.account.pool.load(Ordering::Acquire) / (2 * workers.max(1));
        fair.clamp(self.ad_max, self.ad_max.saturating_mul(ADS_IN_HAND_MAX))
    }

    fn take(&self, workers: i64) -> i64 {
        self.account.take(self.part(workers), self.ad_max)
    }
}

/// What one worker has in hand. Given back when dropped.
#[derive(Debug, Default)]
pub(crate) struct WorkerFunds {
    table: Arc<Table>,
    version: Option<u64>,
    funds: Vec<Funds>,
}

impl WorkerFunds {
    /// What the next decision may spend, by budget of the bundle that `table` belongs to.
    pub(crate) fn refresh(&mut self, table: &Arc<Table>) {
        if !Arc::ptr_eq(&self.table, table) {
            self.release();
            self.table = Arc::clone(table);
            self.version = None;
            self.funds.clear();
            self.funds.resize(table.entries.len(), Funds::default());
        }
        let version = table.version.load(Ordering::Acquire);
        if self.version == Some(version) {
            return;
        }
        self.version = Some(version);
        for (funds, entry) in self.funds.iter_mut().zip(&table.entries) {
            funds.entry_ppm = entry.account.entry_ppm.load(Ordering::Relaxed);
            if funds.available < entry.ad_max {
                funds.available += entry.take(table.workers);
            }
        }
    }

    /// By budget.
    pub(crate) fn all(&self) -> &[Funds] {
        &self.funds
    }

    /// Spends what an ad costs, and takes more when little is left.
    pub(crate) fn charge(&mut self, catalog: &Catalog, ad: &Ad) {
        let WorkerFunds { table, funds, .. } = self;
        charges(catalog, ad, |BudgetId(id), cost| {
            let (Some(funds), Some(entry)) = (funds.get_mut(id as usize), table.entries.get(id as usize))
            else {
                return;
            };
            debug_assert!(funds.available >= cost, "INVARIANT: decisions spend what they have");
            funds.available -= cost;
            if funds.available < entry.ad_max {
                funds.available += entry.take(table.workers);
            }
        });
    }

    /// Gives everything back.
    fn release(&mut self) {
        for (funds, entry) in self.funds.iter_mut().zip(&self.table.entries) {
            entry.account.give(funds.available);
            funds.available = 0;
        }
    }
}

impl Drop for WorkerFunds {
    fn drop(&mut self) {
        self.release();
    }
}
