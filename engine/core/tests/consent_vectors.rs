//! The consent decoders and the gate against every vector file in the fixtures folder.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use serde_json::{Map, Value, json};
use tessera_engine_core::consent::country::CountrySet;
use tessera_engine_core::consent::gpp::GppString;
use tessera_engine_core::consent::tcf::{IdSet, RestrictionKind, TcString, Unusable, VendorRanges};
use tessera_engine_core::consent::us::UsSection;
use tessera_engine_core::consent::usp::UsPrivacy;
use tessera_engine_core::consent::vendor::PurposeMask;
use tessera_engine_core::consent::{
    ConsentInputs, DecodeError, DefaultRegime, GoogleConsentMode, GpcScope, OwnConsent, Policy, Role,
    VendorProfile, evaluate,
};

/// 2026-11-20T00:00:00Z, the day the vectors were made for.
const NOW_MS: i64 = 1_795_132_800_000;

fn vector_files() -> Vec<Value> {
    let folder = std::fs::read_dir(tessera_fixtures::vectors_dir()).unwrap();
    let mut paths: Vec<_> = folder.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
        .into_iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .map(|path| serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap())
        .collect()
}

fn ids(set: IdSet) -> Vec<u8> {
    set.iter().collect()
}

/// Ranges as a set: sorted and merged, however they were encoded.
fn merged(ranges: VendorRanges<'_>) -> Vec<[u32; 2]> {
    let mut ranges: Vec<[u32; 2]> = ranges.map(|(start, end)| [start.into(), end.into()]).collect();
    ranges.sort_unstable();
    let mut merged: Vec<[u32; 2]> = Vec::new();
    for [start, end] in ranges {
        match merged.last_mut() {
            Some(last) if start <= last[1] + 1 => last[1] = last[1].max(end),
            _ => merged.push([start, end]),
        }
    }
    merged
}

fn letters(letters: [u8; 2]) -> String {
    String::from_utf8(letters.to_vec()).unwrap()
}

