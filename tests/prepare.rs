//! `tagwalk prepare` on small folders of its own making: killed, stopped, out of room and run again
//! it makes the same dataset, byte for byte, decodes nothing twice, and opens nothing outside.
#![cfg(all(feature = "import", unix))]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tagwalk::dataset::{Dataset, Split};

#[path = "common/collection.rs"]
mod collection;
use collection::{SONGS, collection, command, done, run, said, same, started, wav};

/// A side of the split without songs is said where the dataset is made and where it is trained on; and what to do next.
#[test]
fn what_should_be_known_before_training_is_said() {
    let collection = collection();
    let at = |name: &str| collection.path().join(name);
    let whole = run(collection.path(), &at("whole"), &[]);
    let next = format!("Next: tagwalk train {} --out RUN --network 3^5-81", at("whole").display());
    assert!(said(&whole).contains(&next), "{}", said(&whole));
    assert!(!said(&whole).contains("no song validates") && !said(&whole).contains("no song tests"), "{}", said(&whole));
    let all_train = run(collection.path(), &at("train"), &["--split-fractions", "1,0,0"]);
    for what in ["no song validates", "no song tests", "--split-fractions 0.7,0.1,0.2"] {
        assert!(said(&all_train).contains(what), "{what}: {}", said(&all_train));
    }
    let none_train = run(collection.path(), &at("test"), &["--split-fractions", "0,0.5,0.5"]);
    assert!(said(&none_train).contains("no song trains: --split-fractions leaves none"), "{}", said(&none_train));
    assert!(!said(&none_train).contains("Next:"), "{}", said(&none_train));
    let dry = |dataset: &Path, more: &[&str]| {
        let mut train = Command::new(env!("CARGO_BIN_EXE_tagwalk"));
        train.arg("train").arg(dataset).args(["--dry-run", "--device", "cpu", "--network", "3^5-81/4", "--out"]);
        said(&train.arg(at("never")).args(more).output().unwrap())
    };
    let text = dry(&at("train"), &[]);
    for what in ["no validation songs", "only Ctrl-C ends the run", "no test songs", "120 training songs"] {
        assert!(text.contains(what), "{what}: {text}");
    }
    assert!(!dry(&at("train"), &["--epochs", "3"]).contains("only Ctrl-C"));
    assert!(dry(&at("train"), &["--top", "99"]).contains("--top 99: the dataset has "));
    let text = dry(&at("whole"), &[]);
    assert!(!text.contains("no validation songs") && !text.contains("no test songs"), "{text}");
    assert!(!at("never").exists());
}

/// Spoils the audio of the songs in the journal, so that decoding one again would show.
fn spoil(collection: &Path, out: &Path) -> usize {
    let journal = fs::read_to_string(out.join("unfinished/decoded.jsonl")).unwrap();
    let names = journal.split_inclusive('\n').filter(|line| line.ends_with('\n'));
    let names: Vec<String> =
        names.map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["name"].as_str().unwrap().into()).collect();
    for name in &names {
        let path: PathBuf = collection.join("audio").join(name);
        let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
        let modified = file.metadata().unwrap().modified().unwrap();
        std::os::unix::fs::FileExt::write_all_at(&file, &[0; 88_000], 44).unwrap();
        file.set_modified(modified).unwrap();
    }
    names.len()
}

