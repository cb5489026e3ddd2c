//! Kill switches as a bundle's decisions see them: by index instead of by name.
//!
//! Cost: made once per change, off the request path; asking is one look into a list. Not here: the file
//! (`tessera_wire::switches`) and who watches it.

use tessera_wire::catalog::{Catalog, CreativeId, TemplateId, Text};
use tessera_wire::switches;

/// What of one bundle is switched off.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Switches {
    is_everything_off: bool,
    // Empty while nothing of the kind is off.
    campaigns: Vec<bool>,
    templates: Vec<bool>,
    creatives: Vec<bool>,
    unknown: usize,
}

impl Switches {
    /// The switches of a bundle with this catalog.
    pub fn new(switches: &switches::Switches, catalog: &Catalog) -> Switches {
        let switches::Off { everything, campaigns, templates, creatives } = &switches.off;
        let mut unknown = 0;
        let mut list = |off: &[String], ids: &mut dyn Iterator<Item = Text>| -> Vec<bool> {
            let off: std::collections::HashSet<&str> = off.iter().map(String::as_str).collect();
            let flags: Vec<bool> = ids.map(|id| off.contains(catalog.str(id))).collect();
            let found = flags.iter().filter(|is_off| **is_off).count();
            unknown += off.len() - found;
            if found == 0 { Vec::new() } else { flags }
        };
        Switches {
            is_everything_off: *everything,
            campaigns: list(campaigns, &mut catalog.campaigns.iter().map(|one| one.id)),
            templates: list(templates, &mut catalog.templates.iter().map(|one| one.id)),
            creatives: list(creatives, &mut catalog.creatives.iter().map(|one| one.id)),
            unknown,
        }
    }

    /// May this be shown?
    #[inline]
    pub fn allow(&self, catalog: &Catalog, template: TemplateId, creative: Option<CreativeId>) -> bool {
        let is_off = |list: &[bool], index: usize| list.get(index).copied().unwrap_or(false);
        !self.is_everything_off
            && !is_off(&self.campaigns, catalog.templates[template.index()].campaign.index())
            && !is_off(&self.templates, template.index())
            && !creative.is_some_and(|creative| is_off(&self.creatives, creative.index()))
    }

    /// How much is off: everything (0 or 1), campaigns, templates, creatives, and names that the bundle does not have.
    pub fn counts(&self) -> [usize; 5] {
        let count = |list: &[bool]| list.iter().filter(|is_off| **is_off).count();
        let Switches { campaigns, templates, creatives, .. } = self;
        [
            usize::from(self.is_everything_off),
            count(campaigns),
            count(templates),
            count(creatives),
            self.unknown,
        ]
    }
}
