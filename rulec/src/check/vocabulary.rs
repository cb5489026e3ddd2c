//! Attributes: built-in, declared, and which of them the program reads.

use std::collections::HashSet;

use ahash::AHashMap;
use tessera_wire::program::{Attribute, Origin, SignalId};
use tessera_wire::signal::{self, BUILTINS, Builtin, BuiltinSpec, Gates, Kind, PURPOSES};

use super::Checker;
use super::value::comparable;
use crate::ast::{AttributeItem, Name, TypeName};
use crate::codes::Code;
use crate::countries::is_country;
use crate::currencies::is_currency;
use crate::diagnostic::{Diagnostic, Place};
use crate::hir::{Signal, Type};

/// Index into [`Vocabulary::entries`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AttributeId(usize);

#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) ty: Type,
    /// What a number counts; often empty.
    pub(crate) unit: String,
    pub(crate) is_caseless: bool,
    pub(crate) origin: Origin,
    pub(crate) gates: Gates,
    /// The purposes that stand for the gates, for messages.
    pub(crate) purposes: Vec<String>,
    /// Where it is declared; built-ins need no declaration.
    pub(crate) place: Option<Place>,
    /// The words of a closed list, because such a list can be long.
    words: HashSet<String>,
    /// Can rules name it? Counts and buckets have spellings of their own.
    is_nameable: bool,
    signal: Option<SignalId>,
}

impl Entry {
    fn new(name: String, ty: Type, origin: Origin, gates: Gates, purposes: Vec<String>) -> Entry {
        let words = words_of(&ty);
        Entry {
            name,
            ty,
            unit: String::new(),
            is_caseless: false,
            origin,
            gates,
            purposes,
            place: None,
            words,
            is_nameable: true,
            signal: None,
        }
    }

    /// Has the attribute a closed list of words?
    pub(crate) fn is_closed(&self) -> bool {
        matches!(self.ty, Type::OneOf(_) | Type::Country | Type::Language | Type::Currency)
    }

    /// Can the attribute have this word?
    pub(crate) fn has_word(&self, text: &str) -> bool {
        match self.ty {
            Type::OneOf(_) | Type::SetOf(_) => self.words.contains(text),
            Type::Country => is_country(text),
            Type::Currency => is_currency(text),
            Type::Timezone => super::schedule::zone(text).is_some(),
            Type::Language => {
                matches!(text.len(), 2 | 3) && text.bytes().all(|byte| byte.is_ascii_lowercase())
            }
            _ => true,
        }
    }
}

fn words_of(ty: &Type) -> HashSet<String> {
    match ty {
        Type::OneOf(values) | Type::SetOf(values) => values.iter().cloned().collect(),
        _ => HashSet::new(),
    }
}

/// Every attribute that can be named. Only those that are used become signals of the program.
#[derive(Debug, Default)]
pub(crate) struct Vocabulary {
    entries: Vec<Entry>,
    by_name: AHashMap<String, AttributeId>,
    signals: Vec<AttributeId>,
}

impl Vocabulary {
    pub(crate) fn new() -> Vocabulary {
        let mut vocabulary = Vocabulary::default();
        for spec in &BUILTINS {
            let origin = Origin::Builtin(spec.builtin);
            let name = spec.name.to_owned();
            vocabulary.insert(Entry::new(
                name,
                builtin_type(spec),
                origin,
                spec.gates,
                purposes_of(spec.gates),
            ));
        }
        vocabulary
    }

    fn insert(&mut self, entry: Entry) -> AttributeId {
        let id = AttributeId(self.entries.len());
        self.by_name.insert(entry.name.clone(), id);
        self.entries.push(entry);
        id
    }

    /// A signal that the compiler made up, under a name that no declaration can have.
    pub(crate) fn derived(
        &mut self,
        name: String,
        ty: Type,
        gates: Gates,
        purpose: &str,
        origin: impl FnOnce() -> Origin,
    ) -> AttributeId {
        if let Some(id) = self.find(&name) {
            return id;
        }
        let purposes = if purpose.is_empty() { Vec::new() } else { vec![purpose.to_owned()] };
        let entry = Entry::new(name, ty, origin(), gates, purposes);
        self.insert(Entry { is_nameable: false, ..entry })
    }

    /// Declared attributes that the program does not read, with the places of their declarations. Declaring a built-in
    /// again is no use of it, but narrows what others may say about it.
    pub(crate) fn unused(&self) -> Vec<(String, Place)> {
        let is_idle = |entry: &&Entry| entry.signal.is_none() && !matches!(entry.origin, Origin::Builtin(_));
        let idle = self.entries.iter().filter(is_idle);
        idle.filter_map(|entry| Some((entry.name.clone(), entry.place?))).collect()
    }

