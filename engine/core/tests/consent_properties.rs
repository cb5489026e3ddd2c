//! What must hold of the consent gate for every input, not only for the vectors: it never panics, never grants on a
//! malformed string, never grants more for less consent, and its work is bounded by the length of its input.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use proptest::prelude::*;
use tessera_engine_core::consent::country::{CountrySet, is_known};
use tessera_engine_core::consent::gpp::GppString;
use tessera_engine_core::consent::limits::CONSENT_STRING_BYTES_MAX;
use tessera_engine_core::consent::tcf::TcString;
use tessera_engine_core::consent::us::UsSection;
use tessera_engine_core::consent::vendor::PurposeMask;
use tessera_engine_core::consent::{
    ConsentInputs, DecodeError, GoogleConsentMode, OwnConsent, Policy, Reason, Role, VendorProfile, evaluate,
};
use tessera_wire::event::Mode;
use tessera_wire::signal::Gates;

/// 2026-11-20T00:00:00Z.
const NOW_MS: i64 = 1_795_132_800_000;
/// 2026-02-28T00:00:00Z.
const DISCLOSED_FROM_MS: i64 = 1_772_236_800_000;
const DAY_MS: i64 = 86_400_000;
const VENDOR: u16 = 755;

/// Writes bit fields as url-safe base64: the inverse of the decoder, for building strings.
#[derive(Default)]
struct BitWriter(Vec<bool>);

impl BitWriter {
    fn put(&mut self, value: u64, width: u32) -> &mut Self {
        self.0.extend((0..width).rev().map(|bit| value >> bit & 1 == 1));
        self
    }

    fn text(&self) -> String {
        let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let value =
            |bits: &[bool]| (0..6).fold(0, |value, at| value << 1 | usize::from(bits.get(at) == Some(&true)));
        self.0.chunks(6).map(|bits| char::from(alphabet[value(bits)])).collect()
    }
}

#[derive(Debug, Clone)]
struct Restriction {
    purpose: u64,
    kind: u64,
    vendors: Vec<(u16, u16)>,
}

/// What a TC string shall say.
#[derive(Debug, Clone)]
struct Spec {
    at_ms: i64,
    policy_version: u64,
    is_service_specific: bool,
    special_features: u64,
    consents: u64,
    li: u64,
    p1_treatment: bool,
    vendor_consents: Vec<u16>,
    vendor_li: Vec<u16>,
    as_ranges: bool,
    restrictions: Vec<Restriction>,
    disclosed: Option<Vec<u16>>,
    publisher: Option<(u64, u64)>,
}

/// Purpose `p` of `width` as the bit the wire uses.
fn id_bit(id: u8, width: u8) -> u64 {
    1 << (width - id)
}

impl Spec {
    fn accept_all() -> Spec {
        Spec {
            at_ms: NOW_MS - DAY_MS,
            policy_version: 5,
            is_service_specific: true,
            special_features: id_bit(1, 12),
            consents: (1 << 24) - 1,
            li: (1 << 24) - 1,
            p1_treatment: false,
            vendor_consents: vec![VENDOR],
            vendor_li: vec![VENDOR],
            as_ranges: true,
            restrictions: Vec::new(),
            disclosed: Some(vec![VENDOR]),
            publisher: None,
        }
    }

    fn put_vendors(&self, bits: &mut BitWriter, vendors: &[u16]) {
        let max_id = vendors.iter().copied().max().unwrap_or(0);
        bits.put(max_id.into(), 16).put(self.as_ranges.into(), 1);
        if self.as_ranges {
            bits.put(vendors.len() as u64, 12);
            for vendor in vendors {
                bits.put(0, 1).put((*vendor).into(), 16);
            }
        } else {
            for id in 1..=max_id {
                bits.put(vendors.contains(&id).into(), 1);
            }
        }
    }

