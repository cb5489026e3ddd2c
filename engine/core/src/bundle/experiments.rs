//! What must hold of experiments before anybody is assigned to one.

use tessera_wire::catalog::{CampaignId, Catalog, Experiment, Variant, VariantShows};
use tessera_wire::limits::VARIANTS_PER_EXPERIMENT_MAX;

use super::LoadError;
use super::check::{Checked, check_each, rule, span_fits, text_fits};
use crate::hash::BUCKETS;

pub(super) fn check_experiments(catalog: &Catalog) -> Result<(), LoadError> {
    check_each("variants", &catalog.variants, |variant| check_variant(catalog, variant))?;
    check_each("experiments", &catalog.experiments, |experiment| check_experiment(catalog, experiment))?;
    let holdout = || {
        rule(text_fits(catalog, catalog.holdout_salt), "the holdout's salt is outside the text")?;
        rule(u64::from(catalog.holdout_ppm) <= BUCKETS, "the holdout is more than everyone")
    };
    check_each("holdout", &[()], |()| holdout())?;
    check_grouping(catalog)
}

fn check_variant(catalog: &Catalog, variant: &Variant) -> Checked {
    rule(text_fits(catalog, variant.id), "its id is outside the text")?;
    let exists = match variant.shows {
        VariantShows::AsDecided => true,
        VariantShows::Creative(creative) => creative.index() < catalog.creatives.len(),
        VariantShows::Template(template) => template.index() < catalog.templates.len(),
    };
    rule(exists, "what it shows does not exist")
}

fn check_experiment(catalog: &Catalog, experiment: &Experiment) -> Checked {
    let texts = [experiment.id, experiment.layer_salt, experiment.split_salt];
    rule(texts.iter().all(|text| text_fits(catalog, *text)), "a text is outside the arena")?;
    rule(experiment.first_bucket <= experiment.end_bucket, "its buckets end before they begin")?;
    rule(u64::from(experiment.end_bucket) <= BUCKETS, "its buckets are outside the layer")?;
    rule(experiment.start_ms < experiment.end_ms, "it ends before it starts")?;
    rule(span_fits(experiment.variants, catalog.variants.len()), "its variants are outside the list")?;
    let variants = experiment.variants.of(&catalog.variants);
    rule(variants.len() <= VARIANTS_PER_EXPERIMENT_MAX, "it has too many variants")?;
    rule(variants.is_sorted_by_key(|variant| variant.end_bucket), "its variants are not sorted")?;
    let is_complete = variants.last().is_some_and(|last| u64::from(last.end_bucket) == BUCKETS);
    rule(is_complete, "its variants do not share out everyone")
}

/// Experiments stand campaign by campaign, so that a number in a served event means the same everywhere, and show only
/// what is their campaign's: anything else would be counted as another campaign's ad. Experiments that run at one time
/// in one campaign take different visitors.
fn check_grouping(catalog: &Catalog) -> Result<(), LoadError> {
    let mut next = 0;
    for (index, campaign) in catalog.campaigns.iter().enumerate() {
        let broken = |rule| LoadError::Catalog { list: "campaigns", index, rule };
        if campaign.experiments.first != next {
            return Err(broken("its experiments do not follow the ones before"));
        }
        next += campaign.experiments.len;
        let experiments = campaign.experiments.of(&catalog.experiments);
        let variants = experiments.iter().flat_map(|one| one.variants.of(&catalog.variants));
        let own = CampaignId(index as u32);
        if !variants.clone().all(|variant| campaign_of(catalog, variant).is_none_or(|shown| shown == own)) {
            return Err(broken("a variant shows something of another campaign"));
        }
        let mut layers = experiments.iter().map(|one| catalog.str(one.layer_salt));
        let first = layers.next();
        if !layers.all(|layer| Some(layer) == first) {
            return Err(broken("its experiments are in several layers"));
        }
    }
    let is_all = next as usize == catalog.experiments.len();
    let rule = "it belongs to no campaign";
    if is_all { Ok(()) } else { Err(LoadError::Catalog { list: "experiments", index: next as usize, rule }) }
}

fn campaign_of(catalog: &Catalog, variant: &Variant) -> Option<CampaignId> {
    let template = match variant.shows {
        VariantShows::AsDecided => return None,
        VariantShows::Creative(creative) => catalog.creatives[creative.index()].template,
        VariantShows::Template(template) => template,
    };
    Some(catalog.templates[template.index()].campaign)
}
