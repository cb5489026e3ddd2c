//! The decision table: which of the eleven gates are open for a request, and why.
//!
//! Every applicable regime contributes a mask and the result is their intersection; overrides such as Global Privacy
//! Control, a suppressed subject or a child only take away. Whatever is malformed grants nothing.
//!
//! Cost: each string is decoded once, about half a microsecond in all, no allocation.
//! Not here: decoding ([`super::tcf`], [`super::gpp`]), regimes ([`super::regime`]).

use tessera_wire::event::Mode;
use tessera_wire::signal::Gates;

use super::error::DecodeError;
use super::gpp::{GppString, SECTION_TCF_EU, SECTION_US_LAST, SECTION_US_NATIONAL, SECTION_US_PRIVACY};
use super::inputs::{ConsentInputs, GpcScope, OwnConsent, Policy, Role};
use super::reason::Reason;
use super::regime::{self, Regimes};
use super::tcf::TcString;
use super::us::UsSection;
use super::usp::UsPrivacy;
use super::vendor::{Granted, granted_to_publisher, granted_to_vendor};

/// Gates that say "a profile".
const PROFILE: Gates = Gates::ADS_PROFILE_WRITE
    .or(Gates::ADS_PERSONALIZE)
    .or(Gates::CONTENT_PROFILE_WRITE)
    .or(Gates::CONTENT_PERSONALIZE);
/// Gates of a publisher's own content.
const CONTENT: Gates = Gates::CONTENT_PROFILE_WRITE.or(Gates::CONTENT_PERSONALIZE);
/// Gates that an opt-out closes.
const OPT_OUT: Gates = PROFILE.or(Gates::LEARN_USER_LEVEL).or(Gates::SHARE_THIRD_PARTY);
/// Gates that must be open for [`Mode::Full`].
const FULL: Gates = Gates::ALL.without(Gates::PRECISE_GEO).without(Gates::SHARE_THIRD_PARTY);

/// What may be done with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    /// Gates that are open.
    pub gates: Gates,
    /// The mode that follows.
    pub mode: Mode,
    /// Regimes that apply.
    pub regimes: Regimes,
    /// What decided.
    pub reason: Reason,
}

/// Evaluates the decision table at `now_ms` (unix milliseconds).
pub fn evaluate(inputs: &ConsentInputs<'_>, policy: &Policy, now_ms: i64) -> Outcome {
    let read = Read::from(inputs);
    let applicable = regime::applicable(inputs, policy, read.says_us(), read.is_gpp_unreadable());
    let regimes = applicable.regimes;
    let mut tally = Tally { gates: Gates::ALL, reason: Reason::Granted };

    if regimes.contains(Regimes::GDPR) {
        let (mask, reason) = gdpr_mask(inputs, policy, &read, now_ms);
        let is_unknown = applicable.is_default && reason == Reason::NoSignal;
        tally.keep(mask, if is_unknown { Reason::UnknownCountry } else { reason });
    }
    if regimes.contains(Regimes::US) {
        let (mask, reason) = us_mask(inputs, policy, &read);
        tally.keep(mask, reason);
    }
    if regimes.contains(Regimes::OPT_IN) {
        let reason = if inputs.own.is_some() { Reason::OwnRefused } else { Reason::NoSignal };
        tally.keep(inputs.own.map_or(Gates::NONE, own_mask), reason);
    }
    if regimes.is_empty() && !inputs.own.is_some_and(|own| own.precise_geo) {
        tally.gates = tally.gates.without(Gates::PRECISE_GEO);
    }
    apply_overrides(&mut tally, inputs, policy, regimes);

    if inputs.coppa || read.us.is_known_child {
        let reason = if inputs.coppa { Reason::Coppa } else { Reason::KnownChild };
        return Outcome { gates: Gates::NONE, mode: Mode::Child, regimes, reason };
    }
    let mode = mode_of(tally.gates);
    if mode == Mode::Contextual {
        tally.gates = tally.gates.without(Gates::PRECISE_GEO);
    }
    Outcome { gates: tally.gates, mode, regimes, reason: tally.reason }
}

/// Gates so far, and what closed the last of them.
struct Tally {
    gates: Gates,
    reason: Reason,
}

impl Tally {
    /// Closes every gate outside `mask`. Precise location and sharing are extras whose absence explains nothing.
    fn keep(&mut self, mask: Gates, reason: Reason) {
        if !mask.covers(self.gates.and(FULL)) {
            self.reason = reason;
        }
        self.gates = self.gates.and(mask);
    }
}

