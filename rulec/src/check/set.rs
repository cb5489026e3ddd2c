//! Tests of sets.

use super::Checker;
use super::value::comparable;
use super::vocabulary::AttributeId;
use crate::ast::{self, Includes, Op, Value, ValueKind};
use crate::codes::Code;
use crate::diagnostic::{Diagnostic, Place};
use crate::hir::{Check, Type};

impl Checker<'_> {
    pub(super) fn set_check(
        &mut self,
        id: AttributeId,
        check: &ast::Check,
        place: Place,
    ) -> Option<(Check, bool)> {
        let ast::Check::Includes { is_negated, mode, list } = check else {
            let entry = self.vocabulary.entry(id);
            let message = format!("`{}` is a set: it holds several values", entry.name);
            let diagnostic = Diagnostic::new(Code::E047, place, message)
                .help("use `includes any of (…)`, `includes all of (…)` or `includes none of (…)`");
            let fix = self.as_set_check(id, check);
            self.sink.push(fix.into_iter().fold(diagnostic, |diagnostic, text| diagnostic.fix(place, text)));
            return None;
        };
        let words = self.texts(id, list)?;
        Some(match mode {
            Includes::Any => (Check::AnyOf(words), *is_negated),
            Includes::None => (Check::AnyOf(words), !*is_negated),
            Includes::All => (Check::AllOf(words), *is_negated),
            Includes::Only => (Check::OnlyOf(words), *is_negated),
        })
    }

    /// What was probably meant by a test that is not for sets, when its values can be members.
    fn as_set_check(&self, id: AttributeId, check: &ast::Check) -> Option<String> {
        let (is_negated, values) = match check {
            ast::Check::Compare(Op::Equal, value) => (false, std::slice::from_ref(value)),
            ast::Check::Compare(Op::NotEqual, value) => (true, std::slice::from_ref(value)),
            ast::Check::In { is_negated, list } => (*is_negated, list.as_slice()),
            _ => return None,
        };
        let entry = self.vocabulary.entry(id);
        let member = |value: &Value| {
            let is_open = entry.ty == Type::Set;
            let text = match &value.kind {
                ValueKind::Text(text) => text,
                ValueKind::Word(text) if !is_open => text,
                _ => return None,
            };
            entry.has_word(&comparable(text, entry.is_caseless)).then(|| self.source_text(value.place))?
        };
        let members: Vec<&str> = values.iter().map(member).collect::<Option<_>>()?;
        let mode = if is_negated { "none" } else { "any" };
        Some(format!("{} includes {mode} of ({})", entry.name, members.join(", ")))
    }
}
