//! The only way to a program that may run.
//!
//! [`VerifiedProgram::verify`] trusts nothing: every index, span and branch target is checked, every list that evaluation
//! searches is sorted, every literal fits the kind of its attribute, every gate of a built-in signal is kept, and the
//! longest possible evaluation is added up and compared with a named limit. What passes cannot fail, loop or read another
//! attribute's gates.
//!
//! Cost: one pass over the program and one hash index over its dictionary, on load.

mod error;
mod literals;
mod work;

use std::collections::BTreeSet;
use std::ops::Range;

use tessera_wire::catalog::PlacementId;
use tessera_wire::limits::ATTRIBUTES_MAX;
use tessera_wire::program::{
    ACCEPT, Action, Attribute, Binding, BucketKey, FeatureSubject, Origin, Program, REJECT, Rule, Span,
    Window, WordId,
};
use tessera_wire::signal::{Gates, Kind};

pub use self::error::{Part, VerifyError};
use self::literals::check_literals;
pub use self::work::work_of;
use self::work::{Cost, check_code, check_work, cost_from};
use crate::dictionary::WordIndex;
use crate::index::Index;
use crate::limits;
use crate::statistics::Statistics;

/// How many things of each sort the catalog has, which bounds what rules may refer to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CatalogBounds {
    /// Placements.
    pub placements: u32,
    /// Templates.
    pub templates: u32,
    /// Creatives.
    pub creatives: u32,
    /// Offers.
    pub offers: u32,
    /// Assets.
    pub assets: u32,
    /// Campaigns.
    pub campaigns: u32,
    /// Flights.
    pub flights: u32,
}

/// A program that passed every check. Immutable.
#[derive(Debug)]
pub struct VerifiedProgram {
    program: Program,
    words: WordIndex,
    /// First rule of each placement, and one past the last rule.
    placement_starts: Vec<u32>,
    /// `None` when looking things up could take longer than running everything may.
    index: Option<Index>,
    work_max: usize,
}

impl VerifiedProgram {
    /// Checks everything and makes the program runnable.
    ///
    /// # Errors
    /// [`VerifyError`] names the first thing that is wrong.
    pub fn verify(program: Program, bounds: CatalogBounds) -> Result<VerifiedProgram, VerifyError> {
        VerifiedProgram::verify_with(program, bounds, &Statistics::NONE)
    }

    /// Like [`VerifiedProgram::verify`], with an index that is built for what is known of the traffic. Statistics change
    /// the speed of evaluation, never its result.
    ///
    /// # Errors
    /// [`VerifyError`] names the first thing that is wrong.
    pub fn verify_with(
        program: Program,
        bounds: CatalogBounds,
        statistics: &Statistics,
    ) -> Result<VerifiedProgram, VerifyError> {
        check_sizes(&program, bounds)?;
        check_attributes(&program)?;
        check_features(&program, bounds)?;
        check_dictionary(&program.dictionary)?;
        check_literals(&program)?;
        let costs = check_code(&program)?;
        check_actions(&program, bounds)?;
        check_rules(&program, bounds)?;
        check_segments(&program, &costs)?;
        let work = check_work(&program, &costs)?;
        let words = WordIndex::new(&program.dictionary);
        let placement_starts = (0..=bounds.placements)
            .map(|placement| program.rules.partition_point(|rule| rule.placement.0 < placement) as u32)
            .collect();
        let index = Index::new(&program, statistics, |entry| cost_from(&costs, entry).steps);
        let index = Some(index).filter(|index| index.work_max() <= limits::WORK_STEPS_MAX);
        let work_max = index.as_ref().map_or(work, |index| work.max(index.work_max()));
        Ok(VerifiedProgram { program, words, placement_starts, index, work_max })
    }

    /// The program itself.
    #[inline]
    pub fn program(&self) -> &Program {
        &self.program
    }

    /// The program, no longer known to be verified.
    pub fn into_program(self) -> Program {
        self.program
    }

    /// The dictionary word for `text`, [`WordId::OTHER`] when no rule mentions it.
    #[inline]
    pub fn word(&self, text: &str) -> WordId {
        self.words.find(&self.program.dictionary, text)
    }

    /// Ids of the rules that compete for `placement`, best priority first; empty for a placement that does not exist.
    #[inline]
    pub fn rules_of(&self, placement: PlacementId) -> Range<u32> {
        let at = placement.index();
        match (self.placement_starts.get(at), self.placement_starts.get(at.saturating_add(1))) {
            (Some(start), Some(end)) => *start..*end,
            _ => 0..0,
        }
    }

    /// Steps that one evaluation takes at most, by index or by code; see [`crate::Scratch::steps`].
    pub fn work_max(&self) -> usize {
        self.work_max
    }

    /// What the index adds to the program's memory.
    pub fn index_size(&self) -> IndexSize {
        self.index.as_ref().map_or_else(IndexSize::default, Index::size)
    }

