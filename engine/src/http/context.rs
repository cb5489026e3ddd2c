//! What a worker answers with: shared read-only state, and its own scratch memory.

use std::borrow::Cow;
use std::cell::Cell;
use std::net::IpAddr;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::header::{ACCEPT_LANGUAGE, AUTHORIZATION, HeaderName, USER_AGENT};
use hyper::{HeaderMap, StatusCode};
use tessera_engine_core::consent::{self, ConsentInputs, Outcome, Policy};
use tessera_engine_core::scratch::Scratch;
use tessera_engine_core::signals::{Device, LocalTime};
use tessera_engine_core::snapshot::Snapshot;
use tessera_rulevm::Frame;
use tessera_wire::catalog::Catalog;

use crate::access::{AccessCell, Scopes};
use crate::admission::Waited;
use crate::bidding::TermsCell;
use crate::budget::WorkerFunds;
use crate::counters::{Refusal, Shard};
use crate::decision_log::{Allowance, DecisionLog};
use crate::enrich::client_addr::{ClientAddrPolicy, truncate};
use crate::enrich::device::{ClientHints, DeviceClassifier};
use crate::enrich::device_cache::DeviceCache;
use crate::enrich::geo_cell::{GeoCell, Geography};
use crate::enrich::language::{Language, Ranges, from_accept_language, ranges};
use crate::enrich::limits::LANGUAGE_BYTES_MAX;
use crate::enrich::prefix;
use crate::enrich::weather::WeatherTableCell;
use crate::enrich::zone_cell::ZoneCell;
use crate::journal::WorkerJournal;
use crate::keys::Keys;
use crate::settings::Origins;
use crate::snapshot_cell::SnapshotCell;
use crate::user_store::{UserStore, UserView};

use super::decided::Sold;
use super::problem::Problem;
use super::request::{ConsentBody, DeviceBody};

/// What all workers share: read-only, or atomic.
pub(crate) struct Responder {
    /// The live snapshot.
    pub snapshots: Arc<SnapshotCell>,
    /// The live location database.
    pub geography: Arc<GeoCell>,
    /// Offsets of the zones that rules name.
    pub zones: Arc<ZoneCell>,
    /// The weather by place.
    pub weather: Arc<WeatherTableCell>,
    /// What is remembered of visitors.
    pub users: Arc<UserStore>,
    /// The device classifier.
    pub devices: DeviceClassifier,
    /// Which proxies may say who the client is.
    pub client_addresses: ClientAddrPolicy,
    /// How consent signals are read.
    pub consent: Policy,
    /// Secrets.
    pub keys: Keys,
    /// What URLs in answers start with.
    pub public_url: String,
    /// How long tokens stay valid, in seconds.
    pub token_ttl_secs: u32,
    /// On which terms we bid in auctions.
    pub terms: Arc<TermsCell>,
    /// Who may ask for what.
    pub access: Arc<AccessCell>,
    /// Whose pages may ask.
    pub origins: Origins,
    /// Recent decisions.
    pub decisions: Arc<DecisionLog>,
}

/// What one worker owns.
pub(crate) struct Worker {
    pub(crate) memory: Option<Memory>,
    pub(crate) journal: WorkerJournal,
    pub(crate) shard: Arc<Shard>,
}

/// Reusable decision memory; absent until the first bundle.
pub(crate) struct Memory {
    pub(crate) frame: Frame,
    pub(crate) scratch: Scratch,
    pub(crate) devices: DeviceCache,
    pub(crate) user: UserView,
    /// Addresses of one ad.
    pub(crate) urls: Cell<Vec<u8>>,
    pub(crate) funds: WorkerFunds,
    /// How many decisions may still be kept for explanation.
    pub(crate) allowance: Allowance,
}

impl Memory {
    pub(crate) fn new(snapshot: &Snapshot) -> Memory {
        let program = snapshot.bundle().program();
        Memory {
            frame: Frame::new(program),
            scratch: Scratch::new(program),
            devices: DeviceCache::default(),
            user: UserView::default(),
            urls: Cell::default(),
            funds: WorkerFunds::default(),
            allowance: Allowance::default(),
        }
    }

    /// Pays for ads of the last decision.
    pub(crate) fn charge(&mut self, sold: &Sold, catalog: &Catalog) {
        let Memory { funds, scratch, .. } = self;
        let ads = scratch.ads();
        match sold {
            Sold::All => ads.iter().for_each(|ad| funds.charge(catalog, ad)),
            Sold::These(places) => {
                places.iter().filter_map(|place| ads.get(*place)).for_each(|ad| funds.charge(catalog, ad));
            }
            Sold::Nothing => {}
        }
    }
}

