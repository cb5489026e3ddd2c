//! The layer table: one row per crate, and which of our crates it may depend on.
//!
//! A new edge is an architecture change: it is made here, and in `docs/ARCHITECTURE.md`, in a commit of its own. Rows may
//! stand here before their crate exists. The rule is about what runs: dev-dependencies are free (tests and benches may use
//! `tessera-fixtures` and any other crate of ours), build dependencies between our crates are not allowed at all.

use xtask::layers::Allowed::{Any, Only};
use xtask::layers::{Layer, Purity, check};

const WIRE: &str = "tessera-wire";
const RULEVM: &str = "tessera-rulevm";
const RULEC: &str = "rulec";
const CORE: &str = "tessera-engine-core";
const ANALYTICS: &str = "tessera-analytics";
const AUDIENCE: &str = "tessera-audience";

const LAYERS: [Layer; 13] = [
    Layer { package: WIRE, may_use: Only(&[]), is_pure: true },
    Layer { package: RULEVM, may_use: Only(&[WIRE]), is_pure: true },
    Layer { package: RULEC, may_use: Only(&[WIRE, RULEVM]), is_pure: true },
    Layer { package: CORE, may_use: Only(&[WIRE, RULEVM]), is_pure: true },
    Layer { package: "tessera-engine", may_use: Only(&[WIRE, RULEVM, CORE]), is_pure: false },
    // The learner shares the model with the decision.
    Layer { package: ANALYTICS, may_use: Only(&[WIRE, CORE]), is_pure: false },
    Layer { package: AUDIENCE, may_use: Only(&[WIRE, RULEC, RULEVM]), is_pure: false },
    // Of analytics only the query interface.
    Layer {
        package: "tessera-control",
        may_use: Only(&[WIRE, RULEVM, RULEC, CORE, AUDIENCE, ANALYTICS]),
        is_pure: false,
    },
    // The composition root.
    Layer { package: "tessera", may_use: Any, is_pure: false },
    Layer { package: "tessera-fixtures", may_use: Any, is_pure: false },
    Layer { package: "tessera-loadtest", may_use: Only(&[WIRE]), is_pure: false },
    Layer { package: "tessera-benches", may_use: Any, is_pure: false },
    Layer { package: "xtask", may_use: Only(&[]), is_pure: false },
];

const PURITY: Purity = Purity {
    impure: &[
        // Runtimes, sockets, files.
        "async-std",
        "axum",
        "hyper",
        "hyper-util",
        "maxminddb",
        "memmap2",
        "mio",
        "notify",
        "polling",
        "reqwest",
        "rustix",
        "signal-hook",
        "smol",
        "socket2",
        "tempfile",
        "tokio",
        "ureq",
        // Stores.
        "libsqlite3-sys",
        "redis",
        "rocksdb",
        "rusqlite",
        "sled",
        // Clocks.
        "chrono",
        "jiff",
        "quanta",
        "time",
        // Global randomness.
        "fastrand",
        "getrandom",
        "rand",
        "uuid",
        // Shared state and threads.
        "arc-swap",
        "crossbeam",
        "crossbeam-channel",
        "dashmap",
        "parking_lot",
        "rayon",
        "rtrb",
        // Logs and metrics.
        "env_logger",
        "log",
        "metrics",
        "prometheus",
        "tracing",
        "tracing-subscriber",
    ],
    excused: &[
        (
            "ahash",
            "getrandom",
            "seeds hash tables against chosen keys; tables are only looked up by key, so no decision depends on the seed",
        ),
        (
            "rulec",
            "jiff",
            "turns local dates into instants by the bundled time zone database; its clock is never asked",
        ),
        ("lsp-server", "crossbeam-channel", "in rulec's command only, where input and output belong"),
        ("lsp-server", "log", "in rulec's command only, where input and output belong"),
    ],
};

#[test]
fn crates_depend_only_on_what_the_layer_table_allows() {
    let graph = xtask::metadata::load(&xtask::root()).unwrap();
    let problems = check(&graph, &LAYERS, &PURITY);
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn the_test_sees_this_workspace() {
    let graph = xtask::metadata::load(&xtask::root()).unwrap();
    assert!(graph.ours(CORE).is_some());
    // If every exception were withdrawn, the graph would be found impure: the check does look all the way down.
    let strict = Purity { excused: &[], ..PURITY };
    let problems = check(&graph, &LAYERS, &strict);
    assert!(problems.iter().any(|problem| problem.contains("-> ahash -> getrandom")), "{problems:?}");
}
