//! From the tree as written to the typed tree: names, types, units, consent.
//!
//! Guarantees: what comes out without an error satisfies every invariant of [`crate::hir`]; every mistake is reported
//! once, with its place and what to write instead. Not here: syntax (`crate::parser`), size limits of programs
//! (verification), running test blocks (`crate::testing`).

mod action;
mod catalog;
mod condition;
mod consent;
mod count;
mod outline;
mod rule;
mod schedule;
mod test;
mod value;
mod vocabulary;

use std::collections::{BTreeMap, BTreeSet};

use ahash::{AHashMap, AHashSet};
use tessera_rulevm::limits::SEGMENTS_MAX;
use tessera_wire::program::{Feature, SignalId};

use crate::ast::{ExpectKind, File, Name, SegmentItem};
use crate::codes::Code;
use crate::diagnostic::{Diagnostic, LineIndex, Place, Sink, SourceFile};
use crate::hir::{Condition, Unit};
use crate::nearest::nearest;
use crate::{Extra, Names};

use catalog::CatalogIndex;
pub(crate) use outline::{Clause, ClauseKind, Outline};
pub(crate) use test::{Expected, Given, Preset, Reason, TypedTest};
pub(crate) use value::describe;
pub(crate) use vocabulary::Vocabulary;

/// The whole program, typed, and what the tests and the source map need besides.
#[derive(Debug, Default)]
pub(crate) struct Checked {
    pub(crate) unit: Unit,
    /// Source rules in order: name, place, and when their body applies.
    pub(crate) sources: Vec<Source>,
    /// What signals hold in tests that do not say.
    pub(crate) defaults: Vec<(SignalId, test::Preset)>,
    /// Test blocks that can be run.
    pub(crate) tests: Vec<TypedTest>,
    /// How the condition of each source rule is put together; empty unless asked for.
    pub(crate) outlines: Vec<Outline>,
    /// Where the name of each of the unit's segments stands.
    pub(crate) segment_places: Vec<Place>,
    /// Declared attributes that nothing reads, in order of name.
    unused_attributes: Vec<(String, Place)>,
}

impl Checked {
    pub(crate) fn report_unused_attributes(&self, sink: &mut Sink) {
        for (name, place) in &self.unused_attributes {
            let message = format!("attribute `{name}` is not used");
            sink.push(Diagnostic::new(Code::W071, *place, message).label("nothing reads it"));
        }
    }
}

#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) name: String,
    pub(crate) place: Place,
    /// Kept only where a test asks for it.
    pub(crate) guard: Option<Condition>,
}

pub(crate) struct Checker<'a> {
    names: &'a Names,
    catalog: CatalogIndex<'a>,
    sources: &'a [SourceFile],
    sink: &'a mut Sink,
    vocabulary: Vocabulary,
    segments: BTreeMap<String, Segment<'a>>,
    /// Declared events.
    events: BTreeMap<&'a str, Place>,
    /// Source indices of rules by name, and the names in order.
    rule_sources: AHashMap<&'a str, u32>,
    rule_names: Vec<&'a str>,
    /// The rule being checked, if it has a name.
    this_rule: Option<(u32, &'a str)>,
    /// Rules whose conditions some test asks about.
    tested_rules: AHashSet<&'a str>,
    /// Is it to be told how conditions are put together?
    keeps_outlines: bool,
    features: Vec<Feature>,
    has_too_many_features: bool,
    /// Nodes of the condition being built, its segments expanded.
    nodes: usize,
    /// Nodes of all conditions so far.
    program_nodes: usize,
}

/// A segment on its way from text to condition.
struct Segment<'a> {
    item: &'a SegmentItem,
    state: SegmentState,
    is_used: bool,
}

#[derive(Clone)]
enum SegmentState {
    Unvisited,
    InProgress,
    Failed,
    Done { condition: Condition, depth: usize, nodes: usize },
}

/// Checks all files together.
pub(crate) fn check<'a>(
    files: &'a [File],
    sources: &'a [SourceFile],
    names: &'a Names,
    extras: &[Extra],
    lines: &LineIndex,
    sink: &'a mut Sink,
) -> Checked {
    Checker::new(sources, names, sink).check(files, extras, lines)
}

/// Checks all files together, and keeps how the condition of each rule is put together.
pub(crate) fn check_outlined<'a>(
    files: &'a [File],
    sources: &'a [SourceFile],
    names: &'a Names,
    extras: &[Extra],
    lines: &LineIndex,
    sink: &'a mut Sink,
) -> Checked {
    let checker = Checker { keeps_outlines: true, ..Checker::new(sources, names, sink) };
    checker.check(files, extras, lines)
}

/// Everything that conditions of these files can name, whatever else is wrong with them.
pub(crate) fn vocabulary_of(files: &[File], names: &Names) -> Vocabulary {
    let mut sink = Sink::default();
    let mut checker = Checker::new(&[], names, &mut sink);
    files.iter().flat_map(|file| &file.attributes).for_each(|item| checker.declare(item));
    checker.vocabulary
}

/// Also how [`crate::Compiled::mark_segment_used`] finds the warning again.
pub(crate) fn unused_segment_message(name: &str) -> String {
    format!("segment \"{name}\" is not used")
}