/// Who sends a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Caller {
    /// The visitor's own browser or app, as far as we know.
    Visitor,
    /// A server of ours or of a partner, known by its key: what it says of the visitor is believed.
    Trusted,
    /// A server that speaks for a visitor but is not known: neither its word nor its address tells where the visitor is.
    Stranger,
}

/// How and when a request arrived.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Arrival<'a> {
    /// Who sends it.
    pub caller: Caller,
    /// What its key allows.
    pub scopes: Scopes,
    /// The other end of the connection.
    pub peer: IpAddr,
    /// The request's headers.
    pub headers: &'a HeaderMap,
    /// Unix milliseconds.
    pub now_ms: i64,
    /// How late the worker is.
    pub waited: Waited,
    /// Randomness for this request: the decision id, and the seed unless the caller sent a request id.
    pub random: u128,
}

/// What enrichment found out; borrows the geography it was found in.
pub(crate) struct Enriched<'a> {
    pub(crate) country: Option<&'a str>,
    pub(crate) region: Option<&'a str>,
    pub(crate) city: Option<&'a str>,
    pub(crate) local_time: Option<LocalTime>,
    pub(crate) language: Option<Language>,
    pub(crate) is_trusted_caller: bool,
}

impl<'a> Arrival<'a> {
    pub(crate) fn header(&self, name: impl hyper::header::AsHeaderName) -> Option<&'a str> {
        self.headers.get(name)?.to_str().ok()
    }
}

const SEC_CH_UA: HeaderName = HeaderName::from_static("sec-ch-ua");
const SEC_CH_UA_MOBILE: HeaderName = HeaderName::from_static("sec-ch-ua-mobile");
const SEC_CH_UA_PLATFORM: HeaderName = HeaderName::from_static("sec-ch-ua-platform");
const SEC_GPC: HeaderName = HeaderName::from_static("sec-gpc");
const DNT: HeaderName = HeaderName::from_static("dnt");

const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// The key in a request: a bearer token, the user name of basic authentication, or a header of its own.
pub(crate) fn key_of(headers: &HeaderMap) -> Option<Cow<'_, str>> {
    let text = |name| headers.get(name)?.to_str().ok();
    let Some(value) = text(AUTHORIZATION) else { return text(X_API_KEY).map(Cow::Borrowed) };
    if let Some(key) = value.strip_prefix("Bearer ") {
        return Some(Cow::Borrowed(key.trim()));
    }
    let basic = STANDARD.decode(value.strip_prefix("Basic ")?.trim()).ok()?;
    let basic = String::from_utf8(basic).ok()?;
    Some(Cow::Owned(basic.split_once(':').map_or(basic.as_str(), |(user, _)| user).to_owned()))
}

impl Responder {
    /// What the caller's key allows. Pages that can send no header put it into the address; such a key may decide and
    /// send events, no more, because addresses end up in logs.
    pub(crate) fn scopes(&self, headers: &HeaderMap, query: &str) -> Scopes {
        let access = self.access.load();
        match key_of(headers) {
            Some(key) => access.scopes_of(Some(&key)),
            None => {
                let key = query.split('&').find_map(|part| part.strip_prefix("key="));
                access.scopes_of(key).and(if key.is_some() { Scopes::OPEN } else { Scopes::ALL })
            }
        }
    }

    /// May the caller do this?
    pub(crate) fn authorize(
        &self,
        arrival: &Arrival<'_>,
        needed: Scopes,
        detail: &str,
    ) -> Result<(), Problem> {
        if arrival.scopes.covers(needed) {
            return Ok(());
        }
        let detail = format!("{detail} in an `Authorization: Bearer` header");
        Err(Problem::new(StatusCode::UNAUTHORIZED, Refusal::Unauthorized, "key_needed", detail))
    }

