//! One program, many rows, five answers.

use rulec::hir::Condition;
use rulec::{lower, print, reference};
use tessera_rulevm::columnar::{Batch, Matches, Query};
use tessera_rulevm::{CatalogBounds, Frame, Scratch, Truth, VerifiedProgram, evaluate, literal_truth};
use tessera_wire::bundle::{self, Bundle};
use tessera_wire::program::{ACCEPT, REJECT, RuleId, SegmentId};

use super::random::Random;
use super::sqlite::Sqlite;
use super::world::{self, NOW_MS, Row};

const CONDITIONS_MAX: usize = 4;
/// One program of so many is large, because matchers treat thousands of literals otherwise than ten.
const LARGE_EVERY: u64 = 101;
const LARGE_CONDITIONS: usize = 400;
const DEPTH_MAX: usize = 3;

/// How much a run compares.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Rows for each program.
    pub rows: usize,
    /// One program of so many also asks SQLite.
    pub sqlite_every: u64,
}

/// What one program was asked.
#[derive(Debug, Default, Clone, Copy)]
pub struct Done {
    /// Rows given to the program.
    pub cases: u64,
    /// Answers of every condition for every row.
    pub answers: u64,
    /// Of them true ones: a run in which nothing is ever true shows nothing.
    pub matches: u64,
}

/// Compares the back ends on the program with this seed.
///
/// # Errors
/// The difference, reduced to one condition and one row.
pub fn program(seed: u64, plan: Plan, sqlite: &mut Sqlite) -> Result<Done, String> {
    let mut random = Random::new(seed);
    let is_large = seed.is_multiple_of(LARGE_EVERY);
    let count = if is_large { LARGE_CONDITIONS } else { 1 + random.below(CONDITIONS_MAX) };
    let conditions: Vec<Condition> = (0..count).map(|_| world::condition(&mut random, DEPTH_MAX)).collect();
    let rows = if is_large { plan.rows.div_ceil(8) } else { plan.rows };
    let rows: Vec<Row> = (0..rows).map(|_| world::row(&mut random)).collect();
    let answers = answers(&conditions, &rows, seed.is_multiple_of(2));
    let mut done = Done { cases: rows.len() as u64, ..Done::default() };
    for (row, profile) in rows.iter().enumerate() {
        for (number, condition) in conditions.iter().enumerate() {
            let expected = answers[0].1.is_true(row, number);
            done.answers += 1;
            done.matches += u64::from(expected);
            if let Some((name, _)) = answers.iter().find(|(_, found)| found.is_true(row, number) != expected)
            {
                return Err(dump(seed, name, condition, profile));
            }
        }
    }
    if seed.is_multiple_of(plan.sqlite_every) {
        sqlite.load(&world::signals(), &rows);
        for (number, condition) in conditions.iter().enumerate() {
            let found = sqlite.rows(&world::signals(), condition);
            let expected = (0..rows.len() as u32).filter(|row| answers[0].1.is_true(*row as usize, number));
            if let Some(row) = first_difference(&found, &expected.collect::<Vec<_>>()) {
                return Err(dump(seed, "SQLite", condition, &rows[row as usize]));
            }
        }
    }
    Ok(done)
}

/// The rows that satisfy each condition, by the reference.
pub fn expected(conditions: &[Condition], rows: &[Row]) -> Vec<Vec<u32>> {
    let program = verified(conditions, false);
    let mut frame = Frame::new(&program);
    let mut found = vec![Vec::new(); conditions.len()];
    for (row, profile) in (0u32..).zip(rows) {
        profile.fill(&program, &mut frame, true);
        for (found, condition) in found.iter_mut().zip(conditions) {
            if reference::truth(condition, &program, &frame) == Truth::True {
                found.push(row);
            }
        }
    }
    found
}

fn first_difference(left: &[u32], right: &[u32]) -> Option<u32> {
    let only = |these: &[u32], others: &[u32]| these.iter().find(|row| !others.contains(row)).copied();
    only(left, right).or_else(|| only(right, left))
}

/// Truth of each condition for each row.
struct Answers {
    conditions: usize,
    bits: Vec<bool>,
}

impl Answers {
    fn is_true(&self, row: usize, condition: usize) -> bool {
        self.bits[row * self.conditions + condition]
    }
}

pub fn verified(conditions: &[Condition], is_through_bytes: bool) -> VerifiedProgram {
    let mut program = lower(&world::unit(conditions)).program;
    if is_through_bytes {
        program = bundle::decode(&bundle::encode(&Bundle { program, ..Bundle::default() })).unwrap().program;
    }
    let bounds = CatalogBounds { placements: 2, ..CatalogBounds::default() };
    VerifiedProgram::verify(program, bounds).unwrap()
}

