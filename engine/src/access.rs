//! Who may ask for what: API keys with scopes.
//!
//! Keys stand hashed in one small TOML file (`Access`) that the watcher takes over when it changes and verifies.
//! While there is no such file, anybody may decide and send events; once there is one, only its keys may, also when it
//! is empty or gone again. Keys are 256 random bits, so a fast hash is as safe at rest as a slow one would be.
//!
//! Guarantees: a key is compared with every entry, in time that does not depend on either; a file that does not verify
//! changes nothing. Cost: a hash of some fifty bytes and one comparison per entry, for requests that bring a key.
//!
//! Not here: making keys (the command `tessera key`), signed tokens in URLs (`tessera_wire::token`).

use std::sync::Arc;

use arc_swap::ArcSwap;
use serde::Deserialize;

use crate::keys::{Keys, hex, unhex};
use crate::limits::{ACCESS_BYTES_MAX, ACCESS_KEYS_MAX};

/// What a key allows, one bit each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Scopes(u8);

impl Scopes {
    /// Nothing.
    pub const NONE: Scopes = Scopes(0);
    /// Ask for decisions and bids.
    pub const DECIDE: Scopes = Scopes(1);
    /// Send events.
    pub const INGEST: Scopes = Scopes(1 << 1);
    /// Ask why, and what if.
    pub const EXPLAIN: Scopes = Scopes(1 << 2);
    /// Erase visitors.
    pub const ADMIN: Scopes = Scopes(1 << 3);
    /// Speak for visitors: what such a caller says of a visitor's address and country is believed. Never for a key that
    /// stands in a web page.
    pub const TRUSTED: Scopes = Scopes(1 << 4);
    /// Everything.
    pub const ALL: Scopes = Scopes((1 << 5) - 1);
    /// What anybody may while there are no keys.
    pub const OPEN: Scopes = Scopes(Scopes::DECIDE.0 | Scopes::INGEST.0);

    /// Names in the file, in bit order.
    pub const NAMES: [(&'static str, Scopes); 5] = [
        ("decide", Scopes::DECIDE),
        ("ingest", Scopes::INGEST),
        ("explain", Scopes::EXPLAIN),
        ("admin", Scopes::ADMIN),
        ("trusted", Scopes::TRUSTED),
    ];

    /// Are all of `needed` here?
    pub const fn covers(self, needed: Scopes) -> bool {
        self.0 & needed.0 == needed.0
    }

    /// What either allows.
    #[must_use]
    pub const fn or(self, other: Scopes) -> Scopes {
        Scopes(self.0 | other.0)
    }

    /// What both allow.
    #[must_use]
    pub const fn and(self, other: Scopes) -> Scopes {
        Scopes(self.0 & other.0)
    }

    /// The scopes with these names.
    ///
    /// # Errors
    /// The name that is none.
    pub fn of_names<'n>(names: impl IntoIterator<Item = &'n str>) -> Result<Scopes, &'n str> {
        names.into_iter().try_fold(Scopes::NONE, |sum, name| {
            let found = Scopes::NAMES.iter().find(|(known, _)| *known == name);
            found.map(|(_, scope)| sum.or(*scope)).ok_or(name)
        })
    }
}

/// The file of keys cannot be used; the keys in force stay.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AccessError {
    /// It cannot be read.
    #[error("the API keys cannot be read: {0}")]
    Read(std::io::Error),
    /// Too large to be what it should be.
    #[error("the file of API keys has {found} bytes, at most {ACCESS_BYTES_MAX} are read")]
    TooLarge {
        /// Bytes given.
        found: usize,
    },
    /// Not TOML, or not of the right shape.
    #[error("the API keys are not valid: {0}")]
    Toml(String),
    /// More than are compared on every request.
    #[error("there are {found} API keys, at most {ACCESS_KEYS_MAX} are allowed")]
    TooMany {
        /// Keys given.
        found: usize,
    },
    /// A hash is not one.
    #[error("the API key `{name}` needs a `hash` of 64 hexadecimal digits; `tessera key new` makes one")]
    Hash {
        /// The key's name.
        name: String,
    },
    /// A scope is not one.
    #[error(
        "the API key `{name}` has a scope that does not exist; there are decide, ingest, explain, admin and trusted"
    )]
    Scope {
        /// The key's name.
        name: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawAccess {
    #[serde(default)]
    key: Vec<RawKey>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawKey {
    name: String,
    hash: String,
    scopes: Vec<String>,
}

/// A key's text, shown once, and the hash that is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewKey {
    /// What callers send.
    pub key: String,
    /// What the file holds, lower-case hex.
    pub hash: String,
}

/// 256 bits that nobody can guess.
pub fn random_key() -> [u8; 32] {
    rand::random()
}

/// Makes a key.
pub fn new_key() -> NewKey {
    let key = format!("tsk_{}", hex(&random_key()));
    let hash = blake3::hash(key.as_bytes()).to_string();
    NewKey { key, hash }
}

/// The keys in force.
pub(crate) struct Access {
    entries: Vec<(blake3::Hash, Scopes)>,
    anybody: Scopes,
}

/// The keys in force, replaced as a whole.
pub(crate) type AccessCell = ArcSwap<Access>;

impl Access {
    /// While there is no file: anybody may decide and send events; the engine's own keys allow what they are for.
    pub(crate) fn open(keys: &Keys) -> Access {
        Access { entries: own(keys), anybody: Scopes::OPEN }
    }

    /// Reads a file of keys.
    ///
    /// # Errors
    /// [`AccessError`] names the entry that is wrong.
    pub(crate) fn parse(text: &str, keys: &Keys) -> Result<Access, AccessError> {
        if text.len() > ACCESS_BYTES_MAX {
            return Err(AccessError::TooLarge { found: text.len() });
        }
        let raw: RawAccess = toml::from_str(text).map_err(|error| AccessError::Toml(error.to_string()))?;
        if raw.key.len() > ACCESS_KEYS_MAX {
            return Err(AccessError::TooMany { found: raw.key.len() });
        }
        let mut entries = own(keys);
        for RawKey { name, hash, scopes } in raw.key {
            let Some(hash) = unhex(&hash) else { return Err(AccessError::Hash { name }) };
            let scopes = Scopes::of_names(scopes.iter().map(String::as_str));
            let scopes = scopes.map_err(|_| AccessError::Scope { name: name.clone() })?;
            entries.push((blake3::Hash::from_bytes(hash), scopes));
        }
        Ok(Access { entries, anybody: Scopes::NONE })
    }

    /// The keys of a file; those of an open engine when there is none.
    ///
    /// # Errors
    /// [`AccessError`]; a file that cannot be used must not open the engine.
    pub(crate) fn load(path: &std::path::Path, keys: &Keys) -> Result<Access, AccessError> {
        match std::fs::read_to_string(path) {
            Ok(text) => Access::parse(&text, keys),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Access::open(keys)),
            Err(error) => Err(AccessError::Read(error)),
        }
    }

    /// What a caller may who brings this key, or none.
    pub(crate) fn scopes_of(&self, key: Option<&str>) -> Scopes {
        let Some(key) = key else { return self.anybody };
        let hash = blake3::hash(key.as_bytes());
        // Comparing hashes takes the same time wherever they differ, and no entry ends the search.
        let allows =
            |(known, scopes): &(blake3::Hash, Scopes)| if *known == hash { *scopes } else { Scopes::NONE };
        self.entries.iter().map(allows).fold(self.anybody, Scopes::or)
    }

    /// As shared by workers and the watcher.
    pub(crate) fn shared(self) -> Arc<AccessCell> {
        Arc::new(ArcSwap::from_pointee(self))
    }
}

