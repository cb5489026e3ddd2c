//! A bundle that has been checked against itself and can be decided from.
//!
//! [`LoadedBundle::load`] is the only way in: it verifies the program, checks every index, span and text of the catalog,
//! and derives the look-up tables that decisions use. Whoever holds a `LoadedBundle` may index without looking.
//!
//! Cost: linear in the bundle, off the request path. Not here: framing and checksums (`tessera_wire::bundle`).

mod actions;
mod check;
mod contents;
mod exclusions;
mod experiments;

use std::collections::HashMap;

pub use actions::ActionNames;
pub use contents::{Parameters, scope_of};
pub(crate) use exclusions::Exclusions;

use tessera_rulevm::{CatalogBounds, VerifiedProgram, VerifyError};
use tessera_wire::bundle::{Bundle, BundleError, BundleHash};
use tessera_wire::catalog::{
    Campaign, Catalog, ContextField, FieldKind, PlacementId, Template, TemplateId, Text,
};
use tessera_wire::event;
use tessera_wire::posterior::Layout;
use tessera_wire::program::{SourceMap, WordId};

use crate::render::Renderings;

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
    /// A template source cannot be used.
    #[error("content {content} of the catalog: {cause}")]
    Content {
        /// Its place in the catalog.
        content: usize,
        /// What is wrong with it.
        cause: crate::render::TemplateError,
    },
}

