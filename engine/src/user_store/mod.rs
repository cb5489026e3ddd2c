//! What the engine remembers of visitors who allow it: enough for triggers, caps and counters, nothing more.
//!
//! Keyed by the pseudonymous subject key only. Memory has a hard bound: at the bound new visitors are not remembered
//! (counted), and a sweep forgets those not seen for longest (counted) before that point is reached. Whether something may
//! be written or read is the caller's question to the consent gates; nothing here looks at consent.
//!
//! Cost: reading is one look-up under a shard's read lock, held while a few fields are copied and at most
//! [`STAMPS_PER_VISITOR_MAX`](crate::limits::STAMPS_PER_VISITOR_MAX) stamps are scanned once. There are
//! a thousand shards, so that neither writers nor the sweep are in anybody's way.
//! Not here: what is counted (`keys`), saving and restoring (`persist`).

pub(crate) mod housekeeping;
mod keys;
mod persist;
mod records;
mod state;

use std::collections::HashSet;
use std::sync::RwLock;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use dashmap::DashMap;
use tessera_engine_core::offer::HeldOffer;
use tessera_wire::event::{NONE, Remembered};
use tessera_wire::program::Window;

use crate::counters::{family, line};
use crate::journal::count;
use crate::limits::{ABANDONED_AFTER_SECS, VISITOR_TTL_SECS};

pub use keys::{CountPlan, KeyRegistry};
pub use persist::{Restored, VisitorFiles};
pub(crate) use records::record;
use state::UserState;
pub use state::{Cart, Change, CountKey, Recency};

/// Shards of the map: a sweep or a save holds one at a time, for well under a millisecond.
const SHARDS: usize = 1_024;
/// Visitors looked at to find out how old the oldest are.
const SAMPLE: usize = 2_048;

/// What the store did, for the metrics page.
#[derive(Debug, Default)]
pub struct StoreCounters {
    /// Visitors forgotten because memory ran out.
    pub evicted: AtomicU64,
    /// Visitors forgotten because they were not seen for too long.
    pub expired: AtomicU64,
    /// Visitors not remembered because memory was full.
    pub refused: AtomicU64,
    /// Counted events that had to go before their time.
    pub truncated: AtomicU64,
    /// Visitors erased on request.
    pub erased: AtomicU64,
}

/// All visitors.
#[derive(Debug)]
pub struct UserStore {
    users: DashMap<u128, Box<UserState>, ahash::RandomState>,
    /// Erased subjects: treated as if they allowed nothing.
    suppressed: RwLock<HashSet<u128>>,
    /// Numbers of what is counted.
    pub keys: KeyRegistry,
    bytes: AtomicUsize,
    bytes_max: usize,
    counters: StoreCounters,
}

/// What one decision needs of a visitor, copied out. Reusable: reading allocates nothing once the buffers fit.
#[derive(Debug, Clone, Default)]
pub struct UserView {
    /// Counts by feature index.
    pub features: Vec<Option<u32>>,
    /// The open cart.
    pub cart: Option<Cart>,
    /// Times of the last behaviour.
    pub recency: Recency,
    /// Number of purchases; `None` for a visitor who is not remembered.
    pub purchases: Option<u32>,
    /// Product viewed last, empty when none.
    pub last_viewed: String,
    /// Offers that were given, oldest first.
    pub held: Vec<HeldOffer>,
}

impl UserView {
    /// A visitor of whom nothing may be known.
    pub fn clear(&mut self) {
        self.features.clear();
        (self.cart, self.recency, self.purchases) = (None, Recency::default(), None);
        self.last_viewed.clear();
        self.held.clear();
    }

    /// When the cart was left behind, unix milliseconds: its last touch, once that is long enough ago.
    pub fn cart_abandoned_ms(&self, now_ms: i64) -> Option<i64> {
        let cart = self.cart?;
        let at_ms = i64::from(cart.at_secs) * 1_000;
        let is_abandoned = cart.is_abandoned || now_ms - at_ms >= i64::from(ABANDONED_AFTER_SECS) * 1_000;
        is_abandoned.then_some(at_ms)
    }
}

impl UserStore {
    /// An empty store of at most about `bytes_max` bytes.
    pub fn new(bytes_max: usize, keys: KeyRegistry) -> UserStore {
        UserStore {
            users: DashMap::with_hasher_and_shard_amount(ahash::RandomState::default(), SHARDS),
            suppressed: RwLock::default(),
            keys,
            bytes: AtomicUsize::new(0),
            bytes_max,
            counters: StoreCounters::default(),
        }
    }

    /// What was done so far.
    pub fn counters(&self) -> &StoreCounters {
        &self.counters
    }

