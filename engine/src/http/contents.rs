//! What an ad is made of, as JSON: the chosen assets in the visitor's language, the parameters that the rule binds, and
//! whatever the template is rendered to.
//!
//! A parameter bound to a signal is there only when the signal was granted and is known: bound values are read from the
//! admitted frame, so nothing reaches an answer that rules may not read. Texts come in the form in which rules compare
//! them. Cost: one pass over the bindings that follow the rule's `show`, and one over each rendered content.

use tessera_engine_core::decide::Ad;
use tessera_engine_core::hash::mix64;
use tessera_engine_core::locale::Language;
use tessera_engine_core::render::{Macro, ValueBuffer, Values};
use tessera_wire::catalog::{Asset, AssetKind, Catalog, Template};
use tessera_wire::event::Mode;
use tessera_wire::program::{Action, Binding, SignalId, WordId};
use tessera_wire::signal::{Kind, NUMBER_SCALE};

use super::ad_urls::AdUrls;
use super::answer::{Answer, append_display, append_number, chosen_assets, offer_expires_at};
use super::json::Json;

/// One ad's contents.
pub(super) struct Contents<'a> {
    pub(super) answer: &'a Answer<'a>,
    pub(super) ad: &'a Ad,
    pub(super) template: &'a Template,
    pub(super) language: Language<'a>,
    pub(super) urls: &'a AdUrls<'a>,
    /// Which ad of the decision.
    pub(super) number: u16,
}

impl Contents<'_> {
    fn catalog(&self) -> &Catalog {
        self.answer.snapshot.bundle().catalog()
    }

    /// Appends the `contents` of an ad.
    pub(super) fn append(&self, json: &mut Json<'_>) {
        let catalog = self.catalog();
        json.key("contents");
        json.open(b'[');
        json.open(b'{');
        json.field("type", "slots");
        json.field("template", catalog.str(self.template.id));
        json.key("data");
        json.open(b'{');
        for (slot, asset) in chosen_assets(catalog, self.template, self.ad.combination) {
            let wording = self.language.wording(catalog, asset);
            json.foreign_key(slot);
            match asset.kind {
                AssetKind::Text => json.string(catalog.str(wording.content)),
                AssetKind::Image => {
                    json.open(b'{');
                    json.field("url", catalog.str(wording.content));
                    json.field("alt", catalog.str(wording.alt));
                    json.close(b'}');
                }
            }
        }
        json.close(b'}');
        self.parameters(json);
        json.close(b'}');
        self.rendered(json);
        json.close(b']');
    }

    /// What the template is rendered to: JSON as `data`, anything else as `body`.
    fn rendered(&self, json: &mut Json<'_>) {
        let catalog = self.catalog();
        let renderings = self.answer.snapshot.bundle().renderings();
        let first = self.template.contents.first as usize;
        for (number, content) in catalog.contents_of(self.template).iter().enumerate() {
            json.open(b'{');
            json.field("type", content.kind.name());
            json.field("template", catalog.str(self.template.id));
            json.key(if content.kind.is_json() { "data" } else { "body" });
            json.value(|out| renderings.render_json(first + number, self, out));
            json.close(b'}');
        }
    }

    fn parameters(&self, json: &mut Json<'_>) {
        let mut is_open = false;
        for (parameter, value) in self.bindings() {
            let is_known = match value {
                Binding::Word(_) => true,
                Binding::Signal(signal) => self.answer.admitted.frame().is_known(signal),
            };
            if !is_known {
                continue;
            }
            if !is_open {
                json.key("parameters");
                json.open(b'{');
                is_open = true;
            }
            let bundle = self.answer.snapshot.bundle();
            json.foreign_key(bundle.word(parameter));
            match value {
                Binding::Word(word) => json.string(bundle.word(word)),
                Binding::Signal(signal) => self.signal(signal, json),
            }
        }
        if is_open {
            json.close(b'}');
        }
    }

    /// The bindings that stand behind the `show template` that won; a fixed creative has none.
    fn bindings(&self) -> impl Iterator<Item = (WordId, Binding)> {
        let actions = &self.answer.snapshot.bundle().program().program().actions;
        let shown = self.ad.action.filter(|_| self.ad.creative.is_none());
        let after = shown.and_then(|action| actions.get(action as usize + 1..)).unwrap_or(&[]);
        after.iter().map_while(|action| match action {
            Action::Bind { parameter, value } => Some((*parameter, *value)),
            _ => None,
        })
    }

    fn signal(&self, signal: SignalId, json: &mut Json<'_>) {
        let frame = self.answer.admitted.frame();
        let integer = frame.integer(signal).unwrap_or(0);
        match self.kind_of(signal) {
            Kind::Text => json.string(frame.text(signal).unwrap_or("")),
            Kind::Bool => json.value(|out| {
                out.extend_from_slice(if integer == 0 { b"false" } else { b"true" });
            }),
            Kind::Time => match jiff::Timestamp::from_millisecond(integer) {
                Ok(time) => json.plain(|out| append_display(&time, out)),
                Err(_) => json.value(|out| out.extend_from_slice(b"null")),
            },
            Kind::Number | Kind::Money => {
                json.value(|out| append_number(&(integer as f64 / NUMBER_SCALE as f64), out));
            }
            // Milliseconds, and a version as it is compared. The language binds no sets.
            Kind::Duration | Kind::Version | Kind::Set => json.value(|out| append_number(&integer, out)),
        }
    }

    fn kind_of(&self, signal: SignalId) -> Kind {
        let attributes = &self.answer.snapshot.bundle().program().program().attributes;
        attributes.get(usize::from(signal.0)).map_or(Kind::Text, |attribute| attribute.kind)
    }

    fn parameter<'v>(&'v self, wanted: WordId, buffer: &'v mut ValueBuffer) -> Option<&'v str> {
        let (_, value) = self.bindings().find(|(parameter, _)| *parameter == wanted)?;
        let signal = match value {
            Binding::Word(word) => return Some(self.answer.snapshot.bundle().word(word)),
            Binding::Signal(signal) => signal,
        };
        let frame = self.answer.admitted.frame();
        if !frame.is_known(signal) {
            return None;
        }
        let kind = self.kind_of(signal);
        if kind == Kind::Text {
            return frame.text(signal);
        }
        let integer = frame.integer(signal)?;
        match kind {
            Kind::Bool => Some(if integer == 0 { "false" } else { "true" }),
            Kind::Time => buffer.show(jiff::Timestamp::from_millisecond(integer).ok()?),
            Kind::Number | Kind::Money => buffer.show(integer as f64 / NUMBER_SCALE as f64),
            _ => buffer.show(integer),
        }
    }

    fn asset(&self, slot: u8) -> Option<&Asset> {
        chosen_assets(self.catalog(), self.template, self.ad.combination)
            .nth(usize::from(slot))
            .map(|(_, asset)| asset)
    }

    fn offer<'v>(&'v self, of: Macro, buffer: &'v mut ValueBuffer) -> Option<&'v str> {
        let catalog = self.catalog();
        let offer = &catalog.offers[self.ad.offer?.index()];
        match of {
            Macro::OfferId => Some(catalog.str(offer.id)),
            Macro::OfferType => Some(offer.kind.name()),
            Macro::OfferValue => buffer.show(offer.value as f64 / NUMBER_SCALE as f64),
            Macro::OfferCode => Some(catalog.str(offer.code)).filter(|code| !code.is_empty()),
            _ => buffer.show(offer_expires_at(offer, self.ad.offer_at_ms)?),
        }
    }
}

