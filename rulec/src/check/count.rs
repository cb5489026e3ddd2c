//! Counts and buckets: what a rule makes the engine count, and into which share of people somebody falls.
//!
//! Equal counts are one feature, whoever asks. A feature's time buckets are fine enough that a count is off by less than a
//! twenty-fourth of its window, and no finer than a minute.

use tessera_wire::catalog::{CampaignId, CreativeId, OfferId, TemplateId};
use tessera_wire::program::{BucketKey, Feature, FeatureEvent, FeatureSubject, Origin, Window};
use tessera_wire::signal::{Gates, NUMBER_SCALE};

use super::Checker;
use super::value::parts_per_million;
use super::vocabulary::AttributeId;
use crate::ast::{Bucket, Cap, Count, CountWindow, CountedEvent, CountedSubject, Key, Name, Rollout};
use crate::codes::Code;
use crate::diagnostic::{Diagnostic, Place};
use crate::hir::{Condition, Type};
use crate::limits::{COUNT_BUCKET_MS_MIN, COUNT_WINDOW_MS_MAX, COUNTS_MAX};
use crate::print;

/// Widths of time buckets, each a multiple of the one before or nearly so, so that few widths serve all windows.
const BUCKETS_MS: [i64; 16] = [
    60_000,
    120_000,
    300_000,
    600_000,
    900_000,
    1_800_000,
    3_600_000,
    7_200_000,
    10_800_000,
    21_600_000,
    43_200_000,
    86_400_000,
    2 * 86_400_000,
    4 * 86_400_000,
    7 * 86_400_000,
    14 * 86_400_000,
];
/// Local midnight falls on a quarter of an hour in every zone.
const TODAY_BUCKET_MS: i64 = 900_000;

/// The widest bucket of which at least 24 fit into the window, and at least a minute.
pub(super) fn bucket_ms(window_ms: i64) -> i64 {
    let fits = |bucket_ms: &&i64| **bucket_ms <= window_ms / 24;
    BUCKETS_MS.iter().rev().find(fits).copied().unwrap_or(COUNT_BUCKET_MS_MIN)
}

fn feature(event: FeatureEvent, subject: FeatureSubject, subject_id: String, window: Window) -> Feature {
    let bucket_ms = match window {
        Window::Today => TODAY_BUCKET_MS,
        Window::LastMs(window_ms) => bucket_ms(window_ms),
    };
    Feature { event, subject, subject_id, window, bucket_ms }
}

