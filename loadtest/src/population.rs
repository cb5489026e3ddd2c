//! The demo's audience: visitors with traits, addresses and consent, and the truth about what they click.
//!
//! The truth it hides: every visitor belongs to one of eight segments, and segments differ strongly in which image, headline
//! and call to action they like; devices and countries differ a little, the time of day not at all. Clicks follow an
//! [`Environment`] over (segment, device, country) and 5 x 10 x 5 combinations with a base rate of 5 %. A discount raises
//! the click's odds by [`DISCOUNT_EFFECT`] per unit. The trait `interest` names the segment, so rules and the model can
//! find out, but only about visitors who consented: a third of the audience must be served by context alone.
//!
//! Guarantees: a visitor and a click are functions of (seed, number), so a run can be repeated and split.
//!
//! Not here: sending requests ([`crate::drive`]) and addresses' countries (the caller knows its address table).

use std::net::IpAddr;

use crate::environment::{Environment, FIELDS, Preset, sigmoid};
use crate::random::{mix64, pick, uniform};

/// Segments by number, as the trait `interest` names them.
pub const SEGMENTS: [&str; 8] =
    ["running", "fashion", "travel", "gaming", "cooking", "music", "gardening", "gadgets"];
/// Device classes by number.
pub const DEVICES: [&str; 3] = ["mobile", "desktop", "tablet"];
/// Countries by number.
pub const COUNTRIES: [&str; 6] = ["RO", "DE", "FR", "GB", "US", "BR"];
/// Page categories.
pub const CATEGORIES: [&str; 5] = ["home", "category", "product", "cart", "article"];
/// Membership tiers.
pub const TIERS: [&str; 4] = ["none", "silver", "gold", "platinum"];
/// Items per slot: images, headlines, calls to action.
pub const SLOTS: [usize; 3] = [5, 10, 5];
/// Change of the click's log odds per unit of discount: 20 % off is worth 0.2.
pub const DISCOUNT_EFFECT: f64 = 1.0;

const DEVICE_PROBABILITIES: [f64; 3] = [0.60, 0.32, 0.08];
const TIER_PROBABILITIES: [f64; 4] = [0.55, 0.25, 0.15, 0.05];
const CATEGORY_PROBABILITIES: [f64; 5] = [0.30, 0.25, 0.25, 0.10, 0.10];
/// Consent; refusal by Global Privacy Control; refusal in the consent dialogue; no signal.
const CONSENT_PROBABILITIES: [f64; 4] = [0.65, 0.08, 0.12, 0.15];
const CART_PROBABILITY: f64 = 0.40;
/// Typical age by segment.
const AGES: [f64; 8] = [34.0, 27.0, 45.0, 22.0, 50.0, 25.0, 58.0, 31.0];
const USER_AGENTS: [&str; 3] = [
    "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPad; CPU OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Mobile/15E148 Safari/604.1",
];

/// What a visitor said about being remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Consent {
    /// Yes to personalization and measurement.
    Granted,
    /// The browser sends Global Privacy Control: context only.
    GlobalPrivacyControl,
    /// The consent dialogue was answered with no: context only.
    Refused,
    /// Nothing was said.
    NoSignal,
}

/// One visitor.
#[derive(Debug, Clone, PartialEq)]
pub struct Visitor {
    /// Number in the population.
    pub number: u64,
    /// First-party id.
    pub id: String,
    /// Hidden segment, an index into [`SEGMENTS`].
    pub segment: usize,
    /// An index into [`DEVICES`].
    pub device: usize,
    /// An index into [`COUNTRIES`].
    pub country: usize,
    /// The trait that names the segment.
    pub interest: &'static str,
    /// Age in years.
    pub age: u8,
    /// Membership tier.
    pub member_tier: &'static str,
    /// User agent of the device.
    pub user_agent: &'static str,
    /// An address of the country, if the population knows any.
    pub client_ip: Option<IpAddr>,
    /// Category of the page.
    pub page_category: &'static str,
    /// Value of the cart in millionths of a euro; none when it is empty.
    pub cart_value_micros: Option<i64>,
    /// Consent.
    pub consent: Consent,
}

/// All visitors of a seed.
#[derive(Debug, Clone)]
pub struct Population {
    seed: u64,
    truth: Environment,
    addresses: [Vec<IpAddr>; 6],
}

