//! Paths and methods to handlers; everything that touches the network once.

use std::cell::RefCell;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use rand::RngExt;
use rand::rngs::SmallRng;
use tessera_wire::event::{Event, TouchKind};

use super::body;
use super::context::{Arrival, Caller, Responder, Worker};
use super::cors;
use super::events::{ACCEPTED, Accepted, Batch};
use super::openrtb::Bid;
use super::openrtb::notice::{Kind, Noticed, thanks};
use super::openrtb::write::refusal;
use super::problem::Problem;
use super::segment;
use super::touch::Touched;
use crate::access::Scopes;
use crate::admission::Pulse;
use crate::counters::Shed;
use crate::journal::AppendError;
use crate::limits::{
    BEACON_BYTES_MAX, BODY_BYTES_MAX, SEGMENT_BODY_BYTES_MAX, SEGMENT_CALL_BYTES_MAX, WAITED_MS_MAX,
};
use crate::server::now_ms;

type Answer = Response<Full<Bytes>>;

const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");
const OPENRTB_VERSION: HeaderName = HeaderName::from_static("x-openrtb-version");
const NO_BID_REASON: HeaderName = HeaderName::from_static("x-no-bid-reason");
/// Smaller answers take as many packets compressed as they are.
const COMPRESSED_BYTES_MIN: usize = 1_024;
/// First guess of an answer's size; most are a little smaller.
const ANSWER_BYTES: usize = 2_048;

/// One worker thread's handler.
pub(crate) struct Handler {
    responder: Arc<Responder>,
    worker: RefCell<Worker>,
    random: RefCell<SmallRng>,
    pulse: Rc<Pulse>,
}

impl Handler {
    pub(crate) fn new(responder: Arc<Responder>, worker: Worker) -> Handler {
        let random = RefCell::new(rand::make_rng());
        Handler { responder, worker: RefCell::new(worker), random, pulse: Pulse::new() }
    }

    pub(crate) fn connect(&self, max: u64) -> bool {
        self.worker.borrow().shard.connect(max)
    }

    pub(crate) fn disconnect(&self) {
        self.worker.borrow().shard.disconnect();
    }

    /// Answers one request; errors become problem documents.
    pub(crate) async fn handle(self: Rc<Self>, request: Request<Incoming>, peer: IpAddr) -> Answer {
        let permit = cors::permit(&self.responder.origins, request.headers());
        let mut response = match self.route(request, peer).await {
            Ok(response) => response,
            Err(problem) => {
                self.worker.borrow().shard.refusal(problem.refusal);
                problem.response()
            }
        };
        permit.mark(&mut response);
        response
    }

    async fn route(&self, request: Request<Incoming>, peer: IpAddr) -> Result<Answer, Problem> {
        let (head, body) = request.into_parts();
        let path = head.uri.path();
        let query = head.uri.query().unwrap_or("");
        let scopes = self.responder.scopes(&head.headers, query);
        let arrival = Arrival {
            caller: if scopes.covers(Scopes::TRUSTED) { Caller::Trusted } else { Caller::Visitor },
            scopes,
            peer,
            headers: &head.headers,
            now_ms: now_ms(),
            waited: self.pulse.waited(),
            random: self.random.borrow_mut().random(),
        };
        if let Some((scope, detail)) = needed(&head.method, path) {
            self.responder.authorize(&arrival, scope, detail)?;
            if scope == Scopes::DECIDE && arrival.waited.before.as_millis() > u128::from(WAITED_MS_MAX) {
                self.worker.borrow().shard.shed(Shed::Refused);
                return Err(Problem::overloaded());
            }
        }
        match (&head.method, path) {
            (&Method::POST, "/v1/decide") => {
                let bytes = body::read(body).await?;
                let answer = self.decide(&arrival, &bytes);
                // Every request that has arrived is decided before the first answer is sent: decisions run with warm
                // caches, and the answers wake their receivers together. Worth a tenth of the throughput.
                tokio::task::yield_now().await;
                answer
            }
            (&Method::GET, "/v1/decide") => self.decide(&arrival, &query_body(query)?),
            (&Method::POST, "/v1/explain") => {
                let bytes = body::read(body).await?;
                let mut out = Vec::with_capacity(ANSWER_BYTES);
                self.responder.what_if(&arrival, &bytes, &mut self.worker.borrow_mut(), &mut out)?;
                Ok(json(StatusCode::OK, out))
            }
            (&Method::POST, "/openrtb2/bid") => {
                let bytes = body::read_compressed(&head.headers, body, BODY_BYTES_MAX).await?;
                self.bid(&arrival.of_a_server(), &bytes)
            }
            (&Method::GET | &Method::POST, _) if path.starts_with("/openrtb2/") => {
                let (kind, token) = Kind::of_path(path).ok_or_else(|| Problem::not_found(path))?;
                self.notice(kind, self.responder.notice(kind, token, query, arrival.now_ms)?).await
            }
            (&Method::POST, "/v1/events" | "/v1/beacon") => self.ingest(&arrival, path, body).await,
            (&Method::POST, path) if segment_type(path).is_some() => self.ingest(&arrival, path, body).await,
            (&Method::POST, "/v1/subjects/erase") => {
                let bytes = body::read(body).await?;
                self.erase(&arrival, &bytes).await
            }
            (&Method::GET, _) if decision_of(path).is_some() => {
                let mut out = Vec::with_capacity(ANSWER_BYTES);
                self.responder.explain_decision(&arrival, decision_of(path).unwrap_or(""), &mut out)?;
                Ok(json(StatusCode::OK, out))
            }
            (&Method::GET | &Method::POST, _) if path.starts_with("/e/") => {
                self.record(self.responder.touch(&path[3..], query, arrival.headers, arrival.now_ms)?).await
            }
            (&Method::GET | &Method::POST, _) if path.starts_with("/c/") => {
                self.record(self.responder.click(&path[3..], query, arrival.now_ms)?).await
            }
            (&Method::GET, "/healthz" | "/status") => Ok(plain(StatusCode::OK, "ok")),
            (&Method::GET, "/readyz") => self.ready(),
            (&Method::OPTIONS, _) => Ok(cors::preflight()),
            _ => Err(Problem::not_found(path)),
        }
    }

