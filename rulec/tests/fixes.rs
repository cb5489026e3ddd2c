//! Suggested replacements, applied alone, make their diagnostic go away and bring no other error.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod suite;

use std::collections::{BTreeMap, BTreeSet};

use rulec::{Code, Diagnostic, Fix, Severity, SourceFile, compile, compile_and_analyse};
use suite::{Case, DEFAULT_CATALOG, cases, names};

fn diagnostics(case: &Case, files: &[SourceFile]) -> Vec<Diagnostic> {
    let names = names(case.catalog.as_deref().unwrap_or(DEFAULT_CATALOG));
    let outcome = if case.is_analysed {
        compile_and_analyse(files, &names, &case.extras)
    } else {
        compile(files, &names, &case.extras)
    };
    match outcome {
        Ok(compiled) => compiled.warnings,
        Err(diagnostics) => diagnostics,
    }
}

fn applied(files: &[SourceFile], fix: &Fix) -> Vec<SourceFile> {
    let mut fixed = files.to_vec();
    fixed[fix.place.file as usize].text.replace_range(fix.place.range(), &fix.text);
    fixed
}

/// How often each code is reported; of warnings only `of`, because they may be there to see once errors are gone.
fn counts(found: &[Diagnostic], of: Code) -> BTreeMap<Code, usize> {
    let mut counts = BTreeMap::new();
    for one in found.iter().filter(|one| one.severity == Severity::Error || one.code == of) {
        *counts.entry(one.code).or_insert(0) += 1;
    }
    counts
}

/// What is wrong with a fix, if anything.
fn failure(case: &Case, before: &[Diagnostic], broken: &Diagnostic, fix: &Fix) -> Option<String> {
    let fixed = applied(&case.files, fix);
    let after = diagnostics(case, &fixed);
    let (had, has) = (counts(before, broken.code), counts(&after, broken.code));
    let is_gone = has.get(&broken.code).copied().unwrap_or(0) < had[&broken.code];
    // What is checked last is only seen when nothing else is wrong: that a program is small enough and its tests pass.
    let is_late = |code: &Code| {
        matches!(code, Code::E080 | Code::E090) && had.keys().any(|had| had.to_string().starts_with('E'))
    };
    let added: Vec<&Code> = has
        .iter()
        .filter(|(code, count)| **count > had.get(code).copied().unwrap_or(0) && !is_late(code))
        .map(|(code, _)| code)
        .collect();
    (!is_gone || !added.is_empty()).then(|| {
        let text = &fixed[fix.place.file as usize].text;
        let rendered: String = after.iter().map(|one| one.render(&fixed)).collect();
        format!("{}: {} with `{}` adds {added:?}\n{text}\n{rendered}", case.title, broken.code, fix.text)
    })
}

#[test]
fn every_fix_of_every_case_removes_its_diagnostic_and_adds_no_error() {
    let (mut failures, mut fixed, mut applied) = (Vec::new(), BTreeSet::new(), 0);
    for case in cases() {
        let before = diagnostics(&case, &case.files);
        for broken in &before {
            for fix in &broken.fixes {
                failures.extend(failure(&case, &before, broken, fix));
                fixed.insert(broken.code.to_string());
                applied += 1;
            }
        }
    }
    assert!(failures.is_empty(), "{} of {applied} fixes\n\n{}", failures.len(), failures.join("\n\n"));
    for code in ["E002", "E020", "E031", "E040", "E041", "E042", "E043", "E046", "E047", "W052"] {
        assert!(fixed.contains(code), "no fix of {code} was tried: {fixed:?}");
    }
}

