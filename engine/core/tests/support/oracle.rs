//! The slow decision: rules read as a person would, over the world as it was meant, candidate by candidate.
//!
//! Shares with the engine the vocabulary of its answer, the documented sticky hash and the numbering of seeds. Which
//! combination is drawn is not predicted: [`propensity`] says how likely each is.

use tessera_engine_core::admit::Admitted;
use tessera_engine_core::decide::Loss;
use tessera_engine_core::hash::{below, draw};
use tessera_engine_core::model::{Context, score_by_definition};
use tessera_engine_core::signals::PlacementRequest;
use tessera_wire::event::{Arm, Mode, TemplateNames, Tier};
use tessera_wire::posterior::{Layout, PosteriorTable, TemplateModel};
use tessera_wire::signal::Gates;

use super::NOW_MS;
use super::experiments::{Assigned, StandIn, Wishes};
use super::world::{Act, Cap, Class, Cond, Field, Flight, PLACEMENTS, Rule, World};

/// A visitor to a made-up world: what is true of them, granted or not.
#[derive(Debug, Clone, Default)]
pub(crate) struct Visitor {
    pub(crate) country: Option<&'static str>,
    pub(crate) device: Option<&'static str>,
    pub(crate) shop: Option<&'static str>,
    pub(crate) age: Option<i64>,
    pub(crate) club: Option<&'static str>,
    pub(crate) visits: Option<i64>,
    pub(crate) cart: Option<i64>,
    /// Of the item, in percent.
    pub(crate) margin: Option<i64>,
    /// Offers given before: campaign, offer, when.
    pub(crate) held: Vec<(usize, usize, i64)>,
    pub(crate) gates: Gates,
    /// What says how often the visitor saw what; `None` when nobody can know.
    pub(crate) seen: Option<u64>,
    /// What says how much budgets have at hand.
    pub(crate) purse: u64,
    /// Of the visitor's Friday.
    pub(crate) hour: Option<u64>,
    /// Text ids of what is switched off, `everything` among them.
    pub(crate) off: Vec<String>,
    pub(crate) wishes: Wishes,
}

impl Visitor {
    /// How often the visitor was shown the thing with this text id in the last so many hours.
    pub(crate) fn impressions(&self, id: &str, hours: i64) -> Option<u32> {
        let mixed = id.bytes().fold(hours as u64, |mixed, byte| mixed.wrapping_mul(257) ^ u64::from(byte));
        self.seen.map(|seed| draw(seed, mixed) as u32 % 4)
    }

    /// What may be spent of the budget with this name, and by how many in a million.
    pub(crate) fn funds(&self, id: &str) -> (i64, u32) {
        let mixed = id.bytes().fold(7, |mixed: u64, byte| mixed.wrapping_mul(257) ^ u64::from(byte));
        let word = draw(self.purse, mixed);
        let ads = (word % 8) as i64 * if self.purse.is_multiple_of(2) { 1 } else { 1_000 };
        let entry = [0, 1_000_000, 1_000_000, 500_000][(word >> 8) as usize % 4];
        // Ads cost half a euro to three and a half per thousand.
        (if id.ends_with("money") { ads * 1_000_000 } else { ads }, entry)
    }

    /// It is Friday noon in London, and half past five in the afternoon in Kolkata.
    fn is_in_hours(&self, hours: Option<(u64, u64, &str)>) -> bool {
        let Some((from, to, zone)) = hours else { return true };
        let hour = match zone {
            "Asia/Kolkata" => 17,
            "visitor" => match self.hour {
                Some(hour) => hour,
                None => return false,
            },
            _ => 12,
        };
        // Thursdays and Fridays: what passes midnight goes on on Friday morning.
        if from < to { from <= hour && hour < to } else { from <= hour || hour < to }
    }

    /// Is something of it switched off?
    fn finds_off(&self, campaign: usize, template: usize, creative: Option<usize>) -> bool {
        let creative = creative.map(|creative| format!("cr{creative}"));
        let names = [
            Some("everything".to_owned()),
            Some(format!("c{campaign}")),
            Some(format!("t{template}")),
            creative,
        ];
        names.iter().flatten().any(|name| self.off.contains(name))
    }

