//! Paths to answers. Runs on a blocking thread: compiling and reporting take their time.

use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{
    AUTHORIZATION, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderMap, HeaderValue,
};
use hyper::{Method, Response, StatusCode, Uri};
use serde::Serialize;
use tessera_analytics::report::{Report, Totals, Window};

use super::ServerSettings;
use crate::limits::REPORT_ROWS_MAX;
use crate::publisher::{Outcome, PublishError, Published, Publisher};
use crate::source;

pub(super) type Answer = Response<Full<Bytes>>;

/// The console: one page, no third-party code.
const CONSOLE: &str = include_str!("../../../console/index.html");
/// Combinations per segment when the caller does not say.
const TOP: usize = 3;

pub(super) struct Api {
    pub(super) settings: ServerSettings,
    pub(super) publisher: Publisher,
    /// One publication at a time: generations must count up.
    pub(super) publishing: Mutex<()>,
}

pub(super) struct Call {
    pub(super) method: Method,
    pub(super) uri: Uri,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Call {
    fn query(&self, name: &str) -> Option<&str> {
        let parts = self.uri.query().unwrap_or("").split('&');
        parts.filter_map(|part| part.split_once('=')).find(|(key, _)| *key == name).map(|(_, value)| value)
    }

    fn header(&self, name: impl hyper::header::AsHeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

#[derive(Serialize)]
struct Generation {
    generation: u64,
    hash: String,
    made_at: String,
    bytes: u64,
}

impl From<Published> for Generation {
    fn from(published: Published) -> Generation {
        let made_at = jiff::Timestamp::from_millisecond(published.made_at_ms as i64);
        Generation {
            generation: published.generation,
            hash: published.hash.to_string(),
            made_at: made_at.map(|time| time.to_string()).unwrap_or_default(),
            bytes: published.bytes,
        }
    }
}

#[derive(Serialize)]
struct Status {
    version: &'static str,
    bundle: Option<Generation>,
    /// Absent while the analytics writer has not made its store yet.
    analytics: Option<Totals>,
}

#[derive(Serialize)]
struct PublishAnswer {
    is_changed: bool,
    bundle: Generation,
    warnings: Vec<SourceProblem>,
}

#[derive(Serialize)]
struct SourceProblem {
    code: String,
    message: String,
    file: String,
    line: usize,
    column: usize,
    rendered: String,
}

impl Api {
    pub(super) fn new(settings: ServerSettings) -> Result<Api, PublishError> {
        let publisher = Publisher::open(&settings.bundle_directory)?.signing(settings.signer.clone());
        Ok(Api { settings, publisher, publishing: Mutex::new(()) })
    }

    pub(super) fn answer(&self, call: &Call) -> Answer {
        self.route(call).unwrap_or_else(|problem| problem.response())
    }

    fn route(&self, call: &Call) -> Result<Answer, Problem> {
        let path = call.uri.path();
        match (&call.method, path) {
            (&Method::GET, "/") => return Ok(page(CONSOLE)),
            (&Method::GET, "/healthz") => return Ok(text("ok\n")),
            _ => self.authorize(call)?,
        }
        match (&call.method, path) {
            (&Method::GET, "/v1/status") => self.status(),
            (&Method::GET, "/v1/bundles") => self.bundles(),
            (&Method::POST, "/v1/publish") => self.publish(),
            (&Method::GET, "/v1/reports/lift") => json(
                StatusCode::OK,
                &self.report()?.lift(call.query("campaign"), Window::ALL).map_err(Problem::report)?,
            ),
            (&Method::GET, "/v1/reports/combinations") => self.combinations(call),
            (&Method::GET, "/v1/switches") => self.switches(),
            (&Method::PUT, "/v1/switches") => self.switch(call),
            (&Method::GET, "/v1/signals/weather") => self.weather(),
            (&Method::PUT, "/v1/signals/weather") => self.set_weather(call),
            (&Method::POST, path) => match activation(path) {
                Some(generation) => self.activate(generation),
                None => Err(Problem::not_found(path)),
            },
            _ => Err(Problem::not_found(path)),
        }
    }

    fn authorize(&self, call: &Call) -> Result<(), Problem> {
        let bearer = call.header(AUTHORIZATION).and_then(|value| value.strip_prefix("Bearer "));
        if let Some(key) = &self.settings.api_key
            && bearer != Some(key)
        {
            return Err(Problem::new(
                StatusCode::UNAUTHORIZED,
                "unauthorized",
                "send the API key as a bearer token",
            ));
        }
        let is_json = call.header(CONTENT_TYPE).is_some_and(|kind| kind.starts_with("application/json"));
        if call.method != Method::GET && !is_json {
            let detail = "changes need `Content-Type: application/json`";
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "content_type", detail));
        }
        Ok(())
    }

    fn status(&self) -> Result<Answer, Problem> {
        let bundle = self.publisher.active().map_err(Problem::publish)?.map(Generation::from);
        let analytics =
            Report::open(&self.settings.store_path).and_then(|report| report.totals(now_ms() as i64)).ok();
        json(StatusCode::OK, &Status { version: env!("CARGO_PKG_VERSION"), bundle, analytics })
    }

    fn bundles(&self) -> Result<Answer, Problem> {
        let bundles = self.publisher.published().map_err(Problem::publish)?;
        json(StatusCode::OK, &bundles.into_iter().map(Generation::from).collect::<Vec<_>>())
    }

    fn publish(&self) -> Result<Answer, Problem> {
        let directory = self.settings.source_directory.as_ref().ok_or_else(|| {
            Problem::new(
                StatusCode::CONFLICT,
                "no_source",
                "this control plane was started without `control.source`",
            )
        })?;
        let _one_at_a_time = self.publishing.lock().unwrap_or_else(PoisonError::into_inner);
        let sources = source::read(directory).map_err(|error| {
            Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "source_unreadable", error.to_string())
        })?;
        let compiled = source::compile(&sources).map_err(|problems| Problem::source(&problems, &sources))?;
        let outcome = self.publisher.publish(compiled.bundle, now_ms()).map_err(Problem::publish)?;
        let (is_changed, published) = match outcome {
            Outcome::Activated(published) => (true, published),
            Outcome::Unchanged(published) => (false, published),
        };
        let warnings = describe(&compiled.warnings, &sources);
        json(StatusCode::OK, &PublishAnswer { is_changed, bundle: published.into(), warnings })
    }

