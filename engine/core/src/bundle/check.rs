//! What must hold in a catalog before anything indexes into it.

use std::collections::HashSet;

use tessera_rulevm::VerifiedProgram;
use tessera_wire::catalog::{
    Budget, BudgetUnit, Campaign, Catalog, ContextField, Creative, FieldKind, Flight, Offer, Placement,
    Template, Text,
};
use tessera_wire::event::BANDIT_PREFIX;
use tessera_wire::limits::{
    BUDGET_MAX, CAP_COUNT_MAX, CAPS_PER_SUBJECT_MAX, CLICK_TARGET_BYTES_MAX, COMBINATIONS_PER_TEMPLATE_MAX,
    CONTEXT_FIELD_VALUES_MAX, CONTEXT_FIELDS_MAX, CPM_MAX, DAYPARTS_PER_FLIGHT_MAX, GROUPS_PER_CAMPAIGN_MAX,
    SLOTS_PER_TEMPLATE_MAX,
};
use tessera_wire::program::{FeatureEvent, Origin, SignalId, Span};

use tessera_wire::signal::{Builtin, Gates, NUMBER_SCALE};

use super::LoadError;
use crate::limits::{ASSETS_PER_TEMPLATE_MAX, EXCLUDING_COMBINATIONS_MAX, EXCLUSIONS_PER_TEMPLATE_MAX};

/// Checks one list after another; the first broken rule is reported.
pub(super) fn check_catalog(catalog: &Catalog, program: &VerifiedProgram) -> Result<(), LoadError> {
    check_each("placements", &catalog.placements, |placement| check_placement(catalog, placement))?;
    check_each("campaigns", &catalog.campaigns, |campaign| check_campaign(catalog, program, campaign))?;
    check_each("flights", &catalog.flights, |flight| check_flight(catalog, program, flight))?;
    check_each("categories", &catalog.categories, |text| {
        rule(text_fits(catalog, *text), "it is outside the text")
    })?;
    check_each("budgets", &catalog.budgets, |budget| check_budget(catalog, budget))?;
    let in_text = |text: &Text| rule(text_fits(catalog, *text), "it is outside the text");
    check_each("currency", &[catalog.currency], in_text)?;
    check_each("caps", &catalog.caps, |cap| {
        let feature = program.program().features.get(usize::from(cap.feature));
        rule(
            feature.is_some_and(|one| one.event == FeatureEvent::Impression),
            "nothing counts its impressions",
        )?;
        rule((1..=CAP_COUNT_MAX).contains(&cap.count), "its count is out of range")
    })?;
    check_each("slots", &catalog.slots, |slot| {
        rule(text_fits(catalog, slot.name), "its name is outside the text")?;
        rule(slot.assets.len > 0, "it has no assets")?;
        rule(span_fits(slot.assets, catalog.slot_assets.len()), "its assets are outside the list")
    })?;
    check_each("slot_assets", &catalog.slot_assets, |asset| {
        rule(asset.index() < catalog.assets.len(), "the asset does not exist")
    })?;
    check_each("assets", &catalog.assets, |asset| {
        rule(
            [asset.id, asset.content, asset.alt].iter().all(|text| text_fits(catalog, *text)),
            "a text is outside",
        )?;
        rule(
            span_fits(asset.translations, catalog.translations.len()),
            "its translations are outside the list",
        )
    })?;
    check_each("translations", &catalog.translations, |translation| {
        let texts = [translation.content, translation.alt];
        rule(texts.iter().all(|text| text_fits(catalog, *text)), "a text is outside")?;
        rule(translation.locale.index() < catalog.locales.len(), "its language does not exist")
    })?;
    check_each("locales", &catalog.locales, |locale| {
        rule(text_fits(catalog, *locale), "its tag is outside the text")
    })?;
    check_each("contents", &catalog.contents, |content| {
        rule(text_fits(catalog, content.body), "its body is outside the text")
    })?;
    check_each("fields", &catalog.fields, |field| check_field(catalog, program, field))?;
    check_each("templates", &catalog.templates, |template| check_template(catalog, template))?;
    check_each("creatives", &catalog.creatives, |creative| check_creative(catalog, creative))?;
    check_each("offers", &catalog.offers, |offer| check_offer(catalog, offer))?;
    if catalog.locale.is_some_and(|locale| locale.index() >= catalog.locales.len()) {
        return Err(LoadError::Catalog {
            list: "locales",
            index: 0,
            rule: "the catalog's own does not exist",
        });
    }
    super::experiments::check_experiments(catalog)?;
    check_ids(catalog)?;
    check_controls(catalog)?;
    check_tiers(program)
}

