//! From the tree as written to the typed tree: names, types, units, consent.
//!
//! Guarantees: what comes out without an error satisfies every invariant of [`crate::hir`]; every mistake is reported
//! once, with its place and what to write instead. Not here: syntax (`crate::parser`), size limits of programs
//! (verification), running test blocks (`crate::testing`).

mod condition;
mod consent;
mod rule;
mod test;
mod value;
mod vocabulary;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::ast::{File, Name, SegmentItem};
use crate::codes::Code;
use crate::diagnostic::{Diagnostic, LineIndex, Place, Sink};
use crate::hir::{Condition, Unit};
use crate::{Extra, Names};

pub(crate) use test::{Expected, Given, TypedTest};
pub(crate) use value::describe;
pub(crate) use vocabulary::Vocabulary;

/// The whole program, typed, and what the tests and the source map need besides.
#[derive(Debug, Default)]
pub(crate) struct Checked {
    pub(crate) unit: Unit,
    /// Source rules in order: name, place, and when their body applies.
    pub(crate) sources: Vec<Source>,
    /// Test blocks that can be run.
    pub(crate) tests: Vec<TypedTest>,
}

#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) name: String,
    pub(crate) place: Place,
    pub(crate) guard: Condition,
}

pub(crate) struct Checker<'a> {
    names: &'a Names,
    catalog: CatalogIndex<'a>,
    sink: &'a mut Sink,
    vocabulary: Vocabulary,
    segments: BTreeMap<String, Segment<'a>>,
    /// Nodes of the condition being built, its segments expanded.
    nodes: usize,
    /// Nodes of all conditions so far.
    program_nodes: usize,
}

/// Catalog names by text: a catalog can have as many creatives as there are rules that name one.
struct CatalogIndex<'a> {
    placements: HashMap<&'a str, u32>,
    templates: HashMap<&'a str, u32>,
    creatives: HashMap<&'a str, u32>,
}

impl<'a> CatalogIndex<'a> {
    fn new(names: &'a Names) -> CatalogIndex<'a> {
        let index = |list: &'a [String]| list.iter().map(String::as_str).zip(0u32..).collect();
        CatalogIndex {
            placements: index(&names.placements),
            templates: index(&names.templates),
            creatives: index(&names.creatives),
        }
    }
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
    names: &'a Names,
    extras: &[Extra],
    lines: &LineIndex,
    sink: &'a mut Sink,
) -> Checked {
    let mut checker = Checker {
        names,
        catalog: CatalogIndex::new(names),
        sink,
        vocabulary: Vocabulary::new(),
        segments: BTreeMap::new(),
        nodes: 0,
        program_nodes: 0,
    };
    let mut checked = Checked::default();
    for file in files {
        checker.purposes(&file.purposes);
        file.attributes.iter().for_each(|item| checker.declare(item));
    }
    checked.unit.words = checker.extras(extras);
    checker.collect_segments(files);
    checked.unit.segments = checker.all_segments();
    checker.rules(files, lines, &mut checked);
    checker.tests(files, &mut checked);
    checked.unit.signals = checker.vocabulary.signals();
    // What is missing is known only when everything else was understood.
    if !checker.sink.has_errors() {
        checker.report_unused_segments();
        checker.placements_without_fallback(files, &checked);
    }
    checked
}

/// Everything that conditions of these files can name, whatever else is wrong with them.
pub(crate) fn vocabulary_of(files: &[File], names: &Names) -> Vocabulary {
    let mut sink = Sink::default();
    let mut checker = Checker {
        names,
        catalog: CatalogIndex::new(names),
        sink: &mut sink,
        vocabulary: Vocabulary::new(),
        segments: BTreeMap::new(),
        nodes: 0,
        program_nodes: 0,
    };
    files.iter().flat_map(|file| &file.attributes).for_each(|item| checker.declare(item));
    checker.vocabulary
}

/// Also how [`crate::Compiled::mark_segment_used`] finds the warning again.
pub(crate) fn unused_segment_message(name: &str) -> String {
    format!("segment \"{name}\" is not used")
}

impl<'a> Checker<'a> {
    fn collect_segments(&mut self, files: &'a [File]) {
        for item in files.iter().flat_map(|file| &file.segments) {
            if let Some(first) = self.segments.get(&item.name.text) {
                let first = first.item.name.place;
                self.report_twice("segment", &item.name, first);
                continue;
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

    /// Names of rules seen so far must be told apart.
    fn is_new_rule_name(&mut self, seen: &mut BTreeMap<String, Place>, name: &Name) -> bool {
        if let Some(first) = seen.get(&name.text) {
            let first = *first;
            self.report_twice("rule", name, first);
            return false;
        }
        seen.insert(name.text.clone(), name.place);
        true
    }

    fn extras(&mut self, extras: &[Extra]) -> Vec<String> {
        let mut words = BTreeSet::new();
        for extra in extras {
            let name = Name { text: extra.attribute.clone(), place: Place::NOWHERE };
            if let Some(attribute) = self.attribute(&name) {
                self.vocabulary.signal(attribute);
                words.extend(extra.words.iter().filter(|word| self.is_word_of(attribute, word)).cloned());
            }
        }
        words.into_iter().collect()
    }
}
