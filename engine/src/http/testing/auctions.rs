//! Bid requests: every case of `fixtures/openrtb/*.json`, asked and compared, and what holds for all of them.

use std::sync::Arc;

use hyper::HeaderMap;
use proptest::prelude::*;
use serde::Deserialize;
use serde_json::{Value, json};
use tessera_wire::event::{Event, Served, TouchKind};
use tessera_wire::token::{Token, sign_into};

use super::super::context::{Arrival, Caller, Memory};
use super::super::openrtb::notice::Kind;
use super::super::problem::Problem;
use super::golden::check_all;
use super::{NOW_MS, Shop};
use crate::access::Scopes;
use crate::admission::Waited;
use crate::bidding::Terms;
use crate::counters::NoBid;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    request: Value,
    #[serde(default)]
    is_trusted: bool,
    expect: Value,
}

/// An auction's answer: the response or the reasons, and what was written down.
struct Answered {
    response: Option<Value>,
    losses: Vec<NoBid>,
    served: Vec<Served>,
}

fn shop() -> Shop {
    let shop = Shop::new();
    let path = tessera_fixtures::vectors_dir().with_file_name("openrtb").join("bidding.toml");
    let terms = Terms::parse(&std::fs::read_to_string(path).unwrap()).unwrap();
    shop.responder.terms.store(Some(Arc::new(terms)));
    shop
}

fn ask(shop: &Shop, bytes: &[u8], caller: Caller) -> Result<Answered, Problem> {
    let headers = HeaderMap::new();
    let peer = "203.0.113.9".parse().unwrap();
    let arrival = Arrival {
        caller,
        scopes: Scopes::OPEN,
        peer,
        headers: &headers,
        now_ms: NOW_MS,
        waited: Waited::default(),
        random: 7,
    };
    let (mut out, mut served) = (Vec::new(), Vec::new());
    let memory = &mut Memory::new(&shop.unlearned);
    let mut emit = |shown: super::super::decided::Shown<'_>| served.push(shown.served);
    let outcome = shop.responder.bid_on(&shop.unlearned, &arrival, bytes, memory, &mut out, &mut emit)?;
    assert_eq!(outcome.bids > 0, !out.is_empty(), "a response is written exactly when there is a bid");
    let response = (!out.is_empty()).then(|| serde_json::from_slice(&out).unwrap());
    Ok(Answered { response, losses: outcome.losses.to_vec(), served })
}

impl Case {
    fn answer(&self, shop: &Shop) -> Value {
        let caller = if self.is_trusted { Caller::Trusted } else { Caller::Stranger };
        match ask(shop, self.request.to_string().as_bytes(), caller) {
            Ok(answered) => {
                let losses: Vec<&str> = answered.losses.iter().map(|loss| loss.name()).collect();
                let modes: Vec<&str> = answered.served.iter().map(|served| served.mode.name()).collect();
                let mut answer = json!({"losses": losses, "modes": modes});
                if let Some(mut response) = answered.response {
                    read_native(&mut response);
                    answer["response"] = response;
                }
                answer
            }
            Err(problem) => {
                json!({"status": problem.status.as_u16(), "code": problem.code, "pointer": problem.pointer})
            }
        }
    }
}

/// Native markup is JSON inside a string: read, so that cases can look into it.
fn read_native(response: &mut Value) {
    for bid in response["seatbid"][0]["bid"].as_array_mut().unwrap() {
        if bid["mtype"] == 4 {
            bid["adm"] = serde_json::from_str(bid["adm"].as_str().unwrap()).unwrap();
        }
    }
}

#[test]
fn golden_auctions_come_out_as_written() {
    let shop = shop();
    check_all("openrtb", |case: Case| {
        let answer = case.answer(&shop);
        (case.name, case.expect, answer)
    });
}

/// A request for the hero banner, with more fields.
fn hero(rest: &str) -> String {
    format!(
        r#"{{"id":"r1","imp":[{{"id":"1","tagid":"home_hero","banner":{{"w":970,"h":250}},"bidfloor":0.5}}],
        "device":{{"ip":"198.18.8.7","ua":"Mozilla/5.0"}},"user":{{"buyeruid":"ana"}}{rest}}}"#
    )
}

fn bid_of(answered: &Answered) -> Value {
    answered.response.as_ref().unwrap()["seatbid"][0]["bid"][0].clone()
}

