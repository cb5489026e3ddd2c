//! The signals of one request, as a program reads them.
//!
//! Guarantees: a signal is either unknown, and then has no value to read, or known with one value of one shape; setting
//! allocates nothing once the frame fits the program. A value that does not fit a named limit makes its signal unknown:
//! a wrong shape, a full arena or an index out of range is never an error and never a panic.
//!
//! Cost: one slot of 16 bytes per attribute plus two fixed arenas (32 KiB). Setting a text costs one dictionary look-up.
//!
//! Not here: which signals may be set at all. That is the consent gate's decision, made before a frame is filled.

use tessera_wire::program::{SignalId, WordId};
use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

use crate::limits::{FRAME_MEMBERS_MAX, FRAME_TEXT_BYTES_MAX, SET_MEMBERS_MAX};
use crate::verify::VerifiedProgram;

/// One request's signals. Caller-owned and reusable.
#[derive(Debug, Clone)]
pub struct Frame {
    now_ms: i64,
    slots: Vec<Slot>,
    text: String,
    members: Vec<WordId>,
    /// The set that members are being added to: its members end the arena.
    open_set: Option<SignalId>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Slot {
    Unknown,
    Integer(i64),
    Text {
        word: WordId,
        start: u32,
        end: u32,
    },
    /// Members are sorted and distinct; every unmentioned member counts as one [`WordId::OTHER`].
    Set {
        start: u32,
        end: u32,
    },
}

impl Frame {
    /// Bytes of what it holds, without spare room.
    pub fn bytes(&self) -> usize {
        self.slots.len() * size_of::<Slot>() + self.text.len() + self.members.len() * size_of::<WordId>()
    }

    /// A frame that fits `program`, everything unknown, at time zero.
    pub fn new(program: &VerifiedProgram) -> Frame {
        Frame {
            now_ms: 0,
            slots: vec![Slot::Unknown; program.program().attributes.len()],
            text: String::with_capacity(FRAME_TEXT_BYTES_MAX),
            members: Vec::with_capacity(FRAME_MEMBERS_MAX),
            open_set: None,
        }
    }

    /// Makes everything unknown and fits the frame to `program`. Signals set before mean nothing to another program.
    pub fn reset(&mut self, program: &VerifiedProgram, now_ms: i64) {
        self.now_ms = now_ms;
        self.slots.clear();
        self.slots.resize(program.program().attributes.len(), Slot::Unknown);
        self.text.clear();
        self.members.clear();
        self.open_set = None;
    }

    /// Sets a bool (0 or 1), a scaled number or amount, or a time in unix milliseconds.
    #[inline]
    pub fn set_integer(&mut self, signal: SignalId, value: i64) {
        self.put(signal, Slot::Integer(value));
    }

    /// Sets a text. The text itself is kept only when a rule looks inside it; otherwise its word is all that remains.
    /// Texts are compared in normalization form C (Unicode Standard Annex 15), and in lower case where the attribute
    /// says so.
    pub fn set_text(&mut self, program: &VerifiedProgram, signal: SignalId, text: &str) {
        let Some(attribute) = program.program().attributes.get(signal.0 as usize) else { return };
        let start = self.text.len();
        if is_canonical(text, attribute.is_caseless) {
            let word = program.word(text);
            if !attribute.needs_text {
                return self.put(signal, Slot::Text { word, start: 0, end: 0 });
            }
            if start + text.len() > FRAME_TEXT_BYTES_MAX {
                return self.put(signal, Slot::Unknown);
            }
            self.text.push_str(text);
            return self.put(signal, Slot::Text { word, start: start as u32, end: self.text.len() as u32 });
        }
        if !self.push_canonical(text, attribute.is_caseless) {
            return self.put(signal, Slot::Unknown);
        }
        let word = program.word(&self.text[start..]);
        if attribute.needs_text {
            self.put(signal, Slot::Text { word, start: start as u32, end: self.text.len() as u32 });
        } else {
            self.text.truncate(start);
            self.put(signal, Slot::Text { word, start: 0, end: 0 });
        }
    }

    /// Appends the comparable form of `text` to the arena; when it does not fit, the arena stays as it was.
    fn push_canonical(&mut self, text: &str, is_caseless: bool) -> bool {
        let start = self.text.len();
        for letter in text.nfc() {
            // Lower case of a composed letter is composed, the dotted capital I aside: it is compared as it comes.
            let mut push = |letter: char| {
                let fits = self.text.len() + letter.len_utf8() <= FRAME_TEXT_BYTES_MAX;
                if fits {
                    self.text.push(letter);
                }
                fits
            };
            let fits = if is_caseless { letter.to_lowercase().all(&mut push) } else { push(letter) };
            if !fits {
                self.text.truncate(start);
                return false;
            }
        }
        true
    }

