//! Recent decisions, kept so that they can be explained afterwards.
//!
//! What is kept is what the decision was made from: the signals that consent granted and the bundle reads, what was asked
//! for, the models and budgets it looked at, the time and the seed. No address, no user agent, no identifier. Decisions
//! that used a profile of a visitor who may not be measured are not kept. An erased subject's decisions are dropped.
//!
//! Guarantees: bounded memory, the oldest decisions go first; a request never waits for the log: when another thread
//! holds it, or the worker's allowance for the second is used up, the decision is not kept and counted. Nothing survives a
//! restart.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tessera_engine_core::bundle::LoadedBundle;
use tessera_engine_core::decide::Ad;
use tessera_engine_core::inputs::Inputs;
use tessera_engine_core::model::Model;
use tessera_engine_core::snapshot::Snapshot;
use tessera_wire::catalog::TemplateId;

use crate::counters::{family, line, single};
use crate::journal::count;
use crate::limits::{DECISIONS_LOGGED_BURST, DECISIONS_LOGGED_PER_SEC};

/// A decision that can be made again.
#[derive(Debug, Clone)]
pub(crate) struct Logged {
    pub(crate) decision_id: u128,
    /// Whose decision it was, for erasure; 0 when it used nothing of a person.
    pub(crate) subject: u128,
    pub(crate) inputs: Inputs,
    /// Ids that the caller gave its placements.
    pub(crate) placement_ids: Vec<String>,
    pub(crate) ads: Vec<Ad>,
    bundle: Arc<LoadedBundle>,
    posterior_generation: u64,
    models: Vec<(TemplateId, Arc<Model>)>,
}

impl Logged {
    /// Keeps a decision with the models that it looked at: those of its ads, and all bandits'.
    pub(crate) fn new(
        snapshot: &Snapshot,
        decision_id: u128,
        subject: u128,
        inputs: Inputs,
        placement_ids: Vec<String>,
        ads: &[Ad],
    ) -> Logged {
        let mut templates: Vec<TemplateId> = ads.iter().map(|ad| ad.template).collect();
        templates.extend(snapshot.bundle().bandits());
        templates.sort_unstable();
        templates.dedup();
        let models = templates.into_iter().filter_map(|id| Some((id, snapshot.shared_model(id)?))).collect();
        Logged {
            decision_id,
            subject,
            inputs,
            placement_ids,
            ads: ads.to_vec(),
            bundle: snapshot.shared_bundle(),
            posterior_generation: snapshot.posterior_generation(),
            models,
        }
    }

    /// What it was decided from, as far as it looked.
    pub(crate) fn snapshot(&self) -> Snapshot {
        let models = self.models.iter().map(|(id, model)| (*id, Arc::clone(model)));
        Snapshot::again(Arc::clone(&self.bundle), self.posterior_generation, models)
    }

    fn bytes(&self) -> usize {
        size_of::<Logged>()
            + self.inputs.bytes()
            + self.placement_ids.iter().map(String::len).sum::<usize>()
            + self.ads.len() * size_of::<Ad>()
            + self.models.len() * 16
    }
}

/// How many decisions a worker may still keep.
#[derive(Debug, Default)]
pub(crate) struct Allowance {
    left: f64,
    at_ms: i64,
}

impl Allowance {
    /// May one more be kept?
    pub(crate) fn take(&mut self, now_ms: i64) -> bool {
        let passed_ms = now_ms.saturating_sub(self.at_ms).clamp(0, 60_000);
        self.at_ms = now_ms;
        self.left =
            (self.left + passed_ms as f64 * DECISIONS_LOGGED_PER_SEC / 1e3).min(DECISIONS_LOGGED_BURST);
        let may = self.left >= 1.0;
        self.left -= f64::from(u8::from(may));
        may
    }
}

/// The log of all workers.
#[derive(Debug)]
pub(crate) struct DecisionLog {
    bytes_max: usize,
    kept: Mutex<Kept>,
    skipped: AtomicU64,
}

