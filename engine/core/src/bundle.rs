//! A bundle that has been checked against itself and can be decided from.
//!
//! [`LoadedBundle::load`] is the only way in: it verifies the program, checks every index, span and text of the catalog,
//! and derives the look-up tables that decisions use. Whoever holds a `LoadedBundle` may index without looking.
//!
//! Cost: linear in the bundle, off the request path. Not here: framing and checksums (`tessera_wire::bundle`).

use std::collections::{HashMap, HashSet};

use tessera_rulevm::{CatalogBounds, VerifiedProgram, VerifyError};
use tessera_wire::bundle::{Bundle, BundleError, BundleHash};
use tessera_wire::catalog::{
    Campaign, CampaignId, Catalog, ContextField, Creative, FieldKind, Offer, Placement, PlacementId,
    Template, TemplateId, Text,
};
use tessera_wire::event;
use tessera_wire::limits::{
    CLICK_TARGET_BYTES_MAX, COMBINATIONS_PER_TEMPLATE_MAX, CONTEXT_FIELD_VALUES_MAX, CONTEXT_FIELDS_MAX,
    SLOTS_PER_TEMPLATE_MAX,
};
use tessera_wire::posterior::Layout;
use tessera_wire::program::{SourceMap, Span};

use crate::limits::ASSETS_PER_TEMPLATE_MAX;

/// The bundle could not be used; whoever loads it keeps what they have.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The bytes are not an intact bundle.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// The program cannot be run safely.
    #[error("program: {0}")]
    Program(#[from] VerifyError),
    /// The catalog contradicts itself.
    #[error("catalog: {list}[{index}]: {rule}")]
    Catalog {
        /// Which list; rules are checked here, too, as far as decisions rely on their order.
        list: &'static str,
        /// Which element.
        index: usize,
        /// Which rule it breaks.
        rule: &'static str,
    },
}

/// A verified bundle.
#[derive(Debug)]
pub struct LoadedBundle {
    generation: u64,
    hash: BundleHash,
    catalog: Catalog,
    program: VerifiedProgram,
    source: SourceMap,
    placements: HashMap<Box<str>, PlacementId, ahash::RandomState>,
    layouts: Vec<Layout>,
}

impl LoadedBundle {
    /// Decodes and verifies bundle bytes.
    ///
    /// # Errors
    /// [`LoadError`] says what is wrong; nothing of the bundle takes effect.
    pub fn from_bytes(bytes: &[u8]) -> Result<LoadedBundle, LoadError> {
        let hash = tessera_wire::bundle::hash(bytes)?;
        Self::load(tessera_wire::bundle::decode(bytes)?, hash)
    }

    /// Verifies a decoded bundle.
    ///
    /// # Errors
    /// [`LoadError`] says what is wrong; nothing of the bundle takes effect.
    pub fn load(bundle: Bundle, hash: BundleHash) -> Result<LoadedBundle, LoadError> {
        let Bundle { generation, catalog, program, source, .. } = bundle;
        let bounds = CatalogBounds {
            placements: catalog.placements.len() as u32,
            templates: catalog.templates.len() as u32,
            creatives: catalog.creatives.len() as u32,
            offers: catalog.offers.len() as u32,
        };
        let program = VerifiedProgram::verify(program, bounds)?;
        check_catalog(&catalog, &program)?;
        // Fixed seeds: the keys are the bundle's own, and equal bundles should behave alike down to the probe order.
        let mut placements = HashMap::with_hasher(ahash::RandomState::with_seeds(1, 2, 3, 4));
        for (index, placement) in catalog.placements.iter().enumerate() {
            placements.insert(Box::from(catalog.str(placement.id)), PlacementId(index as u32));
        }
        let layouts = catalog.templates.iter().map(|template| layout_of(&catalog, template)).collect();
        Ok(LoadedBundle { generation, hash, catalog, program, source, placements, layouts })
    }

    /// Counts up with every publication.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Hash of the content.
    pub fn hash(&self) -> BundleHash {
        self.hash
    }

