//! One budget in the books: how much may be put aside now, and for how many.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use tessera_engine_core::budget::limits;
use tessera_engine_core::pacing::{Pacer, Plan};
use tessera_wire::catalog::{Budget, Pacing};

use super::file::Spent;
use super::{ADS_IN_HAND_MAX, Account};

/// A lease is meant to last this long.
const LEASE_SECS: f64 = 2.0;
/// A lease is at most this part of the budget, as far as one ad is not more.
const LEASE_PARTS: i64 = 20;

/// What a bundle says of a budget, as far as this engine may spend it.
#[derive(Debug, Clone)]
pub(super) struct Terms {
    total: Option<i64>,
    daily: Option<i64>,
    pacing: Pacing,
    period_ms: (i64, i64),
    zone: TimeZone,
    /// The most that one ad costs.
    pub(super) ad_max: i64,
}

impl Terms {
    pub(super) fn new(budget: &Budget, zone: &str, ad_max: i64, share_ppm: u32) -> Terms {
        let share = |limit: i64| (i128::from(limit) * i128::from(share_ppm) / 1_000_000) as i64;
        let (total, daily) = limits(budget);
        Terms {
            total: total.map(share),
            daily: daily.map(share),
            pacing: budget.pacing,
            period_ms: (budget.start_ms, budget.end_ms),
            // A zone that this machine does not know has days all the same.
            zone: TimeZone::get(zone).unwrap_or(TimeZone::UTC),
            ad_max,
        }
    }

    /// The day at `now_ms`: its number, first instant and first instant after it.
    fn day(&self, now_ms: i64) -> Option<(i32, i64, i64)> {
        let date = Timestamp::from_millisecond(now_ms).ok()?.to_zoned(self.zone.clone()).date();
        let start = date.to_zoned(self.zone.clone()).ok()?.timestamp().as_millisecond();
        let end = date.tomorrow().ok()?.to_zoned(self.zone.clone()).ok()?.timestamp().as_millisecond();
        Some((
            i32::from(date.year()) * 10_000 + i32::from(date.month()) * 100 + i32::from(date.day()),
            start,
            end,
        ))
    }

    fn plan(&self, (day_start_ms, day_end_ms): (i64, i64)) -> Plan {
        let (start_ms, end_ms) = self.period_ms;
        let pacing = self.pacing;
        match (self.daily, self.total) {
            (Some(amount), _) => {
                Plan { pacing, amount, start_ms: start_ms.max(day_start_ms), end_ms: end_ms.min(day_end_ms) }
            }
            (None, total) => Plan { pacing, amount: total.unwrap_or(0), start_ms, end_ms },
        }
    }
}

/// A budget that was ever spent from.
#[derive(Debug, Default)]
pub(super) struct Row {
    pub(super) spent: Spent,
    pub(super) account: Arc<Account>,
    pacer: Pacer,
    lease: i64,
    /// Spent in the end, when last looked at.
    seen: Option<i64>,
    /// Distance from the plan, as a share of the amount.
    pub(super) pacing_error: f64,
    pub(super) is_exhausted: bool,
}

impl Row {
    pub(super) fn of(spent: Spent) -> Row {
        Row { spent, ..Row::default() }
    }

    /// Takes back what nobody has in hand: the books are then as exact as can be.
    pub(super) fn reclaim(&mut self) -> i64 {
        let left = self.account.pool.swap(0, Ordering::AcqRel);
        self.spent.total -= left;
        self.spent.today = (self.spent.today - left).max(0);
        left
    }

    /// Decides about pacing, and how much to put aside. The amount is in the books then, and must be written down before
    /// it is put into the pool.
    pub(super) fn step(&mut self, terms: &Terms, workers: i64, now_ms: i64, elapsed_secs: f64) -> i64 {
        let Some((day, day_start_ms, day_end_ms)) = terms.day(now_ms) else { return 0 };
        if self.spent.day != day {
            self.reclaim();
            (self.spent.day, self.spent.today) = (day, 0);
        }
        let pool = self.account.pool.load(Ordering::Acquire);
        let gone = self.spent.total - pool;
        let just_spent = gone - self.seen.replace(gone).unwrap_or(gone);
        let plan = terms.plan((day_start_ms, day_end_ms));
        let of_plan = if terms.daily.is_some() { (self.spent.today - pool).max(0) } else { gone };
        let entry = self.pacer.step(&plan, now_ms, of_plan, just_spent, elapsed_secs);
        self.account.entry_ppm.store(entry, Ordering::Relaxed);
        self.pacing_error = match terms.pacing {
            Pacing::Asap => 0.0,
            _ => (of_plan as f64 - plan.target(now_ms)) / plan.amount.max(1) as f64,
        };
        let left =
            |limit: Option<i64>, spent: i64| limit.map_or(i64::MAX, |limit| limit.saturating_sub(spent));
        let room = left(terms.total, self.spent.total).min(left(terms.daily, self.spent.today)).max(0);
        self.is_exhausted = room.saturating_add(pool) < terms.ad_max;
        let lease =
            self.lease(terms, &plan, workers, (pool, room), just_spent as f64 / elapsed_secs.max(1e-3));
        let is_low = pool < lease / 2 || pool < terms.ad_max;
        let grant = if is_low { (lease - pool).clamp(0, room) } else { 0 };
        self.spent.total += grant;
        self.spent.today += grant;
        grant
    }

    /// How much workers should find in the pool: two seconds of spending, more when they found nothing, and no more than
    /// a small part of the budget.
    fn lease(
        &mut self,
        terms: &Terms,
        plan: &Plan,
        workers: i64,
        (pool, room): (i64, i64),
        burn: f64,
    ) -> i64 {
        let ad = terms.ad_max;
        let most = (plan.amount / LEASE_PARTS).max(ad);
        let least = ad.saturating_mul(ADS_IN_HAND_MAX).saturating_mul(workers.max(1)).min(most);
        let is_dry = pool < ad && room >= ad && self.lease > 0;
        let needed = (burn.max(0.0) * LEASE_SECS) as i64;
        let kept = if is_dry { self.lease.saturating_mul(2) } else { self.lease - self.lease / 64 };
        self.lease = kept.max(needed).clamp(least, most);
        self.lease
    }

    /// What was put into the books and could not be written down.
    pub(super) fn revoke(&mut self, grant: i64) {
        self.spent.total -= grant;
        self.spent.today -= grant;
    }
}
