//! The bid request: OpenRTB 2.6, and what 2.5 kept in `ext`.
//!
//! Only what a bidder of banners and native ads looks at is read, borrowed from the request's bytes; everything else is
//! skipped. `null` means absent. A known field of the wrong type is an error with a JSON Pointer.

use serde::de::{Deserialize, Deserializer, IgnoredAny};

use super::super::problem::Problem;
use super::super::request::{Flag, Str, parse_json};
use crate::limits::{AUCTION_ID_BYTES_MAX, IMPRESSIONS_PER_BID_REQUEST_MAX};

type Texts<'a> = Vec<Str<'a>>;

#[derive(Debug, serde::Deserialize)]
pub(super) struct BidRequest<'a> {
    #[serde(borrow)]
    pub(super) id: Str<'a>,
    #[serde(borrow)]
    pub(super) imp: Vec<Imp<'a>>,
    #[serde(borrow, default)]
    pub(super) site: Option<Site<'a>>,
    #[serde(borrow, default)]
    pub(super) app: Option<Site<'a>>,
    #[serde(default)]
    pub(super) dooh: Option<IgnoredAny>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    pub(super) device: Device<'a>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    pub(super) user: User<'a>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    pub(super) regs: Regs<'a>,
    #[serde(default)]
    pub(super) tmax: Option<u32>,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) test: Flag,
    #[serde(borrow, default, deserialize_with = "or_default")]
    pub(super) cur: Texts<'a>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    pub(super) bcat: Texts<'a>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    pub(super) acat: Texts<'a>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    pub(super) badv: Texts<'a>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    pub(super) wseat: Texts<'a>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    pub(super) bseat: Texts<'a>,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) ext: RequestExt,
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
pub(super) struct RequestExt {
    #[serde(deserialize_with = "or_default")]
    pub(super) debug: Flag,
}

#[derive(Debug, serde::Deserialize)]
pub(super) struct Imp<'a> {
    #[serde(borrow)]
    pub(super) id: Str<'a>,
    #[serde(borrow, default)]
    pub(super) tagid: Option<Str<'a>>,
    #[serde(default)]
    pub(super) banner: Option<Banner>,
    #[serde(borrow, default)]
    pub(super) native: Option<Native<'a>>,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) bidfloor: f64,
    #[serde(borrow, default)]
    pub(super) bidfloorcur: Option<Str<'a>>,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) secure: Flag,
    #[serde(borrow, default)]
    pub(super) pmp: Option<Pmp<'a>>,
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
pub(super) struct Banner {
    pub(super) w: Option<u32>,
    pub(super) h: Option<u32>,
    #[serde(deserialize_with = "or_default")]
    pub(super) format: Vec<Format>,
    #[serde(deserialize_with = "or_default")]
    pub(super) btype: Vec<i64>,
    #[serde(deserialize_with = "or_default")]
    pub(super) battr: Vec<i64>,
}

/// A size; one that is given as a ratio has no pixels and is skipped.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
pub(super) struct Format {
    pub(super) w: Option<u32>,
    pub(super) h: Option<u32>,
}

#[derive(Debug, serde::Deserialize)]
pub(super) struct Native<'a> {
    /// A JSON document in a string.
    #[serde(borrow)]
    pub(super) request: Str<'a>,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) battr: Vec<i64>,
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
pub(super) struct Pmp<'a> {
    #[serde(deserialize_with = "or_default")]
    pub(super) private_auction: Flag,
    #[serde(borrow, deserialize_with = "or_default")]
    pub(super) deals: Vec<Deal<'a>>,
}

#[derive(Debug, serde::Deserialize)]
pub(super) struct Deal<'a> {
    #[serde(borrow)]
    pub(super) id: Str<'a>,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) bidfloor: f64,
    #[serde(borrow, default)]
    pub(super) bidfloorcur: Option<Str<'a>>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    pub(super) wseat: Texts<'a>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    pub(super) wadomain: Texts<'a>,
}