    fn text(&self) -> String {
        let mut core = BitWriter::default();
        let at_ds = (self.at_ms / 100) as u64;
        core.put(2, 6).put(at_ds, 36).put(at_ds, 36).put(880, 12).put(3, 12).put(1, 6);
        core.put(4, 6).put(13, 6).put(141, 12).put(self.policy_version, 6);
        core.put(self.is_service_specific.into(), 1).put(0, 1).put(self.special_features, 12);
        core.put(self.consents, 24).put(self.li, 24).put(self.p1_treatment.into(), 1).put(3, 6).put(4, 6);
        self.put_vendors(&mut core, &self.vendor_consents);
        self.put_vendors(&mut core, &self.vendor_li);
        core.put(self.restrictions.len() as u64, 12);
        for restriction in &self.restrictions {
            core.put(restriction.purpose, 6).put(restriction.kind, 2);
            core.put(restriction.vendors.len() as u64, 12);
            for (start, end) in &restriction.vendors {
                core.put(1, 1).put((*start).into(), 16).put((*end).into(), 16);
            }
        }
        let mut text = core.text();
        if let Some(disclosed) = &self.disclosed {
            let mut bits = BitWriter::default();
            self.put_vendors(bits.put(1, 3), disclosed);
            text = format!("{text}.{}", bits.text());
        }
        if let Some((consents, li)) = self.publisher {
            let mut bits = BitWriter::default();
            bits.put(3, 3).put(consents, 24).put(li, 24).put(0, 6);
            text = format!("{text}.{}", bits.text());
        }
        text
    }
}

fn vendor_policy() -> Policy {
    Policy {
        role: Role::Vendor(VendorProfile {
            gvl_id: VENDOR,
            consent_purposes: PurposeMask::of(&[1, 3, 4, 5, 6]),
            li_purposes: PurposeMask::of(&[2, 7, 8, 9, 10, 11]),
            flexible_purposes: PurposeMask::of(&[2, 3, 7]),
            declares_precise_geo: true,
        }),
        ..Policy::default()
    }
}

fn german<'a>(text: &'a str) -> ConsentInputs<'a> {
    ConsentInputs { tcf: Some(text), country: Some("DE"), ..ConsentInputs::default() }
}

fn gates(spec: &Spec, policy: &Policy) -> Gates {
    evaluate(&german(&spec.text()), policy, NOW_MS).gates
}

fn reason(spec: &Spec) -> Reason {
    evaluate(&german(&spec.text()), &Policy::default(), NOW_MS).reason
}

fn restricted(purpose: u64, kind: u64) -> Gates {
    let restrictions = vec![Restriction { purpose, kind, vendors: vec![(700, 800)] }];
    gates(&Spec { restrictions, ..Spec::accept_all() }, &vendor_policy())
}

#[test]
fn disclosed_vendors_are_demanded_from_the_deadline_on() {
    let before = Spec { at_ms: DISCLOSED_FROM_MS - 100, disclosed: None, ..Spec::accept_all() };
    assert_eq!(reason(&before), Reason::Granted);
    let after = Spec { at_ms: DISCLOSED_FROM_MS, ..before };
    assert_eq!(reason(&after), Reason::TcfDisclosedVendorsMissing);
    assert_eq!(gates(&after, &Policy::default()), Gates::NONE);
}

#[test]
fn strings_from_the_future_and_from_long_ago_count_for_nothing() {
    let at = |at_ms| reason(&Spec { at_ms, ..Spec::accept_all() });
    assert_eq!(at(NOW_MS + DAY_MS), Reason::Granted, "a day of clock skew is allowed");
    assert_eq!(at(NOW_MS + DAY_MS + 100), Reason::TcfFuture);
    let old = |days: i64, over_ms: i64| {
        let spec = Spec { at_ms: DISCLOSED_FROM_MS - 100, disclosed: None, ..Spec::accept_all() };
        let now_ms = spec.at_ms + days * DAY_MS + over_ms;
        evaluate(&german(&spec.text()), &Policy::default(), now_ms).reason
    };
    assert_eq!(old(396, 0), Reason::Granted);
    assert_eq!(old(396, 1), Reason::TcfTooOld);
    assert_eq!(reason(&Spec { policy_version: 3, ..Spec::accept_all() }), Reason::TcfPolicyVersion);
    assert_eq!(reason(&Spec { is_service_specific: false, ..Spec::accept_all() }), Reason::TcfGlobalScope);
}

