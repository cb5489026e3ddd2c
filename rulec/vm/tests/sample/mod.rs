//! A small program that uses every kind of attribute, constraint, polarity and action.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used)]

use tessera_rulevm::{CatalogBounds, Frame, VerifiedProgram};
use tessera_wire::catalog::{CreativeId, OfferId, PlacementId, TemplateId};
use tessera_wire::program::*;
use tessera_wire::signal::{Builtin, Gates, Kind};

pub const BOUNDS: CatalogBounds = CatalogBounds {
    placements: 2,
    templates: 1,
    creatives: 2,
    offers: 1,
    assets: 3,
    campaigns: 1,
    flights: 0,
};

pub const DEVICE: SignalId = SignalId(0);
pub const AGE: SignalId = SignalId(1);
pub const CART: SignalId = SignalId(2);
pub const KEYWORDS: SignalId = SignalId(3);
pub const VISIT: SignalId = SignalId(4);
pub const PATH: SignalId = SignalId(5);
pub const MEMBER: SignalId = SignalId(6);

fn attribute(name: &str, kind: Kind, origin: Origin, gates: Gates) -> Attribute {
    let currency = if kind == Kind::Money { "EUR" } else { "" };
    Attribute {
        name: name.into(),
        kind,
        currency: currency.into(),
        origin,
        gates,
        needs_text: false,
        is_caseless: false,
    }
}

fn attributes() -> Vec<Attribute> {
    let personal = Gates::ADS_PERSONALIZE;
    let builtin = Origin::Builtin;
    let mut path = attribute("page.path", Kind::Text, builtin(Builtin::PagePath), Gates::NONE);
    path.needs_text = true;
    vec![
        attribute("device.type", Kind::Text, builtin(Builtin::DeviceType), Gates::NONE),
        attribute("age", Kind::Number, Origin::Trait("age".into()), personal),
        attribute("cart.value", Kind::Money, builtin(Builtin::CartValue), personal),
        attribute("page.keywords", Kind::Set, builtin(Builtin::PageKeywords), Gates::NONE),
        attribute("last_visit", Kind::Time, Origin::Trait("last_visit".into()), personal),
        path,
        attribute("member", Kind::Bool, Origin::Trait("member".into()), personal),
    ]
}

fn span(first: u32, len: u32) -> Span {
    Span { first, len }
}

fn literals() -> Vec<Literal> {
    let words = span(0, 2);
    let table = [
        (DEVICE, Polarity::Holds, Constraint::OneOf(words)),
        (DEVICE, Polarity::NotDefinitely, Constraint::Known),
        (AGE, Polarity::Holds, Constraint::InRanges(span(0, 2))),
        (AGE, Polarity::Fails, Constraint::InRanges(span(0, 2))),
        (CART, Polarity::Possibly, Constraint::InRanges(span(2, 1))),
        (KEYWORDS, Polarity::Holds, Constraint::AnyOf(words)),
        (KEYWORDS, Polarity::Holds, Constraint::AllOf(words)),
        (KEYWORDS, Polarity::Holds, Constraint::OnlyOf(words)),
        (VISIT, Polarity::Holds, Constraint::AgeInRanges(span(3, 1))),
        (PATH, Polarity::Holds, Constraint::StartsWith(WordId(1))),
        (PATH, Polarity::Holds, Constraint::EndsWith(WordId(2))),
        (PATH, Polarity::Holds, Constraint::Contains(WordId(3))),
        (MEMBER, Polarity::Holds, Constraint::InRanges(span(4, 1))),
    ];
    table.into_iter().map(|(signal, polarity, constraint)| Literal { signal, polarity, constraint }).collect()
}

/// One branch per literal; the first ten form one conjunction, the rest a disjunction.
fn code() -> Vec<Branch> {
    (0..13u32)
        .map(|at| {
            let literal = LiteralId(at);
            let next = if at == 12 { REJECT } else { at + 1 };
            if at < 9 {
                Branch { literal, on_true: at + 1, on_false: REJECT }
            } else {
                Branch { literal, on_true: ACCEPT, on_false: next }
            }
        })
        .collect()
}

fn rules() -> Vec<Rule> {
    let rule = |source, tier, placement, priority, entry, actions| Rule {
        source,
        tier,
        placement: PlacementId(placement),
        priority,
        class: RuleClass::Personalized,
        entry,
        actions,
    };
    vec![
        rule(1, 0, 0, 10, 0, span(0, 2)),
        rule(1, 1, 0, 10, 2, span(2, 1)),
        rule(0, 0, 0, 0, ACCEPT, span(3, 2)),
        rule(0, 0, 1, 0, 9, span(3, 2)),
    ]
}

pub fn program() -> Program {
    Program {
        attributes: attributes(),
        dictionary: ["alpha", "beta", "gamma"].map(String::from).to_vec(),
        ranges: vec![(0, 10), (20, 30), (50, i64::MAX), (0, 1_000), (1, 1)],
        words: vec![WordId(1), WordId(3)],
        literals: literals(),
        code: code(),
        rules: rules(),
        segments: vec![Segment { name: "members".into(), entry: 12, gates: Gates::ADS_PERSONALIZE }],
        actions: vec![
            Action::ShowTemplate(TemplateId(0)),
            Action::Offer(OfferId(0)),
            Action::ShowCreative(CreativeId(1)),
            Action::Suppress,
            Action::Tag(WordId(2)),
        ],
        features: Vec::new(),
        work_max: 29,
    }
}

pub fn verified() -> VerifiedProgram {
    VerifiedProgram::verify(program(), BOUNDS).unwrap()
}

/// Sets every signal so that every literal's constraint is satisfied where that is possible together.
pub fn fill(program: &VerifiedProgram, frame: &mut Frame) {
    frame.reset(program, 10_000);
    frame.set_text(program, DEVICE, "alpha");
    frame.set_integer(AGE, 25);
    frame.set_integer(CART, 60);
    frame.begin_set(KEYWORDS);
    for member in ["gamma", "alpha", "gamma"] {
        frame.push_member(program, KEYWORDS, member);
    }
    frame.set_integer(VISIT, 9_500);
    frame.set_text(program, PATH, "alpha/gamma/beta");
    frame.set_integer(MEMBER, 1);
}
