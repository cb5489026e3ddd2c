//! Why a request has the mode it has: a closed list of codes for answers, metrics and explain blocks.
//!
//! Codes are stable and never reused. Cost: none. Not here: which reason applies ([`super::gate`]).

use super::tcf::Unusable;

/// What decided the mode of a request; when several things closed gates, the last one applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// Nothing closed a gate.
    Granted,
    /// Consent is needed and nobody sent any.
    NoSignal,
    /// As [`Reason::NoSignal`], and not even the country is known.
    UnknownCountry,
    /// The TC string is malformed.
    TcfInvalid,
    /// The TC string was made under a policy before version 4.
    TcfPolicyVersion,
    /// The TC string was given to a group of services.
    TcfGlobalScope,
    /// The TC string lacks the disclosed vendors.
    TcfDisclosedVendorsMissing,
    /// The TC string is dated in the future.
    TcfFuture,
    /// The TC string is too old.
    TcfTooOld,
    /// The TC string refuses some or all purposes.
    TcfRefused,
    /// The GPP string is malformed or lacks the section it should have.
    GppInvalid,
    /// The site's own consent dialog refused some or all purposes.
    OwnRefused,
    /// The visitor opted out under US law.
    UsOptOut,
    /// A US string is malformed or missing, which counts as an opt-out.
    UsInvalid,
    /// Global Privacy Control.
    Gpc,
    /// Do Not Track.
    Dnt,
    /// The subject is on the suppression list.
    Suppressed,
    /// A public screen.
    Dooh,
    /// The device limits ad tracking.
    Lmt,
    /// A section says that the visitor is a minor.
    KnownChild,
    /// The caller says that the visitor is a child.
    Coppa,
    /// Nobody looked: the request had waited too long to be decided.
    Overloaded,
}

impl Reason {
    /// Every reason, in order.
    pub const ALL: [Reason; 22] = [
        Reason::Granted,
        Reason::NoSignal,
        Reason::UnknownCountry,
        Reason::TcfInvalid,
        Reason::TcfPolicyVersion,
        Reason::TcfGlobalScope,
        Reason::TcfDisclosedVendorsMissing,
        Reason::TcfFuture,
        Reason::TcfTooOld,
        Reason::TcfRefused,
        Reason::GppInvalid,
        Reason::OwnRefused,
        Reason::UsOptOut,
        Reason::UsInvalid,
        Reason::Gpc,
        Reason::Dnt,
        Reason::Suppressed,
        Reason::Dooh,
        Reason::Lmt,
        Reason::KnownChild,
        Reason::Coppa,
        Reason::Overloaded,
    ];

    /// The code in answers and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Reason::Granted => "granted",
            Reason::NoSignal => "no_signal",
            Reason::UnknownCountry => "unknown_country",
            Reason::TcfInvalid => "tcf_invalid",
            Reason::TcfPolicyVersion => "tcf_policy_version",
            Reason::TcfGlobalScope => "tcf_global_scope",
            Reason::TcfDisclosedVendorsMissing => "tcf_disclosed_vendors_missing",
            Reason::TcfFuture => "tcf_future",
            Reason::TcfTooOld => "tcf_too_old",
            Reason::TcfRefused => "tcf_refused",
            Reason::GppInvalid => "gpp_invalid",
            Reason::OwnRefused => "own_refused",
            Reason::UsOptOut => "us_opt_out",
            Reason::UsInvalid => "us_invalid",
            Reason::Gpc => "gpc",
            Reason::Dnt => "dnt",
            Reason::Suppressed => "suppressed",
            Reason::Dooh => "dooh",
            Reason::Lmt => "lmt",
            Reason::KnownChild => "known_child",
            Reason::Coppa => "coppa",
            Reason::Overloaded => "overloaded",
        }
    }
}

impl From<Unusable> for Reason {
    fn from(unusable: Unusable) -> Reason {
        match unusable {
            Unusable::PolicyVersion => Reason::TcfPolicyVersion,
            Unusable::GlobalScope => Reason::TcfGlobalScope,
            Unusable::DisclosedVendorsMissing => Reason::TcfDisclosedVendorsMissing,
            Unusable::Future => Reason::TcfFuture,
            Unusable::TooOld => Reason::TcfTooOld,
        }
    }
}
