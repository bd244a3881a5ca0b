//! The folders' order: each uses only folders before it, wgpu is known in `device/gpu` alone, and
//! every file opens with the idea it holds (ARCHITECTURE.md, "The order").

use std::path::{Path, PathBuf};

/// A folder (or file of that name) uses only what stands before it, and itself.
const ORDER: [&str; 18] = [
    "error",
    "random",
    "format",
    "dataset",
    "import",
    "playlists",
    "network",
    "tensor",
    "kernels",
    "plan",
    "device",
    "batch",
    "run",
    "measure",
    "evaluate",
    "train",
    "experiment",
    "commands",
];

/// A use of a top-level module.
#[derive(Debug, PartialEq)]
struct Use {
    line: usize,
    module: String,
}

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn files(folder: &Path, all: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, all);
        } else if path.extension().is_some_and(|e| e == "rs") {
            all.push(path);
        }
    }
    all.sort();
}

/// Every file of the library but `lib.rs`, with its module's path: `src/device/gpu/mod.rs` is
/// `["device", "gpu"]`.
fn modules() -> Vec<(PathBuf, Vec<String>)> {
    let mut all = Vec::new();
    files(&source(), &mut all);
    assert!(all.len() > 50, "only {} files found", all.len());
    let module = |path: &PathBuf| -> Vec<String> {
        let inside = path.strip_prefix(source()).unwrap().with_extension("");
        let mut names: Vec<String> = inside.iter().map(|n| n.to_str().unwrap().to_string()).collect();
        names.pop_if(|last| last == "mod");
        names
    };
    all.retain(|p| p != &source().join("lib.rs") && p != &source().join("main.rs"));
    all.into_iter().map(|p| (p.clone(), module(&p))).collect()
}

/// Names and signs of Rust text, with their lines; comments, strings and characters left out.
fn tokens(text: &str) -> Vec<(usize, String)> {
    let chars: Vec<char> = text.chars().collect();
    let (mut at, mut line, mut all) = (0, 1, Vec::new());
    let is = |at: usize, what: &str| what.chars().enumerate().all(|(i, c)| chars.get(at + i) == Some(&c));
    while at < chars.len() {
        let start = at;
        let c = chars[at];
        if is(at, "//") {
            while at < chars.len() && chars[at] != '\n' {
                at += 1;
            }
        } else if is(at, "/*") {
            let mut depth = 0;
            loop {
                depth += i32::from(is(at, "/*")) - i32::from(is(at, "*/"));
                at += if is(at, "/*") || is(at, "*/") { 2 } else { 1 };
                if depth == 0 || at >= chars.len() {
                    break;
                }
            }
        } else if c == 'r' && (is(at + 1, "\"") || is(at + 1, "#\"") || is(at + 1, "##\"")) {
            let marks = chars[at + 1..].iter().take_while(|&&c| c == '#').count();
            let end = format!("\"{}", "#".repeat(marks));
            at += marks + 2;
            while at < chars.len() && !is(at, &end) {
                at += 1;
            }
            at += end.len();
        } else if c == '"' {
            at += 1;
            while at < chars.len() && chars[at] != '"' {
                at += if chars[at] == '\\' { 2 } else { 1 };
            }
            at += 1;
        } else if c == '\'' && (is(at + 1, "\\") || chars.get(at + 2) == Some(&'\'')) {
            at += if is(at + 1, "\\") { 3 } else { 2 };
            while at < chars.len() && chars[at] != '\'' {
                at += 1;
            }
            at += 1;
        } else if c.is_alphanumeric() || c == '_' {
            while at < chars.len() && (chars[at].is_alphanumeric() || chars[at] == '_') {
                at += 1;
            }
            all.push((line, chars[start..at].iter().collect()));
        } else {
            at += if is(at, "::") { 2 } else { 1 };
            if !c.is_whitespace() {
                all.push((line, chars[start..at].iter().collect()));
            }
        }
        line += chars[start..at.min(chars.len())].iter().filter(|&&c| c == '\n').count();
    }
    all
}