/// A condition with a mistake, and the texts that its fixes make of the whole.
const FIXES: &[(&str, &[&str])] = &[
    ("country is “RO”", &["country is \"RO\""]),
    ("hour ≥ 3", &["hour >= 3"]),
    ("hour in 3…5", &["hour in 3..5"]),
    (
        "vip and hour > 3 or hour < 1 # why\n  or\tcountry is RO and vip",
        &[
            "(vip and hour > 3) or hour < 1 # why\n  or\t(country is RO and vip)",
            "vip and (hour > 3 or hour < 1 # why\n  or\tcountry is RO) and vip",
        ],
    ),
    ("total >= 50", &["total >= 50 EUR"]),
    ("total in 1_000..2_000", &["total in 1_000..2_000 EUR"]),
    ("total in 1_000 EUR..2_000", &["total in 1_000 EUR..2_000 EUR"]),
    ("genres is \"rock\"", &["genres includes any of (\"rock\")"]),
    ("not (genres is not \"rock\")", &["not genres includes none of (\"rock\")"]),
    ("genres in (\"rock\", \"folk\")", &["genres includes any of (\"rock\", \"folk\")"]),
    ("colors is red", &["colors includes any of (red)"]),
    ("colors not in (red, blue)", &["colors includes none of (red, blue)"]),
    ("colors is rad", &[]),
    ("genres is 3", &[]),
    ("title is “open", &[]),
];

#[test]
fn fixes_change_what_is_wrong_and_leave_the_rest() {
    let declarations = "attribute vip : bool from request\nattribute total : money(EUR) from request\n\
        attribute genres : set of text from request\nattribute colors : set of one of red, blue from request\n\
        attribute title : text from request\n";
    for (condition, expected) in FIXES {
        let rule =
            |condition: &str| format!("{declarations}rule \"r\" {{\n  when {condition}\n  then no ad\n}}\n");
        let files = [SourceFile { path: "x.rules".to_owned(), text: rule(condition) }];
        let found = compile(&files, &names(DEFAULT_CATALOG), &[]).unwrap_err();
        let fixes = found.iter().flat_map(|one| &one.fixes);
        let fixed: Vec<String> = fixes.map(|fix| applied(&files, fix)[0].text.clone()).collect();
        assert_eq!(fixed, expected.iter().map(|text| rule(text)).collect::<Vec<_>>(), "{condition}");
    }
}

#[test]
fn tiers_that_share_a_value_are_parted_at_the_end_that_shares_it() {
    let cases = [
        (["total in 50 EUR .. 100 EUR", "total >= 100 EUR"], Some("total in 50 EUR ..< 100 EUR")),
        (["total in 50..100 EUR", "total in 100 EUR .. 200 EUR"], Some("total in 50..<100 EUR")),
        (["total between 50 EUR and 100 EUR", "total >= 100 EUR"], Some("total in 50 EUR ..< 100 EUR")),
        (["total <= 100 EUR", "total >= 100 EUR"], Some("total < 100 EUR")),
        (["total >= 100 EUR", "total in 50 EUR .. 100 EUR"], Some("total in 50 EUR ..< 100 EUR")),
        (["total in (50 EUR .. 100 EUR, 70 EUR)", "total >= 100 EUR"], None),
    ];
    for ([first, second], expected) in cases {
        let text = format!(
            "attribute total : money(EUR) from request\nrule \"r\" {{ then choose first {{\n{first} -> no ad\n\
             {second} -> show creative \"a\"\n}} }}\nrule \"f\" fallback {{ then no ad }}\n"
        );
        let files = [SourceFile { path: "x.rules".to_owned(), text }];
        let compile = |files: &[SourceFile]| compile(files, &names(DEFAULT_CATALOG), &[]).unwrap().warnings;
        let found = compile(&files);
        let shared: Vec<&Diagnostic> = found.iter().filter(|one| one.code == Code::W052).collect();
        assert_eq!(shared.len(), 1, "{first}: {found:?}");
        match (expected, shared[0].fixes.as_slice()) {
            (None, []) => {}
            (Some(expected), [fix]) => {
                let fixed = applied(&files, fix);
                assert!(fixed[0].text.contains(expected), "{}", fixed[0].text);
                assert!(compile(&fixed).iter().all(|one| one.code != Code::W052), "{}", fixed[0].text);
            }
            (_, fixes) => panic!("{first}: {fixes:?}"),
        }
    }
}
