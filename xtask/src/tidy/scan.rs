//! Reads one Rust source by token: how long its functions are, how much of it is tests, what must not be in it.
//!
//! Guarantees: strings and comments are never taken for code, and code inside macros (`proptest! { .. }`) is read like any
//! other. Lines are 1-based and exact.
//!
//! Cost: one tokenisation per file. Not here: what is too long or forbidden where (`super::sources`).

use proc_macro2::{Delimiter, Group, LineColumn, TokenStream, TokenTree};

/// One function with a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Function {
    /// Its name.
    pub name: String,
    /// Line of its `fn`.
    pub line: usize,
    /// Lines from `fn` to the closing brace.
    pub lines: usize,
}

/// Something that is written at a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// What.
    pub what: String,
    /// Where.
    pub line: usize,
}

/// What one source holds.
#[derive(Debug, Default)]
pub struct Scan {
    /// Every function, also nested ones and those in macros.
    pub functions: Vec<Function>,
    /// First and last line of every `#[cfg(test)] mod`.
    pub test_modules: Vec<(usize, usize)>,
    /// Unfinished code, switched-off tests and notes to self.
    pub markers: Vec<Mark>,
    /// Uses of the world outside: `std::fs`, clocks, `async` and the like.
    pub impurities: Vec<Mark>,
}

/// The source is not Rust.
#[derive(Debug)]
pub struct NotRust(pub String);

/// Modules of `std` that reach outside, or make a result depend on more than its inputs.
const IMPURE_MODULES: [&str; 6] = ["env", "fs", "net", "os", "process", "thread"];
/// Types of `std` that read a clock or lock.
const IMPURE_TYPES: [&str; 7] =
    ["Condvar", "Instant", "LazyLock", "Mutex", "OnceLock", "RwLock", "SystemTime"];
/// Macros that write to the terminal.
const PRINTING_MACROS: [&str; 4] = ["eprint", "eprintln", "print", "println"];
/// Macros that stand for code that is not there yet, or that should not stay.
const UNFINISHED_MACROS: [&str; 3] = ["dbg", "todo", "unimplemented"];
/// Attributes that switch a test off or hide what it checks.
const TEST_EVASIONS: [&str; 2] = ["ignore", "should_panic"];
/// Words in comments that say that something is not finished; assembled so that this file passes.
const NOTES: [&str; 2] = [concat!("FIX", "ME"), concat!("X", "XX")];

/// Reads `text`.
///
/// # Errors
/// [`NotRust`] when it cannot be split into tokens.
pub fn scan(text: &str) -> Result<Scan, NotRust> {
    let tokens: TokenStream = text.parse().map_err(|error| NotRust(format!("{error}")))?;
    let lines: Vec<&str> = text.lines().collect();
    let mut reader = Reader { lines: &lines, strings: Vec::new(), found: Scan::default() };
    reader.read(tokens);
    reader.find_notes();
    Ok(reader.found)
}

struct Reader<'t> {
    lines: &'t [&'t str],
    strings: Vec<(LineColumn, LineColumn)>,
    found: Scan,
}

