//! The signal vocabulary: what rules may name, what the engine fills in, and which consent gates each signal needs.
//!
//! A *signal* is one typed fact about a request. Built-in signals ([`Builtin`]) are derived by the engine; a bundle may
//! declare more, read from the visitor's traits or the request's free context. Values are integers or text: numbers,
//! money and percentages are scaled by [`NUMBER_SCALE`], durations are milliseconds, times unix milliseconds, so that
//! every back end agrees bit for bit.
//!
//! Consent is part of a signal: a signal whose gates are not all open is *unknown* to rules.

use serde::{Deserialize, Serialize};

/// Fixed-point scale of numbers, money amounts and percentages: one unit is a million.
pub const NUMBER_SCALE: i64 = 1_000_000;

/// The eleven consent gates of a request, one bit each.
///
/// A gate says what may be done, derived from every applicable privacy regime; the meaning and derivation of each is the
/// consent table in `tessera-engine-core::consent`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Gates(pub u16);

impl Gates {
    /// Nothing is allowed beyond contextual use.
    pub const NONE: Gates = Gates(0);
    /// Read and write identifiers on the device.
    pub const STORE_ACCESS: Gates = Gates(1);
    /// Count how often this visitor saw something.
    pub const FREQUENCY_CAP: Gates = Gates(1 << 1);
    /// Write an advertising profile.
    pub const ADS_PROFILE_WRITE: Gates = Gates(1 << 2);
    /// Use a profile to select advertising.
    pub const ADS_PERSONALIZE: Gates = Gates(1 << 3);
    /// Write a content profile.
    pub const CONTENT_PROFILE_WRITE: Gates = Gates(1 << 4);
    /// Use a profile to select content.
    pub const CONTENT_PERSONALIZE: Gates = Gates(1 << 5);
    /// Record advertising events together with an identifier.
    pub const MEASURE_ADS: Gates = Gates(1 << 6);
    /// Record content events together with an identifier.
    pub const MEASURE_CONTENT: Gates = Gates(1 << 7);
    /// Learn from this visitor's own features.
    pub const LEARN_USER_LEVEL: Gates = Gates(1 << 8);
    /// Use a location more precise than a subdivision.
    pub const PRECISE_GEO: Gates = Gates(1 << 9);
    /// Share with third parties (exports only).
    pub const SHARE_THIRD_PARTY: Gates = Gates(1 << 10);
    /// Every gate open.
    pub const ALL: Gates = Gates((1 << 11) - 1);

    /// Gate names in bit order, as the explain block and the consent vectors spell them.
    pub const NAMES: [&'static str; 11] = [
        "store_access",
        "frequency_cap",
        "ads_profile_write",
        "ads_personalize",
        "content_profile_write",
        "content_personalize",
        "measure_ads",
        "measure_content",
        "learn_user_level",
        "precise_geo",
        "share_third_party",
    ];

    /// Is every gate of `needed` open?
    #[inline]
    pub const fn covers(self, needed: Gates) -> bool {
        self.0 & needed.0 == needed.0
    }

    /// Gates open in both.
    #[inline]
    #[must_use]
    pub const fn and(self, other: Gates) -> Gates {
        Gates(self.0 & other.0)
    }

    /// Gates open in either.
    #[inline]
    #[must_use]
    pub const fn or(self, other: Gates) -> Gates {
        Gates(self.0 | other.0)
    }

    /// These gates without those of `closed`.
    #[inline]
    #[must_use]
    pub const fn without(self, closed: Gates) -> Gates {
        Gates(self.0 & !closed.0)
    }

    /// Names of the open gates, in bit order.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Self::NAMES
            .into_iter()
            .enumerate()
            .filter(move |(bit, _)| self.0 & (1 << bit) != 0)
            .map(|(_, name)| name)
    }
}

/// A consent purpose that a rule author can write after `needs`, and the gates it stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Purpose {
    /// The word in the rule language.
    pub name: &'static str,
    /// Gates that must all be open.
    pub gates: Gates,
    /// One line for authors.
    pub meaning: &'static str,
}

