//! Who sees what of an experiment, and who is held out of everything.
//!
//! All assignments are one documented hash ([`crate::hash::bucket`]) of a salt and the visitor's key, a million buckets:
//!
//! 1. The bundle's holdout (`holdout`) sees the control of every campaign that has one, and nothing of the others.
//! 2. A campaign's holdout (`holdout:CAMPAIGN`) sees the campaign's control.
//! 3. Of the others, an experiment takes the buckets `first..end` of its layer (`layer:LAYER`, or `experiment:EXPERIMENT`
//!    when it has none): experiments of one layer share nobody.
//! 4. Who takes part sees the variant whose buckets hold the hash under `split:EXPERIMENT`. Coverage and split are two
//!    hashes, so widening an experiment moves nobody between its variants.
//!
//! The key is the visitor's where identifiers may be read, else the request's. A [`Preview`] replaces all of this for one
//! request, which is then neither counted nor learned from. Cost: one hash per campaign with a holdout, two per campaign
//! with an experiment.

use tessera_wire::catalog::{Campaign, CampaignId, Experiment, Variant};
use tessera_wire::event::Exposure;

use crate::bundle::LoadedBundle;
use crate::hash::{BUCKETS, bucket};
use crate::place::Place;

/// Assignments that somebody wants to look at, instead of those that hashes make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preview {
    is_held_out: Option<bool>,
    // Sorted by experiment; a second wish for one experiment is not kept.
    exposures: Vec<Exposure>,
}

impl Preview {
    /// A preview without wishes for variants. `is_held_out` says whether the visitor is held out of everything; `None`
    /// leaves it to the hash.
    pub fn new(is_held_out: Option<bool>) -> Preview {
        Preview { is_held_out, exposures: Vec::new() }
    }

    /// Wishes for this variant. False when the bundle has no such experiment or variant.
    pub fn force(&mut self, bundle: &LoadedBundle, experiment: &str, variant: &str) -> bool {
        let catalog = bundle.catalog();
        let named = |one: &Experiment| catalog.str(one.id) == experiment;
        let Some(number) = catalog.experiments.iter().position(named) else { return false };
        let variants = catalog.experiments[number].variants.of(&catalog.variants);
        let Some(variant) = variants.iter().position(|one| catalog.str(one.id) == variant) else {
            return false;
        };
        let exposure = Exposure { experiment: number as u32, variant: variant as u16 };
        if let Err(at) = self.exposures.binary_search_by_key(&exposure.experiment, |one| one.experiment) {
            self.exposures.insert(at, exposure);
        }
        true
    }

    fn of(&self, experiments: std::ops::Range<u32>) -> Option<Exposure> {
        self.exposures.iter().find(|exposure| experiments.contains(&exposure.experiment)).copied()
    }
}

/// What a campaign is to a visitor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Assignment {
    /// What rules say.
    Ordinary,
    /// Its control, or nothing.
    HeldOut,
    /// A variant of one of its experiments.
    Exposed(Exposure),
}

/// Is this visitor kept away from personalised campaigns altogether?
pub(crate) fn is_held_out_of_all(bundle: &LoadedBundle, preview: Option<&Preview>, key: u64) -> bool {
    let catalog = bundle.catalog();
    let by_hash = || is_in(catalog.holdout_ppm, catalog.str(catalog.holdout_salt), key);
    preview.and_then(|preview| preview.is_held_out).unwrap_or_else(by_hash)
}

fn is_in(share_ppm: u32, salt: &str, key: u64) -> bool {
    debug_assert!(u64::from(share_ppm) <= BUCKETS);
    share_ppm > 0 && bucket(salt, key) < share_ppm
}

impl Place<'_> {
    /// What the campaign is to this visitor.
    pub(crate) fn assignment(&self, id: CampaignId) -> Assignment {
        let catalog = self.snapshot.bundle().catalog();
        let campaign = &catalog.campaigns[id.index()];
        let preview = self.admitted.preview();
        let forced = preview.and_then(|preview| preview.of(experiments_of(campaign)));
        if let Some(exposure) = forced {
            return Assignment::Exposed(exposure);
        }
        let is_free = preview.is_some_and(|preview| preview.is_held_out == Some(false));
        let is_held_out = self.is_held_out_of_all
            || (!is_free && is_in(campaign.holdout_ppm, catalog.str(campaign.holdout_salt), self.key));
        if is_held_out {
            return Assignment::HeldOut;
        }
        self.exposure(campaign).map_or(Assignment::Ordinary, Assignment::Exposed)
    }

    /// The experiment that the visitor takes part in: at most one, as a campaign's experiments share a layer.
    fn exposure(&self, campaign: &Campaign) -> Option<Exposure> {
        let catalog = self.snapshot.bundle().catalog();
        let running = campaign.experiments.of(&catalog.experiments).iter().position(|experiment| {
            let takes_part = experiment.first_bucket..experiment.end_bucket;
            (experiment.start_ms..experiment.end_ms).contains(&self.now_ms)
                && takes_part.contains(&bucket(catalog.str(experiment.layer_salt), self.key))
        })?;
        let number = campaign.experiments.first + running as u32;
        let experiment = &catalog.experiments[number as usize];
        let place = bucket(catalog.str(experiment.split_salt), self.key);
        let variants = experiment.variants.of(&catalog.variants);
        // Variants are sorted by their ends and the last one's is a million.
        let variant = variants.iter().position(|variant| place < variant.end_bucket)?;
        Some(Exposure { experiment: number, variant: variant as u16 })
    }

    /// The variant behind an exposure.
    pub(crate) fn variant(&self, exposure: Exposure) -> &Variant {
        let catalog = self.snapshot.bundle().catalog();
        let experiment = &catalog.experiments[exposure.experiment as usize];
        &experiment.variants.of(&catalog.variants)[usize::from(exposure.variant)]
    }
}

fn experiments_of(campaign: &Campaign) -> std::ops::Range<u32> {
    campaign.experiments.first..campaign.experiments.first + campaign.experiments.len
}
