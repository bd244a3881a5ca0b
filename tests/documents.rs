//! README.md and ARCHITECTURE.md tell the truth: every command line parses, every file they name is
//! there, every flag exists, and the examples are as short as promised.
#![cfg(feature = "import")]

use std::path::{Path, PathBuf};

use clap::Parser;
use tagwalk::commands::Cli;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn text(name: impl AsRef<Path>) -> String {
    let path = root().join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

#[test]
fn every_command_line_parses() {
    let mut count = 0;
    for document in [
        "README.md",
        "ARCHITECTURE.md",
        "benches/README.md",
        "docs/datasets.md",
        "docs/propagation.md",
        "docs/worlds.md",
        "docs/many-machines.md",
        "docs/reproduction.md",
    ] {
        let text = text(document);
        let inline = text.split('`').skip(1).step_by(2).filter(|code| code.starts_with("tagwalk ") && !code.contains('\n'));
        let blocks =
            text.lines().filter_map(|l| l.strip_prefix("    ")).map(|l| l.replacen("cargo run --release -- ", "tagwalk ", 1));
        let lines = inline.map(String::from).chain(blocks.filter(|l| l.starts_with("tagwalk ")));
        for line in lines {
            count += 1;
            // A command named alone needs no arguments: only its name must be one.
            let mut words = shlex::split(&line).unwrap_or_else(|| panic!("{document}: {line}: an open quote"));
            if words.len() == 2 {
                words.push("--help".into());
            }
            if let Err(error) = Cli::try_parse_from(&words) {
                assert!(!error.use_stderr(), "{document}: {line}: {error}");
            }
        }
    }
    assert!(count >= 12, "only {count} command lines found");
}

#[test]
fn every_file_named_is_there() {
    let mut count = 0;
    for document in [
        "README.md",
        "ARCHITECTURE.md",
        "benches/README.md",
        "CHANGELOG.md",
        "docs/datasets.md",
        "docs/worlds.md",
        "docs/many-machines.md",
        "docs/reproduction.md",
    ] {
        let folder = root().join(document).parent().unwrap().to_path_buf();
        let text = text(document);
        let links = text.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(link, _)| folder.join(link));
        let code = text.split('`').skip(1).step_by(2).filter(|code| {
            let folders = ["tests/", "src/", "examples/", "benches/", "data/", "shaders/"];
            folders.iter().any(|f| code.starts_with(f)) && !code.contains([' ', '*', '<'])
        });
        for path in links.filter(|l| !l.to_string_lossy().contains("://")).chain(code.map(|c| root().join(c))) {
            count += 1;
            assert!(path.exists(), "{document} names {}, which is not there", path.display());
        }
    }
    assert!(count >= 20, "only {count} files named");
}

#[test]
fn three_examples_under_sixty_lines() {
    let mut count = 0;
    for entry in std::fs::read_dir(root().join("examples")).unwrap() {
        let path = entry.unwrap().path();
        let lines = text(&path).lines().count();
        assert!(lines < 60, "{}: {lines} lines", path.display());
        count += 1;
    }
    assert_eq!(count, 3);
}