/// A site or an app.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
pub(super) struct Site<'a> {
    #[serde(borrow)]
    pub(super) page: Option<Str<'a>>,
    #[serde(borrow)]
    pub(super) domain: Option<Str<'a>>,
    #[serde(borrow, rename = "ref")]
    pub(super) referrer: Option<Str<'a>>,
    #[serde(borrow, deserialize_with = "or_default")]
    pub(super) cat: Texts<'a>,
    #[serde(borrow)]
    pub(super) keywords: Option<Str<'a>>,
    #[serde(borrow, deserialize_with = "or_default")]
    pub(super) kwarray: Texts<'a>,
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
pub(super) struct Device<'a> {
    #[serde(borrow)]
    pub(super) ua: Option<Str<'a>>,
    #[serde(borrow)]
    pub(super) ip: Option<Str<'a>>,
    #[serde(borrow)]
    pub(super) ipv6: Option<Str<'a>>,
    #[serde(borrow)]
    pub(super) language: Option<Str<'a>>,
    #[serde(borrow)]
    pub(super) langb: Option<Str<'a>>,
    #[serde(borrow)]
    pub(super) ifa: Option<Str<'a>>,
    #[serde(deserialize_with = "or_default")]
    pub(super) lmt: Flag,
    #[serde(deserialize_with = "or_default")]
    pub(super) dnt: Flag,
    #[serde(borrow, deserialize_with = "or_default")]
    pub(super) geo: Geo<'a>,
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
pub(super) struct Geo<'a> {
    /// ISO 3166-1 alpha-3.
    #[serde(borrow)]
    pub(super) country: Option<Str<'a>>,
    /// ISO 3166-2 without the country.
    #[serde(borrow)]
    pub(super) region: Option<Str<'a>>,
    #[serde(borrow)]
    pub(super) city: Option<Str<'a>>,
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
pub(super) struct User<'a> {
    #[serde(borrow)]
    pub(super) id: Option<Str<'a>>,
    #[serde(borrow)]
    pub(super) buyeruid: Option<Str<'a>>,
    #[serde(borrow)]
    pub(super) consent: Option<Str<'a>>,
    #[serde(borrow, deserialize_with = "or_default")]
    pub(super) data: Vec<UserData<'a>>,
    #[serde(borrow, deserialize_with = "or_default")]
    pub(super) ext: UserExt<'a>,
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
pub(super) struct UserExt<'a> {
    #[serde(borrow)]
    pub(super) consent: Option<Str<'a>>,
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
pub(super) struct UserData<'a> {
    #[serde(borrow, deserialize_with = "or_default")]
    pub(super) segment: Vec<Segment<'a>>,
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
pub(super) struct Segment<'a> {
    #[serde(borrow)]
    pub(super) id: Option<Str<'a>>,
}

/// Regulations: in their places of 2.6, and inside them the `ext` of 2.5 with the same names.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
pub(super) struct Regs<'a> {
    #[serde(deserialize_with = "or_default")]
    pub(super) coppa: Flag,
    pub(super) gdpr: Option<Flag>,
    #[serde(borrow)]
    pub(super) us_privacy: Option<Str<'a>>,
    #[serde(borrow)]
    pub(super) gpp: Option<Str<'a>>,
    #[serde(deserialize_with = "or_default")]
    pub(super) gpp_sid: Vec<i32>,
    /// Global Privacy Control, as exchanges pass it on: `"1"` or 1.
    #[serde(borrow)]
    pub(super) gpc: Option<TextOrNumber<'a>>,
    #[serde(borrow)]
    pub(super) ext: Option<Box<Regs<'a>>>,
}

#[derive(Debug, serde::Deserialize)]
#[serde(untagged)]
pub(super) enum TextOrNumber<'a> {
    Number(i64),
    Text(#[serde(borrow)] Str<'a>),
}

impl TextOrNumber<'_> {
    pub(super) fn is_one(&self) -> bool {
        match self {
            TextOrNumber::Number(number) => *number == 1,
            TextOrNumber::Text(text) => text.0 == "1",
        }
    }
}

