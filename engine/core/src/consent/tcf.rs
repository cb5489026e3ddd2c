//! IAB TCF v2: decodes a TC string (core, disclosed vendors, publisher TC) without copying it.
//!
//! A [`TcString`] exists only if every segment of the string is well formed: url-safe alphabet, no padding, no empty or
//! repeated segment, ranges ascending and within their list. Publisher restrictions carry no largest id and no encoding
//! flag of their own. Vendor lists stay encoded and are walked on demand.
//!
//! Cost: one pass, at most one step per 17 bits of input however large the ranges are, no allocation.
//! Not here: whether the string may be relied on ([`TcString::usability`] is separate) or what a vendor may do with it
//! ([`super::vendor`]).

use super::bits::Bits;
use super::error::DecodeError;
use super::limits::{CLOCK_SKEW_MS_MAX, CONSENT_STRING_BYTES_MAX};

const VERSION: u64 = 2;
/// Strings with an older policy were made before 30 September 2023.
const POLICY_VERSION_MIN: u8 = 4;
/// 2026-02-28T00:00:00Z: strings made from then on must carry the disclosed vendors.
const DISCLOSED_VENDORS_FROM_MS: i64 = 1_772_236_800_000;
const DAY_MS: i64 = 86_400_000;

const SEGMENT_CORE: u64 = 0;
const SEGMENT_DISCLOSED_VENDORS: u64 = 1;
const SEGMENT_PUBLISHER_TC: u64 = 3;

/// A small set of ids counted from one: purposes, special features, custom purposes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct IdSet {
    // INVARIANT: id 1 is the highest of the low `width` bits, as on the wire.
    bits: u64,
    width: u8,
}

impl IdSet {
    /// Is this id in the set?
    pub const fn contains(self, id: u8) -> bool {
        id >= 1 && id <= self.width && self.bits >> (self.width - id) & 1 == 1
    }

    /// Number of ids that the set could hold.
    pub const fn width(self) -> u8 {
        self.width
    }

    /// The ids, ascending.
    pub fn iter(self) -> impl Iterator<Item = u8> {
        (1..=self.width).filter(move |id| self.contains(*id))
    }

    fn read(bits: &mut Bits<'_>, width: u8) -> Result<IdSet, DecodeError> {
        // Custom purposes can be 63, more than one field; two halves keep the reader simple.
        let low = width.min(32);
        let high = width - low;
        let mut value = 0;
        for part in [high, low] {
            if part > 0 {
                value = value << part | bits.take(u32::from(part))?;
            }
        }
        Ok(IdSet { bits: value, width })
    }
}

/// A decoded TC string. Field names follow the specification.
#[derive(Debug, Clone, Copy)]
pub struct TcString<'a> {
    /// When it was first made, unix milliseconds.
    pub created_ms: i64,
    /// When it was last changed, unix milliseconds.
    pub last_updated_ms: i64,
    /// Consent manager.
    pub cmp_id: u16,
    /// Its version.
    pub cmp_version: u16,
    /// The screen consent was given on.
    pub consent_screen: u8,
    /// Language of the screen, two upper-case letters.
    pub consent_language: [u8; 2],
    /// Vendor list in force.
    pub vendor_list_version: u16,
    /// Policy in force.
    pub tcf_policy_version: u8,
    /// Was consent given to this service only?
    pub is_service_specific: bool,
    /// Did the screen use texts of its own?
    pub use_non_standard_texts: bool,
    /// Special features opted into.
    pub special_feature_optins: IdSet,
    /// Purposes consented to.
    pub purpose_consents: IdSet,
    /// Purposes whose legitimate interest was disclosed and not objected to.
    pub purpose_li_transparency: IdSet,
    /// Was purpose 1 left out of the screen under the publisher's law?
    pub purpose_one_treatment: bool,
    /// The publisher's country, two upper-case letters.
    pub publisher_cc: [u8; 2],
    /// Vendors consented to.
    pub vendor_consents: VendorSet<'a>,
    /// Vendors whose legitimate interest was not objected to.
    pub vendor_li: VendorSet<'a>,
    /// What the publisher forbids or requires of vendors.
    pub publisher_restrictions: Restrictions<'a>,
    /// Vendors that were shown to the visitor, when the segment is there.
    pub disclosed_vendors: Option<VendorSet<'a>>,
    /// The publisher's own purposes, when the segment is there.
    pub publisher_tc: Option<PublisherTc>,
    /// Segment types that were skipped: bit `t` for type `t`.
    pub other_segments: u8,
    /// Range entries and restrictions that decoding walked: the measure of its cost.
    pub entries_walked: u32,
}

