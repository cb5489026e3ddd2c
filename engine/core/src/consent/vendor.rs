//! What a TC string allows one party: the publisher itself, or a vendor of the Global Vendor List.
//!
//! Legitimate interest never covers purposes 1 and 3 to 6. A publisher's prohibition beats everything; its demand for
//! another legal basis counts only for a vendor that registered as flexible.
//!
//! Cost: one walk over the restrictions, no allocation. Not here: which gates the purposes open ([`super::gate`]).

use super::country::CountrySet;
use super::tcf::{IdSet, RestrictionKind, TcString};

/// Purposes of the policy that exist.
const PURPOSES_MAX: u8 = 11;
/// Special feature 1: precise location.
const PRECISE_GEO: u8 = 1;

/// Purposes as bits: bit `p` for purpose `p`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PurposeMask(u16);

impl PurposeMask {
    /// Purposes that may rest on legitimate interest.
    const MAY_USE_LI: PurposeMask = PurposeMask::of(&[2, 7, 8, 9, 10, 11]);

    /// A mask of purposes; numbers beyond 11 are left out.
    pub const fn of(purposes: &[u8]) -> PurposeMask {
        let mut bits = 0;
        let mut at = 0;
        while at < purposes.len() {
            if purposes[at] >= 1 && purposes[at] <= PURPOSES_MAX {
                bits |= 1 << purposes[at];
            }
            at += 1;
        }
        PurposeMask(bits)
    }

    /// Is this purpose in the mask?
    pub const fn contains(self, purpose: u8) -> bool {
        purpose <= PURPOSES_MAX && self.0 >> purpose & 1 == 1
    }

    fn insert(&mut self, purpose: u8) {
        if (1..=PURPOSES_MAX).contains(&purpose) {
            self.0 |= 1 << purpose;
        }
    }
}

/// A vendor's registration in the Global Vendor List.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct VendorProfile {
    /// Vendor id.
    pub gvl_id: u16,
    /// Purposes registered on consent.
    pub consent_purposes: PurposeMask,
    /// Purposes registered on legitimate interest.
    pub li_purposes: PurposeMask,
    /// Purposes for which the publisher may choose the basis.
    pub flexible_purposes: PurposeMask,
    /// Did it register for precise location (special feature 1)?
    pub declares_precise_geo: bool,
}

/// What one party may do under one TC string.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Granted {
    pub(super) purposes: PurposeMask,
    pub(super) precise_geo: bool,
}

/// What the publisher itself may do: its own segment where there is one, else the purposes of the core.
pub(super) fn granted_to_publisher(string: &TcString<'_>, p1_treatment: &CountrySet) -> Granted {
    let (consents, li) = match string.publisher_tc {
        Some(own) => (own.consents, own.li_transparency),
        None => (string.purpose_consents, string.purpose_li_transparency),
    };
    let mut purposes = PurposeMask::default();
    for purpose in 1..=PURPOSES_MAX {
        let on_li = PurposeMask::MAY_USE_LI.contains(purpose) && li.contains(purpose);
        if has_consent(string, consents, purpose, p1_treatment) || on_li {
            purposes.insert(purpose);
        }
    }
    Granted { purposes, precise_geo: string.special_feature_optins.contains(PRECISE_GEO) }
}

/// What a vendor may do: the legal basis of the specification, per purpose.
pub(super) fn granted_to_vendor(
    string: &TcString<'_>,
    vendor: &VendorProfile,
    p1_treatment: &CountrySet,
) -> Granted {
    let id = vendor.gvl_id;
    let nothing = Granted { purposes: PurposeMask::default(), precise_geo: false };
    if string.disclosed_vendors.is_some_and(|disclosed| !disclosed.contains(id)) {
        return nothing;
    }
    let (has_vendor_consent, has_vendor_li) =
        (string.vendor_consents.contains(id), string.vendor_li.contains(id));
    let bound = Bound::to(string, id);
    let mut purposes = PurposeMask::default();
    for purpose in 1..=PURPOSES_MAX {
        let is_granted = match bound.basis(vendor, purpose) {
            Some(Basis::Consent) => {
                has_vendor_consent && has_consent(string, string.purpose_consents, purpose, p1_treatment)
            }
            Some(Basis::LegitimateInterest) => {
                has_vendor_li
                    && PurposeMask::MAY_USE_LI.contains(purpose)
                    && string.purpose_li_transparency.contains(purpose)
            }
            None => false,
        };
        if is_granted {
            purposes.insert(purpose);
        }
    }
    let precise_geo = vendor.declares_precise_geo
        && (has_vendor_consent || has_vendor_li)
        && string.special_feature_optins.contains(PRECISE_GEO);
    Granted { purposes, precise_geo }
}

/// Purpose 1 that was left off the screen counts as consent only where the tenant says that the law allows it.
fn has_consent(string: &TcString<'_>, consents: IdSet, purpose: u8, p1_treatment: &CountrySet) -> bool {
    if purpose == 1 && string.purpose_one_treatment {
        let is_exempt =
            std::str::from_utf8(&string.publisher_cc).is_ok_and(|country| p1_treatment.contains(country));
        return is_exempt || consents.contains(1);
    }
    consents.contains(purpose)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Basis {
    Consent,
    LegitimateInterest,
}

/// The publisher restrictions that bind one vendor.
#[derive(Debug, Clone, Copy, Default)]
struct Bound {
    forbidden: PurposeMask,
    on_consent: PurposeMask,
    on_li: PurposeMask,
}

impl Bound {
    fn to(string: &TcString<'_>, vendor_id: u16) -> Bound {
        let mut bound = Bound::default();
        for restriction in string.publisher_restrictions.iter() {
            if !restriction.binds(vendor_id) {
                continue;
            }
            let mask = match restriction.kind {
                RestrictionKind::NotAllowed | RestrictionKind::Undefined => &mut bound.forbidden,
                RestrictionKind::RequireConsent => &mut bound.on_consent,
                RestrictionKind::RequireLegitimateInterest => &mut bound.on_li,
            };
            mask.insert(restriction.purpose);
        }
        bound
    }

    /// The legal basis on which this vendor may pursue a purpose, if any.
    fn basis(self, vendor: &VendorProfile, purpose: u8) -> Option<Basis> {
        if self.forbidden.contains(purpose) {
            return None;
        }
        let registered = if vendor.consent_purposes.contains(purpose) {
            Basis::Consent
        } else if vendor.li_purposes.contains(purpose) {
            Basis::LegitimateInterest
        } else {
            return None;
        };
        let demanded = match (self.on_consent.contains(purpose), self.on_li.contains(purpose)) {
            (false, false) => return Some(registered),
            (true, false) => Basis::Consent,
            (false, true) => Basis::LegitimateInterest,
            // Two demands that exclude each other leave no basis.
            (true, true) => return None,
        };
        (demanded == registered || vendor.flexible_purposes.contains(purpose)).then_some(demanded)
    }
}
