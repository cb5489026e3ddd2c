//! The language of an ad agrees with RFC 4647 lookup as written down.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use proptest::prelude::*;
use tessera_engine_core::locale::Language;
use tessera_wire::catalog::{Asset, AssetKind, Catalog, LocaleId, Text, Translation};
use tessera_wire::program::Span;

const TAGS: [&str; 8] = ["en", "de", "de-at", "de-1996", "zh-hant", "zh-hant-tw", "pt-br", "pt"];
const RANGES: [&str; 14] = [
    "en",
    "EN-us",
    "de",
    "de-AT",
    "de-CH-1996",
    "zh-Hant-TW",
    "zh-Hant-x-big",
    "zh",
    "pt-BR",
    "pt-PT",
    "fr",
    "*",
    "x-a",
    "",
];

fn text(catalog: &mut Catalog, text: &str) -> Text {
    let start = catalog.text.len() as u32;
    catalog.text.push_str(text);
    Text { start, len: text.len() as u32 }
}

/// A catalog whose `n`-th asset exists in the given languages; each says which it is in.
fn catalog(own: Option<usize>, assets: &[Vec<usize>]) -> Catalog {
    let mut catalog = Catalog::default();
    catalog.locales = TAGS.map(|tag| text(&mut catalog, tag)).to_vec();
    catalog.locale = own.map(|own| LocaleId(own as u32));
    for languages in assets {
        let first = catalog.translations.len() as u32;
        for language in languages {
            let content = text(&mut catalog, TAGS[*language]);
            let locale = LocaleId(*language as u32);
            catalog.translations.push(Translation { locale, content, alt: content });
        }
        let translations = Span { first, len: languages.len() as u32 };
        let content = text(&mut catalog, "own");
        let asset = Asset { id: content, kind: AssetKind::Text, content, alt: content, translations };
        catalog.assets.push(asset);
    }
    catalog
}

/// Section 3.4: cut from the end, together with a single letter that stands last then.
fn lookup(range: &str, known: &[&str]) -> Option<String> {
    let mut parts: Vec<String> = range.to_ascii_lowercase().split('-').map(str::to_owned).collect();
    while !parts.is_empty() {
        let tag = parts.join("-");
        if known.contains(&tag.as_str()) {
            return Some(tag);
        }
        parts.pop();
        while parts.len() > 1 && parts.last().is_some_and(|last| last.len() == 1) {
            parts.pop();
        }
    }
    None
}

/// What each asset says, and the language of the ad.
fn expected(own: Option<usize>, assets: &[Vec<usize>], ranges: &[&str]) -> (Vec<String>, Option<String>) {
    let own = own.map(|own| TAGS[own]);
    for range in ranges {
        let said: Vec<Option<String>> = assets
            .iter()
            .map(|languages| {
                let mut known: Vec<&str> = languages.iter().map(|language| TAGS[*language]).collect();
                known.extend(own);
                if languages.is_empty() { Some("own".to_owned()) } else { lookup(range, &known) }
            })
            .collect();
        let Some(said) = said.into_iter().collect::<Option<Vec<String>>>() else { continue };
        let spoken = said.iter().filter(|tag| *tag != "own");
        let locale = spoken.rev().max_by_key(|tag| tag.len()).cloned();
        if locale.is_some() {
            let said = said.into_iter().map(|tag| if Some(tag.as_str()) == own { "own".into() } else { tag });
            return (said.collect(), locale);
        }
    }
    (vec!["own".to_owned(); assets.len()], own.map(str::to_owned))
}

proptest! {
    #[test]
    fn an_ad_speaks_as_rfc_4647_says(
        own in prop::option::of(0..2usize),
        assets in prop::collection::vec(prop::collection::btree_set(0..TAGS.len(), 0..5), 1..4),
        ranges in prop::collection::vec(prop::sample::select(RANGES.to_vec()), 0..4),
    ) {
        let assets: Vec<Vec<usize>> =
            assets.into_iter().map(|set| set.into_iter().filter(|one| Some(*one) != own).collect()).collect();
        let catalog = catalog(own, &assets);
        let language = Language::choose(&catalog, catalog.assets.iter(), &ranges);
        let said: Vec<String> = (catalog.assets.iter())
            .map(|asset| catalog.str(language.wording(&catalog, asset).content).to_owned())
            .collect();
        let locale = language.locale().map(|locale| catalog.str(catalog.locales[locale.index()]).to_owned());
        prop_assert_eq!((said, locale), expected(own, &assets, &ranges));
    }
}
