//! Saving what is remembered, and finding it again after a restart.
//!
//! ```text
//! visitors/keys.txt      what is counted: a line per key, its number is its line
//! visitors/state.tsv     "TSVS" | version u16 | sequence u64 | crc32c u32, then chunks: length u32 | crc32c u32 | payload
//! ```
//! The state says which journal records it covers; the rest is replayed. Keys are written before they are used, so that a
//! record's numbers always mean what they meant. The state is written beside the old one and renamed.
//!
//! Guarantees: a damaged state, chunk or record costs itself, never the start; what was acknowledged before a crash is
//! remembered, as far as the journal kept it. Not here: when to save (the housekeeping thread).

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tessera_wire::codec;
use tessera_wire::event::Event;
use tessera_wire::journal::{HEADER_BYTES, Record, read_record, sequence_of_file_name};

use super::records::Replay;
use super::state::{Cart, CountKey, Recency, Stamp, UserState};
use super::{KeyRegistry, UserStore};
use crate::limits::JOURNAL_SEGMENT_READ_BYTES_MAX;

const MAGIC: [u8; 4] = *b"TSVS";
const VERSION: u16 = 1;
const KEYS_FILE: &str = "keys.txt";
const STATE_FILE: &str = "state.tsv";
/// Visitors of one chunk; a damaged chunk costs as many.
const CHUNK: usize = 1_000;
/// Bytes of one chunk: a thousand visitors with full logs take less than a megabyte.
const CHUNK_BYTES_MAX: usize = 16 << 20;

/// One visitor in the file.
#[derive(Debug, Serialize, Deserialize)]
struct Saved {
    subject: u128,
    seen_secs: u32,
    purchases: u32,
    recency: [u32; 4],
    cart: Option<SavedCart>,
    last_viewed: String,
    stamps: Vec<(u32, u32)>,
}

#[derive(Debug, Serialize, Deserialize)]
struct SavedCart {
    value_micros: i64,
    currency: [u8; 3],
    items: Option<u16>,
    at_secs: u32,
    is_abandoned: bool,
}

#[derive(Debug, Serialize, Deserialize)]
enum Chunk {
    Users(Vec<Saved>),
    Suppressed(Vec<u128>),
}

/// What was found at the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Restored {
    /// Visitors in the saved state.
    pub saved: usize,
    /// Chunks of it that could not be read.
    pub damaged: usize,
    /// Journal records replayed.
    pub replayed: usize,
}

/// The directory of the files.
#[derive(Debug, Clone)]
pub struct VisitorFiles {
    directory: PathBuf,
}

impl VisitorFiles {
    /// Files in this directory, which is made.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn open(directory: &Path) -> io::Result<VisitorFiles> {
        std::fs::create_dir_all(directory)?;
        Ok(VisitorFiles { directory: directory.to_owned() })
    }

    /// The numbers of what is counted, as far as the file can be read, and kept in it from now on.
    ///
    /// # Errors
    /// The file cannot be read or made.
    pub fn keys(&self) -> io::Result<KeyRegistry> {
        let path = self.directory.join(KEYS_FILE);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(error),
        };
        // A torn last line names nothing: it was never used.
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        let texts: Vec<String> = whole.lines().map(str::to_owned).collect();
        let file = File::options().create(true).append(true).open(path)?;
        file.set_len(whole.len() as u64 + u64::from(!whole.is_empty()))?;
        Ok(KeyRegistry::kept(texts, file))
    }

    /// Writes the state, which covers every journal record below `sequence`.
    ///
    /// # Errors
    /// The old state stays as it was.
    pub fn save(&self, store: &UserStore, sequence: u64) -> io::Result<()> {
        let temporary = self.directory.join(format!("{STATE_FILE}.new"));
        let mut out = BufWriter::new(File::create(&temporary)?);
        let mut header = MAGIC.to_vec();
        header.extend_from_slice(&VERSION.to_le_bytes());
        header.extend_from_slice(&sequence.to_le_bytes());
        header.extend_from_slice(&crc32c::crc32c(&header).to_le_bytes());
        out.write_all(&header)?;
        // One visitor is locked at a time, and none while the disk is busy.
        for subjects in store.subjects().chunks(CHUNK) {
            let users = subjects.iter().filter_map(|id| store.visit(*id, |user| saved(*id, user)));
            write_chunk(&mut out, &Chunk::Users(users.collect()))?;
        }
        write_chunk(&mut out, &Chunk::Suppressed(store.suppressed()))?;
        let file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.sync_all()?;
        std::fs::rename(temporary, self.directory.join(STATE_FILE))
    }

    /// Fills an empty store from the saved state and the journal.
    pub fn restore(&self, store: &UserStore, journal: &Path) -> Restored {
        let mut restored = Restored::default();
        let sequence = match File::open(self.directory.join(STATE_FILE)) {
            Ok(file) => read_state(BufReader::new(file), store, &mut restored),
            Err(error) => {
                if error.kind() != io::ErrorKind::NotFound {
                    tracing::warn!(%error, "the saved visitors cannot be read");
                }
                None
            }
        };
        // Without a saved state the whole journal says what there is to know.
        replay(store, journal, sequence.unwrap_or(0), &mut restored);
        restored
    }
}

