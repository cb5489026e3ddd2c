//! From a bid request to what the engine asks of any request: visitor, page, device and consent.
//!
//! Privacy fields may stand in two places, their own of OpenRTB 2.6 and the `ext` of 2.5. The stricter of the two counts,
//! and two texts that contradict each other count as unreadable, which grants nothing. What the exchange calls the visitor
//! is never mixed up with what the visitor is called elsewhere: only `user.buyeruid` is ours.

use std::borrow::Cow;

use super::super::request::{
    ConsentBody, DecideBody, DeviceBody, Flag, GeoBody, OptionsBody, PageBody, SessionBody, Str, UserBody,
};
use super::country::alpha2;
use super::request::{BidRequest, Regs, Site};
use crate::limits::FREE_VALUES_MAX;

/// What consent decoders refuse: stands for two texts that contradict each other.
const CONTRADICTION: &str = "contradiction";
/// The advertising identifier of a device whose owner has none.
const NO_IDENTIFIER: &str = "00000000-0000-0000-0000-000000000000";

/// The body of a decide request without placements.
pub(super) fn body_of<'a>(request: &BidRequest<'a>, request_id: String) -> DecideBody<'a> {
    let site = request.site.as_ref().or(request.app.as_ref());
    DecideBody {
        // Whether it is too late to bid was asked before.
        tmax_ms: None,
        request_id: Some(Str(Cow::Owned(request_id))),
        placements: Vec::new(),
        user: user_of(request),
        session: SessionBody::default(),
        device: device_of(request),
        geo: geo_of(request),
        page: site.map_or_else(PageBody::default, page_of),
        consent: consent_of(request),
        context: Vec::new(),
        options: OptionsBody { test: request.test.is_set(), ..OptionsBody::default() },
    }
}

fn user_of<'a>(request: &BidRequest<'a>) -> UserBody<'a> {
    let present = |id: &Option<Str<'a>>| id.clone().filter(|id| !id.0.is_empty() && id.0 != NO_IDENTIFIER);
    let user = &request.user;
    let device =
        present(&request.device.ifa).map(|ifa| Str(Cow::Owned(format!("ifa:{}", ifa.0.to_lowercase()))));
    let foreign = present(&user.id).map(|id| Str(Cow::Owned(format!("openrtb:{}", id.0))));
    let segments = user.data.iter().flat_map(|data| &data.segment);
    let segments: Vec<Cow<'a, str>> =
        segments.filter_map(|segment| Some(segment.id.as_ref()?.0.clone())).take(FREE_VALUES_MAX).collect();
    UserBody {
        id: present(&user.buyeruid),
        anonymous_id: device.or(foreign),
        segments: (!user.data.is_empty()).then_some(segments),
        traits: Vec::new(),
    }
}

fn device_of<'a>(request: &BidRequest<'a>) -> DeviceBody<'a> {
    let device = &request.device;
    DeviceBody {
        ua: device.ua.clone(),
        ip: device.ip.clone().or_else(|| device.ipv6.clone()),
        lang: device.language.clone().or_else(|| device.langb.clone()),
        lmt: device.lmt,
        dnt: device.dnt,
    }
}

fn geo_of<'a>(request: &BidRequest<'a>) -> GeoBody<'a> {
    let geo = &request.device.geo;
    let country = geo.country.as_ref().and_then(|code| alpha2(&code.0)).map(str::to_owned);
    // A region means nothing without its country.
    let region =
        country.as_ref().zip(geo.region.as_ref()).map(|(country, region)| match region.0.contains('-') {
            true => region.0.clone().into_owned(),
            false => format!("{country}-{}", region.0),
        });
    let owned = |text: Option<String>| text.map(|text| Str(Cow::Owned(text)));
    GeoBody { country: owned(country), region: owned(region), city: geo.city.clone() }
}

fn page_of<'a>(site: &Site<'a>) -> PageBody<'a> {
    let listed = site.keywords.iter().flat_map(|list| list.0.split(','));
    let listed = listed.map(|word| Cow::Owned(word.trim().to_owned()));
    let words = listed.chain(site.kwarray.iter().map(|word| word.0.clone()));
    let domain = || Some(Str(Cow::Owned(format!("https://{}/", site.domain.as_ref()?.0))));
    PageBody {
        url: site.page.clone().or_else(domain),
        referrer: site.referrer.clone(),
        keywords: words.filter(|word| !word.is_empty()).take(FREE_VALUES_MAX).collect(),
        category: site.cat.iter().map(|category| category.0.clone()).take(FREE_VALUES_MAX).collect(),
    }
}

