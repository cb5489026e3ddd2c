//! The one place that names the serialization library, so that it can be changed in one place.
//!
//! Encoding is `bincode` 2 in its standard configuration (little endian, variable-length integers). Decoding is bounded:
//! a length prefix can never make the decoder reserve more than the limit it was called with.

use serde::{Serialize, de::DeserializeOwned};

/// The bytes are not a value of the expected type.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// Malformed, truncated or over the limit.
    #[error("malformed encoding: {0}")]
    Malformed(bincode::error::DecodeError),
    /// A complete value was followed by more bytes.
    #[error("{count} bytes follow the encoded value")]
    TrailingBytes {
        /// How many bytes were left over.
        count: usize,
    },
    /// The input is longer than the format allows.
    #[error("{found} bytes are more than the {max} allowed")]
    TooLarge {
        /// Bytes given.
        found: usize,
        /// Bytes allowed.
        max: usize,
    },
}

/// Appends the encoding of `value` to `out`.
///
/// Infallible for the types of this crate: none has a custom `Serialize` and a `Vec` cannot refuse bytes; a failure would
/// leave `out` as it was.
pub fn encode_into<T: Serialize>(value: &T, out: &mut Vec<u8>) {
    let start = out.len();
    if bincode::serde::encode_into_std_write(value, out, bincode::config::standard()).is_err() {
        debug_assert!(false, "INVARIANT: wire types always encode");
        out.truncate(start);
    }
}

/// The encoding of `value`.
pub fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    let mut out = Vec::new();
    encode_into(value, &mut out);
    out
}

/// Decodes exactly one value from `bytes`, refusing more than `MAX` bytes.
///
/// # Errors
/// [`DecodeError`] when the input is too large, malformed, or longer than the value in it.
pub fn decode<T: DeserializeOwned, const MAX: usize>(bytes: &[u8]) -> Result<T, DecodeError> {
    if bytes.len() > MAX {
        return Err(DecodeError::TooLarge { found: bytes.len(), max: MAX });
    }
    let config = bincode::config::standard().with_limit::<MAX>();
    let (value, used) = bincode::serde::decode_from_slice(bytes, config).map_err(DecodeError::Malformed)?;
    if used != bytes.len() {
        return Err(DecodeError::TrailingBytes { count: bytes.len() - used });
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_huge_length_prefix_is_an_error_not_an_allocation() {
        let mut bytes = vec![253]; // a u64 length follows
        bytes.extend_from_slice(&u64::MAX.to_le_bytes());
        assert!(decode::<Vec<u64>, 1024>(&bytes).is_err());
    }

    #[test]
    fn trailing_bytes_are_refused() {
        let mut bytes = encode(&7u32);
        bytes.push(0);
        assert!(matches!(decode::<u32, 64>(&bytes), Err(DecodeError::TrailingBytes { count: 1 })));
    }
}
