//! Made-up worlds: small catalogs with rules that use every construct a decision depends on.
//!
//! A [`World`] keeps what it means beside what it says: [`World::sources`] is what goes through the compiler, and the
//! oracle ([`super::oracle`]) reads the meaning and never the compiled bundle.

use std::fmt::Write;

use super::experiments::{Experiment, experiments, write_experiment};
use super::terms::{OFFERS, Terms};
use super::{Dice, NOW_MS};

pub(crate) const COUNTRIES: [&str; 4] = ["RO", "DE", "US", "FR"];
pub(crate) const DEVICES: [&str; 3] = ["mobile", "desktop", "tablet"];
pub(crate) const SIZES: [(u32, u32); 3] = [(970, 250), (300, 250), (0, 0)];
pub(crate) const PLACEMENTS: usize = 3;
const CLUBS: [&str; 3] = ["none", "silver", "gold"];

/// A condition of the rule language.
#[derive(Debug, Clone)]
pub(crate) enum Cond {
    Country(Vec<&'static str>),
    Device(&'static str),
    Shop(&'static str),
    Age(i64),
    Club(Vec<&'static str>),
    Visits(i64),
    /// Euros, the upper end left out.
    Cart(i64, i64),
    AgeKnown,
    Segment(usize),
    Not(Box<Cond>),
    Possibly(Box<Cond>),
    All(Vec<Cond>),
    Any(Vec<Cond>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Act {
    Template(usize),
    Creative(usize),
    Offer(usize),
    Suppress,
    Tag(usize),
    /// Slot and asset.
    Pin(usize, usize),
    /// Name and arms.
    Bandit(usize, Vec<Act>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    Personalized,
    Contextual,
    Fallback,
}

#[derive(Debug, Clone)]
pub(crate) struct Rule {
    pub(crate) priority: i32,
    pub(crate) placement: Option<usize>,
    pub(crate) class: Class,
    pub(crate) when: Option<Cond>,
    pub(crate) unless: Option<Cond>,
    /// Conditions with actions; the last may have none.
    pub(crate) tiers: Vec<(Option<Cond>, Vec<Act>)>,
    pub(crate) otherwise: Option<Vec<Act>>,
}

/// So many impressions in this window; a visitor whose count is unknown is blocked or not.
#[derive(Debug, Clone)]
pub(crate) struct Cap {
    pub(crate) count: u32,
    pub(crate) hours: i64,
    pub(crate) blocks_unknown: bool,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Campaign {
    pub(crate) is_active: bool,
    pub(crate) flights: Vec<Flight>,
    pub(crate) holdout_percent: u32,
    pub(crate) control: Option<usize>,
    pub(crate) terms: Terms,
    pub(crate) caps: Vec<Cap>,
    pub(crate) limits: Limits,
    pub(crate) apart: Apart,
}

/// What keeps a campaign apart from others, and what callers filter it by. 0 is none.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Apart {
    pub(crate) advertiser: usize,
    pub(crate) group: usize,
    pub(crate) category: usize,
    pub(crate) domain: usize,
    pub(crate) per_answer: usize,
}

/// Is there a budget, is there a goal?
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Limits {
    pub(crate) money: bool,
    pub(crate) ads: bool,
}

impl Limits {
    /// Names of a thing's limits, in the order of the catalog.
    pub(crate) fn ids(self, owner: &str) -> Vec<String> {
        let ids = [(self.money, "money"), (self.ads, "ads")].into_iter().filter(|(is_there, _)| *is_there);
        ids.map(|(_, unit)| format!("{owner}/{unit}")).collect()
    }
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Flight {
    pub(crate) start_ms: i64,
    pub(crate) end_ms: i64,
    pub(crate) caps: Vec<Cap>,
    pub(crate) limits: Limits,
    /// Of a thousand ads.
    pub(crate) euros: i64,
    /// Hours of a Friday, and whose.
    pub(crate) hours: Option<(u64, u64, &'static str)>,
    /// Class from 0 (sponsorship) to 3 (house), priority and weight.
    pub(crate) standing: Option<(usize, i64, u32)>,
}

/// What flights' standings are called.
const CLASSES: [&str; 4] = ["sponsorship", "standard", "bulk", "house"];

impl Flight {
    /// The class, and the priority turned round: less is better.
    pub(crate) fn rank(&self) -> (usize, i64) {
        self.standing.map_or((1, 0), |(class, priority, _)| (class, -priority))
    }

    pub(crate) fn weight(&self) -> u32 {
        self.standing.map_or(0, |(_, _, weight)| weight)
    }
}

impl Campaign {
    /// Numbers of its flights, the best rank first.
    pub(crate) fn ranked(&self) -> Vec<usize> {
        let mut numbers: Vec<usize> = (0..self.flights.len()).collect();
        numbers.sort_by_key(|number| (self.flights[*number].rank(), *number));
        numbers
    }
}

#[derive(Debug, Clone)]
pub(crate) enum Field {
    Segments(Vec<usize>),
    Device,
    Country,
}

#[derive(Debug, Clone)]
pub(crate) struct Template {
    pub(crate) campaign: usize,
    pub(crate) size: (u32, u32),
    pub(crate) slots: Vec<usize>,
    pub(crate) exploration_percent: u32,
    pub(crate) fields: Vec<Field>,
    /// Pairs of assets never shown together.
    pub(crate) exclusions: Vec<(usize, usize)>,
    pub(crate) caps: Vec<Cap>,
}

#[derive(Debug, Clone)]
pub(crate) struct Creative {
    pub(crate) template: usize,
    pub(crate) choice: Vec<usize>,
    pub(crate) caps: Vec<Cap>,
}

#[derive(Debug, Clone)]
pub(crate) struct World {
    pub(crate) campaigns: Vec<Campaign>,
    pub(crate) templates: Vec<Template>,
    pub(crate) creatives: Vec<Creative>,
    pub(crate) houses: Vec<Option<usize>>,
    /// Caps of the three offers.
    pub(crate) offer_caps: [Vec<Cap>; 3],
    pub(crate) segments: Vec<Cond>,
    pub(crate) rules: Vec<Rule>,
    pub(crate) experiments: Vec<Experiment>,
    pub(crate) holdout_percent: u32,
}

impl Template {
    /// Choices of one asset per slot, in combination order.
    pub(crate) fn choices(&self) -> Vec<Vec<usize>> {
        self.slots.iter().fold(vec![Vec::new()], |choices, size| {
            let longer = |choice: &Vec<usize>| {
                let choice = choice.clone();
                (0..*size).map(move |asset| [&choice[..], &[asset]].concat())
            };
            choices.iter().flat_map(longer).collect()
        })
    }

    /// Combination numbers that hold no excluded pair, and the pinned assets.
    pub(crate) fn feasible(&self, pins: &[Option<usize>]) -> Vec<usize> {
        let is_excluded = |choice: &[usize]| {
            (0..choice.len()).any(|one| {
                (0..choice.len())
                    .any(|other| one != other && self.exclusions.contains(&(choice[one], choice[other])))
            })
        };
        let is_pinned = |choice: &[usize]| {
            choice.iter().zip(pins).all(|(asset, pin)| pin.is_none_or(|pin| pin == *asset))
        };
        let choices = self.choices().into_iter().enumerate();
        choices
            .filter(|(_, choice)| !is_excluded(choice) && is_pinned(choice))
            .map(|(number, _)| number)
            .collect()
    }
}

impl World {
    pub(crate) fn new(seed: u64) -> World {
        let mut dice = Dice::new(seed);
        let campaigns = 1 + dice.below(4) as usize;
        let templates: Vec<Template> = (0..campaigns + dice.below(3) as usize)
            .map(|number| template(&mut dice, number % campaigns))
            .collect();
        // One creative per template at least, so that every campaign can have a control.
        let creatives: Vec<Creative> = (0..templates.len() + dice.below(3) as usize)
            .map(|number| {
                let template = number % templates.len();
                let choice =
                    templates[template].slots.iter().map(|size| dice.below(*size as u64) as usize).collect();
                Creative { template, choice, caps: caps(&mut dice) }
            })
            .collect();
        let houses =
            (0..PLACEMENTS).map(|_| dice.percent(50).then(|| dice.below(creatives.len() as u64) as usize));
        let houses = houses.collect();
        let experiments = experiments(&mut dice, campaigns, &templates, &creatives);
        let campaigns =
            (0..campaigns).map(|number| campaign(&mut dice, number, &templates, &creatives)).collect();
        let segments =
            vec![cond(&mut dice, 1, true, 0), cond(&mut dice, 2, true, 1), Cond::Club(vec!["gold"])];
        let holdout_percent = dice.pick(&[0, 0, 0, 20]);
        let offer_caps = std::array::from_fn(|_| caps(&mut dice));
        let mut world = World {
            campaigns,
            templates,
            creatives,
            houses,
            offer_caps,
            segments,
            rules: Vec::new(),
            experiments,
            holdout_percent,
        };
        if seed.is_multiple_of(2) {
            world.lift_limits();
        }
        if seed % 3 == 1 {
            world.give_standings(&mut dice);
        }
        world.rules = (0..2 + dice.below(8)).map(|_| world.rule(&mut dice)).collect();
        world
    }

    /// Gives flights classes, priorities and weights.
    fn give_standings(&mut self, dice: &mut Dice) {
        for flight in self.campaigns.iter_mut().flat_map(|campaign| &mut campaign.flights) {
            let standing = (
                dice.pick(&[0, 1, 1, 1, 2, 3]),
                dice.pick(&[0, 0, 0, 7, -7]),
                dice.pick(&[0, 1, 1, 3, 10_000]),
            );
            flight.standing = dice.maybe(80, &[standing]);
        }
    }

    /// Is any flight of any campaign more, or less, than others?
    pub(crate) fn has_ranks(&self) -> bool {
        let mut flights = self.campaigns.iter().flat_map(|campaign| &campaign.flights);
        flights.any(|flight| flight.rank() != (1, 0) || flight.weight() > 0)
    }

    /// Takes caps, budgets and goals away: only then can many ads be shown at once.
    fn lift_limits(&mut self) {
        self.offer_caps = Default::default();
        self.templates.iter_mut().for_each(|template| template.caps.clear());
        self.creatives.iter_mut().for_each(|creative| creative.caps.clear());
        for campaign in &mut self.campaigns {
            (campaign.caps, campaign.limits, campaign.apart) = Default::default();
            campaign.flights.iter_mut().for_each(|one| (one.caps, one.limits) = Default::default());
        }
    }

    /// Names of all budgets and goals, in the order of the catalog: those of a campaign's flights before its own.
    pub(crate) fn budgets(&self) -> Vec<String> {
        let campaigns = self.campaigns.iter().enumerate();
        let of = |(number, campaign): (usize, &Campaign)| {
            let flights = campaign.ranked().into_iter();
            let mut ids: Vec<String> = flights
                .flat_map(|flight| campaign.flights[flight].limits.ids(&format!("flight/f{number}-{flight}")))
                .collect();
            ids.extend(campaign.limits.ids(&format!("campaign/c{number}")));
            ids
        };
        campaigns.flat_map(of).collect()
    }

    fn rule(&self, dice: &mut Dice) -> Rule {
        let class =
            dice.pick(&[Class::Personalized, Class::Personalized, Class::Contextual, Class::Fallback]);
        let is_gated = class == Class::Personalized;
        let segments = if is_gated { self.segments.len() } else { 0 };
        let tiers = 1 + dice.below(3) as usize;
        let tiers: Vec<_> = (0..tiers)
            .map(|number| {
                let is_open = number + 1 == tiers && (tiers == 1 || dice.percent(50));
                let condition = (!is_open).then(|| cond(dice, 1, is_gated, segments));
                (condition, self.acts(dice))
            })
            .collect();
        Rule {
            priority: dice.pick(&[0, 0, 1, 5, -3]),
            placement: dice.percent(80).then(|| dice.below(PLACEMENTS as u64) as usize),
            class,
            when: dice.percent(60).then(|| cond(dice, 2, is_gated, segments)),
            // What works without consent may exclude on a plain personal test only (E060).
            unless: dice.percent(30).then(|| cond(dice, u32::from(is_gated), true, segments)),
            otherwise: dice.percent(15).then(|| self.acts(dice)),
            tiers,
        }
    }

    fn acts(&self, dice: &mut Dice) -> Vec<Act> {
        let mut acts: Vec<Act> = (0..1 + dice.below(3)).map(|_| self.act(dice)).collect();
        // A pin beside a template must fit the first one that is shown.
        let shown = acts
            .iter()
            .find_map(|act| if let Act::Template(template) = act { Some(*template) } else { None });
        for _ in 0..dice.below(3) {
            let template = shown.unwrap_or_else(|| dice.below(self.templates.len() as u64) as usize);
            let slots = &self.templates[template].slots;
            let slot = dice.below(slots.len() as u64) as usize;
            acts.push(Act::Pin(slot, dice.below(slots[slot] as u64) as usize));
        }
        acts
    }

    fn act(&self, dice: &mut Dice) -> Act {
        match dice.below(13) {
            10 => Act::Tag(dice.below(3) as usize),
            11.. => {
                let mut arms: Vec<Act> = Vec::new();
                for _ in 0..1 + dice.below(4) {
                    let arm = self.arm(dice);
                    if !arms.contains(&arm) {
                        arms.push(arm);
                    }
                }
                Act::Bandit(dice.below(2) as usize, arms)
            }
            below => self.plain(dice, below),
        }
    }

    fn arm(&self, dice: &mut Dice) -> Act {
        if dice.percent(20) {
            let slots = &self.templates[dice.below(self.templates.len() as u64) as usize].slots;
            let slot = dice.below(slots.len() as u64) as usize;
            return Act::Pin(slot, dice.below(slots[slot] as u64) as usize);
        }
        let below = dice.below(10);
        self.plain(dice, below)
    }

    fn plain(&self, dice: &mut Dice, number: u64) -> Act {
        match number {
            0..4 => Act::Template(dice.below(self.templates.len() as u64) as usize),
            4..7 => Act::Creative(dice.below(self.creatives.len() as u64) as usize),
            7..9 => Act::Offer(dice.below(3) as usize),
            _ => Act::Suppress,
        }
    }

    /// `catalog.toml` and one rule file.
    pub(crate) fn sources(&self) -> (String, String) {
        (self.catalog(), self.rule_file())
    }

    fn catalog(&self) -> String {
        let mut out = format!("holdout = \"{}%\"\n", self.holdout_percent);
        for (number, house) in self.houses.iter().enumerate() {
            let house = house.map_or(String::new(), |house| format!("house = \"cr{house}\"\n"));
            let _ = write!(out, "[[placement]]\nid = \"p{number}\"\n{house}");
        }
        for asset in 0..4 {
            let _ = write!(out, "[[asset]]\nid = \"a{asset}\"\ntext = \"Text {asset}\"\n");
        }
        for (offer, caps) in OFFERS.iter().zip(&self.offer_caps) {
            let _ = write!(out, "{offer}{}", caps_text(caps));
        }
        for (number, campaign) in self.campaigns.iter().enumerate() {
            write_campaign(&mut out, number, campaign);
        }
        for (number, experiment) in self.experiments.iter().enumerate() {
            write_experiment(&mut out, number, experiment);
        }
        for (number, template) in self.templates.iter().enumerate() {
            write_template(&mut out, number, template);
        }
        for (number, creative) in self.creatives.iter().enumerate() {
            let assets: Vec<String> = creative
                .choice
                .iter()
                .enumerate()
                .map(|(slot, asset)| format!("s{slot} = \"a{asset}\""))
                .collect();
            let (template, assets) = (creative.template, assets.join(", "));
            let _ = write!(
                out,
                "[[creative]]\nid = \"cr{number}\"\ntemplate = \"t{template}\"\nassets = {{ {assets} }}\n{}",
                caps_text(&creative.caps)
            );
        }
        out
    }

    fn rule_file(&self) -> String {
        let mut out = String::from(
            "language 1\nattribute age : number from profile needs ads_personalization\n\
             attribute club : one of none, silver, gold from profile needs ads_personalization\n\
             attribute visits : number from profile needs analytics\n\
             attribute shop : one of web, app from request\nattribute margin : number from request\nattribute cart.value : money(EUR) needs behaviour\n",
        );
        for (number, segment) in self.segments.iter().enumerate() {
            let _ = writeln!(out, "segment \"g{number}\" {{ {} }}", text(segment));
        }
        for (number, rule) in self.rules.iter().enumerate() {
            write_rule(&mut out, number, rule);
        }
        out
    }
}

fn campaign(dice: &mut Dice, number: usize, templates: &[Template], creatives: &[Creative]) -> Campaign {
    let windows =
        [(-1_000_000, 1_000_000), (-5, 5), (0, 1), (-1, 0), (1, 9), (-9_000, -1), (-1_000_000, 1_000_000)];
    let flights = (0..1 + dice.below(2)).map(|_| dice.pick(&windows));
    let flights: Vec<(i64, i64)> = flights.collect();
    let flights = flights.into_iter().map(|(start, end)| Flight {
        start_ms: NOW_MS + start,
        end_ms: NOW_MS + end,
        caps: caps(dice),
        limits: limits(dice),
        euros: 1 + dice.below(3) as i64,
        hours: hours(dice),
        standing: None,
    });
    let flights = flights.collect();
    let own: Vec<usize> =
        (0..creatives.len()).filter(|one| templates[creatives[*one].template].campaign == number).collect();
    let holdout_percent = dice.pick(&[0, 0, 10, 50, 100]);
    let (caps, limits) = (caps(dice), limits(dice));
    let control = (holdout_percent > 0 || dice.percent(60)).then(|| dice.pick(&own));
    let is_active = dice.percent(90);
    let apart = Apart {
        advertiser: dice.below(3) as usize,
        group: dice.pick(&[0, 0, 1, 2]),
        category: dice.below(3) as usize,
        domain: dice.below(3) as usize,
        per_answer: dice.pick(&[0, 0, 0, 1, 2]),
    };
    Campaign { is_active, flights, holdout_percent, control, caps, limits, terms: Terms::new(dice), apart }
}

fn hours(dice: &mut Dice) -> Option<(u64, u64, &'static str)> {
    let hours = dice.pick(&[(12, 13), (0, 24), (11, 12), (17, 18), (20, 13), (13, 12)]);
    let zone = dice.pick(&["UTC", "Asia/Kolkata", "visitor", ""]);
    dice.percent(25).then_some((hours.0, hours.1, zone))
}

fn hours_text(flight: &Flight) -> String {
    let Some((from, to, zone)) = flight.hours else { return String::new() };
    let zone = if zone.is_empty() { String::new() } else { format!("daypart_zone = \"{zone}\"\n") };
    // The second never comes on the day of these worlds.
    format!("dayparts = [\"thu..fri {from:02}:00-{to:02}:00\", \"mon 12:00-13:00\"]\n{zone}")
}

fn limits(dice: &mut Dice) -> Limits {
    Limits { money: dice.percent(10), ads: dice.percent(10) }
}

fn limits_text(limits: Limits) -> String {
    let one = |is_there, text: &str| if is_there { format!("{text}\n") } else { String::new() };
    one(limits.money, "budget = { total = \"9 EUR\" }") + &one(limits.ads, "goal = { total = 9 }")
}

fn caps(dice: &mut Dice) -> Vec<Cap> {
    let count = dice.pick(&[0, 0, 0, 0, 1, 2]);
    (0..count)
        .map(|_| Cap {
            count: 1 + dice.below(3) as u32,
            hours: dice.pick(&[1, 24, 168, 5]),
            blocks_unknown: dice.percent(30),
        })
        .collect()
}

fn caps_text(caps: &[Cap]) -> String {
    let one = |cap: &Cap| {
        let unknown = if cap.blocks_unknown { "block" } else { "allow" };
        format!("{{ count = {}, per = \"{} hours\", when_unknown = \"{unknown}\" }}", cap.count, cap.hours)
    };
    let caps: Vec<String> = caps.iter().map(one).collect();
    format!("caps = [{}]\n", caps.join(", "))
}

fn template(dice: &mut Dice, campaign: usize) -> Template {
    let slots = (0..1 + dice.below(3)).map(|_| 1 + dice.below(4) as usize).collect();
    let mut fields = Vec::new();
    if dice.percent(60) {
        fields.push(Field::Segments(dice.pick(&[&[0, 1][..], &[2], &[1, 0, 2]]).to_vec()));
    }
    if dice.percent(60) {
        fields.push(Field::Device);
    }
    if dice.percent(40) {
        fields.push(Field::Country);
    }
    let exploration_percent = dice.pick(&[0, 1, 20, 100]);
    let mut template = Template {
        campaign,
        size: dice.pick(&SIZES),
        slots,
        exploration_percent,
        fields,
        exclusions: Vec::new(),
        caps: caps(dice),
    };
    let assets = template.slots.iter().max().copied().unwrap_or(1) as u64;
    for _ in 0..if assets > 1 { dice.below(4) } else { 0 } {
        let (one, other) = (dice.below(assets) as usize, dice.below(assets) as usize);
        template.exclusions.push((one, other));
        // What can hold nothing, and what excludes an asset from itself, is refused.
        if one == other || template.feasible(&[None; 8]).is_empty() {
            template.exclusions.pop();
        }
    }
    template
}

fn cond(dice: &mut Dice, depth: u32, is_gated: bool, segments: usize) -> Cond {
    let inner = |dice: &mut Dice| cond(dice, depth - 1, is_gated, segments);
    if depth > 0 && dice.percent(60) {
        return match dice.below(4) {
            0 => Cond::Not(Box::new(inner(dice))),
            1 => Cond::Possibly(Box::new(inner(dice))),
            2 => Cond::All((0..1 + dice.below(3)).map(|_| inner(dice)).collect()),
            _ => Cond::Any((0..1 + dice.below(3)).map(|_| inner(dice)).collect()),
        };
    }
    match dice.below(if is_gated { 9 } else { 3 }) {
        0 => Cond::Country(vec![dice.pick(&COUNTRIES), "GB"]),
        1 => Cond::Device(dice.pick(&DEVICES)),
        2 => Cond::Shop(dice.pick(&["web", "app"])),
        3 => Cond::Age(dice.pick(&[18, 40])),
        4 => Cond::Club(vec![dice.pick(&CLUBS)]),
        5 => Cond::Visits(dice.pick(&[1, 5])),
        6 => Cond::Cart(50, dice.pick(&[100, 200])),
        7 => Cond::AgeKnown,
        _ if segments > 0 => Cond::Segment(dice.below(segments as u64) as usize),
        _ => Cond::Age(30),
    }
}

fn text(cond: &Cond) -> String {
    let joined = |parts: &[Cond], word: &str| {
        format!("({})", parts.iter().map(text).collect::<Vec<_>>().join(&format!(" {word} ")))
    };
    match cond {
        Cond::Country(list) => format!("country in ({})", list.join(", ")),
        Cond::Device(device) => format!("device.type is {device}"),
        Cond::Shop(shop) => format!("shop is {shop}"),
        Cond::Age(age) => format!("age >= {age}"),
        Cond::Club(list) => format!("club in ({})", list.join(", ")),
        Cond::Visits(visits) => format!("visits >= {visits}"),
        Cond::Cart(low, high) => format!("cart.value in {low} EUR ..< {high} EUR"),
        Cond::AgeKnown => "age is known".to_owned(),
        Cond::Segment(number) => format!("segment(\"g{number}\")"),
        Cond::Not(inner) => format!("not ({})", text(inner)),
        Cond::Possibly(inner) => format!("possibly({})", text(inner)),
        Cond::All(parts) => joined(parts, "and"),
        Cond::Any(parts) => joined(parts, "or"),
    }
}

fn acts_text(acts: &[Act]) -> String {
    let one = |act: &Act| match act {
        Act::Tag(number) => format!("tag \"g{number}\""),
        Act::Pin(slot, asset) => format!("show s{slot} \"a{asset}\""),
        Act::Bandit(name, arms) => {
            let arms: Vec<String> = arms.iter().map(|arm| acts_text(std::slice::from_ref(arm))).collect();
            format!("choose by bandit \"b{name}\" {{ {} }}", arms.join(", ").replace("suppress", "no ad"))
        }
        Act::Template(number) => format!("show template \"t{number}\""),
        Act::Creative(number) => format!("show creative \"cr{number}\""),
        Act::Offer(number) => format!("offer \"o{number}\""),
        Act::Suppress => "suppress".to_owned(),
    };
    acts.iter().map(one).collect::<Vec<_>>().join(" and ")
}

fn write_rule(out: &mut String, number: usize, rule: &Rule) {
    let place = rule.placement.map_or(String::new(), |place| format!(" for placement \"p{place}\""));
    let class = match rule.class {
        Class::Personalized => "",
        Class::Contextual => " contextual",
        Class::Fallback => " fallback",
    };
    let _ = writeln!(out, "rule \"r{number}\" priority {}{place}{class} {{", rule.priority);
    for (word, cond) in [("when", &rule.when), ("unless", &rule.unless)] {
        if let Some(cond) = cond {
            let _ = writeln!(out, "  {word} {}", text(cond));
        }
    }
    match &rule.tiers[..] {
        [(None, acts)] => {
            let _ = writeln!(out, "  then {}", acts_text(acts));
        }
        tiers => {
            out.push_str("  then choose first {\n");
            for (cond, acts) in tiers {
                let cond = cond.as_ref().map_or("otherwise".to_owned(), text);
                let _ = writeln!(out, "    {cond} -> {}", acts_text(acts));
            }
            out.push_str("  }\n");
        }
    }
    if let Some(acts) = &rule.otherwise {
        let _ = writeln!(out, "  otherwise {}", acts_text(acts));
    }
    out.push_str("}\n");
}

fn write_campaign(out: &mut String, number: usize, campaign: &Campaign) {
    let Campaign { is_active, flights, holdout_percent, control, caps, limits, terms, apart } = campaign;
    let _ = write!(
        out,
        "[[campaign]]\nid = \"c{number}\"\nlanding_url = \"https://x.example/\"\nactive = {is_active}\n"
    );
    let _ = writeln!(out, "{}{}holdout = \"{holdout_percent}%\"", caps_text(caps), limits_text(*limits));
    terms.write(out);
    let Apart { advertiser, group, category, domain, per_answer } = apart;
    for (number, line) in [
        (advertiser, format!("advertiser = \"a{advertiser}\"")),
        (group, format!("exclusion_groups = [\"g{group}\", \"own{number}\"]")),
        (category, format!("categories = [\"other\", \"k{category}\"]")),
        (domain, format!("advertiser_domain = \"d{domain}.example\"")),
        (per_answer, format!("at_most_per_answer = {per_answer}")),
    ] {
        if *number > 0 {
            let _ = writeln!(out, "{line}");
        }
    }
    if let Some(control) = control {
        let _ = writeln!(out, "control = \"cr{control}\"");
    }
    for (number_of_flight, flight) in flights.iter().enumerate() {
        // The clock of these worlds shows a fixed noon, so milliseconds are all that varies.
        let _ = write!(
            out,
            "[[flight]]\nid = \"f{number}-{number_of_flight}\"\ncampaign = \"c{number}\"\nstart = \"{}\"\nend = \"{}\"\n{}{}price = \"{}.5 EUR\"\n{}",
            instant(flight.start_ms),
            instant(flight.end_ms),
            caps_text(&flight.caps),
            limits_text(flight.limits),
            flight.euros,
            hours_text(flight)
        );
        if let Some((class, priority, weight)) = flight.standing {
            let _ = writeln!(out, "class = \"{}\"\npriority = {priority}", CLASSES[class]);
            if weight > 0 {
                let _ = writeln!(out, "weight = {weight}");
            }
        }
    }
}

/// An instant within the day of [`NOW_MS`].
pub(crate) fn instant(at_ms: i64) -> String {
    let day_ms = at_ms - (NOW_MS - 43_200_000);
    let (secs, millis) = (day_ms / 1_000, day_ms % 1_000);
    format!("2026-11-20T{:02}:{:02}:{:02}.{millis:03}Z", secs / 3_600, secs / 60 % 60, secs % 60)
}

fn write_template(out: &mut String, number: usize, template: &Template) {
    let Template { campaign, size, slots, exploration_percent, fields, exclusions, caps } = template;
    let _ = write!(
        out,
        "[[template]]\nid = \"t{number}\"\ncampaign = \"c{campaign}\"\nexploration = \"{exploration_percent}%\"\n"
    );
    if size.0 > 0 {
        let _ = writeln!(out, "size = \"{}x{}\"", size.0, size.1);
    }
    let pairs: Vec<String> =
        exclusions.iter().map(|(one, other)| format!("[\"a{one}\", \"a{other}\"]")).collect();
    let _ = writeln!(out, "never_together = [{}]\n{}", pairs.join(", "), caps_text(caps));
    for (slot, assets) in slots.iter().enumerate() {
        let assets: Vec<String> = (0..*assets).map(|asset| format!("\"a{asset}\"")).collect();
        let _ = write!(out, "[[template.slot]]\nname = \"s{slot}\"\nassets = [{}]\n", assets.join(", "));
    }
    for (field, kind) in fields.iter().enumerate() {
        let _ = write!(out, "[[template.context]]\nname = \"x{field}\"\n");
        let _ = match kind {
            Field::Segments(list) => {
                let list: Vec<String> = list.iter().map(|number| format!("\"g{number}\"")).collect();
                writeln!(out, "segments = [{}]", list.join(", "))
            }
            Field::Device => writeln!(out, "signal = \"device.type\"\nvalues = {DEVICES:?}"),
            Field::Country => writeln!(out, "signal = \"country\"\nvalues = {COUNTRIES:?}"),
        };
    }
}
