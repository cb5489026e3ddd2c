//! Decisions agree with a slow reading of the rules, in made-up worlds, for made-up visitors; so do explanations.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use support::experiments::Wishes;
use support::oracle::{Bandits, Expected, ExpectedAd, Visitor, propensities};
use support::terms;
use support::world::{Act, COUNTRIES, Campaign, Class, Creative, DEVICES, Flight, Rule, Template, World};
use support::{Dice, NOW_MS, compiled, loaded, posteriors};
use tessera_engine_core::admit::{Admitted, admit};
use tessera_engine_core::budget::Funds;
use tessera_engine_core::consent::{Outcome, Reason, Regimes};
use tessera_engine_core::decide::{Ad, Decision, Loss, Note, decide};
use tessera_engine_core::experiment::Preview;
use tessera_engine_core::explain::explain;
use tessera_engine_core::offer::HeldOffer;
use tessera_engine_core::scratch::Scratch;
use tessera_engine_core::signals::{Device, Filter, LocalTime, Money, PlacementRequest, RawSignals, Value};
use tessera_engine_core::snapshot::Snapshot;
use tessera_engine_core::standing::Standing;
use tessera_engine_core::switches::Switches;
use tessera_rulevm::{Frame, VerifiedProgram, evaluate, literal_truth, literals_of, nearest_match};
use tessera_wire::catalog::{Budget, CampaignId, OfferId, TemplateId};
use tessera_wire::event::{Arm, ArmChoice, Mode};
use tessera_wire::posterior::PosteriorTable;
use tessera_wire::program::{ACCEPT, Feature, LiteralId, Polarity, RuleId, Window};
use tessera_wire::signal::{DEVICE_TYPES, Gates, NUMBER_SCALE};
use tessera_wire::switches::{self, Off};

const WORLDS: u64 = 400;
const VISITORS: u64 = 40;

/// A made-up world, compiled, half of its templates learned.
struct Case {
    world: World,
    snapshot: Snapshot,
    table: PosteriorTable,
}

impl Case {
    fn new(seed: u64) -> Case {
        Case::of(World::new(seed), seed)
    }

    fn of(world: World, seed: u64) -> Case {
        let (catalog, rules) = world.sources();
        let mut bundle = compiled(&[("catalog.toml", &catalog), ("all.rules", &rules)]);
        bundle.generation = seed + 1;
        let bundle = Arc::new(loaded(bundle));
        let table = posteriors(&bundle, seed + 1, seed, |template| {
            template.ends_with(['0', '2', '3']) || (template == "bandit:b1" && seed.is_multiple_of(2))
        });
        Case { world, snapshot: Snapshot::new(bundle, &table), table }
    }
}

/// A request to a made-up world.
struct Ask {
    visitor: Visitor,
    outcome: Outcome,
    traits: Vec<(Cow<'static, str>, Value<'static>)>,
    context: Vec<(Cow<'static, str>, Value<'static>)>,
    placements: Vec<PlacementRequest<'static>>,
    features: Vec<Option<u32>>,
    funds: Vec<Funds>,
    switches: Option<Switches>,
    zones: Vec<(Box<str>, i16)>,
    sticky_key: Option<u64>,
    seed: u64,
    preview: Option<Preview>,
    held: Vec<HeldOffer>,
}

impl Ask {
    /// Sometimes with wishes for variants of the world's experiments.
    fn wishing(seed: u64, case: &Case) -> Ask {
        let mut ask = Ask::of(seed, &case.snapshot);
        let mut dice = Dice::new(!seed);
        if dice.percent(80) {
            return ask;
        }
        let wishes = &mut ask.visitor.wishes;
        wishes.is_held_out = dice.pick(&[None, Some(true), Some(false)]);
        let mut preview = Preview::new(wishes.is_held_out);
        for (number, experiment) in case.world.experiments.iter().enumerate() {
            if dice.percent(40) {
                let variant = dice.below(experiment.variants.len() as u64) as usize;
                let names = (format!("e{number}"), format!("v{variant}"));
                assert!(preview.force(case.snapshot.bundle(), &names.0, &names.1));
                wishes.variants.push((number, variant));
            }
        }
        assert!(!preview.force(case.snapshot.bundle(), "e0", "nothing"));
        ask.preview = Some(preview);
        ask
    }

