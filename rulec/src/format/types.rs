//! What is declared about attributes, as far as spelling depends on it: their units and whether words stand without quotes.

use std::collections::HashMap;

use tessera_wire::signal::{BUILTINS, Builtin, BuiltinSpec, Kind};

use crate::ast::{AttributeItem, File, TypeName};

/// How values of an attribute are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Not declared.
    Unknown,
    Bool,
    /// With the label of its unit, or an empty one.
    Number(String),
    Percent,
    /// With its currency, or an empty one.
    Money(String),
    /// Any text, or a set of them: in quotes.
    Text,
    /// A closed list, or a set from one: words stand without quotes.
    Words,
    Time,
    Duration,
    Version,
}

impl Shape {
    /// A number without a unit, such as a count.
    pub(crate) const PLAIN_NUMBER: Shape = Shape::Number(String::new());

    /// Is equality written with signs?
    pub(crate) fn is_ordered(&self) -> bool {
        !matches!(self, Shape::Unknown | Shape::Bool | Shape::Text | Shape::Words)
    }
}

/// Shapes of all attributes by name.
#[derive(Debug, Clone)]
pub(crate) struct Types(HashMap<String, Shape>);

impl Types {
    /// Of the built-in signals and of what the files declare; a later declaration wins.
    pub(crate) fn new(files: &[File]) -> Types {
        let mut types = HashMap::new();
        for spec in &BUILTINS {
            types.insert(spec.name.to_owned(), builtin(spec));
        }
        for item in files.iter().flat_map(|file| &file.attributes) {
            types.insert(item.name.text.clone(), declared(item));
        }
        Types(types)
    }

    pub(crate) fn shape(&self, name: &str) -> &Shape {
        self.0.get(name).unwrap_or(&Shape::Unknown)
    }
}

fn builtin(spec: &BuiltinSpec) -> Shape {
    match (spec.builtin, spec.kind) {
        (Builtin::Country | Builtin::Language, _) => Shape::Words,
        (_, Kind::Text | Kind::Set) if !spec.values.is_empty() => Shape::Words,
        (_, Kind::Text | Kind::Set) => Shape::Text,
        (_, Kind::Bool) => Shape::Bool,
        (_, Kind::Number) => Shape::PLAIN_NUMBER,
        (_, Kind::Money) => Shape::Money(String::new()),
        (_, Kind::Time) => Shape::Time,
        (_, Kind::Duration) => Shape::Duration,
        (_, Kind::Version) => Shape::Version,
    }
}

fn declared(item: &AttributeItem) -> Shape {
    match &item.ty {
        TypeName::Bool => Shape::Bool,
        TypeName::Number(_) => {
            Shape::Number(item.unit.as_ref().map_or(String::new(), |unit| unit.text.clone()))
        }
        TypeName::Percent => Shape::Percent,
        TypeName::Money(currency) => Shape::Money(currency.clone()),
        TypeName::Text | TypeName::Set => Shape::Text,
        TypeName::OneOf(_)
        | TypeName::Country
        | TypeName::Language
        | TypeName::Currency
        | TypeName::Timezone
        | TypeName::SetOf(_) => Shape::Words,
        TypeName::Time => Shape::Time,
        TypeName::Duration => Shape::Duration,
        TypeName::Version => Shape::Version,
    }
}
