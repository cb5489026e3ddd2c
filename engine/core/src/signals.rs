//! Raw signals: everything the edge found out about a request, before consent.
//!
//! Borrowed from the request and the enrichment, never stored. Nothing here may reach rules, learning or events except
//! through [`crate::admit::admit`].

use std::borrow::Cow;

use crate::offer::HeldOffer;

use crate::experiment::Preview;

/// A value in `user.traits` or `context`.
#[derive(Debug, Clone, PartialEq)]
pub enum Value<'a> {
    /// `true` or `false`.
    Bool(bool),
    /// A number scaled by [`tessera_wire::signal::NUMBER_SCALE`].
    Number(i64),
    /// Text.
    Text(Cow<'a, str>),
    /// A list of texts.
    List(Vec<Cow<'a, str>>),
}

/// An amount of money.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Money<'a> {
    /// Millionths of the currency's unit.
    pub micros: i64,
    /// ISO 4217 code.
    pub currency: &'a str,
}

/// The visitor's local time, as far as rules may know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LocalTime {
    /// 0 to 23.
    pub hour: u8,
    /// 0 to 59.
    pub minute: u8,
    /// 0 is Monday.
    pub weekday: u8,
}

impl LocalTime {
    /// Minutes since Monday 00:00.
    pub fn minute_of_week(self) -> i64 {
        (i64::from(self.weekday) * 24 + i64::from(self.hour)) * 60 + i64::from(self.minute)
    }

    /// The minute of the week at `now_ms` (unix milliseconds) for an offset in minutes east of UTC.
    pub fn minute_of_week_at(now_ms: i64, offset_minutes: i16) -> i64 {
        /// Unix time began on a Thursday.
        const EPOCH_MINUTE: i64 = 3 * 24 * 60;
        let local = now_ms.div_euclid(60_000).saturating_add(i64::from(offset_minutes));
        local.saturating_add(EPOCH_MINUTE).rem_euclid(7 * 24 * 60)
    }
}

/// Device classes as codes into the vocabulary's value lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Device {
    /// Index into [`tessera_wire::signal::DEVICE_TYPES`].
    pub kind: u8,
    /// Index into [`tessera_wire::signal::DEVICE_OSES`].
    pub os: u8,
    /// Index into [`tessera_wire::signal::DEVICE_BROWSERS`].
    pub browser: u8,
}

/// What a caller accepts in one place. An empty list accepts everything; a list of what is excluded always excludes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Filter<'a> {
    /// Campaigns, one of which it must be.
    pub campaign_ids: &'a [Cow<'a, str>],
    /// Creatives, one of which it must be, as answers name them: a fixed creative, else the template.
    pub creative_ids: &'a [Cow<'a, str>],
    /// Categories, one of which the campaign must have.
    pub categories: &'a [Cow<'a, str>],
    /// Domains, one of which must be the advertiser's.
    pub advertiser_domains: &'a [Cow<'a, str>],
    /// Campaigns that it must not be.
    pub exclude_campaign_ids: &'a [Cow<'a, str>],
    /// Creatives that it must not be.
    pub exclude_creative_ids: &'a [Cow<'a, str>],
    /// Categories that the campaign must not have.
    pub exclude_categories: &'a [Cow<'a, str>],
    /// Domains that must not be the advertiser's.
    pub exclude_advertiser_domains: &'a [Cow<'a, str>],
}

/// What a page asks for in one place.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct PlacementRequest<'a> {
    /// Inventory slot: the text id of a catalog placement.
    pub slot: &'a str,
    /// How many ads, at least 1.
    pub count: u8,
    /// Acceptable sizes in CSS pixels; empty accepts all.
    pub formats: &'a [(u32, u32)],
    /// What is accepted; `None` accepts everything.
    pub filter: Option<Filter<'a>>,
    /// Least price of a thousand ads, in millionths of the catalog's currency. House ads have none and need none.
    pub floor_micros: i64,
}

/// What a visitor did before this request. Times are unix milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Behaviour<'a> {
    /// When the cart was left behind.
    pub cart_abandoned_ms: Option<i64>,
    /// Last product view.
    pub product_viewed_ms: Option<i64>,
    /// Last search.
    pub searched_ms: Option<i64>,
    /// Last drop of a watched price.
    pub price_dropped_ms: Option<i64>,
    /// Last purchase.
    pub purchased_ms: Option<i64>,
    /// Number of purchases.
    pub purchases: Option<u32>,
    /// Product viewed last.
    pub last_viewed: Option<&'a str>,
}

/// The weather where the visitor is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WeatherHere {
    /// Index into [`tessera_wire::signal::WEATHER_CONDITIONS`].
    pub condition: Option<u8>,
    /// Degrees Celsius, scaled by [`tessera_wire::signal::NUMBER_SCALE`].
    pub temperature: Option<i64>,
}

/// Everything the edge found out about a request.
#[derive(Debug, Clone, Default)]
pub struct RawSignals<'a> {
    /// ISO 3166-1 alpha-2, upper case.
    pub country: Option<&'a str>,
    /// ISO 3166-2, with its country.
    pub region: Option<&'a str>,
    /// English name.
    pub city: Option<&'a str>,
    /// Local hour and weekday.
    pub local_time: Option<LocalTime>,
    /// Weather of the region, else of the country; nothing that is out of date.
    pub weather: WeatherHere,
    /// Device classes.
    pub device: Option<Device>,
    /// Primary language subtag, lower case.
    pub language: Option<&'a str>,
    /// Origin of the page.
    pub page_origin: Option<&'a str>,
    /// Path of the page without query.
    pub page_path: Option<&'a str>,
    /// Categories of the page, the primary one first.
    pub page_categories: &'a [Cow<'a, str>],
    /// Keywords of the page.
    pub page_keywords: &'a [Cow<'a, str>],
    /// Host of the referring page.
    pub referrer_host: Option<&'a str>,
    /// Value of the cart.
    pub cart_value: Option<Money<'a>>,
    /// Items in the cart.
    pub cart_items: Option<i64>,
    /// Pages viewed in this session.
    pub page_views: Option<i64>,
    /// Segments that the caller supplied; `None` when it supplied no list.
    pub user_segments: Option<&'a [Cow<'a, str>]>,
    /// `user.traits`.
    pub traits: &'a [(Cow<'a, str>, Value<'a>)],
    /// `context`, including the placements' attributes.
    pub context: &'a [(Cow<'a, str>, Value<'a>)],
    /// Sticky key of the visitor's identifier.
    pub sticky_key: Option<u64>,
    /// Pseudonymous subject key of the visitor's identifier, 0 when none.
    pub subject: u128,
    /// What the engine remembers of the visitor, and what the caller says instead where it remembers nothing.
    pub behaviour: Behaviour<'a>,
    /// Counts by index into the program's feature manifest: `None` where nothing can be known of the visitor, or the list
    /// is shorter.
    pub features: &'a [Option<u32>],
    /// Offers that the visitor was given before.
    pub held: &'a [HeldOffer],
    /// Current offsets east of UTC, in minutes, of the zones that the program names.
    pub zone_offsets: &'a [(Box<str>, i16)],
    /// What buckets by request are computed from.
    pub request_key: u64,
    /// Is this a test request, which must not be learned from?
    pub is_test: bool,
    /// Assignments that a tester wants to look at; such a request is a test, too.
    pub preview: Option<&'a Preview>,
}
