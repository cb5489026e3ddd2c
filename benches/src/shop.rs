//! Larger shops: campaigns with one template each, rules, and as many combinations as asked for.

use std::fmt::Write;
use std::sync::Arc;

use anyhow::anyhow;
use tessera_control::source::{SourceFile, Sources, compile, render_all};
use tessera_engine_core::bundle::LoadedBundle;

/// How large a shop is, and what it does.
#[derive(Debug, Clone, Copy)]
pub struct Shop<'a> {
    /// Campaigns, each with a template of its own.
    pub campaigns: usize,
    /// Rules, all of them for one placement.
    pub rules: usize,
    /// Assets per slot of each template.
    pub slots: &'a [usize],
    /// Is the first slot of whatever is shown pinned?
    pub pins: bool,
    /// Are the first assets of the first two slots kept apart?
    pub excludes: bool,
}

/// A shop of fifty campaigns and a thousand rules, with templates of so many assets per slot.
pub const fn large_shop(slots: &[usize]) -> Shop<'_> {
    Shop { campaigns: 50, rules: 1_000, slots, pins: false, excludes: false }
}

impl Shop<'_> {
    /// Its bundle, as an engine loads it.
    ///
    /// # Errors
    /// When it does not compile or load.
    pub fn bundle(&self) -> anyhow::Result<Arc<LoadedBundle>> {
        Ok(Arc::new(LoadedBundle::from_bytes(&self.bytes()?)?))
    }

    /// The bytes of its bundle.
    ///
    /// # Errors
    /// When it does not compile.
    pub fn bytes(&self) -> anyhow::Result<Vec<u8>> {
        let files = [("catalog.toml", catalog(self)), ("all.rules", rules(self))];
        let files = files.into_iter().map(|(path, text)| SourceFile { path: path.into(), text });
        let sources = Sources { files: files.collect() };
        let compiled =
            compile(&sources).map_err(|problems| anyhow!("{}", render_all(&problems, &sources.files)))?;
        Ok(tessera_wire::bundle::encode(&compiled.bundle))
    }
}

fn catalog(shop: &Shop<'_>) -> String {
    let Shop { campaigns, slots, excludes, .. } = *shop;
    let mut out = String::from("[[placement]]\nid = \"home_hero\"\n");
    for (slot, size) in slots.iter().enumerate() {
        for asset in 0..*size {
            let _ = write!(out, "[[asset]]\nid = \"a{slot}-{asset}\"\ntext = \"Text {asset}\"\n");
        }
    }
    for number in 0..campaigns {
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

/// One rule in as many as there are campaigns asks for the visitor's interest, and of those the last matches.
fn rules(shop: &Shop<'_>) -> String {
    let Shop { campaigns, rules, pins, .. } = *shop;
    let mut out = String::from(
        "language 1\nattribute interest : text from profile needs ads_personalization\n\
         attribute age : number in 13..120 from profile needs ads_personalization\n\
         segment \"young\" { age < 30 }\nsegment \"grown\" { age >= 30 }\n",
    );
    for number in 0..rules {
        let interest = if number % campaigns == 7 { "running".to_owned() } else { format!("i{number}") };
        // The visitor of the benches is 34.
        let age = if number + campaigns >= rules { 18 } else { 35 + number % 40 };
        let pin = if pins { " and show s0 \"a0-0\"" } else { "" };
        let _ = writeln!(
            out,
            "rule \"r{number}\" priority {} for placement \"home_hero\" {{ when interest is \"{interest}\" and \
             age >= {age} and country in (RO, DE) then show template \"t{}\"{pin} and tag \"x\" }}",
            rules - number,
            number % campaigns
        );
    }
    out
}
