//! How a message about places looks as text: the source lines, with marks and remarks under them.

use super::{Label, Place, Severity, SourceFile};
use crate::limits;

/// A message about places in files, ready to be printed: what every kind of diagnostic looks like as text.
#[derive(Debug, Clone, Copy)]
pub struct Snippet<'a> {
    /// Error or warning.
    pub severity: Severity,
    /// Stable code.
    pub code: &'a str,
    /// What is wrong.
    pub message: &'a str,
    /// The place it is about, then other places that matter.
    pub labels: &'a [Label],
    /// What to do about it.
    pub help: &'a [String],
}

impl Snippet<'_> {
    /// Plain text with the source lines and carets. Ends with a line break.
    pub fn render(&self, files: &[SourceFile]) -> String {
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        let mut out = format!("{severity}[{}]: {}\n", self.code, self.message);
        let lines: Vec<Marked<'_>> = marked_lines(files, self.labels);
        let width = lines.iter().map(|marked| marked.line.number.to_string().len()).max().unwrap_or(1);
        let mut last_file = None;
        for marked in &lines {
            let Line { path, number, column, text, .. } = &marked.line;
            if last_file != Some(marked.file) {
                out.push_str(&format!("{:width$}--> {path}:{number}:{column}\n{:width$} |\n", "", ""));
            }
            last_file = Some(marked.file);
            out.push_str(&format!("{number:width$} | {}\n", text.replace('\t', " ")));
            for row in &marked.rows {
                out.push_str(format!("{:width$} | {}", "", row_text(row)).trim_end());
                out.push('\n');
            }
        }
        for help in self.help {
            out.push_str(&format!("{:width$} = help: {help}\n", ""));
        }
        out
    }
}

/// A source line and the marks under it.
struct Marked<'a> {
    file: u32,
    line: Line<'a>,
    /// Rows of marks with their remarks: column, counted from zero, and text.
    rows: Vec<Vec<(usize, String)>>,
}

/// Columns between a remark and the next mark in the same row.
const MARK_GAP: usize = 2;

/// The lines to show. Labels of one line that follow one another share it, and a row of marks where they fit.
fn marked_lines<'a>(files: &'a [SourceFile], labels: &[Label]) -> Vec<Marked<'a>> {
    let mut lines: Vec<Marked<'a>> = Vec::new();
    for (index, label) in labels.iter().enumerate() {
        let Some(line) = line_of(files, label.place) else { continue };
        let mark = if index == 0 { "^" } else { "-" };
        let text = format!("{} {}", mark.repeat(line.carets), label.text);
        let (start, text) = (line.column - 1 - line.cut, text.trim_end().to_owned());
        match lines.last_mut() {
            Some(last)
                if last.file == label.place.file
                    && (last.line.number, last.line.cut) == (line.number, line.cut) =>
            {
                put_in_row(&mut last.rows, start, text);
            }
            _ => {
                let rows = vec![vec![(start, text)]];
                lines.push(Marked { file: label.place.file, line, rows });
            }
        }
    }
    lines
}

fn put_in_row(rows: &mut Vec<Vec<(usize, String)>>, start: usize, text: String) {
    let end = start + text.chars().count();
    let is_free = |row: &Vec<(usize, String)>| {
        row.iter()
            .all(|(other, text)| end + MARK_GAP <= *other || other + text.chars().count() + MARK_GAP <= start)
    };
    match rows.last_mut().filter(|row| is_free(row)) {
        Some(row) => row.push((start, text)),
        None => rows.push(vec![(start, text)]),
    }
}

fn row_text(row: &[(usize, String)]) -> String {
    let mut marks: Vec<&(usize, String)> = row.iter().collect();
    marks.sort_by_key(|(start, _)| *start);
    let (mut out, mut at) = (String::new(), 0);
    for (start, text) in marks {
        out.push_str(&" ".repeat(start.saturating_sub(at)));
        out.push_str(text);
        at = start + text.chars().count();
    }
    out
}

/// The line a place starts in.
struct Line<'a> {
    path: &'a str,
    number: usize,
    column: usize,
    /// The line, or the part of a long one around the mark.
    text: &'a str,
    /// Characters left out before `text`.
    cut: usize,
    carets: usize,
}

fn line_of(files: &[SourceFile], place: Place) -> Option<Line<'_>> {
    let file = files.get(place.file as usize)?;
    let text = file.text.as_str();
    let (number, column) = line_column(text, place.start as usize);
    let start = floor_boundary(text, place.start as usize);
    let line_start = text[..start].rfind('\n').map_or(0, |at| at + 1);
    let line_end = text[start..].find('\n').map_or(text.len(), |at| start + at);
    let end = floor_boundary(text, place.end as usize).clamp(start, line_end);
    let (from, to) = window(text, line_start, start, line_end);
    let carets = text[start..end.min(to).max(start)].chars().count().max(1);
    let (cut, line) = (text[line_start..from].chars().count(), text[from..to].trim_end());
    Some(Line { path: &file.path, number, column, text: line, cut, carets })
}

/// The bytes of a line to show: all of it, or of a long line some characters before `at` and more after it.
fn window(text: &str, line_start: usize, at: usize, line_end: usize) -> (usize, usize) {
    let is_long = text[line_start..line_end].chars().nth(limits::LINE_CHARS_MAX).is_some();
    if !is_long {
        return (line_start, line_end);
    }
    let before = text[line_start..at].char_indices().rev().nth(limits::LINE_CHARS_MAX / 3);
    let from = before.map_or(line_start, |(offset, _)| line_start + offset);
    let after = text[from..line_end].char_indices().nth(limits::LINE_CHARS_MAX);
    (from, after.map_or(line_end, |(offset, _)| from + offset))
}

/// Line and column of a byte, both counted from one, the column in characters.
///
/// A byte inside a character counts as the character; one past the end counts as the end.
pub fn line_column(text: &str, byte: usize) -> (usize, usize) {
    let byte = floor_boundary(text, byte);
    let before = &text[..byte];
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    (before.bytes().filter(|byte| *byte == b'\n').count() + 1, before[line_start..].chars().count() + 1)
}

fn floor_boundary(text: &str, byte: usize) -> usize {
    let mut byte = byte.min(text.len());
    while !text.is_char_boundary(byte) {
        byte -= 1;
    }
    byte
}
