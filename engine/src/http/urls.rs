//! What rules may see of the addresses of pages.

/// `scheme://authority` of a URL.
pub(super) fn origin_of(url: &str) -> Option<&str> {
    let (scheme, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let is_plain = !authority.is_empty() && !authority.contains('@');
    is_plain.then(|| &url[..scheme.len() + 3 + authority.len()])
}

/// The path of a URL or of a bare path, without query and fragment.
pub(super) fn path_of(url: &str) -> Option<&str> {
    let rest = match origin_of(url) {
        Some(origin) => &url[origin.len()..],
        None if url.starts_with('/') => url,
        None => return None,
    };
    let path = rest.split(['?', '#']).next()?;
    Some(if path.is_empty() { "/" } else { path })
}

/// The host of a URL, without its port.
pub(super) fn host_of(url: &str) -> Option<&str> {
    let (_, authority) = origin_of(url)?.split_once("://")?;
    authority.split(':').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_cut_to_what_rules_may_see() {
        let url = "https://shop.example:8443/shoes/red?user=7#top";
        assert_eq!(origin_of(url), Some("https://shop.example:8443"));
        assert_eq!(path_of(url), Some("/shoes/red"));
        assert_eq!(host_of(url), Some("shop.example"));
        assert_eq!(path_of("https://shop.example"), Some("/"));
        assert_eq!(path_of("/a?b"), Some("/a"));
        assert_eq!(origin_of("https://user:secret@shop.example/"), None);
        assert_eq!(path_of("javascript:alert(1)"), None);
    }
}
