//! Addresses in templates: what may follow what, so that no value can change where an address leads.
//!
//! Scheme, host and path of an address are either written in the template or come whole from one value that is checked
//! against a list of schemes. Values stand alone, or behind `?` or `#`, where they are percent-encoded. A value inside a path
//! is refused: `..` climbs out of a folder however it is encoded.

use super::escape::Escape;
use super::macros::Macro;

/// Is this an absolute `http` or `https` address, or a path on the same host, without anything that a browser would strip
/// or read differently?
pub fn is_safe(url: &str) -> bool {
    let is_plain = !url.chars().any(|one| one.is_control() || one.is_whitespace() || one == '\\');
    is_plain && (authority_of(url).is_some() || (url.starts_with('/') && !url.starts_with("//")))
}

/// Host and port of an absolute `http` or `https` address, if it has a host and no credentials.
fn authority_of(url: &str) -> Option<&str> {
    let rest = without_scheme(url)?;
    let authority = rest.split(['/', '?', '#']).next().unwrap_or("");
    (!authority.is_empty() && !authority.contains('@')).then_some(authority)
}

fn without_scheme(url: &str) -> Option<&str> {
    let (scheme, rest) = url.split_once("://")?;
    (scheme.eq_ignore_ascii_case("https") || scheme.eq_ignore_ascii_case("http")).then_some(rest)
}

/// Reads an address from its beginning.
#[derive(Debug, Default)]
pub(super) struct UrlContext {
    /// What was written before the first `?` or `#`.
    written: String,
    place: Place,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Place {
    #[default]
    Start,
    /// In scheme, host or path, as written.
    Written,
    /// Behind an address that the engine or the catalog vouches for.
    BehindOwn,
    /// Behind an address that came with the request.
    BehindForeign,
    Query,
}

/// What is wrong with an address.
pub(super) type UrlProblem = &'static str;

impl UrlContext {
    pub(super) fn char(&mut self, one: char) -> Result<(), UrlProblem> {
        match self.place {
            Place::Query => {}
            Place::BehindForeign => return Err("nothing may follow a parameter that is a whole address"),
            Place::BehindOwn if matches!(one, '?' | '&' | '#') => self.place = Place::Query,
            Place::BehindOwn => return Err("only `?`, `&` or `#` may follow an address"),
            Place::Start | Place::Written if matches!(one, '?' | '#') => {
                self.check_written()?;
                self.place = Place::Query;
            }
            Place::Start | Place::Written => {
                if one.is_control() || one.is_whitespace() || matches!(one, '\\' | '&') {
                    return Err("an address has no spaces, `\\` or `&` before its `?`");
                }
                self.written.push(one);
                self.place = Place::Written;
            }
        }
        Ok(())
    }

    /// How a value is written here; `whole` is how a value that is the whole address is.
    pub(super) fn value(&mut self, of: Macro, is_own: bool, whole: Escape) -> Result<Escape, UrlProblem> {
        match self.place {
            Place::Query => return Ok(Escape::Query),
            Place::Written => {
                return Err("inside an address a macro may stand only behind `?` or `#`");
            }
            Place::BehindOwn | Place::BehindForeign => {
                return Err("a macro may not directly follow one that is an address");
            }
            Place::Start => {}
        }
        self.place = match of {
            _ if is_own => Place::BehindOwn,
            Macro::Parameter(_) => Place::BehindForeign,
            _ => return Err("this macro is not an address"),
        };
        Ok(whole)
    }

    pub(super) fn end(&self) -> Result<(), UrlProblem> {
        match self.place {
            Place::Written => self.check_written(),
            _ => Ok(()),
        }
    }

    /// Has it begun as an absolute address?
    pub(super) fn is_absolute(&self) -> bool {
        without_scheme(&self.written).is_some()
    }

    fn check_written(&self) -> Result<(), UrlProblem> {
        let written = &self.written;
        let colon = written.find(':').filter(|colon| !written[..*colon].contains('/'));
        match colon.map(|colon| written[..colon].to_ascii_lowercase()).as_deref() {
            None if written.starts_with("//") => Err("write the address with `https://`"),
            None | Some("mailto" | "tel") => Ok(()),
            Some("http" | "https") if authority_of(written).is_some() => Ok(()),
            Some("http" | "https") => Err("the address needs a host and no credentials"),
            Some(_) => Err("an address begins with https:, http:, mailto:, tel: or a path"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_web_addresses_and_paths_are_safe() {
        for url in
            ["https://a.example", "HTTP://a.example/x?y=z#w", "/img/a.png", "/", "https://a.example:8443/ä"]
        {
            assert!(is_safe(url), "{url}");
        }
        for url in [
            "javascript:alert(1)",
            " https://a.example",
            "//evil.example",
            "/\\evil.example",
            "https://",
            "https://user@evil.example",
            "data:text/html,x",
            "java\nscript:alert(1)",
            "a.png",
            "",
            "https:evil",
            "\u{1}javascript://a/%0aalert(1)",
            "javascript://a/%0aalert(1)",
        ] {
            assert!(!is_safe(url), "{url}");
        }
    }
}
