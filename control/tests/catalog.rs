//! The cases of `fixtures/catalog`: what is wrong with a catalog, and exactly where. The folder's README says how to
//! write one.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};

use tessera_control::source::{CATALOG_FILE, Problem, SourceFile, Sources, compile, read, render_all};

const CODES: [&str; 8] = ["C001", "C002", "C003", "C004", "C005", "C006", "C007", "C008"];

#[derive(Default)]
struct Case {
    title: String,
    catalog: String,
    rules: Option<String>,
    template: Option<String>,
    problems: String,
}

fn fixtures(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures").join(folder)
}

fn cases(text: &str) -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    let mut block: Option<(String, String)> = None;
    for line in text.lines() {
        match (&mut block, line.strip_prefix("```")) {
            (None, None) => {
                if let Some(title) = line.strip_prefix("## ") {
                    cases.push(Case { title: title.to_owned(), ..Case::default() });
                }
            }
            (None, Some(kind)) => block = Some((kind.to_owned(), String::new())),
            (Some((_, body)), None) => {
                body.push_str(line);
                body.push('\n');
            }
            (Some(_), Some(_)) => {
                let (kind, body) = block.take().unwrap();
                let case = cases.last_mut().expect("a block belongs to a case");
                match kind.as_str() {
                    "toml" => case.catalog = body,
                    "rules" => case.rules = Some(body),
                    "html" => case.template = Some(body),
                    "problems" => case.problems = body,
                    other => panic!("{}: `{other}` is no kind of block", case.title),
                }
            }
        }
    }
    cases
}

fn all_cases() -> Vec<Case> {
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(fixtures("catalog")).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|one| one == "md") && !path.ends_with("README.md"));
    paths.sort();
    paths.iter().flat_map(|path| cases(&std::fs::read_to_string(path).unwrap())).collect()
}

impl Case {
    fn sources(&self) -> Sources {
        let mut files = vec![SourceFile { path: CATALOG_FILE.into(), text: self.catalog.clone() }];
        files.extend(
            self.rules.iter().map(|text| SourceFile { path: "all.rules".into(), text: text.clone() }),
        );
        let template = self.template.iter();
        files.extend(
            template.map(|text| SourceFile { path: "templates/hero.html".into(), text: text.clone() }),
        );
        Sources { files }
    }

    /// What is wrong with how this case came out, if anything.
    fn failure(&self) -> Option<String> {
        let sources = self.sources();
        let problems = match compile(&sources) {
            Ok(compiled) => compiled.warnings,
            Err(problems) => problems,
        };
        let expected: Vec<&str> = self.problems.lines().collect();
        let is_right = expected.len() == problems.len()
            && expected.iter().zip(&problems).all(|(line, problem)| is_like(line, problem, &sources));
        let rendered = render_all(&problems, &sources.files);
        (!is_right).then(|| format!("{}: expected {expected:?}, found\n{rendered}", self.title))
    }
}

/// `expected` is a code, a place, and maybe words that must be said.
fn is_like(expected: &str, problem: &Problem, sources: &Sources) -> bool {
    let mut parts = expected.splitn(3, ' ');
    let (code, place) = (parts.next().unwrap_or(""), parts.next().unwrap_or(""));
    let found = problem.position(&sources.files);
    let found = found.map_or("-".to_owned(), |(_, line, column)| format!("{line}:{column}"));
    let words = parts.next().unwrap_or("");
    problem.code() == code && found == place && problem.render(&sources.files).contains(words)
}

#[test]
fn every_case_has_the_problems_it_says() {
    let failures: Vec<String> = all_cases().iter().filter_map(Case::failure).collect();
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

#[test]
fn every_code_has_a_case() {
    let cases = all_cases();
    for code in CODES {
        assert!(cases.iter().any(|case| case.problems.contains(code)), "{code} has none");
    }
}

#[test]
fn the_demo_compiles_without_a_warning() {
    let sources = read(&fixtures("demo")).unwrap();
    let compiled =
        compile(&sources).unwrap_or_else(|problems| panic!("{}", render_all(&problems, &sources.files)));
    assert!(compiled.warnings.is_empty(), "{}", render_all(&compiled.warnings, &sources.files));
    let embedded: Vec<_> = tessera_fixtures::DEMO_SOURCES.iter().map(|(path, _)| *path).collect();
    let on_disk: Vec<_> = sources.files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(embedded, on_disk, "what the demo embeds is what is there");
}
