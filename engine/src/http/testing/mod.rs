//! Tests of whole answers: body bytes, headers and address in; answer bytes and served records out.
//!
//! They stand here because the pure part of a decide request is private. The demo bundle and its made-up posteriors are
//! those of the decision core's own tests.

mod auctions;
mod contents;
mod decisions;
mod golden;
mod late;
mod offers;
mod preview;
mod properties;
#[path = "../../../core/tests/support/mod.rs"]
mod support;

use std::net::IpAddr;
use std::sync::Arc;

use hyper::HeaderMap;
use tessera_engine_core::consent::Policy;
use tessera_engine_core::snapshot::Snapshot;
use tessera_wire::event::Served;
use tessera_wire::posterior::PosteriorTable;
use tessera_wire::token::TokenKey;

use super::context::{Arrival, Caller, Memory, Responder};
use super::problem::Problem;
use crate::access::Access;
use crate::admission::Waited;
use crate::decision_log::DecisionLog;
use crate::enrich::client_addr::{ClientAddrPolicy, HeaderChoice};
use crate::enrich::device::DeviceClassifier;
use crate::enrich::geo::GeoDb;
use crate::enrich::geo_cell::GeoCell;
use crate::keys::Keys;
use crate::settings::Origins;
use crate::snapshot_cell::{Live, SnapshotCell};
use crate::user_store::{KeyRegistry, UserStore};
use support::{NOW_MS, demo, posteriors};

/// The network of our own infrastructure: proxies and servers that may speak for a visitor.
const TRUSTED_PEER: &str = "10.0.0.1";

/// An engine without its server, and the two states of the demo's learning.
struct Shop {
    responder: Responder,
    unlearned: Live,
    learned: Live,
}

/// One request as it arrives.
struct Request {
    body: String,
    headers: HeaderMap,
    peer: IpAddr,
    now_ms: i64,
    random: u128,
}

/// What became of one request.
#[derive(Debug, PartialEq)]
struct Outcome {
    answer: Vec<u8>,
    served: Vec<Served>,
}

impl Shop {
    fn new() -> Shop {
        let geography = GeoCell::default();
        geography.install(GeoDb::from_bytes(tessera_fixtures::DEMO_GEO.to_vec()).unwrap(), NOW_MS);
        let users = Arc::new(UserStore::new(1 << 20, KeyRegistry::default()));
        let keys = Keys {
            token: TokenKey::new([7; 32]),
            preview: TokenKey::new([6; 32]),
            subject: [9; 32],
            explain: "explain-key".into(),
            erase: "erase-key".into(),
        };
        let responder = Responder {
            snapshots: Arc::new(SnapshotCell::new(None, Arc::clone(&users))),
            users: Arc::clone(&users),
            geography: Arc::new(geography),
            zones: Arc::default(),
            weather: Arc::default(),
            devices: DeviceClassifier::new().unwrap(),
            client_addresses: ClientAddrPolicy {
                trusted: vec!["10.0.0.0/8".parse().unwrap()],
                header: HeaderChoice::XForwardedFor,
            },
            consent: Policy::default(),
            keys: keys.clone(),
            public_url: "https://ads.fernweh.example".into(),
            token_ttl_secs: 86_400,
            decisions: Arc::new(DecisionLog::new(1 << 20)),
            terms: Arc::default(),
            access: Access::open(&keys).shared(),
            origins: Origins::Any,
        };
        let bundle = Arc::new(demo());
        let table = posteriors(&bundle, 3, 11, |template| template == "autumn_hero");
        Shop {
            responder,
            unlearned: Live::new(Snapshot::new(Arc::clone(&bundle), &PosteriorTable::default()), &users),
            learned: Live::new(Snapshot::new(bundle, &table), &users),
        }
    }

    fn answer(&self, snapshot: &Live, request: &Request, memory: &mut Memory) -> Result<Outcome, Problem> {
        let arrival = Arrival {
            caller: Caller::Visitor,
            scopes: self.responder.scopes(&request.headers, ""),
            peer: request.peer,
            headers: &request.headers,
            now_ms: request.now_ms,
            waited: Waited::default(),
            random: request.random,
        };
        let (mut answer, mut served) = (Vec::new(), Vec::new());
        let body = request.body.as_bytes();
        self.responder
            .respond(snapshot, &arrival, body, memory, &mut answer, &mut |shown| served.push(shown.served))?;
        Ok(Outcome { answer, served })
    }
}
