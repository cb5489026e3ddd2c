//! `POST /openrtb2/bid`: bidding for impressions in OpenRTB 2.6 auctions, banners and native ads.
//!
//! A bid request becomes the same decision as any other request: consent gate, rules, selection. The ads that were decided
//! are then tried in their order against the exchange's conditions (`fit`), and the first that may be sold is the bid. A
//! campaign that may not be sold leaves its place to the next one.
//!
//! No bid is 204, with the reason in a header and a counter. A bid is no impression: that is `burl`, the exchange's billing
//! notice (`notice`), which is also what frequency caps count. `test: 1` gets a bid that leaves no trace. Privacy fields in
//! the places of 2.5 and 2.6 are read; an exchange that is not known by its key or network is not believed about where the
//! visitor is. Not here: terms of business (`bidding`), gzip (`body`).

mod banner;
mod country;
mod fit;
mod native;
pub(crate) mod notice;
mod request;
mod visitor;
pub(crate) mod write;

use std::time::Instant;

use hyper::HeaderMap;
use smallvec::SmallVec;
use tessera_engine_core::limits::{ADS_PER_DECISION_MAX, ADS_PER_PLACEMENT_MAX};

use self::fit::{Conditions, Lot};
use self::request::BidRequest;
use self::write::{Offered, Writer};
use super::context::{Arrival, Caller, Memory, Responder, Worker};
use super::decided::{Decided, Shown, Sold, Summary};
use super::problem::Problem;
use super::request::{FormatBody, PlacementBody};
use crate::admission::Waited;
use crate::counters::NoBid;
use crate::limits::IMPRESSIONS_PER_DECISION;
use crate::snapshot_cell::Live;

/// What became of a bid request.
pub(crate) enum Bid {
    /// The response is written.
    Response,
    /// There is none; the reason is that of the first impression.
    None {
        /// Why.
        reason: NoBid,
        /// Does the exchange want to read why?
        wants_body: bool,
    },
}

/// What became of its impressions.
pub(super) struct Outcome {
    pub(super) bids: usize,
    pub(super) losses: SmallVec<[NoBid; 4]>,
    best: Option<Summary>,
    wants_body: bool,
    is_test: bool,
}

impl Responder {
    /// Answers one bid request into `out`.
    pub(crate) fn bid(
        &self,
        arrival: &Arrival<'_>,
        bytes: &[u8],
        worker: &mut Worker,
        out: &mut Vec<u8>,
    ) -> Result<Bid, Problem> {
        let started = Instant::now();
        let live = self.snapshots.load();
        let live = live.as_ref().ok_or_else(Problem::no_bundle)?;
        let Worker { memory, journal, shard } = worker;
        let memory = memory.get_or_insert_with(|| Memory::new(live));
        let mut is_logged = true;
        let outcome = self.bid_on(live, arrival, bytes, memory, out, &mut |shown| {
            is_logged &= journal.served(shown.served);
        })?;
        if !is_logged {
            shard.unlogged();
        }
        shard.auction(outcome.bids, outcome.is_test);
        outcome.losses.iter().for_each(|reason| shard.no_bid(*reason));
        if let Some(Summary { counted, .. }) = &outcome.best {
            let micros = started.elapsed().as_micros() as u64;
            let ads = if outcome.is_test { 0 } else { outcome.bids };
            shard.decision(counted, ads, micros);
        }
        if outcome.bids > 0 {
            return Ok(Bid::Response);
        }
        let reason = outcome.losses.first().copied().unwrap_or(NoBid::NoFill);
        Ok(Bid::None { reason, wants_body: outcome.wants_body })
    }

