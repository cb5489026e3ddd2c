//! The files that rules are about: sources, manifests, documents, the lock file.
//!
//! Guarantees: paths are relative to the root with `/` between parts, and sorted. Build output and hidden folders are
//! left out.

use std::path::Path;

use anyhow::Context as _;

/// One file of the repository.
#[derive(Debug, Clone)]
pub struct RepoFile {
    /// Its path, relative to the root, with `/` between parts.
    pub path: String,
    /// What it holds.
    pub text: String,
}

/// Folders that are not ours to check.
const SKIPPED_FOLDERS: [&str; 3] = ["target", "tessera-data", "node_modules"];

/// Reads every source, manifest, document and the lock file under `root`.
///
/// # Errors
/// When a folder or file cannot be read.
pub fn read(root: &Path) -> anyhow::Result<Vec<RepoFile>> {
    let mut files = Vec::new();
    read_folder(root, "", &mut files)?;
    files.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(files)
}

fn read_folder(root: &Path, folder: &str, files: &mut Vec<RepoFile>) -> anyhow::Result<()> {
    let directory = root.join(folder);
    let entries =
        std::fs::read_dir(&directory).with_context(|| format!("cannot list {}", directory.display()))?;
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with('.') {
            continue;
        }
        let path = if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") };
        let kind = entry.file_type()?;
        if kind.is_dir() && !SKIPPED_FOLDERS.contains(&name.as_str()) {
            read_folder(root, &path, files)?;
        } else if kind.is_file() && is_checked(&name) {
            let text =
                std::fs::read_to_string(entry.path()).with_context(|| format!("cannot read {path}"))?;
            files.push(RepoFile { path, text });
        }
    }
    Ok(())
}

fn is_checked(name: &str) -> bool {
    name.ends_with(".rs") || name.ends_with(".md") || name == "Cargo.toml" || name == "Cargo.lock"
}
