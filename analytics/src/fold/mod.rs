//! The fold: joins touches to served ads, recognises repetitions, and sums what is new into a [`Delta`].
//!
//! Guarantees: a served ad counts once per (decision, ad) and a touch once per (decision, ad, kind), in whatever order
//! and how often they arrive inside the attribution window. Every touch implies that the ad was rendered: when a click,
//! view or conversion comes first, the impression is counted with it, and a later impression record is a repetition.
//! Everything counts in the hour its ad was served. Deterministic: the same records give the same state, so that reading
//! the journal again from [`Fold::replay_from`] rebuilds it; time is the newest served record's.
//!
//! Cost: one or two hash look-ups per record; memory bounded by [`FoldConfig`].
//!
//! Not here: reading ([`crate::journal_reader`]) and keeping ([`crate::store`]).

mod delta;
mod experiments;
mod fact;
mod joins;
mod pending;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use tessera_wire::event::{
    Arm, Behaviour, Event, Generation, Remembered, Served, Touch, TouchKind, VisitorChange,
};

pub use delta::{
    CellKey, CombinationKey, Counts, Delta, ExperimentCounts, ExperimentKey, FactKey, Outcome, Tally, Trials,
    WaitingChange,
};
pub use fact::{Fact, FactKind, ServedFact, subject_half};
use joins::{Joins, ServedAd};
use pending::{Messages, Waiting};

use crate::limits;
use crate::names::{GenerationNames, NameId, NameKind, NameList, Names};

const HOUR_MS: i64 = 3_600_000;
const OTHER_BEHAVIOUR: &str = "other";

/// Bounds of the fold's memory.
#[derive(Debug, Clone, Copy)]
pub struct FoldConfig {
    /// Touches later than this after the ad was served do not count, milliseconds.
    pub attribution_window_ms: i64,
    /// How long touches wait for their served record, milliseconds.
    pub wait_ms: i64,
    /// Served ads that touches can join.
    pub joins_max: usize,
    /// Touches that wait.
    pub waiting_max: usize,
    /// Message ids remembered.
    pub messages_max: usize,
}

impl Default for FoldConfig {
    fn default() -> FoldConfig {
        FoldConfig {
            attribution_window_ms: limits::ATTRIBUTION_WINDOW_MS,
            wait_ms: limits::WAIT_MS,
            joins_max: limits::JOINS_MAX,
            waiting_max: limits::WAITING_MAX,
            messages_max: limits::MESSAGES_MAX,
        }
    }
}

/// The state between records.
#[derive(Debug)]
pub struct Fold {
    config: FoldConfig,
    names: Names,
    behaviour_names: usize,
    generations: BTreeMap<u64, Arc<GenerationNames>>,
    joins: Joins,
    waiting: Waiting,
    messages: Messages,
    watermark_ms: i64,
    /// By node.
    marks: BTreeMap<u16, VecDeque<Mark>>,
}

/// The state when a segment's first record was folded: how far back a restart must read.
#[derive(Debug, Clone, Copy)]
struct Mark {
    segment: u64,
    watermark_ms: i64,
    joins: u64,
    messages: u64,
}

impl Fold {
    /// An empty state over the names of a store.
    pub fn new(config: FoldConfig, names: Names) -> Fold {
        Fold {
            config,
            behaviour_names: names.count(NameKind::Behaviour),
            names,
            generations: BTreeMap::new(),
            joins: Joins::default(),
            waiting: Waiting::default(),
            messages: Messages::default(),
            watermark_ms: i64::MIN,
            marks: BTreeMap::new(),
        }
    }

    /// The names, to save new ones.
    pub fn names_mut(&mut self) -> &mut Names {
        &mut self.names
    }

    /// Time of the newest served record, unix milliseconds; `i64::MIN` before the first.
    pub fn watermark_ms(&self) -> i64 {
        self.watermark_ms
    }