    /// The pure part of [`Self::bid`].
    pub(super) fn bid_on(
        &self,
        live: &Live,
        arrival: &Arrival<'_>,
        bytes: &[u8],
        memory: &mut Memory,
        out: &mut Vec<u8>,
        emit: &mut dyn FnMut(Shown<'_>),
    ) -> Result<Outcome, Problem> {
        let request = request::parse(bytes)?;
        let mut outcome = Outcome {
            bids: 0,
            losses: SmallVec::new(),
            best: None,
            wants_body: request.ext.debug.is_set(),
            is_test: request.test.is_set(),
        };
        let terms = self.terms.load();
        let Some(terms) = terms.as_deref() else {
            return Ok(outcome.all_lost(&request, NoBid::NotConfigured));
        };
        let conditions = Conditions {
            request: &request,
            terms,
            catalog: live.bundle().catalog(),
            is_our_url_secure: self.public_url.starts_with("https://"),
        };
        let currency = match conditions.checked(arrival.waited) {
            Ok(currency) => currency,
            Err(reason) => return Ok(outcome.all_lost(&request, reason)),
        };
        let mut lots: Vec<Lot<'_>> = Vec::with_capacity(request.imp.len());
        for imp in &request.imp {
            match conditions.lot(imp) {
                Ok(lot) => lots.push(lot),
                Err(reason) => outcome.losses.push(reason),
            }
        }
        let nobody = HeaderMap::new();
        let arrival = Arrival { headers: &nobody, ..*arrival };
        let mut writer = Writer::new(self, &conditions, currency, (arrival.random, arrival.now_ms), out);
        for (number, lots) in lots.chunks(IMPRESSIONS_PER_DECISION).enumerate() {
            let summary =
                self.bid_on_lots(live, &arrival, (number, lots), memory, &mut writer, &mut outcome, emit)?;
            outcome.best = outcome
                .best
                .take()
                .filter(|best| best.counted.tier <= summary.counted.tier)
                .or(Some(summary));
        }
        writer.finish();
        Ok(outcome)
    }

    /// Decides on some impressions together, and writes the bids.
    #[allow(clippy::too_many_arguments, reason = "one step of a loop, with what the loop carries along")]
    fn bid_on_lots<'a>(
        &self,
        live: &Live,
        arrival: &Arrival<'_>,
        (chunk, lots): (usize, &[Lot<'a>]),
        memory: &mut Memory,
        writer: &mut Writer<'_, 'a, '_>,
        outcome: &mut Outcome,
        emit: &mut dyn FnMut(Shown<'_>),
    ) -> Result<Summary, Problem> {
        let request = writer.conditions.request;
        let id = match chunk {
            0 => request.id.0.to_string(),
            number => format!("{}#{number}", request.id.0),
        };
        let mut body = visitor::body_of(request, id);
        let count = ADS_PER_PLACEMENT_MAX.min(ADS_PER_DECISION_MAX / lots.len());
        body.placements = lots.iter().map(|lot| placement_of(lot, count as u32)).collect();
        let first = chunk * ADS_PER_DECISION_MAX;
        self.decided(live, arrival, &body, memory, &mut |decided| {
            let mut sold = SmallVec::new();
            for (index, lot) in lots.iter().enumerate() {
                match sell(decided, index, lot, first, writer, live) {
                    Ok((at, shown)) => {
                        sold.push(at);
                        outcome.bids += 1;
                        shown.into_iter().for_each(&mut *emit);
                    }
                    Err(reason) => outcome.losses.push(reason),
                }
            }
            // A bid is paid for at once, so that bids in flight cannot overdraw a budget.
            Sold::These(sold)
        })
    }
}

/// Bids with the first ad of an impression that may be sold: its place, and the ad as it was served, unless it is a test.
fn sell<'d>(
    decided: &'d Decided<'_>,
    index: usize,
    lot: &Lot<'_>,
    first: usize,
    writer: &mut Writer<'_, '_, '_>,
    live: &Live,
) -> Result<(usize, Option<Shown<'d>>), NoBid> {
    let outcome = &decided.answer.decision.placements[index];
    let ads = usize::from(outcome.first_ad)..usize::from(outcome.first_ad + outcome.ads);
    let mut reason = NoBid::NoFill;
    for (place, at) in ads.enumerate() {
        let number = (first + at) as u16;
        match writer.conditions.sale(lot, &decided.answer.decision.ads[at], decided.answer.languages) {
            Ok(sale) => {
                let shown = decided.shown(at, number);
                writer.bid(lot, &sale, &Offered { answer: &decided.answer, shown: &shown, live });
                return Ok((at, (!writer.is_test()).then_some(shown)));
            }
            // The ad that was wanted most says why.
            Err(loss) if place == 0 => reason = loss,
            Err(_) => {}
        }
    }
    Err(reason)
}

impl Conditions<'_> {
    /// What holds for the whole request: time, seat, currency.
    fn checked(&self, waited: Waited) -> Result<&str, NoBid> {
        let ours = |tmax: u32| tmax.saturating_sub(self.terms.tmax_margin_ms);
        if self.request.tmax.is_some_and(|tmax| ours(tmax) == 0 || waited.is_beyond(ours(tmax).into())) {
            return Err(NoBid::Time);
        }
        self.check_seat()?;
        self.currency()
    }
}

impl Outcome {
    fn all_lost(mut self, request: &BidRequest<'_>, reason: NoBid) -> Outcome {
        self.losses.extend(request.imp.iter().map(|_| reason));
        self
    }
}

fn placement_of<'a>(lot: &Lot<'a>, count: u32) -> PlacementBody<'a> {
    PlacementBody {
        id: lot.imp.id.clone(),
        slot: super::request::Str(lot.slot.into()),
        formats: lot.sizes.iter().map(|(w, h)| FormatBody { w: *w, h: *h }).collect(),
        count,
        attributes: Vec::new(),
        filter: None,
        floor_micros: 0,
    }
}

impl Arrival<'_> {
    /// The same request, known to come from a server that speaks for a visitor.
    pub(crate) fn of_a_server(mut self) -> Self {
        if self.caller == Caller::Visitor {
            self.caller = Caller::Stranger;
        }
        self
    }
}
