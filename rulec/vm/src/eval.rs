//! Running a verified program on a frame.
//!
//! Guarantees: total (no error, no panic), deterministic, allocates nothing when the scratch fits the program, and takes at
//! most [`VerifiedProgram::work_max`] steps. Each literal is tested at most once per evaluation, and only when a branch
//! asks for it.
//!
//! Cost: clearing two bits per literal and one per rule, then a few nanoseconds per branch taken.

use tessera_wire::program::{
    ACCEPT, Constraint, Literal, LiteralId, Polarity, Program, REJECT, RuleId, SegmentId, SignalId, WordId,
};

use crate::frame::Frame;
use crate::verify::VerifiedProgram;

/// Working memory and result of [`evaluate`]. Caller-owned and reusable with any program.
#[derive(Debug, Clone, Default)]
pub struct Scratch {
    is_tested: Vec<u64>,
    is_true: Vec<u64>,
    rules: Vec<u64>,
    segments: Vec<u64>,
    steps: usize,
}

/// Three-valued outcome of one literal's underlying constraint, for explain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Truth {
    /// The value is known and satisfies the constraint.
    True,
    /// The value is known and does not.
    False,
    /// There is no value to test.
    Unknown,
}

impl Scratch {
    /// Scratch that fits `program`: evaluating it allocates nothing.
    pub fn new(program: &VerifiedProgram) -> Scratch {
        let mut scratch = Scratch::default();
        scratch.clear(program.program());
        scratch
    }

    /// Did this rule match in the last evaluation?
    #[inline]
    pub fn is_rule_true(&self, rule: RuleId) -> bool {
        bit(&self.rules, rule.0)
    }

    /// Was the visitor in this segment in the last evaluation?
    #[inline]
    pub fn is_segment_true(&self, segment: SegmentId) -> bool {
        bit(&self.segments, segment.0)
    }

    /// The first matching rule in `range`, which is the best one when the range comes from
    /// [`VerifiedProgram::rules_of`]. Looks at 64 rules per step.
    pub fn next_true_rule(&self, range: std::ops::Range<u32>) -> Option<RuleId> {
        let mut word_index = range.start as usize / 64;
        let mut mask = u64::MAX << (range.start % 64);
        while word_index * 64 < range.end as usize {
            let word = self.rules.get(word_index)? & mask;
            if word != 0 {
                let rule = word_index as u32 * 64 + word.trailing_zeros();
                return (rule < range.end).then_some(RuleId(rule));
            }
            word_index += 1;
            mask = u64::MAX;
        }
        None
    }

    /// Branches that the last evaluation took: never more than [`VerifiedProgram::work_max`].
    pub fn steps(&self) -> usize {
        self.steps
    }

    fn clear(&mut self, program: &Program) {
        clear_bits(&mut self.is_tested, program.literals.len());
        clear_bits(&mut self.is_true, program.literals.len());
        clear_bits(&mut self.rules, program.rules.len());
        clear_bits(&mut self.segments, program.segments.len());
        self.steps = 0;
    }

    #[inline]
    fn test(&mut self, program: &Program, frame: &Frame, id: LiteralId) -> bool {
        let (word, mask) = (id.0 as usize / 64, 1u64 << (id.0 % 64));
        if self.is_tested[word] & mask == 0 {
            self.is_tested[word] |= mask;
            let literal = &program.literals[id.0 as usize];
            if fires(literal.polarity, truth(program, frame, literal)) {
                self.is_true[word] |= mask;
            }
        }
        self.is_true[word] & mask != 0
    }

    #[inline]
    fn run(&mut self, program: &Program, frame: &Frame, entry: u32) -> bool {
        let mut at = entry;
        while at < REJECT {
            let branch = &program.code[at as usize];
            debug_assert!(
                branch.on_true > at && branch.on_false > at,
                "INVARIANT: verified code goes forward"
            );
            self.steps += 1;
            at = if self.test(program, frame, branch.literal) { branch.on_true } else { branch.on_false };
        }
        at == ACCEPT
    }
}

/// Evaluates every segment and rule of `program` on `frame`, leaving the result in `scratch`.
pub fn evaluate(program: &VerifiedProgram, frame: &Frame, scratch: &mut Scratch) {
    let program = program.program();
    scratch.clear(program);
    for (index, segment) in program.segments.iter().enumerate() {
        let is_true = scratch.run(program, frame, segment.entry);
        scratch.segments[index / 64] |= u64::from(is_true) << (index % 64);
    }
    for (index, rule) in program.rules.iter().enumerate() {
        let is_true = scratch.run(program, frame, rule.entry);
        scratch.rules[index / 64] |= u64::from(is_true) << (index % 64);
    }
}

