//! What a tier does: actions, splits and bandits.

use tessera_rulevm::limits::WORD_BYTES_MAX;

use super::{Parsed, Parser, is_word};
use crate::ast::{ActionItem, ActionKind, Bind, BindValue, Cond, Name, Split, SplitArm, Tier};
use crate::codes::Code;
use crate::diagnostic::Diagnostic;
use crate::lexer::TokenKind;

const ACTIONS: [&str; 6] = ["show", "offer", "suppress", "no", "tag", "choose"];

impl Parser<'_> {
    /// Actions with `and` between them, one of which may be a split.
    pub(super) fn tier(&mut self, condition: Option<Cond>) -> Parsed<Tier> {
        let mut tier = Tier { condition, actions: Vec::new(), split: None };
        loop {
            match self.keyword(&["show", "offer", "suppress", "no", "tag", "choose", "split"])? {
                "split" => {
                    self.once(tier.split.is_some(), self.last_place(), "split");
                    tier.split = Some(Box::new(self.split()?));
                }
                word => tier.actions.push(self.action_of(word)?),
            }
            if !self.eat_and() {
                return Ok(tier);
            }
        }
    }

    pub(super) fn actions(&mut self) -> Parsed<Vec<ActionItem>> {
        let mut actions = vec![self.action()?];
        while self.eat_and() {
            actions.push(self.action()?);
        }
        Ok(actions)
    }

    /// `and`, perhaps misspelt before another action.
    fn eat_and(&mut self) -> bool {
        let is_action_ahead = matches!(self.ahead(1), TokenKind::Word(word) if ACTIONS.contains(&word));
        self.eat_word("and")
            || (is_action_ahead && !self.token().is_after_break && self.keyword_here(&["and"]).is_some())
    }

    pub(super) fn action(&mut self) -> Parsed<ActionItem> {
        let word = self.keyword(&ACTIONS)?;
        self.action_of(word)
    }

    /// An action whose first word was read.
    pub(super) fn action_of(&mut self, word: &str) -> Parsed<ActionItem> {
        self.spend()?;
        let start = self.last_place();
        let kind = match word {
            "show" => self.show(true)?,
            "offer" => self.offer()?,
            "suppress" => ActionKind::Suppress,
            "no" => {
                self.keyword(&["ad"])?;
                ActionKind::Suppress
            }
            "choose" => self.bandit()?,
            _ => ActionKind::Tag(self.quoted("the tag in quotes")?),
        };
        Ok(ActionItem { kind, place: start.to(self.last_place()) })
    }

    /// What follows `show`: a creative, a template, or a slot and the asset in it.
    fn show(&mut self, may_bind: bool) -> Parsed<ActionKind> {
        if self.is_word("creative") || self.is_word("template") {
            let is_creative = self.is_word("creative");
            self.bump();
            return self.shown(is_creative, may_bind);
        }
        let slot = self.word("`creative`, `template` or the name of a slot")?;
        Ok(ActionKind::Pin { slot, asset: self.quoted("the asset's id in quotes")? })
    }

    /// What follows `creative` or `template`.
    fn shown(&mut self, is_creative: bool, may_bind: bool) -> Parsed<ActionKind> {
        if is_creative {
            return Ok(ActionKind::ShowCreative(self.quoted("the creative's id in quotes")?));
        }
        let template = self.quoted("the template's id in quotes")?;
        let binds = if may_bind && self.eat_word("with") { self.binds()? } else { Vec::new() };
        Ok(ActionKind::ShowTemplate(template, binds))
    }

    fn binds(&mut self) -> Parsed<Vec<Bind>> {
        let mut binds = vec![self.bind()?];
        while self.is_sign(",") && matches!(self.ahead(1), TokenKind::Word(_)) {
            self.bump();
            binds.push(self.bind()?);
        }
        Ok(binds)
    }

    fn bind(&mut self) -> Parsed<Bind> {
        self.spend()?;
        let parameter = self.word("the name of a parameter")?;
        let value = match self.token().kind {
            TokenKind::Text(_) => BindValue::Text(self.quoted("a text")?),
            _ => BindValue::Attribute(self.word("an attribute or a text in quotes")?),
        };
        Ok(Bind { parameter, value })
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

    /// What follows `choose`.
    fn bandit(&mut self) -> Parsed<ActionKind> {
        self.keyword(&["by"])?;
        self.keyword(&["bandit"])?;
        let bandit = self.quoted("the bandit's name in quotes")?;
        self.sign("{")?;
        let mut arms = vec![self.bandit_arm()?];
        while self.eat_sign(",") && !self.is_sign("}") {
            arms.push(self.bandit_arm()?);
        }
        self.sign("}")?;
        Ok(ActionKind::Choose { bandit, arms })
    }

    /// One thing that is shown or offered, or nothing at all.
    fn bandit_arm(&mut self) -> Parsed<ActionItem> {
        self.spend()?;
        let start = self.place();
        let kind = match self.keyword(&["creative", "template", "offer", "no", "show"])? {
            word @ ("creative" | "template") => self.shown(word == "creative", false)?,
            "offer" => self.offer()?,
            "no" => {
                self.keyword(&["ad"])?;
                ActionKind::Suppress
            }
            _ => self.show(false)?,
        };
        Ok(ActionItem { kind, place: start.to(self.last_place()) })
    }

    /// What follows `split`.
    fn split(&mut self) -> Parsed<Split> {
        let start = self.last_place();
        self.keyword(&["by"])?;
        let key = self.key()?;
        let salt = self.salt()?;
        let place = start.to(self.last_place());
        self.sign("{")?;
        let mut arms = vec![self.split_arm()?];
        while self.eat_sign(",") && !self.is_sign("}") {
            arms.push(self.split_arm()?);
        }
        self.sign("}")?;
        Ok(Split { key, salt, arms, place })
    }

    fn split_arm(&mut self) -> Parsed<SplitArm> {
        self.spend()?;
        let (share, share_place) = self.share("an arm such as `50% creative \"a\"`")?;
        let start = self.place();
        if self.looks_like("control") {
            self.keyword(&["control"])?;
            let name = Name { text: "control".to_owned(), place: start };
            return Ok(SplitArm { share, share_place, name, actions: Vec::new() });
        }
        let mut actions = vec![self.arm_action()?];
        while self.eat_and() {
            actions.push(self.arm_action()?);
        }
        let name = Name { text: self.name_of(&actions), place: start.to(self.last_place()) };
        if name.text.len() > WORD_BYTES_MAX {
            let message = format!("the name of this arm has more than {WORD_BYTES_MAX} bytes");
            self.sink.push(Diagnostic::new(Code::E005, name.place, message));
        }
        Ok(SplitArm { share, share_place, name, actions })
    }

    /// In an arm, `show` may be left out before a creative or a template.
    fn arm_action(&mut self) -> Parsed<ActionItem> {
        let start = self.place();
        match self.keyword(&["creative", "template", "show", "offer", "suppress", "no", "tag", "choose"])? {
            word @ ("creative" | "template") => {
                self.spend()?;
                let kind = self.shown(word == "creative", true)?;
                Ok(ActionItem { kind, place: start.to(self.last_place()) })
            }
            word => self.action_of(word),
        }
    }

    /// How events call an arm: the ids and offers in it.
    fn name_of(&self, actions: &[ActionItem]) -> String {
        let names = actions.iter().map(|action| match &action.kind {
            ActionKind::ShowTemplate(name, _) | ActionKind::ShowCreative(name) | ActionKind::Tag(name) => {
                name.text.clone()
            }
            ActionKind::Pin { asset, .. } => asset.text.clone(),
            ActionKind::OfferNamed(name) | ActionKind::OfferBundle(name) => name.text.clone(),
            ActionKind::OfferDiscount(percent) => format!("discount {}%", crate::print::number(*percent)),
            ActionKind::OfferFreeShipping => "free_shipping".to_owned(),
            ActionKind::Choose { bandit, .. } => bandit.text.clone(),
            ActionKind::Suppress => "no ad".to_owned(),
        });
        names.collect::<Vec<_>>().join(" + ")
    }

    /// Is a bandit expected here, without its arms?
    pub(super) fn is_bandit_ahead(&self) -> bool {
        self.is_word("choose") && is_word(self.ahead(1), "by")
    }
}