fn apply_overrides(tally: &mut Tally, inputs: &ConsentInputs<'_>, policy: &Policy, regimes: Regimes) {
    if inputs.gpc && (policy.gpc_scope == GpcScope::Global || regimes.contains(Regimes::US)) {
        tally.keep(opt_out_mask(policy), Reason::Gpc);
    }
    if inputs.dnt && policy.honor_dnt {
        tally.keep(opt_out_mask(policy), Reason::Dnt);
    }
    if inputs.is_suppressed {
        tally.keep(Gates::NONE, Reason::Suppressed);
    }
    if inputs.dooh {
        tally.keep(Gates::NONE, Reason::Dooh);
    }
    if inputs.lmt {
        tally.keep(Gates::NONE, Reason::Lmt);
    }
}

fn mode_of(gates: Gates) -> Mode {
    if gates.and(PROFILE) == Gates::NONE {
        Mode::Contextual
    } else if gates.covers(FULL) {
        Mode::Full
    } else {
        Mode::Partial
    }
}

/// What an opt-out of sale, sharing or targeting leaves.
fn opt_out_mask(policy: &Policy) -> Gates {
    let keeps_content = policy.us_optout_keeps_first_party_content && policy.role == Role::FirstParty;
    let closed = if keeps_content { OPT_OUT.without(CONTENT) } else { OPT_OUT };
    Gates::ALL.without(closed)
}

/// The strings of a request after one attempt to read each.
struct Read<'a> {
    gpp: Option<Result<GppString<'a>, DecodeError>>,
    us_privacy: Option<Result<UsPrivacy, DecodeError>>,
    us: UsReading,
}

impl<'a> Read<'a> {
    fn from(inputs: &ConsentInputs<'a>) -> Read<'a> {
        let gpp = sent(inputs.gpp).map(GppString::decode);
        let us = match &gpp {
            Some(Ok(gpp)) => UsReading::of(gpp, inputs.gpp_sid),
            _ => UsReading::default(),
        };
        Read { gpp, us_privacy: sent(inputs.us_privacy).map(UsPrivacy::decode), us }
    }

    fn says_us(&self) -> bool {
        self.us_privacy.is_some_and(|text| text.map_or(true, |text| !text.is_not_applicable()))
    }

    fn is_gpp_unreadable(&self) -> bool {
        matches!(self.gpp, Some(Err(_)))
    }
}

/// An empty string says nothing.
fn sent(text: Option<&str>) -> Option<&str> {
    text.filter(|text| !text.is_empty())
}

/// What the US sections of one GPP string say together.
#[derive(Default)]
struct UsReading {
    is_opted_out: bool,
    is_unreadable: bool,
    is_known_child: bool,
    grants_precise_geo: bool,
    denies_precise_geo: bool,
}

impl UsReading {
    /// Every section may deny; only one that the caller lists may grant.
    fn of(gpp: &GppString<'_>, listed: &[i32]) -> UsReading {
        let mut reading = UsReading::default();
        for (id, text) in gpp.sections() {
            match id {
                SECTION_US_PRIVACY => match UsPrivacy::decode(text) {
                    Ok(section) => reading.is_opted_out |= section.is_opted_out(),
                    Err(_) => reading.is_unreadable = true,
                },
                SECTION_US_NATIONAL..=SECTION_US_LAST => match UsSection::decode(id, text) {
                    Ok(section) => reading.add(&section, listed.contains(&i32::from(id))),
                    Err(_) => reading.is_unreadable = true,
                },
                _ => {}
            }
        }
        reading
    }

