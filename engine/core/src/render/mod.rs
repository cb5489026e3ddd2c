//! Rendering: templates with macros, checked once and then written a hundred thousand times a second.
//!
//! `compile` reads a template source of one of four kinds, finds out what stands around each macro, and refuses whatever
//! no escaping could make safe. Loading a bundle compiles all of its sources into one arena of byte segments
//! ([`Renderings`]); a source that does not compile is a bundle that is not loaded.
//!
//! Guarantees: no value, whatever it is, changes the structure around it: it cannot leave its text, attribute, address
//! query or JSON string, nor choose the scheme or host of an address written in the template. Rendering is total: every
//! macro that may be missing has a fallback, a value that is too long or cannot stand in its place counts as missing, and
//! the output is bounded by a size that is known beforehand. Cost: one pass over the pieces and values; no allocation but
//! the buffer's growth. Not here: where values come from ([`Values`] is the caller's).

mod escape;
mod html;
mod json;
mod macros;
mod source;
mod url;

use std::ops::Range;

use tessera_wire::catalog::ContentKind;

use crate::limits::{MACROS_PER_CONTENT_MAX, RENDERED_BYTES_MAX, TEMPLATE_BYTES_MAX};
use escape::{Bare, Escape, Quoted, Sink, quoted};
use html::HtmlContext;
use json::JsonContext;
use source::{Part, Parts};
use url::UrlContext;

pub use macros::{Macro, Scope, SlotScope};
pub use url::is_safe as is_safe_url;

/// Room for a value that has to be written out.
#[derive(Debug, Clone)]
pub struct ValueBuffer {
    bytes: [u8; 64],
    len: usize,
}

impl Default for ValueBuffer {
    fn default() -> Self {
        ValueBuffer { bytes: [0; 64], len: 0 }
    }
}

impl std::fmt::Write for ValueBuffer {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        let room = self.bytes.get_mut(self.len..self.len + text.len()).ok_or(std::fmt::Error)?;
        room.copy_from_slice(text.as_bytes());
        self.len += text.len();
        Ok(())
    }
}

impl ValueBuffer {
    /// What `value` looks like, unless it is longer than any number or time.
    pub fn show(&mut self, value: impl std::fmt::Display) -> Option<&str> {
        use std::fmt::Write;
        self.len = 0;
        write!(self, "{value}").ok()?;
        std::str::from_utf8(&self.bytes[..self.len]).ok()
    }
}

/// Where values come from.
pub trait Values {
    /// The value of a macro, borrowed or written into the buffer; `None` when there is none.
    fn value<'v>(&'v self, of: Macro, buffer: &'v mut ValueBuffer) -> Option<&'v str>;
}

/// A template source that cannot be used; whoever wrote it is told where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind}")]
pub struct TemplateError {
    /// What is wrong.
    pub kind: TemplateErrorKind,
    /// Where, in bytes of the source.
    pub at: Range<usize>,
}