/// The top-level modules that a file names through `crate::` or through enough `super::`.
fn uses(module: &[String], text: &str) -> Vec<Use> {
    let tokens = tokens(text);
    let word = |i: usize| tokens.get(i).map_or("", |t| t.1.as_str());
    let mut found = Vec::new();
    // Depths of braces at which modules written inside the file begin.
    let (mut braces, mut inner) = (0, Vec::new());
    let mut i = 0;
    while i < tokens.len() {
        match word(i) {
            "{" => {
                braces += 1;
                if i >= 2 && word(i - 2) == "mod" {
                    inner.push(braces);
                }
            }
            "}" => {
                inner.pop_if(|depth| *depth == braces);
                braces -= 1;
            }
            "crate" if word(i + 1) == "::" => {
                i += 2;
                names(&tokens, &mut i, &mut found);
                continue;
            }
            "super" => {
                let mut up = 1;
                while word(i + 1) == "::" && word(i + 2) == "super" {
                    (up, i) = (up + 1, i + 2);
                }
                if up == module.len() + inner.len() && word(i + 1) == "::" {
                    i += 2;
                    names(&tokens, &mut i, &mut found);
                    continue;
                }
            }
            _ => {}
        }
        i += 1;
    }
    found
}

/// The names that stand first in `a::b` or in `{a::b, c::{d, e}}` at token `i`; moves `i` behind it.
fn names(tokens: &[(usize, String)], i: &mut usize, found: &mut Vec<Use>) {
    let mut add = |t: &(usize, String)| found.push(Use { line: t.0, module: t.1.clone() });
    let mut depth = 0;
    loop {
        match tokens.get(*i).map(|t| t.1.as_str()) {
            Some("{") => depth += 1,
            Some("}") => depth -= 1,
            Some(_) if depth == 0 => add(&tokens[*i]),
            Some(_) if depth == 1 && matches!(tokens[*i - 1].1.as_str(), "{" | ",") => add(&tokens[*i]),
            Some(_) => {}
            None => return,
        }
        *i += 1;
        if depth == 0 {
            return;
        }
    }
}

#[test]
fn every_folder_uses_only_folders_before_it() {
    let place = |name: &str| ORDER.iter().position(|o| *o == name);
    let (mut wrong, mut count) = (Vec::new(), 0);
    for (path, module) in modules() {
        let own = place(&module[0]).unwrap_or_else(|| panic!("{}: has no place in the order", path.display()));
        for used in uses(&module, &std::fs::read_to_string(&path).unwrap()) {
            count += 1;
            if place(&used.module).is_none_or(|at| at > own) {
                wrong.push(format!("{}:{}: {} uses {}", path.display(), used.line, module[0], used.module));
            }
        }
    }
    println!("{count} uses");
    assert!(count > 100, "only {count} uses found");
    assert!(wrong.is_empty(), "against the order:\n{}", wrong.join("\n"));
}

#[test]
fn only_the_gpu_device_knows_wgpu() {
    let mut there = 0;
    for (path, module) in modules() {
        let named = tokens(&std::fs::read_to_string(&path).unwrap()).iter().filter(|t| t.1 == "wgpu").count();
        if module.len() >= 2 && module[..2] == ["device", "gpu"] {
            there += named;
        } else {
            assert_eq!(named, 0, "{} names wgpu", path.display());
        }
    }
    assert!(there > 0);
}

#[test]
fn every_file_opens_with_its_idea() {
    let mut all = Vec::new();
    files(&source(), &mut all);
    for path in all {
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("//! "), "{} does not open with `//!` and what it is about", path.display());
    }
}

/// The reader itself, on text whose uses are known.
#[test]
fn paths_are_read_as_rust_reads_them() {
    let found = |module: &[&str], text: &str| -> Vec<String> {
        let module: Vec<String> = module.iter().map(|s| s.to_string()).collect();
        uses(&module, text).into_iter().map(|u| u.module).collect()
    };
    let groups = "use crate::{error::{Error, Result}, plan};\nfn f() { crate::tensor::g('{') }";
    assert_eq!(found(&["a"], groups), ["error", "plan", "tensor"]);
    let hidden =
        "// crate::train\n/* crate::run /* */ crate::run */ const S: &str = \"crate::batch\"; const R: &str = r#\"crate::a\"#;";
    assert_eq!(found(&["a"], hidden), [""; 0]);
    assert_eq!(found(&["a", "b"], "use super::c; use super::super::train::T;"), ["train"]);
    assert_eq!(
        found(&["a"], "use super::train;\nmod tests { use super::x; fn f() { super::super::run::y() } }\nuse super::plan;"),
        ["train", "run", "plan"]
    );
    assert_eq!(found(&["a", "b"], "mod tests { use super::super::x; use super::super::super::y; }"), ["y"]);
    assert_eq!(uses(&["a".into()], "\n\n/* \n */ crate::x")[0].line, 4);
}