/// Whether a literal fires on `frame`, and the three-valued truth of its constraint. An unknown id does not fire.
pub fn literal_truth(program: &VerifiedProgram, frame: &Frame, literal: LiteralId) -> (bool, Truth) {
    let program = program.program();
    let Some(literal) = program.literals.get(literal.0 as usize) else { return (false, Truth::Unknown) };
    let truth = truth(program, frame, literal);
    (fires(literal.polarity, truth), truth)
}

/// The distinct literals reachable from `entry`, in code order.
pub fn literals_of(program: &VerifiedProgram, entry: u32) -> Vec<LiteralId> {
    let code = &program.program().code;
    let mut pending = std::collections::BTreeSet::from([entry]);
    let mut seen = std::collections::BTreeSet::new();
    let mut found = Vec::new();
    while let Some(at) = pending.pop_first() {
        let Some(branch) = code.get(at as usize) else { continue };
        if seen.insert(branch.literal) {
            found.push(branch.literal);
        }
        pending.extend([branch.on_true, branch.on_false]);
    }
    found
}

#[inline]
fn fires(polarity: Polarity, truth: Truth) -> bool {
    match polarity {
        Polarity::Holds => truth == Truth::True,
        Polarity::Fails => truth == Truth::False,
        Polarity::Possibly => truth != Truth::False,
        Polarity::NotDefinitely => truth != Truth::True,
    }
}

fn truth(program: &Program, frame: &Frame, literal: &Literal) -> Truth {
    match satisfies(program, frame, literal.signal, literal.constraint) {
        Some(true) => Truth::True,
        Some(false) => Truth::False,
        None => Truth::Unknown,
    }
}

/// `None` when the signal is unknown.
fn satisfies(program: &Program, frame: &Frame, signal: SignalId, constraint: Constraint) -> Option<bool> {
    let holds = match constraint {
        Constraint::Known => return frame.is_known(signal).then_some(true),
        Constraint::InRanges(span) => is_in(span.of(&program.ranges), frame.integer(signal)?),
        Constraint::AgeInRanges(span) => {
            let age_ms = frame.now_ms().saturating_sub(frame.integer(signal)?);
            is_in(span.of(&program.ranges), age_ms)
        }
        Constraint::OneOf(span) => has(span.of(&program.words), frame.word(signal)?),
        Constraint::StartsWith(word) => frame.text(signal)?.starts_with(text_of(program, word)),
        Constraint::EndsWith(word) => frame.text(signal)?.ends_with(text_of(program, word)),
        Constraint::Contains(word) => frame.text(signal)?.contains(text_of(program, word)),
        Constraint::AnyOf(span) => meets(span.of(&program.words), frame.members(signal)?),
        Constraint::AllOf(span) => {
            let members = frame.members(signal)?;
            span.of(&program.words).iter().all(|word| has(members, *word))
        }
        Constraint::OnlyOf(span) => {
            let words = span.of(&program.words);
            frame.members(signal)?.iter().all(|member| has(words, *member))
        }
    };
    Some(holds)
}

fn is_in(ranges: &[(i64, i64)], value: i64) -> bool {
    let place = ranges.partition_point(|range| range.1 < value);
    ranges.get(place).is_some_and(|range| range.0 <= value)
}

#[inline]
pub(crate) fn has(sorted: &[WordId], word: WordId) -> bool {
    sorted.binary_search(&word).is_ok()
}

fn meets(left: &[WordId], right: &[WordId]) -> bool {
    let (few, many) = if left.len() < right.len() { (left, right) } else { (right, left) };
    few.iter().any(|word| has(many, *word))
}

pub(crate) fn text_of(program: &Program, word: WordId) -> &str {
    program.dictionary.get((word.0 as usize).wrapping_sub(1)).map_or("", String::as_str)
}

#[inline]
fn bit(bits: &[u64], index: u32) -> bool {
    bits.get(index as usize / 64).is_some_and(|word| word >> (index % 64) & 1 == 1)
}

/// Keeps its capacity: shrinking frees nothing, and growing happens once per program.
fn clear_bits(bits: &mut Vec<u64>, count: usize) {
    bits.clear();
    bits.resize(count.div_ceil(64), 0);
}