/// Independent streams of random numbers about a visitor.
#[derive(Clone, Copy)]
#[repr(u64)]
enum Stream {
    Context = 1,
    Traits = 2,
    Click = 3,
    Id = 4,
}

impl Population {
    /// The population of a seed, without addresses.
    pub fn new(seed: u64) -> Population {
        let preset = Preset {
            slots: SLOTS.to_vec(),
            base: 0.05,
            main: 0.08,
            pair: 0.05,
            context: [0.25, 0.15, 0.0, 0.10],
            cross: [0.37, 0.08, 0.0, 0.05],
            residual: 0.03,
        };
        Population { seed, truth: Environment::new(&preset, seed), addresses: Default::default() }
    }

    /// Gives visitors addresses: some for each of [`COUNTRIES`].
    #[must_use]
    pub fn with_addresses(mut self, addresses: [Vec<IpAddr>; 6]) -> Population {
        self.addresses = addresses;
        self
    }

    /// Visitor number `n`.
    pub fn visitor(&self, n: u64) -> Visitor {
        // Segments and countries are as frequent as in the reference environment.
        let context = self.truth.context(self.stream(Stream::Context), n);
        let [segment, _, _, country] = crate::environment::context_values(context);
        let u = |k: u64| uniform(self.stream(Stream::Traits), n, k);
        let device = pick(&DEVICE_PROBABILITIES, u(0));
        let is_filled = u(3) < CART_PROBABILITY;
        let cart_euros = 5.0 + 245.0 * u(4) * u(4);
        let consent = match pick(&CONSENT_PROBABILITIES, u(5)) {
            0 => Consent::Granted,
            1 => Consent::GlobalPrivacyControl,
            2 => Consent::Refused,
            _ => Consent::NoSignal,
        };
        let addresses = &self.addresses[country];
        Visitor {
            number: n,
            id: format!("v{:016x}", mix64(self.stream(Stream::Id) ^ n)),
            segment,
            device,
            country,
            interest: SEGMENTS[segment],
            age: (AGES[segment] + 16.0 * (u(1) - 0.5)).clamp(18.0, 90.0) as u8,
            member_tier: TIERS[pick(&TIER_PROBABILITIES, u(2))],
            user_agent: USER_AGENTS[device],
            client_ip: addresses.get((n % addresses.len().max(1) as u64) as usize).copied(),
            page_category: CATEGORIES[pick(&CATEGORY_PROBABILITIES, u(6))],
            cart_value_micros: is_filled.then(|| (cart_euros * 100.0).round() as i64 * 10_000),
            consent,
        }
    }

    /// The true probability that a visitor clicks a combination with an offer of this discount (0.2 is 20 % off).
    pub fn click_probability(&self, visitor: &Visitor, combination: usize, offer_discount: f64) -> f64 {
        let p = self.truth.probability(context_of(visitor), combination);
        if offer_discount == 0.0 {
            return p;
        }
        sigmoid((p / (1.0 - p)).ln() + DISCOUNT_EFFECT * offer_discount)
    }

    /// The best combination for a visitor, and its click probability: what perfect knowledge would reach.
    pub fn best_combination(&self, visitor: &Visitor) -> (usize, f64) {
        let rates = (0..self.truth.combinations).map(|k| (k, self.click_probability(visitor, k, 0.0)));
        rates.fold((0, 0.0), |best, next| if next.1 > best.1 { next } else { best })
    }

    /// Is impression number `n` clicked, given its probability?
    pub fn is_click(&self, n: u64, probability: f64) -> bool {
        uniform(self.stream(Stream::Click), n, 0) < probability
    }

    /// The static combination of median quality: what a fair control shows.
    pub fn median_combination(&self) -> usize {
        self.truth.baselines().generic.0
    }

    /// The truth behind the clicks.
    pub fn truth(&self) -> &Environment {
        &self.truth
    }

    fn stream(&self, stream: Stream) -> u64 {
        mix64(self.seed.wrapping_add(stream as u64))
    }
}

/// The environment's context of a visitor; the daypart has no effect and is 0.
fn context_of(visitor: &Visitor) -> usize {
    ((visitor.segment * FIELDS[1] + visitor.device) * FIELDS[2]) * FIELDS[3] + visitor.country
}
