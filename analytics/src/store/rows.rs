//! The statements behind [`super::Store::commit`]: each adds one part of a delta inside the caller's transaction.

use rusqlite::types::Type;
use rusqlite::{OptionalExtension, Row, Transaction, params};
use tessera_wire::event::{Touch, TouchKind};

use super::{Progress, Skipped, signed};
use crate::fold::{Delta, FactKey, WaitingChange};
use crate::names::{Name, NameId};

const HOUR_MS: i64 = 3_600_000;

pub(super) fn insert_names(transaction: &Transaction<'_>, names: &[(NameId, Name)]) -> rusqlite::Result<()> {
    let sql = "INSERT INTO names (id, kind, owner, text) VALUES (?1, ?2, ?3, ?4)";
    let mut statement = transaction.prepare_cached(sql)?;
    for (id, name) in names {
        statement.execute(params![id.0, name.kind, name.owner, name.text])?;
    }
    Ok(())
}

/// Multiplies learner statistics by `0.5^(hours / half-life)` when the journal's time has entered a new hour.
pub(super) fn fade_cells(
    transaction: &Transaction<'_>,
    watermark_ms: i64,
    half_life_hours: Option<f64>,
) -> rusqlite::Result<f64> {
    let hour = watermark_ms.div_euclid(HOUR_MS);
    let sql = "SELECT faded_hour FROM clock";
    let faded: Option<i64> = transaction.query_row(sql, [], |row| row.get(0)).optional()?;
    let (Some(half_life), Some(faded)) = (half_life_hours, faded) else { return Ok(1.0) };
    if hour <= faded || faded == i64::MIN.div_euclid(HOUR_MS) {
        return Ok(1.0);
    }
    let factor = 0.5f64.powf((hour - faded) as f64 / half_life);
    transaction.execute("UPDATE cells SET impressions = impressions * ?1, clicks = clicks * ?1", [factor])?;
    Ok(factor)
}

pub(super) fn add_facts(transaction: &Transaction<'_>, delta: &Delta) -> rusqlite::Result<()> {
    let sql = "INSERT INTO facts_hourly VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
               ON CONFLICT DO UPDATE SET served = served + excluded.served,
                   impressions = impressions + excluded.impressions,
                   viewables = viewables + excluded.viewables, clicks = clicks + excluded.clicks,
                   conversions = conversions + excluded.conversions";
    let mut statement = transaction.prepare_cached(sql)?;
    for (key, counts) in &delta.facts {
        let FactKey { hour, campaign, segment, arm, mode, is_learnable } = *key;
        statement.execute(params![
            hour,
            campaign.0,
            segment.0,
            arm,
            mode,
            is_learnable,
            signed(counts.served),
            signed(counts.impressions),
            signed(counts.viewables),
            signed(counts.clicks),
            signed(counts.conversions),
        ])?;
    }
    let sql = "INSERT INTO values_hourly VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
               ON CONFLICT DO UPDATE SET value_micros = value_micros + excluded.value_micros";
    let mut statement = transaction.prepare_cached(sql)?;
    for ((key, currency), value_micros) in &delta.values {
        let FactKey { hour, campaign, segment, arm, mode, is_learnable } = *key;
        let currency = currency_text(*currency);
        statement.execute(params![
            hour,
            campaign.0,
            segment.0,
            arm,
            mode,
            is_learnable,
            currency,
            value_micros
        ])?;
    }
    Ok(())
}

/// Three letters, or nothing when the event named no currency.
fn currency_text(currency: [u8; 3]) -> String {
    currency.iter().filter(|byte| byte.is_ascii_alphabetic()).map(|byte| char::from(*byte)).collect()
}

