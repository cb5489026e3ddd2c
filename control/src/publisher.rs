//! Publishing: from a compiled bundle to the file that engines take over.
//!
//! ```text
//! bundles/00000000000000000007.tsb   every published generation, immutable
//! bundles/active.tsb                 a copy of the one that is live
//! ```
//! Guarantees: a bundle is loaded and verified as an engine would before it is written; `active.tsb` is replaced by
//! renaming, so that a crash at any point leaves the old or the new one, never a mix; generations only ever count up, a
//! rollback is the old content under a new generation.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tessera_engine_core::bundle::{LoadError, LoadedBundle};
use tessera_wire::bundle::{Bundle, BundleError, BundleHash, decode, encode, hash};
use tessera_wire::signature::{self, BundleSigner, BundleVerifier};

use crate::limits::BUNDLES_KEPT;

/// File name of the live bundle.
pub const ACTIVE_FILE: &str = "active.tsb";

/// Publishes into one directory. One publisher per directory.
#[derive(Debug, Clone)]
pub struct Publisher {
    directory: PathBuf,
    signer: Option<BundleSigner>,
}

/// A generation that has been published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// Its number.
    pub generation: u64,
    /// Hash of its content.
    pub hash: BundleHash,
    /// When it was made, unix milliseconds.
    pub made_at_ms: u64,
    /// Bytes of its file.
    pub bytes: u64,
}

/// What publishing did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// A new generation is live.
    Activated(Published),
    /// The live bundle already has this content.
    Unchanged(Published),
}

/// Nothing was published; what was live still is.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// The disk refused.
    #[error("cannot write `{path}`: {cause}", path = path.display())]
    Io {
        /// Which file or directory.
        path: PathBuf,
        /// Why not.
        cause: io::Error,
    },
    /// An engine would refuse this bundle.
    #[error("engines would refuse this bundle: {0}")]
    Refused(#[from] LoadError),
    /// The generation asked for is not kept.
    #[error("generation {generation} is not among the published bundles")]
    Unknown {
        /// Its number.
        generation: u64,
    },
    /// The stored bundle is damaged.
    #[error("generation {generation} is damaged: {cause}")]
    Damaged {
        /// Its number.
        generation: u64,
        /// Why it does not decode.
        cause: BundleError,
    },
}

impl Publisher {
    /// A publisher for this directory, made if it does not exist.
    ///
    /// # Errors
    /// The directory cannot be made.
    pub fn open(directory: &Path) -> Result<Publisher, PublishError> {
        std::fs::create_dir_all(directory)
            .map_err(|cause| PublishError::Io { path: directory.to_owned(), cause })?;
        Ok(Publisher { directory: directory.to_owned(), signer: None })
    }

    /// Signs everything that it publishes from now on.
    #[must_use]
    pub fn signing(self, signer: Option<BundleSigner>) -> Publisher {
        Publisher { signer, ..self }
    }

    /// The file that engines watch.
    pub fn active_path(&self) -> PathBuf {
        self.directory.join(ACTIVE_FILE)
    }

    /// Makes a bundle live unless the live one has the same content.
    ///
    /// # Errors
    /// [`PublishError`]; what was live still is.
    pub fn publish(&self, bundle: Bundle, now_ms: u64) -> Result<Outcome, PublishError> {
        let bytes = encode(&bundle);
        let content = hash(&bytes).map_err(LoadError::from)?;
        // The same content is published again when the live one lacks our signature.
        let is_signed = self.is_active_signed()?;
        if let Some(active) = self.active()?.filter(|active| active.hash == content && is_signed) {
            return Ok(Outcome::Unchanged(active));
        }
        self.activate(bundle, now_ms).map(Outcome::Activated)
    }

