//! The rule language: parse, check, lower, test, explain.
//!
//! [`compile`] turns rule files and the catalog's names into one [`Program`] for `tessera-rulevm`, or into diagnostics.
//!
//! Guarantees: pure and deterministic; total on any input (bounded time, memory and stack, never a panic); a program that
//! comes out has passed verification and every `test` block in its files; a compiled rule matches exactly when its
//! condition is true in Kleene's three-valued logic (see [`reference`](mod@reference) and `tests/agreement.rs`).
//!
//! Cost: about a millisecond per hundred rules of five tests. Not here: the catalog (`tessera-control`), consent decisions and serving
//! (`tessera-engine-core`), I/O of any kind.

pub mod analyse;
mod assumed;
mod ast;
mod check;
mod codes;
#[cfg(feature = "command")]
pub mod command;
mod countries;
pub mod coverage;
mod currencies;
mod diagnostic;
pub mod editor;
pub mod explain;
pub mod fmt;
mod format;
pub mod hir;
pub mod json;
mod lexer;
pub mod limits;
mod lower;
mod nearest;
mod parser;
pub mod print;
mod ranges;
pub mod reference;
pub mod report;
pub mod sql;
mod testing;
mod typed;

use tessera_rulevm::{CatalogBounds, VerifiedProgram};
use tessera_wire::catalog::OfferKind;
use tessera_wire::program::{LiteralSpan, Program, SegmentId, SignalId, SourceMap, SourceRule};

pub use assumed::assumed_names;
pub use codes::{Code, Entry, REGISTRY};
pub use diagnostic::{Diagnostic, Fix, Label, Place, Severity, Snippet, SourceFile, line_column};
pub use lower::{LiteralPlace, Lowered, lower};
pub use nearest::nearest;
pub use typed::{Typed, typed};

use check::Checked;
use diagnostic::{LineIndex, Sink};

/// What rules may refer to by name. Ids are indices in the given order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Names {
    /// Placements.
    pub placements: Vec<String>,
    /// Templates.
    pub templates: Vec<String>,
    /// Fixed creatives.
    pub creatives: Vec<String>,
    /// Offers.
    pub offers: Vec<OfferName>,
    /// Campaigns.
    pub campaigns: Vec<String>,
    /// Assets.
    pub assets: Vec<String>,
    /// Slots of templates and what fills them.
    pub slots: Vec<SlotName>,
}

impl Names {
    /// How many there are of each.
    pub fn bounds(&self) -> CatalogBounds {
        CatalogBounds {
            placements: count(&self.placements),
            templates: count(&self.templates),
            creatives: count(&self.creatives),
            offers: count(&self.offers),
            assets: count(&self.assets),
            campaigns: count(&self.campaigns),
            // Rules do not name flights.
            flights: 0,
        }
    }
}

/// A slot of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlotName {
    /// Index of the template in [`Names::templates`].
    pub template: u32,
    /// Name of the slot, such as `image`.
    pub name: String,
    /// What can fill it: indices into [`Names::assets`].
    pub assets: Vec<u32>,
}

/// An offer that rules may refer to by id, or by what it gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfferName {
    /// Text id.
    pub id: String,
    /// What it gives.
    pub kind: OfferKind,
    /// How much, in the unit of its kind.
    pub value: i64,
}

/// An attribute and words that must be in the program although no rule may mention them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extra {
    /// A built-in or declared attribute.
    pub attribute: String,
    /// Words that must be in the dictionary.
    pub words: Vec<String>,
}

/// A program that verifies and passes its tests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compiled {
    /// What the engine runs.
    pub program: Program,
    /// Where it came from.
    pub source: SourceMap,
    /// What is probably not meant.
    pub warnings: Vec<Diagnostic>,
}

impl Compiled {
    /// The segment of this name.
    pub fn segment(&self, name: &str) -> Option<SegmentId> {
        let position = self.program.segments.iter().position(|segment| segment.name == name)?;
        u32::try_from(position).ok().map(SegmentId)
    }

    /// The signal of this name, if the program reads it (see [`Extra`]).
    pub fn signal(&self, name: &str) -> Option<SignalId> {
        let position = self.program.attributes.iter().position(|attribute| attribute.name == name)?;
        u16::try_from(position).ok().map(SignalId)
    }

    /// Withdraws the warning that no rule refers to this segment: something outside the rule files does.
    pub fn mark_segment_used(&mut self, name: &str) {
        let message = check::unused_segment_message(name);
        self.warnings.retain(|warning| warning.code != Code::W070 || warning.message != message);
    }
}

