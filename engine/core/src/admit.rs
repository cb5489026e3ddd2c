//! The gate between what the edge collected and what may be used.
//!
//! [`admit`] is the only constructor of [`Admitted`] (what it made can be kept: [`crate::inputs`]), so no rule, model or event can read a signal whose gates are not
//! open: an ungranted signal is simply never written into the frame, and therefore unknown to rules, also under `not`.
//! Contextual signals always pass. Absent consent is never an error.
//!
//! Cost: one pass over the attributes that the bundle reads, no allocation. Not here: deriving the gates
//! ([`crate::consent`]) and deriving the signals (the engine's enrichment).

use std::borrow::Cow;

use tessera_rulevm::{Frame, VerifiedProgram};
use tessera_wire::event::Mode;
use tessera_wire::program::{Attribute, BucketKey, Origin, SignalId};
use tessera_wire::signal::{
    Builtin, DAYPARTS, DEVICE_BROWSERS, DEVICE_OSES, DEVICE_TYPES, Gates, Kind, NUMBER_SCALE,
    WEATHER_CONDITIONS, WEEKDAYS, version,
};

use crate::consent::{Outcome, Reason, Regimes};
use crate::experiment::Preview;
use crate::hash::bucket;
use crate::offer::HeldOffer;
use crate::signals::{LocalTime, PlacementRequest, RawSignals, Value};
use crate::standing::Standing;

/// What one decision may use: the granted signals, and what was asked for.
#[derive(Debug)]
pub struct Admitted<'a> {
    // INVARIANT: `frame` holds no signal whose attribute's gates are not covered by `gates`.
    pub(crate) frame: &'a Frame,
    pub(crate) placements: &'a [PlacementRequest<'a>],
    pub(crate) gates: Gates,
    pub(crate) mode: Mode,
    pub(crate) reason: Reason,
    pub(crate) sticky_key: Option<u64>,
    pub(crate) held: &'a [HeldOffer],
    pub(crate) subject: u128,
    pub(crate) is_learnable: bool,
    // INVARIANT: empty unless counting the visitor's impressions is allowed.
    pub(crate) features: &'a [Option<u32>],
    pub(crate) standing: Standing<'a>,
    pub(crate) preview: Option<&'a Preview>,
}

impl<'a> Admitted<'a> {
    /// A request of which nothing is looked at but what it asks for.
    pub fn nothing(
        program: &VerifiedProgram,
        placements: &'a [PlacementRequest<'a>],
        now_ms: i64,
        frame: &'a mut Frame,
    ) -> Admitted<'a> {
        let outcome = Outcome {
            gates: Gates::NONE,
            mode: Mode::Contextual,
            regimes: Regimes::NONE,
            reason: Reason::Overloaded,
        };
        let unlearned = RawSignals { is_test: true, ..RawSignals::default() };
        frame.reset(program, now_ms);
        Admitted::granted(&unlearned, placements, &outcome, frame)
    }

    fn granted(
        raw: &RawSignals<'a>,
        placements: &'a [PlacementRequest<'a>],
        outcome: &Outcome,
        frame: &'a Frame,
    ) -> Admitted<'a> {
        let is_bot =
            raw.device.is_some_and(|device| DEVICE_TYPES.get(usize::from(device.kind)) == Some(&"bot"));
        Admitted {
            frame,
            placements,
            gates: outcome.gates,
            mode: outcome.mode,
            reason: outcome.reason,
            sticky_key: raw.sticky_key.filter(|_| outcome.gates.covers(Gates::STORE_ACCESS)),
            held: if outcome.gates.covers(Gates::STORE_ACCESS.or(Gates::ADS_PERSONALIZE)) {
                raw.held
            } else {
                &[]
            },
            subject: if outcome.gates.covers(Gates::MEASURE_ADS) { raw.subject } else { 0 },
            features: if outcome.gates.covers(Gates::FREQUENCY_CAP) { raw.features } else { &[] },
            standing: Standing::default(),
            is_learnable: outcome.mode != Mode::Child && !raw.is_test && raw.preview.is_none() && !is_bot,
            preview: raw.preview,
        }
    }

    /// The granted signals.
    pub fn frame(&self) -> &'a Frame {
        self.frame
    }

    /// What was asked for.
    pub fn placements(&self) -> &'a [PlacementRequest<'a>] {
        self.placements
    }

    /// The open gates.
    pub fn gates(&self) -> Gates {
        self.gates
    }

    /// The consent mode.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// Why the mode is what it is.
    pub fn reason(&self) -> Reason {
        self.reason
    }

    /// Key for sticky assignment; absent unless identifiers on the device may be read.
    pub fn sticky_key(&self) -> Option<u64> {
        self.sticky_key
    }

    /// Offers that the visitor was given before; none unless remembering and personalised prices are allowed.
    pub fn held(&self) -> &'a [HeldOffer] {
        self.held
    }

    /// Pseudonymous subject key for events, 0 unless measuring with an identifier is allowed.
    pub fn subject(&self) -> u128 {
        self.subject
    }

    /// How often the visitor was shown what a feature of the program counts; `None` where that may not be known, or is
    /// not.
    #[inline]
    pub fn impressions(&self, feature: u16) -> Option<u32> {
        self.features.get(usize::from(feature)).copied().flatten()
    }

    /// The same, decided as things stand now: budgets. Without, nothing but the bundle limits.
    #[must_use]
    pub fn with_standing(self, standing: Standing<'a>) -> Admitted<'a> {
        Admitted { standing, ..self }
    }

    /// How things stand.
    #[inline]
    pub fn standing(&self) -> &Standing<'a> {
        &self.standing
    }

    /// Assignments that a tester wants to look at.
    pub fn preview(&self) -> Option<&'a Preview> {
        self.preview
    }

    /// May the outcome be learned from? Never from children, tests, previews and bots.
    pub fn is_learnable(&self) -> bool {
        self.is_learnable
    }
}

