//! The journals that a writer reads: one checkpoint per node, a few events from each in turn.
//!
//! Guarantees: a journal that appears later is read from its start; one that was read before and comes back makes the
//! writer open again, because what can still be joined has to be rebuilt first. Two directories of one node are refused.

use std::collections::BTreeMap;

use super::{WriterConfig, WriterError};
use crate::fold::{Delta, Fold};
use crate::journal_reader::{Position, ReadCounts};
use crate::limits;
use crate::sources::{EventSource, SourceConfig};
use crate::store::{Checkpoint, Progress, Skipped};

/// Events taken from one journal before the next has its turn.
const TURN_EVENTS: usize = 256;

/// All journals.
pub(super) struct Inputs {
    inputs: Vec<Input>,
    /// Positions of nodes that were read in earlier lives and have no journal now.
    absent: BTreeMap<u16, Checkpoint>,
}

struct Input {
    config: SourceConfig,
    open: Option<Open>,
}

struct Open {
    node: u16,
    source: Box<dyn EventSource>,
    committed: ReadCounts,
}

impl Inputs {
    /// Opens the journals at the committed positions and rebuilds what can still be joined.
    pub(super) fn open(
        config: &WriterConfig,
        committed: &Progress,
        fold: &mut Fold,
    ) -> Result<(Inputs, Delta), WriterError> {
        let inputs = config
            .sources
            .iter()
            .take(limits::JOURNALS_MAX)
            .map(|source| Input { config: source.clone(), open: None });
        let mut inputs = Inputs { inputs: inputs.collect(), absent: committed.nodes.clone() };
        inputs.find(true)?;
        let nodes = inputs.inputs.iter().filter_map(|input| Some(input.open.as_ref()?.node));
        let starts = nodes.filter_map(|node| committed.nodes.get(&node)).map(|from| from.replay_watermark_ms);
        fold.begin_replay(starts.min().unwrap_or(committed.watermark_ms));
        let mut scratch = Delta::default();
        for input in &inputs.inputs {
            if let Some(open) = &input.open
                && let Some(checkpoint) = committed.nodes.get(&open.node)
            {
                replay(&input.config, open.node, checkpoint, fold, &mut scratch)?;
            }
        }
        Ok((inputs, scratch))
    }

    /// Opens journals that have appeared.
    pub(super) fn look(&mut self) -> Result<(), WriterError> {
        if self.inputs.iter().all(|input| input.open.is_some()) { Ok(()) } else { self.find(false) }
    }

    fn find(&mut self, is_start: bool) -> Result<(), WriterError> {
        for place in 0..self.inputs.len() {
            let input = &self.inputs[place];
            if input.open.is_some() {
                continue;
            }
            let Some(node) = input.config.node()? else { continue };
            if self.inputs.iter().any(|other| other.open.as_ref().is_some_and(|open| open.node == node)) {
                return Err(WriterError::SameNode { node });
            }
            let checkpoint = self.absent.remove(&node);
            if checkpoint.is_some() && !is_start {
                return Err(WriterError::Returned { node });
            }
            let source = input.config.open(checkpoint.unwrap_or_default().position);
            self.inputs[place].open = Some(Open { node, source, committed: ReadCounts::default() });
        }
        Ok(())
    }

    /// Folds up to `max` events; says how many there were.
    pub(super) fn read(
        &mut self,
        fold: &mut Fold,
        delta: &mut Delta,
        max: usize,
    ) -> Result<usize, WriterError> {
        let mut read = 0;
        loop {
            let before = read;
            for open in self.inputs.iter_mut().filter_map(|input| input.open.as_mut()) {
                for _ in 0..TURN_EVENTS.min(max - read) {
                    let Some(event) = open.source.next_event()? else { break };
                    fold.apply(open.node, open.source.position().segment, &event, delta);
                    read += 1;
                }
            }
            if read == before || read >= max {
                return Ok(read);
            }
        }
    }

    /// How far everything has been read.
    pub(super) fn progress(&self, fold: &mut Fold) -> Progress {
        let watermark_ms = fold.watermark_ms();
        let mut nodes = self.absent.clone();
        for open in self.inputs.iter().filter_map(|input| input.open.as_ref()) {
            let position = open.source.position();
            let (replay_segment, replay_watermark_ms) =
                fold.replay_from(open.node).unwrap_or((position.segment, watermark_ms));
            nodes.insert(open.node, Checkpoint { position, replay_segment, replay_watermark_ms });
        }
        Progress { nodes, watermark_ms }
    }

    /// Has anything been read or skipped since this progress?
    pub(super) fn has_moved(&self, committed: &Progress) -> bool {
        self.inputs.iter().filter_map(|input| input.open.as_ref()).any(|open| {
            let before = committed.nodes.get(&open.node).map_or(Position::default(), |from| from.position);
            open.source.position() != before
        })
    }

    /// What could not be read since the last commit.
    pub(super) fn skipped(&self) -> Skipped {
        let mut skipped = Skipped::default();
        for open in self.inputs.iter().filter_map(|input| input.open.as_ref()) {
            let (before, after) = (&open.committed, open.source.counts());
            skipped.damaged += after.damaged - before.damaged;
            skipped.torn += after.torn - before.torn;
            skipped.lost += after.lost - before.lost;
            skipped.missing += after.missing - before.missing;
        }
        skipped
    }

    /// What was read is committed.
    pub(super) fn set_committed(&mut self) {
        for open in self.inputs.iter_mut().filter_map(|input| input.open.as_mut()) {
            open.committed = open.source.counts();
        }
    }

    /// Journals on this machine, with their nodes.
    pub(super) fn directories(&self) -> impl Iterator<Item = (u16, &std::path::Path)> {
        let inputs = self.inputs.iter();
        inputs.filter_map(|input| Some((input.open.as_ref()?.node, input.config.directory()?)))
    }
}

/// Folds a journal up to the committed position without counting, to rebuild joins and repetitions.
fn replay(
    config: &SourceConfig,
    node: u16,
    committed: &Checkpoint,
    fold: &mut Fold,
    scratch: &mut Delta,
) -> Result<(), WriterError> {
    let mut source = config.open(Position { segment: committed.replay_segment, offset: 0 });
    while source.position() < committed.position {
        let Some(event) = source.next_event()? else { break };
        if source.position() > committed.position {
            break; // the committed segment is gone
        }
        fold.apply(node, source.position().segment, &event, scratch);
        if scratch.tally.read as usize >= limits::BATCH_EVENTS_MAX {
            *scratch = Delta { generation: scratch.generation.take(), ..Delta::default() };
        }
    }
    Ok(())
}
