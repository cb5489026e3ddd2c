//! The slow decision where flights have ranks: rules of one priority speak together, and what they show is sorted.

use tessera_engine_core::admit::Admitted;
use tessera_engine_core::decide::Loss;
use tessera_engine_core::hash::{below, draw};

use super::oracle::{Choice, ExpectedAd, PlaceToFill, Stage, Visitor, note, offered};
use super::world::{Act, Class, Flight, Rule, World};

/// Who asks, for what, and which offers the rules give.
type Told<'a> = (&'a Visitor, &'a Admitted<'a>, &'a PlaceToFill<'a>, &'a [(u32, Option<Choice>)]);
/// The rule, what it shows, and the arm that chose it.
type Named<'w> = (usize, &'w Rule, (usize, Option<usize>), Option<Choice>);

impl World {
    /// As the fill of a world without ranks.
    pub(super) fn fill_ranked(
        &self,
        visitor: &Visitor,
        admitted: &Admitted<'_>,
        place: &PlaceToFill<'_>,
        ads: &mut Vec<ExpectedAd>,
        tags: &mut Vec<String>,
    ) -> Option<Loss> {
        let speaking = self.speaking(visitor, place.slot);
        let done = |rule: &Rule, act: &Act| self.done(visitor, place, rule, act);
        let effects = speaking.iter().flat_map(|(_, rule, acts)| acts.iter().map(|act| done(rule, act)));
        let given: Vec<(u32, Option<Choice>)> =
            effects.filter_map(|(act, choice)| offered(&act).map(|offer| (offer, choice))).collect();
        let (mut pins, mut loss, first) = (Vec::new(), None, ads.len());
        for wants_fallback in [false, true] {
            let told = (visitor, admitted, place, given.as_slice());
            match self.fill_by_rank(told, wants_fallback, (&mut *ads, first), (&mut pins, tags)) {
                Ok(lost) => loss = loss.or(lost),
                Err(end) => return end,
            }
            if ads.len() > first {
                return None;
            }
        }
        self.house(visitor, place, loss.unwrap_or(Loss::RuleFalse), ads)
    }

    /// What the rules of one priority show, up to the first that suppresses; all of them are reached.
    fn named<'w>(
        &self,
        visitor: &Visitor,
        place: &PlaceToFill<'_>,
        group: &[(usize, &'w Rule, &[Act])],
        (pins, tags): (&mut Vec<(usize, usize, Option<Choice>)>, &mut Vec<String>),
    ) -> (Vec<Named<'w>>, bool) {
        let mut named: Vec<Named<'w>> = Vec::new();
        for (number, rule, acts) in group {
            for act in *acts {
                note(self.done(visitor, place, rule, act), pins, tags);
            }
            for act in *acts {
                let (act, choice) = self.done(visitor, place, rule, act);
                match act {
                    Act::Template(template) => named.push((*number, *rule, (template, None), choice)),
                    Act::Creative(creative) => {
                        let template = self.creatives[creative].template;
                        named.push((*number, *rule, (template, Some(creative)), choice));
                    }
                    Act::Suppress => return (named, true),
                    _ => {}
                }
            }
        }
        (named, false)
    }

    /// Fills a placement from rules or fallback rules; an error is the end of it, with why the placement is empty.
    fn fill_by_rank(
        &self,
        (visitor, admitted, place, offered): Told<'_>,
        wants_fallback: bool,
        (ads, first): (&mut Vec<ExpectedAd>, usize),
        (pins, tags): (&mut Vec<(usize, usize, Option<Choice>)>, &mut Vec<String>),
    ) -> Result<Option<Loss>, Option<Loss>> {
        let speaking = self.speaking(visitor, place.slot);
        let asked: Vec<_> = speaking
            .into_iter()
            .filter(|(_, rule, _)| (rule.class == Class::Fallback) == wants_fallback)
            .collect();
        let mut loss = None;
        for group in asked.chunk_by(|one, other| one.1.priority == other.1.priority) {
            if ads.len() - first == usize::from(place.request.count) {
                return Err(None);
            }
            let (mut named, is_suppressed) = self.named(visitor, place, group, (&mut *pins, &mut *tags));
            while ads.len() - first < usize::from(place.request.count) {
                let mut outcomes = Vec::new();
                for (number, rule, shown, _) in &named {
                    outcomes.push(self.stage(visitor, place, (*number, *rule), *shown, (ads, first)));
                }
                loss = loss.or(outcomes.iter().find_map(|one| one.as_ref().err().copied()));
                let able = outcomes.into_iter().enumerate().filter_map(|(at, one)| Some((at, one.ok()?)));
                let able: Vec<_> = able.collect();
                let word = draw(place.seed, (1 << 41) + (ads.len() - first) as u64);
                let Some((at, share)) = self.first_of(&able, word) else { break };
                if ads.len() == 100 {
                    return Err((ads.len() == first).then_some(Loss::TooManyAds));
                }
                let (_, stage) = able.into_iter().find(|(other, _)| *other == at).unwrap();
                let may_give = |offer: u32| self.may_give(visitor, offer, ads);
                let choice = named[at].3.clone();
                let gifts = (offered, &may_give as &dyn Fn(u32) -> bool);
                let ad = self.staged(visitor, admitted, place.slot, stage, choice, gifts, pins);
                ads.push(ExpectedAd { share, ..ad });
                named.remove(at);
            }
            if is_suppressed {
                return Err((ads.len() == first).then_some(Loss::Suppressed));
            }
            if ads.len() == 100 && ads.len() > first {
                return Err(None);
            }
        }
        Ok(loss)
    }

    /// The winner among those that can be shown: by class, priority, a draw by weights, and order.
    fn first_of(&self, able: &[(usize, Stage<'_>)], word: u64) -> Option<(usize, f32)> {
        let flight = |stage: &Stage<'_>| -> &Flight {
            let (campaign, number) = stage.flight[1..].split_once('-').unwrap();
            &self.campaigns[campaign.parse::<usize>().unwrap()].flights[number.parse::<usize>().unwrap()]
        };
        let best = able.iter().map(|(_, stage)| flight(stage).rank()).min()?;
        let equals: Vec<_> = able.iter().filter(|(_, stage)| flight(stage).rank() == best).collect();
        // Everybody's tickets in one bag, in order.
        let tickets: Vec<usize> = equals
            .iter()
            .flat_map(|(at, stage)| std::iter::repeat_n(*at, flight(stage).weight() as usize))
            .collect();
        if tickets.is_empty() {
            return Some((equals[0].0, 1.0));
        }
        let drawn = tickets[below(word, tickets.len() as u32) as usize];
        let own = tickets.iter().filter(|one| **one == drawn).count();
        Some((drawn, own as f32 / tickets.len() as f32))
    }
}
