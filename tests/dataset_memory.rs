//! Memory does not grow with the songs beyond small indices: a dataset of 1,000,000 songs opens with
//! less than 100 MB of memory of its own (what is mapped belongs to the system).
#![cfg(target_os = "linux")]

use tagwalk::dataset::Dataset;
use tagwalk::dataset::write::{Contents, Writer};

const FOLDER: &str = "TAGWALK_TEST_MILLION";

/// Runs in a process of its own, started by the test below.
#[test]
fn open_in_a_process_of_its_own() {
    let Ok(folder) = std::env::var(FOLDER) else { return };
    let before = anonymous();
    let began = std::time::Instant::now();
    let dataset = Dataset::open(folder.as_ref()).unwrap();
    eprintln!("opened in {:.2} s, {} KiB anonymous more", began.elapsed().as_secs_f64(), anonymous() - before);
    assert_eq!(dataset.songs(), 1_000_000);
    assert_eq!(dataset.wave(999_999), [7; 100]);
    assert_eq!(dataset.find("album-99999/song-999999.ogg").unwrap(), 999_999);
    assert!(anonymous() < 100_000, "{} KiB anonymous", anonymous());
    println!("opened a million");
}

#[test]
fn a_million_songs() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = Writer::create(folder.path()).unwrap();
    let place = writer.wave(&[7; 100]).unwrap();
    let songs = 1_000_000u32;
    let contents = Contents {
        sample_rate: 22_050,
        names: (0..songs).map(|s| format!("album-{}/song-{s}.ogg", s / 10)).collect(),
        vocabulary: (0..50).map(|t| format!("tag {t}")).collect(),
        tags: (0..songs).map(|s| vec![s % 50, s % 7]).collect(),
        playlists: (0..100_000u32).map(|p| (0..10).map(|i| (p * 10 + i * i * 7919) % songs).collect()).collect(),
        ..Contents::default()
    };
    writer.finish(&contents, &vec![place; songs as usize]).unwrap();
    drop(contents);
    let child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "open_in_a_process_of_its_own", "--nocapture", "--test-threads=1"])
        .env(FOLDER, folder.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&child.stdout).into_owned() + &String::from_utf8_lossy(&child.stderr);
    assert!(child.status.success() && said.contains("opened a million"), "{said}");
    eprintln!("{said}");
}

/// RssAnon of this process, KiB.
fn anonymous() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
    line.trim().trim_end_matches("kB").trim().parse().unwrap()
}
