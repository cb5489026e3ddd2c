//! Top-level items: header, declarations, segments, rules, actions and tests.

use tessera_wire::signal::NUMBER_SCALE;

use super::{Parsed, Parser};
use crate::ast::{
    ActionItem, ActionKind, AttributeItem, Class, ConsentGiven, Expect, ExpectKind, File, Given, Name,
    Outcome, RuleItem, SegmentItem, TestItem, Tier, TypeName, Value,
};
use crate::codes::Code;
use crate::diagnostic::{Diagnostic, Place};
use crate::lexer::TokenKind;

/// The edition this compiler understands.
const EDITION: i64 = 1;

const TYPES: [&str; 10] =
    ["bool", "number", "percent", "money", "text", "one", "country", "language", "set", "time"];

impl Parser<'_> {
    pub(super) fn language(&mut self) -> Parsed<()> {
        let (edition, place) = self.number("the edition's number")?;
        if edition != EDITION * NUMBER_SCALE {
            let message = "this edition of the language is not known";
            let help = format!("this compiler knows edition {EDITION}");
            self.sink.push(Diagnostic::new(Code::E032, place, message).help(help));
        }
        Ok(())
    }

    pub(super) fn bundle(&mut self) -> Parsed<()> {
        self.quoted("the bundle's name in quotes")?;
        if self.eat_word("version") {
            self.number("the version's number")?;
        }
        if self.is_word("language") && !self.token().is_at_margin {
            self.bump();
            self.language()?;
        }
        Ok(())
    }

    pub(super) fn purpose(&mut self, tree: &mut File) -> Parsed<()> {
        tree.purposes.push(self.word("a purpose")?);
        if let TokenKind::Text(_) = self.token().kind {
            self.bump();
        }
        Ok(())
    }

    pub(super) fn attribute(&mut self, tree: &mut File) -> Parsed<()> {
        let name = self.word("the attribute's name")?;
        self.sign(":")?;
        let start = self.place();
        let ty = self.type_name()?;
        let type_place = start.to(self.last_place());
        let mut item = AttributeItem {
            name,
            ty,
            type_place,
            unit: None,
            is_caseless: false,
            is_from_request: None,
            needs: Vec::new(),
        };
        while !self.is_at_end() && !self.token().is_at_margin {
            match self.keyword(&["from", "needs"])? {
                "from" => item.is_from_request = Some(self.keyword(&["request", "profile"])? == "request"),
                _ => item.needs.extend(self.words("a purpose")?),
            }
        }
        tree.attributes.push(item);
        Ok(())
    }

    fn words(&mut self, what: &str) -> Parsed<Vec<Name>> {
        let mut words = vec![self.word(what)?];
        while self.eat_sign(",") {
            words.push(self.word(what)?);
        }
        Ok(words)
    }

    fn type_name(&mut self) -> Parsed<TypeName> {
        Ok(match self.keyword(&TYPES)? {
            "bool" => TypeName::Bool,
            "number" => TypeName::Number(self.bounds()?),
            "percent" => TypeName::Percent,
            "money" => TypeName::Money(self.currency()?),
            "text" => TypeName::Text,
            "one" => {
                self.keyword(&["of"])?;
                TypeName::OneOf(self.closed_list()?)
            }
            "country" => TypeName::Country,
            "language" => TypeName::Language,
            "set" => {
                self.keyword(&["of"])?;
                self.keyword(&["text"])?;
                TypeName::Set
            }
            _ => TypeName::Time,
        })
    }

    fn bounds(&mut self) -> Parsed<Option<(i64, i64)>> {
        if !self.eat_word("in") {
            return Ok(None);
        }
        let (low, start) = self.number("the smallest value")?;
        self.sign("..")?;
        let (high, end) = self.number("the largest value")?;
        if low > high {
            self.sink.push(Diagnostic::new(Code::E050, start.to(end), "these bounds are reversed"));
            return Ok(None);
        }
        Ok(Some((low, high)))
    }

    fn currency(&mut self) -> Parsed<String> {
        if !self.is_sign("(") {
            let message = "money needs a currency";
            let diagnostic = Diagnostic::new(Code::E043, self.last_place(), message).help("write money(EUR)");
            self.sink.push(diagnostic);
            return Err(super::GaveUp);
        }
        self.bump();
        let word = self.word("a currency such as `EUR`")?;
        self.sign(")")?;
        if word.text.len() == 3 && word.text.bytes().all(|byte| byte.is_ascii_uppercase()) {
            return Ok(word.text);
        }
        let message = format!("`{}` is not a currency code", word.text);
        self.sink
            .push(Diagnostic::new(Code::E043, word.place, message).help("write three letters, such as EUR"));
        Err(super::GaveUp)
    }

    fn closed_list(&mut self) -> Parsed<Vec<String>> {
        let mut values = Vec::new();
        loop {
            match self.token().kind.clone() {
                TokenKind::Word(text) | TokenKind::Text(text) => values.push(text),
                _ => return Err(self.expected("a value of the list")),
            }
            self.bump();
            if !self.eat_sign(",") {
                return Ok(values);
            }
        }
    }

    pub(super) fn segment(&mut self, tree: &mut File) -> Parsed<()> {
        let name = self.quoted("the segment's name in quotes")?;
        let conditions = self.conditions_in_braces()?;
        tree.segments.push(SegmentItem { name, conditions });
        Ok(())
    }

    pub(super) fn rule(&mut self, tree: &mut File) -> Parsed<()> {
        let start = self.last_place();
        let name = self.quoted("the rule's name in quotes")?;
        let mut rule = empty_rule(name, start);
        self.rule_header(&mut rule)?;
        self.sign("{")?;
        let mut has_then = false;
        while !self.is_sign("}") {
            let clause = self.keyword(&["when", "unless", "then", "otherwise"])?;
            let place = self.last_place();
            match clause {
                "when" => rule.whens.push(self.condition()?),
                "unless" => rule.unlesses.push(self.condition()?),
                "then" => {
                    self.once(has_then, place, "then");
                    has_then = true;
                    rule.tiers = self.tiers()?;
                }
                _ => {
                    self.once(rule.otherwise.is_some(), place, "otherwise");
                    rule.otherwise = Some(self.actions()?);
                }
            }
        }
        rule.place = start.to(self.bump());
        if !has_then {
            let message = format!("rule \"{}\" has no `then`", rule.name.text);
            let diagnostic = Diagnostic::new(Code::E033, rule.name.place, message);
            self.sink.push(diagnostic.help("to show nothing, write `then no ad`"));
        }
        tree.rules.push(rule);
        Ok(())
    }

    fn rule_header(&mut self, rule: &mut RuleItem) -> Parsed<()> {
        let mut has_priority = false;
        while !self.is_sign("{") {
            let part = self.keyword(&["priority", "for", "contextual", "fallback"])?;
            let place = self.last_place();
            match part {
                "priority" => {
                    self.once(has_priority, place, "priority");
                    has_priority = true;
                    rule.priority = self.priority()?;
                }
                "for" => {
                    self.once(!rule.placements.is_empty(), place, "for placement");
                    rule.placements.push(self.for_placement()?);
                }
                _ => {
                    self.once(rule.class.is_some(), place, "the kind of traffic");
                    let class = if part == "contextual" { Class::Contextual } else { Class::Fallback };
                    rule.class = Some((class, place));
                }
            }
        }
        Ok(())
    }

    fn for_placement(&mut self) -> Parsed<Name> {
        self.keyword(&["placement"])?;
        self.quoted("the placement's id in quotes")
    }

    fn priority(&mut self) -> Parsed<i32> {
        let (number, place) = self.number("the priority's number")?;
        match i32::try_from(number / NUMBER_SCALE) {
            Ok(priority) if number % NUMBER_SCALE == 0 => Ok(priority),
            _ => {
                let message = "a priority is a whole number below two thousand million";
                self.sink.push(Diagnostic::new(Code::E004, place, message));
                Ok(0)
            }
        }
    }

    fn once(&mut self, is_repeated: bool, place: Place, what: &str) {
        if is_repeated {
            self.sink.push(Diagnostic::new(Code::E034, place, format!("{what} is given twice")));
        }
    }

    pub(super) fn one_line_rule(&mut self, tree: &mut File) -> Parsed<()> {
        let start = self.last_place();
        let mut rule = empty_rule(Name { text: String::new(), place: start }, start);
        rule.is_one_line = true;
        rule.whens.push(self.condition()?);
        self.keyword(&["then"])?;
        rule.tiers = vec![Tier { condition: None, actions: self.actions()?, split: None }];
        rule.place = start.to(self.last_place());
        tree.rules.push(rule);
        Ok(())
    }

    fn tiers(&mut self) -> Parsed<Vec<Tier>> {
        if !self.eat_word("choose") {
            return Ok(vec![Tier { condition: None, actions: self.actions()?, split: None }]);
        }
        self.keyword(&["first"])?;
        self.sign("{")?;
        let mut tiers = Vec::new();
        while !self.is_sign("}") {
            let condition = if self.eat_word("otherwise") { None } else { Some(self.condition()?) };
            self.sign("->")?;
            tiers.push(Tier { condition, actions: self.actions()?, split: None });
        }
        if tiers.is_empty() {
            return Err(self.expected("a tier such as `country is RO -> no ad`"));
        }
        self.bump();
        Ok(tiers)
    }

    fn actions(&mut self) -> Parsed<Vec<ActionItem>> {
        let mut actions = vec![self.action()?];
        while self.eat_word("and") {
            actions.push(self.action()?);
        }
        Ok(actions)
    }

    fn action(&mut self) -> Parsed<ActionItem> {
        let start = self.place();
        let kind = match self.keyword(&["show", "offer", "suppress", "no", "tag"])? {
            "show" => match self.keyword(&["creative", "template"])? {
                "creative" => ActionKind::ShowCreative(self.quoted("the creative's id in quotes")?),
                _ => ActionKind::ShowTemplate(self.quoted("the template's id in quotes")?, Vec::new()),
            },
            "offer" => self.offer()?,
            "suppress" => ActionKind::Suppress,
            "no" => {
                self.keyword(&["ad"])?;
                ActionKind::Suppress
            }
            _ => ActionKind::Tag(self.quoted("the tag in quotes")?),
        };
        Ok(ActionItem { kind, place: start.to(self.last_place()) })
    }

    fn offer(&mut self) -> Parsed<ActionKind> {
        if let TokenKind::Text(_) = self.token().kind {
            return Ok(ActionKind::OfferNamed(self.quoted("the offer's id in quotes")?));
        }
        Ok(match self.keyword(&["discount", "free_shipping", "bundle"])? {
            "discount" => {
                let (percent, _) = self.number("the discount, such as `10%`")?;
                self.sign("%")?;
                ActionKind::OfferDiscount(percent)
            }
            "free_shipping" => ActionKind::OfferFreeShipping,
            _ => ActionKind::OfferBundle(self.quoted("the bundle offer's id in quotes")?),
        })
    }

    pub(super) fn test(&mut self, tree: &mut File) -> Parsed<()> {
        let name = self.quoted("the test's name in quotes")?;
        let placement = if self.eat_word("for") { Some(self.for_placement()?) } else { None };
        let mut test =
            TestItem { name, placement, given: Vec::new(), consent: ConsentGiven::All, expects: Vec::new() };
        self.sign("{")?;
        while !self.is_sign("}") {
            match self.keyword(&["given", "expect"])? {
                "given" => self.givens(&mut test)?,
                _ => test.expects.push(self.expect()?),
            }
        }
        self.bump();
        tree.tests.push(test);
        Ok(())
    }

    fn givens(&mut self, test: &mut TestItem) -> Parsed<()> {
        loop {
            let name = self.word("an attribute or `consent`")?;
            self.sign("=")?;
            if name.text == "consent" {
                test.consent = match self.keyword(&["all", "none"])? {
                    "all" => ConsentGiven::All,
                    _ => ConsentGiven::Purposes(Vec::new()),
                };
            } else {
                let values = self.given_values()?;
                test.given.push(Given::Attribute(name, values));
            }
            if !self.eat_sign(",") {
                return Ok(());
            }
        }
    }

    fn given_values(&mut self) -> Parsed<Vec<Value>> {
        let is_empty_set = self.is_sign("(") && *self.ahead(1) == TokenKind::Sign(")");
        if is_empty_set {
            self.bump();
            self.bump();
            return Ok(Vec::new());
        }
        self.list()
    }

    fn expect(&mut self) -> Parsed<Expect> {
        let start = self.place();
        let kind = if self.is_word("rule") || self.is_word("segment") {
            let is_rule = self.is_word("rule");
            self.bump();
            let name = self.quoted("its name in quotes")?;
            let outcome = match self.keyword(&["true", "false", "unknown"])? {
                "true" => Outcome::True,
                "false" => Outcome::False,
                _ => Outcome::Unknown,
            };
            if is_rule {
                ExpectKind::Rule(name, outcome, None)
            } else {
                ExpectKind::Segment(name, outcome, None)
            }
        } else if self.eat_word("nothing") {
            ExpectKind::Nothing
        } else {
            ExpectKind::Action(self.action()?)
        };
        Ok(Expect { kind, place: start.to(self.last_place()) })
    }
}

fn empty_rule(name: Name, place: Place) -> RuleItem {
    RuleItem {
        name,
        is_one_line: false,
        place,
        priority: 0,
        placements: Vec::new(),
        class: None,
        whens: Vec::new(),
        unlesses: Vec::new(),
        schedules: Vec::new(),
        caps: Vec::new(),
        rollout: None,
        tiers: Vec::new(),
        otherwise: None,
    }
}
