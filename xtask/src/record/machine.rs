//! What a number was measured on: machine, commit, day.
//!
//! Total where it can be: a machine that does not say what it is made of is described as unknown.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, ensure};

/// Processor, cores and memory in one line.
pub(super) fn describe() -> String {
    let processors = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let memory = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let model = field(&processors, "model name").unwrap_or("unknown processor");
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let kib = field(&memory, "MemTotal").and_then(|text| text.split_whitespace().next()?.parse::<u64>().ok());
    let memory = kib.map_or("unknown memory".to_owned(), |kib| format!("{} GiB", (kib + (1 << 19)) >> 20));
    format!("{model}, {cores} cores, {memory}, {}-{}", std::env::consts::OS, std::env::consts::ARCH)
}

/// `name : value`.
fn field<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    text.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == name).then(|| value.trim())
    })
}

/// The commit, and whether the sources differ from it.
pub(super) fn commit(root: &Path) -> anyhow::Result<String> {
    let commit = output(root, "git", &["rev-parse", "--short=12", "HEAD"])?;
    let changes = output(root, "git", &["status", "--porcelain", "--untracked-files=no"])?;
    Ok(if changes.is_empty() { commit } else { format!("{commit} with uncommitted changes") })
}

/// Today, in UTC.
pub(super) fn date() -> anyhow::Result<String> {
    output(Path::new("."), "date", &["-u", "+%Y-%m-%d"])
}

fn output(folder: &Path, program: &str, arguments: &[&str]) -> anyhow::Result<String> {
    let output = Command::new(program).args(arguments).current_dir(folder).output();
    let output = output.with_context(|| format!("cannot run {program}"))?;
    ensure!(output.status.success(), "{program} failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_by_their_whole_name() {
        let text = "model\t\t: 85\nmodel name\t: Some Processor\n";
        assert_eq!(field(text, "model name"), Some("Some Processor"));
        assert_eq!(field(text, "stepping"), None);
    }
}