    /// Derives place, time and language. Total: what cannot be found is absent.
    pub(crate) fn enrich<'a>(
        &self,
        arrival: &Arrival<'_>,
        device: &DeviceBody<'_>,
        geography: Option<&'a Geography>,
    ) -> Enriched<'a> {
        let is_trusted_caller = arrival.caller == Caller::Trusted
            || self.client_addresses.is_trusted(arrival.peer.to_canonical());
        let address = self.client_address(arrival, device, is_trusted_caller);
        let place =
            geography.zip(address).and_then(|(geography, address)| geography.db.lookup(truncate(address)));
        let local_time = place.as_ref().zip(geography).and_then(|(place, geography)| {
            let time = geography.local_time(place, arrival.now_ms)?;
            Some(LocalTime { hour: time.hour, minute: time.minute, weekday: time.weekday })
        });
        Enriched {
            country: place.as_ref().and_then(|place| place.country()),
            region: place.as_ref().and_then(|place| place.region()),
            city: place.as_ref().and_then(|place| place.city()),
            local_time,
            language: language(arrival, device),
            is_trusted_caller,
        }
    }

    /// An address in the body is believed only from our own infrastructure.
    fn client_address(
        &self,
        arrival: &Arrival<'_>,
        device: &DeviceBody<'_>,
        is_trusted: bool,
    ) -> Option<IpAddr> {
        if is_trusted && let Some(text) = &device.ip {
            return text.0.parse().ok();
        }
        if arrival.caller != Caller::Visitor {
            return None;
        }
        let lines = arrival.headers.get_all(self.client_addresses.header.name());
        let lines: smallvec::SmallVec<[&str; 2]> =
            lines.iter().map(|line| line.to_str().unwrap_or("unknown")).collect();
        self.client_addresses.resolve(arrival.peer, lines.iter().copied())
    }

    /// The visitor's device, as far as texts about it were sent.
    pub(crate) fn device(
        &self,
        arrival: &Arrival<'_>,
        device: &DeviceBody<'_>,
        devices: &mut DeviceCache,
    ) -> Option<Device> {
        // A user agent in the body describes the visitor; then the caller's own hints do not.
        let hints = match &device.ua {
            Some(_) => ClientHints::default(),
            None => ClientHints {
                mobile: arrival.header(SEC_CH_UA_MOBILE),
                platform: arrival.header(SEC_CH_UA_PLATFORM),
                brands: arrival.header(SEC_CH_UA),
            },
        };
        let user_agent = device.ua.as_ref().map(|ua| ua.0.as_ref()).or_else(|| arrival.header(USER_AGENT));
        if user_agent.is_none() && hints.platform.is_none() {
            return None;
        }
        let found = devices.classify(&self.devices, &hints, user_agent);
        Some(Device { kind: found.device_type as u8, os: found.os as u8, browser: found.browser as u8 })
    }

    /// Runs the consent gate over everything the caller sent and the place we found.
    pub(crate) fn consent(
        &self,
        arrival: &Arrival<'_>,
        body: &ConsentBody<'_>,
        device: &DeviceBody<'_>,
        enriched: &Enriched<'_>,
        declared_country: Option<&str>,
        is_suppressed: bool,
    ) -> Outcome {
        let country = declared_country.filter(|_| enriched.is_trusted_caller).or(enriched.country);
        let inputs = ConsentInputs {
            tcf: body.tcf.as_ref().map(|text| text.0.as_ref()),
            gpp: body.gpp.as_ref().map(|text| text.0.as_ref()),
            gpp_sid: &body.gpp_sid,
            us_privacy: body.us_privacy.as_ref().map(|text| text.0.as_ref()),
            gdpr: body.gdpr.map(|flag| flag.0),
            coppa: body.coppa.is_set(),
            gpc: body.gpc.is_set() || arrival.header(SEC_GPC) == Some("1"),
            dnt: device.dnt.is_set() || arrival.header(DNT) == Some("1"),
            lmt: device.lmt.is_set(),
            dooh: body.dooh,
            country,
            own: super::google_consent::own_consent(body),
            is_suppressed,
            is_caller_trusted: enriched.is_trusted_caller,
        };
        consent::evaluate(&inputs, &self.consent, arrival.now_ms)
    }
}

/// The visitor's languages as tags, from the best down.
pub(super) fn languages<'a>(arrival: &Arrival<'a>, device: &'a DeviceBody<'_>) -> Ranges<'a> {
    match &device.lang {
        Some(tag) => Ranges::from_iter([prefix(&tag.0, LANGUAGE_BYTES_MAX)]),
        None => arrival.header(ACCEPT_LANGUAGE).map_or_else(Ranges::new, ranges),
    }
}

fn language(arrival: &Arrival<'_>, device: &DeviceBody<'_>) -> Option<Language> {
    match &device.lang {
        Some(tag) => Language::from_tag(&tag.0),
        None => from_accept_language(arrival.header(ACCEPT_LANGUAGE)?),
    }
}
