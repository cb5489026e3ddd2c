//! Budgets: what an ad costs whom, and what may still be spent.
//!
//! A decision is told in [`Funds`] what its worker may spend of each budget at the moment, and never spends more: money is
//! put aside for a worker before it decides (`tessera-engine`'s leases), so nothing is shared while deciding. A decision
//! spends nothing itself; [`charges`] says what its ads cost.
//!
//! Amounts are whole numbers: ads for goals, billionths of the currency's unit for money. A price is per thousand ads in
//! millionths, so one ad costs exactly that number of billionths.
//!
//! Cost: constant per budget of a candidate; no allocation. Not here: how fast to spend ([`crate::pacing`]), and who
//! keeps the books (the engine).

use tessera_wire::catalog::{Budget, BudgetId, BudgetUnit, Catalog, Flight};
use tessera_wire::program::Span;

use crate::decide::Ad;

/// Billionths in a millionth.
const NANOS_PER_MICRO: i64 = 1_000;

/// What may be spent of one budget at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Funds {
    /// Amount that this decision may spend.
    pub available: i64,
    /// Share of decisions that may spend it, in parts per million: how it is spread over time.
    pub entry_ppm: u32,
}

/// What one ad of a flight takes from a budget.
#[inline]
pub fn cost(budget: &Budget, flight: &Flight) -> i64 {
    match budget.unit {
        BudgetUnit::Money => flight.cpm_micros,
        BudgetUnit::Ads => 1,
    }
}

/// Total and daily limit as amounts, `None` where there is none.
pub fn limits(budget: &Budget) -> (Option<i64>, Option<i64>) {
    let scale = match budget.unit {
        BudgetUnit::Money => NANOS_PER_MICRO,
        BudgetUnit::Ads => 1,
    };
    let amount = |limit: i64| (limit > 0).then(|| limit.saturating_mul(scale));
    (amount(budget.total), amount(budget.daily))
}

/// Calls `charge` with what an ad takes from each budget of its flight and campaign.
pub fn charges(catalog: &Catalog, ad: &Ad, mut charge: impl FnMut(BudgetId, i64)) {
    let Some(flight) = ad.flight else { return };
    let flight = &catalog.flights[flight.index()];
    let campaign = &catalog.campaigns[catalog.templates[ad.template.index()].campaign.index()];
    for id in [campaign.budgets, flight.budgets].into_iter().flat_map(ids) {
        charge(id, cost(&catalog.budgets[id.index()], flight));
    }
}

/// The budgets of a span.
pub(crate) fn ids(span: Span) -> impl Iterator<Item = BudgetId> {
    (span.first..span.first.saturating_add(span.len)).map(BudgetId)
}
