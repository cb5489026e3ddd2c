//! The posterior table: what the learner believes, as the engine needs it to choose.
//!
//! Each template's model is a Bayesian logistic regression over the features of (context, combination): an intercept, one
//! weight per slot asset, one per pair of assets of two slots, one per context value, one per (context value, asset).
//! The table carries a pool of draws from the posterior over those weights; picking one draw and taking the best
//! combination under it is Thompson sampling, and the share of draws that agree is the exact propensity.
//!
//! Models are keyed by the template's text id and carry the text ids of their assets and context values, so a table can
//! never be applied to a template that has changed shape since: it is then ignored until the learner has caught up.

use serde::{Deserialize, Serialize};

use crate::codec;
use crate::limits;

/// What the learner publishes.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct PosteriorTable {
    /// Counts up with every publication of one store.
    pub generation: u64,
    /// When it was made, unix milliseconds.
    pub made_at_ms: i64,
    /// One model per template that has been learned about.
    pub models: Vec<TemplateModel>,
}

/// Draws from one template's posterior.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct TemplateModel {
    /// Text id of the template.
    pub template: String,
    /// Text ids of the assets, slot by slot.
    pub slots: Vec<Vec<String>>,
    /// Context fields: name and value labels; label 0 is the unknown level.
    pub fields: Vec<(String, Vec<String>)>,
    /// Impressions the model has seen.
    pub impressions: u64,
    /// Clicks the model has seen.
    pub clicks: u64,
    /// Posterior mode, `Layout::len` weights.
    pub mean: Vec<f32>,
    /// Draws, one after the other, `Layout::len` weights each; at most [`limits::POSTERIOR_DRAWS_MAX`].
    pub draws: Vec<f32>,
}

/// Where each weight of a model stands. Derived from the sizes of slots and fields alone.
///
/// Order: intercept; assets slot by slot; pairs (0,1), (0,2), .., (1,2), .., each row-major; context values field by
/// field; for each context value (field-major) one weight per asset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// Number of assets of each slot.
    pub slots: Vec<usize>,
    /// Number of values of each context field, unknown included.
    pub fields: Vec<usize>,
    /// First asset of each slot in the global asset numbering, and the total at the end.
    pub slot_start: Vec<usize>,
    /// First value of each field in the global context numbering, and the total at the end.
    pub field_start: Vec<usize>,
    /// Start of each slot pair's weights, in pair order.
    pub pair_start: Vec<usize>,
    /// Start of the context weights.
    pub context_start: usize,
    /// Start of the (context value, asset) weights.
    pub cross_start: usize,
    /// Number of weights.
    pub len: usize,
}

impl Layout {
    /// The layout for slots of these sizes and fields of these sizes.
    pub fn new(slots: &[usize], fields: &[usize]) -> Layout {
        let slot_start = prefix_sums(slots);
        let field_start = prefix_sums(fields);
        let assets = slot_start.last().copied().unwrap_or(0);
        let values = field_start.last().copied().unwrap_or(0);
        let mut next = 1 + assets;
        let mut pair_start = Vec::new();
        for (left, left_size) in slots.iter().enumerate() {
            for right_size in &slots[left + 1..] {
                pair_start.push(next);
                next += left_size * right_size;
            }
        }
        let context_start = next;
        let cross_start = context_start + values;
        let len = cross_start + values * assets;
        Layout {
            slots: slots.to_vec(),
            fields: fields.to_vec(),
            slot_start,
            field_start,
            pair_start,
            context_start,
            cross_start,
            len,
        }
    }

    /// Total number of assets.
    #[inline]
    pub fn assets(&self) -> usize {
        self.slot_start.last().copied().unwrap_or(0)
    }

    /// Total number of context values.
    #[inline]
    pub fn values(&self) -> usize {
        self.field_start.last().copied().unwrap_or(0)
    }

    /// Number of combinations.
    #[inline]
    pub fn combinations(&self) -> usize {
        self.slots.iter().product()
    }

    /// Weight index of an asset, by its global number.
    #[inline]
    pub fn asset(&self, asset: usize) -> usize {
        1 + asset
    }