    /// Appends what the metrics page says of visitors.
    pub(crate) fn render(&self, out: &mut String) {
        family(out, "visitors_remembered", "gauge", "Visitors of whom something is remembered.");
        line(out, "visitors_remembered", self.len() as u64);
        family(out, "visitors_bytes", "gauge", "Estimated memory for what is remembered of visitors.");
        line(out, "visitors_bytes", self.bytes() as u64);
        family(out, "visitors_forgotten_total", "counter", "Visitors forgotten, by reason.");
        let StoreCounters { evicted, expired, refused, truncated, erased } = &self.counters;
        for (reason, counter) in [("memory", evicted), ("expired", expired), ("erased", erased)] {
            let name = format!("visitors_forgotten_total{{reason=\"{reason}\"}}");
            line(out, &name, counter.load(Ordering::Relaxed));
        }
        family(out, "visitors_refused_total", "counter", "Visitors not remembered because memory was full.");
        line(out, "visitors_refused_total", refused.load(Ordering::Relaxed));
        family(out, "visitor_stamps_dropped_total", "counter", "Counted events dropped before their time.");
        line(out, "visitor_stamps_dropped_total", truncated.load(Ordering::Relaxed));
    }

    /// Visitors remembered.
    pub fn len(&self) -> usize {
        self.users.len()
    }

    /// Is nobody remembered?
    pub fn is_empty(&self) -> bool {
        self.users.is_empty()
    }

    /// Bytes taken, as estimated.
    pub fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Copies what `plan` reads of a visitor. A visitor who is not remembered has done nothing yet: counts are zero.
    ///
    /// `midnight_ms` is the visitor's local midnight, for counts of today.
    pub fn read(&self, subject: u128, plan: &CountPlan, now_ms: i64, midnight_ms: i64, view: &mut UserView) {
        view.clear();
        let user = self.users.get(&subject);
        let now_secs = secs(now_ms);
        view.features.extend(plan.features.iter().map(|feature| feature.key.map(|_| 0)));
        for stamp in user.iter().flat_map(|user| &user.stamps) {
            for feature in plan.features_of(stamp.key) {
                let since = match plan.features[feature].window {
                    // An event in the instant of midnight is today's.
                    Window::Today => secs(midnight_ms).saturating_sub(1),
                    Window::LastMs(window_ms) => secs(now_ms.saturating_sub(window_ms)),
                };
                // A window leaves its first instant out, and the future does not count.
                let is_within = stamp.at_secs > since && stamp.at_secs <= now_secs;
                view.features[feature] = view.features[feature].map(|count| count + u32::from(is_within));
            }
            if let Some((campaign, offer)) = plan.promise(stamp.key) {
                view.held.push(HeldOffer { campaign, offer, at_ms: i64::from(stamp.at_secs) * 1_000 });
            }
        }
        let Some(user) = user.filter(|_| plan.reads_behaviour) else { return };
        view.cart = user.cart.as_deref().copied();
        view.recency = user.recency;
        view.purchases = Some(user.purchases);
        view.last_viewed.push_str(&user.last_viewed);
    }

    /// Applies a behaviour event, and counts it when `key` is given.
    pub fn apply(&self, subject: u128, change: Change<'_>, key: Option<CountKey>, at_ms: i64) {
        if change == Change::Other && key.is_none() {
            return;
        }
        self.update(subject, |user, counters| {
            user.apply(change, secs(at_ms));
            if let Some(key) = key
                && user.count(key, secs(at_ms))
            {
                count(&counters.truncated, 1);
            }
        });
    }

    /// Applies a record as it was made here just now.
    pub(crate) fn apply_record(&self, record: &Remembered) {
        let Some(change) = records::change_of(&record.change) else {
            self.forget(record.subject);
            return;
        };
        self.update(record.subject, |user, counters| {
            user.apply(change, secs(record.at_ms));
            let keys = record.counted.iter().filter(|key| **key != NONE);
            let truncated = keys.filter(|key| user.count(CountKey(**key), secs(record.at_ms))).count();
            count(&counters.truncated, truncated as u64);
        });
    }

    /// Counts one event under several keys.
    pub fn count_all(&self, subject: u128, keys: &[CountKey], at_ms: i64) {
        if keys.is_empty() {
            return;
        }
        self.update(subject, |user, counters| {
            let truncated = keys.iter().filter(|key| user.count(**key, secs(at_ms))).count();
            count(&counters.truncated, truncated as u64);
        });
    }

