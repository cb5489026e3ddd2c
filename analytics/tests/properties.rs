//! What holds for every order and every split of the journal.

#![allow(clippy::unwrap_used, reason = "a test")]

mod support;

use std::collections::BTreeSet;

use proptest::prelude::*;
use support::{START_MS, generation, served, touch};
use tessera_analytics::fold::{Delta, Fold, FoldConfig, Trials};
use tessera_analytics::learner::cells::{Cells, Trial};
use tessera_analytics::names::{Names, TemplateShape};
use tessera_wire::event::{Event, Served, TouchKind};

const ADS: u64 = 6;

fn fold() -> Fold {
    Fold::new(FoldConfig::default(), Names::default())
}

/// All ads at the same time, so that order alone is what varies.
fn ad(n: u64) -> Event {
    Event::Served(Served { at_ms: START_MS, ..served(n) })
}

fn apply(fold: &mut Fold, events: &[Event]) -> Delta {
    let mut delta = Delta::default();
    for event in events {
        fold.apply(1, 0, event, &mut delta);
    }
    delta
}

/// Impressions, viewables, clicks, conversions.
fn sums(delta: &Delta) -> [u64; 4] {
    let mut sums = [0; 4];
    for counts in delta.facts.values() {
        let parts = [counts.impressions, counts.viewables, counts.clicks, counts.conversions];
        sums.iter_mut().zip(parts).for_each(|(sum, part)| *sum += part);
    }
    sums
}

/// What the distinct touches must count: every touched ad was rendered.
fn wanted(touches: &BTreeSet<(u64, TouchKind)>) -> [u64; 4] {
    let of = |kind| touches.iter().filter(|(_, k)| *k == kind).count() as u64;
    let rendered: BTreeSet<u64> = touches.iter().map(|(n, _)| *n).collect();
    [rendered.len() as u64, of(TouchKind::Viewable), of(TouchKind::Click), of(TouchKind::Conversion)]
}

fn any_touch() -> impl Strategy<Value = (u64, TouchKind)> {
    (0..ADS, prop::sample::select(TouchKind::ALL.to_vec()))
}

proptest! {
    #[test]
    fn any_order_with_repetitions_counts_distinct_touches(
        touches in prop::collection::vec(any_touch(), 0..60),
        order in any::<prop::sample::Index>(),
        seed in any::<u64>(),
    ) {
        let mut events: Vec<Event> = (0..ADS).map(ad).collect();
        events.extend(touches.iter().map(|(n, kind)| touch(*n, *kind)));
        // A permutation that puts served records anywhere among the touches.
        let rotation = order.index(events.len());
        events.rotate_left(rotation);
        events.sort_by_cached_key(|event| hash(event, seed));
        let mut fold = fold();
        let mut delta = Delta::default();
        fold.apply(1, 0, &Event::Generation(generation(1)), &mut delta);
        for event in &events {
            fold.apply(1, 0, event, &mut delta);
        }
        prop_assert_eq!(sums(&delta), wanted(&touches.iter().copied().collect()));
        let tally = delta.tally;
        prop_assert_eq!(tally.read, tally.stored + tally.duplicate);
        prop_assert_eq!(tally.waiting, 0);
    }

    #[test]
    fn the_deltas_of_parts_sum_to_the_whole(
        touches in prop::collection::vec(any_touch(), 0..40),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut events = vec![Event::Generation(generation(1))];
        events.extend((0..ADS).map(ad));
        events.extend(touches.iter().map(|(n, kind)| touch(*n, *kind)));
        let whole = apply(&mut fold(), &events);
        let (first, second) = events.split_at(cut.index(events.len()));
        let mut parts = fold();
        let (first, second) = (apply(&mut parts, first), apply(&mut parts, second));
        let add = |a: [u64; 4], b: [u64; 4]| std::array::from_fn(|i| a[i] + b[i]);
        prop_assert_eq!(add(sums(&first), sums(&second)), sums(&whole));
        for (key, trials) in &whole.cells {
            let of = |delta: &Delta| delta.cells.get(key).copied().unwrap_or_default();
            let (a, b) = (of(&first), of(&second));
            let sum = Trials { impressions: a.impressions + b.impressions, clicks: a.clicks + b.clicks };
            prop_assert_eq!(sum, *trials);
        }
    }

    #[test]
    fn statistics_of_parts_sum_to_the_whole(
        observations in prop::collection::vec((0..3u8, 0..3u8, 0..6u32, 0..2u32, any::<bool>()), 0..80),
    ) {
        let shape = TemplateShape::new(&generation(1).templates[0], &mut Names::default());
        let empty = || Cells::new(&shape).unwrap();
        let (mut whole, mut left, mut right) = (empty(), empty(), empty());
        for (device, segment, combination, clicks, is_left) in &observations {
            let place = ([*device, *segment, 0, 0, 0, 0, 0, 0], *combination);
            let trial = Trial { impressions: 1.0, clicks: f64::from(*clicks) };
            whole.add(place, trial);
            if *is_left { left.add(place, trial) } else { right.add(place, trial) };
        }
        for (place, trial) in right.places().iter().zip(right.trials()) {
            left.add(*place, *trial);
        }
        let sorted = |cells: &Cells| {
            let mut all: Vec<_> = cells.places().iter().copied().zip(cells.trials().iter().copied()).collect();
            all.sort_by_key(|(place, _)| *place);
            all
        };
        prop_assert_eq!(sorted(&left), sorted(&whole));
    }
}

