//! Every case of `fixtures/rules/*.md` decides the same way in every back end.
//!
//! The visitors of its test blocks, and variations of them with values missing, go through the reference, the branch code,
//! `evaluate`, a program that went through a bundle's bytes, columns, and SQLite.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]

mod differential;
mod suite;

use differential::compare::run;
use differential::random::Random;
use differential::sqlite::Sqlite;
use differential::world::{Row, Value};
use rulec::hir::{Condition, Unit};
use rulec::{lower, print, reference, typed};
use tessera_rulevm::columnar::{Batch, Matches, Query};
use tessera_rulevm::{Frame, Scratch, Truth, VerifiedProgram, evaluate};
use tessera_wire::bundle::{self, Bundle};
use tessera_wire::program::{RuleId, SegmentId, SignalId, WordId};
use tessera_wire::signal::{Gates, Kind};

/// Variations of each visitor.
const VARIATIONS: usize = 12;

/// What a frame knows, with any text for what no rule mentions.
fn row_of(program: &VerifiedProgram, frame: &Frame) -> Row {
    let word_text = |word: WordId| match (word.0 as usize).checked_sub(1) {
        Some(index) => program.program().dictionary[index].clone(),
        None => "\u{1}nobody mentions this".to_owned(),
    };
    let value = |(index, kind): (usize, Kind)| {
        let signal = SignalId(index as u16);
        match kind {
            Kind::Text => frame.word(signal).map(|word| match frame.text(signal) {
                Some(text) if program.program().attributes[index].needs_text => Value::Text(text.to_owned()),
                _ => Value::Text(word_text(word)),
            }),
            Kind::Set => frame
                .members(signal)
                .map(|members| Value::Set(members.iter().map(|member| word_text(*member)).collect())),
            _ => frame.integer(signal).map(Value::Integer),
        }
    };
    let kinds = program.program().attributes.iter().map(|attribute| attribute.kind).enumerate();
    Row { values: kinds.map(value).collect(), open: Gates::ALL }
}

fn conditions(unit: &Unit) -> Vec<&Condition> {
    let segments = unit.segments.iter().map(|(_, condition)| condition);
    segments.chain(unit.rules.iter().map(|rule| &rule.condition)).collect()
}

struct Compared<'a> {
    unit: &'a Unit,
    program: VerifiedProgram,
    decoded: VerifiedProgram,
}

impl Compared<'_> {
    /// Truth of every segment and rule of the program, by every program.
    fn check(&self, row: &Row, now_ms: i64, sqlite: &mut Sqlite) {
        let mut frame = Frame::new(&self.program);
        row.fill_at(&self.program, &mut frame, now_ms);
        let expected: Vec<bool> = conditions(self.unit)
            .into_iter()
            .map(|condition| reference::truth(condition, &self.program, &frame) == Truth::True)
            .collect();
        for program in [&self.program, &self.decoded] {
            check_program(self.unit, program, &frame, &expected);
        }
        sqlite.load(&self.unit.signals, std::slice::from_ref(row));
        for (condition, expected) in conditions(self.unit).into_iter().zip(&expected) {
            let found = sqlite.rows_at(&self.unit.signals, condition, now_ms);
            let text = print::condition(&self.unit.signals, condition);
            assert_eq!(found.len(), usize::from(*expected), "SQLite: {text}\n{row:?}");
        }
    }
}

fn check_program(unit: &Unit, program: &VerifiedProgram, frame: &Frame, expected: &[bool]) {
    let (segments, rules) = expected.split_at(unit.segments.len());
    let mut scratch = Scratch::new(program);
    evaluate(program, frame, &mut scratch);
    let (by_segment, by_rule) =
        (columnar(program, Query::segments(program), frame), columnar(program, Query::rules(program), frame));
    for (index, expected) in segments.iter().enumerate() {
        let segment = &program.program().segments[index];
        let found = [
            run(program, frame, segment.entry),
            scratch.is_segment_true(SegmentId(index as u32)),
            by_segment.contains(index, 0),
        ];
        assert_eq!(found, [*expected; 3], "segment \"{}\"", segment.name);
    }
    for (index, rule) in program.program().rules.iter().enumerate() {
        let source =
            unit.rules.iter().position(|own| (own.source, own.tier) == (rule.source, rule.tier)).unwrap();
        let found = [
            run(program, frame, rule.entry),
            scratch.is_rule_true(RuleId(index as u32)),
            by_rule.contains(index, 0),
        ];
        assert_eq!(found, [rules[source]; 3], "rule {} tier {}", rule.source, rule.tier);
    }
}

fn columnar(program: &VerifiedProgram, query: Query, frame: &Frame) -> Matches {
    let (mut batch, mut matches) = (Batch::new(program, &query), Matches::default());
    assert!(batch.push(frame, Gates::ALL));
    query.evaluate(program, &mut batch, frame.now_ms(), &mut matches);
    matches
}

#[test]
fn every_case_means_the_same_in_every_back_end() {
    let (mut random, mut sqlite) = (Random::new(3), Sqlite::new());
    let (mut cases, mut rows) = (0, 0);
    for case in suite::cases() {
        let names = suite::names(case.catalog.as_deref().unwrap_or(suite::DEFAULT_CATALOG));
        let Ok(typed) = typed(&case.files, &names, &case.extras) else { continue };
        let program = lower(typed.unit()).program;
        let bytes = bundle::encode(&Bundle { program: program.clone(), ..Bundle::default() });
        let decoded = bundle::decode(&bytes).unwrap().program;
        let verify = |program| VerifiedProgram::verify(program, names.bounds());
        let (Ok(program), Ok(decoded)) = (verify(program), verify(decoded)) else { continue };
        let visitors = typed.visitors(&program);
        let compared = Compared { unit: typed.unit(), program, decoded };
        for visitor in &visitors {
            let row = row_of(&compared.program, visitor);
            compared.check(&row, visitor.now_ms(), &mut sqlite);
            rows += 1;
            for _ in 0..VARIATIONS {
                let mut varied = row.clone();
                varied.values.iter_mut().filter(|_| random.chance(30)).for_each(|value| *value = None);
                compared.check(&varied, visitor.now_ms(), &mut sqlite);
                rows += 1;
            }
        }
        cases += usize::from(!visitors.is_empty());
    }
    assert!(cases >= 15 && rows >= 500, "only {cases} cases with {rows} rows were compared");
}
