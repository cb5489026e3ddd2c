//! Sources: where events come from, one per node.
//!
//! A source yields a node's events in order, each with its place in that node's journal, wherever they travelled through:
//! checkpoints are places in journals, so that changing the transport repeats and skips nothing.
//!
//! Implementations: [`JournalReader`] over a directory of segment files.

use std::path::{Path, PathBuf};

use tessera_wire::event::Event;

use crate::journal_reader::{JournalReader, Position, ReadCounts, ReadError, node_of};

/// One node's events, in order.
pub trait EventSource: Send {
    /// The next event, or `None` when there is no more at present.
    ///
    /// # Errors
    /// [`ReadError`] when the source cannot be read; the writer then goes on from the committed position.
    fn next_event(&mut self) -> Result<Option<Box<Event>>, ReadError>;
    /// Where the next event starts in the node's journal.
    fn position(&self) -> Position;
    /// What has been read and skipped.
    fn counts(&self) -> ReadCounts;
}

impl EventSource for JournalReader {
    fn next_event(&mut self) -> Result<Option<Box<Event>>, ReadError> {
        JournalReader::next_event(self)
    }

    fn position(&self) -> Position {
        JournalReader::position(self)
    }

    fn counts(&self) -> ReadCounts {
        JournalReader::counts(self)
    }
}

/// Where to find a node's events.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SourceConfig {
    /// A directory of segment files; may appear later.
    Journal(PathBuf),
}

impl SourceConfig {
    /// The node whose events are there, once something is.
    ///
    /// # Errors
    /// [`ReadError`] when the source cannot be read.
    pub fn node(&self) -> Result<Option<u16>, ReadError> {
        match self {
            SourceConfig::Journal(directory) => node_of(directory),
        }
    }

    /// The events from a position on.
    pub fn open(&self, position: Position) -> Box<dyn EventSource> {
        match self {
            SourceConfig::Journal(directory) => Box::new(JournalReader::new(directory, position)),
        }
    }

    /// The journal's directory, where it is on this machine.
    pub fn directory(&self) -> Option<&Path> {
        match self {
            SourceConfig::Journal(directory) => Some(directory),
        }
    }
}
