//! Test blocks: typed like rules, so that a test cannot set or expect what does not exist.
//!
//! What the engine knows by itself has a value without being given: counts are zero, and the clock of a test shows some
//! fixed moment unless `now` is given. The visitor lives in the zone of `now`; without it their local time is unknown.

use ahash::AHashMap;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use tessera_wire::program::{Origin, SignalId};
use tessera_wire::signal::{Builtin, DAYPARTS, Gates, NUMBER_SCALE, WEEKDAYS};

use super::vocabulary::{AttributeId, Entry};
use super::{Checked, Checker, schedule};
use crate::ast::{
    self, Because, ConsentGiven, Expect, ExpectKind, File, Name, Outcome, TestItem, Value, ValueKind, Zone,
};
use crate::codes::Code;
use crate::diagnostic::{Diagnostic, Place};
use crate::hir::{Action, Type};

/// Any instant will do where a test does not say when it is.
const NOW_MS: i64 = 1_700_000_000_000;

/// A test that can be run.
#[derive(Debug, Clone)]
pub(crate) struct TypedTest {
    pub(crate) name: String,
    /// Where its name stands.
    pub(crate) place: Place,
    pub(crate) placement: Option<u32>,
    pub(crate) granted: Gates,
    pub(crate) now_ms: i64,
    /// Where the visitor lives, if it matters.
    pub(crate) zone: Option<TimeZone>,
    /// Later values replace earlier ones.
    pub(crate) given: Vec<(SignalId, Given)>,
    pub(crate) expects: Vec<(Expected, Place)>,
}

/// What a signal holds unless a test says otherwise.
#[derive(Debug, Clone)]
pub(crate) enum Preset {
    Zero,
    Now,
    MinuteOfWeek(TimeZone),
    /// Follows from the visitor's clock.
    Local(Builtin),
}

impl Preset {
    pub(crate) fn value(&self, test: &TypedTest) -> Option<Given> {
        match self {
            Preset::Zero => Some(Given::Integer(0)),
            Preset::Now => Some(Given::Integer(test.now_ms)),
            Preset::MinuteOfWeek(zone) => {
                local_minute(test.now_ms, zone).map(|minute| Given::Integer(minute * NUMBER_SCALE))
            }
            Preset::Local(builtin) => local_signal(*builtin, local_minute(test.now_ms, test.zone.as_ref()?)?),
        }
    }
}

/// What a signal holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Given {
    Integer(i64),
    AgeMs(i64),
    Text(String),
    Members(Vec<String>),
}

/// What should come out.
#[derive(Debug, Clone)]
pub(crate) enum Expected {
    Source(usize, Outcome, Option<Reason>),
    Segment(usize, Outcome, Option<Reason>),
    Actions(Vec<Action>),
    /// An arm, and perhaps of which split.
    Variant(String, Option<String>),
    Bandit(String),
    Nothing,
}

/// Why something is unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    Consent(Gates),
    Missing,
}

/// Positions of what expectations name.
struct Positions<'a> {
    rules: AHashMap<&'a str, usize>,
    segments: AHashMap<&'a str, usize>,
}

