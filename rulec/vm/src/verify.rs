//! The only way to a program that may run.
//!
//! [`VerifiedProgram::verify`] trusts nothing: every index, span and branch target is checked, every list that evaluation
//! searches is sorted, every literal fits the kind of its attribute, every gate of a built-in signal is kept, and the
//! longest possible evaluation is added up and compared with a named limit. What passes cannot fail, loop or read another
//! attribute's gates.
//!
//! Cost: one pass over the program and one hash index over its dictionary, on load.

use std::collections::BTreeSet;
use std::ops::Range;

use tessera_wire::catalog::PlacementId;
use tessera_wire::limits::ATTRIBUTES_MAX;
use tessera_wire::program::{
    ACCEPT, Action, Attribute, Binding, Branch, BucketKey, Constraint, FeatureSubject, Literal, Origin,
    Program, REJECT, Rule, Span, Window, WordId,
};
use tessera_wire::signal::{Gates, Kind};

use crate::dictionary::WordIndex;
use crate::limits;

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
}

/// A program that passed every check. Immutable.
#[derive(Debug)]
pub struct VerifiedProgram {
    program: Program,
    words: WordIndex,
    /// First rule of each placement, and one past the last rule.
    placement_starts: Vec<u32>,
    work_max: usize,
}

/// A part of a program or catalog that an error speaks about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// [`Program::attributes`].
    Attribute,
    /// [`Program::dictionary`].
    Dictionary,
    /// [`Program::ranges`].
    Range,
    /// [`Program::words`].
    Word,
    /// [`Program::literals`].
    Literal,
    /// [`Program::code`].
    Code,
    /// [`Program::rules`].
    Rule,
    /// [`Program::segments`].
    Segment,
    /// [`Program::actions`].
    Action,
    /// Placements of the catalog.
    Placement,
    /// Templates of the catalog.
    Template,
    /// Creatives of the catalog.
    Creative,
    /// Offers of the catalog.
    Offer,
    /// Assets of the catalog.
    Asset,
    /// Campaigns of the catalog.
    Campaign,
    /// [`Program::features`].
    Feature,
}

impl std::fmt::Display for Part {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Part::Attribute => "attribute",
            Part::Dictionary => "dictionary word",
            Part::Range => "range",
            Part::Word => "word reference",
            Part::Literal => "literal",
            Part::Code => "branch",
            Part::Rule => "rule",
            Part::Segment => "segment",
            Part::Action => "action",
            Part::Placement => "placement",
            Part::Template => "template",
            Part::Creative => "creative",
            Part::Offer => "offer",
            Part::Asset => "asset",
            Part::Campaign => "campaign",
            Part::Feature => "feature",
        })
    }
}

