//! The cases in `fixtures/rules/*.md`, read; the format is described in the README there.
#![allow(dead_code)]

use std::path::PathBuf;

use rulec::{Extra, Names, OfferName, SlotName, SourceFile};
use tessera_wire::catalog::OfferKind;
use tessera_wire::signal::NUMBER_SCALE;

pub(crate) const DEFAULT_CATALOG: &str = "placement home\nplacement side\ntemplate hero\ncreative a\ncreative b\ncreative c\n\
    offer ten discount 10\noffer fifteen discount 15\noffer ship free_shipping\noffer duo bundle\n\
    campaign autumn\nasset img_1\nasset img_3\nasset title_2\nslot hero image img_1 img_3\nslot hero headline title_2\n";

#[derive(Debug, Default)]
pub(crate) struct Case {
    pub(crate) title: String,
    pub(crate) files: Vec<SourceFile>,
    pub(crate) catalog: Option<String>,
    pub(crate) extras: Vec<Extra>,
    pub(crate) diagnostics: Vec<String>,
    pub(crate) output: Option<String>,
    /// Is it compiled with the analyses?
    pub(crate) is_analysed: bool,
}

pub(crate) fn folder(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..").join(name)
}

pub(crate) fn cases() -> Vec<Case> {
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
                is_analysed: file == "analyses.md",
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

pub(crate) fn names(catalog: &str) -> Names {
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
