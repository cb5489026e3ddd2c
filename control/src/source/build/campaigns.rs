//! Campaigns with their flights, and placements.

use std::ops::RangeInclusive;

use tessera_wire::catalog::{Campaign, CampaignId, CreativeId, Flight, FlightClass, FlightId, Placement};
use tessera_wire::limits::{CLICK_TARGET_BYTES_MAX, CPM_MAX};
use tessera_wire::program::{FeatureSubject, Span};
use toml::Spanned;

use super::Builder;
use crate::source::problem::{CatalogCode, Problem};
use crate::source::schema::{Name, RawCampaign, RawFlight, RawPlacement};
use crate::source::value;

/// Priorities that a flight may have within its class.
const FLIGHT_PRIORITIES: RangeInclusive<i64> = -1_000..=1_000;
/// Weights that a flight may have.
const FLIGHT_WEIGHTS: RangeInclusive<i64> = 1..=10_000;

/// Class, priority and weight of a flight.
type Standing = (FlightClass, i16, u16);

impl Builder<'_> {
    pub(super) fn add_campaign(&mut self, raw: &RawCampaign, compiled: Option<&rulec::Compiled>) {
        self.read(&raw.landing_url, value::url);
        if raw.landing_url.get_ref().len() > CLICK_TARGET_BYTES_MAX {
            let message = format!("a landing url has at most {CLICK_TARGET_BYTES_MAX} bytes");
            self.problem(Problem::catalog(CatalogCode::TooMany, raw.landing_url.span(), message));
        }
        let holdout_ppm =
            raw.holdout.as_ref().map_or(0, |holdout| self.read(holdout, value::parts_per_million));
        let control =
            raw.control.as_ref().and_then(|control| self.find("creative", control, &self.names.creatives));
        if holdout_ppm > 0 && raw.control.is_none() {
            let message = format!("campaign `{}` has a holdout but no control", raw.id.get_ref());
            let span = raw.holdout.as_ref().map_or(raw.id.span(), Name::span);
            let problem = Problem::catalog(CatalogCode::Inconsistent, span, message);
            self.problem(problem.help("name the creative that the holdout sees: control = \"...\""));
        }
        self.check_control(raw);
        let flights = self.add_flights(raw);
        let terms = self.terms(raw, compiled);
        let budgets = self.add_campaign_budgets(raw, flights);
        let subject = FeatureSubject::Campaign(CampaignId(self.catalog.campaigns.len() as u32));
        let caps = self.add_caps(&raw.id, subject, &raw.caps);
        let experiments = self.add_experiments(raw);
        let salt = format!("holdout:{}", raw.id.get_ref());
        let campaign = Campaign {
            id: self.text(raw.id.get_ref()),
            advertiser: self.text(&raw.advertiser),
            landing_url: self.text(raw.landing_url.get_ref()),
            flights,
            is_active: raw.active,
            max_discount: terms.max_discount,
            min_margin: terms.min_margin,
            default_offer: terms.default_offer,
            hold: terms.hold,
            holdout_ppm,
            holdout_salt: self.text(&salt),
            control: control.map(CreativeId),
            caps,
            budgets,
            groups: self.add_groups(raw),
            categories: self.add_categories(raw),
            domain: self.add_domain(raw),
            ads_per_answer_max: self.ads_per_answer_max(raw),
            experiments,
        };
        self.catalog.campaigns.push(campaign);
    }

    /// Visitors to whom no campaign is personalised.
    pub(super) fn add_holdout(&mut self) {
        let share = self.raw.holdout.as_ref();
        self.catalog.holdout_ppm = share.map_or(0, |share| self.read(share, value::parts_per_million));
        self.catalog.holdout_salt = self.text("holdout");
    }

    /// The holdout is compared with the campaign's other visitors, so its control must be the campaign's own.
    fn check_control(&mut self, raw: &RawCampaign) {
        let Some(control) = &raw.control else { return };
        let Some(creative) = self.names.creatives.get(control.get_ref().as_str()) else { return };
        let template = &self.raw.creative[*creative as usize].template;
        let Some(template) = self.names.templates.get(template.get_ref().as_str()) else { return };
        let campaign = &self.raw.template[*template as usize].campaign;
        if campaign.get_ref() != raw.id.get_ref() {
            let message =
                format!("control `{}` belongs to campaign `{}`", control.get_ref(), campaign.get_ref());
            let problem = Problem::catalog(CatalogCode::Inconsistent, control.span(), message);
            self.problem(problem.help("a control is a creative of the campaign that holds visitors out"));
        }
    }

    fn add_flights(&mut self, campaign: &RawCampaign) -> Span {
        let raw = self.raw;
        let first = self.catalog.flights.len() as u32;
        let own = raw.flight.iter().filter(|flight| flight.campaign.get_ref() == campaign.id.get_ref());
        let mut own: Vec<_> = own.map(|flight| (self.standing(flight), flight)).collect();
        // The first that can carry an ad does; of equal rank, the first in the file.
        own.sort_by_key(|((class, priority, _), _)| (*class, -i32::from(*priority)));
        for (standing, flight) in own {
            self.add_flight(flight, standing, campaign);
        }
        Span { first, len: self.catalog.flights.len() as u32 - first }
    }

    fn add_flight(&mut self, raw: &RawFlight, (class, priority, weight): Standing, campaign: &RawCampaign) {
        let start_ms = self.read(&raw.start, value::instant);
        let end_ms = self.read(&raw.end, value::instant);
        if start_ms >= end_ms {
            let message = format!("flight `{}` ends before it starts", raw.id.get_ref());
            self.problem(Problem::catalog(CatalogCode::Inconsistent, raw.end.span(), message));
        }
        let id = self.text(raw.id.get_ref());
        let subject = FeatureSubject::Flight(FlightId(self.catalog.flights.len() as u32));
        let caps = self.add_caps(&raw.id, subject, &raw.caps);
        let cpm_micros = raw.price.as_ref().map_or(0, |price| self.amount(price, CPM_MAX));
        let budgets = self.add_flight_budgets(raw, campaign, (start_ms, end_ms));
        let (dayparts, clock) = self.add_dayparts(raw, campaign);
        let flight = Flight {
            id,
            start_ms,
            end_ms,
            caps,
            budgets,
            cpm_micros,
            dayparts,
            clock,
            class,
            priority,
            weight,
        };
        self.catalog.flights.push(flight);
    }

    fn standing(&mut self, raw: &RawFlight) -> Standing {
        let class = raw.class.as_ref().map_or(FlightClass::default(), |name| self.class(name));
        let priority = self.whole(raw.priority.as_ref(), FLIGHT_PRIORITIES, "a priority");
        let weight = self.whole(raw.weight.as_ref(), FLIGHT_WEIGHTS, "a weight");
        (class, priority as i16, weight as u16)
    }

    fn class(&mut self, name: &Name) -> FlightClass {
        let known = FlightClass::ALL.iter().find(|(_, word)| word == name.get_ref());
        known.map(|(class, _)| *class).unwrap_or_else(|| {
            let message = format!("`{}` is no class of flights", name.get_ref());
            let problem = Problem::catalog(CatalogCode::BadValue, name.span(), message);
            self.problem(problem.help("the classes are sponsorship, standard, bulk and house"));
            FlightClass::default()
        })
    }

    /// A whole number within its range; 0 when it is not there, or wrong.
    fn whole(&mut self, raw: Option<&Spanned<i64>>, range: RangeInclusive<i64>, what: &str) -> i64 {
        let Some(number) = raw else { return 0 };
        if range.contains(number.get_ref()) {
            return *number.get_ref();
        }
        let message = format!("{} is not {what} of a flight", number.get_ref());
        let problem = Problem::catalog(CatalogCode::BadValue, number.span(), message);
        self.problem(problem.help(format!("{what} is from {} to {}", range.start(), range.end())));
        0
    }

    pub(super) fn add_placement(&mut self, raw: &RawPlacement) {
        let (width, height) = raw.size.as_ref().map_or((0, 0), |size| self.read(size, value::size));
        let house = raw.house.as_ref().and_then(|house| self.find("creative", house, &self.names.creatives));
        let id = self.text(raw.id.get_ref());
        self.catalog.placements.push(Placement { id, width, height, house: house.map(CreativeId) });
    }
}
