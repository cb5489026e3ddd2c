//! Rows as columns.
//!
//! Guarantees: a signal whose gates are not open for a row is unknown in it, whatever the frame says; nothing grows beyond
//! the named limits, because a row that does not fit is refused and the batch is as before.

use tessera_wire::program::{Constraint, Literal, SignalId, WordId};
use tessera_wire::signal::{Gates, Kind};

use super::integers::{Integers, values_of_ages};
use super::kernel::{WORD_ROWS, set};
use super::query::Query;
use super::sets::Sets;
use super::texts::Texts;
use crate::frame::Frame;
use crate::verify::VerifiedProgram;

/// Rows of the columns that a query reads.
#[derive(Debug)]
pub struct Batch {
    rows: usize,
    rows_max: usize,
    /// Sorted by signal.
    columns: Vec<Column>,
}

#[derive(Debug)]
struct Column {
    signal: SignalId,
    gates: Gates,
    /// Rows in which there is a value that may be used.
    valid: Vec<u64>,
    values: Values,
}

#[derive(Debug)]
enum Values {
    /// Nothing asks for more than whether there is a value.
    Presence,
    Integers(Integers),
    Texts(Texts),
    Sets(Sets),
}

/// Working memory of marking.
pub(super) struct Working<'a> {
    pub(super) table: &'a mut Vec<u8>,
    pub(super) counts: &'a mut Vec<u16>,
}

impl Batch {
    /// An empty batch for the columns that `query` reads. It means nothing to another program or query.
    pub fn new(program: &VerifiedProgram, query: &Query) -> Batch {
        let mut columns: Vec<Column> = Vec::new();
        let literals = query.literals(program);
        // Literals are grouped by signal.
        for group in literals.chunk_by(|left, right| left.signal == right.signal) {
            columns.extend(column(program, group));
        }
        Batch { rows: 0, rows_max: query.rows_max(), columns }
    }

    /// Adds a row: what `frame` knows of the signals whose gates are all in `open`. False when the batch is full; then
    /// nothing was added, and the batch is evaluated and cleared first. A row always fits an empty batch.
    #[must_use]
    pub fn push(&mut self, frame: &Frame, open: Gates) -> bool {
        if self.rows == self.rows_max || (self.rows > 0 && !self.has_room(frame)) {
            return false;
        }
        for column in &mut self.columns {
            column.push(frame, open.covers(column.gates), self.rows);
        }
        self.rows += 1;
        true
    }

    fn has_room(&self, frame: &Frame) -> bool {
        self.columns.iter().all(|column| match &column.values {
            Values::Presence | Values::Integers(_) => true,
            Values::Texts(texts) => texts.has_room(frame.text(column.signal).unwrap_or("")),
            Values::Sets(sets) => sets.has_room(frame.members(column.signal).map_or(0, <[WordId]>::len)),
        })
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Has it no rows?
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// Rows that fit: fewer for larger queries.
    pub fn rows_max(&self) -> usize {
        self.rows_max
    }

    /// Removes all rows and keeps the memory.
    pub fn clear(&mut self) {
        self.rows = 0;
        for column in &mut self.columns {
            column.valid.clear();
            match &mut column.values {
                Values::Presence => {}
                Values::Integers(integers) => integers.clear(),
                Values::Texts(texts) => texts.clear(),
                Values::Sets(sets) => sets.clear(),
            }
        }
    }

    pub(super) fn pack(&mut self) {
        for column in &mut self.columns {
            match &mut column.values {
                Values::Integers(integers) => integers.pack(&column.valid),
                Values::Sets(sets) => sets.pack(),
                Values::Presence | Values::Texts(_) => {}
            }
        }
    }

    /// Marks rows whose known value satisfies the literal's constraint, and returns the rows with a known value. Marks in
    /// other rows mean nothing. `None` when the batch has no such column.
    pub(super) fn mark(
        &self,
        program: &VerifiedProgram,
        literal: &Literal,
        now_ms: i64,
        working: &mut Working<'_>,
        bits: &mut [u64],
    ) -> Option<&[u64]> {
        let place = self.columns.binary_search_by_key(&literal.signal, |column| column.signal).ok()?;
        let column = &self.columns[place];
        let program = program.program();
        match (&column.values, literal.constraint) {
            (_, Constraint::Known) => bits.fill(u64::MAX),
            (Values::Integers(integers), Constraint::InRanges(span)) => {
                integers.mark_in(span.of(&program.ranges), bits);
            }
            (Values::Integers(integers), Constraint::AgeInRanges(span)) => {
                integers.mark_in(&values_of_ages(span.of(&program.ranges), now_ms), bits);
            }
            (Values::Texts(texts), constraint) => texts.mark(program, constraint, working.table, bits),
            (Values::Sets(sets), constraint) => sets.mark(program, constraint, working.counts, bits),
            (Values::Presence | Values::Integers(_), _) => {}
        }
        Some(&column.valid)
    }
}

/// The column that these literals of one signal need.
fn column(program: &VerifiedProgram, literals: &[Literal]) -> Option<Column> {
    let signal = literals.first()?.signal;
    let attribute = program.program().attributes.get(signal.0 as usize)?;
    let is_presence = literals.iter().all(|literal| literal.constraint == Constraint::Known);
    let mut mentioned: Vec<WordId> =
        literals.iter().flat_map(|literal| words_of(program, literal.constraint)).copied().collect();
    mentioned.sort_unstable();
    mentioned.dedup();
    let is_read_inside = literals.iter().any(|literal| {
        matches!(
            literal.constraint,
            Constraint::StartsWith(_) | Constraint::EndsWith(_) | Constraint::Contains(_)
        )
    });
    let values = match attribute.kind {
        _ if is_presence => Values::Presence,
        Kind::Text => Values::Texts(Texts::new(mentioned, is_read_inside)),
        Kind::Set => Values::Sets(Sets::new(mentioned)),
        _ => Values::Integers(Integers::default()),
    };
    Some(Column { signal, gates: attribute.gates, valid: Vec::new(), values })
}

fn words_of(program: &VerifiedProgram, constraint: Constraint) -> &[WordId] {
    match constraint {
        Constraint::OneOf(span)
        | Constraint::AnyOf(span)
        | Constraint::AllOf(span)
        | Constraint::OnlyOf(span) => span.of(&program.program().words),
        _ => &[],
    }
}

impl Column {
    fn push(&mut self, frame: &Frame, may_be_used: bool, row: usize) {
        if row.is_multiple_of(WORD_ROWS) {
            self.valid.push(0);
        }
        let signal = self.signal;
        let is_known = match &mut self.values {
            Values::Presence => may_be_used && frame.is_known(signal),
            Values::Integers(integers) => {
                let value = frame.integer(signal).filter(|_| may_be_used);
                integers.push(value);
                value.is_some()
            }
            Values::Texts(texts) => {
                let value = frame.word(signal).zip(frame.text(signal)).filter(|_| may_be_used);
                texts.push(value);
                value.is_some()
            }
            Values::Sets(sets) => {
                let members = frame.members(signal).filter(|_| may_be_used);
                sets.push(members);
                members.is_some()
            }
        };
        if is_known {
            set(&mut self.valid, row);
        }
    }
}
