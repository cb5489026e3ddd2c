//! Budgets, goals and prices of campaigns and flights.

use tessera_wire::catalog::{Budget, BudgetUnit, Pacing};
use tessera_wire::limits::BUDGET_MAX;
use tessera_wire::program::Span;
use tessera_wire::signal::NUMBER_SCALE;

use super::Builder;
use crate::source::problem::{CatalogCode, Problem};
use crate::source::schema::{Name, RawBudget, RawCampaign, RawFlight, RawGoal};
use crate::source::value;

/// Whose budgets are added, and for which time.
struct Owner<'r> {
    /// `campaign` or `flight`.
    what: &'static str,
    id: &'r Name,
    zone: &'r str,
    period_ms: (i64, i64),
}

impl Builder<'_> {
    pub(super) fn add_flight_budgets(
        &mut self,
        raw: &RawFlight,
        campaign: &RawCampaign,
        period_ms: (i64, i64),
    ) -> Span {
        // The campaign's own is checked with the campaign.
        let of_campaign = campaign.zone.as_ref().map_or("", |zone| zone.get_ref().as_str());
        let zone = raw.zone.as_ref().map_or(of_campaign, |zone| self.zone(Some(zone)));
        if let Some(budget) = raw.budget.as_ref().filter(|_| raw.price.is_none()) {
            self.report_no_price("flight", &raw.id, budget);
        }
        let owner = Owner { what: "flight", id: &raw.id, zone, period_ms };
        self.add_budgets(&owner, raw.budget.as_ref(), raw.goal.as_ref())
    }

    /// A campaign's budget is for the time from its first flight to its last.
    pub(super) fn add_campaign_budgets(&mut self, raw: &RawCampaign, flights: Span) -> Span {
        let zone = self.zone(raw.zone.as_ref());
        let flights = flights.of(&self.catalog.flights);
        let start_ms = flights.iter().map(|flight| flight.start_ms).min().unwrap_or(0);
        let end_ms = flights.iter().map(|flight| flight.end_ms).max().unwrap_or(1);
        if let Some(budget) = &raw.budget
            && flights.iter().all(|flight| flight.cpm_micros == 0)
        {
            self.report_no_price("campaign", &raw.id, budget);
        }
        let owner = Owner { what: "campaign", id: &raw.id, zone, period_ms: (start_ms, end_ms) };
        self.add_budgets(&owner, raw.budget.as_ref(), raw.goal.as_ref())
    }

    /// An amount of money in the catalog's one currency, in millionths, of at most so many units.
    pub(super) fn amount(&mut self, raw: &Name, units_max: i64) -> i64 {
        let (micros, currency) = self.read(raw, value::money);
        if currency.is_empty() {
            return 1;
        }
        let known = self.currency.get_or_insert_with(|| currency.clone()).clone();
        if known != currency {
            let message = format!("`{}` is in another currency than {known}", raw.get_ref());
            let problem = Problem::catalog(CatalogCode::Inconsistent, raw.span(), message);
            self.problem(problem.help("prices and budgets of one catalog are in one currency"));
        }
        if !(1..=units_max * NUMBER_SCALE).contains(&micros) {
            let message = format!("`{}` is out of range", raw.get_ref());
            let problem = Problem::catalog(CatalogCode::BadValue, raw.span(), message);
            self.problem(problem.help(format!("write an amount above 0 and up to {units_max} {known}")));
        }
        micros
    }

    fn zone<'z>(&mut self, raw: Option<&'z Name>) -> &'z str {
        raw.map_or("", |zone| {
            self.read(zone, value::zone);
            zone.get_ref()
        })
    }

    fn report_no_price(&mut self, what: &str, id: &Name, budget: &RawBudget) {
        let span = budget.total.as_ref().or(budget.daily.as_ref()).map_or(id.span(), Name::span);
        let message = format!("{what} `{}` has a budget but no price", id.get_ref());
        let problem = Problem::catalog(CatalogCode::Inconsistent, span, message);
        self.problem(
            problem.help("say what a thousand ads cost (price = \"2.50 EUR\"), or limit ads with `goal`"),
        );
    }

    fn add_budgets(&mut self, owner: &Owner<'_>, money: Option<&RawBudget>, goal: Option<&RawGoal>) -> Span {
        let first = self.catalog.budgets.len() as u32;
        if let Some(raw) = money {
            let total = raw.total.as_ref().map_or(0, |amount| self.amount(amount, BUDGET_MAX));
            let daily = raw.daily.as_ref().map_or(0, |amount| self.amount(amount, BUDGET_MAX));
            self.add_budget(owner, (BudgetUnit::Money, "money"), (total, daily), raw.pacing.as_ref());
        }
        if let Some(raw) = goal {
            let [total, daily] = [&raw.total, &raw.daily].map(|ads| {
                let Some(ads) = ads else { return 0 };
                if !(1..=BUDGET_MAX).contains(ads.get_ref()) {
                    let message = format!("a goal of {} ads is out of range", ads.get_ref());
                    let problem = Problem::catalog(CatalogCode::BadValue, ads.span(), message);
                    self.problem(problem.help(format!("write a number from 1 to {BUDGET_MAX}")));
                }
                (*ads.get_ref()).max(1)
            });
            self.add_budget(owner, (BudgetUnit::Ads, "ads"), (total, daily), raw.pacing.as_ref());
        }
        Span { first, len: self.catalog.budgets.len() as u32 - first }
    }

    fn add_budget(
        &mut self,
        owner: &Owner<'_>,
        (unit, name): (BudgetUnit, &str),
        (total, daily): (i64, i64),
        pacing: Option<&Name>,
    ) {
        if total == 0 && daily == 0 {
            let message =
                format!("a limit of {} `{}` says neither total nor daily", owner.what, owner.id.get_ref());
            let problem = Problem::catalog(CatalogCode::Inconsistent, owner.id.span(), message);
            self.problem(problem.help("write at least one of `total` and `daily`"));
        }
        let pacing = pacing.and_then(|pacing| self.read(pacing, value::pacing)).unwrap_or(Pacing::Even);
        let id = self.text(&format!("{}/{}/{name}", owner.what, owner.id.get_ref()));
        let zone = self.text(owner.zone);
        let (start_ms, end_ms) = owner.period_ms;
        self.catalog.budgets.push(Budget { id, unit, total, daily, pacing, start_ms, end_ms, zone });
    }
}
