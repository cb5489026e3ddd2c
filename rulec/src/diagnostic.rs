//! What the compiler says to rule authors, and how it looks as text.
//!
//! Guarantees: rendering never fails, whatever the spans; columns and caret widths count characters, not bytes; a
//! compilation keeps at most [`limits::DIAGNOSTICS_MAX`] diagnostics and always at least the first error.

mod snippet;

use std::ops::Range;

use crate::codes::Code;
use crate::limits;

pub use snippet::{Snippet, line_column};

/// A rule file: its path is only for messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFile {
    /// Path as the author knows it.
    pub path: String,
    /// The whole text.
    pub text: String,
}

/// Does it stop the bundle?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// Nothing is compiled.
    Error,
    /// Compiled, but probably not what was meant.
    Warning,
}

/// A part of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Place {
    /// Index into the compiled files, or [`Place::NO_FILE`].
    pub file: u32,
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

impl Place {
    /// Stands for "not in a rule file".
    pub const NO_FILE: u32 = u32::MAX;
    /// Nowhere in particular.
    pub const NOWHERE: Place = Place { file: Place::NO_FILE, start: 0, end: 0 };

    /// From the start of `self` to the end of `last`.
    #[must_use]
    pub fn to(self, last: Place) -> Place {
        Place { end: last.end.max(self.end), ..self }
    }

    /// As a byte range.
    pub fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// A remark about another place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// Which place.
    pub place: Place,
    /// What about it.
    pub text: String,
}

/// A replacement that makes a diagnostic go away: what an editor offers as a quick fix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fix {
    /// What is replaced; empty to insert.
    pub place: Place,
    /// What stands there afterwards.
    pub text: String,
}

/// One message: what is wrong, where, and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Stable code.
    pub code: Code,
    /// Error or warning.
    pub severity: Severity,
    /// What is wrong.
    pub message: String,
    /// Index into the compiled files, or [`Place::NO_FILE`].
    pub file: u32,
    /// Bytes of the file.
    pub span: Range<usize>,
    /// A remark beside the carets.
    pub label: String,
    /// Other places that matter.
    pub secondary: Vec<Label>,
    /// What to do about it.
    pub help: Vec<String>,
    /// Replacements that would do; each is an alternative.
    pub fixes: Vec<Fix>,
}

impl Fix {
    /// Names are compared without their quotes; what replaces a quoted one is quoted too.
    fn keep_quotes(&mut self, files: &[SourceFile]) {
        let replaced = files.get(self.place.file as usize).and_then(|file| file.text.get(self.place.range()));
        let is_quoted = |text: &str| text.starts_with('"');
        if replaced.is_some_and(is_quoted) && !is_quoted(&self.text) {
            self.text = format!("\"{}\"", self.text.replace('\\', "\\\\").replace('"', "\\\""));
        }
    }
}

impl Diagnostic {
    /// A diagnostic about `place`; its severity follows from its code.
    pub fn new(code: Code, place: Place, message: impl Into<String>) -> Diagnostic {
        Diagnostic {
            code,
            severity: code.severity(),
            message: message.into(),
            file: place.file,
            span: place.range(),
            label: String::new(),
            secondary: Vec::new(),
            help: Vec::new(),
            fixes: Vec::new(),
        }
    }

    /// What it is about.
    pub fn place(&self) -> Place {
        Place { file: self.file, start: self.span.start as u32, end: self.span.end as u32 }
    }

    /// Adds the remark beside the carets.
    #[must_use]
    pub fn label(mut self, text: impl Into<String>) -> Diagnostic {
        self.label = text.into();
        self
    }

    /// Adds a remark about another place.
    #[must_use]
    pub fn secondary(mut self, place: Place, text: impl Into<String>) -> Diagnostic {
        self.secondary.push(Label { place, text: text.into() });
        self
    }

    /// Adds a piece of advice.
    #[must_use]
    pub fn help(mut self, text: impl Into<String>) -> Diagnostic {
        self.help.push(text.into());
        self
    }

    /// Adds a replacement that an editor can offer.
    #[must_use]
    pub fn fix(mut self, place: Place, text: impl Into<String>) -> Diagnostic {
        self.fixes.push(Fix { place, text: text.into() });
        self
    }

    /// Adds ``did you mean `name`?`` when there is a near name, and offers to write it.
    #[must_use]
    pub fn did_you_mean(self, name: Option<&str>) -> Diagnostic {
        let Some(name) = name else { return self };
        let place = self.place();
        self.help(format!("did you mean `{name}`?")).fix(place, name)
    }

    /// A word stands where a keyword is expected and looks like one.
    pub(crate) fn misspelt(place: Place, written: &str, meant: &str) -> Diagnostic {
        Diagnostic::new(Code::E031, place, format!("`{written}` is not a keyword"))
            .label(format!("`{meant}` is expected here"))
            .did_you_mean(Some(meant))
    }

    /// Plain text with the source line and carets, in the manner of rustc. Ends with a line break.
    pub fn render(&self, files: &[SourceFile]) -> String {
        let code = self.code.to_string();
        let mut labels = vec![Label { place: self.place(), text: self.label.clone() }];
        labels.extend(self.secondary.iter().cloned());
        let Diagnostic { severity, message, help, .. } = self;
        Snippet { severity: *severity, code: &code, message, labels: &labels, help }.render(files)
    }
}