#[test]
fn without_terms_there_are_no_bids() {
    let shop = Shop::new();
    let answered = ask(&shop, hero("").as_bytes(), Caller::Trusted).unwrap();
    assert!(answered.response.is_none());
    assert_eq!(answered.losses, [NoBid::NotConfigured]);
}

#[test]
fn a_test_leaves_no_trace() {
    let shop = shop();
    let real = ask(&shop, hero("").as_bytes(), Caller::Trusted).unwrap();
    let test = ask(&shop, hero(r#","test":1"#).as_bytes(), Caller::Trusted).unwrap();
    assert_eq!((real.served.len(), test.served.len()), (1, 0));
    let bid = bid_of(&test);
    for field in ["nurl", "burl", "lurl"] {
        assert!(bid.get(field).is_none(), "{field}");
    }
    let markup = bid["adm"].as_str().unwrap();
    assert!(!markup.contains("ads.fernweh.example"), "no address of ours: {markup}");
    assert!(markup.contains("https://fernweh.example/autumn"));
}

#[test]
fn only_the_billing_notice_is_an_impression_and_no_notice_passes_for_another() {
    let shop = shop();
    let bid = bid_of(&ask(&shop, hero("").as_bytes(), Caller::Trusted).unwrap());
    let urls = ["nurl", "burl", "lurl"].map(|field| bid[field].as_str().unwrap().to_owned());
    let tokens = urls.each_ref().map(|url| {
        let (path, _) = url.strip_prefix("https://ads.fernweh.example").unwrap().split_once('?').unwrap();
        Kind::of_path(path).unwrap()
    });
    let notice = |kind, token| shop.responder.notice(kind, token, "price=2.5&cur=EUR", NOW_MS);
    for (place, (kind, token)) in tokens.into_iter().enumerate() {
        let noticed = notice(kind, token).unwrap();
        match noticed.events.as_slice() {
            [Event::Touch(touch)] if kind == Kind::Billing => {
                assert_eq!((touch.kind, touch.decision_id, touch.ad), (TouchKind::Impression, 7, 0));
                assert_eq!((touch.value_micros, touch.currency), (2_500, *b"EUR"));
            }
            events => assert!(kind != Kind::Billing && events.is_empty(), "{events:?}"),
        }
        for (other, _) in
            tokens.iter().enumerate().filter(|(other, _)| *other != place).map(|(_, other)| other)
        {
            assert_eq!(notice(*other, token).err().unwrap().code, "not_this_notice");
        }
        assert!(
            shop.responder.touch(token, "", &HeaderMap::new(), NOW_MS).is_err(),
            "not at the pixel's address"
        );
    }
}

#[test]
fn what_travels_in_a_notice_reads_back_and_tells_nothing() {
    let shop = shop();
    let keys = &shop.responder.keys;
    let plain = *b"sixteen byte key and some counts beyond the first block of the stream.";
    let (mut one, mut other) = (plain, plain);
    keys.mask(1, 0, &mut one);
    keys.mask(1, 1, &mut other);
    assert!(one != plain && one != other && one[..16] != plain[..16]);
    keys.mask(1, 0, &mut one);
    assert_eq!(one, plain);
}

#[test]
fn as_many_impressions_as_are_allowed_get_one_bid_each() {
    let shop = shop();
    let imps: Vec<String> = (0..100)
        .map(|id| format!(r#"{{"id":"i{id}","tagid":"home_hero","banner":{{"w":970,"h":250}}}}"#))
        .collect();
    let request = format!(r#"{{"id":"r","imp":[{}],"device":{{"ip":"198.18.8.7"}}}}"#, imps.join(","));
    let answered = ask(&shop, request.as_bytes(), Caller::Trusted).unwrap();
    let response = answered.response.unwrap();
    let bids = response["seatbid"][0]["bid"].as_array().unwrap();
    assert_eq!(bids.len(), 100);
    let numbers: std::collections::BTreeSet<u16> = answered.served.iter().map(|served| served.ad).collect();
    assert_eq!(numbers.len(), 100, "each bid is an ad of its own");
    for (bid, served) in bids.iter().zip(&answered.served) {
        assert!(bid["id"].as_str().unwrap().ends_with(&format!("-{}", served.ad)));
    }
}

#[test]
fn an_unknown_exchange_is_not_believed_about_the_visitor() {
    let shop = shop();
    let says = hero(r#","regs":{"gdpr":0}"#);
    let trusted = ask(&shop, says.as_bytes(), Caller::Trusted).unwrap();
    let stranger = ask(&shop, says.as_bytes(), Caller::Stranger).unwrap();
    assert_eq!(trusted.served[0].mode.name(), "full");
    assert_eq!(stranger.served[0].mode.name(), "contextual");
    assert_eq!(stranger.served[0].subject, 0);
}

/// A bid never costs less than the floor, never goes against what is blocked, and always names an impression asked for.
fn check_bid(request: &Value, response: &Value) {
    let euros = |amount: f64, currency: &str| if currency == "USD" { amount / 1.1 } else { amount };
    assert!(["EUR", "USD"].contains(&response["cur"].as_str().unwrap()));
    for bid in response["seatbid"][0]["bid"].as_array().unwrap() {
        let imps = request["imp"].as_array().unwrap();
        let imp = imps.iter().find(|imp| imp["id"] == bid["impid"]).expect("an impression of the request");
        let price = euros(bid["price"].as_f64().unwrap(), response["cur"].as_str().unwrap());
        if bid.get("dealid").is_none() {
            let floor = imp["bidfloor"].as_f64().unwrap_or(0.0);
            let floor = euros(floor, imp["bidfloorcur"].as_str().unwrap_or("USD"));
            assert!(price + 1e-5 >= floor, "{price} is below {floor}");
            assert_ne!(imp["pmp"]["private_auction"], 1);
        }
        for blocked in request["bcat"].as_array().into_iter().flatten() {
            let cats = bid["cat"].as_array().expect("declared");
            assert!(!cats.iter().any(|cat| cat.as_str().unwrap().starts_with(blocked.as_str().unwrap())));
        }
        for blocked in request["badv"].as_array().into_iter().flatten() {
            assert!(!bid["adomain"].as_array().unwrap().contains(blocked));
        }
        let attributes = bid["attr"].as_array().cloned().unwrap_or_default();
        for blocked in imp["banner"]["battr"].as_array().into_iter().flatten() {
            assert!(!attributes.contains(blocked));
        }
    }
}

fn any_request() -> impl Strategy<Value = Value> {
    let slot =
        prop::sample::select(vec!["home_hero", "sidebar", "newsletter", "checkout", "tag-4711", "nowhere"]);
    let imp = (
        slot,
        prop::sample::select(vec![
            json!({"w":970,"h":250}),
            json!({"format":[{"w":300,"h":250},{"w":970,"h":250}]}),
            json!({"w":300,"h":250,"battr":[6]}),
            json!({}),
        ]),
        0..400u32,
        prop::sample::select(vec!["EUR", "USD", "JPY"]),
        prop::sample::select(vec![
            Value::Null,
            json!({"private_auction":1,"deals":[{"id":"deal-autumn","bidfloor":2.0,"bidfloorcur":"EUR"}]}),
            json!({"private_auction":1,"deals":[{"id":"other"}]}),
        ]),
        any::<bool>(),
    );
    let imp = imp.prop_map(|(slot, banner, floor, currency, pmp, secure)| {
        json!({"tagid": slot, "banner": banner, "bidfloor": f64::from(floor) / 100.0, "bidfloorcur": currency, "pmp": pmp, "secure": u8::from(secure)})
    });
    (
        prop::collection::vec(imp, 1..14),
        prop::sample::subsequence(vec!["IAB18", "IAB18-5", "IAB22", "IAB25"], 0..3),
        prop::sample::subsequence(vec!["fernweh.example", "club.fernweh.example", "other.example"], 0..2),
        prop::sample::select(vec![
            json!([]),
            json!(["EUR"]),
            json!(["USD"]),
            json!(["JPY", "USD"]),
            json!(["JPY"]),
        ]),
        any::<u64>(),
    )
        .prop_map(|(mut imps, bcat, badv, cur, id)| {
            for (number, imp) in imps.iter_mut().enumerate() {
                imp["id"] = json!(number.to_string());
            }
            json!({"id": id.to_string(), "imp": imps, "bcat": bcat, "badv": badv, "cur": cur,
                "device": {"ip": "198.18.8.7"}, "user": {"buyeruid": "ana"}})
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn bids_keep_to_the_conditions(request in any_request()) {
        let shop = SHOP.with(Arc::clone);
        let answered = ask(&shop, request.to_string().as_bytes(), Caller::Trusted).unwrap();
        let bids = answered.response.as_ref().map_or(0, |response| response["seatbid"][0]["bid"].as_array().unwrap().len());
        prop_assert_eq!(bids + answered.losses.len(), request["imp"].as_array().unwrap().len());
        prop_assert_eq!(bids, answered.served.len());
        if let Some(response) = &answered.response {
            check_bid(&request, response);
        }
    }

    #[test]
    fn any_bytes_are_answered_or_refused(bytes: Vec<u8>, cut in 0..400usize) {
        let shop = SHOP.with(Arc::clone);
        let _ = ask(&shop, &bytes, Caller::Stranger);
        let whole = hero("");
        let _ = ask(&shop, &whole.as_bytes()[..cut.min(whole.len())], Caller::Stranger);
    }
}

thread_local! {
    static SHOP: Arc<Shop> = Arc::new(shop());
}

/// The demo's bundle with a price on every flight.
fn priced(shop: &Shop, cpm_micros: i64, currency: &str) -> crate::snapshot_cell::Live {
    let mut bundle = super::support::compiled(&tessera_fixtures::DEMO_SOURCES);
    let start = bundle.catalog.text.len() as u32;
    bundle.catalog.text.push_str(currency);
    bundle.catalog.currency = tessera_wire::catalog::Text { start, len: currency.len() as u32 };
    bundle.catalog.flights.iter_mut().for_each(|flight| flight.cpm_micros = cpm_micros);
    let bundle = Arc::new(super::support::loaded(bundle));
    let snapshot = tessera_engine_core::snapshot::Snapshot::new(bundle, &Default::default());
    crate::snapshot_cell::Live::new(snapshot, &shop.responder.users)
}

#[test]
fn the_catalogs_price_goes_before_the_terms() {
    let shop = shop();
    let headers = HeaderMap::new();
    let peer = "203.0.113.9".parse().unwrap();
    let arrival = Arrival {
        caller: Caller::Trusted,
        scopes: Scopes::OPEN,
        peer,
        headers: &headers,
        now_ms: NOW_MS,
        waited: Waited::default(),
        random: 7,
    };
    let price = |cpm_micros, currency| {
        let live = priced(&shop, cpm_micros, currency);
        let (mut out, memory) = (Vec::new(), &mut Memory::new(&live));
        let request = hero("");
        let outcome = shop
            .responder
            .bid_on(&live, &arrival, request.as_bytes(), memory, &mut out, &mut |_| {})
            .unwrap();
        let response: Option<Value> = (outcome.bids > 0).then(|| serde_json::from_slice(&out).unwrap());
        response.map(|response| response["seatbid"][0]["bid"][0]["price"].as_f64().unwrap())
    };
    assert_eq!(price(3_300_000, "EUR"), Some(3.3));
    assert_eq!(price(3_300_000, "USD"), Some(3.0), "by the rate of the terms");
    assert_eq!(price(0, "EUR"), Some(2.5), "the terms' own");
    assert_eq!(price(3_300_000, "GBP"), None, "a currency without a rate");
}

#[test]
fn a_banner_is_the_templates_own_page_in_the_visitors_language() {
    let shop = shop();
    let markup = |language: &str| {
        let request = hero("").replace(r#""ua":"#, &format!(r#""language":"{language}","ua":"#));
        bid_of(&ask(&shop, request.as_bytes(), Caller::Trusted).unwrap())["adm"].as_str().unwrap().to_owned()
    };
    let (english, german) = (markup("en"), markup("de"));
    assert!(english.contains(r#"data-campaign="autumn""#) && english.contains(r#"lang="en""#), "{english}");
    assert!(german.contains(r#"lang="de""#), "{german}");
    assert!(english.contains("https://ads.fernweh.example/c/"), "{english}");
    let text = |markup: &str| {
        markup.split("<strong>").nth(1).and_then(|rest| rest.split("</strong>").next()).unwrap().to_owned()
    };
    assert_ne!(text(&english), text(&german));
}

#[test]
fn the_pixel_of_a_template_in_an_auction_counts_nothing() {
    let shop = shop();
    let address = |kind, target| {
        let token = Token { kind, expires_at_secs: u32::MAX, decision_id: 7, ad: 0, target };
        let mut text = Vec::new();
        sign_into(&shop.responder.keys.token, &token, &mut text);
        shop.responder.touch(std::str::from_utf8(&text).unwrap(), "", &HeaderMap::new(), NOW_MS)
    };
    assert!(address(TouchKind::Impression, "-").unwrap().event.is_none());
    assert!(address(TouchKind::Impression, "").unwrap().event.is_some());
    assert!(address(TouchKind::Viewable, "-").is_err());
    assert!(address(TouchKind::Impression, "b").is_err(), "a notice is for its own address");
}
