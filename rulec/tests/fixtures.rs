//! Runs the cases in `fixtures/rules/*.md`; the format is described in its README.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]

mod suite;

use std::collections::BTreeSet;

use rulec::{Diagnostic, Place, REGISTRY, SourceFile, compile, compile_and_analyse, line_column};
use suite::{Case, DEFAULT_CATALOG, cases, folder, names};

fn where_and_what(diagnostic: &Diagnostic, files: &[SourceFile]) -> String {
    if diagnostic.file == Place::NO_FILE {
        return format!("{} -", diagnostic.code);
    }
    let (line, _) = line_column(&files[diagnostic.file as usize].text, diagnostic.span.start);
    match diagnostic.file {
        0 => format!("{} {line}", diagnostic.code),
        file => format!("{} {}:{line}", diagnostic.code, file + 1),
    }
}

fn diagnostics(case: &Case) -> Vec<Diagnostic> {
    let names = names(case.catalog.as_deref().unwrap_or(DEFAULT_CATALOG));
    let outcome = if case.is_analysed {
        compile_and_analyse(&case.files, &names, &case.extras)
    } else {
        compile(&case.files, &names, &case.extras)
    };
    match outcome {
        Ok(compiled) => compiled.warnings,
        Err(diagnostics) => diagnostics,
    }
}

fn normalized(text: &str) -> String {
    text.lines().map(|line| format!("{}\n", line.trim_end())).collect::<String>().trim_end().to_owned()
}

#[test]
fn every_case_behaves_as_written() {
    let mut failures = Vec::new();
    for case in cases() {
        let found = diagnostics(&case);
        let summary: Vec<String> = found.iter().map(|found| where_and_what(found, &case.files)).collect();
        let output: String = found.iter().map(|found| found.render(&case.files)).collect();
        if summary != case.diagnostics {
            failures.push(format!(
                "{}\nexpected {:?}\nfound {summary:?}\n{output}",
                case.title, case.diagnostics
            ));
        } else if case.output.as_deref().is_some_and(|expected| normalized(expected) != normalized(&output)) {
            failures.push(format!("{}\nprints instead:\n{output}", case.title));
        }
    }
    assert!(failures.is_empty(), "{} cases differ\n\n{}", failures.len(), failures.join("\n\n"));
}

#[test]
fn every_code_has_a_case_and_is_documented() {
    let language = std::fs::read_to_string(folder("docs/LANGUAGE.md")).unwrap();
    let with_cases: BTreeSet<String> = cases()
        .iter()
        .flat_map(|case| &case.diagnostics)
        .map(|line| line.split(' ').next().unwrap_or("").to_owned())
        .collect();
    for entry in &REGISTRY {
        let code = entry.code.to_string();
        assert!(language.contains(&format!("| {code} ")), "docs/LANGUAGE.md does not mention {code}");
        // Cases for these need megabytes of source; `tests/limits.rs` has them.
        let is_too_large_to_write_down = ["E005", "E080"].contains(&code.as_str());
        assert!(is_too_large_to_write_down || with_cases.contains(&code), "no case shows {code}");
    }
}

#[test]
fn the_complete_file_in_the_documentation_compiles() {
    let language = std::fs::read_to_string(folder("docs/LANGUAGE.md")).unwrap();
    let text = language.split("```rules\n").nth(1).unwrap().split("```").next().unwrap().to_owned();
    let files = [SourceFile { path: "LANGUAGE.md".to_owned(), text }];
    let found = match compile(&files, &names(DEFAULT_CATALOG), &[]) {
        Ok(compiled) => compiled.warnings,
        Err(diagnostics) => diagnostics,
    };
    assert!(found.is_empty(), "{}", found.iter().map(|found| found.render(&files)).collect::<String>());
}
