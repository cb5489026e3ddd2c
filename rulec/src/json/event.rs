//! A visitor as JSON, typed as a test block of one more file after the rule files.
//!
//! Guarantees: total on any input; a problem has a JSON Pointer, as problems of criteria have.

use super::text::event_of;
use super::{Finding, Report, of_fault, read};
use crate::ast::File;
use crate::diagnostic::{Diagnostic, SourceFile};
use crate::format::Types;

pub(crate) use super::text::EventText;

/// Name of the file in messages.
const PATH: &str = "event";
/// What stands before the visitor in its file.
const BEFORE: &str = "test \"event\" {\n";

/// Reads a visitor. `trees` declare the attributes.
pub(crate) fn read_event(json: &str, trees: &[File]) -> Result<EventText, Vec<Finding>> {
    let node = read::read(json).map_err(|fault| vec![of_fault(fault)])?;
    event_of(&node, &Types::new(trees)).map_err(|faults| faults.into_iter().map(of_fault).collect())
}

impl EventText {
    /// The visitor as a rule file with one test block.
    pub(crate) fn file(&self) -> SourceFile {
        SourceFile { path: PATH.to_owned(), text: format!("{BEFORE}{}\n}}\n", self.text.text) }
    }

    /// What is wrong with the visitor, whose file is the last one.
    pub(crate) fn findings(&self, files: &[SourceFile], found: Vec<Diagnostic>) -> Vec<Finding> {
        let own = files.len().saturating_sub(1);
        let (text, origins) = (self.text.text.as_str(), Some(self.text.origins.as_slice()));
        Report { text, shift: BEFORE.len(), own, origins, files }.findings(found, true)
    }
}
