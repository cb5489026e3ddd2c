//! Size limits, and the list of exceptions that may only get shorter.
//!
//! Guarantees: what is over a limit is either listed with exactly its size or a problem; a listed size that is too large is
//! a problem too, so that what was gained is not lost again.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Problem, RATCHET_FILE};

/// Lines of a source without its tests that ask for no exception: a file should fit in a head.
pub const FILE_LINES_AIM: usize = 400;
/// Lines of a source without its tests that no exception can allow.
pub const FILE_LINES_MAX: usize = 800;
/// Lines of a function, from `fn` to its closing brace.
pub const FUNCTION_LINES_MAX: usize = 70;

/// What is longer than it should be, by path, or by path and function name.
#[derive(Debug, Default)]
pub struct Sizes {
    /// Files over [`FILE_LINES_AIM`].
    pub files: BTreeMap<String, usize>,
    /// Functions over [`FUNCTION_LINES_MAX`]; of several with one name in a file, the longest.
    pub functions: BTreeMap<String, usize>,
}

/// The listed exceptions with their sizes.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Ratchet {
    files: BTreeMap<String, usize>,
    functions: BTreeMap<String, usize>,
}

impl Ratchet {
    /// Reads the list.
    ///
    /// # Errors
    /// When it is not TOML of the expected shape.
    pub fn parse(text: &str) -> Result<Ratchet, toml::de::Error> {
        toml::from_str(text)
    }

    /// Compares what is there with what is listed.
    pub fn check(&self, sizes: &Sizes, problems: &mut Vec<Problem>) {
        compare("files", FILE_LINES_AIM, &self.files, &sizes.files, problems);
        compare("functions", FUNCTION_LINES_MAX, &self.functions, &sizes.functions, problems);
    }
}

fn compare(
    table: &str,
    limit: usize,
    listed: &BTreeMap<String, usize>,
    found: &BTreeMap<String, usize>,
    problems: &mut Vec<Problem>,
) {
    for (key, size) in found {
        let (path, what) = match key.split_once("::") {
            Some((path, function)) => (path, format!("`{function}`")),
            None => (key.as_str(), "the file".to_owned()),
        };
        match listed.get(key) {
            None => {
                let message = format!("{what} has {size} lines, more than {limit}: split it");
                problems.push(Problem::new(path, 0, message));
            }
            Some(known) if size > known => {
                let message =
                    format!("{what} grew from {known} to {size} lines; an exception may only shrink");
                problems.push(Problem::new(path, 0, message));
            }
            Some(known) if size < known => {
                let message = format!("[{table}] `{key}` has {size} lines now: lower it to {size}");
                problems.push(Problem::new(RATCHET_FILE, 0, message));
            }
            Some(_) => {}
        }
    }
    for key in listed.keys().filter(|key| !found.contains_key(*key)) {
        let message = format!("[{table}] `{key}` is within {limit} lines now, or gone: remove it");
        problems.push(Problem::new(RATCHET_FILE, 0, message));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(list: &str, found: &[(&str, usize)]) -> Vec<String> {
        let mut sizes = Sizes::default();
        for (key, size) in found {
            sizes.functions.insert((*key).to_owned(), *size);
        }
        let mut problems = Vec::new();
        Ratchet::parse(list).unwrap().check(&sizes, &mut problems);
        problems.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn an_exception_of_its_listed_size_passes() {
        assert_eq!(check("[functions]\n\"a.rs::f\" = 80\n", &[("a.rs::f", 80)]), Vec::<String>::new());
    }

    #[test]
    fn a_new_offender_fails() {
        assert_eq!(check("", &[("a.rs::f", 71)]), ["a.rs: `f` has 71 lines, more than 70: split it"]);
    }

    #[test]
    fn an_exception_may_not_grow() {
        let problems = check("[functions]\n\"a.rs::f\" = 80\n", &[("a.rs::f", 81)]);
        assert_eq!(problems, ["a.rs: `f` grew from 80 to 81 lines; an exception may only shrink"]);
    }

    #[test]
    fn an_exception_that_shrank_must_be_lowered() {
        let problems = check("[functions]\n\"a.rs::f\" = 80\n", &[("a.rs::f", 75)]);
        assert_eq!(problems, ["xtask/ratchet.toml: [functions] `a.rs::f` has 75 lines now: lower it to 75"]);
    }

    #[test]
    fn an_exception_that_is_no_longer_needed_must_go() {
        let problems = check("[functions]\n\"a.rs::f\" = 80\n", &[]);
        assert_eq!(
            problems,
            ["xtask/ratchet.toml: [functions] `a.rs::f` is within 70 lines now, or gone: remove it"]
        );
    }

    #[test]
    fn a_misspelled_table_is_not_ignored() {
        assert!(Ratchet::parse("[function]\n").is_err());
    }
}
