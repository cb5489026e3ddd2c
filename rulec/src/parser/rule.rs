//! Rules: header, clauses and tiers.

use tessera_wire::signal::NUMBER_SCALE;

use super::value::UNITS;
use super::{Parsed, Parser};
use crate::ast::{Cap, Class, File, Key, Name, Rollout, RuleItem, Tier};
use crate::codes::Code;
use crate::diagnostic::{Diagnostic, Place};
use crate::lexer::TokenKind;

const CLAUSES: [&str; 7] = ["when", "unless", "then", "otherwise", "active", "cap", "rollout"];

impl Parser<'_> {
    pub(super) fn rule(&mut self, tree: &mut File) -> Parsed<()> {
        self.spend()?;
        let start = self.last_place();
        let name = self.quoted("the rule's name in quotes")?;
        let mut rule = empty_rule(name, start);
        self.rule_header(&mut rule)?;
        self.sign("{")?;
        let mut has_then = false;
        while !self.is_sign("}") {
            let clause = self.keyword(&CLAUSES)?;
            let place = self.last_place();
            if clause == "then" {
                self.once(has_then, place, "then");
                has_then = true;
                rule.tiers = self.tiers()?;
            } else {
                self.clause(clause, place, &mut rule)?;
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

    fn clause(&mut self, clause: &str, place: Place, rule: &mut RuleItem) -> Parsed<()> {
        match clause {
            "when" => rule.whens.push(self.condition()?),
            "unless" => rule.unlesses.push(self.condition()?),
            "active" => rule.schedules.push(self.schedule()?),
            "cap" => rule.caps.push(self.cap(place)?),
            "rollout" => {
                self.once(rule.rollout.is_some(), place, "rollout");
                rule.rollout = Some(self.rollout(place)?);
            }
            _ => {
                self.once(rule.otherwise.is_some(), place, "otherwise");
                rule.otherwise = Some(self.actions()?);
            }
        }
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
                    while self.eat_sign(",") {
                        self.spend()?;
                        rule.placements.push(self.quoted("the placement's id in quotes")?);
                    }
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

    pub(super) fn for_placement(&mut self) -> Parsed<Name> {
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

    /// `2 per user per day`, or per a number of days.
    fn cap(&mut self, start: Place) -> Parsed<Cap> {
        let (number, place) = self.number("how often, such as `2 per user per day`")?;
        if number < NUMBER_SCALE || number % NUMBER_SCALE != 0 {
            let diagnostic = Diagnostic::new(Code::E004, place, "a cap is a whole number from 1 on");
            self.sink.push(diagnostic.help("to show nothing, write `then no ad`"));
        }
        self.keyword(&["per"])?;
        self.keyword(&["user"])?;
        self.keyword(&["per"])?;
        let window_ms = match self.token().kind {
            TokenKind::Number(_) => self.duration()?,
            _ => {
                let unit = self.keyword(&["day", "hour", "week", "minute"])?;
                UNITS.into_iter().find(|(name, _)| *name == unit).map_or(0, |(_, unit_ms)| unit_ms)
            }
        };
        Ok(Cap { impressions: number, window_ms, place: start.to(self.last_place()) })
    }

    fn rollout(&mut self, start: Place) -> Parsed<Rollout> {
        let (share, _) = self.share("the share, such as `10%`")?;
        let key = if self.eat_word("by") { self.key()? } else { Key::User };
        let salt = self.salt()?;
        Ok(Rollout { share, key, salt, place: start.to(self.last_place()) })
    }

    pub(super) fn salt(&mut self) -> Parsed<Option<Name>> {
        let is_text_ahead = matches!(self.ahead(1), TokenKind::Text(_));
        if is_text_ahead && self.keyword_here(&["salt"]).is_some() {
            Ok(Some(self.quoted("the salt in quotes")?))
        } else {
            Ok(None)
        }
    }

    pub(super) fn one_line_rule(&mut self, tree: &mut File) -> Parsed<()> {
        self.spend()?;
        let start = self.last_place();
        let mut rule = empty_rule(Name { text: String::new(), place: start }, start);
        rule.is_one_line = true;
        rule.whens.push(self.condition()?);
        self.keyword(&["then"])?;
        rule.tiers = self.tiers()?;
        rule.place = start.to(self.last_place());
        tree.rules.push(rule);
        Ok(())
    }

    fn tiers(&mut self) -> Parsed<Vec<Tier>> {
        let is_bandit = matches!(self.ahead(1), TokenKind::Word("by"));
        if !self.is_word("choose") || is_bandit {
            return Ok(vec![self.tier(None)?]);
        }
        self.bump();
        self.keyword(&["first"])?;
        self.sign("{")?;
        let mut tiers = Vec::new();
        while !self.is_sign("}") {
            self.spend()?;
            let is_arrow_ahead = super::is_sign(self.ahead(1), "->");
            let is_otherwise = self.is_word("otherwise") || (is_arrow_ahead && self.looks_like("otherwise"));
            let condition = if is_otherwise {
                self.keyword(&["otherwise"])?;
                None
            } else {
                Some(self.condition()?)
            };
            self.sign("->")?;
            tiers.push(self.tier(condition)?);
        }
        if tiers.is_empty() {
            return Err(self.expected("a tier such as `country is RO -> no ad`"));
        }
        self.bump();
        Ok(tiers)
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