    /// Folds one record of a node's segment that starts with sequence number `segment`.
    pub fn apply(&mut self, node: u16, segment: u64, event: &Event, delta: &mut Delta) {
        self.mark(node, segment);
        delta.tally.read += 1;
        match event {
            Event::Generation(generation) => self.apply_generation(generation, delta),
            Event::Served(served) => self.apply_served(served, delta),
            Event::Touch(touch) => self.apply_touch(touch, delta),
            Event::Behaviour(behaviour) => self.apply_behaviour(behaviour, delta),
            Event::Remembered(remembered) => apply_remembered(remembered, delta),
        }
    }

    /// Begins the rebuilding of the state after a restart: the journal's time before the first record to be read.
    pub fn begin_replay(&mut self, watermark_ms: i64) {
        self.watermark_ms = watermark_ms;
    }

    /// Ends the rebuilding of the state after a restart: what waited then, and the journal's time then, were stored.
    pub fn end_replay(&mut self, waiting: &[(Touch, i64)], watermark_ms: i64) {
        self.watermark_ms = self.watermark_ms.max(watermark_ms);
        self.waiting = Waiting::default();
        for (touch, since_ms) in waiting {
            self.waiting.insert(*touch, *since_ms);
        }
    }

    /// The segment of a node from which a restart must read to rebuild this state, with the journal's time before it: that
    /// of the oldest thing remembered, and back by the time that touches may come early.
    pub fn replay_from(&mut self, node: u16) -> Option<(u64, i64)> {
        let (joins, messages) = (self.joins.oldest(), self.messages.oldest());
        let marks = self.marks.get_mut(&node)?;
        let last = marks.iter().rposition(|mark| mark.joins <= joins && mark.messages <= messages)?;
        let early_ms = marks[last].watermark_ms.saturating_sub(self.config.wait_ms);
        let first = marks.range(..=last).rposition(|mark| mark.watermark_ms <= early_ms).unwrap_or(0);
        marks.drain(..first);
        marks.front().map(|mark| (mark.segment, mark.watermark_ms))
    }

    fn mark(&mut self, node: u16, segment: u64) {
        let marks = self.marks.entry(node).or_default();
        if marks.back().is_none_or(|mark| mark.segment != segment) {
            marks.push_back(Mark {
                segment,
                watermark_ms: self.watermark_ms,
                joins: self.joins.next(),
                messages: self.messages.next(),
            });
        }
    }

    fn apply_generation(&mut self, generation: &Generation, delta: &mut Delta) {
        let names = GenerationNames::new(generation, &mut self.names);
        self.generations.insert(generation.generation, Arc::clone(&names));
        while self.generations.len() > limits::GENERATIONS_MAX {
            self.generations.pop_first();
        }
        delta.generation = Some(names);
        delta.tally.stored += 1;
    }

    fn apply_served(&mut self, served: &Served, delta: &mut Delta) {
        let Some(names) = self.generations.get(&served.generation) else {
            delta.note(FactKind::Served, served.at_ms, Outcome::Unnamed);
            return;
        };
        let ad = ServedAd::new(served, Arc::clone(names));
        if !self.joins.insert(ad.clone()) {
            delta.note(FactKind::Served, served.at_ms, Outcome::Duplicate);
            return;
        }
        let key = fact_key(&ad);
        delta.note(FactKind::Served, served.at_ms, Outcome::Stored);
        delta.facts.entry(key).or_default().served += 1;
        delta.rows.push(Fact::served(served, &ad, key));
        experiments::count(&ad, key, [0; 3], delta, |counts| counts.served += 1);
        for touch in self.waiting.take(ad.key) {
            delta.stop_waiting(touch);
            self.count_touch(&touch, delta);
        }
        self.advance(served.at_ms, delta);
    }

    /// Moves the journal's time on and lets go of what is too old or too much.
    fn advance(&mut self, at_ms: i64, delta: &mut Delta) {
        self.watermark_ms = self.watermark_ms.max(at_ms);
        let cutoff_ms = self.cutoff_ms();
        delta.tally.evicted += self.joins.evict(cutoff_ms, self.config.joins_max);
        self.messages.evict(cutoff_ms, self.config.messages_max);
        self.expire_waiting(delta);
    }

