//! From sources to a bundle: names first, then rules, then everything laid out flat.

use std::collections::BTreeMap;

use rulec::{Extra, Names, OfferName};
use tessera_wire::bundle::Bundle;
use tessera_wire::catalog::{
    Asset, AssetId, AssetKind, Campaign, CampaignId, Catalog, ContextField, Creative, CreativeId, FieldKind,
    Flight, Offer, OfferKind, Placement, Slot, Template, TemplateId, Text,
};
use tessera_wire::limits::{
    CLICK_TARGET_BYTES_MAX, COMBINATIONS_PER_TEMPLATE_MAX, CONTEXT_FIELD_VALUES_MAX, CONTEXT_FIELDS_MAX,
    SLOTS_PER_TEMPLATE_MAX,
};
use tessera_wire::program::{Program, SegmentId, Span, WordId};
use tessera_wire::signal::Kind;

use super::problem::{CatalogCode, Problem};
use super::schema::{
    Name, RawAsset, RawCampaign, RawCatalog, RawContext, RawCreative, RawFlight, RawOffer, RawPlacement,
    RawTemplate,
};
use super::{Compiled, Sources, value};
use crate::limits::PROBLEMS_MAX;

/// How long an offer holds when the catalog does not say.
const OFFER_TTL_SECS: u32 = 86_400;
/// Share of uniform choices when the catalog does not say: enough to keep propensities away from zero.
const EXPLORATION_PPM: u32 = 10_000;

pub(super) fn build(sources: &Sources) -> Result<Compiled, Vec<Problem>> {
    let text = sources.files.first().map_or("", |file| file.text.as_str());
    let raw: RawCatalog = toml::from_str(text).map_err(|error| {
        let span = error.span().unwrap_or(0..0);
        vec![Problem::catalog(CatalogCode::Shape, span, error.message().to_owned())]
    })?;
    let index = Index::of(&raw);
    let mut builder = Builder { raw: &raw, names: &index, catalog: Catalog::default(), problems: Vec::new() };
    builder.report_duplicates();
    let offers = builder.add_offers();
    let names = builder.rule_names(&offers);
    let extras = builder.extras();
    let rules = sources.files.get(1..).unwrap_or(&[]);
    let compiled = match rulec::compile(rules, &names, &extras) {
        Ok(mut compiled) => {
            let contexts = raw.template.iter().flat_map(|template| &template.context);
            contexts
                .flat_map(|context| &context.segments)
                .for_each(|name| compiled.mark_segment_used(name.get_ref()));
            Some(compiled)
        }
        Err(diagnostics) => {
            builder.problems.extend(diagnostics.into_iter().map(Problem::rules));
            None
        }
    };
    builder.add_all(compiled.as_ref());
    let Builder { catalog, mut problems, .. } = builder;
    match compiled {
        Some(compiled) if problems.is_empty() => {
            let bundle =
                Bundle { catalog, program: compiled.program, source: compiled.source, ..Bundle::default() };
            let warnings = compiled.warnings.into_iter().map(Problem::rules).collect();
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

/// Ids of each list, to their indices; the first of equal ids counts.
struct Index<'r> {
    campaigns: BTreeMap<&'r str, u32>,
    assets: BTreeMap<&'r str, u32>,
    templates: BTreeMap<&'r str, u32>,
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
            templates: index_of(raw.template.iter().map(|template| &template.id)),
            creatives: index_of(raw.creative.iter().map(|creative| &creative.id)),
        }
    }
}

struct Builder<'r> {
    raw: &'r RawCatalog,
    names: &'r Index<'r>,
    catalog: Catalog,
    problems: Vec<Problem>,
}

