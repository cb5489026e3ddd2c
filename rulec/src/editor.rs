//! What an editor asks about rule files: what stands here, what could stand here, where it is defined, rename it.
//!
//! Guarantees: pure and total on any text and any position; answers also for files with errors, as far as they parse.
//! Positions are bytes. Not here: the protocol that editors speak (the command's `lsp`).

mod completion;
mod hover;

use crate::ast::{Cond, CondKind, File};
use crate::check::Vocabulary;
use crate::diagnostic::{Diagnostic, Fix, Place, Sink, SourceFile};
use crate::explain::{Case, Refusal, Visitor};
use crate::lexer::{Token, TokenKind, lex};
use crate::limits;
use crate::{Names, parser};
use tessera_rulevm::Truth;

pub use completion::{Completion, CompletionKind};

/// A set of rule files as an editor has them open.
pub struct Workspace<'a> {
    files: &'a [SourceFile],
    names: &'a Names,
    trees: Vec<File>,
    vocabulary: Vocabulary,
    sample: &'a [String],
    now_ms: i64,
}

/// What can be defined in one place and used in others.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Symbol {
    Segment(String),
    Attribute(String),
}

/// Why a name cannot be changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RenameError {
    /// Nothing that rule files define stands here.
    #[error("only segments and declared attributes can be renamed")]
    NotASymbol,
    /// The new name could not be read back.
    #[error("an attribute's name is words of letters, digits and `_`, joined by dots, and no keyword")]
    BadName,
    /// The new name is taken.
    #[error("this name is taken already")]
    Taken,
}

