//! More requests at once than can be decided in time.
//!
//! Promised: every request is answered; what would come too late gets the house ad at once and says so; the shop is back to
//! decisions with the next request.

use std::time::Duration;

use crate::support::http::Connection;
use crate::support::{DECIDE, Launch, World, wait_within};

const CLIENTS: usize = 600;
const BURSTS: usize = 20;

#[test]
fn a_burst_is_answered_in_time_or_with_house_ads() {
    let world = World::new();
    let process = Launch::new(&world, "serve").set("engine.workers=1").start();
    let mut clients: Vec<Connection> =
        (0..CLIENTS).map(|_| Connection::open(process.ports.data).unwrap()).collect();
    let body = DECIDE.replacen('{', "{\"tmax_ms\":2,", 1);
    let request =
        format!("POST /v1/decide HTTP/1.1\r\nhost: t\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    let (mut decided, mut shed) = (0, 0);
    for burst in 0..BURSTS {
        for client in &mut clients {
            client.write(request.as_bytes()).unwrap();
        }
        for client in &mut clients {
            let answer = client.read().unwrap();
            if answer.status == 503 {
                // Slower than anybody waits for: this machine has other things to do.
                assert_eq!(answer.problem().1, "overloaded");
                continue;
            }
            let answer = answer.json();
            if answer["tier_reason"] == "overloaded" {
                assert_eq!(answer["placements"]["hero"]["ads"][0]["creative_id"], "house_hero");
                assert_eq!(answer["tier"], "default");
                shed += 1;
            } else {
                decided += 1;
            }
        }
        if burst >= 2 && shed > 0 && decided > 0 {
            break;
        }
    }
    assert!(shed > 0 && decided > 0, "{shed} shed, {decided} decided");
    assert_eq!(process.metric("decide_shed_total{answer=\"house\"}"), f64::from(shed));
    assert_eq!(process.metric("decide_queue_seconds_count"), f64::from(shed + decided));
    wait_within(Duration::from_secs(5), "a decision", || {
        let answer = process.decide(DECIDE).json();
        (answer["tier_reason"] != "overloaded").then_some(())
    });
}
