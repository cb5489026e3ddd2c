//! Kill switches: what must not be shown, from now on, whatever bundle is live.
//!
//! A small JSON file that control or a person writes and engines watch:
//! `{"off": {"everything": false, "campaigns": ["autumn"], "templates": [], "creatives": ["club_box"]}}`.
//! Names that a bundle does not have switch nothing off, and stay: the next bundle may have them.

use serde::{Deserialize, Serialize};

/// Names of one list.
pub const SWITCHES_MAX: usize = 10_000;
/// Bytes of the file.
pub const SWITCHES_BYTES_MAX: usize = 1 << 20;

/// The file.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Switches {
    /// What is switched off.
    pub off: Off,
}

/// What is switched off.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Off {
    /// No ad at all, house ads included.
    pub everything: bool,
    /// Text ids of campaigns.
    pub campaigns: Vec<String>,
    /// Text ids of templates, with all their creatives.
    pub templates: Vec<String>,
    /// Text ids of fixed creatives.
    pub creatives: Vec<String>,
}

impl Switches {
    /// Is no list longer than it may be?
    pub fn fits(&self) -> bool {
        let Off { campaigns, templates, creatives, .. } = &self.off;
        [campaigns, templates, creatives].into_iter().all(|list| list.len() <= SWITCHES_MAX)
    }
}
