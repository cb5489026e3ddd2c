//! Rules for Rust sources: module docs, sizes, unfinished code, purity.
//!
//! Sizes over the aim are reported to the ratchet, which knows the exceptions; everything else is a problem at once.

use super::Problem;
use super::files::RepoFile;
use super::ratchet::{FILE_LINES_AIM, FILE_LINES_MAX, FUNCTION_LINES_MAX, Sizes};
use super::scan::{Scan, scan};

/// Folders whose code takes everything it needs as a value: no I/O, clock, lock, thread or `async`.
pub const PURE_FOLDERS: [&str; 4] = ["engine/core/src/", "rulec/src/", "rulec/vm/src/", "wire/src/"];

/// Checks all sources and returns what is longer than it should be.
pub fn check(files: &[RepoFile], problems: &mut Vec<Problem>) -> Sizes {
    let mut sizes = Sizes::default();
    for file in files.iter().filter(|file| file.path.ends_with(".rs")) {
        match scan(&file.text) {
            Ok(scan) => check_source(file, &scan, &mut sizes, problems),
            Err(error) => {
                problems.push(Problem::new(&file.path, 0, format!("cannot be read as Rust: {}", error.0)))
            }
        }
    }
    sizes
}

fn check_source(file: &RepoFile, scan: &Scan, sizes: &mut Sizes, problems: &mut Vec<Problem>) {
    let path = &file.path;
    if !file.text.starts_with("//!") {
        problems.push(Problem::new(
            path,
            1,
            "starts without module docs: say in `//!` what it is and what always holds",
        ));
    }
    for marker in &scan.markers {
        let message = format!("`{}` has no place in a finished source", marker.what);
        problems.push(Problem::new(path, marker.line, message));
    }
    if is_pure(path) {
        for impurity in scan.impurities.iter().filter(|mark| !is_in_tests(scan, mark.line)) {
            let message = format!(
                "`{}` in a pure crate: take it as a value, or move the code to the edge",
                impurity.what
            );
            problems.push(Problem::new(path, impurity.line, message));
        }
    }
    let lines = lines_without_tests(&file.text, scan);
    if lines > FILE_LINES_MAX {
        let message =
            format!("has {lines} lines without tests; more than {FILE_LINES_MAX} is never allowed, split it");
        problems.push(Problem::new(path, 0, message));
    } else if lines > FILE_LINES_AIM && !is_test(path) {
        sizes.files.insert(path.clone(), lines);
    }
    for function in scan.functions.iter().filter(|function| function.lines > FUNCTION_LINES_MAX) {
        let key = format!("{path}::{}", function.name);
        let longest = sizes.functions.entry(key).or_default();
        *longest = function.lines.max(*longest);
    }
}

fn lines_without_tests(text: &str, scan: &Scan) -> usize {
    let tests: usize = scan.test_modules.iter().map(|(first, last)| last - first + 1).sum();
    text.lines().count() - tests
}

fn is_in_tests(scan: &Scan, line: usize) -> bool {
    scan.test_modules.iter().any(|(first, last)| (*first..=*last).contains(&line))
}

/// Is the file a test by where it lies?
fn is_test(path: &str) -> bool {
    path.split('/').any(|part| part == "tests" || part == "tests.rs")
}

