//! Reading a request body: bounded in size and time.

use std::time::Duration;

use http_body_util::BodyExt;
use hyper::StatusCode;
use hyper::body::{Body, Bytes, Incoming};

use super::problem::Problem;
use crate::counters::Refusal;
use crate::limits::{BODY_BYTES_MAX, BODY_READ_SECS_MAX};

/// The whole body, or why there is none.
///
/// A body that comes in one piece, which almost all do, is not copied.
pub(crate) async fn read(body: Incoming) -> Result<Bytes, Problem> {
    if body.size_hint().lower() > BODY_BYTES_MAX as u64 {
        return Err(Problem::too_large(BODY_BYTES_MAX));
    }
    match tokio::time::timeout(Duration::from_secs(BODY_READ_SECS_MAX), collect(body)).await {
        Ok(result) => result,
        Err(_) => {
            let detail = format!("the body did not arrive within {BODY_READ_SECS_MAX} seconds");
            Err(Problem::new(StatusCode::REQUEST_TIMEOUT, Refusal::Timeout, "body_timeout", detail))
        }
    }
}

async fn collect(mut body: Incoming) -> Result<Bytes, Problem> {
    let mut first = Bytes::new();
    let mut rest: Vec<u8> = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame
            .map_err(|_| Problem::bad_request("body_broken", "the body ended before it was complete"))?;
        let Ok(data) = frame.into_data() else { continue };
        if first.is_empty() && rest.is_empty() {
            first = data;
            continue;
        }
        if rest.is_empty() {
            rest.extend_from_slice(&first);
        }
        if rest.len() + data.len() > BODY_BYTES_MAX {
            return Err(Problem::too_large(BODY_BYTES_MAX));
        }
        rest.extend_from_slice(&data);
    }
    let whole = if rest.is_empty() { first } else { Bytes::from(rest) };
    if whole.len() > BODY_BYTES_MAX { Err(Problem::too_large(BODY_BYTES_MAX)) } else { Ok(whole) }
}
