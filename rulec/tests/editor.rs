//! What editors are told about rule files.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use rulec::editor::{RenameError, Workspace};
use rulec::{Names, SourceFile, compile};

const SHOP: &str = "attribute age : number in 13..120 needs ads_personalization
attribute weather : one of sun, rain from request
segment \"grown up\" {
  age >= 18
}
segment \"wet\" { segment(\"grown up\") and weather is rain }
rule \"r\" for placement \"home\" {
  when segment(\"grown up\") and age < 65
  unless weather is sun
  then show creative \"a\"
}
";
const MORE: &str = "rule \"s\" fallback { when possibly(age > 20) then no ad }\n";

fn names() -> Names {
    Names { placements: vec!["home".to_owned()], creatives: vec!["a".to_owned()], ..Names::default() }
}

fn files() -> Vec<SourceFile> {
    let file = |path: &str, text: &str| SourceFile { path: path.to_owned(), text: text.to_owned() };
    vec![file("shop.rules", SHOP), file("more.rules", MORE)]
}

fn at(text: &str, what: &str) -> u32 {
    text.find(what).unwrap() as u32
}

#[test]
fn hovering_tells_type_origin_and_consent() {
    let (files, names) = (files(), names());
    let workspace = Workspace::new(&files, &names);
    let hover = |what: &str| workspace.hover(0, at(SHOP, what)).map(|(_, text)| text).unwrap_or_default();
    let age = hover("age < 65");
    assert!(age.contains("a number, from the visitor's profile"), "{age}");
    assert!(age.contains("needs consent for: ads_personalization"), "{age}");
    assert!(hover("weather is sun").contains("works without consent"));
    let wet = hover("\"wet\"");
    assert!(wet.contains("segment(\"grown up\") and weather is rain"), "{wet}");
    assert!(wet.contains("ads_personalization"), "what a segment reads flows through others: {wet}");
    assert!(hover("unless").contains("does not match"));
    assert_eq!(workspace.hover(0, SHOP.len() as u32 + 10), None);
}

#[test]
fn hovering_tells_the_share_of_a_sample() {
    let (files, names) = (files(), names());
    let ages = ["\"age\": 20", "\"age\": 30", "\"age\": 14", "\"weather\": \"sun\""];
    let mut sample: Vec<String> = ages.iter().map(|one| format!("{{ {one} }}")).collect();
    sample.push("no visitor".to_owned());
    let workspace = Workspace::new(&files, &names).with_sample(&sample, 1_800_000_000_000);
    let hover = |what: &str| workspace.hover(0, at(SHOP, what)).map(|(_, text)| text).unwrap_or_default();
    let segment = hover("\"grown up\" {");
    assert!(segment.ends_with("matches 50 % of 4 sample visitors, unknown for 25 %"), "{segment}");
    let rule = hover("\"r\" for");
    assert_eq!(
        rule, "rule \"r\" matches 50 % of 4 sample visitors, unknown for 0 %",
        "whoever has sun is excluded"
    );
}

#[test]
fn definitions_are_found_across_files() {
    let (files, names) = (files(), names());
    let workspace = Workspace::new(&files, &names);
    let definition = workspace.definition(1, at(MORE, "age")).unwrap();
    assert_eq!((definition.file, &SHOP[definition.range()]), (0, "age"));
    let definition = workspace.definition(0, at(SHOP, "\"grown up\") and age")).unwrap();
    assert_eq!(definition.start, at(SHOP, "\"grown up\" {"));
    assert_eq!(workspace.definition(0, at(SHOP, "sun,")), None, "a value is defined nowhere");
}

#[test]
fn renaming_changes_every_use_and_still_compiles() {
    let (files, names) = (files(), names());
    let workspace = Workspace::new(&files, &names);
    for (what, new) in [("age :", "years"), ("\"grown up\" {", "adults, \"all\"")] {
        let fixes = workspace.rename(0, at(SHOP, what), new).unwrap();
        let mut changed = files.clone();
        let mut sorted = fixes.clone();
        sorted.sort_by_key(|fix| std::cmp::Reverse((fix.place.file, fix.place.start)));
        for fix in &sorted {
            changed[fix.place.file as usize].text.replace_range(fix.place.range(), &fix.text);
        }
        assert!(fixes.len() >= 3, "{fixes:?}");
        let before = compile(&files, &names, &[]).unwrap().program;
        let after = compile(&changed, &names, &[]).unwrap().program;
        assert_eq!((before.code, before.ranges), (after.code, after.ranges));
    }
    let rename = |what: &str, name: &str| workspace.rename(0, at(SHOP, what), name).unwrap_err();
    assert_eq!(rename("age :", "weather"), RenameError::Taken);
    assert_eq!(rename("age :", "country"), RenameError::Taken);
    assert_eq!(rename("age :", "two words"), RenameError::BadName);
    assert_eq!(rename("age :", "when"), RenameError::BadName);
    assert_eq!(rename("\"wet\"", "grown up"), RenameError::Taken);
    assert_eq!(rename("rule", "x"), RenameError::NotASymbol);
}

#[test]
fn completion_fits_the_place() {
    let names = names();
    let complete = |text: &str| {
        let text = format!("{SHOP}{text}");
        let files = [SourceFile { path: "x.rules".to_owned(), text: text.clone() }];
        let found = Workspace::new(&files, &names).complete(0, text.len() as u32);
        found.into_iter().map(|one| one.text).collect::<Vec<String>>()
    };
    let has = |text: &str, wanted: &str| {
        let found = complete(text);
        assert!(found.iter().any(|one| one == wanted), "{text}: {found:?}");
    };
    has("", "rule");
    has("rule \"x\" {\n  ", "when");
    has("rule \"x\" { when ", "weather");
    has("rule \"x\" { when ", "segment(");
    has("rule \"x\" { when wea", "weather");
    has("rule \"x\" { when weather ", "is");
    has("rule \"x\" { when age ", ">=");
    has("rule \"x\" { when weather is ", "rain");
    has("rule \"x\" { when weather in (sun, ", "rain");
    has("rule \"x\" { when country is ", "RO");
    has("rule \"x\" { when segment(", "\"grown up\"");
    has("rule \"x\" { when age > 3 then ", "show creative");
    has("rule \"x\" { then show creative ", "\"a\"");
    has("rule \"x\" for placement ", "\"home\"");
    has("attribute x : number needs ", "ads_personalization");
    has("test \"t\" {\n  ", "given");
    assert!(!complete("rule \"x\" { when weather is ").contains(&"RO".to_owned()));
}

proptest! {
    #[test]
    fn any_question_about_any_text_is_answered(cut in 0usize..400, byte in 0u32..500, noise in "[ \"{}()a-z>=#\n]{0,12}") {
        let mut text = SHOP.to_owned();
        let cut = cut.min(text.len());
        text.insert_str(cut, &noise);
        let (files, names) = ([SourceFile { path: "x".to_owned(), text }], names());
        let workspace = Workspace::new(&files, &names);
        workspace.hover(0, byte);
        workspace.complete(0, byte);
        workspace.definition(0, byte);
        for place in workspace.references(0, byte) {
            prop_assert!(files[0].text.get(place.range()).is_some());
        }
        let _ = workspace.rename(0, byte, "fresh");
        workspace.diagnostics();
        let _ = workspace.hover(7, byte);
    }
}
