//! Creatives that nothing can show: no rule, no placement as its house ad, no campaign as its control, no
//! experiment as a variant.

use rulec::Names;
use rulec::analyse::unshown_creatives;
use tessera_rulevm::VerifiedProgram;
use tessera_wire::program::Program;

use super::Index;
use crate::limits::PROBLEMS_MAX;
use crate::source::problem::{CatalogCode, Problem};
use crate::source::schema::RawCatalog;

/// A warning for each of them, in catalog order.
pub(super) fn creatives(
    raw: &RawCatalog,
    index: &Index<'_>,
    names: &Names,
    program: &Program,
) -> Vec<Problem> {
    let bounds = names.bounds();
    // It was verified when it was compiled; were it not, the engine would say so.
    let Ok(program) = VerifiedProgram::verify(program.clone(), bounds) else { return Vec::new() };
    let house = raw.placement.iter().filter_map(|placement| placement.house.as_ref());
    let control = raw.campaign.iter().filter_map(|campaign| campaign.control.as_ref());
    let variants = raw.experiment.iter().flat_map(|experiment| &experiment.variant);
    let variants = variants.filter_map(|variant| variant.creative.as_ref());
    let others: Vec<u32> = house
        .chain(control)
        .chain(variants)
        .filter_map(|name| index.creatives.get(name.get_ref().as_str()).copied())
        .collect();
    unshown_creatives(&program, bounds.creatives)
        .into_iter()
        .filter(|creative| !others.contains(&creative.0))
        .filter_map(|creative| raw.creative.get(creative.index()))
        .take(PROBLEMS_MAX)
        .map(|creative| {
            let message = format!("creative `{}` is never shown", creative.id.get_ref());
            let help = "let a rule show it, or make it a house ad, a control or a variant";
            Problem::catalog(CatalogCode::Unshown, creative.id.span(), message).help(help)
        })
        .collect()
}
