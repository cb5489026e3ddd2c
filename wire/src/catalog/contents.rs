//! What templates are rendered from, and assets in other languages.

use serde::{Deserialize, Serialize};

use super::{LocaleId, Text};

/// What a rendered content is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ContentKind {
    /// A piece of a page.
    Html,
    /// Any JSON value.
    Json,
    /// A JSON object with the assets of a native ad.
    Native,
    /// An address.
    Url,
}

impl ContentKind {
    /// Every kind.
    pub const ALL: [ContentKind; 4] =
        [ContentKind::Html, ContentKind::Json, ContentKind::Native, ContentKind::Url];

    /// Is it rendered to a JSON value?
    pub const fn is_json(self) -> bool {
        matches!(self, ContentKind::Json | ContentKind::Native)
    }

    /// The word in answers and in the catalog source.
    pub const fn name(self) -> &'static str {
        match self {
            ContentKind::Html => "html",
            ContentKind::Json => "json",
            ContentKind::Native => "native",
            ContentKind::Url => "url",
        }
    }
}

/// A text with macros that a template is rendered from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    /// What it becomes.
    pub kind: ContentKind,
    /// The text as written.
    pub body: Text,
}

/// An asset in another language.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Translation {
    /// Which language.
    pub locale: LocaleId,
    /// URL or text, like the asset's own.
    pub content: Text,
    /// Alternative text of an image, empty for text.
    pub alt: Text,
}
