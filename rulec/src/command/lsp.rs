//! `rulec lsp`: what editors ask, answered by [`crate::editor`].
//!
//! Synchronous: one request after the other, in the order in which they come, so that an answer is always about the text
//! the editor means. All rule files below the editor's folder count, those it has open as it has them.

mod convert;
mod documents;

use std::path::Path;
use std::process::ExitCode;

use lsp_server::{Connection, ErrorCode, Message, Notification, Request, RequestId, Response};
use lsp_types::notification::{
    DidChangeTextDocument, DidCloseTextDocument, DidOpenTextDocument, Notification as _, PublishDiagnostics,
};
use lsp_types::request::{
    CodeActionRequest, Completion, Formatting, GotoDefinition, HoverRequest, References, Rename, Request as _,
};
use lsp_types::{
    CodeActionProviderCapability, CompletionOptions, HoverProviderCapability, InitializeParams, OneOf,
    PositionEncodingKind, ServerCapabilities, TextDocumentSyncCapability, TextDocumentSyncKind,
};
use serde_json::Value;

use super::Host;
use crate::limits::FILE_BYTES_MAX;
use convert::Encoding;
use documents::Documents;

pub(super) fn run(host: Host<'_>, catalog: Option<&Path>, sample: Option<&Path>) -> Result<ExitCode, String> {
    let sample = match sample {
        Some(path) => super::sources::read_text(path, FILE_BYTES_MAX)?,
        None => String::new(),
    };
    let visitors = sample.lines().filter(|line| !line.trim().is_empty()).map(str::to_owned).collect();
    let text = |error: &dyn std::fmt::Display| error.to_string();
    let names = match (catalog, host.catalog) {
        (None, _) => None,
        (Some(path), Some(read)) => Some(read(path)?.names),
        (Some(_), None) => return Err("only `tessera rules` can read a catalog".to_owned()),
    };
    let (connection, threads) = Connection::stdio();
    let (id, params) = connection.initialize_start().map_err(|error| text(&error))?;
    let params: InitializeParams = serde_json::from_value(params).map_err(|error| text(&error))?;
    let encoding = Encoding::of(&params);
    let capabilities = serde_json::json!({
        "capabilities": capabilities(encoding),
        "serverInfo": { "name": "rulec", "version": env!("CARGO_PKG_VERSION") },
    });
    connection.initialize_finish(id, capabilities).map_err(|error| text(&error))?;
    let mut server = Server { connection, documents: Documents::open(&params, names, visitors), encoding };
    server.publish();
    let outcome = server.serve();
    // The writer ends when its channel does.
    drop(server);
    outcome?;
    threads.join().map_err(|error| text(&error))?;
    Ok(ExitCode::SUCCESS)
}

fn capabilities(encoding: Encoding) -> ServerCapabilities {
    ServerCapabilities {
        position_encoding: Some(match encoding {
            Encoding::Utf8 => PositionEncodingKind::UTF8,
            Encoding::Utf16 => PositionEncodingKind::UTF16,
        }),
        text_document_sync: Some(TextDocumentSyncCapability::Kind(TextDocumentSyncKind::FULL)),
        hover_provider: Some(HoverProviderCapability::Simple(true)),
        completion_provider: Some(CompletionOptions {
            trigger_characters: Some([" ", "(", "\"", ","].map(str::to_owned).to_vec()),
            ..CompletionOptions::default()
        }),
        definition_provider: Some(OneOf::Left(true)),
        references_provider: Some(OneOf::Left(true)),
        rename_provider: Some(OneOf::Left(true)),
        document_formatting_provider: Some(OneOf::Left(true)),
        code_action_provider: Some(CodeActionProviderCapability::Simple(true)),
        ..ServerCapabilities::default()
    }
}

struct Server {
    connection: Connection,
    documents: Documents,
    encoding: Encoding,
}

impl Server {
    fn serve(&mut self) -> Result<(), String> {
        loop {
            let Ok(message) = self.connection.receiver.recv() else { return Ok(()) };
            match message {
                Message::Request(request) => {
                    if self.connection.handle_shutdown(&request).map_err(|error| error.to_string())? {
                        return Ok(());
                    }
                    let response = self.answer(request);
                    self.send(Message::Response(response));
                }
                Message::Notification(notification) => self.notice(notification),
                Message::Response(_) => {}
            }
        }
    }

    /// An editor that is gone needs no answer.
    fn send(&self, message: Message) {
        let _ = self.connection.sender.send(message);
    }

    fn answer(&self, request: Request) -> Response {
        let Request { id, method, params } = request;
        let documents = &self.documents;
        let encoding = self.encoding;
        match method.as_str() {
            HoverRequest::METHOD => reply(id, params, |params| convert::hover(documents, encoding, &params)),
            Completion::METHOD => {
                reply(id, params, |params| convert::completion(documents, encoding, &params))
            }
            GotoDefinition::METHOD => {
                reply(id, params, |params| convert::definition(documents, encoding, &params))
            }
            References::METHOD => {
                reply(id, params, |params| convert::references(documents, encoding, &params))
            }
            Formatting::METHOD => {
                reply(id, params, |params| convert::formatting(documents, encoding, &params))
            }
            CodeActionRequest::METHOD => {
                reply(id, params, |params| convert::code_actions(documents, encoding, &params))
            }
            Rename::METHOD => match serde_json::from_value(params) {
                Ok(params) => match convert::rename(documents, encoding, &params) {
                    Ok(edit) => Response::new_ok(id, edit),
                    Err(message) => Response::new_err(id, ErrorCode::RequestFailed as i32, message),
                },
                Err(error) => Response::new_err(id, ErrorCode::InvalidParams as i32, error.to_string()),
            },
            _ => Response::new_err(id, ErrorCode::MethodNotFound as i32, format!("`{method}` is not known")),
        }
    }

    fn notice(&mut self, notification: Notification) {
        let Notification { method, params } = notification;
        match method.as_str() {
            DidOpenTextDocument::METHOD => {
                if let Ok(params) = from::<lsp_types::DidOpenTextDocumentParams>(params) {
                    self.documents.set(&params.text_document.uri, params.text_document.text);
                }
            }
            DidChangeTextDocument::METHOD => {
                if let Ok(mut params) = from::<lsp_types::DidChangeTextDocumentParams>(params)
                    && let Some(change) = params.content_changes.pop()
                {
                    self.documents.set(&params.text_document.uri, change.text);
                }
            }
            DidCloseTextDocument::METHOD => {
                if let Ok(params) = from::<lsp_types::DidCloseTextDocumentParams>(params) {
                    self.documents.close(&params.text_document.uri);
                }
            }
            _ => return,
        }
        self.publish();
    }

    /// Tells the diagnostics of every file, so that those that are gone disappear.
    fn publish(&self) {
        for params in convert::diagnostics(&self.documents, self.encoding) {
            let notification = Notification::new(PublishDiagnostics::METHOD.to_owned(), params);
            self.send(Message::Notification(notification));
        }
    }
}

fn from<T: serde::de::DeserializeOwned>(params: Value) -> Result<T, serde_json::Error> {
    serde_json::from_value(params)
}

fn reply<P: serde::de::DeserializeOwned, R: serde::Serialize>(
    id: RequestId,
    params: Value,
    answer: impl FnOnce(P) -> R,
) -> Response {
    match serde_json::from_value(params) {
        Ok(params) => Response::new_ok(id, answer(params)),
        Err(error) => Response::new_err(id, ErrorCode::InvalidParams as i32, error.to_string()),
    }
}
