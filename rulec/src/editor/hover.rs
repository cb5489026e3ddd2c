//! What an editor shows about the thing under the cursor.

use tessera_wire::program::Origin;

use super::{Symbol, Workspace, symbol_of, token_at};
use crate::check::describe;
use crate::diagnostic::Place;
use crate::lexer::{Token, TokenKind};

/// Keywords that are worth a line.
const KEYWORDS: [(&str, &str); 16] = [
    ("when", "The rule matches only when this is known to be true."),
    ("unless", "The rule does not match when this is known to be true. Unknown does not exclude anybody."),
    ("definitely", "True only when the condition is known to be true: unknown becomes false."),
    ("possibly", "True unless the condition is known to be false: unknown becomes true."),
    ("known", "There is a value that may be used."),
    ("unknown", "There is no value, or no consent to use it."),
    ("contextual", "The rule must work without consent."),
    ("fallback", "Asked only when no other rule filled the placement. Must work without consent."),
    (
        "otherwise",
        "When the rule's `when` and `unless` are not known to hold; in `choose first`: when no tier matched.",
    ),
    ("rollout", "Only this share of visitors, always the same ones for one salt."),
    ("cap", "At most so many impressions per visitor in a rolling window. Needs `frequency`."),
    ("active", "Only at these times."),
    ("split", "Deals visitors to arms by a sticky hash of the salt."),
    ("bandit", "Learns which arm works best and shows it more often."),
    ("suppress", "Keeps the placement empty."),
    ("needs", "Consent purposes without which the attribute is unknown."),
];

pub(super) fn hover(workspace: &Workspace<'_>, file: u32, byte: u32) -> Option<(Place, String)> {
    let tokens = workspace.tokens(file);
    let at = token_at(&tokens, byte)?;
    let place = tokens[at].place;
    let text = match symbol_of(&tokens, at) {
        Some(Symbol::Segment(name)) => segment(workspace, &name),
        Some(Symbol::Attribute(name)) => attribute(workspace, &name),
        None => rule(workspace, &tokens, at),
    };
    let keyword = || match &tokens[at].kind {
        TokenKind::Word(word) => {
            let found = KEYWORDS.iter().find(|(keyword, _)| keyword == word)?;
            Some(format!("`{}`: {}", found.0, found.1))
        }
        _ => None,
    };
    Some((place, text.or_else(keyword)?))
}

fn attribute(workspace: &Workspace<'_>, name: &str) -> Option<String> {
    let entry = workspace.vocabulary.entry(workspace.vocabulary.find(name)?);
    let origin = match &entry.origin {
        Origin::Builtin(_) => "built in",
        Origin::Trait(_) => "from the visitor's profile",
        Origin::Context(_) => "from the request",
        Origin::Feature(_) => "counted by the engine",
        Origin::Bucket { .. } => "a sticky bucket",
        Origin::MinuteOfWeek(_) => "the clock of a time zone",
    };
    Some(format!("`{name}`: {}, {origin}\n\n{}", describe(&entry.ty), consent(&entry.purposes)))
}

fn segment(workspace: &Workspace<'_>, name: &str) -> Option<String> {
    let text = workspace.segment_text(name)?;
    let consent = consent(&workspace.purposes_of_segment(name));
    let share = workspace.share(|case| case.segment_truth(name));
    let share = share.map_or(String::new(), |share| format!("\n\n{share}"));
    Some(format!("segment \"{name}\"\n\n```rules\n{text}\n```\n\n{consent}{share}"))
}

/// The name of a rule where it is defined: what share of the sample it matches.
fn rule(workspace: &Workspace<'_>, tokens: &[Token<'_>], at: usize) -> Option<String> {
    let TokenKind::Text(name) = tokens[at].kind else { return None };
    if tokens.get(at.checked_sub(1)?)?.kind != TokenKind::Word("rule") {
        return None;
    }
    let name = name.value();
    let share = workspace.share(|case| case.rule_truth(&name))?;
    Some(format!("rule \"{name}\" {share}"))
}

fn consent(purposes: &[String]) -> String {
    if purposes.is_empty() {
        "works without consent".to_owned()
    } else {
        format!("needs consent for: {}", purposes.join(", "))
    }
}