    fn update(&self, subject: u128, change: impl FnOnce(&mut UserState, &StoreCounters)) {
        if subject == 0 || self.is_suppressed(subject) {
            return;
        }
        if let Some(mut user) = self.users.get_mut(&subject) {
            let before = user.bytes();
            change(&mut user, &self.counters);
            let after = user.bytes();
            // Wrapping: shrinking adds the two's complement.
            self.bytes.fetch_add(after.wrapping_sub(before), Ordering::Relaxed);
            return;
        }
        if self.bytes() >= self.bytes_max {
            count(&self.counters.refused, 1);
            return;
        }
        let mut user = self.users.entry(subject).or_default();
        let before = if user.seen_secs == 0 { 0 } else { user.bytes() };
        change(&mut user, &self.counters);
        self.bytes.fetch_add(user.bytes().wrapping_sub(before), Ordering::Relaxed);
    }

    /// Everybody who is remembered now.
    fn subjects(&self) -> Vec<u128> {
        self.users.iter().map(|user| *user.key()).collect()
    }

    /// Shows one visitor, whose shard is locked meanwhile.
    fn visit<T>(&self, subject: u128, visit: impl FnOnce(&UserState) -> T) -> Option<T> {
        self.users.get(&subject).map(|user| visit(&user))
    }

    /// Puts a restored visitor in place.
    fn put(&self, subject: u128, user: UserState) {
        self.bytes.fetch_add(user.bytes(), Ordering::Relaxed);
        if let Some(old) = self.users.insert(subject, Box::new(user)) {
            self.bytes.fetch_sub(old.bytes(), Ordering::Relaxed);
        }
    }

    fn suppressed(&self) -> Vec<u128> {
        let suppressed = self.suppressed.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        suppressed.iter().copied().collect()
    }

    /// Was this subject erased? Then nothing is known of it, and nothing is remembered.
    pub fn is_suppressed(&self, subject: u128) -> bool {
        let suppressed = self.suppressed.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        !suppressed.is_empty() && suppressed.contains(&subject)
    }

    /// Forgets a subject for good. True when something was remembered.
    pub fn forget(&self, subject: u128) -> bool {
        self.suppressed.write().unwrap_or_else(std::sync::PoisonError::into_inner).insert(subject);
        let removed = self.users.remove(&subject);
        if let Some((_, user)) = &removed {
            self.bytes.fetch_sub(user.bytes(), Ordering::Relaxed);
            count(&self.counters.erased, 1);
        }
        removed.is_some()
    }

    /// Forgets visitors who were not seen for too long, and, when nine tenths of the memory are taken, those not seen
    /// for longest. Call now and then, off the request path.
    pub fn sweep(&self, now_ms: i64) {
        let expiry = secs(now_ms).saturating_sub(VISITOR_TTL_SECS);
        let cutoff = if self.is_nearly_full() { self.cutoff().max(expiry) } else { expiry };
        let (mut expired, mut evicted, mut freed) = (0, 0, 0);
        self.users.retain(|_, user| {
            let keeps = user.seen_secs > cutoff;
            if !keeps {
                freed += user.bytes();
                *(if user.seen_secs <= expiry { &mut expired } else { &mut evicted }) += 1;
            }
            keeps
        });
        self.bytes.fetch_sub(freed, Ordering::Relaxed);
        count(&self.counters.expired, expired);
        count(&self.counters.evicted, evicted);
    }

    /// Is a sweep due because of memory?
    fn is_nearly_full(&self) -> bool {
        self.bytes() >= self.bytes_max / 10 * 9
    }

    /// A time before which about a fifth of the visitors were seen last.
    fn cutoff(&self) -> u32 {
        let mut seen: Vec<u32> = self.users.iter().take(SAMPLE).map(|user| user.seen_secs).collect();
        seen.sort_unstable();
        seen.get(seen.len() / 5).copied().unwrap_or(0)
    }
}

