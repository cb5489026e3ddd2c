//! Assets, and the same in other languages.

use tessera_wire::catalog::{Asset, AssetKind, LocaleId, Translation};
use tessera_wire::program::Span;

use super::Builder;
use crate::source::problem::{CatalogCode, Problem};
use crate::source::schema::{Name, RawAsset, RawTranslation};
use crate::source::value;

impl Builder<'_> {
    /// The language of the assets themselves.
    pub(super) fn add_locale(&mut self) {
        if let Some(locale) = &self.raw.locale {
            self.catalog.locale = Some(self.locale(locale));
        }
    }

    pub(super) fn add_asset(&mut self, raw: &RawAsset) {
        let content = (raw.image.as_deref(), raw.text.as_deref());
        let (kind, content) = self.content(content, &raw.id, "asset");
        let translations = self.add_translations(raw, kind);
        let asset = Asset {
            id: self.text(raw.id.get_ref()),
            kind,
            content: self.text(content),
            alt: self.text(&raw.alt),
            translations,
        };
        self.catalog.assets.push(asset);
    }

    fn content<'t>(
        &mut self,
        content: (Option<&'t str>, Option<&'t str>),
        name: &Name,
        what: &str,
    ) -> (AssetKind, &'t str) {
        let (kind, content) = match content {
            (Some(image), None) => (AssetKind::Image, image),
            (None, Some(text)) => (AssetKind::Text, text),
            _ => {
                let message = format!("{what} `{}` must have either an image or a text", name.get_ref());
                self.problem(Problem::catalog(CatalogCode::Inconsistent, name.span(), message));
                (AssetKind::Text, "")
            }
        };
        if kind == AssetKind::Image && value::url(content).is_err() && !is_path(content) {
            let message = format!("`{content}` is not the address of an image");
            self.problem(Problem::catalog(CatalogCode::BadValue, name.span(), message));
        }
        (kind, content)
    }

    fn add_translations(&mut self, raw: &RawAsset, kind: AssetKind) -> Span {
        let first = self.catalog.translations.len() as u32;
        for translation in &raw.translation {
            self.add_translation(translation, kind);
        }
        let translations = Span { first, len: raw.translation.len() as u32 };
        self.report_repeated_locales(raw, translations);
        translations
    }

    fn add_translation(&mut self, raw: &RawTranslation, asset_kind: AssetKind) {
        let content = (raw.image.as_deref(), raw.text.as_deref());
        let (kind, content) = self.content(content, &raw.locale, "translation");
        if kind != asset_kind {
            let message = "a translation is an image or a text like its asset";
            self.problem(Problem::catalog(CatalogCode::Inconsistent, raw.locale.span(), message));
        }
        let translation = Translation {
            locale: self.locale(&raw.locale),
            content: self.text(content),
            alt: self.text(&raw.alt),
        };
        self.catalog.translations.push(translation);
    }

    /// The second of two translations for one language would never be seen.
    fn report_repeated_locales(&mut self, raw: &RawAsset, translations: Span) {
        let locales: Vec<LocaleId> = translations
            .of(&self.catalog.translations)
            .iter()
            .map(|translation| translation.locale)
            .collect();
        for (number, translation) in raw.translation.iter().enumerate() {
            let is_own = self.catalog.locale == Some(locales[number]);
            if is_own || locales[..number].contains(&locales[number]) {
                let message =
                    format!("asset `{}` has `{}` already", raw.id.get_ref(), translation.locale.get_ref());
                self.problem(Problem::catalog(CatalogCode::DuplicateId, translation.locale.span(), message));
            }
        }
    }

    fn locale(&mut self, name: &Name) -> LocaleId {
        let tag = self.read(name, value::language_tag);
        let known = self.catalog.locales.iter().position(|known| self.catalog.str(*known) == tag);
        let number = known.unwrap_or_else(|| {
            let tag = self.text(&tag);
            self.catalog.locales.push(tag);
            self.catalog.locales.len() - 1
        });
        LocaleId(number as u32)
    }
}

/// Is it a path on the page's own host?
fn is_path(content: &str) -> bool {
    content.starts_with('/') && tessera_engine_core::render::is_safe_url(content)
}
