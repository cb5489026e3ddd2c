//! The formatter: one layout for rule files, whoever wrote them.
//!
//! Guarantees: comments survive; formatting twice changes nothing; what is formatted means what it meant (property tests
//! check all three). A file with syntax errors is not touched.
//!
//! The layout: two spaces per level, one clause, tier, arm or condition of a block per line; a block that its author wrote
//! on one line stays there while it fits in [`WIDTH`] columns; breaks before `and` and `or` are kept and indented; of blank
//! lines at most one is kept. `=` becomes `==` before numbers and `is` before words.
//!
//! Cost: linear. Not here: what the words mean.

mod layout;
mod spacing;
mod starts;

use crate::diagnostic::{Diagnostic, Sink, SourceFile};
use crate::lexer::{Token, TokenKind, lex};
use crate::parser;

/// Columns that a line fills at most, unless its author gives no place to break it.
pub const WIDTH: usize = 100;

/// The file's text in the one layout.
///
/// # Errors
/// The syntax errors, when there are any.
pub fn format(file: &SourceFile) -> Result<String, Vec<Diagnostic>> {
    let mut sink = Sink::default();
    let trees = parser::parse_all(std::slice::from_ref(file), &mut sink);
    if sink.has_errors() {
        return Err(sink.into_sorted(std::slice::from_ref(file)));
    }
    let mut tokens = lex(&file.text, 0, &mut Sink::default());
    let starts = starts::of(&trees);
    let comments = comments(&file.text, &tokens);
    // The end is a token too, so that what stands before it has something to stand before.
    let end = tokens.pop();
    let source = layout::Source { text: &file.text, tokens: &tokens, comments: &comments, starts: &starts };
    let lines = layout::Reader::new(&source).lines();
    let mut out = String::with_capacity(file.text.len());
    layout::write(&source, &lines, &mut out);
    debug_assert!(end.is_some_and(|end| end.kind == TokenKind::End));
    Ok(out)
}

/// A comment and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Comment {
    /// With its `#`, without spaces at its end.
    text: String,
    /// Is it the first thing in its line?
    is_alone: bool,
    /// Is there an empty line before it?
    is_after_blank: bool,
}

/// What stands between a token and the one before it.
#[derive(Debug, Clone, Default)]
struct Gap {
    comments: Vec<Comment>,
    /// Line breaks in all.
    breaks: usize,
    /// Is there an empty line right before the token?
    is_after_blank: bool,
    /// Is there anything at all?
    is_empty: bool,
}

/// The gap before each token.
fn comments(text: &str, tokens: &[Token]) -> Vec<Gap> {
    let mut at = 0;
    let mut gaps = Vec::with_capacity(tokens.len());
    for token in tokens {
        let start = token.place.start as usize;
        gaps.push(gap(text.get(at..start).unwrap_or("")));
        at = token.place.end as usize;
    }
    gaps
}

fn gap(text: &str) -> Gap {
    let mut gap = Gap { is_empty: text.is_empty(), ..Gap::default() };
    let (mut is_line_empty, mut blank_lines) = (false, 0);
    for (number, line) in text.split('\n').enumerate() {
        if number > 0 {
            gap.breaks += 1;
            blank_lines += usize::from(is_line_empty);
        }
        let line = line.trim();
        // The rest of the token's own line is not an empty line.
        is_line_empty = number > 0 && line.is_empty();
        if line.starts_with('#') {
            let is_after_blank = blank_lines > 0;
            gap.comments.push(Comment { text: line.to_owned(), is_alone: number > 0, is_after_blank });
            blank_lines = 0;
        }
    }
    gap.is_after_blank = blank_lines > 0;
    gap
}
