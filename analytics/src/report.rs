//! Reports: what the console shows, read from the rollups beside a running writer.
//!
//! Guarantees: read-only; one report sees one committed state. Children, tests and bots are left out of lift and
//! combinations. Segments' significance is adjusted for their number (Benjamini-Hochberg), because a marketer looks at all
//! of them at once. p-values are for a look at a fixed time: looking again and again until one is small is not a test.
//!
//! Cost: milliseconds; sums over hourly and daily rows, never over events.
//!
//! Not here: the statistics themselves ([`crate::stats`]) and who may see a report (control).

use std::collections::BTreeMap;
use std::path::Path;

use rusqlite::{Connection, OptionalExtension, params};
use serde::Serialize;
use tessera_wire::event::Arm;

use crate::journal_reader::Position;
use crate::names::NameList;
use crate::stats::adjust;
use crate::stats::proportions::{self, Rate};
use crate::store::{self, StoreError, unsigned};

/// Level of tests, and one minus that of intervals.
pub const ALPHA: f64 = 0.05;
/// Impressions and clicks per arm below which a result is shown as preliminary (requirement 4).
pub const IMPRESSIONS_MIN: u64 = 1_000;
/// See [`IMPRESSIONS_MIN`].
pub const CLICKS_MIN: u64 = 100;

const HOUR_MS: i64 = 3_600_000;
/// Impressions at the segment's own rate that a combination's result is mixed with before it is ranked.
const DOUBT: f64 = 100.0;

/// A span of time, unix milliseconds; rounded outwards to whole hours, and to whole days for combinations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// First instant.
    pub from_ms: i64,
    /// First instant after it.
    pub to_ms: i64,
}

impl Window {
    /// Everything.
    pub const ALL: Window = Window { from_ms: i64::MIN, to_ms: i64::MAX };

    fn units(&self, unit_ms: i64) -> (i64, i64) {
        (self.from_ms.div_euclid(unit_ms), self.to_ms.saturating_sub(1).div_euclid(unit_ms))
    }
}

/// Counts of one arm.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct ArmCounts {
    /// Ads rendered.
    pub impressions: u64,
    /// Ads clicked.
    pub clicks: u64,
    /// Ads that led to a conversion.
    pub conversions: u64,
    /// Clicks per impression.
    pub ctr: f64,
    /// Wilson's 95 % interval of it.
    pub ctr_interval: Option<(f64, f64)>,
}

/// Personalized beside holdout.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Comparison {
    /// Chosen by the model.
    pub personalized: ArmCounts,
    /// Shown the control creative.
    pub holdout: ArmCounts,
    /// Relative lift of the click rate, 0.5 meaning half as much again. None while the holdout has no click.
    pub lift: Option<f64>,
    /// Its 95 % interval (delta method on the logarithm of the ratio). None while an arm has no click.
    pub lift_interval: Option<(f64, f64)>,
    /// 95 % interval of the difference of the click rates (unpooled).
    pub difference_interval: Option<(f64, f64)>,
    /// Two-sided p-value of the pooled z-test.
    pub p_value: f64,
    /// The p-value adjusted for the number of segments; the same as `p_value` for a whole campaign.
    pub p_value_adjusted: f64,
    /// Is the adjusted p-value at most 0.05?
    pub is_significant: bool,
    /// Has each arm the impressions and clicks that a decision needs?
    pub has_minimum_sample: bool,
}

/// Lift in one segment.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SegmentLift {
    /// The segment's label, or `none`.
    pub segment: String,
    /// The comparison.
    #[serde(flatten)]
    pub comparison: Comparison,
}

/// Lift of one campaign.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CampaignLift {
    /// Text id.
    pub campaign: String,
    /// The comparison over all segments.
    #[serde(flatten)]
    pub comparison: Comparison,
    /// By segment, by label.
    pub segments: Vec<SegmentLift>,
}

