//! Flights: when a campaign runs, what it may spend, and how it ranks among others.

use serde::{Deserialize, Serialize};

use super::Text;
use crate::program::{SignalId, Span};

/// How binding the promise behind a flight is. Of candidates whom rules rank equal, the lower class stands first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub enum FlightClass {
    /// Has its places bought outright.
    Sponsorship,
    /// Has an amount promised to it.
    #[default]
    Standard,
    /// Takes what is left.
    Bulk,
    /// The publisher's own.
    House,
}

impl FlightClass {
    /// Every class, in order, as the catalog writes it.
    pub const ALL: [(FlightClass, &'static str); 4] = [
        (FlightClass::Sponsorship, "sponsorship"),
        (FlightClass::Standard, "standard"),
        (FlightClass::Bulk, "bulk"),
        (FlightClass::House, "house"),
    ];
}

/// A run of a campaign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flight {
    /// Text id.
    pub id: Text,
    /// First instant, unix milliseconds.
    pub start_ms: i64,
    /// First instant after the flight, unix milliseconds.
    pub end_ms: i64,
    /// Its frequency caps ([`super::Catalog::caps`]).
    pub caps: Span,
    /// What it may spend ([`super::Catalog::budgets`]).
    pub budgets: Span,
    /// Price of a thousand ads, in millionths of the catalog's currency; 0 for none.
    pub cpm_micros: i64,
    /// When in the week it runs ([`super::Catalog::dayparts`]); empty for always.
    pub dayparts: Span,
    /// Whose week: an attribute of the program that holds a minute of the week. Means nothing without dayparts.
    pub clock: SignalId,
    /// How binding its promise is.
    pub class: FlightClass,
    /// Within its class; the higher stands first.
    pub priority: i16,
    /// Share of what it has in common with its equals; 0 stands behind all that have a share.
    pub weight: u16,
}

impl Flight {
    /// What orders flights that rules rank equal: the least stands first.
    #[inline]
    pub fn rank(&self) -> (FlightClass, i32) {
        (self.class, -i32::from(self.priority))
    }
}
