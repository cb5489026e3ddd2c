//! What is remembered of a visitor, as signals.

use tessera_engine_core::signals::{Behaviour, LocalTime, Money};

use crate::user_store::UserView;

/// The visitor's last local midnight, UTC where the place is not known. Unix milliseconds.
pub(super) fn midnight_ms(now_ms: i64, local_time: Option<LocalTime>) -> i64 {
    const MINUTE_MS: i64 = 60_000;
    let minutes = match local_time {
        Some(time) => i64::from(time.hour) * 60 + i64::from(time.minute),
        None => now_ms.div_euclid(MINUTE_MS).rem_euclid(24 * 60),
    };
    (now_ms.div_euclid(MINUTE_MS) - minutes) * MINUTE_MS
}

pub(super) fn behaviour_of(user: &UserView, now_ms: i64) -> Behaviour<'_> {
    let ms = |secs: u32| (secs > 0).then(|| i64::from(secs) * 1_000);
    Behaviour {
        cart_abandoned_ms: user.cart_abandoned_ms(now_ms),
        product_viewed_ms: ms(user.recency.product_viewed_secs),
        searched_ms: ms(user.recency.searched_secs),
        price_dropped_ms: ms(user.recency.price_dropped_secs),
        purchased_ms: ms(user.recency.purchased_secs),
        purchases: user.purchases,
        last_viewed: Some(user.last_viewed.as_str()).filter(|product| !product.is_empty()),
    }
}

pub(super) fn remembered_cart_value(user: &UserView) -> Option<Money<'_>> {
    let cart = user.cart.as_ref()?;
    let currency = std::str::from_utf8(&cart.currency).ok().filter(|_| cart.currency != [0; 3])?;
    Some(Money { micros: cart.value_micros, currency })
}
