//! What could be written under the cursor.

use super::Workspace;
use crate::check::describe;
use crate::hir::Type;
use crate::lexer::{Token, TokenKind};

/// What a completion is, for its icon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CompletionKind {
    /// A word of the language.
    Keyword,
    /// An attribute.
    Attribute,
    /// A value of a closed list.
    Value,
    /// A segment.
    Segment,
    /// A name from the catalog.
    Name,
}

/// One thing that could be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Completion {
    /// The text to write.
    pub text: String,
    /// What it is.
    pub kind: CompletionKind,
    /// Half a line about it.
    pub detail: String,
}

const ITEMS: [&str; 9] =
    ["attribute", "bundle", "event", "language", "purpose", "rule", "segment", "test", "when"];
const CLAUSES: [&str; 7] = ["when", "unless", "then", "otherwise", "active", "cap", "rollout"];
const ACTIONS: [&str; 8] = [
    "show creative",
    "show template",
    "offer",
    "suppress",
    "no ad",
    "tag",
    "choose first",
    "choose by bandit",
];
const CONDITIONS: [&str; 9] = [
    "not",
    "segment(",
    "match all {",
    "match any {",
    "match none {",
    "definitely(",
    "possibly(",
    "impressions",
    "count of",
];

pub(super) fn complete(workspace: &Workspace<'_>, file: u32, byte: u32) -> Vec<Completion> {
    let mut tokens = workspace.tokens(file);
    // The word being written is not yet there.
    tokens.retain(|token| {
        let is_whole = token.place.end < byte || (token.place.end == byte && !is_name(token));
        is_whole && token.kind != TokenKind::End
    });
    let words: Vec<&str> = tokens.iter().rev().take(4).map(word_of).collect();
    let list = |kind, texts: &[&str]| texts.iter().map(|text| new(text, kind, "")).collect::<Vec<_>>();
    match words.as_slice() {
        ["(", "segment", ..] | ["\"", "(", "segment", ..] => segments(workspace),
        ["creative", ..] => names(&workspace.names.creatives, "creative"),
        ["template", ..] => names(&workspace.names.templates, "template"),
        ["placement", ..] => names(&workspace.names.placements, "placement"),
        ["campaign", ..] => names(&workspace.names.campaigns, "campaign"),
        ["show", ..] => slots(workspace),
        ["then" | "->", ..] => list(CompletionKind::Keyword, &ACTIONS),
        ["when" | "unless" | "and" | "or" | "not" | "(", ..] if !is_in_list(&tokens) => conditions(workspace),
        ["needs", ..] => purposes(),
        _ => after_operand(workspace, &tokens).unwrap_or_else(|| match depth(&tokens) {
            0 => list(CompletionKind::Keyword, &ITEMS),
            1 if block_is(&tokens, "rule") => list(CompletionKind::Keyword, &CLAUSES),
            1 if block_is(&tokens, "test") => list(CompletionKind::Keyword, &["given", "expect"]),
            _ => conditions(workspace),
        }),
    }
}

fn new(text: &str, kind: CompletionKind, detail: &str) -> Completion {
    Completion { text: text.to_owned(), kind, detail: detail.to_owned() }
}

fn quoted(text: &str) -> String {
    format!("\"{text}\"")
}

fn is_name(token: &Token) -> bool {
    matches!(token.kind, TokenKind::Word(_) | TokenKind::Text(_))
}

fn word_of<'a>(token: &Token<'a>) -> &'a str {
    match &token.kind {
        TokenKind::Word(word) => word,
        TokenKind::Sign(sign) => sign,
        TokenKind::Text(_) => "\"",
        TokenKind::Number(_) => "0",
        TokenKind::Version(_) | TokenKind::Date(..) | TokenKind::Clock(_) => "0",
        TokenKind::End => "",
    }
}

fn depth(tokens: &[Token]) -> usize {
    let count = |sign| tokens.iter().filter(|token| token.kind == TokenKind::Sign(sign)).count();
    count("{").saturating_sub(count("}"))
}

/// Does the innermost open block at the margin belong to this kind of item?
fn block_is(tokens: &[Token], item: &str) -> bool {
    let starts = tokens.iter().rev().filter(|token| token.is_at_margin);
    starts.map(word_of).find(|word| *word != "}").is_some_and(|word| word == item)
}

/// Inside the parentheses of `in (…)` or `of (…)`?
fn is_in_list(tokens: &[Token]) -> bool {
    list_start(tokens).is_some()
}

