//! Finding a word's id by its text.
//!
//! Open addressing over the program's own strings: a hash finds the slot, comparing the text decides, so a collision can
//! cost time but never an identity. Cost: four to eight bytes per word, one or two comparisons per look-up.

use ahash::RandomState;
use tessera_wire::program::WordId;

/// Fixed seeds: the table is private to one process and its order is never visible.
const SEEDS: [u64; 4] =
    [0x243f_6a88_85a3_08d3, 0x1319_8a2e_0370_7344, 0xa409_3822_299f_31d0, 0x082e_fa98_ec4e_6c89];

/// A hash index over a dictionary kept elsewhere.
#[derive(Debug)]
pub(crate) struct WordIndex {
    hasher: RandomState,
    // INVARIANT: a power of two, at least twice the number of words, so a probe always meets an empty slot.
    slots: Vec<WordId>,
}

impl WordIndex {
    pub(crate) fn new(dictionary: &[String]) -> WordIndex {
        let hasher = RandomState::with_seeds(SEEDS[0], SEEDS[1], SEEDS[2], SEEDS[3]);
        let size = (dictionary.len() * 2).next_power_of_two().max(2);
        let mut index = WordIndex { hasher, slots: vec![WordId::OTHER; size] };
        for (position, word) in dictionary.iter().enumerate() {
            let mut slot = index.first_slot(word);
            while index.slots[slot] != WordId::OTHER {
                slot = (slot + 1) & (size - 1);
            }
            index.slots[slot] = WordId(position as u32 + 1);
        }
        index
    }

    #[inline]
    pub(crate) fn find(&self, dictionary: &[String], text: &str) -> WordId {
        let mut slot = self.first_slot(text);
        loop {
            let word = self.slots[slot];
            if word == WordId::OTHER || dictionary[word.0 as usize - 1] == text {
                return word;
            }
            slot = (slot + 1) & (self.slots.len() - 1);
        }
    }

    #[inline]
    fn first_slot(&self, text: &str) -> usize {
        self.hasher.hash_one(text) as usize & (self.slots.len() - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_found_and_nothing_else() {
        let dictionary: Vec<String> = (0..1_000).map(|number| format!("word {number:04}")).collect();
        let index = WordIndex::new(&dictionary);
        for (position, word) in dictionary.iter().enumerate() {
            assert_eq!(index.find(&dictionary, word), WordId(position as u32 + 1));
        }
        for absent in ["", "word", "word 1000", "Word 0001"] {
            assert_eq!(index.find(&dictionary, absent), WordId::OTHER);
        }
    }

    #[test]
    fn an_empty_dictionary_knows_nothing() {
        assert_eq!(WordIndex::new(&[]).find(&[], "x"), WordId::OTHER);
    }
}