/// The keys that every engine has made for itself.
fn own(keys: &Keys) -> Vec<(blake3::Hash, Scopes)> {
    let hash = |key: &str| blake3::hash(key.as_bytes());
    vec![(hash(&keys.explain), Scopes::DECIDE.or(Scopes::EXPLAIN)), (hash(&keys.erase), Scopes::ADMIN)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys() -> Keys {
        Keys::load_or_create(tempfile::tempdir().unwrap().path()).unwrap()
    }

    fn entry(name: &str, key: &str, scopes: &str) -> String {
        let hash = blake3::hash(key.as_bytes());
        format!("[[key]]\nname = \"{name}\"\nhash = \"{hash}\"\nscopes = [{scopes}]\n")
    }

    #[test]
    fn a_key_allows_its_scopes_and_no_other_key_does() {
        let text = entry("web", "one", "'decide', 'ingest'") + &entry("ssp", "two", "'decide', 'trusted'");
        let access = Access::parse(&text, &keys()).unwrap();
        assert_eq!(access.scopes_of(Some("one")), Scopes::OPEN);
        assert_eq!(access.scopes_of(Some("two")), Scopes::DECIDE.or(Scopes::TRUSTED));
        for other in [None, Some(""), Some("on"), Some("one "), Some("three")] {
            assert_eq!(access.scopes_of(other), Scopes::NONE, "{other:?}");
        }
        assert!(!text.contains("\"one\""), "only the hash is at rest");
    }

    #[test]
    fn a_made_key_is_let_in_by_its_hash() {
        let NewKey { key, hash } = new_key();
        let text = format!("[[key]]\nname = \"a\"\nhash = \"{hash}\"\nscopes = [\"admin\"]\n");
        assert_eq!(Access::parse(&text, &keys()).unwrap().scopes_of(Some(&key)), Scopes::ADMIN);
        assert_ne!(new_key().key, key);
    }

    #[test]
    fn without_a_file_anybody_may_decide_but_not_erase() {
        let keys = keys();
        let access = Access::load(std::path::Path::new("/nowhere/access.toml"), &keys).unwrap();
        assert_eq!(access.scopes_of(None), Scopes::OPEN);
        assert_eq!(access.scopes_of(Some("unheard of")), Scopes::OPEN);
        assert!(access.scopes_of(Some(&keys.erase)).covers(Scopes::ADMIN));
        assert!(access.scopes_of(Some(&keys.explain)).covers(Scopes::EXPLAIN));
    }

    #[test]
    fn an_empty_file_lets_nobody_in_but_the_engines_own_keys() {
        let keys = keys();
        let access = Access::parse("", &keys).unwrap();
        assert_eq!(access.scopes_of(None), Scopes::NONE);
        assert!(access.scopes_of(Some(&keys.explain)).covers(Scopes::DECIDE));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let keys = keys();
        let message = |text: &str| Access::parse(text, &keys).err().unwrap().to_string();
        assert!(message("[[key]]\nname='a'\nhash='12'\nscopes=[]").contains("`a`"));
        assert!(message(&entry("b", "x", "'everything'")).contains("`b`"));
        assert!(message("[[key]]\nname='a'\nsecret='x'").contains("secret"));
        assert!(message(&"#".repeat(ACCESS_BYTES_MAX + 1)).contains("bytes"));
        let many: String = (0..=ACCESS_KEYS_MAX).map(|number| entry("k", &number.to_string(), "")).collect();
        assert!(message(&many).contains("at most"));
    }
}
