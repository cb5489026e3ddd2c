//! Which privacy regimes apply to a request. Every one that does may only close gates.
//!
//! A browser cannot talk itself out of a regime: `gdpr: 0` counts only from an authenticated caller, and listing other
//! sections does not switch the visitor's own country off. Where nothing is known, the policy's default applies.
//!
//! Cost: a few comparisons. Not here: what each regime allows ([`super::gate`]).

use super::country::{self, CountrySet};
use super::gpp::{SECTION_TCF_CANADA, SECTION_TCF_EU, SECTION_US_LAST, SECTION_US_PRIVACY};
use super::inputs::{ConsentInputs, DefaultRegime, Policy};

/// The regimes that apply to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Regimes(u8);

impl Regimes {
    /// No regime.
    pub const NONE: Regimes = Regimes(0);
    /// GDPR and its British and Swiss twins.
    pub const GDPR: Regimes = Regimes(1);
    /// The US states' laws.
    pub const US: Regimes = Regimes(1 << 1);
    /// Countries where nothing is allowed without consent.
    pub const OPT_IN: Regimes = Regimes(1 << 2);

    /// Names in bit order, as explain blocks and vectors spell them.
    pub const NAMES: [&'static str; 3] = ["gdpr", "us", "optin"];

    /// Do all of these apply?
    pub const fn contains(self, other: Regimes) -> bool {
        self.0 & other.0 == other.0
    }

    /// Does none apply?
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Names of the regimes that apply.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Self::NAMES
            .into_iter()
            .enumerate()
            .filter(move |(bit, _)| self.0 >> bit & 1 == 1)
            .map(|(_, name)| name)
    }

    fn insert(&mut self, other: Regimes, applies: bool) {
        if applies {
            self.0 |= other.0;
        }
    }
}

/// The regimes of a request, and whether they are only the default for an unknown visitor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Applicable {
    pub(super) regimes: Regimes,
    pub(super) is_default: bool,
}

/// Which regimes apply. `says_us` is "a US Privacy string that does not say `1---`".
pub(super) fn applicable(
    inputs: &ConsentInputs<'_>,
    policy: &Policy,
    says_us: bool,
    is_gpp_unreadable: bool,
) -> Applicable {
    let country = inputs.country.filter(|code| country::is_known(code));
    let lists = |wanted: std::ops::RangeInclusive<u8>| {
        inputs.gpp_sid.iter().any(|id| u8::try_from(*id).is_ok_and(|id| wanted.contains(&id)))
    };
    let is_trusted = inputs.is_caller_trusted || policy.caller_trusted;
    let is_gdpr_denied = is_trusted && inputs.gdpr == Some(0);

    let mut regimes = Regimes::NONE;
    let is_gdpr_country = country.is_some_and(|code| CountrySet::GDPR.contains(code));
    regimes.insert(
        Regimes::GDPR,
        inputs.gdpr == Some(1)
            || lists(SECTION_TCF_EU..=SECTION_TCF_EU)
            || is_gdpr_country && !is_gdpr_denied,
    );
    let is_us_country = country.is_some_and(|code| code.eq_ignore_ascii_case("US"));
    regimes.insert(Regimes::US, lists(SECTION_US_PRIVACY..=SECTION_US_LAST) || is_us_country || says_us);
    let is_optin_country = country.is_some_and(|code| policy.optin_countries.contains(code));
    regimes.insert(Regimes::OPT_IN, is_optin_country || lists(SECTION_TCF_CANADA..=SECTION_TCF_CANADA));

    if !regimes.is_empty() {
        return Applicable { regimes, is_default: false };
    }
    let is_unknown = country.is_none() && !is_gdpr_denied;
    let is_default = is_unknown && policy.default_regime == DefaultRegime::Gdpr;
    // A privacy statement that cannot be read was still made: take the strictest.
    regimes.insert(Regimes::GDPR, is_default || is_gpp_unreadable);
    Applicable { regimes, is_default }
}
