//! Names: a small number for every text id that rollups and statistics are keyed by.
//!
//! Guarantees: a name keeps its number for the life of the store, whatever happens to the order of assets, labels or
//! campaigns in later bundles; numbers handed out since the last commit are saved by the next one.
//!
//! Cost: one hash look-up per name of a generation, none per event.

use std::sync::Arc;

use ahash::AHashMap;
use tessera_wire::event::{Generation, TemplateNames};
use tessera_wire::limits::{CONTEXT_FIELDS_MAX, SLOTS_PER_TEMPLATE_MAX};

/// The context field whose value is the "segment" of reports.
pub const SEGMENT_FIELD: &str = "segment";
/// The segment of ads without a template, without a segment field, or with its unknown level.
pub const NO_SEGMENT: &str = "none";

/// Number of a name in one store.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, serde::Serialize, serde::Deserialize,
)]
pub struct NameId(pub u32);

/// What a name names. The codes are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum NameKind {
    /// A campaign; the empty text stands for "no campaign".
    Campaign = 1,
    /// A template.
    Template = 2,
    /// A segment of reports.
    Segment = 3,
    /// An asset; its owner is the slot.
    Asset = 4,
    /// A context value; its owner is the field.
    Label = 5,
    /// A behaviour event's name.
    Behaviour = 6,
    /// A placement.
    Placement = 7,
    /// A flight.
    Flight = 8,
    /// An offer.
    Offer = 9,
    /// A rule.
    Rule = 10,
    /// A language tag.
    Locale = 11,
    /// An experiment, or a split of rules.
    Experiment = 12,
    /// A variant or arm; its owner is the experiment or split.
    Variant = 13,
}

/// A name as the store knows it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Name {
    /// Code of a [`NameKind`].
    pub kind: u8,
    /// Slot of an asset, field of a label, experiment of a variant, otherwise empty.
    pub owner: String,
    /// The text id.
    pub text: String,
}

/// The numbers of all names, mirrored from the store.
#[derive(Debug, Default)]
pub struct Names {
    ids: AHashMap<Name, NameId>,
    unsaved: Vec<(NameId, Name)>,
    next: u32,
}

impl Names {
    /// The names of a store.
    pub fn from_saved(saved: Vec<(NameId, Name)>) -> Names {
        let next = saved.iter().map(|(id, _)| id.0 + 1).max().unwrap_or(1);
        Names { ids: saved.into_iter().map(|(id, name)| (name, id)).collect(), unsaved: Vec::new(), next }
    }

    /// The number of a name, new if it was never seen.
    pub fn id(&mut self, kind: NameKind, owner: &str, text: &str) -> NameId {
        let name = Name { kind: kind as u8, owner: owner.to_owned(), text: text.to_owned() };
        if let Some(id) = self.ids.get(&name) {
            return *id;
        }
        let id = NameId(self.next.max(1));
        self.next = id.0 + 1;
        self.unsaved.push((id, name.clone()));
        self.ids.insert(name, id);
        id
    }

    /// The number of a name that has been seen before.
    pub fn find(&self, kind: NameKind, owner: &str, text: &str) -> Option<NameId> {
        self.ids.get(&Name { kind: kind as u8, owner: owner.to_owned(), text: text.to_owned() }).copied()
    }

    /// How many names of a kind exist. Looks at every name.
    pub fn count(&self, kind: NameKind) -> usize {
        self.ids.keys().filter(|name| name.kind == kind as u8).count()
    }

    /// Names handed out since the last call; whoever takes them must save them.
    pub fn take_unsaved(&mut self) -> Vec<(NameId, Name)> {
        std::mem::take(&mut self.unsaved)
    }
}

/// A short list of names: a context (one label per field) or a combination (one asset per slot).
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, serde::Serialize, serde::Deserialize,
)]
pub struct NameList {
    len: u8,
    ids: [NameId; NAME_LIST_MAX],
}

const NAME_LIST_MAX: usize =
    if CONTEXT_FIELDS_MAX > SLOTS_PER_TEMPLATE_MAX { CONTEXT_FIELDS_MAX } else { SLOTS_PER_TEMPLATE_MAX };

