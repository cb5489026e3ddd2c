//! The learner follows the bundle, and its tables are what the engine accepts.

#![allow(clippy::unwrap_used, reason = "a test")]

mod support;

use std::path::Path;

use support::{START_MS, World, drain, generation, served, touch};
use tessera_analytics::writer::Writer;
use tessera_wire::event::{
    ArmChoice, BANDIT_PREFIX, Event, Generation, NONE, Served, TemplateNames, TouchKind,
};
use tessera_wire::posterior::{self, Layout, PosteriorTable, TemplateModel};

/// Combination (i1, c2) is clicked by half, everything else by nobody.
const LIKED: u32 = 5;

fn play(world: &mut World, generation: u64, first: u64, liked: u32) {
    for n in first..first + 600 {
        let ad = Served { at_ms: START_MS, generation, ..served(n) };
        world.journal.push(&Event::Served(ad));
        world.journal.push(&touch(n, TouchKind::Impression));
        if ad.combination == liked && n % 4 < 2 {
            world.journal.push(&touch(n, TouchKind::Click));
        }
    }
    world.journal.flush();
}

/// Drains the journal and publishes.
fn publish(world: &World, writer: &mut Writer, path: &Path) -> PosteriorTable {
    drain(writer);
    world.advance(2_000);
    writer.step().unwrap();
    posterior::decode(&std::fs::read(path).unwrap()).unwrap()
}

/// The combination with the highest mean score in a context of unknown values.
fn best(model: &TemplateModel) -> Vec<String> {
    let slots: Vec<usize> = model.slots.iter().map(Vec::len).collect();
    let fields: Vec<usize> = model.fields.iter().map(|(_, labels)| labels.len()).collect();
    let layout = Layout::new(&slots, &fields);
    let score = |k: usize| {
        let mut choice = [0; 2];
        layout.unpack(k, &mut choice);
        let assets = [choice[0], slots[0] + choice[1]];
        let mut score = model.mean[layout.pair(0, 1, choice[0], choice[1])];
        for asset in assets {
            score += model.mean[layout.asset(asset)];
            score +=
                layout.field_start.iter().take(2).map(|v| model.mean[layout.cross(*v) + asset]).sum::<f32>();
        }
        score
    };
    let best = (0..layout.combinations()).max_by(|a, b| score(*a).total_cmp(&score(*b))).unwrap();
    let mut choice = [0; 2];
    layout.unpack(best, &mut choice);
    model.slots.iter().zip(choice).map(|(assets, item)| assets[item].clone()).collect()
}

/// The same template with its assets and labels in another order, one image more and a new field.
fn reordered() -> Generation {
    let mut next = generation(2);
    let template = &mut next.templates[0];
    template.slots[0].1 = vec!["new".into(), "i1".into(), "i0".into()];
    template.slots[1].1.reverse();
    template.fields[1].1 = vec!["?".into(), "food".into(), "sport".into()];
    template.fields.push(("daypart".into(), vec!["?".into(), "night".into()]));
    next
}

#[test]
fn the_liked_combination_wins_and_survives_a_reordered_bundle() {
    let mut world = World::new();
    let config = world.config("a.db");
    let path = config.posterior_path.clone();
    let mut writer = world.open(config.clone());
    play(&mut world, 1, 0, LIKED);
    let first = publish(&world, &mut writer, &path);
    assert_eq!((first.models[0].impressions, first.models[0].clicks), (600, 50));
    assert_eq!(best(&first.models[0]), ["i1", "c2"]);

    world.journal.push_all(&[Event::Generation(reordered())]);
    let second = publish(&world, &mut writer, &path);
    assert!(second.generation > first.generation);
    let model = &second.models[0];
    assert_eq!(model.slots[0], ["new", "i1", "i0"]);
    assert_eq!((model.impressions, model.clicks), (600, 50), "nothing was forgotten");
    assert_eq!(best(model), ["i1", "c2"]);

    // A writer that starts now learns the same from the store.
    drop(writer);
    let third = publish(&world, &mut world.open(config), &path);
    assert!(third.generation > second.generation);
    assert_eq!((third.models[0].impressions, best(&third.models[0])), (600, best(model)));
}