#[test]
fn restrictions_bind_a_vendor_as_the_specification_says() {
    let all = gates(&Spec::accept_all(), &vendor_policy());
    assert_eq!(all, Gates::ALL);
    for kind in [0, 3] {
        let prohibited = restricted(4, kind);
        assert!(!prohibited.covers(Gates::ADS_PERSONALIZE), "kind {kind}");
        assert!(!prohibited.covers(Gates::SHARE_THIRD_PARTY), "kind {kind}");
    }
    // Registered on consent and not flexible: a demand for legitimate interest leaves no basis.
    assert!(!restricted(4, 2).covers(Gates::ADS_PERSONALIZE));
    // Flexible, but legitimate interest is never a basis for purpose 3.
    assert!(!restricted(3, 2).covers(Gates::ADS_PROFILE_WRITE));
    // Flexible: consent instead of legitimate interest is fine as long as there is consent.
    assert!(restricted(7, 1).covers(Gates::MEASURE_ADS));
    // Not flexible: purpose 8 was registered on legitimate interest only.
    assert!(!restricted(8, 1).covers(Gates::MEASURE_CONTENT));
    // Demands that exclude each other leave no basis.
    let vendors = vec![(VENDOR, VENDOR)];
    let both = [1, 2].map(|kind| Restriction { purpose: 7, kind, vendors: vendors.clone() });
    let spec = Spec { restrictions: both.to_vec(), ..Spec::accept_all() };
    assert!(!gates(&spec, &vendor_policy()).covers(Gates::MEASURE_ADS));
    // A restriction of another vendor binds nobody else.
    let other = vec![Restriction { purpose: 4, kind: 0, vendors: vec![(1, VENDOR - 1)] }];
    assert_eq!(gates(&Spec { restrictions: other, ..Spec::accept_all() }, &vendor_policy()), Gates::ALL);
}

#[test]
fn purpose_one_treatment_counts_only_where_the_tenant_says_so() {
    let spec = Spec { consents: ((1 << 24) - 1) & !id_bit(1, 24), p1_treatment: true, ..Spec::accept_all() };
    assert_eq!(gates(&spec, &Policy::default()), Gates::NONE);
    let german_publisher =
        Policy { p1_treatment_countries: CountrySet::from_codes(["DE"]).unwrap(), ..Policy::default() };
    assert_eq!(gates(&spec, &german_publisher), Gates::ALL);
}

#[test]
fn the_sites_own_dialog_speaks_for_the_site_only() {
    let own = OwnConsent { storage: true, ads_personalization: true, ..OwnConsent::default() };
    let inputs = ConsentInputs { country: Some("DE"), own: Some(own), ..ConsentInputs::default() };
    let of = |policy: &Policy| {
        let outcome = evaluate(&inputs, policy, NOW_MS);
        (outcome.gates.covers(Gates::ADS_PERSONALIZE), outcome.reason)
    };
    assert_eq!(of(&Policy::default()), (true, Reason::OwnRefused), "content was refused");
    assert_eq!(of(&vendor_policy()), (false, Reason::NoSignal));
    let tcf_only = Policy { gdpr_accept_generic_consent: false, ..Policy::default() };
    assert_eq!(of(&tcf_only), (false, Reason::NoSignal));
}

#[test]
fn google_consent_mode_keeps_each_storage_to_its_own_use() {
    let analytics = GoogleConsentMode {
        analytics_storage: true,
        ad_personalization: true,
        ad_user_data: true,
        ..GoogleConsentMode::default()
    };
    let inputs = ConsentInputs {
        country: Some("DE"),
        own: Some(OwnConsent::from(analytics)),
        ..ConsentInputs::default()
    };
    let found = evaluate(&inputs, &Policy::default(), NOW_MS).gates;
    let names: Vec<_> = found.names().collect();
    assert_eq!(names, ["store_access", "measure_ads", "measure_content", "learn_user_level"]);
}

#[test]
fn a_signalled_law_replaces_the_default_of_an_unknown_visitor() {
    let unknown = ConsentInputs::default();
    let of = |inputs: &ConsentInputs<'_>| {
        let outcome = evaluate(inputs, &Policy::default(), NOW_MS);
        (outcome.regimes.names().collect::<Vec<_>>(), outcome.reason)
    };
    assert_eq!(of(&unknown), (vec!["gdpr"], Reason::UnknownCountry));
    assert_eq!(of(&ConsentInputs { us_privacy: Some("1YYN"), ..unknown }), (vec!["us"], Reason::UsOptOut));
    assert_eq!(of(&ConsentInputs { gpp: Some("DBABM"), ..unknown }), (vec!["gdpr"], Reason::GppInvalid));
    let denied = ConsentInputs { gdpr: Some(0), is_caller_trusted: true, ..unknown };
    assert_eq!(of(&denied), (vec![], Reason::Granted));
    assert_eq!(
        of(&ConsentInputs { is_caller_trusted: false, ..denied }),
        (vec!["gdpr"], Reason::UnknownCountry)
    );
    assert_eq!(of(&ConsentInputs { gdpr: Some(7), gpp_sid: &[0, -1], ..unknown }).0, ["gdpr"]);
}

