//! What is wrong with a source directory, and how it looks.
//!
//! Problems of rule files come from the rule compiler and keep their codes; problems of the catalog have codes of their
//! own (`C...`). Both look the same and stand in one list.

use std::ops::Range;

use rulec::{Diagnostic, Label, Place, Severity, Snippet, SourceFile};

/// One thing that is wrong, with its place.
#[derive(Debug, Clone)]
pub struct Problem {
    kind: Kind,
}

#[derive(Debug, Clone)]
enum Kind {
    /// Index into the sources' files is the diagnostic's own plus one: the catalog comes first.
    Rules(Diagnostic),
    Catalog(CatalogProblem),
}

/// Stable codes of the catalog's problems.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CatalogCode {
    /// Not TOML, or not the catalog's shape.
    Shape,
    /// A name that is not defined.
    UnknownName,
    /// An id that is used twice.
    DuplicateId,
    /// A value that cannot be read.
    BadValue,
    /// Parts that do not fit together.
    Inconsistent,
    /// More than a named limit allows.
    TooMany,
    /// A creative that nothing shows. Only a warning.
    Unshown,
    /// A template source that cannot be used.
    Template,
}

impl CatalogCode {
    /// The code as printed.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            CatalogCode::Shape => "C001",
            CatalogCode::UnknownName => "C002",
            CatalogCode::DuplicateId => "C003",
            CatalogCode::BadValue => "C004",
            CatalogCode::Inconsistent => "C005",
            CatalogCode::TooMany => "C006",
            CatalogCode::Unshown => "C007",
            CatalogCode::Template => "C008",
        }
    }

    /// Does it stop the bundle?
    const fn severity(self) -> Severity {
        match self {
            CatalogCode::Unshown => Severity::Warning,
            _ => Severity::Error,
        }
    }
}

#[derive(Debug, Clone)]
struct CatalogProblem {
    code: CatalogCode,
    /// Index into the sources' files.
    file: usize,
    message: String,
    span: Range<usize>,
    help: Vec<String>,
}

impl Problem {
    /// A problem of the catalog file.
    pub(super) fn catalog(code: CatalogCode, span: Range<usize>, message: impl Into<String>) -> Problem {
        let problem = CatalogProblem { code, file: 0, message: message.into(), span, help: Vec::new() };
        Problem { kind: Kind::Catalog(problem) }
    }

    /// A problem of a rule file.
    pub(super) fn rules(diagnostic: Diagnostic) -> Problem {
        Problem { kind: Kind::Rules(diagnostic) }
    }

    /// Says that it is in another file than the catalog: index into the sources' files.
    pub(super) fn in_file(mut self, index: usize) -> Problem {
        if let Kind::Catalog(problem) = &mut self.kind {
            problem.file = index;
        }
        self
    }

    /// Adds advice. Rule problems bring their own.
    pub(super) fn help(mut self, text: impl Into<String>) -> Problem {
        if let Kind::Catalog(problem) = &mut self.kind {
            problem.help.push(text.into());
        }
        self
    }

    /// Does it stop the bundle?
    pub fn is_error(&self) -> bool {
        match &self.kind {
            Kind::Rules(diagnostic) => diagnostic.severity == Severity::Error,
            Kind::Catalog(problem) => problem.code.severity() == Severity::Error,
        }
    }

    /// Its stable code.
    pub fn code(&self) -> String {
        match &self.kind {
            Kind::Rules(diagnostic) => diagnostic.code.to_string(),
            Kind::Catalog(problem) => problem.code.as_str().to_owned(),
        }
    }

    /// What is wrong, in one line.
    pub fn message(&self) -> &str {
        match &self.kind {
            Kind::Rules(diagnostic) => &diagnostic.message,
            Kind::Catalog(problem) => &problem.message,
        }
    }

    /// Path, line and column (both from one); `None` when it is about no file in particular.
    pub fn position<'f>(&self, files: &'f [SourceFile]) -> Option<(&'f str, usize, usize)> {
        let (file, start) = match &self.kind {
            Kind::Rules(diagnostic) => {
                (files.get((diagnostic.file as usize).checked_add(1)?)?, diagnostic.span.start)
            }
            Kind::Catalog(problem) => (files.get(problem.file)?, problem.span.start),
        };
        let (line, column) = rulec::line_column(&file.text, start);
        Some((&file.path, line, column))
    }

    /// Text with the source line and carets. `files` are the sources it was found in.
    pub fn render(&self, files: &[SourceFile]) -> String {
        match &self.kind {
            Kind::Rules(diagnostic) => diagnostic.render(files.get(1..).unwrap_or(&[])),
            Kind::Catalog(problem) => {
                let (start, end) = (problem.span.start as u32, problem.span.end as u32);
                let place = Place { file: problem.file as u32, start, end };
                let code = problem.code.as_str();
                let labels = [Label { place, text: String::new() }];
                let snippet = Snippet {
                    severity: problem.code.severity(),
                    code,
                    message: &problem.message,
                    labels: &labels,
                    help: &problem.help,
                };
                snippet.render(files)
            }
        }
    }
}

/// All problems, one after the other.
pub fn render_all(problems: &[Problem], files: &[SourceFile]) -> String {
    problems.iter().map(|problem| problem.render(files)).collect::<Vec<_>>().join("\n")
}
