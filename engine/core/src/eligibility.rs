//! Eligibility: may this be shown here and now, beside what the decision shows already, and under which flight?
//!
//! What changes from moment to moment is checked per candidate, after the rules, so that none of it needs a rebuild of
//! the program. Campaigns, templates and creatives must all allow it; of a campaign's running flights the first that
//! allows it carries the ad.
//!
//! A frequency cap counts what the visitor was shown before, as far as that may be known, and what this very decision
//! shows already, which is always known. A visitor whose count cannot be known (no consent to counting, no identifier)
//! is not held back by a cap unless the cap says so.
//!
//! A budget pays for an ad when its worker has at hand what the ad and all ads of this decision together cost, and when it
//! is the budget's turn: spreading a budget over time is a draw from the placement's seed.
//!
//! Cost: a few comparisons per flight and cap, one look at each ad of the decision where something is capped; no
//! allocation.

use tessera_wire::catalog::{BudgetId, Campaign, CreativeId, Flight, FlightId, OfferId, TemplateId};
use tessera_wire::program::{RuleClass, Span};
use tessera_wire::signal::NUMBER_SCALE;

use crate::budget::{charges, cost, ids};
use crate::decide::{Ad, Loss};
use crate::hash::{below, draw};
use crate::place::{Candidate, Place};

/// Streams of budgets begin here; those of a placement's ads and bandits are below.
const STREAM_BUDGETS: u64 = 1 << 40;

