//! Answering what has waited too long: house ads at once, see [`crate::admission`].

use tessera_engine_core::admit::Admitted;
use tessera_engine_core::decide::decide_late;
use tessera_engine_core::standing::Standing;

use super::answer::Answer;
use super::context::{Arrival, Memory, Responder, languages};
use super::counted::Clicks;
use super::decide::{formats_of, placements_of};
use super::decided::{Decided, Shown, Summary};
use super::request::DecideBody;
use crate::limits::TMAX_MS;
use crate::snapshot_cell::Live;

/// Will the answer come later than the caller waits for it? Whoever asks for an explanation waits.
pub(super) fn is_late(arrival: &Arrival<'_>, body: &DecideBody<'_>) -> bool {
    let tmax_ms = body.tmax_ms.map_or(TMAX_MS, u64::from);
    arrival.waited.is_beyond(tmax_ms) && !body.options.explain && body.options.at_time.is_none()
}

impl Responder {
    /// Answers with house ads. They are journaled, so that their impressions and clicks have something to join.
    pub(super) fn respond_late(
        &self,
        live: &Live,
        arrival: &Arrival<'_>,
        body: &DecideBody<'_>,
        memory: &mut Memory,
        out: &mut Vec<u8>,
        emit: &mut dyn FnMut(Shown<'_>),
    ) -> Summary {
        let formats = formats_of(body);
        let placements = placements_of(body, &formats);
        let standing = Standing { funds: memory.funds.all(), switches: Some(live.switches()) };
        let program = live.bundle().program();
        let admitted = Admitted::nothing(program, &placements, arrival.now_ms, &mut memory.frame)
            .with_standing(standing);
        let decision = decide_late(live, &admitted, arrival.now_ms, &mut memory.scratch);
        let languages = languages(arrival, &body.device);
        let answer = Answer {
            responder: self,
            snapshot: live,
            body,
            admitted: &admitted,
            decision,
            explanation: None,
            decision_id: arrival.random,
            now_ms: arrival.now_ms,
            clicks: Clicks { plan: live.plan(), subject: 0 },
            languages: &languages,
            urls: &memory.urls,
        };
        let decided = Decided::late(answer, arrival.random);
        (0..decision.ads.len()).for_each(|number| emit(decided.shown(number, number as u16)));
        decided.answer.encode(out);
        Summary::late(&decision, &admitted)
    }
}
