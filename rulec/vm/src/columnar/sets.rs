//! A column of sets: a mask per row while the query mentions few members, else the rows of each member.
//!
//! Only members that the query mentions are kept; all others of a row count as one, which is all that `only of` needs.

use tessera_wire::program::{Constraint, Program, WordId};

use super::kernel::{mark, set};
use crate::eval::has;
use crate::limits::BATCH_MEMBERS_MAX;

/// Members that fit a mask beside the bit for all others.
const MASK_MEMBERS_MAX: usize = 63;
/// Stands in a mask for every member that the query does not mention.
const OTHER: u64 = 1 << MASK_MEMBERS_MAX;

#[derive(Debug)]
pub(super) struct Sets {
    /// Sorted.
    mentioned: Vec<WordId>,
    rows: Rows,
}

#[derive(Debug)]
enum Rows {
    Masks(Vec<u64>),
    Postings(Postings),
}

#[derive(Debug, Default)]
struct Postings {
    /// Number of each member in `mentioned`, and its row, as pushed.
    pairs: Vec<(u32, u32)>,
    /// Members of each row, all unmentioned ones counted as one.
    sizes: Vec<u16>,
    /// Where the rows of each member start in `rows`, and where the last one's end. Empty when stale.
    starts: Vec<u32>,
    rows: Vec<u32>,
}

impl Sets {
    /// `mentioned` is sorted.
    pub(super) fn new(mentioned: Vec<WordId>) -> Sets {
        let has_few = mentioned.len() <= MASK_MEMBERS_MAX;
        let rows = if has_few { Rows::Masks(Vec::new()) } else { Rows::Postings(Postings::default()) };
        Sets { mentioned, rows }
    }

    /// Would these members fit?
    pub(super) fn has_room(&self, members: usize) -> bool {
        match &self.rows {
            Rows::Masks(_) => true,
            Rows::Postings(postings) => postings.pairs.len() + members <= BATCH_MEMBERS_MAX,
        }
    }

    pub(super) fn push(&mut self, members: Option<&[WordId]>) {
        let numbers = members.unwrap_or(&[]).iter().map(|member| self.mentioned.binary_search(member));
        match &mut self.rows {
            Rows::Masks(masks) => {
                let bit = |number: Result<usize, usize>| number.map_or(OTHER, |number| 1 << number);
                masks.push(numbers.fold(0, |mask, number| mask | bit(number)));
            }
            Rows::Postings(postings) => {
                let row = postings.sizes.len() as u32;
                let (mut size, mut has_other) = (0u16, false);
                for number in numbers {
                    match number {
                        Ok(number) => {
                            postings.pairs.push((number as u32, row));
                            size += 1;
                        }
                        Err(_) => has_other = true,
                    }
                }
                postings.sizes.push(size + u16::from(has_other));
                postings.starts.clear();
            }
        }
    }

    pub(super) fn clear(&mut self) {
        match &mut self.rows {
            Rows::Masks(masks) => masks.clear(),
            Rows::Postings(postings) => {
                postings.pairs.clear();
                postings.sizes.clear();
                postings.starts.clear();
            }
        }
    }

    pub(super) fn pack(&mut self) {
        if let Rows::Postings(postings) = &mut self.rows
            && postings.starts.is_empty()
        {
            postings.pack(self.mentioned.len());
        }
    }

    /// Marks rows whose set satisfies the constraint.
    pub(super) fn mark(
        &self,
        program: &Program,
        constraint: Constraint,
        counts: &mut Vec<u16>,
        bits: &mut [u64],
    ) {
        let (Constraint::AnyOf(span) | Constraint::AllOf(span) | Constraint::OnlyOf(span)) = constraint
        else {
            return;
        };
        let words = span.of(&program.words);
        match &self.rows {
            Rows::Masks(masks) => {
                let listed = self.numbers(words).fold(0u64, |mask, number| mask | 1 << number);
                match constraint {
                    Constraint::AnyOf(_) => mark(masks, bits, |mask| mask & listed != 0),
                    Constraint::AllOf(_) => mark(masks, bits, |mask| mask & listed == listed),
                    _ => mark(masks, bits, |mask| mask & !listed == 0),
                }
            }
            Rows::Postings(postings) => {
                if let Constraint::AnyOf(_) = constraint {
                    for number in self.numbers(words) {
                        postings.of(number).iter().for_each(|row| set(bits, *row as usize));
                    }
                    return;
                }
                counts.clear();
                counts.resize(postings.sizes.len(), 0);
                for number in self.numbers(words) {
                    for row in postings.of(number) {
                        counts[*row as usize] += 1;
                    }
                }
                match constraint {
                    Constraint::AllOf(_) => mark(counts, bits, |count| usize::from(count) == words.len()),
                    _ => {
                        let equal = counts.iter().zip(&postings.sizes).enumerate();
                        equal.filter(|(_, (count, size))| count == size).for_each(|(row, _)| set(bits, row));
                    }
                }
            }
        }
    }

    /// Numbers in `mentioned` of these sorted words.
    fn numbers<'a>(&'a self, words: &'a [WordId]) -> impl Iterator<Item = usize> + 'a {
        debug_assert!(
            words.iter().all(|word| has(&self.mentioned, *word)),
            "INVARIANT: the query mentions its words"
        );
        words.iter().filter_map(|word| self.mentioned.binary_search(word).ok())
    }
}

impl Postings {
    /// Groups the rows by member; counting keeps them ascending.
    fn pack(&mut self, members: usize) {
        self.starts.resize(members + 1, 0);
        for (number, _) in &self.pairs {
            self.starts[*number as usize + 1] += 1;
        }
        for number in 0..members {
            self.starts[number + 1] += self.starts[number];
        }
        self.rows.clear();
        self.rows.resize(self.pairs.len(), 0);
        let mut next = self.starts.clone();
        for (number, row) in &self.pairs {
            let place = &mut next[*number as usize];
            self.rows[*place as usize] = *row;
            *place += 1;
        }
    }

    fn of(&self, number: usize) -> &[u32] {
        match (self.starts.get(number), self.starts.get(number + 1)) {
            (Some(start), Some(end)) => self.rows.get(*start as usize..*end as usize).unwrap_or(&[]),
            _ => &[],
        }
    }
}
