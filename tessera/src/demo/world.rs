//! The demo's world: its shop, its map and its visitors.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use tessera_control::source;
use tessera_engine_core::bundle::LoadedBundle;
use tessera_fixtures::{DEMO_GEO, DEMO_REGIONS, DEMO_SOURCES};
use tessera_loadtest::population::{COUNTRIES, Population};

use crate::config::{Origin, Resolved};

/// The inventory slot that the visitors' page has.
pub(super) const SLOT: &str = "home_hero";
/// The template that is learned about.
pub(super) const TEMPLATE: &str = "autumn_hero";
/// Its campaign.
pub(super) const CAMPAIGN: &str = "autumn";

/// Everything the demo needs besides the product.
pub(super) struct World {
    pub(super) population: Arc<Population>,
    /// Slots of the template: name and asset ids in catalog order.
    pub(super) slots: Vec<(String, Vec<String>)>,
    /// Removes the data directory when the demo ends, unless the user chose one.
    _directory: Option<tempfile::TempDir>,
}

impl World {
    /// Writes the shop's sources and map where the product expects them, and points the configuration there.
    pub(super) fn prepare(resolved: &mut Resolved, seed: u64) -> anyhow::Result<World> {
        let directory = match resolved.origin("paths.data_dir") {
            Origin::Default => Some(tempfile::Builder::new().prefix("tessera-demo-").tempdir()?),
            _ => None,
        };
        if let Some(directory) = &directory {
            resolved.set_default("paths.data_dir", directory.path().display().to_string());
        }
        let data_dir = Path::new(resolved.get("paths.data_dir")).to_owned();
        let sources = data_dir.join("demo-source");
        for (path, text) in DEMO_SOURCES {
            write(&sources.join(path), text.as_bytes())?;
        }
        let geo = data_dir.join("demo-geo.mmdb");
        write(&geo, DEMO_GEO)?;
        resolved.set_default("control.source", sources.display().to_string());
        resolved.set_default("engine.geo_database", geo.display().to_string());
        // The visitors come through this machine, which says who they are.
        resolved.set_default("engine.trusted_proxies", "127.0.0.0/8, ::1/128");
        resolved.set_default("log.level", "warn");
        let population = Arc::new(Population::new(seed).with_addresses(addresses()?));
        Ok(World { population, slots: template_slots()?, _directory: directory })
    }

    /// What to try while the demo keeps serving.
    pub(super) fn invitation(&self, data: SocketAddr, control: SocketAddr, explain_key: &str) -> String {
        let placement = format!(r#""placements":[{{"id":"hero","slot":"{SLOT}"}}]"#);
        let visitor = r#""user":{"id":"visitor-7","traits":{"interest":"running","member_tier":"gold"}},"session":{"cart":{"value_micros":120000000,"currency":"EUR"}}"#;
        let granted = r#""consent":{"purposes":{"storage":true,"ads_profile":true,"ads_personalization":true,"content_personalization":true,"analytics":true}}"#;
        let address = demo_address("RO-CJ");
        let curl = format!("curl -s http://{data}/v1/decide -H 'X-Forwarded-For: {address}'");
        format!(
            "\nStill serving. The console is http://{control}/ and Ctrl-C ends it. Try:\n\n\
             a decision\n  {curl} -d '{{{placement},{visitor},{granted}}}'\n\n\
             the same decision explained\n  {curl} -H 'Authorization: Bearer {explain_key}' \
             -d '{{{placement},{visitor},{granted},\"options\":{{\"explain\":true}}}}'\n\n\
             the same visitor without consent\n  {curl} -d '{{{placement},{visitor}}}'\n"
        )
    }
}

fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).with_context(|| format!("cannot make `{}`", parent.display()))?;
    }
    std::fs::write(path, bytes).with_context(|| format!("cannot write `{}`", path.display()))
}

/// Addresses of each of the population's countries on the demo's map.
fn addresses() -> anyhow::Result<[Vec<IpAddr>; 6]> {
    let mut by_country: [Vec<IpAddr>; 6] = Default::default();
    for (addresses, country) in by_country.iter_mut().zip(COUNTRIES) {
        for region in DEMO_REGIONS.iter().filter(|region| region.region.starts_with(country)) {
            addresses.push(region.ipv4.parse()?);
        }
    }
    Ok(by_country)
}

fn demo_address(region: &str) -> &'static str {
    tessera_fixtures::demo_address(region).map_or("198.18.1.10", |region| region.ipv4)
}

/// The shop, compiled.
fn compile() -> anyhow::Result<LoadedBundle> {
    let files = DEMO_SOURCES
        .iter()
        .map(|(path, text)| source::SourceFile { path: (*path).into(), text: (*text).into() });
    let sources = source::Sources { files: files.collect() };
    let compiled = source::compile(&sources)
        .map_err(|problems| anyhow::anyhow!("{}", source::render_all(&problems, &sources.files)))?;
    Ok(LoadedBundle::from_bytes(&tessera_wire::bundle::encode(&compiled.bundle))?)
}

fn template_slots() -> anyhow::Result<Vec<(String, Vec<String>)>> {
    let names = compile()?.names();
    let template = names.templates.into_iter().find(|template| template.id == TEMPLATE);
    Ok(template.context("the demo has its template")?.slots)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::SEED;

    #[test]
    fn the_control_creative_is_the_combination_of_median_quality() {
        let bundle = compile().unwrap();
        let catalog = bundle.catalog();
        let campaign =
            catalog.campaigns.iter().find(|campaign| catalog.str(campaign.id) == CAMPAIGN).unwrap();
        let control = catalog.creatives[campaign.control.unwrap().index()].combination as usize;
        let median = Population::new(SEED).median_combination();
        let named: Vec<_> = {
            let mut rest = median;
            let mut names: Vec<_> = template_slots()
                .unwrap()
                .into_iter()
                .rev()
                .map(|(_, assets)| {
                    let asset = assets[rest % assets.len()].clone();
                    rest /= assets.len();
                    asset
                })
                .collect();
            names.reverse();
            names
        };
        assert_eq!(control, median, "the holdout must be neither lucky nor unlucky: control = {named:?}");
    }

    #[test]
    fn every_visitor_has_an_address_on_the_map() {
        assert!(addresses().unwrap().iter().all(|addresses| !addresses.is_empty()));
    }
}
