//! The packages that cargo would build, and who depends on whom.
//!
//! [`load`] asks cargo, for this machine's platform. It asks offline first; only on a machine that has not fetched the locked
//! packages yet may cargo fetch them, as any build would.
//!
//! It asks twice: `cargo metadata` knows licences and kinds of edges, but also names packages that only another platform or
//! a feature that nobody enables would bring; `cargo tree` follows only what would be built. What both name is the graph.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, bail};
use serde::Deserialize;

/// Why a package needs another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// It is part of what runs.
    Normal,
    /// For its tests, benches and examples.
    Dev,
    /// For its build script.
    Build,
}

/// One package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its licence expression, if it states one.
    pub license: Option<String>,
    /// Is it a member of this workspace?
    pub is_ours: bool,
    /// Does it run in the compiler only?
    pub is_proc_macro: bool,
}

/// All packages and the edges between them, by index.
#[derive(Debug, Clone, Default)]
pub struct Graph {
    /// The packages.
    pub packages: Vec<Package>,
    /// From, to, why.
    pub edges: Vec<(usize, usize, Kind)>,
}

impl Graph {
    /// Index of one of our packages.
    pub fn ours(&self, name: &str) -> Option<usize> {
        self.packages.iter().position(|package| package.is_ours && package.name == name)
    }

    /// The same without edges that would not be built, and without packages that then nothing needs.
    fn only(mut self, built: &BTreeSet<(Named, Named)>) -> Graph {
        let named = |index: usize| {
            let Package { name, version, .. } = &self.packages[index];
            (name.clone(), version.clone())
        };
        self.edges.retain(|(from, to, _)| built.contains(&(named(*from), named(*to))));
        let needed: BTreeSet<usize> = self.edges.iter().map(|(_, to, _)| *to).collect();
        let kept: Vec<usize> = (0..self.packages.len())
            .filter(|index| self.packages[*index].is_ours || needed.contains(index))
            .collect();
        let place: BTreeMap<usize, usize> = kept.iter().enumerate().map(|(new, old)| (*old, new)).collect();
        let packages = kept.iter().map(|old| self.packages[*old].clone()).collect();
        // Both ends of an edge that is left are needed, or ours.
        let edges = self
            .edges
            .iter()
            .filter_map(|(from, to, kind)| Some((*place.get(from)?, *place.get(to)?, *kind)));
        Graph { edges: edges.collect(), packages }
    }

    /// The shortest ways from one package to all that run with it: each as the packages on the way, itself first.
    ///
    /// `follows` may refuse an edge. What a procedural macro needs runs in the compiler and is not reached.
    pub fn ways(&self, start: usize, follows: impl Fn(usize, usize) -> bool) -> BTreeMap<usize, Vec<usize>> {
        let mut ways = BTreeMap::from([(start, vec![start])]);
        let mut next = VecDeque::from([start]);
        while let Some(from) = next.pop_front() {
            let targets: BTreeSet<usize> = self
                .edges
                .iter()
                .filter(|(source, to, kind)| *source == from && *kind == Kind::Normal && follows(from, *to))
                .map(|(_, to, _)| *to)
                .collect();
            for to in targets {
                if ways.contains_key(&to) || self.packages[to].is_proc_macro {
                    continue;
                }
                let mut way = ways[&from].clone();
                way.push(to);
                ways.insert(to, way);
                next.push_back(to);
            }
        }
        ways
    }
}

#[derive(Deserialize)]
struct RawMetadata {
    packages: Vec<RawPackage>,
    workspace_members: Vec<String>,
    resolve: RawResolve,
}

#[derive(Deserialize)]
struct RawPackage {
    id: String,
    name: String,
    version: String,
    license: Option<String>,
    targets: Vec<RawTarget>,
}

#[derive(Deserialize)]
struct RawTarget {
    kind: Vec<String>,
}

#[derive(Deserialize)]
struct RawResolve {
    nodes: Vec<RawNode>,
}

#[derive(Deserialize)]
struct RawNode {
    id: String,
    deps: Vec<RawDependency>,
}

#[derive(Deserialize)]
struct RawDependency {
    pkg: String,
    dep_kinds: Vec<RawKind>,
}

#[derive(Deserialize)]
struct RawKind {
    kind: Option<String>,
}

/// Asks cargo about the workspace at `root`.
///
/// # Errors
/// When cargo fails or answers something unexpected.
pub fn load(root: &Path) -> anyhow::Result<Graph> {
    let platform = host_platform()?;
    let metadata = ["metadata", "--format-version", "1", "--locked", "--filter-platform", &platform];
    let text = ask(root, &metadata)?;
    let tree = ["tree", "--workspace", "--locked", "--target", &platform];
    let shape = ["--edges", "normal,build,dev", "--prefix", "depth", "--format", " {p}"];
    let built = built(&ask(root, &[&tree[..], &shape].concat())?)?;
    Ok(parse(&text)?.only(&built))
}

fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

fn ask(root: &Path, arguments: &[&str]) -> anyhow::Result<String> {
    let run = |more: &[&str]| -> anyhow::Result<String> {
        let output =
            cargo().args(arguments).args(more).current_dir(root).output().context("cannot run cargo")?;
        if !output.status.success() {
            bail!("cargo {} failed: {}", arguments[0], String::from_utf8_lossy(&output.stderr).trim());
        }
        String::from_utf8(output.stdout).context("cargo wrote something that is not text")
    };
    run(&["--offline"]).or_else(|_| run(&[]))
}

