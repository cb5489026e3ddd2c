//! `POST /v1/decide`: from body bytes to answer bytes, in memory.

use std::time::Instant;

use tessera_engine_core::admit::admit;
use tessera_engine_core::consent::OwnConsent;
use tessera_engine_core::decide::decide;
use tessera_engine_core::explain::explain;
use tessera_engine_core::hash::sticky_key;
use tessera_engine_core::signals::{Device, LocalTime, Money, PlacementRequest, RawSignals, Value};
use tessera_engine_core::standing::Standing;
use tessera_wire::event::Remembered;
use tessera_wire::signal::Gates;

use smallvec::SmallVec;

use super::answer::Answer;
use super::context::{Arrival, Enriched, Memory, Responder, Worker, languages};
use super::counted::Clicks;
use super::decided::{Decided, Shown, Sold, Summary};
use super::filter::FilterBody;
use super::late::is_late;
use super::problem::Problem;
use super::remembered::{behaviour_of, midnight_ms, remembered_cart_value};
use super::request::{self, DecideBody, FreeValues};
use super::urls::{host_of, origin_of, path_of};
use super::what_if;
use crate::access::Scopes;
use crate::counters::Shed;
use crate::snapshot_cell::Live;
use crate::user_store::{Change, CountKey, UserView, record};

impl Responder {
    /// Answers one decide request into `out`.
    ///
    /// Everything that varies between two runs comes in with `arrival`: equal arrivals, bodies and snapshots give equal
    /// bytes.
    pub(crate) fn decide(
        &self,
        arrival: &Arrival<'_>,
        bytes: &[u8],
        worker: &mut Worker,
        out: &mut Vec<u8>,
    ) -> Result<(), Problem> {
        let started = Instant::now();
        let live = self.snapshots.load();
        let live = live.as_ref().ok_or_else(Problem::no_bundle)?;
        let Worker { memory, journal, shard } = worker;
        let memory = memory.get_or_insert_with(|| Memory::new(live));
        let mut is_logged = true;
        let summary = self.respond(live, arrival, bytes, memory, out, &mut |shown| {
            is_logged &= journal.served(shown.served);
            if let Some(remembered) = self.count_impression(live, &shown) {
                journal.remembered(remembered);
            }
        })?;
        if !is_logged {
            shard.unlogged();
        }
        if summary.is_late {
            shard.shed(Shed::House);
        }
        shard.waited(arrival.waited.before);
        let micros = started.elapsed().as_micros() as u64;
        shard.decision(&summary.counted, summary.ads, micros);
        Ok(())
    }

    /// Adds what was shown to what the visitor's caps and counters read. The very next decision sees it.
    pub(super) fn count_impression(&self, live: &Live, shown: &Shown<'_>) -> Option<Remembered> {
        if shown.counted_subject == 0 || !live.plan().counts_impressions() {
            return None;
        }
        let mut keys: SmallVec<[CountKey; 8]> = SmallVec::new();
        live.plan().impression_keys(live.bundle().catalog(), shown.ad, |key| keys.push(key));
        let promise = live.plan().promise_key(live.bundle().catalog(), shown.ad, shown.served.at_ms);
        keys.extend(promise.filter(|_| shown.may_hold));
        self.users.count_all(shown.counted_subject, &keys, shown.served.at_ms);
        let is_counted = !keys.is_empty() && !self.users.is_suppressed(shown.counted_subject);
        is_counted.then(|| record(shown.counted_subject, Change::Other, &keys, shown.served.at_ms))
    }