    fn new(seed: u64) -> Ask {
        let mut dice = Dice::new(seed);
        let gates = dice.pick(&[Gates::ALL, Gates::NONE, Gates(dice_bits(seed)), Gates(dice_bits(!seed))]);
        let visitor = Visitor {
            country: dice.maybe(85, &[COUNTRIES[0], COUNTRIES[1], COUNTRIES[2], COUNTRIES[3], "JP"]),
            device: dice.maybe(85, &[DEVICES[0], DEVICES[1], DEVICES[2], "tv"]),
            shop: dice.maybe(70, &["web", "app", "kiosk"]),
            age: dice.maybe(75, &[17, 18, 39, 40, 90]),
            club: dice.maybe(75, &["none", "silver", "gold", "bronze"]),
            visits: dice.maybe(75, &[0, 1, 5]),
            cart: dice.maybe(75, &[49, 50, 99, 100, 199, 200]),
            margin: dice.maybe(75, &[0, 32, 33, 40, 39, 60]),
            held: terms::held(&mut dice),
            gates,
            seen: None,
            purse: 0,
            hour: None,
            off: Vec::new(),
            wishes: Wishes::default(),
        };
        let mode = dice.pick(&[Mode::Full, Mode::Partial, Mode::Contextual, Mode::Child]);
        let outcome = Outcome { gates, mode, regimes: Regimes::NONE, reason: Reason::Granted };
        let number =
            |name, value: Option<i64>| Some((Cow::Borrowed(name), Value::Number(value? * NUMBER_SCALE)));
        let text =
            |name, value: Option<&'static str>| Some((Cow::Borrowed(name), Value::Text(value?.into())));
        let traits =
            [number("age", visitor.age), number("visits", visitor.visits), text("club", visitor.club)];
        Ask {
            traits: traits.into_iter().flatten().collect(),
            context: text("shop", visitor.shop).into_iter().chain(number("margin", visitor.margin)).collect(),
            held: (visitor.held.iter())
                .map(|(campaign, offer, at_ms)| HeldOffer {
                    campaign: CampaignId(*campaign as u32),
                    offer: OfferId(*offer as u32),
                    at_ms: *at_ms,
                })
                .collect(),
            visitor,
            outcome,
            placements: placements(&mut dice),
            features: Vec::new(),
            funds: Vec::new(),
            switches: None,
            zones: vec![("UTC".into(), 0), ("Asia/Kolkata".into(), 330)],
            sticky_key: dice.percent(50).then_some(seed),
            seed: dice.word(),
            preview: None,
        }
    }

    /// A request of a visitor of whom it is known, most of the time, how often they saw what a bundle counts.
    fn of(seed: u64, snapshot: &Snapshot) -> Ask {
        let mut ask = Ask::new(seed);
        ask.visitor.seen = (!seed.is_multiple_of(5)).then_some(seed);
        let features = &snapshot.bundle().program().program().features;
        let count = |feature: &Feature| match feature.window {
            Window::LastMs(window_ms) => ask.visitor.impressions(&feature.subject_id, window_ms / 3_600_000),
            Window::Today => None,
        };
        ask.features = features.iter().map(count).collect();
        ask.visitor.purse = !seed;
        ask.visitor.hour = [None, Some(12), Some(17), Some(23)][seed as usize % 4];
        let catalog = snapshot.bundle().catalog();
        let funds = |budget: &Budget| {
            let (available, entry_ppm) = ask.visitor.funds(catalog.str(budget.id));
            Funds { available, entry_ppm }
        };
        ask.funds = catalog.budgets.iter().map(funds).collect();
        let mut dice = Dice::new(seed ^ 0x0FF);
        if dice.percent(10) {
            let mut off = Off { everything: dice.percent(10), ..Off::default() };
            off.campaigns.extend(dice.percent(50).then(|| "c0".to_owned()));
            off.templates.extend(dice.percent(50).then(|| "t1".to_owned()));
            off.creatives.extend(dice.percent(50).then(|| format!("cr{}", dice.below(4))));
            ask.visitor.off = [&off.campaigns[..], &off.templates[..], &off.creatives[..]].concat();
            ask.visitor.off.extend(off.everything.then(|| "everything".to_owned()));
            ask.switches = Some(Switches::new(&switches::Switches { off }, catalog));
        }
        ask
    }