/// What outlives a bundle (events, posteriors, requests) goes by text ids, so no two things of a kind may share one.
fn check_ids(catalog: &Catalog) -> Result<(), LoadError> {
    check_distinct(catalog, "placements", catalog.placements.iter().map(|one| one.id))?;
    check_distinct(catalog, "campaigns", catalog.campaigns.iter().map(|one| one.id))?;
    check_distinct(catalog, "templates", catalog.templates.iter().map(|one| one.id))?;
    check_distinct(catalog, "assets", catalog.assets.iter().map(|one| one.id))?;
    check_distinct(catalog, "creatives", catalog.creatives.iter().map(|one| one.id))?;
    check_distinct(catalog, "offers", catalog.offers.iter().map(|one| one.id))?;
    check_distinct(catalog, "experiments", catalog.experiments.iter().map(|one| one.id))
}

fn check_distinct(
    catalog: &Catalog,
    list: &'static str,
    ids: impl Iterator<Item = Text>,
) -> Result<(), LoadError> {
    let mut seen = HashSet::new();
    for (index, id) in ids.enumerate() {
        if !seen.insert(catalog.str(id)) {
            return Err(LoadError::Catalog { list, index, rule: "its id is used twice" });
        }
    }
    Ok(())
}

/// A control of another campaign would be counted as that campaign's ad. Indices are known to fit.
fn check_controls(catalog: &Catalog) -> Result<(), LoadError> {
    for (index, campaign) in catalog.campaigns.iter().enumerate() {
        let Some(control) = campaign.control else { continue };
        if catalog.templates[catalog.creatives[control.index()].template.index()].campaign.index() != index {
            let rule = "its control belongs to another campaign";
            return Err(LoadError::Catalog { list: "campaigns", index, rule });
        }
    }
    Ok(())
}

/// A template that excludes everything could show nothing.
pub(super) fn check_exclusions(catalog: &Catalog, exclusions: &[super::Exclusions]) -> Result<(), LoadError> {
    for (index, template) in catalog.templates.iter().enumerate() {
        let of = &exclusions[index];
        if template.exclusions.len > 0 && of.left().is_empty() {
            return Err(LoadError::Catalog {
                list: "templates",
                index,
                rule: "it excludes every combination",
            });
        }
    }
    Ok(())
}

/// In each placement the tiers of one source rule stand together, first tier first, so that whoever walks down the rules can tell that an
/// earlier tier has spoken by looking at the last one alone.
pub(super) fn check_tiers(program: &VerifiedProgram) -> Result<(), LoadError> {
    let rules = &program.program().rules;
    let mut seen = HashSet::new();
    for (index, rule) in rules.iter().enumerate() {
        let group = (rule.placement, rule.source);
        let is_first = index == 0 || (rules[index - 1].placement, rules[index - 1].source) != group;
        let is_apart =
            if is_first { !seen.insert(group) } else { rules[index - 1].priority != rule.priority };
        if is_apart {
            return Err(LoadError::Catalog { list: "rules", index, rule: "its tiers do not stand together" });
        }
    }
    Ok(())
}

pub(super) type Checked = Result<(), &'static str>;

pub(super) fn check_each<T>(
    list: &'static str,
    items: &[T],
    check: impl Fn(&T) -> Checked,
) -> Result<(), LoadError> {
    for (index, item) in items.iter().enumerate() {
        check(item).map_err(|rule| LoadError::Catalog { list, index, rule })?;
    }
    Ok(())
}

pub(super) fn rule(holds: bool, rule: &'static str) -> Checked {
    if holds { Ok(()) } else { Err(rule) }
}

pub(super) fn text_fits(catalog: &Catalog, text: Text) -> bool {
    let start = text.start as usize;
    catalog.text.get(start..start + text.len as usize).is_some()
}

pub(super) fn span_fits(span: Span, len: usize) -> bool {
    (span.first as usize).checked_add(span.len as usize).is_some_and(|end| end <= len)
}

