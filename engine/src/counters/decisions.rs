//! What became of decisions and why: consent, fallbacks, empty placements, frequency caps.

use std::sync::Arc;

use tessera_engine_core::consent::Reason;
use tessera_engine_core::decide::Loss;

use super::{MODES, REGIMES, Shard, family, line, sum};

/// Renders the sum of all shards.
pub(super) fn render(shards: &[Arc<Shard>], out: &mut String) {
    let help = "Decisions by the strictest privacy regime that applied and what it left.";
    family(out, "consent_decisions_total", "counter", help);
    for (regime, (_, name)) in REGIMES.iter().enumerate() {
        for (mode, outcome) in MODES.iter().enumerate() {
            let outcome = outcome.name();
            let series = format!("consent_decisions_total{{regime=\"{name}\",outcome=\"{outcome}\"}}");
            line(out, &series, sum(shards, |shard| shard.consent[regime][mode].get()));
        }
    }
    let help = "Decisions that came to fallback rules, house ads or nothing, by the reason of their consent.";
    family(out, "decide_fallback_total", "counter", help);
    for (index, reason) in Reason::ALL.into_iter().enumerate() {
        let series = format!("decide_fallback_total{{reason=\"{}\"}}", reason.as_str());
        line(out, &series, sum(shards, |shard| shard.fallbacks[index].get()));
    }
    family(out, "decide_no_fill_total", "counter", "Placements left empty, by why.");
    for (index, loss) in Loss::ALL.into_iter().enumerate() {
        let series = format!("decide_no_fill_total{{code=\"{}\"}}", loss.code());
        line(out, &series, sum(shards, |shard| shard.no_fill[index].get()));
    }
    family(out, "cap_checks_total", "counter", "Questions to frequency caps, by result.");
    line(out, "cap_checks_total{result=\"passed\"}", sum(shards, |shard| shard.caps_passed.get()));
    line(out, "cap_checks_total{result=\"reached\"}", sum(shards, |shard| shard.caps_reached.get()));
}
