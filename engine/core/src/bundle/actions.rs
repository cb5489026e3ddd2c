//! What a bundle derives from its rules' actions: bandits with their arms, and numbers for tags and arms of splits.
//!
//! Bandits are known by name: all rules that name one share its arms, each arm known by what it does, in order of first
//! appearance. Cost: one pass over the actions, on load.

use std::collections::HashMap;

use tessera_wire::catalog::Catalog;
use tessera_wire::event::{BANDIT_PREFIX, TemplateNames};
use tessera_wire::program::{Action, Program, Span, WordId};

use super::LoadError;
use crate::limits::{ARMS_IN_ALL_MAX, ARMS_PER_BANDIT_MAX};

/// Numbers of what actions name.
#[derive(Debug, Default)]
pub struct ActionNames {
    /// By action: index into the list of its kind.
    numbers: Vec<u32>,
    choices: Vec<Choose>,
    arm_numbers: Vec<u16>,
    bandits: Vec<Bandit>,
    tags: Vec<WordId>,
    variants: Vec<(WordId, WordId)>,
}

/// One `choose by bandit` of a rule.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Choose {
    /// Index of the bandit.
    pub(crate) bandit: u32,
    /// First of its arms' numbers.
    arms: Span,
}

#[derive(Debug)]
struct Bandit {
    name: WordId,
    arms: Vec<String>,
}

#[derive(Default)]
struct Seen {
    bandits: HashMap<WordId, u32>,
    arms: HashMap<(u32, String), u16>,
    tags: HashMap<WordId, u32>,
    variants: HashMap<(WordId, WordId), u32>,
}

impl ActionNames {
    /// Numbers the names of a verified program.
    pub(super) fn new(program: &Program, catalog: &Catalog) -> Result<ActionNames, LoadError> {
        let (mut names, mut seen) = (ActionNames::default(), Seen::default());
        for (index, action) in program.actions.iter().enumerate() {
            let number = match action {
                Action::Tag(word) => number_of(*word, &mut seen.tags, &mut names.tags),
                Action::Variant { split, arm } => {
                    number_of((*split, *arm), &mut seen.variants, &mut names.variants)
                }
                Action::Choose { bandit, arms } => {
                    let arms = arms.of(&program.actions);
                    let choose = names.choose(*bandit, arms, program, catalog, &mut seen);
                    let rule = "its bandit has too many arms";
                    let choose = choose.ok_or(LoadError::Catalog { list: "actions", index, rule })?;
                    names.choices.push(choose);
                    names.choices.len() as u32 - 1
                }
                _ => u32::MAX,
            };
            names.numbers.push(number);
        }
        Ok(names)
    }

    fn choose(
        &mut self,
        name: WordId,
        arms: &[Action],
        program: &Program,
        catalog: &Catalog,
        seen: &mut Seen,
    ) -> Option<Choose> {
        let bandit = *seen.bandits.entry(name).or_insert_with(|| {
            self.bandits.push(Bandit { name, arms: Vec::new() });
            self.bandits.len() as u32 - 1
        });
        let first = self.arm_numbers.len() as u32;
        for action in arms {
            let label = arm_label(*action, program, catalog);
            let own = &mut self.bandits[bandit as usize].arms;
            let arm = *seen.arms.entry((bandit, label)).or_insert_with_key(|(_, label)| {
                own.push(label.clone());
                own.len() as u16 - 1
            });
            if own.len() > ARMS_PER_BANDIT_MAX || self.arm_numbers.len() >= ARMS_IN_ALL_MAX {
                return None;
            }
            self.arm_numbers.push(arm);
        }
        let is_short = arms.len() <= ARMS_PER_BANDIT_MAX;
        is_short.then_some(Choose { bandit, arms: Span { first, len: arms.len() as u32 } })
    }

    /// The number of a tag, arm of a split or choice among the bundle's, by the index of its action.
    #[inline]
    pub fn number(&self, action: u32) -> u32 {
        self.numbers[action as usize]
    }

    /// A choice by the index of its action.
    #[inline]
    pub(crate) fn choice(&self, action: u32) -> Choose {
        self.choices[self.number(action) as usize]
    }

    /// Numbers of a choice's arms among its bandit's.
    #[inline]
    pub(crate) fn arms_of(&self, choose: Choose) -> &[u16] {
        choose.arms.of(&self.arm_numbers)
    }

    /// Distinct words that rules report.
    pub fn tags(&self) -> &[WordId] {
        &self.tags
    }

    /// Distinct arms of splits: split and arm.
    pub fn variants(&self) -> &[(WordId, WordId)] {
        &self.variants
    }

    /// Numbers of arms of each bandit.
    pub(super) fn arm_counts(&self) -> impl Iterator<Item = usize> {
        self.bandits.iter().map(|bandit| bandit.arms.len())
    }

    /// The bandits as the learner knows them: templates with one slot.
    pub(super) fn as_templates(&self, program: &Program) -> impl Iterator<Item = TemplateNames> {
        self.bandits.iter().map(|bandit| TemplateNames {
            id: format!("{BANDIT_PREFIX}{}", word(program, bandit.name)),
            campaign: tessera_wire::event::NONE,
            slots: vec![("arm".to_owned(), bandit.arms.clone())],
            fields: Vec::new(),
        })
    }

    /// Name and arm of a bandit.
    pub fn arm_name<'a>(&'a self, program: &'a Program, bandit: usize, arm: u16) -> (&'a str, &'a str) {
        let Some(bandit) = self.bandits.get(bandit) else { return ("", "") };
        (word(program, bandit.name), bandit.arms.get(usize::from(arm)).map_or("", String::as_str))
    }
}

fn number_of<T: Copy + Eq + std::hash::Hash>(item: T, seen: &mut HashMap<T, u32>, list: &mut Vec<T>) -> u32 {
    *seen.entry(item).or_insert_with(|| {
        list.push(item);
        list.len() as u32 - 1
    })
}

/// A word of the dictionary; empty for the word of unmentioned texts, which verified actions never hold.
pub(super) fn word(program: &Program, word: WordId) -> &str {
    let index = (word.0 as usize).checked_sub(1);
    index.and_then(|index| program.dictionary.get(index)).map_or("", String::as_str)
}

/// What an arm is known by: what it does, in text ids, which outlive the bundle.
fn arm_label(action: Action, program: &Program, catalog: &Catalog) -> String {
    match action {
        Action::ShowTemplate(id) => format!("template:{}", catalog.str(catalog.templates[id.index()].id)),
        Action::ShowCreative(id) => format!("creative:{}", catalog.str(catalog.creatives[id.index()].id)),
        Action::Offer(id) => format!("offer:{}", catalog.str(catalog.offers[id.index()].id)),
        Action::Pin { slot, asset } => {
            format!("{}:{}", word(program, slot), catalog.str(catalog.assets[asset.index()].id))
        }
        Action::Tag(tag) => format!("tag:{}", word(program, tag)),
        Action::Suppress => "no ad".to_owned(),
        // Verification lets no choice be an arm; a binding alone does nothing.
        Action::Bind { .. } | Action::Choose { .. } | Action::Variant { .. } => "nothing".to_owned(),
    }
}