impl<'r> Builder<'r> {
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
        let lists: [(&str, Vec<&Name>); 7] = [
            ("placement", raw.placement.iter().map(|one| &one.id).collect()),
            ("campaign", raw.campaign.iter().map(|one| &one.id).collect()),
            ("flight", raw.flight.iter().map(|one| &one.id).collect()),
            ("asset", raw.asset.iter().map(|one| &one.id).collect()),
            ("template", raw.template.iter().map(|one| &one.id).collect()),
            ("creative", raw.creative.iter().map(|one| &one.id).collect()),
            ("offer", raw.offer.iter().map(|one| &one.id).collect()),
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
        }
    }

    /// Signals and words that models need even if no rule mentions them.
    fn extras(&self) -> Vec<Extra> {
        let contexts = self.raw.template.iter().flat_map(|template| &template.context);
        contexts
            .filter_map(|context| {
                let attribute = context.signal.as_ref()?.get_ref().clone();
                Some(Extra {
                    attribute,
                    words: context.values.iter().map(|value| value.get_ref().clone()).collect(),
                })
            })
            .collect()
    }

    fn add_offers(&mut self) -> Vec<OfferName> {
        let raw = self.raw;
        raw.offer.iter().map(|offer| self.add_offer(offer)).collect()
    }

    fn add_offer(&mut self, raw: &RawOffer) -> OfferName {
        let given =
            [raw.discount.is_some(), raw.free_shipping, raw.bundle].iter().filter(|given| **given).count();
        if given != 1 {
            let message = format!(
                "offer `{}` must be exactly one of discount, free_shipping, bundle",
                raw.id.get_ref()
            );
            self.problem(Problem::catalog(CatalogCode::Inconsistent, raw.id.span(), message));
        }
        let (kind, value) = match &raw.discount {
            Some(discount) => (OfferKind::DiscountPercent, self.read(discount, value::percent)),
            None if raw.free_shipping => (OfferKind::FreeShipping, 0),
            None => (OfferKind::Bundle, 0),
        };
        let ttl_secs =
            raw.valid_for.as_ref().map_or(OFFER_TTL_SECS, |valid_for| self.read(valid_for, value::seconds));
        let offer =
            Offer { id: self.text(raw.id.get_ref()), kind, value, code: self.text(&raw.code), ttl_secs };
        self.catalog.offers.push(offer);
        OfferName { id: raw.id.get_ref().clone(), kind, value }
    }

    fn add_all(&mut self, compiled: Option<&rulec::Compiled>) {
        let raw = self.raw;
        raw.asset.iter().for_each(|asset| self.add_asset(asset));
        raw.template.iter().for_each(|template| self.add_template(template, compiled));
        raw.creative.iter().for_each(|creative| self.add_creative(creative));
        raw.campaign.iter().for_each(|campaign| self.add_campaign(campaign));
        raw.placement.iter().for_each(|placement| self.add_placement(placement));
        for flight in &raw.flight {
            self.find("campaign", &flight.campaign, &self.names.campaigns);
        }
    }

    fn add_asset(&mut self, raw: &RawAsset) {
        let (kind, content) = match (&raw.image, &raw.text) {
            (Some(image), None) => (AssetKind::Image, image.as_str()),
            (None, Some(text)) => (AssetKind::Text, text.as_str()),
            _ => {
                let message = format!("asset `{}` must have either an image or a text", raw.id.get_ref());
                self.problem(Problem::catalog(CatalogCode::Inconsistent, raw.id.span(), message));
                (AssetKind::Text, "")
            }
        };
        if kind == AssetKind::Image && value::url(content).is_err() && !content.starts_with('/') {
            let message = format!("`{content}` is not the address of an image");
            self.problem(Problem::catalog(CatalogCode::BadValue, raw.id.span(), message));
        }
        let asset = Asset {
            id: self.text(raw.id.get_ref()),
            kind,
            content: self.text(content),
            alt: self.text(&raw.alt),
        };
        self.catalog.assets.push(asset);
    }

    fn add_template(&mut self, raw: &RawTemplate, compiled: Option<&rulec::Compiled>) {
        let campaign = self.find("campaign", &raw.campaign, &self.names.campaigns).unwrap_or(0);
        let (width, height) = raw.size.as_ref().map_or((0, 0), |size| self.read(size, value::size));
        let exploration_ppm = raw
            .exploration
            .as_ref()
            .map_or(EXPLORATION_PPM, |share| self.read(share, value::parts_per_million));
        let slots = self.add_slots(raw);
        let fields = self.add_fields(raw, compiled);
        let sizes = slots.of(&self.catalog.slots).iter().map(|slot| slot.assets.len as usize);
        let combinations = sizes.fold(1usize, usize::saturating_mul);
        if combinations > COMBINATIONS_PER_TEMPLATE_MAX {
            let message = format!("template `{}` has {combinations} combinations", raw.id.get_ref());
            let problem = Problem::catalog(CatalogCode::TooMany, raw.id.span(), message);
            self.problem(problem.help(format!("at most {COMBINATIONS_PER_TEMPLATE_MAX} are allowed")));
        }
        let template = Template {
            id: self.text(raw.id.get_ref()),
            campaign: CampaignId(campaign),
            width,
            height,
            slots,
            combinations: combinations as u32,
            fields,
            exploration_ppm,
        };
        self.catalog.templates.push(template);
    }

    fn add_slots(&mut self, raw: &RawTemplate) -> Span {
        if !(1..=SLOTS_PER_TEMPLATE_MAX).contains(&raw.slot.len()) {
            let message = format!("template `{}` has {} slots", raw.id.get_ref(), raw.slot.len());
            let problem = Problem::catalog(CatalogCode::TooMany, raw.id.span(), message);
            self.problem(problem.help(format!("a template has 1 to {SLOTS_PER_TEMPLATE_MAX} slots")));
        }
        let first = self.catalog.slots.len() as u32;
        for (number, slot) in raw.slot.iter().enumerate() {
            if raw.slot[..number].iter().any(|earlier| earlier.name.get_ref() == slot.name.get_ref()) {
                let message = format!("slot `{}` is defined twice", slot.name.get_ref());
                self.problem(Problem::catalog(CatalogCode::DuplicateId, slot.name.span(), message));
            }
            let first_asset = self.catalog.slot_assets.len() as u32;
            if slot.assets.get_ref().is_empty() {
                let message = format!("slot `{}` has no assets", slot.name.get_ref());
                self.problem(Problem::catalog(CatalogCode::Inconsistent, slot.assets.span(), message));
            }
            self.report_repeats("asset", slot.assets.get_ref());
            for asset in slot.assets.get_ref() {
                let id = self.find("asset", asset, &self.names.assets).unwrap_or(0);
                self.catalog.slot_assets.push(AssetId(id));
            }
            let assets = Span { first: first_asset, len: slot.assets.get_ref().len() as u32 };
            let slot = Slot { name: self.text(slot.name.get_ref()), assets };
            self.catalog.slots.push(slot);
        }
        Span { first, len: raw.slot.len() as u32 }
    }

    /// What is listed twice would be learned about twice, each time from half of what is seen.
    fn report_repeats(&mut self, what: &str, names: &[Name]) {
        for (number, name) in names.iter().enumerate() {
            if names[..number].iter().any(|earlier| earlier.get_ref() == name.get_ref()) {
                let message = format!("{what} `{}` is listed twice", name.get_ref());
                self.problem(Problem::catalog(CatalogCode::DuplicateId, name.span(), message));
            }
        }
    }

    fn add_fields(&mut self, raw: &RawTemplate, compiled: Option<&rulec::Compiled>) -> Span {
        if raw.context.len() > CONTEXT_FIELDS_MAX {
            let message = format!("template `{}` has {} context fields", raw.id.get_ref(), raw.context.len());
            let problem = Problem::catalog(CatalogCode::TooMany, raw.id.span(), message);
            self.problem(problem.help(format!("at most {CONTEXT_FIELDS_MAX} are allowed")));
        }
        let first = self.catalog.fields.len() as u32;
        // Without compiled rules there are no segments or words to refer to; the rule problems are reported instead.
        let Some(compiled) = compiled else { return Span { first, len: 0 } };
        for context in &raw.context {
            self.add_field(context, compiled);
        }
        Span { first, len: raw.context.len() as u32 }
    }

    fn add_field(&mut self, raw: &RawContext, compiled: &rulec::Compiled) {
        self.report_repeats("segment", &raw.segments);
        self.report_repeats("value", &raw.values);
        let (kind, listed) = match &raw.signal {
            None => self.segment_field(raw, compiled),
            Some(signal) => self.word_field(raw, signal, compiled),
        };
        if !(1..CONTEXT_FIELD_VALUES_MAX).contains(&listed) {
            let message = format!("context field `{}` lists {listed} values", raw.name.get_ref());
            let problem = Problem::catalog(CatalogCode::TooMany, raw.name.span(), message);
            self.problem(problem.help("a context field lists 1 to 255 segments or values"));
        }
        let field =
            ContextField { name: self.text(raw.name.get_ref()), kind, values: (listed + 1).min(256) as u16 };
        self.catalog.fields.push(field);
    }

    fn segment_field(&mut self, raw: &RawContext, compiled: &rulec::Compiled) -> (FieldKind, usize) {
        let first = self.catalog.field_segments.len() as u32;
        for segment in &raw.segments {
            let found = compiled.segment(segment.get_ref());
            if found.is_none() {
                let known = compiled.program.segments.iter().map(|segment| segment.name.as_str());
                self.unknown("segment", segment, rulec::nearest(segment.get_ref(), known));
            }
            self.catalog.field_segments.push(found.unwrap_or(SegmentId(0)));
        }
        let len = raw.segments.len();
        (FieldKind::FirstSegment(Span { first, len: len as u32 }), len)
    }

    fn word_field(
        &mut self,
        raw: &RawContext,
        signal: &Name,
        compiled: &rulec::Compiled,
    ) -> (FieldKind, usize) {
        if !raw.segments.is_empty() {
            let message = format!("context field `{}` has both a signal and segments", raw.name.get_ref());
            self.problem(Problem::catalog(CatalogCode::Inconsistent, raw.name.span(), message));
        }
        let found = compiled.signal(signal.get_ref());
        if found.is_none() {
            self.unknown("signal", signal, None);
        }
        let attribute = found.and_then(|found| compiled.program.attributes.get(usize::from(found.0)));
        if attribute.is_some_and(|attribute| attribute.kind != Kind::Text) {
            let message = format!("signal `{}` does not hold one word", signal.get_ref());
            let problem = Problem::catalog(CatalogCode::Inconsistent, signal.span(), message);
            self.problem(problem.help("a context field lists values of a text signal, such as device.type"));
        }
        let first = self.catalog.field_words.len() as u32;
        for value in &raw.values {
            let word = word_of(&compiled.program, value.get_ref()).unwrap_or(WordId(0));
            self.catalog.field_words.push(word);
        }
        let words = Span { first, len: raw.values.len() as u32 };
        let signal = found.unwrap_or(tessera_wire::program::SignalId(0));
        (FieldKind::SignalWord { signal, words }, raw.values.len())
    }

    fn unknown(&mut self, what: &str, name: &Name, nearest: Option<&str>) {
        let message = format!("{what} `{}` does not exist", name.get_ref());
        let mut problem = Problem::catalog(CatalogCode::UnknownName, name.span(), message);
        if let Some(nearest) = nearest {
            problem = problem.help(format!("did you mean `{nearest}`?"));
        }
        self.problem(problem);
    }

    fn add_creative(&mut self, raw: &RawCreative) {
        let template = self.find("template", &raw.template, &self.names.templates);
        let combination = template.map_or(0, |template| self.combination(raw, template));
        let id = self.text(raw.id.get_ref());
        self.catalog.creatives.push(Creative {
            id,
            template: TemplateId(template.unwrap_or(0)),
            combination,
        });
    }

    /// The creative's assets as a combination number of its template.
    fn combination(&mut self, raw: &RawCreative, template: u32) -> u32 {
        let template = &self.raw.template[template as usize];
        let mut combination = 0;
        for slot in &template.slot {
            let size = slot.assets.get_ref().len();
            let chosen = raw.assets.get_ref().get(slot.name.get_ref());
            let position = chosen.and_then(|chosen| {
                slot.assets.get_ref().iter().position(|asset| asset.get_ref() == chosen.get_ref())
            });
            if position.is_none() {
                let span = chosen.map_or(raw.assets.span(), Name::span);
                let message = match chosen {
                    Some(chosen) => {
                        format!("slot `{}` cannot hold `{}`", slot.name.get_ref(), chosen.get_ref())
                    }
                    None => {
                        format!("creative `{}` fills no slot `{}`", raw.id.get_ref(), slot.name.get_ref())
                    }
                };
                self.problem(Problem::catalog(CatalogCode::Inconsistent, span, message));
            }
            combination = combination * size + position.unwrap_or(0);
        }
        for (slot, asset) in raw.assets.get_ref() {
            if !template.slot.iter().any(|known| known.name.get_ref() == slot) {
                let message = format!("template `{}` has no slot `{slot}`", template.id.get_ref());
                self.problem(Problem::catalog(CatalogCode::UnknownName, asset.span(), message));
            }
        }
        combination as u32
    }

    fn add_campaign(&mut self, raw: &RawCampaign) {
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
        let salt = format!("holdout:{}", raw.id.get_ref());
        let campaign = Campaign {
            id: self.text(raw.id.get_ref()),
            advertiser: self.text(&raw.advertiser),
            landing_url: self.text(raw.landing_url.get_ref()),
            flights,
            is_active: raw.active,
            holdout_ppm,
            holdout_salt: self.text(&salt),
            control: control.map(CreativeId),
        };
        self.catalog.campaigns.push(campaign);
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
        for flight in raw.flight.iter().filter(|flight| flight.campaign.get_ref() == campaign.id.get_ref()) {
            self.add_flight(flight);
        }
        Span { first, len: self.catalog.flights.len() as u32 - first }
    }

    fn add_flight(&mut self, raw: &RawFlight) {
        let start_ms = self.read(&raw.start, value::instant);
        let end_ms = self.read(&raw.end, value::instant);
        if start_ms >= end_ms {
            let message = format!("flight `{}` ends before it starts", raw.id.get_ref());
            self.problem(Problem::catalog(CatalogCode::Inconsistent, raw.end.span(), message));
        }
        let id = self.text(raw.id.get_ref());
        self.catalog.flights.push(Flight { id, start_ms, end_ms });
    }

    fn add_placement(&mut self, raw: &RawPlacement) {
        let (width, height) = raw.size.as_ref().map_or((0, 0), |size| self.read(size, value::size));
        let house = raw.house.as_ref().and_then(|house| self.find("creative", house, &self.names.creatives));
        let id = self.text(raw.id.get_ref());
        self.catalog.placements.push(Placement { id, width, height, house: house.map(CreativeId) });
    }
}

fn word_of(program: &Program, text: &str) -> Option<WordId> {
    let position = program.dictionary.binary_search_by(|word| word.as_str().cmp(text)).ok()?;
    Some(WordId(position as u32 + 1))
}
