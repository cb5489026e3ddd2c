//! The explanation of a decision, as JSON. Values of signals are never printed, only what became of each condition.

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use tessera_engine_core::decide::Loss;
use tessera_engine_core::explain::{
    CandidateExplanation, Explanation, OfferExplanation, PlacementExplanation, Step,
};

/// Appends the `explain` object of an answer.
pub(super) fn encode<'a>(
    placements: impl Iterator<Item = &'a str>,
    explanation: &Explanation,
    out: &mut Vec<u8>,
) {
    let placements: Vec<&str> = placements.collect();
    let start = out.len();
    if serde_json::to_writer(&mut *out, &ExplainBlock { placements: &placements, explanation }).is_err() {
        debug_assert!(false, "INVARIANT: explanations always encode");
        out.truncate(start);
        out.extend_from_slice(b"null");
    }
}

struct ExplainBlock<'a> {
    placements: &'a [&'a str],
    explanation: &'a Explanation,
}

impl Serialize for ExplainBlock<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("gates", &self.explanation.gates)?;
        map.serialize_entry("placements", &ExplainedPlacements(self))?;
        map.end()
    }
}

struct ExplainedPlacements<'a>(&'a ExplainBlock<'a>);

impl Serialize for ExplainedPlacements<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (request, explained) in self.0.placements.iter().zip(&self.0.explanation.placements) {
            map.serialize_entry(request, &ExplainedPlacement(explained))?;
        }
        map.end()
    }
}

struct ExplainedPlacement<'a>(&'a PlacementExplanation);

impl Serialize for ExplainedPlacement<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let phases: Vec<_> = self
            .0
            .phases
            .iter()
            .map(|phase| PhaseAnswer { name: phase.name, r#in: phase.entered, out: phase.left })
            .collect();
        let mut map = serializer.serialize_map(Some(3))?;
        map.serialize_entry("candidates_total", &self.0.candidates_total)?;
        map.serialize_entry("phases", &phases)?;
        let candidates: Vec<_> = self.0.candidates.iter().map(CandidateAnswer).collect();
        map.serialize_entry("candidates", &candidates)?;
        let offers: Vec<_> = self.0.offers.iter().map(OfferAnswer).collect();
        map.serialize_entry("offers", &offers)?;
        map.end()
    }
}

#[derive(Serialize)]
struct PhaseAnswer {
    name: &'static str,
    r#in: usize,
    out: usize,
}

struct CandidateAnswer<'a>(&'a CandidateExplanation);

impl Serialize for CandidateAnswer<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("rule", &self.0.rule)?;
        map.serialize_entry("tier", &self.0.tier)?;
        map.serialize_entry("priority", &self.0.priority)?;
        map.serialize_entry("shows", &self.0.shows)?;
        if let Some((experiment, variant)) = &self.0.variant {
            map.serialize_entry("experiment", &VariantAnswer { id: experiment, variant })?;
        }
        serialize_outcome(&mut map, self.0.lost, "served")?;
        map.serialize_entry("rule_path", &steps(&self.0.path))?;
        if !self.0.would_match_if.is_empty() {
            map.serialize_entry("would_win_if", &steps(&self.0.would_match_if))?;
        }
        map.end()
    }
}

#[derive(Serialize)]
struct VariantAnswer<'a> {
    id: &'a str,
    variant: &'a str,
}

struct OfferAnswer<'a>(&'a OfferExplanation);

impl Serialize for OfferAnswer<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("rule", &self.0.rule)?;
        map.serialize_entry("tier", &self.0.tier)?;
        map.serialize_entry("priority", &self.0.priority)?;
        map.serialize_entry("offer", &self.0.offer)?;
        serialize_outcome(&mut map, self.0.lost, "given")?;
        map.serialize_entry("rule_path", &steps(&self.0.path))?;
        map.end()
    }
}

/// `result` for what won, `code` for what lost.
fn serialize_outcome<M: SerializeMap>(map: &mut M, lost: Option<Loss>, won: &str) -> Result<(), M::Error> {
    match lost {
        None => map.serialize_entry("result", won),
        Some(loss) => map.serialize_entry("code", loss.code()),
    }
}

fn steps(path: &[Step]) -> Vec<StepAnswer<'_>> {
    path.iter()
        .map(|step| StepAnswer {
            expr: &step.expr,
            result: step.result,
            because: step.because,
            at: step.at.as_ref().map(|at| PositionAnswer {
                file: &at.file,
                line: at.line,
                column: at.column,
            }),
        })
        .collect()
}

#[derive(Serialize)]
struct StepAnswer<'a> {
    expr: &'a str,
    result: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    because: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<PositionAnswer<'a>>,
}

#[derive(Serialize)]
struct PositionAnswer<'a> {
    file: &'a str,
    line: u32,
    column: u32,
}