    /// The journal's time, or a record's own before the first served record.
    fn time_ms(&self, at_ms: i64) -> i64 {
        if self.watermark_ms == i64::MIN { at_ms } else { self.watermark_ms }
    }

    /// Ads served before this can no longer be joined.
    fn cutoff_ms(&self) -> i64 {
        self.watermark_ms.saturating_sub(self.config.attribution_window_ms)
    }

    fn expire_waiting(&mut self, delta: &mut Delta) {
        let cutoff_ms = self.watermark_ms.saturating_sub(self.config.wait_ms);
        while let Some(touch) = self.waiting.take_expired(cutoff_ms, self.config.waiting_max) {
            delta.stop_waiting(touch);
            delta.note(touch.kind.into(), touch.at_ms, Outcome::Unjoined);
        }
    }

    fn apply_touch(&mut self, touch: &Touch, delta: &mut Delta) {
        if self.joins.get_mut((touch.decision_id, touch.ad), self.cutoff_ms()).is_some() {
            self.count_touch(touch, delta);
        } else if self.waiting.insert(*touch, self.time_ms(touch.at_ms)) {
            delta.waiting.push(WaitingChange::Add(*touch, self.time_ms(touch.at_ms)));
            delta.note(touch.kind.into(), touch.at_ms, Outcome::Waiting);
            self.expire_waiting(delta);
        } else {
            delta.note(touch.kind.into(), touch.at_ms, Outcome::Duplicate);
        }
    }

    /// Counts a touch whose ad is in the window.
    fn count_touch(&mut self, touch: &Touch, delta: &mut Delta) {
        let cutoff_ms = self.cutoff_ms();
        let window_ms = self.config.attribution_window_ms;
        let ad = self.joins.get_mut((touch.decision_id, touch.ad), cutoff_ms);
        let Some(ad) = ad.filter(|ad| touch.at_ms.saturating_sub(ad.at_ms) <= window_ms) else {
            delta.note(touch.kind.into(), touch.at_ms, Outcome::Unjoined);
            return;
        };
        if !ad.note(touch.kind) {
            delta.note(touch.kind.into(), touch.at_ms, Outcome::Duplicate);
            return;
        }
        delta.note(touch.kind.into(), touch.at_ms, Outcome::Stored);
        let key = fact_key(ad);
        count_kind(touch.kind, touch, ad, key, delta);
        if touch.kind != TouchKind::Impression && ad.note(TouchKind::Impression) {
            delta.tally.implied_impressions += 1;
            count_kind(TouchKind::Impression, touch, ad, key, delta);
        }
    }

    fn apply_behaviour(&mut self, behaviour: &Behaviour, delta: &mut Delta) {
        let is_new = self.messages.insert(&behaviour.message_id, self.time_ms(behaviour.at_ms));
        self.messages.evict(self.cutoff_ms(), self.config.messages_max);
        if !is_new {
            delta.note(FactKind::Behaviour, behaviour.at_ms, Outcome::Duplicate);
            return;
        }
        let id = self.behaviour_name(&behaviour.name);
        delta.note(FactKind::Behaviour, behaviour.at_ms, Outcome::Stored);
        delta.rows.push(Fact::behaviour(behaviour, id));
        *delta.behaviours.entry((behaviour.at_ms.div_euclid(HOUR_MS), id)).or_default() += 1;
    }

    fn behaviour_name(&mut self, name: &str) -> NameId {
        if let Some(id) = self.names.find(NameKind::Behaviour, "", name) {
            return id;
        }
        if self.behaviour_names >= limits::BEHAVIOUR_NAMES_MAX {
            return self.names.id(NameKind::Behaviour, "", OTHER_BEHAVIOUR);
        }
        self.behaviour_names += 1;
        self.names.id(NameKind::Behaviour, "", name)
    }
}

