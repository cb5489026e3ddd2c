//! The US sections of GPP: national (7) and the states from California (8) to Minnesota (23).
//!
//! Each section is a version, 2-bit fields in the order of its [`Layout`], and for most an optional sub-section with
//! the Global Privacy Control bit. A field that holds 3, bits beyond the last field or an unknown version make the whole
//! section unreadable. The national layout is told by length, because its version number is not reliable.
//!
//! Cost: one pass over about 30 fields, no allocation. Not here: sections 24 to 27, which use a layout of their own.

use super::bits::Bits;
use super::error::DecodeError;
use super::limits::US_FIELDS_MAX;

use Field::{
    AdditionalDataProcessingConsent as Additional, ProcessingNotice, SaleOptOut, SaleOptOutNotice,
    SharingNotice, SharingOptOut, SharingOptOutNotice, TargetedAdvertisingOptOut as Targeted,
    TargetedAdvertisingOptOutNotice as TargetedNotice,
};

/// A field of a US section. The order is the order on the wire, for every section alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
#[allow(missing_docs, reason = "the names are the specification's")]
pub enum Field {
    ProcessingNotice,
    SharingNotice,
    SaleOptOutNotice,
    SharingOptOutNotice,
    TargetedAdvertisingOptOutNotice,
    SensitiveDataProcessingOptOutNotice,
    SensitiveDataLimitUseNotice,
    SensitiveDataOptOutNotice,
    SaleOptOut,
    SharingOptOut,
    TargetedAdvertisingOptOut,
    SensitiveDataProcessing,
    KnownChildSensitiveDataConsents,
    PersonalDataConsents,
    AdditionalDataProcessingConsent,
    MspaCoveredTransaction,
    MspaOptOutOptionMode,
    MspaServiceProviderMode,
}

impl Field {
    /// Every field, in wire order.
    pub const ALL: [Field; 18] = [
        Field::ProcessingNotice,
        Field::SharingNotice,
        Field::SaleOptOutNotice,
        Field::SharingOptOutNotice,
        Field::TargetedAdvertisingOptOutNotice,
        Field::SensitiveDataProcessingOptOutNotice,
        Field::SensitiveDataLimitUseNotice,
        Field::SensitiveDataOptOutNotice,
        Field::SaleOptOut,
        Field::SharingOptOut,
        Field::TargetedAdvertisingOptOut,
        Field::SensitiveDataProcessing,
        Field::KnownChildSensitiveDataConsents,
        Field::PersonalDataConsents,
        Field::AdditionalDataProcessingConsent,
        Field::MspaCoveredTransaction,
        Field::MspaOptOutOptionMode,
        Field::MspaServiceProviderMode,
    ];

    /// The specification's name.
    pub const fn name(self) -> &'static str {
        match self {
            Field::ProcessingNotice => "ProcessingNotice",
            Field::SharingNotice => "SharingNotice",
            Field::SaleOptOutNotice => "SaleOptOutNotice",
            Field::SharingOptOutNotice => "SharingOptOutNotice",
            Field::TargetedAdvertisingOptOutNotice => "TargetedAdvertisingOptOutNotice",
            Field::SensitiveDataProcessingOptOutNotice => "SensitiveDataProcessingOptOutNotice",
            Field::SensitiveDataLimitUseNotice => "SensitiveDataLimitUseNotice",
            Field::SensitiveDataOptOutNotice => "SensitiveDataOptOutNotice",
            Field::SaleOptOut => "SaleOptOut",
            Field::SharingOptOut => "SharingOptOut",
            Field::TargetedAdvertisingOptOut => "TargetedAdvertisingOptOut",
            Field::SensitiveDataProcessing => "SensitiveDataProcessing",
            Field::KnownChildSensitiveDataConsents => "KnownChildSensitiveDataConsents",
            Field::PersonalDataConsents => "PersonalDataConsents",
            Field::AdditionalDataProcessingConsent => "AdditionalDataProcessingConsent",
            Field::MspaCoveredTransaction => "MspaCoveredTransaction",
            Field::MspaOptOutOptionMode => "MspaOptOutOptionMode",
            Field::MspaServiceProviderMode => "MspaServiceProviderMode",
        }
    }

    /// The notices come first on the wire.
    const fn is_notice(self) -> bool {
        (self as u8) < Field::SaleOptOut as u8
    }
}

