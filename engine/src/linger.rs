//! Closing a connection without cutting off its last answer.
//!
//! A client that is refused in the middle of its request goes on sending for a while. Closing a socket with unread bytes
//! resets the connection, and a reset discards what the client has not read yet: it would see a broken pipe instead of
//! the 413 or 408 that says what is wrong. So the sending side is closed first, and what still comes in is thrown away
//! until the client closes too, within [`LINGER_BYTES_MAX`] and [`LINGER_SECS_MAX`].
//!
//! Cost: one more read per connection, when it ends; a timer only while a client keeps its side open.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Sleep;

use crate::limits::{LINGER_BYTES_MAX, LINGER_SECS_MAX};

/// Bytes thrown away at a time.
const SCRATCH_BYTES: usize = 8 << 10;

/// A stream whose shutdown waits for the peer.
#[derive(Debug)]
pub(crate) struct Lingering {
    stream: TcpStream,
    is_shut: bool,
    discarded: usize,
    deadline: Option<Pin<Box<Sleep>>>,
}

impl Lingering {
    pub(crate) fn new(stream: TcpStream) -> Lingering {
        Lingering { stream, is_shut: false, discarded: 0, deadline: None }
    }

    /// Reads and forgets. Ready when the peer has closed or broken the connection, or has had its share.
    fn poll_discard(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut scratch = [0; SCRATCH_BYTES];
        while self.discarded < LINGER_BYTES_MAX {
            let mut buffer = ReadBuf::new(&mut scratch);
            match Pin::new(&mut self.stream).poll_read(cx, &mut buffer) {
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => self.discarded += buffer.filled().len(),
                Poll::Ready(_) => return Poll::Ready(()),
                Poll::Pending => {
                    let sleep = || Box::pin(tokio::time::sleep(Duration::from_secs(LINGER_SECS_MAX)));
                    return self.deadline.get_or_insert_with(sleep).as_mut().poll(cx);
                }
            }
        }
        Poll::Ready(())
    }
}

impl AsyncRead for Lingering {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Lingering {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.is_shut {
            ready!(Pin::new(&mut self.stream).poll_shutdown(cx))?;
            self.is_shut = true;
        }
        self.poll_discard(cx).map(Ok)
    }
}
