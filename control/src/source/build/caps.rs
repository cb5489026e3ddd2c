//! Frequency caps: each becomes a count in the feature manifest, shared with every rule and cap that counts the same.

use tessera_rulevm::limits::FEATURES_MAX;
use tessera_wire::catalog::{Cap, OfferId};
use tessera_wire::limits::{CAP_COUNT_MAX, CAPS_PER_SUBJECT_MAX};
use tessera_wire::program::{Feature, FeatureEvent, FeatureSubject, Span, Window};

use super::Builder;
use crate::source::problem::{CatalogCode, Problem};
use crate::source::schema::{Name, RawCap};
use crate::source::value;

/// Time buckets of a window that are precise enough for a cap, and the finest one in milliseconds.
const BUCKETS_PER_WINDOW: i64 = 24;
const BUCKET_MS_MIN: i64 = 60_000;

impl Builder<'_> {
    /// The caps of the thing with this id.
    pub(super) fn add_caps(&mut self, id: &Name, subject: FeatureSubject, raw: &[RawCap]) -> Span {
        let first = self.catalog.caps.len() as u32;
        if raw.len() > CAPS_PER_SUBJECT_MAX {
            let message = format!("`{}` has {} caps", id.get_ref(), raw.len());
            let problem = Problem::catalog(CatalogCode::TooMany, id.span(), message);
            self.problem(problem.help(format!("at most {CAPS_PER_SUBJECT_MAX} are allowed")));
        }
        for cap in raw {
            self.add_cap(id, subject, cap);
        }
        Span { first, len: self.catalog.caps.len() as u32 - first }
    }

    fn add_cap(&mut self, id: &Name, subject: FeatureSubject, raw: &RawCap) {
        let count = *raw.count.get_ref();
        if !(1..=CAP_COUNT_MAX).contains(&count) {
            let message = format!("a cap of {count} cannot be kept");
            let problem = Problem::catalog(CatalogCode::BadValue, raw.count.span(), message);
            self.problem(problem.help(format!("write a count from 1 to {CAP_COUNT_MAX}")));
        }
        let window_ms = self.read(&raw.per, value::cap_window).max(1);
        let blocks_unknown = raw.when_unknown.as_ref().is_some_and(|word| self.read(word, value::blocks));
        let feature = Feature {
            event: FeatureEvent::Impression,
            subject,
            subject_id: id.get_ref().clone(),
            window: Window::LastMs(window_ms),
            bucket_ms: (window_ms / BUCKETS_PER_WINDOW).max(BUCKET_MS_MIN).min(window_ms),
        };
        let feature = self.feature(feature, raw);
        self.catalog.caps.push(Cap { feature, count, blocks_unknown });
    }

    fn feature(&mut self, feature: Feature, raw: &RawCap) -> u16 {
        let is_same = |other: &Feature| {
            (&other.event, other.subject, other.window) == (&feature.event, feature.subject, feature.window)
        };
        if let Some(found) = self.features.iter().position(is_same) {
            return found as u16;
        }
        // Reported once, where the manifest is full.
        if self.features.len() == FEATURES_MAX {
            let message =
                format!("rules and caps make the engine count more than {FEATURES_MAX} different things");
            let problem = Problem::catalog(CatalogCode::TooMany, raw.per.span(), message);
            self.problem(
                problem.help("give caps of one thing the same window, or cap campaigns instead of creatives"),
            );
        }
        self.features.push(feature);
        (self.features.len() - 1).min(usize::from(u16::MAX)) as u16
    }

    /// Offers are read before rules, whose counts come first in the manifest; so their caps are added later.
    pub(super) fn add_offer_caps(&mut self) {
        let raw = self.raw;
        for (index, offer) in raw.offer.iter().enumerate() {
            let caps = self.add_caps(&offer.id, FeatureSubject::Offer(OfferId(index as u32)), &offer.caps);
            self.catalog.offers[index].caps = caps;
        }
    }
}
