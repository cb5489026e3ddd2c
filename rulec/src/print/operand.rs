//! Names of counts and buckets: their spelling in the language, which no declared name can have.

use tessera_wire::program::{BucketKey, Feature, FeatureEvent, FeatureSubject, Window};

use super::{quoted, span_text};
use crate::ast::{Bucket, Key};

/// Such as `impressions of creative "x" in last 7 days`.
pub(crate) fn count(feature: &Feature) -> String {
    let event = match &feature.event {
        FeatureEvent::Impression => "impressions".to_owned(),
        FeatureEvent::Click => "clicks".to_owned(),
        FeatureEvent::Behaviour(name) => format!("count of {name}"),
    };
    let what = match feature.subject {
        FeatureSubject::Any => "",
        FeatureSubject::Campaign(_) => "campaign",
        FeatureSubject::Template(_) => "template",
        FeatureSubject::Creative(_) => "creative",
        FeatureSubject::Offer(_) => "offer",
        FeatureSubject::Rule(_) => "rule",
        FeatureSubject::Flight(_) => "flight",
    };
    let subject =
        if what.is_empty() { String::new() } else { format!(" of {what} {}", quoted(&feature.subject_id)) };
    let window = match feature.window {
        Window::Today => "today".to_owned(),
        Window::LastMs(window_ms) => format!("in last {}", span_text(window_ms)),
    };
    format!("{event}{subject} {window}")
}

/// Such as `bucket of "x" by user`.
pub(crate) fn bucket(key: BucketKey, salt: &str) -> String {
    let key = match key {
        BucketKey::User => "user",
        BucketKey::Request => "request",
    };
    format!("bucket of {} by {key}", quoted(salt))
}

pub(crate) fn bucket_of(written: &Bucket) -> String {
    let key = match written.key {
        Key::User => BucketKey::User,
        Key::Request => BucketKey::Request,
    };
    bucket(key, &written.salt.text)
}