    /// Weight index of asset `i` of slot `left` together with asset `j` of slot `right`, where `left < right`.
    #[inline]
    pub fn pair(&self, left: usize, right: usize, i: usize, j: usize) -> usize {
        self.pair_start[self.pair_number(left, right)] + i * self.slots[right] + j
    }

    /// Position of the slot pair in pair order.
    #[inline]
    pub fn pair_number(&self, left: usize, right: usize) -> usize {
        let n = self.slots.len();
        left * n - left * (left + 1) / 2 + (right - left - 1)
    }

    /// Weight index of a context value, by its global number.
    #[inline]
    pub fn context(&self, value: usize) -> usize {
        self.context_start + value
    }

    /// Weight index of the first asset's interaction with a context value (global number).
    #[inline]
    pub fn cross(&self, value: usize) -> usize {
        self.cross_start + value * self.assets()
    }

    /// Writes the slot choices of a combination number: mixed radix, last slot fastest.
    #[inline]
    pub fn unpack(&self, combination: usize, choice: &mut [usize]) {
        let mut rest = combination;
        for (slot, size) in self.slots.iter().enumerate().rev() {
            choice[slot] = rest % size;
            rest /= size;
        }
    }
}

fn prefix_sums(sizes: &[usize]) -> Vec<usize> {
    let mut sums = Vec::with_capacity(sizes.len() + 1);
    let mut total = 0;
    sums.push(0);
    for size in sizes {
        total += size;
        sums.push(total);
    }
    sums
}

const MAGIC: [u8; 4] = *b"TSPT";
const FORMAT: u16 = 1;

/// The bytes are not a posterior table; the engine keeps the one it has.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PosteriorError {
    /// Not our magic number.
    #[error("not a posterior table")]
    NotATable,
    /// Written by a newer learner.
    #[error("posterior format {found} is newer than this engine understands (max {supported})")]
    FormatTooNew {
        /// Format in the file.
        found: u16,
        /// Newest format understood.
        supported: u16,
    },
    /// The payload does not match its checksum.
    #[error("posterior table is corrupt: checksum {found:#010x}, expected {expected:#010x}")]
    Checksum {
        /// Checksum of the payload.
        found: u32,
        /// Checksum in the header.
        expected: u32,
    },
    /// The payload does not decode.
    #[error("posterior table does not decode: {0}")]
    Decode(#[from] codec::DecodeError),
    /// A model's numbers contradict one another.
    #[error("model of template `{template}` is inconsistent: {what}")]
    Inconsistent {
        /// Text id of the template.
        template: String,
        /// Which rule is broken.
        what: &'static str,
    },
}

/// Frames a table: magic, format, checksum, payload.
pub fn encode(table: &PosteriorTable) -> Vec<u8> {
    let payload = codec::encode(table);
    let mut out = Vec::with_capacity(payload.len() + 10);
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&FORMAT.to_le_bytes());
    out.extend_from_slice(&crc32c::crc32c(&payload).to_le_bytes());
    out.extend_from_slice(&payload);
    out
}

/// Reads a table and checks it against itself, so that whoever uses it can index without looking.
///
/// # Errors
/// [`PosteriorError`] when the bytes are foreign, corrupt, too new or inconsistent.
pub fn decode(bytes: &[u8]) -> Result<PosteriorTable, PosteriorError> {
    let Some((header, payload)) = bytes.split_at_checked(10) else { return Err(PosteriorError::NotATable) };
    if header[..4] != MAGIC {
        return Err(PosteriorError::NotATable);
    }
    let format = u16::from_le_bytes([header[4], header[5]]);
    if format > FORMAT {
        return Err(PosteriorError::FormatTooNew { found: format, supported: FORMAT });
    }
    let expected = u32::from_le_bytes([header[6], header[7], header[8], header[9]]);
    let found = crc32c::crc32c(payload);
    if found != expected {
        return Err(PosteriorError::Checksum { found, expected });
    }
    let table: PosteriorTable = codec::decode::<_, { limits::POSTERIOR_BYTES_MAX }>(payload)?;
    for model in &table.models {
        check(model)
            .map_err(|what| PosteriorError::Inconsistent { template: model.template.clone(), what })?;
    }
    Ok(table)
}