/// The shape of one section: which fields it has, in the order of [`Field`], which is the order on the wire.
#[derive(Debug)]
pub struct Layout {
    /// The specification's section name, such as `usca`.
    pub name: &'static str,
    /// Bit `f` for field `f`.
    present: u32,
    /// Values of `SensitiveDataProcessing`.
    sensitive: u8,
    /// Values of `KnownChildSensitiveDataConsents`.
    child: u8,
    /// Position of precise location in `SensitiveDataProcessing`, from one; 0 when the state has none.
    precise_geo: u8,
    has_gpc: bool,
    version_max: u64,
}

impl Layout {
    /// A state's section: sale and targeting with their notices, one first notice, precise location at 8, GPC.
    const fn state(name: &'static str, first_notice: Field, sensitive: u8, child: u8) -> Layout {
        let common =
            COMMON | bit(Field::TargetedAdvertisingOptOutNotice) | bit(Field::TargetedAdvertisingOptOut);
        let present = common | bit(first_notice);
        Layout { name, present, sensitive, child, precise_geo: 8, has_gpc: true, version_max: 1 }
    }

    const fn national(sensitive: u8, child: u8) -> Layout {
        let state = Layout::state("usnat", Field::SharingNotice, sensitive, child)
            .with(Field::SharingOptOutNotice)
            .with(Field::SensitiveDataProcessingOptOutNotice)
            .with(Field::SensitiveDataLimitUseNotice)
            .with(Field::SharingOptOut)
            .with(Field::PersonalDataConsents);
        Layout { version_max: 2, ..state }
    }

    const fn california() -> Layout {
        let fields = COMMON
            | bit(Field::SharingOptOutNotice)
            | bit(Field::SensitiveDataLimitUseNotice)
            | bit(Field::SharingOptOut)
            | bit(Field::PersonalDataConsents);
        Layout { present: fields, precise_geo: 3, ..Layout::state("usca", Field::SaleOptOutNotice, 9, 2) }
    }

    const fn with(self, field: Field) -> Layout {
        Layout { present: self.present | bit(field), ..self }
    }

    const fn with_precise_geo_at(self, precise_geo: u8) -> Layout {
        Layout { precise_geo, ..self }
    }

    const fn without_gpc(self) -> Layout {
        Layout { has_gpc: false, ..self }
    }

    /// How many values a field has in this section.
    const fn count(&self, field: Field) -> usize {
        if self.present & bit(field) == 0 {
            return 0;
        }
        match field {
            Field::SensitiveDataProcessing => self.sensitive as usize,
            Field::KnownChildSensitiveDataConsents => self.child as usize,
            _ => 1,
        }
    }
}

const fn bit(field: Field) -> u32 {
    1 << field as u32
}

/// Fields that every section has.
const COMMON: u32 = bit(Field::SaleOptOutNotice)
    | bit(Field::SaleOptOut)
    | bit(Field::SensitiveDataProcessing)
    | bit(Field::KnownChildSensitiveDataConsents)
    | bit(Field::MspaCoveredTransaction)
    | bit(Field::MspaOptOutOptionMode)
    | bit(Field::MspaServiceProviderMode);

/// Characters of a national core with 12 sensitive fields: 60 bits, padded to 6 or to 8 bits.
const US_NAT_12_CHARS_MAX: usize = 11;
static US_NAT_12: Layout = Layout::national(12, 2);
static US_NAT_16: Layout = Layout::national(16, 3);

/// The state sections 8 to 23, in order.
static STATES: [Layout; 16] = [
    Layout::california(),
    Layout::state("usva", SharingNotice, 8, 1).without_gpc(),
    Layout::state("usco", SharingNotice, 7, 1).with_precise_geo_at(0),
    Layout::state("usut", SharingNotice, 8, 1).with(Field::SensitiveDataProcessingOptOutNotice).without_gpc(),
    Layout::state("usct", SharingNotice, 8, 3),
    Layout::state("usfl", ProcessingNotice, 8, 3).with(Additional).without_gpc(),
    Layout::state("usmt", SharingNotice, 8, 3).with(Additional),
    Layout::state("usor", ProcessingNotice, 11, 3).with(Additional).with_precise_geo_at(11),
    Layout::state("ustx", ProcessingNotice, 8, 1).with(Additional),
    Layout::state("usde", ProcessingNotice, 9, 5).with(Additional),
    Layout::state("usia", ProcessingNotice, 8, 1).with(Field::SensitiveDataOptOutNotice),
    Layout::state("usne", ProcessingNotice, 8, 1).with(Additional),
    Layout::state("usnh", ProcessingNotice, 8, 3).with(Additional),
    Layout::state("usnj", ProcessingNotice, 10, 5).with(Additional),
    Layout::state("ustn", ProcessingNotice, 8, 1).with(Additional),
    Layout::state("usmn", ProcessingNotice, 8, 1).with(Additional),
];
const FIRST_STATE: u8 = 8;