    /// Is the thing capped, of which the decision shows so many already?
    fn is_capped(&self, id: &str, caps: &[Cap], already: usize) -> bool {
        let may = self.gates.covers(Gates::FREQUENCY_CAP);
        caps.iter().any(|cap| match self.impressions(id, cap.hours).filter(|_| may) {
            Some(before) => before as usize + already >= cap.count as usize,
            None => cap.blocks_unknown || already >= cap.count as usize,
        })
    }
}

/// An ad as far as it does not depend on a draw.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ExpectedAd {
    pub(crate) placement: u32,
    pub(crate) template: u32,
    /// Text id of the flight.
    pub(crate) flight: Option<String>,
    pub(crate) creative: Option<u32>,
    pub(crate) offer: Option<u32>,
    pub(crate) offer_at_ms: i64,
    pub(crate) rule: Option<u32>,
    pub(crate) priority: i32,
    /// Among equals.
    pub(crate) share: f32,
    pub(crate) arm: Arm,
    pub(crate) tier: Tier,
    pub(crate) context: Context,
    /// Pinned assets, for a combination that is drawn.
    pub(crate) pins: [Option<usize>; 8],
    /// The arms of bandits in it: of what is shown, of the offer, of a pin.
    pub(crate) choices: [Option<Choice>; 3],
    /// Experiment and variant.
    pub(crate) exposure: Option<(String, String)>,
}

/// An arm of a bandit, with how likely it was.
pub(crate) type Choice = (String, String, f32);

/// What is needed to know what bandits choose.
pub(crate) struct Bandits<'a> {
    /// Templates and bandits, in the order of the bundle.
    pub(crate) names: &'a [TemplateNames],
    pub(crate) table: &'a PosteriorTable,
}

impl Bandits<'_> {
    /// The number of the arm that is chosen: the documented streams of the placement's seed, and the definition.
    fn choose(
        &self,
        name: usize,
        arms: &[(usize, String)],
        templates: usize,
        seed: u64,
    ) -> Option<(usize, f32)> {
        let id = format!("bandit:b{name}");
        let number = self.names.iter().position(|template| template.id == id).unwrap();
        let seed = draw(seed, (1 << 32) + (number - templates) as u64);
        let anyone = below(draw(seed, 2), arms.len() as u32) as usize;
        if arms.is_empty() {
            return None;
        }
        let Some(model) = self.table.models.iter().find(|model| model.template == id) else {
            return Some((arms[anyone].0, 1.0 / arms.len() as f32));
        };
        let all = &self.names[number].slots[0].1;
        let best = |weights: &[f32]| {
            let score = |one: usize| weights[1 + all.iter().position(|label| *label == arms[one].1).unwrap()];
            (0..arms.len()).fold(0, |best, one| if score(one) > score(best) { one } else { best })
        };
        let best: Vec<usize> = model.draws.chunks_exact(model.mean.len()).map(best).collect();
        let is_exploring = below(draw(seed, 1), 1_000_000) < 10_000;
        let chosen =
            if is_exploring { anyone } else { best[below(draw(seed, 3), best.len() as u32) as usize] };
        let agreeing = best.iter().filter(|one| **one == chosen).count() as f32;
        // One hundredth is explored.
        let share = (1.0 - 0.01) * agreeing / best.len() as f32 + 0.01 / arms.len() as f32;
        Some((arms[chosen].0, share))
    }
}

/// What a decision must come to: its ads, and per placement how many and why none.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Expected {
    pub(crate) ads: Vec<ExpectedAd>,
    pub(crate) placements: Vec<(usize, Option<Loss>)>,
    /// Tags by placement.
    pub(crate) tags: Vec<Vec<String>>,
}