impl NameList {
    /// Appends a name; one more than fit is ignored, which the limits of templates rule out.
    pub fn push(&mut self, id: NameId) {
        if let Some(place) = self.ids.get_mut(usize::from(self.len)) {
            *place = id;
            self.len += 1;
        }
    }

    /// The names.
    pub fn ids(&self) -> &[NameId] {
        &self.ids[..usize::from(self.len).min(NAME_LIST_MAX)]
    }

    /// The stored form: four little-endian bytes per name.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.ids().iter().flat_map(|id| id.0.to_le_bytes()).collect()
    }

    /// Reads the stored form.
    pub fn from_bytes(bytes: &[u8]) -> NameList {
        let mut list = NameList::default();
        for chunk in bytes.as_chunks::<4>().0 {
            list.push(NameId(u32::from_le_bytes(*chunk)));
        }
        list
    }
}

/// One generation's names as numbers, so that folding an event compares no text.
#[derive(Debug)]
pub struct GenerationNames {
    /// Which generation.
    pub generation: u64,
    /// Campaigns by index.
    pub campaigns: Vec<NameId>,
    /// Templates by index.
    pub templates: Vec<TemplateShape>,
    /// Placements by index.
    pub placements: Vec<NameId>,
    /// Flights by index.
    pub flights: Vec<NameId>,
    /// Offers by index.
    pub offers: Vec<NameId>,
    /// Rules by index.
    pub rules: Vec<NameId>,
    /// Languages by index.
    pub locales: Vec<NameId>,
    /// Experiments by index: their own name and those of their variants.
    pub experiments: Vec<(NameId, Vec<NameId>)>,
    /// Arms of splits by index: the split and the arm.
    pub splits: Vec<(NameId, NameId)>,
    /// The campaign of ads without one.
    pub no_campaign: NameId,
    /// The segment of ads without one.
    pub no_segment: NameId,
}

/// A template's names as numbers and text.
#[derive(Debug)]
pub struct TemplateShape {
    /// The template.
    pub template: NameId,
    /// Assets by slot.
    pub slots: Vec<Vec<NameId>>,
    /// Labels by field; the first is the unknown level.
    pub fields: Vec<Vec<NameId>>,
    /// Index of the segment field.
    pub segment_field: Option<usize>,
    /// Segments by value of that field.
    pub segments: Vec<NameId>,
    /// The texts, which the posterior table carries.
    pub names: TemplateNames,
}

impl GenerationNames {
    /// Numbers the names of a generation record.
    pub fn new(generation: &Generation, names: &mut Names) -> Arc<GenerationNames> {
        let campaigns =
            generation.campaigns.iter().map(|c| names.id(NameKind::Campaign, "", &c.id)).collect();
        let templates = generation.templates.iter().map(|t| TemplateShape::new(t, names)).collect();
        let mut list = |kind: NameKind, texts: &[String]| -> Vec<NameId> {
            texts.iter().map(|text| names.id(kind, "", text)).collect()
        };
        let placements = list(NameKind::Placement, &generation.placements);
        let flights = list(NameKind::Flight, &generation.flights);
        let offers = list(NameKind::Offer, &generation.offers);
        let rules = list(NameKind::Rule, &generation.rules);
        let locales = list(NameKind::Locale, &generation.locales);
        Arc::new(GenerationNames {
            generation: generation.generation,
            campaigns,
            templates,
            placements,
            flights,
            offers,
            rules,
            locales,
            experiments: experiments(generation, names),
            splits: splits(generation, names),
            no_campaign: names.id(NameKind::Campaign, "", ""),
            no_segment: names.id(NameKind::Segment, "", NO_SEGMENT),
        })
    }
}

fn experiments(generation: &Generation, names: &mut Names) -> Vec<(NameId, Vec<NameId>)> {
    let numbered = generation.experiments.iter().map(|experiment| {
        let variants = experiment
            .variants
            .iter()
            .map(|text| names.id(NameKind::Variant, &experiment.id, text))
            .collect();
        (names.id(NameKind::Experiment, "", &experiment.id), variants)
    });
    numbered.collect()
}

