//! The registry of diagnostic codes: what each means, in a title, a paragraph and an example.
//!
//! Guarantees: a code is never reused for something else; every code has a case in `fixtures/rules/` and a line in
//! `docs/LANGUAGE.md` (tests check both).

use crate::diagnostic::Severity;

/// A stable diagnostic code. `E` codes stop the bundle, `W` codes warn.
#[allow(missing_docs)] // The registry below documents each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Code {
    E001,
    E002,
    E003,
    E004,
    E005,
    E006,
    E007,
    E008,
    E020,
    E030,
    E031,
    E032,
    E033,
    E034,
    E035,
    E036,
    E037,
    E040,
    E041,
    E042,
    E043,
    E044,
    E045,
    E046,
    E047,
    E048,
    E049,
    E050,
    W050,
    W051,
    W052,
    E053,
    W054,
    W055,
    W056,
    W057,
    W058,
    E060,
    W061,
    E062,
    W070,
    W071,
    E080,
    E090,
    E091,
}

/// What one code means.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// The code.
    pub code: Code,
    /// Half a line.
    pub title: &'static str,
    /// One paragraph.
    pub explanation: &'static str,
    /// Source that causes it.
    pub example: &'static str,
}

impl Code {
    /// Whether this code stops the bundle.
    pub fn severity(self) -> Severity {
        match self {
            Code::W050
            | Code::W051
            | Code::W052
            | Code::W054
            | Code::W055
            | Code::W056
            | Code::W057
            | Code::W058
            | Code::W061
            | Code::W070
            | Code::W071 => Severity::Warning,
            _ => Severity::Error,
        }
    }

    /// What it means.
    pub fn entry(self) -> &'static Entry {
        &REGISTRY[self as usize]
    }
}

impl std::fmt::Display for Code {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{self:?}")
    }
}

const fn entry(code: Code, title: &'static str, explanation: &'static str, example: &'static str) -> Entry {
    Entry { code, title, explanation, example }
}

