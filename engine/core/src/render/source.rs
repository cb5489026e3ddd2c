//! Cutting a template source at its macros: `${name}` and `${name|fallback}`; `$${` is a `${` that is meant as text.

use std::ops::Range;

use super::{TemplateError, TemplateErrorKind};

/// A piece of a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part<'s> {
    Text { text: &'s str, at: usize },
    Macro { name: &'s str, fallback: Option<&'s str>, at: Range<usize> },
}

/// The pieces of a source, in order.
pub(super) struct Parts<'s> {
    source: &'s str,
    at: usize,
}

impl<'s> Parts<'s> {
    pub(super) fn new(source: &'s str) -> Parts<'s> {
        Parts { source, at: 0 }
    }

    fn text(&mut self, end: usize) -> Part<'s> {
        let at = self.at;
        self.at = end;
        Part::Text { text: &self.source[at..end], at }
    }
}

impl<'s> Iterator for Parts<'s> {
    type Item = Result<Part<'s>, TemplateError>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.source.get(self.at..).filter(|rest| !rest.is_empty())?;
        if rest.starts_with("$${") {
            self.at += 1;
            let end = self.at + 2;
            return Some(Ok(self.text(end)));
        }
        let Some(inside) = rest.strip_prefix("${") else {
            let end = rest.find("${").map_or(rest.len(), |found| {
                // The first `$` of `$${` belongs to what follows.
                if rest[..found].ends_with('$') { found - 1 } else { found }
            });
            let end = self.at + end;
            return Some(Ok(self.text(end)));
        };
        let at = self.at;
        let Some(len) = inside.find('}').filter(|len| !inside[..*len].contains(['\n', '{'])) else {
            self.at = self.source.len();
            return Some(Err(TemplateError { kind: TemplateErrorKind::Unclosed("macro"), at: at..at + 2 }));
        };
        self.at += len + 3;
        let inside = &inside[..len];
        let (name, fallback) = match inside.split_once('|') {
            Some((name, fallback)) => (name.trim(), Some(fallback)),
            None => (inside.trim(), None),
        };
        Some(Ok(Part::Macro { name, fallback, at: at..self.at }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_cut_at_macros() {
        let parts: Result<Vec<_>, _> = Parts::new("a ${b} $${c} $ ${ d |e f}$").collect();
        let text = |text, at| Part::Text { text, at };
        let expected = [
            text("a ", 0),
            Part::Macro { name: "b", fallback: None, at: 2..6 },
            text(" ", 6),
            text("${", 8),
            text("c} $ ", 10),
            Part::Macro { name: "d", fallback: Some("e f"), at: 15..25 },
            text("$", 25),
        ];
        assert_eq!(parts.unwrap(), expected);
    }

    #[test]
    fn a_macro_ends_in_its_line() {
        for source in ["${a", "x ${a\n}", "${a ${b}"] {
            let last = Parts::new(source).last().unwrap();
            assert_eq!(last.unwrap_err().kind, TemplateErrorKind::Unclosed("macro"), "{source}");
        }
    }
}