impl Values for Contents<'_> {
    fn value<'v>(&'v self, of: Macro, buffer: &'v mut ValueBuffer) -> Option<&'v str> {
        let catalog = self.catalog();
        let body = self.answer.body;
        let consent = |text| self.consent(text);
        match of {
            Macro::Slot(slot) => Some(catalog.str(self.language.wording(catalog, self.asset(slot)?).content)),
            Macro::Alt(slot) => Some(catalog.str(self.language.wording(catalog, self.asset(slot)?).alt)),
            Macro::Parameter(parameter) => self.parameter(parameter?, buffer),
            Macro::OfferId
            | Macro::OfferType
            | Macro::OfferValue
            | Macro::OfferCode
            | Macro::OfferExpiresAt => self.offer(of, buffer),
            Macro::ClickUrl => Some(self.urls.click()),
            Macro::ImpressionUrl => Some(self.urls.impression()),
            Macro::ViewableUrl => Some(self.urls.viewable()),
            Macro::CacheBuster => {
                let seed = self.answer.decision_id as u64 ^ u64::from(self.number);
                buffer.show(mix64(seed) >> 32)
            }
            Macro::RequestId => body.request_id.as_ref().map(|id| id.0.as_ref()),
            Macro::DecisionId => buffer.show(format_args!("{:032x}", self.answer.decision_id)),
            Macro::Campaign => Some(catalog.str(catalog.campaigns[self.template.campaign.index()].id)),
            Macro::Creative => Some(catalog.str(match self.ad.creative {
                Some(creative) => catalog.creatives[creative.index()].id,
                None => self.template.id,
            })),
            Macro::Placement => Some(catalog.str(catalog.placements[self.ad.placement.index()].id)),
            Macro::Locale => {
                self.language.locale().map(|locale| catalog.str(catalog.locales[locale.index()]))
            }
            Macro::Timestamp => buffer.show(self.answer.now_ms),
            Macro::ConsentTcf => consent(&body.consent.tcf),
            Macro::ConsentGpp => consent(&body.consent.gpp),
        }
    }
}

impl Contents<'_> {
    /// Nothing about a child is passed on.
    fn consent<'v>(&self, text: &'v Option<super::request::Str<'v>>) -> Option<&'v str> {
        let is_allowed = self.answer.admitted.mode() != Mode::Child;
        text.as_ref().map(|text| text.0.as_ref()).filter(|text| is_allowed && !text.is_empty())
    }
}
