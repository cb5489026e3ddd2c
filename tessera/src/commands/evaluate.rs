//! `tessera evaluate`: what a bundle would have earned with a posterior table, from an engine's journal.
//!
//! What is evaluated is the choice of a combination in a context, template by template: the journal knows contexts and
//! propensities, not requests, so rules, pins and offers stay as they were. Only ads that the model chose, and that may be
//! learned from, count. The reward is the click.
//!
//! Guarantees: nothing is written. The model behind the doubly robust estimate is fitted on the other half of the log, so
//! that no impression is predicted by itself. Bounded memory; a longer log is an error, not a guess.

mod candidate;
mod log;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Args;
use tessera_analytics::learner::TemplateLearner;
use tessera_analytics::learner::cells::Trial;
use tessera_analytics::learner::evaluate::{Estimate, Evaluator, Logged, Report};
use tessera_analytics::names::{Names, TemplateShape};
use tessera_engine_core::bundle::LoadedBundle;
use tessera_wire::posterior::{self, PosteriorTable};

use super::say;
use candidate::{Candidate, Predictor};
use log::{Impression, Log};

#[derive(Debug, Args)]
pub(crate) struct EvaluateArgs {
    /// The bundle whose templates are evaluated
    #[arg(long, value_name = "BUNDLE")]
    policy: PathBuf,
    /// The posterior table that would choose; without, every combination is equally likely
    #[arg(long, value_name = "FILE")]
    posteriors: Option<PathBuf>,
    /// Directory of an engine's journal
    #[arg(long, value_name = "DIR")]
    log: PathBuf,
}

/// Prints the estimates of every template that the log knows.
pub(crate) fn run(arguments: &EvaluateArgs) -> anyhow::Result<ExitCode> {
    let bundle = LoadedBundle::from_bytes(&read(&arguments.policy)?)
        .with_context(|| format!("`{}` cannot be used", arguments.policy.display()))?;
    let table = match &arguments.posteriors {
        None => PosteriorTable::default(),
        Some(path) => {
            posterior::decode(&read(path)?).with_context(|| format!("`{}` cannot be used", path.display()))?
        }
    };
    if !arguments.log.is_dir() {
        bail!("there is no journal directory `{}`", arguments.log.display());
    }
    let log = Log::read(&arguments.log, &bundle)?;
    let reports = evaluate(bundle, &table, &log)?;
    if reports.is_empty() {
        bail!(
            "`{}` holds no ad that the model chose for a template of `{}`; {} ads were of other templates or shapes",
            arguments.log.display(),
            arguments.policy.display(),
            log.foreign
        );
    }
    for (template, outcome) in &reports {
        say(&match outcome {
            Ok(report) => render(template, report),
            Err(why) => format!("template {template}: not evaluated, {why}\n"),
        });
    }
    say(&format!("{} ads were of other templates or shapes, or not the model's choice", log.foreign));
    Ok(ExitCode::SUCCESS)
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("cannot read `{}`", path.display()))
}

type Outcome = Result<Report, &'static str>;

fn evaluate(
    bundle: LoadedBundle,
    table: &PosteriorTable,
    log: &Log,
) -> anyhow::Result<Vec<(String, Outcome)>> {
    let names = bundle.names().templates;
    let candidate = Candidate::new(bundle, table);
    let mut reports = Vec::new();
    for (number, template) in names.iter().enumerate() {
        let impressions: Vec<Impression> = log.of_template(number as u32).collect();
        if impressions.is_empty() {
            continue;
        }
        if candidate.keeps_assets_apart(number) {
            reports.push((template.id.clone(), Err("it keeps assets apart")));
            continue;
        }
        let shape = TemplateShape::new(template, &mut Names::default());
        let halves = [fit(&shape, &impressions, 1)?, fit(&shape, &impressions, 0)?];
        let report = estimate(&candidate, number, halves, &impressions);
        reports.push((template.id.clone(), report.ok_or("the policy would have served nothing of the log")));
    }
    Ok(reports)
}

/// A model of one half of the log; none when it is too large or the half says nothing.
fn fit(shape: &TemplateShape, impressions: &[Impression], half: usize) -> anyhow::Result<Option<Predictor>> {
    let Some(mut learner) = TemplateLearner::new(shape) else { return Ok(None) };
    for one in impressions.iter().filter(|one| one.half == half) {
        let clicks = f64::from(u8::from(one.is_clicked));
        learner.add((one.context, one.combination), Trial { impressions: 1.0, clicks });
    }
    if !learner.is_due() {
        return Ok(None);
    }
    let layout = learner.cells().layout().clone();
    let model = learner.refit(half as u64).context("the log's model cannot be fitted")?;
    Ok(Some(Predictor::new(layout, model.mean.clone())))
}

/// `halves[h]` predicts the impressions of half `h`.
fn estimate(
    candidate: &Candidate,
    template: usize,
    halves: [Option<Predictor>; 2],
    impressions: &[Impression],
) -> Option<Report> {
    let mut evaluator = Evaluator::default();
    let mut choices = candidate.of_template(template, halves);
    for one in impressions {
        let choice = choices.at(one.context);
        let (predicted, predicted_target) = choice.predicted(one.half, one.combination);
        evaluator.add(&Logged {
            propensity: f64::from(one.propensity),
            reward: f64::from(u8::from(one.is_clicked)),
            target: choice.probability(one.combination),
            predicted,
            predicted_target,
        });
    }
    evaluator.report()
}

fn render(template: &str, report: &Report) -> String {
    let line = |name: &str, estimate: Estimate| {
        format!("  {name:<22} {:>9.5} ± {:.5}\n", estimate.mean, estimate.half)
    };
    let mut text =
        format!("template {template}: {} impressions, clicks per impression\n", report.impressions);
    text += &line("the log itself", report.logged);
    text += &line("IPS", report.ips);
    text += &line("self-normalised IPS", report.snips);
    text += &line("doubly robust", report.dr);
    text += &format!(
        "  effective sample size {:.0}, coverage {:.3}, largest weight {:.1}, {} left out\n",
        report.effective, report.coverage, report.weight_max, report.refused
    );
    text
}

#[cfg(test)]
mod tests;
