//! The demo's audience is what it claims, and can be learned about.

#![allow(clippy::unwrap_used, reason = "a test")]

mod support;

use support::{Chooser, Context};
use tessera_analytics::learner::TemplateLearner;
use tessera_analytics::learner::cells::Trial;
use tessera_loadtest::population::{Consent, Population, SLOTS, Visitor};
use tessera_loadtest::random::uniform;

const DEMO_SEED: u64 = 7;

/// The model's context: device, country, segment; each 0 when unknown. Only consent reveals the segment.
fn context(visitor: &Visitor) -> Context {
    let segment = if visitor.consent == Consent::Granted { visitor.segment as u8 + 1 } else { 0 };
    [visitor.device as u8 + 1, visitor.country as u8 + 1, segment, 0, 0, 0, 0, 0]
}

/// Plays the demo with a tenth held out; true mean rates of (personalized, holdout).
fn play(population: &Population, impressions: u64) -> (f64, f64) {
    let mut learner = TemplateLearner::new(&support::shape(&SLOTS, &[4, 7, 9])).unwrap();
    let layout = learner.cells().layout().clone();
    let control = population.median_combination();
    let mut earned = [(0.0, 0.0); 2];
    for start in (0..impressions).step_by(500) {
        let mut chooser = learner.model().map(|model| Chooser::new(&layout, model));
        let mut batch = Vec::new();
        for n in start..start + 500 {
            let visitor = population.visitor(n);
            let u = uniform(99, n, 0);
            let is_holdout = uniform(99, n, 1) < 0.1;
            let combination = match &mut chooser {
                _ if is_holdout => control,
                Some(chooser) => chooser.choose(context(&visitor), u),
                None => (u * layout.combinations() as f64) as usize,
            };
            let probability = population.click_probability(&visitor, combination, 0.0);
            let sum = &mut earned[usize::from(is_holdout)];
            *sum = (sum.0 + probability, sum.1 + 1.0);
            let clicks = f64::from(u8::from(population.is_click(n, probability)));
            batch.push(((context(&visitor), combination as u32), Trial { impressions: 1.0, clicks }));
        }
        batch.into_iter().for_each(|(place, trial)| learner.add(place, trial));
        if learner.is_due() {
            learner.refit(start).unwrap();
        }
    }
    (earned[0].0 / earned[0].1, earned[1].0 / earned[1].1)
}

#[test]
fn personalization_beats_the_control_by_half_within_the_demo() {
    let (personalized, control) = play(&Population::new(DEMO_SEED), 20_000);
    println!("personalized {personalized:.4}, control {control:.4}: {:.2}x", personalized / control);
    assert!(personalized > 1.5 * control, "{personalized:.4} against {control:.4}");
}

#[test]
fn perfect_knowledge_would_triple_the_base_rate() {
    let population = Population::new(DEMO_SEED);
    let count = 2_000;
    let best: f64 = (0..count).map(|n| population.best_combination(&population.visitor(n)).1).sum();
    let ratio = best / count as f64 / population.truth().baselines().uniform;
    assert!((2.6..3.4).contains(&ratio), "ratio {ratio:.2}");
}

#[test]
fn visitors_are_repeatable_and_as_frequent_as_documented() {
    let population = Population::new(DEMO_SEED);
    let visitors: Vec<Visitor> = (0..20_000).map(|n| population.visitor(n)).collect();
    assert_eq!(visitors[17], Population::new(DEMO_SEED).visitor(17));
    assert_ne!(visitors[17].id, visitors[18].id);
    let share = |is: &dyn Fn(&Visitor) -> bool| visitors.iter().filter(|v| is(v)).count() as f64 / 20_000.0;
    let near = |found: f64, wanted: f64| (found - wanted).abs() < 0.015;
    assert!(near(share(&|v| v.consent == Consent::Granted), 0.65));
    assert!(near(share(&|v| v.consent == Consent::NoSignal), 0.15));
    assert!(near(share(&|v| v.cart_value_micros.is_none()), 0.60));
    assert!(near(share(&|v| v.segment == 0), 0.25));
    assert!(near(share(&|v| v.country == 0), 0.40));
    assert!(near(share(&|v| v.device == 0), 0.60));
    assert!(visitors.iter().all(|v| (18..=90).contains(&v.age) && v.client_ip.is_none()));
}

#[test]
fn discounts_raise_the_click_probability_a_little() {
    let population = Population::new(DEMO_SEED);
    let visitor = population.visitor(3);
    let [none, some, more] = [0.0, 0.1, 0.3].map(|d| population.click_probability(&visitor, 9, d));
    assert!(none < some && some < more && more < 1.4 * none);
}

#[test]
fn addresses_come_from_the_visitors_country() {
    let table: [Vec<std::net::IpAddr>; 6] =
        std::array::from_fn(|country| vec![format!("192.0.2.{country}").parse().unwrap()]);
    let population = Population::new(DEMO_SEED).with_addresses(table);
    for n in 0..50 {
        let visitor = population.visitor(n);
        assert_eq!(visitor.client_ip.unwrap().to_string(), format!("192.0.2.{}", visitor.country));
    }
}
