//! W052: neighbouring tiers that both take the value at their common end.

use tessera_wire::program::SignalId;

use super::Checker;
use super::rule::Branch;
use crate::ast::{self, CondKind, Op, RuleItem, Value, ValueKind};
use crate::codes::Code;
use crate::diagnostic::{Diagnostic, Fix, Place};
use crate::hir::{Check, Condition};
use crate::print;

/// What two neighbouring tiers share.
struct Shared {
    signal: SignalId,
    value: i64,
    /// Is the value the upper end of the first tier, and not of the second?
    ends_first: bool,
}

impl Checker<'_> {
    /// W052: two neighbouring tiers that meet in exactly one value.
    pub(super) fn warn_shared_boundaries(&mut self, item: &RuleItem, branches: &[Branch]) {
        for pair in branches.windows(2) {
            let (Some(wins), Some(loses), Some(shared)) =
                (pair[0].place, pair[1].place, shared_boundary(&pair[0].condition, &pair[1].condition))
            else {
                continue;
            };
            let attribute = self.vocabulary.of_signal(shared.signal).map_or("", |entry| entry.name.as_str());
            let value = print::number(shared.value);
            let message = format!("two tiers of rule \"{}\" both take {attribute} = {value}", item.name.text);
            let (which, upper) = if shared.ends_first { ("first", wins) } else { ("second", loses) };
            let diagnostic = Diagnostic::new(Code::W052, loses, message)
                .label("this tier never sees it: the first one wins")
                .secondary(wins, "wins")
                .help(format!("make the {which} range half-open with `..<`"));
            let fix = self.half_open(item, upper);
            self.sink.push(
                fix.into_iter().fold(diagnostic, |diagnostic, fix| diagnostic.fix(fix.place, fix.text)),
            );
        }
    }

    /// Leaves the upper end out of the range at this place, where it is written in a way that can.
    fn half_open(&self, item: &RuleItem, place: Place) -> Option<Fix> {
        let mut conditions = item.tiers.iter().filter_map(|tier| tier.condition.as_ref());
        let condition = conditions.find(|condition| condition.place == place)?;
        let (CondKind::Test(_, check) | CondKind::Count(_, check) | CondKind::Bucket(_, check)) =
            &condition.kind
        else {
            return None;
        };
        match check {
            ast::Check::In { is_negated: false, list } => match list.as_slice() {
                [Value { kind: ValueKind::Range { low, high, is_half_open: false }, .. }] => {
                    let dots = self.between(low.place, high.place, "..")?;
                    Some(Fix { place: dots, text: "..<".to_owned() })
                }
                _ => None,
            },
            ast::Check::Between(low, high) => {
                self.between(low.place, high.place, "and")?;
                let word = self.before(low.place, "between")?;
                let text = format!("in {} ..< ", self.source_text(low.place)?);
                Some(Fix { place: Place { end: high.place.start, ..word }, text })
            }
            ast::Check::Compare(Op::AtMost, value) => {
                let sign = self.before(value.place, "<=")?;
                Some(Fix { place: sign, text: "<".to_owned() })
            }
            _ => None,
        }
    }

    /// The word between two places, if nothing else stands there.
    fn between(&self, first: Place, second: Place, word: &str) -> Option<Place> {
        let gap = Place { start: first.end, end: second.start, ..first };
        let text = self.source_text(gap)?;
        let at = gap.start + u32::try_from(text.find(word)?).ok()?;
        (text.trim() == word).then_some(Place { start: at, end: at + word.len() as u32, ..gap })
    }

    /// The word right before a place.
    fn before(&self, place: Place, word: &str) -> Option<Place> {
        let text = self.source_text(Place { start: 0, end: place.start, ..place })?.trim_end();
        let end = u32::try_from(text.len()).ok()?;
        text.ends_with(word).then_some(Place { start: end - word.len() as u32, end, ..place })
    }
}

/// The one value that two simple range tests of the same signal both take.
fn shared_boundary(first: &Condition, second: &Condition) -> Option<Shared> {
    let (Condition::Test(first), Condition::Test(second)) = (first, second) else { return None };
    let (Check::InRanges(left), Check::InRanges(right)) = (&first.check, &second.check) else { return None };
    let ([left], [right]) = (left.as_slice(), right.as_slice()) else { return None };
    let (low, high) = (left.0.max(right.0), left.1.min(right.1));
    let is_one_point_of_two_ranges = low == high && left.0 != left.1 && right.0 != right.1;
    let shared = Shared { signal: first.signal, value: low, ends_first: left.1 == low };
    (first.signal == second.signal && is_one_point_of_two_ranges).then_some(shared)
}