#[test]
fn what_was_made_is_what_was_given() {
    let collection = collection();
    let out = collection.path().join("out");
    done(run(collection.path(), &out, &["--group-folder", "--group-split", "--seed", "3"]));
    let d = Dataset::open(&out).unwrap();
    assert_eq!((d.songs(), d.vocabulary()), (125, &["common".to_string(), "rare".into(), "unheard".into()][..]));
    let song = |name: &str| d.find(name).unwrap();
    assert_eq!(d.samples(song("album 1/söng-1.wav")), 22_050);
    assert!(d.samples(song("lender-4")) == 0 && d.has_tag(song("lender-4"), 2));
    let names = |p: usize| d.playlists().row(p).iter().map(|&s| d.name(s as usize)).collect::<Vec<_>>();
    assert_eq!(names(0), ["album 1/söng-1.wav", "nowhere/lender-0.ogg", "album 2/söng-2.wav"]);
    assert_eq!(names(1), ["album 4/söng-4.wav", "album 5/söng-5.wav"]);
    let mut side = std::collections::HashMap::new();
    for s in (0..d.songs()).filter(|&s| d.samples(s) > 0) {
        assert_eq!(*side.entry(d.group(s).unwrap()).or_insert(d.split(s)), d.split(s), "a group on two sides");
        assert_ne!(d.split(s), Split::None);
    }
    let missing = fs::read_to_string(out.join("not-found.tsv")).unwrap();
    for row in ["tags.tsv\tnowhere/lender-4.ogg\t1\tno audio", "one.m3u8\t/etc/passwd\t1\tno such song", "two.pls\t"] {
        assert!(missing.contains(row), "{missing}");
    }

    // Again: nothing to do. Otherwise: refused, then made with --force.
    let again = run(collection.path(), &out, &["--group-folder", "--group-split", "--seed", "3"]);
    assert!(said(&again).contains("already") && again.status.success());
    let other = run(collection.path(), &out, &["--group-folder", "--group-split", "--seed", "4", "--top", "1"]);
    assert_eq!(other.status.code(), Some(2));
    assert!(said(&other).contains("changed: split, top") && said(&other).contains("--force"), "{}", said(&other));
    done(run(collection.path(), &out, &["--top", "1", "--force"]));
    assert_eq!(Dataset::open(&out).unwrap().vocabulary(), ["common"]);
}

#[test]
fn killed_or_stopped_and_run_again_gives_the_same_bytes() {
    let collection = collection();
    let whole = collection.path().join("whole");
    done(run(collection.path(), &whole, &["--threads", "1"]));

    let stopped = collection.path().join("stopped");
    let child = started(collection.path(), &stopped, 10, &[]);
    Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    assert!(Dataset::open(&stopped).is_err());
    done(run(collection.path(), &stopped, &["--threads", "3"]));
    same(&whole, &stopped);

    // Spoils the collection, so it comes last.
    let killed = collection.path().join("killed");
    let mut child = started(collection.path(), &killed, 20, &[]);
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(Dataset::open(&killed).is_err());
    let kept = spoil(collection.path(), &killed);
    assert!((20..SONGS as usize).contains(&kept), "{kept}");
    done(run(collection.path(), &killed, &["--threads", "3"]));
    same(&whole, &killed);
}

/// A WAV file of mono 32-bit floats.
fn float_wav(path: &Path, rate: u32, samples: &[f32]) {
    let bytes = samples.len() as u32 * 4;
    let mut file = b"RIFF".to_vec();
    file.extend((36 + bytes).to_le_bytes());
    file.extend(b"WAVEfmt \x10\0\0\0\x03\0\x01\0");
    file.extend(rate.to_le_bytes());
    file.extend((4 * rate).to_le_bytes());
    file.extend(b"\x04\0\x20\0data");
    file.extend(bytes.to_le_bytes());
    file.extend(samples.iter().flat_map(|x| x.to_le_bytes()));
    fs::write(path, file).unwrap();
}

#[test]
fn what_was_cut_is_told_also_after_an_interruption() {
    let collection = collection();
    let at = collection.path();
    // First by name, so decoded before the interruption: 300 samples above 1, 200 below -1, the rest inside.
    let loud: Vec<f32> = (0..22_050)
        .map(|i| {
            if i < 300 {
                1.5
            } else if i < 500 {
                -1.25
            } else {
                0.5
            }
        })
        .collect();
    // At the dataset's own rate, so that what is cut can be counted.
    float_wav(&at.join("audio/a loud song.wav"), 22_050, &loud);
    let told = |output: Output| {
        assert_eq!(output.status.code(), Some(0), "{}", said(&output));
        let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        [json["saturated_songs"].as_u64(), json["saturated_samples"].as_u64()]
    };
    let whole = at.join("whole");
    assert_eq!(told(run(at, &whole, &["--json"])), [Some(1), Some(500)]);
    let d = Dataset::open(&whole).unwrap();
    let wave = d.wave(d.find("a loud song.wav").unwrap());
    assert_eq!((wave[0], wave[299], wave[300], wave[499], wave[500]), (32767, 32767, -32768, -32768, 16384));

    let stopped = at.join("stopped");
    let mut child = started(at, &stopped, 20, &[]);
    child.kill().unwrap();
    child.wait().unwrap();
    let journal = fs::read_to_string(stopped.join("unfinished/decoded.jsonl")).unwrap();
    assert!(journal.contains("a loud song.wav"), "{journal}");
    assert_eq!(told(run(at, &stopped, &["--json"])), [Some(1), Some(500)]);
    same(&whole, &stopped);
}