    /// What may be shown.
    pub fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// When to show it.
    pub fn program(&self) -> &VerifiedProgram {
        &self.program
    }

    /// What it was compiled from.
    pub fn source(&self) -> &SourceMap {
        &self.source
    }

    /// The placement with this text id.
    #[inline]
    pub fn placement(&self, slot: &str) -> Option<PlacementId> {
        self.placements.get(slot).copied()
    }

    /// The layout of a template's model.
    #[inline]
    pub fn layout(&self, template: TemplateId) -> &Layout {
        &self.layouts[template.index()]
    }

    /// The names that served events of this generation refer to.
    pub fn names(&self) -> event::Generation {
        let text = |reference: Text| self.catalog.str(reference).to_owned();
        event::Generation {
            generation: self.generation,
            bundle_hash: self.hash.to_string(),
            placements: self.catalog.placements.iter().map(|placement| text(placement.id)).collect(),
            campaigns: self
                .catalog
                .campaigns
                .iter()
                .map(|campaign| event::CampaignNames {
                    id: text(campaign.id),
                    advertiser: text(campaign.advertiser),
                })
                .collect(),
            templates: self.catalog.templates.iter().map(|template| self.template_names(template)).collect(),
            offers: self.catalog.offers.iter().map(|offer| text(offer.id)).collect(),
            rules: self.source.rules.iter().map(|rule| rule.name.clone()).collect(),
        }
    }

    fn template_names(&self, template: &Template) -> event::TemplateNames {
        event::TemplateNames {
            id: self.catalog.str(template.id).to_owned(),
            campaign: template.campaign.0,
            slots: self.slot_names(template),
            fields: self
                .catalog
                .fields_of(template)
                .iter()
                .map(|field| (self.catalog.str(field.name).to_owned(), self.field_labels(field)))
                .collect(),
        }
    }

    fn slot_names(&self, template: &Template) -> Vec<(String, Vec<String>)> {
        let asset_id = |id: &tessera_wire::catalog::AssetId| {
            self.catalog.str(self.catalog.assets[id.index()].id).to_owned()
        };
        self.catalog
            .slots_of(template)
            .iter()
            .map(|slot| {
                let assets = self.catalog.assets_of(slot).iter().map(asset_id).collect();
                (self.catalog.str(slot.name).to_owned(), assets)
            })
            .collect()
    }

    /// Labels of a context field's values; label 0 is the empty text, the unknown level.
    fn field_labels(&self, field: &ContextField) -> Vec<String> {
        let program = self.program.program();
        let mut labels = vec![String::new()];
        match field.kind {
            FieldKind::FirstSegment(span) => labels.extend(
                span.of(&self.catalog.field_segments)
                    .iter()
                    .map(|segment| program.segments[segment.0 as usize].name.clone()),
            ),
            FieldKind::SignalWord { words, .. } => labels.extend(
                words
                    .of(&self.catalog.field_words)
                    .iter()
                    .map(|word| program.dictionary[word.0 as usize - 1].clone()),
            ),
        }
        labels
    }
}

fn layout_of(catalog: &Catalog, template: &Template) -> Layout {
    let slots: Vec<usize> = catalog.slots_of(template).iter().map(|slot| slot.assets.len as usize).collect();
    let fields: Vec<usize> =
        catalog.fields_of(template).iter().map(|field| usize::from(field.values)).collect();
    Layout::new(&slots, &fields)
}

/// Checks one list after another; the first broken rule is reported.
fn check_catalog(catalog: &Catalog, program: &VerifiedProgram) -> Result<(), LoadError> {
    check_each("placements", &catalog.placements, |placement| check_placement(catalog, placement))?;
    check_each("campaigns", &catalog.campaigns, |campaign| check_campaign(catalog, campaign))?;
    check_each("flights", &catalog.flights, |flight| {
        rule(text_fits(catalog, flight.id), "its id is outside the text")?;
        rule(flight.start_ms < flight.end_ms, "it ends before it starts")
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
        )
    })?;
    check_each("fields", &catalog.fields, |field| check_field(catalog, program, field))?;
    check_each("templates", &catalog.templates, |template| check_template(catalog, template))?;
    check_each("creatives", &catalog.creatives, |creative| check_creative(catalog, creative))?;
    check_each("offers", &catalog.offers, |offer| check_offer(catalog, offer))?;
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
    check_distinct(catalog, "offers", catalog.offers.iter().map(|one| one.id))
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
        if campaign_of(catalog, catalog.creatives[control.index()].template).index() != index {
            let rule = "its control belongs to another campaign";
            return Err(LoadError::Catalog { list: "campaigns", index, rule });
        }
    }
    Ok(())
}