/// The program may not run; whoever loads it keeps the one they have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// More of something than a named limit allows.
    #[error("the program has {found} of part `{part}`, more than the {max} allowed")]
    TooMany {
        /// Which part.
        part: Part,
        /// How many there are.
        found: usize,
        /// How many may be.
        max: usize,
    },
    /// The longest evaluation takes too many steps.
    #[error("the program may take {found} steps, more than the {max} allowed")]
    TooMuchWork {
        /// Steps in the worst case.
        found: usize,
        /// Steps allowed.
        max: usize,
    },
    /// Something refers to what is not there.
    #[error("{part} {at} refers to a {target} that does not exist")]
    DanglingIndex {
        /// Which part refers.
        part: Part,
        /// Its index.
        at: usize,
        /// What it refers to.
        target: Part,
    },
    /// A branch does not go forward.
    #[error("branch {at} does not go forward")]
    BackwardBranch {
        /// Its index.
        at: usize,
    },
    /// A list that must be sorted and distinct is not.
    #[error("{part} {at} is out of order or a duplicate")]
    OutOfOrder {
        /// Which part.
        part: Part,
        /// Its index.
        at: usize,
    },
    /// A range ends before it starts, or overlaps its neighbour.
    #[error("literal {literal} has reversed or overlapping ranges")]
    BadRanges {
        /// Which literal.
        literal: usize,
    },
    /// A dictionary word is longer than allowed.
    #[error("dictionary word {at} is longer than the {max} bytes allowed")]
    WordTooLong {
        /// Its index.
        at: usize,
        /// Bytes allowed.
        max: usize,
    },
    /// A literal tests what its attribute's kind does not have.
    #[error("literal {literal} does not fit the kind of its attribute")]
    KindMismatch {
        /// Which literal.
        literal: usize,
    },
    /// A literal looks inside a text that frames do not keep.
    #[error("literal {literal} looks inside a text that is not kept")]
    TextNotKept {
        /// Which literal.
        literal: usize,
    },
    /// An attribute's name, kind or currency contradicts its origin or kind.
    #[error("attribute {at} contradicts its declaration")]
    BadAttribute {
        /// Its index.
        at: usize,
    },
    /// A feature's window or bucket is empty, or the bucket is wider than the window.
    #[error("feature {at} has an impossible window")]
    BadFeature {
        /// Its index.
        at: usize,
    },
    /// An attribute would read a signal with fewer gates than the signal needs.
    #[error("attribute {at} lacks a consent gate of its signal")]
    MissingGate {
        /// Its index.
        at: usize,
    },
    /// A segment claims fewer gates than it reads.
    #[error("segment {at} lacks a consent gate of what it reads")]
    SegmentGates {
        /// Its index.
        at: usize,
    },
}