    fn decide(&self, arrival: &Arrival<'_>, bytes: &[u8]) -> Result<Answer, Problem> {
        let started = Instant::now();
        let mut out = Vec::with_capacity(ANSWER_BYTES);
        self.responder.decide(arrival, bytes, &mut self.worker.borrow_mut(), &mut out)?;
        let mut response = json(StatusCode::OK, out);
        response.headers_mut().insert(SERVER_TIMING, timing(started));
        Ok(response)
    }

    fn bid(&self, arrival: &Arrival<'_>, bytes: &[u8]) -> Result<Answer, Problem> {
        let mut out = Vec::with_capacity(ANSWER_BYTES);
        let answer = self.responder.bid(arrival, bytes, &mut self.worker.borrow_mut(), &mut out)?;
        let mut response = match answer {
            Bid::Response => {
                let is_gzip = body::accepts_gzip(arrival.headers) && out.len() >= COMPRESSED_BYTES_MIN;
                let mut response = Response::new(Full::new(Bytes::from(body::answer(out, is_gzip))));
                if is_gzip {
                    response.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
                }
                response
            }
            Bid::None { reason, wants_body } => {
                let body = if wants_body { refusal(reason) } else { Bytes::new() };
                let mut response = Response::new(Full::new(body));
                *response.status_mut() = if wants_body { StatusCode::OK } else { StatusCode::NO_CONTENT };
                response.headers_mut().insert(NO_BID_REASON, HeaderValue::from_static(reason.name()));
                response
            }
        };
        let headers = response.headers_mut();
        headers.insert(OPENRTB_VERSION, HeaderValue::from_static("2.6"));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Ok(response)
    }

    async fn notice(&self, kind: Kind, noticed: Noticed) -> Result<Answer, Problem> {
        let Noticed { events, remembered } = noticed;
        if !events.is_empty() {
            self.append(events.into(), &[TouchKind::Impression], 0).await.map_err(Problem::journal)?;
            self.responder.remember(remembered.as_slice());
        }
        self.worker.borrow().shard.notice(kind.notice());
        Ok(thanks())
    }

    async fn record(&self, touched: Touched) -> Result<Answer, Problem> {
        let Touched { event, remembered, kind, response, answers_anyway } = touched;
        let Some(event) = event else { return Ok(response) };
        let events = std::iter::once(event).chain(remembered.clone().map(Event::Remembered));
        match self.append(events.collect(), &[kind], 0).await {
            Ok(()) => {
                self.responder.remember(remembered.as_slice());
                Ok(response)
            }
            Err(_) if answers_anyway => Ok(response),
            Err(error) => Err(Problem::journal(error)),
        }
    }

    /// Events in whichever of the protocols the address belongs to.
    async fn ingest(&self, arrival: &Arrival<'_>, path: &str, body: Incoming) -> Result<Answer, Problem> {
        if let Some(kind) = segment_type(path) {
            let bytes_max = if kind.is_some() { SEGMENT_CALL_BYTES_MAX } else { SEGMENT_BODY_BYTES_MAX };
            let bytes = body::read_compressed(arrival.headers, body, bytes_max).await?;
            return self.segment(arrival, kind, &bytes).await;
        }
        let is_beacon = path == "/v1/beacon";
        let bytes = body::read_up_to(body, if is_beacon { BEACON_BYTES_MAX } else { BODY_BYTES_MAX }).await?;
        if is_beacon && segment::is_batch(&bytes) {
            return self.segment(arrival, None, &bytes).await;
        }
        self.events(arrival, &bytes).await
    }

    async fn events(&self, arrival: &Arrival<'_>, bytes: &[u8]) -> Result<Answer, Problem> {
        let answer = self.store(self.responder.events(arrival, bytes)?).await?;
        Ok(json(ACCEPTED, encode(&answer)))
    }

