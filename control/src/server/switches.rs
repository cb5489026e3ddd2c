//! Kill switches over HTTP: the whole list is read, checked, and put in place of the file that engines watch.

use std::io::Write;
use std::path::Path;
use std::sync::PoisonError;

use hyper::StatusCode;
use serde::Serialize;
use tessera_wire::catalog::{Catalog, Text};
use tessera_wire::switches::{Off, SWITCHES_MAX, Switches};

use super::api::{Answer, Api, Call, Problem, json};

impl Api {
    pub(super) fn switches(&self) -> Result<Answer, Problem> {
        let switches = match std::fs::read(&self.settings.switches_path) {
            Ok(text) => serde_json::from_slice(&text).map_err(|error| {
                let detail = format!(
                    "`switches.json` cannot be read: {error}; engines keep what they had, PUT replaces it"
                );
                Problem::new(StatusCode::CONFLICT, "switches_damaged", detail)
            })?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Switches::default(),
            Err(error) => return Err(Problem::internal(error.to_string())),
        };
        json(StatusCode::OK, &switches)
    }

    /// A misspelt name in an emergency would switch off nothing, so names that the live bundle does not have are refused.
    pub(super) fn switch(&self, call: &Call) -> Result<Answer, Problem> {
        let bad = |code, detail| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, code, detail);
        let switches: Switches = serde_json::from_slice(&call.body).map_err(|error| {
            let example =
                r#"{"off":{"everything":false,"campaigns":["autumn"],"templates":[],"creatives":[]}}"#;
            bad("invalid_switches", format!("{error}; write it like {example}"))
        })?;
        if !switches.fits() {
            return Err(bad("too_many_switches", format!("a list names at most {SWITCHES_MAX}")));
        }
        let _one_at_a_time = self.publishing.lock().unwrap_or_else(PoisonError::into_inner);
        let catalog = match std::fs::read(self.publisher.active_path()) {
            Ok(bytes) => tessera_wire::bundle::decode(&bytes).ok().map(|bundle| bundle.catalog),
            Err(_) => None,
        };
        if let Some(problem) = catalog.and_then(|catalog| unknown(&switches.off, &catalog)) {
            return Err(bad("unknown_name", problem));
        }
        replace(&self.settings.switches_path, &switches)
            .map_err(|error| Problem::internal(error.to_string()))?;
        json(StatusCode::OK, &switches)
    }
}

/// Puts a document in place of a file that engines watch, whole or not at all.
pub(super) fn replace(path: &Path, document: &impl Serialize) -> std::io::Result<()> {
    let temporary = path.with_extension("new");
    let mut file = std::fs::File::create(&temporary)?;
    let mut bytes = serde_json::to_vec_pretty(document)?;
    bytes.push(b'\n');
    file.write_all(&bytes)?;
    file.sync_all()?;
    std::fs::rename(temporary, path)
}

/// The first name that the catalog does not have, and the nearest that it has.
fn unknown(off: &Off, catalog: &Catalog) -> Option<String> {
    let find = |what: &str, names: &[String], ids: Vec<Text>| {
        let known: std::collections::BTreeSet<&str> = ids.into_iter().map(|id| catalog.str(id)).collect();
        let unknown = names.iter().find(|name| !known.contains(name.as_str()))?;
        let nearest = rulec::nearest(unknown, known.iter().copied());
        let hint = nearest.map(|nearest| format!("; did you mean `{nearest}`?")).unwrap_or_default();
        Some(format!("the live bundle has no {what} `{unknown}`{hint}"))
    };
    find("campaign", &off.campaigns, catalog.campaigns.iter().map(|one| one.id).collect())
        .or_else(|| find("template", &off.templates, catalog.templates.iter().map(|one| one.id).collect()))
        .or_else(|| find("creative", &off.creatives, catalog.creatives.iter().map(|one| one.id).collect()))
}
