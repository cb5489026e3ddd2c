//! `options.preview_token`: a tester looks at chosen variants of experiments. The token carries its own permission; such a
//! decision is a test: nothing is counted, learned or reported from it.

use hyper::StatusCode;
use tessera_engine_core::experiment::Preview;
use tessera_engine_core::snapshot::Snapshot;
use tessera_wire::preview::verify;
use tessera_wire::token::TokenError;

use super::context::{Arrival, Responder};
use super::problem::Problem;
use super::request::DecideBody;
use crate::counters::Refusal;

const POINTER: &str = "/options/preview_token";

impl Responder {
    /// What the request's token wishes for, if it has one.
    pub(super) fn preview(
        &self,
        snapshot: &Snapshot,
        arrival: &Arrival<'_>,
        body: &DecideBody<'_>,
    ) -> Result<Option<Preview>, Problem> {
        let Some(text) = &body.options.preview_token else { return Ok(None) };
        let now_secs = u64::try_from(arrival.now_ms / 1_000).unwrap_or(0);
        let token = verify(&self.keys.preview, text, now_secs).map_err(|error| refused(&error))?;
        let mut preview = Preview::new(token.is_held_out);
        for (experiment, variant) in &token.wishes {
            if !preview.force(snapshot.bundle(), experiment, variant) {
                let detail = format!("no experiment `{experiment}` with a variant `{variant}` is live");
                return Err(Problem::bad_request("unknown_variant", detail).at(POINTER));
            }
        }
        Ok(Some(preview))
    }
}

fn refused(error: &TokenError) -> Problem {
    let (code, detail) = match error {
        TokenError::Expired => ("preview_token_expired", "the preview has expired; ask for a new one"),
        _ => ("preview_token_invalid", "this preview token is not one of this engine's"),
    };
    Problem::new(StatusCode::UNAUTHORIZED, Refusal::Unauthorized, code, detail).at(POINTER)
}
