//! Ctrl-C: the first is remembered so that the loop can save, the second leaves at once with 130.
#![cfg(all(unix, feature = "terminal"))]

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::atomic::Ordering;
use std::time::Duration;

use tagwalk::run::interrupt;

/// Not a test of its own: the process that the other one interrupts.
#[test]
fn patient_process() {
    let Some(patience) = std::env::var_os("TAGWALK_TEST_PATIENCE") else { return };
    interrupt::listen("finishing this step").unwrap();
    interrupt::listen("again changes nothing").unwrap();
    assert!(interrupt::check().is_ok());
    println!("\nlistening");
    while !interrupt::flag().load(Ordering::SeqCst) {
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(interrupt::check().unwrap_err().exit_code(), 130);
    println!("\nsaving");
    if patience == "endless" {
        std::thread::sleep(Duration::from_secs(600));
    }
    println!("\nsaved");
}

#[test]
fn once_asks_twice_leaves() {
    // Begun as from a terminal, and as a shell's script begins what runs in the background: with
    // the signal ignored.
    for (patience, code, shell) in
        [("short", 0, ""), ("endless", 130, ""), ("short", 0, "trap '' INT; "), ("endless", 130, "trap '' INT; ")]
    {
        let mut child = Command::new("sh")
            .args(["-c", &format!("{shell}exec \"$0\" patient_process --exact --nocapture")])
            .arg(std::env::current_exe().unwrap())
            .env("TAGWALK_TEST_PATIENCE", patience)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let id = child.id().to_string();
        let interrupt = || assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        assert!(lines.any(|l| l == "listening"));
        interrupt();
        assert!(lines.any(|l| l == "saving"));
        if patience == "endless" {
            interrupt();
        }
        let saved = lines.any(|l| l == "saved");
        let output = child.wait_with_output().unwrap();
        assert_eq!((output.status.code(), saved), (Some(code), code == 0));
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains("tagwalk: finishing this step; Ctrl-C again leaves at once"), "{said}");
    }
}