#[test]
fn statistics_of_a_removed_asset_leave_the_model_and_come_back_with_it() {
    let mut world = World::new();
    let config = world.config("a.db");
    let path = config.posterior_path.clone();
    let mut writer = world.open(config);
    play(&mut world, 1, 0, LIKED);
    publish(&world, &mut writer, &path);
    let mut without = generation(2);
    without.templates[0].slots[0].1.pop();
    world.journal.push_all(&[Event::Generation(without)]);
    let table = publish(&world, &mut writer, &path);
    assert_eq!((table.models[0].impressions, table.models[0].clicks), (300, 0), "i1 is gone");
    world.journal.push_all(&[Event::Generation(generation(3))]);
    let table = publish(&world, &mut writer, &path);
    assert_eq!((table.models[0].impressions, table.models[0].clicks), (600, 50));
}

#[test]
fn a_template_that_leaves_the_bundle_leaves_the_table() {
    let mut world = World::new();
    let config = world.config("a.db");
    let path = config.posterior_path.clone();
    let mut writer = world.open(config);
    play(&mut world, 1, 0, LIKED);
    assert_eq!(publish(&world, &mut writer, &path).models.len(), 1);
    let empty = Generation { templates: Vec::new(), ..generation(2) };
    world.journal.push_all(&[Event::Generation(empty)]);
    assert!(publish(&world, &mut writer, &path).models.is_empty());
}

#[test]
fn nothing_is_published_without_news() {
    let mut world = World::new();
    let config = world.config("a.db");
    let mut writer = world.open(config.clone());
    play(&mut world, 1, 0, LIKED);
    publish(&world, &mut writer, &config.posterior_path);
    for _ in 0..10 {
        world.advance(10_000);
        assert_eq!(writer.step().unwrap().published, None);
    }
}

#[test]
fn arms_of_a_bandit_that_rules_name_are_learned_from_the_same_touches() {
    let mut world = World::new();
    let config = world.config("store.sqlite");
    let path = config.posterior_path.clone();
    let mut writer = world.open(config);
    let bandit = TemplateNames {
        id: format!("{BANDIT_PREFIX}welcome"),
        campaign: NONE,
        slots: vec![("arm".into(), vec!["offer:ten".into(), "offer:free".into()])],
        fields: Vec::new(),
    };
    let mut names = generation(3);
    names.templates.push(bandit);
    world.journal.push(&Event::Generation(names));
    for n in 0..600 {
        let arm = (n % 2) as u16;
        let choice = Some(ArmChoice { bandit: 1, arm, propensity: 0.5 });
        // What a test or a child was shown teaches nothing, whatever they click.
        let is_learnable = n % 3 > 0;
        let ad = Served {
            at_ms: START_MS,
            generation: 3,
            choices: [None, choice, None],
            is_learnable,
            ..served(n)
        };
        world.journal.push(&Event::Served(ad));
        world.journal.push(&touch(n, TouchKind::Impression));
        if arm == 1 && n % 5 < 2 || !is_learnable {
            world.journal.push(&touch(n, TouchKind::Click));
        }
    }
    world.journal.flush();
    let table = publish(&world, &mut writer, &path);
    let model = table.models.iter().find(|model| model.template == "bandit:welcome").unwrap();
    assert_eq!((model.impressions, model.clicks), (400, 80));
    assert!(model.mean[2] > model.mean[1], "the second arm is clicked: {:?}", model.mean);
    let prefers_second = model.draws.chunks_exact(3).filter(|draw| draw[2] > draw[1]).count();
    assert!(prefers_second > 40, "{prefers_second} of {} draws", model.draws.len() / 3);
}
