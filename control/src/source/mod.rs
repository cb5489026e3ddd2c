//! Bundle source directories: `catalog.toml` and `*.rules` files, and compiling them to a bundle.
//!
//! [`read`] does the I/O, [`compile`] is pure. Compilation reports as many problems as it can find in one run, each with
//! file, line and column; when there is any error there is no bundle.

mod build;
mod problem;
mod schema;
mod value;

use std::path::{Path, PathBuf};

use tessera_wire::bundle::Bundle;

use crate::limits::{SOURCE_FILE_BYTES_MAX, SOURCE_FILES_MAX};

pub use problem::{Problem, render_all};
pub use rulec::SourceFile;

/// Name of the catalog file in a source directory.
pub const CATALOG_FILE: &str = "catalog.toml";

/// The files of a source directory.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// `catalog.toml` first, then the rule files by path.
    pub files: Vec<SourceFile>,
}

/// What compilation yields.
#[derive(Debug)]
pub struct Compiled {
    /// The bundle; generation and time are still 0.
    pub bundle: Bundle,
    /// Things that are probably not meant, but do not stop the bundle.
    pub warnings: Vec<Problem>,
}

/// The directory cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// A file or directory cannot be read.
    #[error("cannot read `{path}`: {cause}", path = path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why not.
        cause: std::io::Error,
    },
    /// There is no catalog.
    #[error("`{path}` has no {CATALOG_FILE}; a bundle source directory needs one", path = path.display())]
    NoCatalog {
        /// The directory.
        path: PathBuf,
    },
    /// A file is too large to be meant.
    #[error("`{path}` is larger than {SOURCE_FILE_BYTES_MAX} bytes", path = path.display())]
    TooLarge {
        /// Which.
        path: PathBuf,
    },
    /// There are too many files.
    #[error("`{path}` holds more than {SOURCE_FILES_MAX} rule files", path = path.display())]
    TooMany {
        /// The directory.
        path: PathBuf,
    },
}

/// Reads a source directory: the catalog, and every `*.rules` file in it and its subdirectories.
///
/// # Errors
/// [`ReadError`] names the file that cannot be read.
pub fn read(directory: &Path) -> Result<Sources, ReadError> {
    let catalog = directory.join(CATALOG_FILE);
    if !catalog.is_file() {
        return Err(ReadError::NoCatalog { path: directory.to_owned() });
    }
    let mut paths = Vec::new();
    collect_rules(directory, &mut paths)?;
    if paths.len() > SOURCE_FILES_MAX {
        return Err(ReadError::TooMany { path: directory.to_owned() });
    }
    paths.sort();
    let mut files = vec![read_file(directory, &catalog)?];
    for path in &paths {
        files.push(read_file(directory, path)?);
    }
    Ok(Sources { files })
}

fn collect_rules(directory: &Path, paths: &mut Vec<PathBuf>) -> Result<(), ReadError> {
    let io = |cause| ReadError::Io { path: directory.to_owned(), cause };
    for entry in std::fs::read_dir(directory).map_err(io)? {
        let entry = entry.map_err(io)?;
        let path = entry.path();
        // A symbolic link is not followed: it could lead in a circle or out of the directory.
        let kind = entry.file_type().map_err(io)?;
        if kind.is_dir() {
            collect_rules(&path, paths)?;
        } else if kind.is_file() && path.extension().is_some_and(|extension| extension == "rules") {
            paths.push(path);
        }
    }
    Ok(())
}

fn read_file(directory: &Path, path: &Path) -> Result<SourceFile, ReadError> {
    let io = |cause| ReadError::Io { path: path.to_owned(), cause };
    if std::fs::metadata(path).map_err(io)?.len() > SOURCE_FILE_BYTES_MAX {
        return Err(ReadError::TooLarge { path: path.to_owned() });
    }
    let text = std::fs::read_to_string(path).map_err(io)?;
    let name = path.strip_prefix(directory).unwrap_or(path).to_string_lossy().replace('\\', "/");
    Ok(SourceFile { path: name, text })
}

/// What a catalog means to rules.
#[derive(Debug, Clone)]
pub struct ForRules {
    /// Names that rules may use.
    pub names: rulec::Names,
    /// Attributes and words that models look at.
    pub extras: Vec<rulec::Extra>,
    /// Segments that models look at.
    pub segments: Vec<String>,
}

/// What the text of a `catalog.toml` means to rules, whatever else is wrong with it.
///
/// # Errors
/// The text is no catalog; says where.
pub fn for_rules(catalog: &str) -> Result<ForRules, String> {
    build::for_rules(catalog)
}

/// Compiles sources to a bundle.
///
/// # Errors
/// Every problem found, errors and warnings, in file order; at least one is an error.
pub fn compile(sources: &Sources) -> Result<Compiled, Vec<Problem>> {
    build::build(sources)
}
