//! The catalog that rule files take for granted: every placement, template, creative, offer, campaign and slot they name.
//!
//! For looking at rules without their catalog: everything but the names themselves can then be checked. Cost: linear.

use std::collections::{HashMap, HashSet};

use tessera_wire::catalog::OfferKind;

use crate::ast::{
    ActionItem, ActionKind, Cond, CondKind, Count, CountedSubject, ExpectKind, File, Given, Name,
};
use crate::diagnostic::{Sink, SourceFile};
use crate::{Names, OfferName, SlotName, parser};

/// The names that these files use, in order of first use.
pub fn assumed_names(files: &[SourceFile]) -> Names {
    let mut assumed = Assumed::default();
    let mut sink = Sink::default();
    parser::parse_all(files, &mut sink).iter().for_each(|file| assumed.file(file));
    let mut names = assumed.names;
    if names.placements.is_empty() {
        names.placements.push("everywhere".to_owned());
    }
    names
}

/// What has a list of names of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum What {
    Placement,
    Template,
    Creative,
    Campaign,
    Asset,
    Offer,
}

#[derive(Default)]
struct Assumed {
    names: Names,
    known: HashMap<(What, String), u32>,
    /// Positions of slots by template and name.
    slots: HashMap<(u32, String), usize>,
    /// Slots and the assets that they have.
    filled: HashSet<(usize, u32)>,
}

impl Assumed {
    fn file(&mut self, file: &File) {
        for segment in &file.segments {
            segment.conditions.iter().for_each(|condition| self.conditions(condition));
        }
        for rule in &file.rules {
            self.names_of(What::Placement, &rule.placements);
            rule.whens.iter().chain(&rule.unlesses).for_each(|condition| self.conditions(condition));
            for tier in &rule.tiers {
                tier.condition.iter().for_each(|condition| self.conditions(condition));
                self.actions(&tier.actions);
                tier.split.iter().flat_map(|split| &split.arms).for_each(|arm| self.actions(&arm.actions));
            }
            rule.otherwise.iter().for_each(|items| self.actions(items));
        }
        for test in &file.tests {
            self.names_of(What::Placement, test.placement.as_slice());
            for given in &test.given {
                if let Given::Count(what, _) = given {
                    self.count(what);
                }
            }
            for expect in &test.expects {
                if let ExpectKind::Action(action) = &expect.kind {
                    self.actions(std::slice::from_ref(action));
                }
            }
        }
    }

    fn conditions(&mut self, condition: &Cond) {
        match &condition.kind {
            CondKind::Not(inner) | CondKind::Definitely(inner) | CondKind::Possibly(inner) => {
                self.conditions(inner);
            }
            CondKind::And(parts) | CondKind::Or(parts) => {
                parts.iter().for_each(|part| self.conditions(part));
            }
            CondKind::Count(what, _) => self.count(what),
            CondKind::Segment(_) | CondKind::Test(..) | CondKind::Bucket(..) | CondKind::Active(_) => {}
        }
    }

    fn count(&mut self, count: &Count) {
        let (what, name) = match &count.subject {
            CountedSubject::Campaign(name) => (What::Campaign, name),
            CountedSubject::Template(name) => (What::Template, name),
            CountedSubject::Creative(name) => (What::Creative, name),
            CountedSubject::Offer(name) => return self.offer(&name.text, OfferKind::Bundle, 0),
            CountedSubject::Any | CountedSubject::Rule(_) | CountedSubject::ThisRule(_) => return,
        };
        self.name(what, &name.text);
    }

    /// Actions that are done together: what is pinned belongs to the templates that are shown.
    fn actions(&mut self, items: &[ActionItem]) {
        let mut shown = Vec::new();
        for item in items {
            match &item.kind {
                ActionKind::ShowTemplate(name, _) => shown.push(self.name(What::Template, &name.text)),
                ActionKind::ShowCreative(name) => self.names_of(What::Creative, std::slice::from_ref(name)),
                ActionKind::OfferDiscount(percent) => {
                    let id = format!("discount {}%", crate::print::number(*percent));
                    self.offer(&id, OfferKind::DiscountPercent, *percent);
                }
                ActionKind::OfferFreeShipping => self.offer("free_shipping", OfferKind::FreeShipping, 0),
                ActionKind::OfferBundle(name) | ActionKind::OfferNamed(name) => {
                    self.offer(&name.text, OfferKind::Bundle, 0);
                }
                ActionKind::Choose { arms, .. } => self.actions(arms),
                ActionKind::Pin { .. } | ActionKind::Suppress | ActionKind::Tag(_) => {}
            }
        }
        // Two templates in one list are a mistake that the checker tells; one of them is enough here.
        let template = shown.first().copied();
        for item in items {
            if let ActionKind::Pin { slot, asset } = &item.kind {
                self.pin(template, &slot.text, &asset.text);
            }
        }
    }

    fn pin(&mut self, template: Option<u32>, slot: &str, asset: &str) {
        // Whatever else is shown may have the slot: then it belongs to some template.
        let template = template.unwrap_or_else(|| {
            if self.names.templates.is_empty() { self.name(What::Template, "any template") } else { 0 }
        });
        let asset = self.name(What::Asset, asset);
        let slots = &mut self.names.slots;
        let position = *self.slots.entry((template, slot.to_owned())).or_insert_with(|| {
            slots.push(SlotName { template, name: slot.to_owned(), assets: Vec::new() });
            slots.len() - 1
        });
        if self.filled.insert((position, asset))
            && let Some(slot) = slots.get_mut(position)
        {
            slot.assets.push(asset);
        }
    }

    fn offer(&mut self, id: &str, kind: OfferKind, value: i64) {
        let before = self.known.len();
        self.name(What::Offer, id);
        if self.known.len() > before {
            self.names.offers.push(OfferName { id: id.to_owned(), kind, value });
        }
    }

    fn names_of(&mut self, what: What, names: &[Name]) {
        for name in names {
            self.name(what, &name.text);
        }
    }

    /// The position of a name in its list, where it is put on first use.
    fn name(&mut self, what: What, name: &str) -> u32 {
        let list = match what {
            What::Placement => Some(&mut self.names.placements),
            What::Template => Some(&mut self.names.templates),
            What::Creative => Some(&mut self.names.creatives),
            What::Campaign => Some(&mut self.names.campaigns),
            What::Asset => Some(&mut self.names.assets),
            What::Offer => None,
        };
        let next = list.as_ref().map_or(self.names.offers.len(), |list| list.len()) as u32;
        *self.known.entry((what, name.to_owned())).or_insert_with(|| {
            list.into_iter().for_each(|list| list.push(name.to_owned()));
            next
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_pinned_belongs_to_the_template_beside_it() {
        let text = "rule \"a\" for placement \"p\" { then show template \"t\" }\n\
            rule \"b\" { then show template \"u\" and show image \"i\" and show image \"j\" }\n\
            rule \"c\" { then show image \"i\" }\n\
            rule \"d\" fallback { then show creative \"x\" and offer \"o\" and offer \"o\" }\n";
        let files = [SourceFile { path: "x.rules".to_owned(), text: text.to_owned() }];
        let names = assumed_names(&files);
        let slot =
            |template, assets: &[u32]| SlotName { template, name: "image".into(), assets: assets.into() };
        assert_eq!(names.slots, [slot(1, &[0, 1]), slot(0, &[0])]);
        assert_eq!((names.templates.len(), names.assets.len(), names.offers.len()), (2, 2, 1));
        assert!(crate::compile(&files, &names, &[]).is_ok());
    }
}