fn splits(generation: &Generation, names: &mut Names) -> Vec<(NameId, NameId)> {
    let numbered = generation.variants.iter().map(|(split, arm)| {
        (names.id(NameKind::Experiment, "", split), names.id(NameKind::Variant, split, arm))
    });
    numbered.collect()
}

impl TemplateShape {
    /// Numbers the names of a template.
    pub fn new(template: &TemplateNames, names: &mut Names) -> TemplateShape {
        let numbered = |owned: &[(String, Vec<String>)], kind: NameKind, names: &mut Names| {
            let owners = owned.iter();
            owners
                .map(|(owner, texts)| texts.iter().map(|text| names.id(kind, owner, text)).collect())
                .collect()
        };
        let slots = numbered(&template.slots, NameKind::Asset, names);
        let fields = numbered(&template.fields, NameKind::Label, names);
        let segment_field = template.fields.iter().position(|(name, _)| name == SEGMENT_FIELD);
        let labels = segment_field.map_or(&[][..], |field| &template.fields[field].1);
        let segments = labels
            .iter()
            .enumerate()
            .map(|(value, label)| {
                names.id(NameKind::Segment, "", if value == 0 { NO_SEGMENT } else { label })
            })
            .collect();
        TemplateShape {
            template: names.id(NameKind::Template, "", &template.id),
            slots,
            fields,
            segment_field,
            segments,
            names: template.clone(),
        }
    }

    /// The assets of a combination number, or `None` when there is no such combination.
    pub fn combination(&self, combination: u32) -> Option<NameList> {
        let mut choice = [0usize; SLOTS_PER_TEMPLATE_MAX];
        let mut rest = combination as usize;
        if self.slots.is_empty() || self.slots.len() > choice.len() {
            return None;
        }
        for (slot, assets) in self.slots.iter().enumerate().rev() {
            choice[slot] = rest.checked_rem(assets.len())?;
            rest /= assets.len();
        }
        let mut list = NameList::default();
        for (assets, item) in self.slots.iter().zip(choice) {
            list.push(assets[item]);
        }
        (rest == 0).then_some(list)
    }

    /// The labels of a context, or `None` when a value has no label.
    pub fn context(&self, context: &[u8; CONTEXT_FIELDS_MAX]) -> Option<NameList> {
        let mut list = NameList::default();
        for (labels, value) in self.fields.iter().zip(context) {
            list.push(*labels.get(usize::from(*value))?);
        }
        Some(list)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_survive_saving_and_new_ones_do_not_collide() {
        let mut names = Names::default();
        let a = names.id(NameKind::Asset, "image", "a");
        assert_ne!(a, names.id(NameKind::Asset, "headline", "a"));
        assert_ne!(a, names.id(NameKind::Label, "image", "a"));
        let mut again = Names::from_saved(names.take_unsaved());
        assert_eq!(again.id(NameKind::Asset, "image", "a"), a);
        assert!(again.take_unsaved().is_empty());
        let fresh = again.id(NameKind::Asset, "image", "b");
        assert!(fresh.0 > 3);
    }

    #[test]
    fn combination_numbers_run_with_the_last_slot_fastest() {
        let mut names = Names::default();
        let template = TemplateNames {
            id: "t".into(),
            campaign: 0,
            slots: vec![
                ("image".into(), vec!["a".into(), "b".into()]),
                ("cta".into(), vec!["x".into(), "y".into(), "z".into()]),
            ],
            fields: vec![("segment".into(), vec!["?".into(), "sport".into()])],
        };
        let shape = TemplateShape::new(&template, &mut names);
        let list = shape.combination(4).unwrap();
        assert_eq!(list.ids(), [shape.slots[0][1], shape.slots[1][1]]);
        assert_eq!(shape.combination(6), None);
        assert_eq!(NameList::from_bytes(&list.to_bytes()), list);
        assert_eq!(shape.context(&[2, 0, 0, 0, 0, 0, 0, 0]), None);
        assert_eq!(shape.segments[0], names.id(NameKind::Segment, "", NO_SEGMENT));
    }
}