/// What the visitor allowed the publisher itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublisherTc {
    /// Purposes consented to.
    pub consents: IdSet,
    /// Purposes whose legitimate interest was not objected to.
    pub li_transparency: IdSet,
    /// Custom purposes consented to.
    pub custom_consents: IdSet,
    /// Custom purposes whose legitimate interest was not objected to.
    pub custom_li_transparency: IdSet,
}

/// Why a readable TC string may not be relied on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unusable {
    /// Made under a policy before version 4.
    PolicyVersion,
    /// Given to a group of services, which is not allowed any more.
    GlobalScope,
    /// Made on or after 28 February 2026 without the disclosed vendors.
    DisclosedVendorsMissing,
    /// Dated more than a day ahead.
    Future,
    /// Older than the policy's limit.
    TooOld,
}

impl<'a> TcString<'a> {
    /// Decodes a string.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] when any part of the string is malformed; nothing of it counts then.
    pub fn decode(text: &'a str) -> Result<TcString<'a>, DecodeError> {
        if text.len() > CONSENT_STRING_BYTES_MAX {
            return Err(DecodeError::TooLong);
        }
        let mut segments = text.split('.');
        let mut string = read_core(Bits::new(segments.next().unwrap_or(""))?)?;
        let mut seen = 0_u8;
        for segment in segments {
            let mut bits = Bits::new(segment)?;
            let kind = bits.take(3)?;
            if kind == SEGMENT_CORE {
                return Err(DecodeError::BadSegment);
            }
            if seen & 1 << kind != 0 {
                return Err(DecodeError::DuplicateSegment);
            }
            seen |= 1 << kind;
            match kind {
                SEGMENT_DISCLOSED_VENDORS => {
                    string.disclosed_vendors = Some(VendorSet::read(&mut bits, &mut string.entries_walked)?);
                }
                SEGMENT_PUBLISHER_TC => string.publisher_tc = Some(read_publisher_tc(bits)?),
                _ => string.other_segments |= 1 << kind,
            }
        }
        Ok(string)
    }

    /// May this string be relied on at `now_ms`?
    ///
    /// # Errors
    ///
    /// [`Unusable`] names the first reason against it.
    pub fn usability(&self, now_ms: i64, max_age_days: u32) -> Result<(), Unusable> {
        let latest_ms = self.created_ms.max(self.last_updated_ms);
        if self.tcf_policy_version < POLICY_VERSION_MIN {
            Err(Unusable::PolicyVersion)
        } else if !self.is_service_specific {
            Err(Unusable::GlobalScope)
        } else if self.disclosed_vendors.is_none() && latest_ms >= DISCLOSED_VENDORS_FROM_MS {
            Err(Unusable::DisclosedVendorsMissing)
        } else if latest_ms > now_ms.saturating_add(CLOCK_SKEW_MS_MAX) {
            Err(Unusable::Future)
        } else if now_ms.saturating_sub(self.last_updated_ms) > i64::from(max_age_days) * DAY_MS {
            Err(Unusable::TooOld)
        } else {
            Ok(())
        }
    }
}

fn read_core(mut bits: Bits<'_>) -> Result<TcString<'_>, DecodeError> {
    let bits = &mut bits;
    if bits.take(6)? != VERSION {
        return Err(DecodeError::UnsupportedVersion);
    }
    let mut walked = 0;
    // Fields in wire order: struct expressions evaluate in the order they are written.
    Ok(TcString {
        created_ms: read_time_ms(bits)?,
        last_updated_ms: read_time_ms(bits)?,
        cmp_id: bits.take(12)? as u16,
        cmp_version: bits.take(12)? as u16,
        consent_screen: bits.take(6)? as u8,
        consent_language: bits.letters()?,
        vendor_list_version: bits.take(12)? as u16,
        tcf_policy_version: bits.take(6)? as u8,
        is_service_specific: bits.flag()?,
        use_non_standard_texts: bits.flag()?,
        special_feature_optins: IdSet::read(bits, 12)?,
        purpose_consents: IdSet::read(bits, 24)?,
        purpose_li_transparency: IdSet::read(bits, 24)?,
        purpose_one_treatment: bits.flag()?,
        publisher_cc: bits.letters()?,
        vendor_consents: VendorSet::read(bits, &mut walked)?,
        vendor_li: VendorSet::read(bits, &mut walked)?,
        publisher_restrictions: Restrictions::read(bits, &mut walked)?,
        disclosed_vendors: None,
        publisher_tc: None,
        other_segments: 0,
        entries_walked: walked,
    })
}

fn read_publisher_tc(mut bits: Bits<'_>) -> Result<PublisherTc, DecodeError> {
    let consents = IdSet::read(&mut bits, 24)?;
    let li_transparency = IdSet::read(&mut bits, 24)?;
    let custom = bits.take(6)? as u8;
    Ok(PublisherTc {
        consents,
        li_transparency,
        custom_consents: IdSet::read(&mut bits, custom)?,
        custom_li_transparency: IdSet::read(&mut bits, custom)?,
    })
}

/// Deciseconds since the epoch, 36 bits.
fn read_time_ms(bits: &mut Bits<'_>) -> Result<i64, DecodeError> {
    Ok(bits.take(36)? as i64 * 100)
}

/// An encoded list of vendors: a bit per vendor, or ranges.
#[derive(Debug, Clone, Copy)]
pub struct VendorSet<'a> {
    /// Largest vendor id of the list, as encoded.
    pub max_id: u16,
    body: VendorBody<'a>,
}

#[derive(Debug, Clone, Copy)]
enum VendorBody<'a> {
    BitField(Bits<'a>),
    Ranges(Ranges<'a>),
}

impl<'a> VendorSet<'a> {
    fn read(bits: &mut Bits<'a>, walked: &mut u32) -> Result<VendorSet<'a>, DecodeError> {
        let max_id = bits.take(16)? as u16;
        let body = if bits.flag()? {
            VendorBody::Ranges(Ranges::read(bits, max_id, walked)?)
        } else {
            let field = *bits;
            bits.skip(usize::from(max_id))?;
            VendorBody::BitField(field)
        };
        Ok(VendorSet { max_id, body })
    }

    /// Is this vendor in the list?
    pub fn contains(&self, vendor_id: u16) -> bool {
        match self.body {
            VendorBody::BitField(field) => {
                (1..=self.max_id).contains(&vendor_id) && field.peek(usize::from(vendor_id) - 1)
            }
            VendorBody::Ranges(ranges) => ranges.contains(vendor_id),
        }
    }

    /// The vendors as inclusive ranges. Ranges that were encoded overlapping or out of order come as encoded.
    pub fn ranges(&self) -> VendorRanges<'a> {
        match self.body {
            VendorBody::BitField(field) => {
                VendorRanges(RangesInner::BitField { field, next: 1, max_id: self.max_id })
            }
            VendorBody::Ranges(ranges) => VendorRanges(RangesInner::Encoded(ranges)),
        }
    }
}

/// Inclusive vendor ranges of a list.
#[derive(Debug, Clone)]
pub struct VendorRanges<'a>(RangesInner<'a>);

#[derive(Debug, Clone)]
enum RangesInner<'a> {
    BitField { field: Bits<'a>, next: u32, max_id: u16 },
    Encoded(Ranges<'a>),
}

impl Iterator for VendorRanges<'_> {
    type Item = (u16, u16);

    fn next(&mut self) -> Option<(u16, u16)> {
        match &mut self.0 {
            RangesInner::Encoded(ranges) => ranges.next(),
            RangesInner::BitField { field, next, max_id } => {
                let max_id = u32::from(*max_id);
                while *next <= max_id && !field.peek(*next as usize - 1) {
                    *next += 1;
                }
                let start = *next;
                while *next <= max_id && field.peek(*next as usize - 1) {
                    *next += 1;
                }
                (start <= max_id).then(|| (start as u16, (*next - 1) as u16))
            }
        }
    }
}

/// Encoded range entries. Checked when read, so walking them again cannot fail.
#[derive(Debug, Clone, Copy)]
struct Ranges<'a> {
    bits: Bits<'a>,
    entries: u16,
}

