//! The language that an ad speaks: the visitor's languages, from the best down, against the languages of its assets.
//!
//! One ad speaks one language. A language of the visitor fits when every asset of the ad that exists in several languages
//! exists in it, by the lookup of RFC 4647 section 3.4: the tag itself, then the tag with its last part cut off, and so on.
//! The first that fits counts; when none does, the assets speak as they are. The assets themselves count as being in the
//! catalog's own language, when it says one. Assets without translations, such as images and names, never stand in the way.
//!
//! Which asset is shown is not asked here: a learner's arm is the asset, whatever language it speaks. Cost: a few
//! comparisons of short texts per asset with translations; nothing where there are none. No allocation.

use tessera_wire::catalog::{Asset, Catalog, LocaleId, Text};

/// What an asset says in one language.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wording {
    /// URL or text.
    pub content: Text,
    /// Alternative text of an image.
    pub alt: Text,
    /// The language, when it is known.
    pub locale: Option<LocaleId>,
}

/// The language of an ad: the visitor's that fits, or none of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Language<'r> {
    range: Option<&'r str>,
    locale: Option<LocaleId>,
}

impl<'r> Language<'r> {
    /// The first of the visitor's languages that fits all of the ad's assets.
    pub fn choose<'c>(
        catalog: &Catalog,
        assets: impl Iterator<Item = &'c Asset> + Clone,
        ranges: &[&'r str],
    ) -> Language<'r> {
        let varied = assets.filter(|asset| asset.translations.len > 0);
        let own = Language { range: None, locale: catalog.locale };
        if varied.clone().next().is_none() {
            return own;
        }
        for range in ranges {
            let mut most_specific = Some(None);
            for asset in varied.clone() {
                most_specific = match (most_specific, lookup(catalog, asset, range)) {
                    (Some(known), Some(found)) => Some(longer(catalog, known, found.locale)),
                    _ => None,
                };
            }
            if let Some(locale) = most_specific {
                return Language { range: Some(range), locale };
            }
        }
        own
    }

    /// The most specific language among those that the ad's assets speak.
    pub fn locale(&self) -> Option<LocaleId> {
        self.locale
    }

    /// What an asset says in it.
    pub fn wording(&self, catalog: &Catalog, asset: &Asset) -> Wording {
        let found = self.range.and_then(|range| lookup(catalog, asset, range));
        found.unwrap_or(Wording { content: asset.content, alt: asset.alt, locale: catalog.locale })
    }
}

fn longer(catalog: &Catalog, one: Option<LocaleId>, other: Option<LocaleId>) -> Option<LocaleId> {
    let len = |locale: Option<LocaleId>| locale.map_or(0, |locale| catalog.locales[locale.index()].len);
    if len(other) > len(one) { other } else { one }
}

/// RFC 4647 lookup of one range.
fn lookup(catalog: &Catalog, asset: &Asset, range: &str) -> Option<Wording> {
    let mut range = range;
    loop {
        let is_it =
            |locale: LocaleId| catalog.str(catalog.locales[locale.index()]).eq_ignore_ascii_case(range);
        if let Some(own) = catalog.locale.filter(|own| is_it(*own)) {
            return Some(Wording { content: asset.content, alt: asset.alt, locale: Some(own) });
        }
        if let Some(translation) =
            catalog.translations_of(asset).iter().find(|translation| is_it(translation.locale))
        {
            let locale = Some(translation.locale);
            return Some(Wording { content: translation.content, alt: translation.alt, locale });
        }
        range = truncated(range)?;
    }
}

/// Without its last part, and without a single letter that would then stand last.
fn truncated(range: &str) -> Option<&str> {
    let (mut rest, _) = range.rsplit_once(['-', '_'])?;
    while let Some((shorter, last)) = rest.rsplit_once(['-', '_'])
        && last.len() == 1
    {
        rest = shorter;
    }
    Some(rest)
}
