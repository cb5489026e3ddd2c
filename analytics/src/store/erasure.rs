//! Erasure by subject: facts stay, the subject key on them goes.
//!
//! What was shown, clicked and paid must stay countable, and without the key nothing of it is about a person any more; so
//! facts are freed of the subject instead of being deleted.
//!
//! Guarantees: a subject that waits to be erased never gets into a new file; old files are looked at one after the other,
//! and each is replaced exactly once, by the protocol of new ones. A crash goes on with the file it was at.
//!
//! Cost: one file per call, of which only the subject column is read where nobody is found.

use ahash::AHashSet;
use rusqlite::{OptionalExtension, TransactionBehavior, params};

use super::part_file;
use super::parts::{Step, file_name, revision};
use super::{Store, StoreError, signed, unsigned};

impl Store {
    /// Subjects that wait to be erased.
    pub fn erasing(&self) -> &AHashSet<u64> {
        &self.erasing
    }

    pub(super) fn read_erasing(&self) -> Result<AHashSet<u64>, StoreError> {
        let mut statement = self.connection.prepare("SELECT subject FROM erasures")?;
        let subjects = statement.query_map([], |row| Ok(unsigned(row.get(0)?)))?;
        Ok(subjects.collect::<Result<_, _>>()?)
    }

    /// Begins a pass over the files, for everyone who was not there when the last one began. Says whether one is under way.
    ///
    /// # Errors
    /// [`StoreError`] when SQLite refuses.
    pub fn begin_erasing(&mut self) -> Result<bool, StoreError> {
        if self.erasing.is_empty() {
            return Ok(false);
        }
        self.connection.execute("UPDATE erasures SET part_done = 0 WHERE part_done = -1", [])?;
        Ok(true)
    }

    /// Frees the next file, or the tail, of the subjects of the pass. Says whether there is more to do.
    ///
    /// # Errors
    /// [`StoreError`]; the store must be opened again, and then goes on where it was.
    pub fn erase_next(&mut self) -> Result<bool, StoreError> {
        let sql = "SELECT id, file FROM parts
                   WHERE id > (SELECT min(part_done) FROM erasures WHERE part_done >= 0) ORDER BY id LIMIT 1";
        let next = self.connection.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
        match next {
            Some((id, file)) => self.erase_in(id, file),
            None => self.end_pass(),
        }
    }

    fn erase_in(&mut self, id: i64, file: String) -> Result<bool, StoreError> {
        let subjects: AHashSet<u64> = {
            let sql = "SELECT subject FROM erasures WHERE part_done >= 0 AND part_done < ?1";
            let mut statement = self.connection.prepare_cached(sql)?;
            let subjects = statement.query_map([id], |row| Ok(unsigned(row.get(0)?)))?;
            subjects.collect::<Result<_, _>>()?
        };
        let from = self.part_path(&file);
        let renewed = file_name(id, revision(&file).wrapping_add(1));
        let bytes = self.put_file(&renewed, |to| part_file::write_without(&from, to, &subjects))?;
        let stopper = self.stopper.clone();
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        if let Some(bytes) = bytes {
            let sql = "UPDATE parts SET file = ?2, bytes = ?3 WHERE id = ?1";
            transaction.execute(sql, params![id, renewed, signed(bytes)])?;
        }
        let sql = "UPDATE erasures SET part_done = ?1 WHERE part_done >= 0 AND part_done < ?1";
        transaction.execute(sql, [id])?;
        if stopper.is_some_and(|stopper| stopper(Step::PartAdded)) {
            return Err(StoreError::Stopped { step: Step::PartAdded });
        }
        transaction.commit()?;
        self.pass(Step::PartCommitted)?;
        if bytes.is_some() {
            self.remove_files(&[file])?;
        }
        Ok(true)
    }

    /// All files have been looked at: what is left is the tail, which is freed by becoming a file.
    fn end_pass(&mut self) -> Result<bool, StoreError> {
        let is_waiting =
            |subject: Option<u64>| subject.is_some_and(|subject| self.erasing.contains(&subject));
        if self.tail().iter().any(|fact| is_waiting(fact.subject)) {
            return self.seal();
        }
        self.connection.execute("DELETE FROM erasures WHERE part_done >= 0", [])?;
        self.erasing = self.read_erasing()?;
        Ok(false)
    }
}