/// Engines need to know what they remember, the store does not; but what is to be forgotten is forgotten here too.
fn apply_remembered(remembered: &Remembered, delta: &mut Delta) {
    delta.tally.remembered += 1;
    if remembered.change == VisitorChange::Erased
        && let Some(subject) = subject_half(remembered.subject)
    {
        delta.erased.push((subject, remembered.at_ms));
    }
}

/// Adds one touch of a kind to every sum, and its row: the touch itself, or the impression that it implies.
fn count_kind(kind: TouchKind, touch: &Touch, ad: &ServedAd, key: FactKey, delta: &mut Delta) {
    let counts = delta.facts.entry(key).or_default();
    let mut trials = Trials::default();
    match kind {
        TouchKind::Impression => {
            counts.impressions += 1;
            trials.impressions += 1;
        }
        TouchKind::Viewable => counts.viewables += 1,
        TouchKind::Click => {
            counts.clicks += 1;
            trials.clicks += 1;
        }
        TouchKind::Conversion => {
            counts.conversions += 1;
            if touch.value_micros != 0 {
                let sum: &mut i64 = delta.values.entry((key, touch.currency)).or_default();
                *sum = sum.saturating_add(touch.value_micros);
            }
        }
    }
    delta.rows.push(Fact::touch(kind, touch, ad, key));
    experiments::count_touch(kind, touch, ad, key, delta);
    if trials != Trials::default() {
        count_combination(ad, key, trials, delta);
        count_choices(ad, trials, delta);
    }
}

fn fact_key(ad: &ServedAd) -> FactKey {
    let names = &ad.names;
    let segment = names.templates.get(ad.template as usize).and_then(|shape| {
        let value = ad.context.get(shape.segment_field?)?;
        shape.segments.get(usize::from(*value)).copied()
    });
    FactKey {
        hour: ad.at_ms.div_euclid(HOUR_MS),
        campaign: names.campaigns.get(ad.campaign as usize).copied().unwrap_or(names.no_campaign),
        segment: segment.unwrap_or(names.no_segment),
        arm: ad.arm as u8,
        mode: ad.mode as u8,
        is_learnable: ad.is_learnable,
    }
}

/// Adds trials to the statistics of the bandits whose arms took effect in the ad: one observation for each.
fn count_choices(ad: &ServedAd, trials: Trials, delta: &mut Delta) {
    for (bandit, arm) in ad.choices.iter().flatten() {
        let Some(shape) = ad.names.templates.get(*bandit as usize) else { continue };
        let (Some(combination), true) = (shape.combination(u32::from(*arm)), ad.is_learnable) else {
            continue;
        };
        let key = CellKey { template: shape.template, context: NameList::default(), combination };
        let sum: &mut Trials = delta.cells.entry(key).or_default();
        sum.impressions += trials.impressions;
        sum.clicks += trials.clicks;
    }
}

/// Adds trials to the combination rollup and the learner's statistics. Children, tests and bots are left out of both.
/// The learner uses both the personalized and the holdout arm: the control combination is as valid an observation of
/// (context, combination) as any.
fn count_combination(ad: &ServedAd, fact: FactKey, trials: Trials, delta: &mut Delta) {
    let Some(shape) = ad.names.templates.get(ad.template as usize) else { return };
    let (Some(combination), true) = (shape.combination(ad.combination), ad.is_learnable) else { return };
    let add = |sum: &mut Trials| {
        sum.impressions += trials.impressions;
        sum.clicks += trials.clicks;
    };
    let key = CombinationKey {
        day: ad.at_ms.div_euclid(24 * HOUR_MS),
        campaign: fact.campaign,
        template: shape.template,
        segment: fact.segment,
        combination,
        arm: fact.arm,
        mode: fact.mode,
    };
    add(delta.combinations.entry(key).or_default());
    if !matches!(ad.arm, Arm::Personalized | Arm::Holdout) {
        return;
    }
    if let Some(context) = shape.context(&ad.context) {
        add(delta.cells.entry(CellKey { template: shape.template, context, combination }).or_default());
    }
}
