//! What stands between two tokens of a line, and how a token is spelt.

use crate::lexer::{Token, TokenKind};

/// Words that are written like functions.
const FUNCTIONS: [&str; 6] = ["segment", "definitely", "possibly", "money", "active", "count"];

/// Is there a space between two neighbours of one line? `was_tight` tells how the author wrote them.
pub(super) fn is_spaced(before: &[Token], token: &Token, was_tight: bool, is_declaration: bool) -> bool {
    let Some(last) = before.last() else { return false };
    match (sign(last), sign(token)) {
        (_, Some("," | ")")) | (Some("("), _) => false,
        (_, Some("%")) => matches!(last.kind, TokenKind::Word(_)),
        (Some(","), _) | (_, Some("->" | "{" | "}")) | (Some("->" | "{" | "}"), _) => true,
        (_, Some("(")) => !is_function(last),
        (Some(".." | "..<"), _) => before.len() > 1 && ends_with_unit(&before[..before.len() - 1]),
        (_, Some(".." | "..<")) => ends_with_unit(before),
        (Some(":"), _) | (_, Some(":")) => is_declaration,
        (Some("-" | "."), _) | (_, Some("-" | ".")) => !was_tight,
        (Some(_), _) | (_, Some(_)) => true,
        // Parts of a date or a version stick together; two words never do.
        _ => !was_tight,
    }
}

/// The token as the one layout spells it; `source` is what the author wrote.
pub(super) fn spelling<'t>(token: &Token, next: Option<&Token>, source: &'t str, is_given: bool) -> &'t str {
    let is_number = |token: &&Token| matches!(token.kind, TokenKind::Number(_));
    let is_name = |token: &&Token| matches!(token.kind, TokenKind::Word(_) | TokenKind::Text(_));
    match sign(token) {
        Some("=") if !is_given && next.filter(is_number).is_some() => "==",
        Some("=" | "==") if !is_given && next.filter(is_name).is_some() => "is",
        Some("!=") if next.filter(is_name).is_some() => "is not",
        _ => source,
    }
}

fn sign(token: &Token) -> Option<&'static str> {
    match token.kind {
        TokenKind::Sign(sign) => Some(sign),
        _ => None,
    }
}

fn is_function(token: &Token) -> bool {
    matches!(&token.kind, TokenKind::Word(word) if FUNCTIONS.contains(word))
}

/// `50 EUR .. 100 EUR` has room around its dots, `18..24` and `mon..fri` have none.
fn ends_with_unit(tokens: &[Token]) -> bool {
    match tokens {
        [.., number, unit] => {
            let is_unit = matches!(unit.kind, TokenKind::Word(_)) || sign(unit) == Some("%");
            is_unit && matches!(number.kind, TokenKind::Number(_))
        }
        _ => false,
    }
}