    /// Makes a set known and empty, and open for [`Frame::push_member`].
    pub fn begin_set(&mut self, signal: SignalId) {
        let start = self.members.len() as u32;
        self.open_set = Some(signal);
        self.put(signal, Slot::Set { start, end: start });
    }

    /// Adds a member to the set that was begun last. Adding to any other set, or too many, makes that set unknown.
    pub fn push_member(&mut self, program: &VerifiedProgram, signal: SignalId, member: &str) {
        let Some(Slot::Set { start, end }) = self.slots.get(signal.0 as usize).copied() else { return };
        if self.open_set != Some(signal) {
            self.put(signal, Slot::Unknown);
            return;
        }
        debug_assert_eq!(end as usize, self.members.len(), "INVARIANT: the open set ends the arena");
        let word = self.member_word(program, signal, member);
        let own = &self.members[start as usize..];
        let Err(place) = own.binary_search(&word) else { return };
        if own.len() == SET_MEMBERS_MAX || self.members.len() == FRAME_MEMBERS_MAX {
            self.members.truncate(start as usize);
            self.put(signal, Slot::Unknown);
            return;
        }
        self.members.insert(start as usize + place, word);
        self.put(signal, Slot::Set { start, end: end + 1 });
    }

    fn member_word(&mut self, program: &VerifiedProgram, signal: SignalId, member: &str) -> WordId {
        let attribute = program.program().attributes.get(signal.0 as usize);
        let is_caseless = attribute.is_some_and(|attribute| attribute.is_caseless);
        if is_canonical(member, is_caseless) {
            return program.word(member);
        }
        let start = self.text.len();
        // A member that does not even fit the arena is no word that a rule mentions.
        if !self.push_canonical(member, is_caseless) {
            return WordId::OTHER;
        }
        let word = program.word(&self.text[start..]);
        self.text.truncate(start);
        word
    }

    /// Has the signal a value?
    #[inline]
    pub fn is_known(&self, signal: SignalId) -> bool {
        self.slot(signal) != Slot::Unknown
    }

    /// The value of a known bool, number, amount or time.
    #[inline]
    pub fn integer(&self, signal: SignalId) -> Option<i64> {
        match self.slot(signal) {
            Slot::Integer(value) => Some(value),
            _ => None,
        }
    }

    /// The dictionary word of a known text, [`WordId::OTHER`] when no rule mentions it.
    #[inline]
    pub fn word(&self, signal: SignalId) -> Option<WordId> {
        match self.slot(signal) {
            Slot::Text { word, .. } => Some(word),
            _ => None,
        }
    }

    /// A known text itself; empty when no rule looks inside it.
    #[inline]
    pub fn text(&self, signal: SignalId) -> Option<&str> {
        match self.slot(signal) {
            Slot::Text { start, end, .. } => self.text.get(start as usize..end as usize),
            _ => None,
        }
    }

    /// The members of a known set: sorted, distinct, every unmentioned member counted as one [`WordId::OTHER`].
    #[inline]
    pub fn members(&self, signal: SignalId) -> Option<&[WordId]> {
        match self.slot(signal) {
            Slot::Set { start, end } => self.members.get(start as usize..end as usize),
            _ => None,
        }
    }

    /// The time of the request, unix milliseconds.
    #[inline]
    pub fn now_ms(&self) -> i64 {
        self.now_ms
    }

    #[inline]
    pub(crate) fn slot(&self, signal: SignalId) -> Slot {
        self.slots.get(signal.0 as usize).copied().unwrap_or(Slot::Unknown)
    }

    #[inline]
    fn put(&mut self, signal: SignalId, value: Slot) {
        if let Some(slot) = self.slots.get_mut(signal.0 as usize) {
            *slot = value;
        }
    }
}

/// Is the text its own comparable form? A quick check: "no" may also mean "perhaps not".
fn is_canonical(text: &str, is_caseless: bool) -> bool {
    if text.is_ascii() {
        return !is_caseless || !text.bytes().any(|byte| byte.is_ascii_uppercase());
    }
    !is_caseless && is_nfc_quick(text.chars()) == IsNormalized::Yes
}

/// The form in which texts are compared: normalization form C, and lower case where asked for. What [`Frame`] does to
/// values, compilers do to the texts of rules.
pub fn canonical(text: &str, is_caseless: bool) -> String {
    let letters = text.nfc();
    if is_caseless { letters.flat_map(char::to_lowercase).collect() } else { letters.collect() }
}
