//! Actions: names of the catalog, what fills parameters, what bandits choose from.

use std::collections::BTreeSet;

use tessera_wire::catalog::{AssetId, CreativeId, OfferId, OfferKind, TemplateId};
use tessera_wire::program::Action as Plain;

use super::Checker;
use crate::ast::{ActionItem, ActionKind, Bind, BindValue, Name};
use crate::codes::Code;
use crate::diagnostic::{Diagnostic, Place};
use crate::hir::{Action, Bound, Type};
use crate::print;

impl Checker<'_> {
    /// One list of actions that are all done.
    pub(super) fn actions(&mut self, items: &[ActionItem]) -> Option<Vec<Action>> {
        let mut actions = Vec::with_capacity(items.len());
        let mut is_right = true;
        for item in items {
            is_right &= self.action(item, &mut actions).is_some();
        }
        is_right.then(|| self.pins_that_fit(items, actions)).flatten()
    }

    /// Appends what one item does.
    pub(super) fn action(&mut self, item: &ActionItem, actions: &mut Vec<Action>) -> Option<()> {
        let plain = match &item.kind {
            ActionKind::ShowTemplate(name, binds) => {
                let shown = self.template(name).map(|id| Action::Plain(Plain::ShowTemplate(TemplateId(id))));
                let binds: Vec<Option<Action>> = binds.iter().map(|bind| self.bind(bind)).collect();
                actions.push(shown?);
                actions.extend(binds.into_iter().collect::<Option<Vec<_>>>()?);
                return Some(());
            }
            ActionKind::ShowCreative(name) => Plain::ShowCreative(CreativeId(self.creative(name)?)),
            ActionKind::Pin { slot, asset } => {
                let asset = AssetId(self.pinned(slot, asset)?);
                actions.push(Action::Pin { slot: slot.text.clone(), asset });
                return Some(());
            }
            ActionKind::OfferDiscount(percent) => {
                self.offer_of(item.place, OfferKind::DiscountPercent, *percent)?
            }
            ActionKind::OfferFreeShipping => self.offer_of(item.place, OfferKind::FreeShipping, 0)?,
            ActionKind::OfferBundle(name) => {
                Plain::Offer(OfferId(self.offer_id(name, Some(OfferKind::Bundle))?))
            }
            ActionKind::OfferNamed(name) => Plain::Offer(OfferId(self.offer_id(name, None)?)),
            ActionKind::Choose { bandit, arms } => {
                let choice = self.choice(bandit, arms)?;
                actions.push(choice);
                return Some(());
            }
            ActionKind::Suppress => Plain::Suppress,
            ActionKind::Tag(name) => {
                actions.push(Action::Tag(name.text.clone()));
                return Some(());
            }
        };
        actions.push(Action::Plain(plain));
        Some(())
    }

    fn bind(&mut self, bind: &Bind) -> Option<Action> {
        let value = match &bind.value {
            BindValue::Text(text) => Bound::Text(text.text.clone()),
            BindValue::Attribute(name) => {
                let attribute = self.attribute(name)?;
                if matches!(self.vocabulary.entry(attribute).ty, Type::Set | Type::SetOf(_)) {
                    self.mismatch(attribute, name.place, "a parameter takes one value");
                    return None;
                }
                Bound::Signal(self.vocabulary.signal(attribute))
            }
        };
        Some(Action::Bind { parameter: bind.parameter.text.clone(), value })
    }

    /// Arms are told apart by what they do.
    fn choice(&mut self, bandit: &Name, items: &[ActionItem]) -> Option<Action> {
        let mut arms = Vec::with_capacity(items.len());
        let mut is_right = true;
        let mut seen = BTreeSet::new();
        for item in items {
            let before = arms.len();
            is_right &= self.action(item, &mut arms).is_some();
            if let Some(arm) = arms.get(before)
                && !seen.insert(format!("{arm:?}"))
            {
                is_right = false;
                self.sink.push(Diagnostic::new(Code::E034, item.place, "this arm is given twice"));
            }
        }
        is_right.then(|| Action::Choose { bandit: bandit.text.clone(), arms })
    }

    /// A pin beside a template must fit that template; alone it fits whatever is shown.
    fn pins_that_fit(&mut self, items: &[ActionItem], actions: Vec<Action>) -> Option<Vec<Action>> {
        let shown = actions.iter().find_map(|action| match action {
            Action::Plain(Plain::ShowTemplate(template)) => Some(template.0),
            _ => None,
        });
        let Some(template) = shown else { return Some(actions) };
        let mut is_right = true;
        for item in items {
            let ActionKind::Pin { slot, asset } = &item.kind else { continue };
            let id = self.catalog.asset(&asset.text);
            let has_both = id.is_some_and(|id| self.fits(template, &slot.text, id));
            if !has_both {
                is_right = false;
                let message = format!(
                    "the template that is shown has no slot `{}` with asset \"{}\"",
                    slot.text, asset.text
                );
                self.sink.push(Diagnostic::new(Code::E046, item.place, message));
            }
        }
        is_right.then_some(actions)
    }

    /// The first offer of this kind and value.
    fn offer_of(&mut self, place: Place, kind: OfferKind, value: i64) -> Option<Plain> {
        if let Some(index) = self.catalog.offer_of(kind, value) {
            return Some(Plain::Offer(OfferId(index)));
        }
        let (message, help) = if kind == OfferKind::DiscountPercent {
            let known = self.names.offers.iter().filter(|offer| offer.kind == kind);
            let known: Vec<String> =
                known.take(20).map(|offer| format!("{}%", print::number(offer.value))).collect();
            let help = format!("the catalog's discounts are: {}", known.join(", "));
            (format!("there is no discount of {}% in the catalog", print::number(value)), help)
        } else {
            let help = "add an offer of kind free_shipping to the catalog".to_owned();
            ("the catalog has no free shipping offer".to_owned(), help)
        };
        self.report_no_offer(place, message, help);
        None
    }
}
