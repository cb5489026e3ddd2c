//! A larger shop: fifty campaigns with one template each, a thousand rules, and as many combinations as asked for.

use std::fmt::Write;
use std::sync::Arc;

use anyhow::anyhow;
use tessera_control::source::{SourceFile, Sources, compile, render_all};
use tessera_engine_core::bundle::LoadedBundle;

/// Campaigns, each with a template of its own.
pub const CAMPAIGNS: usize = 50;
/// Rules, all of them for one placement.
pub const RULES: usize = 1_000;

/// The shop with templates of so many assets per slot. `pins` pins the first slot of whatever is shown; `excludes` keeps
/// the first assets of the first two slots apart.
///
/// # Errors
/// When it does not compile or load.
pub fn large_shop(slots: &[usize], pins: bool, excludes: bool) -> anyhow::Result<Arc<LoadedBundle>> {
    let files = [("catalog.toml", catalog(slots, excludes)), ("all.rules", rules(pins))];
    let files = files.into_iter().map(|(path, text)| SourceFile { path: path.into(), text });
    let sources = Sources { files: files.collect() };
    let compiled =
        compile(&sources).map_err(|problems| anyhow!("{}", render_all(&problems, &sources.files)))?;
    Ok(Arc::new(LoadedBundle::from_bytes(&tessera_wire::bundle::encode(&compiled.bundle))?))
}

fn catalog(slots: &[usize], excludes: bool) -> String {
    let mut out = String::from("[[placement]]\nid = \"home_hero\"\n");
    for (slot, size) in slots.iter().enumerate() {
        for asset in 0..*size {
            let _ = write!(out, "[[asset]]\nid = \"a{slot}-{asset}\"\ntext = \"Text {asset}\"\n");
        }
    }
    for number in 0..CAMPAIGNS {
        let _ = write!(
            out,
            "[[campaign]]\nid = \"c{number}\"\nlanding_url = \"https://x.example/\"\n\
             [[flight]]\nid = \"f{number}\"\ncampaign = \"c{number}\"\n\
             start = \"2026-01-01T00:00:00Z\"\nend = \"2036-01-01T00:00:00Z\"\n\
             [[template]]\nid = \"t{number}\"\ncampaign = \"c{number}\"\n"
        );
        if excludes {
            out.push_str("never_together = [[\"a0-0\", \"a1-0\"]]\n");
        }
        for (slot, size) in slots.iter().enumerate() {
            let assets: Vec<String> = (0..*size).map(|asset| format!("\"a{slot}-{asset}\"")).collect();
            let _ = write!(out, "[[template.slot]]\nname = \"s{slot}\"\nassets = [{}]\n", assets.join(", "));
        }
        out.push_str(
            "[[template.context]]\nname = \"device\"\nsignal = \"device.type\"\n\
             values = [\"mobile\", \"desktop\", \"tablet\"]\n\
             [[template.context]]\nname = \"country\"\nsignal = \"country\"\n\
             values = [\"DE\", \"RO\", \"US\", \"FR\", \"GB\"]\n\
             [[template.context]]\nname = \"segment\"\nsegments = [\"young\", \"grown\"]\n",
        );
    }
    out
}

/// Of a thousand rules one in fifty asks for the visitor's interest, and of those the last matches.
fn rules(pins: bool) -> String {
    let mut out = String::from(
        "language 1\nattribute interest : text from profile needs ads_personalization\n\
         attribute age : number in 13..120 from profile needs ads_personalization\n\
         segment \"young\" { age < 30 }\nsegment \"grown\" { age >= 30 }\n",
    );
    for number in 0..RULES {
        let interest = if number % CAMPAIGNS == 7 { "running".to_owned() } else { format!("i{number}") };
        // The visitor of the benches is 34.
        let age = if number + CAMPAIGNS >= RULES { 18 } else { 35 + number % 40 };
        let pin = if pins { " and show s0 \"a0-0\"" } else { "" };
        let _ = writeln!(
            out,
            "rule \"r{number}\" priority {} for placement \"home_hero\" {{ when interest is \"{interest}\" and \
             age >= {age} and country in (RO, DE) then show template \"t{}\"{pin} and tag \"x\" }}",
            RULES - number,
            number % CAMPAIGNS
        );
    }
    out
}
