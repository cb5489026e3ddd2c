//! What no matcher can avoid: reading the request, and writing the answer down.

use tessera_rulevm::{Frame, VerifiedProgram};
use tessera_wire::program::SignalId;
use tessera_wire::signal::Kind;

/// Reads requests with one table load per value.
pub(crate) struct Floor {
    signals: Vec<(SignalId, Kind)>,
    /// One number per word, and 64 per whole-number attribute.
    words: Vec<u32>,
    numbers: Vec<u32>,
    /// One index entry of sixteen bytes per rule.
    entries: Vec<[u32; 4]>,
    matches: Vec<Vec<u32>>,
    ids: std::cell::RefCell<Vec<u32>>,
}

impl Floor {
    pub(crate) fn new(program: &VerifiedProgram, matches: &[Vec<u32>]) -> Floor {
        let program = program.program();
        let signals = program.attributes.iter().enumerate();
        let rules = program.rules.len() as u32;
        Floor {
            signals: signals.map(|(index, attribute)| (SignalId(index as u16), attribute.kind)).collect(),
            words: (0..=program.dictionary.len() as u32).collect(),
            numbers: (0..program.attributes.len() as u32 * 64).collect(),
            entries: (0..rules).map(|rule| [rule; 4]).collect(),
            matches: matches.to_vec(),
            ids: std::cell::RefCell::new(Vec::with_capacity(rules as usize)),
        }
    }

    /// Reads every value and does one table load with it.
    pub(crate) fn read(&self, frame: &Frame) -> u64 {
        let mut sum = 0u64;
        for (signal, kind) in &self.signals {
            match kind {
                Kind::Text => {
                    sum += frame.word(*signal).map_or(0, |word| u64::from(self.words[word.0 as usize]));
                }
                Kind::Set => {
                    for word in frame.members(*signal).unwrap_or_default() {
                        sum += u64::from(self.words[word.0 as usize]);
                    }
                }
                _ => {
                    let at = |value: i64| usize::from(signal.0) * 64 + (value as usize & 63);
                    sum += frame.integer(*signal).map_or(0, |value| u64::from(self.numbers[at(value)]));
                }
            }
        }
        sum
    }

    /// Reads one entry and writes one id for each match.
    pub(crate) fn write(&self, event: usize) -> u64 {
        let mut ids = self.ids.borrow_mut();
        ids.clear();
        for rule in &self.matches[event] {
            ids.push(self.entries[*rule as usize][3]);
        }
        ids.len() as u64
    }
}
