//! Part files: facts as Parquet that every engine reads.
//!
//! Rows of one decision stand together, in order of the decision's first row: equal ids beside each other cost next to
//! nothing, and times stay nearly in order. Text columns are dictionaries. Names are written out, so that a file explains
//! itself.
//!
//! Guarantees: a file under its final name is whole and on the disk. Freeing a file of subjects copies every other column
//! byte by byte.
//!
//! Not here: which files count ([`super::parts`]).

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;

use ahash::{AHashMap, AHashSet};
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::column::reader::get_typed_column_reader;
use parquet::column::writer::ColumnCloseResult;
use parquet::data_type::{
    BoolType, ByteArray, ByteArrayType, DataType, FixedLenByteArray, FixedLenByteArrayType, FloatType,
    Int32Type, Int64Type,
};
use parquet::errors::ParquetError;
use parquet::file::metadata::RowGroupMetaData;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesPtr};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::{ColumnPath, TypePtr};
use tessera_wire::event::{Mode, Tier};

use crate::fold::{Fact, FactKind, ServedFact};
use crate::names::{NameId, NameList};

/// The columns. Optional ones are null where they do not apply.
const SCHEMA: &str = "message facts {
    required binary kind (utf8);
    required int64 at (timestamp(millis, true));
    required int64 counts_at (timestamp(millis, true));
    optional fixed_len_byte_array(16) decision_id;
    optional int32 ad;
    optional binary campaign (utf8);
    optional binary segment (utf8);
    optional binary template (utf8);
    optional binary combination (utf8);
    optional binary experiment (utf8);
    optional binary variant (utf8);
    optional binary arm (utf8);
    optional binary mode (utf8);
    required boolean is_learnable;
    required boolean is_implied;
    optional int64 generation;
    optional int64 posterior_generation;
    optional binary placement (utf8);
    optional binary flight (utf8);
    optional binary offer (utf8);
    optional binary rule (utf8);
    optional binary locale (utf8);
    optional binary tier (utf8);
    optional float propensity;
    optional int64 cpm_micros;
    optional binary behaviour (utf8);
    optional int64 value_micros;
    optional binary currency (utf8);
    optional int64 subject;
}";

/// The column that erasure rewrites.
const SUBJECT_COLUMN: &str = "subject";
const HOUR_MS: i64 = 3_600_000;
const ZSTD_LEVEL: i32 = 3;

/// A part file could not be written or read; nothing of it counts.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PartError {
    /// The file system refused.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The bytes are not what a part file holds.
    #[error(transparent)]
    Parquet(#[from] ParquetError),
}

/// The texts of the names that facts hold.
#[derive(Debug, Default)]
pub(super) struct Texts {
    texts: AHashMap<NameId, ByteArray>,
    slots: AHashMap<NameId, String>,
}

impl Texts {
    /// Adds a name; assets come with their slot.
    pub(super) fn insert(&mut self, id: NameId, owner: &str, text: &str) {
        self.texts.insert(id, text.as_bytes().to_vec().into());
        if !owner.is_empty() {
            self.slots.insert(id, owner.to_owned());
        }
    }

    fn get(&self, id: NameId) -> ByteArray {
        self.texts.get(&id).cloned().unwrap_or_default()
    }

    /// `slot=asset` for each slot, as readable text.
    fn combination(&self, list: &NameList) -> ByteArray {
        let mut out: Vec<u8> = Vec::new();
        for id in list.ids() {
            if !out.is_empty() {
                out.push(b',');
            }
            out.extend_from_slice(self.slots.get(id).map_or("", String::as_str).as_bytes());
            out.push(b'=');
            out.extend_from_slice(self.texts.get(id).map_or(&[][..], ByteArray::data));
        }
        out.into()
    }
}

/// Writes facts to a file and forces it to the disk; returns its length.
///
/// # Errors
/// [`PartError`]; the file may be there in part.
pub(super) fn write(path: &Path, facts: &[Fact], texts: &Texts) -> Result<u64, PartError> {
    let mut writer = SerializedFileWriter::new(File::create(path)?, schema()?, properties()?)?;
    write_group(writer.next_row_group()?, &by_decision(facts), texts)?;
    finish(writer)
}