pub(super) fn add_combinations(transaction: &Transaction<'_>, delta: &Delta) -> rusqlite::Result<()> {
    let sql = "INSERT INTO combinations_daily VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
               ON CONFLICT DO UPDATE SET impressions = impressions + excluded.impressions,
                   clicks = clicks + excluded.clicks";
    let mut statement = transaction.prepare_cached(sql)?;
    for (key, trials) in &delta.combinations {
        statement.execute(params![
            key.day,
            key.campaign.0,
            key.template.0,
            key.segment.0,
            key.combination.to_bytes(),
            key.arm,
            key.mode,
            signed(trials.impressions),
            signed(trials.clicks),
        ])?;
    }
    Ok(())
}

pub(super) fn add_cells(transaction: &Transaction<'_>, delta: &Delta) -> rusqlite::Result<()> {
    let sql = "INSERT INTO cells VALUES (?1, ?2, ?3, ?4, ?5)
               ON CONFLICT DO UPDATE SET impressions = impressions + excluded.impressions,
                   clicks = clicks + excluded.clicks";
    let mut statement = transaction.prepare_cached(sql)?;
    for (key, trials) in &delta.cells {
        let (context, combination) = (key.context.to_bytes(), key.combination.to_bytes());
        let (impressions, clicks) = (trials.impressions as f64, trials.clicks as f64);
        statement.execute(params![key.template.0, context, combination, impressions, clicks])?;
    }
    Ok(())
}

pub(super) fn add_behaviours(transaction: &Transaction<'_>, delta: &Delta) -> rusqlite::Result<()> {
    let sql = "INSERT INTO behaviours_hourly VALUES (?1, ?2, ?3)
               ON CONFLICT DO UPDATE SET count = count + excluded.count";
    let mut statement = transaction.prepare_cached(sql)?;
    for ((hour, name), count) in &delta.behaviours {
        statement.execute(params![hour, name.0, signed(*count)])?;
    }
    Ok(())
}

