//! The engine's secrets: made at random on first use, kept in files that only the owner can read.
//!
//! Two engines that should accept one another's tokens share the key directory's files.

use std::io::{self, Read, Write};
use std::path::Path;

use tessera_wire::token::TokenKey;

/// Secrets of one engine.
#[derive(Clone)]
pub struct Keys {
    /// Signs tokens.
    pub token: TokenKey,
    /// Signs previews of experiments.
    pub preview: TokenKey,
    /// Turns identifiers into pseudonymous subject keys.
    pub subject: [u8; 32],
    /// Allows explanations, as lower-case hex in an `Authorization: Bearer` header.
    pub explain: String,
    /// Allows erasing visitors, as lower-case hex in an `Authorization: Bearer` header.
    pub erase: String,
}

impl Keys {
    /// Reads the keys, making those that do not exist yet.
    ///
    /// # Errors
    /// The directory cannot be made, or a key file cannot be read, written or has the wrong length.
    pub fn load_or_create(directory: &Path) -> io::Result<Keys> {
        std::fs::create_dir_all(directory)?;
        Ok(Keys {
            token: TokenKey::new(load_or_create(&directory.join("token.key"))?),
            preview: TokenKey::new(load_or_create(&directory.join("preview.key"))?),
            subject: load_or_create(&directory.join("subject.key"))?,
            explain: hex(&load_or_create(&directory.join("explain.key"))?),
            erase: hex(&load_or_create(&directory.join("erase.key"))?),
        })
    }

    /// The pseudonymous key of an identifier: keyed BLAKE3 of kind and identifier, cut to 128 bits, never 0.
    pub fn subject_key(&self, kind: &str, identifier: &str) -> u128 {
        let mut hasher = blake3::Hasher::new_keyed(&self.subject);
        hasher.update(kind.as_bytes()).update(&[0]).update(identifier.as_bytes());
        let mut cut = [0; 16];
        cut.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
        u128::from_le_bytes(cut).max(1)
    }

    /// Encrypts or decrypts, which is the same, what travels inside one ad's token: with a key stream (keyed BLAKE3) that
    /// belongs to this ad of this decision alone. The token's signature protects it against changes.
    pub(crate) fn mask(&self, decision_id: u128, ad: u16, bytes: &mut [u8]) {
        let key = blake3::derive_key("tessera 2026 counts inside billing notices", &self.subject);
        let mut hasher = blake3::Hasher::new_keyed(&key);
        hasher.update(&decision_id.to_le_bytes()).update(&ad.to_le_bytes());
        let mut reader = hasher.finalize_xof();
        let mut stream = [0; 64];
        for chunk in bytes.chunks_mut(stream.len()) {
            reader.fill(&mut stream);
            chunk.iter_mut().zip(stream).for_each(|(byte, mask)| *byte ^= mask);
        }
    }
}

fn load_or_create(path: &Path) -> io::Result<[u8; 32]> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(mut file) => {
            let key: [u8; 32] = rand::random();
            file.write_all(hex(&key).as_bytes())?;
            file.sync_all()?;
            Ok(key)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => read_key(path),
        Err(error) => Err(error),
    }
}

fn read_key(path: &Path) -> io::Result<[u8; 32]> {
    let mut text = String::new();
    std::fs::File::open(path)?.take(256).read_to_string(&mut text)?;
    unhex(text.trim()).ok_or_else(|| {
        let what =
            format!("`{}` must hold 64 hexadecimal digits; delete it to have a new key made", path.display());
        io::Error::new(io::ErrorKind::InvalidData, what)
    })
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(|digit| char::from(b"0123456789abcdef"[usize::from(digit)]))
        .collect()
}

pub(crate) fn unhex(text: &str) -> Option<[u8; 32]> {
    let digits: Vec<u8> =
        text.chars().map(|digit| digit.to_digit(16).map(|value| value as u8)).collect::<Option<_>>()?;
    let mut key = [0; 32];
    (digits.len() == 64).then(|| {
        for (byte, pair) in key.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = pair[0] << 4 | pair[1];
        }
        key
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_made_once_and_read_back() {
        let directory = tempfile::tempdir().unwrap();
        let first = Keys::load_or_create(directory.path()).unwrap();
        let second = Keys::load_or_create(directory.path()).unwrap();
        assert_eq!(first.explain, second.explain);
        assert_eq!(first.subject_key("id", "u1"), second.subject_key("id", "u1"));
        assert_ne!(first.subject_key("id", "u1"), first.subject_key("anonymous_id", "u1"));
    }

    #[test]
    fn a_damaged_key_file_is_an_error_that_names_it() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("token.key"), "short").unwrap();
        let error = Keys::load_or_create(directory.path()).err().unwrap();
        assert!(error.to_string().contains("token.key"), "{error}");
    }
}
