//! Other engines on the same rules: `a-tree`, an index of shared sub-expressions, and `cel`, an expression walker.
//!
//! Both treat unknown values like Kleene. Their events are built in their own form outside the timing.

use a_tree::{ATree, AttributeDefinition};
use anyhow::anyhow;
use cel::{Context, Program};
use tessera_fixtures::workload::attributes::{ATTRIBUTES, Shape};
use tessera_fixtures::workload::events::{Event, Value};
use tessera_fixtures::workload::rules::Expression;
use tessera_fixtures::workload::text::{a_tree_text, cel_text};

use crate::Matches;

/// `a-tree` with its events.
pub(crate) struct ATreePeer {
    tree: ATree<u32>,
    events: Vec<a_tree::Event>,
}

impl ATreePeer {
    pub(crate) fn build(rules: &[Expression], test: &[Event]) -> anyhow::Result<ATreePeer> {
        let definitions = ATTRIBUTES.iter().map(|attribute| match attribute.shape {
            Shape::Integer { .. } => AttributeDefinition::integer(attribute.name),
            Shape::Bool { .. } => AttributeDefinition::boolean(attribute.name),
            Shape::List { .. } => AttributeDefinition::string_list(attribute.name),
            Shape::Word { .. } | Shape::Region | Shape::City => AttributeDefinition::string(attribute.name),
        });
        let definitions: Vec<AttributeDefinition> = definitions.collect();
        let mut tree = ATree::<u32>::new(&definitions).map_err(|error| anyhow!("a-tree: {error:?}"))?;
        for (rule, id) in rules.iter().zip(0u32..) {
            tree.insert(&id, &a_tree_text(rule)).map_err(|error| anyhow!("a-tree: {error:?}"))?;
        }
        let events = test.iter().map(|event| a_tree_event(&tree, event)).collect::<Result<_, _>>()?;
        Ok(ATreePeer { tree, events })
    }

    pub(crate) fn count(&self, event: usize) -> u64 {
        self.tree.search(&self.events[event]).map_or(0, |report| report.matches().len() as u64)
    }

    pub(crate) fn matches(&self) -> Matches {
        let of_one = |event: &a_tree::Event| {
            let mut ids: Vec<u32> = self
                .tree
                .search(event)
                .map(|report| report.matches().iter().map(|id| **id).collect())
                .unwrap_or_default();
            ids.sort_unstable();
            ids
        };
        self.events.iter().map(of_one).collect()
    }
}

fn a_tree_event(tree: &ATree<u32>, event: &Event) -> anyhow::Result<a_tree::Event> {
    let mut builder = tree.make_event();
    for (attribute, value) in ATTRIBUTES.iter().zip(event) {
        let name = attribute.name;
        let put = match value {
            None => builder.with_undefined(name),
            Some(Value::Word(number)) => builder.with_string(name, &attribute.word(*number)),
            Some(Value::Integer(value)) => builder.with_integer(name, *value),
            Some(Value::Bool(value)) => builder.with_boolean(name, *value),
            Some(Value::List(members)) => {
                let words: Vec<String> = members.iter().map(|member| attribute.word(*member)).collect();
                let words: Vec<&str> = words.iter().map(String::as_str).collect();
                builder.with_string_list(name, &words)
            }
        };
        put.map_err(|error| anyhow!("a-tree: {error:?}"))?;
    }
    builder.build().map_err(|error| anyhow!("a-tree: {error:?}"))
}

/// `cel`: every rule is a program, every request a context.
pub(crate) struct CelPeer {
    programs: Vec<Program>,
    contexts: Vec<Context<'static, 'static>>,
}

impl CelPeer {
    pub(crate) fn build(rules: &[Expression], test: &[Event]) -> anyhow::Result<CelPeer> {
        let programs = rules
            .iter()
            .map(|rule| Program::compile(&cel_text(rule)).map_err(|error| anyhow!("cel: {error}")))
            .collect::<Result<_, _>>()?;
        let contexts = test.iter().map(cel_context).collect::<Result<_, _>>()?;
        Ok(CelPeer { programs, contexts })
    }

    pub(crate) fn count(&self, event: usize) -> u64 {
        self.of(event).count() as u64
    }

    /// An error, such as a value that is not there, is not a match.
    fn of(&self, event: usize) -> impl Iterator<Item = u32> {
        let context = &self.contexts[event];
        let is_true = |program: &Program| matches!(program.execute(context), Ok(cel::Value::Bool(true)));
        (0u32..).zip(&self.programs).filter(move |(_, program)| is_true(program)).map(|(id, _)| id)
    }

    pub(crate) fn matches(&self) -> Matches {
        (0..self.contexts.len()).map(|event| self.of(event).collect()).collect()
    }
}

fn cel_context(event: &Event) -> anyhow::Result<Context<'static, 'static>> {
    let mut context = Context::default();
    for (attribute, value) in ATTRIBUTES.iter().zip(event) {
        let Some(value) = value else { continue };
        let value: cel::Value = match value {
            Value::Word(number) => attribute.word(*number).into(),
            Value::Integer(value) => (*value).into(),
            Value::Bool(value) => (*value).into(),
            Value::List(members) => {
                let words: Vec<cel::Value> =
                    members.iter().map(|member| attribute.word(*member).into()).collect();
                words.into()
            }
        };
        context.add_variable_from_value(attribute.name, value);
    }
    Ok(context)
}