impl Checker<'_> {
    pub(super) fn tests(&mut self, files: &[File], checked: &mut Checked) {
        let mut tests = Vec::new();
        let rules = checked.sources.iter().map(|source| source.name.as_str());
        let segments = checked.unit.segments.iter().map(|(name, _)| name.as_str());
        let positions = Positions { rules: positions(rules), segments: positions(segments) };
        for item in files.iter().flat_map(|file| &file.tests) {
            tests.extend(self.typed_test(item, &positions));
        }
        checked.defaults = self.defaults();
        checked.tests = tests;
    }

    fn defaults(&self) -> Vec<(SignalId, Preset)> {
        let default = |entry: &Entry| match &entry.origin {
            Origin::Feature(_) => Some(Preset::Zero),
            Origin::MinuteOfWeek(name) => schedule::zone(name).map(Preset::MinuteOfWeek),
            Origin::Builtin(Builtin::Now) => Some(Preset::Now),
            Origin::Builtin(
                builtin @ (Builtin::MinuteOfWeek | Builtin::Hour | Builtin::Weekday | Builtin::Daypart),
            ) => Some(Preset::Local(*builtin)),
            _ => None,
        };
        self.vocabulary.used().filter_map(|(signal, entry)| Some((signal, default(entry)?))).collect()
    }

    fn typed_test(&mut self, item: &TestItem, positions: &Positions<'_>) -> Option<TypedTest> {
        let now = item.given.iter().rev().find_map(|given| match given {
            ast::Given::Now(moment) => Some(moment),
            _ => None,
        });
        let now_ms = now.and_then(|moment| self.instants(moment)).map_or(NOW_MS, |range| range.0);
        let zone = now.and_then(|moment| match &moment.zone {
            Zone::Named(name) => schedule::zone(&name.text),
            _ => Some(TimeZone::UTC),
        });
        let given = item.given.iter().filter_map(|item| self.given_item(item)).collect();
        let granted = self.granted(&item.consent);
        let placement = match &item.placement {
            Some(name) => Some(self.placement(name)?),
            None => (self.names.placements.len() == 1).then_some(0),
        };
        let expects: Vec<_> = item
            .expects
            .iter()
            .map(|expect| Some((self.expected(expect, placement, positions)?, expect.place)))
            .collect();
        let expects = expects.into_iter().collect::<Option<Vec<_>>>()?;
        let (name, place) = (item.name.text.clone(), item.name.place);
        Some(TypedTest { name, place, placement, granted, now_ms, zone, given, expects })
    }

    fn granted(&mut self, consent: &ConsentGiven) -> Gates {
        match consent {
            ConsentGiven::All => Gates::ALL,
            ConsentGiven::Purposes(names) => {
                names.iter().filter_map(|name| self.purpose(name)).fold(Gates::NONE, Gates::or)
            }
        }
    }

    /// A signal and its value; nothing when no rule reads it, because then it cannot matter.
    fn given_item(&mut self, item: &ast::Given) -> Option<(SignalId, Given)> {
        let (attribute, given) = match item {
            ast::Given::Now(_) => return None,
            ast::Given::Attribute(name, values) => {
                let attribute = self.attribute(name)?;
                (attribute, self.given(attribute, name, values)?)
            }
            ast::Given::Count(count, value) => {
                let feature = self.feature_of(count)?;
                let ValueKind::Number(number) = value.kind else {
                    let diagnostic = Diagnostic::new(Code::E045, value.place, "a count is a whole number");
                    self.sink.push(diagnostic);
                    return None;
                };
                (self.vocabulary.find(&crate::print::count(&feature))?, Given::Integer(number))
            }
            ast::Given::Bucket(bucket, value) => {
                let attribute = self.vocabulary.find(&crate::print::bucket_of(bucket))?;
                (attribute, Given::Integer(self.interval(attribute, value)?.0))
            }
        };
        Some((self.vocabulary.used_signal(attribute)?, given))
    }

    fn given(&mut self, attribute: AttributeId, name: &Name, values: &[Value]) -> Option<Given> {
        let ty = &self.vocabulary.entry(attribute).ty;
        if matches!(ty, Type::Set | Type::SetOf(_)) {
            let members: Vec<_> = values.iter().map(|value| self.text_value(attribute, value)).collect();
            return members.into_iter().collect::<Option<Vec<_>>>().map(Given::Members);
        }
        let [value] = values else {
            self.mismatch(attribute, name.place, "give it one value");
            return None;
        };
        match (ty, &value.kind) {
            (Type::Bool, ValueKind::Word(word)) if word == "true" || word == "false" => {
                Some(Given::Integer(i64::from(word == "true")))
            }
            (Type::Time, ValueKind::AgoMs(age_ms)) => Some(Given::AgeMs(*age_ms)),
            (Type::Time, ValueKind::Moment(_)) => {
                self.interval(attribute, value).map(|range| Given::Integer(range.0))
            }
            (Type::Bool, _) => {
                self.mismatch(attribute, value.place, "write true or false");
                None
            }
            (Type::Time, _) => {
                self.mismatch(
                    attribute,
                    value.place,
                    "write a time such as `2 hours ago` or `2026-01-31 12:00`",
                );
                None
            }
            (
                Type::Text
                | Type::OneOf(_)
                | Type::Country
                | Type::Language
                | Type::Currency
                | Type::Timezone
                | Type::Set
                | Type::SetOf(_),
                _,
            ) => self.text_value(attribute, value).map(Given::Text),
            _ => self.interval(attribute, value).map(|range| Given::Integer(range.0)),
        }
    }

    fn expected(
        &mut self,
        expect: &Expect,
        placement: Option<u32>,
        positions: &Positions<'_>,
    ) -> Option<Expected> {
        let speaks_of_rules = matches!(expect.kind, ExpectKind::Rule(..) | ExpectKind::Segment(..));
        if !speaks_of_rules && placement.is_none() {
            let message = "this expectation needs a placement";
            let help = "write: test \"…\" for placement \"…\" { … }";
            self.sink.push(Diagnostic::new(Code::E091, expect.place, message).help(help));
            return None;
        }
        Some(match &expect.kind {
            ExpectKind::Rule(name, outcome, because) => {
                let reason = self.reason(because.as_ref());
                Expected::Source(self.position("rule", name, &positions.rules)?, *outcome, reason)
            }
            ExpectKind::Segment(name, outcome, because) => {
                let reason = self.reason(because.as_ref());
                Expected::Segment(self.position("segment", name, &positions.segments)?, *outcome, reason)
            }
            ExpectKind::Action(action) => {
                let mut actions = Vec::new();
                self.action(action, &mut actions)?;
                Expected::Actions(actions)
            }
            ExpectKind::Variant(arm, split) => {
                Expected::Variant(arm.text.clone(), split.as_ref().map(|split| split.text.clone()))
            }
            ExpectKind::Bandit(name) => Expected::Bandit(name.text.clone()),
            ExpectKind::Nothing => Expected::Nothing,
        })
    }

    fn reason(&mut self, because: Option<&Because>) -> Option<Reason> {
        match because? {
            Because::Missing => Some(Reason::Missing),
            Because::Consent(names) => {
                let gates = names.iter().filter_map(|name| self.purpose(name)).fold(Gates::NONE, Gates::or);
                Some(Reason::Consent(gates))
            }
        }
    }

    fn position(&mut self, what: &str, name: &Name, known: &AHashMap<&str, usize>) -> Option<usize> {
        let found = known.get(name.text.as_str()).copied();
        // A rule or segment with a mistake in it is known all the same.
        let is_written = match what {
            "rule" => self.rule_sources.contains_key(name.text.as_str()),
            _ => self.segments.contains_key(&name.text),
        };
        if found.is_none() && !is_written {
            // The order of a hash table is not fixed: the suggestion has to be.
            let mut names: Vec<&str> =
                if self.sink.is_full() { Vec::new() } else { known.keys().copied().collect() };
            names.sort_unstable();
            let near = self.near(&name.text, names.into_iter());
            let message = format!("there is no {what} \"{}\"", name.text);
            self.sink.push(Diagnostic::new(Code::E042, name.place, message).did_you_mean(near));
        }
        found
    }
}

