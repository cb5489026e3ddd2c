//! Pieces of pages: reads a template's HTML once and says how a value must be written at each macro.
//!
//! Accepts a strict subset that every HTML parser reads alike: attribute values have no `<`, elements are closed in
//! order, nothing depends on error recovery. Values may stand in text and in quoted attributes of a known meaning;
//! everywhere else (scripts, styles, event handlers, names, comments, unquoted attributes, unknown attributes) they are
//! refused, because no escaping would make them safe.

use super::TemplateErrorKind as Kind;
use super::escape::Escape;
use super::macros::Macro;
use super::url::UrlContext;
use crate::limits::TEMPLATE_DEPTH_MAX;

type Fed<T> = Result<T, Kind>;

/// Elements without content.
const VOID: [&str; 13] =
    ["area", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr", "base"];
/// Elements whose content is no markup. Their content is searched for the end tag only.
const RAW: [&str; 8] = ["script", "style", "textarea", "title", "xmp", "iframe", "noembed", "noframes"];
/// Elements that change what the rest of a page means, or run what they name.
const REFUSED: [&str; 8] =
    ["plaintext", "base", "frameset", "frame", "applet", "param", "isindex", "annotation-xml"];
/// Elements whose attributes hold no values: what they name runs, or changes the page.
const ATTRIBUTES_REFUSED: [&str; 9] =
    ["script", "style", "link", "meta", "object", "embed", "template", "form", "svg"];
/// Attributes that hold an address.
const URLS: [&str; 7] = ["href", "src", "action", "poster", "cite", "background", "longdesc"];
/// Attributes that hold text for people, or a value for the page's own scripts.
const TEXTS: [&str; 13] = [
    "alt",
    "title",
    "class",
    "value",
    "placeholder",
    "label",
    "width",
    "height",
    "lang",
    "dir",
    "role",
    "summary",
    "abbr",
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Text,
    /// Behind `<`.
    Open,
    TagName,
    /// Between attributes.
    InTag,
    AttributeName,
    /// Behind an attribute's name and white space.
    BehindName,
    /// Behind `=`.
    BeforeValue,
    Value(char),
    Unquoted,
    /// Behind a closing quote.
    BehindValue,
    /// Behind `/` in a tag.
    Slash,
    /// Behind `<!`.
    Declaration,
    Doctype,
    Comment,
    /// In an element whose content is no markup.
    Raw,
}

/// Reads HTML from its beginning.
pub(super) struct HtmlContext {
    state: State,
    /// Name of the tag being read, or of the raw element being searched.
    tag: String,
    is_closing: bool,
    attribute: String,
    /// Whatever was read of the present attribute, when it holds an address.
    url: Option<UrlContext>,
    /// What was read of a comment, a declaration or a raw element that matters for its end.
    tail: String,
    /// Open elements, and where they were opened.
    open: Vec<(String, usize)>,
}

impl HtmlContext {
    pub(super) fn new() -> HtmlContext {
        HtmlContext {
            state: State::Text,
            tag: String::new(),
            is_closing: false,
            attribute: String::new(),
            url: None,
            tail: String::new(),
            open: Vec::new(),
        }
    }

    pub(super) fn char(&mut self, one: char, at: usize) -> Fed<()> {
        match self.state {
            State::Text if one == '<' => self.state = State::Open,
            State::Text => {}
            State::Open => self.opened(one)?,
            State::TagName => self.tag_name(one, at)?,
            State::InTag | State::BehindName | State::BehindValue => self.in_tag(one, at)?,
            State::AttributeName => self.attribute_name(one, at)?,
            State::BeforeValue => self.before_value(one)?,
            State::Value(quote) => self.value_char(one, quote)?,
            State::Unquoted => self.unquoted(one, at)?,
            State::Slash if one == '>' => self.end_tag(true, at)?,
            State::Slash => return Err(Kind::Malformed("`/` in a tag stands before its `>`")),
            State::Declaration => self.declaration(one)?,
            State::Doctype => match one {
                '>' => self.state = State::Text,
                '<' => return Err(Kind::Malformed("a declaration has no `<`")),
                _ => {}
            },
            State::Comment => self.comment(one)?,
            State::Raw => self.raw(one)?,
        }
        Ok(())
    }

    /// How a value is written here.
    pub(super) fn value(&mut self, of: Macro, is_own_url: bool) -> Fed<Escape> {
        match self.state {
            State::Text => no_consent(of, Escape::Html),
            State::Value(_) => self.attribute_value(of, is_own_url),
            State::Unquoted | State::BeforeValue => {
                Err(Kind::Misplaced("in an attribute without quotes; write the quotes"))
            }
            State::Comment => Err(Kind::Misplaced("in a comment")),
            State::Raw => Err(Kind::Misplaced(match self.tag.as_str() {
                "script" => "inside <script>; put it into a data- attribute and read it from there",
                "style" => "inside <style>",
                _ => "in an element whose content is no markup",
            })),
            _ => Err(Kind::Misplaced("inside a tag; only quoted attribute values can hold one")),
        }
    }

    /// What is still open at the end, and where it was opened.
    pub(super) fn end(&self) -> Result<(), (Kind, Option<usize>)> {
        match self.state {
            State::Text => {}
            State::Comment => return Err((Kind::Unclosed("comment"), None)),
            State::Value(_) => return Err((Kind::Unclosed("attribute value"), None)),
            State::Raw => return Err((Kind::Unclosed("element"), self.open.last().map(|open| open.1))),
            _ => return Err((Kind::Unclosed("tag"), None)),
        }
        match self.open.last() {
            Some((_, at)) => Err((Kind::Unclosed("element"), Some(*at))),
            None => Ok(()),
        }
    }

    fn opened(&mut self, one: char) -> Fed<()> {
        self.tag.clear();
        self.is_closing = false;
        match one {
            '!' => {
                self.tail.clear();
                self.state = State::Declaration;
            }
            '/' => {
                self.is_closing = true;
                self.state = State::TagName;
            }
            _ if one.is_ascii_alphabetic() => {
                self.tag.push(one.to_ascii_lowercase());
                self.state = State::TagName;
            }
            _ => return Err(Kind::Malformed("`<` begins a tag; as text it is written `&lt;`")),
        }
        Ok(())
    }

    fn tag_name(&mut self, one: char, at: usize) -> Fed<()> {
        if one.is_ascii_alphanumeric() || (one == '-' && !self.tag.is_empty()) {
            self.tag.push(one.to_ascii_lowercase());
            return Ok(());
        }
        if self.tag.is_empty() {
            return Err(Kind::Malformed("a closing tag names its element"));
        }
        if REFUSED.contains(&self.tag.as_str()) {
            return Err(Kind::Malformed("this element has no place in an ad"));
        }
        let is_foreign = self.open.iter().any(|(name, _)| matches!(name.as_str(), "svg" | "math"));
        if is_foreign && RAW.contains(&self.tag.as_str()) {
            return Err(Kind::Malformed("inside <svg> and <math> this element means something else"));
        }
        self.state = State::InTag;
        self.in_tag(one, at)
    }

    fn in_tag(&mut self, one: char, at: usize) -> Fed<()> {
        match one {
            '>' => return self.end_tag(false, at),
            '/' => self.state = State::Slash,
            '=' if self.state == State::BehindName => self.state = State::BeforeValue,
            _ if is_space(one) => {
                if self.state == State::BehindValue {
                    self.state = State::InTag;
                }
            }
            _ if self.state == State::BehindValue => {
                return Err(Kind::Malformed("a space is missing between two attributes"));
            }
            _ if is_name(one) => {
                self.attribute.clear();
                self.attribute.push(one.to_ascii_lowercase());
                self.state = State::AttributeName;
            }
            _ => return Err(Kind::Malformed("this character cannot stand in a tag")),
        }
        Ok(())
    }

    fn attribute_name(&mut self, one: char, at: usize) -> Fed<()> {
        if is_name(one) {
            self.attribute.push(one.to_ascii_lowercase());
            return Ok(());
        }
        self.state = State::BehindName;
        self.in_tag(one, at)
    }

    fn before_value(&mut self, one: char) -> Fed<()> {
        self.url = URLS.contains(&self.attribute.as_str()).then(UrlContext::default);
        match one {
            '"' | '\'' => self.state = State::Value(one),
            _ if is_space(one) => {}
            _ if is_unquoted(one) => {
                self.state = State::Unquoted;
                self.url_char(one)?;
            }
            _ => return Err(Kind::Malformed("write the attribute's value in quotes")),
        }
        Ok(())
    }

    fn value_char(&mut self, one: char, quote: char) -> Fed<()> {
        if one == quote {
            self.state = State::BehindValue;
            return self.url.take().map_or(Ok(()), |url| url.end().map_err(Kind::Address));
        }
        if one == '<' {
            return Err(Kind::Malformed("`<` in an attribute is written `&lt;`"));
        }
        self.url_char(one)
    }

    fn unquoted(&mut self, one: char, at: usize) -> Fed<()> {
        if is_unquoted(one) {
            return self.url_char(one);
        }
        if let Some(url) = self.url.take() {
            url.end().map_err(Kind::Address)?;
        }
        self.state = State::BehindValue;
        self.in_tag(one, at)
    }

    fn url_char(&mut self, one: char) -> Fed<()> {
        self.url.as_mut().map_or(Ok(()), |url| url.char(one).map_err(Kind::Address))
    }

    fn attribute_value(&mut self, of: Macro, is_own_url: bool) -> Fed<Escape> {
        let name = self.attribute.as_str();
        if ATTRIBUTES_REFUSED.contains(&self.tag.as_str()) || self.is_foreign() {
            return Err(Kind::Misplaced("in an attribute of this element"));
        }
        if let Some(url) = &mut self.url {
            return url.value(of, is_own_url, Escape::UrlHtml).map_err(Kind::Address).and_then(|escape| {
                if escape == Escape::Query { Ok(escape) } else { no_consent(of, escape) }
            });
        }
        if name.starts_with("on") {
            return Err(Kind::Misplaced(
                "in an event handler; put it into a data- attribute and read it from there",
            ));
        }
        if TEXTS.contains(&name) || name.starts_with("data-") || name.starts_with("aria-") {
            return no_consent(of, Escape::Html);
        }
        Err(Kind::Misplaced("in this attribute; use one whose meaning is known, or a data- attribute"))
    }

    /// Inside foreign elements attributes have other meanings.
    fn is_foreign(&self) -> bool {
        self.tag == "math" || self.open.iter().any(|(name, _)| matches!(name.as_str(), "svg" | "math"))
    }

    fn end_tag(&mut self, is_self_closed: bool, at: usize) -> Fed<()> {
        self.state = State::Text;
        if self.is_closing {
            return match self.open.last() {
                Some((name, _)) if *name == self.tag => {
                    self.open.pop();
                    Ok(())
                }
                _ => Err(Kind::Malformed("this closing tag closes nothing; elements are closed in order")),
            };
        }
        if VOID.contains(&self.tag.as_str()) || (is_self_closed && self.is_foreign()) {
            return Ok(());
        }
        if is_self_closed {
            return Err(Kind::Malformed("only elements without content end with `/>`"));
        }
        if self.open.len() == TEMPLATE_DEPTH_MAX {
            return Err(Kind::TooMuch("elements inside one another"));
        }
        self.open.push((self.tag.clone(), at));
        if RAW.contains(&self.tag.as_str()) {
            self.tail.clear();
            self.state = State::Raw;
        }
        Ok(())
    }

    fn declaration(&mut self, one: char) -> Fed<()> {
        self.tail.push(one.to_ascii_lowercase());
        if self.tail == "--" {
            self.tail.clear();
            self.state = State::Comment;
        } else if self.tail == "doctype" {
            self.state = State::Doctype;
        } else if !"--".starts_with(&self.tail) && !"doctype".starts_with(&self.tail) {
            return Err(Kind::Malformed("behind `<!` only a comment or `doctype` can stand"));
        }
        Ok(())
    }

    /// Browsers end a comment in surprising places; what could surprise is refused.
    fn comment(&mut self, one: char) -> Fed<()> {
        let is_first = self.tail.is_empty();
        if one == '<' || (is_first && matches!(one, '>' | '-')) {
            return Err(Kind::Malformed("a comment has no `<` and begins with neither `>` nor `-`"));
        }
        match (self.tail.ends_with("--"), one) {
            (true, '>') => self.state = State::Text,
            (true, _) => return Err(Kind::Malformed("`--` in a comment stands before its `>`")),
            (false, _) => self.remember(one),
        }
        Ok(())
    }

    /// Looks for the end tag. What makes scripts end elsewhere is refused.
    fn raw(&mut self, one: char) -> Fed<()> {
        self.remember(one.to_ascii_lowercase());
        if self.tail.ends_with("<!--") {
            return Err(Kind::Malformed("`<!--` changes where this element ends"));
        }
        if self.tail.strip_suffix('>').is_some_and(|tail| ends_with_tag(tail, &self.tag)) {
            self.open.pop();
            self.state = State::Text;
        } else if let Some(tail) = self.tail.get(..self.tail.len() - one.len_utf8())
            && ends_with_tag(tail, &self.tag)
            && !(one.is_ascii_alphanumeric())
        {
            return Err(Kind::Malformed("the end tag of this element has nothing but its name"));
        }
        Ok(())
    }

    /// Keeps the last few characters.
    fn remember(&mut self, one: char) {
        const KEPT: usize = 16;
        if self.tail.len() > 4 * KEPT {
            let cut = self.tail.char_indices().rev().nth(KEPT).map_or(0, |(at, _)| at);
            self.tail.drain(..cut);
        }
        self.tail.push(one);
    }
}

fn ends_with_tag(text: &str, tag: &str) -> bool {
    text.strip_suffix(tag).is_some_and(|text| text.ends_with("</"))
}

fn no_consent(of: Macro, escape: Escape) -> Fed<Escape> {
    if of.is_consent() { Err(Kind::Misplaced("outside the query of an address")) } else { Ok(escape) }
}

fn is_space(one: char) -> bool {
    matches!(one, ' ' | '\t' | '\n' | '\r')
}

fn is_name(one: char) -> bool {
    one.is_ascii_alphanumeric() || matches!(one, '-' | '_' | ':' | '.')
}

fn is_unquoted(one: char) -> bool {
    one.is_ascii_alphanumeric() || matches!(one, '-' | '_' | '.' | ':' | '/' | '#' | '%' | '?' | ',')
}
