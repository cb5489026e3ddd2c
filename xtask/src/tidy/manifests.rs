//! Rules for manifests: one place for versions, one set of lints, one source of packages.
//!
//! Guarantees: every member of the workspace is listed there and inherits edition, licence, lints and dependency versions;
//! every package, also in the lock file, comes from crates.io or from this repository.

use toml::{Table, Value};

use super::Problem;
use super::files::RepoFile;

/// Keys that every member takes from the workspace.
const INHERITED: [&str; 5] = ["version", "edition", "rust-version", "license", "publish"];
/// Tables of dependencies.
const DEPENDENCY_TABLES: [&str; 3] = ["dependencies", "dev-dependencies", "build-dependencies"];
/// The only foreign source of packages.
const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// One crate of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its package name.
    pub name: String,
    /// Its folder.
    pub folder: String,
}

/// Checks the workspace's manifest, its members' and the lock file; returns the members.
pub fn check(files: &[RepoFile], problems: &mut Vec<Problem>) -> Vec<Member> {
    let mut members = Vec::new();
    for file in files.iter().filter(|file| file.path == "Cargo.toml" || file.path.ends_with("/Cargo.toml")) {
        let manifest = match file.text.parse::<Table>() {
            Ok(manifest) => manifest,
            Err(error) => {
                problems.push(Problem::new(&file.path, 0, format!("cannot be read: {}", error.message())));
                continue;
            }
        };
        if file.path == "Cargo.toml" {
            check_workspace(&manifest, files, problems);
        } else {
            let folder = file.path.trim_end_matches("/Cargo.toml").to_owned();
            let name = text_at(&manifest, &["package", "name"]).unwrap_or_default().to_owned();
            check_member(&file.path, &manifest, problems);
            members.push(Member { name, folder });
        }
    }
    if let Some(lock) = files.iter().find(|file| file.path == "Cargo.lock") {
        check_lock(lock, problems);
    }
    members
}

fn check_workspace(manifest: &Table, files: &[RepoFile], problems: &mut Vec<Problem>) {
    let mut complain = |message: String| problems.push(Problem::new("Cargo.toml", 0, message));
    let listed: Vec<&str> = at(manifest, &["workspace", "members"])
        .and_then(Value::as_array)
        .map(|members| members.iter().filter_map(Value::as_str).collect())
        .unwrap_or_default();
    for file in files.iter().filter(|file| file.path.ends_with("/Cargo.toml")) {
        let folder = file.path.trim_end_matches("/Cargo.toml");
        if !listed.contains(&folder) {
            complain(format!("`{folder}` is not a member of the workspace"));
        }
    }
    let Some(dependencies) = at(manifest, &["workspace", "dependencies"]).and_then(Value::as_table) else {
        return;
    };
    for (name, dependency) in dependencies {
        let path = dependency.get("path").and_then(Value::as_str);
        let has_version = dependency.is_str() || dependency.get("version").is_some_and(Value::is_str);
        if ["git", "registry", "branch", "rev"].iter().any(|key| dependency.get(key).is_some()) {
            complain(format!("`{name}` does not come from crates.io"));
        } else if path.is_some_and(|path| !listed.contains(&path)) {
            complain(format!("`{name}` is a path outside the workspace"));
        } else if path.is_none() && !has_version {
            complain(format!("`{name}` names no version"));
        } else if path.is_none() && is_wildcard(dependency) {
            complain(format!("`{name}` takes any version"));
        }
    }
}

fn is_wildcard(dependency: &Value) -> bool {
    dependency
        .as_str()
        .or_else(|| dependency.get("version").and_then(Value::as_str))
        .is_some_and(|text| text.contains('*'))
}

fn check_member(path: &str, manifest: &Table, problems: &mut Vec<Problem>) {
    let mut complain = |message: String| problems.push(Problem::new(path, 0, message));
    for key in INHERITED {
        if !is_inherited(at(manifest, &["package", key])) {
            complain(format!("`{key}` is not the workspace's: write `{key}.workspace = true`"));
        }
    }
    if text_at(manifest, &["package", "description"]).is_none() {
        complain("has no description".into());
    }
    if !is_inherited(at(manifest, &["lints"])) {
        complain("does not use the workspace's lints: write `[lints] workspace = true`".into());
    }
    if manifest.contains_key("target") {
        complain("has dependencies of one platform only; nothing checks those".into());
    }
    for table in DEPENDENCY_TABLES {
        for (name, dependency) in at(manifest, &[table]).and_then(Value::as_table).into_iter().flatten() {
            if !is_inherited(Some(dependency)) {
                complain(format!("`{name}` in [{table}] is not pinned in [workspace.dependencies]"));
            }
        }
    }
}

fn is_inherited(value: Option<&Value>) -> bool {
    value.and_then(|value| value.get("workspace")).and_then(Value::as_bool) == Some(true)
}

