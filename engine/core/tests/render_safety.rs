//! Whatever values a template is filled with, what is around them stays as it was written.
//!
//! Pages are read back with an HTML tokenizer by other hands, JSON with a parser by other hands: a rendering with any
//! values must have the same structure as one with harmless values, and in each place the value that was put there.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use html5gum::emitters::default::DefaultEmitter;
use html5gum::{Token, Tokenizer};
use proptest::prelude::*;
use tessera_engine_core::render::{
    Macro, Renderings, Scope, SlotScope, ValueBuffer, Values, check, is_safe_url,
};
use tessera_wire::catalog::ContentKind;
use tessera_wire::program::WordId;

const PARAMETERS: [&str; 4] = ["a", "b", "c", "d"];

/// Parameters `a` to `d`, and one asset for both slots.
#[derive(Debug, Clone, Default)]
struct Given {
    parameters: [Option<String>; 4],
    text: String,
    image: String,
}

impl Values for Given {
    fn value<'v>(&'v self, of: Macro, buffer: &'v mut ValueBuffer) -> Option<&'v str> {
        match of {
            Macro::Slot(0) => Some(&self.text),
            Macro::Slot(_) => Some(&self.image),
            Macro::Alt(_) => Some(&self.text),
            Macro::Parameter(word) => self.parameters[word?.0 as usize - 1].as_deref(),
            Macro::ClickUrl => Some("http://ads.example/c/token?x=1&y=2"),
            Macro::Timestamp => buffer.show(1_700_000_000_000i64),
            Macro::ConsentTcf => self.parameters[3].as_deref(),
            _ => None,
        }
    }
}

fn scope() -> Scope<'static> {
    let slot = |name, holds_urls| SlotScope { name, holds_urls, holds_images: holds_urls, bytes_max: 4_096 };
    let parameters = PARAMETERS.iter().zip(1..).map(|(name, word)| (*name, WordId(word))).collect();
    Scope { slots: vec![slot("text", false), slot("image", true)], parameters: Some(parameters) }
}

fn render(kind: ContentKind, source: &str, values: &Given) -> String {
    let mut renderings = Renderings::default();
    renderings.push(kind, source, &scope()).unwrap_or_else(|error| panic!("{source}: {error:?}"));
    let (mut bare, mut json) = (Vec::new(), Vec::new());
    renderings.render(0, values, &mut bare);
    assert!(bare.len() <= renderings.bytes_max(0), "{} bytes of {source}", bare.len());
    let bare = String::from_utf8(bare).unwrap();
    renderings.render_json(0, values, &mut json);
    let value: serde_json::Value = serde_json::from_slice(&json).unwrap();
    match kind.is_json() {
        true => assert_eq!(serde_json::from_str::<serde_json::Value>(&bare).unwrap(), value),
        false => assert_eq!(value.as_str(), Some(bare.as_str())),
    }
    let mut quoted = Vec::new();
    renderings.render_quoted(0, values, &mut quoted);
    let quoted = format!("\"{}\"", String::from_utf8(quoted).unwrap());
    assert_eq!(serde_json::from_str::<String>(&quoted).unwrap(), bare, "both forms say the same");
    bare
}

/// Tags with their attributes, texts and comments, entities resolved.
fn tokens(html: &str) -> Vec<(String, BTreeMap<String, String>)> {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let mut tokens: Vec<(String, BTreeMap<String, String>)> = Vec::new();
    let add_text =
        |tokens: &mut Vec<(String, BTreeMap<String, String>)>, found: String| match tokens.last_mut() {
            Some((last, none)) if last.starts_with("text:") && none.is_empty() => last.push_str(&found),
            _ => tokens.push((format!("text:{found}"), BTreeMap::new())),
        };
    let mut emitter = DefaultEmitter::default();
    // Scripts are no markup.
    emitter.naively_switch_states(true);
    for token in Tokenizer::new_with_emitter(html, emitter) {
        let Ok(token) = token;
        match token {
            Token::StartTag(tag) => {
                let attributes = tag.attributes.iter();
                let attributes = attributes.map(|(name, value)| (text(name), text(&value.value))).collect();
                tokens.push((format!("<{}>", text(&tag.name)), attributes));
            }
            Token::EndTag(tag) => tokens.push((format!("</{}>", text(&tag.name)), BTreeMap::new())),
            Token::String(found) => add_text(&mut tokens, text(&found.value)),
            Token::Comment(found) => {
                tokens.push((format!("comment:{}", text(&found.value)), BTreeMap::new()))
            }
            Token::Doctype(_) => tokens.push(("doctype".to_owned(), BTreeMap::new())),
            Token::Error(_) => {}
        }
    }
    tokens
}

