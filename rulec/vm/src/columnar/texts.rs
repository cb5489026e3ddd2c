//! A column of texts: one code per row, and what the codes stand for.
//!
//! A literal is tested once per distinct text; rows are then looked up. Where no literal looks inside texts, the codes are
//! the words that the query mentions, and everything else is one code.

use ahash::AHashMap;
use tessera_wire::program::{Constraint, Program, WordId};

use super::kernel::mark;
use crate::eval::{has, text_of};
use crate::limits::BATCH_TEXT_BYTES_MAX;

#[derive(Debug)]
pub(super) struct Texts {
    codes: Vec<u32>,
    /// The word of each code.
    words: Vec<WordId>,
    /// Distinct texts and their codes, when literals look inside.
    inside: Option<Inside>,
}

#[derive(Debug, Default)]
struct Inside {
    codes: AHashMap<Box<str>, u32>,
    bytes: usize,
}

impl Texts {
    /// `mentioned` is sorted.
    pub(super) fn new(mentioned: Vec<WordId>, is_read_inside: bool) -> Texts {
        if is_read_inside {
            return Texts { codes: Vec::new(), words: Vec::new(), inside: Some(Inside::default()) };
        }
        let words = std::iter::once(WordId::OTHER).chain(mentioned).collect();
        Texts { codes: Vec::new(), words, inside: None }
    }

    /// Would this text fit?
    pub(super) fn has_room(&self, text: &str) -> bool {
        self.inside.as_ref().is_none_or(|inside| inside.bytes + text.len() <= BATCH_TEXT_BYTES_MAX)
    }

    pub(super) fn push(&mut self, value: Option<(WordId, &str)>) {
        let code = value.map_or(0, |(word, text)| self.code(word, text));
        self.codes.push(code);
    }

    fn code(&mut self, word: WordId, text: &str) -> u32 {
        let Some(inside) = &mut self.inside else {
            return self.words[1..].binary_search(&word).map_or(0, |place| place as u32 + 1);
        };
        if let Some(code) = inside.codes.get(text) {
            return *code;
        }
        let code = self.words.len() as u32;
        inside.codes.insert(text.into(), code);
        inside.bytes += text.len();
        self.words.push(word);
        code
    }

    pub(super) fn clear(&mut self) {
        self.codes.clear();
        if let Some(inside) = &mut self.inside {
            *inside = Inside::default();
            self.words.clear();
        }
    }

    /// Marks rows whose text satisfies the constraint. `table` is working memory.
    pub(super) fn mark(
        &self,
        program: &Program,
        constraint: Constraint,
        table: &mut Vec<u8>,
        bits: &mut [u64],
    ) {
        table.clear();
        table.resize(self.words.len(), 0);
        match constraint {
            Constraint::OneOf(span) => {
                let words = span.of(&program.words);
                for (answer, word) in table.iter_mut().zip(&self.words) {
                    *answer = u8::from(has(words, *word));
                }
            }
            Constraint::StartsWith(word) => {
                self.look_inside(table, |text| text.starts_with(text_of(program, word)))
            }
            Constraint::EndsWith(word) => {
                self.look_inside(table, |text| text.ends_with(text_of(program, word)))
            }
            Constraint::Contains(word) => {
                self.look_inside(table, |text| text.contains(text_of(program, word)))
            }
            _ => {}
        }
        let mut passing = table.iter().zip(0u32..).filter(|(answer, _)| **answer != 0).map(|(_, code)| code);
        match (passing.next(), passing.next()) {
            (None, _) => {}
            (Some(only), None) => mark(&self.codes, bits, |code| code == only),
            _ => mark(&self.codes, bits, |code| table.get(code as usize).is_some_and(|answer| *answer != 0)),
        }
    }

    fn look_inside(&self, table: &mut [u8], test: impl Fn(&str) -> bool) {
        for (text, code) in self.inside.iter().flat_map(|inside| &inside.codes) {
            if let Some(answer) = table.get_mut(*code as usize) {
                *answer = u8::from(test(text));
            }
        }
    }
}
