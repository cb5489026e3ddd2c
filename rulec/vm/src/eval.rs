//! Running a verified program on a frame.
//!
//! [`evaluate`] uses the program's index; [`evaluate_by_code`] runs every condition's code and is what the index is
//! checked against. Guarantees of both: total (no error, no panic), deterministic, equal results, nothing allocated when
//! the scratch fits the program, and at most [`VerifiedProgram::work_max`] steps. A literal that code or a residual asks
//! for is tested once per evaluation.
//!
//! Cost: see `benches/record/rules.md`; by code a few nanoseconds per branch taken.

use tessera_wire::program::{
    ACCEPT, Constraint, Literal, LiteralId, Polarity, Program, REJECT, RuleId, SegmentId, SignalId, WordId,
};

use crate::frame::Frame;
use crate::index::first_segment;
use crate::verify::VerifiedProgram;

/// Working memory and result of [`evaluate`]. Caller-owned and reusable with any program.
#[derive(Debug, Clone)]
pub struct Scratch {
    /// Literals that were tested, and their outcome.
    is_tested: Vec<u64>,
    is_true: Vec<u64>,
    /// Words of `is_tested` that are not zero.
    touched: Vec<u32>,
    /// One bit per rule, then from a word of their own one per segment.
    pub(crate) results: Vec<u64>,
    rules: u32,
    first_segment: u32,
    pub(crate) steps: usize,
    /// One byte per hot literal of the index.
    pub(crate) truths: Box<[u8; 1 << 16]>,
    /// Posting lists to be scanned, of entries and of guarded entries: first, and one past the last.
    pub(crate) pending: Vec<(u32, u32)>,
    pub(crate) pending_len: usize,
    pub(crate) guarded: Vec<(u32, u32)>,
    pub(crate) guarded_len: usize,
    /// Residuals whose code has run.
    pub(crate) ran: Vec<u64>,
}

impl Default for Scratch {
    fn default() -> Scratch {
        Scratch {
            is_tested: Vec::new(),
            is_true: Vec::new(),
            touched: Vec::new(),
            results: Vec::new(),
            rules: 0,
            first_segment: 0,
            steps: 0,
            truths: Box::new([0; 1 << 16]),
            pending: Vec::new(),
            pending_len: 0,
            guarded: Vec::new(),
            guarded_len: 0,
            ran: Vec::new(),
        }
    }
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
        if let Some(index) = program.index() {
            index.prepare(&mut scratch);
        }
        scratch
    }

    /// Did this rule match in the last evaluation?
    #[inline]
    pub fn is_rule_true(&self, rule: RuleId) -> bool {
        rule.0 < self.rules && self.is_set(rule.0)
    }

    /// Was the visitor in this segment in the last evaluation?
    #[inline]
    pub fn is_segment_true(&self, segment: SegmentId) -> bool {
        segment.0.checked_add(self.first_segment).is_some_and(|bit| self.is_set(bit))
    }

    /// The first matching rule in `range`, which is the best one when the range comes from
    /// [`VerifiedProgram::rules_of`]. Looks at 64 rules per step.
    pub fn next_true_rule(&self, range: std::ops::Range<u32>) -> Option<RuleId> {
        let end = range.end.min(self.rules);
        let mut word_index = range.start as usize / 64;
        let mut mask = u64::MAX << (range.start % 64);
        while word_index * 64 < end as usize {
            let word = self.results.get(word_index)? & mask;
            if word != 0 {
                let rule = word_index as u32 * 64 + word.trailing_zeros();
                return (rule < end).then_some(RuleId(rule));
            }
            word_index += 1;
            mask = u64::MAX;
        }
        None
    }

    /// All matching rules in `range`, in order.
    pub fn true_rules(&self, range: std::ops::Range<u32>) -> TrueRules<'_> {
        let end = range.end.min(self.rules);
        let first = range.start.min(end) / 64;
        let words = self.results.get(first as usize..(end as usize).div_ceil(64)).unwrap_or_default();
        let mut words = words.iter();
        let mask = u64::MAX << (range.start.min(end) % 64);
        TrueRules { word: words.next().map_or(0, |word| word & mask), first: first * 64, words, end }
    }

    /// Steps that the last evaluation took: never more than [`VerifiedProgram::work_max`]. A step is an entry of the
    /// index looked at, a branch taken, a residual literal tested or a rule set beside others of the same condition.
    pub fn steps(&self) -> usize {
        self.steps
    }

    #[inline]
    pub(crate) fn set(&mut self, bit: u32) {
        if let Some(word) = self.results.get_mut(bit as usize / 64) {
            *word |= 1 << (bit % 64);
        }
    }

    #[inline]
    pub(crate) fn is_set(&self, bit: u32) -> bool {
        self.results.get(bit as usize / 64).is_some_and(|word| word >> (bit % 64) & 1 == 1)
    }

    /// Notes lists to be scanned; an empty one is overwritten by the next.
    #[inline]
    pub(crate) fn note(&mut self, entries: (u32, u32), guarded: (u32, u32)) {
        if let Some(place) = self.pending.get_mut(self.pending_len) {
            *place = entries;
            self.pending_len += usize::from(entries.0 != entries.1);
        }
        if let Some(place) = self.guarded.get_mut(self.guarded_len) {
            *place = guarded;
            self.guarded_len += usize::from(guarded.0 != guarded.1);
        }
    }

    /// Keeps capacities: shrinking frees nothing, and growing happens once per program.
    fn clear(&mut self, program: &Program) {
        let words = program.literals.len().div_ceil(64);
        for word in self.touched.drain(..) {
            if let (Some(tested), Some(truths)) =
                (self.is_tested.get_mut(word as usize), self.is_true.get_mut(word as usize))
            {
                (*tested, *truths) = (0, 0);
            }
        }
        // INVARIANT: words that are not touched are zero, also those that another program used.
        self.is_tested.resize(words, 0);
        self.is_true.resize(words, 0);
        self.touched.reserve(words);
        self.first_segment = first_segment(program);
        self.rules = program.rules.len() as u32;
        self.results.clear();
        self.results.resize(self.first_segment as usize / 64 + program.segments.len().div_ceil(64), 0);
        self.steps = 0;
    }

    #[inline]
    pub(crate) fn test(&mut self, program: &Program, frame: &Frame, id: LiteralId) -> bool {
        let (word, mask) = (id.0 as usize / 64, 1u64 << (id.0 % 64));
        if self.is_tested[word] & mask == 0 {
            if self.is_tested[word] == 0 {
                self.touched.push(word as u32);
            }
            self.is_tested[word] |= mask;
            let literal = &program.literals[id.0 as usize];
            if fires(literal.polarity, truth(program, frame, literal)) {
                self.is_true[word] |= mask;
            }
        }
        self.is_true[word] & mask != 0
    }

    #[inline]
    pub(crate) fn run(&mut self, program: &Program, frame: &Frame, entry: u32) -> bool {
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

/// Matching rules in order; see [`Scratch::true_rules`].
#[derive(Debug, Clone)]
pub struct TrueRules<'s> {
    words: std::slice::Iter<'s, u64>,
    /// What is left of the present word, and the rule of its lowest bit.
    word: u64,
    first: u32,
    end: u32,
}

