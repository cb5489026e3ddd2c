//! What conditions test besides attributes: counts of events and sticky buckets.

use super::{Parsed, Parser, is_word};
use crate::ast::{Bucket, Count, CountWindow, CountedEvent, CountedSubject, Key};
use crate::lexer::TokenKind;

impl Parser<'_> {
    /// `impressions`, `clicks` and `count` are words like any other unless they go on like a count.
    pub(super) fn is_count_ahead(&self) -> bool {
        let TokenKind::Word(word) = self.token().kind else { return false };
        match word {
            "count" => is_word(self.ahead(1), "of"),
            "impressions" | "clicks" => {
                let is_window = is_word(self.ahead(1), "in") && matches!(self.ahead(2), TokenKind::Word(_));
                is_window || is_word(self.ahead(1), "of") || is_word(self.ahead(1), "today")
            }
            _ => false,
        }
    }

    pub(super) fn count(&mut self) -> Parsed<Count> {
        let start = self.place();
        let event = match self.keyword(&["impressions", "clicks", "count"])? {
            "impressions" => CountedEvent::Impressions,
            "clicks" => CountedEvent::Clicks,
            _ => {
                self.keyword(&["of"])?;
                CountedEvent::Behaviour(self.word("the event's name")?)
            }
        };
        let is_behaviour = matches!(event, CountedEvent::Behaviour(_));
        let subject =
            if !is_behaviour && self.eat_word("of") { self.subject()? } else { CountedSubject::Any };
        let window = match self.keyword(&["today", "in"])? {
            "today" => CountWindow::Today,
            _ => {
                self.keyword(&["last"])?;
                CountWindow::LastMs(self.duration()?)
            }
        };
        Ok(Count { event, subject, window, place: start.to(self.last_place()) })
    }

    fn subject(&mut self) -> Parsed<CountedSubject> {
        let start = self.place();
        let subject = self.keyword(&["creative", "campaign", "template", "offer", "rule", "this"])?;
        if subject == "this" {
            self.keyword(&["rule"])?;
            return Ok(CountedSubject::ThisRule(start.to(self.last_place())));
        }
        let name = self.quoted("its name in quotes")?;
        Ok(match subject {
            "creative" => CountedSubject::Creative(name),
            "campaign" => CountedSubject::Campaign(name),
            "template" => CountedSubject::Template(name),
            "offer" => CountedSubject::Offer(name),
            _ => CountedSubject::Rule(name),
        })
    }

    pub(super) fn is_bucket_ahead(&self) -> bool {
        self.is_word("bucket") && is_word(self.ahead(1), "of")
    }

    pub(super) fn bucket(&mut self) -> Parsed<Bucket> {
        self.keyword(&["bucket"])?;
        self.keyword(&["of"])?;
        let salt = self.quoted("the salt in quotes")?;
        let key = if self.eat_word("by") { self.key()? } else { Key::User };
        Ok(Bucket { key, salt })
    }

    pub(super) fn key(&mut self) -> Parsed<Key> {
        Ok(if self.keyword(&["user", "request"])? == "user" { Key::User } else { Key::Request })
    }
}
