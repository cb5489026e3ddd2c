//! `GET /v1/decisions/{decision_id}/explain`: why a recent decision came out as it did.
//!
//! The decision is made again from what was kept of it ([`crate::decision_log`]) and compared with what was served, so
//! that the explanation is of that very decision. Needs the scope `explain`.

use hyper::StatusCode;
use serde::Serialize;
use serde_json::value::RawValue;
use tessera_engine_core::decide::{Ad, decide};
use tessera_engine_core::explain::explain;
use tessera_engine_core::scratch::Scratch;
use tessera_wire::event::Mode;
use tessera_wire::signal::Gates;

use super::context::{Arrival, Responder};
use super::decided::Decided;
use super::explanation;
use super::problem::Problem;
use crate::access::Scopes;
use crate::counters::Refusal;
use crate::decision_log::{Allowance, Logged};

#[derive(Serialize)]
struct Explained<'a> {
    decision_id: String,
    /// RFC 3339.
    at: String,
    bundle: BundleName<'a>,
    posterior_generation: u64,
    /// Did the same ads come out again, bit by bit?
    is_reproduced: bool,
    ads: Vec<ExplainedAd<'a>>,
    explain: Box<RawValue>,
}

#[derive(Serialize)]
struct BundleName<'a> {
    version: u64,
    hash: &'a str,
}

#[derive(Serialize)]
struct ExplainedAd<'a> {
    placement: &'a str,
    campaign_id: &'a str,
    creative_id: &'a str,
    combination: u32,
    propensity: f32,
    tier: &'static str,
}

impl Responder {
    /// Keeps a decision if it may be kept and the worker's allowance lasts.
    pub(super) fn keep(&self, decided: &Decided<'_>, seed: u64, subject: u128, allowance: &mut Allowance) {
        if !self.decisions.is_on() || decided.is_what_if {
            return;
        }
        let admitted = decided.answer.admitted;
        let is_impersonal = matches!(admitted.mode(), Mode::Contextual | Mode::Child);
        if !is_impersonal && !admitted.gates().covers(Gates::MEASURE_ADS) {
            return;
        }
        if !allowance.take(decided.answer.now_ms) {
            return self.decisions.skip();
        }
        let ids = decided.answer.body.placements.iter().map(|placement| placement.id.0.to_string()).collect();
        self.decisions.keep(Logged::new(
            decided.answer.snapshot,
            decided.answer.decision_id,
            if is_impersonal { 0 } else { subject },
            decided.inputs(seed),
            ids,
            decided.answer.decision.ads,
        ));
    }

    /// Explains a kept decision into `out`.
    pub(crate) fn explain_decision(
        &self,
        arrival: &Arrival<'_>,
        id: &str,
        out: &mut Vec<u8>,
    ) -> Result<(), Problem> {
        self.authorize(arrival, Scopes::EXPLAIN, "explaining decisions needs a key of scope `explain`")?;
        let decision_id = (id.len() == 32).then(|| u128::from_str_radix(id, 16).ok()).flatten();
        let decision_id = decision_id.ok_or_else(|| {
            Problem::bad_request("decision_id", "a decision id has 32 hexadecimal digits, as answers name it")
        })?;
        let logged = self.decisions.find(decision_id).ok_or_else(|| {
            let detail = "this decision is not, or no longer, kept here: see `engine.explain_memory`";
            Problem::new(StatusCode::NOT_FOUND, Refusal::NotFound, "decision_not_kept", detail)
        })?;
        let failed = |error: serde_json::Error| {
            let detail = format!("the explanation cannot be written: {error}");
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, Refusal::Unavailable, "explanation", detail)
        };
        let text = explain_again(&logged).map_err(failed)?;
        out.extend_from_slice(&text);
        Ok(())
    }
}

fn explain_again(logged: &Logged) -> Result<Vec<u8>, serde_json::Error> {
    let snapshot = logged.snapshot();
    let bundle = snapshot.bundle();
    let mut scratch = Scratch::new(bundle.program());
    let (now_ms, seed) = (logged.inputs.now_ms, logged.inputs.seed);
    logged.inputs.admitted(|admitted| {
        let explanation = explain(&snapshot, admitted, now_ms, seed, &mut scratch);
        let decision = decide(&snapshot, admitted, now_ms, seed, &mut scratch);
        let mut text = Vec::new();
        explanation::encode(logged.placement_ids.iter().map(String::as_str), &explanation, &mut text);
        let catalog = bundle.catalog();
        let ad = |ad: &Ad| {
            let template = &catalog.templates[ad.template.index()];
            let creative = ad.creative.map_or(template.id, |creative| catalog.creatives[creative.index()].id);
            ExplainedAd {
                placement: catalog.str(catalog.placements[ad.placement.index()].id),
                campaign_id: catalog.str(catalog.campaigns[template.campaign.index()].id),
                creative_id: catalog.str(creative),
                combination: ad.combination,
                propensity: ad.propensity,
                tier: ad.tier.name(),
            }
        };
        serde_json::to_vec(&Explained {
            decision_id: format!("{:032x}", logged.decision_id),
            at: jiff::Timestamp::from_millisecond(now_ms).map(|at| at.to_string()).unwrap_or_default(),
            bundle: BundleName { version: bundle.generation(), hash: bundle.short_hash() },
            posterior_generation: snapshot.posterior_generation(),
            is_reproduced: decision.ads == logged.ads,
            ads: decision.ads.iter().map(ad).collect(),
            explain: RawValue::from_string(String::from_utf8_lossy(&text).into_owned())?,
        })
    })
}