impl Reader<'_> {
    fn read(&mut self, tokens: TokenStream) {
        let trees: Vec<TokenTree> = tokens.into_iter().collect();
        for (index, tree) in trees.iter().enumerate() {
            match tree {
                TokenTree::Group(group) => self.read(group.stream()),
                TokenTree::Ident(ident) => self.word(&ident.to_string(), &trees, index),
                TokenTree::Punct(punct) if punct.as_char() == '#' => self.attribute(&trees, index),
                TokenTree::Punct(_) => {}
                TokenTree::Literal(literal) => {
                    let (start, end) = (literal.span().start(), literal.span().end());
                    // A doc comment arrives as a string too, with the comment's place; it stays a comment.
                    if self.char_at(start) != Some('/') {
                        self.strings.push((start, end));
                    }
                }
            }
        }
    }

    fn char_at(&self, place: LineColumn) -> Option<char> {
        self.lines.get(place.line.checked_sub(1)?)?.chars().nth(place.column)
    }

    fn word(&mut self, word: &str, trees: &[TokenTree], index: usize) {
        let line = trees[index].span().start().line;
        let is_macro =
            is_punct(trees.get(index + 1), '!') && matches!(trees.get(index + 2), Some(TokenTree::Group(_)));
        if is_macro && UNFINISHED_MACROS.contains(&word) {
            self.found.markers.push(Mark { what: format!("{word}!"), line });
        }
        let is_impure =
            (is_macro && PRINTING_MACROS.contains(&word)) || IMPURE_TYPES.contains(&word) || word == "async";
        if is_impure {
            self.found.impurities.push(Mark { what: word.to_owned(), line });
        }
        if word == "std" && is_path_separator(trees, index + 1) {
            self.std_path(trees.get(index + 3));
        }
        if word == "fn" {
            self.function(trees, index);
        }
    }

    /// What follows `std::`: one module, or several in braces.
    fn std_path(&mut self, next: Option<&TokenTree>) {
        let mut modules = Vec::new();
        match next {
            Some(TokenTree::Ident(ident)) => modules.push(ident.clone()),
            Some(TokenTree::Group(group)) => {
                let trees: Vec<TokenTree> = group.stream().into_iter().collect();
                for (index, tree) in trees.iter().enumerate() {
                    let is_first = index == 0 || is_punct(trees.get(index - 1), ',');
                    if let (true, TokenTree::Ident(ident)) = (is_first, tree) {
                        modules.push(ident.clone());
                    }
                }
            }
            _ => {}
        }
        for module in modules {
            if IMPURE_MODULES.contains(&module.to_string().as_str()) {
                let line = module.span().start().line;
                self.found.impurities.push(Mark { what: format!("std::{module}"), line });
            }
        }
    }

    /// A function with a body: `fn name .. { .. }` before the next `;`.
    fn function(&mut self, trees: &[TokenTree], index: usize) {
        let Some(TokenTree::Ident(name)) = trees.get(index + 1) else { return };
        let body = trees[index + 2..].iter().take_while(|tree| !is_punct(Some(tree), ';')).find_map(braced);
        if let Some(body) = body {
            let line = trees[index].span().start().line;
            let lines = body.span_close().end().line - line + 1;
            self.found.functions.push(Function { name: name.to_string(), line, lines });
        }
    }

    /// `#[..]`: a switched-off test, or the beginning of a test module.
    fn attribute(&mut self, trees: &[TokenTree], index: usize) {
        let Some(TokenTree::Group(group)) = trees.get(index + 1) else { return };
        let words = words_of(group);
        let line = trees[index].span().start().line;
        let named = if words.first().is_some_and(|word| word == "cfg_attr") {
            &words[..]
        } else {
            &words[..words.len().min(1)]
        };
        if let Some(word) = named.iter().find(|word| TEST_EVASIONS.contains(&word.as_str())) {
            self.found.markers.push(Mark { what: format!("#[{word}]"), line });
        }
        if words != ["cfg", "test"] {
            return;
        }
        let rest = &trees[index + 2..];
        let is_other = |tree: &&TokenTree| !is_punct(Some(tree), ';') && braced(tree).is_none();
        let is_module = rest.iter().take_while(is_other).any(|tree| tree.to_string() == "mod");
        let body = rest.iter().take_while(|tree| !is_punct(Some(tree), ';')).find_map(braced);
        if let (true, Some(body)) = (is_module, body) {
            self.found.test_modules.push((line, body.span_close().end().line));
        }
    }

    /// Whole words in what is not a string.
    fn find_notes(&mut self) {
        for (row, text) in self.lines.iter().enumerate() {
            for note in NOTES {
                for (at, _) in text.match_indices(note) {
                    let place = LineColumn { line: row + 1, column: text[..at].chars().count() };
                    let is_in_string =
                        self.strings.iter().any(|(start, end)| *start <= place && place < *end);
                    if is_whole_word(text, at, note.len()) && !is_in_string {
                        self.found.markers.push(Mark { what: note.to_owned(), line: row + 1 });
                    }
                }
            }
        }
    }
}

fn is_punct(tree: Option<&TokenTree>, character: char) -> bool {
    matches!(tree, Some(TokenTree::Punct(punct)) if punct.as_char() == character)
}

fn is_path_separator(trees: &[TokenTree], index: usize) -> bool {
    is_punct(trees.get(index), ':') && is_punct(trees.get(index + 1), ':')
}

fn braced(tree: &TokenTree) -> Option<&Group> {
    match tree {
        TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => Some(group),
        _ => None,
    }
}

/// All identifiers of a group, also nested ones, in order.
fn words_of(group: &Group) -> Vec<String> {
    let mut words = Vec::new();
    for tree in group.stream() {
        match tree {
            TokenTree::Ident(ident) => words.push(ident.to_string()),
            TokenTree::Group(inner) => words.extend(words_of(&inner)),
            _ => {}
        }
    }
    words
}