/// What can be wrong with a template source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TemplateErrorKind {
    /// No such macro.
    #[error("no such macro")]
    UnknownMacro,
    /// No such slot.
    #[error("the template has no such slot")]
    UnknownSlot,
    /// No such parameter.
    #[error("no rule fills such a parameter of the template")]
    UnknownParameter,
    /// The slot does not hold images only.
    #[error("the slot does not hold images only, so there is no `.alt`")]
    NoAlt,
    /// A value may be missing.
    #[error("the value may be missing, so it needs a fallback")]
    NeedsFallback,
    /// The fallback cannot stand where the macro does.
    #[error("the fallback cannot stand here")]
    BadFallback,
    /// Something has no end.
    #[error("unclosed {0}")]
    Unclosed(&'static str),
    /// A macro in a place that nothing can be escaped for.
    #[error("a macro cannot stand {0}")]
    Misplaced(&'static str),
    /// An address that a value could change.
    #[error("{0}")]
    Address(&'static str),
    /// Not what the kind of content asks for.
    #[error("{0}")]
    Malformed(&'static str),
    /// More than a named limit allows.
    #[error("too many {0}")]
    TooMuch(&'static str),
}

/// All compiled contents of a bundle, flat.
#[derive(Debug, Clone, Default)]
pub struct Renderings {
    text: String,
    // The same as the content of a JSON string.
    quoted: String,
    pieces: Vec<Piece>,
    contents: Vec<Rendering>,
}

#[derive(Debug, Clone, Copy)]
struct Rendering {
    kind: ContentKind,
    first: u32,
    end: u32,
    bytes_max: u32,
}

/// A text in both forms.
#[derive(Debug, Clone, Copy)]
struct Fixed {
    text: (u32, u32),
    quoted: (u32, u32),
}

#[derive(Debug, Clone, Copy)]
enum Piece {
    Fixed(Fixed),
    Value { of: Macro, escape: Escape, bytes_max: u32, fallback: Fixed },
}

enum Context {
    Html(HtmlContext),
    Json(JsonContext),
    Url(UrlContext),
}

impl Renderings {
    /// Adds a content.
    ///
    /// # Errors
    /// What is wrong with the source, and where; nothing was added.
    pub fn push(&mut self, kind: ContentKind, source: &str, scope: &Scope<'_>) -> Result<(), TemplateError> {
        let before = (self.text.len(), self.quoted.len(), self.pieces.len());
        let compiled = self.compile(kind, source, scope);
        match compiled {
            Ok(bytes_max) => self.contents.push(Rendering {
                kind,
                first: before.2 as u32,
                end: self.pieces.len() as u32,
                bytes_max: bytes_max as u32,
            }),
            Err(_) => {
                self.text.truncate(before.0);
                self.quoted.truncate(before.1);
                self.pieces.truncate(before.2);
            }
        }
        compiled.map(|_| ())
    }

    /// Number of contents.
    pub fn len(&self) -> usize {
        self.contents.len()
    }

    /// Are there none?
    pub fn is_empty(&self) -> bool {
        self.contents.is_empty()
    }

    /// Most bytes that a content can come to, before it is quoted.
    pub fn bytes_max(&self, content: usize) -> usize {
        self.contents.get(content).map_or(0, |one| one.bytes_max as usize)
    }

    /// Appends a content as it is.
    pub fn render(&self, content: usize, values: &impl Values, out: &mut Vec<u8>) {
        self.write(content, values, &mut Bare(out));
    }

    /// Appends a content as it stands between the quotes of a JSON string.
    pub fn render_quoted(&self, content: usize, values: &impl Values, out: &mut Vec<u8>) {
        self.write(content, values, &mut Quoted(out));
    }

    /// Appends a content as a JSON value: JSON as it is, anything else as a string.
    pub fn render_json(&self, content: usize, values: &impl Values, out: &mut Vec<u8>) {
        let kind = self.contents.get(content).map(|one| one.kind);
        if kind.is_some_and(ContentKind::is_json) {
            return self.render(content, values, out);
        }
        out.push(b'"');
        self.render_quoted(content, values, out);
        out.push(b'"');
    }

    fn write(&self, content: usize, values: &impl Values, sink: &mut impl Sink) {
        let Some(rendering) = self.contents.get(content) else { return };
        let pieces = self.pieces.get(rendering.first as usize..rendering.end as usize).unwrap_or(&[]);
        let mut buffer = ValueBuffer::default();
        for piece in pieces {
            match piece {
                Piece::Fixed(fixed) => self.fixed(*fixed, sink),
                Piece::Value { of, escape, bytes_max, fallback } => {
                    let value = values.value(*of, &mut buffer);
                    match value.filter(|one| one.len() <= *bytes_max as usize && escape.admits(one)) {
                        Some(value) => escape.write(value, sink),
                        None => self.fixed(*fallback, sink),
                    }
                }
            }
        }
    }

    fn fixed(&self, fixed: Fixed, sink: &mut impl Sink) {
        let of = |text: &str, (start, end): (u32, u32)| text.get(start as usize..end as usize).map(str::len);
        debug_assert!(of(&self.text, fixed.text).is_some() && of(&self.quoted, fixed.quoted).is_some());
        let range = |(start, end): (u32, u32)| start as usize..end as usize;
        let text = self.text.get(range(fixed.text)).unwrap_or("");
        sink.prepared(text, self.quoted.get(range(fixed.quoted)).unwrap_or(""));
    }

    fn add_fixed(&mut self, text: &str) -> Fixed {
        let (start, quoted_start) = (self.text.len(), self.quoted.len());
        self.text.push_str(text);
        self.quoted.push_str(&quoted(text));
        Fixed {
            text: (start as u32, self.text.len() as u32),
            quoted: (quoted_start as u32, self.quoted.len() as u32),
        }
    }

    /// Adds the pieces of a source; returns the most bytes that they can come to.
    fn compile(
        &mut self,
        kind: ContentKind,
        source: &str,
        scope: &Scope<'_>,
    ) -> Result<usize, TemplateError> {
        let error = |kind, at: Range<usize>| TemplateError { kind, at };
        let source = if kind == ContentKind::Url { source.trim_end() } else { source };
        if source.len() > TEMPLATE_BYTES_MAX {
            return Err(error(TemplateErrorKind::TooMuch("bytes"), 0..source.len()));
        }
        let mut context = match kind {
            ContentKind::Html => Context::Html(HtmlContext::new()),
            ContentKind::Json => Context::Json(JsonContext::new(false)),
            ContentKind::Native => Context::Json(JsonContext::new(true)),
            ContentKind::Url => Context::Url(UrlContext::default()),
        };
        let (mut bytes_max, mut macros) = (0usize, 0);
        for part in Parts::new(source) {
            match part? {
                Part::Text { text, at } => {
                    for (offset, one) in text.char_indices() {
                        let place = at + offset;
                        context
                            .char(one, place)
                            .map_err(|kind| error(kind, place..place + one.len_utf8()))?;
                    }
                    bytes_max += text.len();
                    let fixed = self.add_fixed(text);
                    self.pieces.push(Piece::Fixed(fixed));
                }
                Part::Macro { name, fallback, at } => {
                    macros += 1;
                    let added = self.add_value(&mut context, scope, (name, fallback));
                    bytes_max += added.map_err(|kind| error(kind, at.clone()))?;
                    if macros > MACROS_PER_CONTENT_MAX || bytes_max > RENDERED_BYTES_MAX {
                        return Err(error(TemplateErrorKind::TooMuch("macros"), at));
                    }
                }
            }
        }
        let end = source.len();
        context.end().map_err(|(kind, at)| error(kind, at.map_or(end..end, |at| at..at + 1)))?;
        Ok(bytes_max)
    }

    fn add_value(
        &mut self,
        context: &mut Context,
        scope: &Scope<'_>,
        (name, fallback): (&str, Option<&str>),
    ) -> Result<usize, TemplateErrorKind> {
        let of = scope.find(name).map_err(|unknown| match unknown {
            macros::Unknown::Macro => TemplateErrorKind::UnknownMacro,
            macros::Unknown::Slot => TemplateErrorKind::UnknownSlot,
            macros::Unknown::Parameter => TemplateErrorKind::UnknownParameter,
            macros::Unknown::Alt => TemplateErrorKind::NoAlt,
        })?;
        let escape = context.value(of, scope.is_own_url(of))?;
        if of.may_be_missing() && fallback.is_none() {
            return Err(TemplateErrorKind::NeedsFallback);
        }
        let fallback = fallback.unwrap_or(if escape == Escape::Scalar { "0" } else { "" });
        let is_address = matches!(escape, Escape::UrlHtml | Escape::UrlJson | Escape::UrlPlain);
        let is_no_address = is_address && fallback.is_empty();
        if !is_no_address && !escape.admits(fallback) {
            return Err(TemplateErrorKind::BadFallback);
        }
        let mut written = Vec::new();
        escape.write(fallback, &mut Bare(&mut written));
        let fallback = self.add_fixed(&String::from_utf8(written).unwrap_or_default());
        let bytes_max = scope.bytes_max(of);
        self.pieces.push(Piece::Value { of, escape, bytes_max: bytes_max as u32, fallback });
        let fallback_bytes = (fallback.text.1 - fallback.text.0) as usize;
        Ok(fallback_bytes.max(bytes_max.saturating_mul(escape.growth())))
    }
}

impl Context {
    fn char(&mut self, one: char, at: usize) -> Result<(), TemplateErrorKind> {
        match self {
            Context::Html(html) => html.char(one, at),
            Context::Json(json) => json.char(one),
            Context::Url(url) => url.char(one).map_err(TemplateErrorKind::Address),
        }
    }

    fn value(&mut self, of: Macro, is_own_url: bool) -> Result<Escape, TemplateErrorKind> {
        match self {
            Context::Html(html) => html.value(of, is_own_url),
            Context::Json(json) => json.value(of, is_own_url),
            Context::Url(url) => {
                url.value(of, is_own_url, Escape::UrlPlain).map_err(TemplateErrorKind::Address)
            }
        }
    }

    fn end(&self) -> Result<(), (TemplateErrorKind, Option<usize>)> {
        match self {
            Context::Html(html) => html.end(),
            Context::Json(json) => json.end(),
            Context::Url(url) => url.end().map_err(|kind| (TemplateErrorKind::Address(kind), None)),
        }
    }
}

/// Checks a source without keeping it.
///
/// # Errors
/// What is wrong, and where.
pub fn check(kind: ContentKind, source: &str, scope: &Scope<'_>) -> Result<(), TemplateError> {
    Renderings::default().push(kind, source, scope)
}
