//! What is remembered of one visitor: the cart, the last behaviour of each kind, and a short log of countable events.
//!
//! Counts are exact, to the second, over any window, as far as the log reaches: it keeps the newest
//! [`STAMPS_PER_VISITOR_MAX`] events that some rule or cap counts. When older ones had to go, counts over longer windows
//! are too low, which the store counts as `truncated`.

use crate::limits::STAMPS_PER_VISITOR_MAX;

/// Something that is counted, such as impressions of one campaign. Numbers are given by `super::keys`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CountKey(pub u32);

/// One counted event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    pub(super) key: CountKey,
    /// Unix seconds.
    pub(super) at_secs: u32,
}

/// A visitor's open cart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cart {
    /// Millionths of the currency's unit.
    pub value_micros: i64,
    /// ISO 4217 currency, zeros when none.
    pub currency: [u8; 3],
    /// Items in it; `None` when nobody said.
    pub items: Option<u16>,
    /// When it was touched last, unix seconds.
    pub at_secs: u32,
    /// Did somebody say that it was abandoned, instead of us waiting?
    pub is_abandoned: bool,
}

/// Times of the last behaviour of each kind, unix seconds, 0 for never.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Recency {
    /// A product page was viewed.
    pub product_viewed_secs: u32,
    /// Something was searched.
    pub searched_secs: u32,
    /// A price of interest dropped.
    pub price_dropped_secs: u32,
    /// Something was bought.
    pub purchased_secs: u32,
}

/// Everything about one visitor. Kept behind a box: the map's slots stay small.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct UserState {
    /// Last time anything was written, unix seconds.
    pub(super) seen_secs: u32,
    pub(super) purchases: u32,
    pub(super) recency: Recency,
    pub(super) cart: Option<Box<Cart>>,
    /// Id of the product viewed last, empty when none.
    pub(super) last_viewed: Box<str>,
    /// Oldest first.
    pub(super) stamps: Vec<Stamp>,
}

/// A behaviour event, as far as the state cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change<'a> {
    /// A product page was viewed.
    ProductView {
        /// Which product, empty when nobody said.
        product_id: &'a str,
    },
    /// Something was searched.
    Search,
    /// A price of interest dropped.
    PriceDrop,
    /// The cart changed or was looked at.
    Cart {
        /// Value of the whole cart, if said.
        value: Option<(i64, [u8; 3])>,
        /// Items in the cart, if said.
        items: Option<u16>,
    },
    /// The shop itself says that the cart was abandoned.
    CartAbandoned,
    /// The cart was emptied without a purchase.
    CartCleared,
    /// Something was bought.
    Purchase,
    /// Anything else: only counted.
    Other,
}

impl UserState {
    pub(super) fn apply(&mut self, change: Change<'_>, at_secs: u32) {
        self.seen_secs = self.seen_secs.max(at_secs);
        let recency = &mut self.recency;
        match change {
            Change::ProductView { product_id } => {
                // Events may arrive out of order; the latest view counts.
                if at_secs >= recency.product_viewed_secs && !product_id.is_empty() {
                    self.last_viewed = product_id.into();
                }
                later(&mut recency.product_viewed_secs, at_secs);
            }
            Change::Search => later(&mut recency.searched_secs, at_secs),
            Change::PriceDrop => later(&mut recency.price_dropped_secs, at_secs),
            Change::Cart { value, items } => self.touch_cart(value, items, at_secs),
            Change::CartAbandoned => {
                if let Some(cart) = &mut self.cart {
                    cart.is_abandoned = true;
                } else if recency.purchased_secs < at_secs {
                    self.cart = Some(Box::new(Cart { at_secs, is_abandoned: true, ..Cart::default() }));
                }
            }
            Change::CartCleared => self.drop_cart_before(at_secs),
            Change::Purchase => {
                later(&mut recency.purchased_secs, at_secs);
                self.purchases = self.purchases.saturating_add(1);
                self.drop_cart_before(at_secs);
            }
            Change::Other => {}
        }
    }

    fn touch_cart(&mut self, value: Option<(i64, [u8; 3])>, items: Option<u16>, at_secs: u32) {
        // What was in the cart before a purchase has been bought.
        if at_secs < self.recency.purchased_secs {
            return;
        }
        let cart = self.cart.get_or_insert_default();
        if at_secs < cart.at_secs {
            return;
        }
        if let Some((value_micros, currency)) = value {
            (cart.value_micros, cart.currency) = (value_micros, currency);
        }
        cart.items = items.or(cart.items);
        cart.at_secs = at_secs;
        cart.is_abandoned = false;
    }

