//! The keeper of the books: the one who puts leases aside, and the thread that does it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tessera_engine_core::budget::cost;
use tessera_wire::catalog::Catalog;

use super::file::{BudgetFile, Spending};
use super::row::{Row, Terms};
use super::{Entry, Table};
use crate::counters::{family, line};
use crate::journal::count;
use crate::limits::{BUDGETS_REMEMBERED_MAX, BUDGETS_TICK_MS};
use crate::server::now_ms;

/// All budgets that this engine ever spent from.
#[derive(Debug)]
pub struct Books {
    ledger: Mutex<Ledger>,
    granted: AtomicU64,
    refused: AtomicU64,
    workers: i64,
    share_ppm: u32,
}

#[derive(Debug)]
struct Ledger {
    file: BudgetFile,
    rows: BTreeMap<String, Row>,
    /// The live bundle's budgets: id and terms, in the order of the table.
    live: Vec<(String, Terms)>,
    table: Arc<Table>,
    looked_at: Instant,
    /// Nobody knows what was spent: nothing may be.
    is_unreadable: bool,
}

impl Books {
    /// The books in this directory, for an engine with so many workers and this share of every budget.
    ///
    /// # Errors
    /// The directory cannot be made. Books that cannot be read only stop what they limit.
    pub fn open(directory: &Path, workers: usize, share_ppm: u32) -> io::Result<Books> {
        let file = BudgetFile::open(directory)?;
        let (spending, is_unreadable) = match file.read() {
            Ok(spending) => (spending, false),
            Err(error) => {
                let path = file.path().display();
                tracing::error!(%path, %error, "what was spent of budgets is not known, so nothing is; restore the file, or remove it to start from zero");
                (Spending::new(), true)
            }
        };
        let ledger = Ledger {
            file,
            rows: spending.into_iter().map(|(id, spent)| (id, Row::of(spent))).collect(),
            live: Vec::new(),
            table: Arc::default(),
            looked_at: Instant::now(),
            is_unreadable,
        };
        let counters = (AtomicU64::new(0), AtomicU64::new(0));
        let (granted, refused) = counters;
        Ok(Books { ledger: Mutex::new(ledger), granted, refused, workers: workers as i64, share_ppm })
    }

    /// The accounts of a bundle that is about to go live, with something in them.
    pub(crate) fn prepare(&self, catalog: &Catalog, now_ms: i64) -> Arc<Table> {
        let mut ledger = self.ledger.lock().unwrap_or_else(PoisonError::into_inner);
        let costs = ad_costs(catalog);
        ledger.live.clear();
        let mut entries = Vec::with_capacity(catalog.budgets.len());
        for (budget, ad_max) in catalog.budgets.iter().zip(costs) {
            let id = catalog.str(budget.id);
            let terms = Terms::new(budget, catalog.str(budget.zone), ad_max, self.share_ppm);
            let account = ledger.account(id);
            entries.push(Entry { account, ad_max });
            ledger.live.push((id.to_owned(), terms));
        }
        ledger.table = Arc::new(Table { entries, version: AtomicU64::new(0), workers: self.workers });
        let table = Arc::clone(&ledger.table);
        self.step(&mut ledger, now_ms);
        table
    }

    /// Looks at every budget of the live bundle, and puts aside what workers will need.
    pub(crate) fn look(&self, now_ms: i64) {
        self.step(&mut self.ledger.lock().unwrap_or_else(PoisonError::into_inner), now_ms);
    }

    fn step(&self, ledger: &mut Ledger, now_ms: i64) {
        let elapsed_secs = ledger.looked_at.elapsed().as_secs_f64();
        ledger.looked_at = Instant::now();
        if ledger.is_unreadable {
            return;
        }
        let Ledger { live, rows, .. } = ledger;
        let mut grants = Vec::new();
        for (id, terms) in live.iter() {
            let Some(row) = rows.get_mut(id) else { continue };
            let grant = row.step(terms, self.workers, now_ms, elapsed_secs);
            if grant > 0 {
                grants.push((id, grant));
            }
        }
        // Written down first: whatever happens next, it counts as spent.
        let written = if grants.is_empty() { Ok(()) } else { ledger.file.write(&spending(rows)) };
        if let Err(error) = &written {
            tracing::warn!(%error, "budgets cannot be written down; nothing more is spent of them");
        }
        for (id, grant) in grants {
            let Some(row) = rows.get_mut(id) else { continue };
            if written.is_ok() {
                row.account.give(grant);
                count(&self.granted, 1);
            } else {
                row.revoke(grant);
                count(&self.refused, 1);
            }
        }
        ledger.table.version.fetch_add(1, Ordering::AcqRel);
    }

