//! The ways in which a condition can come true: sets of literals that all hold.
//!
//! Guarantees: a set that comes out makes the condition true, whatever else does not hold; sets with fewer literals that
//! do not hold yet come first. Time and memory are bounded: of the ways of every part the best are kept, and when there
//! are very many parts, only the best one. So a way can be missed, never invented.

use tessera_wire::program::{Polarity, SignalId};

use crate::hir::{Check, Condition, definite, is_affirmative, opposite, possible, test_polarity};

/// Ways kept of each part of a condition.
const WAYS_MAX: usize = 32;
/// Combinations after which only the best way of each part is kept.
const COMBINATIONS_MAX: usize = 1_000_000;

/// A test and how it is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Literal<'c> {
    pub(super) signal: SignalId,
    pub(super) polarity: Polarity,
    pub(super) check: &'c Check,
}

impl Literal<'_> {
    /// Does it ask for a value, so that it cannot hold without one?
    pub(super) fn needs_value(&self) -> bool {
        match self.check {
            Check::Known => is_affirmative(self.polarity),
            _ => matches!(self.polarity, Polarity::Holds | Polarity::Fails),
        }
    }

    /// Is the check meant to be satisfied, where there is a value?
    pub(super) fn is_satisfied_by(&self, value: bool) -> bool {
        is_affirmative(self.polarity) == value
    }
}

/// Literals of one way, and how many of them do not hold yet.
pub(super) struct Way<'c> {
    pub(super) literals: Vec<Literal<'c>>,
    pub(super) missing: usize,
}

/// The best ways to make any of the conditions true. `holds` tells what holds already.
pub(super) fn ways<'c>(conditions: &[&'c Condition], holds: &dyn Fn(&Literal<'c>) -> bool) -> Vec<Way<'c>> {
    let mut search = Search { nodes: Vec::new(), holds, combinations: 0 };
    let found = conditions.iter().flat_map(|condition| search.of(condition, Polarity::Holds)).collect();
    let best = search.best(found);
    best.into_iter().map(|partial| search.finished(partial)).collect()
}

/// A way under construction: a tree of literals in the arena, so that joining two costs nothing.
#[derive(Clone, Copy)]
struct Partial {
    missing: usize,
    at: Option<usize>,
}

enum Node<'c> {
    Leaf(Literal<'c>),
    Join(usize, usize),
}

struct Search<'c, 'h> {
    nodes: Vec<Node<'c>>,
    holds: &'h dyn Fn(&Literal<'c>) -> bool,
    combinations: usize,
}

impl<'c> Search<'c, '_> {
    fn of(&mut self, condition: &'c Condition, polarity: Polarity) -> Vec<Partial> {
        match condition {
            Condition::Constant(value) if *value == is_affirmative(polarity) => {
                vec![Partial { missing: 0, at: None }]
            }
            Condition::Constant(_) => Vec::new(),
            Condition::Test(test) => {
                let polarity = test_polarity(test, polarity);
                let literal = Literal { signal: test.signal, polarity, check: &test.check };
                let missing = usize::from(!(self.holds)(&literal));
                vec![Partial { missing, at: Some(self.push(Node::Leaf(literal))) }]
            }
            Condition::Not(inner) => self.of(inner, opposite(polarity)),
            Condition::Definitely(inner) => self.of(inner, definite(polarity)),
            Condition::Possibly(inner) => self.of(inner, possible(polarity)),
            Condition::And(parts) | Condition::Or(parts) => {
                let is_and = matches!(condition, Condition::And(_)) == is_affirmative(polarity);
                if is_and { self.all(parts, polarity) } else { self.either(parts, polarity) }
            }
        }
    }

    fn either(&mut self, parts: &'c [Condition], polarity: Polarity) -> Vec<Partial> {
        let mut found = Vec::new();
        for part in parts {
            found.extend(self.of(part, polarity));
            found = self.best(found);
        }
        found
    }

    fn all(&mut self, parts: &'c [Condition], polarity: Polarity) -> Vec<Partial> {
        let mut found = vec![Partial { missing: 0, at: None }];
        for part in parts {
            let own = self.of(part, polarity);
            let mut joined = Vec::with_capacity(found.len() * own.len());
            for one in &found {
                for other in &own {
                    let at = match (one.at, other.at) {
                        (Some(one), Some(other)) => Some(self.push(Node::Join(one, other))),
                        (one, other) => one.or(other),
                    };
                    joined.push(Partial { missing: one.missing + other.missing, at });
                }
            }
            self.combinations += joined.len();
            found = self.best(joined);
        }
        found
    }

    fn push(&mut self, node: Node<'c>) -> usize {
        self.nodes.push(node);
        self.nodes.len() - 1
    }

    /// The ways with the fewest missing literals; of equals, those that were written first.
    fn best(&self, mut ways: Vec<Partial>) -> Vec<Partial> {
        ways.sort_by_key(|way| way.missing);
        ways.truncate(if self.combinations > COMBINATIONS_MAX { 1 } else { WAYS_MAX });
        ways
    }

    /// The literals of a way, each once.
    fn finished(&self, partial: Partial) -> Way<'c> {
        let mut found: Vec<Literal<'c>> = Vec::new();
        let mut pending: Vec<usize> = partial.at.into_iter().collect();
        while let Some(at) = pending.pop() {
            match self.nodes[at] {
                Node::Leaf(literal) => found.push(literal),
                Node::Join(one, other) => pending.extend([other, one]),
            }
        }
        found.sort_by(|one, other| {
            (one.signal, one.polarity, one.check).cmp(&(other.signal, other.polarity, other.check))
        });
        found.dedup();
        let missing = found.iter().filter(|literal| !(self.holds)(literal)).count();
        Way { literals: found, missing }
    }
}