/// Admits what `outcome` grants of `raw` into `frame`.
pub fn admit<'a>(
    program: &VerifiedProgram,
    raw: &RawSignals<'a>,
    placements: &'a [PlacementRequest<'a>],
    outcome: &Outcome,
    now_ms: i64,
    frame: &'a mut Frame,
) -> Admitted<'a> {
    frame.reset(program, now_ms);
    for (index, attribute) in program.program().attributes.iter().enumerate() {
        if outcome.gates.covers(attribute.gates) {
            fill(program, SignalId(index as u16), attribute, raw, frame);
        }
    }
    Admitted::granted(raw, placements, outcome, frame)
}

fn fill(
    program: &VerifiedProgram,
    signal: SignalId,
    attribute: &Attribute,
    raw: &RawSignals<'_>,
    frame: &mut Frame,
) {
    match &attribute.origin {
        Origin::Builtin(builtin) => fill_builtin(program, signal, *builtin, attribute, raw, frame),
        Origin::Trait(name) => fill_value(program, signal, attribute, find(raw.traits, name), frame),
        Origin::Context(name) => fill_value(program, signal, attribute, find(raw.context, name), frame),
        Origin::Feature(feature) => {
            let count = raw.features.get(usize::from(*feature)).copied().flatten();
            fill_integer(signal, count.map(|count| scaled(i64::from(count))), frame);
        }
        Origin::Bucket { key, salt } => {
            let key = match key {
                BucketKey::User => raw.sticky_key,
                BucketKey::Request => Some(raw.request_key),
            };
            fill_integer(signal, key.map(|key| scaled(i64::from(bucket(salt, key)))), frame);
        }
        Origin::MinuteOfWeek(zone) => {
            let found = raw.zone_offsets.iter().find(|(name, _)| **name == **zone);
            let minute = found.map(|(_, offset)| LocalTime::minute_of_week_at(frame.now_ms(), *offset));
            fill_integer(signal, minute.map(scaled), frame);
        }
    }
}

