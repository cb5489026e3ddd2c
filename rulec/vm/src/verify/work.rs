//! Code: it goes forward, and how long it can run.
//!
//! Cost: one pass over the branches, last first, so that both ways on from a branch are known when it is reached.

use std::collections::BTreeMap;

use tessera_wire::program::{Branch, Program};
use tessera_wire::signal::Gates;

use super::{Part, VerifyError, dangling, is_entry};
use crate::limits;

/// Branches that one evaluation by code takes at most: what [`Program::work_max`] must state at least. Compilers fill it
/// in with this; verification does not believe it. Of a program that verification refuses it is some number.
pub fn work_of(program: &Program) -> u64 {
    let mut steps = vec![0u64; program.code.len()];
    let from = |steps: &[u64], target: u32| steps.get(target as usize).copied().unwrap_or(0);
    for (at, branch) in program.code.iter().enumerate().rev() {
        steps[at] = 1 + from(&steps, branch.on_true).max(from(&steps, branch.on_false));
    }
    let rules = program.rules.iter().map(|rule| rule.entry);
    let entries = rules.chain(program.segments.iter().map(|segment| segment.entry));
    entries.map(|entry| from(&steps, entry)).fold(0, u64::saturating_add)
}

/// What evaluation from one branch on can cost and read.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Cost {
    pub(super) steps: usize,
    pub(super) gates: Gates,
}

/// Checks every branch, last first, so that the cost of both ways on is already known.
pub(super) fn check_code(program: &Program) -> Result<Vec<Cost>, VerifyError> {
    let mut costs = vec![Cost::default(); program.code.len()];
    for (at, branch) in program.code.iter().enumerate().rev() {
        let Some(literal) = program.literals.get(branch.literal.0 as usize) else {
            return Err(dangling(Part::Code, at, Part::Literal));
        };
        check_targets(program, at, branch)?;
        let (on_true, on_false) = (cost_from(&costs, branch.on_true), cost_from(&costs, branch.on_false));
        let own = program.attributes.get(literal.signal.0 as usize).map_or(Gates::ALL, |owner| owner.gates);
        costs[at] = Cost {
            steps: 1 + on_true.steps.max(on_false.steps),
            gates: own.or(on_true.gates).or(on_false.gates),
        };
    }
    Ok(costs)
}

fn check_targets(program: &Program, at: usize, branch: &Branch) -> Result<(), VerifyError> {
    for target in [branch.on_true, branch.on_false] {
        if !is_entry(program, target) {
            return Err(dangling(Part::Code, at, Part::Code));
        }
        if target as usize <= at {
            return Err(VerifyError::BackwardBranch { at });
        }
    }
    Ok(())
}

pub(super) fn check_work(program: &Program, costs: &[Cost]) -> Result<usize, VerifyError> {
    let steps = |entry: u32| cost_from(costs, entry).steps;
    let entries = program.rules.iter().map(|rule| rule.entry);
    let entries = entries.chain(program.segments.iter().map(|segment| segment.entry));
    let found = entries.map(steps).fold(0, usize::saturating_add);
    let max = limits::WORK_STEPS_MAX;
    if found > max {
        let mut of_rules = BTreeMap::<u32, usize>::new();
        for rule in &program.rules {
            let of_rule = of_rules.entry(rule.source).or_default();
            *of_rule = of_rule.saturating_add(steps(rule.entry));
        }
        let (rule, of_rule) = of_rules.into_iter().max_by_key(|one| one.1).unwrap_or_default();
        return Err(VerifyError::TooMuchWork { found, max, rule, of_rule });
    }
    if found as u64 > program.work_max {
        return Err(VerifyError::UnderstatedWork { found, stated: program.work_max });
    }
    Ok(found)
}

/// Constants cost nothing and read nothing.
pub(super) fn cost_from(costs: &[Cost], target: u32) -> Cost {
    costs.get(target as usize).copied().unwrap_or_default()
}