impl World {
    /// Kleene's logic; `None` is unknown.
    fn truth(&self, visitor: &Visitor, cond: &Cond) -> Option<bool> {
        let may = |gate: Gates| visitor.gates.covers(gate).then_some(());
        let profile = may(Gates::ADS_PERSONALIZE);
        match cond {
            Cond::Country(list) => visitor.country.map(|country| list.contains(&country)),
            Cond::Device(device) => visitor.device.map(|found| found == *device),
            Cond::Shop(shop) => visitor.shop.map(|found| found == *shop),
            Cond::Age(age) => profile.and(visitor.age).map(|found| found >= *age),
            Cond::Club(list) => profile.and(visitor.club).map(|found| list.contains(&found)),
            Cond::Visits(visits) => may(Gates::MEASURE_ADS).and(visitor.visits).map(|found| found >= *visits),
            Cond::Cart(low, high) => profile.and(visitor.cart).map(|found| (*low..*high).contains(&found)),
            Cond::AgeKnown => Some(profile.and(visitor.age).is_some()),
            Cond::Segment(number) => self.truth(visitor, &self.segments[*number]),
            Cond::Not(inner) => self.truth(visitor, inner).map(|truth| !truth),
            Cond::Possibly(inner) => Some(self.truth(visitor, inner) != Some(false)),
            Cond::All(parts) => {
                let truths: Vec<_> = parts.iter().map(|part| self.truth(visitor, part)).collect();
                let is_unknown = truths.contains(&None);
                if truths.contains(&Some(false)) { Some(false) } else { (!is_unknown).then_some(true) }
            }
            Cond::Any(parts) => {
                let truths: Vec<_> = parts.iter().map(|part| self.truth(visitor, part)).collect();
                let is_unknown = truths.contains(&None);
                if truths.contains(&Some(true)) { Some(true) } else { (!is_unknown).then_some(false) }
            }
        }
    }

