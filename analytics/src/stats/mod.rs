//! Experiment statistics: tests, intervals and sizes, as closed formulas over counts and sums.
//!
//! Guarantees: total functions. An empty arm or a zero variance gives p = 1 and no interval, never NaN. Every formula
//! names its source and is checked against recorded values of scipy and statsmodels.
//!
//! Cost: nanoseconds to microseconds; nothing allocates but the multiple-comparison adjustments.
//!
//! Not here: which counts to compare ([`crate::report`]).

pub mod adjust;
pub mod counts;
pub mod means;
pub mod proportions;
pub mod special;