fn layout_of(id: u8, chars: usize) -> Option<&'static Layout> {
    match id {
        7 if chars <= US_NAT_12_CHARS_MAX => Some(&US_NAT_12),
        7 => Some(&US_NAT_16),
        _ => STATES.get(usize::from(id.checked_sub(FIRST_STATE)?)),
    }
}

/// A decoded US section.
#[derive(Debug, Clone, Copy)]
pub struct UsSection {
    /// Its shape.
    pub layout: &'static Layout,
    /// Version of the section.
    pub version: u8,
    /// The Global Privacy Control bit, when the sub-section is there.
    pub gpc: Option<bool>,
    /// Where each field's values start, by field.
    // INVARIANT: at most US_FIELDS_MAX less the field's number of values.
    starts: [u8; Field::ALL.len()],
    // INVARIANT: the layout's fields in order, each 0, 1 or 2.
    values: [u8; US_FIELDS_MAX],
}

impl UsSection {
    /// Decodes the text of section `id`.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] when the section is malformed or not one of 7 to 23; treat the visitor as opted out.
    pub fn decode(id: u8, text: &str) -> Result<UsSection, DecodeError> {
        let mut segments = text.split('.');
        let mut bits = Bits::new(segments.next().unwrap_or(""))?;
        let layout = layout_of(id, bits.chars()).ok_or(DecodeError::UnsupportedSection)?;
        let version = bits.take(6)?;
        if version == 0 || version > layout.version_max {
            return Err(DecodeError::UnsupportedVersion);
        }
        let mut section = UsSection {
            layout,
            version: version as u8,
            gpc: None,
            starts: [0; Field::ALL.len()],
            values: [0; US_FIELDS_MAX],
        };
        section.read_fields(&mut bits)?;
        bits.expect_only_padding()?;
        for segment in segments {
            if section.gpc.is_some() {
                return Err(DecodeError::DuplicateSegment);
            }
            section.gpc = Some(read_gpc(segment, layout)?);
        }
        Ok(section)
    }

    fn read_fields(&mut self, bits: &mut Bits<'_>) -> Result<(), DecodeError> {
        let mut start = 0_usize;
        for field in Field::ALL {
            self.starts[field as usize] = start as u8;
            let end = start + self.layout.count(field);
            for value in &mut self.values[start..end] {
                *value = bits.take(2)? as u8;
                if *value == 3 {
                    return Err(DecodeError::IllegalValue);
                }
            }
            start = end;
        }
        Ok(())
    }

    /// Values of one field: one, several for a list, none when the section does not have it.
    pub fn values(&self, field: Field) -> &[u8] {
        let start = usize::from(self.starts[field as usize]);
        &self.values[start..start + self.layout.count(field)]
    }

    /// The section's fields with their values, in wire order.
    pub fn fields(&self) -> impl Iterator<Item = (Field, &[u8])> {
        Field::ALL
            .into_iter()
            .map(|field| (field, self.values(field)))
            .filter(|(_, values)| !values.is_empty())
    }

    /// Must we treat the visitor as opted out? Anything but a clear, noticed "no" counts as an opt-out.
    pub fn is_opted_out(&self) -> bool {
        let one = |field| self.values(field).first().copied();
        let notice_withheld =
            Field::ALL.into_iter().take_while(|field| field.is_notice()).any(|notice| one(notice) == Some(2));
        let choices = [
            (SaleOptOut, SaleOptOutNotice),
            (SharingOptOut, SharingOptOutNotice),
            (SharingOptOut, SharingNotice),
            (Targeted, TargetedNotice),
        ];
        let opted_out = choices.iter().any(|(choice, notice)| {
            // "Did not opt out" without a notice is a claim nobody could have made.
            one(*choice) == Some(1) || one(*choice) == Some(2) && one(*notice) == Some(0)
        });
        notice_withheld
            || opted_out
            || self.gpc == Some(true)
            || one(Field::MspaServiceProviderMode) == Some(1)
            || one(Field::PersonalDataConsents).is_some_and(|value| value != 0)
            || one(Additional) == Some(1)
            || one(Field::MspaCoveredTransaction) == Some(0)
    }

    /// Does the section say that the visitor is a known minor, whatever was consented for them?
    pub fn is_known_child(&self) -> bool {
        self.values(Field::KnownChildSensitiveDataConsents).iter().any(|value| *value != 0)
    }

