//! Leaves only the signals and counters that a condition reads, numbered anew in the order of their first use.

use std::collections::HashMap;

use tessera_wire::program::{Feature, Origin, Polarity, SignalId};

use crate::hir::{Condition, Signal};

/// The condition with its signals and features renumbered.
pub(super) fn prune(
    mut condition: Condition,
    signals: Vec<Signal>,
    features: Vec<Feature>,
) -> (Condition, Vec<Signal>, Vec<Feature>) {
    let mut order: Vec<SignalId> = Vec::new();
    let mut numbers: HashMap<SignalId, SignalId> = HashMap::new();
    condition.visit_tests(Polarity::Holds, &mut |test, _| {
        numbers.entry(test.signal).or_insert_with(|| {
            order.push(test.signal);
            SignalId(order.len() as u16 - 1)
        });
    });
    renumber(&mut condition, &numbers);
    let (mut kept, mut kept_features) = (Vec::new(), Vec::new());
    for signal in order {
        let Some(mut signal) = signals.get(usize::from(signal.0)).cloned() else { continue };
        if let Origin::Feature(feature) = &mut signal.attribute.origin
            && let Some(own) = features.get(usize::from(*feature))
        {
            *feature = kept_features.len() as u16;
            kept_features.push(own.clone());
        }
        kept.push(signal);
    }
    (condition, kept, kept_features)
}

fn renumber(condition: &mut Condition, numbers: &HashMap<SignalId, SignalId>) {
    match condition {
        Condition::Constant(_) => {}
        Condition::Test(test) => test.signal = numbers.get(&test.signal).copied().unwrap_or(test.signal),
        Condition::Not(inner) | Condition::Definitely(inner) | Condition::Possibly(inner) => {
            renumber(inner, numbers)
        }
        Condition::And(parts) | Condition::Or(parts) => {
            parts.iter_mut().for_each(|part| renumber(part, numbers))
        }
    }
}
