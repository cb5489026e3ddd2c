//! Findings as warnings for authors.

use tessera_rulevm::VerifiedProgram;
use tessera_wire::program::{Program, SignalId, SourceMap};

use super::witness::integer_text;
use super::{Finding, analyse};
use crate::codes::Code;
use crate::diagnostic::{Diagnostic, Place};

/// What the messages are about: names and places.
struct Sources<'a> {
    program: &'a Program,
    source: &'a SourceMap,
    segments: &'a [Place],
}

/// A warning for everything that is certainly odd. `segments` says where each segment's name stands.
pub(crate) fn lint(program: &VerifiedProgram, source: &SourceMap, segments: &[Place]) -> Vec<Diagnostic> {
    let sources = Sources { program: program.program(), source, segments };
    analyse(program).iter().map(|finding| sources.warning(finding)).collect()
}

impl Sources<'_> {
    fn warning(&self, finding: &Finding) -> Diagnostic {
        match finding {
            Finding::NeverTrue { rule, tier } => {
                let message = format!("{} can never match", self.tier(*rule, *tier));
                Diagnostic::new(Code::W050, self.place(*rule), message)
                    .label("its conditions contradict one another")
            }
            Finding::EmptySegment { segment } => {
                let name = self.program.segments.get(*segment as usize).map_or("", |one| one.name.as_str());
                let place = self.segments.get(*segment as usize).copied().unwrap_or(Place::NOWHERE);
                Diagnostic::new(Code::W050, place, format!("nobody can be in segment \"{name}\""))
                    .label("its conditions contradict one another")
            }
            Finding::AlwaysTrue { rule, tier } => {
                let message = format!("{} matches everybody", self.tier(*rule, *tier));
                Diagnostic::new(Code::W055, self.place(*rule), message)
                    .label("its conditions leave nobody out")
                    .help("drop the condition if that is meant")
            }
            Finding::NeverFirst { rule, by } => self.never_first(*rule, *by),
            Finding::Tie { first, second, visitor } => self.tie(*first, *second, visitor),
            Finding::Gap { rule, signal, low, high } => self.gap(*rule, *signal, *low, *high),
        }
    }

    fn never_first(&self, rule: (u32, u16), by: (u32, u16)) -> Diagnostic {
        if rule.0 == by.0 {
            let message = format!("{} is never reached", self.tier(rule.0, rule.1));
            let label = format!("tier {} takes everything it would", by.1 + 1);
            return Diagnostic::new(Code::W056, self.place(rule.0), message).label(label);
        }
        let message = format!("{} is never the first choice", self.tier(rule.0, rule.1));
        Diagnostic::new(Code::W056, self.place(rule.0), message)
            .label("everything it would take is taken before")
            .secondary(self.place(by.0), "by this rule")
            .help("raise its priority, or let the other rule take less")
    }

    fn tie(&self, first: u32, second: u32, visitor: &str) -> Diagnostic {
        let message = format!("{} and {} have the same priority", self.name(first), self.name(second));
        let who =
            if visitor.is_empty() { "everybody".to_owned() } else { format!("visitors with {visitor}") };
        Diagnostic::new(Code::W057, self.place(second), message)
            .label("loses, because it stands later")
            .secondary(self.place(first), "wins")
            .help(format!("both take {who}"))
            .help("give one of them a higher priority")
    }

    fn gap(&self, rule: u32, signal: SignalId, low: i64, high: i64) -> Diagnostic {
        let Some(attribute) = self.program.attributes.get(usize::from(signal.0)) else {
            return Diagnostic::new(Code::W058, self.place(rule), "the tiers leave a gap");
        };
        let name = &attribute.name;
        let values = if low == high {
            format!("{name} = {}", integer_text(attribute, low))
        } else {
            // The ends themselves are taken; what authors wrote are the values next to the gap.
            let (before, after) = (low.saturating_sub(1), high.saturating_add(1));
            let (before, after) = (integer_text(attribute, before), integer_text(attribute, after));
            format!("{name} between {before} and {after}")
        };
        Diagnostic::new(
            Code::W058,
            self.place(rule),
            format!("no tier of {} takes {values}", self.name(rule)),
        )
        .label("its tiers leave this out")
        .help("let a tier begin where the one before ends, or add `otherwise`")
    }

    fn name(&self, rule: u32) -> String {
        self.source
            .rules
            .get(rule as usize)
            .map_or_else(String::new, |rule| format!("rule \"{}\"", rule.name))
    }

    /// The rule, and which of its tiers when it has several.
    fn tier(&self, rule: u32, tier: u16) -> String {
        let has_several = self.program.rules.iter().any(|one| one.source == rule && one.tier > 0);
        let name = self.name(rule);
        if has_several { format!("tier {} of {name}", tier + 1) } else { name }
    }

    /// The rule's head: from its first byte to its first brace or the end of the line.
    fn place(&self, rule: u32) -> Place {
        let Some(rule) = self.source.rules.get(rule as usize) else { return Place::NOWHERE };
        let text = self.source.files.get(rule.file as usize).map_or("", |(_, text)| text.as_str());
        let whole = text.get(rule.start as usize..rule.end as usize).unwrap_or("");
        let head = whole.split(['{', '\n']).next().unwrap_or("").trim_end();
        Place { file: rule.file, start: rule.start, end: rule.start + head.len() as u32 }
    }
}