/// `null` is the default.
fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(
    deserializer: D,
) -> Result<T, D::Error> {
    Option::<T>::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// Reads and checks a bid request.
pub(super) fn parse(bytes: &[u8]) -> Result<BidRequest<'_>, Problem> {
    let request: BidRequest<'_> = parse_json(bytes)?;
    let count = request.imp.len();
    if count == 0 || count > IMPRESSIONS_PER_BID_REQUEST_MAX {
        let detail = format!(
            "a bid request has 1 to {IMPRESSIONS_PER_BID_REQUEST_MAX} impressions, this one has {count}"
        );
        return Err(Problem::bad_request("imp_count", detail).at("/imp"));
    }
    check_id(&request.id, "/id")?;
    for (index, imp) in request.imp.iter().enumerate() {
        check_id(&imp.id, &format!("/imp/{index}/id"))?;
        if request.imp[..index].iter().any(|earlier| earlier.id == imp.id) {
            let detail = format!("the impression id `{}` is used twice", imp.id.0);
            return Err(Problem::bad_request("duplicate_imp", detail).at(format!("/imp/{index}/id")));
        }
    }
    Ok(request)
}

fn check_id(id: &Str<'_>, pointer: &str) -> Result<(), Problem> {
    if id.0.is_empty() || id.0.len() > AUCTION_ID_BYTES_MAX {
        let detail = format!("an id has 1 to {AUCTION_ID_BYTES_MAX} bytes");
        return Err(Problem::bad_request("id_length", detail).at(pointer));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn null_is_absent_and_the_unknown_is_skipped() {
        let text =
            br#"{"id":"a","imp":[{"id":"1","banner":{"w":null,"format":null},"pmp":null,"bidfloor":null}],
            "site":null,"user":null,"regs":{"ext":null,"gpp_sid":null,"x":[{}]},"cur":null,"new":{"a":[1]}}"#;
        let request = parse(text).unwrap();
        assert!(request.site.is_none() && request.imp[0].pmp.is_none());
        assert!(request.imp[0].banner.as_ref().is_some_and(|banner| banner.format.is_empty()));
    }

    #[test]
    fn regulations_are_read_in_both_places() {
        let text = br#"{"id":"a","imp":[{"id":"1"}],"regs":{"gdpr":0,"us_privacy":"1YNN","gpp_sid":[7],
            "ext":{"gdpr":1,"gpp":"DBAA","gpc":"1"}}}"#;
        let regs = parse(text).unwrap().regs;
        let ext = regs.ext.unwrap();
        assert_eq!((regs.gdpr, ext.gdpr), (Some(Flag(0)), Some(Flag(1))));
        assert_eq!(regs.us_privacy.unwrap().0, "1YNN");
        assert_eq!(regs.gpp_sid, [7]);
        assert!(ext.gpc.is_some_and(|gpc| gpc.is_one()));
    }

    #[test]
    fn errors_say_what_and_where() {
        let problem = |text: &str| parse(text.as_bytes()).map(|_| ()).unwrap_err();
        assert_eq!(problem("{").code, "malformed_json");
        assert_eq!(problem(r#"{"id":"a","imp":[]}"#).code, "imp_count");
        let wrong = problem(r#"{"id":"a","imp":[{"id":"1","banner":{"w":"wide"}}]}"#);
        assert_eq!((wrong.code, wrong.pointer.as_str()), ("invalid_field", "/imp/0/banner/w"));
        assert_eq!(problem(r#"{"id":"a","imp":[{"id":"1"},{"id":"1"}]}"#).pointer, "/imp/1/id");
        let many: Vec<String> = (0..101).map(|id| format!(r#"{{"id":"{id}"}}"#)).collect();
        assert_eq!(problem(&format!(r#"{{"id":"a","imp":[{}]}}"#, many.join(","))).code, "imp_count");
    }
}
