//! Are all packages under licences that a user of this one can live with?
//!
//! Guarantees: a package passes only when its SPDX expression can be met by [`ACCEPTED`] licences. Ours are covered by the
//! workspace's own licence.

use crate::metadata::Graph;

/// Licences that ask for no more than a notice.
pub const ACCEPTED: [&str; 10] = [
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "ISC",
    "MIT",
    "Unicode-3.0",
    "Zlib",
];

/// Every package whose licence is missing or not accepted, as a sentence.
pub fn check(graph: &Graph) -> Vec<String> {
    let mut problems = Vec::new();
    for package in graph.packages.iter().filter(|package| !package.is_ours) {
        let license = package.license.as_deref().unwrap_or_default();
        if !is_accepted(license) {
            problems.push(format!("`{} {}` is licensed under `{license}`", package.name, package.version));
        }
    }
    problems
}

/// Can the expression be met by accepted licences? `/` is an old spelling of `OR`; `AND` binds tighter than `OR`.
pub fn is_accepted(expression: &str) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut rest = words.as_slice();
    any_of(&mut rest) == Some(true) && rest.is_empty()
}

/// Terms joined by `OR`; `None` when the words are no expression.
fn any_of(words: &mut &[&str]) -> Option<bool> {
    let mut is_met = all_of(words)?;
    while let ["OR", rest @ ..] = *words {
        *words = rest;
        is_met |= all_of(words)?;
    }
    Some(is_met)
}

fn all_of(words: &mut &[&str]) -> Option<bool> {
    let mut is_met = one(words)?;
    while let ["AND", rest @ ..] = *words {
        *words = rest;
        is_met &= one(words)?;
    }
    Some(is_met)
}

fn one(words: &mut &[&str]) -> Option<bool> {
    let (first, rest) = words.split_first()?;
    *words = rest;
    if *first == "(" {
        let is_met = any_of(words)?;
        *words = words.strip_prefix(&[")"])?;
        return Some(is_met);
    }
    if let ["WITH", exception, rest @ ..] = *words {
        *words = rest;
        return Some(ACCEPTED.contains(&format!("{first} WITH {exception}").as_str()));
    }
    Some(ACCEPTED.contains(first))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_met_by_accepted_licences_only() {
        for good in [
            "MIT",
            "MIT OR GPL-3.0",
            "GPL-3.0 OR MIT",
            "MIT/Apache-2.0",
            "(MIT OR Apache-2.0) AND Unicode-3.0",
            "GPL-2.0 AND MIT OR ISC",
            "Apache-2.0 WITH LLVM-exception OR GPL-2.0",
        ] {
            assert!(is_accepted(good), "{good}");
        }
        for bad in [
            "",
            "GPL-3.0",
            "MIT AND GPL-3.0",
            "(MIT OR ISC) AND GPL-3.0",
            "MIT OR",
            "(MIT",
            "MIT WITH Odd-exception",
            "MIT MIT",
        ] {
            assert!(!is_accepted(bad), "{bad}");
        }
    }
}
