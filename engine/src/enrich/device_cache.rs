//! A worker's memory of devices it has classified: user agents repeat, and comparing is cheaper than scanning.
//!
//! Guarantees: bounded ([`DEVICE_CACHE_ENTRIES`] entries of at most [`DEVICE_KEY_BYTES_MAX`] bytes); an answer is reused only
//! for the same texts, compared in full, so the cache changes speed and nothing else. Entries reuse their memory. Nothing
//! leaves the worker, and an entry is overwritten by the next device that falls on it.
//!
//! Cost: one hash and one comparison of the texts. Not here: the classification ([`super::device`]).

use xxhash_rust::xxh3::xxh3_64;

use super::device::{ClientHints, Device, DeviceClassifier};
use super::limits::{DEVICE_CACHE_ENTRIES, DEVICE_KEY_BYTES_MAX};

/// Recently classified devices of one worker.
#[derive(Debug)]
pub struct DeviceCache {
    entries: Vec<Entry>,
    /// The texts of the device being looked up, one after the other.
    key: String,
}

#[derive(Debug, Clone)]
struct Entry {
    key: String,
    device: Device,
}

impl Default for DeviceCache {
    fn default() -> Self {
        let entry = Entry { key: String::new(), device: Device::UNKNOWN };
        DeviceCache { entries: vec![entry; DEVICE_CACHE_ENTRIES], key: String::new() }
    }
}

impl DeviceCache {
    /// The device behind these texts, remembered or classified now.
    pub fn classify(
        &mut self,
        classifier: &DeviceClassifier,
        hints: &ClientHints<'_>,
        user_agent: Option<&str>,
    ) -> Device {
        self.key.clear();
        for text in [user_agent, hints.mobile, hints.platform, hints.brands] {
            // Absent and empty differ, and a separator that no header can hold keeps the texts apart.
            self.key.push_str(if text.is_some() { "\n+" } else { "\n-" });
            self.key.push_str(text.unwrap_or(""));
        }
        if self.key.len() > DEVICE_KEY_BYTES_MAX {
            self.key = String::new();
            return classifier.classify(hints, user_agent);
        }
        let place = xxh3_64(self.key.as_bytes()) as usize % DEVICE_CACHE_ENTRIES;
        let entry = &mut self.entries[place];
        if entry.key != self.key {
            entry.device = classifier.classify(hints, user_agent);
            entry.key.clone_from(&self.key);
        }
        entry.device
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remembered_device_is_the_classified_one() {
        let classifier = DeviceClassifier::new().unwrap();
        let mut cache = DeviceCache::default();
        let list: Vec<serde_json::Value> = serde_json::from_str(tessera_fixtures::DEVICES).unwrap();
        let agents: Vec<&str> = list.iter().filter_map(|case| case["user_agent"].as_str()).collect();
        assert!(agents.len() >= 40, "{} agents", agents.len());
        for _ in 0..2 {
            for agent in &agents {
                for platform in [None, Some(""), Some("\"Android\"")] {
                    let hints = ClientHints { mobile: Some("?1"), platform, brands: None };
                    let expected = classifier.classify(&hints, Some(agent));
                    assert_eq!(cache.classify(&classifier, &hints, Some(agent)), expected, "{agent}");
                }
            }
        }
    }

    #[test]
    fn overlong_texts_are_classified_but_not_kept() {
        let classifier = DeviceClassifier::new().unwrap();
        let mut cache = DeviceCache::default();
        let long = format!("Mozilla/5.0 (Windows NT 10.0) {}", "x".repeat(DEVICE_KEY_BYTES_MAX));
        let hints = ClientHints::default();
        assert_eq!(
            cache.classify(&classifier, &hints, Some(&long)),
            classifier.classify(&hints, Some(&long))
        );
        assert!(cache.entries.iter().all(|entry| entry.key.is_empty()));
    }
}