    #[inline]
    pub(crate) fn index(&self) -> Option<&Index> {
        self.index.as_ref()
    }
}

/// How large an index is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct IndexSize {
    /// Bytes beside the program.
    pub bytes: usize,
    /// Entries of all posting lists.
    pub entries: usize,
    /// Literals whose truth every request computes.
    pub hot_literals: usize,
}

fn check_sizes(program: &Program, bounds: CatalogBounds) -> Result<(), VerifyError> {
    let sizes = [
        (Part::Attribute, program.attributes.len(), ATTRIBUTES_MAX),
        (Part::Dictionary, program.dictionary.len(), limits::DICTIONARY_MAX),
        (Part::Range, program.ranges.len(), limits::RANGES_MAX),
        (Part::Word, program.words.len(), limits::WORDS_MAX),
        (Part::Literal, program.literals.len(), limits::LITERALS_MAX),
        (Part::Code, program.code.len(), limits::CODE_MAX),
        (Part::Rule, program.rules.len(), limits::RULES_MAX),
        (Part::Segment, program.segments.len(), limits::SEGMENTS_MAX),
        (Part::Action, program.actions.len(), limits::ACTIONS_MAX),
        (Part::Feature, program.features.len(), limits::FEATURES_MAX),
        (Part::Placement, bounds.placements as usize, limits::PLACEMENTS_MAX),
    ];
    for (part, found, max) in sizes {
        if found > max {
            return Err(VerifyError::TooMany { part, found, max });
        }
    }
    Ok(())
}

fn check_attributes(program: &Program) -> Result<(), VerifyError> {
    let mut names = BTreeSet::new();
    for (at, attribute) in program.attributes.iter().enumerate() {
        if !names.insert(attribute.name.as_str()) {
            return Err(VerifyError::OutOfOrder { part: Part::Attribute, at });
        }
        let is_currency_right = match attribute.kind {
            Kind::Money => {
                attribute.currency.len() == 3 && attribute.currency.bytes().all(|b| b.is_ascii_uppercase())
            }
            _ => attribute.currency.is_empty(),
        };
        let is_text_right = (!attribute.needs_text || attribute.kind == Kind::Text)
            && (!attribute.is_caseless || matches!(attribute.kind, Kind::Text | Kind::Set));
        if attribute.name.is_empty() || !is_currency_right || !is_text_right {
            return Err(VerifyError::BadAttribute { at });
        }
        if !attribute.gates.covers(check_origin(program, at, attribute)?) {
            return Err(VerifyError::MissingGate { at });
        }
        if !Gates::ALL.covers(attribute.gates) {
            return Err(VerifyError::BadAttribute { at });
        }
    }
    Ok(())
}

/// The gates that an attribute of this origin needs at least.
fn check_origin(program: &Program, at: usize, attribute: &Attribute) -> Result<Gates, VerifyError> {
    let (kind, gates) = match &attribute.origin {
        Origin::Builtin(builtin) => {
            let spec = builtin.spec();
            if attribute.name != spec.name {
                return Err(VerifyError::BadAttribute { at });
            }
            (spec.kind, spec.gates)
        }
        Origin::Trait(_) | Origin::Context(_) => (attribute.kind, Gates::NONE),
        Origin::Feature(feature) => match program.features.get(usize::from(*feature)) {
            Some(feature) => (Kind::Number, feature.event.gates()),
            None => return Err(dangling(Part::Attribute, at, Part::Feature)),
        },
        Origin::Bucket { key: BucketKey::User, .. } => (Kind::Number, Gates::STORE_ACCESS),
        Origin::Bucket { key: BucketKey::Request, .. } | Origin::MinuteOfWeek(_) => {
            (Kind::Number, Gates::NONE)
        }
    };
    if attribute.kind == kind { Ok(gates) } else { Err(VerifyError::BadAttribute { at }) }
}

fn check_features(program: &Program, bounds: CatalogBounds) -> Result<(), VerifyError> {
    for (at, feature) in program.features.iter().enumerate() {
        let (target, does_exist) = match feature.subject {
            FeatureSubject::Any => (Part::Feature, true),
            FeatureSubject::Campaign(campaign) => (Part::Campaign, campaign.0 < bounds.campaigns),
            FeatureSubject::Template(template) => (Part::Template, template.0 < bounds.templates),
            FeatureSubject::Creative(creative) => (Part::Creative, creative.0 < bounds.creatives),
            FeatureSubject::Offer(offer) => (Part::Offer, offer.0 < bounds.offers),
            FeatureSubject::Flight(flight) => (Part::Flight, flight.0 < bounds.flights),
            // A rule is counted by its name; its source index is for readers.
            FeatureSubject::Rule(_) => (Part::Rule, !feature.subject_id.is_empty()),
        };
        if !does_exist {
            return Err(dangling(Part::Feature, at, target));
        }
        let is_window_right = match feature.window {
            Window::LastMs(window_ms) => window_ms > 0 && feature.bucket_ms <= window_ms,
            Window::Today => true,
        };
        if !is_window_right || feature.bucket_ms <= 0 {
            return Err(VerifyError::BadFeature { at });
        }
    }
    Ok(())
}

