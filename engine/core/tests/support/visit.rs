//! Made-up visits to the demo shop: everything a decision takes in, varied as widely as real traffic and then some.

use std::borrow::Cow;

use tessera_engine_core::consent::{ConsentInputs, OwnConsent};
use tessera_engine_core::signals::{
    Behaviour, Device, LocalTime, Money, PlacementRequest, RawSignals, Value, WeatherHere,
};
use tessera_wire::signal::NUMBER_SCALE;

use super::{Dice, NOW_MS};

/// A TC string that grants everything to the publisher, and one that refuses everything.
pub(crate) const TC_ALL: &str =
    "CQlH_MAQlH_MANwADBENCNFsAP_gAEPgAAYgIzQBYAAgAEABwAGgC8wIzAXnAEAACABwAGgC8wAA.IJXwAYAAgle";
pub(crate) const TC_NONE: &str = "CQlH_MAQlH_MANwADBENCNFgAAAAAAAAAAYgAAAAAAAA.IJXwAYAAgle";

const COUNTRIES: [&str; 9] = ["RO", "DE", "FR", "GB", "US", "BR", "JP", "CA", "ZZ"];
const SLOTS: [&str; 6] = ["home_hero", "sidebar", "checkout", "newsletter", "nowhere", ""];
const FORMATS: [&[(u32, u32)]; 5] = [&[], &[(970, 250)], &[(300, 250)], &[(970, 250), (300, 250)], &[(1, 1)]];
const TEXTS: [&str; 12] =
    ["running", "fashion", "travel", "gaming", "gold", "silver", "none", "", "mobile", "ünïcode", "a", "RO"];

/// One request, owned, so that taking it apart costs a decision nothing.
pub(crate) struct Visit {
    pub(crate) now_ms: i64,
    pub(crate) seed: u64,
    pub(crate) country: Option<&'static str>,
    pub(crate) city: Option<&'static str>,
    pub(crate) device: Option<Device>,
    pub(crate) local_time: Option<LocalTime>,
    pub(crate) language: Option<&'static str>,
    pub(crate) weather: WeatherHere,
    pub(crate) cart_value: Option<Money<'static>>,
    pub(crate) count: Option<i64>,
    pub(crate) texts: Vec<Cow<'static, str>>,
    pub(crate) has_segments: bool,
    pub(crate) traits: Vec<(Cow<'static, str>, Value<'static>)>,
    pub(crate) identifier: Option<u64>,
    pub(crate) placements: Vec<PlacementRequest<'static>>,
    pub(crate) consent: ConsentInputs<'static>,
}

impl Visit {
    pub(crate) fn new(seed: u64) -> Visit {
        let mut dice = Dice::new(seed);
        let country = dice.maybe(90, &COUNTRIES);
        let device =
            Device { kind: dice.below(7) as u8, os: dice.below(8) as u8, browser: dice.below(8) as u8 };
        Visit {
            now_ms: dice.pick(&[NOW_MS, 0, 1_767_225_600_000, 2_082_758_400_000, i64::MAX]),
            seed: dice.word(),
            country,
            city: dice.maybe(50, &["Berlin", "Cluj-Napoca"]),
            device: dice.maybe(90, &[device]),
            local_time: dice.maybe(
                80,
                &[
                    LocalTime { hour: 23, minute: 59, weekday: 6 },
                    LocalTime { hour: 24, minute: 60, weekday: 7 },
                ],
            ),
            language: dice.maybe(80, &["ro", "de", "xx"]),
            weather: WeatherHere {
                condition: dice.maybe(60, &[0, 4, 5, 6, 7, 255]),
                temperature: dice.maybe(60, &[-5 * NUMBER_SCALE, 0, 4_500_000, 30 * NUMBER_SCALE, i64::MIN]),
            },
            cart_value: cart(&mut dice),
            count: dice.maybe(50, &[0, 3, i64::MAX, i64::MIN]),
            texts: (0..dice.below(5)).map(|_| Cow::Borrowed(dice.pick(&TEXTS))).collect(),
            has_segments: dice.percent(50),
            traits: traits(&mut dice),
            identifier: dice.percent(60).then(|| dice.word()),
            placements: placements(&mut dice),
            consent: consent(&mut dice, country),
        }
    }

