//! The rule files below the editor's folder, those it has open as it has them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use lsp_types::{InitializeParams, Uri};

use crate::editor::Workspace;
use crate::{Names, SourceFile, assumed_names};

/// Every file that counts.
pub(super) struct Documents {
    /// Texts of open files by address.
    open: BTreeMap<String, String>,
    root: Option<PathBuf>,
    files: Vec<SourceFile>,
    uris: Vec<String>,
    names: Names,
    /// The catalog's names; without them, names are taken for granted.
    catalog: Option<Names>,
    /// Visitors to try segments and rules on.
    sample: Vec<String>,
}

impl Documents {
    pub(super) fn open(params: &InitializeParams, catalog: Option<Names>, sample: Vec<String>) -> Documents {
        let folder = params.workspace_folders.as_ref().and_then(|folders| folders.first());
        #[allow(deprecated)] // Older editors send nothing else.
        let root = folder.map(|folder| &folder.uri).or(params.root_uri.as_ref()).and_then(path_of);
        let mut documents = Documents {
            open: BTreeMap::new(),
            root,
            files: Vec::new(),
            uris: Vec::new(),
            names: Names::default(),
            catalog,
            sample,
        };
        documents.refresh();
        documents
    }

    pub(super) fn set(&mut self, uri: &Uri, text: String) {
        self.open.insert(uri.as_str().to_owned(), text);
        self.refresh();
    }

    pub(super) fn close(&mut self, uri: &Uri) {
        self.open.remove(uri.as_str());
        self.refresh();
    }

    fn refresh(&mut self) {
        let mut texts = self.open.clone();
        if let Some(root) = &self.root {
            // What cannot be read now is not there for the editor either.
            for file in crate::command::sources::read(std::slice::from_ref(root)).unwrap_or_default() {
                texts.entry(uri_of(Path::new(&file.path))).or_insert(file.text);
            }
        }
        self.uris = texts.keys().cloned().collect();
        self.files = texts.into_iter().map(|(path, text)| SourceFile { path, text }).collect();
        self.names = self.catalog.clone().unwrap_or_else(|| assumed_names(&self.files));
    }

    pub(super) fn workspace(&self) -> Workspace<'_> {
        Workspace::new(&self.files, &self.names).with_sample(&self.sample, super::super::now_ms())
    }

    pub(super) fn files(&self) -> &[SourceFile] {
        &self.files
    }

    /// The file with this address, and its text.
    pub(super) fn find(&self, uri: &Uri) -> Option<(u32, &SourceFile)> {
        let index = self.uris.iter().position(|known| known == uri.as_str())?;
        Some((index as u32, self.files.get(index)?))
    }

    pub(super) fn uri(&self, file: u32) -> Option<Uri> {
        self.uris.get(file as usize)?.parse().ok()
    }
}

/// The path of a `file:` address, its percent-encoded bytes decoded.
fn path_of(uri: &Uri) -> Option<PathBuf> {
    let encoded = uri.as_str().strip_prefix("file://")?;
    let mut bytes = Vec::with_capacity(encoded.len());
    let mut rest = encoded.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let code = if *first == b'%' {
            after.get(..2).and_then(|code| std::str::from_utf8(code).ok())
        } else {
            None
        };
        match code.and_then(|code| u8::from_str_radix(code, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8(bytes).ok().map(PathBuf::from)
}

/// The `file:` address of a path, as editors write it.
fn uri_of(path: &Path) -> String {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut uri = "file://".to_owned();
    for byte in path.to_string_lossy().bytes() {
        if byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            uri.push_str(&format!("%{byte:02X}"));
        }
    }
    uri
}
