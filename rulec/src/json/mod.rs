//! Conditions as JSON, an equal of text: what screens and other programs read and write (`docs/CRITERIA.md`).
//!
//! ```
//! # use rulec::{Names, SourceFile, json::{Criteria, Declarations}};
//! let files = [SourceFile { path: "audience.rules".into(), text: "attribute total_spent : money(EUR)".into() }];
//! let declarations = Declarations { files: &files, names: &Names::default() };
//! let criteria = r#"{"match":"all","rules":[{"field":"total_spent","operator":">=","value":100}]}"#;
//! let criteria = Criteria::from_json(criteria, declarations).unwrap();
//! assert_eq!(criteria.to_text(), "total_spent >= 100 EUR");
//! assert_eq!(criteria.compile("big spenders").unwrap().program.segments.len(), 1);
//! ```
//!
//! Guarantees: total on any input, in bounded time, memory and stack; [`Criteria`] exist only of conditions that check;
//! text to JSON to text, and JSON to text to JSON, end at the same text and the same JSON (a property test checks it);
//! every problem says where it is in the JSON and shows the condition as text.
//!
//! Cost: some microseconds per test, and parsing the declarations. Not here: whole rules, which are written as text.

mod emit;
pub(crate) mod event;
mod prune;
mod read;
mod text;

use tessera_rulevm::{CatalogBounds, VerifiedProgram};
use tessera_wire::program::{Feature, Program};

use crate::ast::{Cond, CondKind, File};
use crate::check;
use crate::codes::Code;
use crate::diagnostic::{Diagnostic, LineIndex, Place, Severity, Sink, SourceFile};
use crate::format::{self, Types};
use crate::hir::{Condition, Signal, Unit};
use crate::parser::parse_all;
use crate::{Names, lower, print};
use read::Fault;
use text::{Origin, Text};

/// What criteria may speak of.
#[derive(Debug, Clone, Copy)]
pub struct Declarations<'a> {
    /// Rule files. Their attributes, purposes and segments count; their rules and tests do not.
    pub files: &'a [SourceFile],
    /// Names in the catalog, for counts of impressions and clicks.
    pub names: &'a Names,
}

/// A condition that checks, written as JSON or text.
#[derive(Debug)]
pub struct Criteria {
    cond: Cond,
    types: Types,
    condition: Condition,
    signals: Vec<Signal>,
    features: Vec<Feature>,
    warnings: Vec<Finding>,
}

/// A segment of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompiledSegment {
    /// A verified program with this one segment and the attributes that it reads.
    pub program: Program,
    /// The same, typed, for [`crate::sql`] and [`crate::reference`](mod@crate::reference).
    pub condition: Condition,
    /// Attributes of the program.
    pub signals: Vec<Signal>,
}

/// A problem in criteria: a diagnostic, where it is in the JSON, and how the condition reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What is wrong. Its place is in the condition as text, [`Place::NO_FILE`] when the condition has no text.
    pub diagnostic: Diagnostic,
    /// JSON Pointer (RFC 6901) of the value that is wrong, when the criteria are JSON.
    pub pointer: Option<String>,
    /// The condition that has the problem, in the rule language, when it can be written so.
    pub rule: Option<String>,
    /// Everything as plain text, with source lines.
    pub rendered: String,
}

/// Name of the file in messages.
const PATH: &str = "criteria";

impl Criteria {
    /// Reads JSON.
    ///
    /// # Errors
    /// Everything that is wrong; warnings too, when something is.
    pub fn from_json(json: &str, declarations: Declarations<'_>) -> Result<Criteria, Vec<Finding>> {
        let types = types_of(declarations);
        let node = read::read(json).map_err(|fault| vec![of_fault(fault)])?;
        let written = text::text_of(&node, &types);
        let Text { text, origins } =
            written.map_err(|faults| faults.into_iter().map(of_fault).collect::<Vec<_>>())?;
        check_text(&text, Some(&origins), types, declarations)
    }

    /// Reads the rule language: conditions, as they stand in a segment, all of which are meant.
    ///
    /// # Errors
    /// Everything that is wrong; warnings too, when something is.
    pub fn from_text(text: &str, declarations: Declarations<'_>) -> Result<Criteria, Vec<Finding>> {
        check_text(text, None, types_of(declarations), declarations)
    }

    /// As JSON, always with a group outside.
    pub fn to_json(&self) -> String {
        emit::criteria(&self.cond, &self.types)
    }

    /// In the rule language, in one line.
    pub fn to_text(&self) -> String {
        format::condition(&self.cond, &self.types)
    }