    fn raw(&self) -> RawSignals<'_> {
        let code = |name: &str| DEVICE_TYPES.iter().position(|one| *one == name).unwrap() as u8;
        RawSignals {
            country: self.visitor.country,
            device: self.visitor.device.map(|name| Device { kind: code(name), os: 0, browser: 0 }),
            cart_value: self
                .visitor
                .cart
                .map(|euros| Money { micros: euros * NUMBER_SCALE, currency: "EUR" }),
            traits: &self.traits,
            context: &self.context,
            features: &self.features,
            local_time: self.visitor.hour.map(|hour| LocalTime { hour: hour as u8, minute: 59, weekday: 4 }),
            zone_offsets: &self.zones,
            sticky_key: self.sticky_key,
            preview: self.preview.as_ref(),
            held: &self.held,
            ..RawSignals::default()
        }
    }

    fn admit<'a>(&'a self, snapshot: &Snapshot, frame: &'a mut Frame) -> Admitted<'a> {
        let program = snapshot.bundle().program();
        let admitted = admit(program, &self.raw(), &self.placements, &self.outcome, NOW_MS, frame);
        admitted.with_standing(Standing { funds: &self.funds, switches: self.switches.as_ref() })
    }
}

fn dice_bits(seed: u64) -> u16 {
    (tessera_engine_core::hash::mix64(seed) & u64::from(Gates::ALL.0)) as u16
}

fn placements(dice: &mut Dice) -> Vec<PlacementRequest<'static>> {
    if dice.percent(10) {
        // So many of one kind that the decision may be full before the last ones, of another kind, have their turn.
        let request =
            |slot| PlacementRequest { slot, count: 20, formats: &[], ..PlacementRequest::default() };
        let (first, last) = (dice.pick(&["p0", "p1", "p2"]), dice.pick(&["p0", "p1", "p2"]));
        return (0..50).map(|number| request(if number < 40 { first } else { last })).collect();
    }
    let formats: [&[(u32, u32)]; 5] = [&[], &[], &[(970, 250)], &[(300, 250), (1, 1)], &[(1, 1)]];
    (0..1 + dice.below(3))
        .map(|_| PlacementRequest {
            slot: dice.pick(&["p0", "p1", "p2", "p2", "p3"]),
            count: dice.pick(&[1, 1, 2, 3, 20]),
            formats: dice.pick(&formats),
            filter: filter(dice),
            floor_micros: dice.pick(&[0, 0, 0, 0, 1_500_000, 2_600_000]),
        })
        .collect()
}