#[derive(Debug, Default)]
struct Kept {
    decisions: VecDeque<Logged>,
    /// Models by address, with how many decisions hold each.
    models: HashMap<usize, (usize, usize)>,
    bytes: usize,
}

impl DecisionLog {
    /// A log of at most about so many bytes; 0 keeps nothing.
    pub(crate) fn new(bytes_max: usize) -> DecisionLog {
        DecisionLog { bytes_max, kept: Mutex::default(), skipped: AtomicU64::new(0) }
    }

    /// Is anything kept at all?
    pub(crate) fn is_on(&self) -> bool {
        self.bytes_max > 0
    }

    /// Keeps a decision, unless somebody else is busy with the log.
    pub(crate) fn keep(&self, logged: Logged) {
        let Ok(mut kept) = self.kept.try_lock() else { return self.skip() };
        kept.push(logged);
        while kept.bytes > self.bytes_max && kept.pop() {}
    }

    /// Counts a decision that is not kept.
    pub(crate) fn skip(&self) {
        count(&self.skipped, 1);
    }

    /// The decision with this id.
    pub(crate) fn find(&self, decision_id: u128) -> Option<Logged> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        // Who asks, asks about something recent.
        kept.decisions.iter().rev().find(|one| one.decision_id == decision_id).cloned()
    }

    /// Drops everything decided for a subject.
    pub(crate) fn forget(&self, subject: u128) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let all = std::mem::take(&mut *kept).decisions;
        all.into_iter().filter(|one| one.subject != subject).for_each(|one| kept.push(one));
    }

    /// Appends what the metrics page says of it.
    pub(crate) fn render(&self, out: &mut String) {
        let (decisions, bytes) = {
            let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            (kept.decisions.len() as u64, kept.bytes as u64)
        };
        family(out, "decisions_kept", "gauge", "Recent decisions that can be explained.");
        line(out, "decisions_kept", decisions);
        family(out, "decisions_kept_bytes", "gauge", "Estimated memory for them.");
        line(out, "decisions_kept_bytes", bytes);
        let skipped = self.skipped.load(Ordering::Relaxed);
        single(out, "decisions_not_kept_total", "Decisions too many to be kept for explanation.", skipped);
    }
}

impl Kept {
    fn push(&mut self, logged: Logged) {
        self.bytes += logged.bytes();
        for (_, model) in &logged.models {
            let (holders, _) = self.models.entry(Arc::as_ptr(model) as usize).or_insert((0, model.bytes()));
            if *holders == 0 {
                self.bytes += model.bytes();
            }
            *holders += 1;
        }
        self.decisions.push_back(logged);
    }

    /// Drops the oldest; false when there is none.
    fn pop(&mut self) -> bool {
        let Some(logged) = self.decisions.pop_front() else { return false };
        self.bytes -= logged.bytes();
        for (_, model) in &logged.models {
            let address = Arc::as_ptr(model) as usize;
            let Some((holders, bytes)) = self.models.get_mut(&address) else { continue };
            *holders -= 1;
            if *holders == 0 {
                self.bytes -= *bytes;
                self.models.remove(&address);
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_allowance_fills_up_with_time_and_has_a_brim() {
        let mut allowance = Allowance::default();
        let burst =
            |allowance: &mut Allowance, now_ms| (0..10_000).filter(|_| allowance.take(now_ms)).count();
        assert_eq!(burst(&mut allowance, 3_600_000), DECISIONS_LOGGED_BURST as usize);
        assert_eq!(burst(&mut allowance, 3_600_500), (DECISIONS_LOGGED_PER_SEC / 2.0) as usize);
        assert_eq!(burst(&mut allowance, 3_600_400), 0, "a clock that goes back gives nothing");
        assert_eq!(burst(&mut allowance, i64::MAX), DECISIONS_LOGGED_BURST as usize);
    }
}
