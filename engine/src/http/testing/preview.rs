//! Experiments as callers see them: what the answer says, and what a preview token changes.

use serde_json::{Value, json};
use tessera_engine_core::snapshot::Snapshot;
use tessera_wire::bundle::Bundle;
use tessera_wire::posterior::PosteriorTable;
use tessera_wire::preview::{PreviewToken, sign};

use super::super::context::Memory;
use super::support::{compiled, loaded};
use super::{NOW_MS, Outcome, Request, Shop};
use crate::http::problem::Problem;
use crate::snapshot_cell::Live;

/// The demo shop with an experiment that everyone takes part in, and half of all visitors held out of everything.
fn live(shop: &Shop) -> Live {
    let mut sources = tessera_fixtures::DEMO_SOURCES;
    let experiment = "[[experiment]]\nid = \"look\"\ncampaign = \"autumn\"\n\
        variant = [{ id = \"as-is\" }, { id = \"plain\", creative = \"autumn_control\" }]\n";
    let catalog = format!("holdout = \"50%\"\n{}\n{experiment}", sources[0].1);
    sources[0].1 = &catalog;
    let bundle = loaded(Bundle { generation: 8, ..compiled(&sources) });
    Live::new(Snapshot::new(bundle.into(), &PosteriorTable::default()), &shop.responder.users)
}

fn ask(shop: &Shop, live: &Live, user: u64, token: Option<&str>) -> Result<(Value, Outcome), Problem> {
    let options = token.map_or(json!({}), |token| json!({"preview_token": token}));
    let request = Request {
        body: json!({
            "placements": [{"id": "a", "slot": "home_hero"}],
            "user": {"id": format!("visitor-{user}")},
            "consent": {"purposes": {"storage": true, "ads_profile": true, "ads_personalization": true, "analytics": true}},
            "options": options,
        })
        .to_string(),
        headers: Default::default(),
        peer: "198.18.4.10".parse().unwrap(),
        now_ms: NOW_MS,
        random: u128::from(user),
    };
    let outcome = shop.answer(live, &request, &mut Memory::new(live))?;
    Ok((serde_json::from_slice(&outcome.answer).unwrap(), outcome))
}

fn token(shop: &Shop, is_held_out: Option<bool>, wishes: &[(&str, &str)], for_secs: i64) -> String {
    let token = PreviewToken {
        expires_at_secs: (NOW_MS / 1_000 + for_secs) as u32,
        is_held_out,
        wishes: wishes.iter().map(|(one, other)| ((*one).to_owned(), (*other).to_owned())).collect(),
    };
    sign(&shop.responder.keys.preview, &token).unwrap()
}

#[test]
fn answers_and_records_name_the_variant() {
    let shop = Shop::new();
    let live = live(&shop);
    let names = live.bundle().names();
    assert_eq!(names.experiments[0].shares_ppm, [500_000, 500_000]);
    let mut seen = std::collections::BTreeMap::new();
    for user in 0..60 {
        let (answer, outcome) = ask(&shop, &live, user, None).unwrap();
        let ad = &answer["placements"]["a"]["ads"][0];
        let variant = ad["experiment"]["variant"].as_str().unwrap_or("none").to_owned();
        assert_eq!(ad["experiment"]["holdout"].as_bool().unwrap_or(false), variant == "holdout");
        if matches!(variant.as_str(), "plain" | "holdout") {
            assert_eq!(ad["creative_id"], "autumn_control");
        }
        let exposure = outcome.served[0].exposure;
        let recorded = exposure
            .map(|one| &names.experiments[one.experiment as usize].variants[usize::from(one.variant)]);
        assert_eq!(recorded.map(String::as_str), Some(variant.as_str()).filter(|one| *one != "holdout"));
        assert!(outcome.served[0].is_learnable);
        *seen.entry(variant).or_insert(0) += 1;
    }
    assert!(["as-is", "plain", "holdout"].iter().all(|variant| seen[*variant] > 5), "{seen:?}");
}

#[test]
fn a_preview_shows_what_it_names_and_is_not_counted() {
    let shop = Shop::new();
    let live = live(&shop);
    for (is_held_out, wishes, expected) in [
        (None, &[("look", "plain")][..], "plain"),
        (None, &[("look", "as-is")], "as-is"),
        (Some(true), &[], "holdout"),
    ] {
        let token = token(&shop, is_held_out, wishes, 60);
        for user in 0..20 {
            let (answer, outcome) = ask(&shop, &live, user, Some(&token)).unwrap();
            assert_eq!(answer["placements"]["a"]["ads"][0]["experiment"]["variant"], expected);
            assert_eq!(answer["preview"], true);
            assert!(outcome.served.iter().all(|served| !served.is_learnable));
        }
    }
}

#[test]
fn a_preview_that_is_not_ours_or_names_nothing_is_refused() {
    let shop = Shop::new();
    let live = live(&shop);
    let refused = |token: &str| {
        let problem = ask(&shop, &live, 1, Some(token)).map(|(answer, _)| answer).unwrap_err();
        assert_eq!(problem.pointer, "/options/preview_token");
        (problem.status.as_u16(), problem.code)
    };
    assert_eq!(refused(&token(&shop, None, &[("look", "plain")], 0)), (401, "preview_token_expired"));
    assert_eq!(refused("junk"), (401, "preview_token_invalid"));
    assert_eq!(refused(&token(&shop, None, &[("look", "bold")], 60)), (400, "unknown_variant"));
}
