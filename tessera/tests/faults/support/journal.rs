//! An independent reading of the journal's files: what the engine wrote, for comparison with what was counted.

use std::collections::HashSet;
use std::path::Path;

use tessera_wire::event::{Event, TouchKind};
use tessera_wire::journal::{HEADER_BYTES, Record, read_record, sequence_of_file_name};

/// Decision, ad of it, and what happened.
pub type TouchKey = (u128, u16, TouchKind);

/// Distinct events of a journal directory.
#[derive(Debug, Default)]
pub struct Journal {
    /// Whole records, repetitions included.
    pub records: u64,
    pub served: HashSet<(u128, u16)>,
    pub touches: HashSet<TouchKey>,
    pub behaviours: HashSet<String>,
}

impl Journal {
    /// Reads every segment of a directory in which nobody writes.
    pub fn read(directory: &Path) -> Journal {
        let mut journal = Journal::default();
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if sequence_of_file_name(name).is_some() {
                journal.read_segment(&std::fs::read(&path).unwrap());
            }
        }
        journal
    }

    fn read_segment(&mut self, bytes: &[u8]) {
        let mut at = HEADER_BYTES.min(bytes.len());
        while let Record::Whole { event, used, .. } = read_record(&bytes[at..]) {
            at += used;
            self.records += 1;
            match *event {
                Event::Generation(_) | Event::Remembered(_) => continue,
                Event::Served(served) => self.served.insert((served.decision_id, served.ad)),
                Event::Touch(touch) => self.touches.insert((touch.decision_id, touch.ad, touch.kind)),
                Event::Behaviour(behaviour) => self.behaviours.insert(behaviour.message_id),
            };
        }
    }

    /// Ads that were served and touched in one of these ways.
    pub fn joined(&self, kinds: &[TouchKind]) -> usize {
        let touched = self.touches.iter().filter(|(_, _, kind)| kinds.contains(kind));
        let ads: HashSet<_> = touched.map(|(decision, ad, _)| (*decision, *ad)).collect();
        ads.intersection(&self.served).count()
    }

    /// Touches whose served record never reached the disk.
    pub fn orphans(&self) -> usize {
        self.touches.iter().filter(|(decision, ad, _)| !self.served.contains(&(*decision, *ad))).count()
    }
}
