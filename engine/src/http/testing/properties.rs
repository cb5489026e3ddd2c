//! What holds for every answer: it follows from its inputs alone, and without consent from nothing personal.

use hyper::HeaderMap;
use hyper::header::{ACCEPT_LANGUAGE, COOKIE, HeaderValue, USER_AGENT};

use super::support::visit::TC_NONE;
use super::support::{Dice, NOW_MS};
use super::{Memory, Request, Shop, TRUSTED_PEER};

const PAIRS: u64 = 100_000;
const USER_AGENTS: [&str; 3] = [
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Version/18.0 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/140.0.0.0 Safari/537.36",
    "Googlebot/2.1 (+http://www.google.com/bot.html)",
];
/// Third bytes of the demo's networks, see `tessera_fixtures::DEMO_REGIONS`; 99 is a network it does not know.
const EEA: &[u8] = &[1, 2, 3, 4, 5, 6, 7];
const OTHER: &[u8] = &[8, 9, 11];
const ALL: &[u8] = &[1, 2, 4, 6, 8, 9, 10, 11, 99];

/// A way of not consenting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refusal {
    SilentInEurope,
    SilentInBrazil,
    SilentSomewhere,
    GpcInEurope,
    /// Only an opt-out of profiles applies here: identifiers may still be read, so these pairs share theirs.
    GpcElsewhere,
    TcfRefused,
    OwnDialogRefused,
    Child,
    LimitedTracking,
}

const REFUSALS: [Refusal; 9] = [
    Refusal::SilentInEurope,
    Refusal::SilentInBrazil,
    Refusal::SilentSomewhere,
    Refusal::GpcInEurope,
    Refusal::GpcElsewhere,
    Refusal::TcfRefused,
    Refusal::OwnDialogRefused,
    Refusal::Child,
    Refusal::LimitedTracking,
];

impl Refusal {
    const fn networks(self) -> &'static [u8] {
        match self {
            Refusal::SilentInEurope | Refusal::GpcInEurope | Refusal::OwnDialogRefused => EEA,
            Refusal::SilentInBrazil => &[10],
            Refusal::SilentSomewhere => &[99],
            Refusal::GpcElsewhere => OTHER,
            Refusal::TcfRefused | Refusal::Child | Refusal::LimitedTracking => ALL,
        }
    }

    fn consent(self) -> String {
        match self {
            Refusal::TcfRefused => format!(r#"{{"gdpr":1,"tcf":"{TC_NONE}"}}"#),
            Refusal::OwnDialogRefused => concat!(
                r#"{"gdpr":1,"purposes":{"storage":false,"ads_profile":false,"ads_personalization":false,"#,
                r#""content_personalization":false,"analytics":false,"sale":false,"precise_geo":false}}"#
            )
            .to_owned(),
            Refusal::Child => r#"{"coppa":true}"#.to_owned(),
            _ => "{}".to_owned(),
        }
    }

    const fn has_gpc(self) -> bool {
        matches!(self, Refusal::GpcInEurope | Refusal::GpcElsewhere)
    }
}

/// Who asks: everything about a visitor that must not matter without consent.
struct Person {
    user: String,
    session: String,
    city: &'static str,
    screen: u64,
    host: u8,
}