fn write_group(
    group: SerializedRowGroupWriter<'_, File>,
    facts: &[&Fact],
    texts: &Texts,
) -> Result<(), ParquetError> {
    let mut columns = Columns { group, facts, levels: Vec::new() };
    columns.identity()?;
    columns.dimensions(texts)?;
    columns.decision(texts)?;
    columns.values(texts)?;
    columns.group.close()?;
    Ok(())
}

fn finish(writer: SerializedFileWriter<File>) -> Result<u64, PartError> {
    let file = writer.into_inner()?;
    file.sync_all()?;
    Ok(file.metadata()?.len())
}

fn schema() -> Result<TypePtr, ParquetError> {
    Ok(Arc::new(parse_message_type(SCHEMA)?))
}

fn properties() -> Result<WriterPropertiesPtr, ParquetError> {
    let path = |name: &str| ColumnPath::from(name);
    let mut builder = WriterProperties::builder()
        .set_created_by("tessera".to_owned())
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(ZSTD_LEVEL)?))
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_offset_index_disabled(true);
    for (name, encoding) in [
        ("at", Encoding::DELTA_BINARY_PACKED),
        ("decision_id", Encoding::DELTA_BYTE_ARRAY),
        ("propensity", Encoding::BYTE_STREAM_SPLIT),
        (SUBJECT_COLUMN, Encoding::PLAIN),
    ] {
        builder = builder
            .set_column_dictionary_enabled(path(name), false)
            .set_column_encoding(path(name), encoding)
            .set_column_statistics_enabled(path(name), EnabledStatistics::None);
    }
    // Old and new values of times serve to skip files.
    builder = builder.set_column_statistics_enabled(path("at"), EnabledStatistics::Chunk);
    Ok(Arc::new(builder.build()))
}

/// The facts, those of one decision together. What has no decision stays where it is.
fn by_decision(facts: &[Fact]) -> Vec<&Fact> {
    let mut first: AHashMap<u128, usize> = AHashMap::with_capacity(facts.len());
    let mut order: Vec<(usize, usize)> = Vec::with_capacity(facts.len());
    for (place, fact) in facts.iter().enumerate() {
        let key = if fact.decision_id == 0 { place } else { *first.entry(fact.decision_id).or_insert(place) };
        order.push((key, place));
    }
    order.sort_unstable();
    order.into_iter().map(|(_, place)| &facts[place]).collect()
}

/// Writes one column after the other.
struct Columns<'g, 'f> {
    group: SerializedRowGroupWriter<'g, File>,
    facts: &'f [&'f Fact],
    levels: Vec<i16>,
}

impl Columns<'_, '_> {
    fn required<T: DataType>(&mut self, value: impl Fn(&Fact) -> T::T) -> Result<(), ParquetError> {
        let values: Vec<T::T> = self.facts.iter().map(|fact| value(fact)).collect();
        self.put::<T>(&values, false)
    }

    fn optional<T: DataType>(&mut self, value: impl Fn(&Fact) -> Option<T::T>) -> Result<(), ParquetError> {
        self.levels.clear();
        let mut values: Vec<T::T> = Vec::new();
        for fact in self.facts {
            let value = value(fact);
            self.levels.push(i16::from(value.is_some()));
            values.extend(value);
        }
        self.put::<T>(&values, true)
    }

    fn put<T: DataType>(&mut self, values: &[T::T], is_optional: bool) -> Result<(), ParquetError> {
        let missing = || ParquetError::General("the schema has fewer columns than facts".to_owned());
        let mut column = self.group.next_column()?.ok_or_else(missing)?;
        column.typed::<T>().write_batch(values, is_optional.then_some(&self.levels[..]), None)?;
        column.close()
    }

    fn name(&mut self, texts: &Texts, value: impl Fn(&Fact) -> Option<NameId>) -> Result<(), ParquetError> {
        self.optional::<ByteArrayType>(|fact| Some(texts.get(value(fact)?)))
    }

