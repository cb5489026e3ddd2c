//! Diagnostics for programs: JSON, SARIF and GitHub's workflow commands. For people there is [`Diagnostic::render`].
//!
//! Lines and columns count from one; columns count characters (Unicode code points), as the text rendering does.

use serde_json::{Value, json};

use crate::codes::REGISTRY;
use crate::diagnostic::{Diagnostic, Place, Severity, SourceFile, line_column};

/// The format and its version, as SARIF readers expect them (OASIS SARIF 2.1.0, section 3.13).
const SARIF_SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";

/// How diagnostics are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For people: the source line with carets.
    Text,
    /// An array of objects.
    Json,
    /// SARIF 2.1.0, which code hosts and editors read.
    Sarif,
    /// GitHub's `::error …` workflow commands.
    Github,
}

/// All diagnostics in one format. Ends with a line break unless it is empty.
pub fn render(diagnostics: &[Diagnostic], files: &[SourceFile], format: Format) -> String {
    let pretty = |value: Value| format!("{value:#}\n");
    match format {
        Format::Text => diagnostics.iter().map(|one| one.render(files)).collect(),
        Format::Json => pretty(diagnostics.iter().map(|one| json_of(one, files)).collect()),
        Format::Sarif => pretty(sarif(diagnostics, files)),
        Format::Github => diagnostics.iter().map(|one| github(one, files)).collect(),
    }
}

/// One diagnostic as a JSON object; `file`, `start` and `end` are absent when it is not about a place.
pub fn json_of(diagnostic: &Diagnostic, files: &[SourceFile]) -> Value {
    let mut object = json!({
        "code": diagnostic.code.to_string(),
        "severity": severity(diagnostic.severity),
        "message": diagnostic.message,
        "label": diagnostic.label,
        "help": diagnostic.help,
        "secondary": diagnostic.secondary.iter().map(|label| {
            let mut object = json!({ "label": label.text });
            put_place(&mut object, label.place, files);
            object
        }).collect::<Vec<Value>>(),
        "fixes": diagnostic.fixes.iter().map(|fix| {
            let mut object = json!({ "text": fix.text });
            put_place(&mut object, fix.place, files);
            object
        }).collect::<Vec<Value>>(),
    });
    put_place(&mut object, diagnostic.place(), files);
    object
}

fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

fn put_place(object: &mut Value, place: Place, files: &[SourceFile]) {
    let Some(file) = files.get(place.file as usize) else { return };
    let position = |byte: u32| {
        let (line, column) = line_column(&file.text, byte as usize);
        json!({ "line": line, "column": column, "byte": byte })
    };
    object["file"] = json!(file.path);
    object["start"] = position(place.start);
    object["end"] = position(place.end);
}

fn sarif(diagnostics: &[Diagnostic], files: &[SourceFile]) -> Value {
    let rules: Vec<Value> = REGISTRY
        .iter()
        .map(|entry| {
            json!({
                "id": entry.code.to_string(),
                "shortDescription": { "text": entry.title },
                "fullDescription": { "text": entry.explanation },
                "defaultConfiguration": { "level": severity(entry.code.severity()) },
            })
        })
        .collect();
    let results: Vec<Value> = diagnostics.iter().map(|one| sarif_result(one, files)).collect();
    json!({
        "$schema": SARIF_SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": { "name": "rulec", "version": env!("CARGO_PKG_VERSION"), "rules": rules } },
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    })
}

fn sarif_result(diagnostic: &Diagnostic, files: &[SourceFile]) -> Value {
    let help: String = diagnostic.help.iter().map(|help| format!("\n{help}")).collect();
    let mut result = json!({
        "ruleId": diagnostic.code.to_string(),
        "ruleIndex": diagnostic.code as usize,
        "level": severity(diagnostic.severity),
        "message": { "text": format!("{}{help}", diagnostic.message) },
    });
    if let Some(location) = sarif_location(diagnostic.place(), files) {
        result["locations"] = json!([location]);
    }
    let related: Vec<Value> = diagnostic
        .secondary
        .iter()
        .filter_map(|label| {
            let mut location = sarif_location(label.place, files)?;
            location["message"] = json!({ "text": label.text });
            Some(location)
        })
        .collect();
    if !related.is_empty() {
        result["relatedLocations"] = json!(related);
    }
    let fixes: Vec<Value> = diagnostic.fixes.iter().filter_map(|fix| sarif_fix(fix, files)).collect();
    if !fixes.is_empty() {
        result["fixes"] = json!(fixes);
    }
    result
}