fn positions<'a>(names: impl Iterator<Item = &'a str>) -> AHashMap<&'a str, usize> {
    let mut positions = AHashMap::new();
    for (position, name) in names.enumerate() {
        positions.entry(name).or_insert(position);
    }
    positions
}

fn local_minute(now_ms: i64, zone: &TimeZone) -> Option<i64> {
    let time = zone.to_datetime(Timestamp::from_millisecond(now_ms).ok()?);
    let day = i64::from(time.weekday().to_monday_zero_offset());
    Some(day * 1_440 + i64::from(time.hour()) * 60 + i64::from(time.minute()))
}

/// What the visitor's own clock says.
fn local_signal(builtin: Builtin, minute: i64) -> Option<Given> {
    let hour = minute % 1_440 / 60;
    let word = |words: &[&str], index: i64| {
        let word = usize::try_from(index).ok().and_then(|index| words.get(index));
        word.map(|word| Given::Text((*word).to_owned()))
    };
    match builtin {
        Builtin::MinuteOfWeek => Some(Given::Integer(minute * NUMBER_SCALE)),
        Builtin::Hour => Some(Given::Integer(hour * NUMBER_SCALE)),
        Builtin::Weekday => word(&WEEKDAYS, minute / 1_440),
        Builtin::Daypart => word(&DAYPARTS, hour / 6),
        _ => None,
    }
}