fn filter(dice: &mut Dice) -> Option<Filter<'static>> {
    const CAMPAIGNS: &[Cow<'static, str>] = &[Cow::Borrowed("c0"), Cow::Borrowed("c2")];
    const CREATIVES: &[Cow<'static, str>] =
        &[Cow::Borrowed("cr1"), Cow::Borrowed("t0"), Cow::Borrowed("cr0")];
    const CATEGORIES: &[Cow<'static, str>] = &[Cow::Borrowed("k1"), Cow::Borrowed("k7")];
    const DOMAINS: &[Cow<'static, str>] = &[Cow::Borrowed("D1.Example")];
    let mut filter = Filter::default();
    match dice.below(24) {
        0 => filter.campaign_ids = CAMPAIGNS,
        1 => filter.creative_ids = CREATIVES,
        2 => filter.categories = CATEGORIES,
        3 => filter.advertiser_domains = DOMAINS,
        4 => filter.exclude_campaign_ids = CAMPAIGNS,
        5 => filter.exclude_creative_ids = CREATIVES,
        6 => filter.exclude_categories = CATEGORIES,
        7 => filter.exclude_advertiser_domains = DOMAINS,
        _ => return None,
    }
    Some(filter)
}

fn found(case: &Case, decision: &Decision<'_>) -> Expected {
    let bundle = case.snapshot.bundle();
    let choice = |choice: &ArmChoice| {
        let (bandit, arm) = bundle.arm_name(choice);
        (bandit.to_owned(), arm.to_owned(), choice.propensity)
    };
    let tag = |note: &Note| match note {
        Note::Tag(number) => bundle.word(bundle.actions().tags()[*number as usize]).to_owned(),
        Note::Variant(_) => panic!("these worlds split nobody"),
    };
    let ad = |ad: &Ad| ExpectedAd {
        placement: ad.placement.0,
        template: ad.template.0,
        flight: ad
            .flight
            .map(|flight| bundle.catalog().str(bundle.catalog().flights[flight.index()].id).to_owned()),
        creative: ad.creative.map(|creative| creative.0),
        offer: ad.offer.map(|offer| offer.0),
        offer_at_ms: ad.offer_at_ms,
        rule: ad.rule,
        priority: ad.priority,
        share: ad.share,
        arm: ad.arm,
        tier: ad.tier,
        context: ad.context,
        // What is pinned shows in the combination only.
        pins: [None; 8],
        choices: ad.choices.each_ref().map(|one| one.as_ref().map(choice)),
        exposure: ad.exposure.map(|exposure| {
            let (experiment, variant) = bundle.exposure_name(exposure);
            (experiment.to_owned(), variant.to_owned())
        }),
    };
    Expected {
        tags: decision
            .placements
            .iter()
            .map(|one| decision.notes_of(one).iter().map(tag).collect())
            .collect(),
        ads: decision.ads.iter().map(ad).collect(),
        placements: decision.placements.iter().map(|one| (usize::from(one.ads), one.no_fill)).collect(),
    }
}

fn memory(snapshot: &Snapshot) -> (Frame, Scratch) {
    let program = snapshot.bundle().program();
    (Frame::new(program), Scratch::new(program))
}

/// The combination is one that could be drawn, with the probability that the decision says.
fn assert_combination(case: &Case, ad: &Ad, pins: &[Option<usize>]) {
    let template = &case.world.templates[ad.template.index()];
    let layout = case.snapshot.bundle().layout(ad.template);
    if let Some(creative) = ad.creative {
        assert_eq!((ad.combination, ad.propensity), (case.world.combination(creative.0), 1.0));
        return;
    }
    let name = format!("t{}", ad.template.0);
    let model = case.table.models.iter().find(|model| model.template == name);
    let exploration = f64::from(template.exploration_percent) / 100.0;
    let feasible = template.feasible(pins);
    let expected = propensities(layout, model, exploration, &ad.context, &feasible)[ad.combination as usize];
    assert!(expected > 0.0, "combination {} cannot be drawn", ad.combination);
    assert!((f64::from(ad.propensity) - expected).abs() < 1e-6, "{} instead of {expected}", ad.propensity);
}

#[test]
fn decisions_agree_with_a_slow_reading_of_the_rules() {
    let mut seen: HashMap<&'static str, usize> = HashMap::new();
    let (mut frame, mut scratch) = memory(&Case::new(0).snapshot);
    for number in 0..WORLDS {
        let case = Case::new(number);
        for visitor in 0..VISITORS {
            let ask = Ask::wishing(number * 1_000 + visitor, &case);
            let admitted = ask.admit(&case.snapshot, &mut frame);
            let names = case.snapshot.bundle().names().templates;
            let bandits = Bandits { names: &names, table: &case.table };
            let mut expected = case.world.decide(&ask.visitor, &admitted, &bandits, ask.seed);
            let decision = decide(&case.snapshot, &admitted, NOW_MS, ask.seed, &mut scratch);
            let found = found(&case, &decision);
            let pins = expected.ads.iter_mut().map(|ad| std::mem::take(&mut ad.pins));
            let pins: Vec<[Option<usize>; 8]> = pins.collect();
            if found != expected {
                let sources = case.world.sources();
                panic!(
                    "world {number}, {:?}\n{}\n{}\n{found:?}\n{expected:?}",
                    ask.visitor, sources.0, sources.1
                );
            }
            for (ad, pins) in decision.ads.iter().zip(&pins) {
                assert_combination(&case, ad, pins);
                *seen.entry("choices").or_default() += ad.choices.iter().flatten().count();
                *seen.entry("held").or_default() +=
                    usize::from(ad.offer.is_some() && ad.offer_at_ms < NOW_MS);
                *seen.entry("exposures").or_default() += usize::from(ad.exposure.is_some());
                *seen.entry("holdouts").or_default() += usize::from(ad.arm == Arm::Holdout);
                *seen.entry("drawn").or_default() += usize::from(ad.share < 1.0);
                *seen.entry("pins").or_default() += pins.iter().flatten().count();
            }
            *seen.entry("tags").or_default() += decision.notes.len();
            for (_, loss) in &found.placements {
                *seen.entry(loss.map_or("filled", |loss| loss.code())).or_default() += 1;
            }
        }
    }
    for composed in ["choices", "pins", "tags", "exposures", "holdouts", "held", "drawn"] {
        assert!(seen[composed] > 300, "{composed}: {seen:?}");
    }
    for code in [
        "filled",
        "rule_false",
        "suppressed",
        "kill_switch",
        "outside_schedule",
        "size_mismatch",
        "cap_reached",
        "filtered",
        "below_floor",
        "duplicate",
        "competitor_conflict",
        "budget_exhausted",
        "paced_out",
        "unknown_slot",
        "too_many_ads",
        "holdout",
    ] {
        assert!(seen.contains_key(code), "no decision came to `{code}`: {seen:?}");
    }
}

#[test]
fn a_full_decision_says_so_where_a_house_ad_would_have_stood() {
    let all_day = vec![Flight { start_ms: NOW_MS - 1_000, end_ms: NOW_MS + 1_000, ..Flight::default() }];
    let campaign = |control| Campaign {
        is_active: true,
        flights: all_day.clone(),
        holdout_percent: 0,
        control: Some(control),
        ..Campaign::default()
    };
    let template = |campaign| Template {
        campaign,
        size: (0, 0),
        slots: vec![2],
        exploration_percent: 0,
        fields: Vec::new(),
        exclusions: Vec::new(),
        caps: Vec::new(),
    };
    let rule = Rule {
        priority: 0,
        placement: Some(0),
        class: Class::Contextual,
        when: None,
        unless: None,
        tiers: vec![(None, vec![Act::Template(0), Act::Template(1), Act::Template(2)])],
        otherwise: None,
    };
    let case = Case::of(
        World {
            campaigns: (0..3).map(campaign).collect(),
            templates: (0..3).map(template).collect(),
            creatives: (0..3)
                .map(|template| Creative { template, choice: vec![1], caps: Vec::new() })
                .collect(),
            houses: vec![Some(0), Some(0), None],
            offer_caps: Default::default(),
            segments: Vec::new(),
            rules: vec![rule],
            experiments: Vec::new(),
            holdout_percent: 0,
        },
        0,
    );
    let full = PlacementRequest { slot: "p0", count: 20, formats: &[], ..PlacementRequest::default() };
    let mut ask = Ask::new(0);
    ask.placements = vec![full; 34];
    ask.placements.push(PlacementRequest { slot: "p1", ..full });
    let (mut frame, mut scratch) = memory(&case.snapshot);
    let decision = decide(&case.snapshot, &ask.admit(&case.snapshot, &mut frame), NOW_MS, 0, &mut scratch);
    let ads: Vec<u16> = decision.placements.iter().map(|one| one.ads).collect();
    assert_eq!((&ads[..33], &ads[33..]), (&[3; 33][..], &[1, 0][..]));
    assert_eq!(decision.placements[34].no_fill, Some(Loss::TooManyAds));
}

#[test]
fn explanations_serve_what_was_served_and_say_why_for_the_rest() {
    let (mut frame, mut scratch) = memory(&Case::new(0).snapshot);
    let mut drawn = 0;
    for number in 0..WORLDS / 2 {
        let case = Case::new(number);
        let catalog = case.snapshot.bundle().catalog();
        for visitor in 0..VISITORS {
            let ask = Ask::wishing(number * 1_000 + visitor, &case);
            let admitted = ask.admit(&case.snapshot, &mut frame);
            let explanation = explain(&case.snapshot, &admitted, NOW_MS, ask.seed, &mut scratch);
            let decision = decide(&case.snapshot, &admitted, NOW_MS, ask.seed, &mut scratch);
            for (explained, outcome) in explanation.placements.iter().zip(decision.placements) {
                let first = usize::from(outcome.first_ad);
                let ads = &decision.ads[first..first + usize::from(outcome.ads)];
                let mut served: Vec<(String, i32)> =
                    ads.iter().filter_map(|ad| Some((format!("r{}", ad.rule?), ad.priority))).collect();
                let told = explained.candidates.iter().filter(|one| one.lost.is_none());
                let mut told: Vec<_> = told.map(|one| (one.rule.clone(), one.priority)).collect();
                served.sort();
                told.sort();
                assert_eq!(told, served, "world {number}, visitor {visitor}: {explained:?}");
                drawn += explained
                    .candidates
                    .iter()
                    .filter(|one| one.lost == Some(Loss::LowerScore) && ads.iter().any(|ad| ad.share < 1.0))
                    .count();
                let phases: Vec<_> =
                    explained.phases.iter().map(|phase| (phase.entered, phase.left)).collect();
                assert!(
                    phases.windows(2).all(|two| two[0].1 == two[1].0 && two[0].0 >= two[0].1),
                    "{phases:?}"
                );
                assert!(phases.last().is_none_or(|last| last.1 == served.len()), "{phases:?}");
                for ad in ads
                    .iter()
                    .filter(|ad| ad.rule.is_some() && ad.creative.is_none() && ad.exposure.is_none())
                {
                    let shows = catalog.str(catalog.templates[ad.template.index()].id);
                    let is_told =
                        explained.candidates.iter().any(|one| one.lost.is_none() && one.shows == shows);
                    assert!(is_told, "{shows} was served");
                }
            }
        }
    }
    assert!(drawn > 20, "{drawn} lost a draw");
}

#[test]
fn removing_a_purpose_never_makes_a_rule_match_that_only_asks_for_what_is_known() {
    let mut compared = 0;
    for number in 0..WORLDS {
        let case = Case::new(number);
        let program = case.snapshot.bundle().program();
        let is_strict = |rule: &RuleId| {
            let literals = literals_of(program, program.program().rules[rule.0 as usize].entry);
            literals.iter().all(|id| {
                matches!(
                    program.program().literals[id.0 as usize].polarity,
                    Polarity::Holds | Polarity::Fails
                )
            })
        };
        let rules = 0..program.program().rules.len() as u32;
        let strict: Vec<RuleId> = rules.map(RuleId).filter(is_strict).collect();
        let mut frame = Frame::new(program);
        let mut results = tessera_rulevm::Scratch::new(program);
        let mut matching = |ask: &Ask, gates: Gates| {
            let outcome = Outcome { gates, ..ask.outcome };
            let admitted = admit(program, &ask.raw(), &[], &outcome, NOW_MS, &mut frame);
            evaluate(program, admitted.frame(), &mut results);
            strict.iter().map(|rule| results.is_rule_true(*rule)).collect::<Vec<bool>>()
        };
        for visitor in 0..10 {
            let ask = Ask::new(number * 1_000 + visitor);
            let before = matching(&ask, ask.outcome.gates);
            for bit in 0..11 {
                let without = ask.outcome.gates.without(Gates(1 << bit));
                let after = matching(&ask, without);
                let is_worse = before.iter().zip(&after).any(|(before, after)| *after && !*before);
                assert!(!is_worse, "world {number}, visitor {visitor}, without gate {bit}");
                compared += before.iter().zip(&after).filter(|(before, after)| before != after).count();
            }
        }
    }
    assert!(compared > 100, "only {compared} matches were lost");
}

#[test]
fn without_a_model_every_combination_is_equally_likely() {
    let mut seen = false;
    for number in 0..50 {
        let case = Case::new(number);
        let unlearned = Snapshot::new(case.snapshot.shared_bundle(), &PosteriorTable::default());
        let (mut frame, mut scratch) = memory(&unlearned);
        let ask = Ask::new(number);
        let admitted = ask.admit(&unlearned, &mut frame);
        for ad in decide(&unlearned, &admitted, NOW_MS, ask.seed, &mut scratch).ads {
            if ad.creative.is_none() {
                let shares = 1.0 / ad.propensity;
                let combinations = unlearned.bundle().layout(TemplateId(ad.template.0)).combinations();
                assert!((shares - shares.round()).abs() < 1e-3 && shares <= combinations as f32);
                seen = true;
            }
        }
    }
    assert!(seen);
}

/// Where the code at `entry` ends when these literals come out otherwise than they do.
fn accepts(program: &VerifiedProgram, frame: &Frame, entry: u32, changed: &[LiteralId]) -> bool {
    let mut at = entry;
    while let Some(branch) = program.program().code.get(at as usize) {
        let is_true = literal_truth(program, frame, branch.literal).0 != changed.contains(&branch.literal);
        at = if is_true { branch.on_true } else { branch.on_false };
    }
    at == ACCEPT
}

#[test]
fn what_would_have_made_a_rule_match_is_the_least_that_would() {
    let mut seen = [0usize; 4];
    for number in 0..WORLDS {
        let case = Case::new(number);
        let program = case.snapshot.bundle().program();
        let mut frame = Frame::new(program);
        for visitor in 0..10 {
            let ask = Ask::new(number * 1_000 + visitor);
            let frame = ask.admit(&case.snapshot, &mut frame).frame();
            for rule in &program.program().rules {
                let literals = literals_of(program, rule.entry);
                if literals.len() > 8 {
                    continue;
                }
                let subsets = (0..1u32 << literals.len()).map(|bits| {
                    let chosen = (0..literals.len()).filter(|at| bits >> at & 1 == 1);
                    chosen.map(|at| literals[at]).collect::<Vec<_>>()
                });
                let able = subsets.filter(|changed| accepts(program, frame, rule.entry, changed));
                let least = able.map(|changed| changed.len()).min();
                let found = nearest_match(program, frame, rule.entry);
                assert_eq!(found.as_ref().map(Vec::len), least, "{:?}", case.world.sources().1);
                if let Some(found) = found {
                    assert!(accepts(program, frame, rule.entry, &found));
                    seen[found.len().min(3)] += 1;
                }
            }
        }
    }
    assert!(seen.iter().all(|count| *count > 100), "{seen:?}");
}