fn sarif_fix(fix: &crate::diagnostic::Fix, files: &[SourceFile]) -> Option<Value> {
    let physical = sarif_location(fix.place, files)?;
    Some(json!({
        "description": { "text": format!("write `{}`", fix.text) },
        "artifactChanges": [{
            "artifactLocation": physical["physicalLocation"]["artifactLocation"],
            "replacements": [{
                "deletedRegion": physical["physicalLocation"]["region"],
                "insertedContent": { "text": fix.text },
            }],
        }],
    }))
}

fn sarif_location(place: Place, files: &[SourceFile]) -> Option<Value> {
    let file = files.get(place.file as usize)?;
    let (start_line, start_column) = line_column(&file.text, place.start as usize);
    let (end_line, end_column) = line_column(&file.text, place.end as usize);
    Some(json!({
        "physicalLocation": {
            "artifactLocation": { "uri": file.path.replace('\\', "/") },
            "region": {
                "startLine": start_line,
                "startColumn": start_column,
                "endLine": end_line,
                "endColumn": end_column,
            },
        },
    }))
}

fn github(diagnostic: &Diagnostic, files: &[SourceFile]) -> String {
    let mut properties = Vec::new();
    let place = diagnostic.place();
    if let Some(file) = files.get(place.file as usize) {
        let (line, column) = line_column(&file.text, place.start as usize);
        let (end_line, end_column) = line_column(&file.text, place.end as usize);
        properties.push(format!("file={}", escaped(&file.path, true)));
        properties.push(format!("line={line},endLine={end_line},col={column},endColumn={end_column}"));
    }
    properties.push(format!("title={}", diagnostic.code));
    let help: String = diagnostic.help.iter().map(|help| format!("\n{help}")).collect();
    let message = escaped(&format!("{}{help}", diagnostic.message), false);
    format!("::{} {}::{message}\n", severity(diagnostic.severity), properties.join(","))
}

/// Workflow commands end at a line break; properties also at `,` and `:`.
fn escaped(text: &str, is_property: bool) -> String {
    let text = text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
    if is_property { text.replace(':', "%3A").replace(',', "%2C") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codes::Code;

    fn sample() -> (Vec<Diagnostic>, Vec<SourceFile>) {
        let text = "rule \"ă\" { when moblie then no ad }\n".to_owned();
        let files = vec![SourceFile { path: "a,b.rules".into(), text }];
        let place = Place { file: 0, start: 17, end: 23 };
        let one = Diagnostic::new(Code::E040, place, "there is no attribute `moblie`")
            .secondary(Place { file: 0, start: 0, end: 4 }, "in this rule")
            .did_you_mean(Some("mobile"));
        (vec![one, Diagnostic::new(Code::E080, Place::NOWHERE, "too\nlarge")], files)
    }

    #[test]
    fn json_counts_lines_and_characters_from_one() {
        let (diagnostics, files) = sample();
        let parsed: Value = serde_json::from_str(&render(&diagnostics, &files, Format::Json)).unwrap();
        assert_eq!(parsed[0]["start"], json!({ "line": 1, "column": 17, "byte": 17 }));
        assert_eq!(parsed[0]["fixes"][0]["text"], "mobile");
        assert_eq!(parsed[0]["fixes"][0]["end"]["column"], 23);
        assert_eq!(parsed[1]["code"], "E080");
        assert!(parsed[1].get("file").is_none());
    }

    #[test]
    fn sarif_names_every_rule_and_points_into_the_list() {
        let (diagnostics, files) = sample();
        let parsed: Value = serde_json::from_str(&render(&diagnostics, &files, Format::Sarif)).unwrap();
        let run = &parsed["runs"][0];
        let result = &run["results"][0];
        let index = result["ruleIndex"].as_u64().unwrap() as usize;
        assert_eq!(run["tool"]["driver"]["rules"][index]["id"], result["ruleId"]);
        assert_eq!(result["locations"][0]["physicalLocation"]["region"]["startColumn"], 17);
        assert_eq!(result["relatedLocations"][0]["message"]["text"], "in this rule");
        let change = &result["fixes"][0]["artifactChanges"][0];
        assert_eq!(change["replacements"][0]["insertedContent"]["text"], "mobile");
        assert!(run["results"][1].get("locations").is_none());
    }

    #[test]
    fn github_commands_stay_on_one_line() {
        let (diagnostics, files) = sample();
        let text = render(&diagnostics, &files, Format::Github);
        assert_eq!(
            text,
            "::error file=a%2Cb.rules,line=1,endLine=1,col=17,endColumn=23,title=E040::there is no attribute \
             `moblie`%0Adid you mean `mobile`?\n::error title=E080::too%0Alarge\n"
        );
    }
}