/// Must the file be pure? A command beside a pure library is its edge.
fn is_pure(path: &str) -> bool {
    let is_command = path.ends_with("/src/main.rs")
        || ["/src/bin/", "/src/command/", "/src/command.rs"].iter().any(|part| path.contains(part));
    PURE_FOLDERS.iter().any(|folder| path.starts_with(folder)) && !is_command && !is_test(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_one(path: &str, text: &str) -> (Vec<String>, Sizes) {
        let mut problems = Vec::new();
        let files = [RepoFile { path: path.into(), text: text.into() }];
        let sizes = check(&files, &mut problems);
        (problems.iter().map(ToString::to_string).collect(), sizes)
    }

    fn problems(path: &str, text: &str) -> Vec<String> {
        check_one(path, text).0
    }

    /// A source of `lines` lines.
    fn long(lines: usize) -> String {
        format!("//! Doc.\n{}", "const _: () = ();\n".repeat(lines - 1))
    }

    #[test]
    fn a_good_source_has_no_problem() {
        assert_eq!(
            problems("engine/src/a.rs", "//! Doc.\n\nuse std::fs;\n\nfn a() {}\n"),
            Vec::<String>::new()
        );
    }

    #[test]
    fn module_docs_are_needed() {
        assert!(problems("a.rs", "fn a() {}\n")[0].starts_with("a.rs:1: starts without module docs"));
        assert_eq!(problems("a.rs", "\n//! Late.\n").len(), 1);
    }

    #[test]
    fn unfinished_code_is_named_with_its_line() {
        assert_eq!(
            problems("a.rs", "//! Doc.\nfn a() {\n    todo!()\n}\n"),
            ["a.rs:3: `todo!` has no place in a finished source"]
        );
    }

    #[test]
    fn what_is_not_rust_is_a_problem() {
        assert!(problems("a.rs", "//! Doc.\nfn a( {\n")[0].contains("cannot be read as Rust"));
    }

    #[test]
    fn pure_crates_do_not_reach_outside_but_their_tests_and_commands_may() {
        let text = "//! Doc.\nuse std::fs;\n";
        for folder in PURE_FOLDERS {
            assert_eq!(problems(&format!("{folder}a.rs"), text).len(), 1, "{folder}");
        }
        assert_eq!(problems("rulec/src/main.rs", text).len(), 0);
        assert_eq!(problems("rulec/src/bin/rulec.rs", text).len(), 0);
        assert_eq!(problems("rulec/src/command/check.rs", text).len(), 0);
        assert_eq!(problems("rulec/tests/a.rs", text).len(), 0);
        assert_eq!(problems("engine/src/a.rs", text).len(), 0);
        let tested = "//! Doc.\n#[cfg(test)]\nmod tests {\n    use std::fs;\n}\n";
        assert_eq!(problems("wire/src/a.rs", tested).len(), 0);
    }

    #[test]
    fn long_files_are_reported_to_the_ratchet() {
        assert!(check_one("a/src/b.rs", &long(FILE_LINES_AIM)).1.files.is_empty());
        let (problems, sizes) = check_one("a/src/b.rs", &long(FILE_LINES_AIM + 1));
        assert!(problems.is_empty());
        assert_eq!(sizes.files["a/src/b.rs"], FILE_LINES_AIM + 1);
    }

    #[test]
    fn tests_may_be_longer_but_nothing_may_be_longer_than_the_hard_limit() {
        let (problems, sizes) = check_one("a/tests/b.rs", &long(FILE_LINES_MAX));
        assert!(problems.is_empty() && sizes.files.is_empty());
        let (problems, _) = check_one("a/tests/b.rs", &long(FILE_LINES_MAX + 1));
        assert!(problems[0].contains("never allowed"), "{problems:?}");
    }

    #[test]
    fn test_modules_do_not_count() {
        let tests = format!("#[cfg(test)]\nmod tests {{\n{}}}\n", "const _: () = ();\n".repeat(500));
        let (problems, sizes) = check_one("a/src/b.rs", &format!("{}{tests}", long(390)));
        assert!(problems.is_empty() && sizes.files.is_empty());
    }

    #[test]
    fn long_functions_are_reported_to_the_ratchet() {
        let function = |lines: usize| format!("//! Doc.\nfn a() {{\n{}}}\n", "    b();\n".repeat(lines - 2));
        assert!(check_one("a.rs", &function(FUNCTION_LINES_MAX)).1.functions.is_empty());
        let (_, sizes) = check_one("a.rs", &function(FUNCTION_LINES_MAX + 1));
        assert_eq!(sizes.functions["a.rs::a"], FUNCTION_LINES_MAX + 1);
    }
}