/// Position of the word before the open list's parenthesis.
fn list_start(tokens: &[Token]) -> Option<usize> {
    let mut depth = 0;
    for (at, token) in tokens.iter().enumerate().rev() {
        match word_of(token) {
            ")" => depth += 1,
            "(" if depth > 0 => depth -= 1,
            "(" => {
                let before = at.checked_sub(1)?;
                return ["in", "of", "includes"].contains(&word_of(&tokens[before])).then_some(before);
            }
            "{" | "}" => return None,
            _ => {}
        }
    }
    None
}

/// Tests after an attribute, or values after a test of one.
fn after_operand(workspace: &Workspace<'_>, tokens: &[Token]) -> Option<Vec<Completion>> {
    let last = tokens.last()?;
    if let Some(ty) = type_of(workspace, last) {
        let tests = tests_of(ty);
        return Some(tests.iter().map(|test| new(test, CompletionKind::Keyword, "")).collect());
    }
    let end = list_start(tokens).map_or(tokens.len(), |start| start + 1);
    // An operand is at most four words before its value: `genres not includes any of`.
    let operand = tokens[..end].iter().rev().take(6).find_map(|token| type_of(workspace, token))?;
    let is_before_value = ["is", "in", "of", "==", "!=", "=", ",", "(", "not"].contains(&word_of(last));
    is_before_value.then(|| values_of(operand))
}

fn type_of<'w>(workspace: &'w Workspace<'_>, token: &Token) -> Option<&'w Type> {
    let TokenKind::Word(word) = &token.kind else { return None };
    let id = workspace.vocabulary.find(word)?;
    Some(&workspace.vocabulary.entry(id).ty)
}

fn tests_of(ty: &Type) -> &'static [&'static str] {
    match ty {
        Type::Bool => &["and", "or", "is true", "is false", "is known", "is unknown", "then"],
        Type::Time => &["within", "before", "is known", "is unknown"],
        Type::Text => &["is", "in", "starts with", "ends with", "contains", "is known", "is unknown"],
        Type::Set => &[
            "includes any of",
            "includes all of",
            "includes none of",
            "includes only of",
            "is known",
            "is unknown",
        ],
        Type::OneOf(_) | Type::Country | Type::Language => &["is", "is not", "in", "is known", "is unknown"],
        _ => &[">=", "<=", ">", "<", "==", "!=", "in", "between", "is known", "is unknown"],
    }
}

fn values_of(ty: &Type) -> Vec<Completion> {
    match ty {
        Type::OneOf(values) => values.iter().map(|value| new(value, CompletionKind::Value, "")).collect(),
        Type::Bool => ["true", "false"].map(|value| new(value, CompletionKind::Value, "")).to_vec(),
        Type::Country => {
            let codes = crate::countries::COUNTRIES.split_ascii_whitespace();
            codes.map(|code| new(code, CompletionKind::Value, "country")).collect()
        }
        _ => vec![new("known", CompletionKind::Keyword, ""), new("unknown", CompletionKind::Keyword, "")],
    }
}

fn conditions(workspace: &Workspace<'_>) -> Vec<Completion> {
    let attributes = workspace.vocabulary.names().filter_map(|name| {
        let entry = workspace.vocabulary.entry(workspace.vocabulary.find(name)?);
        Some(new(name, CompletionKind::Attribute, &describe(&entry.ty)))
    });
    let words = CONDITIONS.iter().map(|word| new(word, CompletionKind::Keyword, ""));
    attributes.chain(words).collect()
}

fn segments(workspace: &Workspace<'_>) -> Vec<Completion> {
    let all = workspace.trees.iter().flat_map(|tree| &tree.segments);
    all.map(|segment| new(&quoted(&segment.name.text), CompletionKind::Segment, "segment")).collect()
}

fn names(names: &[String], detail: &str) -> Vec<Completion> {
    names.iter().map(|name| new(&quoted(name), CompletionKind::Name, detail)).collect()
}

fn slots(workspace: &Workspace<'_>) -> Vec<Completion> {
    let mut slots: Vec<&str> = workspace.names.slots.iter().map(|slot| slot.name.as_str()).collect();
    slots.extend(["creative", "template"]);
    slots.sort_unstable();
    slots.dedup();
    slots.into_iter().map(|slot| new(slot, CompletionKind::Keyword, "")).collect()
}

fn purposes() -> Vec<Completion> {
    let all = tessera_wire::signal::PURPOSES.iter();
    all.map(|purpose| new(purpose.name, CompletionKind::Value, purpose.meaning)).collect()
}
