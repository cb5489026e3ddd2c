//! What an ad is made of, as JSON: the chosen assets, and the parameters that the rule binds.
//!
//! A parameter bound to a signal is there only when the signal was granted and is known: bound values are read from the
//! admitted frame, so nothing reaches an answer that rules may not read. Texts come in the form in which rules compare
//! them. Cost: one pass over the bindings that follow the rule's `show`; nothing when there are none.

use tessera_engine_core::admit::Admitted;
use tessera_engine_core::decide::Ad;
use tessera_engine_core::snapshot::Snapshot;
use tessera_wire::catalog::{AssetKind, Template};
use tessera_wire::program::{Action, Binding, SignalId, WordId};
use tessera_wire::signal::{Kind, NUMBER_SCALE};

use super::answer::{append_display, append_number, chosen_assets};
use super::json::Json;

/// One ad's contents.
pub(super) struct Contents<'a> {
    pub(super) snapshot: &'a Snapshot,
    pub(super) admitted: &'a Admitted<'a>,
    pub(super) ad: &'a Ad,
    pub(super) template: &'a Template,
}

impl Contents<'_> {
    /// Appends the `contents` of an ad.
    pub(super) fn append(&self, json: &mut Json<'_>) {
        let catalog = self.snapshot.bundle().catalog();
        json.key("contents");
        json.open(b'[');
        json.open(b'{');
        json.field("type", "slots");
        json.field("template", catalog.str(self.template.id));
        json.key("data");
        json.open(b'{');
        for (slot, asset) in chosen_assets(catalog, self.template, self.ad.combination) {
            json.foreign_key(slot);
            match asset.kind {
                AssetKind::Text => json.string(catalog.str(asset.content)),
                AssetKind::Image => {
                    json.open(b'{');
                    json.field("url", catalog.str(asset.content));
                    json.field("alt", catalog.str(asset.alt));
                    json.close(b'}');
                }
            }
        }
        json.close(b'}');
        self.parameters(json);
        json.close(b'}');
        json.close(b']');
    }

    fn parameters(&self, json: &mut Json<'_>) {
        let mut is_open = false;
        for (parameter, value) in self.bindings() {
            let is_known = match value {
                Binding::Word(_) => true,
                Binding::Signal(signal) => self.admitted.frame().is_known(signal),
            };
            if !is_known {
                continue;
            }
            if !is_open {
                json.key("parameters");
                json.open(b'{');
                is_open = true;
            }
            json.foreign_key(self.snapshot.bundle().word(parameter));
            match value {
                Binding::Word(word) => json.string(self.snapshot.bundle().word(word)),
                Binding::Signal(signal) => self.signal(signal, json),
            }
        }
        if is_open {
            json.close(b'}');
        }
    }

    /// The bindings that stand behind the `show template` that won; a fixed creative has none.
    fn bindings(&self) -> impl Iterator<Item = (WordId, Binding)> {
        let actions = &self.snapshot.bundle().program().program().actions;
        let shown = self.ad.action.filter(|_| self.ad.creative.is_none());
        let after = shown.and_then(|action| actions.get(action as usize + 1..)).unwrap_or(&[]);
        after.iter().map_while(|action| match action {
            Action::Bind { parameter, value } => Some((*parameter, *value)),
            _ => None,
        })
    }

    fn signal(&self, signal: SignalId, json: &mut Json<'_>) {
        let frame = self.admitted.frame();
        let attributes = &self.snapshot.bundle().program().program().attributes;
        let kind = attributes.get(usize::from(signal.0)).map_or(Kind::Text, |attribute| attribute.kind);
        let integer = frame.integer(signal).unwrap_or(0);
        match kind {
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
}
