//! Heads of posting lists: what a request visits, numbered.
//!
//! The head of a word *as a value of one attribute* is found without hashing: words are small numbers, so the first
//! attribute that mentions a word owns the head of the word's own number, and further attributes chain behind it. Few
//! words are values of two attributes.
//!
//! Cost: one load per value, one more for each attribute that shares the word. Here chains are made; at run time
//! [`super::Head`] carries them.

use tessera_wire::program::{Constraint, Program, SignalId, WordId};

/// No head.
pub(super) const NONE: u32 = u32::MAX;
/// No attribute has this number: there are fewer.
pub(super) const NO_SIGNAL: u16 = u16::MAX;

/// A head's place in a chain of attributes that share a word.
#[derive(Debug, Clone, Copy)]
struct Link {
    /// The next head of the same word.
    next: u32,
    /// [`NO_SIGNAL`] while no attribute mentions the word.
    signal: u16,
}

/// Heads of words while the index is built.
#[derive(Debug, Default)]
pub(super) struct WordHeads {
    // INVARIANT: at least one link per word of the dictionary; `next` of the others is in range or `NONE`.
    links: Vec<Link>,
    words: u32,
}

impl WordHeads {
    /// A head for every word that a literal mentions, per attribute.
    pub(super) fn new(program: &Program) -> WordHeads {
        let unused = Link { next: NONE, signal: NO_SIGNAL };
        let words = program.dictionary.len();
        let mut heads = WordHeads { links: vec![unused; words], words: words as u32 };
        for literal in &program.literals {
            if let Constraint::OneOf(span) | Constraint::AnyOf(span) | Constraint::AllOf(span) =
                literal.constraint
            {
                span.of(&program.words).iter().for_each(|word| heads.insert(literal.signal, *word));
            }
        }
        heads
    }

    fn insert(&mut self, signal: SignalId, word: WordId) {
        if self.find(signal, word).is_some() {
            return;
        }
        let fresh = self.links.len() as u32;
        let Some(first) = self.links.get_mut((word.0 as usize).wrapping_sub(1)) else { return };
        if first.signal == NO_SIGNAL {
            *first = Link { next: NONE, signal: signal.0 };
            return;
        }
        let next = std::mem::replace(&mut first.next, fresh);
        self.links.push(Link { next, signal: signal.0 });
    }

    /// The head of `word` as a value of `signal`.
    #[inline]
    pub(super) fn find(&self, signal: SignalId, word: WordId) -> Option<u32> {
        let mut head = word.0.wrapping_sub(1);
        while let Some(link) = self.links.get(head as usize) {
            if link.signal == signal.0 {
                return Some(head);
            }
            head = link.next;
        }
        None
    }

    /// Number of heads, unused ones included.
    pub(super) fn len(&self) -> usize {
        self.links.len()
    }

    /// Every head in use with its word and attribute.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, WordId, SignalId)> {
        let chains = (0..self.words).flat_map(|word| {
            std::iter::successors(Some(word), |head| {
                Some(self.links[*head as usize].next).filter(|next| *next != NONE)
            })
            .map(move |head| (head, word))
        });
        chains.filter_map(|(head, word)| {
            let link = self.links[head as usize];
            (link.signal != NO_SIGNAL).then_some((head, WordId(word + 1), SignalId(link.signal)))
        })
    }

    /// The next head of the same word and the attribute that this one belongs to.
    pub(super) fn link(&self, head: u32) -> (u32, u16) {
        self.links.get(head as usize).map_or((NONE, NO_SIGNAL), |link| (link.next, link.signal))
    }
}
