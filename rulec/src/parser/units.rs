//! Labels of units, such as `km`, that declarations anywhere introduce.
//!
//! Whether `5 km` is one value or a number and the next condition's attribute depends on the declarations, which may stand
//! in another file. So they are looked for before anything is parsed: one search for the keyword over all texts.

use std::collections::HashSet;

use crate::diagnostic::{Sink, SourceFile};
use crate::lexer::{Lexer, TokenKind};

/// Every label that some number is declared with.
#[derive(Debug, Default)]
pub(crate) struct Units<'a>(HashSet<&'a str>);

/// What may follow `number` and is no label.
const NO_LABELS: [&str; 4] = ["in", "from", "needs", "caseless"];

impl<'a> Units<'a> {
    pub(crate) fn of(files: &'a [SourceFile]) -> Units<'a> {
        let mut units = HashSet::new();
        for file in files {
            for (at, keyword) in file.text.match_indices("attribute") {
                units.extend(declared(&file.text, at, at + keyword.len()));
            }
        }
        Units(units)
    }

    pub(crate) fn contains(&self, word: &str) -> bool {
        self.0.contains(word)
    }
}

/// The label in `attribute name : number label`.
fn declared(text: &str, start: usize, end: usize) -> Option<&str> {
    let line = text[..start].rfind('\n').map_or(0, |at| at + 1);
    if text[line..start].contains(['#', '"']) {
        return None; // A comment or a text speaks of attributes.
    }
    // What is wrong here is reported when it is parsed.
    let mut sink = Sink::default();
    let mut lexer = Lexer::from(text, 0, end);
    let tokens: [_; 4] = std::array::from_fn(|_| lexer.next(&mut sink));
    let is_number = tokens[1].kind == TokenKind::Sign(":") && tokens[2].kind == TokenKind::Word("number");
    match tokens[3].kind {
        TokenKind::Word(label) if is_number && !tokens[3].is_after_break && !NO_LABELS.contains(&label) => {
            Some(label)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_found_where_they_are_declared() {
        let text = "attribute a : number km in 0..5\nattribute b : number in 1..2 # attribute d : number miles\n\
            attribute c : number\nfrom request attribute : number pixels\n  attribute e:number kg needs storage";
        let files = [SourceFile { path: String::new(), text: text.to_owned() }];
        let units = Units::of(&files);
        assert!(units.contains("km") && units.contains("kg"));
        assert_eq!(units.0.len(), 2);
    }
}
