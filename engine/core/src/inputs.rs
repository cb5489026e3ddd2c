//! What a decision depended on besides its snapshot, kept so that it can be made again.
//!
//! [`Inputs`] are made from [`Admitted`] and hold what that held: granted signals only, no address, no identifier. Making
//! the decision again from them and the same snapshot gives the same ads, bit by bit.

use std::borrow::Cow;

use tessera_rulevm::Frame;
use tessera_wire::event::Mode;
use tessera_wire::signal::Gates;

use crate::admit::Admitted;
use crate::budget::Funds;
use crate::consent::Reason;
use crate::experiment::Preview;
use crate::offer::HeldOffer;
use crate::signals::{Filter, PlacementRequest};
use crate::standing::Standing;
use crate::switches::Switches;

/// An admitted request, kept.
#[derive(Debug, Clone)]
pub struct Inputs {
    frame: Frame,
    placements: Vec<Placement>,
    gates: Gates,
    mode: Mode,
    reason: Reason,
    sticky_key: Option<u64>,
    held: Vec<HeldOffer>,
    subject: u128,
    is_learnable: bool,
    features: Vec<Option<u32>>,
    funds: Vec<Funds>,
    switches: Option<Switches>,
    preview: Option<Preview>,
    /// When it was decided, unix milliseconds.
    pub now_ms: i64,
    /// What all chance of the decision followed from.
    pub seed: u64,
}

/// What was asked for in one place.
#[derive(Debug, Clone)]
struct Placement {
    slot: String,
    count: u8,
    formats: Vec<(u32, u32)>,
    filter: Option<[Vec<Cow<'static, str>>; 8]>,
    floor_micros: i64,
}

impl Inputs {
    /// Keeps what a decision with this seed at this time depends on.
    pub fn of(admitted: &Admitted<'_>, now_ms: i64, seed: u64) -> Inputs {
        let Admitted { gates, mode, reason, sticky_key, subject, is_learnable, standing, .. } = *admitted;
        Inputs {
            frame: admitted.frame().clone(),
            placements: admitted.placements().iter().map(Placement::of).collect(),
            gates,
            mode,
            reason,
            sticky_key,
            held: admitted.held().to_vec(),
            subject,
            is_learnable,
            features: admitted.features.to_vec(),
            funds: standing.funds.to_vec(),
            switches: standing.switches.cloned(),
            preview: admitted.preview().cloned(),
            now_ms,
            seed,
        }
    }

    /// Hands over the request as it was admitted.
    pub fn admitted<T>(&self, take: impl FnOnce(&Admitted<'_>) -> T) -> T {
        let filters: Vec<Option<Filter<'_>>> = self.placements.iter().map(Placement::filter).collect();
        let pairs = self.placements.iter().zip(&filters);
        let placements: Vec<PlacementRequest<'_>> = pairs
            .map(|(one, filter)| PlacementRequest {
                slot: &one.slot,
                count: one.count,
                formats: &one.formats,
                filter: *filter,
                floor_micros: one.floor_micros,
            })
            .collect();
        take(&Admitted {
            frame: &self.frame,
            placements: &placements,
            gates: self.gates,
            mode: self.mode,
            reason: self.reason,
            sticky_key: self.sticky_key,
            held: &self.held,
            subject: self.subject,
            is_learnable: self.is_learnable,
            features: &self.features,
            standing: Standing { funds: &self.funds, switches: self.switches.as_ref() },
            preview: self.preview.as_ref(),
        })
    }

    /// Bytes taken, about.
    pub fn bytes(&self) -> usize {
        let texts = |placement: &Placement| placement.slot.len() + placement.formats.len() * 8 + 128;
        size_of::<Inputs>()
            + self.frame.bytes()
            + self.placements.iter().map(texts).sum::<usize>()
            + self.features.len() * size_of::<Option<u32>>()
            + self.funds.len() * size_of::<Funds>()
            + self.held.len() * size_of::<HeldOffer>()
    }
}

impl Placement {
    fn of(request: &PlacementRequest<'_>) -> Placement {
        let owned = |list: &[Cow<'_, str>]| list.iter().map(|text| Cow::Owned(text.to_string())).collect();
        Placement {
            slot: request.slot.to_owned(),
            count: request.count,
            formats: request.formats.to_vec(),
            filter: request.filter.map(|filter| {
                [
                    owned(filter.campaign_ids),
                    owned(filter.creative_ids),
                    owned(filter.categories),
                    owned(filter.advertiser_domains),
                    owned(filter.exclude_campaign_ids),
                    owned(filter.exclude_creative_ids),
                    owned(filter.exclude_categories),
                    owned(filter.exclude_advertiser_domains),
                ]
            }),
            floor_micros: request.floor_micros,
        }
    }

    fn filter(&self) -> Option<Filter<'_>> {
        self.filter.as_ref().map(
            |[
                campaigns,
                creatives,
                categories,
                domains,
                not_campaigns,
                not_creatives,
                not_categories,
                not_domains,
            ]| Filter {
                campaign_ids: campaigns,
                creative_ids: creatives,
                categories,
                advertiser_domains: domains,
                exclude_campaign_ids: not_campaigns,
                exclude_creative_ids: not_creatives,
                exclude_categories: not_categories,
                exclude_advertiser_domains: not_domains,
            },
        )
    }
}
