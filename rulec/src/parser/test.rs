//! Test blocks.

use tessera_wire::signal::PURPOSES;

use super::{Parsed, Parser, is_sign};
use crate::ast::{Because, ConsentGiven, Expect, ExpectKind, File, Given, Name, Outcome, TestItem, Value};
use crate::lexer::TokenKind;

const EXPECTATIONS: [&str; 10] =
    ["rule", "segment", "nothing", "variant", "choose", "show", "offer", "suppress", "no", "tag"];

impl Parser<'_> {
    pub(super) fn test(&mut self, tree: &mut File) -> Parsed<()> {
        self.spend()?;
        let name = self.quoted("the test's name in quotes")?;
        let placement = if self.eat_word("for") { Some(self.for_placement()?) } else { None };
        let (given, expects) = (Vec::new(), Vec::new());
        let mut test = TestItem { name, placement, given, consent: ConsentGiven::All, expects };
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
            self.spend()?;
            if self.is_word("consent") && is_sign(self.ahead(1), "=") {
                self.bump();
                self.bump();
                test.consent = self.consent()?;
            } else {
                test.given.push(self.given()?);
            }
            if !self.eat_sign(",") {
                return Ok(());
            }
        }
    }

    fn given(&mut self) -> Parsed<Given> {
        if self.is_count_ahead() {
            let count = self.count()?;
            self.sign("=")?;
            return Ok(Given::Count(count, self.value()?));
        }
        if self.is_bucket_ahead() {
            let bucket = self.bucket()?;
            self.sign("=")?;
            return Ok(Given::Bucket(bucket, self.value()?));
        }
        let name = self.word("an attribute, a count or `consent`")?;
        self.sign("=")?;
        if name.text == "now" {
            return Ok(Given::Now(self.moment()?));
        }
        Ok(Given::Attribute(name, self.given_values()?))
    }

    /// `all`, `none`, or purposes; the list ends where the next name is followed by `=`.
    fn consent(&mut self) -> Parsed<ConsentGiven> {
        let is_purpose = |word: &str| PURPOSES.iter().any(|purpose| purpose.name == word);
        match self.token().kind {
            TokenKind::Word(word) if is_purpose(word) => {}
            _ => {
                let mut words = vec!["all", "none"];
                words.extend(PURPOSES.iter().map(|purpose| purpose.name));
                let found = self.keyword(&words)?;
                return Ok(match found {
                    "all" => ConsentGiven::All,
                    "none" => ConsentGiven::Purposes(Vec::new()),
                    _ => ConsentGiven::Purposes(vec![Name {
                        text: found.to_owned(),
                        place: self.last_place(),
                    }]),
                });
            }
        }
        let mut purposes = vec![self.word("a purpose")?];
        while self.is_sign(",") && matches!(self.ahead(1), TokenKind::Word(_)) && !is_sign(self.ahead(2), "=")
        {
            let is_next_purpose = matches!(self.ahead(1), TokenKind::Word(word) if is_purpose(word));
            if !is_next_purpose {
                break;
            }
            self.bump();
            purposes.push(self.word("a purpose")?);
        }
        Ok(ConsentGiven::Purposes(purposes))
    }

    fn given_values(&mut self) -> Parsed<Vec<Value>> {
        let is_empty_set = self.is_sign("(") && is_sign(self.ahead(1), ")");
        if is_empty_set {
            self.bump();
            self.bump();
            return Ok(Vec::new());
        }
        self.list()
    }

    fn expect(&mut self) -> Parsed<Expect> {
        self.spend()?;
        let start = self.place();
        let kind = if self.is_bandit_ahead() {
            self.bump();
            self.bump();
            self.keyword(&["bandit"])?;
            ExpectKind::Bandit(self.quoted("the bandit's name in quotes")?)
        } else if self.is_action_ahead() {
            ExpectKind::Action(self.action()?)
        } else {
            match self.keyword(&EXPECTATIONS)? {
                "rule" => {
                    let (name, outcome, because) = self.outcome()?;
                    ExpectKind::Rule(name, outcome, because)
                }
                "segment" => {
                    let (name, outcome, because) = self.outcome()?;
                    ExpectKind::Segment(name, outcome, because)
                }
                "nothing" => ExpectKind::Nothing,
                "variant" => {
                    let arm = self.quoted("the arm's name in quotes")?;
                    let split =
                        if self.eat_word("of") { Some(self.quoted("the split's salt")?) } else { None };
                    ExpectKind::Variant(arm, split)
                }
                word => ExpectKind::Action(self.action_of(word)?),
            }
        };
        Ok(Expect { kind, place: start.to(self.last_place()) })
    }

    fn is_action_ahead(&self) -> bool {
        ["show", "offer", "suppress", "no", "tag"].iter().any(|word| self.is_word(word))
    }

    fn outcome(&mut self) -> Parsed<(Name, Outcome, Option<Because>)> {
        let name = self.quoted("its name in quotes")?;
        let outcome = match self.keyword(&["true", "false", "unknown"])? {
            "true" => Outcome::True,
            "false" => Outcome::False,
            _ => Outcome::Unknown,
        };
        if outcome != Outcome::Unknown || !self.eat_word("because") {
            return Ok((name, outcome, None));
        }
        let because = match self.keyword(&["consent", "missing"])? {
            "consent" => Because::Consent(self.words("a purpose")?),
            _ => Because::Missing,
        };
        Ok((name, outcome, Some(because)))
    }
}
