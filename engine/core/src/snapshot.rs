//! What one request sees: one bundle and the posteriors that fit it.
//!
//! A publish replaces both; a posterior update shares the bundle and replaces only the posteriors. Either way a request
//! holds one [`Snapshot`] from beginning to end and never sees a mix.

use std::sync::Arc;

use tessera_wire::catalog::TemplateId;
use tessera_wire::posterior::PosteriorTable;

use crate::bundle::LoadedBundle;
use crate::model::Model;

/// Everything a decision depends on besides the request.
#[derive(Debug, Clone)]
pub struct Snapshot {
    bundle: Arc<LoadedBundle>,
    posteriors: Arc<Posteriors>,
}

/// Models of one posterior table, matched to one bundle's templates.
#[derive(Debug, Default)]
struct Posteriors {
    generation: u64,
    made_at_ms: i64,
    // INVARIANT: one entry per template and then per bandit of the bundle, each of that template's shape.
    models: Vec<Option<Arc<Model>>>,
    ignored: usize,
}

impl Snapshot {
    /// Matches `table` to `bundle`. Models of templates that are gone or have changed shape are ignored, and counted.
    pub fn new(bundle: Arc<LoadedBundle>, table: &PosteriorTable) -> Snapshot {
        let names = bundle.names();
        let mut models: Vec<Option<Arc<Model>>> = Vec::with_capacity(names.templates.len());
        for (index, template) in names.templates.iter().enumerate() {
            let layout = bundle.layout(TemplateId(index as u32));
            let is_template = index < bundle.catalog().templates.len();
            let excluded =
                if is_template { bundle.exclusions(TemplateId(index as u32)).pairs() } else { &[] };
            let found = table.models.iter().find(|model| model.template == template.id);
            models.push(
                found.and_then(|model| Model::matching(model, template, layout, excluded)).map(Arc::new),
            );
        }
        let used = models.iter().flatten().count();
        let posteriors = Posteriors {
            generation: table.generation,
            made_at_ms: table.made_at_ms,
            models,
            ignored: table.models.len() - used,
        };
        Snapshot { bundle, posteriors: Arc::new(posteriors) }
    }

    /// The bundle.
    #[inline]
    pub fn bundle(&self) -> &LoadedBundle {
        &self.bundle
    }

    /// The bundle, to build the next snapshot from.
    pub fn shared_bundle(&self) -> Arc<LoadedBundle> {
        Arc::clone(&self.bundle)
    }

    /// The model of a template or bandit, if the learner has published one that fits.
    #[inline]
    pub fn model(&self, template: TemplateId) -> Option<&Model> {
        self.posteriors.models.get(template.index())?.as_deref()
    }

    /// The model of a template or bandit, to keep.
    pub fn shared_model(&self, template: TemplateId) -> Option<Arc<Model>> {
        self.posteriors.models.get(template.index())?.clone()
    }

    /// The snapshot as it was, as far as a decision can tell that only asked for these models.
    pub fn again(
        bundle: Arc<LoadedBundle>,
        generation: u64,
        models: impl Iterator<Item = (TemplateId, Arc<Model>)>,
    ) -> Snapshot {
        let mut all = vec![None; bundle.models()];
        for (template, model) in models {
            if let Some(place) = all.get_mut(template.index()) {
                *place = Some(model);
            }
        }
        let posteriors = Posteriors { generation, made_at_ms: 0, models: all, ignored: 0 };
        Snapshot { bundle, posteriors: Arc::new(posteriors) }
    }

    /// Generation of the posterior table, 0 before the first.
    #[inline]
    pub fn posterior_generation(&self) -> u64 {
        self.posteriors.generation
    }

    /// When the posterior table was made, unix milliseconds, 0 before the first.
    pub fn posterior_made_at_ms(&self) -> i64 {
        self.posteriors.made_at_ms
    }

    /// How many models of the table fit no template of the bundle.
    pub fn ignored_models(&self) -> usize {
        self.posteriors.ignored
    }
}