/// Where the lines of all files start, because thousands of rules ask for their line.
#[derive(Debug)]
pub(crate) struct LineIndex {
    starts: Vec<Vec<u32>>,
}

impl LineIndex {
    pub(crate) fn new(files: &[SourceFile]) -> LineIndex {
        let starts = |file: &SourceFile| {
            let breaks = file.text.bytes().zip(1u32..).filter(|(byte, _)| *byte == b'\n');
            std::iter::once(0).chain(breaks.map(|(_, next)| next)).collect()
        };
        LineIndex { starts: files.iter().map(starts).collect() }
    }

    /// Line of a place's first byte, counted from one; zero for nowhere.
    pub(crate) fn line_of(&self, place: Place) -> usize {
        let starts = self.starts.get(place.file as usize);
        starts.map_or(0, |starts| starts.partition_point(|start| *start <= place.start))
    }
}

/// Collects diagnostics up to the limit.
#[derive(Debug, Default)]
pub(crate) struct Sink {
    list: Vec<Diagnostic>,
    errors: usize,
}

impl Sink {
    pub(crate) fn push(&mut self, diagnostic: Diagnostic) {
        let is_error = diagnostic.severity == Severity::Error;
        self.errors += usize::from(is_error);
        if self.list.len() < limits::DIAGNOSTICS_MAX {
            self.list.push(diagnostic);
        } else if is_error && self.errors == 1 {
            self.list.pop();
            self.list.push(diagnostic);
        }
    }

    /// Would another diagnostic be dropped? Then looking for suggestions is wasted.
    pub(crate) fn is_full(&self) -> bool {
        self.errors > 0 && self.list.len() >= limits::DIAGNOSTICS_MAX
    }

    pub(crate) fn has_errors(&self) -> bool {
        self.errors > 0
    }

    /// All diagnostics in source order.
    pub(crate) fn into_sorted(mut self, files: &[SourceFile]) -> Vec<Diagnostic> {
        for fix in self.list.iter_mut().flat_map(|diagnostic| &mut diagnostic.fixes) {
            fix.keep_quotes(files);
        }
        self.list.sort_by_key(|diagnostic| (diagnostic.file, diagnostic.span.start, diagnostic.code));
        self.list
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters() {
        assert_eq!(line_column("ăb\nțx", 0), (1, 1));
        assert_eq!(line_column("ăb\nțx", 2), (1, 2));
        assert_eq!(line_column("ăb\nțx", 1), (1, 1));
        assert_eq!(line_column("ăb\nțx", 6), (2, 2));
        assert_eq!(line_column("ăb\nțx", 99), (2, 3));
    }

    #[test]
    fn the_line_index_agrees_with_counting() {
        let file = SourceFile { path: String::new(), text: "a\n\nbc\n".into() };
        let index = LineIndex::new(std::slice::from_ref(&file));
        for start in 0..6 {
            let place = Place { file: 0, start, end: start };
            assert_eq!(index.line_of(place), line_column(&file.text, start as usize).0);
        }
        assert_eq!(index.line_of(Place::NOWHERE), 0);
    }

    #[test]
    fn rendering_survives_any_span() {
        let files = [SourceFile { path: "a".into(), text: "ă\n\nb".into() }];
        for start in 0..8 {
            for end in 0..8 {
                let place = Place { file: 0, start, end };
                let text = Diagnostic::new(Code::E030, place, "m").label("l").render(&files);
                assert!(text.contains("--> a:"), "{text}");
            }
        }
        let text = Diagnostic::new(Code::E030, Place::NOWHERE, "m").help("h").render(&files);
        assert_eq!(text, "error[E030]: m\n  = help: h\n");
    }

    #[test]
    fn of_a_long_line_the_part_around_the_mark_is_shown() {
        let text = format!("{}é!{}", "ab ".repeat(100_000), " cd".repeat(100_000));
        let files = [SourceFile { path: "a".into(), text }];
        let place = Place { file: 0, start: 300_000, end: 300_003 };
        let text = Diagnostic::new(Code::E030, place, "m").label("l").render(&files);
        assert!(text.len() < 1_000, "{text}");
        let lines: Vec<&str> = text.lines().collect();
        let column = lines[4].chars().position(|mark| mark == '^').unwrap();
        assert_eq!(lines[3].chars().skip(column).take(2).collect::<String>(), "é!");
        assert!(lines[4].ends_with("^^ l"));
    }

    #[test]
    fn the_first_error_is_never_lost() {
        let mut sink = Sink::default();
        for _ in 0..limits::DIAGNOSTICS_MAX + 5 {
            sink.push(Diagnostic::new(Code::W070, Place::NOWHERE, "w"));
        }
        sink.push(Diagnostic::new(Code::E030, Place::NOWHERE, "e"));
        assert!(sink.has_errors());
        let list = sink.into_sorted(&[]);
        assert_eq!(list.len(), limits::DIAGNOSTICS_MAX);
        assert!(list.iter().any(|diagnostic| diagnostic.code == Code::E030));
    }
}
