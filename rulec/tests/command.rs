//! The command as people and editors run it: a real process, real files, real pipes.
#![cfg(feature = "command")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Output, Stdio};

use serde_json::{Value, json};

const GOOD: &str = "rule \"r\" fallback { then show creative \"a\" }\n";
const BAD: &str = "rule \"r\" { when device.tpye is mobile then show creative \"a\" }\n";
const SEGMENTS: &str = "segment \"wet\" {\n  weekday is mon\n}\nrule \"s\" for placement \"p\" fallback {\n  \
    unless segment(\"wet\")\n  then no ad\n}\n";

fn rulec(arguments: &[&str], directory: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rulec"));
    command.args(arguments).current_dir(directory).output().unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn check_fails_on_errors_and_on_denied_warnings() {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(directory.path().join(name), text).unwrap();
    write("good.rules", GOOD);
    let good = rulec(&["check", "."], directory.path());
    assert_eq!((good.status.code(), out(&good).as_str()), (Some(0), ""));
    write("lonely.rules", "segment \"lonely\" { weekday is mon }\n");
    assert_eq!(rulec(&["check", "."], directory.path()).status.code(), Some(0));
    assert_eq!(rulec(&["check", ".", "--deny", "warnings"], directory.path()).status.code(), Some(1));
    write("bad.rules", BAD);
    let bad = rulec(&["check", "bad.rules", "--format", "json"], directory.path());
    let found: Value = serde_json::from_str(&out(&bad)).unwrap();
    assert_eq!((bad.status.code(), &found[0]["code"]), (Some(1), &json!("E040")));
    assert_eq!(found[0]["file"], "bad.rules");
    assert_eq!(rulec(&["check", "missing.rules"], directory.path()).status.code(), Some(2));
    assert_eq!(rulec(&["frobnicate"], directory.path()).status.code(), Some(2));
}

#[test]
fn fmt_changes_files_once() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.rules");
    std::fs::write(&path, "rule   \"r\"   fallback {then show creative \"a\"}").unwrap();
    let check = rulec(&["fmt", "--check", "."], directory.path());
    assert_eq!(check.status.code(), Some(1));
    assert!(out(&check).contains("a.rules is not formatted"));
    assert_eq!(rulec(&["fmt", "."], directory.path()).status.code(), Some(0));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), GOOD);
    assert_eq!(rulec(&["fmt", "--check", "."], directory.path()).status.code(), Some(0));
}

#[test]
fn explain_knows_every_code_and_guesses_others() {
    let directory = tempfile::tempdir().unwrap();
    for entry in rulec::REGISTRY {
        let explained = rulec(&["explain", &entry.code.to_string()], directory.path());
        assert!(out(&explained).contains(entry.title), "{}", entry.code);
    }
    assert_eq!(rulec(&["explain", "E999"], directory.path()).status.code(), Some(2));
}

/// A language server and its pipes.
struct Server {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    id: i64,
}

impl Server {
    fn start(directory: &Path) -> Server {
        let mut child = Command::new(env!("CARGO_BIN_EXE_rulec"))
            .arg("lsp")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (input, output) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        let mut server = Server { child, input, output, id: 0 };
        let folder = json!([{ "uri": format!("file://{}", directory.display()), "name": "rules" }]);
        let answer = server.ask("initialize", json!({ "capabilities": {}, "workspaceFolders": folder }));
        assert_eq!(answer["capabilities"]["positionEncoding"], "utf-16");
        server.tell("initialized", json!({}));
        server
    }

    fn send(&mut self, message: &Value) {
        let text = message.to_string();
        write!(self.input, "Content-Length: {}\r\n\r\n{text}", text.len()).unwrap();
        self.input.flush().unwrap();
    }

    fn tell(&mut self, method: &str, params: Value) {
        self.send(&json!({ "jsonrpc": "2.0", "method": method, "params": params }));
    }