impl<'a> Workspace<'a> {
    /// Reads the files. Errors in them are no obstacle.
    pub fn new(files: &'a [SourceFile], names: &'a Names) -> Workspace<'a> {
        let mut sink = Sink::default();
        let trees = parser::parse_all(files, &mut sink);
        let vocabulary = crate::check::vocabulary_of(&trees, names);
        Workspace { files, names, trees, vocabulary, sample: &[], now_ms: 0 }
    }

    /// Visitors, as JSON (`docs/CRITERIA.md`), over which hovering tells what share a segment or rule matches. The first
    /// [`limits::SAMPLE_VISITORS_MAX`] count.
    #[must_use]
    pub fn with_sample(mut self, visitors: &'a [String], now_ms: i64) -> Workspace<'a> {
        (self.sample, self.now_ms) = (visitors, now_ms);
        self
    }

    /// How many of the sample's visitors something is true of, and of how many it is unknown; visitors that cannot be
    /// read are left out. `None` without a sample, or while the files have errors.
    fn share(&self, truth: impl Fn(&Case) -> Option<Truth>) -> Option<String> {
        let (mut read, mut matched, mut unknown) = (0usize, 0usize, 0usize);
        for json in self.sample.iter().take(limits::SAMPLE_VISITORS_MAX) {
            let visitor = Visitor { json, now_ms: self.now_ms, bucket: None };
            let case = match Case::read(self.files, self.names, visitor) {
                Ok(case) => case,
                Err(Refusal::Rules(_)) => return None,
                Err(Refusal::Visitor(_)) => continue,
            };
            read += 1;
            match truth(&case)? {
                Truth::True => matched += 1,
                Truth::Unknown => unknown += 1,
                Truth::False => {}
            }
        }
        let percent = |part: usize| part * 100 / read.max(1);
        let (matched, unknown) = (percent(matched), percent(unknown));
        (read > 0).then(|| format!("matches {matched} % of {read} sample visitors, unknown for {unknown} %"))
    }

    /// Everything wrong with the files.
    pub fn diagnostics(&self) -> Vec<Diagnostic> {
        match crate::compile_and_analyse(self.files, self.names, &[]) {
            Ok(compiled) => compiled.warnings,
            Err(diagnostics) => diagnostics,
        }
    }

    /// What stands at this byte, as Markdown, and where it stands.
    pub fn hover(&self, file: u32, byte: u32) -> Option<(Place, String)> {
        hover::hover(self, file, byte)
    }

    /// What could be written at this byte.
    pub fn complete(&self, file: u32, byte: u32) -> Vec<Completion> {
        completion::complete(self, file, byte)
    }

    /// Where the thing at this byte is defined.
    pub fn definition(&self, file: u32, byte: u32) -> Option<Place> {
        let symbol = self.symbol_at(file, byte)?.1;
        self.definition_of(&symbol)
    }

    /// Everywhere the thing at this byte is named, its definition first.
    pub fn references(&self, file: u32, byte: u32) -> Vec<Place> {
        let Some((_, symbol)) = self.symbol_at(file, byte) else { return Vec::new() };
        let Some(definition) = self.definition_of(&symbol) else { return Vec::new() };
        let mut places = vec![definition];
        for index in 0..self.files.len() as u32 {
            let tokens = self.tokens(index);
            let named = (0..tokens.len()).filter(|at| symbol_of(&tokens, *at).as_ref() == Some(&symbol));
            places.extend(named.map(|at| tokens[at].place).filter(|place| *place != definition));
        }
        places
    }

    /// Replacements that give the thing at this byte another name everywhere.
    ///
    /// # Errors
    /// [`RenameError`] when there is nothing to rename, or the new name is impossible or taken.
    pub fn rename(&self, file: u32, byte: u32, name: &str) -> Result<Vec<Fix>, RenameError> {
        let (_, symbol) = self.symbol_at(file, byte).ok_or(RenameError::NotASymbol)?;
        self.definition_of(&symbol).ok_or(RenameError::NotASymbol)?;
        let (renamed, text) = match symbol {
            Symbol::Segment(_) => {
                let quoted = format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\""));
                (Symbol::Segment(name.to_owned()), quoted)
            }
            Symbol::Attribute(_) => (Symbol::Attribute(name.to_owned()), name.to_owned()),
        };
        // A name is possible when reading it gives it back.
        let is_readable = matches!(lex(&text, 0, &mut Sink::default()).as_slice(), [Token { kind, .. }, _]
            if matches!((kind, &renamed), (TokenKind::Word(word), Symbol::Attribute(_)) if *word == name)
                || matches!((kind, &renamed), (TokenKind::Text(text), Symbol::Segment(_)) if text.value() == name));
        if !is_readable || name.is_empty() || parser::RESERVED.contains(&name) {
            return Err(RenameError::BadName);
        }
        let is_attribute = matches!(renamed, Symbol::Attribute(_)) && self.vocabulary.find(name).is_some();
        if is_attribute || self.definition_of(&renamed).is_some() {
            return Err(RenameError::Taken);
        }
        let places = self.references(file, byte);
        Ok(places.into_iter().map(|place| Fix { place, text: text.clone() }).collect())
    }

    fn tokens(&self, file: u32) -> Vec<Token<'a>> {
        let text = self.files.get(file as usize).map_or("", |file| file.text.as_str());
        lex(text, file, &mut Sink::default())
    }

    /// The segment or attribute named at this byte, and where.
    fn symbol_at(&self, file: u32, byte: u32) -> Option<(Place, Symbol)> {
        let tokens = self.tokens(file);
        let at = token_at(&tokens, byte)?;
        Some((tokens[at].place, symbol_of(&tokens, at)?))
    }

    fn definition_of(&self, symbol: &Symbol) -> Option<Place> {
        match symbol {
            Symbol::Segment(name) => {
                let mut segments = self.trees.iter().flat_map(|tree| &tree.segments);
                segments.find(|segment| segment.name.text == *name).map(|segment| segment.name.place)
            }
            Symbol::Attribute(name) => {
                let id = self.vocabulary.find(name)?;
                self.vocabulary.entry(id).place
            }
        }
    }

    /// The source text of a segment's conditions.
    fn segment_text(&self, name: &str) -> Option<String> {
        let mut segments = self.trees.iter().flat_map(|tree| &tree.segments);
        let segment = segments.find(|segment| segment.name.text == name)?;
        let lines = segment.conditions.iter().filter_map(|condition| {
            let file = self.files.get(condition.place.file as usize)?;
            file.text.get(condition.place.range())
        });
        Some(lines.collect::<Vec<_>>().join("\n"))
    }

    /// Purposes that reading this segment needs.
    fn purposes_of_segment(&self, name: &str) -> Vec<String> {
        let mut purposes = std::collections::BTreeSet::new();
        let mut pending = vec![name.to_owned()];
        let mut seen = std::collections::HashSet::new();
        while let Some(name) = pending.pop() {
            if !seen.insert(name.clone()) {
                continue;
            }
            let segments = self.trees.iter().flat_map(|tree| &tree.segments);
            for segment in segments.filter(|segment| segment.name.text == name) {
                segment.conditions.iter().for_each(|condition| {
                    self.collect_purposes(condition, &mut purposes, &mut pending);
                });
            }
        }
        purposes.into_iter().collect()
    }

    fn collect_purposes(
        &self,
        condition: &Cond,
        purposes: &mut std::collections::BTreeSet<String>,
        segments: &mut Vec<String>,
    ) {
        match &condition.kind {
            CondKind::Not(inner) | CondKind::Definitely(inner) | CondKind::Possibly(inner) => {
                self.collect_purposes(inner, purposes, segments);
            }
            CondKind::And(parts) | CondKind::Or(parts) => {
                parts.iter().for_each(|part| self.collect_purposes(part, purposes, segments));
            }
            CondKind::Segment(name) => segments.push(name.text.clone()),
            CondKind::Test(name, _) => {
                if let Some(id) = self.vocabulary.find(&name.text) {
                    purposes.extend(self.vocabulary.entry(id).purposes.iter().cloned());
                }
            }
            CondKind::Count(count, _) => {
                let is_behaviour = matches!(count.event, crate::ast::CountedEvent::Behaviour(_));
                purposes.insert(if is_behaviour { "behaviour" } else { "frequency" }.to_owned());
            }
            CondKind::Bucket(bucket, _) => {
                if bucket.key == crate::ast::Key::User {
                    purposes.insert("storage".to_owned());
                }
            }
            CondKind::Active(_) => {}
        }
    }
}