/// Stored at the dataset's rate, 8 kHz, a song comes through as it is: its excerpt is a slice of the file.
#[test]
fn an_excerpt_is_a_slice_of_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    fs::create_dir_all(at.join("audio")).unwrap();
    fs::write(at.join("tags.tsv"), "song\ttag\nsong.wav\tnoise\n").unwrap();
    let samples: Vec<i16> = (0..24_000i32).map(|i| (i * 7919 % 60_001 - 30_000) as i16).collect();
    float_wav(&at.join("audio/song.wav"), 8000, &samples.iter().map(|&s| f32::from(s) / 32768.0).collect::<Vec<_>>());
    let wave = |out: &str, more: &[&str]| {
        let out = at.join(out);
        let mut command = Command::new(env!("CARGO_BIN_EXE_tagwalk"));
        command.arg("prepare").arg("--out").arg(&out).arg("--audio").arg(at.join("audio"));
        command.arg("--tags").arg(at.join("tags.tsv")).args(["--rate", "8000"]).args(more);
        done(command.output().unwrap());
        let d = Dataset::open(&out).unwrap();
        assert_eq!((d.songs(), d.sample_rate()), (1, 8000));
        d.wave(0).to_vec()
    };
    assert!(wave("whole", &[]) == samples);
    assert!(wave("part", &["--excerpt", "1.25:0.5"]) == samples[10_000..14_000]);
    assert!(wave("end", &["--excerpt", "2.5:9"]) == samples[20_000..]);
}

#[test]
fn a_full_disk_is_an_error_and_can_be_gone_on_from() {
    let collection = collection();
    let whole = collection.path().join("whole");
    done(run(collection.path(), &whole, &[]));
    let out = collection.path().join("out");
    // A limit on the size of files, in blocks of 512 bytes, with its signal ignored, fails writes as a
    // full disk does: first less than a song (44,100 bytes), then more than that and less than all.
    for limit in [40, 2000] {
        let inner = command(collection.path(), &out, &[]);
        let mut shell = Command::new("sh");
        shell
            .args(["-c", &format!("trap '' XFSZ; ulimit -f {limit}; exec \"$0\" \"$@\"")])
            .arg(inner.get_program())
            .args(inner.get_args());
        let output = shell.output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{}", said(&output));
        assert!(said(&output).contains("cannot write") && said(&output).contains("Make room"), "{}", said(&output));
        assert!(Dataset::open(&out).is_err());
    }
    done(run(collection.path(), &out, &[]));
    same(&whole, &out);
}

