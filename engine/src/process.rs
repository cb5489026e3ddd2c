//! The process as the system sees it, for the metrics page: memory, open files, processor time.
//!
//! Read from `/proc` when somebody asks, and never otherwise; on a system without it the series are absent.

use std::fmt::Write as _;

use crate::counters::{family, line};

/// Ticks per second of the times in `/proc`, on every Linux that we know.
const TICKS_PER_SECOND: f64 = 100.0;

/// Appends what is known of the process.
pub(crate) fn render(out: &mut String) {
    let text = |path| std::fs::read_to_string(path).ok();
    if let Some(bytes) = text("/proc/self/status").as_deref().and_then(resident_bytes) {
        family(out, "process_resident_memory_bytes", "gauge", "Memory that the process has in use.");
        line(out, "process_resident_memory_bytes", bytes);
    }
    if let Ok(files) = std::fs::read_dir("/proc/self/fd") {
        family(out, "process_open_fds", "gauge", "Open files and sockets.");
        // One of them is the directory that is being read.
        line(out, "process_open_fds", files.count().saturating_sub(1) as u64);
    }
    if let Some((seconds, threads)) = text("/proc/self/stat").as_deref().and_then(times) {
        family(out, "process_cpu_seconds_total", "counter", "Processor time used, by program and system.");
        // Writing to a String cannot fail.
        let _ = writeln!(out, "process_cpu_seconds_total {seconds}");
        family(out, "process_threads", "gauge", "Threads.");
        line(out, "process_threads", threads);
    }
}

fn resident_bytes(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    kilobytes.checked_mul(1_024)
}

/// Seconds and threads. The name, which may hold anything, stands in brackets before all that is counted.
fn times(stat: &str) -> Option<(f64, u64)> {
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let number = |place: usize| fields.get(place)?.parse::<u64>().ok();
    Some(((number(11)? + number(12)?) as f64 / TICKS_PER_SECOND, number(17)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strange_name_moves_no_field() {
        let stat = "7 (a) b (c) S 1 7 7 0 -1 4194304 900 0 0 0 250 150 0 0 20 0 9 0 100 1 2";
        assert_eq!(times(stat), Some((4.0, 9)));
        assert_eq!((times(""), times("7 (a) S 1")), (None, None));
    }

    #[test]
    fn memory_is_in_bytes() {
        assert_eq!(resident_bytes("VmPeak:\t 9 kB\nVmRSS:\t    2048 kB\n"), Some(2_097_152));
        assert_eq!(resident_bytes("VmRSS: much"), None);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn this_process_has_memory_files_and_threads() {
        let mut out = String::new();
        render(&mut out);
        for name in ["process_resident_memory_bytes", "process_open_fds", "process_threads"] {
            let value = out.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<u64>().ok());
            assert!(value.is_some_and(|value| value > 0), "{name} in {out}");
        }
    }
}
