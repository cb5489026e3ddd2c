//! Values between two tiers that neither takes: `50 EUR ..< 100 EUR` and `> 100 EUR` leave 100 EUR to nobody.

use tessera_wire::program::{Constraint, Polarity, Program, Rule, SignalId};
use tessera_wire::signal::{Kind, NUMBER_SCALE};

use super::boxes::{Boxes, Conjunction};

/// Cents are the finest amounts that prices have.
const CENT: i64 = NUMBER_SCALE / 100;

/// Values that fall between the tiers of one source rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Gap {
    /// Source index of the rule.
    pub(super) source: u32,
    /// Which signal the tiers tell apart.
    pub(super) signal: SignalId,
    /// First value that no tier takes.
    pub(super) low: i64,
    /// Last value that no tier takes.
    pub(super) high: i64,
}

/// The gaps between the tiers of one rule in one placement.
pub(super) fn gaps(program: &Program, boxes: &Boxes, tiers: &[&Rule]) -> Vec<Gap> {
    let conjunctions: Vec<&Conjunction> =
        tiers.iter().flat_map(|tier| &boxes.of(tier.entry).conjunctions).collect();
    let Some(first) = tiers.first().filter(|_| tiers.len() > 1 && conjunctions.len() == tiers.len()) else {
        return Vec::new();
    };
    let Some(signal) = divider(boxes, &conjunctions) else { return Vec::new() };
    let mut ranges: Vec<(i64, i64)> = Vec::new();
    for conjunction in &conjunctions {
        let region = conjunction.iter().find(|region| boxes.regions[**region as usize].signal == signal);
        let Some(region) = region.map(|region| &boxes.regions[*region as usize]) else { return Vec::new() };
        if !region.literals.iter().all(|id| is_plain_range(program, *id)) {
            return Vec::new();
        }
        ranges.extend_from_slice(&region.known.integers);
    }
    ranges.sort_unstable();
    let mut found = Vec::new();
    let mut reached = ranges.first().map_or(i64::MAX, |range| range.1);
    for (low, high) in ranges {
        if let (Some(first_missed), Some(last_missed)) = (reached.checked_add(1), low.checked_sub(1))
            && first_missed <= last_missed
            && is_reachable(program, signal, first_missed, last_missed)
        {
            found.push(Gap { source: first.source, signal, low: first_missed, high: last_missed });
        }
        reached = reached.max(high);
    }
    found
}

/// The one signal in which the conjunctions differ.
fn divider(boxes: &Boxes, conjunctions: &[&Conjunction]) -> Option<SignalId> {
    let (first, others) = conjunctions.split_first()?;
    let differing: Vec<SignalId> = first
        .iter()
        .filter(|region| others.iter().any(|other| !other.contains(region)))
        .map(|region| boxes.regions[*region as usize].signal)
        .collect();
    let same_length = others.iter().all(|other| other.len() == first.len());
    match differing.as_slice() {
        [signal] if same_length => Some(*signal),
        _ => None,
    }
}

fn is_plain_range(program: &Program, id: tessera_wire::program::LiteralId) -> bool {
    program.literals.get(id.0 as usize).is_some_and(|literal| {
        literal.polarity == Polarity::Holds && matches!(literal.constraint, Constraint::InRanges(_))
    })
}

/// Does a value that people write lie in the gap? Ages 18..24 and 25..34 leave nothing out; 50..99 EUR and 100 EUR do.
fn is_reachable(program: &Program, signal: SignalId, low: i64, high: i64) -> bool {
    let step = match program.attributes.get(usize::from(signal.0)).map(|attribute| attribute.kind) {
        Some(Kind::Money) => CENT,
        Some(Kind::Number) => NUMBER_SCALE,
        Some(Kind::Time | Kind::Duration) => 1_000,
        _ => 1,
    };
    let first = low.div_euclid(step).saturating_add(i64::from(low.rem_euclid(step) != 0));
    first.saturating_mul(step) <= high
}