    pub(crate) fn raw(&self) -> RawSignals<'_> {
        RawSignals {
            country: self.country,
            region: self.country,
            city: self.city,
            local_time: self.local_time,
            device: self.device,
            language: self.language,
            weather: self.weather,
            page_origin: Some("https://fernweh.example"),
            page_path: Some("/shoes"),
            page_categories: &self.texts,
            page_keywords: &self.texts,
            referrer_host: self.language,
            cart_value: self.cart_value,
            cart_items: self.count,
            page_views: self.count,
            user_segments: self.has_segments.then_some(&self.texts),
            traits: &self.traits,
            context: &self.traits,
            sticky_key: self.identifier,
            subject: u128::from(self.identifier.unwrap_or(0)),
            behaviour: Behaviour::default(),
            features: &[],
            zone_offsets: &[],
            request_key: self.seed,
            is_test: self.seed.is_multiple_of(16),
            preview: None,
            held: &[],
        }
    }
}

fn cart(dice: &mut Dice) -> Option<Money<'static>> {
    let euros = dice.pick(&[-1, 0, 49, 50, 99, 100, 101, 5_000]);
    let currency = dice.pick(&["EUR", "EUR", "EUR", "RON"]);
    dice.percent(70).then_some(Money { micros: euros * NUMBER_SCALE, currency })
}

fn traits(dice: &mut Dice) -> Vec<(Cow<'static, str>, Value<'static>)> {
    let mut traits = Vec::new();
    for name in ["interest", "age", "member_tier", "unheard_of"] {
        let value = match dice.below(6) {
            0 => continue,
            1 => Value::Bool(true),
            2 => Value::Number(dice.pick(&[-1, 0, 13, 17, 18, 120, 1 << 40]) * NUMBER_SCALE),
            3 => Value::List(vec!["running".into(), "gold".into()]),
            _ => Value::Text(dice.pick(&TEXTS).into()),
        };
        traits.push((name.into(), value));
    }
    if dice.percent(50) {
        traits.push(("age".into(), Value::Number(30 * NUMBER_SCALE)));
    }
    traits
}

fn placements(dice: &mut Dice) -> Vec<PlacementRequest<'static>> {
    let many = if dice.percent(2) { 50 } else { 4 };
    (0..1 + dice.below(many))
        .map(|_| PlacementRequest {
            slot: dice.pick(&SLOTS),
            count: dice.pick(&[1, 1, 1, 2, 3, 20]),
            formats: dice.pick(&FORMATS),
            filter: None,
            floor_micros: 0,
        })
        .collect()
}

fn consent(dice: &mut Dice, country: Option<&'static str>) -> ConsentInputs<'static> {
    let own = OwnConsent {
        storage: dice.percent(80),
        ads_profile: dice.maybe(50, &[true, false]),
        ads_personalization: dice.percent(70),
        content_personalization: dice.percent(50),
        analytics: dice.percent(50),
        sale: dice.percent(50),
        precise_geo: dice.percent(50),
    };
    ConsentInputs {
        tcf: dice.maybe(40, &[TC_ALL, TC_ALL, TC_NONE, "", "garbage"]),
        gpp: dice.maybe(10, &["DBAA", "DBABTA~1YNN", "garbage"]),
        gpp_sid: if dice.percent(10) { &[2, 7] } else { &[] },
        us_privacy: dice.maybe(10, &["1YNN", "1YYN", "1---", "x"]),
        gdpr: dice.maybe(20, &[0, 1, 7]),
        coppa: dice.percent(4),
        gpc: dice.percent(8),
        dnt: dice.percent(4),
        lmt: dice.percent(4),
        country,
        own: dice.maybe(40, &[own]),
        is_suppressed: dice.percent(2),
        is_caller_trusted: dice.percent(10),
        ..ConsentInputs::default()
    }
}
