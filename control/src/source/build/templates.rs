//! Templates with their slots and context fields, and fixed creatives.

use tessera_engine_core::limits::{EXCLUDING_COMBINATIONS_MAX, EXCLUSIONS_PER_TEMPLATE_MAX};
use tessera_wire::catalog::{
    AssetId, CampaignId, ContextField, Creative, CreativeId, FieldKind, Slot, Template, TemplateId,
};
use tessera_wire::event::BANDIT_PREFIX;
use tessera_wire::limits::{
    COMBINATIONS_PER_TEMPLATE_MAX, CONTEXT_FIELD_VALUES_MAX, CONTEXT_FIELDS_MAX, SLOTS_PER_TEMPLATE_MAX,
};
use tessera_wire::program::{FeatureSubject, Program, SegmentId, Span, WordId};
use tessera_wire::signal::Kind;

use super::Builder;
use crate::source::problem::{CatalogCode, Problem};
use crate::source::schema::{Name, RawContext, RawCreative, RawTemplate};
use crate::source::value;

/// Share of uniform choices when the catalog does not say: enough to keep propensities away from zero.
const EXPLORATION_PPM: u32 = 10_000;

impl Builder<'_> {
    pub(super) fn add_template(&mut self, raw: &RawTemplate, compiled: Option<&rulec::Compiled>) {
        if raw.id.get_ref().starts_with(BANDIT_PREFIX) {
            let message = format!("an id that begins with `{BANDIT_PREFIX}` is a bandit's");
            self.problem(Problem::catalog(CatalogCode::BadValue, raw.id.span(), message));
        }
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
        let subject = FeatureSubject::Template(TemplateId(self.catalog.templates.len() as u32));
        let caps = self.add_caps(&raw.id, subject, &raw.caps);
        let template = Template {
            id: self.text(raw.id.get_ref()),
            campaign: CampaignId(campaign),
            width,
            height,
            slots,
            combinations: combinations as u32,
            fields,
            exploration_ppm,
            exclusions: self.add_exclusions(raw, slots, combinations),
            // Added when everything that they may refer to is there.
            contents: Span { first: 0, len: 0 },
            caps,
        };
        self.catalog.templates.push(template);
    }

    /// Pairs of assets that the template never shows together. Every asset must stand in one of its slots.
    fn add_exclusions(&mut self, raw: &RawTemplate, slots: Span, combinations: usize) -> Span {
        let first = self.catalog.exclusions.len() as u32;
        if raw.never_together.is_empty() {
            return Span { first, len: 0 };
        }
        if combinations > EXCLUDING_COMBINATIONS_MAX {
            let message = format!("template `{}` has {combinations} combinations", raw.id.get_ref());
            let help = format!("with `never_together` at most {EXCLUDING_COMBINATIONS_MAX} are allowed");
            self.problem(Problem::catalog(CatalogCode::TooMany, raw.id.span(), message).help(help));
        }
        if raw.never_together.len() > EXCLUSIONS_PER_TEMPLATE_MAX {
            let message = format!("template `{}` excludes too many pairs", raw.id.get_ref());
            let help = format!("at most {EXCLUSIONS_PER_TEMPLATE_MAX} are allowed");
            self.problem(Problem::catalog(CatalogCode::TooMany, raw.id.span(), message).help(help));
        }
        for [one, other] in &raw.never_together {
            let pair = [one, other].map(|name| self.slot_asset(raw, slots, name));
            let [Some(left), Some(right)] = pair else { continue };
            if left == right {
                let message = format!("asset `{}` cannot be kept from itself", one.get_ref());
                self.problem(Problem::catalog(CatalogCode::Inconsistent, other.span(), message));
            }
            self.catalog.exclusions.push((left, right));
        }
        Span { first, len: self.catalog.exclusions.len() as u32 - first }
    }

    /// An asset of one of the template's slots.
    fn slot_asset(&mut self, raw: &RawTemplate, slots: Span, name: &Name) -> Option<AssetId> {
        let asset = AssetId(self.find("asset", name, &self.names.assets)?);
        let catalog = &self.catalog;
        if slots.of(&catalog.slots).iter().any(|slot| catalog.assets_of(slot).contains(&asset)) {
            return Some(asset);
        }
        let message = format!("no slot of template `{}` can hold `{}`", raw.id.get_ref(), name.get_ref());
        self.problem(Problem::catalog(CatalogCode::Inconsistent, name.span(), message));
        None
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

    pub(super) fn unknown(&mut self, what: &str, name: &Name, nearest: Option<&str>) {
        let message = format!("{what} `{}` does not exist", name.get_ref());
        let mut problem = Problem::catalog(CatalogCode::UnknownName, name.span(), message);
        if let Some(nearest) = nearest {
            problem = problem.help(format!("did you mean `{nearest}`?"));
        }
        self.problem(problem);
    }

    pub(super) fn add_creative(&mut self, raw: &RawCreative) {
        let template = self.find("template", &raw.template, &self.names.templates);
        let combination = template.map_or(0, |template| self.combination(raw, template));
        let id = self.text(raw.id.get_ref());
        let subject = FeatureSubject::Creative(CreativeId(self.catalog.creatives.len() as u32));
        let caps = self.add_caps(&raw.id, subject, &raw.caps);
        self.catalog.creatives.push(Creative {
            id,
            template: TemplateId(template.unwrap_or(0)),
            combination,
            caps,
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
}

fn word_of(program: &Program, text: &str) -> Option<WordId> {
    let position = program.dictionary.binary_search_by(|word| word.as_str().cmp(text)).ok()?;
    Some(WordId(position as u32 + 1))
}