/// A verified bundle.
#[derive(Debug)]
pub struct LoadedBundle {
    generation: u64,
    hash: BundleHash,
    short_hash: String,
    catalog: Catalog,
    program: VerifiedProgram,
    source: SourceMap,
    placements: HashMap<Box<str>, PlacementId, ahash::RandomState>,
    // Of the templates, then of the bandits.
    layouts: Vec<Layout>,
    exclusions: Vec<Exclusions>,
    actions: ActionNames,
    renderings: Renderings,
    has_ranks: bool,
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
            assets: catalog.assets.len() as u32,
            campaigns: catalog.campaigns.len() as u32,
            flights: catalog.flights.len() as u32,
        };
        let program = VerifiedProgram::verify(program, bounds)?;
        check::check_catalog(&catalog, &program)?;
        // Fixed seeds: the keys are the bundle's own, and equal bundles should behave alike down to the probe order.
        let mut placements = HashMap::with_hasher(ahash::RandomState::with_seeds(1, 2, 3, 4));
        for (index, placement) in catalog.placements.iter().enumerate() {
            placements.insert(Box::from(catalog.str(placement.id)), PlacementId(index as u32));
        }
        let mut layouts: Vec<Layout> =
            catalog.templates.iter().map(|template| layout_of(&catalog, template)).collect();
        let pairs = catalog.templates.iter().zip(&layouts);
        let exclusions: Vec<Exclusions> =
            pairs.map(|(template, layout)| Exclusions::new(&catalog, template, layout)).collect();
        check::check_exclusions(&catalog, &exclusions)?;
        let actions = ActionNames::new(program.program(), &catalog)?;
        layouts.extend(actions.arm_counts().map(|arms| Layout::new(&[arms], &[])));
        let renderings = contents::compile(&catalog, program.program())?;
        let is_ranked =
            |flight: &tessera_wire::catalog::Flight| flight.rank() != Default::default() || flight.weight > 0;
        let has_ranks = catalog.flights.iter().any(is_ranked);
        let short_hash = hash.to_string()[..16].to_owned();
        Ok(LoadedBundle {
            generation,
            hash,
            short_hash,
            catalog,
            program,
            source,
            placements,
            layouts,
            exclusions,
            actions,
            renderings,
            has_ranks,
        })
    }

    /// Counts up with every publication.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Hash of the content.
    pub fn hash(&self) -> BundleHash {
        self.hash
    }

    /// The first sixteen hex digits of the hash: enough to tell bundles apart in an answer.
    pub fn short_hash(&self) -> &str {
        &self.short_hash
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

    /// Does any flight have a class, priority or weight?
    #[inline]
    pub(crate) fn has_ranks(&self) -> bool {
        self.has_ranks
    }

    /// What templates are rendered to, by the numbers of [`Catalog::contents`].
    #[inline]
    pub fn renderings(&self) -> &Renderings {
        &self.renderings
    }

    /// The placement with this text id.
    #[inline]
    pub fn placement(&self, slot: &str) -> Option<PlacementId> {
        self.placements.get(slot).copied()
    }

    /// Numbers of what rules' actions name.
    #[inline]
    pub fn actions(&self) -> &ActionNames {
        &self.actions
    }

    /// The place of a bandit among templates and bandits.
    #[inline]
    pub(crate) fn bandit(&self, bandit: u32) -> TemplateId {
        TemplateId(self.catalog.templates.len() as u32 + bandit)
    }

    /// Name and arm of what a bandit chose.
    pub fn arm_name(&self, choice: &event::ArmChoice) -> (&str, &str) {
        let bandit = (choice.bandit as usize).wrapping_sub(self.catalog.templates.len());
        self.actions.arm_name(self.program.program(), bandit, choice.arm)
    }

    /// A word that an action of a rule names.
    pub fn word(&self, word: WordId) -> &str {
        actions::word(self.program.program(), word)
    }

    /// Which combinations of a template may not be shown.
    #[inline]
    pub(crate) fn exclusions(&self, template: TemplateId) -> &Exclusions {
        &self.exclusions[template.index()]
    }

    /// How many models there may be: one per template and bandit.
    pub(crate) fn models(&self) -> usize {
        self.layouts.len()
    }

    /// The bandits, where they stand after the templates.
    pub fn bandits(&self) -> impl Iterator<Item = TemplateId> + use<> {
        (self.catalog.templates.len() as u32..self.layouts.len() as u32).map(TemplateId)
    }

    /// The layout of a template's or bandit's model.
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
            templates: self
                .catalog
                .templates
                .iter()
                .map(|template| self.template_names(template))
                .chain(self.actions.as_templates(self.program.program()))
                .collect(),
            offers: self.catalog.offers.iter().map(|offer| text(offer.id)).collect(),
            offer_values: (self.catalog.offers.iter())
                .map(|offer| (offer.kind.name().to_owned(), offer.value))
                .collect(),
            rules: self.source.rules.iter().map(|rule| rule.name.clone()).collect(),
            variants: (self.actions.variants().iter())
                .map(|(split, arm)| (self.word(*split).to_owned(), self.word(*arm).to_owned()))
                .collect(),
            locales: self.catalog.locales.iter().map(|locale| text(*locale)).collect(),
            tags: self.actions.tags().iter().map(|tag| self.word(*tag).to_owned()).collect(),
            experiments: self.experiment_names(),
            flights: self.catalog.flights.iter().map(|flight| text(flight.id)).collect(),
        }
    }

    /// Text ids of an experiment and of one of its variants.
    pub fn exposure_name(&self, exposure: event::Exposure) -> (&str, &str) {
        let experiment = &self.catalog.experiments[exposure.experiment as usize];
        let variant = &experiment.variants.of(&self.catalog.variants)[usize::from(exposure.variant)];
        (self.catalog.str(experiment.id), self.catalog.str(variant.id))
    }

    fn experiment_names(&self) -> Vec<event::ExperimentNames> {
        let text = |reference: Text| self.catalog.str(reference).to_owned();
        let campaigns = (0..).zip(&self.catalog.campaigns);
        let of = |(number, campaign): (u32, &Campaign)| {
            let experiments = campaign.experiments.of(&self.catalog.experiments);
            experiments.iter().map(move |experiment| (number, experiment))
        };
        let all = campaigns.flat_map(of).map(|(campaign, experiment)| {
            let variants = experiment.variants.of(&self.catalog.variants);
            let starts = std::iter::once(0).chain(variants.iter().map(|variant| variant.end_bucket));
            event::ExperimentNames {
                id: text(experiment.id),
                campaign,
                variants: variants.iter().map(|variant| text(variant.id)).collect(),
                shares_ppm: variants.iter().zip(starts).map(|(one, start)| one.end_bucket - start).collect(),
            }
        });
        all.collect()
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