impl Place<'_> {
    /// The flight that carries this candidate, beside what the decision shows `already`. What would really be shown must
    /// be eligible, too: the control of a campaign may have another size than the template it stands in for.
    ///
    /// # Errors
    /// Why it cannot be shown.
    pub(crate) fn eligible(
        &self,
        candidate: Candidate,
        class: RuleClass,
        already: &[Ad],
    ) -> Result<FlightId, Loss> {
        let flight = self.flight_for(candidate.template, candidate.creative, already)?;
        let shown = self.shown(candidate, class)?;
        if (shown.template, shown.creative) == (candidate.template, candidate.creative) {
            return Ok(flight);
        }
        self.flight_for(shown.template, shown.creative, already)
    }

    /// A campaign shows at most once per placement, so that several ads differ.
    pub(crate) fn contend(
        &self,
        candidate: Candidate,
        class: RuleClass,
        first_ad: usize,
        already: &[Ad],
    ) -> Result<FlightId, Loss> {
        let templates = &self.catalog().templates;
        let campaign = templates[candidate.template.index()].campaign;
        if already[first_ad..].iter().any(|ad| templates[ad.template.index()].campaign == campaign) {
            return Err(Loss::LowerPriority);
        }
        self.eligible(candidate, class, already)
    }

    /// The flight under which this may be shown now, beside what is shown `already`.
    ///
    /// # Errors
    /// Why it may not be shown.
    pub(crate) fn flight_for(
        &self,
        template: TemplateId,
        creative: Option<CreativeId>,
        already: &[Ad],
    ) -> Result<FlightId, Loss> {
        let catalog = self.catalog();
        let spec = &catalog.templates[template.index()];
        let campaign = &catalog.campaigns[spec.campaign.index()];
        if !campaign.is_active || !self.is_switched_on(template, creative) {
            return Err(Loss::KillSwitch);
        }
        let flights = campaign.flights.of(&catalog.flights);
        let is_running = |flight: &FlightId| {
            let flight = &catalog.flights[flight.index()];
            (flight.start_ms..flight.end_ms).contains(&self.now_ms) && self.is_in_daypart(flight)
        };
        let mut running = (campaign.flights.first..).take(flights.len()).map(FlightId).filter(is_running);
        let first = running.next().ok_or(Loss::OutsideSchedule)?;
        if !self.fits(spec.width, spec.height) {
            return Err(Loss::SizeMismatch);
        }
        if !self.is_accepted(template, creative) {
            return Err(Loss::Filtered);
        }
        if let Some(conflict) = self.conflict(spec.campaign, already) {
            return Err(conflict);
        }
        let is_own = |ad: &Ad| catalog.templates[ad.template.index()].campaign == spec.campaign;
        let creative_caps = creative.map_or(Span::default(), |id| catalog.creatives[id.index()].caps);
        if self.is_capped(campaign.caps, already, is_own)
            || self.is_capped(spec.caps, already, |ad| ad.template == template)
            || self.is_capped(creative_caps, already, |ad| ad.creative == creative)
        {
            return Err(Loss::CapReached);
        }
        self.flight_loss(first, campaign, already).map_or(Ok(first), |loss| {
            running.find(|flight| self.flight_loss(*flight, campaign, already).is_none()).ok_or(loss)
        })
    }

    /// Is it one of the flight's hours? Not where its clock cannot be read: a visitor whose place is unknown has no hour.
    fn is_in_daypart(&self, flight: &Flight) -> bool {
        if flight.dayparts.len == 0 {
            return true;
        }
        let minute = self.admitted.frame().integer(flight.clock).map(|minute| minute / NUMBER_SCALE);
        let parts = flight.dayparts.of(&self.catalog().dayparts);
        minute.is_some_and(|minute| {
            parts.iter().any(|(from, to)| (i64::from(*from)..i64::from(*to)).contains(&minute))
        })
    }

    /// Is nothing of it switched off?
    pub(crate) fn is_switched_on(&self, template: TemplateId, creative: Option<CreativeId>) -> bool {
        let switches = self.admitted.standing().switches;
        switches.is_none_or(|switches| switches.allow(self.catalog(), template, creative))
    }

    /// Why a running flight cannot carry an ad, if so.
    fn flight_loss(&self, id: FlightId, campaign: &Campaign, already: &[Ad]) -> Option<Loss> {
        let flight = &self.catalog().flights[id.index()];
        if flight.cpm_micros < self.request.floor_micros {
            return Some(Loss::BelowFloor);
        }
        if self.is_capped(flight.caps, already, |ad| ad.flight == Some(id)) {
            return Some(Loss::CapReached);
        }
        let mut budgets = ids(campaign.budgets).chain(ids(flight.budgets));
        budgets.find_map(|budget| self.budget_loss(budget, flight, already))
    }

    /// Why a budget does not pay for an ad of this flight, if so.
    fn budget_loss(&self, id: BudgetId, flight: &Flight, already: &[Ad]) -> Option<Loss> {
        let funds = self.admitted.standing().funds.get(id.index())?;
        let catalog = self.catalog();
        let mut needed = cost(&catalog.budgets[id.index()], flight);
        for ad in already {
            charges(catalog, ad, |own, cost| needed += if own == id { cost } else { 0 });
        }
        if needed > funds.available {
            return Some(Loss::BudgetExhausted);
        }
        let turn = below(draw(self.seed, STREAM_BUDGETS + u64::from(id.0)), 1_000_000);
        (turn >= funds.entry_ppm).then_some(Loss::PacedOut)
    }

    /// Why an offer cannot be given, beside what is shown `already`, if so.
    pub(crate) fn offer_loss(&self, id: OfferId, already: &[Ad]) -> Option<Loss> {
        let caps = self.catalog().offers[id.index()].caps;
        self.is_capped(caps, already, |ad| ad.offer == Some(id)).then_some(Loss::CapReached)
    }

    fn fits(&self, width: u32, height: u32) -> bool {
        let formats = self.request.formats;
        formats.is_empty()
            || formats.iter().any(|(w, h)| (width == 0 || *w == width) && (height == 0 || *h == height))
    }

    /// Has the visitor seen it as often as one of its caps allows, what is shown `already` counted?
    fn is_capped(&self, caps: Span, already: &[Ad], is_own: impl Fn(&Ad) -> bool) -> bool {
        if caps.len == 0 {
            return false;
        }
        let shown = already.iter().filter(|ad| is_own(ad)).count() as u32;
        let is_reached =
            caps.of(&self.catalog().caps).iter().any(|cap| match self.admitted.impressions(cap.feature) {
                Some(before) => before.saturating_add(shown) >= cap.count,
                None => cap.blocks_unknown || shown >= cap.count,
            });
        let mut checks = self.cap_checks.get();
        checks.reached += u32::from(is_reached);
        checks.passed += u32::from(!is_reached);
        self.cap_checks.set(checks);
        is_reached
    }
}