/// Every purpose of the rule language.
pub const PURPOSES: [Purpose; 8] = [
    Purpose {
        name: "storage",
        gates: Gates::STORE_ACCESS,
        meaning: "read or write identifiers on the device (TCF 1)",
    },
    Purpose {
        name: "ads_profile",
        gates: Gates::ADS_PROFILE_WRITE,
        meaning: "create an advertising profile (TCF 1, 3)",
    },
    Purpose {
        name: "ads_personalization",
        gates: Gates::ADS_PERSONALIZE,
        meaning: "use a profile to select advertising (TCF 1, 4)",
    },
    Purpose {
        name: "behaviour",
        gates: Gates::ADS_PERSONALIZE,
        meaning: "use past behaviour to select advertising (TCF 1, 4)",
    },
    Purpose {
        name: "content_personalization",
        gates: Gates::CONTENT_PERSONALIZE,
        meaning: "use a profile to select content (TCF 1, 6)",
    },
    Purpose {
        name: "frequency",
        gates: Gates::FREQUENCY_CAP,
        meaning: "count impressions per visitor (TCF 1, 2 or 4)",
    },
    Purpose {
        name: "analytics",
        gates: Gates::MEASURE_ADS,
        meaning: "measure with an identifier (TCF 1, 7)",
    },
    Purpose {
        name: "precise_geo",
        gates: Gates::PRECISE_GEO,
        meaning: "location more precise than a subdivision (TCF SF1)",
    },
];

/// The purpose with this name.
pub fn purpose(name: &str) -> Option<&'static Purpose> {
    PURPOSES.iter().find(|purpose| purpose.name == name)
}

/// What kind of value a signal holds, without the details a bundle adds (closed word list, currency, bounds).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// 0 or 1.
    Bool,
    /// Scaled by [`NUMBER_SCALE`].
    Number,
    /// Amount scaled by [`NUMBER_SCALE`]; the currency is the attribute's.
    Money,
    /// One piece of text.
    Text,
    /// A set of texts. Empty is known, missing is unknown.
    Set,
    /// Unix milliseconds.
    Time,
    /// Milliseconds.
    Duration,
    /// A dotted version as one ordered number; see [`version`].
    Version,
}

/// A dotted version such as `17.4.1` as one number that orders like the version: 20 bits for each of the first three
/// parts, missing parts as zero. `None` when it is not one to three numbers below 2^20, with an optional leading `v`.
/// Anything from a `-` or `+` on (pre-release, build) is left out.
pub fn version(text: &str) -> Option<i64> {
    let core = text.strip_prefix('v').unwrap_or(text);
    let core = core.split(['-', '+']).next().unwrap_or(core);
    let mut packed = 0;
    let mut parts = core.split('.');
    for _ in 0..3 {
        let part = match parts.next() {
            Some(digits) if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) => {
                digits.parse::<i64>().ok().filter(|part| *part < 1 << 20)?
            }
            Some(_) => return None,
            None => 0,
        };
        packed = packed << 20 | part;
    }
    parts.next().is_none().then_some(packed)
}