impl Person {
    fn new(seed: u64, identity: Option<u64>) -> Person {
        let mut dice = Dice::new(seed);
        let id = identity.unwrap_or_else(|| dice.word());
        let interest = dice.pick(&["running", "fashion", "travel", "gaming", "cooking", "unheard of"]);
        let tier = dice.pick(&["none", "silver", "gold", "platinum"]);
        let age = 10 + dice.below(90);
        let segments = dice.pick(&["[]", r#"["vip"]"#, r#"["vip","lapsed"]"#]);
        let other = dice.pick(&["null", "[\"a\",1]", "{\"deep\":[1]}", "1e300", "\"\\u0000\"", "true"]);
        let ids = match dice.below(3) {
            _ if identity.is_some() => format!(r#""id":"u{id}","#),
            0 => format!(r#""id":"u{id}","anonymous_id":"a{id}","#),
            1 => format!(r#""anonymous_id":"a{id}","#),
            _ => String::new(),
        };
        let user = format!(
            r#"{{{ids}"segments":{segments},"traits":{{"interest":"{interest}","age":{age},"member_tier":"{tier}","other":{other}}}}}"#
        );
        let (micros, items, views) = (dice.below(200) * 1_000_000, dice.below(9), dice.below(50));
        let session = format!(
            r#"{{"cart":{{"value_micros":{micros},"currency":"EUR","items":{items}}},"page_views":{views}}}"#
        );
        let city = dice.pick(&["Berlin", "Bucharest", "Paris", ""]);
        Person { user, session, city, screen: dice.below(4_000), host: dice.below(256) as u8 }
    }
}

/// A request of `person` in the circumstances that `seed` makes up.
fn request(seed: u64, refusal: Option<Refusal>, person: &Person) -> Request {
    let mut dice = Dice::new(seed);
    let network = dice.pick(refusal.map_or(OTHER, Refusal::networks));
    let address = format!("198.18.{network}.{}", person.host);
    let mut headers = HeaderMap::new();
    headers.insert(USER_AGENT, HeaderValue::from_static(dice.pick(&USER_AGENTS)));
    headers.insert(ACCEPT_LANGUAGE, HeaderValue::from_static(dice.pick(&["ro-RO,ro;q=0.9", "de", "*"])));
    headers.insert(COOKIE, HeaderValue::from_str(&format!("visitor={}", person.screen)).unwrap());
    let mut peer = TRUSTED_PEER;
    let mut body_ip = String::new();
    match dice.below(3) {
        0 => peer = &address,
        1 => drop(headers.insert("x-forwarded-for", HeaderValue::from_str(&address).unwrap())),
        _ => body_ip = format!(r#""ip":"{address}","#),
    }
    if refusal.is_some_and(Refusal::has_gpc) {
        headers.insert("sec-gpc", HeaderValue::from_static("1"));
    }
    let request_id = if dice.percent(50) { format!(r#""request_id":"r{seed}","#) } else { String::new() };
    let slots = ["home_hero", "sidebar", "checkout", "nowhere"];
    let placements: Vec<String> = (0..1 + dice.below(3))
        .map(|id| format!(r#"{{"id":"p{id}","slot":"{}","count":{}}}"#, dice.pick(&slots), 1 + dice.below(3)))
        .collect();
    let lmt = u8::from(refusal == Some(Refusal::LimitedTracking));
    let body = format!(
        r#"{{{request_id}"placements":[{placements}],"user":{user},"session":{session},
        "device":{{{body_ip}"lmt":{lmt},"screen":{{"w":{screen}}}}},"geo":{{"city":"{city}"}},
        "page":{{"url":"https://fernweh.example/p{page}","category":["shoes"]}},
        "consent":{consent},"context":{{"theme":"dark"}}}}"#,
        placements = placements.join(","),
        user = person.user,
        session = person.session,
        screen = person.screen,
        city = person.city,
        page = dice.below(4),
        consent = refusal.map_or_else(|| "{}".to_owned(), Refusal::consent),
    );
    let random = u128::from(dice.word()) << 64 | u128::from(dice.word());
    Request { body, headers, peer: peer.parse().unwrap(), now_ms: NOW_MS, random }
}

/// Answers of two people in the same circumstances.
fn pair(shop: &Shop, memory: &mut Memory, number: u64, refusal: Option<Refusal>) -> [super::Outcome; 2] {
    let identity = (refusal == Some(Refusal::GpcElsewhere)).then_some(number);
    let snapshot = if number.is_multiple_of(2) { &shop.learned } else { &shop.unlearned };
    [2 * number, 2 * number + 1].map(|who| {
        let request = request(number, refusal, &Person::new(who ^ 0xA5A5, identity));
        shop.answer(snapshot, &request, memory)
            .unwrap_or_else(|problem| panic!("{problem:?} {}", request.body))
    })
}

#[test]
fn without_consent_answers_and_records_do_not_depend_on_who_asks() {
    let shop = Shop::new();
    let mut memory = Memory::new(&shop.learned);
    for number in 0..PAIRS {
        let refusal = REFUSALS[number as usize % REFUSALS.len()];
        let [one, other] = pair(&shop, &mut memory, number, Some(refusal));
        if one != other {
            let text = |answer: &[u8]| String::from_utf8_lossy(answer).into_owned();
            panic!("pair {number} {refusal:?}:\n{}\n{}", text(&one.answer), text(&other.answer));
        }
        if refusal != Refusal::GpcElsewhere {
            assert!(one.served.iter().all(|served| served.subject == 0), "pair {number} {refusal:?}");
        }
    }
}

#[test]
fn with_consent_the_same_fields_do_matter() {
    let shop = Shop::new();
    let mut memory = Memory::new(&shop.learned);
    let differing = (0..1_000)
        .filter(|number| {
            let [one, other] = pair(&shop, &mut memory, *number, None);
            one.answer != other.answer
        })
        .count();
    assert!(differing > 500, "only {differing} of 1000 pairs differ");
}

#[test]
fn equal_requests_get_equal_bytes_whatever_a_worker_did_before() {
    let shop = Shop::new();
    let mut busy = Memory::new(&shop.unlearned);
    for number in 0..3_000 {
        let refusal = (number % 2 == 0).then(|| REFUSALS[number as usize % REFUSALS.len()]);
        let request = request(number, refusal, &Person::new(number, None));
        for snapshot in [&shop.learned, &shop.unlearned] {
            let warmed = shop.answer(snapshot, &request, &mut busy).unwrap();
            let repeated = shop.answer(snapshot, &request, &mut busy).unwrap();
            assert_eq!(warmed, repeated, "request {number}, asked twice");
            if number % 10 == 0 {
                let fresh = shop.answer(snapshot, &request, &mut Memory::new(snapshot)).unwrap();
                assert_eq!(warmed, fresh, "request {number}, on a new worker");
            }
        }
    }
}
