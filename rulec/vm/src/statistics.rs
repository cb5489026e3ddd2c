//! How often signals are known and which values they have: what the matcher's choice of access literals rests on.
//!
//! Statistics change speed and memory, never a result. Attributes are told apart by name and words by their text, so
//! that figures gathered under one bundle serve the next. What is absent is estimated from the bundle itself.
//!
//! Cost: gathering takes a hash look-up per text or member; memory is bounded by the bundle's dictionary and a fixed
//! sample per attribute. Not here: how rates of literals follow from these figures (`index::rates`).

use std::collections::BTreeMap;

use ahash::AHashMap;
use tessera_wire::program::{SignalId, WordId};
use tessera_wire::signal::Kind;

use crate::frame::Frame;
use crate::limits::STATISTICS_SAMPLE_MAX;
use crate::verify::VerifiedProgram;

/// What is known of one attribute's values. Probabilities are per request, requests without a value included.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct AttributeStatistics {
    /// Probability that there is a value that may be used.
    pub known: f32,
    /// Texts and sets: probability that the value is, or the set contains, this word.
    pub words: BTreeMap<String, f32>,
    /// Whole numbers: a sample of the values, sorted. Of times their ages in milliseconds.
    pub sample: Vec<i64>,
}

/// What is known of a bundle's attributes, by name.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Statistics {
    attributes: BTreeMap<String, AttributeStatistics>,
}

impl Statistics {
    /// Nothing is known: everything is estimated.
    pub const NONE: Statistics = Statistics { attributes: BTreeMap::new() };

    /// Says what is known of the attribute of this name, in place of what was said before.
    pub fn insert(&mut self, name: &str, mut attribute: AttributeStatistics) {
        attribute.sample.sort_unstable();
        self.attributes.insert(name.to_owned(), attribute);
    }

    /// What is known of the attribute of this name.
    pub fn get(&self, name: &str) -> Option<&AttributeStatistics> {
        self.attributes.get(name)
    }
}

/// Gathers [`Statistics`] from frames of one program.
#[derive(Debug, Clone)]
pub struct StatisticsBuilder {
    frames: u32,
    attributes: Vec<Observed>,
}

#[derive(Debug, Clone, Default)]
struct Observed {
    known: u32,
    words: AHashMap<WordId, u32>,
    /// Every `stride`-th known value.
    sample: Vec<i64>,
    stride: u32,
}

impl StatisticsBuilder {
    /// Nothing gathered yet.
    pub fn new(program: &VerifiedProgram) -> StatisticsBuilder {
        let attributes =
            vec![Observed { stride: 1, ..Observed::default() }; program.program().attributes.len()];
        StatisticsBuilder { frames: 0, attributes }
    }

    /// Adds one request. The frame must belong to the program that this was made for.
    pub fn observe(&mut self, program: &VerifiedProgram, frame: &Frame) {
        self.frames = self.frames.saturating_add(1);
        for (index, (observed, attribute)) in
            self.attributes.iter_mut().zip(&program.program().attributes).enumerate()
        {
            let signal = SignalId(index as u16);
            if !frame.is_known(signal) {
                continue;
            }
            observed.known = observed.known.saturating_add(1);
            if let Some(value) = frame.integer(signal) {
                let age = || frame.now_ms().saturating_sub(value);
                observed.push(if attribute.kind == Kind::Time { age() } else { value });
            }
            let word = frame.word(signal);
            let words = word.as_slice().iter().chain(frame.members(signal).unwrap_or_default());
            for word in words.filter(|word| **word != WordId::OTHER) {
                *observed.words.entry(*word).or_default() += 1;
            }
        }
    }

    /// What was gathered.
    pub fn finish(&self, program: &VerifiedProgram) -> Statistics {
        let share = |count: u32| count as f32 / self.frames.max(1) as f32;
        let mut statistics = Statistics::default();
        for (observed, attribute) in self.attributes.iter().zip(&program.program().attributes) {
            let text = |word: &WordId| program.program().dictionary.get(word.0 as usize - 1).cloned();
            let words = observed.words.iter().filter_map(|(word, count)| Some((text(word)?, share(*count))));
            let known = share(observed.known);
            let words = words.collect();
            let sample = observed.sample.clone();
            statistics.insert(&attribute.name, AttributeStatistics { known, words, sample });
        }
        statistics
    }
}

impl Observed {
    /// Thins the sample out when it is full, so that it stays spread over all requests.
    fn push(&mut self, value: i64) {
        if !self.known.is_multiple_of(self.stride) {
            return;
        }
        if self.sample.len() == STATISTICS_SAMPLE_MAX {
            let mut number = 0;
            self.sample.retain(|_| {
                number += 1;
                number % 2 == 0
            });
            self.stride = self.stride.saturating_mul(2);
        }
        self.sample.push(value);
    }
}
