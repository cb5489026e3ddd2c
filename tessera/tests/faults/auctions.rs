//! Bidding over real connections: terms that change, compressed requests, and the notice that counts as the impression.

use std::io::{Read, Write};

use serde_json::Value;

use crate::support::http::{Answer, path_of};
use crate::support::{Launch, Process, World, wait_for};

const TERMS: &str = "seat = \"s\"\ncurrency = \"EUR\"\ncpm = 1.5\n";
const BID: &str = r#"{"id":"r","imp":[{"id":"1","tagid":"home_hero","banner":{"w":970,"h":250}}],
    "device":{"ip":"198.18.8.9"},"user":{"buyeruid":"ana"}}"#;

fn bid(process: &Process, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    process.connect().send("POST", "/openrtb2/bid", headers, body).unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn bids_follow_the_terms_and_the_billing_notice_is_the_impression() {
    let world = World::new();
    let process = Launch::new(&world, "serve").start();
    let none = bid(&process, &[], BID.as_bytes());
    assert_eq!((none.status, none.header("x-no-bid-reason")), (204, Some("not_configured")));
    world.replace(&world.data().join("bidding.toml"), TERMS.as_bytes());
    let answer = wait_for("the terms are in force", || {
        let answer = bid(&process, &[], BID.as_bytes());
        (answer.status == 200).then_some(answer)
    });
    assert_eq!(answer.header("x-openrtb-version"), Some("2.6"));
    let offered = &answer.json()["seatbid"][0]["bid"][0];
    assert_eq!(offered["price"], 1.5);
    let impressions = "events_ingested_total{type=\"impression\"}";
    for (field, expected) in [("nurl", 0.0), ("lurl", 0.0), ("burl", 1.0)] {
        let url =
            path_of(&offered[field]).replace("${AUCTION_PRICE}", "1.4").replace("${AUCTION_CURRENCY}", "EUR");
        let noticed = process.connect().send("GET", &url, &[], b"").unwrap();
        assert_eq!(noticed.status, 204, "{}", noticed.text());
        assert_eq!(process.metric(impressions), expected, "after {field}");
    }
    assert_eq!(process.metric("openrtb_notices_total{kind=\"billing\"}"), 1.0);
    // A file that does not verify changes nothing.
    world.replace(&world.data().join("bidding.toml"), b"seat = 7");
    let refused = || process.metric("swap_total{file=\"bidding\",result=\"refused\"}");
    wait_for("the terms are refused", || (refused() > 0.0).then_some(()));
    assert_eq!(bid(&process, &[], BID.as_bytes()).status, 200);
}

#[test]
fn compressed_requests_are_read_up_to_the_limit() {
    let world = World::new();
    std::fs::create_dir_all(world.data()).unwrap();
    std::fs::write(world.data().join("bidding.toml"), TERMS).unwrap();
    let process = Launch::new(&world, "serve").start();
    let both = [("content-encoding", "gzip"), ("accept-encoding", "gzip")];
    let answer = bid(&process, &both, &gzip(BID.as_bytes()));
    assert_eq!((answer.status, answer.header("content-encoding")), (200, Some("gzip")));
    let mut text = String::new();
    flate2::read::GzDecoder::new(answer.body.as_slice()).read_to_string(&mut text).unwrap();
    let response: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(response["id"], "r");
    let bomb = gzip(&vec![b' '; 32 << 20]);
    assert!(bomb.len() < 256 << 10);
    assert_eq!(bid(&process, &both, &bomb).problem().0, 413);
    assert_eq!(bid(&process, &[("content-encoding", "br")], b"x").problem().0, 415);
    assert_eq!(bid(&process, &both, b"not gzip").problem().1, "body_not_gzip");
    assert_eq!(bid(&process, &[], b"{\"id\":1}").problem(), (400, "invalid_field".into(), "/id".into()));
}
