//! What behaviour events are called and what they change in what we remember of a visitor.
//!
//! Names are the standard ones (`product_view`, `cart_abandoned`, …). The names of Segment's e-commerce specification
//! (version 2, "Product Viewed", "Order Completed", …) mean the same; any other name is kept in lower case with `_` for
//! spaces, so that `count of wishlist_shared` finds "Wishlist Shared".

use std::borrow::Cow;

use crate::user_store::Change;

/// The standard names and Segment's for the same.
const SYNONYMS: [(&str, &str); 18] = [
    ("product_viewed", "product_view"),
    ("product_clicked", "product_view"),
    ("products_searched", "search"),
    ("product_searched", "search"),
    ("searched", "search"),
    ("product_added", "add_to_cart"),
    ("product_removed", "remove_from_cart"),
    ("cart_viewed", "cart_view"),
    ("cart_updated", "cart_update"),
    ("checkout_started", "checkout"),
    ("checkout_step_completed", "checkout"),
    ("order_completed", "purchase"),
    ("order_placed", "purchase"),
    ("purchased", "purchase"),
    ("cart_emptied", "cart_clear"),
    ("price_dropped", "price_drop"),
    ("abandoned_cart", "cart_abandoned"),
    ("checkout_abandoned", "cart_abandoned"),
];

/// What an event says besides its name.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Details<'a> {
    /// The product it is about, empty when none.
    pub(crate) product_id: &'a str,
    /// Value of the whole cart or order.
    pub(crate) value: Option<(i64, [u8; 3])>,
    /// Items in the cart.
    pub(crate) items: Option<u16>,
}

/// The name under which an event is stored and counted.
pub(crate) fn canonical(name: &str) -> Cow<'_, str> {
    let is_plain = |byte: u8| !byte.is_ascii_uppercase() && byte != b' ' && byte != b'-';
    let plain = if name.bytes().all(is_plain) {
        Cow::Borrowed(name)
    } else {
        Cow::Owned(name.trim().to_lowercase().replace([' ', '-'], "_"))
    };
    match SYNONYMS.iter().find(|(synonym, _)| *synonym == plain) {
        Some((_, standard)) => Cow::Borrowed(standard),
        None => plain,
    }
}

/// What an event of this canonical name changes.
pub(crate) fn change<'a>(canonical: &str, details: Details<'a>) -> Change<'a> {
    match canonical {
        "product_view" => Change::ProductView { product_id: details.product_id },
        "search" => Change::Search,
        "price_drop" => Change::PriceDrop,
        "cart_view" | "cart_update" | "checkout" => {
            Change::Cart { value: details.value, items: details.items }
        }
        // One product's value is not the cart's, and what an item more makes of the number of items nobody said.
        "add_to_cart" | "remove_from_cart" => Change::Cart { value: None, items: None },
        "cart_abandoned" => Change::CartAbandoned,
        "cart_clear" => Change::CartCleared,
        "purchase" => Change::Purchase,
        _ => Change::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_names_mean_the_standard_ones() {
        for (written, standard) in [
            ("Product Viewed", "product_view"),
            ("product_view", "product_view"),
            ("Order Completed", "purchase"),
            ("Cart Viewed", "cart_view"),
            ("Products Searched", "search"),
            ("Wishlist Shared", "wishlist_shared"),
            ("wishlist-shared", "wishlist_shared"),
        ] {
            assert_eq!(canonical(written), standard, "{written}");
        }
    }

    #[test]
    fn synonyms_are_themselves_canonical_spellings_of_standard_names() {
        for (synonym, standard) in SYNONYMS {
            assert_eq!(synonym, synonym.to_lowercase().replace(' ', "_"));
            assert!(!SYNONYMS.iter().any(|(other, _)| *other == standard), "{standard} is final");
        }
    }

    #[test]
    fn adding_a_product_touches_the_cart_but_does_not_price_it() {
        let details = Details { value: Some((5, *b"EUR")), ..Details::default() };
        assert_eq!(change("add_to_cart", details), Change::Cart { value: None, items: None });
        assert_eq!(change("cart_view", details), Change::Cart { value: details.value, items: None });
        assert_eq!(change("anything", details), Change::Other);
    }
}
