//! From sources to a bundle: names first, then rules, then everything laid out flat.

mod assets;
mod budgets;
mod campaigns;
mod caps;
mod conflicts;
mod contents;
mod dayparts;
mod experiments;
mod offers;
mod templates;
mod unshown;

use std::collections::BTreeMap;

use rulec::{Extra, Names, OfferName, SlotName};
use tessera_wire::bundle::Bundle;
use tessera_wire::catalog::{Catalog, Text};
use tessera_wire::program::{Attribute, Feature, Program};

use super::problem::{CatalogCode, Problem};
use super::schema::{Name, RawCatalog};
use super::{Compiled, ForRules, Sources};
use crate::limits::PROBLEMS_MAX;

pub(super) fn build(sources: &Sources) -> Result<Compiled, Vec<Problem>> {
    let text = sources.files.first().map_or("", |file| file.text.as_str());
    let raw: RawCatalog = toml::from_str(text).map_err(|error| {
        let span = error.span().unwrap_or(0..0);
        vec![Problem::catalog(CatalogCode::Shape, span, error.message().to_owned())]
    })?;
    let index = Index::of(&raw);
    let mut builder = Builder::new(&raw, &index);
    builder.report_duplicates();
    let offers = builder.add_offers();
    let names = builder.rule_names(&offers);
    let extras = builder.extras();
    let compiled = match rulec::compile_and_analyse(sources.rules(), &names, &extras) {
        Ok(mut compiled) => {
            segments(&raw).for_each(|name| compiled.mark_segment_used(name));
            Some(compiled)
        }
        Err(diagnostics) => {
            builder.problems.extend(diagnostics.into_iter().map(Problem::rules));
            None
        }
    };
    builder.add_all(compiled.as_ref());
    builder.add_contents(compiled.as_ref(), sources);
    let Builder { catalog, mut problems, features, attributes, .. } = builder;
    match compiled {
        Some(compiled) if problems.is_empty() => {
            let unshown = unshown::creatives(&raw, &index, &names, &compiled.program);
            let program = Program { features, attributes, ..compiled.program };
            let bundle = Bundle { catalog, program, source: compiled.source, ..Bundle::default() };
            let warnings =
                unshown.into_iter().chain(compiled.warnings.into_iter().map(Problem::rules)).collect();
            Ok(Compiled { bundle, warnings })
        }
        _ => {
            // Catalog problems first: rule problems are often only their consequence.
            problems.sort_by_key(|problem| {
                problem
                    .position(&sources.files)
                    .map(|(path, line, column)| (path != super::CATALOG_FILE, path.to_owned(), line, column))
            });
            problems.truncate(PROBLEMS_MAX);
            Err(problems)
        }
    }
}

/// Segments that models look at.
fn segments(raw: &RawCatalog) -> impl Iterator<Item = &str> {
    let contexts = raw.template.iter().flat_map(|template| &template.context);
    contexts.flat_map(|context| &context.segments).map(|name| name.get_ref().as_str())
}

/// What a catalog means to rules, whatever else is wrong with it.
pub(super) fn for_rules(catalog: &str) -> Result<ForRules, String> {
    let raw: RawCatalog = toml::from_str(catalog).map_err(|error| error.to_string())?;
    let index = Index::of(&raw);
    let mut builder = Builder::new(&raw, &index);
    let offers = builder.add_offers();
    Ok(ForRules {
        names: builder.rule_names(&offers),
        extras: builder.extras(),
        segments: segments(&raw).map(str::to_owned).collect(),
    })
}

/// Ids of each list, to their indices; the first of equal ids counts.
struct Index<'r> {
    campaigns: BTreeMap<&'r str, u32>,
    assets: BTreeMap<&'r str, u32>,
    templates: BTreeMap<&'r str, u32>,
    offers: BTreeMap<&'r str, u32>,
    creatives: BTreeMap<&'r str, u32>,
}

fn index_of<'r>(ids: impl Iterator<Item = &'r Name>) -> BTreeMap<&'r str, u32> {
    let mut index = BTreeMap::new();
    for (number, id) in ids.enumerate() {
        index.entry(id.get_ref().as_str()).or_insert(number as u32);
    }
    index
}

impl<'r> Index<'r> {
    fn of(raw: &'r RawCatalog) -> Index<'r> {
        Index {
            campaigns: index_of(raw.campaign.iter().map(|campaign| &campaign.id)),
            assets: index_of(raw.asset.iter().map(|asset| &asset.id)),
            offers: index_of(raw.offer.iter().map(|offer| &offer.id)),
            templates: index_of(raw.template.iter().map(|template| &template.id)),
            creatives: index_of(raw.creative.iter().map(|creative| &creative.id)),
        }
    }
}

struct Builder<'r> {
    raw: &'r RawCatalog,
    names: &'r Index<'r>,
    catalog: Catalog,
    /// What each experiment takes of its layer, in catalog order.
    taken: Vec<experiments::Taken>,
    problems: Vec<Problem>,
    /// What rules count of visitors, and then what caps count.
    features: Vec<Feature>,
    /// What rules read, and then the clocks of dayparts.
    attributes: Vec<Attribute>,
    /// Names of exclusion groups, by number.
    groups: Vec<String>,
    /// Of all prices and budgets, once one was read.
    currency: Option<String>,
}

