//! What templates are rendered to: their sources, checked where they are written.

use std::ops::Range;

use tessera_engine_core::bundle::{Parameters, scope_of};
use tessera_engine_core::limits::CONTENTS_PER_TEMPLATE_MAX;
use tessera_engine_core::render::{Scope, TemplateError, TemplateErrorKind, check};
use tessera_wire::catalog::{Content, ContentKind, TemplateId};
use tessera_wire::program::Span;

use super::Builder;
use crate::source::problem::{CatalogCode, Problem};
use crate::source::schema::{Name, RawContent, RawTemplate};
use crate::source::{SourceFile, Sources, TEMPLATES_FOLDER};

/// A source, and where its bytes are written.
struct Written<'s> {
    text: &'s str,
    file: usize,
    /// First byte in the file; `None` when what is written there has escapes, so that bytes do not correspond.
    first: Option<usize>,
    /// The whole of it.
    span: Range<usize>,
}

impl<'r> Builder<'r> {
    /// Adds the contents of all templates. Everything that they may refer to is there already.
    pub(super) fn add_contents(&mut self, compiled: Option<&rulec::Compiled>, sources: &Sources) {
        let raw = self.raw;
        let parameters = compiled.map(|compiled| Parameters::new(&self.catalog, &compiled.program));
        let rules = parameters.as_ref().zip(compiled.map(|compiled| &compiled.program));
        for (index, template) in raw.template.iter().enumerate() {
            self.check_count(template);
            let first = self.catalog.contents.len() as u32;
            for content in &template.content {
                let Some((kind, written)) = self.written(content, sources) else { continue };
                let scope = scope_of(&self.catalog, TemplateId(index as u32), rules);
                let checked = check(kind, written.text, &scope);
                let problem = checked.err().map(|error| problem_of(&error, &written, &scope));
                self.problems.extend(problem);
                let body = self.text(written.text);
                self.catalog.contents.push(Content { kind, body });
            }
            let len = self.catalog.contents.len() as u32 - first;
            self.catalog.templates[index].contents = Span { first, len };
        }
    }

    fn check_count(&mut self, raw: &RawTemplate) {
        if raw.content.len() > CONTENTS_PER_TEMPLATE_MAX {
            let message = format!("template `{}` has {} contents", raw.id.get_ref(), raw.content.len());
            let problem = Problem::catalog(CatalogCode::TooMany, raw.id.span(), message);
            self.problem(problem.help(format!("at most {CONTENTS_PER_TEMPLATE_MAX} are allowed")));
        }
    }

    fn written<'s>(
        &mut self,
        raw: &'s RawContent,
        sources: &'s Sources,
    ) -> Option<(ContentKind, Written<'s>)> {
        let kind = ContentKind::ALL.into_iter().find(|kind| kind.name() == raw.r#type.get_ref());
        if kind.is_none() {
            let names: Vec<&str> = ContentKind::ALL.iter().map(|kind| kind.name()).collect();
            let message = format!("`{}` is no type of content", raw.r#type.get_ref());
            let problem = Problem::catalog(CatalogCode::BadValue, raw.r#type.span(), message);
            self.problem(problem.help(format!("one of {}", names.join(", "))));
        }
        let written = match (&raw.body, &raw.file) {
            (Some(body), None) => Some(in_catalog(body, sources.files.first().map_or("", |one| &one.text))),
            (None, Some(file)) => self.in_file(file, &sources.files),
            _ => {
                let message = "a content has either a body or a file";
                self.problem(Problem::catalog(CatalogCode::Inconsistent, raw.r#type.span(), message));
                None
            }
        };
        kind.zip(written)
    }

    fn in_file<'s>(&mut self, name: &Name, files: &'s [SourceFile]) -> Option<Written<'s>> {
        let is_template = |file: &SourceFile| {
            file.path.strip_prefix(TEMPLATES_FOLDER).is_some_and(|rest| rest.starts_with('/'))
                && !file.path.ends_with(".rules")
        };
        let found = files.iter().position(|file| file.path == *name.get_ref() && is_template(file));
        let Some(index) = found else {
            let message = format!("there is no template file `{}`", name.get_ref());
            let mut problem = Problem::catalog(CatalogCode::UnknownName, name.span(), message);
            let known = files.iter().filter(|file| is_template(file)).map(|file| file.path.as_str());
            problem = match rulec::nearest(name.get_ref(), known) {
                Some(nearest) => problem.help(format!("did you mean `{nearest}`?")),
                None => problem.help(format!("template files lie in the folder `{TEMPLATES_FOLDER}`")),
            };
            self.problem(problem);
            return None;
        };
        let text = files[index].text.as_str();
        Some(Written { text, file: index, first: Some(0), span: 0..text.len() })
    }
}

/// A body in the catalog itself: its bytes are those of the file unless it is written with escapes.
fn in_catalog<'s>(body: &'s Name, catalog: &str) -> Written<'s> {
    let (text, span) = (body.get_ref().as_str(), body.span());
    let written = catalog.get(span.clone()).unwrap_or("");
    let first = (|| {
        let quote = if written.starts_with("'''") || written.starts_with("\"\"\"") { 3 } else { 1 };
        let inside = written.get(quote..written.len().checked_sub(quote)?)?;
        let cut = inside.strip_suffix(text)?;
        matches!(cut, "" | "\n" | "\r\n").then_some(quote + cut.len())
    })();
    Written { text, file: 0, first: first.map(|first| span.start + first), span }
}

fn problem_of(error: &TemplateError, written: &Written<'_>, scope: &Scope<'_>) -> Problem {
    let span = match written.first {
        Some(first) => first + error.at.start..first + error.at.end,
        None => written.span.clone(),
    };
    let wrong = written.text.get(error.at.clone()).unwrap_or("");
    let mut message = error.to_string();
    if wrong.starts_with("${") && wrong.ends_with('}') {
        message = format!("`{wrong}`: {message}");
    }
    let mut problem = Problem::catalog(CatalogCode::Template, span, message).in_file(written.file);
    let name = wrong.trim_start_matches("${").trim_end_matches('}').split('|').next().unwrap_or("").trim();
    match error.kind {
        TemplateErrorKind::UnknownMacro
        | TemplateErrorKind::UnknownSlot
        | TemplateErrorKind::UnknownParameter
        | TemplateErrorKind::NoAlt => {
            let names = scope.names();
            if let Some(nearest) = rulec::nearest(name, names.iter().map(String::as_str)) {
                problem = problem.help(format!("did you mean `{nearest}`?"));
            }
        }
        TemplateErrorKind::NeedsFallback => {
            problem = problem.help(format!("write `${{{name}|what to show instead}}`; it may be empty"));
        }
        _ => {}
    }
    problem
}