#[test]
fn withdrawal_takes_effect_at_the_next_request() {
    let policy = Policy::default();
    assert_eq!(gates(&Spec::accept_all(), &policy), Gates::ALL);
    let withdrawn = Spec { consents: 0, li: 0, special_features: 0, ..Spec::accept_all() };
    assert_eq!(gates(&withdrawn, &policy), Gates::NONE);
}

#[test]
fn us_privacy_without_a_clear_no_is_an_opt_out() {
    let mode = |text| {
        let inputs =
            ConsentInputs { us_privacy: Some(text), country: Some("US"), ..ConsentInputs::default() };
        evaluate(&inputs, &Policy::default(), NOW_MS).mode
    };
    assert_eq!(mode("1---"), Mode::Full, "the law does not apply");
    assert_eq!(mode("1Y-N"), Mode::Contextual, "applies, and no choice is recorded");
    assert_eq!(mode("1NNN"), Mode::Contextual, "no notice was given");
    assert_eq!(mode("1-N-"), Mode::Full);
    assert_eq!(mode(""), Mode::Full, "an empty parameter says nothing");
}

#[test]
fn a_minor_of_16_or_17_is_a_child() {
    let mut section = BitWriter::default();
    section.put(2, 6);
    for value in [1, 1, 1, 1, 1, 1, 2, 2, 2] {
        section.put(value, 2);
    }
    section.put(0, 32).put(0, 2).put(0, 2).put(2, 2).put(0, 2).put(2, 2).put(0, 4);
    let section = section.text();
    assert!(UsSection::decode(7, &section).unwrap().is_known_child());
    let gpp = format!("DBABL~{section}");
    for country in ["US", "DE", "JP"] {
        let inputs = ConsentInputs { gpp: Some(&gpp), country: Some(country), ..ConsentInputs::default() };
        let outcome = evaluate(&inputs, &Policy::default(), NOW_MS);
        assert_eq!(
            (outcome.mode, outcome.gates, outcome.reason),
            (Mode::Child, Gates::NONE, Reason::KnownChild)
        );
    }
}

#[test]
fn sections_without_an_official_reader_are_opt_outs() {
    // 24 = 3 + 21, 27 = 1 + 5 + 21: the codes of Maryland and Rhode Island.
    for (id, code) in [(24, "00100011"), (27, "10010011")] {
        let mut header = BitWriter::default();
        header.put(3, 6).put(1, 6).put(1, 12).put(0, 1);
        header.0.extend(code.bytes().map(|bit| bit == b'1'));
        let text = format!("{}~BVoAAAIA", header.text());
        assert_eq!(GppString::decode(&text).unwrap().section_ids(), [id]);
        let inputs = ConsentInputs { gpp: Some(&text), country: Some("US"), ..ConsentInputs::default() };
        let outcome = evaluate(&inputs, &Policy::default(), NOW_MS);
        assert_eq!((outcome.mode, outcome.reason), (Mode::Contextual, Reason::UsInvalid), "section {id}");
    }
}

#[test]
fn a_bomb_of_ranges_costs_one_step_per_entry() {
    let wide = vec![(1, u16::MAX); 60];
    let restrictions: Vec<Restriction> =
        (0..5).map(|_| Restriction { purpose: 4, kind: 0, vendors: wide.clone() }).collect();
    let bomb = Spec {
        vendor_consents: vec![VENDOR; 100],
        vendor_li: vec![u16::MAX; 100],
        disclosed: Some(vec![u16::MAX; 10]),
        restrictions,
        ..Spec::accept_all()
    };
    let text = bomb.text();
    assert!((2_000..CONSENT_STRING_BYTES_MAX).contains(&text.len()), "{} bytes", text.len());
    let string = TcString::decode(&text).unwrap();
    assert_eq!(string.entries_walked, 100 + 100 + 10 + 5 + 5 * 60);
    // A restriction without vendors is 20 bits, an entry at least 17: no input can make more work than this.
    assert!(string.entries_walked as usize * 17 <= text.len() * 6);
    assert_eq!(gates(&bomb, &vendor_policy()), Gates::NONE, "vendor 755 is not disclosed");
}