    /// What a rule does for this visitor, if it speaks.
    fn speaks<'w>(&self, visitor: &Visitor, rule: &'w Rule) -> Option<&'w [Act]> {
        let when = rule.when.as_ref().map_or(Some(true), |cond| self.truth(visitor, cond));
        let is_excluded = rule.unless.as_ref().is_some_and(|cond| self.truth(visitor, cond) == Some(true));
        if when != Some(true) || is_excluded {
            return rule.otherwise.as_deref();
        }
        let holds =
            |cond: &Option<Cond>| cond.as_ref().is_none_or(|cond| self.truth(visitor, cond) == Some(true));
        rule.tiers.iter().find(|(cond, _)| holds(cond)).map(|(_, acts)| acts.as_slice())
    }

    /// The rules that speak in a placement, best first: number, rule and what it does.
    pub(super) fn speaking(&self, visitor: &Visitor, slot: usize) -> Vec<(usize, &Rule, &[Act])> {
        let competes = |rule: &Rule| rule.placement.is_none_or(|own| own == slot);
        let mut rules: Vec<(usize, &Rule)> =
            self.rules.iter().enumerate().filter(|(_, rule)| competes(rule)).collect();
        rules.sort_by_key(|(number, rule)| (-rule.priority, *number));
        rules
            .into_iter()
            .filter_map(|(number, rule)| Some((number, rule, self.speaks(visitor, rule)?)))
            .collect()
    }

    fn context(&self, visitor: &Visitor, template: usize) -> Context {
        let mut context = Context::default();
        for (value, field) in context.iter_mut().zip(&self.templates[template].fields) {
            let among = |list: &[&str], found: Option<&str>| {
                found.and_then(|found| list.iter().position(|one| *one == found))
            };
            let position = match field {
                Field::Segments(list) => {
                    let is_in = |number: &usize| self.truth(visitor, &self.segments[*number]) == Some(true);
                    list.iter().position(is_in)
                }
                Field::Device => among(&super::world::DEVICES, visitor.device),
                Field::Country => among(&super::world::COUNTRIES, visitor.country),
            };
            *value = position.map_or(0, |position| position as u8 + 1);
        }
        context
    }

    /// The flight that carries this, or why nothing does.
    fn flight_of(
        &self,
        visitor: &Visitor,
        (number, creative): (usize, Option<usize>),
        place: &PlaceToFill<'_>,
        already: &[ExpectedAd],
    ) -> Result<String, Loss> {
        let request = place.request;
        let template = &self.templates[number];
        let campaign = &self.campaigns[template.campaign];
        let fits = |(width, height): &(u32, u32)| template.size.0 == 0 || template.size == (*width, *height);
        if !campaign.is_active || visitor.finds_off(template.campaign, number, creative) {
            return Err(Loss::KillSwitch);
        }
        let flights = campaign.ranked().into_iter().map(|number| (number, &campaign.flights[number]));
        let is_running = |flight: &Flight| {
            flight.start_ms <= NOW_MS && NOW_MS < flight.end_ms && visitor.is_in_hours(flight.hours)
        };
        let running: Vec<_> = flights.filter(|(_, flight)| is_running(flight)).collect();
        if running.is_empty() {
            return Err(Loss::OutsideSchedule);
        }
        if !request.formats.is_empty() && !request.formats.iter().any(fits) {
            return Err(Loss::SizeMismatch);
        }
        if !self.is_accepted(number, creative, request) {
            return Err(Loss::Filtered);
        }
        if let Some(conflict) = self.conflict(template.campaign, already) {
            return Err(conflict);
        }
        let among = |own: &dyn Fn(&ExpectedAd) -> bool| already.iter().filter(|ad| own(ad)).count();
        let of_campaign = among(&|ad| self.templates[ad.template as usize].campaign == template.campaign);
        let of_template = among(&|ad| ad.template as usize == number);
        let is_creative_capped = creative.is_some_and(|creative| {
            let of_creative = among(&|ad| ad.creative == Some(creative as u32));
            visitor.is_capped(&format!("cr{creative}"), &self.creatives[creative].caps, of_creative)
        });
        if visitor.is_capped(&format!("c{}", template.campaign), &campaign.caps, of_campaign)
            || visitor.is_capped(&format!("t{number}"), &template.caps, of_template)
            || is_creative_capped
        {
            return Err(Loss::CapReached);
        }
        let carrying = running.into_iter().map(|(flight, spec)| {
            let id = format!("f{}-{flight}", template.campaign);
            let of_flight = among(&|ad| ad.flight.as_ref() == Some(&id));
            if spec.euros * 1_000_000 + 500_000 < request.floor_micros {
                return Err(Loss::BelowFloor);
            }
            if visitor.is_capped(&id, &spec.caps, of_flight) {
                return Err(Loss::CapReached);
            }
            let loss = self.budget_loss(visitor, place, (template.campaign, flight), already);
            loss.map_or(Ok(id), Err)
        });
        let carrying: Vec<_> = carrying.collect();
        carrying.iter().find(|one| one.is_ok()).unwrap_or(&carrying[0]).clone()
    }

    fn is_accepted(&self, template: usize, creative: Option<usize>, request: &PlacementRequest<'_>) -> bool {
        let Some(filter) = request.filter else { return true };
        let campaign = self.templates[template].campaign;
        let apart = self.campaigns[campaign].apart;
        let creative = creative.map_or(format!("t{template}"), |creative| format!("cr{creative}"));
        let some = |number: usize, text: String| (number > 0).then_some(text);
        let facts = [
            (filter.campaign_ids, filter.exclude_campaign_ids, Some(format!("c{campaign}"))),
            (filter.creative_ids, filter.exclude_creative_ids, Some(creative)),
            (
                filter.categories,
                filter.exclude_categories,
                some(apart.category, format!("k{}", apart.category)),
            ),
            (
                filter.advertiser_domains,
                filter.exclude_advertiser_domains,
                some(apart.domain, format!("d{}.example", apart.domain)),
            ),
        ];
        facts.iter().all(|(wanted, unwanted, fact)| {
            let is_in = |list: &[std::borrow::Cow<'_, str>]| {
                list.iter().any(|one| fact.as_ref().is_some_and(|fact| one.to_lowercase() == *fact))
            };
            (wanted.is_empty() || is_in(wanted)) && !is_in(unwanted)
        })
    }

    fn conflict(&self, campaign: usize, already: &[ExpectedAd]) -> Option<Loss> {
        let own = self.campaigns[campaign].apart;
        let ads = already.iter().filter(|ad| ad.flight.is_some());
        let shown: Vec<usize> = ads.map(|ad| self.templates[ad.template as usize].campaign).collect();
        let competes = |other: &usize| {
            let theirs = self.campaigns[*other].apart;
            let is_other = own.advertiser == 0 || own.advertiser != theirs.advertiser;
            *other != campaign && is_other && own.group > 0 && own.group == theirs.group
        };
        if shown.iter().any(competes) {
            return Some(Loss::CompetitorConflict);
        }
        let times = shown.iter().filter(|other| **other == campaign).count();
        (own.per_answer > 0 && times >= own.per_answer).then_some(Loss::Duplicate)
    }

    /// Why no budget of the flight and its campaign pays, if so.
    fn budget_loss(
        &self,
        visitor: &Visitor,
        place: &PlaceToFill<'_>,
        (campaign, flight): (usize, usize),
        already: &[ExpectedAd],
    ) -> Option<Loss> {
        let spec = &self.campaigns[campaign];
        let own = format!("flight/f{campaign}-{flight}");
        let ids = spec.limits.ids(&format!("campaign/c{campaign}"));
        let ids = ids.into_iter().chain(spec.flights[flight].limits.ids(&own));
        // Ads of the same campaign, or flight, by how much they cost.
        let cost = |flight: usize, id: &str| {
            if id.ends_with("money") { spec.flights[flight].euros * 1_000_000 + 500_000 } else { 1 }
        };
        ids.into_iter().find_map(|id| {
            let spent: i64 = (0..spec.flights.len())
                .filter(|other| id.starts_with("campaign") || *other == flight)
                .map(|other| {
                    let text = format!("f{campaign}-{other}");
                    let ads = already.iter().filter(|ad| ad.flight.as_ref() == Some(&text)).count();
                    ads as i64 * cost(other, &id)
                })
                .sum();
            let (available, entry) = visitor.funds(&id);
            if spent + cost(flight, &id) > available {
                return Some(Loss::BudgetExhausted);
            }
            let number = self.budgets().iter().position(|other| *other == id).unwrap() as u64;
            let turn = below(draw(place.seed, (1 << 40) + number), 1_000_000);
            (turn >= entry).then_some(Loss::PacedOut)
        })
    }

    pub(super) fn may_give(&self, visitor: &Visitor, offer: u32, already: &[ExpectedAd]) -> bool {
        let given = already.iter().filter(|ad| ad.offer == Some(offer)).count();
        !visitor.is_capped(&format!("o{offer}"), &self.offer_caps[offer as usize], given)
    }

    /// Decides, slowly.
    pub(crate) fn decide(
        &self,
        visitor: &Visitor,
        admitted: &Admitted<'_>,
        bandits: &Bandits<'_>,
        seed: u64,
    ) -> Expected {
        let mut expected = Expected::default();
        for (number, request) in admitted.placements().iter().enumerate() {
            let before = expected.ads.len();
            let slot = (0..PLACEMENTS).find(|slot| request.slot == format!("p{slot}"));
            let mut tags = Vec::new();
            let loss = match slot {
                None => Some(Loss::UnknownSlot),
                Some(slot) => {
                    let key = admitted.sticky_key().unwrap_or(seed);
                    let wishes = &visitor.wishes;
                    let seed = draw(seed, number as u64);
                    let place = PlaceToFill { slot, request, bandits, seed, key, wishes };
                    let fill = if self.has_ranks() { World::fill_ranked } else { World::fill };
                    fill(self, visitor, admitted, &place, &mut expected.ads, &mut tags)
                }
            };
            expected.tags.push(tags);
            expected.placements.push((expected.ads.len() - before, loss));
        }
        expected
    }

    fn fill(
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
        let offered: Vec<(u32, Option<Choice>)> =
            effects.filter_map(|(act, choice)| offered(&act).map(|offer| (offer, choice))).collect();
        let mut pins: Vec<(usize, usize, Option<Choice>)> = Vec::new();
        let first = ads.len();
        let mut loss = None;
        for wants_fallback in [false, true] {
            for (number, rule, acts) in &speaking {
                if (rule.class == Class::Fallback) != wants_fallback {
                    continue;
                }
                if ads.len() - first == usize::from(place.request.count) {
                    return None;
                }
                for act in *acts {
                    note(done(rule, act), &mut pins, tags);
                }
                for act in *acts {
                    let (act, choice) = done(rule, act);
                    let shown = ads.len() - first;
                    if shown == usize::from(place.request.count) {
                        return None;
                    }
                    let (template, creative) = match act {
                        Act::Template(template) => (template, None),
                        Act::Creative(creative) => (self.creatives[creative].template, Some(creative)),
                        Act::Suppress if shown == 0 => return Some(Loss::Suppressed),
                        Act::Suppress => return None,
                        _ => continue,
                    };
                    let (by, named) = ((*number, *rule), (template, creative));
                    let stage = match self.stage(visitor, place, by, named, (ads, first)) {
                        Ok(stage) => stage,
                        Err(lost) => {
                            loss = loss.or(Some(lost));
                            continue;
                        }
                    };
                    if ads.len() == 100 {
                        return (ads.len() == first).then_some(Loss::TooManyAds);
                    }
                    let may_give = |offer: u32| self.may_give(visitor, offer, ads);
                    let ad = self.staged(
                        visitor,
                        admitted,
                        place.slot,
                        stage,
                        choice,
                        (&offered, &may_give),
                        &pins,
                    );
                    ads.push(ad);
                }
            }
            if ads.len() > first {
                return None;
            }
        }
        self.house(visitor, place, loss.unwrap_or(Loss::RuleFalse), ads)
    }

    /// What would be shown for a template or creative that a rule names, or why nothing is.
    pub(super) fn stage<'w>(
        &self,
        visitor: &Visitor,
        place: &PlaceToFill<'_>,
        (number, rule): (usize, &'w Rule),
        named: (usize, Option<usize>),
        (ads, first): (&[ExpectedAd], usize),
    ) -> Result<Stage<'w>, Loss> {
        let campaign = self.templates[named.0].campaign;
        let repeats = |ad: &ExpectedAd| self.templates[ad.template as usize].campaign == campaign;
        if ads[first..].iter().any(repeats) {
            return Err(Loss::LowerPriority);
        }
        let ((template, creative, assigned), flight) = self.carried(visitor, place, rule, named, ads)?;
        Ok(Stage { number, rule, template, creative, flight, assigned })
    }

    /// What stands in for what a rule names, and the flight that carries it; both must be eligible.
    fn carried(
        &self,
        visitor: &Visitor,
        place: &PlaceToFill<'_>,
        rule: &Rule,
        named: (usize, Option<usize>),
        ads: &[ExpectedAd],
    ) -> Result<(StandIn, String), Loss> {
        self.flight_of(visitor, named, place, ads)?;
        let shown = self.stand_in(named, rule.class, place.key, place.wishes).ok_or(Loss::Holdout)?;
        let flight = self.flight_of(visitor, (shown.0, shown.1), place, ads)?;
        Ok((shown, flight))
    }

    #[allow(clippy::too_many_arguments, reason = "an oracle is told everything")]
    pub(super) fn staged(
        &self,
        visitor: &Visitor,
        admitted: &Admitted<'_>,
        slot: usize,
        shown: Stage<'_>,
        choice: Option<Choice>,
        offered: super::terms::Offered<'_>,
        reached: &[(usize, usize, Option<Choice>)],
    ) -> ExpectedAd {
        let Stage { number, rule, template, creative, flight, assigned } = shown;
        let is_held_out = assigned == Assigned::HeldOut;
        let (pins, pinned_by) =
            if creative.is_none() { self.pins_for(template, reached) } else { Default::default() };
        let campaign = self.templates[template].campaign;
        let offer =
            self.campaigns[campaign].terms.granted(visitor, campaign, offered).filter(|_| !is_held_out);
        let offered_by = offer.as_ref().and_then(|(_, choice, _)| choice.clone());
        ExpectedAd {
            pins,
            choices: [choice.filter(|_| !self.is_replaced(assigned)), offered_by, pinned_by],
            exposure: match assigned {
                Assigned::Exposed(experiment, variant) => {
                    Some((format!("e{experiment}"), format!("v{variant}")))
                }
                _ => None,
            },
            placement: slot as u32,
            template: template as u32,
            flight: Some(flight),
            creative: creative.map(|creative| creative as u32),
            offer_at_ms: offer.as_ref().map_or(0, |(_, _, at_ms)| *at_ms),
            offer: offer.map(|(offer, ..)| offer),
            rule: Some(number as u32),
            priority: rule.priority,
            share: 1.0,
            arm: match creative {
                _ if is_held_out => Arm::Holdout,
                Some(_) => Arm::Fixed,
                None => Arm::Personalized,
            },
            tier: tier(rule.class, admitted.mode()),
            context: self.context(visitor, template),
        }
    }

    pub(super) fn house(
        &self,
        visitor: &Visitor,
        place: &PlaceToFill<'_>,
        loss: Loss,
        ads: &mut Vec<ExpectedAd>,
    ) -> Option<Loss> {
        let (slot, request) = (place.slot, place.request);
        let Some(house) = self.houses[slot] else { return Some(loss) };
        let house_template = self.creatives[house].template;
        let is_wanted = self.is_accepted(house_template, Some(house), request);
        if visitor.finds_off(self.templates[house_template].campaign, house_template, Some(house)) {
            return Some(Loss::KillSwitch);
        }
        if !is_wanted {
            return Some(Loss::Filtered);
        }
        if ads.len() == 100 {
            return Some(Loss::TooManyAds);
        }
        let template = self.creatives[house].template;
        ads.push(ExpectedAd {
            placement: slot as u32,
            template: template as u32,
            flight: None,
            creative: Some(house as u32),
            offer: None,
            offer_at_ms: 0,
            rule: None,
            priority: i32::MIN,
            share: 1.0,
            arm: Arm::House,
            tier: Tier::Default,
            pins: [None; 8],
            choices: [None, None, None],
            exposure: None,
            context: self.context(visitor, template),
        });
        None
    }

    /// The act itself, or the arm that a bandit chose.
    pub(super) fn done(
        &self,
        visitor: &Visitor,
        place: &PlaceToFill<'_>,
        rule: &Rule,
        act: &Act,
    ) -> (Act, Option<Choice>) {
        let Act::Bandit(name, arms) = act else { return (act.clone(), None) };
        let may = |arm: &Act| {
            let named = match arm {
                Act::Template(template) => (*template, None),
                Act::Creative(creative) => (self.creatives[*creative].template, Some(*creative)),
                Act::Offer(offer) => return self.may_give(visitor, *offer as u32, &[]),
                _ => return true,
            };
            self.carried(visitor, place, rule, named, &[]).is_ok()
        };
        let able = arms.iter().enumerate().filter(|(_, arm)| may(arm));
        let able: Vec<(usize, String)> = able.map(|(number, arm)| (number, label(arm))).collect();
        match place.bandits.choose(*name, &able, self.templates.len(), place.seed) {
            Some((arm, share)) => (arms[arm].clone(), Some((format!("b{name}"), label(&arms[arm]), share))),
            None => (arms[0].clone(), None),
        }
    }

    /// The first pins that a template can follow, one per slot, and the bandit behind the first of them that has one.
    fn pins_for(
        &self,
        template: usize,
        reached: &[(usize, usize, Option<Choice>)],
    ) -> ([Option<usize>; 8], Option<Choice>) {
        let template = &self.templates[template];
        let (mut pins, mut by) = ([None; 8], None);
        for (slot, asset, choice) in reached {
            if template.slots.get(*slot).is_none_or(|size| asset >= size) || pins[*slot].is_some() {
                continue;
            }
            pins[*slot] = Some(*asset);
            if template.feasible(&pins).is_empty() {
                pins[*slot] = None;
            } else {
                by = by.or_else(|| choice.clone());
            }
        }
        (pins, by)
    }

    /// The combination number of a fixed creative.
    pub(crate) fn combination(&self, creative: u32) -> u32 {
        let creative = &self.creatives[creative as usize];
        let sizes = &self.templates[creative.template].slots;
        creative.choice.iter().zip(sizes).fold(0, |number, (asset, size)| number * size + asset) as u32
    }
}