/// A signal that the engine derives by itself, whatever the bundle declares.
///
/// The discriminant is part of the bundle format: never reuse or reorder, only append.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[repr(u16)]
pub enum Builtin {
    /// ISO 3166-1 alpha-2 country, upper case.
    Country,
    /// ISO 3166-2 subdivision with its country, such as `RO-CJ`.
    Region,
    /// English city name.
    City,
    /// `mobile`, `desktop`, `tablet`, `tv`, `bot`, `other`.
    DeviceType,
    /// `ios`, `android`, `windows`, `macos`, `linux`, `chromeos`, `other`.
    DeviceOs,
    /// `chrome`, `safari`, `firefox`, `edge`, `samsung`, `opera`, `other`.
    DeviceBrowser,
    /// Primary language subtag, lower case, such as `ro`.
    Language,
    /// Hour of the visitor's local day, 0 to 23.
    Hour,
    /// `mon` to `sun`, in the visitor's zone.
    Weekday,
    /// `night` (0-5), `morning` (6-11), `afternoon` (12-17), `evening` (18-23).
    Daypart,
    /// Origin of the page, such as `https://shop.example`.
    PageOrigin,
    /// Path of the page, without query or fragment.
    PagePath,
    /// First (primary) category of the page.
    PageCategory,
    /// All categories of the page.
    PageCategories,
    /// Keywords of the page.
    PageKeywords,
    /// Host of the referring page.
    ReferrerHost,
    /// Value of the visitor's cart.
    CartValue,
    /// Number of items in the cart.
    CartItems,
    /// Pages viewed in this session.
    PageViews,
    /// Audience segments that the caller supplied for this visitor.
    UserSegments,
    /// The time of the request.
    Now,
    /// Minute of the visitor's local week: 0 is Monday 00:00, 10,079 is Sunday 23:59.
    MinuteOfWeek,
    /// When the visitor's cart was left behind.
    CartAbandoned,
    /// When the visitor last viewed a product.
    ProductViewed,
    /// When the visitor last searched.
    Searched,
    /// When a price that the visitor watches last dropped.
    PriceDropped,
    /// When the visitor last bought something.
    Purchased,
    /// How often the visitor bought something.
    Purchases,
    /// Id of the product that the visitor viewed last.
    LastViewed,
    /// What the sky does where the visitor is, by subdivision or country.
    WeatherCondition,
    /// Degrees Celsius where the visitor is, by subdivision or country.
    WeatherTemperature,
}

/// A row of the built-in vocabulary.
#[derive(Debug, Clone, Copy)]
pub struct BuiltinSpec {
    /// Which signal.
    pub builtin: Builtin,
    /// Its name in rules.
    pub name: &'static str,
    /// Its kind.
    pub kind: Kind,
    /// Gates it needs; [`Gates::NONE`] means contextual.
    pub gates: Gates,
    /// The closed list of values, empty when open.
    pub values: &'static [&'static str],
}

const fn spec(
    builtin: Builtin,
    name: &'static str,
    kind: Kind,
    gates: Gates,
    values: &'static [&'static str],
) -> BuiltinSpec {
    BuiltinSpec { builtin, name, kind, gates, values }
}

/// Device classes in the order of their codes.
pub const DEVICE_TYPES: [&str; 6] = ["mobile", "desktop", "tablet", "tv", "bot", "other"];
/// Operating system families in the order of their codes.
pub const DEVICE_OSES: [&str; 7] = ["ios", "android", "windows", "macos", "linux", "chromeos", "other"];
/// Browser families in the order of their codes.
pub const DEVICE_BROWSERS: [&str; 7] = ["chrome", "safari", "firefox", "edge", "samsung", "opera", "other"];
/// Days of the week, Monday first (ISO 8601).
pub const WEEKDAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
/// Quarters of the day, by `hour / 6`.
pub const DAYPARTS: [&str; 4] = ["night", "morning", "afternoon", "evening"];

/// What the sky does, in the order of the codes.
pub const WEATHER_CONDITIONS: [&str; 7] = ["clear", "cloudy", "fog", "drizzle", "rain", "snow", "thunder"];