#[test]
fn oversized_input_is_refused_before_it_is_decoded() {
    let long = "C".repeat(CONSENT_STRING_BYTES_MAX + 1);
    assert_eq!(TcString::decode(&long).unwrap_err(), DecodeError::TooLong);
    assert_eq!(GppString::decode(&long).unwrap_err(), DecodeError::TooLong);
    let mut padded = Spec::accept_all().text().split('.').next().unwrap().to_owned();
    padded.push_str(&"A".repeat(CONSENT_STRING_BYTES_MAX));
    assert_eq!(evaluate(&german(&padded), &Policy::default(), NOW_MS).reason, Reason::TcfInvalid);
}

fn sets(width: u8) -> impl Strategy<Value = u64> {
    0..(1_u64 << width)
}

fn vendors() -> impl Strategy<Value = Vec<u16>> {
    prop::collection::vec(prop_oneof![Just(VENDOR), 1_u16..1_500], 0..6)
}

prop_compose! {
    fn specs()(
        special_features in sets(12),
        consents in prop_oneof![sets(24), Just((1 << 24) - 1)],
        li in prop_oneof![sets(24), Just((1 << 24) - 1)],
        vendor_consents in vendors(),
        vendor_li in vendors(),
        as_ranges in any::<bool>(),
        disclosed in vendors(),
        publisher in prop::option::of((sets(24), sets(24))),
        restrictions in prop::collection::vec((1_u64..12, 0_u64..4, 1_u16..1_000, 0_u16..500), 0..4),
    ) -> Spec {
        let restrictions = restrictions
            .into_iter()
            .map(|(purpose, kind, start, len)| Restriction { purpose, kind, vendors: vec![(start, start + len)] })
            .collect();
        Spec {
            special_features, consents, li, vendor_consents, vendor_li, as_ranges, publisher, restrictions,
            disclosed: Some(disclosed),
            ..Spec::accept_all()
        }
    }
}

