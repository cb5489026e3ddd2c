//! Which conditions are asked for, and their evaluation over a batch.
//!
//! Branches are evaluated last first: the rows that a branch accepts are `literal AND accepted(on_true)` with
//! `NOT literal AND accepted(on_false)`. One pass over the branches that the query reaches serves all its conditions,
//! so shared tails cost nothing, and a condition's size is the only thing its cost depends on.

use tessera_wire::program::{ACCEPT, Literal, LiteralId, Polarity, REJECT};

use super::batch::{Batch, Working};
use super::kernel::WORD_ROWS;
use super::matches::Matches;
use crate::limits::{BATCH_BYTES_MAX, BATCH_ROWS_MAX};
use crate::verify::VerifiedProgram;

/// Conditions of a program to be evaluated over many rows.
#[derive(Debug, Clone)]
pub struct Query {
    /// What each condition amounts to, in the caller's order.
    results: Vec<Target>,
    /// In the order of the code, so targets have higher numbers.
    nodes: Vec<Node>,
    /// Distinct, sorted.
    literals: Vec<LiteralId>,
    signals: usize,
}

/// The rows that are accepted from some place in the code on.
#[derive(Debug, Clone, Copy)]
enum Target {
    All,
    None,
    /// Exactly those where a literal fires: number in [`Query::literals`].
    Literal(u32),
    /// Number in [`Query::nodes`].
    Node(u32),
}

#[derive(Debug, Clone, Copy)]
struct Node {
    literal: u32,
    on_true: Target,
    on_false: Target,
}

impl Query {
    /// The conditions of all segments, in order.
    pub fn segments(program: &VerifiedProgram) -> Query {
        let entries: Vec<u32> = program.program().segments.iter().map(|segment| segment.entry).collect();
        Query::new(program, &entries)
    }

    /// The conditions of all rules, in order.
    pub fn rules(program: &VerifiedProgram) -> Query {
        let entries: Vec<u32> = program.program().rules.iter().map(|rule| rule.entry).collect();
        Query::new(program, &entries)
    }

    /// The conditions that start at these places of the code. One that starts nowhere is never true.
    pub fn new(program: &VerifiedProgram, entries: &[u32]) -> Query {
        let code = &program.program().code;
        let mut is_reached = vec![false; code.len()];
        for entry in entries {
            is_reached.get_mut(*entry as usize).into_iter().for_each(|reached| *reached = true);
        }
        // INVARIANT: verified code goes forward, so one pass reaches everything.
        for (at, branch) in code.iter().enumerate() {
            if is_reached[at] {
                for target in [branch.on_true, branch.on_false] {
                    is_reached.get_mut(target as usize).into_iter().for_each(|reached| *reached = true);
                }
            }
        }
        let reached =
            || code.iter().zip(&is_reached).filter(|(_, reached)| **reached).map(|(branch, _)| branch);
        let mut literals: Vec<LiteralId> = reached().map(|branch| branch.literal).collect();
        literals.sort_unstable();
        literals.dedup();
        let mut query = Query { results: Vec::new(), nodes: Vec::new(), literals, signals: 0 };
        query.link(program, &is_reached, entries);
        let mut signals: Vec<_> = query.literals(program).iter().map(|literal| literal.signal).collect();
        signals.dedup();
        query.signals = signals.len();
        query
    }

    /// Numbers the reached branches; a branch that only passes its literal on needs no bitmap of its own.
    fn link(&mut self, program: &VerifiedProgram, is_reached: &[bool], entries: &[u32]) {
        let code = &program.program().code;
        let number = |literal: LiteralId| self.literals.binary_search(&literal).unwrap_or(0) as u32;
        let is_plain = |at: usize| code[at].on_true == ACCEPT && code[at].on_false == REJECT;
        let mut targets = vec![Target::None; code.len()];
        let mut next = 0;
        for at in (0..code.len()).filter(|at| is_reached[*at]) {
            targets[at] = if is_plain(at) {
                Target::Literal(number(code[at].literal))
            } else {
                next += 1;
                Target::Node(next - 1)
            };
        }
        let target = |at: u32| match at {
            ACCEPT => Target::All,
            _ => targets.get(at as usize).copied().unwrap_or(Target::None),
        };
        let nodes =
            code.iter().zip(&targets).filter(|(_, own)| matches!(own, Target::Node(_))).map(|(branch, _)| {
                Node {
                    literal: number(branch.literal),
                    on_true: target(branch.on_true),
                    on_false: target(branch.on_false),
                }
            });
        self.nodes = nodes.collect();
        self.results = entries.iter().map(|entry| target(*entry)).collect();
    }

    /// Number of conditions.
    pub fn len(&self) -> usize {
        self.results.len()
    }

    /// Are there no conditions?
    pub fn is_empty(&self) -> bool {
        self.results.is_empty()
    }

    /// The distinct literals, grouped by signal.
    pub(super) fn literals(&self, program: &VerifiedProgram) -> Vec<Literal> {
        let all = &program.program().literals;
        self.literals.iter().filter_map(|literal| all.get(literal.0 as usize)).copied().collect()
    }

    /// Rows of a batch, so that columns and bitmaps together stay within the limit.
    pub(super) fn rows_max(&self) -> usize {
        // A value takes at most 16 bytes in its column; the bitmaps take a bit each.
        let bits = self.literals.len() + self.nodes.len() + self.results.len() + self.signals * 8 * 16;
        let rows = BATCH_BYTES_MAX.saturating_mul(8) / bits.max(1);
        (rows / WORD_ROWS * WORD_ROWS).clamp(WORD_ROWS, BATCH_ROWS_MAX)
    }

