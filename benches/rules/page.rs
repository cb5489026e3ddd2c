//! The tables of the recorded page.

use std::fmt::Write as _;

use tessera_fixtures::workload::Profile;

use crate::Row;

/// One line for who waits.
pub(crate) fn line(row: &Row) -> String {
    let floor = floor(row);
    let times = row.times.iter().map(|(name, ns)| format!("{name} {ns:.0} ns ({:.1}x)", ns / floor));
    let index = row.build.index;
    format!(
        "  {}\n  {:.1} matches, {:.0} steps, {} hot, {} entries, {:.0} B/rule, compile {:.1} ms, verify {:.1} ms",
        times.collect::<Vec<_>>().join(", "),
        row.matches_per_event,
        row.build.steps,
        index.hot_literals,
        index.entries,
        index.bytes as f64 / row.rules as f64,
        row.build.compile.as_secs_f64() * 1e3,
        row.build.verify.as_secs_f64() * 1e3,
    )
}

fn floor(row: &Row) -> f64 {
    row.times.iter().find(|time| time.0 == "floor").map_or(f64::NAN, |time| time.1)
}

/// The tables in Markdown.
pub(crate) fn render(rows: &[Row], events: usize, train: usize) -> String {
    let mut page = format!(
        "Time to find all matching rules of one request, over {events} requests; statistics come from {train} other\n\
         requests. In parentheses: divided by the floor of the same run, which reads every value of the request and does\n\
         one table load with it. Every engine's matches were compared with the reference on every request before timing.\n\n"
    );
    times(&mut page, rows);
    builds(&mut page, rows);
    page
}

fn times(page: &mut String, rows: &[Row]) {
    let mut engines: Vec<&str> = Vec::new();
    for (name, _) in rows.iter().flat_map(|row| &row.times) {
        if !engines.contains(name) {
            engines.push(name);
        }
    }
    let head: Vec<String> =
        rows.iter().map(|row| format!("{} {}", row.rules, profile(row.profile))).collect();
    let _ = writeln!(page, "| engine | {} |", head.join(" | "));
    let _ = writeln!(page, "| --- |{}", " ---: |".repeat(rows.len()));
    for engine in engines {
        let cells = rows.iter().map(|row| {
            let found = row.times.iter().find(|time| time.0 == engine);
            found.map_or("-".to_owned(), |(_, ns)| format!("{} ({:.1})", time(*ns), ns / floor(row)))
        });
        let _ = writeln!(page, "| {engine} | {} |", cells.collect::<Vec<_>>().join(" | "));
    }
}

fn builds(page: &mut String, rows: &[Row]) {
    let _ = writeln!(
        page,
        "\n| rules | matches per request | steps per request | most steps | hot literals | index bytes per rule | \
         text bytes per rule | text to program | program to index | fill a frame | a-tree builds | cel builds |\n\
         | --- |{}",
        " ---: |".repeat(11)
    );
    for row in rows {
        let per_rule = |bytes: usize| bytes as f64 / row.rules as f64;
        let peer = |name: &str| {
            let found = row.peers.iter().find(|peer| peer.0 == name);
            found.map_or("-".to_owned(), |(_, spent)| time(spent.as_nanos() as f64))
        };
        let build = &row.build;
        let _ = writeln!(
            page,
            "| {} {} | {:.1} | {:.0} | {} | {} | {:.0} | {:.0} | {} | {} | {} | {} | {} |",
            row.rules,
            profile(row.profile),
            row.matches_per_event,
            build.steps,
            build.work_max,
            build.index.hot_literals,
            per_rule(build.index.bytes),
            per_rule(build.text_bytes),
            time(build.compile.as_nanos() as f64),
            time(build.verify.as_nanos() as f64),
            time(build.fill_ns),
            peer("a-tree"),
            peer("cel"),
        );
    }
}

fn profile(profile: Profile) -> &'static str {
    match profile {
        Profile::Broad => "broad",
        Profile::Narrow => "narrow",
    }
}

/// Nanoseconds in the unit that reads best.
fn time(ns: f64) -> String {
    match ns {
        ..1e3 => format!("{ns:.0} ns"),
        ..1e5 => format!("{:.2} µs", ns / 1e3),
        ..1e6 => format!("{:.0} µs", ns / 1e3),
        ..1e9 => format!("{:.1} ms", ns / 1e6),
        _ => format!("{:.2} s", ns / 1e9),
    }
}
