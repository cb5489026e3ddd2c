//! Which pages may call the data port from a browser (the Fetch standard's CORS protocol).
//!
//! An answer names the origin only when it is allowed, so that the browser keeps it from all other pages. Credentials
//! are never allowed: nothing here depends on cookies.

use hyper::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, HeaderMap, HeaderValue, ORIGIN, VARY,
};
use hyper::{Response, StatusCode};

use crate::settings::Origins;

/// What an answer tells the browser.
pub(super) enum Permit {
    /// Any page may read it.
    Any,
    /// Pages of this origin may.
    Origin(HeaderValue),
    /// The asking page may not, or nobody asks.
    None,
}

/// Looks up who asks.
pub(super) fn permit(origins: &Origins, headers: &HeaderMap) -> Permit {
    let Origins::Listed(listed) = origins else { return Permit::Any };
    match headers.get(ORIGIN) {
        Some(origin) if listed.iter().any(|known| known.as_bytes() == origin.as_bytes()) => {
            Permit::Origin(origin.clone())
        }
        _ => Permit::None,
    }
}

impl Permit {
    /// Marks an answer.
    pub(super) fn mark<B>(self, response: &mut Response<B>) {
        let headers = response.headers_mut();
        match self {
            Permit::Any => {
                headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
            }
            Permit::Origin(origin) => {
                headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
                headers.insert(VARY, HeaderValue::from_static("origin"));
            }
            // Caches must not give this answer to a page that is allowed.
            Permit::None => {
                headers.insert(VARY, HeaderValue::from_static("origin"));
            }
        }
    }
}

/// The answer to a browser's question whether it may ask, still without the origin.
pub(super) fn preflight<B: Default>() -> Response<B> {
    let mut response = Response::new(B::default());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST"));
    let names = "authorization, content-type, x-api-key";
    headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(names));
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("server-timing"));
    headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(origins: &Origins, origin: Option<&str>) -> (Option<String>, bool) {
        let mut headers = HeaderMap::new();
        if let Some(origin) = origin {
            headers.insert(ORIGIN, origin.parse().unwrap());
        }
        let mut response = Response::new(());
        permit(origins, &headers).mark(&mut response);
        let header = |name| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        (header(ACCESS_CONTROL_ALLOW_ORIGIN), header(VARY).is_some())
    }

    #[test]
    fn only_listed_origins_are_named() {
        let listed = Origins::Listed(vec!["https://shop.example".into()]);
        let shop = "https://shop.example".to_owned();
        assert_eq!(asked(&listed, Some("https://shop.example")), (Some(shop), true));
        for other in ["https://shop.example.org", "http://shop.example", "https://SHOP.example", "null"] {
            assert_eq!(asked(&listed, Some(other)), (None, true), "{other}");
        }
        assert_eq!(asked(&listed, None), (None, true));
        assert_eq!(asked(&Origins::Any, Some("https://anywhere.example")), (Some("*".into()), false));
    }
}