fn check_dictionary(dictionary: &[String]) -> Result<(), VerifyError> {
    for (at, word) in dictionary.iter().enumerate() {
        if word.len() > limits::WORD_BYTES_MAX {
            return Err(VerifyError::WordTooLong { at, max: limits::WORD_BYTES_MAX });
        }
        if at > 0 && dictionary[at - 1] >= *word {
            return Err(VerifyError::OutOfOrder { part: Part::Dictionary, at });
        }
    }
    Ok(())
}

fn check_actions(program: &Program, bounds: CatalogBounds) -> Result<(), VerifyError> {
    for (at, action) in program.actions.iter().enumerate() {
        let (target, does_exist) = match action {
            Action::ShowTemplate(template) => (Part::Template, template.0 < bounds.templates),
            Action::ShowCreative(creative) => (Part::Creative, creative.0 < bounds.creatives),
            Action::Offer(offer) => (Part::Offer, offer.0 < bounds.offers),
            Action::Suppress => continue,
            Action::Tag(word) => (Part::Dictionary, is_word(program, *word)),
            Action::Pin { slot, .. } if !is_word(program, *slot) => (Part::Dictionary, false),
            Action::Pin { asset, .. } => (Part::Asset, asset.0 < bounds.assets),
            Action::Bind { parameter, value } => match value {
                Binding::Word(word) => {
                    (Part::Dictionary, is_word(program, *parameter) && is_word(program, *word))
                }
                Binding::Signal(signal) => {
                    let exists = (signal.0 as usize) < program.attributes.len();
                    (Part::Attribute, is_word(program, *parameter) && exists)
                }
            },
            Action::Variant { split, arm } => {
                (Part::Dictionary, is_word(program, *split) && is_word(program, *arm))
            }
            Action::Choose { bandit, .. } if !is_word(program, *bandit) => (Part::Dictionary, false),
            Action::Choose { arms, .. } => (Part::Action, are_arms(program, *arms)),
        };
        if !does_exist {
            return Err(dangling(Part::Action, at, target));
        }
    }
    Ok(())
}

/// A bandit has arms, and none of them is another bandit: a choice is one step.
fn are_arms(program: &Program, arms: Span) -> bool {
    let actions = arms.of(&program.actions);
    arms.len > 0
        && fits(arms, program.actions.len())
        && !actions.iter().any(|arm| matches!(arm, Action::Choose { .. } | Action::Variant { .. }))
}

fn is_word(program: &Program, word: WordId) -> bool {
    word != WordId::OTHER && word.0 as usize <= program.dictionary.len()
}

fn check_rules(program: &Program, bounds: CatalogBounds) -> Result<(), VerifyError> {
    for (at, rule) in program.rules.iter().enumerate() {
        if rule.placement.0 >= bounds.placements {
            return Err(dangling(Part::Rule, at, Part::Placement));
        }
        if !is_entry(program, rule.entry) {
            return Err(dangling(Part::Rule, at, Part::Code));
        }
        if !fits(rule.actions, program.actions.len()) {
            return Err(dangling(Part::Rule, at, Part::Action));
        }
        if at > 0 && rule_order(&program.rules[at - 1]) >= rule_order(rule) {
            return Err(VerifyError::OutOfOrder { part: Part::Rule, at });
        }
    }
    Ok(())
}

fn rule_order(rule: &Rule) -> (u32, i64, u32, u16) {
    (rule.placement.0, -i64::from(rule.priority), rule.source, rule.tier)
}

fn check_segments(program: &Program, costs: &[Cost]) -> Result<(), VerifyError> {
    let mut names = BTreeSet::new();
    for (at, segment) in program.segments.iter().enumerate() {
        if !names.insert(segment.name.as_str()) {
            return Err(VerifyError::OutOfOrder { part: Part::Segment, at });
        }
        if !is_entry(program, segment.entry) {
            return Err(dangling(Part::Segment, at, Part::Code));
        }
        if !segment.gates.covers(cost_from(costs, segment.entry).gates) {
            return Err(VerifyError::SegmentGates { at });
        }
    }
    Ok(())
}

fn is_entry(program: &Program, target: u32) -> bool {
    target == ACCEPT || target == REJECT || (target as usize) < program.code.len()
}

fn fits(span: Span, pool: usize) -> bool {
    (span.first as usize).checked_add(span.len as usize).is_some_and(|end| end <= pool)
}

fn dangling(part: Part, at: usize, target: Part) -> VerifyError {
    VerifyError::DanglingIndex { part, at, target }
}
