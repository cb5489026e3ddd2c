//! Finding and reading rule files, and the names they may use.

use std::path::{Path, PathBuf};

use super::Host;
use crate::limits::{FILE_BYTES_MAX, FILES_MAX};
use crate::{Names, SourceFile, assumed_names};

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
    let failed = |error| format!("cannot read `{}`: {error}", path.display());
    // One byte more than allowed is enough for the compiler to say that it is too much.
    let bytes = std::fs::metadata(path).map_err(failed)?.len();
    if bytes > FILE_BYTES_MAX as u64 {
        return Err(format!("`{}` has more than the {FILE_BYTES_MAX} bytes allowed", path.display()));
    }
    let text = std::fs::read_to_string(path).map_err(failed)?;
    Ok(SourceFile { path: path.display().to_string(), text })
}

/// The names that the files may use: the catalog's, or else those they do use.
pub(super) fn names(host: Host<'_>, catalog: Option<&Path>, files: &[SourceFile]) -> Result<Names, String> {
    match (catalog, host.catalog) {
        (None, _) => Ok(assumed_names(files)),
        (Some(path), Some(read)) => read(path),
        (Some(_), None) => {
            Err("only `tessera rules` can read a catalog; without one, names are taken for granted"
                .to_owned())
        }
    }
}