/// The reference's answers first.
fn answers(conditions: &[Condition], rows: &[Row], is_through_bytes: bool) -> Vec<(&'static str, Answers)> {
    let program = verified(conditions, is_through_bytes);
    let (mut frame, mut whole) = (Frame::new(&program), Frame::new(&program));
    let mut scratch = Scratch::new(&program);
    let (segments, rules) = (Query::segments(&program), Query::rules(&program));
    let (mut batch, mut rule_batch) = (Batch::new(&program, &segments), Batch::new(&program, &rules));
    let count = conditions.len();
    let mut found: [Vec<bool>; 4] = Default::default();
    for row in rows {
        row.fill(&program, &mut frame, true);
        evaluate(&program, &frame, &mut scratch);
        assert!(scratch.steps() <= program.work_max());
        for (number, condition) in conditions.iter().enumerate() {
            let rule = |placement: usize| RuleId((placement * count + number) as u32);
            found[0].push(reference::truth(condition, &program, &frame) == Truth::True);
            found[1].push(run(&program, &frame, program.program().segments[number].entry));
            found[2].push(scratch.is_segment_true(SegmentId(number as u32)));
            found[3].push(scratch.is_rule_true(rule(0)));
            assert_eq!(scratch.is_rule_true(rule(0)), scratch.is_rule_true(rule(1)));
        }
        // The columns are given everything, and which gates are open.
        row.fill(&program, &mut whole, false);
        assert!(batch.push(&whole, row.open) && rule_batch.push(&whole, row.open));
    }
    let (mut by_segment, mut by_rule) = (Matches::default(), Matches::default());
    segments.evaluate(&program, &mut batch, NOW_MS, &mut by_segment);
    rules.evaluate(&program, &mut rule_batch, NOW_MS, &mut by_rule);
    let columnar = |matches: &Matches| {
        let rows = 0..rows.len();
        rows.flat_map(|row| (0..count).map(move |number| (row, number)))
            .map(|(row, number)| matches.contains(number, row))
            .collect::<Vec<bool>>()
    };
    let [reference, code, segment, rule] = found;
    let names =
        ["reference", "branch code", "evaluate, segment", "evaluate, rule", "columnar", "columnar rules"];
    let bits = [reference, code, segment, rule, columnar(&by_segment), columnar(&by_rule)];
    names.into_iter().zip(bits.map(|bits| Answers { conditions: count, bits })).collect()
}

/// The program's code, branch by branch, as its definition says.
pub fn run(program: &VerifiedProgram, frame: &Frame, entry: u32) -> bool {
    let mut at = entry;
    while at < REJECT {
        let branch = program.program().code[at as usize];
        at = if literal_truth(program, frame, branch.literal).0 { branch.on_true } else { branch.on_false };
    }
    at == ACCEPT
}

/// The smallest part of the condition on which the back ends differ for this row.
fn dump(seed: u64, who: &str, condition: &Condition, row: &Row) -> String {
    let condition = smallest(condition, row);
    let signals = world::signals();
    let mut text = format!("seed {seed}: `{who}` disagrees with the reference\n");
    text.push_str(&format!("condition: {}\n{condition:?}\n", print::condition(&signals, &condition)));
    text.push_str(&format!("open gates: {:?}\n", row.open.names().collect::<Vec<_>>()));
    for (signal, value) in signals.iter().zip(&row.values) {
        let shown = value.as_ref().map_or("missing".to_owned(), |value| format!("{value:?}"));
        text.push_str(&format!("  {} = {shown}\n", signal.attribute.name));
    }
    text
}

fn smallest(condition: &Condition, row: &Row) -> Condition {
    let parts: Vec<&Condition> = match condition {
        Condition::Constant(_) | Condition::Test(_) => Vec::new(),
        Condition::Not(inner) | Condition::Definitely(inner) | Condition::Possibly(inner) => vec![inner],
        Condition::And(parts) | Condition::Or(parts) => parts.iter().collect(),
    };
    match parts.into_iter().find(|part| differs(part, row)) {
        Some(part) => smallest(part, row),
        None => condition.clone(),
    }
}

fn differs(condition: &Condition, row: &Row) -> bool {
    let rows = std::slice::from_ref(row);
    let answers = answers(std::slice::from_ref(condition), rows, false);
    let expected = answers[0].1.is_true(0, 0);
    let mut sqlite = Sqlite::new();
    sqlite.load(&world::signals(), rows);
    answers.iter().any(|(_, found)| found.is_true(0, 0) != expected)
        || sqlite.rows(&world::signals(), condition).len() != usize::from(expected)
}
