//! Eligibility: may this campaign run now, in this place?
//!
//! Dynamic state is checked per candidate, after the rules, so that none of it needs a rebuild of the program.

use tessera_wire::catalog::{Catalog, Template};

use crate::decide::Loss;
use crate::signals::PlacementRequest;

/// Why a template cannot be shown in this placement now, if so.
pub(crate) fn loss_of(
    catalog: &Catalog,
    template: &Template,
    request: &PlacementRequest<'_>,
    now_ms: i64,
) -> Option<Loss> {
    let campaign = &catalog.campaigns[template.campaign.index()];
    if !campaign.is_active {
        return Some(Loss::KillSwitch);
    }
    let flights = campaign.flights.of(&catalog.flights);
    if !flights.iter().any(|flight| (flight.start_ms..flight.end_ms).contains(&now_ms)) {
        return Some(Loss::OutsideSchedule);
    }
    let fits = request.formats.is_empty()
        || request.formats.iter().any(|(width, height)| {
            (template.width == 0 || *width == template.width)
                && (template.height == 0 || *height == template.height)
        });
    (!fits).then_some(Loss::SizeMismatch)
}
