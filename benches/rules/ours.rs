//! Our matcher: from rule text to frames and results.

use std::time::Duration;

use anyhow::anyhow;
use rulec::{Names, SourceFile, compile};
use tessera_fixtures::workload::attributes::ATTRIBUTES;
use tessera_fixtures::workload::events::{Event, Value};
use tessera_fixtures::workload::rules::Expression;
use tessera_fixtures::workload::text::{PREFIX, rule_files};
use tessera_rulevm::{
    CatalogBounds, Frame, IndexSize, Scratch, Statistics, StatisticsBuilder, VerifiedProgram, evaluate,
    evaluate_by_code,
};
use tessera_wire::program::SignalId;
use tessera_wire::signal::NUMBER_SCALE;

use crate::Matches;
use crate::timing::cpu_time;

/// A program and the requests as its frames.
pub(crate) struct Ours {
    pub(crate) program: VerifiedProgram,
    pub(crate) frames: Vec<Frame>,
}

/// What building took.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Build {
    pub(crate) text_bytes: usize,
    /// Text to verified program; that includes an index without statistics.
    pub(crate) compile: Duration,
    /// Verification and index with statistics, as on load.
    pub(crate) verify: Duration,
    /// One frame.
    pub(crate) fill_ns: f64,
    pub(crate) index: IndexSize,
    /// Steps of a request by index, on average.
    pub(crate) steps: f64,
    pub(crate) work_max: usize,
}

impl Ours {
    pub(crate) fn build(
        rules: &[Expression],
        train: &[Event],
        test: &[Event],
        has_statistics: bool,
    ) -> anyhow::Result<(Ours, Build)> {
        let files: Vec<SourceFile> = rule_files(rules)
            .into_iter()
            .enumerate()
            .map(|(number, text)| SourceFile { path: format!("{number}.rules"), text })
            .collect();
        let names = Names { placements: vec!["p".to_owned()], ..Names::default() };
        let (compiled, compile) = cpu_time(|| compile(&files, &names, &[]));
        let compiled = compiled.map_err(|problems| anyhow!("{}", problems[0].render(&files)))?;
        let bounds = CatalogBounds { placements: 1, ..CatalogBounds::default() };
        let program = VerifiedProgram::verify(compiled.program, bounds)?;
        let statistics = if has_statistics { gather(&program, train) } else { Statistics::NONE };
        let program = program.into_program();
        let (program, verify) = cpu_time(|| VerifiedProgram::verify_with(program, bounds, &statistics));
        let program = program?;
        let fill_all = || test.iter().map(|event| frame_of(&program, event)).collect::<Vec<Frame>>();
        let frames = fill_all();
        let mut frame = Frame::new(&program);
        let signals = signals(&program);
        let ((), fill) = cpu_time(|| {
            for event in test.iter().cycle().take(test.len() * 20) {
                fill_frame(&program, &signals, event, &mut frame);
            }
        });
        let ours = Ours { program, frames };
        let build = Build {
            text_bytes: files.iter().map(|file| file.text.len()).sum(),
            compile,
            verify,
            fill_ns: fill.as_nanos() as f64 / (test.len() * 20) as f64,
            index: ours.program.index_size(),
            steps: ours.mean_steps(),
            work_max: ours.program.work_max(),
        };
        Ok((ours, build))
    }

    pub(crate) fn runner(&self) -> OursRunner<'_> {
        OursRunner { ours: self, scratch: Scratch::new(&self.program), ids: Vec::new() }
    }

    pub(crate) fn matches(&self, is_by_index: bool) -> Matches {
        let mut runner = self.runner();
        (0..self.frames.len())
            .map(|event| {
                if is_by_index {
                    runner.index(event)
                } else {
                    runner.code(event)
                };
                runner.collect();
                runner.ids.clone()
            })
            .collect()
    }

    fn mean_steps(&self) -> f64 {
        let mut runner = self.runner();
        let steps: u64 = (0..self.frames.len()).map(|event| runner.index(event)).sum();
        steps as f64 / self.frames.len() as f64
    }
}

/// One user of the program.
pub(crate) struct OursRunner<'a> {
    ours: &'a Ours,
    scratch: Scratch,
    ids: Vec<u32>,
}

impl OursRunner<'_> {
    pub(crate) fn index(&mut self, event: usize) -> u64 {
        evaluate(&self.ours.program, &self.ours.frames[event], &mut self.scratch);
        self.scratch.steps() as u64
    }

    pub(crate) fn code(&mut self, event: usize) -> u64 {
        evaluate_by_code(&self.ours.program, &self.ours.frames[event], &mut self.scratch);
        self.scratch.steps() as u64
    }

    /// Evaluates and lists the matching rules, as a decision does.
    pub(crate) fn index_ids(&mut self, event: usize) -> u64 {
        self.index(event);
        self.collect();
        self.ids.len() as u64
    }

    fn collect(&mut self) {
        self.ids.clear();
        self.ids.extend(self.scratch.true_rules(0..u32::MAX).map(|rule| rule.0));
    }
}

fn gather(program: &VerifiedProgram, train: &[Event]) -> Statistics {
    let mut builder = StatisticsBuilder::new(program);
    for event in train {
        builder.observe(program, &frame_of(program, event));
    }
    builder.finish(program)
}

/// The program's signal of each attribute; `None` where no rule reads it.
fn signals(program: &VerifiedProgram) -> Vec<Option<SignalId>> {
    let find = |name: &str| {
        let known = &program.program().attributes;
        known.iter().position(|attribute| attribute.name.strip_prefix(PREFIX) == Some(name))
    };
    let signal = |position: usize| SignalId(position as u16);
    ATTRIBUTES.iter().map(|attribute| find(attribute.name).map(signal)).collect()
}

fn frame_of(program: &VerifiedProgram, event: &Event) -> Frame {
    let mut frame = Frame::new(program);
    fill_frame(program, &signals(program), event, &mut frame);
    frame
}

fn fill_frame(program: &VerifiedProgram, signals: &[Option<SignalId>], event: &Event, frame: &mut Frame) {
    frame.reset(program, 0);
    let mut text = String::new();
    let mut word = |attribute: usize, number: u32, put: &mut dyn FnMut(&str)| {
        use std::fmt::Write as _;
        text.clear();
        let _ = write!(text, "{}{number}", ATTRIBUTES[attribute].prefix);
        put(&text);
    };
    for (index, value) in event.iter().enumerate() {
        let (Some(signal), Some(value)) = (signals[index], value) else { continue };
        match value {
            Value::Word(number) => {
                word(index, *number, &mut |text| frame.set_text(program, signal, text));
            }
            Value::Integer(number) => frame.set_integer(signal, number * NUMBER_SCALE),
            Value::Bool(value) => frame.set_integer(signal, i64::from(*value)),
            Value::List(members) => {
                frame.begin_set(signal);
                for member in members {
                    word(index, *member, &mut |text| frame.push_member(program, signal, text));
                }
            }
        }
    }
}
