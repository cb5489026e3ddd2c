//! Between the protocol's types and ours: lines and characters on its side, bytes on ours.

use std::collections::HashMap;

use lsp_types::{
    CodeAction, CodeActionKind, CodeActionOrCommand, CodeActionParams, CompletionItem, CompletionItemKind,
    CompletionParams, DiagnosticRelatedInformation, DiagnosticSeverity, DocumentFormattingParams,
    GotoDefinitionParams, GotoDefinitionResponse, Hover, HoverContents, HoverParams, InitializeParams,
    Location, MarkupContent, MarkupKind, NumberOrString, Position, PositionEncodingKind,
    PublishDiagnosticsParams, Range, ReferenceParams, RenameParams, TextDocumentPositionParams, TextEdit,
    Uri, WorkspaceEdit,
};

use super::documents::Documents;
use crate::diagnostic::{Diagnostic, Fix, Place, Severity};
use crate::editor::CompletionKind;
use crate::fmt;

/// How the editor counts characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Utf8,
    Utf16,
}

impl Encoding {
    /// Bytes where the editor can count them, else UTF-16 units, which every editor can.
    pub(super) fn of(params: &InitializeParams) -> Encoding {
        let general = params.capabilities.general.as_ref();
        let offered = general.and_then(|general| general.position_encodings.as_ref());
        let counts_bytes = offered.is_some_and(|list| list.contains(&PositionEncodingKind::UTF8));
        if counts_bytes { Encoding::Utf8 } else { Encoding::Utf16 }
    }

    fn units(self, letter: char) -> usize {
        match self {
            Encoding::Utf8 => letter.len_utf8(),
            Encoding::Utf16 => letter.len_utf16(),
        }
    }

    /// The byte of a position; positions beyond a line or the text are at its end.
    fn byte(self, text: &str, position: Position) -> u32 {
        let line_starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1));
        let Some(start) = line_starts.into_iter().nth(position.line as usize) else {
            return text.len() as u32;
        };
        let mut units = position.character as usize;
        let mut byte = start;
        for letter in text[start..].chars() {
            if letter == '\n' || units < self.units(letter) {
                break;
            }
            units -= self.units(letter);
            byte += letter.len_utf8();
        }
        byte as u32
    }

    fn position(self, text: &str, byte: u32) -> Position {
        let mut byte = (byte as usize).min(text.len());
        while !text.is_char_boundary(byte) {
            byte -= 1;
        }
        let before = &text[..byte];
        let start = before.rfind('\n').map_or(0, |at| at + 1);
        let character: usize = before[start..].chars().map(|letter| self.units(letter)).sum();
        Position { line: before.matches('\n').count() as u32, character: character as u32 }
    }

    fn range(self, documents: &Documents, place: Place) -> Option<Range> {
        let text = &documents.files().get(place.file as usize)?.text;
        Some(Range { start: self.position(text, place.start), end: self.position(text, place.end) })
    }

    fn location(self, documents: &Documents, place: Place) -> Option<Location> {
        Some(Location { uri: documents.uri(place.file)?, range: self.range(documents, place)? })
    }
}

/// File and byte that a request is about.
fn place_of(
    documents: &Documents,
    encoding: Encoding,
    at: &TextDocumentPositionParams,
) -> Option<(u32, u32)> {
    let (file, source) = documents.find(&at.text_document.uri)?;
    Some((file, encoding.byte(&source.text, at.position)))
}

pub(super) fn hover(documents: &Documents, encoding: Encoding, params: &HoverParams) -> Option<Hover> {
    let (file, byte) = place_of(documents, encoding, &params.text_document_position_params)?;
    let (place, value) = documents.workspace().hover(file, byte)?;
    let contents = HoverContents::Markup(MarkupContent { kind: MarkupKind::Markdown, value });
    Some(Hover { contents, range: encoding.range(documents, place) })
}

pub(super) fn completion(
    documents: &Documents,
    encoding: Encoding,
    params: &CompletionParams,
) -> Vec<CompletionItem> {
    let at = place_of(documents, encoding, &params.text_document_position);
    let Some((file, byte)) = at else { return Vec::new() };
    let found = documents.workspace().complete(file, byte).into_iter();
    let item = |one: crate::editor::Completion| CompletionItem {
        label: one.text,
        kind: Some(match one.kind {
            CompletionKind::Keyword => CompletionItemKind::KEYWORD,
            CompletionKind::Attribute => CompletionItemKind::FIELD,
            CompletionKind::Value => CompletionItemKind::ENUM_MEMBER,
            CompletionKind::Segment => CompletionItemKind::REFERENCE,
            CompletionKind::Name => CompletionItemKind::CONSTANT,
        }),
        detail: Some(one.detail).filter(|detail| !detail.is_empty()),
        ..CompletionItem::default()
    };
    found.map(item).collect()
}

pub(super) fn definition(
    documents: &Documents,
    encoding: Encoding,
    params: &GotoDefinitionParams,
) -> Option<GotoDefinitionResponse> {
    let (file, byte) = place_of(documents, encoding, &params.text_document_position_params)?;
    let place = documents.workspace().definition(file, byte)?;
    encoding.location(documents, place).map(GotoDefinitionResponse::Scalar)
}

