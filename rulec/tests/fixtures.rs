//! Runs the cases in `fixtures/rules/*.md`; the format is described in its README.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeSet;
use std::path::PathBuf;

use rulec::{
    Diagnostic, Extra, Names, OfferName, Place, REGISTRY, SlotName, SourceFile, compile, line_column,
};
use tessera_wire::catalog::OfferKind;
use tessera_wire::signal::NUMBER_SCALE;

const DEFAULT_CATALOG: &str = "placement home\nplacement side\ntemplate hero\ncreative a\ncreative b\ncreative c\n\
    offer ten discount 10\noffer fifteen discount 15\noffer ship free_shipping\noffer duo bundle\n\
    campaign autumn\nasset img_1\nasset img_3\nasset title_2\nslot hero image img_1 img_3\nslot hero headline title_2\n";

#[derive(Debug, Default)]
struct Case {
    title: String,
    files: Vec<SourceFile>,
    catalog: Option<String>,
    extras: Vec<Extra>,
    diagnostics: Vec<String>,
    output: Option<String>,
}

fn folder(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..").join(name)
}

fn cases() -> Vec<Case> {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder("fixtures/rules"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.extension().is_some_and(|extension| extension == "md") && !path.ends_with("README.md")
        })
        .collect();
    paths.sort();
    let mut cases = Vec::new();
    for path in paths {
        let file = path.file_name().unwrap().to_string_lossy().into_owned();
        read_cases(&file, &std::fs::read_to_string(&path).unwrap(), &mut cases);
    }
    cases
}

fn read_cases(file: &str, text: &str, cases: &mut Vec<Case>) {
    let mut lines = text.lines();
    let first = cases.len();
    while let Some(line) = lines.next() {
        if line.starts_with('#') {
            cases.push(Case {
                title: format!("{file}: {}", line.trim_matches(['#', ' '])),
                ..Case::default()
            });
        } else if let Some(kind) = line.strip_prefix("```") {
            let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
            let case =
                cases.get_mut(first..).and_then(<[Case]>::last_mut).expect("a block before any heading");
            add_block(case, kind, &block);
        }
    }
    // A heading without rules only groups what follows.
    cases.retain(|case| !case.files.is_empty());
}

fn add_block(case: &mut Case, kind: &str, lines: &[&str]) {
    let text = lines.iter().map(|line| format!("{line}\n")).collect::<String>();
    match kind {
        "rules" => {
            let path = format!("{}.rules", case.files.len() + 1);
            case.files.push(SourceFile { path, text });
        }
        "catalog" => case.catalog = Some(text),
        "extras" => case.extras.extend(lines.iter().map(|line| {
            let mut words = line.split_whitespace().map(str::to_owned);
            Extra { attribute: words.next().expect("an attribute"), words: words.collect() }
        })),
        "diagnostics" => case.diagnostics = lines.iter().map(|line| (*line).to_owned()).collect(),
        "output" => case.output = Some(text),
        other => panic!("{}: unknown block `{other}`", case.title),
    }
}

fn names(catalog: &str) -> Names {
    let mut names = Names::default();
    for line in catalog.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            ["placement", id] => names.placements.push((*id).to_owned()),
            ["template", id] => names.templates.push((*id).to_owned()),
            ["campaign", id] => names.campaigns.push((*id).to_owned()),
            ["asset", id] => names.assets.push((*id).to_owned()),
            ["slot", template, name, assets @ ..] => {
                let index = |list: &[String], id: &str| {
                    list.iter().position(|known| known == id).expect("a name further up") as u32
                };
                let template = index(&names.templates, template);
                let assets = assets.iter().map(|asset| index(&names.assets, asset)).collect();
                names.slots.push(SlotName { template, name: (*name).to_owned(), assets });
            }
            ["creative", id] => names.creatives.push((*id).to_owned()),
            ["offer", id, kind, rest @ ..] => {
                let kind = match *kind {
                    "discount" => OfferKind::DiscountPercent,
                    "free_shipping" => OfferKind::FreeShipping,
                    _ => OfferKind::Bundle,
                };
                let percent: i64 = rest.first().map_or(0, |percent| percent.parse().unwrap());
                names.offers.push(OfferName { id: (*id).to_owned(), kind, value: percent * NUMBER_SCALE });
            }
            _ => panic!("catalog line `{line}`"),
        }
    }
    names
}

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
    match compile(&case.files, &names, &case.extras) {
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