fn check_lock(lock: &RepoFile, problems: &mut Vec<Problem>) {
    let Ok(table) = lock.text.parse::<Table>() else {
        problems.push(Problem::new(&lock.path, 0, "cannot be read"));
        return;
    };
    let packages = table.get("package").and_then(Value::as_array);
    for package in packages.into_iter().flatten() {
        // A package without a source is one of ours.
        let source = package.get("source").and_then(Value::as_str).unwrap_or(CRATES_IO);
        if source != CRATES_IO {
            let name = package.get("name").and_then(Value::as_str).unwrap_or("?");
            problems.push(Problem::new(
                &lock.path,
                0,
                format!("`{name}` comes from `{source}`, not from crates.io"),
            ));
        }
    }
}

fn at<'t>(table: &'t Table, path: &[&str]) -> Option<&'t Value> {
    let (first, rest) = path.split_first()?;
    rest.iter().try_fold(table.get(*first)?, |value, key| value.get(key))
}

fn text_at<'t>(table: &'t Table, path: &[&str]) -> Option<&'t str> {
    at(table, path)?.as_str()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEMBER: &str = "[package]\nname = \"a\"\nversion.workspace = true\nedition.workspace = true\n\
        rust-version.workspace = true\nlicense.workspace = true\npublish.workspace = true\ndescription = \"A\"\n\
        [dependencies]\nserde.workspace = true\nclap = { workspace = true, features = [\"env\"] }\n\
        [lints]\nworkspace = true\n";
    const ROOT: &str = "[workspace]\nmembers = [\"a\"]\n[workspace.dependencies]\nserde = \"1\"\na = { path = \"a\" }\n\
        clap = { version = \"4\" }\n";

    fn problems(root: &str, member: &str, lock: &str) -> Vec<String> {
        let file = |path: &str, text: &str| RepoFile { path: path.into(), text: text.into() };
        let files = [file("Cargo.lock", lock), file("Cargo.toml", root), file("a/Cargo.toml", member)];
        let mut problems = Vec::new();
        let members = check(&files, &mut problems);
        assert_eq!(members, [Member { name: "a".into(), folder: "a".into() }]);
        problems.into_iter().map(|problem| problem.message).collect()
    }

    /// The only problem of a member in which `from` was replaced.
    fn member_problem(from: &str, to: &str) -> String {
        let found = problems(ROOT, &MEMBER.replace(from, to), "");
        assert_eq!(found.len(), 1, "{found:?}");
        found[0].clone()
    }

    fn root_problem(from: &str, to: &str) -> String {
        let found = problems(&ROOT.replace(from, to), MEMBER, "");
        assert_eq!(found.len(), 1, "{found:?}");
        found[0].clone()
    }

    #[test]
    fn good_manifests_have_no_problem() {
        assert_eq!(problems(ROOT, MEMBER, ""), Vec::<String>::new());
    }

    #[test]
    fn members_inherit_edition_licence_and_lints() {
        assert!(
            member_problem("edition.workspace = true", "edition = \"2021\"").starts_with("`edition` is not")
        );
        assert!(member_problem("license.workspace = true\n", "").starts_with("`license` is not"));
        assert!(
            member_problem("[lints]\nworkspace = true", "").starts_with("does not use the workspace's lints")
        );
        assert_eq!(member_problem("description = \"A\"\n", ""), "has no description");
    }

    #[test]
    fn members_name_no_versions() {
        let unpinned = "`serde` in [dependencies] is not pinned in [workspace.dependencies]";
        assert_eq!(member_problem("serde.workspace = true", "serde = \"1\""), unpinned);
        assert_eq!(member_problem("serde.workspace = true", "serde = { path = \"../x\" }"), unpinned);
        let platform = "[target.'cfg(unix)'.dependencies]\nlibc = \"0.2\"\n[lints]";
        assert!(member_problem("[lints]", platform).starts_with("has dependencies of one platform"));
    }

    #[test]
    fn dependencies_come_from_crates_io_or_from_here() {
        assert_eq!(
            root_problem("serde = \"1\"", "serde = { git = \"https://x\" }"),
            "`serde` does not come from crates.io"
        );
        assert_eq!(root_problem("path = \"a\"", "path = \"../a\""), "`a` is a path outside the workspace");
        assert_eq!(root_problem("serde = \"1\"", "serde = { features = [] }"), "`serde` names no version");
        assert_eq!(root_problem("serde = \"1\"", "serde = \"*\""), "`serde` takes any version");
    }

    #[test]
    fn every_crate_is_a_member() {
        let found = problems("[workspace]\nmembers = []\n", MEMBER, "");
        assert_eq!(found, ["`a` is not a member of the workspace"]);
    }

    #[test]
    fn the_lock_file_names_no_other_source() {
        let lock = |source: &str| {
            format!("[[package]]\nname = \"x\"\nsource = \"{source}\"\n[[package]]\nname = \"ours\"\n")
        };
        assert_eq!(problems(ROOT, MEMBER, &lock(CRATES_IO)), Vec::<String>::new());
        let found = problems(ROOT, MEMBER, &lock("git+https://x"));
        assert_eq!(found, ["`x` comes from `git+https://x`, not from crates.io"]);
    }

    #[test]
    fn a_broken_manifest_is_a_problem() {
        let mut problems = Vec::new();
        check(&[RepoFile { path: "a/Cargo.toml".into(), text: "[".into() }], &mut problems);
        assert!(problems[0].message.starts_with("cannot be read"));
    }
}