/// What a rule shows.
pub(super) struct Stage<'w> {
    number: usize,
    rule: &'w Rule,
    template: usize,
    creative: Option<usize>,
    pub(super) flight: String,
    assigned: Assigned,
}

pub(super) struct PlaceToFill<'a> {
    pub(super) slot: usize,
    pub(super) request: &'a PlacementRequest<'a>,
    bandits: &'a Bandits<'a>,
    pub(super) seed: u64,
    /// Whose assignments these are: the visitor's where identifiers may be read, else the request's.
    key: u64,
    wishes: &'a Wishes,
}

pub(super) fn note(
    (act, choice): (Act, Option<Choice>),
    pins: &mut Vec<(usize, usize, Option<Choice>)>,
    tags: &mut Vec<String>,
) {
    match act {
        Act::Tag(number) if !tags.contains(&format!("g{number}")) => tags.push(format!("g{number}")),
        Act::Pin(slot, asset) => pins.push((slot, asset, choice)),
        _ => {}
    }
}

fn label(arm: &Act) -> String {
    match arm {
        Act::Template(number) => format!("template:t{number}"),
        Act::Creative(number) => format!("creative:cr{number}"),
        Act::Offer(number) => format!("offer:o{number}"),
        Act::Pin(slot, asset) => format!("s{slot}:a{asset}"),
        Act::Suppress => "no ad".to_owned(),
        Act::Tag(_) | Act::Bandit(..) => panic!("{arm:?} is no arm"),
    }
}

