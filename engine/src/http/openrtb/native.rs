//! Native ads (IAB OpenRTB Native 1.2): what a layout asks for, and what of ours fills it.
//!
//! Assets of the layout are filled from slots of the same meaning: the title from `headline` or `title`, the main image
//! from `image` or `main`, the icon from `icon` or `logo`, data from slots with the standard's names (`description`, `cta`,
//! `rating`, …). A text that is longer than the layout allows does not fill it: cutting off is the marketer's to do.

use serde::Deserialize;
use serde::de::IgnoredAny;
use tessera_wire::catalog::{Asset, AssetKind, Catalog};

use super::super::json::Json;
use super::super::request::{Flag, parse_json};
use crate::limits::NATIVE_ASSETS_MAX;

/// A layout.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Layout {
    assets: Vec<Wanted>,
    eventtrackers: Vec<Tracker>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Wanted {
    id: i64,
    required: Flag,
    title: Option<Bounds>,
    img: Option<Image>,
    data: Option<Data>,
    video: Option<IgnoredAny>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Bounds {
    len: Option<usize>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Image {
    r#type: Option<i64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Data {
    r#type: i64,
    len: Option<usize>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Tracker {
    event: i64,
    methods: Vec<i64>,
}

/// Where the layout stood before version 1.1.
#[derive(Deserialize)]
struct Wrapped {
    native: Option<Layout>,
    #[serde(flatten)]
    bare: Layout,
}

const IMAGE_ICON: i64 = 1;
const DATA_SPONSORED: i64 = 1;
const DATA_DISPLAY_URL: i64 = 11;
const EVENT_VIEWABLE: i64 = 2;
const METHOD_IMAGE: i64 = 1;

/// Slot names by type of data (Native 1.2, section 7.4).
const DATA_SLOTS: [&[&str]; 13] = [
    &[],
    &["sponsored"],
    &["description", "body"],
    &["rating"],
    &["likes"],
    &["downloads"],
    &["price"],
    &["saleprice", "sale_price"],
    &["phone"],
    &["address"],
    &["description2", "desc2"],
    &["displayurl", "display_url"],
    &["cta", "ctatext"],
];

/// What can fill a layout: an ad's chosen assets by slot, and who advertises.
pub(super) struct Material<'a> {
    pub(super) catalog: &'a Catalog,
    pub(super) chosen: &'a [(&'a str, Asset)],
    pub(super) advertiser: &'a str,
    pub(super) domain: &'a str,
}

/// Addresses in the ad.
pub(super) struct Links<'a> {
    pub(super) click: &'a str,
    /// Absent in answers to tests.
    pub(super) viewable: Option<&'a str>,
}

/// Reads the layout inside a request; `None` when it is not one, or asks for nothing.
pub(super) fn parse(request: &str) -> Option<Layout> {
    let wrapped: Wrapped = parse_json(request.as_bytes()).ok()?;
    let layout = wrapped.native.unwrap_or(wrapped.bare);
    (1..=NATIVE_ASSETS_MAX).contains(&layout.assets.len()).then_some(layout)
}

impl Layout {
    /// Is there something for everything that is required?
    pub(super) fn is_filled_by(&self, material: &Material<'_>) -> bool {
        self.assets.iter().all(|wanted| !wanted.required.is_set() || wanted.filling(material).is_some())
    }

    /// Writes the ad's markup.
    pub(super) fn write(&self, material: &Material<'_>, links: &Links<'_>, out: &mut Vec<u8>) {
        let json = &mut Json::new(out);
        json.open(b'{');
        json.key("native");
        json.open(b'{');
        json.field("ver", "1.2");
        json.key("assets");
        json.open(b'[');
        for wanted in &self.assets {
            let Some(text) = wanted.filling(material) else { continue };
            wanted.write(text, json);
        }
        json.close(b']');
        json.key("link");
        json.open(b'{');
        json.field("url", links.click);
        json.close(b'}');
        self.write_trackers(links, json);
        json.close(b'}');
        json.close(b'}');
    }

    /// The impression is what the exchange bills; only that the ad was seen is reported from the page.
    fn write_trackers(&self, links: &Links<'_>, json: &mut Json<'_>) {
        let wants =
            |tracker: &Tracker| tracker.event == EVENT_VIEWABLE && tracker.methods.contains(&METHOD_IMAGE);
        let Some(url) = links.viewable.filter(|_| self.eventtrackers.iter().any(wants)) else { return };
        json.key("eventtrackers");
        json.open(b'[');
        json.open(b'{');
        json.number_field("event", EVENT_VIEWABLE);
        json.number_field("method", METHOD_IMAGE);
        json.field("url", url);
        json.close(b'}');
        json.close(b']');
    }
}

impl Wanted {
    fn filling<'m>(&self, material: &Material<'m>) -> Option<&'m str> {
        if self.video.is_some() {
            return None;
        }
        if let Some(title) = &self.title {
            return material.text(&["headline", "title"], title.len);
        }
        if let Some(image) = &self.img {
            let is_icon = image.r#type == Some(IMAGE_ICON);
            return material.image(if is_icon { &["icon", "logo"] } else { &["image", "main"] });
        }
        let data = self.data.as_ref()?;
        let slots = DATA_SLOTS.get(usize::try_from(data.r#type).ok()?)?;
        let stated = match data.r#type {
            DATA_SPONSORED => Some(material.advertiser),
            DATA_DISPLAY_URL => Some(material.domain),
            _ => None,
        };
        let fits = |text: &&str| !text.is_empty() && data.len.is_none_or(|len| text.chars().count() <= len);
        material.text(slots, data.len).or(stated.filter(fits))
    }

    fn write(&self, text: &str, json: &mut Json<'_>) {
        json.open(b'{');
        json.number_field("id", self.id);
        if self.title.is_some() {
            json.key("title");
            json.open(b'{');
            json.field("text", text);
        } else if self.img.is_some() {
            json.key("img");
            json.open(b'{');
            json.field("url", text);
        } else {
            json.key("data");
            json.open(b'{');
            json.number_field("type", self.data.as_ref().map_or(0, |data| data.r#type));
            json.field("value", text);
        }
        json.close(b'}');
        json.close(b'}');
    }
}

impl<'a> Material<'a> {
    fn text(&self, slots: &[&str], len: Option<usize>) -> Option<&'a str> {
        let text = self.content(slots, AssetKind::Text)?;
        len.is_none_or(|len| text.chars().count() <= len).then_some(text)
    }

    fn image(&self, slots: &[&str]) -> Option<&'a str> {
        self.content(slots, AssetKind::Image)
    }

    fn content(&self, slots: &[&str], kind: AssetKind) -> Option<&'a str> {
        let fits = |(slot, asset): &&(&str, Asset)| slots.contains(slot) && asset.kind == kind;
        let (_, asset) = self.chosen.iter().find(fits)?;
        Some(self.catalog.str(asset.content))
    }
}
