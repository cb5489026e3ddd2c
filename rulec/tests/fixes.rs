//! Suggested replacements, applied, make their diagnostic go away.
#![allow(clippy::unwrap_used)]

use rulec::{Names, SourceFile, compile};

fn files(text: &str) -> [SourceFile; 1] {
    [SourceFile { path: "x.rules".to_owned(), text: text.to_owned() }]
}

#[test]
fn applying_a_fix_removes_its_diagnostic() {
    let names = Names {
        placements: vec!["home".to_owned()],
        creatives: vec!["banner".to_owned()],
        ..Names::default()
    };
    let cases = [
        "rule \"r\" { when device.tpye is mobile then no ad }",
        "rule \"r\" { when device.type is moblie then no ad }",
        "rule \"r\" { then show creative \"baner\" }",
        "segment \"adults\" { hour > 3 }\nrule \"r\" { when segment(\"adult\") then no ad }",
        "rule \"r\" for placement \"hom\" { then no ad }",
    ];
    for text in cases {
        let broken = files(text);
        let diagnostics = compile(&broken, &names, &[]).unwrap_err();
        let fix = &diagnostics[0].fixes[0];
        let mut fixed = text.to_owned();
        fixed.replace_range(fix.place.range(), &fix.text);
        let again = compile(&files(&fixed), &names, &[]);
        assert!(again.is_ok(), "{text}\n{fixed}\n{again:?}");
    }
}