    /// Makes the content of an earlier generation live again, under a new generation.
    ///
    /// # Errors
    /// [`PublishError`]; what was live still is.
    pub fn rollback(&self, generation: u64, now_ms: u64) -> Result<Published, PublishError> {
        let path = self.path_of(generation);
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(PublishError::Unknown { generation });
            }
            Err(cause) => return Err(PublishError::Io { path, cause }),
        };
        let bundle = decode(&bytes).map_err(|cause| PublishError::Damaged { generation, cause })?;
        self.activate(bundle, now_ms)
    }

    /// The live generation, if there is one that can be read.
    ///
    /// # Errors
    /// The file exists but cannot be read.
    pub fn active(&self) -> Result<Option<Published>, PublishError> {
        describe(&self.active_path())
    }

    /// Is the live bundle signed with our key, if we have one?
    fn is_active_signed(&self) -> Result<bool, PublishError> {
        let Some(signer) = &self.signer else { return Ok(true) };
        let Ok(verifier) = BundleVerifier::new(signer.public_key()) else { return Ok(false) };
        let path = self.active_path();
        match std::fs::read(&path) {
            Ok(bytes) => Ok(signature::verify(&bytes, &[verifier]).is_ok()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(cause) => Err(PublishError::Io { path, cause }),
        }
    }

    /// Every published generation that is kept, newest first.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub fn published(&self) -> Result<Vec<Published>, PublishError> {
        let mut found = Vec::new();
        for generation in self.generations()? {
            found.extend(describe(&self.path_of(generation))?);
        }
        found.reverse();
        Ok(found)
    }

    fn activate(&self, mut bundle: Bundle, now_ms: u64) -> Result<Published, PublishError> {
        let generations = self.generations()?;
        bundle.generation = generations.last().map_or(1, |last| last + 1);
        bundle.made_at_ms = now_ms;
        let mut bytes = encode(&bundle);
        if let Some(signer) = &self.signer {
            signer.sign(&mut bytes).map_err(LoadError::from)?;
        }
        LoadedBundle::from_bytes(&bytes)?;
        self.replace(&self.path_of(bundle.generation), &bytes)?;
        self.replace(&self.active_path(), &bytes)?;
        self.prune(&generations);
        let hash = hash(&bytes).map_err(LoadError::from)?;
        Ok(Published { generation: bundle.generation, hash, made_at_ms: now_ms, bytes: bytes.len() as u64 })
    }

    /// Writes a file beside its target and renames it over it.
    fn replace(&self, path: &Path, bytes: &[u8]) -> Result<(), PublishError> {
        let temporary = path.with_extension("tmp");
        let io = |cause| PublishError::Io { path: path.to_owned(), cause };
        let mut file = File::create(&temporary).map_err(io)?;
        file.write_all(bytes).and_then(|()| file.sync_all()).map_err(io)?;
        std::fs::rename(&temporary, path).map_err(io)?;
        // The rename itself lasts only once the directory is on the disk.
        File::open(&self.directory).and_then(|directory| directory.sync_all()).map_err(io)
    }

    /// Numbers of all kept generations, oldest first.
    fn generations(&self) -> Result<Vec<u64>, PublishError> {
        let io = |cause| PublishError::Io { path: self.directory.clone(), cause };
        let mut generations = Vec::new();
        for entry in std::fs::read_dir(&self.directory).map_err(io)? {
            let name = entry.map_err(io)?.file_name();
            generations.extend(name.to_str().and_then(generation_of));
        }
        generations.sort_unstable();
        Ok(generations)
    }

    /// Old generations are a convenience: failing to delete one is not an error.
    fn prune(&self, earlier: &[u64]) {
        for generation in earlier.iter().rev().skip(BUNDLES_KEPT - 1) {
            if let Err(error) = std::fs::remove_file(self.path_of(*generation)) {
                tracing::warn!(generation, %error, "an old bundle cannot be deleted");
            }
        }
    }

    fn path_of(&self, generation: u64) -> PathBuf {
        self.directory.join(format!("{generation:020}.tsb"))
    }
}

fn generation_of(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".tsb")?;
    (digits.len() == 20).then(|| digits.parse().ok())?
}