fn check_caps(catalog: &Catalog, caps: Span) -> Checked {
    rule(span_fits(caps, catalog.caps.len()), "its caps are outside the list")?;
    rule(caps.len as usize <= CAPS_PER_SUBJECT_MAX, "it has too many caps")
}

/// Does this attribute hold a minute of the week, whatever anybody consents to?
fn is_clock(program: &VerifiedProgram, signal: SignalId) -> bool {
    let attribute = program.program().attributes.get(usize::from(signal.0));
    attribute.is_some_and(|attribute| {
        let is_minute =
            matches!(attribute.origin, Origin::MinuteOfWeek(_) | Origin::Builtin(Builtin::MinuteOfWeek));
        is_minute && attribute.gates == Gates::NONE
    })
}

fn check_budget(catalog: &Catalog, budget: &Budget) -> Checked {
    rule(text_fits(catalog, budget.id) && text_fits(catalog, budget.zone), "a text is outside the arena")?;
    let unit = match budget.unit {
        BudgetUnit::Money => NUMBER_SCALE,
        BudgetUnit::Ads => 1,
    };
    let is_limit = |limit: i64| (0..=BUDGET_MAX * unit).contains(&limit);
    rule(is_limit(budget.total) && is_limit(budget.daily), "a limit is out of range")?;
    rule(budget.total > 0 || budget.daily > 0, "it limits nothing")?;
    rule(budget.start_ms < budget.end_ms, "its time ends before it starts")
}

fn check_placement(catalog: &Catalog, placement: &Placement) -> Checked {
    rule(text_fits(catalog, placement.id), "its id is outside the text")?;
    rule(
        placement.house.is_none_or(|creative| creative.index() < catalog.creatives.len()),
        "its house ad does not exist",
    )
}

fn check_campaign(catalog: &Catalog, program: &VerifiedProgram, campaign: &Campaign) -> Checked {
    let texts = [campaign.id, campaign.advertiser, campaign.landing_url, campaign.holdout_salt];
    rule(texts.iter().all(|text| text_fits(catalog, *text)), "a text is outside the arena")?;
    rule(campaign.landing_url.len as usize <= CLICK_TARGET_BYTES_MAX, "its landing url is too long")?;
    rule(span_fits(campaign.flights, catalog.flights.len()), "its flights are outside the list")?;
    check_caps(catalog, campaign.caps)?;
    rule(span_fits(campaign.groups, catalog.groups.len()), "its exclusion groups are outside the list")?;
    rule(span_fits(campaign.categories, catalog.categories.len()), "its categories are outside the list")?;
    rule(text_fits(catalog, campaign.domain), "its domain is outside the text")?;
    let lists = [campaign.groups, campaign.categories];
    rule(lists.iter().all(|list| list.len as usize <= GROUPS_PER_CAMPAIGN_MAX), "a list is too long")?;
    rule(span_fits(campaign.budgets, catalog.budgets.len()), "its budgets are outside the list")?;
    rule(campaign.holdout_ppm <= 1_000_000, "its holdout is more than everyone")?;
    rule(
        campaign.holdout_ppm == 0 || campaign.control.is_some(),
        "it has a holdout but no control creative",
    )?;
    rule(
        campaign.control.is_none_or(|creative| creative.index() < catalog.creatives.len()),
        "its control does not exist",
    )?;
    rule(
        campaign.default_offer.is_none_or(|offer| offer.index() < catalog.offers.len()),
        "its default offer does not exist",
    )?;
    let signals = program.program().attributes.len();
    rule(
        campaign.min_margin.is_none_or(|margin| usize::from(margin.signal.0) < signals),
        "the signal of its margin does not exist",
    )?;
    rule(span_fits(campaign.experiments, catalog.experiments.len()), "its experiments are outside the list")
}

fn check_flight(catalog: &Catalog, program: &VerifiedProgram, flight: &Flight) -> Checked {
    rule(text_fits(catalog, flight.id), "its id is outside the text")?;
    rule(flight.start_ms < flight.end_ms, "it ends before it starts")?;
    check_caps(catalog, flight.caps)?;
    rule((0..=CPM_MAX * NUMBER_SCALE).contains(&flight.cpm_micros), "its price is out of range")?;
    rule(span_fits(flight.budgets, catalog.budgets.len()), "its budgets are outside the list")?;
    rule(span_fits(flight.dayparts, catalog.dayparts.len()), "its dayparts are outside the list")?;
    rule(flight.dayparts.len as usize <= DAYPARTS_PER_FLIGHT_MAX, "it has too many dayparts")?;
    rule(flight.dayparts.len == 0 || is_clock(program, flight.clock), "its clock shows no minute of the week")
}