pub(super) fn references(
    documents: &Documents,
    encoding: Encoding,
    params: &ReferenceParams,
) -> Vec<Location> {
    let at = place_of(documents, encoding, &params.text_document_position);
    let Some((file, byte)) = at else { return Vec::new() };
    let places = documents.workspace().references(file, byte).into_iter();
    let skipped = usize::from(!params.context.include_declaration);
    places.skip(skipped).filter_map(|place| encoding.location(documents, place)).collect()
}

pub(super) fn rename(
    documents: &Documents,
    encoding: Encoding,
    params: &RenameParams,
) -> Result<WorkspaceEdit, String> {
    let at = place_of(documents, encoding, &params.text_document_position);
    let (file, byte) = at.ok_or("the file is not known")?;
    let fixes = documents.workspace().rename(file, byte, &params.new_name);
    Ok(edit_of(documents, encoding, &fixes.map_err(|error| error.to_string())?))
}

#[allow(clippy::mutable_key_type)] // The protocol's own type; its interior mutability is a cache.
fn edit_of(documents: &Documents, encoding: Encoding, fixes: &[Fix]) -> WorkspaceEdit {
    let mut changes: HashMap<Uri, Vec<TextEdit>> = HashMap::new();
    for fix in fixes {
        if let Some(Location { uri, range }) = encoding.location(documents, fix.place) {
            changes.entry(uri).or_default().push(TextEdit { range, new_text: fix.text.clone() });
        }
    }
    WorkspaceEdit { changes: Some(changes), ..WorkspaceEdit::default() }
}

pub(super) fn formatting(
    documents: &Documents,
    encoding: Encoding,
    params: &DocumentFormattingParams,
) -> Option<Vec<TextEdit>> {
    let (file, source) = documents.find(&params.text_document.uri)?;
    let new_text = fmt::format(source).ok()?;
    let place = Place { file, start: 0, end: source.text.len() as u32 };
    Some(vec![TextEdit { range: encoding.range(documents, place)?, new_text }])
}

pub(super) fn code_actions(
    documents: &Documents,
    encoding: Encoding,
    params: &CodeActionParams,
) -> Vec<CodeActionOrCommand> {
    let Some((file, source)) = documents.find(&params.text_document.uri) else { return Vec::new() };
    let start = encoding.byte(&source.text, params.range.start);
    let end = encoding.byte(&source.text, params.range.end);
    let touches = |place: Place| place.file == file && place.start <= end && start <= place.end;
    let diagnostics = documents.workspace().diagnostics();
    let touched = diagnostics.iter().filter(|diagnostic| touches(diagnostic.place()));
    touched
        .flat_map(|diagnostic| diagnostic.fixes.iter().map(move |fix| (diagnostic, fix)))
        .map(|(diagnostic, fix)| {
            CodeActionOrCommand::CodeAction(CodeAction {
                title: format!("write `{}`", fix.text),
                kind: Some(CodeActionKind::QUICKFIX),
                diagnostics: protocol(documents, encoding, diagnostic).map(|one| vec![one]),
                edit: Some(edit_of(documents, encoding, std::slice::from_ref(fix))),
                ..CodeAction::default()
            })
        })
        .collect()
}

/// The diagnostics of every file, empty lists included.
pub(super) fn diagnostics(documents: &Documents, encoding: Encoding) -> Vec<PublishDiagnosticsParams> {
    let all = documents.workspace().diagnostics();
    (0..documents.files().len() as u32)
        .filter_map(|file| {
            let own = all.iter().filter(|diagnostic| diagnostic.file == file);
            let diagnostics = own.filter_map(|one| protocol(documents, encoding, one)).collect();
            Some(PublishDiagnosticsParams { uri: documents.uri(file)?, diagnostics, version: None })
        })
        .collect()
}

fn protocol(
    documents: &Documents,
    encoding: Encoding,
    diagnostic: &Diagnostic,
) -> Option<lsp_types::Diagnostic> {
    let help: String = diagnostic.help.iter().map(|help| format!("\n{help}")).collect();
    let related = diagnostic.secondary.iter().filter_map(|label| {
        let location = encoding.location(documents, label.place)?;
        Some(DiagnosticRelatedInformation { location, message: label.text.clone() })
    });
    Some(lsp_types::Diagnostic {
        range: encoding.range(documents, diagnostic.place())?,
        severity: Some(match diagnostic.severity {
            Severity::Error => DiagnosticSeverity::ERROR,
            Severity::Warning => DiagnosticSeverity::WARNING,
        }),
        code: Some(NumberOrString::String(diagnostic.code.to_string())),
        source: Some("rulec".to_owned()),
        message: format!("{}{help}", diagnostic.message),
        related_information: Some(related.collect()),
        ..lsp_types::Diagnostic::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_and_bytes_agree_in_both_encodings() {
        let text = "aă𝄞b\n\nx";
        for encoding in [Encoding::Utf8, Encoding::Utf16] {
            for byte in (0..=text.len()).filter(|byte| text.is_char_boundary(*byte)) {
                let position = encoding.position(text, byte as u32);
                assert_eq!(encoding.byte(text, position), byte as u32, "{encoding:?}");
            }
        }
        let after_clef = Position { line: 0, character: 4 };
        assert_eq!(Encoding::Utf16.byte(text, after_clef), 7);
        assert_eq!(Encoding::Utf16.byte(text, Position { line: 9, character: 9 }), text.len() as u32);
        assert_eq!(Encoding::Utf16.byte(text, Position { line: 1, character: 5 }), 9);
    }
}
