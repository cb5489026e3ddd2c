//! `POST /v1/explain`: what would be decided, and why, without deciding it.
//!
//! The body is that of `POST /v1/decide`; the answer always has its `explain` block. Needs the explain key. A what-if is
//! answered from the same computation as a decision and leaves no trace: no impression is counted, nothing is remembered
//! of the visitor, nothing goes to the journal. So is any request with `options.at_time`, which moves the clock of flights,
//! schedules, consent and recency, but not what is remembered or the bundle.

use super::context::{Arrival, Memory, Responder, Worker};
use super::problem::Problem;
use super::request::{self, DecideBody};

impl Responder {
    /// Answers a what-if into `out`.
    pub(crate) fn what_if(
        &self,
        arrival: &Arrival<'_>,
        bytes: &[u8],
        worker: &mut Worker,
        out: &mut Vec<u8>,
    ) -> Result<(), Problem> {
        let live = self.snapshots.load();
        let live = live.as_ref().ok_or_else(Problem::no_bundle)?;
        let memory = worker.memory.get_or_insert_with(|| Memory::new(live));
        let mut body = request::parse(bytes)?;
        body.options.explain = true;
        body.options.is_what_if = true;
        self.respond_to(live, arrival, &body, memory, out, &mut |_| {}).map(|_| ())
    }
}

/// The arrival at the time that the request asks about; as it was when it asks for none.
pub(super) fn at_time<'a>(arrival: &Arrival<'a>, body: &DecideBody<'_>) -> Result<Arrival<'a>, Problem> {
    let Some(text) = &body.options.at_time else { return Ok(*arrival) };
    let time: jiff::Timestamp = text.parse().map_err(|_| {
        let detail = "`options.at_time` is not an RFC 3339 time such as `2026-11-27T18:00:00Z`";
        Problem::bad_request("invalid_field", detail).at("/options/at_time")
    })?;
    Ok(Arrival { now_ms: time.as_millisecond(), ..*arrival })
}