    fn add(&mut self, section: &UsSection, is_listed: bool) {
        self.is_opted_out |= section.is_opted_out();
        self.is_known_child |= section.is_known_child();
        self.grants_precise_geo |= is_listed && section.precise_geo() == 2;
        self.denies_precise_geo |= section.precise_geo() == 1;
    }
}

fn us_mask(inputs: &ConsentInputs<'_>, policy: &Policy, read: &Read<'_>) -> (Gates, Reason) {
    let is_listed_missing = inputs.gpp_sid.iter().any(|id| {
        u8::try_from(*id).is_ok_and(|id| {
            (SECTION_US_PRIVACY..=SECTION_US_LAST).contains(&id)
                && !matches!(&read.gpp, Some(Ok(gpp)) if gpp.section_ids().contains(&id))
        })
    });
    let is_invalid = is_listed_missing
        || read.us.is_unreadable
        || read.is_gpp_unreadable()
        || matches!(read.us_privacy, Some(Err(_)));
    let is_opted_out =
        read.us.is_opted_out || matches!(read.us_privacy, Some(Ok(text)) if text.is_opted_out());

    let own_geo = inputs.own.is_some_and(|own| own.precise_geo);
    let allows_geo = (read.us.grants_precise_geo || own_geo) && !read.us.denies_precise_geo;
    let geo = if allows_geo { Gates::ALL } else { Gates::ALL.without(Gates::PRECISE_GEO) };
    if is_opted_out || is_invalid {
        let reason = if is_opted_out { Reason::UsOptOut } else { Reason::UsInvalid };
        return (opt_out_mask(policy).and(geo), reason);
    }
    (geo, Reason::Granted)
}

/// The TC strings of a request must all grant; without any, the site's own dialog may.
fn gdpr_mask(inputs: &ConsentInputs<'_>, policy: &Policy, read: &Read<'_>, now_ms: i64) -> (Gates, Reason) {
    let section = match &read.gpp {
        None => None,
        Some(Err(_)) => return (Gates::NONE, Reason::GppInvalid),
        Some(Ok(gpp)) => match gpp.section(SECTION_TCF_EU) {
            None if inputs.gpp_sid.contains(&i32::from(SECTION_TCF_EU)) => {
                return (Gates::NONE, Reason::GppInvalid);
            }
            section => section,
        },
    };
    let strings = [section, sent(inputs.tcf)];
    if strings.iter().all(Option::is_none) {
        return match inputs.own {
            Some(own) if policy.role == Role::FirstParty && policy.gdpr_accept_generic_consent => {
                (own_mask(own), Reason::OwnRefused)
            }
            _ => (Gates::NONE, Reason::NoSignal),
        };
    }
    let mut gates = Gates::ALL;
    for text in strings.into_iter().flatten() {
        match tcf_mask(text, policy, now_ms) {
            Ok(mask) => gates = gates.and(mask),
            Err(reason) => return (Gates::NONE, reason),
        }
    }
    (gates, Reason::TcfRefused)
}

/// The gates of one TC string, or why it counts for nothing.
fn tcf_mask(text: &str, policy: &Policy, now_ms: i64) -> Result<Gates, Reason> {
    let string = TcString::decode(text).map_err(|_| Reason::TcfInvalid)?;
    string.usability(now_ms, policy.max_consent_age_days)?;
    let p1_treatment = &policy.p1_treatment_countries;
    Ok(purpose_mask(match &policy.role {
        Role::FirstParty => granted_to_publisher(&string, p1_treatment),
        Role::Vendor(vendor) => granted_to_vendor(&string, vendor, p1_treatment),
    }))
}

/// Gates from TCF purposes. Nothing but precise location opens without purpose 1.
fn purpose_mask(granted: Granted) -> Gates {
    let may = |purpose| granted.purposes.contains(purpose);
    let mut gates = Gates::NONE;
    let mut open = |gate, is_open| gates = if is_open { gates.or(gate) } else { gates };
    open(Gates::PRECISE_GEO, granted.precise_geo);
    if may(1) {
        open(Gates::STORE_ACCESS, true);
        open(Gates::FREQUENCY_CAP, may(2) || may(4));
        open(Gates::ADS_PROFILE_WRITE, may(3));
        open(Gates::ADS_PERSONALIZE, may(4));
        open(Gates::CONTENT_PROFILE_WRITE, may(5));
        open(Gates::CONTENT_PERSONALIZE, may(6));
        open(Gates::MEASURE_ADS, may(7));
        open(Gates::MEASURE_CONTENT, may(8));
        open(Gates::LEARN_USER_LEVEL, may(10));
        open(Gates::SHARE_THIRD_PARTY, may(3) && may(4));
    }
    gates
}

/// Gates from the site's own consent dialog. Nothing but precise location opens without storage.
fn own_mask(own: OwnConsent) -> Gates {
    let mut gates = Gates::NONE;
    let mut open = |gate, is_open| gates = if is_open { gates.or(gate) } else { gates };
    open(Gates::PRECISE_GEO, own.precise_geo);
    if own.storage {
        open(Gates::STORE_ACCESS, true);
        open(Gates::FREQUENCY_CAP, own.ads_personalization);
        open(Gates::ADS_PROFILE_WRITE, own.ads_profile.unwrap_or(own.ads_personalization));
        open(Gates::ADS_PERSONALIZE, own.ads_personalization);
        open(Gates::CONTENT_PROFILE_WRITE.or(Gates::CONTENT_PERSONALIZE), own.content_personalization);
        open(Gates::MEASURE_ADS.or(Gates::MEASURE_CONTENT).or(Gates::LEARN_USER_LEVEL), own.analytics);
        open(Gates::SHARE_THIRD_PARTY, own.sale);
    }
    gates
}