    /// Takes back what is left in the pools and makes the books exact. Call when workers have given back what they had.
    pub(crate) fn settle(&self) {
        let mut ledger = self.ledger.lock().unwrap_or_else(PoisonError::into_inner);
        let Ledger { rows, file, is_unreadable, .. } = &mut *ledger;
        let left: i64 = rows.values_mut().map(Row::reclaim).fold(0, i64::saturating_add);
        if left == 0 || *is_unreadable {
            return;
        }
        if let Err(error) = file.write(&spending(rows)) {
            tracing::warn!(%error, "what is left of budgets cannot be written down and counts as spent");
        }
    }

    /// Looks until the flag is set.
    pub(crate) fn spawn(self: Arc<Self>, stop: Arc<AtomicBool>) -> io::Result<JoinHandle<()>> {
        std::thread::Builder::new().name("budgets".into()).spawn(move || {
            while !stop.load(Ordering::Acquire) {
                std::thread::park_timeout(Duration::from_millis(BUDGETS_TICK_MS));
                self.look(now_ms());
            }
        })
    }

    /// Appends what the metrics page says of budgets.
    pub(crate) fn render(&self, out: &mut String) {
        let ledger = self.ledger.lock().unwrap_or_else(PoisonError::into_inner);
        let live = || ledger.live.iter().filter_map(|(id, _)| ledger.rows.get(id));
        family(out, "budgets", "gauge", "Budgets and goals of the live bundle, by state.");
        let exhausted = live().filter(|row| row.is_exhausted).count();
        line(out, "budgets{state=\"open\"}", (live().count() - exhausted) as u64);
        line(out, "budgets{state=\"exhausted\"}", exhausted as u64);
        family(out, "budget_lease_total", "counter", "Amounts put aside for workers, by result.");
        line(out, "budget_lease_total{result=\"granted\"}", self.granted.load(Ordering::Relaxed));
        line(out, "budget_lease_total{result=\"not_written\"}", self.refused.load(Ordering::Relaxed));
        let help = "Largest distance of a paced budget from its plan, as a share of the budget.";
        family(out, "pacing_error_ratio", "gauge", help);
        let furthest = live().map(|row| row.pacing_error.abs()).fold(0.0, f64::max);
        // Writing to a String cannot fail.
        let _ = writeln!(out, "pacing_error_ratio {furthest}");
        family(out, "budgets_unreadable", "gauge", "Is it unknown what was spent, so that nothing is?");
        line(out, "budgets_unreadable", u64::from(ledger.is_unreadable));
    }
}

impl Ledger {
    /// The account of a budget. One too many has an account that nothing is ever put into.
    fn account(&mut self, id: &str) -> Arc<super::Account> {
        if let Some(row) = self.rows.get(id) {
            return Arc::clone(&row.account);
        }
        if self.rows.len() >= BUDGETS_REMEMBERED_MAX {
            tracing::error!(
                id,
                limit = BUDGETS_REMEMBERED_MAX,
                "too many budgets were ever used; this one is not spent"
            );
            return Arc::default();
        }
        Arc::clone(&self.rows.entry(id.to_owned()).or_default().account)
    }
}

fn spending(rows: &BTreeMap<String, Row>) -> Spending {
    rows.iter().map(|(id, row)| (id.clone(), row.spent)).collect()
}

/// By budget, the most that one of its ads costs, at least 1.
fn ad_costs(catalog: &Catalog) -> Vec<i64> {
    let mut costs = vec![1; catalog.budgets.len()];
    for campaign in &catalog.campaigns {
        for flight in campaign.flights.of(&catalog.flights) {
            for span in [campaign.budgets, flight.budgets] {
                let own = (span.first as usize..).zip(span.of(&catalog.budgets));
                own.for_each(|(id, budget)| costs[id] = costs[id].max(cost(budget, flight)));
            }
        }
    }
    costs
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