pub(super) fn change_waiting(transaction: &Transaction<'_>, delta: &Delta) -> rusqlite::Result<()> {
    let mut add = transaction
        .prepare_cached("INSERT OR REPLACE INTO waiting_touches VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?;
    let mut remove = transaction
        .prepare_cached("DELETE FROM waiting_touches WHERE decision_id = ?1 AND ad = ?2 AND kind = ?3")?;
    for change in &delta.waiting {
        match change {
            WaitingChange::Add(touch, since_ms) => add.execute(params![
                touch.decision_id.to_le_bytes(),
                touch.ad,
                touch.kind as u8,
                touch.at_ms,
                touch.value_micros,
                touch.currency,
                since_ms,
            ])?,
            WaitingChange::Remove(touch) => {
                remove.execute(params![touch.decision_id.to_le_bytes(), touch.ad, touch.kind as u8])?
            }
        };
    }
    Ok(())
}

pub(super) fn add_totals(
    transaction: &Transaction<'_>,
    delta: &Delta,
    skipped: Skipped,
) -> rusqlite::Result<()> {
    let tally = &delta.tally;
    let sql = "INSERT INTO totals VALUES (?1, ?2)
               ON CONFLICT DO UPDATE SET value = value + excluded.value";
    let mut statement = transaction.prepare_cached(sql)?;
    for (name, value) in [
        ("read", signed(tally.read)),
        ("stored", signed(tally.stored)),
        ("duplicate", signed(tally.duplicate)),
        ("unjoined", signed(tally.unjoined)),
        ("unnamed", signed(tally.unnamed)),
        ("remembered", signed(tally.remembered)),
        ("waiting", tally.waiting),
        ("evicted", signed(tally.evicted)),
        ("implied_impressions", signed(tally.implied_impressions)),
        ("damaged", signed(skipped.damaged)),
        ("torn", signed(skipped.torn)),
        ("lost", signed(skipped.lost)),
        ("missing", signed(skipped.missing)),
    ] {
        if value != 0 {
            statement.execute(params![name, value])?;
        }
    }
    Ok(())
}

pub(super) fn set_progress(transaction: &Transaction<'_>, progress: &Progress) -> rusqlite::Result<()> {
    let sql = "INSERT OR REPLACE INTO checkpoints VALUES (?1, ?2, ?3, ?4, ?5)";
    let mut statement = transaction.prepare_cached(sql)?;
    for (node, checkpoint) in &progress.nodes {
        statement.execute(params![
            node,
            signed(checkpoint.position.segment),
            signed(checkpoint.position.offset),
            signed(checkpoint.replay_segment),
            checkpoint.replay_watermark_ms,
        ])?;
    }
    let sql = "INSERT OR REPLACE INTO clock VALUES (1, ?1, ?2)";
    let hour = progress.watermark_ms.div_euclid(HOUR_MS);
    transaction.prepare_cached(sql)?.execute(params![progress.watermark_ms, hour])?;
    Ok(())
}

pub(super) fn add_experiments(transaction: &Transaction<'_>, delta: &Delta) -> rusqlite::Result<()> {
    let sql = "INSERT INTO experiment_days VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
               ON CONFLICT DO UPDATE SET served = served + excluded.served,
                   impressions = impressions + excluded.impressions, clicks = clicks + excluded.clicks,
                   conversions = conversions + excluded.conversions,
                   revenue_micros = revenue_micros + excluded.revenue_micros,
                   revenue_squares = revenue_squares + excluded.revenue_squares";
    let mut statement = transaction.prepare_cached(sql)?;
    for (key, counts) in &delta.experiments {
        statement.execute(params![
            key.day,
            key.experiment.0,
            key.variant.0,
            key.campaign.0,
            currency_text(key.currency),
            signed(counts.served),
            signed(counts.impressions),
            signed(counts.clicks),
            signed(counts.conversions),
            counts.revenue_micros,
            counts.revenue_squares,
        ])?;
    }
    Ok(())
}

pub(super) fn add_hours(transaction: &Transaction<'_>, delta: &Delta) -> rusqlite::Result<()> {
    let sql = "INSERT INTO records_hourly VALUES (?1, ?2, ?3, ?4)
               ON CONFLICT DO UPDATE SET count = count + excluded.count";
    let mut statement = transaction.prepare_cached(sql)?;
    for ((hour, kind, outcome), count) in delta.hours.iter().filter(|(_, count)| **count != 0) {
        statement.execute(params![hour, *kind as u8, *outcome as u8, count])?;
    }
    // Touches that have stopped waiting leave nothing behind.
    let sql = "DELETE FROM records_hourly WHERE hour = ?1 AND kind = ?2 AND outcome = ?3 AND count = 0";
    let mut remove = transaction.prepare_cached(sql)?;
    for ((hour, kind, outcome), _) in delta.hours.iter().filter(|(_, count)| **count < 0) {
        remove.execute(params![hour, *kind as u8, *outcome as u8])?;
    }
    Ok(())
}

/// A subject that is asked to be erased again is looked for from the start.
pub(super) fn add_erasures(transaction: &Transaction<'_>, delta: &Delta) -> rusqlite::Result<()> {
    let sql = "INSERT INTO erasures VALUES (?1, ?2, -1)
               ON CONFLICT DO UPDATE SET part_done = -1";
    let mut statement = transaction.prepare_cached(sql)?;
    for (subject, asked_at_ms) in &delta.erased {
        statement.execute(params![signed(*subject), asked_at_ms])?;
    }
    Ok(())
}

pub(super) fn touch(row: &Row<'_>) -> rusqlite::Result<(Touch, i64)> {
    let kind: u8 = row.get(2)?;
    let kind = TouchKind::ALL.get(usize::from(kind)).copied().ok_or_else(|| {
        rusqlite::Error::FromSqlConversionFailure(2, Type::Integer, "no such kind of touch".into())
    })?;
    let touch = Touch {
        decision_id: u128::from_le_bytes(row.get(0)?),
        ad: row.get(1)?,
        kind,
        at_ms: row.get(3)?,
        value_micros: row.get(4)?,
        currency: row.get(5)?,
    };
    Ok((touch, row.get(6)?))
}