impl<'a> Ranges<'a> {
    fn read(bits: &mut Bits<'a>, max_id: u16, walked: &mut u32) -> Result<Ranges<'a>, DecodeError> {
        let entries = bits.take(12)? as u16;
        let ranges = Ranges { bits: *bits, entries };
        for _ in 0..entries {
            *walked += 1;
            let (start, end) = read_range(bits)?;
            if start == 0 || start > end {
                return Err(DecodeError::BadRange);
            }
            if end > max_id {
                return Err(DecodeError::RangeExceedsMax);
            }
        }
        Ok(ranges)
    }

    fn contains(mut self, vendor_id: u16) -> bool {
        self.any(|(start, end)| (start..=end).contains(&vendor_id))
    }
}

impl Iterator for Ranges<'_> {
    type Item = (u16, u16);

    fn next(&mut self) -> Option<(u16, u16)> {
        self.entries = self.entries.checked_sub(1)?;
        read_range(&mut self.bits).ok()
    }
}

fn read_range(bits: &mut Bits<'_>) -> Result<(u16, u16), DecodeError> {
    let is_range = bits.flag()?;
    let start = bits.take(16)? as u16;
    let end = if is_range { bits.take(16)? as u16 } else { start };
    Ok((start, end))
}

/// What a publisher asks of vendors for one purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum RestrictionKind {
    /// The purpose is forbidden.
    NotAllowed,
    /// Only on consent.
    RequireConsent,
    /// Only on legitimate interest.
    RequireLegitimateInterest,
    /// Not defined; closed like a prohibition.
    Undefined,
}

