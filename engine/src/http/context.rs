//! What a worker answers with: shared read-only state, and its own scratch memory.

use std::cell::Cell;
use std::net::IpAddr;
use std::sync::Arc;

use hyper::HeaderMap;
use hyper::header::{ACCEPT_LANGUAGE, HeaderName, USER_AGENT};
use tessera_engine_core::consent::{self, ConsentInputs, Outcome, Policy};
use tessera_engine_core::scratch::Scratch;
use tessera_engine_core::signals::{Device, LocalTime};
use tessera_engine_core::snapshot::Snapshot;
use tessera_rulevm::Frame;
use tessera_wire::catalog::Catalog;

use crate::budget::WorkerFunds;
use crate::counters::Shard;
use crate::enrich::client_addr::{ClientAddrPolicy, truncate};
use crate::enrich::device::{ClientHints, DeviceClassifier};
use crate::enrich::device_cache::DeviceCache;
use crate::enrich::geo_cell::{GeoCell, Geography};
use crate::enrich::language::{Language, Ranges, from_accept_language, ranges};
use crate::enrich::limits::LANGUAGE_BYTES_MAX;
use crate::enrich::prefix;
use crate::enrich::zone_cell::ZoneCell;
use crate::journal::WorkerJournal;
use crate::keys::Keys;
use crate::snapshot_cell::SnapshotCell;
use crate::user_store::{UserStore, UserView};

use super::request::{ConsentBody, DeviceBody};

/// What all workers share: read-only, or atomic.
pub(crate) struct Responder {
    /// The live snapshot.
    pub snapshots: Arc<SnapshotCell>,
    /// The live location database.
    pub geography: Arc<GeoCell>,
    /// Offsets of the zones that rules name.
    pub zones: Arc<ZoneCell>,
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
        }
    }

    /// Pays for the ads of the last decision, unless they are free.
    pub(crate) fn charge_unless(&mut self, is_free: bool, catalog: &Catalog) {
        let Memory { funds, scratch, .. } = self;
        let ads = if is_free { &[] } else { scratch.ads() };
        ads.iter().for_each(|ad| funds.charge(catalog, ad));
    }
}

/// How and when a request arrived.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Arrival<'a> {
    /// The other end of the connection.
    pub peer: IpAddr,
    /// The request's headers.
    pub headers: &'a HeaderMap,
    /// Unix milliseconds.
    pub now_ms: i64,
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

impl Responder {
    /// Derives place, time and language. Total: what cannot be found is absent.
    pub(crate) fn enrich<'a>(
        &self,
        arrival: &Arrival<'_>,
        device: &DeviceBody<'_>,
        geography: Option<&'a Geography>,
    ) -> Enriched<'a> {
        let is_trusted_caller = self.client_addresses.is_trusted(arrival.peer.to_canonical());
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
            country,
            own: super::decide::own_consent(&body.purposes),
            is_suppressed,
            is_caller_trusted: enriched.is_trusted_caller,
            ..ConsentInputs::default()
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