    fn drop_cart_before(&mut self, at_secs: u32) {
        if self.cart.as_ref().is_some_and(|cart| cart.at_secs <= at_secs) {
            self.cart = None;
        }
    }

    /// Appends a counted event; true when an older one had to go.
    pub(super) fn count(&mut self, key: CountKey, at_secs: u32) -> bool {
        self.seen_secs = self.seen_secs.max(at_secs);
        let is_full = self.stamps.len() >= STAMPS_PER_VISITOR_MAX;
        if is_full {
            self.stamps.remove(0);
        }
        self.stamps.push(Stamp { key, at_secs });
        is_full
    }

    /// Counted events of `key` after `since_secs` (exclusive) and not after `now_secs`: how counts are defined.
    #[cfg(test)]
    pub(super) fn count_since(&self, key: CountKey, since_secs: u32, now_secs: u32) -> u32 {
        let is_counted =
            |stamp: &&Stamp| (stamp.key == key) & (stamp.at_secs > since_secs) & (stamp.at_secs <= now_secs);
        self.stamps.iter().filter(is_counted).count() as u32
    }

    /// Bytes on the heap and in the map's slot.
    pub(super) fn bytes(&self) -> usize {
        /// A slot of the map with its share of empty ones: half of a slot's bytes on average.
        const SLOT: usize = 64;
        let cart = if self.cart.is_some() { heap(size_of::<Cart>()) } else { 0 };
        SLOT + heap(size_of::<UserState>())
            + cart
            + heap(self.last_viewed.len())
            + heap(self.stamps.capacity() * size_of::<Stamp>())
    }
}

/// What the allocator takes for a piece of this size: whole sixteens with eight bytes of its own, 32 at least.
fn heap(bytes: usize) -> usize {
    if bytes == 0 { 0 } else { (bytes + 8).next_multiple_of(16).max(32) }
}

fn later(time: &mut u32, at_secs: u32) {
    *time = (*time).max(at_secs);
}

#[cfg(test)]
mod tests {
    use super::*;

    const EUR: [u8; 3] = *b"EUR";

    #[test]
    fn a_purchase_empties_the_cart_that_was_there_before_it() {
        let mut state = UserState::default();
        state.apply(Change::Cart { value: Some((50, EUR)), items: Some(2) }, 100);
        state.apply(Change::Purchase, 200);
        assert_eq!((state.cart.clone(), state.purchases), (None, 1));
        state.apply(Change::Cart { value: Some((9, EUR)), items: None }, 150);
        assert_eq!(state.cart, None, "a late message about a cart that has been bought");
        state.apply(Change::Cart { value: Some((9, EUR)), items: None }, 300);
        assert_eq!(state.cart.as_ref().unwrap().value_micros, 9);
    }

    #[test]
    fn a_cart_touch_without_a_value_keeps_the_value_and_ends_the_abandonment() {
        let mut state = UserState::default();
        state.apply(Change::Cart { value: Some((50, EUR)), items: Some(2) }, 100);
        state.apply(Change::CartAbandoned, 200);
        assert!(state.cart.as_ref().unwrap().is_abandoned);
        state.apply(Change::Cart { value: None, items: Some(3) }, 300);
        let expected =
            Cart { value_micros: 50, currency: EUR, items: Some(3), at_secs: 300, is_abandoned: false };
        assert_eq!(state.cart.as_deref(), Some(&expected));
    }

    #[test]
    fn the_latest_view_counts_whatever_the_order_of_arrival() {
        let mut state = UserState::default();
        state.apply(Change::ProductView { product_id: "late" }, 200);
        state.apply(Change::ProductView { product_id: "early" }, 100);
        assert_eq!((&*state.last_viewed, state.recency.product_viewed_secs), ("late", 200));
    }

    #[test]
    fn counts_are_exact_over_any_window_until_the_log_is_full() {
        let mut state = UserState::default();
        for at_secs in [10, 20, 30] {
            assert!(!state.count(CountKey(1), at_secs));
            assert!(!state.count(CountKey(2), at_secs));
        }
        assert_eq!(state.count_since(CountKey(1), 10, 30), 2, "a window leaves its first instant out");
        assert_eq!(state.count_since(CountKey(1), 9, 25), 2, "the future does not count");
        for at_secs in 0..STAMPS_PER_VISITOR_MAX as u32 {
            state.count(CountKey(3), 100 + at_secs);
        }
        assert_eq!(state.stamps.len(), STAMPS_PER_VISITOR_MAX);
        assert_eq!(state.count_since(CountKey(1), 0, 1_000), 0);
    }
}