    fn activate(&self, generation: u64) -> Result<Answer, Problem> {
        let _one_at_a_time = self.publishing.lock().unwrap_or_else(PoisonError::into_inner);
        let published = self.publisher.rollback(generation, now_ms()).map_err(Problem::publish)?;
        json(
            StatusCode::OK,
            &PublishAnswer { is_changed: true, bundle: published.into(), warnings: Vec::new() },
        )
    }

    fn combinations(&self, call: &Call) -> Result<Answer, Problem> {
        let campaign = call.query("campaign").ok_or_else(|| {
            Problem::new(StatusCode::BAD_REQUEST, "campaign_missing", "name a campaign: ?campaign=<id>")
        })?;
        let top = match call.query("top") {
            None => TOP,
            Some(top) => {
                top.parse().ok().filter(|top| (1..=REPORT_ROWS_MAX).contains(top)).ok_or_else(|| {
                    Problem::new(
                        StatusCode::BAD_REQUEST,
                        "top",
                        format!("`top` is a number from 1 to {REPORT_ROWS_MAX}"),
                    )
                })?
            }
        };
        json(
            StatusCode::OK,
            &self.report()?.combinations(campaign, Window::ALL, top).map_err(Problem::report)?,
        )
    }

    fn report(&self) -> Result<Report, Problem> {
        Report::open(&self.settings.store_path).map_err(Problem::report)
    }
}

fn activation(path: &str) -> Option<u64> {
    path.strip_prefix("/v1/bundles/")?.strip_suffix("/activate")?.parse().ok()
}

fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}

fn describe(problems: &[source::Problem], sources: &source::Sources) -> Vec<SourceProblem> {
    let describe_one = |problem: &source::Problem| {
        let (file, line, column) = problem.position(&sources.files).unwrap_or(("", 0, 0));
        SourceProblem {
            code: problem.code(),
            message: problem.message().to_owned(),
            file: file.to_owned(),
            line,
            column,
            rendered: problem.render(&sources.files),
        }
    };
    problems.iter().map(describe_one).collect()
}

pub(super) fn json(status: StatusCode, value: &impl Serialize) -> Result<Answer, Problem> {
    let body = serde_json::to_vec(value).map_err(|error| Problem::internal(error.to_string()))?;
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

fn text(body: &'static str) -> Answer {
    let mut response = Response::new(Full::new(Bytes::from_static(body.as_bytes())));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

fn page(body: &'static str) -> Answer {
    let mut response = text(body);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    let policy =
        "default-src 'self'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; frame-ancestors 'none'";
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    response
}

/// A refused request, as an RFC 9457 document.
#[derive(Serialize)]
pub(super) struct Problem {
    r#type: &'static str,
    title: &'static str,
    status: u16,
    code: &'static str,
    detail: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    problems: Vec<SourceProblem>,
}

impl Problem {
    pub(super) fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Problem {
        let title = status.canonical_reason().unwrap_or("error");
        let problems = Vec::new();
        Problem {
            r#type: "about:blank",
            title,
            status: status.as_u16(),
            code,
            detail: detail.into(),
            problems,
        }
    }

    fn not_found(path: &str) -> Problem {
        let path: String = path.chars().take(80).collect();
        Problem::new(
            StatusCode::NOT_FOUND,
            "not_found",
            format!("there is nothing at `{path}` for this method"),
        )
    }

    fn publish(error: PublishError) -> Problem {
        let (status, code) = match error {
            PublishError::Unknown { .. } => (StatusCode::NOT_FOUND, "unknown_generation"),
            PublishError::Refused(_) => (StatusCode::UNPROCESSABLE_ENTITY, "bundle_refused"),
            PublishError::Damaged { .. } => (StatusCode::CONFLICT, "bundle_damaged"),
            PublishError::Io { .. } => (StatusCode::INTERNAL_SERVER_ERROR, "disk"),
        };
        Problem::new(status, code, format!("{error}; what was live still is"))
    }

    fn report(error: tessera_analytics::store::StoreError) -> Problem {
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "no_report", format!("{error}; try again in a moment"))
    }

    fn source(problems: &[source::Problem], sources: &source::Sources) -> Problem {
        let problems = describe(problems, sources);
        let detail =
            format!("the source does not compile: {} problems; what was live still is", problems.len());
        Problem { problems, ..Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "source_invalid", detail) }
    }

    pub(super) fn body_too_large() -> Problem {
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", "the body is too large or broke off")
    }

    pub(super) fn timeout() -> Problem {
        Problem::new(StatusCode::REQUEST_TIMEOUT, "timeout", "the request did not arrive in time")
    }

    pub(super) fn internal(detail: impl Into<String>) -> Problem {
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail)
    }

    pub(super) fn response(&self) -> Answer {
        let body = serde_json::to_vec(self).unwrap_or_default();
        let mut response = Response::new(Full::new(Bytes::from(body)));
        *response.status_mut() =
            StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        response
    }
}
