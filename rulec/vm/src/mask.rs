//! Which rules may speak at the moment, whatever their conditions say.
//!
//! A campaign that is switched off, out of its flight or out of budget takes its rules' bits away; matching results are
//! then narrowed by [`crate::Scratch::retain`], and the first rule left in a placement is its winner. No program is
//! rebuilt for that.
//!
//! Cost: one bit per rule; setting one is one store.

use tessera_wire::program::RuleId;

use crate::verify::VerifiedProgram;

/// A set of rules of one program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EligibilityMask {
    pub(crate) bits: Vec<u64>,
}

impl EligibilityMask {
    /// Every rule may speak.
    pub fn all(program: &VerifiedProgram) -> EligibilityMask {
        EligibilityMask { bits: vec![u64::MAX; program.program().rules.len().div_ceil(64)] }
    }

    /// Lets a rule speak, or not. A rule that the program does not have is nobody's.
    #[inline]
    pub fn set(&mut self, rule: RuleId, is_eligible: bool) {
        if let Some(word) = self.bits.get_mut(rule.0 as usize / 64) {
            let mask = 1u64 << (rule.0 % 64);
            *word = if is_eligible { *word | mask } else { *word & !mask };
        }
    }

    /// May the rule speak?
    #[inline]
    pub fn is_eligible(&self, rule: RuleId) -> bool {
        self.bits.get(rule.0 as usize / 64).is_some_and(|word| word >> (rule.0 % 64) & 1 == 1)
    }
}
