//! `POST /v1/subjects/erase`: forgetting a visitor for good (GDPR article 17, CCPA 1798.105).
//!
//! The visitor is forgotten and suppressed before the answer is sent, which is after the erasure is in the journal: it
//! survives a restart, and whoever stores events finds the subject key to delete there. Erasing twice is erasing once.
//! From then on the visitor is treated as one who allows nothing.

use serde::{Deserialize, Serialize};
use tessera_wire::event::{COUNTED_MAX, Event, NONE, Remembered, VisitorChange};

use crate::access::Scopes;

use super::context::{Arrival, Responder};
use super::problem::Problem;
use super::request::{Str, parse_json};

#[derive(Debug, Deserialize)]
struct EraseBody<'a> {
    #[serde(borrow, default)]
    user_id: Option<Str<'a>>,
    #[serde(borrow, default)]
    anonymous_id: Option<Str<'a>>,
}

/// The answer: counts only, never who.
#[derive(Debug, Serialize)]
pub(crate) struct Erased {
    /// Identifiers that are suppressed now.
    suppressed: usize,
}

/// A checked request.
pub(crate) struct Erasure {
    pub(crate) records: Vec<Remembered>,
    pub(crate) answer: Erased,
}

impl Erasure {
    /// The same as journal events.
    pub(crate) fn events(&self) -> Box<[Event]> {
        self.records.iter().cloned().map(Event::Remembered).collect()
    }
}

impl Responder {
    /// Reads an erasure request.
    pub(crate) fn erase(&self, arrival: &Arrival<'_>, bytes: &[u8]) -> Result<Erasure, Problem> {
        self.authorize(arrival, Scopes::ADMIN, "erasing visitors needs a key of scope `admin`")?;
        let body: EraseBody<'_> = parse_json(bytes)?;
        let named = [("id", &body.user_id), ("anonymous_id", &body.anonymous_id)];
        let named = named.into_iter().filter_map(|(kind, id)| Some((kind, id.as_ref()?.0.as_ref())));
        let records: Vec<Remembered> = named
            .filter(|(_, id)| !id.is_empty())
            .map(|(kind, id)| Remembered {
                subject: self.keys.subject_key(kind, id),
                at_ms: arrival.now_ms,
                counted: [NONE; COUNTED_MAX],
                change: VisitorChange::Erased,
            })
            .collect();
        if records.is_empty() {
            let detail = "name the visitor by `user_id`, `anonymous_id` or both";
            return Err(Problem::bad_request("subject_missing", detail));
        }
        let answer = Erased { suppressed: records.len() };
        Ok(Erasure { records, answer })
    }
}