    /// What is probably not meant.
    pub fn warnings(&self) -> &[Finding] {
        &self.warnings
    }

    /// A program that has this condition as its only segment, called `name`.
    ///
    /// # Errors
    /// When the condition is too large for a program.
    pub fn compile(&self, name: &str) -> Result<CompiledSegment, Vec<Finding>> {
        let unit = Unit {
            signals: self.signals.clone(),
            segments: vec![(name.to_owned(), self.condition.clone())],
            features: self.features.clone(),
            ..Unit::default()
        };
        let program = lower(&unit).program;
        // Counted events belong to a catalog that only the engine knows whole.
        let all = u32::MAX;
        let bounds = CatalogBounds {
            placements: 0,
            templates: all,
            creatives: all,
            offers: all,
            assets: all,
            campaigns: all,
            flights: all,
        };
        match VerifiedProgram::verify(program, bounds) {
            Ok(verified) => Ok(CompiledSegment {
                program: verified.into_program(),
                condition: self.condition.clone(),
                signals: self.signals.clone(),
            }),
            Err(error) => Err(vec![of_fault(Fault::new(Code::E080, "", error.to_string()))]),
        }
    }
}

/// Reads criteria from JSON: [`Criteria::from_json`].
///
/// # Errors
/// Everything that is wrong.
pub fn parse_condition(json: &str, declarations: Declarations<'_>) -> Result<Criteria, Vec<Finding>> {
    Criteria::from_json(json, declarations)
}

/// Turns a condition in the rule language into JSON.
///
/// # Errors
/// Everything that is wrong with the text.
pub fn to_json(text: &str, declarations: Declarations<'_>) -> Result<String, Vec<Finding>> {
    Criteria::from_text(text, declarations).map(|criteria| criteria.to_json())
}

fn types_of(declarations: Declarations<'_>) -> Types {
    // Mistakes in declarations are reported when they are checked.
    Types::new(&parse_all(declarations.files, &mut Sink::default()))
}

/// Checks a condition as if it were a segment of one more file after the declarations.
fn check_text(
    text: &str,
    origins: Option<&[Origin]>,
    types: Types,
    declarations: Declarations<'_>,
) -> Result<Criteria, Vec<Finding>> {
    let name = unused_name(declarations.files);
    let before = format!("segment {} {{\n", print::quoted(&name));
    let body = SourceFile { path: PATH.to_owned(), text: format!("{before}{text}\n}}") };
    let files: Vec<SourceFile> = declarations.files.iter().cloned().chain([body]).collect();
    let own = declarations.files.len();
    let mut sink = Sink::default();
    crate::report_too_much_source(&files, &mut sink);
    let mut trees = if sink.has_errors() { Vec::new() } else { parse_all(&files, &mut sink) };
    trees.iter_mut().for_each(hollow);
    if !sink.has_errors() && !is_one_segment(&trees[own], &name) {
        let place = Place { file: own as u32, start: 0, end: 0 };
        let message = "criteria are conditions and nothing else";
        sink.push(Diagnostic::new(Code::E030, place, message));
    }
    if !sink.has_errors() {
        let lines = LineIndex::new(&files);
        let checked = check::check(&trees, &files, declarations.names, &[], &lines, &mut sink);
        let found = checked.unit.segments.into_iter().find(|(found, _)| *found == name);
        if let (Some((_, condition)), false) = (found, sink.has_errors()) {
            let mut cond = whole(trees.swap_remove(own));
            format::settle(&mut cond, &types, &files[own].text);
            let report = Report { text, shift: before.len(), own, origins, files: &files };
            let warnings = report.findings(sink.into_sorted(&files), false);
            let (condition, signals, features) =
                prune::prune(condition, checked.unit.signals, checked.unit.features);
            return Ok(Criteria { cond, types, condition, signals, features, warnings });
        }
    }
    let found = sink.into_sorted(&files);
    Err(Report { text, shift: before.len(), own, origins, files: &files }.findings(found, true))
}

/// Leaves of rules only their names, which counts may refer to: criteria neither need their catalog nor their tests.
fn hollow(tree: &mut File) {
    tree.tests.clear();
    for rule in &mut tree.rules {
        rule.placements.clear();
        rule.class = None;
        rule.whens.clear();
        rule.unlesses.clear();
        rule.schedules.clear();
        rule.caps.clear();
        rule.rollout = None;
        rule.tiers.clear();
        rule.otherwise = None;
    }
}

