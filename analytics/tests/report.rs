//! Reports say what the journal says.

#![allow(clippy::unwrap_used, reason = "a test")]

mod support;

use support::{START_MS, World, behaviour, drain, served, touch};
use tessera_analytics::report::{Report, Window};
use tessera_wire::event::{Arm, Event, Mode, Served, TouchKind};

/// Puts `count` ads with `clicks` clicks into the journal.
fn play(world: &mut World, first: u64, count: u64, clicks: u64, change: impl Fn(&mut Served)) {
    for n in first..first + count {
        let mut ad = Served { at_ms: START_MS, ..served(n) };
        change(&mut ad);
        let decision_id = ad.decision_id;
        world.journal.push(&Event::Served(ad));
        world.journal.push(&touch(decision_id as u64, TouchKind::Impression));
        if n - first < clicks {
            world.journal.push(&touch(decision_id as u64, TouchKind::Click));
        }
    }
    world.journal.flush();
}

fn arm(arm: Arm, segment: u8) -> impl Fn(&mut Served) {
    move |ad| {
        ad.arm = arm;
        ad.context = [1, segment, 0, 0, 0, 0, 0, 0];
        ad.combination = 4;
    }
}

fn report(world: &World) -> Report {
    let config = world.config("a.db");
    drain(&mut world.open(config.clone()));
    Report::open(&config.store_path).unwrap()
}

#[test]
fn lift_compares_personalized_with_holdout_by_segment() {
    let mut world = World::new();
    play(&mut world, 0, 10_000, 300, arm(Arm::Personalized, 1));
    play(&mut world, 10_000, 2_000, 24, arm(Arm::Holdout, 1));
    play(&mut world, 12_000, 500, 5, arm(Arm::Personalized, 0));
    play(&mut world, 12_500, 100, 1, arm(Arm::Holdout, 0));
    play(&mut world, 12_600, 700, 700, arm(Arm::Fixed, 1));
    play(&mut world, 13_300, 700, 700, |ad| {
        arm(Arm::Personalized, 1)(ad);
        (ad.mode, ad.is_learnable) = (Mode::Child, false);
    });
    let lift = report(&world).lift(Some("spring"), Window::ALL).unwrap();
    assert_eq!(lift.len(), 1);
    let whole = &lift[0].comparison;
    assert_eq!((whole.personalized.impressions, whole.personalized.clicks), (10_500, 305));
    assert_eq!((whole.holdout.impressions, whole.holdout.clicks), (2_100, 25));
    let labels: Vec<&str> = lift[0].segments.iter().map(|segment| segment.segment.as_str()).collect();
    assert_eq!(labels, ["none", "sport"]);
    let sport = &lift[0].segments[1].comparison;
    assert!((sport.lift.unwrap() - 1.5).abs() < 1e-12, "0.03 over 0.012");
    let (low, high) = sport.lift_interval.unwrap();
    assert!(low > 0.0 && low < 1.5 && high > 1.5);
    assert!(sport.is_significant && !sport.has_minimum_sample, "24 clicks are few");
    let none = &lift[0].segments[0].comparison;
    assert!(none.lift.unwrap().abs() < 1e-12 && !none.is_significant && none.p_value > 0.99);
    assert!(report(&world).lift(Some("autumn"), Window::ALL).unwrap().is_empty());
}

#[test]
fn a_window_leaves_out_what_was_served_outside() {
    let mut world = World::new();
    play(&mut world, 0, 10, 2, arm(Arm::Personalized, 1));
    play(&mut world, 10, 20, 2, |ad| {
        arm(Arm::Personalized, 1)(ad);
        ad.at_ms += 2 * 3_600_000;
    });
    let report = report(&world);
    let impressions = |from_ms, to_ms| {
        let lift = report.lift(None, Window { from_ms, to_ms }).unwrap();
        lift.first().map_or(0, |campaign| campaign.comparison.personalized.impressions)
    };
    assert_eq!(impressions(START_MS, START_MS + 1), 10);
    assert_eq!(impressions(START_MS + 2 * 3_600_000, START_MS + 2 * 3_600_000 + 1), 20);
    assert_eq!(impressions(START_MS, START_MS + 3 * 3_600_000), 30);
}

#[test]
fn the_best_combination_of_a_segment_is_the_surest_not_the_luckiest() {
    let mut world = World::new();
    play(&mut world, 0, 2_000, 100, arm(Arm::Personalized, 2));
    play(&mut world, 2_000, 2, 2, |ad| {
        arm(Arm::Personalized, 2)(ad);
        ad.combination = 0;
    });
    play(&mut world, 2_002, 2_000, 60, |ad| {
        arm(Arm::Holdout, 2)(ad);
        ad.combination = 1;
    });
    let segments = report(&world).combinations("spring", Window::ALL, 2).unwrap();
    assert_eq!(segments.len(), 1);
    assert_eq!(segments[0].segment, "food");
    assert_eq!(segments[0].combinations.len(), 2);
    let best = &segments[0].combinations[0];
    assert_eq!((best.impressions, best.clicks), (2_000, 100));
    let assets: Vec<_> = best.assets.iter().map(|a| (a.slot.as_str(), a.asset.as_str())).collect();
    assert_eq!(assets, [("image", "i1"), ("cta", "c1")]);
}

#[test]
fn totals_reconcile_and_tell_the_lag() {
    let mut world = World::new();
    play(&mut world, 0, 10, 3, arm(Arm::Personalized, 1));
    world.journal.push_all(&[behaviour(1, "search"), behaviour(1, "search"), behaviour(2, "search")]);
    let report = report(&world);
    let totals = report.totals(START_MS + 5_000).unwrap();
    assert_eq!(totals.lag_ms, Some(5_000));
    assert_eq!(totals.counters["read"], 1 + 10 + 10 + 3 + 3);
    assert_eq!(totals.counters["duplicate"], 1);
    assert_eq!(totals.counters["stored"], totals.counters["read"] - 1);
    assert_eq!(report.behaviours(Window::ALL).unwrap(), [("search".to_owned(), 2)]);
    let json = serde_json::to_value(&totals).unwrap();
    assert!(json["nodes"][0]["position"]["offset"].as_u64().unwrap() > 0);
}
