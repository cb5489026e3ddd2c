//! Errors as RFC 9457 problem documents: what is wrong, where, and a stable code.

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use hyper::{Response, StatusCode};
use serde::Serialize;

use crate::counters::Refusal;
use crate::journal::AppendError;

/// A refused request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) status: StatusCode,
    pub(crate) refusal: Refusal,
    /// Stable, for programs.
    pub(crate) code: &'static str,
    /// For people.
    pub(crate) detail: String,
    /// JSON Pointer (RFC 6901) to the offending part of the body, empty when it is not about the body.
    pub(crate) pointer: String,
}

#[derive(Serialize)]
struct Document<'a> {
    r#type: &'static str,
    title: &'static str,
    status: u16,
    code: &'static str,
    detail: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    pointer: &'a str,
}

impl Problem {
    pub(crate) fn new(
        status: StatusCode,
        refusal: Refusal,
        code: &'static str,
        detail: impl Into<String>,
    ) -> Problem {
        Problem { status, refusal, code, detail: detail.into(), pointer: String::new() }
    }

    pub(crate) fn bad_request(code: &'static str, detail: impl Into<String>) -> Problem {
        Problem::new(StatusCode::BAD_REQUEST, Refusal::BadRequest, code, detail)
    }

    /// With a more precise code.
    pub(crate) fn coded(mut self, code: &'static str) -> Problem {
        self.code = code;
        self
    }

    pub(crate) fn at(mut self, pointer: impl Into<String>) -> Problem {
        self.pointer = pointer.into();
        self
    }

    pub(crate) fn too_large(limit: usize) -> Problem {
        let detail = format!("the body is larger than {limit} bytes");
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, Refusal::TooLarge, "body_too_large", detail)
    }

    pub(crate) fn journal(error: AppendError) -> Problem {
        let detail = format!("{error}; nothing was recorded, please try again");
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, Refusal::Unavailable, "not_recorded", detail)
    }

    pub(crate) fn overloaded() -> Problem {
        let detail = "requests wait too long here at the moment; please ask again, or ask another engine";
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, Refusal::Unavailable, "overloaded", detail)
    }

    pub(crate) fn no_bundle() -> Problem {
        let detail = "no bundle has been published to this engine yet";
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, Refusal::Unavailable, "no_bundle", detail)
    }

    pub(crate) fn not_found(path: &str) -> Problem {
        let path: String = path.chars().take(80).collect();
        let detail = format!("there is nothing at `{path}` for this method");
        Problem::new(StatusCode::NOT_FOUND, Refusal::NotFound, "not_found", detail)
    }

    pub(crate) fn response(&self) -> Response<Full<Bytes>> {
        let document = Document {
            r#type: "about:blank",
            title: self.status.canonical_reason().unwrap_or("error"),
            status: self.status.as_u16(),
            code: self.code,
            detail: &self.detail,
            pointer: &self.pointer,
        };
        let body = serde_json::to_vec(&document).unwrap_or_default();
        let mut response = Response::new(Full::new(Bytes::from(body)));
        *response.status_mut() = self.status;
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}
