//! One keep-alive HTTP/1.1 connection that opens itself again when it has been closed.

use std::net::SocketAddr;
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// How long a request may take before it counts as failed.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A request had no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum ClientError {
    /// The connection failed.
    #[error("cannot connect: {0}")]
    Connect(std::io::Error),
    /// The exchange failed.
    #[error("the exchange broke off: {0}")]
    Exchange(#[from] hyper::Error),
    /// No answer in time.
    #[error("no answer within {} seconds", TIMEOUT.as_secs())]
    Timeout,
}

/// A connection to one address.
pub(crate) struct Client {
    address: SocketAddr,
    sender: Option<SendRequest<Full<Bytes>>>,
}

impl Client {
    pub(crate) fn new(address: SocketAddr) -> Client {
        Client { address, sender: None }
    }

    /// Sends a request and reads the whole answer.
    pub(crate) async fn send(
        &mut self,
        request: Request<Full<Bytes>>,
    ) -> Result<(StatusCode, Bytes), ClientError> {
        let outcome =
            tokio::time::timeout(TIMEOUT, self.exchange(request)).await.unwrap_or(Err(ClientError::Timeout));
        if outcome.is_err() {
            self.sender = None;
        }
        outcome
    }

    async fn exchange(&mut self, request: Request<Full<Bytes>>) -> Result<(StatusCode, Bytes), ClientError> {
        let response: Response<_> = self.connected().await?.send_request(request).await?;
        let status = response.status();
        Ok((status, response.into_body().collect().await?.to_bytes()))
    }

    async fn connected(&mut self) -> Result<&mut SendRequest<Full<Bytes>>, ClientError> {
        let is_open = match self.sender.as_mut() {
            Some(sender) => sender.ready().await.is_ok(),
            None => false,
        };
        if !is_open {
            self.sender = None;
        }
        if self.sender.is_none() {
            let stream = TcpStream::connect(self.address).await.map_err(ClientError::Connect)?;
            // Small requests must not wait for one another.
            let _ = stream.set_nodelay(true);
            let (sender, connection) = handshake(TokioIo::new(stream)).await?;
            // The connection ends by itself when the sender is dropped or the peer closes.
            drop(tokio::spawn(connection));
            self.sender = Some(sender);
        }
        self.sender.as_mut().ok_or(ClientError::Timeout)
    }
}
