//! Banner markup: an ad's images and texts inside one link, for templates that bring no markup of their own.
//!
//! Guarantees: everything that comes from the catalog is escaped, image addresses are http or https; no script. Cost: one
//! pass over the texts.

use tessera_wire::catalog::{Asset, AssetKind, Catalog};

/// Appends the markup of a banner of this size, 0 for any.
pub(super) fn write(
    catalog: &Catalog,
    chosen: &[(&str, Asset)],
    (width, height): (u32, u32),
    click: &str,
    out: &mut String,
) {
    out.push_str("<div style=\"position:relative;overflow:hidden;font-family:sans-serif;");
    for (name, pixels) in [("width", width), ("height", height)] {
        if pixels > 0 {
            out.push_str(name);
            out.push(':');
            out.push_str(itoa::Buffer::new().format(pixels));
            out.push_str("px;");
        }
    }
    out.push_str("\"><a href=\"");
    escape(click, out);
    out.push_str(
        "\" target=\"_blank\" rel=\"noopener\" style=\"display:block;color:inherit;text-decoration:none\">",
    );
    for (_, asset) in chosen.iter().filter(|(_, asset)| asset.kind == AssetKind::Image) {
        out.push_str("<img src=\"");
        escape(catalog.str(asset.content), out);
        out.push_str("\" alt=\"");
        escape(catalog.str(asset.alt), out);
        out.push_str("\" style=\"display:block;max-width:100%\">");
    }
    for (slot, asset) in chosen.iter().filter(|(_, asset)| asset.kind == AssetKind::Text) {
        out.push_str("<div class=\"");
        escape(slot, out);
        out.push_str("\">");
        escape(catalog.str(asset.content), out);
        out.push_str("</div>");
    }
    out.push_str("</a></div>");
}

/// Escapes for text and for quoted attributes.
fn escape(text: &str, out: &mut String) {
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tessera_wire::catalog::Text;

    fn unescape(text: &str) -> String {
        let named = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&amp;", "&")];
        named.iter().fold(text.to_owned(), |text, (name, sign)| text.replace(name, sign))
    }

    proptest! {
        #[test]
        fn no_text_leaves_its_place(text: String, click: String) {
            let whole = |text: &str| Text { start: 0, len: text.len() as u32 };
            let catalog = Catalog { text: text.clone(), ..Catalog::default() };
            let none = Text::default();
            let translations = Default::default();
            let asset = |kind| Asset { id: none, kind, content: whole(&text), alt: whole(&text), translations };
            let (image, words) = (asset(AssetKind::Image), asset(AssetKind::Text));
            let mut out = String::new();
            write(&catalog, &[("image", image), ("headline", words)], (300, 250), &click, &mut out);
            // Taken apart at the signs that markup is made of, the pieces are those of an empty ad.
            let pieces: Vec<&str> = out.split('"').collect();
            prop_assert_eq!(pieces.len(), 19);
            prop_assert_eq!(unescape(pieces[3]), click);
            prop_assert_eq!(unescape(pieces[11]), text.clone());
            prop_assert_eq!(unescape(pieces[13]), text.clone());
            let inner = pieces[18].strip_prefix('>').unwrap().strip_suffix("</div></a></div>").unwrap();
            prop_assert!(!inner.contains(['<', '>', '\'']));
            prop_assert_eq!(unescape(inner), text);
        }
    }
}