/// An asset in its slot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SlotAsset {
    /// Slot name.
    pub slot: String,
    /// Text id of the asset.
    pub asset: String,
}

/// How a combination did.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CombinationResult {
    /// Text id of the template.
    pub template: String,
    /// Its assets.
    pub assets: Vec<SlotAsset>,
    /// Ads rendered.
    pub impressions: u64,
    /// Ads clicked.
    pub clicks: u64,
    /// Clicks per impression.
    pub ctr: f64,
    /// Wilson's 95 % interval of it.
    pub ctr_interval: Option<(f64, f64)>,
}

/// The best combinations of a segment, best first.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SegmentCombinations {
    /// The segment's label, or `none`.
    pub segment: String,
    /// Ordered by the lower end of the interval after a hundred impressions at the segment's own rate have been added, so
    /// that a lucky click on few impressions does not win.
    pub combinations: Vec<CombinationResult>,
}

/// How far one node's journal has taken effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct NodeTotals {
    /// Which node.
    pub node: u16,
    /// After the last record that has taken effect.
    pub position: Position,
    /// First segment that a restart reads again: older segment files may be deleted, this one and later ones not.
    pub needed_segment: u64,
}

/// The writer's own state.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Totals {
    /// How far each node's journal has taken effect.
    pub nodes: Vec<NodeTotals>,
    /// Counters by name: `read`, `stored`, `duplicate`, `unjoined`, `unnamed`, `waiting`, `evicted`, `damaged`, ..
    pub counters: BTreeMap<String, i64>,
    /// Posterior tables published.
    pub posterior_generation: u64,
    /// Time of the newest served record; none before the first.
    pub newest_served_ms: Option<i64>,
    /// How long ago that was.
    pub lag_ms: Option<i64>,
}

/// A read-only view of the store.
#[derive(Debug)]
pub struct Report {
    connection: Connection,
}

#[derive(Debug, Clone, Copy, Default)]
struct Arms {
    personalized: ArmCounts,
    holdout: ArmCounts,
}

fn node_totals((node, checkpoint): (&u16, &store::Checkpoint)) -> NodeTotals {
    NodeTotals { node: *node, position: checkpoint.position, needed_segment: checkpoint.needed_segment() }
}

impl Report {
    /// Opens the store of a writer.
    ///
    /// # Errors
    /// [`StoreError`] when there is no store yet or it is newer than this code; try again later.
    pub fn open(store_path: &Path) -> Result<Report, StoreError> {
        Ok(Report { connection: store::open_read_only(store_path)? })
    }

    /// Lift of one campaign or of all, by text id.
    ///
    /// # Errors
    /// [`StoreError`] when SQLite refuses.
    pub fn lift(&self, campaign: Option<&str>, window: Window) -> Result<Vec<CampaignLift>, StoreError> {
        let sql = "SELECT c.text, s.text, f.arm, sum(f.impressions), sum(f.clicks), sum(f.conversions)
                   FROM facts_hourly f JOIN names c ON c.id = f.campaign JOIN names s ON s.id = f.segment
                   WHERE f.hour BETWEEN ?1 AND ?2 AND f.is_learnable AND f.arm IN (?3, ?4)
                     AND c.text <> '' AND (?5 IS NULL OR c.text = ?5)
                   GROUP BY 1, 2, 3";
        let (from, to) = window.units(HOUR_MS);
        let mut statement = self.connection.prepare_cached(sql)?;
        let arms = [Arm::Personalized as u8, Arm::Holdout as u8];
        let mut rows = statement.query(params![from, to, arms[0], arms[1], campaign])?;
        let mut campaigns: BTreeMap<String, BTreeMap<String, Arms>> = BTreeMap::new();
        while let Some(row) = rows.next()? {
            let segments = campaigns.entry(row.get(0)?).or_default();
            let arms: &mut Arms = segments.entry(row.get(1)?).or_default();
            let counts = if row.get::<_, u8>(2)? == Arm::Holdout as u8 {
                &mut arms.holdout
            } else {
                &mut arms.personalized
            };
            counts.impressions = unsigned(row.get(3)?);
            counts.clicks = unsigned(row.get(4)?);
            counts.conversions = unsigned(row.get(5)?);
        }
        Ok(campaigns.into_iter().map(|(campaign, segments)| campaign_lift(campaign, segments)).collect())
    }