fn is_whole_word(text: &str, at: usize, length: usize) -> bool {
    let is_part = |character: char| character.is_alphanumeric() || character == '_';
    let before = text[..at].chars().next_back();
    let after = text[at + length..].chars().next();
    !before.is_some_and(is_part) && !after.is_some_and(is_part)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn markers(text: &str) -> Vec<String> {
        scan(text).unwrap().markers.into_iter().map(|mark| mark.what).collect()
    }

    fn impurities(text: &str) -> Vec<String> {
        scan(text).unwrap().impurities.into_iter().map(|mark| mark.what).collect()
    }

    #[test]
    fn functions_are_measured_from_fn_to_brace() {
        let text = "struct S;\nimpl S {\n    /// Doc.\n    #[inline]\n    fn a(\n        &self,\n    ) -> u8 {\n        1\n    }\n}\n";
        let functions = scan(text).unwrap().functions;
        assert_eq!(functions, [Function { name: "a".into(), line: 5, lines: 5 }]);
    }

    #[test]
    fn functions_without_body_and_function_types_are_not_functions() {
        assert!(scan("trait T { fn a(&self); }\ntype F = fn(u8) -> u8;\n").unwrap().functions.is_empty());
        let text = "trait T { fn a(&self); fn b() {} }";
        assert_eq!(scan(text).unwrap().functions.len(), 1);
    }

    #[test]
    fn functions_in_macros_count_and_braces_in_strings_do_not() {
        let text =
            "proptest! {\n    fn a(x: u8) {\n        let _ = \"}}}\"; // }\n        let _ = '}';\n    }\n}\n";
        assert_eq!(scan(text).unwrap().functions, [Function { name: "a".into(), line: 2, lines: 4 }]);
    }

    #[test]
    fn test_modules_are_found_with_their_lines() {
        let text = "fn a() {}\n\n#[cfg(test)]\n#[allow(x)]\nmod tests {\n    fn b() {}\n}\n";
        assert_eq!(scan(text).unwrap().test_modules, [(3, 7)]);
        assert!(scan("#[cfg(test)]\nmod tests;\nfn a() {}\n").unwrap().test_modules.is_empty());
        assert!(scan("#[cfg(test)]\nuse a;\nmod b {}\n").unwrap().test_modules.is_empty());
        assert!(scan("#[cfg(test)]\nfn a() {}\nmod b {}\n").unwrap().test_modules.is_empty());
    }

    #[test]
    fn unfinished_code_is_found_in_code_only() {
        assert_eq!(markers("fn a() { todo!() }"), ["todo!"]);
        assert_eq!(markers("fn a() { dbg!(1); unimplemented!(); }"), ["dbg!", "unimplemented!"]);
        assert_eq!(markers("// todo!() and dbg!(x)\nfn a() { let _ = \"todo!()\"; }"), Vec::<String>::new());
        assert_eq!(markers("fn a(todo: bool) { if todo != true {} }"), Vec::<String>::new());
    }

    #[test]
    fn switched_off_tests_are_found() {
        assert_eq!(markers("#[test]\n#[ignore = \"slow\"]\nfn a() {}"), ["#[ignore]"]);
        assert_eq!(markers("#[should_panic(expected = \"x\")]\nfn a() {}"), ["#[should_panic]"]);
        assert_eq!(markers("#[cfg_attr(unix, ignore)]\nfn a() {}"), ["#[ignore]"]);
        assert_eq!(markers("m! { #[ignore] fn a() {} }"), ["#[ignore]"]);
        assert_eq!(markers("#[serde(ignore)]\nstruct S;"), Vec::<String>::new());
    }

    #[test]
    fn notes_are_found_in_comments_and_code_but_not_in_strings() {
        let (fix, hole) = (NOTES[0], NOTES[1]);
        assert_eq!(markers(&format!("// {fix}: later\n/// {hole}\nfn a() {{}}")), [fix, hole]);
        assert_eq!(
            markers(&format!("fn a() {{ let _ = \"{hole}\"; let _ = r#\"\n{fix}\"#; }}")),
            Vec::<String>::new()
        );
        assert_eq!(markers(&format!("// {fix}D {hole}L\nfn a() {{}}")), Vec::<String>::new());
    }

    #[test]
    fn the_outside_world_is_found_however_it_is_imported() {
        assert_eq!(impurities("use std::fs;"), ["std::fs"]);
        assert_eq!(impurities("use std::{collections::BTreeMap, env, fs::File};"), ["std::env", "std::fs"]);
        assert_eq!(impurities("fn a() { std::thread::sleep(x); }"), ["std::thread"]);
        assert_eq!(impurities("use std::time::{Duration, Instant};"), ["Instant"]);
        assert_eq!(impurities("async fn a() { println!(\"x\") }"), ["async", "println"]);
        assert_eq!(
            impurities("use std::sync::Arc; use std::fmt; use std::time::Duration;"),
            Vec::<String>::new()
        );
        assert_eq!(impurities("// std::fs\nfn a() { let _ = \"std::fs\"; }"), Vec::<String>::new());
    }

    #[test]
    fn what_is_not_rust_is_an_error() {
        assert!(scan("fn a( {").is_err());
    }
}
