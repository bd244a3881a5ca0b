//! A small collection of its own making, and `tagwalk prepare` run on it.
#![allow(dead_code)]

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

/// One second of mono 16-bit WAV at 44,100 Hz: a triangle wave of a period of its own.
pub fn wav(path: &Path, period: u32) {
    let samples: Vec<i16> = (0..44_100u32).map(|i| ((i % period) * 20_000 / period) as i16 - 10_000).collect();
    let data: Vec<u8> = samples.iter().flat_map(|s| s.to_le_bytes()).collect();
    let mut bytes = b"RIFF".to_vec();
    bytes.extend((36 + data.len() as u32).to_le_bytes());
    bytes.extend(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    bytes.extend(44_100u32.to_le_bytes());
    bytes.extend(88_200u32.to_le_bytes());
    bytes.extend(b"\x02\0\x10\0data");
    bytes.extend((data.len() as u32).to_le_bytes());
    bytes.extend(data);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

pub const SONGS: u32 = 120;

/// A collection: audio/ALBUM/song.wav, tags for them and for five songs without audio, playlists.
pub fn collection() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let mut tags = String::from("song\ttag\n");
    for s in 0..SONGS {
        wav(&at.join(format!("audio/album {}/söng-{s}.wav", s % 9)), 50 + s);
        tags += &format!("album {}/söng-{s}.wav\t{}\n", s % 9, if s % 3 == 0 { "rare" } else { "common" });
    }
    (0..5).for_each(|s| tags += &format!("nowhere/lender-{s}.ogg\t{}\n", if s == 4 { "unheard" } else { "common" }));
    fs::write(at.join("tags.tsv"), tags).unwrap();
    fs::create_dir(at.join("playlists")).unwrap();
    fs::write(
        at.join("playlists/one.m3u8"),
        "#EXTM3U\n../audio/album 1/söng-1.wav\n../audio/nowhere/lender-0.ogg\nC:\\x\\SÖNG-2.mp3\n/etc/passwd\n",
    )
    .unwrap();
    fs::write(at.join("playlists/two.pls"), "[playlist]\nFile2=../audio/album 3/so%CC%88ng-3.wav\nFile1=file://../x\nFile3=../../../../../etc/hosts\nFile4=../audio/album 4/so\u{308}ng-4.wav\nFile5=söng-5\n").unwrap();
    folder
}

pub fn command(collection: &Path, out: &Path, more: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tagwalk"));
    command.arg("prepare").arg("--out").arg(out).arg("--audio").arg(collection.join("audio"));
    command.arg("--tags").arg(collection.join("tags.tsv")).arg("--playlists").arg(collection.join("playlists")).args(more);
    command
}

pub fn run(collection: &Path, out: &Path, more: &[&str]) -> Output {
    command(collection, out, more).output().unwrap()
}

pub fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[track_caller]
pub fn done(output: Output) {
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
}

/// Both folders hold the same files with the same bytes.
#[track_caller]
pub fn same(a: &Path, b: &Path) {
    let list = |folder: &Path| {
        let mut all: Vec<_> = fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name()).collect();
        all.sort();
        all
    };
    assert_eq!(list(a), list(b));
    for name in list(a) {
        assert!(fs::read(a.join(&name)).unwrap() == fs::read(b.join(&name)).unwrap(), "{name:?}");
    }
}

/// Starts `prepare` and waits until so many songs are in its journal.
pub fn started(collection: &Path, out: &Path, songs: usize, more: &[&str]) -> Child {
    let mut child =
        command(collection, out, &["--threads", "2"]).args(more).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let journal = out.join("unfinished/decoded.jsonl");
    while fs::read(&journal).unwrap_or_default().iter().filter(|&&b| b == b'\n').count() < songs {
        assert!(child.try_wait().unwrap().is_none(), "ended before it could be stopped");
        std::thread::sleep(Duration::from_millis(1));
    }
    child
}
