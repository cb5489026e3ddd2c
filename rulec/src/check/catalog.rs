//! Names of the catalog: found by hash, because a catalog can have as many creatives as there are rules that name one.

use std::collections::{HashMap, HashSet};

use ahash::AHashMap;
use tessera_wire::catalog::OfferKind;

use super::Checker;
use crate::ast::Name;
use crate::codes::Code;
use crate::diagnostic::{Diagnostic, Place};
use crate::{Names, OfferName, SlotName};

/// Catalog names by text, to their indices.
pub(super) struct CatalogIndex<'a> {
    placements: AHashMap<&'a str, u32>,
    templates: AHashMap<&'a str, u32>,
    creatives: AHashMap<&'a str, u32>,
    campaigns: AHashMap<&'a str, u32>,
    assets: AHashMap<&'a str, u32>,
    offers: AHashMap<&'a str, u32>,
    /// The first offer of each kind (by its number) and value.
    offers_by_value: HashMap<(isize, i64), u32>,
    /// Assets of all slots of a name.
    slots: AHashMap<&'a str, HashSet<u32>>,
    slots_of_templates: AHashMap<(u32, &'a str), &'a SlotName>,
}

impl<'a> CatalogIndex<'a> {
    pub(super) fn new(names: &'a Names) -> CatalogIndex<'a> {
        let index = |list: &'a [String]| {
            let mut index = AHashMap::with_capacity(list.len());
            for (name, number) in list.iter().zip(0u32..) {
                index.entry(name.as_str()).or_insert(number);
            }
            index
        };
        let (mut offers, mut offers_by_value) = (AHashMap::new(), HashMap::new());
        for (offer, number) in names.offers.iter().zip(0u32..) {
            offers.entry(offer.id.as_str()).or_insert(number);
            offers_by_value.entry((offer.kind as isize, offer.value)).or_insert(number);
        }
        let mut slots: AHashMap<&str, HashSet<u32>> = AHashMap::new();
        let mut slots_of_templates = AHashMap::new();
        for slot in &names.slots {
            slots.entry(&slot.name).or_default().extend(&slot.assets);
            slots_of_templates.entry((slot.template, slot.name.as_str())).or_insert(slot);
        }
        CatalogIndex {
            placements: index(&names.placements),
            templates: index(&names.templates),
            creatives: index(&names.creatives),
            campaigns: index(&names.campaigns),
            assets: index(&names.assets),
            offers,
            offers_by_value,
            slots,
            slots_of_templates,
        }
    }

    pub(super) fn asset(&self, id: &str) -> Option<u32> {
        self.assets.get(id).copied()
    }

    pub(super) fn offer_of(&self, kind: OfferKind, value: i64) -> Option<u32> {
        self.offers_by_value.get(&(kind as isize, value)).copied()
    }
}

impl Checker<'_> {
    pub(super) fn placement(&mut self, name: &Name) -> Option<u32> {
        let found = self.catalog.placements.get(name.text.as_str()).copied();
        found.or_else(|| self.report_unknown("placement", name, &self.names.placements))
    }

    pub(super) fn template(&mut self, name: &Name) -> Option<u32> {
        let found = self.catalog.templates.get(name.text.as_str()).copied();
        found.or_else(|| self.report_unknown("template", name, &self.names.templates))
    }

    pub(super) fn creative(&mut self, name: &Name) -> Option<u32> {
        let found = self.catalog.creatives.get(name.text.as_str()).copied();
        found.or_else(|| self.report_unknown("creative", name, &self.names.creatives))
    }

    pub(super) fn campaign(&mut self, name: &Name) -> Option<u32> {
        let found = self.catalog.campaigns.get(name.text.as_str()).copied();
        found.or_else(|| self.report_unknown("campaign", name, &self.names.campaigns))
    }

    fn asset(&mut self, name: &Name) -> Option<u32> {
        let found = self.catalog.assets.get(name.text.as_str()).copied();
        found.or_else(|| self.report_unknown("asset", name, &self.names.assets))
    }

    /// An offer by its id, perhaps of one kind only.
    pub(super) fn offer_id(&mut self, name: &Name, kind: Option<OfferKind>) -> Option<u32> {
        let of_kind = |offer: &&OfferName| kind.is_none_or(|kind| offer.kind == kind);
        let found = self.catalog.offers.get(name.text.as_str()).copied();
        let offers = &self.names.offers;
        if let Some(found) = found.filter(|found| offers.get(*found as usize).as_ref().is_some_and(of_kind)) {
            return Some(found);
        }
        let near = self.near(&name.text, offers.iter().filter(of_kind).map(|offer| offer.id.as_str()));
        let what = if kind.is_some() { "bundle offer" } else { "offer" };
        self.report_missing(what, name, near);
        None
    }

    /// A slot of some template and an asset that can fill it.
    pub(super) fn pinned(&mut self, slot: &Name, asset: &Name) -> Option<u32> {
        let Some(assets) = self.catalog.slots.get(slot.text.as_str()) else {
            let keyword = self.near(&slot.text, ["creative", "template"].into_iter());
            if let Some(meant) = keyword {
                self.sink.push(Diagnostic::misspelt(slot.place, &slot.text, meant));
                return None;
            }
            let near = self.near(&slot.text, self.names.slots.iter().map(|slot| slot.name.as_str()));
            let message = format!("there is no slot `{}` in the catalog", slot.text);
            self.sink.push(Diagnostic::new(Code::E046, slot.place, message).did_you_mean(near));
            return None;
        };
        let fits = self.catalog.assets.get(asset.text.as_str()).is_some_and(|id| assets.contains(id));
        let id = self.asset(asset)?;
        if !fits {
            let message = format!("asset \"{}\" does not belong to any slot `{}`", asset.text, slot.text);
            self.sink.push(Diagnostic::new(Code::E046, asset.place, message));
            return None;
        }
        Some(id)
    }

    /// Has the template this slot, and can the asset fill it?
    pub(super) fn fits(&self, template: u32, slot: &str, asset: u32) -> bool {
        let found = self.catalog.slots_of_templates.get(&(template, slot));
        found.is_some_and(|slot| slot.assets.contains(&asset))
    }

    /// There is nothing of this name in the catalog.
    fn report_unknown(&mut self, what: &str, name: &Name, known: &[String]) -> Option<u32> {
        let near = self.near(&name.text, known.iter().map(String::as_str));
        self.report_missing(what, name, near);
        None
    }

    fn report_missing(&mut self, what: &str, name: &Name, near: Option<&str>) {
        let message = format!("there is no {what} \"{}\" in the catalog", name.text);
        self.sink.push(Diagnostic::new(Code::E046, name.place, message).did_you_mean(near));
    }

    pub(super) fn report_no_offer(&mut self, place: Place, message: String, help: String) {
        self.sink.push(Diagnostic::new(Code::E046, place, message).help(help));
    }
}