impl<'a> Checker<'a> {
    fn new(sources: &'a [SourceFile], names: &'a Names, sink: &'a mut Sink) -> Checker<'a> {
        Checker {
            names,
            catalog: CatalogIndex::new(names),
            sources,
            sink,
            vocabulary: Vocabulary::new(),
            segments: BTreeMap::new(),
            events: BTreeMap::new(),
            rule_sources: AHashMap::new(),
            rule_names: Vec::new(),
            this_rule: None,
            tested_rules: AHashSet::new(),
            keeps_outlines: false,
            features: Vec::new(),
            has_too_many_features: false,
            nodes: 0,
            program_nodes: 0,
        }
    }

    fn check(mut self, files: &'a [File], extras: &[Extra], lines: &LineIndex) -> Checked {
        let mut checked = Checked::default();
        for file in files {
            self.purposes(&file.purposes);
            self.events(&file.events);
            file.attributes.iter().for_each(|item| self.declare(item));
        }
        checked.unit.words = self.extras(extras);
        self.collect_rules(files);
        self.collect_segments(files);
        checked.unit.segments = self.all_segments();
        self.rules(files, lines, &mut checked);
        self.tests(files, &mut checked);
        let places = checked.unit.segments.iter().map(|(name, _)| self.segments.get(name));
        checked.segment_places =
            places.map(|segment| segment.map_or(Place::NOWHERE, |segment| segment.item.name.place)).collect();
        checked.unused_attributes = self.vocabulary.unused();
        checked.unit.signals = self.vocabulary.signals();
        checked.unit.features = std::mem::take(&mut self.features);
        // What is missing is known only when everything else was understood.
        if !self.sink.has_errors() {
            self.report_unused_segments();
            self.placements_without_fallback(files, &checked);
        }
        checked
    }

    /// The nearest candidate, unless nobody would read the suggestion.
    fn near<'n>(&self, name: &str, candidates: impl Iterator<Item = &'n str>) -> Option<&'n str> {
        if self.sink.is_full() { None } else { nearest(name, candidates) }
    }

    /// What is written at a place.
    fn source_text(&self, place: Place) -> Option<&'a str> {
        self.sources.get(place.file as usize)?.text.get(place.range())
    }

    /// Every rule gets its source index before any is checked, because counts may refer to later ones. An index is only
    /// wrong when a rule is left out, and then there is an error.
    fn collect_rules(&mut self, files: &'a [File]) {
        for (item, source) in files.iter().flat_map(|file| &file.rules).zip(0u32..) {
            if !item.is_one_line {
                self.rule_sources.entry(&item.name.text).or_insert(source);
                self.rule_names.push(&item.name.text);
            }
        }
        for expect in files.iter().flat_map(|file| &file.tests).flat_map(|test| &test.expects) {
            if let ExpectKind::Rule(name, ..) = &expect.kind {
                self.tested_rules.insert(&name.text);
            }
        }
    }

    fn events(&mut self, events: &'a [Name]) {
        for name in events {
            if let Some(first) = self.events.insert(&name.text, name.place) {
                self.report_twice("event", name, first);
            }
        }
    }

    fn collect_segments(&mut self, files: &'a [File]) {
        for item in files.iter().flat_map(|file| &file.segments) {
            if let Some(first) = self.segments.get(&item.name.text) {
                let first = first.item.name.place;
                self.report_twice("segment", &item.name, first);
                continue;
            }
            if self.segments.len() == SEGMENTS_MAX {
                let message = format!("more than {SEGMENTS_MAX} segments");
                self.sink.push(Diagnostic::new(Code::E080, item.name.place, message));
                return;
            }
            let segment = Segment { item, state: SegmentState::Unvisited, is_used: false };
            self.segments.insert(item.name.text.clone(), segment);
        }
    }

    fn all_segments(&mut self) -> Vec<(String, Condition)> {
        let names: Vec<String> = self.segments.keys().cloned().collect();
        let mut done = Vec::new();
        for name in names {
            if let SegmentState::Done { condition, .. } = self.resolve_segment(&name, 0) {
                done.push((name, condition));
            }
        }
        done
    }

    fn report_unused_segments(&mut self) {
        for (name, segment) in &self.segments {
            if !segment.is_used {
                let message = unused_segment_message(name);
                let place = segment.item.name.place;
                self.sink.push(Diagnostic::new(Code::W070, place, message).label("no rule refers to it"));
            }
        }
    }

    fn report_twice(&mut self, what: &str, name: &Name, first: Place) {
        let message = format!("{what} \"{}\" is defined twice", name.text);
        let diagnostic = Diagnostic::new(Code::E034, name.place, message);
        self.sink.push(diagnostic.secondary(first, "first defined here"));
    }

    fn purposes(&mut self, purposes: &[Name]) {
        for name in purposes {
            self.purpose(name);
        }
    }

    fn extras(&mut self, extras: &[Extra]) -> Vec<String> {
        let mut words = BTreeSet::new();
        for extra in extras {
            let name = Name { text: extra.attribute.clone(), place: Place::NOWHERE };
            if let Some(attribute) = self.attribute(&name) {
                self.vocabulary.signal(attribute);
                let is_caseless = self.vocabulary.entry(attribute).is_caseless;
                for word in extra.words.iter().filter(|word| self.is_word_of(attribute, word)) {
                    words.insert(value::comparable(word, is_caseless));
                    words.insert(word.clone());
                }
            }
        }
        words.into_iter().collect()
    }
}
