//! Who may depend on whom: checks a dependency graph against the layer table.
//!
//! The table itself is data in `xtask/tests/layers.rs`. Only what runs counts: normal dependencies. Tests, benches and
//! examples may use any crate of ours, as none of it ships; build dependencies between our crates are never allowed.

use std::collections::BTreeSet;

use crate::metadata::{Graph, Kind};

/// One row of the table: a crate and what it may use.
#[derive(Debug, Clone, Copy)]
pub struct Layer {
    /// The package.
    pub package: &'static str,
    /// Which of our crates it may depend on.
    pub may_use: Allowed,
    /// Must it be free of anything impure, however far down?
    pub is_pure: bool,
}

/// Which of our crates a crate may depend on.
#[derive(Debug, Clone, Copy)]
pub enum Allowed {
    /// These.
    Only(&'static [&'static str]),
    /// Any.
    Any,
}

/// What pure crates must not reach.
#[derive(Debug, Clone, Copy)]
pub struct Purity {
    /// Packages that do I/O, read clocks, make global randomness, lock, log or count.
    pub impure: &'static [&'static str],
    /// Edges that are allowed all the same: from, to, why.
    pub excused: &'static [(&'static str, &'static str, &'static str)],
}

/// Compares the graph with the table; every finding is a sentence.
pub fn check(graph: &Graph, layers: &[Layer], purity: &Purity) -> Vec<String> {
    let mut problems = Vec::new();
    for package in graph.packages.iter().filter(|package| package.is_ours) {
        if !layers.iter().any(|layer| layer.package == package.name) {
            problems.push(format!("`{}` has no row in the layer table", package.name));
        }
    }
    check_edges(graph, layers, &mut problems);
    check_purity(graph, layers, purity, &mut problems);
    problems
}

fn check_edges(graph: &Graph, layers: &[Layer], problems: &mut Vec<String>) {
    for (from, to, kind) in &graph.edges {
        let (from, to) = (&graph.packages[*from], &graph.packages[*to]);
        if !from.is_ours || !to.is_ours {
            continue;
        }
        let Some(layer) = layers.iter().find(|layer| layer.package == from.name) else { continue };
        let is_listed = match layer.may_use {
            Allowed::Any => true,
            Allowed::Only(names) => names.contains(&to.name.as_str()),
        };
        match kind {
            Kind::Dev => {}
            Kind::Build => problems.push(format!("`{}` builds with `{}`", from.name, to.name)),
            Kind::Normal if !is_listed => {
                problems.push(format!(
                    "`{}` depends on `{}`, which the layer table does not allow",
                    from.name, to.name
                ));
            }
            Kind::Normal => {}
        }
    }
}