/// The whole built-in vocabulary. City needs a profile gate because it is finer than the contextual location.
pub const BUILTINS: [BuiltinSpec; 31] = [
    spec(Builtin::Country, "country", Kind::Text, Gates::NONE, &[]),
    spec(Builtin::Region, "region", Kind::Text, Gates::NONE, &[]),
    spec(Builtin::City, "city", Kind::Text, Gates::ADS_PERSONALIZE, &[]),
    spec(Builtin::DeviceType, "device.type", Kind::Text, Gates::NONE, &DEVICE_TYPES),
    spec(Builtin::DeviceOs, "device.os", Kind::Text, Gates::NONE, &DEVICE_OSES),
    spec(Builtin::DeviceBrowser, "device.browser", Kind::Text, Gates::NONE, &DEVICE_BROWSERS),
    spec(Builtin::Language, "language", Kind::Text, Gates::NONE, &[]),
    spec(Builtin::Hour, "hour", Kind::Number, Gates::NONE, &[]),
    spec(Builtin::Weekday, "weekday", Kind::Text, Gates::NONE, &WEEKDAYS),
    spec(Builtin::Daypart, "daypart", Kind::Text, Gates::NONE, &DAYPARTS),
    spec(Builtin::PageOrigin, "page.origin", Kind::Text, Gates::NONE, &[]),
    spec(Builtin::PagePath, "page.path", Kind::Text, Gates::NONE, &[]),
    spec(Builtin::PageCategory, "page.category", Kind::Text, Gates::NONE, &[]),
    spec(Builtin::PageCategories, "page.categories", Kind::Set, Gates::NONE, &[]),
    spec(Builtin::PageKeywords, "page.keywords", Kind::Set, Gates::NONE, &[]),
    spec(Builtin::ReferrerHost, "referrer.host", Kind::Text, Gates::NONE, &[]),
    spec(Builtin::CartValue, "cart.value", Kind::Money, Gates::ADS_PERSONALIZE, &[]),
    spec(Builtin::CartItems, "cart.items", Kind::Number, Gates::ADS_PERSONALIZE, &[]),
    spec(Builtin::PageViews, "session.page_views", Kind::Number, Gates::ADS_PERSONALIZE, &[]),
    spec(Builtin::UserSegments, "user.segments", Kind::Set, Gates::ADS_PERSONALIZE, &[]),
    spec(Builtin::Now, "now", Kind::Time, Gates::NONE, &[]),
    spec(Builtin::MinuteOfWeek, "minute_of_week", Kind::Number, Gates::NONE, &[]),
    spec(Builtin::CartAbandoned, "cart_abandoned", Kind::Time, Gates::ADS_PERSONALIZE, &[]),
    spec(Builtin::ProductViewed, "product_viewed", Kind::Time, Gates::ADS_PERSONALIZE, &[]),
    spec(Builtin::Searched, "searched", Kind::Time, Gates::ADS_PERSONALIZE, &[]),
    spec(Builtin::PriceDropped, "price_dropped", Kind::Time, Gates::ADS_PERSONALIZE, &[]),
    spec(Builtin::Purchased, "purchased", Kind::Time, Gates::ADS_PERSONALIZE, &[]),
    spec(Builtin::Purchases, "purchases", Kind::Number, Gates::ADS_PERSONALIZE, &[]),
    spec(Builtin::LastViewed, "last_viewed", Kind::Text, Gates::ADS_PERSONALIZE, &[]),
    // As coarse as country and region, which they follow from.
    spec(Builtin::WeatherCondition, "weather.condition", Kind::Text, Gates::NONE, &WEATHER_CONDITIONS),
    spec(Builtin::WeatherTemperature, "weather.temperature", Kind::Number, Gates::NONE, &[]),
];

impl Builtin {
    /// This signal's row of the vocabulary.
    pub const fn spec(self) -> &'static BuiltinSpec {
        &BUILTINS[self as usize]
    }
}

/// The built-in signal with this name.
pub fn builtin(name: &str) -> Option<&'static BuiltinSpec> {
    BUILTINS.iter().find(|spec| spec.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_builtin_stands_at_its_own_index() {
        for (index, spec) in BUILTINS.iter().enumerate() {
            assert_eq!(spec.builtin as usize, index, "{}", spec.name);
            assert_eq!(spec.builtin.spec().name, spec.name);
        }
    }

    #[test]
    fn versions_order_as_numbers_not_as_texts() {
        let of = |text| version(text).unwrap();
        assert!(of("17.10") > of("17.9.3"));
        assert_eq!(of("v17"), of("17.0.0"));
        assert_eq!(of("2.1.0-beta.3+7"), of("2.1"));
        for bad in ["", "v", "1..2", "1.2.3.4", "1.x", "1048576", "-1", "1.", " 1"] {
            assert_eq!(version(bad), None, "{bad}");
        }
    }

    #[test]
    fn gate_names_match_bits() {
        assert_eq!(Gates::ADS_PERSONALIZE.names().collect::<Vec<_>>(), ["ads_personalize"]);
        assert_eq!(Gates::ALL.names().count(), 11);
    }
}