/// A package as `cargo tree` names it: name and version.
type Named = (String, String);

/// Reads the edges that would be built: lines of depth, name and version. A subtree that was shown before is left out, so
/// every edge stands somewhere.
fn built(tree: &str) -> anyhow::Result<BTreeSet<(Named, Named)>> {
    let (mut edges, mut way) = (BTreeSet::new(), Vec::<Named>::new());
    for line in tree.lines().filter(|line| !line.is_empty()) {
        let mut words = line.split(' ');
        let depth = words.next().and_then(|depth| depth.parse::<usize>().ok());
        let (name, version) = (words.next(), words.next().and_then(|word| word.strip_prefix('v')));
        let (Some(depth), Some(name), Some(version)) = (depth, name, version) else {
            bail!("cannot understand `{line}` of cargo tree");
        };
        way.truncate(depth);
        way.push((name.to_owned(), version.to_owned()));
        if let [.., from, to] = way.as_slice() {
            edges.insert((from.clone(), to.clone()));
        }
    }
    Ok(edges)
}

fn host_platform() -> anyhow::Result<String> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc).arg("-vV").output().context("cannot run rustc")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).context("rustc -vV names no host")
}

/// Reads cargo's answer.
///
/// # Errors
/// When it is not of the expected shape.
pub fn parse(text: &str) -> anyhow::Result<Graph> {
    let raw: RawMetadata = serde_json::from_str(text).context("cannot understand cargo metadata")?;
    let number: BTreeMap<&str, usize> =
        raw.packages.iter().enumerate().map(|(index, package)| (package.id.as_str(), index)).collect();
    let mut graph = Graph::default();
    for package in &raw.packages {
        graph.packages.push(Package {
            name: package.name.clone(),
            version: package.version.clone(),
            license: package.license.clone(),
            is_ours: raw.workspace_members.contains(&package.id),
            is_proc_macro: package
                .targets
                .iter()
                .any(|target| target.kind.iter().any(|kind| kind == "proc-macro")),
        });
    }
    let find =
        |id: &str| number.get(id).copied().with_context(|| format!("cargo metadata names `{id}` only once"));
    for node in &raw.resolve.nodes {
        let from = find(&node.id)?;
        for dependency in &node.deps {
            let to = find(&dependency.pkg)?;
            for kind in &dependency.dep_kinds {
                graph.edges.push((from, to, kind_of(kind.kind.as_deref())?));
            }
        }
    }
    Ok(graph)
}

fn kind_of(text: Option<&str>) -> anyhow::Result<Kind> {
    match text {
        None => Ok(Kind::Normal),
        Some("dev") => Ok(Kind::Dev),
        Some("build") => Ok(Kind::Build),
        Some(other) => bail!("cargo metadata speaks of a `{other}` dependency"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cargos_answer_becomes_a_graph() {
        let package = |id: &str, kind: &str| {
            format!(
                r#"{{"id":"{id}#1","name":"{id}","version":"1","license":"MIT","targets":[{{"kind":["{kind}"]}}]}}"#
            )
        };
        let text = format!(
            r#"{{"packages":[{},{},{}],"workspace_members":["a#1"],"resolve":{{"nodes":[
                {{"id":"a#1","deps":[{{"pkg":"b#1","dep_kinds":[{{"kind":null}},{{"kind":"dev"}}]}}]}},
                {{"id":"b#1","deps":[{{"pkg":"m#1","dep_kinds":[{{"kind":"build"}}]}}]}}]}}}}"#,
            package("a", "lib"),
            package("b", "lib"),
            package("m", "proc-macro"),
        );
        let graph = parse(&text).unwrap();
        assert_eq!(graph.edges, [(0, 1, Kind::Normal), (0, 1, Kind::Dev), (1, 2, Kind::Build)]);
        assert_eq!((graph.ours("a"), graph.ours("b")), (Some(0), None));
        assert!(graph.packages[2].is_proc_macro);
        assert!(parse(&text.replace("build", "new kind")).is_err());
    }

    #[test]
    fn what_nobody_would_build_is_not_in_the_graph() {
        let package = |name: &str, is_ours| Package {
            name: name.to_owned(),
            version: "1.0.0".to_owned(),
            license: None,
            is_ours,
            is_proc_macro: false,
        };
        let all = Graph {
            packages: vec![
                package("weak", false),
                package("a", true),
                package("b", false),
                package("c", false),
            ],
            edges: vec![
                (1, 2, Kind::Normal),
                (2, 0, Kind::Normal),
                (2, 3, Kind::Build),
                (0, 3, Kind::Normal),
            ],
        };
        let built = built("0 a v1.0.0 (/a)\n1 b v1.0.0\n2 c v1.0.0\n\n0 c v1.0.0 (*)\n").unwrap();
        let graph = all.only(&built);
        let names: Vec<&str> = graph.packages.iter().map(|package| package.name.as_str()).collect();
        assert_eq!(names, ["a", "b", "c"]);
        assert_eq!(graph.edges, [(0, 1, Kind::Normal), (1, 2, Kind::Build)]);
        assert!(super::built("a v1").is_err() && super::built("0 a 1.0.0").is_err());
    }
}
