//! Source maps lead from every literal of every rule to where it is written.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]

mod suite;

use rulec::{SourceFile, compile, line_column};
use tessera_rulevm::{VerifiedProgram, literals_of};
use tessera_wire::bundle::{self, Bundle};
use tessera_wire::program::{LiteralId, Origin};

#[test]
fn every_literal_of_every_rule_has_a_place_that_names_its_attribute() {
    let mut literals = 0;
    for case in suite::cases() {
        let names = suite::names(case.catalog.as_deref().unwrap_or(suite::DEFAULT_CATALOG));
        let Ok(compiled) = compile(&case.files, &names, &case.extras) else { continue };
        let program = VerifiedProgram::verify(compiled.program, names.bounds()).unwrap();
        for rule in &program.program().rules {
            for id in literals_of(&program, rule.entry) {
                let span = compiled.source.span(rule.source, id).expect("a place");
                let file = &case.files[span.file as usize];
                let text = &file.text[span.start as usize..span.end as usize];
                let signal = program.program().literals[id.0 as usize].signal;
                let attribute = &program.program().attributes[usize::from(signal.0)];
                // What the compiler made up, and the clocks of schedules, are not named where they are asked for.
                let is_named = matches!(attribute.origin, Origin::Trait(_) | Origin::Context(_));
                assert!(!is_named || text.contains(&attribute.name), "{}: {text}", case.title);
                assert_eq!(span.line as usize, line_column(&file.text, span.start as usize).0);
                literals += 1;
            }
        }
        let spans = &compiled.source.spans;
        let keys: Vec<(u32, LiteralId)> = spans.iter().map(|span| (span.rule, span.literal)).collect();
        assert!(keys.is_sorted() && keys.windows(2).all(|pair| pair[0] != pair[1]), "{}", case.title);
    }
    assert!(literals > 150, "only {literals} literals were looked at");
}

#[test]
fn the_first_of_several_places_is_told_and_survives_a_bundle() {
    let text = "rule \"r\" {\n  when hour > 3\n  unless hour <= 2\n  then no ad\n}\n";
    let text = format!("{text}rule \"s\" {{ when hour > 3 and (country is RO or hour > 3) then no ad }}\n");
    let files = [SourceFile { path: "x.rules".to_owned(), text }];
    let names = suite::names(suite::DEFAULT_CATALOG);
    let compiled = compile(&files, &names, &[]).unwrap();
    let bundle = Bundle { program: compiled.program, source: compiled.source, ..Bundle::default() };
    let source = bundle::decode(&bundle::encode(&bundle)).unwrap().source;
    assert_eq!(source, bundle.source);
    let of = |rule: u32, text: &str| {
        let id = source.literals.iter().position(|literal| literal == text).unwrap() as u32;
        let span = source.span(rule, LiteralId(id)).unwrap();
        (span.line, &files[0].text[span.start as usize..span.end as usize])
    };
    assert_eq!(of(0, "hour > 3"), (2, "hour > 3"));
    assert_eq!(of(1, "hour > 3"), (6, "hour > 3"));
    assert_eq!(of(1, "country is RO"), (6, "country is RO"));
}
