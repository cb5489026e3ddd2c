//! What is wrong with a template source, and where: one line per claim.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use tessera_engine_core::render::{Scope, SlotScope, check};
use tessera_wire::catalog::ContentKind;
use tessera_wire::catalog::ContentKind::{Html, Json, Native, Url};
use tessera_wire::program::WordId;

fn scope() -> Scope<'static> {
    let slot = |name, holds_urls| SlotScope { name, holds_urls, holds_images: holds_urls, bytes_max: 100 };
    Scope {
        slots: vec![slot("text", false), slot("image", true)],
        parameters: Some(vec![("name", WordId(1))]),
    }
}

/// Refused sources: the marked part is where, the words are what.
const REFUSED: &[(ContentKind, &str, &str)] = &[
    (Html, "<p>«${param.nam|}»</p>", "no rule fills such a parameter"),
    (Html, "<p>«${slot.cta}»</p>", "no such slot"),
    (Html, "<p>«${clickurl}»</p>", "no such macro"),
    (Html, "<p>«${slot.text.alt}»</p>", "does not hold images"),
    (Html, "<p>«${param.name}»</p>", "needs a fallback"),
    (Html, "<p>«${offer.code}»</p>", "needs a fallback"),
    (Html, "<p>«${»param.name</p>", "unclosed macro"),
    (Html, "<script>let x = \"«${param.name|}»\";</script>", "inside <script>"),
    (Html, "<style>p { color: «${param.name|}» }</style>", "inside <style>"),
    (Html, "<a onclick=\"go('«${param.name|}»')\">x</a>", "event handler"),
    (Html, "<a title=«${param.name|}»>x</a>", "without quotes"),
    (Html, "<a title=a«${param.name|}»>x</a>", "without quotes"),
    (Html, "<p «${param.name|}»>x</p>", "inside a tag"),
    (Html, "<«${param.name|}»>x</p>", "inside a tag"),
    (Html, "<!-- «${param.name|}» -->", "in a comment"),
    (Html, "<p style=\"color: «${param.name|}»\">x</p>", "in this attribute"),
    (Html, "<iframe srcdoc=\"«${param.name|}»\"></iframe>", "in this attribute"),
    (Html, "<img srcset=\"«${slot.image}» 2x\">", "in this attribute"),
    (Html, "<script src=\"«${slot.image}»\"></script>", "of this element"),
    (Html, "<meta content=\"«${param.name|}»\">", "of this element"),
    (Html, "<svg><a href=\"«${click_url}»\">x</a></svg>", "of this element"),
    (Html, "<textarea>«${param.name|}»</textarea>", "no markup"),
    (Html, "<p>«${consent.tcf|}»</p>", "outside the query"),
    (Html, "<img src=\"«${consent.tcf|}»\">", "not an address"),
    (Html, "<img src=\"«${slot.text}»\">", "not an address"),
    (Html, "<a href=\"https://x.example/«${param.name|}»\">x</a>", "behind `?` or `#`"),
    (Html, "<a href=\"https://«${param.name|}».example/\">x</a>", "behind `?` or `#`"),
    (Html, "<a href=\"${param.name|}«/»x\">x</a>", "nothing may follow"),
    (Html, "<a href=\"${click_url}«x»\">x</a>", "only `?`, `&` or `#`"),
    (Html, "<a href=\"javascript:go()«\"»>x</a>", "begins with https:"),
    (Html, "<a href=\"java«\t»script:go()\">x</a>", "no spaces"),
    (Html, "<a href=\"javascript«&»#58;go()\">x</a>", "no spaces"),
    (Html, "<a href=\"//evil.example/«?»q=${param.name|}\">x</a>", "with `https://`"),
    (Html, "<a href=\"${param.name|javascript:go()}\">x</a>", "the fallback cannot stand here"),
    (Html, "<p>a <« »b</p>", "`&lt;`"),
    (Html, "<p title=\"a «<» b\">x</p>", "`&lt;`"),
    (Html, "<p>x</b«>»", "closes nothing"),
    (Html, "<div><p«>»x", "unclosed element"),
    (Html, "<p title=\"x«»", "unclosed attribute value"),
    (Html, "<!-- x«»", "unclosed comment"),
    (Html, "<script«>»let x = 1;", "unclosed element"),
    (Html, "<p«»", "unclosed tag"),
    (Html, "<div«/»></div>", ""),
    (Html, "<script><!-«-»</script>", "changes where"),
    (Html, "<svg><style«>»</style></svg>", "something else"),
    (Html, "<p a=\"1\"«b»=\"2\">x</p>", "a space is missing"),
    (Html, "<plaintext«>»", "no place"),
    (Json, "{\"a\": «${slot.text}»}", "without quotes"),
    (Json, "{\"«${slot.text}»\": 1}", "name of a member"),
    (Json, "{\"a\": 1«${timestamp}»}", "cannot stand here"),
    (Json, "{\"a\": «x»}", "no JSON value"),
    (Json, "{\"a\": 1«»", "unclosed JSON value"),
    (Json, "{\"a\": 1} «{»", "cannot stand here"),
    (Json, "{\"a\": «${param.name|x}»}", "fallback"),
    (Json, "{\"a\": \"https://x.example/«${slot.text}»\"}", "behind `?` or `#`"),
    (Json, "{\"a\": \"«${consent.gpp|}»\"}", "outside the query"),
    (Native, "«[»]", "JSON object"),
    (Native, "«${timestamp}»", "cannot stand here"),
    (Url, "ftp://x.example/«»", "begins with https:"),
    (Url, "https://x.example/«${param.name|}»", "behind `?` or `#`"),
];

