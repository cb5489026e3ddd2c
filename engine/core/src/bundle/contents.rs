//! Compiling the template sources of a bundle, and what they may refer to.

use tessera_wire::catalog::{Catalog, Slot, TemplateId, Text};
use tessera_wire::program::{Action, Program, WordId};

use super::LoadError;
use crate::limits::CONTENTS_PER_TEMPLATE_MAX;
use crate::render::{Renderings, Scope, SlotScope, is_safe_url};

/// Parameters that rules bind, by template.
#[derive(Debug)]
pub struct Parameters {
    of: Vec<Vec<WordId>>,
}

impl Parameters {
    /// Of all templates of a catalog.
    pub fn new(catalog: &Catalog, program: &Program) -> Parameters {
        let mut of: Vec<Vec<WordId>> = vec![Vec::new(); catalog.templates.len()];
        let mut shown: Option<TemplateId> = None;
        for action in &program.actions {
            match action {
                Action::ShowTemplate(template) => shown = Some(*template),
                Action::Bind { parameter, .. } => {
                    let known = shown.and_then(|template| of.get_mut(template.index()));
                    if let Some(known) = known.filter(|known| !known.contains(parameter)) {
                        known.push(*parameter);
                    }
                }
                _ => shown = None,
            }
        }
        Parameters { of }
    }
}

/// What the contents of a template may refer to. Without rules every parameter is taken for known.
pub fn scope_of<'a>(
    catalog: &'a Catalog,
    template: TemplateId,
    rules: Option<(&'a Parameters, &'a Program)>,
) -> Scope<'a> {
    let template_slots = catalog.slots_of(&catalog.templates[template.index()]);
    let parameters = rules.map(|(parameters, program)| {
        let known = parameters.of.get(template.index()).map_or(&[][..], Vec::as_slice);
        known.iter().map(|word| (super::actions::word(program, *word), *word)).collect()
    });
    Scope { slots: template_slots.iter().map(|slot| slot_scope(catalog, slot)).collect(), parameters }
}

fn slot_scope<'a>(catalog: &'a Catalog, slot: &Slot) -> SlotScope<'a> {
    let mut scope =
        SlotScope { name: catalog.str(slot.name), holds_urls: true, holds_images: true, bytes_max: 0 };
    for id in catalog.assets_of(slot) {
        let asset = &catalog.assets[id.index()];
        let mut add = |content: Text, alt: Text| {
            scope.holds_urls &= is_safe_url(catalog.str(content));
            scope.bytes_max = scope.bytes_max.max(content.len as usize).max(alt.len as usize);
        };
        add(asset.content, asset.alt);
        catalog
            .translations_of(asset)
            .iter()
            .for_each(|translation| add(translation.content, translation.alt));
        scope.holds_images &= asset.kind == tessera_wire::catalog::AssetKind::Image;
    }
    scope
}

/// Compiles every content; the number of a content is its place in [`Catalog::contents`].
pub(super) fn compile(catalog: &Catalog, program: &Program) -> Result<Renderings, LoadError> {
    let mut renderings = Renderings::default();
    if catalog.contents.is_empty() {
        return Ok(renderings);
    }
    let broken = |index, rule| LoadError::Catalog { list: "templates", index, rule };
    let parameters = Parameters::new(catalog, program);
    for (index, template) in catalog.templates.iter().enumerate() {
        if template.contents.len as usize > CONTENTS_PER_TEMPLATE_MAX {
            return Err(broken(index, "it has too many contents"));
        }
        if template.contents.len > 0 && template.contents.first as usize != renderings.len() {
            return Err(broken(index, "its contents are not its own"));
        }
        let scope = scope_of(catalog, TemplateId(index as u32), Some((&parameters, program)));
        for content in catalog.contents_of(template) {
            let compiled = renderings.push(content.kind, catalog.str(content.body), &scope);
            compiled.map_err(|cause| LoadError::Content { content: renderings.len(), cause })?;
        }
    }
    if renderings.len() == catalog.contents.len() {
        Ok(renderings)
    } else {
        Err(broken(catalog.templates.len(), "a content belongs to no template"))
    }
}