    /// Every name, sorted.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.by_name.keys().map(String::as_str)
    }

    pub(crate) fn find(&self, name: &str) -> Option<AttributeId> {
        self.by_name.get(name).copied()
    }

    pub(crate) fn builtin(&self, builtin: Builtin) -> AttributeId {
        // Built-ins are inserted first and in the order of their numbers.
        AttributeId(builtin as usize)
    }

    pub(crate) fn entry(&self, id: AttributeId) -> &Entry {
        &self.entries[id.0]
    }

    /// The attribute's place in the program, given to it on first use.
    pub(crate) fn signal(&mut self, id: AttributeId) -> SignalId {
        let next = SignalId(self.signals.len() as u16);
        let entry = &mut self.entries[id.0];
        if let Some(signal) = entry.signal {
            return signal;
        }
        if self.signals.len() < usize::from(u16::MAX) {
            entry.signal = Some(next);
            self.signals.push(id);
        }
        next
    }

    /// The attribute's place in the program, if the program reads it.
    pub(crate) fn used_signal(&self, id: AttributeId) -> Option<SignalId> {
        self.entry(id).signal
    }

    pub(crate) fn of_signal(&self, signal: SignalId) -> Option<&Entry> {
        self.signals.get(signal.0 as usize).map(|id| self.entry(*id))
    }

    /// Signals that the program reads.
    pub(crate) fn used(&self) -> impl ExactSizeIterator<Item = (SignalId, &Entry)> {
        let entry = |(at, id): (usize, &AttributeId)| (SignalId(at as u16), self.entry(*id));
        self.signals.iter().enumerate().map(entry)
    }

    pub(crate) fn signals(&self) -> Vec<Signal> {
        self.signals.iter().map(|id| to_signal(self.entry(*id))).collect()
    }
}

fn to_signal(entry: &Entry) -> Signal {
    let currency = match &entry.ty {
        Type::Money(currency) => currency.clone(),
        _ => String::new(),
    };
    let attribute = Attribute {
        name: entry.name.clone(),
        kind: kind_of(&entry.ty),
        currency,
        origin: entry.origin.clone(),
        gates: entry.gates,
        needs_text: false,
        is_caseless: entry.is_caseless,
    };
    Signal { ty: entry.ty.clone(), unit: entry.unit.clone(), attribute }
}

fn builtin_type(spec: &BuiltinSpec) -> Type {
    match (spec.builtin, spec.kind) {
        (Builtin::Country, _) => Type::Country,
        (Builtin::Language, _) => Type::Language,
        (Builtin::MinuteOfWeek, _) => Type::MinuteOfWeek,
        (_, Kind::Text) if !spec.values.is_empty() => {
            Type::OneOf(spec.values.iter().map(|value| (*value).to_owned()).collect())
        }
        (_, Kind::Bool) => Type::Bool,
        (_, Kind::Number) => Type::Number(None),
        (_, Kind::Money) => Type::Money(String::new()),
        (_, Kind::Text) => Type::Text,
        (_, Kind::Set) => Type::Set,
        (_, Kind::Time) => Type::Time,
        (_, Kind::Duration) => Type::Duration,
        (_, Kind::Version) => Type::Version,
    }
}

fn kind_of(ty: &Type) -> Kind {
    match ty {
        Type::Bool => Kind::Bool,
        Type::Number(_) | Type::Percent | Type::Bucket | Type::MinuteOfWeek => Kind::Number,
        Type::Money(_) => Kind::Money,
        Type::Text | Type::OneOf(_) | Type::Country | Type::Language | Type::Currency | Type::Timezone => {
            Kind::Text
        }
        Type::Set | Type::SetOf(_) => Kind::Set,
        Type::Duration => Kind::Duration,
        Type::Version => Kind::Version,
        Type::Time => Kind::Time,
    }
}

fn declared_type(ty: &TypeName) -> Type {
    match ty {
        TypeName::Bool => Type::Bool,
        TypeName::Number(bounds) => Type::Number(*bounds),
        TypeName::Percent => Type::Percent,
        TypeName::Money(currency) => Type::Money(currency.clone()),
        TypeName::Text => Type::Text,
        TypeName::OneOf(values) => Type::OneOf(comparable_all(values)),
        TypeName::Country => Type::Country,
        TypeName::Language => Type::Language,
        TypeName::Currency => Type::Currency,
        TypeName::Timezone => Type::Timezone,
        TypeName::Duration => Type::Duration,
        TypeName::Version => Type::Version,
        TypeName::SetOf(values) => Type::SetOf(comparable_all(values)),
        TypeName::Set => Type::Set,
        TypeName::Time => Type::Time,
    }
}

fn comparable_all(values: &[String]) -> Vec<String> {
    values.iter().map(|value| comparable(value, false)).collect()
}

