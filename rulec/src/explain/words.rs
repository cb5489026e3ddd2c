//! Texts and sets that several tests of one attribute ask for.
//!
//! Not every solvable set of tests is solved: what comes out is a guess that is right for what rules say, and the caller
//! tries it before it tells anybody.

use std::collections::BTreeSet;

use super::ways::Literal;
use crate::countries::COUNTRIES;
use crate::currencies::CURRENCIES;
use crate::hir::{Check, Signal, Type};

/// Texts that are tried, and literals of a set that are looked at: each is compared with all lists.
const CANDIDATES_MAX: usize = 512;

/// A text that satisfies all of the tests.
pub(super) fn text(signal: &Signal, literals: &[Literal<'_>]) -> Option<String> {
    let is_right = |text: &String| {
        literals.iter().all(|literal| literal.is_satisfied_by(satisfies(literal.check, text)))
    };
    let wanted = literals.iter().filter(|literal| literal.is_satisfied_by(true));
    let shortest = wanted
        .filter_map(|literal| match literal.check {
            Check::OneOf(words) => Some(words),
            _ => None,
        })
        .min_by_key(|words| words.len());
    match shortest {
        Some(words) => words.iter().take(CANDIDATES_MAX).find(|word| is_right(word)).cloned(),
        None => std::iter::once(pieced(literals)).chain(others(signal)).find(is_right),
    }
}

/// All wanted beginnings, parts and ends in one text.
fn pieced(literals: &[Literal<'_>]) -> String {
    let wanted = || literals.iter().filter(|literal| literal.is_satisfied_by(true)).take(CANDIDATES_MAX);
    let mut text = String::new();
    // Of beginnings the longest has the others in it, if anything has; of ends as well.
    let starts = wanted().filter_map(|literal| match literal.check {
        Check::StartsWith(part) => Some(part),
        _ => None,
    });
    text.push_str(starts.max_by_key(|part| part.len()).map_or("", String::as_str));
    for literal in wanted() {
        if let Check::Contains(part) = literal.check
            && !text.contains(part.as_str())
        {
            text.push_str(part);
        }
    }
    let ends = wanted().filter_map(|literal| match literal.check {
        Check::EndsWith(part) => Some(part),
        _ => None,
    });
    let end = ends.max_by_key(|part| part.len()).map_or("", String::as_str);
    if !text.ends_with(end) {
        text.push_str(end);
    }
    text
}

fn satisfies(check: &Check, text: &String) -> bool {
    match check {
        Check::OneOf(words) => words.binary_search(text).is_ok(),
        Check::StartsWith(part) => text.starts_with(part.as_str()),
        Check::EndsWith(part) => text.ends_with(part.as_str()),
        Check::Contains(part) => text.contains(part.as_str()),
        _ => true,
    }
}

/// Values that an attribute can have, some of them if there is no end of them.
pub(crate) fn others(signal: &Signal) -> Vec<String> {
    let words = |text: &str| text.split_ascii_whitespace().map(str::to_owned).collect::<Vec<String>>();
    match &signal.ty {
        Type::OneOf(values) | Type::SetOf(values) => values.iter().take(CANDIDATES_MAX).cloned().collect(),
        Type::Country => words(COUNTRIES),
        Type::Currency => words(CURRENCIES),
        Type::Language => words("en ro de fr es it pt nl pl hu el tr ar zh ja ko hi"),
        Type::Timezone => words("UTC Europe/Bucharest Europe/Berlin America/New_York Asia/Tokyo"),
        _ => (0..CANDIDATES_MAX)
            .map(|number| if number == 0 { "other".to_owned() } else { format!("other {number}") })
            .collect(),
    }
}

/// A set that satisfies all of the tests, with as many of the current members as can stay.
pub(super) fn members(
    signal: &Signal,
    literals: &[Literal<'_>],
    current: Option<&[String]>,
) -> Option<Vec<String>> {
    let mut set: BTreeSet<String> = current.unwrap_or(&[]).iter().cloned().collect();
    let (wanted, unwanted): (Vec<_>, Vec<_>) =
        literals.iter().take(CANDIDATES_MAX).partition(|literal| literal.is_satisfied_by(true));
    let lists = |literals: &[&Literal<'_>], pick: fn(&Check) -> Option<&[String]>| -> Vec<BTreeSet<String>> {
        let lists = literals.iter().filter_map(|literal| pick(literal.check));
        lists.map(|words| words.iter().cloned().collect()).collect()
    };
    let any: fn(&Check) -> Option<&[String]> = |check| match check {
        Check::AnyOf(words) => Some(words),
        _ => None,
    };
    let all: fn(&Check) -> Option<&[String]> = |check| match check {
        Check::AllOf(words) => Some(words),
        _ => None,
    };
    let only: fn(&Check) -> Option<&[String]> = |check| match check {
        Check::OnlyOf(words) => Some(words),
        _ => None,
    };
    let (allowed, forbidden) = (lists(&wanted, only), lists(&unwanted, any));
    let may_be = |word: &String| {
        allowed.iter().all(|list| list.contains(word)) && !forbidden.iter().any(|list| list.contains(word))
    };
    set.retain(may_be);
    let needed: BTreeSet<String> = lists(&wanted, all).into_iter().flatten().collect();
    set.extend(needed.iter().cloned());
    // A set does not contain all of a list once one member that nothing else needs is left out.
    for list in lists(&unwanted, all) {
        if list.is_subset(&set) {
            set.remove(list.iter().find(|word| !needed.contains(*word))?);
        }
    }
    for list in lists(&wanted, any) {
        if list.is_disjoint(&set) {
            set.insert(list.into_iter().find(may_be)?);
        }
    }
    for list in lists(&unwanted, only) {
        if set.is_subset(&list) {
            set.insert(others(signal).into_iter().find(|word| !list.contains(word) && may_be(word))?);
        }
    }
    Some(set.into_iter().collect())
}