fn fill_builtin(
    program: &VerifiedProgram,
    signal: SignalId,
    builtin: Builtin,
    attribute: &Attribute,
    raw: &RawSignals<'_>,
    frame: &mut Frame,
) {
    let text = match builtin {
        Builtin::Country => raw.country,
        Builtin::Region => raw.region,
        Builtin::City => raw.city,
        Builtin::DeviceType => raw.device.and_then(|device| code(&DEVICE_TYPES, device.kind)),
        Builtin::DeviceOs => raw.device.and_then(|device| code(&DEVICE_OSES, device.os)),
        Builtin::DeviceBrowser => raw.device.and_then(|device| code(&DEVICE_BROWSERS, device.browser)),
        Builtin::Language => raw.language,
        Builtin::Weekday => raw.local_time.and_then(|time| code(&WEEKDAYS, time.weekday)),
        Builtin::Daypart => raw.local_time.and_then(|time| code(&DAYPARTS, time.hour / 6)),
        Builtin::PageOrigin => raw.page_origin,
        Builtin::PagePath => raw.page_path,
        Builtin::PageCategory => raw.page_categories.first().map(AsRef::as_ref),
        Builtin::ReferrerHost => raw.referrer_host,
        Builtin::Hour => {
            return fill_integer(signal, raw.local_time.map(|time| scaled(i64::from(time.hour))), frame);
        }
        Builtin::CartAbandoned => {
            return fill_or_trait(program, signal, attribute, raw.behaviour.cart_abandoned_ms, raw, frame);
        }
        Builtin::ProductViewed => {
            return fill_or_trait(program, signal, attribute, raw.behaviour.product_viewed_ms, raw, frame);
        }
        Builtin::Searched => {
            return fill_or_trait(program, signal, attribute, raw.behaviour.searched_ms, raw, frame);
        }
        Builtin::PriceDropped => {
            return fill_or_trait(program, signal, attribute, raw.behaviour.price_dropped_ms, raw, frame);
        }
        Builtin::Purchased => {
            return fill_or_trait(program, signal, attribute, raw.behaviour.purchased_ms, raw, frame);
        }
        Builtin::Purchases => {
            let purchases = raw.behaviour.purchases.map(|purchases| scaled(i64::from(purchases)));
            return fill_or_trait(program, signal, attribute, purchases, raw, frame);
        }
        Builtin::LastViewed => match raw.behaviour.last_viewed {
            Some(product) => Some(product),
            None => return fill_value(program, signal, attribute, find(raw.traits, &attribute.name), frame),
        },
        Builtin::WeatherCondition => raw.weather.condition.and_then(|word| code(&WEATHER_CONDITIONS, word)),
        Builtin::WeatherTemperature => return fill_integer(signal, raw.weather.temperature, frame),
        Builtin::Now => return frame.set_integer(signal, frame.now_ms()),
        Builtin::MinuteOfWeek => {
            return fill_integer(signal, raw.local_time.map(|time| scaled(time.minute_of_week())), frame);
        }
        Builtin::CartItems => return fill_integer(signal, raw.cart_items.map(scaled), frame),
        Builtin::PageViews => return fill_integer(signal, raw.page_views.map(scaled), frame),
        Builtin::CartValue => {
            let amount = raw.cart_value.filter(|money| money.currency == attribute.currency);
            return fill_integer(signal, amount.map(|money| money.micros), frame);
        }
        Builtin::PageCategories => return fill_set(program, signal, raw.page_categories, frame),
        Builtin::PageKeywords => return fill_set(program, signal, raw.page_keywords, frame),
        Builtin::UserSegments => {
            return raw.user_segments.map_or((), |list| fill_set(program, signal, list, frame));
        }
    };
    if let Some(text) = text {
        frame.set_text(program, signal, text);
    }
}

/// A free value fills an attribute only when it has the declared kind; anything else leaves it unknown.
fn fill_value(
    program: &VerifiedProgram,
    signal: SignalId,
    attribute: &Attribute,
    value: Option<&Value<'_>>,
    frame: &mut Frame,
) {
    match (attribute.kind, value) {
        (Kind::Bool, Some(Value::Bool(value))) => frame.set_integer(signal, i64::from(*value)),
        (Kind::Number | Kind::Money, Some(Value::Number(value))) => frame.set_integer(signal, *value),
        // A time is sent as unix seconds.
        (Kind::Time, Some(Value::Number(value))) => frame.set_integer(signal, value / (NUMBER_SCALE / 1_000)),
        // A duration is sent in seconds.
        (Kind::Duration, Some(Value::Number(value))) => {
            frame.set_integer(signal, value / (NUMBER_SCALE / 1_000))
        }
        (Kind::Version, Some(Value::Text(value))) => fill_integer(signal, version(value), frame),
        (Kind::Text, Some(Value::Text(value))) => frame.set_text(program, signal, value),
        (Kind::Set, Some(Value::List(list))) => fill_set(program, signal, list, frame),
        _ => {}
    }
}

/// What the engine remembers, else what the caller says of the visitor under the same name.
fn fill_or_trait(
    program: &VerifiedProgram,
    signal: SignalId,
    attribute: &Attribute,
    remembered: Option<i64>,
    raw: &RawSignals<'_>,
    frame: &mut Frame,
) {
    match remembered {
        Some(value) => frame.set_integer(signal, value),
        None => fill_value(program, signal, attribute, find(raw.traits, &attribute.name), frame),
    }
}

fn fill_integer(signal: SignalId, value: Option<i64>, frame: &mut Frame) {
    if let Some(value) = value {
        frame.set_integer(signal, value);
    }
}

fn fill_set(program: &VerifiedProgram, signal: SignalId, members: &[Cow<'_, str>], frame: &mut Frame) {
    frame.begin_set(signal);
    for member in members {
        frame.push_member(program, signal, member);
    }
}

fn find<'v, 'a>(values: &'v [(Cow<'a, str>, Value<'a>)], name: &str) -> Option<&'v Value<'a>> {
    values.iter().find(|(key, _)| key == name).map(|(_, value)| value)
}

fn code(names: &'static [&'static str], index: u8) -> Option<&'static str> {
    names.get(usize::from(index)).copied()
}

fn scaled(value: i64) -> i64 {
    value.saturating_mul(NUMBER_SCALE)
}