fn check_purity(graph: &Graph, layers: &[Layer], purity: &Purity, problems: &mut Vec<String>) {
    let name = |index: usize| graph.packages[index].name.as_str();
    let is_excused = |from: usize, to: usize| {
        purity.excused.iter().any(|(source, target, _)| *source == name(from) && *target == name(to))
    };
    let mut reached = BTreeSet::new();
    for layer in layers.iter().filter(|layer| layer.is_pure) {
        let Some(start) = graph.ours(layer.package) else { continue };
        for (end, way) in graph.ways(start, |from, to| !is_excused(from, to)) {
            reached.insert(end);
            if purity.impure.contains(&name(end)) {
                let way: Vec<&str> = way.iter().map(|index| name(*index)).collect();
                problems.push(format!(
                    "`{}` is pure but reaches `{}`: {}",
                    layer.package,
                    name(end),
                    way.join(" -> ")
                ));
            }
        }
    }
    for (from, to, _) in purity.excused {
        let is_used = graph.edges.iter().any(|(source, target, kind)| {
            *kind == Kind::Normal
                && reached.contains(source)
                && name(*source) == *from
                && name(*target) == *to
        });
        if !is_used {
            problems.push(format!("no pure crate reaches `{from} -> {to}` any more: remove the exception"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::Package;

    const LAYERS: [Layer; 4] = [
        Layer { package: "wire", may_use: Allowed::Only(&[]), is_pure: true },
        Layer { package: "core", may_use: Allowed::Only(&["wire"]), is_pure: true },
        Layer { package: "server", may_use: Allowed::Only(&["wire", "core"]), is_pure: false },
        Layer { package: "later", may_use: Allowed::Any, is_pure: true },
    ];
    const PURITY: Purity = Purity { impure: &["tokio", "entropy"], excused: &[] };
    const OURS: [&str; 4] = ["wire", "core", "server", "stranger"];

    /// A graph of the named packages; `OURS` are members, names ending in `_macro` are procedural macros.
    fn graph(edges: &[(&str, &str, Kind)]) -> Graph {
        let mut graph = Graph::default();
        for (from, to, kind) in edges {
            let from = number(&mut graph, from);
            let to = number(&mut graph, to);
            graph.edges.push((from, to, *kind));
        }
        graph
    }

    fn number(graph: &mut Graph, name: &str) -> usize {
        graph.packages.iter().position(|package| package.name == name).unwrap_or_else(|| {
            graph.packages.push(Package {
                name: name.into(),
                version: "1.0.0".into(),
                license: None,
                is_ours: OURS.contains(&name),
                is_proc_macro: name.ends_with("_macro"),
            });
            graph.packages.len() - 1
        })
    }

    fn problems(edges: &[(&str, &str, Kind)]) -> Vec<String> {
        check(&graph(edges), &LAYERS, &PURITY)
    }

    #[test]
    fn listed_edges_pass() {
        let edges = [
            ("core", "wire", Kind::Normal),
            ("server", "core", Kind::Normal),
            ("server", "tokio", Kind::Normal),
        ];
        assert_eq!(problems(&edges), Vec::<String>::new());
    }

    #[test]
    fn an_unlisted_edge_fails() {
        let found = problems(&[("core", "server", Kind::Normal)]);
        assert_eq!(found, ["`core` depends on `server`, which the layer table does not allow"]);
    }

    #[test]
    fn tests_may_use_anything_and_build_scripts_nothing_of_ours() {
        assert_eq!(problems(&[("wire", "server", Kind::Dev)]), Vec::<String>::new());
        assert_eq!(problems(&[("server", "wire", Kind::Build)]), ["`server` builds with `wire`"]);
    }

    #[test]
    fn a_crate_without_a_row_fails() {
        assert_eq!(
            problems(&[("stranger", "wire", Kind::Normal)]),
            ["`stranger` has no row in the layer table"]
        );
    }

    #[test]
    fn a_pure_crate_may_reach_nothing_impure_however_far_down() {
        let found = problems(&[("wire", "tokio", Kind::Normal)]);
        assert_eq!(found, ["`wire` is pure but reaches `tokio`: wire -> tokio"]);
        let found = problems(&[
            ("core", "wire", Kind::Normal),
            ("wire", "hash", Kind::Normal),
            ("hash", "entropy", Kind::Normal),
        ]);
        let core = "`core` is pure but reaches `entropy`: core -> wire -> hash -> entropy";
        assert!(found.contains(&core.to_owned()), "{found:?}");
    }

    #[test]
    fn what_does_not_run_with_a_pure_crate_does_not_count() {
        let edges = [
            ("wire", "tokio", Kind::Dev),
            ("wire", "tokio", Kind::Build),
            ("wire", "derive_macro", Kind::Normal),
            ("derive_macro", "tokio", Kind::Normal),
        ];
        assert_eq!(problems(&edges), Vec::<String>::new());
    }

    #[test]
    fn an_exception_excuses_one_edge_only_and_must_be_needed() {
        let purity = Purity { impure: PURITY.impure, excused: &[("hash", "entropy", "seeds its tables")] };
        let excused = graph(&[("core", "hash", Kind::Normal), ("hash", "entropy", Kind::Normal)]);
        assert_eq!(check(&excused, &LAYERS, &purity), Vec::<String>::new());
        let other_way = graph(&[
            ("core", "hash", Kind::Normal),
            ("hash", "entropy", Kind::Normal),
            ("core", "entropy", Kind::Normal),
        ]);
        assert_eq!(check(&other_way, &LAYERS, &purity).len(), 1);
        let unused = graph(&[
            ("core", "wire", Kind::Normal),
            ("server", "hash", Kind::Normal),
            ("hash", "entropy", Kind::Normal),
        ]);
        let found = check(&unused, &LAYERS, &purity);
        assert_eq!(found, ["no pure crate reaches `hash -> entropy` any more: remove the exception"]);
    }
}
