//! Bundle source directories: `catalog.toml`, `*.rules` files and what lies in `templates`, and compiling them to a bundle.
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
/// Name of the folder with template sources in a source directory.
pub const TEMPLATES_FOLDER: &str = "templates";

/// The files of a source directory.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// `catalog.toml` first, then the rule files by path, then the template files by path.
    pub files: Vec<SourceFile>,
}

impl Sources {
    /// The rule files.
    pub fn rules(&self) -> &[SourceFile] {
        let others = self.files.get(1..).unwrap_or(&[]);
        let end = others.iter().position(|file| !file.path.ends_with(".rules"));
        &others[..end.unwrap_or(others.len())]
    }
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
    #[error("`{path}` holds more than {SOURCE_FILES_MAX} rule or template files", path = path.display())]
    TooMany {
        /// The directory.
        path: PathBuf,
    },
}

/// Reads a source directory: the catalog, every `*.rules` file in it and its subdirectories, and whatever else is in its
/// folder `templates`.
///
/// # Errors
/// [`ReadError`] names the file that cannot be read.
pub fn read(directory: &Path) -> Result<Sources, ReadError> {
    let catalog = directory.join(CATALOG_FILE);
    if !catalog.is_file() {
        return Err(ReadError::NoCatalog { path: directory.to_owned() });
    }
    let mut paths = Vec::new();
    let is_rules = |path: &Path| path.extension().is_some_and(|extension| extension == "rules");
    collect(directory, &is_rules, &mut paths)?;
    let mut templates = Vec::new();
    let folder = directory.join(TEMPLATES_FOLDER);
    if folder.is_dir() {
        collect(&folder, &|path| !is_rules(path), &mut templates)?;
    }
    if paths.len() + templates.len() > SOURCE_FILES_MAX {
        return Err(ReadError::TooMany { path: directory.to_owned() });
    }
    paths.sort();
    templates.sort();
    let mut files = vec![read_file(directory, &catalog)?];
    for path in paths.iter().chain(&templates) {
        files.push(read_file(directory, path)?);
    }
    Ok(Sources { files })
}

fn collect(
    directory: &Path,
    is_wanted: &dyn Fn(&Path) -> bool,
    paths: &mut Vec<PathBuf>,
) -> Result<(), ReadError> {
    let io = |cause| ReadError::Io { path: directory.to_owned(), cause };
    for entry in std::fs::read_dir(directory).map_err(io)? {
        let entry = entry.map_err(io)?;
        let path = entry.path();
        // A symbolic link is not followed: it could lead in a circle or out of the directory.
        let kind = entry.file_type().map_err(io)?;
        if kind.is_dir() {
            collect(&path, is_wanted, paths)?;
        } else if kind.is_file() && is_wanted(&path) {
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
