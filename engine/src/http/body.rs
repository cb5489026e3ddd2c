//! Reading a request body: bounded in size and time, also when it is compressed.

use std::io::{Read, Write};
use std::time::Duration;

use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use http_body_util::BodyExt;
use hyper::StatusCode;
use hyper::body::{Body, Bytes, Incoming};
use hyper::header::{ACCEPT_ENCODING, CONTENT_ENCODING, HeaderMap};

use super::problem::Problem;
use crate::counters::Refusal;
use crate::limits::{BODY_BYTES_MAX, BODY_READ_SECS_MAX};

/// The whole body, or why there is none.
///
/// A body that comes in one piece, which almost all do, is not copied.
pub(crate) async fn read(body: Incoming) -> Result<Bytes, Problem> {
    read_up_to(body, BODY_BYTES_MAX).await
}

/// The same for an endpoint with a limit of its own.
pub(crate) async fn read_up_to(body: Incoming, bytes_max: usize) -> Result<Bytes, Problem> {
    if body.size_hint().lower() > bytes_max as u64 {
        return Err(Problem::too_large(bytes_max));
    }
    match tokio::time::timeout(Duration::from_secs(BODY_READ_SECS_MAX), collect(body, bytes_max)).await {
        Ok(result) => result,
        Err(_) => {
            let detail = format!("the body did not arrive within {BODY_READ_SECS_MAX} seconds");
            Err(Problem::new(StatusCode::REQUEST_TIMEOUT, Refusal::Timeout, "body_timeout", detail))
        }
    }
}

/// The whole body, decompressed when its sender says that it is gzip.
pub(crate) async fn read_compressed(
    headers: &HeaderMap,
    body: Incoming,
    bytes_max: usize,
) -> Result<Bytes, Problem> {
    let bytes = read_up_to(body, bytes_max).await?;
    let Some(encoding) = headers.get(CONTENT_ENCODING) else { return Ok(bytes) };
    match encoding.to_str().map(str::trim) {
        Ok(name) if name.eq_ignore_ascii_case("gzip") => decompress(&bytes, bytes_max),
        Ok(name) if name.is_empty() || name.eq_ignore_ascii_case("identity") => Ok(bytes),
        _ => {
            let detail = "the body is encoded as something other than gzip; send it as gzip or as it is";
            let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
            Err(Problem::new(status, Refusal::BadRequest, "content_encoding", detail))
        }
    }
}

/// A small body may decompress to a huge one: no more is decompressed than may be read.
fn decompress(bytes: &[u8], bytes_max: usize) -> Result<Bytes, Problem> {
    let mut out = Vec::new();
    let mut reader = MultiGzDecoder::new(bytes).take(bytes_max as u64 + 1);
    reader.read_to_end(&mut out).map_err(|error| {
        Problem::bad_request("body_not_gzip", format!("the body does not decompress: {error}"))
    })?;
    if out.len() > bytes_max { Err(Problem::too_large(bytes_max)) } else { Ok(Bytes::from(out)) }
}

/// Does the caller read gzip?
pub(crate) fn accepts_gzip(headers: &HeaderMap) -> bool {
    let accepts = headers.get(ACCEPT_ENCODING).and_then(|value| value.to_str().ok()).unwrap_or("");
    accepts.split(',').any(|part| {
        let (name, quality) = part.split_once(';').unwrap_or((part, ""));
        let is_refused = quality.trim().strip_prefix("q=").is_some_and(|q| q.parse() == Ok(0.0));
        name.trim().eq_ignore_ascii_case("gzip") && !is_refused
    })
}

/// An answer's bytes, compressed if wanted.
pub(crate) fn answer(bytes: Vec<u8>, is_gzip: bool) -> Vec<u8> {
    if !is_gzip {
        return bytes;
    }
    let mut encoder = GzEncoder::new(Vec::with_capacity(bytes.len() / 2), Compression::fast());
    // Writing to memory cannot fail.
    let _ = encoder.write_all(&bytes);
    encoder.finish().unwrap_or_default()
}

async fn collect(mut body: Incoming, bytes_max: usize) -> Result<Bytes, Problem> {
    let mut first = Bytes::new();
    let mut rest: Vec<u8> = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame
            .map_err(|_| Problem::bad_request("body_broken", "the body ended before it was complete"))?;
        let Ok(data) = frame.into_data() else { continue };
        if first.is_empty() && rest.is_empty() {
            first = data;
            continue;
        }
        if rest.is_empty() {
            rest.extend_from_slice(&first);
        }
        if rest.len() + data.len() > bytes_max {
            return Err(Problem::too_large(bytes_max));
        }
        rest.extend_from_slice(&data);
    }
    let whole = if rest.is_empty() { first } else { Bytes::from(rest) };
    if whole.len() > bytes_max { Err(Problem::too_large(bytes_max)) } else { Ok(whole) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decompress(bytes: &[u8]) -> Result<Bytes, Problem> {
        super::decompress(bytes, BODY_BYTES_MAX)
    }

    use proptest::prelude::*;

    #[test]
    fn a_small_body_cannot_become_a_large_one() {
        let bomb = answer(vec![0; 16 << 20], true);
        assert!(bomb.len() < BODY_BYTES_MAX, "{} bytes", bomb.len());
        assert_eq!(decompress(&bomb).unwrap_err().code, "body_too_large");
        assert_eq!(decompress(&answer(vec![7; BODY_BYTES_MAX], true)).unwrap().len(), BODY_BYTES_MAX);
        assert_eq!(decompress(b"not gzip").unwrap_err().code, "body_not_gzip");
        let whole = answer(vec![7; 100], true);
        assert_eq!(decompress(&whole[..whole.len() - 1]).unwrap_err().code, "body_not_gzip");
    }

    #[test]
    fn gzip_is_sent_to_those_who_ask() {
        for (value, expected) in
            [("gzip", true), ("br, GZIP;q=0.5", true), ("gzip;q=0", false), ("identity", false), ("", false)]
        {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT_ENCODING, value.parse().unwrap());
            assert_eq!(accepts_gzip(&headers), expected, "{value}");
        }
    }

    proptest! {
        #[test]
        fn what_is_compressed_reads_back(bytes: Vec<u8>) {
            prop_assert_eq!(decompress(&answer(bytes.clone(), true)).unwrap(), bytes);
        }

        #[test]
        fn any_bytes_decompress_or_are_refused(bytes: Vec<u8>) {
            let _ = decompress(&bytes);
        }
    }
}
