//! Every condition as a list of conjunctions over interned regions.
//!
//! Rules share conditions and conjunctions share regions, so each is worked out once.

use std::collections::HashMap;

use tessera_wire::program::{Branch, Literal, LiteralId, Program, SignalId};

use super::implicant::{accepting, opposite, rejecting};
use super::region::Region;

/// One conjunction: interned regions by signal, in signal order. Empty when it is always true.
pub(super) type Conjunction = Vec<u32>;

/// What is known of one condition.
#[derive(Debug, Clone, Default)]
pub(super) struct Shape {
    /// Conjunctions that can be true. Each is enough to make the condition true.
    pub(super) conjunctions: Vec<Conjunction>,
    /// Are these all of them?
    pub(super) is_complete: bool,
}

impl Shape {
    /// Can nothing make the condition true?
    pub(super) fn is_never(&self) -> bool {
        self.is_complete && self.conjunctions.is_empty()
    }
}

/// All conditions of a program, by where their code starts.
pub(super) struct Boxes {
    pub(super) regions: Vec<Region>,
    by_literals: HashMap<Vec<LiteralId>, u32>,
    shapes: HashMap<u32, Shape>,
}

impl Boxes {
    /// Works out every condition of the program's rules and segments.
    pub(super) fn new(program: &Program) -> Boxes {
        let mut boxes = Boxes { regions: Vec::new(), by_literals: HashMap::new(), shapes: HashMap::new() };
        let entries = program.rules.iter().map(|rule| rule.entry);
        for entry in entries.chain(program.segments.iter().map(|segment| segment.entry)) {
            if !boxes.shapes.contains_key(&entry) {
                let shape = boxes.shape(program, entry);
                boxes.shapes.insert(entry, shape);
            }
        }
        boxes
    }

    /// The condition whose code starts here; one about which nothing is known when it is not a rule's or segment's.
    pub(super) fn of(&self, entry: u32) -> &Shape {
        const UNKNOWN: &Shape = &Shape { conjunctions: Vec::new(), is_complete: false };
        self.shapes.get(&entry).unwrap_or(UNKNOWN)
    }

    fn shape(&mut self, program: &Program, entry: u32) -> Shape {
        let Some(implicants) = accepting(&program.code, entry) else { return Shape::default() };
        let mut conjunctions = Vec::new();
        for literals in implicants {
            let regions: Conjunction = by_signal(program, &literals)
                .into_iter()
                .map(|(signal, literals)| self.intern(program, signal, literals))
                .collect();
            if !regions.iter().any(|region| self.regions[*region as usize].is_empty()) {
                conjunctions.push(regions);
            }
        }
        Shape { conjunctions, is_complete: true }
    }

    fn intern(&mut self, program: &Program, signal: SignalId, literals: Vec<LiteralId>) -> u32 {
        if let Some(found) = self.by_literals.get(&literals) {
            return *found;
        }
        let id = self.regions.len() as u32;
        self.regions.push(Region::new(program, signal, literals.clone()));
        self.by_literals.insert(literals, id);
        id
    }
}

/// Literals are numbered by signal, so those of one signal stand together.
pub(super) fn by_signal(program: &Program, literals: &[LiteralId]) -> Vec<(SignalId, Vec<LiteralId>)> {
    let mut groups: Vec<(SignalId, Vec<LiteralId>)> = Vec::new();
    for id in literals {
        let Some(literal) = program.literals.get(id.0 as usize) else { continue };
        match groups.last_mut() {
            Some((signal, group)) if *signal == literal.signal => group.push(*id),
            _ => groups.push((literal.signal, vec![*id])),
        }
    }
    groups
}

/// Is the condition certainly true for everyone, although it tests something?
pub(super) fn is_always(program: &Program, code: &[Branch], entry: u32) -> bool {
    let Some(rejections) = rejecting(code, entry) else { return false };
    rejections.iter().all(|literals| {
        by_signal(program, literals).iter().any(|(_, group)| {
            let group: Vec<Literal> = group
                .iter()
                .filter_map(|id| program.literals.get(id.0 as usize))
                .map(|literal| Literal { polarity: opposite(literal.polarity), ..*literal })
                .collect();
            Region::is_contradiction(program, &group)
        })
    })
}
