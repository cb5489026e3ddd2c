//! Rules for documents: relative links lead somewhere, and the architecture page knows every crate.
//!
//! Not here: links to other sites (checking those would need the network) and prose.

use std::path::Path;

use super::Problem;
use super::files::RepoFile;
use super::manifests::Member;

/// The page that must name every crate.
pub const ARCHITECTURE_PAGE: &str = "docs/ARCHITECTURE.md";

/// Checks the documents of the repository at `root`.
pub fn check(root: &Path, files: &[RepoFile], members: &[Member], problems: &mut Vec<Problem>) {
    let exists = |path: &str| root.join(path).exists();
    for file in files.iter().filter(|file| is_document(&file.path)) {
        check_links(file, &exists, problems);
    }
    if let Some(page) = files.iter().find(|file| file.path == ARCHITECTURE_PAGE) {
        check_crates_named(page, members, problems);
    }
}

/// Pages for people; rule suites and other test data are not.
fn is_document(path: &str) -> bool {
    let is_top = !path.contains('/');
    path.ends_with(".md")
        && (is_top || path.starts_with("docs/") || path.ends_with("/README.md") || path.contains("/record/"))
}

fn check_links(file: &RepoFile, exists: &dyn Fn(&str) -> bool, problems: &mut Vec<Problem>) {
    for (line, target) in links(&file.text) {
        let path = target.split(['#', '?']).next().unwrap_or_default();
        let is_elsewhere = target.contains("://") || target.starts_with("mailto:");
        if is_elsewhere || path.is_empty() {
            continue;
        }
        if !resolve(&file.path, path).is_some_and(|path| exists(&path)) {
            problems.push(Problem::new(&file.path, line, format!("the link to `{target}` leads nowhere")));
        }
    }
}

/// The path that a link means, relative to the repository; `None` when it leaves the repository.
fn resolve(page: &str, link: &str) -> Option<String> {
    let mut parts: Vec<&str> = page.split('/').collect();
    parts.pop();
    if link.starts_with('/') {
        parts.clear();
    }
    for part in link.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// Targets of inline links and of reference definitions, outside of code.
fn links(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut fence: Option<&str> = None;
    for (row, line) in text.lines().enumerate() {
        let trimmed = line.trim_start();
        let marker = ["```", "~~~"].into_iter().find(|marker| trimmed.starts_with(marker));
        match (fence, marker) {
            (None, Some(marker)) => fence = Some(marker),
            (Some(open), Some(marker)) if open == marker => fence = None,
            (None, None) => {
                let prose = without_code(line);
                found.extend(inline_links(&prose).map(|target| (row + 1, target.to_owned())));
                found.extend(definition(&prose).map(|target| (row + 1, target.to_owned())));
            }
            _ => {}
        }
    }
    found
}

/// The line without what stands between backticks.
fn without_code(line: &str) -> String {
    let parts: Vec<&str> = line.split('`').collect();
    // An odd part stands in backticks, unless they are not closed.
    let is_code = |index: usize| index % 2 == 1 && index + 1 < parts.len();
    parts.iter().enumerate().filter(|(index, _)| !is_code(*index)).map(|(_, part)| *part).collect()
}

/// `[text](target "title")`.
fn inline_links(line: &str) -> impl Iterator<Item = &str> {
    line.split("](").skip(1).filter_map(|rest| {
        let target = rest.split(')').next()?.split_whitespace().next()?;
        Some(target.trim_matches(['<', '>']))
    })
}

/// `[label]: target`.
fn definition(line: &str) -> Option<&str> {
    let (label, rest) = line.strip_prefix('[')?.split_once("]:")?;
    let is_label = !label.contains(['[', ']']) && !label.starts_with('^');
    rest.split_whitespace().next().filter(|_| is_label)
}

fn check_crates_named(page: &RepoFile, members: &[Member], problems: &mut Vec<Problem>) {
    let rows: Vec<&str> = page.text.lines().filter(|line| line.starts_with('|')).collect();
    for member in members {
        let name = format!("`{}`", member.name);
        if !rows.iter().any(|row| row.contains(&name)) {
            problems.push(Problem::new(&page.path, 0, format!("no table names the crate {name}")));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broken(path: &str, text: &str) -> Vec<String> {
        let file = RepoFile { path: path.into(), text: text.into() };
        let mut problems = Vec::new();
        let exists = |path: &str| ["README.md", "docs/A.md", "docs/adr/1.md"].contains(&path);
        check_links(&file, &exists, &mut problems);
        problems.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn links_to_files_must_lead_somewhere() {
        assert_eq!(
            broken("README.md", "a\n[x](docs/B.md)\n"),
            ["README.md:2: the link to `docs/B.md` leads nowhere"]
        );
        assert_eq!(broken("README.md", "[x]: docs/B.md\n").len(), 1);
        assert_eq!(broken("README.md", "![x](<docs/B.png> \"title\")\n").len(), 1);
        assert_eq!(broken("docs/A.md", "[x](../../outside.md)").len(), 1);
    }

    #[test]
    fn good_links_pass() {
        let text = "[a](docs/A.md), [b](docs/A.md#part \"title\"), [c](https://x.example/y), [d](#here), [e](./docs/adr/1.md)";
        assert_eq!(broken("README.md", text), Vec::<String>::new());
        assert_eq!(
            broken("docs/A.md", "[a](adr/1.md) [b](../README.md) [c](/docs/A.md)"),
            Vec::<String>::new()
        );
        assert_eq!(broken("README.md", "[^1]: a footnote\n- [ ]: no link\n"), Vec::<String>::new());
    }

    #[test]
    fn code_holds_no_links() {
        assert_eq!(
            broken("README.md", "`a[0](b)`\n```text\n[x](y)\n```\n~~~\n[x](y)\n```\n~~~\n"),
            Vec::<String>::new()
        );
        assert_eq!(broken("README.md", "```\n```\n[x](y)\n").len(), 1);
    }

    #[test]
    fn test_data_is_not_a_document() {
        assert!(is_document("README.md") && is_document("docs/adr/1.md") && is_document("benches/README.md"));
        assert!(!is_document("fixtures/rules/decisions.md"));
    }

    #[test]
    fn the_architecture_page_names_every_crate_in_a_table() {
        let page = RepoFile { path: ARCHITECTURE_PAGE.into(), text: "`a` in prose\n| `b` | x |\n".into() };
        let member = |name: &str| Member { name: name.into(), folder: name.into() };
        let mut problems = Vec::new();
        check_crates_named(&page, &[member("a"), member("b")], &mut problems);
        assert_eq!(problems.len(), 1);
        assert_eq!(problems[0].message, "no table names the crate `a`");
    }
}