    /// Finds the rows of `batch` that satisfy each condition at `now_ms`. The batch must have been made for this query and
    /// program; it stays as it is and may be evaluated again at another time.
    pub fn evaluate(&self, program: &VerifiedProgram, batch: &mut Batch, now_ms: i64, matches: &mut Matches) {
        batch.pack();
        let words = batch.len().div_ceil(WORD_ROWS);
        matches.rows = batch.len();
        self.test_literals(program, batch, now_ms, matches);
        refill(&mut matches.nodes, self.nodes.len() * words);
        for (number, node) in self.nodes.iter().enumerate().rev() {
            let (until, after) = matches.nodes.split_at_mut((number + 1) * words);
            let bits = |target: Target| match target {
                Target::All => Rows::All,
                Target::None => Rows::None,
                Target::Literal(literal) => Rows::Some(slice(&matches.literals, literal as usize, words)),
                Target::Node(node) => {
                    Rows::Some(slice(after, (node as usize).wrapping_sub(number + 1), words))
                }
            };
            let literal = slice(&matches.literals, node.literal as usize, words);
            join(&mut until[number * words..], literal, bits(node.on_true), bits(node.on_false));
        }
        self.collect(words, matches);
    }

    fn test_literals(&self, program: &VerifiedProgram, batch: &Batch, now_ms: i64, matches: &mut Matches) {
        let words = batch.len().div_ceil(WORD_ROWS);
        refill(&mut matches.literals, self.literals.len() * words);
        if words == 0 {
            return;
        }
        let mut working = Working { table: &mut matches.table, counts: &mut matches.counts };
        for (literal, bits) in self.literals(program).iter().zip(matches.literals.chunks_exact_mut(words)) {
            match batch.mark(program, literal, now_ms, &mut working, bits) {
                Some(valid) => apply(literal.polarity, valid, bits),
                // No column: nothing is known.
                None => {
                    let is_true = matches!(literal.polarity, Polarity::Possibly | Polarity::NotDefinitely);
                    bits.fill(if is_true { u64::MAX } else { 0 });
                }
            }
        }
    }

    fn collect(&self, words: usize, matches: &mut Matches) {
        refill(&mut matches.results, self.results.len() * words);
        if words == 0 {
            return;
        }
        let beyond = matches.rows % WORD_ROWS;
        let last = if beyond == 0 { u64::MAX } else { (1 << beyond) - 1 };
        for (target, result) in self.results.iter().zip(matches.results.chunks_exact_mut(words)) {
            match *target {
                Target::All => result.fill(u64::MAX),
                Target::None => {}
                Target::Literal(literal) => {
                    result.copy_from_slice(slice(&matches.literals, literal as usize, words))
                }
                Target::Node(node) => result.copy_from_slice(slice(&matches.nodes, node as usize, words)),
            }
            result[words - 1] &= last;
        }
    }
}

/// Reads what is known with the literal's polarity.
fn apply(polarity: Polarity, valid: &[u64], bits: &mut [u64]) {
    let pairs = bits.iter_mut().zip(valid);
    match polarity {
        Polarity::Holds => pairs.for_each(|(bits, valid)| *bits &= valid),
        Polarity::Fails => pairs.for_each(|(bits, valid)| *bits = !*bits & valid),
        Polarity::Possibly => pairs.for_each(|(bits, valid)| *bits |= !valid),
        Polarity::NotDefinitely => pairs.for_each(|(bits, valid)| *bits = !(*bits & valid)),
    }
}

/// The rows accepted from a target on.
#[derive(Clone, Copy)]
enum Rows<'a> {
    All,
    None,
    Some(&'a [u64]),
}

/// Where the literal fires, the rows of `on_true`; elsewhere those of `on_false`.
fn join(out: &mut [u64], literal: &[u64], on_true: Rows<'_>, on_false: Rows<'_>) {
    let out = out.iter_mut().zip(literal);
    match (on_true, on_false) {
        (Rows::All, Rows::All) => out.for_each(|(out, _)| *out = u64::MAX),
        (Rows::None, Rows::None) => {}
        (Rows::All, Rows::None) => out.for_each(|(out, fires)| *out = *fires),
        (Rows::None, Rows::All) => out.for_each(|(out, fires)| *out = !fires),
        (Rows::All, Rows::Some(rows)) => out.zip(rows).for_each(|((out, fires), rows)| *out = fires | rows),
        (Rows::None, Rows::Some(rows)) => out.zip(rows).for_each(|((out, fires), rows)| *out = !fires & rows),
        (Rows::Some(rows), Rows::All) => out.zip(rows).for_each(|((out, fires), rows)| *out = !fires | rows),
        (Rows::Some(rows), Rows::None) => out.zip(rows).for_each(|((out, fires), rows)| *out = fires & rows),
        (Rows::Some(yes), Rows::Some(no)) => {
            let rows = yes.iter().zip(no);
            out.zip(rows).for_each(|((out, fires), (yes, no))| *out = fires & yes | !fires & no);
        }
    }
}

fn slice(bits: &[u64], number: usize, words: usize) -> &[u64] {
    let start = number.saturating_mul(words);
    bits.get(start..start.saturating_add(words)).unwrap_or(&[])
}

fn refill(bits: &mut Vec<u64>, count: usize) {
    bits.clear();
    bits.resize(count, 0);
}