fn consent_of<'a>(request: &BidRequest<'a>) -> ConsentBody<'a> {
    let none = Regs::default();
    let (regs, ext) = (&request.regs, request.regs.ext.as_deref().unwrap_or(&none));
    let mut gpp_sid = regs.gpp_sid.clone();
    gpp_sid.extend(&ext.gpp_sid);
    ConsentBody {
        tcf: agreed(&request.user.consent, &request.user.ext.consent),
        gpp: agreed(&regs.gpp, &ext.gpp),
        gpp_sid,
        us_privacy: agreed(&regs.us_privacy, &ext.us_privacy),
        gdpr: stricter(regs.gdpr, ext.gdpr),
        coppa: if ext.coppa.is_set() { ext.coppa } else { regs.coppa },
        gpc: Flag(i64::from([&regs.gpc, &ext.gpc].into_iter().flatten().any(|gpc| gpc.is_one()))),
        dooh: request.dooh.is_some(),
        google: None,
        gcs: None,
        purposes: Vec::new(),
    }
}

/// The text of two places; unreadable when they differ.
fn agreed<'a>(one: &Option<Str<'a>>, other: &Option<Str<'a>>) -> Option<Str<'a>> {
    let stated = |text: &Option<Str<'a>>| text.clone().filter(|text| !text.0.is_empty());
    match (stated(one), stated(other)) {
        (Some(one), Some(other)) if one != other => Some(Str(Cow::Borrowed(CONTRADICTION))),
        (one, other) => one.or(other),
    }
}

/// 1 when either says so, and when either says something that is no answer at all.
fn stricter(one: Option<Flag>, other: Option<Flag>) -> Option<Flag> {
    match (one, other) {
        (Some(one), Some(other)) if one != other => Some(Flag(1)),
        (one, other) => one.or(other),
    }
}

#[cfg(test)]
mod tests {
    use super::super::request::parse;
    use super::*;

    fn read(rest: &str) -> DecideBody<'static> {
        let text = format!(r#"{{"id":"a","imp":[{{"id":"1"}}],{rest}}}"#);
        let text: &'static str = Box::leak(text.into_boxed_str());
        body_of(&parse(text.as_bytes()).unwrap(), "a".into())
    }

    fn text(value: &Option<Str<'_>>) -> String {
        value.as_ref().map_or_else(String::new, |text| text.0.to_string())
    }

    #[test]
    fn the_stricter_of_two_places_counts() {
        let consent = |rest: &str| read(rest).consent;
        assert_eq!(consent(r#""regs":{"gdpr":0,"ext":{"gdpr":1}}"#).gdpr, Some(Flag(1)));
        assert_eq!(consent(r#""regs":{"gdpr":1,"ext":{"gdpr":0}}"#).gdpr, Some(Flag(1)));
        assert_eq!(consent(r#""regs":{"ext":{"gdpr":0}}"#).gdpr, Some(Flag(0)));
        assert_eq!(text(&consent(r#""user":{"consent":"C1","ext":{"consent":"C2"}}"#).tcf), CONTRADICTION);
        assert_eq!(text(&consent(r#""user":{"consent":"","ext":{"consent":"C2"}}"#).tcf), "C2");
        assert_eq!(text(&consent(r#""regs":{"ext":{"us_privacy":"1YNN"}}"#).us_privacy), "1YNN");
        assert_eq!(consent(r#""regs":{"gpp_sid":[7],"ext":{"gpp_sid":[8]}}"#).gpp_sid, [7, 8]);
        assert!(consent(r#""regs":{"ext":{"gpc":"1"}}"#).gpc.is_set());
        assert!(consent(r#""regs":{"ext":{"coppa":1}}"#).coppa.is_set());
        assert!(consent(r#""dooh":{"id":"screen"}"#).dooh);
    }

    #[test]
    fn only_the_buyers_own_id_is_ours() {
        let user = read(
            r#""user":{"id":"x7","buyeruid":"ana"},"device":{"ifa":"AEBE52E7-03EE-455A-B3C4-E57283966239"}"#,
        )
        .user;
        assert_eq!(text(&user.id), "ana");
        assert_eq!(text(&user.anonymous_id), "ifa:aebe52e7-03ee-455a-b3c4-e57283966239");
        let user = read(r#""user":{"id":"x7"},"device":{"ifa":"00000000-0000-0000-0000-000000000000"}"#).user;
        assert_eq!((text(&user.id), text(&user.anonymous_id)), (String::new(), "openrtb:x7".into()));
        assert!(user.segments.is_none(), "no list is not an empty list");
    }

    #[test]
    fn places_and_pages_are_translated() {
        let body = read(
            r#""device":{"geo":{"country":"USA","region":"CA","city":"Fresno"},"language":"en"},
               "site":{"domain":"news.example","keywords":"shoes, running","kwarray":["autumn"],"cat":["IAB18"]}"#,
        );
        assert_eq!((text(&body.geo.country), text(&body.geo.region)), ("US".into(), "US-CA".into()));
        assert_eq!(text(&body.page.url), "https://news.example/");
        assert_eq!(body.page.keywords, ["shoes", "running", "autumn"]);
        assert_eq!(body.page.category, ["IAB18"]);
        assert_eq!(text(&read(r#""device":{"geo":{"region":"CA"}}"#).geo.region), "");
    }
}
