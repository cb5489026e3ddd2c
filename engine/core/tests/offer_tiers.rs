//! Tiers of offers by cart value and by the time since the cart was left, to the millionth and the millisecond.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::borrow::Cow;
use std::sync::Arc;

use support::{NOW_MS, compiled, loaded};
use tessera_engine_core::admit::admit;
use tessera_engine_core::consent::{Outcome, Reason, Regimes};
use tessera_engine_core::decide::decide;
use tessera_engine_core::scratch::Scratch;
use tessera_engine_core::signals::{Behaviour, Money, PlacementRequest, RawSignals, Value};
use tessera_engine_core::snapshot::Snapshot;
use tessera_rulevm::Frame;
use tessera_wire::event::Mode;
use tessera_wire::posterior::PosteriorTable;
use tessera_wire::signal::{Gates, NUMBER_SCALE};

const CATALOG: &str = r#"
[[placement]]
id = "p"
[[campaign]]
id = "c"
landing_url = "https://x.example/"
max_discount = "15%"
min_margin = "10%"
margin_signal = "item.margin"
[[flight]]
id = "f"
campaign = "c"
start = "2026-01-01T00:00:00Z"
end = "2036-01-01T00:00:00Z"
[[asset]]
id = "a"
text = "A"
[[template]]
id = "t"
campaign = "c"
[[template.slot]]
name = "s"
assets = ["a"]
[[offer]]
id = "o5"
discount = "5%"
[[offer]]
id = "o10"
discount = "10%"
[[offer]]
id = "o15"
discount = "15%"
[[offer]]
id = "o25"
discount = "25%"
"#;

const RULES: &str = r#"language 1
attribute cart_abandoned : time needs behaviour
attribute cart.value : money(EUR) needs behaviour
attribute item.margin : number from request
rule "ad" { then show template "t" }
rule "too much" priority 9 { when cart.value >= 500 EUR then offer "o25" }
rule "recovery" priority 5 {
  when cart_abandoned within 24 hours
  then choose first {
    cart_abandoned within 1 hour -> offer "o5"
    cart.value in 50 EUR ..< 100 EUR -> offer "o10"
    cart.value >= 100 EUR -> offer "o15"
  }
}
"#;

/// The table as a person would read it.
fn expected(cart_micros: i64, age_ms: i64, margin: Option<f64>) -> Option<&'static str> {
    let hour_ms = 3_600_000;
    if !(0..=24 * hour_ms).contains(&age_ms) {
        return None;
    }
    let (offer, discount) = match cart_micros {
        _ if age_ms <= hour_ms => ("o5", 5.0),
        100_000_000.. => ("o15", 15.0),
        50_000_000.. => ("o10", 10.0),
        _ => return None,
    };
    // Of what is paid, a tenth must be left.
    let is_left = margin.is_some_and(|margin| (margin - discount) / (100.0 - discount) >= 0.1 - 1e-12);
    is_left.then_some(offer)
}

#[test]
fn tiers_and_guardrails_change_exactly_at_their_bounds() {
    let bundle = Arc::new(loaded(compiled(&[("catalog.toml", CATALOG), ("all.rules", RULES)])));
    let snapshot = Snapshot::new(Arc::clone(&bundle), &PosteriorTable::default());
    let program = bundle.program();
    let (mut frame, mut scratch) = (Frame::new(program), Scratch::new(program));
    let placements = [PlacementRequest { slot: "p", count: 1, ..PlacementRequest::default() }];
    let mode = Mode::Full;
    let outcome = Outcome { gates: Gates::ALL, mode, regimes: Regimes::NONE, reason: Reason::Granted };
    let carts = [0, 49_999_999, 50_000_000, 99_999_999, 100_000_000, 499_999_999, 500_000_000];
    let ages = [-1, 0, 1, 3_599_999, 3_600_000, 3_600_001, 86_399_999, 86_400_000, 86_400_001];
    let margins = [
        None,
        Some(14.499_999),
        Some(14.5),
        Some(19.0),
        Some(18.999_999),
        Some(23.5),
        Some(23.499_999),
        Some(90.0),
    ];
    for cart in carts {
        for age in ages {
            for margin in margins {
                let number = |margin: f64| Value::Number((margin * NUMBER_SCALE as f64).round() as i64);
                let context: Vec<_> =
                    margin.into_iter().map(|margin| (Cow::Borrowed("item.margin"), number(margin))).collect();
                let raw = RawSignals {
                    cart_value: Some(Money { micros: cart, currency: "EUR" }),
                    behaviour: Behaviour { cart_abandoned_ms: Some(NOW_MS - age), ..Behaviour::default() },
                    context: &context,
                    ..RawSignals::default()
                };
                let admitted = admit(program, &raw, &placements, &outcome, NOW_MS, &mut frame);
                let decision = decide(&snapshot, &admitted, NOW_MS, 1, &mut scratch);
                let catalog = bundle.catalog();
                let offer = decision.ads[0].offer.map(|offer| catalog.str(catalog.offers[offer.index()].id));
                assert_eq!(offer, expected(cart, age, margin), "{cart} micros, {age} ms, margin {margin:?}");
            }
        }
    }
}
