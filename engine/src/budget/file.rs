//! The books on the disk: a small text file, replaced as a whole.
//!
//! ```text
//! tessera budgets 1
//! "flight/autumn-2026/money"<tab>total<tab>day<tab>today
//! crc32c of all that, eight hex digits
//! ```

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

const TITLE: &str = "tessera budgets 1\n";
const NAME: &str = "budgets.tsv";

/// What has been put aside of one budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Spent {
    /// Since the beginning.
    pub(super) total: i64,
    /// The day that `today` is about, as year, month and day in one number.
    pub(super) day: i32,
    /// On that day.
    pub(super) today: i64,
}

pub(super) type Spending = BTreeMap<String, Spent>;

#[derive(Debug)]
pub(super) struct BudgetFile {
    path: PathBuf,
}

impl BudgetFile {
    /// The file in this directory, which is made.
    pub(super) fn open(directory: &Path) -> io::Result<BudgetFile> {
        std::fs::create_dir_all(directory)?;
        Ok(BudgetFile { path: directory.join(NAME) })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Everything that was written; nothing when there is no file yet.
    ///
    /// # Errors
    /// The file cannot be read or is damaged: nobody knows what was spent.
    pub(super) fn read(&self) -> io::Result<Spending> {
        let text = match std::fs::read_to_string(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Spending::new()),
            Err(error) => return Err(error),
        };
        decode(&text).ok_or_else(|| io::Error::new(ErrorKind::InvalidData, "the file is damaged"))
    }

    /// Replaces the file; afterwards its content survives the machine.
    pub(super) fn write(&self, spending: &Spending) -> io::Result<()> {
        let temporary = self.path.with_extension("new");
        let mut file = File::create(&temporary)?;
        file.write_all(encode(spending).as_bytes())?;
        file.sync_all()?;
        std::fs::rename(temporary, &self.path)
    }
}

fn encode(spending: &Spending) -> String {
    let mut out = TITLE.to_owned();
    for (id, spent) in spending {
        // Quoted, so that an id can hold tabs and line ends. Writing to a String cannot fail.
        let _ = writeln!(
            out,
            "{}\t{}\t{}\t{}",
            serde_json::Value::from(id.as_str()),
            spent.total,
            spent.day,
            spent.today
        );
    }
    let sum = crc32c::crc32c(out.as_bytes());
    let _ = writeln!(out, "{sum:08x}");
    out
}

fn decode(text: &str) -> Option<Spending> {
    let content = text.strip_suffix('\n')?;
    let body = &content[..content.rfind('\n')? + 1];
    if u32::from_str_radix(&content[body.len()..], 16) != Ok(crc32c::crc32c(body.as_bytes())) {
        return None;
    }
    let row = |line: &str| {
        let mut fields = line.split('\t');
        let id: String = serde_json::from_str(fields.next()?).ok()?;
        let spent = Spent {
            total: fields.next()?.parse().ok()?,
            day: fields.next()?.parse().ok()?,
            today: fields.next()?.parse().ok()?,
        };
        Some((id, spent))
    };
    body.strip_prefix(TITLE)?.lines().map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_any_damage_is_noticed() {
        let directory = tempfile::tempdir().unwrap();
        let file = BudgetFile::open(directory.path()).unwrap();
        assert_eq!(file.read().unwrap(), Spending::new());
        let spent = Spent { total: 7, day: 20_261_120, today: 3 };
        let spending = Spending::from([("a\t\"b\n".to_owned(), spent), ("ü".to_owned(), Spent::default())]);
        file.write(&spending).unwrap();
        assert_eq!(file.read().unwrap(), spending);
        let good = std::fs::read(file.path()).unwrap();
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1;
            assert_ne!(
                std::str::from_utf8(&bad).ok().and_then(decode).as_ref(),
                Some(&spending),
                "byte {at}"
            );
            assert!(
                std::str::from_utf8(&good[..at]).map_or(true, |cut| decode(cut).is_none()),
                "cut at {at}"
            );
        }
    }
}