/// One publisher restriction.
#[derive(Debug, Clone)]
pub struct Restriction<'a> {
    /// The purpose.
    pub purpose: u8,
    /// What is asked.
    pub kind: RestrictionKind,
    ranges: Ranges<'a>,
}

impl<'a> Restriction<'a> {
    /// Does it bind this vendor?
    pub fn binds(&self, vendor_id: u16) -> bool {
        self.ranges.contains(vendor_id)
    }

    /// The vendors it binds, as inclusive ranges.
    pub fn vendors(&self) -> VendorRanges<'a> {
        VendorRanges(RangesInner::Encoded(self.ranges))
    }
}

/// The publisher restrictions of a string.
#[derive(Debug, Clone, Copy)]
pub struct Restrictions<'a> {
    bits: Bits<'a>,
    count: u16,
}

impl<'a> Restrictions<'a> {
    fn read(bits: &mut Bits<'a>, walked: &mut u32) -> Result<Restrictions<'a>, DecodeError> {
        let count = bits.take(12)? as u16;
        let restrictions = Restrictions { bits: *bits, count };
        for _ in 0..count {
            *walked += 1;
            read_restriction(bits, walked)?;
        }
        Ok(restrictions)
    }

    /// The restrictions in the order of the string.
    pub fn iter(self) -> impl Iterator<Item = Restriction<'a>> {
        let mut bits = self.bits;
        // Checked when read, so no entry can fail now.
        (0..self.count).map_while(move |_| read_restriction(&mut bits, &mut 0).ok())
    }
}

fn read_restriction<'a>(bits: &mut Bits<'a>, walked: &mut u32) -> Result<Restriction<'a>, DecodeError> {
    let purpose = bits.take(6)? as u8;
    let kind = match bits.take(2)? {
        0 => RestrictionKind::NotAllowed,
        1 => RestrictionKind::RequireConsent,
        2 => RestrictionKind::RequireLegitimateInterest,
        _ => RestrictionKind::Undefined,
    };
    Ok(Restriction { purpose, kind, ranges: Ranges::read(bits, u16::MAX, walked)? })
}