fn saved(subject: u128, user: &UserState) -> Saved {
    let Recency { product_viewed_secs, searched_secs, price_dropped_secs, purchased_secs } = user.recency;
    let cart = user.cart.as_deref().map(|cart| SavedCart {
        value_micros: cart.value_micros,
        currency: cart.currency,
        items: cart.items,
        at_secs: cart.at_secs,
        is_abandoned: cart.is_abandoned,
    });
    Saved {
        subject,
        seen_secs: user.seen_secs,
        purchases: user.purchases,
        recency: [product_viewed_secs, searched_secs, price_dropped_secs, purchased_secs],
        cart,
        last_viewed: user.last_viewed.to_string(),
        stamps: user.stamps.iter().map(|stamp| (stamp.key.0, stamp.at_secs)).collect(),
    }
}

fn user_of(saved: Saved) -> UserState {
    let [product_viewed_secs, searched_secs, price_dropped_secs, purchased_secs] = saved.recency;
    let cart = saved.cart.map(|cart| {
        let SavedCart { value_micros, currency, items, at_secs, is_abandoned } = cart;
        Box::new(Cart { value_micros, currency, items, at_secs, is_abandoned })
    });
    UserState {
        seen_secs: saved.seen_secs,
        purchases: saved.purchases,
        recency: Recency { product_viewed_secs, searched_secs, price_dropped_secs, purchased_secs },
        cart,
        last_viewed: saved.last_viewed.into(),
        stamps: saved
            .stamps
            .into_iter()
            .map(|(key, at_secs)| Stamp { key: CountKey(key), at_secs })
            .collect(),
    }
}

fn write_chunk(out: &mut impl Write, chunk: &Chunk) -> io::Result<()> {
    let payload = codec::encode(chunk);
    out.write_all(&(payload.len() as u32).to_le_bytes())?;
    out.write_all(&crc32c::crc32c(&payload).to_le_bytes())?;
    out.write_all(&payload)
}

/// Reads the state; `None` when not even its head makes sense.
fn read_state(mut file: impl Read, store: &UserStore, restored: &mut Restored) -> Option<u64> {
    let mut header = [0; 18];
    file.read_exact(&mut header).ok()?;
    let is_ours = header[..4] == MAGIC && header[4..6] == VERSION.to_le_bytes();
    if !is_ours || crc32c::crc32c(&header[..14]).to_le_bytes() != header[14..] {
        tracing::warn!("the saved visitors are damaged; what the journal has is replayed");
        return None;
    }
    let mut sequence = [0; 8];
    sequence.copy_from_slice(&header[6..14]);
    let mut head = [0; 8];
    while file.read_exact(&mut head).is_ok() {
        let length = u32::from_le_bytes([head[0], head[1], head[2], head[3]]) as usize;
        let mut payload = Vec::new();
        let is_whole = length <= CHUNK_BYTES_MAX
            && file.by_ref().take(length as u64).read_to_end(&mut payload).is_ok_and(|read| read == length);
        if !is_whole {
            restored.damaged += 1;
            break;
        }
        let is_sound = crc32c::crc32c(&payload).to_le_bytes() == head[4..];
        match codec::decode::<Chunk, CHUNK_BYTES_MAX>(&payload) {
            Ok(Chunk::Users(users)) if is_sound => {
                restored.saved += users.len();
                users.into_iter().for_each(|saved| store.put(saved.subject, user_of(saved)));
            }
            Ok(Chunk::Suppressed(subjects)) if is_sound => {
                for subject in subjects {
                    store.forget(subject);
                }
            }
            _ => restored.damaged += 1,
        }
    }
    Some(u64::from_le_bytes(sequence))
}