/// Every code, in the order of [`Code`].
pub const REGISTRY: [Entry; 45] = [
    entry(
        Code::E001,
        "unclosed text",
        "A text starts with a double quote and must end with one on the same line.",
        "rule \"young {",
    ),
    entry(
        Code::E002,
        "typographic character",
        "Word processors replace quotes and signs by look-alikes. The language has one spelling for each; the message shows it.",
        "when age ≥ 18 then no ad",
    ),
    entry(
        Code::E003,
        "unexpected character",
        "The character has no meaning in the language, or stands for a word: write `and`, `or`, `not` instead of signs.",
        "when a && b then no ad",
    ),
    entry(
        Code::E004,
        "number out of reach",
        "Numbers have at most six decimals and their absolute value stays below about nine million million.",
        "when age > 1.2345678 then no ad",
    ),
    entry(
        Code::E005,
        "too much source",
        "One file has at most 64 MiB, one compilation at most 10,000 files, one text at most 1,024 bytes. \
         Split large rule sets by campaign.",
        "(a file of 65 MiB)",
    ),
    entry(
        Code::E006,
        "nested too deeply",
        "Parentheses, blocks and segments may stand inside one another only so deep. Name a part as a segment, or flatten it.",
        "when ((((… (a) …)))) then no ad",
    ),
    entry(
        Code::E007,
        "condition too large",
        "With its segments expanded a condition has more than 10,000 tests. Use lists (`in (a, b, c)`) instead of long `or` chains.",
        "segment \"a\" { segment(\"b\") segment(\"b\") }",
    ),
    entry(
        Code::E008,
        "impossible date or time",
        "The calendar has no such day, or the day no such time. Dates are written 2026-11-27, times 23:59.",
        "rule \"x\" { active from 2026-02-30 then no ad }",
    ),
    entry(
        Code::E020,
        "`and` and `or` are mixed without parentheses",
        "Readers disagree about which of the two binds closer, so the language refuses the mixture. The message shows both readings.",
        "when a and b or c then no ad",
    ),
    entry(
        Code::E030,
        "something else was expected",
        "The text does not follow the grammar at this place. The message says what could stand here.",
        "rule \"x\" { then }",
    ),
    entry(
        Code::E031,
        "misspelt keyword",
        "A word stands where a keyword is expected and looks like one.",
        "wen age >= 18 then no ad",
    ),
    entry(
        Code::E032,
        "unknown edition of the language",
        "`language N` names the edition a file is written in. This compiler knows edition 1.",
        "language 7",
    ),
    entry(
        Code::E033,
        "a rule without `then`",
        "Every rule says what happens when its condition is true. To show nothing, write `then no ad`.",
        "rule \"x\" { when country is RO }",
    ),
    entry(
        Code::E034,
        "given twice",
        "A name, clause or header part that can appear once appears again. Rules and segments are told apart by name.",
        "rule \"x\" priority 1 priority 2 { then no ad }",
    ),
    entry(
        Code::E035,
        "a type that rules never see",
        "Network addresses identify people, so no attribute holds one. What is derived from them does: country, region, city.",
        "attribute address : ip from request",
    ),
    entry(
        Code::E036,
        "a date in visitor time",
        "A campaign starts and ends at one moment for everybody, so dates need a fixed time zone. Hours of the week may follow \
         the visitor's clock.",
        "rule \"x\" { active from 2026-11-27 in visitor time then no ad }",
    ),
    entry(
        Code::E037,
        "only a rule with a name can do this",
        "Caps, `this rule` and default salts go by the rule's name, so that they survive changes of the file. Segments and \
         one-line rules have none.",
        "when impressions of this rule today < 3 then no ad",
    ),
    entry(
        Code::E040,
        "unknown attribute",
        "Rules read built-in signals and attributes declared with `attribute`. Nothing else has a type, an origin or a consent purpose.",
        "when contry is RO then no ad",
    ),
    entry(
        Code::E041,
        "unknown value of a closed list",
        "The attribute has a closed list of values (`one of`, countries, languages, currencies, time zones) and this is not among them.",
        "when device.type is moblie then no ad",
    ),
    entry(
        Code::E042,
        "unknown segment, purpose, rule or event",
        "The name refers to something that no rule file defines, or to a consent purpose that does not exist. \
         Once one `event` is declared, all that are counted must be.",
        "when segment(\"lyoal\") then no ad",
    ),
    entry(
        Code::E043,
        "money without a currency",
        "Amounts of different currencies are never compared, so an amount says its currency, and `cart.value` is declared with one.",
        "when cart.value >= 50 then no ad",
    ),
    entry(
        Code::E044,
        "another currency",
        "The attribute is in one currency and the amount in another. Nothing is converted.",
        "when cart.value >= 50 USD then no ad",
    ),
    entry(
        Code::E045,
        "the test does not fit the type",
        "Numbers are compared with numbers, texts with texts, times with spans of time. Nothing is converted silently.",
        "when country >= 5 then no ad",
    ),
    entry(
        Code::E046,
        "unknown name in the catalog",
        "The catalog has no placement, template, creative, offer, campaign, slot or asset of this name.",
        "when age > 5 then show creative \"heor\"",
    ),
    entry(
        Code::E047,
        "a set used like a single value",
        "A set holds several values, so `is` has no meaning for it. Say `includes any of`, `all of`, `none of` or `only of`.",
        "when page.keywords is \"rock\" then no ad",
    ),
    entry(
        Code::E048,
        "a segment refers to itself",
        "Segments are expanded where they are used, so they cannot form a circle.",
        "segment \"a\" { not segment(\"a\") }",
    ),
    entry(
        Code::E049,
        "declaration contradicts the built-in signal",
        "A built-in signal can be declared again to fix its currency, bounds or values, but not to change its kind.",
        "attribute country : number",
    ),
    entry(
        Code::E050,
        "reversed range",
        "A range starts with its smaller end; a reversed one would never match.",
        "when age in 24..18 then no ad",
    ),
    entry(
        Code::W050,
        "a condition that is never true",
        "The conditions contradict one another, so nobody can ever satisfy them. Mostly an `and` that should be an `or`.",
        "when age < 18 and age > 65 then no ad",
    ),
    entry(
        Code::W051,
        "value outside the declared range",
        "The attribute is declared with bounds, and the value lies outside: the test is always or never true.",
        "attribute age : number in 13..120\nwhen age > 150 then no ad",
    ),
    entry(
        Code::W052,
        "two tiers take the same boundary",
        "Ranges include both ends, so a value on the shared end belongs to the tier that comes first. Write `..<` to say so.",
        "cart.value in 50 EUR .. 100 EUR -> …  cart.value >= 100 EUR -> …",
    ),
    entry(
        Code::E053,
        "shares that do not fit",
        "A share lies between 0% and 100% with at most four decimals, and the arms of a split add up to at most 100%.",
        "then split by user salt \"s\" { 60% creative \"a\", 60% creative \"b\" }",
    ),
    entry(
        Code::W054,
        "a split leaves people over",
        "The arms add up to less than 100%. The rule does not match for the rest; as a `control` arm they could be compared.",
        "then split by user salt \"s\" { 40% creative \"a\", 40% creative \"b\" }",
    ),
    entry(
        Code::W055,
        "a condition that is always true",
        "The conditions leave nobody out, not even visitors of whom nothing is known. Mostly an `or` that should be an `and`.",
        "when country is known or country is unknown then no ad",
    ),
    entry(
        Code::W056,
        "a rule or tier that is never the first choice",
        "Whoever satisfies it also satisfies one that is asked earlier and does the same kind of thing, so it decides only when \
         that one may not be shown. That is what fallback rules are for, so they are only compared with one another.",
        "rule \"a\" priority 2 { when age > 18 then no ad } rule \"b\" { when age > 30 then no ad }",
    ),
    entry(
        Code::W057,
        "two rules of the same priority",
        "Some visitors satisfy both, and they show different things, so only the order of the files decides. The message names \
         such a visitor.",
        "rule \"a\" { when country is RO then no ad } rule \"b\" { when hour > 3 then show creative \"x\" }",
    ),
    entry(
        Code::W058,
        "a gap between tiers",
        "The tiers divide the values of one attribute and leave some between them to nobody.",
        "cart.value in 50 EUR ..< 100 EUR -> …  cart.value > 100 EUR -> …",
    ),
    entry(
        Code::E060,
        "a contextual or fallback rule needs consent",
        "Such a rule must be able to match when no consent is given, so whatever needs consent may only exclude what is known: \
         use `unless`, `possibly(…)` or `is unknown`.",
        "rule \"x\" fallback { when age >= 18 then no ad }",
    ),
    entry(
        Code::W061,
        "a placement has nothing to show without consent",
        "Rules serve this placement, but none is `contextual`, `fallback` or unconditional. Visitors without consent get the house ad.",
        "rule \"x\" for placement \"home\" { when age >= 18 then show creative \"a\" }",
    ),
    entry(
        Code::E062,
        "personal data in an ad without guaranteed consent",
        "`with` puts the value of an attribute into the ad, but the rule can match without the consent that the attribute needs. \
         Test the attribute in the condition, for instance with `is known`.",
        "rule \"x\" { then show template \"hero\" with product last_viewed }",
    ),
    entry(
        Code::W070,
        "unused segment",
        "No rule and no other segment refers to it.",
        "segment \"lonely\" { country is RO }",
    ),
    entry(
        Code::W071,
        "unused attribute",
        "It is declared, but no rule, segment or test reads it.",
        "attribute shoe_size : number from request",
    ),
    entry(
        Code::E080,
        "the compiled rules are too large",
        "The compiled program exceeds a named limit of the engine, so its evaluation could take too long. \
         Give rules a placement and use lists instead of chains.",
        "(a million rules without a placement)",
    ),
    entry(
        Code::E090,
        "a test fails",
        "A `test` block expects something else than the rules decide. Nothing is published while a test fails.",
        "test \"t\" { given country = RO expect rule \"x\" false }",
    ),
    entry(
        Code::E091,
        "the test has to say which placement",
        "`expect show`, `expect offer`, `expect suppress` and `expect nothing` speak about one placement; there are several.",
        "test \"t\" { expect no ad }",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_stands_at_its_own_index_and_explains_itself() {
        for (index, entry) in REGISTRY.iter().enumerate() {
            assert_eq!(entry.code as usize, index, "{}", entry.code);
            assert!(!entry.title.is_empty() && entry.explanation.ends_with('.') && !entry.example.is_empty());
            let is_warning = entry.code.to_string().starts_with('W');
            assert_eq!(entry.code.severity() == Severity::Warning, is_warning);
        }
    }
}
