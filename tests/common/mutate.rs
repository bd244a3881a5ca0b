//! Bytes from a stranger: valid files changed at random, from a seed, for as long as one likes.

use std::path::Path;
use std::time::{Duration, Instant};

use rand::RngExt;
use tagwalk::random::{Generator, Purpose, generator};

/// Words that readers take for structure.
const WORDS: [&[u8]; 16] = [
    b"\t",
    b"\n",
    b"\"",
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b"null",
    b"-1",
    b"99999999999999999999",
    b"\xff",
    b"\xef\xbb\xbf",
    b"\0",
    b"../",
    b"%ff",
];

/// How long changed copies are made, in seconds: `TAGWALK_FUZZ_SECONDS`, else 2. What is no such number
/// is refused, so that nobody takes two seconds for the hour that was asked for.
fn seconds() -> Duration {
    let Some(text) = std::env::var_os("TAGWALK_FUZZ_SECONDS") else { return Duration::from_secs(2) };
    let number = text.to_str().and_then(|s| s.parse().ok()).and_then(|s| Duration::try_from_secs_f64(s).ok());
    number.unwrap_or_else(|| panic!("TAGWALK_FUZZ_SECONDS is {text:?}: not a number of seconds"))
}

/// Which changes are made: `TAGWALK_FUZZ_SEED`, else always the same ones.
fn seed() -> u64 {
    let Some(text) = std::env::var_os("TAGWALK_FUZZ_SEED") else { return 0 };
    text.to_str().and_then(|s| s.parse().ok()).unwrap_or_else(|| panic!("TAGWALK_FUZZ_SEED is {text:?}: not a whole number"))
}

/// Gives `valid` and changed copies of it to `reader` number `name`, the copies for [`seconds`]. A panic
/// shows the bytes.
pub fn mutate(valid: &[&[u8]], name: u64, mut reader: impl FnMut(&[u8])) {
    let (start, seconds, seed) = (Instant::now(), seconds(), seed());
    let before = peak_memory();
    valid.iter().for_each(|bytes| reader(bytes));
    let mut count = 0u64;
    while count == 0 || start.elapsed() < seconds {
        let mut random = generator(seed, Purpose::Synthetic, [name, count, 0]);
        let mut bytes = valid[random.random_range(0..valid.len())].to_vec();
        for _ in 0..random.random_range(1..8) {
            change(&mut bytes, valid, &mut random);
        }
        if let Err(panic) = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| reader(&bytes))) {
            eprintln!("panic on {:?}", String::from_utf8_lossy(&bytes));
            std::panic::resume_unwind(panic);
        }
        count += 1;
    }
    let grown = peak_memory().saturating_sub(before);
    println!("reader {name}, seed {seed}: {count} files, {grown} KiB more memory at its peak");
    assert!(grown < 256 << 10, "{count} files of a few KiB took {grown} KiB");
}

/// Writes a file for a reader that takes a path. What is there is removed first: file systems that
/// flush a file which is cut short and written again would leave time for a hundred a second.
pub fn put(path: &Path, bytes: &[u8]) {
    let _ = std::fs::remove_file(path);
    std::fs::write(path, bytes).unwrap();
}

fn change(bytes: &mut Vec<u8>, valid: &[&[u8]], random: &mut Generator) {
    let at = random.random_range(0..=bytes.len());
    let end = (at + random.random_range(0..20)).min(bytes.len());
    match random.random_range(0..6) {
        0 if at < bytes.len() => bytes[at] = random.random_range(0..=255),
        1 => drop(bytes.drain(at..end)),
        2 => drop(bytes.splice(at..at, WORDS[random.random_range(0..WORDS.len())].iter().copied())),
        3 => bytes.truncate(at),
        4 => {
            let piece = bytes[at..end].repeat(random.random_range(1..40));
            drop(bytes.splice(at..at, piece));
        }
        _ => {
            let other = valid[random.random_range(0..valid.len())];
            let from = random.random_range(0..=other.len());
            drop(bytes.splice(at..end, other[from..].iter().take(40).copied()));
        }
    }
}

/// The most memory this process has had, KiB; 0 where the system does not say.
fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|l| l.trim().trim_end_matches("kB").trim().parse().ok()).unwrap_or(0)
}