/// Every spec that grants one thing less than `spec`.
fn with_one_consent_less(spec: &Spec) -> Vec<Spec> {
    let mut less = Vec::new();
    for bit in 0..24 {
        let without = |set: u64| set & !(1 << bit);
        less.push(Spec { consents: without(spec.consents), ..spec.clone() });
        less.push(Spec { li: without(spec.li), ..spec.clone() });
        less.push(Spec { special_features: without(spec.special_features), ..spec.clone() });
        if let Some((consents, li)) = spec.publisher {
            less.push(Spec { publisher: Some((without(consents), li)), ..spec.clone() });
            less.push(Spec { publisher: Some((consents, without(li))), ..spec.clone() });
        }
    }
    let without = |vendors: &[u16], at: usize| -> Vec<u16> {
        vendors.iter().copied().filter(|vendor| *vendor != vendors[at]).collect()
    };
    for at in 0..spec.vendor_consents.len() {
        less.push(Spec { vendor_consents: without(&spec.vendor_consents, at), ..spec.clone() });
    }
    for at in 0..spec.vendor_li.len() {
        less.push(Spec { vendor_li: without(&spec.vendor_li, at), ..spec.clone() });
    }
    if let Some(disclosed) = &spec.disclosed {
        for at in 0..disclosed.len() {
            less.push(Spec { disclosed: Some(without(disclosed, at)), ..spec.clone() });
        }
    }
    less
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn decoding_gives_back_what_was_encoded(spec in specs()) {
        let text = spec.text();
        let string = TcString::decode(&text).unwrap();
        prop_assert_eq!(string.last_updated_ms, spec.at_ms);
        for purpose in 1..=24 {
            prop_assert_eq!(string.purpose_consents.contains(purpose), spec.consents & id_bit(purpose, 24) != 0);
            prop_assert_eq!(string.purpose_li_transparency.contains(purpose), spec.li & id_bit(purpose, 24) != 0);
        }
        for (decoded, encoded) in
            [(string.vendor_consents, &spec.vendor_consents), (string.vendor_li, &spec.vendor_li)]
        {
            for vendor in 0..1_600 {
                prop_assert_eq!(decoded.contains(vendor), encoded.contains(&vendor), "vendor {}", vendor);
                let in_ranges = decoded.ranges().any(|(start, end)| (start..=end).contains(&vendor));
                prop_assert_eq!(in_ranges, encoded.contains(&vendor));
            }
        }
        let restrictions: Vec<_> = string.publisher_restrictions.iter().collect();
        prop_assert_eq!(restrictions.len(), spec.restrictions.len());
        for (decoded, encoded) in restrictions.iter().zip(&spec.restrictions) {
            prop_assert_eq!(u64::from(decoded.purpose), encoded.purpose);
            prop_assert_eq!(decoded.kind as u64, encoded.kind);
            prop_assert_eq!(decoded.vendors().collect::<Vec<_>>(), encoded.vendors.clone());
        }
    }

    #[test]
    fn less_consent_never_opens_a_gate(spec in specs()) {
        for policy in [Policy::default(), vendor_policy()] {
            let all = gates(&spec, &policy);
            for less in with_one_consent_less(&spec) {
                prop_assert!(all.covers(gates(&less, &policy)), "{:?}", less);
            }
        }
    }

    #[test]
    fn no_override_opens_a_gate(spec in specs(), country in "[A-Z]{2}", own in any::<Option<[bool; 6]>>()) {
        let text = spec.text();
        let own = own.map(|[storage, ads, content, analytics, sale, geo]| OwnConsent {
            storage,
            ads_profile: None,
            ads_personalization: ads,
            content_personalization: content,
            analytics,
            sale,
            precise_geo: geo,
        });
        let plain = ConsentInputs { country: Some(&country), own, ..german(&text) };
        let all = evaluate(&plain, &Policy::default(), NOW_MS).gates;
        let overridden = [
            ConsentInputs { gpc: true, ..plain },
            ConsentInputs { dnt: true, ..plain },
            ConsentInputs { lmt: true, ..plain },
            ConsentInputs { dooh: true, ..plain },
            ConsentInputs { coppa: true, ..plain },
            ConsentInputs { is_suppressed: true, ..plain },
            ConsentInputs { gpp: Some("DBABM"), ..plain },
            // A law that is signalled replaces the default of an unknown visitor, so this needs a country.
            ConsentInputs { us_privacy: is_known(&country).then_some("1YYN"), ..plain },
        ];
        for inputs in overridden {
            let outcome = evaluate(&inputs, &Policy::default(), NOW_MS);
            prop_assert!(all.covers(outcome.gates), "{:?} gives {:?}", inputs, outcome);
        }
    }

    #[test]
    fn mutated_strings_never_panic_and_grant_nothing_when_unreadable(
        spec in specs(),
        mutations in prop::collection::vec((any::<prop::sample::Index>(), 0_u8..128), 1..4),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let mut bytes = spec.text().into_bytes();
        for (at, byte) in mutations {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()) + 1);
        }
        let text = String::from_utf8(bytes).unwrap();
        let gpp = format!("DBACNY~{text}~1YNN");
        let is_unreadable = TcString::decode(&text).is_err();
        for policy in [Policy::default(), vendor_policy()] {
            let as_gpp = ConsentInputs { gpp: Some(&gpp), ..ConsentInputs { tcf: None, ..german(&text) } };
            for inputs in [german(&text), as_gpp] {
                let outcome = evaluate(&inputs, &policy, NOW_MS);
                prop_assert!(!is_unreadable || outcome.gates == Gates::NONE);
            }
        }
    }

    #[test]
    fn arbitrary_text_never_panics(text in ".{0,80}", body in "[A-Za-z0-9_.~-]{0,60}") {
        for text in [text.as_str(), body.as_str(), &format!("DBABL~{body}"), &format!("C{body}")] {
            for id in 6..=27 {
                let _ = UsSection::decode(id, text);
            }
            let inputs = ConsentInputs {
                tcf: Some(text),
                gpp: Some(text),
                us_privacy: Some(text),
                gpp_sid: &[2, 5, 6, 7, -1, i32::MAX],
                country: Some(text),
                ..ConsentInputs::default()
            };
            evaluate(&inputs, &vendor_policy(), NOW_MS);
        }
    }
}
