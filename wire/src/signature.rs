//! Signatures of bundles: who made this file, told without trusting the disk or the way it came.
//!
//! ```text
//! signed bundle = bundle trailer
//! trailer       = "TSIG" | key id 8 (first bytes of the public key's BLAKE3) | Ed25519 signature 64
//! ```
//! The signature covers every byte before the trailer, generation and time included. It is no part of the content: the
//! hash of a bundle is the same with it and without. Verification is strict (RFC 8032, no malleable signatures, no weak
//! keys). A copy of an older signed bundle still verifies: going back is publishing, too.
//!
//! Not here: where keys are kept (whoever signs or verifies).

use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};

use crate::bundle::{BundleError, content_end};

/// Bytes of a trailer.
pub const TRAILER_BYTES: usize = 76;

const MAGIC: [u8; 4] = *b"TSIG";
const KEY_ID_BYTES: usize = 8;

/// A secret key that signs bundles.
#[derive(Clone)]
pub struct BundleSigner(SigningKey);

/// A public key that verifies bundles.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BundleVerifier(VerifyingKey);

/// The public key cannot be one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an Ed25519 public key")]
pub struct BadPublicKey;

impl std::fmt::Debug for BundleSigner {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("BundleSigner(..)")
    }
}

impl BundleSigner {
    /// The key of 32 secret bytes.
    pub fn new(secret: [u8; 32]) -> BundleSigner {
        BundleSigner(SigningKey::from_bytes(&secret))
    }

    /// What engines verify with.
    pub fn public_key(&self) -> [u8; 32] {
        self.0.verifying_key().to_bytes()
    }

    /// Signs an encoded bundle; an earlier signature is replaced.
    ///
    /// # Errors
    /// [`BundleError`] when the bytes are no bundle.
    pub fn sign(&self, bytes: &mut Vec<u8>) -> Result<(), BundleError> {
        bytes.truncate(content_end(bytes)?);
        let signature = self.0.sign(bytes);
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&key_id(&self.0.verifying_key()));
        bytes.extend_from_slice(&signature.to_bytes());
        Ok(())
    }
}

impl BundleVerifier {
    /// The key of 32 public bytes.
    ///
    /// # Errors
    /// [`BadPublicKey`] when they are no key, or one under which anything verifies.
    pub fn new(public: [u8; 32]) -> Result<BundleVerifier, BadPublicKey> {
        let key = VerifyingKey::from_bytes(&public).map_err(|_| BadPublicKey)?;
        if key.is_weak() { Err(BadPublicKey) } else { Ok(BundleVerifier(key)) }
    }
}

/// Is the bundle signed by one of these keys? Without keys every bundle passes.
///
/// # Errors
/// [`BundleError::Unsigned`] or [`BundleError::WrongSignature`], or what is wrong with the bytes.
pub fn verify(bytes: &[u8], keys: &[BundleVerifier]) -> Result<(), BundleError> {
    if keys.is_empty() {
        return Ok(());
    }
    let (content, trailer) = bytes.split_at(content_end(bytes)?);
    let trailer: &[u8; TRAILER_BYTES] = trailer.try_into().map_err(|_| BundleError::Unsigned)?;
    let (id, signature) = trailer[MAGIC.len()..].split_at(KEY_ID_BYTES);
    let signature = Signature::from_slice(signature).map_err(|_| BundleError::WrongSignature)?;
    let is_by = |key: &&BundleVerifier| key_id(&key.0) == *id;
    let is_right = |key: &BundleVerifier| key.0.verify_strict(content, &signature).is_ok();
    if keys.iter().find(is_by).is_some_and(is_right) { Ok(()) } else { Err(BundleError::WrongSignature) }
}

/// Do these bytes after a bundle's last section look like its signature?
pub(crate) fn is_trailer(bytes: &[u8]) -> bool {
    bytes.len() == TRAILER_BYTES && bytes[..MAGIC.len()] == MAGIC
}

fn key_id(key: &VerifyingKey) -> [u8; KEY_ID_BYTES] {
    let mut id = [0; KEY_ID_BYTES];
    id.copy_from_slice(&blake3::hash(key.as_bytes()).as_bytes()[..KEY_ID_BYTES]);
    id
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::{Bundle, decode, encode, hash};

    fn bundle() -> Vec<u8> {
        let mut bundle = Bundle { generation: 3, made_at_ms: 4, ..Bundle::default() };
        bundle.catalog.text = "hero".into();
        encode(&bundle)
    }

    fn signed(secret: u8) -> Vec<u8> {
        let mut bytes = bundle();
        BundleSigner::new([secret; 32]).sign(&mut bytes).unwrap();
        bytes
    }

    fn keys(secrets: &[u8]) -> Vec<BundleVerifier> {
        let public = |secret: &u8| BundleSigner::new([*secret; 32]).public_key();
        secrets.iter().map(|secret| BundleVerifier::new(public(secret)).unwrap()).collect()
    }

    #[test]
    fn a_signed_bundle_is_the_same_bundle() {
        let bytes = signed(1);
        assert_eq!(bytes.len(), bundle().len() + TRAILER_BYTES);
        assert_eq!(decode(&bytes).unwrap(), decode(&bundle()).unwrap());
        assert_eq!(hash(&bytes).unwrap(), hash(&bundle()).unwrap());
        let mut again = bytes.clone();
        BundleSigner::new([1; 32]).sign(&mut again).unwrap();
        assert_eq!(again, bytes, "signing twice is signing once");
    }

    #[test]
    fn only_the_right_keys_verify() {
        assert!(verify(&signed(1), &keys(&[1])).is_ok());
        assert!(verify(&signed(1), &keys(&[2, 1])).is_ok(), "one of several, while keys change");
        assert!(matches!(verify(&signed(1), &keys(&[2])), Err(BundleError::WrongSignature)));
        assert!(matches!(verify(&bundle(), &keys(&[1])), Err(BundleError::Unsigned)));
        assert!(verify(&bundle(), &[]).is_ok() && verify(&signed(1), &[]).is_ok());
        assert_eq!(BundleVerifier::new([0; 32]), Err(BadPublicKey), "a weak key");
    }

    #[test]
    fn every_flipped_bit_is_refused() {
        let (bytes, keys) = (signed(1), keys(&[1]));
        for bit in 0..bytes.len() * 8 {
            let mut bad = bytes.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(verify(&bad, &keys).is_err(), "bit {bit}");
        }
        for length in 0..bytes.len() {
            assert!(verify(&bytes[..length], &keys).is_err(), "{length} bytes");
        }
    }
}