/// Applies every remembered change from `sequence` on.
fn replay(store: &UserStore, journal: &Path, sequence: u64, restored: &mut Restored) {
    let entries = std::fs::read_dir(journal).into_iter().flatten().flatten();
    let mut segments: Vec<(u64, PathBuf)> = entries
        .filter_map(|entry| Some((sequence_of_file_name(entry.file_name().to_str()?)?, entry.path())))
        .collect();
    segments.sort();
    // The last segment that begins before the wanted record may hold it.
    let first = segments.partition_point(|(first, _)| *first <= sequence).saturating_sub(1);
    let mut replay = Replay::new(store);
    for (_, path) in segments.into_iter().skip(first) {
        let bytes = match read_bounded(&path) {
            Ok(bytes) => bytes,
            Err(error) => {
                tracing::warn!(%error, path = %path.display(), "a journal segment cannot be read back");
                continue;
            }
        };
        let mut at = HEADER_BYTES.min(bytes.len());
        loop {
            match read_record(&bytes[at..]) {
                Record::Whole { sequence: own, event, used } => {
                    if let Event::Remembered(remembered) = &*event
                        && own >= sequence
                    {
                        replay.apply(remembered);
                        restored.replayed += 1;
                    }
                    at += used;
                }
                Record::Damaged { used } => at += used,
                Record::Incomplete | Record::Lost => break,
            }
        }
    }
}