    async fn segment(
        &self,
        arrival: &Arrival<'_>,
        kind: Option<&str>,
        bytes: &[u8],
    ) -> Result<Answer, Problem> {
        self.store(self.responder.segment(arrival, kind, bytes)?).await?;
        Ok(json(StatusCode::OK, segment::SUCCESS.to_vec()))
    }

    /// Writes a batch down, then lets decisions know of it.
    async fn store(&self, batch: Batch) -> Result<Accepted, Problem> {
        batch.answer.codes().for_each(|code| self.worker.borrow().shard.rejected(code));
        if !batch.events.is_empty() {
            self.append(batch.events, &batch.touches, batch.behaviours).await.map_err(Problem::journal)?;
            self.responder.remember(&batch.remembered);
        }
        Ok(batch.answer)
    }

    async fn erase(&self, arrival: &Arrival<'_>, bytes: &[u8]) -> Result<Answer, Problem> {
        let erasure = self.responder.erase(arrival, bytes)?;
        // Forgotten at once; the journal only makes it last.
        self.responder.remember(&erasure.records);
        erasure.records.iter().for_each(|record| self.responder.decisions.forget(record.subject));
        self.append(erasure.events(), &[], 0).await.map_err(Problem::journal)?;
        Ok(json(StatusCode::OK, serde_json::to_vec(&erasure.answer).unwrap_or_default()))
    }

    /// Resolves when the events are in the journal.
    async fn append(
        &self,
        events: Box<[Event]>,
        touches: &[TouchKind],
        behaviours: u64,
    ) -> Result<(), AppendError> {
        let receiver = self.worker.borrow_mut().journal.append(events)?;
        receiver.await.unwrap_or(Err(AppendError::Closed))?;
        let worker = self.worker.borrow();
        touches.iter().for_each(|kind| worker.shard.touch(*kind));
        worker.shard.behaviours(behaviours);
        Ok(())
    }

    fn ready(&self) -> Result<Answer, Problem> {
        let is_ready = self.responder.snapshots.load().is_some();
        if is_ready { Ok(plain(StatusCode::OK, "ready")) } else { Err(Problem::no_bundle()) }
    }
}

/// The body of a GET: `q` as base64url.
fn query_body(query: &str) -> Result<Vec<u8>, Problem> {
    let text = query.split('&').find_map(|part| part.strip_prefix("q="));
    let text = text
        .ok_or_else(|| Problem::bad_request("query_missing", "GET needs the body as `?q=` in base64url"))?;
    if text.len() > BODY_BYTES_MAX {
        return Err(Problem::too_large(BODY_BYTES_MAX));
    }
    let body = URL_SAFE_NO_PAD.decode(text.trim_end_matches('='));
    body.map_err(|error| Problem::bad_request("query_encoding", format!("`q` is not base64url: {error}")))
}

fn encode(answer: &Accepted) -> Vec<u8> {
    serde_json::to_vec(answer).unwrap_or_default()
}

fn json(status: StatusCode, body: Vec<u8>) -> Answer {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn plain(status: StatusCode, text: &'static str) -> Answer {
    let mut response = Response::new(Full::new(Bytes::from_static(text.as_bytes())));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

/// The scope that a path needs; the others check for themselves, or are protected by signed tokens.
fn needed(method: &Method, path: &str) -> Option<(Scopes, &'static str)> {
    if *method == Method::OPTIONS {
        return None;
    }
    match path {
        "/v1/decide" | "/openrtb2/bid" => Some((Scopes::DECIDE, "this needs a key of scope `decide`")),
        "/v1/explain" => Some((Scopes::EXPLAIN, "this needs a key of scope `explain`")),
        "/v1/events" | "/v1/beacon" => Some((Scopes::INGEST, "this needs a key of scope `ingest`")),
        path if segment_type(path).is_some() => Some((Scopes::INGEST, "this needs a key of scope `ingest`")),
        _ => None,
    }
}

/// The decision whose explanation an address asks for.
fn decision_of(path: &str) -> Option<&str> {
    path.strip_prefix("/v1/decisions/")?.strip_suffix("/explain")
}

/// The type of call that an address of Segment's protocol names, none for a batch; `None` for other addresses.
fn segment_type(path: &str) -> Option<Option<&str>> {
    match path.strip_prefix("/v1/")? {
        "batch" => Some(None),
        kind @ ("track" | "identify" | "page" | "screen" | "group" | "alias") => Some(Some(kind)),
        _ => None,
    }
}

/// `decide;dur=` with milliseconds to three places.
fn timing(started: Instant) -> HeaderValue {
    let micros = started.elapsed().as_micros().min(999_999) as u32;
    let mut text = *b"decide;dur=000.000";
    let mut rest = micros;
    for place in [17, 16, 15, 13, 12, 11] {
        text[place] = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    HeaderValue::from_bytes(&text).unwrap_or_else(|_| HeaderValue::from_static("decide"))
}
