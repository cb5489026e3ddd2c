//! Google consent mode v2 as the page's own consent state.
//!
//! A page sends the state object that its tag manager holds (`consent.google`), or the `gcs` parameter that its tags send.
//! `gcs` says only two of the seven types, so everything that needs another stays refused. `gcd` is not documented by its
//! maker and is not read. With several statements the strictest counts; what is not granted is refused.

use serde::Deserialize;
use tessera_engine_core::consent::{GoogleConsentMode, OwnConsent};

use super::request::{ConsentBody, Str};

/// The state object.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct GoogleBody<'a> {
    #[serde(borrow)]
    ad_storage: Option<Str<'a>>,
    #[serde(borrow)]
    ad_user_data: Option<Str<'a>>,
    #[serde(borrow)]
    ad_personalization: Option<Str<'a>>,
    #[serde(borrow)]
    analytics_storage: Option<Str<'a>>,
    #[serde(borrow)]
    personalization_storage: Option<Str<'a>>,
}

/// The page's own consent state, from all that it says.
pub(super) fn own_consent(body: &ConsentBody<'_>) -> Option<OwnConsent> {
    let stated = super::decide::own_consent(&body.purposes);
    let google = body.google.as_ref().map(|google| OwnConsent::from(google.mode()));
    let gcs = body.gcs.as_ref().map(|gcs| OwnConsent::from(of_gcs(&gcs.0)));
    [stated, google, gcs].into_iter().flatten().reduce(stricter)
}

impl GoogleBody<'_> {
    fn mode(&self) -> GoogleConsentMode {
        let granted = |state: &Option<Str<'_>>| state.as_ref().is_some_and(|state| state.0 == "granted");
        GoogleConsentMode {
            ad_storage: granted(&self.ad_storage),
            ad_user_data: granted(&self.ad_user_data),
            ad_personalization: granted(&self.ad_personalization),
            analytics_storage: granted(&self.analytics_storage),
            personalization_storage: granted(&self.personalization_storage),
        }
    }
}

/// `G1` and a digit each for advertising and analytics storage: 1 is granted, everything else is not.
fn of_gcs(gcs: &str) -> GoogleConsentMode {
    match gcs.as_bytes() {
        [b'G', b'1', ads, analytics] => GoogleConsentMode {
            ad_storage: *ads == b'1',
            analytics_storage: *analytics == b'1',
            ..GoogleConsentMode::default()
        },
        _ => GoogleConsentMode::default(),
    }
}

fn stricter(one: OwnConsent, other: OwnConsent) -> OwnConsent {
    let profile = |own: &OwnConsent| own.ads_profile.unwrap_or(own.ads_personalization);
    OwnConsent {
        storage: one.storage && other.storage,
        ads_profile: Some(profile(&one) && profile(&other)),
        ads_personalization: one.ads_personalization && other.ads_personalization,
        content_personalization: one.content_personalization && other.content_personalization,
        analytics: one.analytics && other.analytics,
        sale: one.sale && other.sale,
        precise_geo: one.precise_geo && other.precise_geo,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(json: &str) -> Option<OwnConsent> {
        own_consent(&serde_json::from_str(json).unwrap())
    }

    #[test]
    fn what_is_not_granted_is_refused() {
        assert_eq!(own("{}"), None);
        let all = r#"{"google":{"ad_storage":"granted","ad_user_data":"granted","ad_personalization":"granted",
            "analytics_storage":"granted","personalization_storage":"granted","security_storage":"granted"}}"#;
        let all = own(all).unwrap();
        assert!(all.ads_personalization && all.analytics && all.content_personalization && !all.precise_geo);
        let some = own(
            r#"{"google":{"ad_storage":"granted","ad_personalization":"denied","analytics_storage":"yes"}}"#,
        );
        let some = some.unwrap();
        assert!(some.storage && !some.ads_personalization && !some.analytics);
    }

    #[test]
    fn gcs_says_two_of_seven() {
        let gcs = |text: &str| own(&format!(r#"{{"gcs":"{text}"}}"#)).unwrap();
        assert!(gcs("G111").storage && gcs("G111").analytics && !gcs("G111").ads_personalization);
        assert!(gcs("G110").storage && !gcs("G110").analytics);
        for refused in ["G100", "G1--", "G1", "", "G211", "G1111", "é"] {
            assert_eq!(
                gcs(refused),
                OwnConsent { ads_profile: Some(false), ..OwnConsent::default() },
                "{refused}"
            );
        }
    }

    #[test]
    fn the_strictest_statement_counts() {
        let both =
            own(r#"{"purposes":{"storage":true,"ads_personalization":true,"analytics":true},"gcs":"G101"}"#);
        let both = both.unwrap();
        assert!(
            both.storage && both.analytics && !both.ads_personalization && both.ads_profile == Some(false)
        );
    }
}