    /// What the section says about precise location: 0 nothing, 1 opted out, 2 did not opt out.
    pub fn precise_geo(&self) -> u8 {
        let sensitive = self.values(Field::SensitiveDataProcessing);
        let position = usize::from(self.layout.precise_geo).checked_sub(1);
        position.and_then(|position| sensitive.get(position).copied()).unwrap_or(0)
    }
}

fn read_gpc(segment: &str, layout: &Layout) -> Result<bool, DecodeError> {
    let mut bits = Bits::new(segment)?;
    if !layout.has_gpc || bits.take(2)? != 1 {
        return Err(DecodeError::BadSegment);
    }
    let gpc = bits.flag()?;
    bits.expect_only_padding()?;
    Ok(gpc)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A section of `count` 2-bit fields that all hold `value`, in characters of six bits.
    fn section(count: usize, value: u8) -> String {
        let mut bits: Vec<u8> = vec![0, 0, 0, 0, 0, 1];
        bits.extend((0..count).flat_map(|_| [value >> 1, value & 1]));
        bits.resize(bits.len().next_multiple_of(6), 0);
        let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let chars = bits.chunks(6).map(|six| six.iter().fold(0, |value, bit| value << 1 | usize::from(*bit)));
        chars.map(|value| char::from(alphabet[value])).collect()
    }

    /// Per section: name, values in all, values about sensitive data and about children, additional consent.
    const SHAPES: [(u8, &str, usize, usize, usize, bool); 17] = [
        (7, "usnat", 32, 16, 3, false),
        (8, "usca", 20, 9, 2, false),
        (9, "usva", 17, 8, 1, false),
        (10, "usco", 16, 7, 1, false),
        (11, "usut", 18, 8, 1, false),
        (12, "usct", 19, 8, 3, false),
        (13, "usfl", 20, 8, 3, true),
        (14, "usmt", 20, 8, 3, true),
        (15, "usor", 23, 11, 3, true),
        (16, "ustx", 18, 8, 1, true),
        (17, "usde", 23, 9, 5, true),
        (18, "usia", 18, 8, 1, false),
        (19, "usne", 18, 8, 1, true),
        (20, "usnh", 20, 8, 3, true),
        (21, "usnj", 24, 10, 5, true),
        (22, "ustn", 18, 8, 1, true),
        (23, "usmn", 18, 8, 1, true),
    ];

    #[test]
    fn every_section_has_the_shape_of_its_specification() {
        for (id, name, count, sensitive, child, has_additional) in SHAPES {
            let decoded = UsSection::decode(id, &section(count, 2)).unwrap();
            assert_eq!(decoded.layout.name, name);
            assert_eq!(decoded.fields().map(|(_, values)| values.len()).sum::<usize>(), count, "{name}");
            assert_eq!(decoded.values(Field::SensitiveDataProcessing).len(), sensitive, "{name}");
            assert_eq!(decoded.values(Field::KnownChildSensitiveDataConsents).len(), child, "{name}");
            assert_eq!(!decoded.values(Additional).is_empty(), has_additional, "{name}");
            assert_eq!(decoded.precise_geo(), if name == "usco" { 0 } else { 2 }, "{name}");
        }
    }

    #[test]
    fn malformed_sections_are_unreadable() {
        for (id, name, count, ..) in SHAPES {
            let whole = section(count, 1);
            let short = section(count - 3, 1);
            assert!(UsSection::decode(id, &short).is_err(), "{name} cut short");
            assert_eq!(UsSection::decode(id, &section(count, 3)).unwrap_err(), DecodeError::IllegalValue);
            assert!(UsSection::decode(id, &section(count + 3, 1)).is_err(), "{name} with more fields");
            assert_eq!(UsSection::decode(id, &format!("{whole}.B")).unwrap_err(), DecodeError::BadSegment);
            assert!(UsSection::decode(id, &format!("{whole}.")).is_err());
            assert!(UsSection::decode(id, &format!("{whole}.Q.Q")).is_err());
            let has_gpc = !matches!(name, "usva" | "usut" | "usfl");
            assert_eq!(UsSection::decode(id, &format!("{whole}.Y")).is_ok(), has_gpc, "{name}");
        }
        assert_eq!(UsSection::decode(24, "BVoAAAIA").unwrap_err(), DecodeError::UnsupportedSection);
    }

    #[test]
    fn the_national_layout_is_told_by_length() {
        assert_eq!(
            UsSection::decode(7, &section(27, 0)).unwrap().values(Field::SensitiveDataProcessing).len(),
            12
        );
        assert_eq!(
            UsSection::decode(7, &section(32, 0)).unwrap().values(Field::SensitiveDataProcessing).len(),
            16
        );
    }
}
