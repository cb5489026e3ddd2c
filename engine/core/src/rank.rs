//! Candidates of rules of equal priority, ranked by what their flights promise: class, then priority, then weight.
//!
//! Rules say what is best for the visitor; where they rank two candidates equal, flights decide. All rules of one priority
//! that are asked speak together, and each place goes to the first rank among their candidates that can be shown. Within
//! a rank those with weights are drawn from, each with its weight's share; without weights the order of rules decides.
//! Which flight carries a candidate is eligibility's: of a campaign's flights the first that can, and those are sorted by rank.
//!
//! A catalog whose flights have none of the three never comes here. Cost: each candidate's eligibility once per ad that
//! is shown; no allocation, at most [`RANKED_CANDIDATES_MAX`] candidates at once. The same seed gives the same draw.

use tessera_wire::catalog::{Flight, FlightId};
use tessera_wire::event::ArmChoice;
use tessera_wire::program::{Action, Rule, RuleClass, RuleId};

use crate::decide::{Ad, Loss};
use crate::hash::{below, draw};
use crate::limits::{ADS_PER_DECISION_MAX, RANKED_CANDIDATES_MAX};
use crate::place::{Candidate, Matching, Place, Walk, Won};
use crate::scratch::Scratch;

/// Streams of draws among equals begin here, one per ad; those of budgets are below.
const STREAM_WEIGHTS: u64 = 1 << 41;

/// A candidate that is ranked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Contender {
    candidate: Candidate,
    choice: Option<ArmChoice>,
    rule: RuleId,
    flight: FlightId,
}

/// The ads that a placement has to get.
#[derive(Clone, Copy)]
struct Wanted {
    first_ad: usize,
    end_ad: usize,
    class: RuleClass,
}

impl Place<'_> {
    /// As `fill_from_rules`, rules of one priority at a time.
    ///
    /// # Errors
    /// The placement must stay empty.
    pub(crate) fn fill_by_rank(
        &self,
        walk: &Walk,
        wants_fallback: bool,
        scratch: &mut Scratch,
    ) -> Result<Option<Loss>, Loss> {
        let rules = &self.program().rules;
        let first_ad = scratch.ads.len();
        let end_ad = first_ad + usize::from(self.request.count.max(1));
        let mut matching = Matching::new(self.snapshot, walk.placement());
        let mut advance = |scratch: &Scratch| {
            let is_wanted =
                |id: &RuleId| (rules[id.0 as usize].class == RuleClass::Fallback) == wants_fallback;
            std::iter::from_fn(|| matching.next(&scratch.rules)).find(is_wanted)
        };
        let mut loss = None;
        let mut next = advance(scratch);
        while let Some(id) = next
            && scratch.ads.len() < end_ad
        {
            let first = &rules[id.0 as usize];
            let mut is_suppressed = false;
            scratch.ranked.clear();
            while let Some(id) = next
                && rules[id.0 as usize].priority == first.priority
                && !is_suppressed
                && scratch.ranked.len() < RANKED_CANDIDATES_MAX
            {
                let rule = &rules[id.0 as usize];
                self.reach(rule, walk.first_note, scratch);
                is_suppressed = self.collect(id, rule, scratch);
                next = advance(scratch);
            }
            let wanted = Wanted { first_ad, end_ad, class: first.class };
            loss = loss.or(self.award(walk, wanted, scratch)?);
            let is_empty = scratch.ads.len() == first_ad;
            if is_suppressed {
                return if is_empty { Err(Loss::Suppressed) } else { Ok(loss) };
            }
            if scratch.ads.len() == ADS_PER_DECISION_MAX && !is_empty {
                return Ok(loss);
            }
        }
        Ok(loss)
    }

    /// Adds what a rule shows to the contenders; true when it suppresses everything from there on.
    fn collect(&self, rule_id: RuleId, rule: &Rule, scratch: &mut Scratch) -> bool {
        for effect in self.effects(rule) {
            if matches!(effect.action, Action::Suppress) {
                return true;
            }
            let Some(candidate) = self.candidate(effect.number, effect.action) else { continue };
            if scratch.ranked.len() < RANKED_CANDIDATES_MAX {
                // The flight is found when it is its turn.
                let flight = FlightId(u32::MAX);
                scratch.ranked.push(Contender { candidate, choice: effect.choice, rule: rule_id, flight });
            }
        }
        false
    }

    /// Gives places to the contenders, one after the other; returns why the first of them lost that cannot be shown.
    fn award(&self, walk: &Walk, wanted: Wanted, scratch: &mut Scratch) -> Result<Option<Loss>, Loss> {
        let mut loss = None;
        while scratch.ads.len() < wanted.end_ad {
            let Scratch { ranked, ads, .. } = scratch;
            // What another ad keeps out stays out: with more ads nothing becomes eligible again.
            ranked.retain_mut(|one| match self.contend(one.candidate, wanted.class, wanted.first_ad, ads) {
                Ok(flight) => {
                    one.flight = flight;
                    true
                }
                Err(reason) => {
                    loss = loss.or(Some(reason));
                    false
                }
            });
            let stream = STREAM_WEIGHTS + (ads.len() - wanted.first_ad) as u64;
            let Some((place, share)) = self.best(ranked, draw(self.seed, stream)) else { break };
            if ads.len() == ADS_PER_DECISION_MAX {
                return self.full(wanted.first_ad, scratch);
            }
            let Contender { candidate, choice, rule, flight } = ranked.remove(place);
            let rule = &self.program().rules[rule.0 as usize];
            self.push(walk, Won { candidate, choice, flight, share }, rule, scratch);
        }
        Ok(loss)
    }

    /// Who gets the place, and how likely that was; nobody when there is nobody.
    fn best(&self, ranked: &[Contender], word: u64) -> Option<(usize, f32)> {
        let flight = |one: &Contender| self.flight(one.flight);
        let rank = ranked.iter().map(|one| flight(one).rank()).min()?;
        let equals = || ranked.iter().enumerate().filter(|(_, one)| flight(one).rank() == rank);
        let total: u32 = equals().map(|(_, one)| u32::from(flight(one).weight)).sum();
        if total == 0 {
            return equals().next().map(|(place, _)| (place, 1.0));
        }
        let mut rest = below(word, total);
        for (place, one) in equals() {
            let weight = u32::from(flight(one).weight);
            if rest < weight {
                return Some((place, weight as f32 / total as f32));
            }
            rest -= weight;
        }
        debug_assert!(false, "INVARIANT: the weights of all equals sum up to the total");
        None
    }

    fn flight(&self, id: FlightId) -> &Flight {
        &self.catalog().flights[id.index()]
    }

    /// Would this flight have been shown, had the draw among its equals come out otherwise?
    pub(crate) fn lost_a_draw(&self, flight: FlightId, priority: i32, ads: &[Ad]) -> bool {
        let own = self.flight(flight);
        let is_equal = |ad: &Ad| {
            let rank = ad.flight.map(|flight| self.flight(flight).rank());
            ad.share < 1.0 && ad.priority == priority && rank == Some(own.rank())
        };
        own.weight > 0 && ads.iter().any(is_equal)
    }
}
