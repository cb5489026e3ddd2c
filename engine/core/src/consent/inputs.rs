//! What the gate is given: the request's privacy signals and the tenant's policy.
//!
//! All of it is values; strings are borrowed as they came and are decoded by the gate. An empty string says nothing and
//! counts as absent. Cost: none. Not here: where these come from (HTTP, OpenRTB, SDK).

use super::country::CountrySet;
use super::vendor::VendorProfile;

/// The privacy signals of one request, as sent.
#[derive(Debug, Clone, Copy, Default)]
pub struct ConsentInputs<'a> {
    /// TC string of `user.consent` or `gdpr_consent`.
    pub tcf: Option<&'a str>,
    /// GPP string.
    pub gpp: Option<&'a str>,
    /// GPP sections that apply; values below 1 say nothing.
    pub gpp_sid: &'a [i32],
    /// US Privacy string.
    pub us_privacy: Option<&'a str>,
    /// `regs.gdpr` as sent; values other than 0 and 1 say nothing.
    pub gdpr: Option<i64>,
    /// `regs.coppa` is 1: a child, under the caller's own knowledge.
    pub coppa: bool,
    /// `Sec-GPC: 1`, or the browser's property.
    pub gpc: bool,
    /// Do Not Track is 1.
    pub dnt: bool,
    /// The device limits ad tracking.
    pub lmt: bool,
    /// A public screen: there is no person to consent.
    pub dooh: bool,
    /// Country of the truncated address, ISO 3166-1 alpha-2.
    pub country: Option<&'a str>,
    /// State of the site's own consent dialog.
    pub own: Option<OwnConsent>,
    /// This subject objected or was erased.
    pub is_suppressed: bool,
    /// The caller proved who it is, so its `gdpr: 0` is believed.
    pub is_caller_trusted: bool,
}

/// The state of a consent dialog that speaks neither TCF nor GPP. What is not granted is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OwnConsent {
    /// Identifiers may be kept on the device.
    pub storage: bool,
    /// An advertising profile may be written; a dialog that does not ask separately follows `ads_personalization`.
    pub ads_profile: Option<bool>,
    /// Advertising may be personalized.
    pub ads_personalization: bool,
    /// Content may be personalized, and a profile kept for it.
    pub content_personalization: bool,
    /// Use may be measured with an identifier.
    pub analytics: bool,
    /// Data may be passed on or sold.
    pub sale: bool,
    /// Precise location may be used.
    pub precise_geo: bool,
}

/// Google consent mode v2: which of its types are `granted`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct GoogleConsentMode {
    /// `ad_storage`.
    pub ad_storage: bool,
    /// `ad_user_data`.
    pub ad_user_data: bool,
    /// `ad_personalization`.
    pub ad_personalization: bool,
    /// `analytics_storage`.
    pub analytics_storage: bool,
    /// `personalization_storage`.
    pub personalization_storage: bool,
}

impl From<GoogleConsentMode> for OwnConsent {
    /// Each use needs its own storage type, so that storage for one use never opens another. Precise location is not
    /// among the types and stays refused.
    fn from(google: GoogleConsentMode) -> OwnConsent {
        OwnConsent {
            storage: google.ad_storage || google.analytics_storage || google.personalization_storage,
            ads_profile: Some(google.ad_storage && google.ad_user_data && google.ad_personalization),
            ads_personalization: google.ad_storage && google.ad_personalization,
            content_personalization: google.personalization_storage,
            analytics: google.analytics_storage,
            sale: google.ad_storage && google.ad_user_data,
            precise_geo: false,
        }
    }
}

/// In which role the engine asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Role {
    /// The publisher or advertiser itself, on its own property.
    #[default]
    FirstParty,
    /// A vendor of the Global Vendor List.
    Vendor(VendorProfile),
}

/// The regime of a visitor about whom nothing is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DefaultRegime {
    /// The strictest.
    #[default]
    Gdpr,
    /// None.
    None,
}

/// Where Global Privacy Control closes gates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum GpcScope {
    /// Everywhere.
    #[default]
    Global,
    /// Only where US law applies.
    Us,
}

/// A tenant's privacy policy. The default is the strict one that the documentation describes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// In which role the engine asks.
    pub role: Role,
    /// The regime of a visitor about whom nothing is known.
    pub default_regime: DefaultRegime,
    /// Every caller is authenticated before it reaches the engine, so `gdpr: 0` is believed.
    pub caller_trusted: bool,
    /// Publisher countries where purpose 1 needs no consent.
    pub p1_treatment_countries: CountrySet,
    /// Where Global Privacy Control closes gates.
    pub gpc_scope: GpcScope,
    /// Does Do Not Track close the same gates?
    pub honor_dnt: bool,
    /// May a publisher keep personalizing its own content after a US opt-out?
    pub us_optout_keeps_first_party_content: bool,
    /// May the site's own dialog stand in for a missing TC string?
    pub gdpr_accept_generic_consent: bool,
    /// Days after which consent must be asked again.
    pub max_consent_age_days: u32,
    /// Countries where nothing is allowed without the site's own consent.
    pub optin_countries: CountrySet,
}

impl Default for Policy {
    fn default() -> Policy {
        Policy {
            role: Role::FirstParty,
            default_regime: DefaultRegime::Gdpr,
            caller_trusted: false,
            p1_treatment_countries: CountrySet::EMPTY,
            gpc_scope: GpcScope::Global,
            honor_dnt: true,
            us_optout_keeps_first_party_content: false,
            gdpr_accept_generic_consent: true,
            max_consent_age_days: 396,
            optin_countries: CountrySet::of(&[b"BR", b"CA"]),
        }
    }
}
