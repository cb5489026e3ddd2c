//! The catalog that rule files take for granted: every placement, template, creative, offer, campaign and slot they name.
//!
//! For looking at rules without their catalog: everything but the names themselves can then be checked.

use tessera_wire::catalog::OfferKind;

use crate::ast::{ActionItem, ActionKind, Cond, CondKind, Count, CountedSubject, ExpectKind, File, Given};
use crate::diagnostic::{Sink, SourceFile};
use crate::{Names, OfferName, SlotName, parser};

/// The names that these files use, in order of first use.
pub fn assumed_names(files: &[SourceFile]) -> Names {
    let mut names = Names::default();
    let mut sink = Sink::default();
    for file in parser::parse_all(files, &mut sink) {
        collect(&file, &mut names);
    }
    if names.placements.is_empty() {
        names.placements.push("everywhere".to_owned());
    }
    names
}

fn collect(file: &File, names: &mut Names) {
    for segment in &file.segments {
        segment.conditions.iter().for_each(|condition| conditions(condition, names));
    }
    for rule in &file.rules {
        rule.placements.iter().for_each(|name| add(&mut names.placements, &name.text));
        rule.whens.iter().chain(&rule.unlesses).for_each(|condition| conditions(condition, names));
        for tier in &rule.tiers {
            tier.condition.iter().for_each(|condition| conditions(condition, names));
            actions(&tier.actions, names);
            tier.split.iter().flat_map(|split| &split.arms).for_each(|arm| actions(&arm.actions, names));
        }
        rule.otherwise.iter().for_each(|items| actions(items, names));
    }
    for test in &file.tests {
        test.placement.iter().for_each(|name| add(&mut names.placements, &name.text));
        for given in &test.given {
            if let Given::Count(what, _) = given {
                count(what, names);
            }
        }
        for expect in &test.expects {
            if let ExpectKind::Action(action) = &expect.kind {
                actions(std::slice::from_ref(action), names);
            }
        }
    }
}

fn conditions(condition: &Cond, names: &mut Names) {
    match &condition.kind {
        CondKind::Not(inner) | CondKind::Definitely(inner) | CondKind::Possibly(inner) => {
            conditions(inner, names);
        }
        CondKind::And(parts) | CondKind::Or(parts) => parts.iter().for_each(|part| conditions(part, names)),
        CondKind::Count(what, _) => count(what, names),
        CondKind::Segment(_) | CondKind::Test(..) | CondKind::Bucket(..) | CondKind::Active(_) => {}
    }
}

fn count(count: &Count, names: &mut Names) {
    match &count.subject {
        CountedSubject::Campaign(name) => add(&mut names.campaigns, &name.text),
        CountedSubject::Template(name) => add(&mut names.templates, &name.text),
        CountedSubject::Creative(name) => add(&mut names.creatives, &name.text),
        CountedSubject::Offer(name) => offer(names, &name.text, OfferKind::Bundle, 0),
        CountedSubject::Any | CountedSubject::Rule(_) | CountedSubject::ThisRule(_) => {}
    }
}

fn actions(items: &[ActionItem], names: &mut Names) {
    for item in items {
        match &item.kind {
            ActionKind::ShowTemplate(name, _) => add(&mut names.templates, &name.text),
            ActionKind::ShowCreative(name) => add(&mut names.creatives, &name.text),
            ActionKind::Pin { slot, asset } => pin(names, &slot.text, &asset.text),
            ActionKind::OfferDiscount(percent) => {
                let id = format!("discount {}%", crate::print::number(*percent));
                offer(names, &id, OfferKind::DiscountPercent, *percent);
            }
            ActionKind::OfferFreeShipping => offer(names, "free_shipping", OfferKind::FreeShipping, 0),
            ActionKind::OfferBundle(name) | ActionKind::OfferNamed(name) => {
                offer(names, &name.text, OfferKind::Bundle, 0);
            }
            ActionKind::Choose { arms, .. } => actions(arms, names),
            ActionKind::Suppress | ActionKind::Tag(_) => {}
        }
    }
}

fn add(list: &mut Vec<String>, name: &str) {
    if !list.iter().any(|known| known == name) {
        list.push(name.to_owned());
    }
}

fn offer(names: &mut Names, id: &str, kind: OfferKind, value: i64) {
    if !names.offers.iter().any(|offer| offer.id == id) {
        names.offers.push(OfferName { id: id.to_owned(), kind, value });
    }
}

/// A slot belongs to some template; which one makes no difference to a pin.
fn pin(names: &mut Names, slot: &str, asset: &str) {
    if names.templates.is_empty() {
        names.templates.push("any template".to_owned());
    }
    add(&mut names.assets, asset);
    let asset = names.assets.iter().position(|known| known == asset).unwrap_or(0) as u32;
    match names.slots.iter_mut().find(|known| known.name == slot) {
        Some(known) if known.assets.contains(&asset) => {}
        Some(known) => known.assets.push(asset),
        None => names.slots.push(SlotName { template: 0, name: slot.to_owned(), assets: vec![asset] }),
    }
}