const ACCEPTED: &[(ContentKind, &str)] = &[
    (Html, ""),
    (Html, "plain text & a stray $"),
    (Html, "<a href=\"/x?y=${slot.text}\">${slot.text}</a>"),
    (Html, "<a href='${click_url}'><img src=\"${slot.image}?w=300\" alt='${slot.image.alt}'></a>"),
    (Html, "<a href=\"${click_url}&r=${param.name|}\">x</a>"),
    (Html, "<a href=\"mailto:a@x.example\">x</a><a href=\"#top\">y</a><a href=\"img.png\">z</a>"),
    (Html, "<svg viewBox=\"0 0 1 1\"><path d=\"M0 0\"/></svg>"),
    (Html, "<style>p > a { color: red }</style><script>if (1 < 2) { x(\"</p>\") }</script>"),
    (Html, "<INPUT disabled value=\"${param.name|}\" /><P>x</p>"),
    (Json, " [1, \"${slot.text} and ${slot.image}\", ${offer.value|0}, ${param.name|null}] "),
    (Json, "\"https://x.example?c=${consent.gpp|}\""),
    (Native, "{\"link\": {\"url\": \"${click_url}\"}}"),
    (Url, "${click_url}"),
    (Url, "${slot.image}"),
    (Url, "https://x.example/a?c=${consent.tcf|}\n"),
];

#[test]
fn what_cannot_be_made_safe_is_refused_where_it_stands() {
    for (kind, marked, words) in REFUSED {
        let source = marked.replace(['«', '»'], "");
        let error = match check(*kind, &source, &scope()) {
            Err(error) => error,
            Ok(()) => panic!("{marked} is accepted"),
        };
        assert!(error.to_string().contains(words), "{marked}: {error}");
        let Some(start) = marked.find('«') else { continue };
        let end = marked.find('»').unwrap() - '«'.len_utf8();
        if !words.is_empty() {
            assert_eq!(error.at, start..end, "{marked}: {error}");
        }
    }
}

#[test]
fn what_is_safe_is_accepted() {
    for (kind, source) in ACCEPTED {
        let checked = check(*kind, source, &scope());
        assert!(checked.is_ok(), "{source}: {checked:?}");
    }
}

#[test]
fn limits_are_enforced() {
    let too_long = "x".repeat((64 << 10) + 1);
    assert!(check(Html, &too_long, &scope()).is_err());
    let too_deep = "<b>".repeat(65) + &"</b>".repeat(65);
    assert!(check(Html, &too_deep, &scope()).is_err());
    let deep_enough = "<b>".repeat(64) + &"</b>".repeat(64);
    assert!(check(Html, &deep_enough, &scope()).is_ok());
    let brackets = "[".repeat(65) + &"]".repeat(65);
    assert!(check(Json, &brackets, &scope()).is_err());
    let many = "${cache_buster}".repeat(257);
    assert!(check(Html, &many, &scope()).is_err());
    // Forty consent strings could come to half a mebibyte.
    let large = "<img src=\"/?".to_owned() + &"${consent.tcf|}".repeat(43) + "\">";
    assert!(check(Html, &large, &scope()).is_err());
}
