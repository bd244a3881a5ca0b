//! The paper's set-up in small, in the exact formats of its files, with what is met in the wild.

use std::fs;
use std::path::{Path, PathBuf};

use tagwalk::import::audio;
use tagwalk::import::prepare::{Msd, Options, PaperFiles};

pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/importers").join(name)
}

/// A folder of a test's own files.
pub struct Files(tempfile::TempDir);

impl Files {
    pub fn new() -> Files {
        Files(tempfile::tempdir().unwrap())
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn write(&self, name: &str, contents: impl AsRef<[u8]>) -> PathBuf {
        let path = self.at(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, contents).unwrap();
        path
    }

    /// A twentieth of a second of WAV at 8,000 Hz, whatever its name says.
    pub fn audio(&self, name: &str) {
        let data = [1u8, 2].repeat(400);
        let mut bytes = b"RIFF".to_vec();
        bytes.extend((36 + data.len() as u32).to_le_bytes());
        bytes.extend(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
        bytes.extend(8000u32.to_le_bytes());
        bytes.extend(16_000u32.to_le_bytes());
        bytes.extend(b"\x02\0\x10\0data");
        bytes.extend((data.len() as u32).to_le_bytes());
        bytes.extend(data);
        self.write(&format!("audio/{name}"), bytes);
    }

    pub fn options(&self) -> Options {
        let decode = audio::Options { rate: 8000, ..audio::Options::default() };
        Options { out: self.at("out"), audio: vec![self.at("audio")], decode, ..Options::default() }
    }
}

pub fn track(n: u32) -> String {
    format!("TRAAAAA128F{n:07}")
}

pub fn song(n: u32) -> String {
    format!("SOAAAAA12A8{n:07}")
}

/// The paper's set-up in small: track n is song n's, but song 1 has two, and of song 2's two the first is listed as a
/// mismatch, as the only one of song 5 is.
pub fn million_songs() -> (Files, PaperFiles) {
    let files = Files::new();
    for clip in ["1/1/11.clip.mp3", "1/2/12.clip.mp3", "A/B/TRAAAAA128F0000004.mp3", "copy/14.clip.mp3", "9/9/99.clip.mp3"] {
        files.audio(clip);
    }
    for clip in ["1/6/16.clip.mp3", "1/7/17.clip.mp3", "1/8/18.clip.mp3"] {
        files.audio(clip);
    }
    files.write("audio/1/3/13.clip.mp3", "");
    let line = |t, s| format!("{}<SEP>{}<SEP>Artist {}<SEP>A title <SEP> of {t}\r\n", track(t), song(s), t % 3);
    let mut list = format!("\u{feff}{}{}{}", line(1, 1), line(11, 2), line(10, 1));
    list += "TR too short<SEP>SO<SEP>a<SEP>b\r\n";
    (2..10).for_each(|n| list += &line(n, n));
    let tracks = files.write("unique_tracks.txt", list + "\r\n");
    let mismatch = |s, t| format!("ERROR: <{} {}> Some  -  Body  !=  Else  -  É\r\n", song(s), track(t));
    let mismatches = format!("{}{}something else\r\n", mismatch(5, 5), mismatch(2, 11));
    let mismatches = Some(files.write("sid_mismatches.txt", mismatches));
    let [s1, s2, s3, s4, s5, s6, s9, s77] = [1, 2, 3, 4, 5, 6, 9, 77].map(song);
    let mixes = format!(
        r#"{bom}[{{"mix_id": 1, "category": null, "user": {{"name": "a"}}, "timestamp": "2005-01-31T00:00:00",
            "playlist": [[["x", "&amp;"], "{s1}"], [["x", "2"], null], [["x", "2"], "{s2}"], [["x", "5"], "{s5}"], [["x", "6"], "{s6}"], [["x", "4"], "{s4}"]],
            "filtered_lists": [["{s1}"], ["{s2}", "{s5}", "{s6}", "{s4}"]]}},
          {{"mix_id": 2, "filtered_lists": [["{s3}", "{s9}"]]}}, {{"mix_id": 3, "filtered_lists": [["{s77}", "{s1}"]]}},
          null, {{"mix_id": 4, "filtered_lists": []}}]"#,
        bom = "\u{feff}"
    );
    let playlists = files.write("aotm2011_playlists.json", mixes);
    let msd = Msd { tracks, mismatches, clips: vec![fixture("MSD_id_to_7D_id.pkl")] };
    let paper = PaperFiles { audio: files.at("audio"), tags: vec![fixture("lastfm_tags.db")], playlists, msd, split: Vec::new() };
    (files, paper)
}
