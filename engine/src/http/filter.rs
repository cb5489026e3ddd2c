//! The filter of a placement of a request: what the caller accepts there.

use std::borrow::Cow;

use serde::Deserialize;
use tessera_engine_core::signals::Filter;

use super::values::texts;
use crate::limits::FILTER_ENTRIES_MAX;

/// What the caller accepts in one place.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct FilterBody<'a> {
    #[serde(borrow, deserialize_with = "texts")]
    pub(crate) campaign_ids: Vec<Cow<'a, str>>,
    #[serde(borrow, deserialize_with = "texts")]
    pub(crate) creative_ids: Vec<Cow<'a, str>>,
    #[serde(borrow, deserialize_with = "texts")]
    pub(crate) categories: Vec<Cow<'a, str>>,
    #[serde(borrow, deserialize_with = "texts")]
    pub(crate) advertiser_domains: Vec<Cow<'a, str>>,
    #[serde(borrow, deserialize_with = "texts")]
    pub(crate) exclude_campaign_ids: Vec<Cow<'a, str>>,
    #[serde(borrow, deserialize_with = "texts")]
    pub(crate) exclude_creative_ids: Vec<Cow<'a, str>>,
    #[serde(borrow, deserialize_with = "texts")]
    pub(crate) exclude_categories: Vec<Cow<'a, str>>,
    #[serde(borrow, deserialize_with = "texts")]
    pub(crate) exclude_advertiser_domains: Vec<Cow<'a, str>>,
}

impl FilterBody<'_> {
    /// For the decision.
    pub(crate) fn as_filter(&self) -> Filter<'_> {
        Filter {
            campaign_ids: &self.campaign_ids,
            creative_ids: &self.creative_ids,
            categories: &self.categories,
            advertiser_domains: &self.advertiser_domains,
            exclude_campaign_ids: &self.exclude_campaign_ids,
            exclude_creative_ids: &self.exclude_creative_ids,
            exclude_categories: &self.exclude_categories,
            exclude_advertiser_domains: &self.exclude_advertiser_domains,
        }
    }

    /// Is every list short enough to be compared with each candidate?
    pub(super) fn fits(&self) -> bool {
        let include = [&self.campaign_ids, &self.creative_ids, &self.categories, &self.advertiser_domains];
        let exclude = [
            &self.exclude_campaign_ids,
            &self.exclude_creative_ids,
            &self.exclude_categories,
            &self.exclude_advertiser_domains,
        ];
        include.into_iter().chain(exclude).all(|list| list.len() <= FILTER_ENTRIES_MAX)
    }
}