fn tier(class: Class, mode: Mode) -> Tier {
    match (class, mode) {
        (Class::Fallback, _) => Tier::Fallback,
        (_, Mode::Full) => Tier::Full,
        (_, Mode::Partial) => Tier::Session,
        (_, Mode::Contextual | Mode::Child) => Tier::Contextual,
    }
}

/// The probability of each combination: the share of draws under which it is the best of those that may be shown, mixed
/// with exploration among those.
pub(crate) fn propensities(
    layout: &Layout,
    model: Option<&TemplateModel>,
    exploration: f64,
    context: &Context,
    feasible: &[usize],
) -> Vec<f64> {
    let mut shares = vec![0.0; layout.combinations()];
    let exploration = if model.is_some() { exploration } else { 1.0 };
    feasible.iter().for_each(|one| shares[*one] = exploration / feasible.len() as f64);
    let Some(model) = model else { return shares };
    let draws: Vec<&[f32]> = model.draws.chunks_exact(layout.len).collect();
    for weights in &draws {
        let score = |one: usize| score_by_definition(layout, weights, context, one as u32);
        let best = feasible
            .iter()
            .fold(feasible[0], |best, one| if score(*one) > score(best) { *one } else { best });
        shares[best] += (1.0 - exploration) / draws.len() as f64;
    }
    shares
}

pub(super) fn offered(act: &Act) -> Option<u32> {
    match act {
        Act::Offer(offer) => Some(*offer as u32),
        _ => None,
    }
}