    /// The `top` best combinations of each segment of a campaign.
    ///
    /// # Errors
    /// [`StoreError`] when SQLite refuses.
    pub fn combinations(
        &self,
        campaign: &str,
        window: Window,
        top: usize,
    ) -> Result<Vec<SegmentCombinations>, StoreError> {
        let sql = "SELECT s.text, t.text, d.combination, sum(d.impressions), sum(d.clicks)
                   FROM combinations_daily d JOIN names c ON c.id = d.campaign
                     JOIN names t ON t.id = d.template JOIN names s ON s.id = d.segment
                   WHERE d.day BETWEEN ?1 AND ?2 AND c.text = ?3 GROUP BY 1, 2, 3";
        let (from, to) = window.units(24 * HOUR_MS);
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = statement.query(params![from, to, campaign])?;
        let mut segments: BTreeMap<String, Vec<(String, NameList, Rate)>> = BTreeMap::new();
        while let Some(row) = rows.next()? {
            let combination = NameList::from_bytes(row.get_ref(2)?.as_blob().map_err(rusqlite::Error::from)?);
            let rate = Rate::new(unsigned(row.get(4)?), unsigned(row.get(3)?));
            segments.entry(row.get(0)?).or_default().push((row.get(1)?, combination, rate));
        }
        let mut report = Vec::new();
        for (segment, mut combinations) in segments {
            sort_best_first(&mut combinations);
            combinations.truncate(top);
            let named =
                combinations.into_iter().map(|(template, list, rate)| self.named(template, list, rate));
            report.push(SegmentCombinations { segment, combinations: named.collect::<Result<_, _>>()? });
        }
        Ok(report)
    }

    /// Behaviour events by name, most frequent first.
    ///
    /// # Errors
    /// [`StoreError`] when SQLite refuses.
    pub fn behaviours(&self, window: Window) -> Result<Vec<(String, u64)>, StoreError> {
        let sql = "SELECT n.text, sum(b.count) FROM behaviours_hourly b JOIN names n ON n.id = b.name
                   WHERE b.hour BETWEEN ?1 AND ?2 GROUP BY 1 ORDER BY 2 DESC, 1";
        let (from, to) = window.units(HOUR_MS);
        let mut statement = self.connection.prepare_cached(sql)?;
        let counts =
            statement.query_map(params![from, to], |row| Ok((row.get(0)?, unsigned(row.get(1)?))))?;
        Ok(counts.collect::<Result<_, _>>()?)
    }

    /// The writer's own state, as of `now_ms`.
    ///
    /// # Errors
    /// [`StoreError`] when SQLite refuses.
    pub fn totals(&self, now_ms: i64) -> Result<Totals, StoreError> {
        let transaction = self.connection.unchecked_transaction()?;
        let progress = store::read_progress(&transaction)?;
        let generation: Option<i64> =
            transaction.query_row("SELECT generation FROM publication", [], |row| row.get(0)).optional()?;
        let mut statement = transaction.prepare_cached("SELECT name, value FROM totals")?;
        let counters = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let newest_served_ms = (progress.watermark_ms != i64::MIN).then_some(progress.watermark_ms);
        Ok(Totals {
            nodes: progress.nodes.iter().map(node_totals).collect(),
            counters: counters.collect::<Result<_, _>>()?,
            posterior_generation: unsigned(generation.unwrap_or(0)),
            newest_served_ms,
            lag_ms: newest_served_ms.map(|newest| now_ms - newest),
        })
    }