/// A name for the condition that no declared segment has.
fn unused_name(files: &[SourceFile]) -> String {
    let mut name = PATH.to_owned();
    while files.iter().any(|file| file.text.contains(&name)) {
        name.push('\'');
    }
    name
}

fn is_one_segment(tree: &File, name: &str) -> bool {
    let [only] = tree.segments.as_slice() else { return false };
    only.name.text == name
        && tree.rules.is_empty()
        && tree.attributes.is_empty()
        && tree.purposes.is_empty()
        && tree.events.is_empty()
}

/// The conditions of the only segment as one.
fn whole(tree: File) -> Cond {
    let mut conditions = tree.segments.into_iter().flat_map(|segment| segment.conditions).collect::<Vec<_>>();
    match conditions.pop() {
        Some(only) if conditions.is_empty() => only,
        last => {
            conditions.extend(last);
            Cond { kind: CondKind::And(conditions), place: Place::NOWHERE }
        }
    }
}

/// How diagnostics become findings.
struct Report<'a> {
    text: &'a str,
    /// Bytes before the condition in its file.
    shift: usize,
    /// Index of the condition's file.
    own: usize,
    origins: Option<&'a [Origin]>,
    files: &'a [SourceFile],
}

impl Report<'_> {
    /// `has_failed`: are errors to be told? Warnings about the declarations are none of the criteria's business.
    fn findings(&self, found: Vec<Diagnostic>, has_failed: bool) -> Vec<Finding> {
        let mut files = self.files.to_vec();
        if let Some(own) = files.get_mut(self.own) {
            own.text = self.text.to_owned();
        }
        let is_told = |found: &Diagnostic| match found.severity {
            Severity::Error => has_failed,
            Severity::Warning => found.file as usize == self.own && found.code != Code::W070,
        };
        let mut told: Vec<Diagnostic> = found.into_iter().filter(is_told).collect();
        told.sort_by_key(|found| found.severity == Severity::Warning);
        told.into_iter().map(|diagnostic| self.finding(diagnostic, &files)).collect()
    }

    fn finding(&self, mut diagnostic: Diagnostic, files: &[SourceFile]) -> Finding {
        let own = self.own as u32;
        let (mut pointer, mut rule) = (None, None);
        if diagnostic.file == own {
            let moved = |byte: usize| byte.saturating_sub(self.shift).min(self.text.len());
            diagnostic.span = moved(diagnostic.span.start)..moved(diagnostic.span.end);
            let around = |origin: &&Origin| {
                origin.range.start <= diagnostic.span.start && diagnostic.span.end <= origin.range.end
            };
            // Inner parts come first.
            let found = |is_rule: bool| {
                self.origins.unwrap_or(&[]).iter().filter(|origin| !is_rule || origin.is_rule).find(around)
            };
            pointer =
                self.origins.map(|_| found(false).map_or(String::new(), |origin| origin.pointer.clone()));
            rule = found(true).and_then(|origin| self.text.get(origin.range.clone())).map(str::to_owned);
        }
        let labels = diagnostic.secondary.iter_mut().map(|label| &mut label.place);
        let fixes = diagnostic.fixes.iter_mut().map(|fix| &mut fix.place);
        for place in labels.chain(fixes).filter(|place| place.file == own) {
            let moved = |byte: u32| byte.saturating_sub(self.shift as u32).min(self.text.len() as u32);
            *place = Place { start: moved(place.start), end: moved(place.end), ..*place };
        }
        rendered(diagnostic, pointer, rule, files)
    }
}

/// A problem of the JSON itself: there is no text to show.
fn of_fault(fault: Fault) -> Finding {
    let diagnostic = Diagnostic::new(fault.code, Place::NOWHERE, fault.message);
    let diagnostic = fault.help.into_iter().fold(diagnostic, |diagnostic, help| diagnostic.help(help));
    rendered(diagnostic, Some(fault.pointer), None, &[])
}

fn rendered(
    diagnostic: Diagnostic,
    pointer: Option<String>,
    rule: Option<String>,
    files: &[SourceFile],
) -> Finding {
    let mut rendered = diagnostic.render(files);
    if let Some(pointer) = &pointer {
        let place = if pointer.is_empty() { "the whole criteria" } else { pointer };
        rendered.push_str(&format!("  = in: {place}\n"));
    }
    Finding { diagnostic, pointer, rule, rendered }
}

/// A text as a JSON string.
pub(crate) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for letter in text.chars() {
        match letter {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            control if control < ' ' => out.push_str(&format!("\\u{:04x}", u32::from(control))),
            other => out.push(other),
        }
    }
    out.push('"');
    out
}