#[test]
fn nothing_outside_is_opened_and_bad_files_are_listed() {
    let collection = collection();
    let at = collection.path();
    let audio = at.join("audio");
    wav(&at.join("outside/secret.wav"), 90);
    std::os::unix::fs::symlink(at.join("outside/secret.wav"), audio.join("escape.wav")).unwrap();
    std::os::unix::fs::symlink(at.join("outside"), audio.join("linked")).unwrap();
    std::os::unix::fs::symlink(audio.join("album 1/söng-1.wav"), audio.join("inside.wav")).unwrap();
    std::os::unix::fs::symlink(at.join("nothing.wav"), audio.join("dangling.wav")).unwrap();
    fs::write(audio.join("empty.mp3"), "").unwrap();
    fs::write(audio.join("text.ogg"), "no audio at all\n").unwrap();
    let (out, errors) = (at.join("out"), at.join("errors.tsv"));
    let output = run(at, &out, &["--errors", errors.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    let d = Dataset::open(&out).unwrap();
    assert_eq!(d.songs(), 126);
    assert_eq!(d.wave(d.find("inside.wav").unwrap()), d.wave(d.find("album 1/söng-1.wav").unwrap()));
    assert!(d.find("secret").is_err() && d.find("escape").is_err());
    let listed = fs::read_to_string(&errors).unwrap();
    assert_eq!(listed, fs::read_to_string(out.join("skipped.tsv")).unwrap());
    for file in ["escape.wav\ta link that leads out", "dangling.wav\t", "empty.mp3\t", "text.ogg\t"] {
        assert!(listed.contains(file), "{listed}");
    }
    assert_eq!(listed.lines().count(), 5, "{listed}");

    let plan = run(at, &at.join("never"), &["--dry-run", "--json"]);
    let json: serde_json::Value = serde_json::from_slice(&plan.stdout).unwrap();
    assert_eq!((json["schema"].as_u64(), json["lend_only"].as_u64()), (Some(1), Some(5)));
    assert_eq!((json["tags"].as_u64(), json["tags_without_audio"].as_u64()), (Some(3), Some(1)));
    assert!(!at.join("never").exists());
    let occupied = run(at, &at.join("outside"), &[]);
    assert_eq!(occupied.status.code(), Some(2));
    assert!(said(&occupied).contains("not empty"));
}

/// A new folder of audio files of these names, and of texts.
fn small(audio: &[&str], texts: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    audio.iter().zip(50..).for_each(|(name, period)| wav(&folder.path().join("audio").join(name), period));
    for (name, text) in texts {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

fn prepare(at: &Path, out: &str, more: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tagwalk"));
    command.current_dir(at).args(["prepare", "--out", out, "--audio", "audio", "--tags", "tags.tsv"]).args(more);
    command.output().unwrap()
}

/// A song found by its file name alone, in spite of its folder, is used, counted and listed; a path without its
/// extension, or from a higher folder, is the file's own, and leaves no song without audio beside it.
#[test]
fn names_of_other_folders_are_told() {
    let tags =
        "song\ttag\nOther Band/four.mp3\tjazz\nThird Band/four.mp3\tfolk\na/two\tone\ns/a/two.wav\ttwo\na\\two.wav\tthree\n";
    let playlist = "../zz/four.wav\nfile:///x/four.wav\n/old/place/a/two.wav\nfour.wav\n";
    let folder = small(&["b/four.wav", "a/two.wav"], &[("tags.tsv", tags), ("lists/one.m3u", playlist)]);
    let at = folder.path();
    let output = prepare(at, "out", &["--playlists", "lists"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let told = "4 matched by file name alone, their folders differ (see matched-by-name.tsv)";
    assert!(said(&output).contains(told), "{}", said(&output));
    let listed = fs::read_to_string(at.join("out/matched-by-name.tsv")).unwrap();
    let rows = [
        "file\tname\ttimes\tsong",
        "one.m3u\t../zz/four.wav\t1\tb/four.wav",
        "one.m3u\t/x/four.wav\t1\tb/four.wav",
        "tags.tsv\tOther Band/four.mp3\t1\tb/four.wav",
        "tags.tsv\tThird Band/four.mp3\t1\tb/four.wav",
    ];
    assert_eq!(listed.lines().collect::<Vec<_>>(), rows);
    let d = Dataset::open(&at.join("out")).unwrap();
    assert_eq!(d.songs(), 2);
    let tags = |song: &str| {
        let song = d.find(song).unwrap();
        (0..d.vocabulary().len()).filter(|&tag| d.has_tag(song, tag)).map(|tag| d.vocabulary()[tag].as_str()).collect::<Vec<_>>()
    };
    let mut of_two = tags("a/two.wav");
    of_two.sort_unstable();
    assert_eq!(of_two, ["one", "three", "two"]);
    assert_eq!(tags("b/four.wav").len(), 2);
    let json: serde_json::Value =
        serde_json::from_slice(&prepare(at, "never", &["--playlists", "lists", "--dry-run", "--json"]).stdout).unwrap();
    assert_eq!(json["matched_by_name"].as_u64(), Some(4));
}

/// A playlist of a folder that cannot be read is skipped, counted and listed; one that is named is refused.
#[test]
fn bad_playlists_of_a_folder_are_skipped() {
    let tags = "song\ttag\nb/four.wav\tjazz\na/two.wav\tjazz\n";
    let good = "../audio/b/four.wav\n../audio/a/two.wav\n";
    let lists =
        [("tags.tsv", tags), ("lists/good.m3u", good), ("lists/in/bad.xspf", "<playlist><trackList>"), ("none/x.txt", "")];
    let folder = small(&["b/four.wav", "a/two.wav"], &lists);
    let at = folder.path();
    fs::write(at.join("lists/wide.m3u8"), b"\xff\xfea\0").unwrap();
    let output = prepare(at, "out", &["--playlists", "lists"]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(said(&output).contains("2 files skipped (skipped.tsv)"), "{}", said(&output));
    let listed = fs::read_to_string(at.join("out/skipped.tsv")).unwrap();
    assert!(
        listed.contains("in/bad.xspf\tends early, inside <trackList>") && listed.contains("wide.m3u8\tis UTF-16"),
        "{listed}"
    );
    assert_eq!(Dataset::open(&at.join("out")).unwrap().playlists().len(), 1);
    let named = prepare(at, "named", &["--playlists", "lists/wide.m3u8"]);
    assert_eq!(named.status.code(), Some(2), "{}", said(&named));
    let empty = prepare(at, "empty", &["--playlists", "none"]);
    assert_eq!(empty.status.code(), Some(2));
    assert!(said(&empty).contains("--playlists: no playlist files there"), "{}", said(&empty));
}

#[test]
fn a_split_of_other_songs_is_refused_with_names_of_both() {
    let tags = "song\ttag\nb/four.wav\tjazz\n";
    let folder = small(&["b/four.wav", "a/two.wav"], &[("tags.tsv", tags), ("split.tsv", "x1\ttrain\nx2\tvalid\n")]);
    let output = prepare(folder.path(), "out", &["--split", "split.tsv"]);
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    for what in ["split.tsv", "names none of the songs", "x1, x2", "a/two.wav, b/four.wav"] {
        assert!(said(&output).contains(what), "{what}: {}", said(&output));
    }
    assert!(!folder.path().join("out").exists());
}

/// A split that leaves songs out says how many, and a dry run shows names of which it writes no list.
#[test]
fn what_a_split_leaves_out_and_what_is_not_found_is_said_before_anything_is_made() {
    let tags = "song\ttag\nb/four.wav\tjazz\nb/fuor.wav\trock\n";
    let split = "b/four.wav\ttrain\n";
    let folder = small(&["b/four.wav", "a/two.wav", "a/three.wav"], &[("tags.tsv", tags), ("split.tsv", split)]);
    let output = prepare(folder.path(), "out", &["--split", "split.tsv", "--dry-run"]);
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{}", said(&output));
    assert!(printed.contains("2 songs with audio are on no side of the split"), "{printed}");
    assert!(printed.contains("b/fuor.wav") && !folder.path().join("out").exists(), "{printed}");
    let output = prepare(folder.path(), "out", &["--split", "split.tsv"]);
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(printed.contains("(not-found.tsv)") && !printed.contains("b/fuor.wav"), "{printed}");
    assert!(fs::read_to_string(folder.path().join("out/not-found.tsv")).unwrap().contains("b/fuor.wav"));
    // A song that differs in case alone is named.
    let error = Dataset::open(&folder.path().join("out")).unwrap().find("B/Four").unwrap_err().to_string();
    assert!(error.contains("There is \"b/four.wav\"") && error.contains("info DATASET --songs"), "{error}");
}
