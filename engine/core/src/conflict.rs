//! What a caller does not accept, and what does not go together in one answer.
//!
//! Two campaigns of different advertisers that share an exclusion group are never in one answer, over all its placements;
//! house ads compete with nobody. Cost: a filter compares texts, only where a request has one; conflicts take one look at
//! each ad of the decision where a campaign has groups or a limit. No allocation.

use std::borrow::Cow;

use tessera_wire::catalog::{Campaign, CampaignId, CreativeId, TemplateId};

use crate::decide::{Ad, Loss};
use crate::place::Place;

impl Place<'_> {
    /// Does the caller accept it?
    pub(crate) fn is_accepted(&self, template: TemplateId, creative: Option<CreativeId>) -> bool {
        let Some(filter) = &self.request.filter else { return true };
        let catalog = self.catalog();
        let spec = &catalog.templates[template.index()];
        let campaign = &catalog.campaigns[spec.campaign.index()];
        let creative = creative.map_or(spec.id, |id| catalog.creatives[id.index()].id);
        let (campaign_id, creative_id) = (catalog.str(campaign.id), catalog.str(creative));
        let domain = catalog.str(campaign.domain);
        let names = |list: &[Cow<'_, str>], name: &str| list.iter().any(|one| one == name);
        let is_of = |list: &[Cow<'_, str>]| {
            let mut own = campaign.categories.of(&catalog.categories).iter();
            own.any(|category| names(list, catalog.str(*category)))
        };
        let is_theirs = |list: &[Cow<'_, str>]| {
            !domain.is_empty() && list.iter().any(|one| one.eq_ignore_ascii_case(domain))
        };
        let wants = |list: &[Cow<'_, str>], has: bool| list.is_empty() || has;
        wants(filter.campaign_ids, names(filter.campaign_ids, campaign_id))
            && wants(filter.creative_ids, names(filter.creative_ids, creative_id))
            && wants(filter.categories, is_of(filter.categories))
            && wants(filter.advertiser_domains, is_theirs(filter.advertiser_domains))
            && !names(filter.exclude_campaign_ids, campaign_id)
            && !names(filter.exclude_creative_ids, creative_id)
            && !is_of(filter.exclude_categories)
            && !is_theirs(filter.exclude_advertiser_domains)
    }

    /// Why the campaign does not go together with what is shown `already`, if so.
    pub(crate) fn conflict(&self, id: CampaignId, already: &[Ad]) -> Option<Loss> {
        let catalog = self.catalog();
        let campaign = &catalog.campaigns[id.index()];
        if campaign.groups.len == 0 && campaign.ads_per_answer_max == 0 {
            return None;
        }
        let mut own = 0;
        for ad in already.iter().filter(|ad| ad.flight.is_some()) {
            let other = catalog.templates[ad.template.index()].campaign;
            if other == id {
                own += 1;
            } else if self.compete(campaign, &catalog.campaigns[other.index()]) {
                return Some(Loss::CompetitorConflict);
            }
        }
        (campaign.ads_per_answer_max > 0 && own >= campaign.ads_per_answer_max).then_some(Loss::Duplicate)
    }

    fn compete(&self, one: &Campaign, other: &Campaign) -> bool {
        let catalog = self.catalog();
        let (advertiser, competitor) = (catalog.str(one.advertiser), catalog.str(other.advertiser));
        let others = other.groups.of(&catalog.groups);
        (advertiser.is_empty() || advertiser != competitor)
            && one.groups.of(&catalog.groups).iter().any(|group| others.contains(group))
    }
}
