//! Rule files after checking and before lowering: what other back ends than the program start from.
//!
//! Guarantees: the same checks as [`crate::compile`], except that test blocks are not run and the program's limits are not
//! looked at. Cost: as for compiling.

use tessera_rulevm::{Frame, VerifiedProgram};

use crate::check::Checked;
use crate::diagnostic::{Diagnostic, Sink, SourceFile};
use crate::hir::Unit;
use crate::{Extra, Names, testing};

/// Rule files, typed.
#[derive(Debug)]
pub struct Typed(Checked);

impl Typed {
    /// Everything that would become one program.
    pub fn unit(&self) -> &Unit {
        &self.0.unit
    }

    /// The visitors of all test blocks, as the consent gate would leave them.
    pub fn visitors(&self, program: &VerifiedProgram) -> Vec<Frame> {
        let frame = |test| {
            let mut frame = Frame::new(program);
            testing::fill(program, &self.0, test, &mut frame);
            frame
        };
        self.0.tests.iter().map(frame).collect()
    }
}

/// Checks all rule files of a bundle together.
///
/// # Errors
/// Every diagnostic, warnings included, in source order, when at least one is an error.
pub fn typed(files: &[SourceFile], names: &Names, extras: &[Extra]) -> Result<Typed, Vec<Diagnostic>> {
    let mut sink = Sink::default();
    match crate::checked(files, names, extras, &mut sink) {
        Some((checked, _)) => Ok(Typed(checked)),
        None => Err(sink.into_sorted(files)),
    }
}
