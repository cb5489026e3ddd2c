//! What limits campaigns, flights and what they show.

use serde::{Deserialize, Serialize};

use super::Text;

/// A frequency cap: nobody is shown what it belongs to more often than this within the window of a feature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cap {
    /// What counts: index into [`crate::program::Program::features`], a count of impressions.
    pub feature: u16,
    /// From this count on it is shown no more.
    pub count: u32,
    /// Is a visitor whose count cannot be known treated as if it were reached?
    pub blocks_unknown: bool,
}

/// What a budget counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum BudgetUnit {
    /// Money: limits are in millionths of the catalog's currency.
    Money,
    /// Ads put into answers.
    Ads,
}

/// How a budget is spread over its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Pacing {
    /// Not at all: as fast as visitors come.
    Asap,
    /// Evenly.
    Even,
    /// Half as fast again as evenly at first, and half as fast in the end.
    FrontLoaded,
}

/// What a campaign or flight may spend, or how often it shall be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Budget {
    /// What spending is remembered under, such as `flight/autumn-2026/money`: it outlives the bundle.
    pub id: Text,
    /// What it counts.
    pub unit: BudgetUnit,
    /// For all time, 0 for no such limit.
    pub total: i64,
    /// For each day in its zone, 0 for no such limit.
    pub daily: i64,
    /// How it is spread: a daily budget over its day, else the total over the time from start to end.
    pub pacing: Pacing,
    /// First instant of the time it is for, unix milliseconds.
    pub start_ms: i64,
    /// First instant after that time.
    pub end_ms: i64,
    /// IANA time zone of its days, empty for UTC.
    pub zone: Text,
}
