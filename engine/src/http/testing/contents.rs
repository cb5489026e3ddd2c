//! What is rendered in answers, against putting each value into the source by hand.

use hyper::HeaderMap;

use super::support::NOW_MS;
use super::{Memory, Request, Shop};

fn html(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&#34;")
        .replace('\'', "&#39;")
}

/// The demo's template files, each with the macros that need this visitor.
#[test]
fn a_rendered_ad_is_its_source_with_the_values_put_in() {
    let shop = Shop::new();
    let (_, source) =
        tessera_fixtures::DEMO_SOURCES.iter().find(|(path, _)| *path == "templates/hero.html").unwrap();
    for random in 0..50u128 {
        let request = Request {
            body: r#"{"placements":[{"id":"h","slot":"home_hero"}],"session":{"cart":{"value_micros":60000000,
                "currency":"EUR"}},"user":{"id":"ana"},"consent":{"purposes":{"storage":true,"ads_profile":true,
                "ads_personalization":true,"content_personalization":true,"analytics":true}}}"#
                .to_owned(),
            headers: HeaderMap::new(),
            peer: "198.18.1.10".parse().unwrap(),
            now_ms: NOW_MS,
            random,
        };
        let outcome = shop.answer(&shop.unlearned, &request, &mut Memory::new(&shop.unlearned)).unwrap();
        let answer: serde_json::Value = serde_json::from_slice(&outcome.answer).unwrap();
        let ad = &answer["placements"]["h"]["ads"][0];
        let slots = &ad["contents"][0]["data"];
        let mut expected = source.to_string();
        for (name, value) in [
            ("campaign", &ad["campaign_id"]),
            ("decision_id", &answer["decision_id"]),
            ("locale|en", &ad["locale"]),
            ("click_url", &ad["click_url"]),
            ("slot.image", &slots["image"]["url"]),
            ("slot.image.alt", &slots["image"]["alt"]),
            ("slot.headline", &slots["headline"]),
            ("slot.cta", &slots["cta"]),
            ("offer.id|", &ad["offer"]["id"]),
            ("offer.code|", &ad["offer"]["code"]),
        ] {
            expected = expected.replace(&format!("${{{name}}}"), &html(value.as_str().unwrap_or("")));
        }
        assert_eq!(ad["contents"][1]["body"].as_str(), Some(expected.as_str()), "{answer}");
    }
}