/// In each placement the tiers of one source rule stand together, first tier first, so that whoever walks down the rules can tell that an
/// earlier tier has spoken by looking at the last one alone.
fn check_tiers(program: &VerifiedProgram) -> Result<(), LoadError> {
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

type Checked = Result<(), &'static str>;

fn check_each<T>(list: &'static str, items: &[T], check: impl Fn(&T) -> Checked) -> Result<(), LoadError> {
    for (index, item) in items.iter().enumerate() {
        check(item).map_err(|rule| LoadError::Catalog { list, index, rule })?;
    }
    Ok(())
}

fn rule(holds: bool, rule: &'static str) -> Checked {
    if holds { Ok(()) } else { Err(rule) }
}

fn text_fits(catalog: &Catalog, text: Text) -> bool {
    let start = text.start as usize;
    catalog.text.get(start..start + text.len as usize).is_some()
}

fn span_fits(span: Span, len: usize) -> bool {
    (span.first as usize).checked_add(span.len as usize).is_some_and(|end| end <= len)
}

fn check_placement(catalog: &Catalog, placement: &Placement) -> Checked {
    rule(text_fits(catalog, placement.id), "its id is outside the text")?;
    rule(
        placement.house.is_none_or(|creative| creative.index() < catalog.creatives.len()),
        "its house ad does not exist",
    )
}

fn check_campaign(catalog: &Catalog, campaign: &Campaign) -> Checked {
    let texts = [campaign.id, campaign.advertiser, campaign.landing_url, campaign.holdout_salt];
    rule(texts.iter().all(|text| text_fits(catalog, *text)), "a text is outside the arena")?;
    rule(campaign.landing_url.len as usize <= CLICK_TARGET_BYTES_MAX, "its landing url is too long")?;
    rule(span_fits(campaign.flights, catalog.flights.len()), "its flights are outside the list")?;
    rule(campaign.holdout_ppm <= 1_000_000, "its holdout is more than everyone")?;
    rule(
        campaign.holdout_ppm == 0 || campaign.control.is_some(),
        "it has a holdout but no control creative",
    )?;
    rule(
        campaign.control.is_none_or(|creative| creative.index() < catalog.creatives.len()),
        "its control does not exist",
    )
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
    let sizes = catalog.slots_of(template).iter().map(|slot| slot.assets.len as usize);
    rule(sizes.clone().sum::<usize>() <= ASSETS_PER_TEMPLATE_MAX, "it has too many assets")?;
    let product = sizes.fold(1usize, usize::saturating_mul);
    rule(product <= COMBINATIONS_PER_TEMPLATE_MAX, "it has too many combinations")?;
    rule(product == template.combinations as usize, "its number of combinations is wrong")
}

fn check_creative(catalog: &Catalog, creative: &Creative) -> Checked {
    rule(text_fits(catalog, creative.id), "its id is outside the text")?;
    let template = catalog.templates.get(creative.template.index()).ok_or("its template does not exist")?;
    rule(creative.combination < template.combinations, "its combination does not exist")
}

fn check_offer(catalog: &Catalog, offer: &Offer) -> Checked {
    rule(text_fits(catalog, offer.id) && text_fits(catalog, offer.code), "a text is outside the arena")
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

/// The campaign of a template.
#[inline]
pub fn campaign_of(catalog: &Catalog, template: TemplateId) -> CampaignId {
    catalog.templates[template.index()].campaign
}