    /// The pure part of [`Self::decide`]: no clock, no randomness, no counters, nothing remembered.
    pub(super) fn respond(
        &self,
        live: &Live,
        arrival: &Arrival<'_>,
        bytes: &[u8],
        memory: &mut Memory,
        out: &mut Vec<u8>,
        emit: &mut dyn FnMut(Shown<'_>),
    ) -> Result<Summary, Problem> {
        let body = request::parse(bytes)?;
        if is_late(arrival, &body) {
            return Ok(self.respond_late(live, arrival, &body, memory, out, emit));
        }
        self.respond_to(live, arrival, &body, memory, out, emit)
    }

    /// [`Self::respond`] to a body that was read. A what-if is answered and leaves no trace.
    pub(super) fn respond_to(
        &self,
        live: &Live,
        arrival: &Arrival<'_>,
        body: &DecideBody<'_>,
        memory: &mut Memory,
        out: &mut Vec<u8>,
        emit: &mut dyn FnMut(Shown<'_>),
    ) -> Result<Summary, Problem> {
        self.decided(live, arrival, body, memory, &mut |decided| {
            let ads = if decided.is_what_if { 0 } else { decided.answer.decision.ads.len() };
            (0..ads).for_each(|number| emit(decided.shown(number, number as u16)));
            decided.answer.encode(out);
            Sold::All
        })
    }

    /// Decides, and hands over what was decided: whoever takes it says what was shown of it, and in which words.
    pub(super) fn decided(
        &self,
        live: &Live,
        arrival: &Arrival<'_>,
        body: &DecideBody<'_>,
        memory: &mut Memory,
        take: &mut dyn FnMut(&Decided<'_>) -> Sold,
    ) -> Result<Summary, Problem> {
        let is_what_if = body.options.is_what_if || body.options.at_time.is_some();
        if body.options.explain || is_what_if {
            self.authorize_explain(arrival)?;
        }
        let preview = self.preview(live, arrival, body)?;
        memory.funds.refresh(live.budgets());
        let arrival = &what_if::at_time(arrival, body)?;
        let geography = self.geography.load();
        let enriched = self.enrich(arrival, &body.device, geography.as_deref());
        let subject = identity_of(body).map_or(0, |(kind, id)| self.keys.subject_key(kind, id));
        let declared = body.geo.country.as_ref().map(|country| country.0.as_ref());
        let is_suppressed = subject != 0 && self.users.is_suppressed(subject);
        let outcome = self.consent(arrival, &body.consent, &body.device, &enriched, declared, is_suppressed);
        let formats = formats_of(body);
        let placements = placements_of(body, &formats);
        let context = context_of(body);
        let device = self.device(arrival, &body.device, &mut memory.devices);
        let seed = seed_of(body, arrival);
        let zones = self.zones.load();
        let known = if is_suppressed { 0 } else { subject };
        self.recall(live, known, (arrival.now_ms, enriched.local_time), &mut memory.user);
        let raw = RawSignals {
            subject,
            zone_offsets: &zones,
            request_key: seed,
            features: &memory.user.features,
            behaviour: behaviour_of(&memory.user, arrival.now_ms),
            held: &memory.user.held,
            preview: preview.as_ref(),
            ..self.raw_signals(body, &enriched, device, (&context, &memory.user), arrival.now_ms)
        };
        let (program, funds) = (live.bundle().program(), memory.funds.all());
        let standing = Standing { funds, switches: Some(live.switches()) };
        let admitted = admit(program, &raw, &placements, &outcome, arrival.now_ms, &mut memory.frame)
            .with_standing(standing);
        let explanation =
            body.options.explain.then(|| explain(live, &admitted, arrival.now_ms, seed, &mut memory.scratch));
        let decision = decide(live, &admitted, arrival.now_ms, seed, &mut memory.scratch);
        let is_test = body.options.test || preview.is_some();
        let may_count = admitted.gates().covers(Gates::FREQUENCY_CAP) && !is_test;
        let counted_subject = if may_count { subject } else { 0 };
        let answer = Answer {
            responder: self,
            snapshot: live,
            body,
            admitted: &admitted,
            decision,
            explanation: explanation.as_ref(),
            decision_id: arrival.random,
            now_ms: arrival.now_ms,
            clicks: Clicks { plan: live.plan(), subject: counted_subject },
            languages: &languages(arrival, &body.device),
            urls: &memory.urls,
        };
        let decided = Decided { answer, random: arrival.random, counted_subject, is_what_if };
        let sold = take(&decided);
        self.keep(&decided, seed, subject, &mut memory.allowance);
        let summary = Summary::of(&decision, &admitted, outcome.regimes);
        memory.charge(if is_what_if || is_test { &Sold::Nothing } else { &sold }, live.bundle().catalog());
        Ok(summary)
    }

    /// Copies what the bundle reads of a visitor; nothing when the subject is 0.
    fn recall(
        &self,
        live: &Live,
        subject: u128,
        (now_ms, local): (i64, Option<LocalTime>),
        into: &mut UserView,
    ) {
        into.clear();
        if subject != 0 && live.plan().reads_anything() {
            self.users.read(subject, live.plan(), now_ms, midnight_ms(now_ms, local), into);
        }
    }

    fn authorize_explain(&self, arrival: &Arrival<'_>) -> Result<(), Problem> {
        let authorized =
            self.authorize(arrival, Scopes::EXPLAIN, "`options.explain` needs a key of scope `explain`");
        authorized.map_err(|problem| problem.coded("explain_needs_key").at("/options/explain"))
    }

    fn raw_signals<'a>(
        &self,
        body: &'a DecideBody<'a>,
        enriched: &'a Enriched<'a>,
        device: Option<Device>,
        (context, user): (&'a FreeValues<'a>, &'a UserView),
        now_ms: i64,
    ) -> RawSignals<'a> {
        let identity = identity_of(body);
        let cart = body.session.cart.as_ref();
        let country = text(&body.geo.country).or(enriched.country);
        let region = text(&body.geo.region).or(enriched.region);
        RawSignals {
            country,
            region,
            weather: self.weather.load().at(country, region, now_ms),
            city: text(&body.geo.city).or(enriched.city),
            local_time: enriched.local_time,
            device,
            language: enriched.language.as_ref().map(|language| language.as_str()),
            page_origin: text(&body.page.url).and_then(origin_of),
            page_path: text(&body.page.url).and_then(path_of),
            page_categories: &body.page.category,
            page_keywords: &body.page.keywords,
            referrer_host: text(&body.page.referrer).and_then(host_of),
            cart_value: cart
                .and_then(|cart| Some(Money { micros: cart.value_micros?, currency: text(&cart.currency)? }))
                .or_else(|| remembered_cart_value(user)),
            cart_items: cart.and_then(|cart| cart.items).or_else(|| user.cart.as_ref()?.items.map(i64::from)),
            page_views: body.session.page_views,
            user_segments: body.user.segments.as_deref(),
            traits: &body.user.traits,
            context,
            sticky_key: identity.map(|(_, id)| sticky_key(id)),
            is_test: body.options.test,
            ..RawSignals::default()
        }
    }
}

/// What all chance of a decision follows from.
fn seed_of(body: &DecideBody<'_>, arrival: &Arrival<'_>) -> u64 {
    match &body.request_id {
        Some(id) => xxhash_rust::xxh3::xxh3_64(id.0.as_bytes()),
        None => arrival.random as u64,
    }
}

/// The page's own consent state, if it sent any purpose.
pub(super) fn own_consent(purposes: &FreeValues<'_>) -> Option<OwnConsent> {
    if purposes.is_empty() {
        return None;
    }
    let stated = |name: &str| {
        purposes.iter().find(|(key, _)| key == name).map(|(_, value)| *value == Value::Bool(true))
    };
    let granted = |name: &str| stated(name).unwrap_or(false);
    Some(OwnConsent {
        storage: granted("storage"),
        ads_profile: stated("ads_profile"),
        ads_personalization: granted("ads_personalization"),
        content_personalization: granted("content_personalization"),
        analytics: granted("analytics"),
        sale: granted("sale"),
        precise_geo: granted("precise_geo"),
    })
}

fn identity_of<'a>(body: &'a DecideBody<'a>) -> Option<(&'static str, &'a str)> {
    let present = |id: &'a Option<request::Str<'a>>| text(id).filter(|id| !id.is_empty());
    present(&body.user.id)
        .map(|id| ("id", id))
        .or_else(|| present(&body.user.anonymous_id).map(|id| ("anonymous_id", id)))
}

fn text<'a>(value: &'a Option<request::Str<'a>>) -> Option<&'a str> {
    value.as_ref().map(|text| text.0.as_ref())
}

/// All placements' sizes, one after the other.
pub(super) fn formats_of(body: &DecideBody<'_>) -> SmallVec<[(u32, u32); 4]> {
    body.placements
        .iter()
        .flat_map(|placement| placement.formats.iter().map(|format| (format.w, format.h)))
        .collect()
}

pub(super) fn placements_of<'a>(
    body: &'a DecideBody<'a>,
    formats: &'a [(u32, u32)],
) -> SmallVec<[PlacementRequest<'a>; 4]> {
    let mut rest = formats;
    let mut requests = SmallVec::new();
    for placement in &body.placements {
        let (own, others) = rest.split_at(placement.formats.len());
        rest = others;
        requests.push(PlacementRequest {
            slot: &placement.slot.0,
            count: placement.count as u8,
            formats: own,
            filter: placement.filter.as_ref().map(FilterBody::as_filter),
            floor_micros: placement.floor_micros,
        });
    }
    requests
}

/// Free context of the request, then the placements' attributes; the first of equal names counts.
fn context_of<'a>(body: &'a DecideBody<'a>) -> FreeValues<'a> {
    let attributes = body.placements.iter().flat_map(|placement| &placement.attributes);
    body.context.iter().chain(attributes).cloned().collect()
}
