//! What became of watched files: counts for the metrics page, and the last refusal with its reason for `/readyz`.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use serde::Serialize;
use tessera_engine_core::bundle::LoadError;
use tessera_wire::bundle::BundleError;

use super::Watched;
use crate::counters::{family, line};
use crate::journal::count;
use crate::server::now_ms;

/// Why a file was refused, as a closed list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    /// It cannot be read.
    Unreadable,
    /// Its bytes are damaged, or are something else.
    Corrupt,
    /// Made by a newer program.
    TooNew,
    /// Made by an older program, in a format that nobody writes any more.
    TooOld,
    /// Larger than allowed.
    OverLimit,
    /// Not signed, or by nobody who is trusted.
    WronglySigned,
    /// Intact, but its content makes no sense.
    Invalid,
}

impl Reason {
    const ALL: [(Reason, &'static str); 7] = [
        (Reason::Unreadable, "unreadable"),
        (Reason::Corrupt, "corrupt"),
        (Reason::TooNew, "too_new"),
        (Reason::TooOld, "too_old"),
        (Reason::OverLimit, "over_limit"),
        (Reason::WronglySigned, "wrongly_signed"),
        (Reason::Invalid, "invalid"),
    ];

    const fn name(self) -> &'static str {
        Reason::ALL[self as usize].1
    }
}

/// A file that was not taken over.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) reason: Reason,
    pub(super) detail: String,
}

impl Refused {
    pub(super) fn new(reason: Reason, detail: impl std::fmt::Display) -> Refused {
        Refused { reason, detail: detail.to_string() }
    }
}

impl From<std::io::Error> for Refused {
    fn from(error: std::io::Error) -> Refused {
        Refused::new(Reason::Unreadable, error)
    }
}

impl From<BundleError> for Refused {
    fn from(error: BundleError) -> Refused {
        let reason = match error {
            BundleError::TooLarge { .. } => Reason::OverLimit,
            BundleError::FormatTooNew { .. } | BundleError::UnknownSection { .. } => Reason::TooNew,
            BundleError::FormatTooOld { .. } => Reason::TooOld,
            BundleError::Unsigned | BundleError::WrongSignature => Reason::WronglySigned,
            _ => Reason::Corrupt,
        };
        Refused::new(reason, error)
    }
}

impl From<LoadError> for Refused {
    fn from(error: LoadError) -> Refused {
        match error {
            LoadError::Bundle(error) => error.into(),
            other => Refused::new(Reason::Invalid, other),
        }
    }
}

/// The last refusal, for people.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct LastRefusal {
    file: &'static str,
    reason: &'static str,
    detail: String,
    at_ms: i64,
}

/// What happened to watched files.
#[derive(Debug, Default)]
pub(crate) struct WatchState {
    taken: [AtomicU64; Watched::ALL.len()],
    refused: [AtomicU64; Watched::ALL.len()],
    bundle_refused: [AtomicU64; Reason::ALL.len()],
    bundle_made_at_ms: AtomicI64,
    last_refusal: Mutex<Option<LastRefusal>>,
}

impl WatchState {
    pub(super) fn take(&self, what: Watched) {
        count(&self.taken[what as usize], 1);
    }

    pub(super) fn refuse(&self, what: Watched, refused: Refused) {
        count(&self.refused[what as usize], 1);
        if what == Watched::Bundle {
            count(&self.bundle_refused[refused.reason as usize], 1);
        }
        let (reason, detail) = (refused.reason.name(), refused.detail);
        let last = LastRefusal { file: what.name(), reason, detail, at_ms: now_ms() };
        *self.last_refusal.lock().unwrap_or_else(PoisonError::into_inner) = Some(last);
    }

    pub(super) fn bundle_made(&self, at_ms: u64) {
        self.bundle_made_at_ms.store(i64::try_from(at_ms).unwrap_or(0), Ordering::Relaxed);
    }

    /// When the live bundle was made, unix milliseconds, 0 before the first.
    pub(crate) fn bundle_made_at_ms(&self) -> i64 {
        self.bundle_made_at_ms.load(Ordering::Relaxed)
    }

    /// The last refusal, if there was one.
    pub(crate) fn last_refusal(&self) -> Option<LastRefusal> {
        self.last_refusal.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn render(&self, out: &mut String) {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        family(out, "swap_total", "counter", "Watched files taken over or refused.");
        for (index, (_, name)) in Watched::ALL.iter().enumerate() {
            let (taken, refused) = (get(&self.taken[index]), get(&self.refused[index]));
            line(out, &format!("swap_total{{file=\"{name}\",result=\"taken\"}}"), taken);
            line(out, &format!("swap_total{{file=\"{name}\",result=\"refused\"}}"), refused);
        }
        family(out, "bundle_swap_total", "counter", "Bundles by what became of them.");
        line(out, "bundle_swap_total{result=\"taken\"}", get(&self.taken[Watched::Bundle as usize]));
        for (index, (_, name)) in Reason::ALL.iter().enumerate() {
            line(out, &format!("bundle_swap_total{{result=\"{name}\"}}"), get(&self.bundle_refused[index]));
        }
        if self.bundle_made_at_ms() > 0 {
            family(out, "bundle_age_seconds", "gauge", "Time since the live bundle was made.");
            line(out, "bundle_age_seconds", age_secs(self.bundle_made_at_ms()));
        }
    }
}

/// Seconds since then.
pub(crate) fn age_secs(at_ms: i64) -> u64 {
    u64::try_from(now_ms().saturating_sub(at_ms)).unwrap_or(0) / 1_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn label_tables_match_their_enums() {
        for (index, (reason, name)) in Reason::ALL.iter().enumerate() {
            assert_eq!((*reason as usize, reason.name()), (index, *name));
        }
        for (index, (what, name)) in Watched::ALL.iter().enumerate() {
            assert_eq!((*what as usize, what.name()), (index, *name));
        }
    }

    #[test]
    fn refusals_say_why() {
        let reason = |error: BundleError| Refused::from(error).reason;
        assert_eq!(reason(BundleError::Hash), Reason::Corrupt);
        assert_eq!(reason(BundleError::FormatTooNew { found: 9, supported: 3 }), Reason::TooNew);
        assert_eq!(reason(BundleError::TooLarge { found: 9, max: 3 }), Reason::OverLimit);
        assert_eq!(reason(BundleError::Unsigned), Reason::WronglySigned);
        let state = WatchState::default();
        state.refuse(Watched::Bundle, BundleError::WrongSignature.into());
        let last = serde_json::to_value(state.last_refusal()).unwrap();
        assert_eq!((&last["file"], &last["reason"]), (&"bundle".into(), &"wrongly_signed".into()));
        let mut text = String::new();
        state.render(&mut text);
        assert!(text.contains("bundle_swap_total{result=\"wrongly_signed\"} 1\n"), "{text}");
    }
}