    fn identity(&mut self) -> Result<(), ParquetError> {
        let kinds = FactKind::ALL.map(|kind| ByteArray::from(kind.name()));
        self.required::<ByteArrayType>(|fact| kinds[fact.kind as usize].clone())?;
        self.required::<Int64Type>(|fact| fact.at_ms)?;
        self.required::<Int64Type>(|fact| fact.hour.saturating_mul(HOUR_MS))?;
        self.optional::<FixedLenByteArrayType>(|fact| {
            // Big endian, so that the bytes read like the id in answers.
            let bytes = fact.decision_id.to_be_bytes().to_vec();
            (fact.kind != FactKind::Behaviour).then(|| FixedLenByteArray::from(bytes))
        })?;
        self.optional::<Int32Type>(|fact| (fact.kind != FactKind::Behaviour).then(|| i32::from(fact.ad)))
    }

    fn dimensions(&mut self, texts: &Texts) -> Result<(), ParquetError> {
        self.name(texts, |fact| fact.campaign)?;
        self.name(texts, |fact| fact.segment)?;
        self.name(texts, |fact| fact.template)?;
        let mut combinations: AHashMap<NameList, ByteArray> = AHashMap::new();
        for list in self.facts.iter().filter_map(|fact| fact.combination) {
            combinations.entry(list).or_insert_with(|| texts.combination(&list));
        }
        self.optional::<ByteArrayType>(|fact| combinations.get(&fact.combination?).cloned())?;
        self.name(texts, |fact| Some(fact.exposure?.0))?;
        self.name(texts, |fact| Some(fact.exposure?.1))?;
        let arms = ARMS.map(ByteArray::from);
        let modes = MODES.map(|mode| ByteArray::from(mode.name()));
        self.optional::<ByteArrayType>(|fact| of_ad(fact, arms.get(usize::from(fact.arm))))?;
        self.optional::<ByteArrayType>(|fact| of_ad(fact, modes.get(usize::from(fact.mode))))?;
        self.required::<BoolType>(|fact| fact.is_learnable)?;
        self.required::<BoolType>(|fact| fact.is_implied)
    }

    fn decision(&mut self, texts: &Texts) -> Result<(), ParquetError> {
        fn name<'a>(
            of: impl Fn(&ServedFact) -> Option<NameId> + 'a,
        ) -> impl Fn(&Fact) -> Option<NameId> + 'a {
            move |fact| of(fact.served.as_ref()?)
        }
        self.optional::<Int64Type>(|fact| Some(fact.served?.generation as i64))?;
        self.optional::<Int64Type>(|fact| Some(fact.served?.posterior_generation as i64))?;
        self.name(texts, name(|served| Some(served.placement)))?;
        self.name(texts, name(|served| served.flight))?;
        self.name(texts, name(|served| served.offer))?;
        self.name(texts, name(|served| served.rule))?;
        self.name(texts, name(|served| served.locale))?;
        let tiers = Tier::ALL.map(|tier| ByteArray::from(tier.name()));
        self.optional::<ByteArrayType>(|fact| tiers.get(usize::from(fact.served?.tier)).cloned())?;
        self.optional::<FloatType>(|fact| Some(fact.served?.propensity))?;
        self.optional::<Int64Type>(|fact| Some(fact.served?.cpm_micros))
    }

    fn values(&mut self, texts: &Texts) -> Result<(), ParquetError> {
        let has_value = |fact: &Fact| fact.value_micros != 0;
        self.name(texts, |fact| fact.behaviour)?;
        self.optional::<Int64Type>(|fact| has_value(fact).then_some(fact.value_micros))?;
        self.optional::<ByteArrayType>(|fact| {
            let is_known = has_value(fact) && fact.currency.iter().all(u8::is_ascii_alphabetic);
            is_known.then(|| fact.currency.to_vec().into())
        })?;
        self.optional::<Int64Type>(|fact| Some(fact.subject? as i64))
    }
}

/// Words by code of an [`Arm`](tessera_wire::event::Arm).
const ARMS: [&str; 4] = ["personalized", "holdout", "fixed", "house"];
const MODES: [Mode; 4] = [Mode::Full, Mode::Partial, Mode::Contextual, Mode::Child];