/// Compiles all rule files of a bundle together.
///
/// # Errors
/// Every diagnostic, warnings included, in source order, when at least one is an error.
pub fn compile(files: &[SourceFile], names: &Names, extras: &[Extra]) -> Result<Compiled, Vec<Diagnostic>> {
    compile_with(files, names, extras, false)
}

/// Compiles like [`compile`], and warns of what rules certainly never do besides: see [`analyse`].
///
/// # Errors
/// Those of [`compile`].
pub fn compile_and_analyse(
    files: &[SourceFile],
    names: &Names,
    extras: &[Extra],
) -> Result<Compiled, Vec<Diagnostic>> {
    compile_with(files, names, extras, true)
}

fn compile_with(
    files: &[SourceFile],
    names: &Names,
    extras: &[Extra],
    analyses: bool,
) -> Result<Compiled, Vec<Diagnostic>> {
    let mut sink = Sink::default();
    match compile_into(files, names, extras, analyses, &mut sink) {
        Some(parts) if !sink.has_errors() => {
            Ok(Compiled { program: parts.0, source: parts.1, warnings: sink.into_sorted(files) })
        }
        _ => Err(sink.into_sorted(files)),
    }
}

/// `None` when there are errors in `sink`. The trees are given back on return: their memory serves for the program.
fn checked(
    files: &[SourceFile],
    names: &Names,
    extras: &[Extra],
    sink: &mut Sink,
) -> Option<(Checked, LineIndex)> {
    report_too_much_source(files, sink);
    if sink.has_errors() {
        return None;
    }
    let trees = parser::parse_all(files, sink);
    let lines = LineIndex::new(files);
    let checked = check::check(&trees, files, names, extras, &lines, sink);
    (!sink.has_errors()).then_some((checked, lines))
}

/// `None` when there are errors in `sink`.
fn compile_into(
    files: &[SourceFile],
    names: &Names,
    extras: &[Extra],
    analyses: bool,
    sink: &mut Sink,
) -> Option<(Program, SourceMap)> {
    let (checked, lines) = checked(files, names, extras, sink)?;
    let Lowered { program, literals, places } = lower(&checked.unit);
    let verified = match VerifiedProgram::verify(program, names.bounds()) {
        Ok(verified) => verified,
        Err(error) => {
            sink.push(Diagnostic::new(Code::E080, Place::NOWHERE, error.to_string()));
            return None;
        }
    };
    testing::run(&verified, &checked, sink);
    let source = SourceMap { literals, spans: spans(&places, &lines), ..source_map(files, &checked, &lines) };
    if analyses && !sink.has_errors() {
        checked.report_unused_attributes(sink);
        analyse::lint(&verified, &source, &checked.segment_places).into_iter().for_each(|one| sink.push(one));
    }
    Some((verified.into_program(), source))
}

fn report_too_much_source(files: &[SourceFile], sink: &mut Sink) {
    if files.len() > limits::FILES_MAX {
        let message = format!("{} files are more than the {} allowed", files.len(), limits::FILES_MAX);
        sink.push(Diagnostic::new(Code::E005, Place::NOWHERE, message));
    }
    for (file, index) in files.iter().zip(0u32..) {
        if file.text.len() > limits::FILE_BYTES_MAX {
            let message = format!("the file has more than {} bytes", limits::FILE_BYTES_MAX);
            sink.push(Diagnostic::new(Code::E005, Place { file: index, start: 0, end: 0 }, message));
        }
    }
}

fn source_map(files: &[SourceFile], checked: &Checked, lines: &LineIndex) -> SourceMap {
    let rules = checked.sources.iter().map(|source| SourceRule {
        name: source.name.clone(),
        file: source.place.file,
        start: source.place.start,
        end: source.place.end,
        line: u32::try_from(lines.line_of(source.place)).unwrap_or(u32::MAX),
    });
    SourceMap {
        files: files.iter().map(|file| (file.path.clone(), file.text.clone())).collect(),
        rules: rules.collect(),
        ..SourceMap::default()
    }
}

fn spans(places: &[LiteralPlace], lines: &LineIndex) -> Vec<LiteralSpan> {
    let span = |found: &LiteralPlace| LiteralSpan {
        rule: found.rule,
        literal: found.literal,
        file: found.place.file,
        line: u32::try_from(lines.line_of(found.place)).unwrap_or(u32::MAX),
        start: found.place.start,
        end: found.place.end,
    };
    places.iter().map(span).collect()
}

fn count<T>(list: &[T]) -> u32 {
    u32::try_from(list.len()).unwrap_or(u32::MAX)
}
