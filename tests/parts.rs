//! `tagwalk prepare --part I/N` and `--join`: the parts make the dataset that one machine would have made, byte for
//! byte, and what does not belong together is refused by name.
#![cfg(all(feature = "import", unix))]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tagwalk::dataset::Dataset;

#[path = "common/collection.rs"]
mod collection;
use collection::{collection, done, run, said, same, started};

const FLAGS: [&str; 5] = ["--group-folder", "--group-split", "--seed", "3", "--playlist-reading=gaps"];

fn part(collection: &Path, i: usize, n: usize, more: &[&str]) -> PathBuf {
    let out = collection.join(format!("part {i} of {n}"));
    let share = format!("{i}/{n}");
    done(run(collection, &out, &[&["--part", &share], &FLAGS[..], more].concat()));
    out
}

fn join(parts: &[&Path], out: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tagwalk")).args(["prepare", "--join"]).args(parts).arg("--out").arg(out).output().unwrap()
}

#[track_caller]
fn refused(parts: &[&Path], out: &Path, words: &[&str]) {
    let output = join(parts, out);
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    words.iter().for_each(|word| assert!(said(&output).contains(word), "no {word:?} in: {}", said(&output)));
    assert!(Dataset::open(out).is_err());
}

#[test]
fn parts_joined_are_the_whole() {
    let collection = collection();
    let at = collection.path();
    // Files that fail, and one that the scan passes over.
    fs::write(at.join("audio/album 1/broken.mp3"), "no audio").unwrap();
    fs::write(at.join("audio/album 2/empty.ogg"), "").unwrap();
    std::os::unix::fs::symlink("/etc/passwd", at.join("audio/leads out.ogg")).unwrap();
    let whole = at.join("whole");
    let output = run(at, &whole, &FLAGS);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    for n in [1, 3, 200] {
        // Of 200 parts most have no more than one file, and some none.
        let shares = if n == 200 { vec![1, 2, 61, 122, 123, 200] } else { (1..=n).collect() };
        let parts: Vec<PathBuf> = shares
            .into_iter()
            .rev()
            .map(|i| {
                let out = at.join(format!("part {i} of {n}"));
                let output = run(at, &out, &[&["--part", &format!("{i}/{n}")], &FLAGS[..]].concat());
                assert!(matches!(output.status.code(), Some(0 | 1)), "{}", said(&output));
                assert!(Dataset::open(&out).is_err(), "a part is no dataset");
                out
            })
            .collect();
        let named: Vec<&Path> = parts.iter().map(PathBuf::as_path).collect();
        let joined = at.join(format!("joined of {n}"));
        if n == 200 {
            refused(&named, &joined, &["part 3/200, 4/200", "and 174 more", "missing"]);
            continue;
        }
        let output = join(&named, &joined);
        assert_eq!(output.status.code(), Some(1), "some files failed, as in the whole: {}", said(&output));
        same(&whole, &joined);
        // Again there is nothing to do; the parts are still there.
        let again = join(&named, &joined);
        assert!(again.status.success() && said(&again).contains("already"), "{}", said(&again));
    }
}

#[test]
fn a_part_stopped_and_run_again_is_the_same() {
    let collection = collection();
    let at = collection.path();
    let whole = part(at, 1, 2, &[]);
    let out = at.join("stopped");
    let more = [&["--part", "1/2"], &FLAGS[..]].concat();
    let mut child = started(at, &out, 5, &more);
    child.kill().unwrap();
    child.wait().unwrap();
    refused(&[&out], &at.join("joined"), &["stopped", "not finished"]);
    let journal = |out: &Path| fs::read_to_string(out.join("unfinished/decoded.jsonl")).unwrap().lines().count();
    assert!((5..60).contains(&journal(&out)), "{}", journal(&out));
    done(run(at, &out, &more));
    same(&whole, &out);

    let again = run(at, &out, &more);
    assert!(again.status.success() && said(&again).contains("this part already"), "{}", said(&again));
    let other = run(at, &out, &[&["--part", "2/2"], &FLAGS[..]].concat());
    assert!(other.status.code() == Some(2) && said(&other).contains("changed: part"), "{}", said(&other));
    let dataset = run(at, &out, &FLAGS);
    assert!(dataset.status.code() == Some(2) && said(&dataset).contains("not empty"), "{}", said(&dataset));
    done(run(at, &out, &[&["--part", "2/2", "--force"], &FLAGS[..]].concat()));
    done(join(&[&out, &whole], &at.join("joined")));
}

#[test]
fn what_does_not_belong_together_is_refused_by_name() {
    let collection = collection();
    let at = collection.path();
    let joined = at.join("joined");
    let [one, two] = [1, 2].map(|i| part(at, i, 2, &[]));
    let other = part(at, 1, 3, &[]);
    let foreign = at.join("foreign");
    done(run(at, &foreign, &["--part", "2/2", "--top", "1"]));
    refused(&[&one], &joined, &["part 2/2 is missing"]);
    refused(&[&one, &two, &one], &joined, &["part 1 of 2", "is part 1/2, as"]);
    refused(&[&one, &foreign], &joined, &["foreign: is a part of another dataset", "top"]);
    refused(&[&one, &other], &joined, &["part 1 of 3: is a part of another dataset", "one of 3, not of 2"]);
    refused(&[&one, &at.join("nowhere")], &joined, &["nowhere", "no part of a dataset here"]);
    refused(&[&one, &at.join("audio")], &joined, &["audio", "no part of a dataset here"]);
    assert!(!joined.exists());

    // A byte of the samples changed on the way; a file that did not arrive.
    let waves = two.join("waves-00000.npy");
    let bytes = fs::read(&waves).unwrap();
    let mut changed = bytes.clone();
    *changed.last_mut().unwrap() ^= 1;
    fs::write(&waves, changed).unwrap();
    refused(&[&one, &two], &joined, &["part 2 of 2/waves-00000.npy", "has changed"]);
    fs::remove_file(&waves).unwrap();
    refused(&[&one, &two], &joined, &["part 2 of 2/waves-00000.npy"]);
    fs::write(&waves, bytes).unwrap();
    fs::create_dir(&joined).unwrap();
    fs::write(joined.join("mine.txt"), "x").unwrap();
    refused(&[&one, &two], &joined, &["joined", "not empty"]);
    fs::remove_file(joined.join("mine.txt")).unwrap();
    done(join(&[&one, &two], &joined));

    for flags in [&["--join", "a", "--part", "1/2"][..], &["--join", "a", "--top", "5"], &["--part", "3/2"], &["--part", "0/2"]] {
        let output = run(at, &at.join("never"), flags);
        assert_eq!(output.status.code(), Some(2), "{flags:?}: {}", said(&output));
    }
}