/// Unix seconds; times outside 1970 to 2106 become the nearest end.
fn secs(ms: i64) -> u32 {
    ms.div_euclid(1_000).clamp(0, i64::from(u32::MAX)) as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use tessera_wire::program::{Feature, FeatureEvent, FeatureSubject, Program, SourceMap};

    const NOW_MS: i64 = 1_800_000_000_000;
    const HOUR_MS: i64 = 3_600_000;

    fn feature(name: &str, window: Window) -> Feature {
        let event = FeatureEvent::Behaviour(name.to_owned());
        Feature { event, subject: FeatureSubject::Any, subject_id: String::new(), window, bucket_ms: 60_000 }
    }

    fn plan(store: &UserStore, features: Vec<Feature>) -> CountPlan {
        let program = Program { features, ..Program::default() };
        let mut plan = CountPlan::new(&program, &SourceMap::default(), &store.keys);
        plan.reads_behaviour = true;
        plan
    }

    fn view(store: &UserStore, subject: u128, plan: &CountPlan, now_ms: i64) -> UserView {
        let mut view = UserView::default();
        store.read(subject, plan, now_ms, NOW_MS - HOUR_MS, &mut view);
        view
    }

    #[test]
    fn windows_roll_and_today_starts_at_the_visitors_midnight() {
        let store = UserStore::new(1 << 20, KeyRegistry::default());
        let last_two_hours = feature("search", Window::LastMs(2 * HOUR_MS));
        let plan = plan(&store, vec![last_two_hours, feature("search", Window::Today)]);
        let key = plan.behaviour_key("search");
        assert_eq!(view(&store, 1, &plan, NOW_MS).features, [Some(0), Some(0)], "nothing done is zero");
        for ago_ms in [3 * HOUR_MS, 2 * HOUR_MS - 1_000, HOUR_MS, 0] {
            store.apply(1, Change::Search, key, NOW_MS - ago_ms);
        }
        assert_eq!(view(&store, 1, &plan, NOW_MS).features, [Some(3), Some(2)]);
        assert_eq!(view(&store, 1, &plan, NOW_MS + HOUR_MS).features, [Some(1), Some(2)]);
        assert_eq!(view(&store, 2, &plan, NOW_MS).features, [Some(0), Some(0)]);
    }

    #[test]
    fn a_cart_is_abandoned_when_left_alone_or_declared_so() {
        let store = UserStore::new(1 << 20, KeyRegistry::default());
        let plan = plan(&store, Vec::new());
        store.apply(1, Change::Cart { value: Some((50, *b"EUR")), items: None }, None, NOW_MS);
        let after = |ms| view(&store, 1, &plan, NOW_MS).cart_abandoned_ms(NOW_MS + ms);
        let limit_ms = i64::from(ABANDONED_AFTER_SECS) * 1_000;
        assert_eq!((after(limit_ms - 1), after(limit_ms)), (None, Some(NOW_MS)));
        store.apply(1, Change::CartAbandoned, None, NOW_MS + 1_000);
        assert_eq!(after(2_000), Some(NOW_MS));
    }

    #[test]
    fn erased_visitors_are_forgotten_and_not_remembered_again() {
        let store = UserStore::new(1 << 20, KeyRegistry::default());
        let plan = plan(&store, Vec::new());
        store.apply(7, Change::Purchase, None, NOW_MS);
        assert_eq!(view(&store, 7, &plan, NOW_MS).purchases, Some(1));
        assert!(store.forget(7));
        assert!(!store.forget(7));
        store.apply(7, Change::Purchase, None, NOW_MS);
        assert_eq!((view(&store, 7, &plan, NOW_MS).purchases, store.len(), store.bytes()), (None, 0, 0));
    }

    #[test]
    fn memory_has_a_hard_bound_and_the_longest_unseen_go_first() {
        let store = UserStore::new(100_000, KeyRegistry::default());
        for subject in 1..=5_000u128 {
            store.apply(subject, Change::Search, None, NOW_MS + subject as i64 * 1_000);
        }
        assert!(store.bytes() < 101_000, "{}", store.bytes());
        assert!(store.counters().refused.load(Ordering::Relaxed) > 0);
        let before = store.len();
        store.sweep(NOW_MS);
        let evicted = store.counters().evicted.load(Ordering::Relaxed) as usize;
        assert_eq!(store.len() + evicted, before);
        assert!((before / 10..before / 2).contains(&evicted), "{evicted} of {before}");
        assert!(!store.users.contains_key(&1) && store.users.contains_key(&(before as u128)));
        let exact: usize = store.users.iter().map(|user| user.bytes()).sum();
        assert_eq!(store.bytes(), exact, "what is counted is what is there");
        store.sweep(NOW_MS + i64::from(VISITOR_TTL_SECS) * 1_000 + 6_000_000);
        assert_eq!((store.len(), store.bytes()), (0, 0));
    }

    #[test]
    fn concurrent_writers_lose_nothing() {
        let store = UserStore::new(64 << 20, KeyRegistry::default());
        let plan = plan(&store, vec![feature("search", Window::LastMs(HOUR_MS))]);
        let key = plan.behaviour_key("search");
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for number in 0..4_000u128 {
                        store.apply(1 + number % 200, Change::Search, key, NOW_MS);
                    }
                });
            }
        });
        let counts: Vec<_> =
            (1..=200).map(|subject| view(&store, subject, &plan, NOW_MS).features[0]).collect();
        assert!(counts.iter().all(|count| *count == Some(80)), "{counts:?}");
        let exact: usize = store.users.iter().map(|user| user.bytes()).sum();
        assert_eq!(store.bytes(), exact);
    }
}