/// Unix milliseconds as `2026-06-01T00:00:00Z` (Howard Hinnant's civil-from-days).
fn timestamp(ms: i64) -> String {
    let secs = ms / 1_000;
    let (days, second) = (secs.div_euclid(86_400) + 719_468, secs.rem_euclid(86_400));
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

fn tcf_fields(string: &TcString<'_>) -> Value {
    let restrictions: Vec<Value> = string
        .publisher_restrictions
        .iter()
        .map(|restriction| {
            json!({
                "purpose": restriction.purpose,
                "type": restriction.kind as u8,
                "vendors": merged(restriction.vendors()),
            })
        })
        .collect();
    json!({
        "version": 2,
        "created": timestamp(string.created_ms),
        "last_updated": timestamp(string.last_updated_ms),
        "cmp_id": string.cmp_id,
        "cmp_version": string.cmp_version,
        "consent_screen": string.consent_screen,
        "consent_language": letters(string.consent_language),
        "vendor_list_version": string.vendor_list_version,
        "tcf_policy_version": string.tcf_policy_version,
        "is_service_specific": string.is_service_specific,
        "use_non_standard_texts": string.use_non_standard_texts,
        "special_feature_optins": ids(string.special_feature_optins),
        "purpose_consents": ids(string.purpose_consents),
        "purpose_li_transparency": ids(string.purpose_li_transparency),
        "purpose_one_treatment": string.purpose_one_treatment,
        "publisher_cc": letters(string.publisher_cc),
        "vendor_consent_max_id": string.vendor_consents.max_id,
        "vendor_consents": merged(string.vendor_consents.ranges()),
        "vendor_li_max_id": string.vendor_li.max_id,
        "vendor_li": merged(string.vendor_li.ranges()),
        "publisher_restrictions": restrictions,
        "disclosed_vendors": string.disclosed_vendors.map(|vendors| {
            json!({ "max_id": vendors.max_id, "ids": merged(vendors.ranges()) })
        }),
        "publisher_tc": string.publisher_tc.map(|own| json!({
            "consents": ids(own.consents),
            "li_transparency": ids(own.li_transparency),
            "num_custom_purposes": own.custom_consents.width(),
            "custom_consents": ids(own.custom_consents),
            "custom_li_transparency": ids(own.custom_li_transparency),
        })),
        "other_segments": (0..8).filter(|kind| string.other_segments >> kind & 1 == 1).collect::<Vec<u8>>(),
    })
}

fn us_fields(section: &UsSection) -> Value {
    let mut fields = Map::new();
    fields.insert("Version".into(), json!(section.version));
    for (field, values) in section.fields() {
        let value = if let [single] = values { json!(single) } else { json!(values) };
        fields.insert(field.name().into(), value);
    }
    fields.insert("Gpc".into(), json!(section.gpc));
    Value::Object(fields)
}

fn usp_fields(text: UsPrivacy) -> Value {
    let letter = |byte: u8| char::from(byte).to_string();
    json!({
        "version": 1,
        "notice": letter(text.notice),
        "opt_out_sale": letter(text.opt_out_sale),
        "lspa": letter(text.lspa),
    })
}

fn check_section(id: &str, section: u8, text: &str, expect: &Value) {
    if expect.get("error").is_some() {
        let is_error = match section {
            2 => TcString::decode(text).is_err(),
            6 => UsPrivacy::decode(text).is_err(),
            _ => UsSection::decode(section, text).is_err(),
        };
        assert!(is_error, "{id} section {section}");
        return;
    }
    let fields = match section {
        2 => tcf_fields(&TcString::decode(text).unwrap()),
        6 => usp_fields(UsPrivacy::decode(text).unwrap()),
        7..=23 => {
            let decoded = UsSection::decode(section, text).unwrap();
            assert_eq!(expect["name"], decoded.layout.name, "{id}");
            us_fields(&decoded)
        }
        // Kept as text only: nothing of it is read.
        _ => Value::Null,
    };
    assert_eq!(fields, expect["fields"], "{id} section {section}");
}

fn check_gpp(id: &str, text: &str, expect: &Value) {
    let string = GppString::decode(text).unwrap_or_else(|error| panic!("{id}: {error}"));
    assert_eq!(expect["section_ids"], json!(string.section_ids()), "{id}");
    for (section, text) in string.sections() {
        let expected = &expect["sections"][section.to_string()];
        assert_eq!(expected["raw"], text, "{id} section {section}");
        check_section(id, section, text, expected);
    }
}

fn check_usability(id: &str, string: &TcString<'_>, expect: &Value) {
    let found = string.usability(NOW_MS, Policy::default().max_consent_age_days);
    assert_eq!(json!(found.is_ok()), expect["usable"], "{id}");
    let Err(unusable) = found else { return };
    let name = match unusable {
        Unusable::PolicyVersion => "policy_version_lt_4",
        Unusable::GlobalScope => "not_service_specific",
        Unusable::DisclosedVendorsMissing => "disclosed_vendors_missing",
        Unusable::Future => "in_the_future",
        Unusable::TooOld => "too_old",
    };
    assert!(expect["reasons"].as_array().unwrap().contains(&json!(name)), "{id} {name}");
}

fn decode_error(kind: &str, text: &str) -> Option<DecodeError> {
    match kind {
        "tcf2" => TcString::decode(text).err(),
        "gpp" => GppString::decode(text).err(),
        "usp" => UsPrivacy::decode(text).err(),
        other => panic!("unknown kind {other}"),
    }
}

/// A refused string grants nothing, wherever it is sent.
fn assert_grants_nothing(id: &str, kind: &str, text: &str) {
    let mut inputs = ConsentInputs { country: Some("DE"), ..ConsentInputs::default() };
    match kind {
        "tcf2" => inputs.tcf = Some(text),
        "gpp" => inputs.gpp = Some(text),
        _ => inputs.us_privacy = Some(text),
    }
    let outcome = evaluate(&inputs, &Policy::default(), NOW_MS);
    assert_eq!(outcome.gates.names().count(), 0, "{id}");
    inputs.country = Some("US");
    let outcome = evaluate(&inputs, &Policy::default(), NOW_MS);
    if kind != "tcf2" && !text.is_empty() {
        assert_eq!(outcome.mode.name(), "contextual", "{id}: unreadable is an opt-out");
    }
}

#[test]
fn every_string_decodes_as_the_vectors_say() {
    let mut checked = 0;
    for file in vector_files() {
        for vector in file["vectors"].as_array().into_iter().flatten() {
            let Some(kind @ ("tcf2" | "gpp" | "usp")) = vector["kind"].as_str() else { continue };
            let (id, text) = (vector["id"].as_str().unwrap(), vector["input"].as_str().unwrap());
            let expect = &vector["expect"];
            checked += 1;
            if vector["valid"] == false {
                let error = decode_error(kind, text).unwrap_or_else(|| panic!("{id} was accepted"));
                // The header bomb meets our cap on sections before the end of the string.
                let is_cap = matches!(error, DecodeError::TooManySections | DecodeError::TooLong);
                assert!(is_cap || vector["expect_error"] == error.as_str(), "{id}: {error:?}");
                assert_grants_nothing(id, kind, text);
                continue;
            }
            match kind {
                "tcf2" => {
                    let string = TcString::decode(text).unwrap_or_else(|error| panic!("{id}: {error}"));
                    assert_eq!(tcf_fields(&string), *expect, "{id}");
                    if let Some(usable) = vector.get("usable_as_of_2026_11_20") {
                        check_usability(id, &string, usable);
                    }
                }
                "gpp" => check_gpp(id, text, expect),
                _ => assert_eq!(usp_fields(UsPrivacy::decode(text).unwrap()), *expect, "{id}"),
            }
        }
    }
    assert!(checked >= 74, "only {checked} vectors found");
}

fn purposes(vendor: &Value, basis: &str) -> PurposeMask {
    let of_basis = vendor["purposes"].as_object().unwrap().iter().filter(|(_, known)| *known == basis);
    let numbers: Vec<u8> = of_basis.map(|(purpose, _)| purpose.parse().unwrap()).collect();
    PurposeMask::of(&numbers)
}

fn role(config: &Value) -> Role {
    if config["role"] != "vendor" {
        return Role::FirstParty;
    }
    let vendor = &config["vendor"];
    let numbers = |list: &Value| -> Vec<u8> {
        list.as_array().unwrap().iter().map(|number| number.as_u64().unwrap() as u8).collect()
    };
    Role::Vendor(VendorProfile {
        gvl_id: vendor["gvl_id"].as_u64().unwrap() as u16,
        consent_purposes: purposes(vendor, "consent"),
        li_purposes: purposes(vendor, "li"),
        flexible_purposes: PurposeMask::of(&numbers(&vendor["flexible"])),
        declares_precise_geo: numbers(&vendor["special_features"]).contains(&1),
    })
}

fn countries(list: &Value) -> CountrySet {
    CountrySet::from_codes(list.as_array().into_iter().flatten().map(|code| code.as_str().unwrap())).unwrap()
}

fn policy(defaults: &Value, changes: &Value) -> Policy {
    let mut config = defaults.as_object().unwrap().clone();
    config.extend(changes.as_object().unwrap().clone());
    let config = Value::Object(config);
    Policy {
        role: role(&config),
        default_regime: match config["default_regime"].as_str().unwrap() {
            "gdpr" => DefaultRegime::Gdpr,
            "none" => DefaultRegime::None,
            other => panic!("unknown regime {other}"),
        },
        caller_trusted: config["caller_trusted"].as_bool().unwrap(),
        p1_treatment_countries: countries(&config["p1_treatment_countries"]),
        gpc_scope: match config["gpc_scope"].as_str().unwrap() {
            "global" => GpcScope::Global,
            "us" => GpcScope::Us,
            other => panic!("unknown scope {other}"),
        },
        honor_dnt: config["honor_dnt"].as_bool().unwrap(),
        us_optout_keeps_first_party_content: config["us_optout_keeps_first_party_content"].as_bool().unwrap(),
        gdpr_accept_generic_consent: config["gdpr_accept_generic_consent"].as_bool().unwrap(),
        max_consent_age_days: config["max_consent_age_days"].as_u64().unwrap() as u32,
        optin_countries: countries(&config["optin_countries"]),
    }
}

fn own(state: &Value) -> Option<OwnConsent> {
    let state = state.as_object()?;
    let is = |name: &str| state.get(name).is_some_and(|value| *value == true || *value == "granted");
    if state.keys().any(|name| name.ends_with("_storage") || name.starts_with("ad_")) {
        return Some(OwnConsent::from(GoogleConsentMode {
            ad_storage: is("ad_storage"),
            ad_user_data: is("ad_user_data"),
            ad_personalization: is("ad_personalization"),
            analytics_storage: is("analytics_storage"),
            personalization_storage: is("personalization_storage"),
        }));
    }
    Some(OwnConsent {
        storage: is("storage"),
        ads_profile: state.contains_key("ads_profile").then(|| is("ads_profile")),
        ads_personalization: is("ads_personalization"),
        content_personalization: is("content_personalization"),
        analytics: is("analytics"),
        sale: is("sale"),
        precise_geo: is("precise_geo"),
    })
}

#[test]
fn every_decision_case_has_the_gates_the_table_gives_it() {
    let mut checked = 0;
    for file in vector_files() {
        let defaults = &file["_meta"]["default_config"];
        for case in file["cases"].as_array().into_iter().flatten() {
            if case["expect"].get("gates").is_none() {
                continue;
            }
            checked += 1;
            let (input, regs) = (&case["input"], &case["input"]["regs"]);
            let gpp_sid: Vec<i32> = regs["gpp_sid"]
                .as_array()
                .into_iter()
                .flatten()
                .map(|id| id.as_i64().unwrap() as i32)
                .collect();
            let inputs = ConsentInputs {
                tcf: input["tc"].as_str(),
                gpp: regs["gpp"].as_str(),
                gpp_sid: &gpp_sid,
                us_privacy: regs["us_privacy"].as_str(),
                gdpr: regs["gdpr"].as_i64(),
                coppa: regs["coppa"] == 1,
                gpc: input["sec_gpc"] == "1",
                dnt: input["dnt"] == 1,
                lmt: input["lmt"] == 1,
                dooh: input["channel"] == "dooh",
                country: input["country"].as_str(),
                own: own(&input["consent_state"]),
                is_suppressed: input["suppressed"] == true,
                is_caller_trusted: input["caller_trusted"] == true,
            };
            let now_ms = defaults["now_ds"].as_i64().unwrap() * 100;
            let outcome = evaluate(&inputs, &policy(defaults, &case["config"]), now_ms);
            let found = json!({
                "regimes": outcome.regimes.names().collect::<Vec<_>>(),
                "mode": outcome.mode.name(),
                "gates": outcome.gates.names().collect::<Vec<_>>(),
            });
            for key in ["regimes", "mode", "gates"] {
                assert_eq!(found[key], case["expect"][key], "{} {}: {key}", case["id"], case["name"]);
            }
        }
    }
    assert!(checked >= 53, "only {checked} cases found");
}

#[test]
fn restriction_kinds_have_the_codes_of_the_specification() {
    assert_eq!(RestrictionKind::NotAllowed as u8, 0);
    assert_eq!(RestrictionKind::RequireConsent as u8, 1);
    assert_eq!(RestrictionKind::RequireLegitimateInterest as u8, 2);
}