fn check(model: &TemplateModel) -> Result<(), &'static str> {
    let slots: Vec<usize> = model.slots.iter().map(Vec::len).collect();
    let fields: Vec<usize> = model.fields.iter().map(|(_, labels)| labels.len()).collect();
    if slots.is_empty() || slots.len() > limits::SLOTS_PER_TEMPLATE_MAX || slots.contains(&0) {
        return Err("a model needs one to eight slots, none empty");
    }
    if fields.len() > limits::CONTEXT_FIELDS_MAX
        || fields.iter().any(|size| *size == 0 || *size > limits::CONTEXT_FIELD_VALUES_MAX)
    {
        return Err("a model has at most eight context fields of 1 to 256 values");
    }
    let combinations = slots.iter().try_fold(1usize, |product, size| product.checked_mul(*size));
    if combinations.is_none_or(|count| count > limits::COMBINATIONS_PER_TEMPLATE_MAX) {
        return Err("more combinations than a template may have");
    }
    let layout = Layout::new(&slots, &fields);
    if model.mean.len() != layout.len {
        return Err("the mean has the wrong number of weights");
    }
    if model.draws.is_empty()
        || !model.draws.len().is_multiple_of(layout.len)
        || model.draws.len() / layout.len > limits::POSTERIOR_DRAWS_MAX
    {
        return Err("the draws have the wrong number of weights");
    }
    if model.mean.iter().chain(&model.draws).any(|weight| !weight.is_finite()) {
        return Err("a weight is not a finite number");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn small() -> PosteriorTable {
        let layout = Layout::new(&[2, 3], &[2]);
        PosteriorTable {
            generation: 3,
            made_at_ms: 5,
            models: vec![TemplateModel {
                template: "hero".into(),
                slots: vec![vec!["a".into(), "b".into()], vec!["x".into(), "y".into(), "z".into()]],
                fields: vec![("device".into(), vec![String::new(), "mobile".into()])],
                impressions: 10,
                clicks: 1,
                mean: vec![0.0; layout.len],
                draws: vec![0.5; layout.len * 4],
            }],
        }
    }

    #[test]
    fn the_layout_of_the_reference_model_has_its_published_size() {
        // learning notes: 5x10x5 with 21 context values has d = 587.
        assert_eq!(Layout::new(&[5, 10, 5], &[8, 3, 4, 6]).len, 587);
        assert_eq!(Layout::new(&[5, 10, 5, 5], &[8, 3, 4, 6]).len, 797);
    }

    #[test]
    fn weights_never_overlap() {
        let layout = Layout::new(&[2, 3, 4], &[2, 3]);
        let mut seen = vec![0u8; layout.len];
        seen[0] += 1;
        (0..layout.assets()).for_each(|asset| seen[layout.asset(asset)] += 1);
        for (left, right) in [(0, 1), (0, 2), (1, 2)] {
            for i in 0..layout.slots[left] {
                for j in 0..layout.slots[right] {
                    seen[layout.pair(left, right, i, j)] += 1;
                }
            }
        }
        (0..layout.values()).for_each(|value| seen[layout.context(value)] += 1);
        for value in 0..layout.values() {
            (0..layout.assets()).for_each(|asset| seen[layout.cross(value) + asset] += 1);
        }
        assert!(seen.iter().all(|count| *count == 1));
    }

    #[test]
    fn a_table_survives_the_round_trip() {
        assert_eq!(decode(&encode(&small())).unwrap(), small());
    }

    #[test]
    fn any_flipped_byte_is_refused() {
        let bytes = encode(&small());
        for index in 0..bytes.len() {
            let mut bad = bytes.clone();
            bad[index] ^= 0x40;
            // A format number below ours is readable by design; everything else must fail.
            if let Ok(table) = decode(&bad) {
                assert!(index == 4 || index == 5, "byte {index} flipped unnoticed");
                assert_eq!(table, small());
            }
        }
    }

    #[test]
    fn nan_and_wrong_lengths_are_refused() {
        let mut table = small();
        table.models[0].draws[3] = f32::NAN;
        assert!(matches!(decode(&encode(&table)), Err(PosteriorError::Inconsistent { .. })));
        let mut table = small();
        table.models[0].mean.pop();
        assert!(matches!(decode(&encode(&table)), Err(PosteriorError::Inconsistent { .. })));
    }
}
