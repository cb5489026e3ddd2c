//! Finding and reading rule files, and the names they may use.

use std::path::{Path, PathBuf};

use super::{Catalog, Host};
use crate::limits::{FILE_BYTES_MAX, FILES_MAX};
use crate::{SourceFile, assumed_names};

/// Every rule file that the paths lead to: files as they are, directories searched for `*.rules`, in order of path.
pub(super) fn read(paths: &[PathBuf]) -> Result<Vec<SourceFile>, String> {
    let mut found = Vec::new();
    for path in paths {
        if path.is_dir() { search(path, &mut found)? } else { found.push(path.clone()) }
    }
    found.sort();
    found.dedup();
    if found.is_empty() {
        let paths: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
        return Err(format!("there are no *.rules files in {}", paths.join(", ")));
    }
    if found.len() > FILES_MAX {
        return Err(format!("{} files are more than the {FILES_MAX} allowed", found.len()));
    }
    found.iter().map(|path| read_file(path)).collect()
}

fn search(directory: &Path, found: &mut Vec<PathBuf>) -> Result<(), String> {
    let failed = |error| format!("cannot read `{}`: {error}", directory.display());
    for entry in std::fs::read_dir(directory).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        // Symbolic links are not followed: they could lead in a circle.
        let kind = entry.file_type().map_err(failed)?;
        let path = entry.path();
        if kind.is_dir() {
            search(&path, found)?;
        } else if kind.is_file() && path.extension().is_some_and(|extension| extension == "rules") {
            found.push(path);
        }
    }
    Ok(())
}

fn read_file(path: &Path) -> Result<SourceFile, String> {
    let text = read_text(path, FILE_BYTES_MAX)?;
    Ok(SourceFile { path: path.display().to_string(), text })
}

/// A file of so many bytes at most.
pub(super) fn read_text(path: &Path, bytes_max: usize) -> Result<String, String> {
    let failed = |error| format!("cannot read `{}`: {error}", path.display());
    let bytes = std::fs::metadata(path).map_err(failed)?.len();
    if bytes > bytes_max as u64 {
        return Err(format!("`{}` has more than the {bytes_max} bytes allowed", path.display()));
    }
    std::fs::read_to_string(path).map_err(failed)
}

/// What the files may use: what is in the catalog, or else what they do use.
pub(super) fn catalog(
    host: Host<'_>,
    catalog: Option<&Path>,
    files: &[SourceFile],
) -> Result<Catalog, String> {
    match (catalog, host.catalog) {
        (None, _) => Ok(Catalog { names: assumed_names(files), ..Catalog::default() }),
        (Some(path), Some(read)) => read(path),
        (Some(_), None) => {
            Err("only `tessera rules` can read a catalog; without one, names are taken for granted"
                .to_owned())
        }
    }
}

/// Writes beside the target and renames, so that nobody ever reads half a file.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("cannot write `{}`: {error}", path.display());
    let name = path.file_name().ok_or_else(|| format!("`{}` is no file", path.display()))?;
    let mut beside = name.to_owned();
    beside.push(format!(".{}.tmp", std::process::id()));
    let temporary = path.with_file_name(beside);
    let written = std::fs::write(&temporary, bytes).and_then(|()| std::fs::rename(&temporary, path));
    written.map_err(|error| {
        // What is left over is of no use to anybody.
        let _ = std::fs::remove_file(&temporary);
        failed(error)
    })
}