/// What a bundle file says about itself; `None` when there is none or it is damaged.
fn describe(path: &Path) -> Result<Option<Published>, PublishError> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(cause) => return Err(PublishError::Io { path: path.to_owned(), cause }),
    };
    let Ok(bundle) = decode(&bytes) else { return Ok(None) };
    let Ok(hash) = hash(&bytes) else { return Ok(None) };
    let Bundle { generation, made_at_ms, .. } = bundle;
    Ok(Some(Published { generation, hash, made_at_ms, bytes: bytes.len() as u64 }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bundle(text: &str) -> Bundle {
        let mut bundle = Bundle::default();
        bundle.catalog.text = text.into();
        bundle
    }

    fn generation(outcome: Outcome) -> u64 {
        match outcome {
            Outcome::Activated(published) | Outcome::Unchanged(published) => published.generation,
        }
    }

    #[test]
    fn generations_count_up_and_equal_content_is_not_published_twice() {
        let directory = tempfile::tempdir().unwrap();
        let publisher = Publisher::open(directory.path()).unwrap();
        assert_eq!(generation(publisher.publish(bundle("a"), 1).unwrap()), 1);
        assert!(matches!(publisher.publish(bundle("a"), 2).unwrap(), Outcome::Unchanged(_)));
        assert_eq!(generation(publisher.publish(bundle("b"), 3).unwrap()), 2);
        let back = publisher.rollback(1, 4).unwrap();
        assert_eq!(back.generation, 3);
        assert_eq!(publisher.active().unwrap().unwrap(), back);
        assert_eq!(back.hash, publisher.published().unwrap()[2].hash);
        assert!(matches!(publisher.rollback(9, 5), Err(PublishError::Unknown { generation: 9 })));
    }

    #[test]
    fn what_is_published_is_signed_and_what_was_not_is_published_again() {
        let directory = tempfile::tempdir().unwrap();
        let publisher = Publisher::open(directory.path()).unwrap();
        publisher.publish(bundle("a"), 1).unwrap();
        let signer = BundleSigner::new([3; 32]);
        let keys = [BundleVerifier::new(signer.public_key()).unwrap()];
        let publisher = publisher.signing(Some(signer));
        assert_eq!(generation(publisher.publish(bundle("a"), 2).unwrap()), 2, "the same content, now signed");
        assert!(matches!(publisher.publish(bundle("a"), 3).unwrap(), Outcome::Unchanged(_)));
        publisher.rollback(1, 4).unwrap();
        let live = std::fs::read(publisher.active_path()).unwrap();
        assert!(signature::verify(&live, &keys).is_ok(), "going back is publishing, too");
    }

    #[test]
    fn a_bundle_that_engines_would_refuse_is_not_published() {
        let directory = tempfile::tempdir().unwrap();
        let publisher = Publisher::open(directory.path()).unwrap();
        publisher.publish(bundle("a"), 1).unwrap();
        let mut bad = bundle("b");
        bad.catalog.flights.push(tessera_wire::catalog::Flight {
            id: tessera_wire::catalog::Text { start: 0, len: 99 },
            start_ms: 0,
            end_ms: 1,
            caps: Default::default(),
            budgets: Default::default(),
            cpm_micros: 0,
            dayparts: Default::default(),
            clock: tessera_wire::program::SignalId(0),
            class: Default::default(),
            priority: 0,
            weight: 0,
        });
        assert!(matches!(publisher.publish(bad, 2), Err(PublishError::Refused(_))));
        assert_eq!(publisher.active().unwrap().unwrap().generation, 1);
    }

    #[test]
    fn what_a_crash_leaves_behind_does_not_matter() {
        let directory = tempfile::tempdir().unwrap();
        let publisher = Publisher::open(directory.path()).unwrap();
        publisher.publish(bundle("a"), 1).unwrap();
        std::fs::write(directory.path().join("active.tmp"), b"half").unwrap();
        std::fs::write(directory.path().join("00000000000000000002.tsb"), b"half").unwrap();
        assert_eq!(publisher.active().unwrap().unwrap().generation, 1);
        assert_eq!(generation(publisher.publish(bundle("b"), 2).unwrap()), 3);
    }

    #[test]
    fn only_the_last_generations_are_kept() {
        let directory = tempfile::tempdir().unwrap();
        let publisher = Publisher::open(directory.path()).unwrap();
        for number in 0..BUNDLES_KEPT + 5 {
            publisher.publish(bundle(&"x".repeat(number + 1)), 1).unwrap();
        }
        assert_eq!(publisher.published().unwrap().len(), BUNDLES_KEPT);
    }
}