fn read_bounded(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(JOURNAL_SEGMENT_READ_BYTES_MAX).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::user_store::state::Change;
    use crate::user_store::{CountPlan, UserView, record};
    use tessera_wire::journal::{SCHEMA, SegmentHeader, append_record, file_name};
    use tessera_wire::program::{Feature, FeatureEvent, FeatureSubject, Program, SourceMap, Window};

    const NOW_MS: i64 = 1_800_000_000_000;

    struct Place {
        directory: tempfile::TempDir,
    }

    impl Place {
        fn new() -> Place {
            Place { directory: tempfile::tempdir().unwrap() }
        }

        fn journal(&self) -> PathBuf {
            self.directory.path().join("journal")
        }

        fn files(&self) -> VisitorFiles {
            VisitorFiles::open(&self.directory.path().join("visitors")).unwrap()
        }

        /// An empty store with the kept keys, and a plan that counts searches.
        fn store(&self) -> (UserStore, CountPlan) {
            let store = UserStore::new(1 << 24, self.files().keys().unwrap());
            let feature = |name: &str| Feature {
                event: FeatureEvent::Behaviour(name.to_owned()),
                subject: FeatureSubject::Any,
                subject_id: String::new(),
                window: Window::LastMs(3_600_000),
                bucket_ms: 60_000,
            };
            let program = Program { features: vec![feature("search")], ..Program::default() };
            let plan = CountPlan::new(&program, &SourceMap::default(), &store.keys);
            (store, plan)
        }

        /// Writes one journal segment of these changes.
        fn write(&self, first: u64, records: &[Remembered]) {
            std::fs::create_dir_all(self.journal()).unwrap();
            let header = SegmentHeader { schema: SCHEMA, node: 1, first_sequence: first, made_at_ms: 0 };
            let mut bytes = header.encode().to_vec();
            for (number, record) in (first..).zip(records) {
                append_record(number, &Event::Remembered(record.clone()), &mut bytes);
            }
            std::fs::write(self.journal().join(file_name(first)), bytes).unwrap();
        }

        fn restored(&self) -> (UserStore, CountPlan, Restored) {
            let (store, plan) = self.store();
            let restored = self.files().restore(&store, &self.journal());
            (store, plan, restored)
        }
    }

    use tessera_wire::event::Remembered;

    fn searches(store: &UserStore, plan: &CountPlan, subject: u128) -> Option<u32> {
        let mut view = UserView::default();
        store.read(subject, plan, NOW_MS + 60_000, NOW_MS, &mut view);
        view.features[0]
    }

    #[test]
    fn saving_and_restoring_keeps_everything() {
        let place = Place::new();
        let (store, plan) = place.store();
        let key = plan.behaviour_key("search");
        for subject in 1..=2_500u128 {
            store.apply(subject, Change::Search, key, NOW_MS);
            store.apply(subject, Change::ProductView { product_id: "shoe" }, None, NOW_MS);
            store.apply(subject, Change::Cart { value: Some((5, *b"EUR")), items: Some(2) }, None, NOW_MS);
        }
        store.forget(7);
        place.files().save(&store, 0).unwrap();
        let (again, _, restored) = place.restored();
        assert_eq!(restored, Restored { saved: 2_499, damaged: 0, replayed: 0 });
        assert_eq!(
            (again.len(), again.bytes()),
            (store.len(), again.subjects().len() * again.bytes() / again.len())
        );
        for subject in again.subjects() {
            let before = store.visit(subject, |user| user.clone());
            assert_eq!(again.visit(subject, |user| user.clone()), before);
        }
        assert!(again.is_suppressed(7));
    }

    #[test]
    fn replaying_what_the_state_covers_counts_nothing_twice() {
        let place = Place::new();
        let (store, plan) = place.store();
        let keys: Vec<CountKey> = plan.behaviour_key("search").into_iter().collect();
        // Two searches in one second are two; the third happens after the save.
        let records: Vec<Remembered> =
            [0, 0, 5_000].map(|ms| record(1, Change::Search, &keys, NOW_MS + ms)).to_vec();
        records[..2].iter().for_each(|record| store.apply_record(record));
        let purchase = record(1, Change::Purchase, &[], NOW_MS);
        store.apply_record(&purchase);
        place.files().save(&store, 0).unwrap();
        place.write(0, &[records[0].clone(), records[1].clone(), purchase, records[2].clone()]);
        let (again, plan, restored) = place.restored();
        assert_eq!(restored.replayed, 4);
        assert_eq!(searches(&again, &plan, 1), Some(3));
        assert_eq!(again.visit(1, |user| user.purchases), Some(1));
    }

    #[test]
    fn damage_costs_itself() {
        let place = Place::new();
        let (store, plan) = place.store();
        let key = plan.behaviour_key("search");
        (1..=3_000u128).for_each(|subject| store.apply(subject, Change::Search, key, NOW_MS));
        place.files().save(&store, 0).unwrap();
        let path = place.directory.path().join("visitors").join(STATE_FILE);
        let whole = std::fs::read(&path).unwrap();
        for at in [0, 5, 16, 40, whole.len() / 2, whole.len() - 1] {
            let mut bytes = whole.clone();
            bytes[at] ^= 0x5a;
            std::fs::write(&path, &bytes).unwrap();
            let (again, _, restored) = place.restored();
            assert!(again.len() <= 3_000 && (at < 18 || restored.damaged > 0), "byte {at}: {restored:?}");
        }
        for length in [0, 3, 17, 30, whole.len() / 3] {
            std::fs::write(&path, &whole[..length]).unwrap();
            place.restored();
        }
        std::fs::write(&path, &whole).unwrap();
        assert_eq!(place.restored().2.saved, 3_000);
    }

    #[test]
    fn keys_keep_their_numbers_and_a_torn_line_names_nothing() {
        let place = Place::new();
        let (_, plan) = place.store();
        let path = place.directory.path().join("visitors").join(KEYS_FILE);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "behaviour/search\n");
        std::fs::write(&path, "behaviour/other\nbehaviour/search\nbehav").unwrap();
        let (_, again) = place.store();
        assert_eq!(
            (plan.behaviour_key("search"), again.behaviour_key("search")),
            (Some(CountKey(0)), Some(CountKey(1)))
        );
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "behaviour/other\nbehaviour/search\n");
    }
}