fn of_ad(fact: &Fact, text: Option<&ByteArray>) -> Option<ByteArray> {
    text.filter(|_| fact.kind != FactKind::Behaviour).cloned()
}

/// Writes `to`, which is `from` without these subjects, and forces it to the disk. Returns its length, or `None` (and no
/// file) when none of them is there.
///
/// # Errors
/// [`PartError`]; `to` may be there in part.
pub(super) fn write_without(
    from: &Path,
    to: &Path,
    subjects: &AHashSet<u64>,
) -> Result<Option<u64>, PartError> {
    let file = File::open(from)?;
    let reader = SerializedFileReader::new(file.try_clone()?)?;
    let mut groups = Vec::with_capacity(reader.num_row_groups());
    let mut is_affected = false;
    for group in 0..reader.num_row_groups() {
        let mut column = Subjects::read(&reader, group)?;
        is_affected |= column.erase(subjects);
        groups.push(column);
    }
    if !is_affected {
        return Ok(None);
    }
    let mut writer = SerializedFileWriter::new(File::create(to)?, schema()?, properties()?)?;
    for (column, metadata) in groups.iter().zip(reader.metadata().row_groups()) {
        let mut group = writer.next_row_group()?;
        for (place, chunk) in metadata.columns().iter().enumerate() {
            if chunk.column_path().string() == SUBJECT_COLUMN {
                column.write(&mut group)?;
            } else {
                group.append_column(&file, copied(metadata, place))?;
            }
        }
        group.close()?;
    }
    Ok(Some(finish(writer)?))
}

/// What the writer needs to know of a column that is copied as it is.
fn copied(group: &RowGroupMetaData, column: usize) -> ColumnCloseResult {
    let metadata = group.column(column).clone();
    ColumnCloseResult {
        bytes_written: metadata.compressed_size() as u64,
        rows_written: group.num_rows() as u64,
        metadata,
        bloom_filter: None,
        column_index: None,
        offset_index: None,
    }
}

/// The subject column of one row group.
struct Subjects {
    values: Vec<i64>,
    levels: Vec<i16>,
}

impl Subjects {
    fn read(reader: &SerializedFileReader<File>, group: usize) -> Result<Subjects, ParquetError> {
        let group = reader.get_row_group(group)?;
        let columns = group.metadata().columns();
        let missing = || ParquetError::General(format!("there is no column `{SUBJECT_COLUMN}`"));
        let place = columns.iter().position(|chunk| chunk.column_path().string() == SUBJECT_COLUMN);
        let rows = usize::try_from(group.metadata().num_rows()).unwrap_or(0);
        let mut column =
            get_typed_column_reader::<Int64Type>(group.get_column_reader(place.ok_or_else(missing)?)?);
        let mut subjects = Subjects { values: Vec::new(), levels: Vec::new() };
        while subjects.levels.len() < rows {
            let left = rows - subjects.levels.len();
            let (read, _, _) =
                column.read_records(left, Some(&mut subjects.levels), None, &mut subjects.values)?;
            if read == 0 {
                return Err(ParquetError::General("a column ends early".to_owned()));
            }
        }
        Ok(subjects)
    }

    /// Removes these subjects; says whether one was there.
    fn erase(&mut self, subjects: &AHashSet<u64>) -> bool {
        let before = self.values.len();
        let mut values = self.values.iter();
        let mut kept = Vec::with_capacity(before);
        for level in self.levels.iter_mut().filter(|level| **level == 1) {
            match values.next() {
                Some(value) if !subjects.contains(&(*value as u64)) => kept.push(*value),
                _ => *level = 0,
            }
        }
        self.values = kept;
        self.values.len() != before
    }

    fn write(&self, group: &mut SerializedRowGroupWriter<'_, File>) -> Result<(), ParquetError> {
        let missing = || ParquetError::General("the schema has fewer columns than the file".to_owned());
        let mut column = group.next_column()?.ok_or_else(missing)?;
        column.typed::<Int64Type>().write_batch(&self.values, Some(&self.levels), None)?;
        column.close()
    }
}