impl Checker<'_> {
    /// The attribute that holds a count.
    pub(super) fn counted(&mut self, count: &Count) -> Option<AttributeId> {
        let feature = self.feature_of(count)?;
        self.feature(feature, count.place)
    }

    /// What a count counts.
    pub(super) fn feature_of(&mut self, count: &Count) -> Option<Feature> {
        let event = match &count.event {
            CountedEvent::Impressions => FeatureEvent::Impression,
            CountedEvent::Clicks => FeatureEvent::Click,
            CountedEvent::Behaviour(name) => {
                self.known_event(name)?;
                FeatureEvent::Behaviour(name.text.clone())
            }
        };
        let window = match count.window {
            CountWindow::Today => Window::Today,
            CountWindow::LastMs(window_ms) => Window::LastMs(self.window_ms(window_ms, count.place)?),
        };
        let (subject, subject_id) = self.subject(&count.subject)?;
        Some(feature(event, subject, subject_id, window))
    }

    fn window_ms(&mut self, window_ms: i64, place: Place) -> Option<i64> {
        if (COUNT_BUCKET_MS_MIN..=COUNT_WINDOW_MS_MAX).contains(&window_ms) {
            return Some(window_ms);
        }
        let message = "counts look back from a minute to 400 days";
        self.sink.push(Diagnostic::new(Code::E004, place, message));
        None
    }

    /// Once events are declared, all that are counted must be.
    fn known_event(&mut self, name: &Name) -> Option<()> {
        if self.events.is_empty() || self.events.contains_key(name.text.as_str()) {
            return Some(());
        }
        let near = self.near(&name.text, self.events.keys().copied());
        let message = format!("there is no event `{}`", name.text);
        let diagnostic = Diagnostic::new(Code::E042, name.place, message).did_you_mean(near);
        self.sink.push(diagnostic.help(format!("declare it: event {}", name.text)));
        None
    }

    fn subject(&mut self, subject: &CountedSubject) -> Option<(FeatureSubject, String)> {
        let found = match subject {
            CountedSubject::Any => return Some((FeatureSubject::Any, String::new())),
            CountedSubject::ThisRule(place) => {
                let (source, name) = self.named_rule(*place, "`this rule` is the rule it stands in")?;
                return Some((FeatureSubject::Rule(source), name));
            }
            CountedSubject::Creative(name) => {
                (FeatureSubject::Creative(CreativeId(self.creative(name)?)), name)
            }
            CountedSubject::Template(name) => {
                (FeatureSubject::Template(TemplateId(self.template(name)?)), name)
            }
            CountedSubject::Campaign(name) => {
                (FeatureSubject::Campaign(CampaignId(self.campaign(name)?)), name)
            }
            CountedSubject::Offer(name) => (FeatureSubject::Offer(OfferId(self.offer_id(name, None)?)), name),
            CountedSubject::Rule(name) => {
                let Some(source) = self.rule_sources.get(name.text.as_str()).copied() else {
                    self.report_no_rule(name);
                    return None;
                };
                (FeatureSubject::Rule(source), name)
            }
        };
        Some((found.0, found.1.text.clone()))
    }

    pub(super) fn report_no_rule(&mut self, name: &Name) {
        let near = self.near(&name.text, self.rule_names.iter().copied());
        let message = format!("there is no rule \"{}\"", name.text);
        self.sink.push(Diagnostic::new(Code::E042, name.place, message).did_you_mean(near));
    }

    /// The rule being checked, which must have a name.
    pub(super) fn named_rule(&mut self, place: Place, why: &str) -> Option<(u32, String)> {
        if let Some((source, name)) = &self.this_rule {
            return Some((*source, (*name).to_owned()));
        }
        let diagnostic = Diagnostic::new(Code::E037, place, "there is no rule with a name here");
        self.sink.push(diagnostic.label(why));
        None
    }

    fn feature(&mut self, feature: Feature, place: Place) -> Option<AttributeId> {
        let name = print::count(&feature);
        if let Some(id) = self.vocabulary.find(&name) {
            return Some(id);
        }
        if self.features.len() == COUNTS_MAX {
            if !self.has_too_many_features {
                self.has_too_many_features = true;
                let message = format!("rules make the engine count more than {COUNTS_MAX} different things");
                self.sink.push(Diagnostic::new(Code::E080, place, message));
            }
            return None;
        }
        let is_behaviour = matches!(feature.event, FeatureEvent::Behaviour(_));
        let purpose = if is_behaviour { "behaviour" } else { "frequency" };
        let (gates, index) = (feature.event.gates(), self.features.len() as u16);
        self.features.push(feature);
        Some(self.vocabulary.derived(name, Type::Number(None), gates, purpose, || Origin::Feature(index)))
    }

    /// `cap 2 per user per day`: fewer than two impressions of this rule so far.
    pub(super) fn cap(&mut self, cap: &Cap) -> Option<Condition> {
        let window = Window::LastMs(self.window_ms(cap.window_ms, cap.place)?);
        let (source, name) = self.named_rule(cap.place, "a cap counts by the rule's name")?;
        let subject = FeatureSubject::Rule(source);
        let id = self.feature(feature(FeatureEvent::Impression, subject, name, window), cap.place)?;
        Some(self.in_ranges(id, vec![(i64::MIN, cap.impressions.saturating_sub(1))], cap.place))
    }

    /// The attribute that holds a bucket, 0 to 999,999.
    pub(super) fn bucket(&mut self, bucket: &Bucket) -> AttributeId {
        self.bucket_of(bucket.key, &bucket.salt.text)
    }

    pub(super) fn bucket_of(&mut self, key: Key, salt: &str) -> AttributeId {
        let (key, gates, purpose) = match key {
            Key::User => (BucketKey::User, Gates::STORE_ACCESS, "storage"),
            Key::Request => (BucketKey::Request, Gates::NONE, ""),
        };
        let origin = || Origin::Bucket { key, salt: salt.to_owned() };
        self.vocabulary.derived(print::bucket(key, salt), Type::Bucket, gates, purpose, origin)
    }

    /// The salt as written, or the name of the rule.
    pub(super) fn salt(&mut self, salt: Option<&Name>, place: Place) -> Option<String> {
        match salt {
            Some(salt) => Some(salt.text.clone()),
            None => self.named_rule(place, "without `salt` the rule's name is the salt").map(|rule| rule.1),
        }
    }

    /// Everybody and nobody need no bucket, and so no consent.
    pub(super) fn rollout(&mut self, rollout: &Rollout) -> Option<Condition> {
        let end = self.share(rollout.share, rollout.place)?;
        if rollout.share == 0 || rollout.share == 100 * NUMBER_SCALE {
            return Some(Condition::Constant(rollout.share > 0));
        }
        let salt = self.salt(rollout.salt.as_ref(), rollout.place)?;
        let id = self.bucket_of(rollout.key, &salt);
        Some(self.in_ranges(id, vec![(0, end - 1)], rollout.place))
    }

    /// Buckets of a share, scaled like the bucket itself.
    pub(super) fn share(&mut self, share: i64, place: Place) -> Option<i64> {
        let found = parts_per_million(share).and_then(|parts| parts.checked_mul(NUMBER_SCALE));
        if found.is_none() {
            let message = "a share has at most four decimals";
            self.sink.push(Diagnostic::new(Code::E053, place, message));
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_fine_enough_and_no_finer_than_a_minute() {
        for window_ms in [60_000, 3_600_000, 86_400_000, 7 * 86_400_000, COUNT_WINDOW_MS_MAX] {
            let bucket_ms = bucket_ms(window_ms);
            let is_fine = bucket_ms <= window_ms / 24 || bucket_ms == COUNT_BUCKET_MS_MIN;
            assert!(is_fine && bucket_ms <= window_ms, "{window_ms}: {bucket_ms}");
            assert!(window_ms / bucket_ms <= 60, "{window_ms}: {bucket_ms}");
        }
        assert_eq!(bucket_ms(86_400_000), 3_600_000);
    }
}
