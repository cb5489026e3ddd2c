//! A decision that has been made: what of it goes to the journal, to the counters and to what is paid for.

use smallvec::SmallVec;
use tessera_engine_core::admit::Admitted;
use tessera_engine_core::consent::Regimes;
use tessera_engine_core::decide::{Ad, Decision, Loss, Note};
use tessera_engine_core::inputs::Inputs;
use tessera_engine_core::snapshot::Snapshot;
use tessera_wire::event::{NONE, Served};
use tessera_wire::signal::Gates;

use super::answer::{Answer, language_of};
use super::notes::{first_of, notes_of};
use crate::counters::Counted;

/// One ad of an answer, on its way to the journal and to what is remembered of the visitor.
pub(super) struct Shown<'a> {
    pub(super) served: Served,
    pub(super) ad: &'a Ad,
    /// Whose impressions it adds to; 0 when counting is not allowed.
    pub(super) counted_subject: u128,
    /// May it be remembered which offer was given?
    pub(super) may_hold: bool,
}

/// A decision that has been made, and everything that an answer to it is written from.
pub(super) struct Decided<'a> {
    pub(super) answer: Answer<'a>,
    pub(super) random: u128,
    pub(super) counted_subject: u128,
    pub(super) is_what_if: bool,
}

impl<'a> Decided<'a> {
    /// A request that waited too long and adds to nobody's counts.
    pub(super) fn late(answer: Answer<'a>, random: u128) -> Decided<'a> {
        Decided { answer, random, counted_subject: 0, is_what_if: false }
    }
}

impl Decided<'_> {
    /// What it was made from.
    pub(super) fn inputs(&self, seed: u64) -> Inputs {
        Inputs::of(self.answer.admitted, self.answer.now_ms, seed)
    }

    /// The ad at `index`, for the journal, where it is called `number`.
    pub(super) fn shown(&self, index: usize, number: u16) -> Shown<'_> {
        let Answer { snapshot, admitted, decision, now_ms, .. } = &self.answer;
        let ad = &decision.ads[index];
        let notes = notes_of(decision, index);
        let served =
            served(snapshot, (self.random, *now_ms), admitted, (ad, number), (notes, self.answer.languages));
        let may_hold = admitted.gates().covers(Gates::STORE_ACCESS.or(Gates::ADS_PERSONALIZE));
        Shown { served, ad, counted_subject: self.counted_subject, may_hold }
    }
}

/// Which ads of a decision are paid for.
pub(crate) enum Sold {
    /// Every one: all are in the answer.
    All,
    /// Those at these places.
    These(SmallVec<[usize; 4]>),
    /// None.
    Nothing,
}

/// What the counters want to know of a decision.
pub(super) struct Summary {
    pub(super) counted: Counted,
    pub(super) ads: usize,
    pub(super) is_late: bool,
}

impl Summary {
    pub(super) fn of(decision: &Decision<'_>, admitted: &Admitted<'_>, regimes: Regimes) -> Summary {
        let empty = decision.placements.iter().filter(|placement| placement.ads == 0);
        let counted = Counted {
            tier: decision.tier,
            mode: admitted.mode(),
            regimes,
            reason: admitted.reason(),
            no_fill: empty.map(|placement| placement.no_fill.unwrap_or(Loss::RuleFalse)).collect(),
            cap_checks: decision.cap_checks,
        };
        Summary { counted, ads: decision.ads.len(), is_late: false }
    }

    /// Nobody looked which laws apply.
    pub(super) fn late(decision: &Decision<'_>, admitted: &Admitted<'_>) -> Summary {
        Summary { is_late: true, ..Summary::of(decision, admitted, Regimes::NONE) }
    }
}

fn served(
    snapshot: &Snapshot,
    (decision_id, at_ms): (u128, i64),
    admitted: &Admitted<'_>,
    (ad, number): (&Ad, u16),
    (notes, languages): (&[Note], &[&str]),
) -> Served {
    let catalog = snapshot.bundle().catalog();
    let template = &catalog.templates[ad.template.index()];
    let locale = language_of(catalog, ad, languages).locale();
    let margin = catalog.campaigns[template.campaign.index()].min_margin;
    Served {
        decision_id,
        ad: number,
        at_ms,
        generation: snapshot.bundle().generation(),
        posterior_generation: snapshot.posterior_generation(),
        placement: ad.placement.0,
        campaign: template.campaign.0,
        flight: ad.flight.map_or(NONE, |flight| flight.0),
        cpm_micros: ad
            .flight
            .map_or(0, |flight| snapshot.bundle().catalog().flights[flight.index()].cpm_micros),
        template: ad.template.0,
        combination: ad.combination,
        offer: ad.offer.map_or(NONE, |offer| offer.0),
        offer_at_ms: ad.offer_at_ms,
        item_margin: margin.and_then(|margin| admitted.frame().integer(margin.signal)),
        rule: ad.rule.unwrap_or(NONE),
        locale: locale.map_or(NONE, |locale| locale.0),
        choices: ad.choices,
        variants: first_of(notes, |note| match note {
            Note::Variant(number) => Some(number),
            Note::Tag(_) => None,
        }),
        tags: first_of(notes, |note| match note {
            Note::Tag(number) => Some(number),
            Note::Variant(_) => None,
        }),
        exposure: ad.exposure,
        arm: ad.arm,
        tier: ad.tier,
        mode: admitted.mode(),
        context: ad.context,
        propensity: ad.propensity,
        is_learnable: admitted.is_learnable(),
        subject: admitted.subject(),
    }
}