/// Every segment and the text of its conditions, all of which are meant.
#[cfg(feature = "command")]
pub(crate) fn segments(files: &[SourceFile]) -> Vec<(String, String)> {
    let trees = parser::parse_all(files, &mut Sink::default());
    let text_of = |condition: &Cond| {
        let file = files.get(condition.place.file as usize)?;
        file.text.get(condition.place.range())
    };
    let segments = trees.iter().flat_map(|tree| &tree.segments);
    let of_segment = |segment: &crate::ast::SegmentItem| {
        let lines: Vec<&str> = segment.conditions.iter().filter_map(text_of).collect();
        (segment.name.text.clone(), lines.join("\n"))
    };
    segments.map(of_segment).collect()
}

/// The token that holds this byte, or ends right before it.
fn token_at(tokens: &[Token], byte: u32) -> Option<usize> {
    let after = tokens.partition_point(|token| token.place.start <= byte);
    let at = after.checked_sub(1)?;
    let token = &tokens[at];
    (byte <= token.place.end && token.kind != TokenKind::End).then_some(at)
}

/// What the token names, going by what stands before it.
fn symbol_of(tokens: &[Token], at: usize) -> Option<Symbol> {
    let before = |by: usize| at.checked_sub(by).map(|at| &tokens[at].kind);
    let is_word =
        |kind: Option<&TokenKind>, word: &str| matches!(kind, Some(TokenKind::Word(found)) if *found == word);
    match &tokens[at].kind {
        TokenKind::Text(text) => {
            let is_call = before(1) == Some(&TokenKind::Sign("(")) && is_word(before(2), "segment");
            (is_call || is_word(before(1), "segment")).then(|| Symbol::Segment(text.value()))
        }
        TokenKind::Word(word) if !parser::RESERVED.contains(word) => {
            // After these a word is a value or a name of something else.
            let is_value = ["is", "in", "of", "needs", "from", "offer", "language", "not"]
                .iter()
                .any(|other| is_word(before(1), other))
                && !is_word(before(1), "not");
            let is_listed =
                matches!(before(1), Some(TokenKind::Sign("==" | "!=" | "=" | ">=" | "<=" | ">" | "<")));
            (!is_value && !is_listed).then(|| Symbol::Attribute((*word).to_owned()))
        }
        _ => None,
    }
}