impl Iterator for TrueRules<'_> {
    type Item = RuleId;

    #[inline]
    fn next(&mut self) -> Option<RuleId> {
        while self.word == 0 {
            self.word = *self.words.next()?;
            self.first += 64;
        }
        let rule = self.first + self.word.trailing_zeros();
        self.word &= self.word - 1;
        (rule < self.end).then_some(RuleId(rule))
    }
}

/// Evaluates every segment and rule of `program` on `frame`, leaving the result in `scratch`.
pub fn evaluate(program: &VerifiedProgram, frame: &Frame, scratch: &mut Scratch) {
    if let Some(index) = program.index() {
        scratch.clear(program.program());
        index.prepare(scratch);
        if index.evaluate(program.program(), frame, scratch) {
            return;
        }
    }
    evaluate_by_code(program, frame, scratch);
}

/// Does what [`evaluate`] does by running the code of every condition, one after the other: the same results, without
/// anything but the program itself to trust. Slower by the number of conditions that the index never looks at.
pub fn evaluate_by_code(program: &VerifiedProgram, frame: &Frame, scratch: &mut Scratch) {
    let program = program.program();
    scratch.clear(program);
    for (segment, bit) in program.segments.iter().zip(first_segment(program)..) {
        if scratch.run(program, frame, segment.entry) {
            scratch.set(bit);
        }
    }
    for (rule, bit) in program.rules.iter().zip(0..) {
        if scratch.run(program, frame, rule.entry) {
            scratch.set(bit);
        }
    }
}

#[inline]
pub(crate) fn fires(polarity: Polarity, truth: Truth) -> bool {
    match polarity {
        Polarity::Holds => truth == Truth::True,
        Polarity::Fails => truth == Truth::False,
        Polarity::Possibly => truth != Truth::False,
        Polarity::NotDefinitely => truth != Truth::True,
    }
}

pub(crate) fn truth(program: &Program, frame: &Frame, literal: &Literal) -> Truth {
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

pub(crate) fn is_in(ranges: &[(i64, i64)], value: i64) -> bool {
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