/// What an HTML parser makes of a text: line breaks are made alike, and there is no NUL.
fn as_parsed(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\r', "\n").replace('\0', "\u{fffd}")
}

/// Texts that try to get out, beside any other.
fn nasty() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "<script>",
        "</script>",
        "\"",
        "'",
        "`",
        ">",
        "<",
        "&",
        "&quot;",
        "&#x22;",
        "-->",
        "<!--",
        "javascript:",
        "onerror=",
        " ",
        "\n",
        "\r",
        "\t",
        "\0",
        "${a}",
        "}",
        "{",
        "\\",
        "\\u0022",
        "]]>",
        "<![CDATA[",
        "/",
        "//",
        "..",
        "%2e",
        "%00",
        "?",
        "#",
        "@",
        "\u{2028}",
        "\u{feff}",
        "ß",
        "\u{10ffff}",
        "</textarea>",
        "=",
        "\u{1}",
        "https://x.example/a",
        "data:text/html,",
        "</style>",
        "\u{b}",
        "\u{c}",
        "\u{7f}",
        "--!>",
    ]);
    prop_oneof![
        prop::collection::vec(pieces, 0..12).prop_map(|pieces| pieces.concat()),
        any::<String>(),
        Just("x".repeat(1_025)),
    ]
}

fn given() -> impl Strategy<Value = Given> {
    let parameter = || prop::option::of(nasty());
    ([parameter(), parameter(), parameter(), parameter()], nasty(), nasty())
        .prop_map(|(parameters, text, image)| Given { parameters, text, image })
}

/// The value that must appear, if it can: too long counts as missing.
fn shown(value: &Option<String>, fallback: &str) -> String {
    value.clone().filter(|value| value.len() <= 1_024).unwrap_or_else(|| fallback.to_owned())
}

const PAGE: &str = "<!doctype html><!-- an ad --><div class=\"ad ${param.a|none}\" data-x='${param.b|}'>\n\
    <a href=\"${click_url}\" title='${slot.text}'><img src=\"${slot.image}\" alt=\"${slot.image.alt}\" width=300></a>\
    <p>Hello ${param.c|you}, $${not a macro}</p>\
    <a href=\"https://shop.example/a?q=${param.a|}&amp;r=${param.d|-}#${param.b|}\">x</a>\
    <iframe src=\"${param.d|https://fallback.example/}\"></iframe><br/>\
    <noscript><img src=\"https://p.example/?c=${consent.tcf|}\" alt=\"\"></noscript>\
    <script>let x = '<' + \"a\";</script></div>";

const OBJECT: &str = "{\"dollar\": \"$${\", \"n\": [${param.a|null}, ${timestamp}, -0.5e+3, true], \"s\": \"a ${param.b|} \\u00e4\",\
    \"u\": \"https://x.example/p?q=${param.c|}&r=1\", \"d\": {\"t\": \"${slot.text}\", \"click\": \"${click_url}\"}}";

fn percent_decoded(text: &str) -> String {
    let mut out = Vec::new();
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        let hex = |digit: Option<u8>| (digit.unwrap() as char).to_digit(16).unwrap() as u8;
        out.push(if byte == b'%' { hex(bytes.next()) * 16 + hex(bytes.next()) } else { byte });
    }
    String::from_utf8(out).unwrap()
}

