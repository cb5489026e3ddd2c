//! API keys and origins: who may ask, from which page, and how soon a change takes effect.

use crate::support::{DECIDE, Launch, Ports, Process, World, wait_for};

fn make_key(world: &World, name: &str, scopes: &str) -> String {
    let output = world.run(&["key", "new", "--name", name, "--scopes", scopes]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn post(process: &Process, path: &str, header: (&str, &str), body: &str) -> u16 {
    process.connect().send("POST", path, &[header], body.as_bytes()).unwrap().status
}

const EVENT: &str = r#"{"events":[{"name":"search","message_id":"m1"}]}"#;

#[test]
fn keys_are_asked_for_as_soon_as_there_are_some() {
    let world = World::new();
    let process = Launch::new(&world, "serve").start();
    assert_eq!(process.decide(DECIDE).status, 200);
    let web = make_key(&world, "web", "ingest");
    wait_for("decisions need a key", || (process.decide(DECIDE).status == 401).then_some(()));
    let server = make_key(&world, "server", "decide");
    let bearer = format!("Bearer {server}");
    let decided = || post(&process, "/v1/decide", ("authorization", &bearer), DECIDE);
    wait_for("the new key is let in", || (decided() == 200).then_some(()));
    assert_eq!(post(&process, "/v1/decide", ("x-api-key", &server), DECIDE), 200);
    assert_eq!(post(&process, &format!("/v1/decide?key={server}"), ("x-no", ""), DECIDE), 200);
    // A key does what its scopes say, and nothing else.
    assert_eq!(post(&process, "/v1/events", ("x-api-key", &web), EVENT), 202);
    assert_eq!(post(&process, "/v1/events", ("x-api-key", &server), EVENT), 401);
    assert_eq!(post(&process, "/v1/decide", ("x-api-key", &web), DECIDE), 401);
    assert_eq!(post(&process, "/v1/explain", ("x-api-key", &server), DECIDE), 401);
    let erase = ("x-api-key", server.as_str());
    assert_eq!(post(&process, "/v1/subjects/erase", erase, r#"{"user_id":"ana"}"#), 401);
    assert_eq!(post(&process, "/openrtb2/bid", ("x-api-key", &web), "{}"), 401);
    // A damaged file changes nothing; taking a key back does.
    let path = world.data().join("access.toml");
    let good = std::fs::read(&path).unwrap();
    assert!(!String::from_utf8_lossy(&good).contains(&server), "keys are hashed at rest");
    world.replace(&path, b"[[key]]\nname = 1");
    let refused = || process.metric("swap_total{file=\"access\",result=\"refused\"}");
    wait_for("the damaged file is refused", || (refused() > 0.0).then_some(()));
    assert_eq!((decided(), process.decide(DECIDE).status), (200, 401));
    world.replace(&path, &good);
    assert!(world.run(&["key", "revoke", "server"]).status.success());
    wait_for("the key is not let in any more", || (decided() == 401).then_some(()));
    assert!(String::from_utf8(world.run(&["key", "list"]).stdout).unwrap().contains("web\tingest"));
}

#[test]
fn others_are_not_let_in_without_keys() {
    let world = World::new();
    let mut ports = Ports::free();
    ports.data.set_ip([0, 0, 0, 0].into());
    let mut refused = Launch::new(&world, "engine").spawn(ports);
    assert!(!refused.wait_for_exit().success());
    assert!(refused.log().contains("tessera key new"), "{}", refused.log());
    // A file of keys that cannot be read must not open the engine either.
    world.replace(&world.data().join("access.toml"), b"nonsense");
    let mut damaged = Launch::new(&world, "engine").spawn(ports);
    assert!(!damaged.wait_for_exit().success());
    assert!(damaged.log().contains("API keys"), "{}", damaged.log());
}

#[test]
fn only_listed_pages_may_read_answers() {
    let world = World::new();
    let process = Launch::new(&world, "serve").set("engine.cors_origins=https://shop.example").start();
    let ask = |method: &str, origin: &str| {
        let answer = process.connect().send(method, "/v1/decide", &[("origin", origin)], DECIDE.as_bytes());
        let answer = answer.unwrap();
        (answer.status, answer.header("access-control-allow-origin").map(str::to_owned))
    };
    let shop = Some("https://shop.example".to_owned());
    assert_eq!(ask("OPTIONS", "https://shop.example"), (204, shop.clone()));
    assert_eq!(ask("POST", "https://shop.example"), (200, shop));
    assert_eq!(ask("OPTIONS", "https://other.example"), (204, None));
    assert_eq!(ask("POST", "https://other.example"), (200, None));
}