    fn named(&self, template: String, list: NameList, rate: Rate) -> Result<CombinationResult, StoreError> {
        let mut statement = self.connection.prepare_cached("SELECT owner, text FROM names WHERE id = ?1")?;
        let mut assets = Vec::new();
        for id in list.ids() {
            let asset = |row: &rusqlite::Row<'_>| Ok(SlotAsset { slot: row.get(0)?, asset: row.get(1)? });
            assets.push(statement.query_row([id.0], asset)?);
        }
        Ok(CombinationResult {
            template,
            assets,
            impressions: rate.trials as u64,
            clicks: rate.successes as u64,
            ctr: rate.value(),
            ctr_interval: proportions::wilson_interval(rate, ALPHA),
        })
    }
}

fn sort_best_first(combinations: &mut [(String, NameList, Rate)]) {
    let total = |part: fn(&Rate) -> f64| combinations.iter().map(|(_, _, rate)| part(rate)).sum::<f64>();
    let mean = total(|rate| rate.successes) / total(|rate| rate.trials).max(1.0);
    let sure = |rate: &Rate| {
        let (successes, trials) = (rate.successes + DOUBT * mean, rate.trials + DOUBT);
        proportions::wilson_interval(Rate { successes, trials }, ALPHA).map_or(0.0, |(low, _)| low)
    };
    combinations.sort_by(|a, b| sure(&b.2).total_cmp(&sure(&a.2)).then(a.1.cmp(&b.1)));
}

fn campaign_lift(campaign: String, segments: BTreeMap<String, Arms>) -> CampaignLift {
    let mut all = Arms::default();
    for arms in segments.values() {
        add(&mut all.personalized, arms.personalized);
        add(&mut all.holdout, arms.holdout);
    }
    let mut segments: Vec<SegmentLift> = segments
        .into_iter()
        .map(|(segment, arms)| SegmentLift { segment, comparison: compare(arms) })
        .collect();
    let p_values: Vec<f64> = segments.iter().map(|segment| segment.comparison.p_value).collect();
    for (segment, adjusted) in segments.iter_mut().zip(adjust::benjamini_hochberg(&p_values)) {
        segment.comparison.p_value_adjusted = adjusted;
        segment.comparison.is_significant = adjusted <= ALPHA;
    }
    CampaignLift { campaign, comparison: compare(all), segments }
}

fn add(sum: &mut ArmCounts, counts: ArmCounts) {
    sum.impressions += counts.impressions;
    sum.clicks += counts.clicks;
    sum.conversions += counts.conversions;
}

fn compare(arms: Arms) -> Comparison {
    let rate = |counts: &ArmCounts| Rate::new(counts.clicks, counts.impressions);
    let (holdout, personalized) = (rate(&arms.holdout), rate(&arms.personalized));
    let with_rate = |counts: ArmCounts| ArmCounts {
        ctr: rate(&counts).value(),
        ctr_interval: proportions::wilson_interval(rate(&counts), ALPHA),
        ..counts
    };
    let p_value = proportions::z_test(holdout, personalized).p_value;
    let ratio = proportions::ratio_interval(holdout, personalized, ALPHA);
    let is_enough = |counts: &ArmCounts| counts.impressions >= IMPRESSIONS_MIN && counts.clicks >= CLICKS_MIN;
    Comparison {
        personalized: with_rate(arms.personalized),
        holdout: with_rate(arms.holdout),
        lift: (holdout.successes > 0.0 && personalized.trials > 0.0)
            .then(|| personalized.value() / holdout.value() - 1.0),
        lift_interval: ratio.map(|(low, high)| (low - 1.0, high - 1.0)),
        difference_interval: proportions::difference_interval(holdout, personalized, ALPHA),
        p_value,
        p_value_adjusted: p_value,
        is_significant: p_value <= ALPHA,
        has_minimum_sample: is_enough(&arms.personalized) && is_enough(&arms.holdout),
    }
}
