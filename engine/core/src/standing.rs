//! How things stand besides the bundle at the moment of a decision.
//!
//! Plain values that the decision reads and never writes, so that equal standings give equal decisions.

use crate::budget::Funds;
use crate::switches::Switches;

/// What changes from one moment to the next without a new bundle.
#[derive(Debug, Clone, Copy, Default)]
pub struct Standing<'a> {
    /// What may be spent, by budget of the catalog. Where the list is shorter, nothing is kept of the budget and it does not
    /// limit: rules are tried out and tested without an engine that keeps the books.
    pub funds: &'a [Funds],
    /// What is switched off; `None` when nothing is.
    pub switches: Option<&'a Switches>,
}