impl VerifiedProgram {
    /// Checks everything and makes the program runnable.
    ///
    /// # Errors
    /// [`VerifyError`] names the first thing that is wrong.
    pub fn verify(program: Program, bounds: CatalogBounds) -> Result<VerifiedProgram, VerifyError> {
        check_sizes(&program, bounds)?;
        check_attributes(&program)?;
        check_features(&program, bounds)?;
        check_dictionary(&program.dictionary)?;
        check_literals(&program)?;
        let costs = check_code(&program)?;
        check_actions(&program, bounds)?;
        check_rules(&program, bounds)?;
        check_segments(&program, &costs)?;
        let work_max = total_work(&program, &costs)?;
        let words = WordIndex::new(&program.dictionary);
        let placement_starts = (0..=bounds.placements)
            .map(|placement| program.rules.partition_point(|rule| rule.placement.0 < placement) as u32)
            .collect();
        Ok(VerifiedProgram { program, words, placement_starts, work_max })
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

    /// Branches that one evaluation takes at most.
    pub fn work_max(&self) -> usize {
        self.work_max
    }
}

/// What evaluation from one branch on can cost and read.
#[derive(Debug, Clone, Copy, Default)]
struct Cost {
    steps: usize,
    gates: Gates,
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

fn check_literals(program: &Program) -> Result<(), VerifyError> {
    for (at, literal) in program.literals.iter().enumerate() {
        let Some(attribute) = program.attributes.get(literal.signal.0 as usize) else {
            return Err(dangling(Part::Literal, at, Part::Attribute));
        };
        if at > 0 && program.literals[at - 1].signal > literal.signal {
            return Err(VerifyError::OutOfOrder { part: Part::Literal, at });
        }
        check_literal(program, at, literal, attribute)?;
    }
    Ok(())
}

fn check_literal(
    program: &Program,
    at: usize,
    literal: &Literal,
    attribute: &Attribute,
) -> Result<(), VerifyError> {
    let (is_kind_right, constraint) = match literal.constraint {
        Constraint::Known => (true, Ok(())),
        Constraint::InRanges(span) => {
            (!matches!(attribute.kind, Kind::Text | Kind::Set), check_ranges(program, at, span))
        }
        Constraint::AgeInRanges(span) => (attribute.kind == Kind::Time, check_ranges(program, at, span)),
        Constraint::OneOf(span) => (attribute.kind == Kind::Text, check_words(program, at, span)),
        Constraint::StartsWith(word) | Constraint::EndsWith(word) | Constraint::Contains(word) => {
            if !attribute.needs_text {
                return Err(VerifyError::TextNotKept { literal: at });
            }
            (attribute.kind == Kind::Text, check_word(program, at, word))
        }
        Constraint::AnyOf(span) | Constraint::AllOf(span) | Constraint::OnlyOf(span) => {
            (attribute.kind == Kind::Set, check_words(program, at, span))
        }
    };
    if !is_kind_right {
        return Err(VerifyError::KindMismatch { literal: at });
    }
    constraint
}

fn check_ranges(program: &Program, literal: usize, span: Span) -> Result<(), VerifyError> {
    if !fits(span, program.ranges.len()) {
        return Err(dangling(Part::Literal, literal, Part::Range));
    }
    let ranges = span.of(&program.ranges);
    let are_ordered = ranges.iter().all(|range| range.0 <= range.1);
    let are_disjoint = ranges.windows(2).all(|pair| pair[0].1 < pair[1].0);
    if are_ordered && are_disjoint { Ok(()) } else { Err(VerifyError::BadRanges { literal }) }
}

fn check_words(program: &Program, literal: usize, span: Span) -> Result<(), VerifyError> {
    if !fits(span, program.words.len()) {
        return Err(dangling(Part::Literal, literal, Part::Word));
    }
    let words = span.of(&program.words);
    for word in words {
        check_word(program, literal, *word)?;
    }
    match words.windows(2).position(|pair| pair[0] >= pair[1]) {
        Some(position) => {
            Err(VerifyError::OutOfOrder { part: Part::Word, at: span.first as usize + position + 1 })
        }
        None => Ok(()),
    }
}

fn check_word(program: &Program, literal: usize, word: WordId) -> Result<(), VerifyError> {
    if !is_word(program, word) {
        return Err(dangling(Part::Literal, literal, Part::Dictionary));
    }
    Ok(())
}

/// Checks every branch, last first, so that the cost of both ways on is already known.
fn check_code(program: &Program) -> Result<Vec<Cost>, VerifyError> {
    let mut costs = vec![Cost::default(); program.code.len()];
    for (at, branch) in program.code.iter().enumerate().rev() {
        let Some(literal) = program.literals.get(branch.literal.0 as usize) else {
            return Err(dangling(Part::Code, at, Part::Literal));
        };
        check_targets(program, at, branch)?;
        let (on_true, on_false) = (cost_from(&costs, branch.on_true), cost_from(&costs, branch.on_false));
        let own = program.attributes.get(literal.signal.0 as usize).map_or(Gates::ALL, |owner| owner.gates);
        costs[at] = Cost {
            steps: 1 + on_true.steps.max(on_false.steps),
            gates: own.or(on_true.gates).or(on_false.gates),
        };
    }
    Ok(costs)
}

fn check_targets(program: &Program, at: usize, branch: &Branch) -> Result<(), VerifyError> {
    for target in [branch.on_true, branch.on_false] {
        if !is_entry(program, target) {
            return Err(dangling(Part::Code, at, Part::Code));
        }
        if target as usize <= at {
            return Err(VerifyError::BackwardBranch { at });
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

fn total_work(program: &Program, costs: &[Cost]) -> Result<usize, VerifyError> {
    let entries = program.rules.iter().map(|rule| rule.entry);
    let entries = entries.chain(program.segments.iter().map(|segment| segment.entry));
    let found = entries.map(|entry| cost_from(costs, entry).steps).fold(0, usize::saturating_add);
    let max = limits::WORK_STEPS_MAX;
    if found > max { Err(VerifyError::TooMuchWork { found, max }) } else { Ok(found) }
}

/// Constants cost nothing and read nothing.
fn cost_from(costs: &[Cost], target: u32) -> Cost {
    costs.get(target as usize).copied().unwrap_or_default()
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