fn check_template(catalog: &Catalog, template: &Template) -> Checked {
    rule(text_fits(catalog, template.id), "its id is outside the text")?;
    rule(template.campaign.index() < catalog.campaigns.len(), "its campaign does not exist")?;
    rule(span_fits(template.slots, catalog.slots.len()), "its slots are outside the list")?;
    rule(
        (1..=SLOTS_PER_TEMPLATE_MAX).contains(&(template.slots.len as usize)),
        "it has no or too many slots",
    )?;
    rule(span_fits(template.fields, catalog.fields.len()), "its context fields are outside the list")?;
    rule(template.fields.len as usize <= CONTEXT_FIELDS_MAX, "it has too many context fields")?;
    rule(template.exploration_ppm <= 1_000_000, "it explores more than always")?;
    rule(!catalog.str(template.id).starts_with(BANDIT_PREFIX), "its id begins like a bandit's")?;
    check_caps(catalog, template.caps)?;
    rule(span_fits(template.exclusions, catalog.exclusions.len()), "its exclusions are outside the list")?;
    rule(span_fits(template.contents, catalog.contents.len()), "its contents are outside the list")?;
    rule(template.exclusions.len as usize <= EXCLUSIONS_PER_TEMPLATE_MAX, "it has too many exclusions")?;
    rule(
        template.exclusions.len == 0 || template.combinations as usize <= EXCLUDING_COMBINATIONS_MAX,
        "it has too many combinations to exclude pairs of assets",
    )?;
    let sizes = catalog.slots_of(template).iter().map(|slot| slot.assets.len as usize);
    rule(sizes.clone().sum::<usize>() <= ASSETS_PER_TEMPLATE_MAX, "it has too many assets")?;
    let product = sizes.fold(1usize, usize::saturating_mul);
    rule(product <= COMBINATIONS_PER_TEMPLATE_MAX, "it has too many combinations")?;
    rule(product == template.combinations as usize, "its number of combinations is wrong")
}

fn check_creative(catalog: &Catalog, creative: &Creative) -> Checked {
    rule(text_fits(catalog, creative.id), "its id is outside the text")?;
    let template = catalog.templates.get(creative.template.index()).ok_or("its template does not exist")?;
    rule(creative.combination < template.combinations, "its combination does not exist")?;
    check_caps(catalog, creative.caps)
}

fn check_offer(catalog: &Catalog, offer: &Offer) -> Checked {
    rule(text_fits(catalog, offer.id) && text_fits(catalog, offer.code), "a text is outside the arena")?;
    check_caps(catalog, offer.caps)
}

fn check_field(catalog: &Catalog, program: &VerifiedProgram, field: &ContextField) -> Checked {
    rule(text_fits(catalog, field.name), "its name is outside the text")?;
    let listed = match field.kind {
        FieldKind::FirstSegment(span) => {
            rule(span_fits(span, catalog.field_segments.len()), "its segments are outside the list")?;
            let known = program.program().segments.len();
            let segments = span.of(&catalog.field_segments);
            rule(segments.iter().all(|segment| (segment.0 as usize) < known), "a segment does not exist")?;
            span.len
        }
        FieldKind::SignalWord { signal, words } => {
            rule(span_fits(words, catalog.field_words.len()), "its words are outside the list")?;
            rule((signal.0 as usize) < program.program().attributes.len(), "its signal does not exist")?;
            let known = program.program().dictionary.len();
            let words_of = words.of(&catalog.field_words);
            rule(
                words_of.iter().all(|word| (1..=known).contains(&(word.0 as usize))),
                "a word does not exist",
            )?;
            words.len
        }
    };
    rule(u32::from(field.values) == listed + 1, "its number of values is wrong")?;
    rule(usize::from(field.values) <= CONTEXT_FIELD_VALUES_MAX, "it has too many values")
}