fn purposes_of(gates: Gates) -> Vec<String> {
    let named = PURPOSES.iter().filter(|purpose| gates.covers(purpose.gates) && purpose.name != "behaviour");
    named.map(|purpose| purpose.name.to_owned()).collect()
}

impl Checker<'_> {
    /// The gates of a purpose; reported when there is no such purpose.
    pub(super) fn purpose(&mut self, name: &Name) -> Option<Gates> {
        if let Some(purpose) = signal::purpose(&name.text) {
            return Some(purpose.gates);
        }
        let message = format!("there is no consent purpose `{}`", name.text);
        let near = self.near(&name.text, PURPOSES.iter().map(|purpose| purpose.name));
        let known: Vec<&str> = PURPOSES.iter().map(|purpose| purpose.name).collect();
        self.sink.push(
            Diagnostic::new(Code::E042, name.place, message)
                .did_you_mean(near)
                .help(format!("the purposes are: {}", known.join(", "))),
        );
        None
    }

    pub(super) fn declare(&mut self, item: &AttributeItem) {
        let mut gates = Gates::NONE;
        let mut purposes = Vec::new();
        for name in &item.needs {
            // A misspelt purpose must not leave the attribute open: the error stops the bundle anyway.
            gates = gates.or(self.purpose(name).unwrap_or(Gates::ALL));
            purposes.push(name.text.clone());
        }
        match self.vocabulary.find(&item.name.text) {
            Some(id) => self.declare_again(id, item, gates, purposes),
            None => self.declare_new(item, gates, purposes),
        }
    }

    fn declare_new(&mut self, item: &AttributeItem, mut gates: Gates, mut purposes: Vec<String>) {
        let name = item.name.text.clone();
        let is_from_request = item.is_from_request == Some(true);
        // Safe default: what the visitor's profile says needs consent unless the author names another purpose.
        if !is_from_request && purposes.is_empty() {
            gates = Gates::ADS_PERSONALIZE;
            purposes.push("ads_personalization".to_owned());
        }
        let origin =
            if is_from_request { Origin::Context(name.clone()) } else { Origin::Trait(name.clone()) };
        let entry = Entry::new(name, declared_type(&item.ty), origin, gates, purposes);
        self.vocabulary.insert(Entry {
            unit: item.unit.as_ref().map_or_else(String::new, |unit| unit.text.clone()),
            is_caseless: item.is_caseless,
            place: Some(item.name.place),
            ..entry
        });
    }

    /// A second declaration is right only for a built-in, and only when it narrows.
    fn declare_again(&mut self, id: AttributeId, item: &AttributeItem, gates: Gates, purposes: Vec<String>) {
        let entry = self.vocabulary.entry(id);
        if let Some(first) = entry.place {
            self.report_twice("attribute", &item.name, first);
            return;
        }
        let declared = declared_type(&item.ty);
        let is_narrower = match (&declared, &entry.ty) {
            (Type::OneOf(values), Type::OneOf(known)) => values.iter().all(|value| known.contains(value)),
            (_, Type::OneOf(_) | Type::Country | Type::Language) => declared == entry.ty,
            _ => kind_of(&declared) == kind_of(&entry.ty),
        };
        if !is_narrower {
            let message = format!("`{}` is built in and has another type", item.name.text);
            let help = format!("it is {}", super::value::describe(&entry.ty));
            self.sink.push(Diagnostic::new(Code::E049, item.type_place, message).help(help));
            return;
        }
        let entry = &mut self.vocabulary.entries[id.0];
        entry.words = words_of(&declared);
        entry.ty = declared;
        entry.unit = item.unit.as_ref().map_or_else(String::new, |unit| unit.text.clone());
        entry.is_caseless = item.is_caseless;
        entry.gates = entry.gates.or(gates);
        entry.purposes.extend(purposes);
        entry.purposes.sort();
        entry.purposes.dedup();
        entry.place = Some(item.name.place);
    }

    /// The attribute of this name; reported when there is none.
    pub(super) fn attribute(&mut self, name: &Name) -> Option<AttributeId> {
        if let Some(id) = self.vocabulary.find(&name.text) {
            return Some(id);
        }
        let nameable = self.vocabulary.entries.iter().filter(|entry| entry.is_nameable);
        let near = self.near(&name.text, nameable.map(|entry| entry.name.as_str()));
        // In a block a misspelt connective looks like the next condition.
        let near = near.or_else(|| self.near(&name.text, ["and", "or", "unless"].into_iter()));
        let message = format!("there is no attribute `{}`", name.text);
        let mut diagnostic = Diagnostic::new(Code::E040, name.place, message).did_you_mean(near);
        if near.is_none() {
            diagnostic =
                diagnostic.help(format!("declare it: attribute {} : number from request", name.text));
        }
        self.sink.push(diagnostic);
        None
    }
}
