//! The source map: for people who ask why, not for deciding.

use serde::{Deserialize, Serialize};

use super::LiteralId;

/// Where everything in a program came from, for explain and diagnostics. Not needed to decide.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SourceMap {
    /// The rule files: path relative to the source directory, and text.
    pub files: Vec<(String, String)>,
    /// Source rules in order: name and place.
    pub rules: Vec<SourceRule>,
    /// For each literal of the program: how to print it.
    pub literals: Vec<String>,
    /// Where rules name their literals, sorted by rule and literal. A section of its own in bundles, because older engines
    /// do without.
    #[serde(skip)]
    pub spans: Vec<LiteralSpan>,
}

/// Where a rule names a literal; of several places the first. For a literal of a segment that is in the segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LiteralSpan {
    /// Index of the rule in [`SourceMap::rules`].
    pub rule: u32,
    /// Which literal.
    pub literal: LiteralId,
    /// Index into [`SourceMap::files`].
    pub file: u32,
    /// Line of its first byte, counted from one.
    pub line: u32,
    /// First byte in its file.
    pub start: u32,
    /// One past its last byte.
    pub end: u32,
}

impl SourceMap {
    /// Where this rule names this literal, if that is known.
    pub fn span(&self, rule: u32, literal: LiteralId) -> Option<&LiteralSpan> {
        let found =
            self.spans.binary_search_by_key(&(rule, literal), |span| (span.rule, span.literal)).ok()?;
        self.spans.get(found)
    }
}

/// One rule as written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceRule {
    /// Its name, or a made-up `line N` for a one-line rule.
    pub name: String,
    /// Index into [`SourceMap::files`].
    pub file: u32,
    /// First byte of the rule in its file.
    pub start: u32,
    /// One past its last byte.
    pub end: u32,
    /// Line of its first byte, counted from one.
    pub line: u32,
}