fn hash(event: &Event, seed: u64) -> u64 {
    let (id, kind) = match event {
        Event::Served(served) => (served.decision_id as u64, 9),
        Event::Touch(touch) => (touch.decision_id as u64, touch.kind as u64),
        _ => (99, 0),
    };
    (seed ^ (id * 31 + kind)).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(17).wrapping_mul(seed | 1)
}

#[test]
fn a_touch_after_the_attribution_window_does_not_count() {
    let mut fold = fold();
    let late = FoldConfig::default().attribution_window_ms + 1;
    let mut click = touch(1, TouchKind::Click);
    if let Event::Touch(touch) = &mut click {
        touch.at_ms = START_MS + late;
    }
    let delta = apply(&mut fold, &[Event::Generation(generation(1)), ad(1), click]);
    assert_eq!((sums(&delta), delta.tally.unjoined), ([0; 4], 1));
}

#[test]
fn more_ads_than_fit_evict_the_oldest_and_say_so() {
    let config = FoldConfig { joins_max: 3, ..FoldConfig::default() };
    let mut fold = Fold::new(config, Names::default());
    let mut events = vec![Event::Generation(generation(1))];
    events.extend((0..5).map(ad));
    events.extend([touch(1, TouchKind::Click), touch(4, TouchKind::Click)]);
    let delta = apply(&mut fold, &events);
    assert_eq!(delta.tally.evicted, 2);
    assert_eq!((delta.tally.waiting, sums(&delta)[2]), (1, 1), "the evicted ad's click waits in vain");
}

#[test]
fn only_learnable_ads_of_the_model_and_the_holdout_are_learned_from() {
    use tessera_wire::event::Arm;
    let learned = |change: fn(&mut Served)| {
        let mut ad = Served { at_ms: START_MS, ..served(1) };
        change(&mut ad);
        let events = [Event::Generation(generation(1)), Event::Served(ad), touch(1, TouchKind::Click)];
        let delta = apply(&mut fold(), &events);
        assert_eq!(sums(&delta), [1, 0, 1, 0]);
        !delta.cells.is_empty()
    };
    assert!(learned(|ad| ad.arm = Arm::Personalized));
    assert!(learned(|ad| ad.arm = Arm::Holdout));
    assert!(!learned(|ad| ad.arm = Arm::Fixed));
    assert!(!learned(|ad| ad.arm = Arm::House));
    assert!(!learned(|ad| ad.is_learnable = false));
    assert!(!learned(|ad| ad.combination = tessera_wire::event::NONE));
    assert!(!learned(|ad| ad.template = tessera_wire::event::NONE));
}