impl<'r> Builder<'r> {
    fn new(raw: &'r RawCatalog, names: &'r Index<'r>) -> Builder<'r> {
        let (catalog, taken, problems, features) = Default::default();
        let (attributes, groups, currency) = Default::default();
        Builder { raw, names, catalog, taken, problems, features, attributes, groups, currency }
    }

    fn problem(&mut self, problem: Problem) {
        self.problems.push(problem);
    }

    fn text(&mut self, text: &str) -> Text {
        let start = self.catalog.text.len() as u32;
        self.catalog.text.push_str(text);
        Text { start, len: text.len() as u32 }
    }

    /// Reads a value, or reports how to write it.
    fn read<T: Default>(&mut self, name: &Name, read: impl FnOnce(&str) -> Result<T, &'static str>) -> T {
        read(name.get_ref()).unwrap_or_else(|help| {
            let message = format!("cannot read `{}`", name.get_ref());
            self.problem(Problem::catalog(CatalogCode::BadValue, name.span(), message).help(help));
            T::default()
        })
    }

    /// Looks a name up, or reports it with the nearest known one.
    fn find(&mut self, what: &str, name: &Name, known: &BTreeMap<&str, u32>) -> Option<u32> {
        if let Some(found) = known.get(name.get_ref().as_str()) {
            return Some(*found);
        }
        let nearest = rulec::nearest(name.get_ref(), known.keys().copied());
        let mut problem = Problem::catalog(
            CatalogCode::UnknownName,
            name.span(),
            format!("{what} `{}` does not exist", name.get_ref()),
        );
        if let Some(nearest) = nearest {
            problem = problem.help(format!("did you mean `{nearest}`?"));
        }
        self.problem(problem);
        None
    }

    fn report_duplicates(&mut self) {
        let raw = self.raw;
        let lists: [(&str, Vec<&Name>); 8] = [
            ("placement", raw.placement.iter().map(|one| &one.id).collect()),
            ("campaign", raw.campaign.iter().map(|one| &one.id).collect()),
            ("flight", raw.flight.iter().map(|one| &one.id).collect()),
            ("asset", raw.asset.iter().map(|one| &one.id).collect()),
            ("template", raw.template.iter().map(|one| &one.id).collect()),
            ("creative", raw.creative.iter().map(|one| &one.id).collect()),
            ("offer", raw.offer.iter().map(|one| &one.id).collect()),
            ("experiment", raw.experiment.iter().map(|one| &one.id).collect()),
        ];
        for (what, ids) in lists {
            let mut seen = BTreeMap::new();
            for id in ids {
                if id.get_ref().is_empty() {
                    self.problem(Problem::catalog(
                        CatalogCode::BadValue,
                        id.span(),
                        format!("a {what} needs an id"),
                    ));
                } else if seen.insert(id.get_ref(), ()).is_some() {
                    let message = format!("{what} `{}` is defined twice", id.get_ref());
                    self.problem(Problem::catalog(CatalogCode::DuplicateId, id.span(), message));
                }
            }
        }
    }

    fn rule_names(&self, offers: &[OfferName]) -> Names {
        let id = |name: &Name| name.get_ref().clone();
        Names {
            placements: self.raw.placement.iter().map(|placement| id(&placement.id)).collect(),
            templates: self.raw.template.iter().map(|template| id(&template.id)).collect(),
            creatives: self.raw.creative.iter().map(|creative| id(&creative.id)).collect(),
            offers: offers.to_vec(),
            campaigns: self.raw.campaign.iter().map(|campaign| id(&campaign.id)).collect(),
            assets: self.raw.asset.iter().map(|asset| id(&asset.id)).collect(),
            slots: self.slot_names(),
        }
    }

    /// Assets that do not exist are left out here and reported where the template is built.
    fn slot_names(&self) -> Vec<SlotName> {
        let slots = self
            .raw
            .template
            .iter()
            .zip(0u32..)
            .flat_map(|(template, index)| template.slot.iter().map(move |slot| (index, slot)));
        let known = |asset: &Name| self.names.assets.get(asset.get_ref().as_str()).copied();
        slots
            .map(|(template, slot)| SlotName {
                template,
                name: slot.name.get_ref().clone(),
                assets: slot.assets.get_ref().iter().filter_map(known).collect(),
            })
            .collect()
    }

    /// Signals and words that models need even if no rule mentions them.
    fn extras(&self) -> Vec<Extra> {
        let contexts = self.raw.template.iter().flat_map(|template| &template.context);
        let margins = offers::margin_signals(&self.raw.campaign)
            .map(|signal| Extra { attribute: signal.get_ref().clone(), words: Vec::new() });
        contexts
            .filter_map(|context| {
                let attribute = context.signal.as_ref()?.get_ref().clone();
                Some(Extra {
                    attribute,
                    words: context.values.iter().map(|value| value.get_ref().clone()).collect(),
                })
            })
            .chain(margins)
            .collect()
    }

    fn add_all(&mut self, compiled: Option<&rulec::Compiled>) {
        let raw = self.raw;
        let program = compiled.map(|compiled| &compiled.program);
        self.features = program.map_or(Vec::new(), |program| program.features.clone());
        self.attributes = program.map_or(Vec::new(), |program| program.attributes.clone());
        self.add_offer_caps();
        self.add_locale();
        raw.asset.iter().for_each(|asset| self.add_asset(asset));
        raw.template.iter().for_each(|template| self.add_template(template, compiled));
        raw.creative.iter().for_each(|creative| self.add_creative(creative));
        self.taken = self.lay_out_experiments();
        raw.campaign.iter().for_each(|campaign| self.add_campaign(campaign, compiled));
        self.add_holdout();
        raw.placement.iter().for_each(|placement| self.add_placement(placement));
        let currency = self.currency.take().unwrap_or_default();
        self.catalog.currency = self.text(&currency);
        for flight in &raw.flight {
            self.find("campaign", &flight.campaign, &self.names.campaigns);
        }
    }
}
