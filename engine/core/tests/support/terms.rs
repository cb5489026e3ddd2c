//! On which terms campaigns of made-up worlds give offers, and the slow reading of them.

use std::fmt::Write;

use tessera_wire::signal::Gates;

use super::oracle::{Choice, Visitor};
use super::{Dice, NOW_MS};

/// Offers of every world: discounts of 10 % for an hour and 20 % for a day, and free shipping.
pub(crate) const OFFERS: [&str; 3] = [
    "[[offer]]\nid = \"o0\"\ndiscount = \"10%\"\nvalid_for = \"1h\"\n",
    "[[offer]]\nid = \"o1\"\nfree_shipping = true\n",
    "[[offer]]\nid = \"o2\"\ndiscount = \"20%\"\n",
];
const DISCOUNTS: [Option<i64>; 3] = [Some(10), None, Some(20)];
const TTLS_MS: [i64; 3] = [3_600_000, 86_400_000, 86_400_000];

#[derive(Debug, Clone, Default)]
pub(crate) struct Terms {
    pub(crate) max_discount: Option<i64>,
    pub(crate) min_margin: Option<i64>,
    pub(crate) default_offer: Option<usize>,
    pub(crate) hold: Option<&'static str>,
}

/// An offer with the choice behind it and since when it holds.
pub(crate) type Granted = (u32, Option<Choice>, i64);

/// What rules give, from the best down, and what caps leave of it.
pub(crate) type Offered<'a> = (&'a [(u32, Option<Choice>)], &'a dyn Fn(u32) -> bool);

/// What a visitor may have been given before: campaign, offer, when.
pub(crate) fn held(dice: &mut Dice) -> Vec<(usize, usize, i64)> {
    let ages = [0, 1, 3_599_999, 3_600_000, 86_399_999, 86_400_000, -1, 7_000];
    (0..dice.below(4))
        .map(|_| (dice.below(3) as usize, dice.below(3) as usize, NOW_MS - dice.pick(&ages)))
        .collect()
}

impl Terms {
    pub(crate) fn new(dice: &mut Dice) -> Terms {
        let max_discount = dice.pick(&[None, None, None, Some(10), Some(15), Some(5)]);
        let fits = |offer: &usize| {
            DISCOUNTS[*offer].is_none_or(|discount| Some(discount) <= max_discount.or(Some(100)))
        };
        let default_offer = dice.pick(&[None, None, Some(0), Some(1), Some(2)]);
        Terms {
            max_discount,
            min_margin: dice.pick(&[None, None, Some(25)]),
            default_offer: default_offer.filter(fits),
            hold: dice.pick(&[None, Some("keep"), Some("improve")]),
        }
    }

    pub(crate) fn write(&self, out: &mut String) {
        if let Some(most) = self.max_discount {
            let _ = writeln!(out, "max_discount = \"{most}%\"");
        }
        if let Some(least) = self.min_margin {
            let _ = writeln!(out, "min_margin = \"{least}%\"\nmargin_signal = \"margin\"");
        }
        if let Some(offer) = self.default_offer {
            let _ = writeln!(out, "default_offer = \"o{offer}\"");
        }
        if let Some(hold) = self.hold {
            let _ = writeln!(out, "hold_offers = \"{hold}\"");
        }
    }

    fn allows(&self, visitor: &Visitor, offer: usize) -> bool {
        let is_personal = visitor.gates.covers(Gates::ADS_PERSONALIZE);
        let Some(discount) = DISCOUNTS[offer] else {
            return is_personal || self.default_offer == Some(offer);
        };
        // A hundred sold for what is left of it: the profit as a share of that.
        let keeps = |least: i64| {
            let paid = 100.0 - discount as f64;
            visitor
                .margin
                .is_some_and(|margin| (margin as f64 - discount as f64) / paid >= least as f64 / 100.0 - 1e-9)
        };
        (is_personal || self.default_offer == Some(offer))
            && self.max_discount.is_none_or(|most| discount <= most)
            && self.min_margin.is_none_or(keeps)
    }

    /// What goes with an ad of the campaign, of the offers that rules give from the best down.
    pub(crate) fn granted(
        &self,
        visitor: &Visitor,
        campaign: usize,
        (offered, may_give): Offered<'_>,
    ) -> Option<Granted> {
        let allows = |offer: usize| self.allows(visitor, offer) && may_give(offer as u32);
        let is_personal = visitor.gates.covers(Gates::ADS_PERSONALIZE);
        let by_rules = offered.iter().filter(|_| is_personal).find(|(offer, _)| allows(*offer as usize));
        let by_default = self.default_offer.filter(|offer| allows(*offer));
        let fresh = by_rules
            .map(|(offer, choice)| (*offer, choice.clone(), NOW_MS))
            .or_else(|| by_default.map(|offer| (offer as u32, None, NOW_MS)));
        let Some(hold) =
            self.hold.filter(|_| visitor.gates.covers(Gates::ADS_PERSONALIZE.or(Gates::STORE_ACCESS)))
        else {
            return fresh;
        };
        let mut promised: Option<(usize, i64)> = None;
        for (of, offer, at_ms) in &visitor.held {
            let is_running = *at_ms <= NOW_MS && NOW_MS < at_ms + TTLS_MS[*offer];
            let is_later = promised.is_none_or(|(_, known)| *at_ms >= known);
            if *of == campaign && is_running && is_later && allows(*offer) {
                promised = Some((*offer, *at_ms));
            }
        }
        let Some((promised, at_ms)) = promised else { return fresh };
        let is_larger =
            |offer: u32| DISCOUNTS[promised].is_some() && DISCOUNTS[offer as usize] > DISCOUNTS[promised];
        match fresh {
            Some(fresh) if hold == "improve" && is_larger(fresh.0) => Some(fresh),
            _ => Some((promised as u32, None, at_ms)),
        }
    }
}
