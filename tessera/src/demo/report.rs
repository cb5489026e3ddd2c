//! What the running product reports about itself, read over HTTP like any console would.

use std::net::SocketAddr;

use anyhow::ensure;
use serde_json::Value;

use super::world::CAMPAIGN;
use crate::http::get;

/// One look at the reports.
#[derive(Debug, Clone, Default)]
pub(super) struct Report {
    /// The campaign's comparison of personalized and holdout traffic, with its segments.
    lift: Value,
    /// Best combinations by segment.
    combinations: Value,
    /// Generation of the posterior table that the engine decides from.
    pub(super) posterior_generation: u64,
}

/// Clicks per impression of one arm.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Arm {
    pub(super) impressions: u64,
    pub(super) ctr: f64,
    pub(super) interval: Option<(f64, f64)>,
}

/// The best combination of a segment.
#[derive(Debug, Clone)]
pub(super) struct Best {
    pub(super) segment: String,
    pub(super) assets: String,
    pub(super) impressions: u64,
    pub(super) ctr: f64,
}

impl Report {
    /// Reads the reports of the control plane and the engine's metrics.
    pub(super) fn read(control: SocketAddr, admin: SocketAddr) -> anyhow::Result<Report> {
        let lift = json(control, &format!("/v1/reports/lift?campaign={CAMPAIGN}"))?;
        let combinations = json(control, &format!("/v1/reports/combinations?campaign={CAMPAIGN}&top=1"))?;
        let (_, metrics) = get(admin, "/metrics")?;
        let generation = metrics.lines().find_map(|line| line.strip_prefix("posterior_generation "));
        let posterior_generation = generation.and_then(|value| value.trim().parse().ok()).unwrap_or(0);
        Ok(Report { lift: lift[0].clone(), combinations, posterior_generation })
    }

    pub(super) fn arm(&self, name: &str) -> Arm {
        let arm = &self.lift[name];
        Arm {
            impressions: arm["impressions"].as_u64().unwrap_or(0),
            ctr: arm["ctr"].as_f64().unwrap_or(0.0),
            interval: pair(&arm["ctr_interval"]),
        }
    }

    /// Relative lift and its 95 % interval.
    pub(super) fn lift(&self) -> Option<(f64, Option<(f64, f64)>)> {
        Some((self.lift["lift"].as_f64()?, pair(&self.lift["lift_interval"])))
    }

    pub(super) fn p_value(&self) -> f64 {
        self.lift["p_value"].as_f64().unwrap_or(1.0)
    }

    pub(super) fn has_positive_lift(&self) -> bool {
        self.lift().is_some_and(|(lift, _)| lift > 0.0)
    }

    pub(super) fn impressions(&self) -> u64 {
        self.sum("impressions")
    }

    pub(super) fn clicks(&self) -> u64 {
        self.sum("clicks")
    }

    fn sum(&self, what: &str) -> u64 {
        ["personalized", "holdout"].iter().filter_map(|arm| self.lift[arm][what].as_u64()).sum()
    }

    /// The best combination of each segment.
    pub(super) fn best(&self) -> Vec<Best> {
        let segments = self.combinations.as_array().map_or(&[] as &[Value], Vec::as_slice);
        segments.iter().filter_map(best_of).collect()
    }
}

fn best_of(segment: &Value) -> Option<Best> {
    let top = segment["combinations"].get(0)?;
    let assets: Vec<&str> =
        top["assets"].as_array()?.iter().filter_map(|asset| asset["asset"].as_str()).collect();
    Some(Best {
        segment: segment["segment"].as_str()?.to_owned(),
        assets: assets.join(" + "),
        impressions: top["impressions"].as_u64()?,
        ctr: top["ctr"].as_f64()?,
    })
}

fn pair(value: &Value) -> Option<(f64, f64)> {
    Some((value.get(0)?.as_f64()?, value.get(1)?.as_f64()?))
}

fn json(address: SocketAddr, path: &str) -> anyhow::Result<Value> {
    let (status, body) = get(address, path)?;
    ensure!(status == 200, "{path} answered {status}: {body}");
    Ok(serde_json::from_str(&body)?)
}
