//! Which templates are refitted when.
//!
//! Guarantees: templates that are due are refitted oldest first, within a budget of time per publication, so that many
//! templates delay one another and not the journal. A click is in the next publication unless the budget is spent.

use std::collections::BTreeMap;
use std::sync::Arc;

use ahash::AHashMap;
use tessera_wire::posterior::TemplateModel;

use super::TemplateLearner;
use super::cells::Trial;
use crate::fold::{CellKey, Trials};
use crate::names::{GenerationNames, NameId};
use crate::store::{Store, StoreError};

/// Refits end here per publication: reading the journal must not wait longer.
const BUDGET_MS: i64 = 400;
/// Refits may take one part of this many of a core.
const CPU_SHARE: i64 = 4;
/// Publications are never further apart than this because of [`CPU_SHARE`]: a click shall be in the table within 1.5 s.
const GAP_MS_MAX: i64 = 1_000;

/// A template inherits from one with which it shares this part of its own weights at least, a tenth.
const ALIKE: usize = 10;

/// All templates of the present generation.
#[derive(Debug, Default)]
pub struct Learner {
    templates: BTreeMap<NameId, TemplateLearner>,
    fitted_at: BTreeMap<NameId, i64>,
    /// The set of models has changed although no refit was due.
    is_changed: bool,
    started_ms: Option<i64>,
    took_ms: i64,
}

impl Learner {
    /// Takes over the templates of a generation: unchanged ones stay, changed and new ones are loaded from the store.
    ///
    /// # Errors
    /// [`StoreError`] when the statistics cannot be read; the templates loaded so far stay.
    pub fn set_generation(&mut self, names: &Arc<GenerationNames>, store: &Store) -> Result<(), StoreError> {
        let before = self.templates.len();
        // Templates that end may still teach those that begin.
        let is_kept = |id: &NameId| names.templates.iter().any(|shape| shape.template == *id);
        let (kept, ended): (BTreeMap<_, _>, BTreeMap<_, _>) =
            std::mem::take(&mut self.templates).into_iter().partition(|(id, _)| is_kept(id));
        self.templates = kept;
        self.is_changed |= self.templates.len() != before;
        for shape in &names.templates {
            if self.templates.get(&shape.template).is_some_and(|known| known.has_shape(&shape.names)) {
                continue;
            }
            self.is_changed |= self.templates.remove(&shape.template).is_some();
            self.fitted_at.remove(&shape.template);
            let Some(mut learner) = TemplateLearner::new(shape) else {
                tracing::warn!(template = %shape.names.id, "template is too large to learn");
                continue;
            };
            for cell in store.cells(shape.template)? {
                let trial = Trial { impressions: cell.impressions, clicks: cell.clicks };
                learner.add_named(&cell.context, &cell.combination, trial);
            }
            let givers = self.templates.values().chain(ended.values());
            if let Some(giver) = most_alike(&learner, givers) {
                learner.inherit(giver);
            }
            self.templates.insert(shape.template, learner);
        }
        Ok(())
    }

    /// Adds a committed batch.
    pub fn add(&mut self, cells: &AHashMap<CellKey, Trials>) {
        for (key, trials) in cells {
            if let Some(template) = self.templates.get_mut(&key.template) {
                let trial = Trial { impressions: trials.impressions as f64, clicks: trials.clicks as f64 };
                template.add_named(&key.context, &key.combination, trial);
            }
        }
    }

    /// Lets all statistics lose weight.
    pub fn fade(&mut self, factor: f64) {
        self.templates.values_mut().for_each(|template| template.fade(factor));
    }

    /// A template by number.
    pub fn template(&self, id: NameId) -> Option<&TemplateLearner> {
        self.templates.get(&id)
    }

    /// Is it time for a publication, and is there anything new?
    pub fn is_due(&self, now_ms: i64, interval_ms: i64) -> bool {
        let gap_ms = interval_ms.max((self.took_ms * CPU_SHARE).min(GAP_MS_MAX));
        self.started_ms.is_none_or(|started| now_ms >= started + gap_ms)
            && (self.is_changed || self.templates.values().any(TemplateLearner::is_due))
    }

    /// Refits what is due and returns the models of all templates that have one.
    pub fn refit(&mut self, seed: u64, clock: &dyn Fn() -> i64) -> Vec<TemplateModel> {
        let started = clock();
        self.started_ms = Some(started);
        let mut due: Vec<(i64, NameId)> = self
            .templates
            .iter()
            .filter(|(_, template)| template.is_due())
            .map(|(id, _)| (self.fitted_at.get(id).copied().unwrap_or(i64::MIN), *id))
            .collect();
        due.sort_unstable();
        for (_, id) in due {
            let Some(template) = self.templates.get_mut(&id) else { continue };
            if let Err(error) = template.refit(seed ^ u64::from(id.0).rotate_left(40)) {
                tracing::warn!(template = %template.names.id, %error, "refit failed, the previous model stays");
            }
            self.fitted_at.insert(id, clock());
            if clock() - started >= BUDGET_MS {
                break;
            }
        }
        self.is_changed = false;
        self.took_ms = clock() - started;
        self.templates.values().filter_map(|template| template.model().cloned()).collect()
    }
}

/// The template that has most to give, if it is enough; the first of equals.
fn most_alike<'t>(
    learner: &TemplateLearner,
    givers: impl Iterator<Item = &'t TemplateLearner>,
) -> Option<&'t TemplateLearner> {
    let mut most = (learner.cells().layout().len / ALIKE, None);
    for giver in givers {
        let shared = learner.inheritable(giver);
        if shared > most.0 {
            most = (shared, Some(giver));
        }
    }
    most.1
}