/// An address or what stands for it.
fn address(value: &Option<String>, fallback: &str) -> String {
    value.clone().filter(|url| url.len() <= 1_024 && is_safe_url(url)).unwrap_or_else(|| fallback.to_owned())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn no_value_changes_a_page(given in given()) {
        let harmless = Given { image: "/i".into(), ..Given::default() };
        let (plain, found) = (render(ContentKind::Html, PAGE, &harmless), render(ContentKind::Html, PAGE, &given));
        let (plain, found) = (tokens(&plain), tokens(&found));
        let structure = |tokens: &[(String, BTreeMap<String, String>)]| -> Vec<String> {
            let names = tokens.iter().map(|(token, attributes)| {
                let kind = if token.starts_with("text:") { "text" } else { token };
                format!("{kind} {:?}", attributes.keys().collect::<Vec<_>>())
            });
            names.collect()
        };
        prop_assert_eq!(structure(&plain), structure(&found));
        let all: Vec<&BTreeMap<String, String>> =
            found.iter().map(|(_, attributes)| attributes).filter(|one| !one.is_empty()).collect();
        let Given { parameters: [a, b, c, d], text, image } = &given;
        prop_assert_eq!(&all[0]["class"], &as_parsed(&format!("ad {}", shown(a, "none"))));
        prop_assert_eq!(&all[0]["data-x"], &as_parsed(&shown(b, "")));
        prop_assert_eq!(&all[1]["href"], "http://ads.example/c/token?x=1&y=2");
        prop_assert_eq!(&all[1]["title"], &as_parsed(text));
        prop_assert_eq!(&all[2]["src"], if is_safe_url(image) { image.as_str() } else { "" });
        prop_assert_eq!(&all[2]["alt"], &as_parsed(text));
        let greeting = format!("text:Hello {}, ${{not a macro}}", as_parsed(&shown(c, "you")));
        prop_assert!(found.iter().any(|(token, _)| *token == greeting), "{:?}", found);
        let link = &all[3]["href"];
        let (page, rest) = link.split_once('?').unwrap();
        prop_assert_eq!(page, "https://shop.example/a");
        let (query, fragment) = rest.split_once('#').unwrap();
        let (q, r) = query.split_once('&').unwrap();
        prop_assert_eq!(percent_decoded(q.strip_prefix("q=").unwrap()), shown(a, ""));
        prop_assert_eq!(percent_decoded(r.strip_prefix("r=").unwrap()), shown(d, "-"));
        prop_assert_eq!(percent_decoded(fragment), shown(b, ""));
        prop_assert_eq!(&all[4]["src"], &address(d, "https://fallback.example/"));
    }

    #[test]
    fn no_value_changes_json(given in given()) {
        let value: serde_json::Value =
            serde_json::from_str(&render(ContentKind::Native, OBJECT, &given)).unwrap();
        let Given { parameters: [a, b, c, _], text, .. } = &given;
        let scalar = a.as_deref().filter(|a| a.len() <= 1_024).and_then(|a| serde_json::from_str::<serde_json::Value>(a).ok().filter(
            |value| !value.is_string() && !value.is_array() && !value.is_object() && a.trim() == a));
        prop_assert_eq!(&value["n"][0], &scalar.unwrap_or(serde_json::Value::Null));
        prop_assert_eq!(&value["n"][1], 1_700_000_000_000i64);
        prop_assert_eq!(value["s"].as_str().unwrap(), format!("a {} ä", shown(b, "")));
        prop_assert_eq!(value["d"]["t"].as_str().unwrap(), text);
        let query = value["u"].as_str().unwrap().strip_prefix("https://x.example/p?q=").unwrap();
        let query = query.strip_suffix("&r=1").unwrap();
        prop_assert_eq!(percent_decoded(query), shown(c, ""));
        prop_assert_eq!(value.as_object().unwrap().len(), 5);
    }

    #[test]
    fn no_value_changes_where_an_address_leads(given in given()) {
        let url = render(ContentKind::Url, "https://shop.example/landing?name=${param.a|}&x=${param.b|}\n", &given);
        prop_assert!(url.starts_with("https://shop.example/landing?name="), "{}", url);
        prop_assert!(url.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~%:/?=&".contains(&byte)), "{}", url);
        let whole = render(ContentKind::Url, "${param.c|https://fallback.example/}", &given);
        prop_assert_eq!(whole, address(&given.parameters[2], "https://fallback.example/"));
    }

    #[test]
    fn any_source_is_read_or_refused(kind in 0..4usize, source in prop_oneof![nasty(), any::<String>()], given in given()) {
        let kind = ContentKind::ALL[kind];
        let source = source.replace("${a}", "${param.a|}");
        match check(kind, &source, &scope()) {
            Ok(()) => drop(render(kind, &source, &given)),
            Err(error) => prop_assert!(source.get(error.at.clone()).is_some(), "{:?} in {:?}", error, source),
        }
    }

    /// JSON templates without macros are exactly JSON.
    #[test]
    fn what_is_accepted_as_json_is_json(pieces in prop::collection::vec(prop::sample::select(vec![
        "{", "}", "[", "]", ",", ":", "\"a\"", "\"", "\\n", "\\u00e9", "\\x", "1", "-", "0", ".5", "e3", "true", "null",
        " ", "\n", "\u{1}", "ä",
    ]), 0..10)) {
        let source = pieces.concat();
        let is_json = serde_json::from_str::<serde_json::Value>(&source).is_ok();
        // Numbers beyond what the other parser holds do not come up.
        prop_assert_eq!(check(ContentKind::Json, &source, &scope()).is_ok(), is_json, "{}", source);
    }
}