    fn receive(&mut self) -> Value {
        let mut length = 0;
        loop {
            let mut line = String::new();
            assert!(self.output.read_line(&mut line).unwrap() > 0, "the server ended");
            match line.trim().strip_prefix("Content-Length: ") {
                Some(bytes) => length = bytes.parse().unwrap(),
                None if line.trim().is_empty() => break,
                None => {}
            }
        }
        let mut bytes = vec![0; length];
        self.output.read_exact(&mut bytes).unwrap();
        serde_json::from_slice(&bytes).unwrap()
    }

    fn ask(&mut self, method: &str, params: Value) -> Value {
        self.id += 1;
        self.send(&json!({ "jsonrpc": "2.0", "id": self.id, "method": method, "params": params }));
        loop {
            let message = self.receive();
            if message["id"] == json!(self.id) {
                return if message["error"].is_null() { message["result"].clone() } else { message };
            }
        }
    }

    /// The next diagnostics of a file.
    fn diagnostics(&mut self, uri: &str) -> Value {
        loop {
            let message = self.receive();
            if message["method"] == "textDocument/publishDiagnostics" && message["params"]["uri"] == uri {
                return message["params"]["diagnostics"].clone();
            }
        }
    }

    fn stop(mut self) {
        self.ask("shutdown", Value::Null);
        self.tell("exit", Value::Null);
        assert!(self.child.wait().unwrap().success());
    }
}

#[test]
fn an_editor_gets_diagnostics_fixes_names_and_formatting() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("segments.rules"), SEGMENTS).unwrap();
    let mut server = Server::start(directory.path());
    let uri = |name: &str| format!("file://{}/{name}", directory.path().display());
    let (bad, segments) = (uri("bad.rules"), uri("segments.rules"));
    let document = json!({ "uri": bad, "languageId": "rules", "version": 1, "text": BAD });
    server.tell("textDocument/didOpen", json!({ "textDocument": document }));
    let found = server.diagnostics(&bad);
    assert_eq!(found[0]["code"], "E040", "{found}");
    let range = found[0]["range"].clone();
    assert_eq!(range["start"], json!({ "line": 0, "character": 16 }));

    let params = json!({ "textDocument": { "uri": bad }, "range": range, "context": { "diagnostics": [] } });
    let actions = server.ask("textDocument/codeAction", params);
    assert_eq!(actions[0]["edit"]["changes"][&bad][0]["newText"], "device.type", "{actions}");

    let fixed = BAD.replace("tpye", "type");
    let change =
        json!({ "textDocument": { "uri": bad, "version": 2 }, "contentChanges": [{ "text": fixed }] });
    server.tell("textDocument/didChange", change);
    let found = server.diagnostics(&bad);
    assert!(
        found.as_array().unwrap().iter().all(|one| one["severity"] == 2),
        "only warnings are left: {found}"
    );

    let at = |line: u32, character: u32| json!({ "textDocument": { "uri": segments }, "position": { "line": line, "character": character } });
    let hover = server.ask("textDocument/hover", at(1, 4));
    assert!(hover["contents"]["value"].as_str().unwrap().contains("built in"), "{hover}");
    let definition = server.ask("textDocument/definition", at(4, 20));
    assert_eq!(definition["range"]["start"], json!({ "line": 0, "character": 8 }));
    let mut rename = at(0, 10);
    rename["newName"] = json!("damp");
    let edit = server.ask("textDocument/rename", rename.clone());
    assert_eq!(edit["changes"][&segments].as_array().unwrap().len(), 2, "{edit}");
    rename["newName"] = json!("");
    assert!(server.ask("textDocument/rename", rename)["error"]["message"].is_string());
    let completion = server.ask("textDocument/completion", at(1, 13));
    assert!(completion.as_array().unwrap().iter().any(|one| one["label"] == "tue"), "{completion}");
    let options = json!({ "tabSize": 2, "insertSpaces": true });
    let formatting = json!({ "textDocument": { "uri": segments }, "options": options });
    assert_eq!(server.ask("textDocument/formatting", formatting)[0]["newText"], SEGMENTS);
    server.stop();
}
