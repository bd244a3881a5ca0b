//! Arms of experiments as command lines: each one's flags give its options, train, and go on where they
//! stopped; what `--contexts` and `--categories` read; `explain` of a run and of a dataset.
#![cfg(feature = "import")]

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;
use tagwalk::dataset::write::Contents;
use tagwalk::experiment::{Arm, arms};
use tagwalk::playlists::options::{Context, File, Origin};
use tagwalk::playlists::{Mode, Options, TagWeights};
use tagwalk::run::{Checkpoint, files};

mod common;
use common::runs::{NETWORK, fails, kind, log, succeeds, text, with_dataset};

fn files_beside(folder: &Path) -> [std::path::PathBuf; 3] {
    let names = ["categories.tsv", "neighbours.tsv", "log.tsv"].map(|name| folder.join(name));
    let song = |i: usize| format!("song {i}.wav");
    std::fs::write(&names[0], "tag\tcategory\nhigh\tpitch\nlow\tpitch\nwarm\tcolour\nmetal\tgenre\n").unwrap();
    let near: String = (0..40).map(|i| format!("{}\t{}\n{}\t{}\n", song(i), song(i + 4), song(i), song(i + 8))).collect();
    std::fs::write(&names[1], format!("song\tneighbour\n{near}")).unwrap();
    let heard: String =
        (0..48).map(|i| format!("2020-01-{:02}\tlistener {}\t{}\n", i % 28 + 1, i % 5, song(i * 7 % 48))).collect();
    std::fs::write(&names[2], format!("day\tlistener\tsong\n{heard}nowhen\tlistener 1\tnowhere.mp3\n")).unwrap();
    names
}

/// Every arm, and the options that its flags are to come to.
fn every_arm(folder: &Path) -> Vec<(Arm, Options)> {
    let [categories, neighbours, log] = files_beside(folder);
    let mut all = arms::fair(0.5);
    all.extend(arms::questions(0.5));
    all.push(arms::audio_neighbours(0.5, &neighbours));
    let mut all: Vec<(Arm, Options)> = all.into_iter().map(|arm| (arm.clone(), arm.propagation)).collect();
    let mut own = |name: &str, flags: &[&str], change: &dyn Fn(&mut Options)| {
        let base = Options { remove: 0.5, ..Options::default() };
        let mut want = base.clone();
        change(&mut want);
        all.push((arms::own(name, base, flags.iter().map(|flag| flag.to_string()).collect()), want));
    };
    let categories = text(&categories);
    own("r by category", &["--categories", categories, "--range-by-category", "pitch=0.2,colour=0.9"], &|o| {
        o.tag_ranges = vec![0.2, 0.4, 0.9, 0.2];
    });
    own("weights by category", &["--categories", categories, "--tag-weights", "colour=2,bright=0.5"], &|o| {
        o.tag_weights = TagWeights::Given(vec![1.0, 0.5, 2.0, 1.0]);
    });
    let from = Origin::File(File { path: log.clone(), column: Some("listener".into()), sha256: None });
    let listener = format!("{}:listener", log.display());
    own("along the log", &["--contexts", &listener], &|o| o.contexts = vec![Context { from: from.clone(), weight: 1.0 }]);
    own("playlists and the log", &["--contexts", &format!("playlists=3,{listener}")], &|o| {
        o.contexts = vec![Context { from: Origin::Playlists, weight: 3.0 }, Context { from: from.clone(), weight: 1.0 }];
    });
    all
}

fn config(data: &Path, arm: &Arm) -> Value {
    let flags = arm.flags();
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let run = data.with_file_name("never");
    let all = [&["train", text(data), "--out", text(&run), "--device", "cpu", "--dry-run", "--json"][..], &flags].concat();
    let (out, _) = succeeds(&all);
    serde_json::from_str::<Value>(&out).unwrap()["config"].take()
}

/// Flags give the options; names, folders and flags are each arm's own.
#[test]
fn arms_are_command_lines() {
    let (folder, data) = with_dataset(48);
    let all = every_arm(folder.path());
    let [mut names, mut slugs, mut flags] = [(); 3].map(|()| BTreeSet::new());
    for (arm, want) in &all {
        assert!(names.insert(arm.name.clone()) && slugs.insert(arm.slug().to_lowercase()), "{}", arm.name);
        assert_eq!(arm.has_range, arm.propagation.range != Options::default().range, "{}", arm.name);
        assert!(flags.insert(arm.flags().join(" ")), "{}: as another arm", arm.name);
        assert!(!arm.slug().contains(['/', ' ', '^', ',']), "{}", arm.slug());
        let config = config(&data, arm);
        let mut got: Options = serde_json::from_value(config["train"]["propagation"].clone()).unwrap();
        for context in &mut got.contexts {
            if let Origin::File(file) = &mut context.from {
                assert_eq!(file.sha256.take().map(|sha| sha.len()), Some(64));
            }
        }
        assert_eq!(got, *want, "{}", arm.name);
        assert_eq!(config["network"]["heads"], if arm.name == "two heads" { 2 } else { 1 });
        assert_eq!(config["settings"]["mean"], arm.name != "walk, sum");
    }
    let rows: BTreeSet<&str> = all.iter().map(|(arm, _)| arm.row).collect();
    assert!(["C1", "C3", "C4", "C8", "C9", "C10"].iter().all(|row| rows.contains(row)), "{rows:?}");
}

/// Each trains; what it borrows is finite, and not nothing where it borrows.
#[test]
fn every_arm_trains() {
    let (folder, data) = with_dataset(48);
    for (arm, _) in every_arm(folder.path()) {
        let run = folder.path().join(arm.slug());
        let flags = arm.flags();
        let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        let base = ["train", text(&data), "--out", text(&run), "--device", "cpu", "--batch", "8", "--steps", "4", "--quiet"];
        succeeds(&[&base[..], &NETWORK, &flags].concat());
        let borrowed: Vec<f64> = kind(&log(&run), "step").map(|step| step["propagated"].as_f64().unwrap()).collect();
        assert_eq!(borrowed.len(), 4);
        assert_eq!(borrowed.iter().any(|&loss| loss > 0.0), arm.propagation.mode != Mode::None, "{}: {borrowed:?}", arm.name);
    }
}

/// Stopped and resumed as if not stopped, with everything that a run keeps of these options; a file that has changed
/// is refused.
#[test]
fn runs_go_on_with_their_contexts_and_categories() {
    let (folder, data) = with_dataset(48);
    let [categories, _, listened] = files_beside(folder.path());
    let listener = format!("playlists=2,group,{}:listener=0.5", listened.display());
    let flags = [
        "--contexts",
        &listener,
        "--shuffle-playlists",
        "--random-lenders=popularity",
        "--categories",
        text(&categories),
        "--range-by-category",
        "pitch=0.2",
        "--tag-weights",
        "idf",
        "--batch",
        "8",
        "--device",
        "cpu",
        "--schedule",
        "fixed",
    ];
    let train = |run: &Path, steps: &str| {
        succeeds(
            &[
                &["train", text(&data), "--out", text(run), "--steps", steps, "--keep", "--checkpoint-steps", "5"][..],
                &NETWORK,
                &flags,
            ]
            .concat(),
        )
    };
    let (whole, half) = (folder.path().join("whole"), folder.path().join("half"));
    let (_, said) = train(&whole, "10");
    assert!(said.contains("log.tsv: 5 lists; 1 of 49 places are no song of the dataset"), "{said}");
    train(&half, "10");
    // As it was after step 5.
    std::fs::copy(half.join(files::kept(5)), half.join(files::LAST)).unwrap();
    let resume = ["train", "--resume", "--out", text(&half), "--device", "cpu"];
    // Categories were kept by what they say, the log by its checksum.
    std::fs::remove_file(&categories).unwrap();
    let before = std::fs::read_to_string(&listened).unwrap();
    std::fs::write(&listened, before.replace("song 7.wav", "song 8.wav")).unwrap();
    fails(&resume, 2, &["log.tsv: has other lists now than when this run began"]);
    // Other bytes that say the same are the same lists.
    std::fs::write(&listened, format!("\u{feff}{}", before.replace('\n', "\r\n"))).unwrap();
    succeeds(&resume);
    // The checkpoints but for the length of the log, which has the clock's numbers.
    let [a, b] = [&whole, &half].map(|run| Checkpoint::<Value>::read(&run.join(files::LAST)).unwrap());
    assert!(a.weights == b.weights && a.momenta == b.momenta && a.position.steps == 10, "weights or momenta differ");
    assert_eq!(log(&whole), log(&half));

    let explained = |more: &[&str]| {
        let (out, said) = succeeds(&[&["explain"][..], more, &["--song", "song 0", "--tag", "high", "--json"]].concat());
        assert!(said.is_empty(), "{said}");
        serde_json::from_str::<Value>(&out).unwrap()
    };
    let of_run = explained(&[text(&whole)]);
    assert_eq!((&of_run["schema"], &of_run["range"], &of_run["own"]), (&1.into(), &0.2.into(), &true.into()));
    assert_eq!(of_run["options"]["random_lenders"], "popularity");
    let chance = of_run["chance"].as_f64().unwrap();
    let sum = |of: &str| of_run[of].as_array().unwrap().iter().map(|one| one["chance"].as_f64().unwrap()).sum::<f64>();
    assert!(chance > 0.0 && ["lenders", "playlists", "ways"].iter().all(|of| (sum(of) - chance).abs() < 1e-12));
    let of_data = explained(&[text(&data), "--mode", "hops", "--exclude-self"]);
    assert!(of_data["label"].as_f64().unwrap() > 0.5, "playlists are of one tag: {of_data}");
    let (out, said) = succeeds(&["explain", text(&data), "--song", "song 0", "--tag", "high", "--top", "2"]);
    assert!(
        out.starts_with("chance in a step ") && out.contains("who lends") && said.contains("it has the tag itself"),
        "{out}{said}"
    );
    fails(&["explain", text(&whole), "--song", "song 0", "--tag", "high", "--range", "0.5"], 2, &["so does the run"]);
    fails(&["explain", text(&data), "--song", "song 0", "--tag", "High"], 2, &["no tag \"High\"", "There is \"high\"."]);
    fails(&["explain", text(&data), "--song", "song 0", "--tag", "high", "--mode", "none"], 2, &["nothing to explain"]);
    fails(&["explain", text(&data), "--song", "song 0", "--tag", "high", "--top", "0"], 2, &["--top"]);
    // Groups have names; five songs in a row are one, and song 5 has a tag of song 9's.
    let (out, _) = succeeds(&["explain", text(&data), "--song", "song 5", "--tag", "bright", "--contexts", "group"]);
    assert!(out.contains("group group 1  song 5.wav") && !out.contains("group group 0"), "{out}");
}

#[test]
fn wrong_options_are_refused_by_name() {
    let (folder, data) = with_dataset(48);
    let [categories, neighbours, listened] = files_beside(folder.path());
    let empty = folder.path().join("empty.tsv");
    std::fs::write(&empty, "song\tartist\nnobody\tx\nno one\tx\n").unwrap();
    let one = folder.path().join("one.m3u8");
    std::fs::write(&one, "song 0.wav\n").unwrap();
    let run = folder.path().join("run");
    let column = format!("{}:singer", listened.display());
    #[rustfmt::skip]
    let wrong: &[(&[&str], &str)] = &[
        (&["--hops", "2"], "--hops: is for --mode hops"), (&["--alpha", "0.5"], "--alpha: is for --mode hops"),
        (&["--mode", "hops", "--alpha", "1.5"], "--alpha: 1.5"), (&["--mode", "hops", "--hops", "0"], "--hops: 0"),
        (&["--random-lenders=alike"], "--random-lenders"), (&["--mode", "expected", "--random-lenders"], "--random-lenders"),
        (&["--contexts", "albums"], "--contexts: \"albums\""), (&["--contexts", "group=0"], "--contexts: weight 0"),
        (&["--contexts", &column], "has no column \"singer\""), (&["--contexts", text(&listened)], "several columns"),
        (&["--contexts", text(&empty)], "has no list of two songs"), (&["--contexts", text(&one)], "has no list of two songs"),
        (&["--contexts", text(folder.path())], "has no list"), (&["--tag-weights", "rock=2"], "--tag-weights: \"rock\""),
        (&["--tag-weights", "high"], "--tag-weights: \"high\" is neither"), (&["--tag-weights", "high=-1"], "--tag-weights: "),
        (&["--range-by-category", "pitch=0.5"], "--range-by-category: \"pitch\""),
        (&["--categories", text(&categories)], "--categories: says nothing by itself"),
        (&["--categories", text(&neighbours), "--tag-weights", "idf"], "neighbours.tsv: names no tag of the dataset"),
        (&["--range-by-category", "high=2"], "--range-by-category: 2"), (&["--mode", "none", "--contexts", "group"], "--contexts: "),
        (&["--mode", "none", "--shuffle-playlists"], "--shuffle-playlists: "), (&["--mode", "none", "--range", "0.2"], "--range: "),
        (&["--mode", "none", "--exclude-self"], "--exclude-self: "), (&["--mode", "none", "--lend", "all"], "--lend: "),
    ];
    for (flags, says) in wrong {
        fails(&[&["train", text(&data), "--out", text(&run), "--device", "cpu"][..], &NETWORK, flags].concat(), 2, &[says]);
        assert!(!run.join("config.json").exists());
    }
    // A dataset whose songs are in no group.
    let other = folder.path().join("other");
    let contents = Contents {
        sample_rate: 8000,
        names: vec!["a".into(), "b".into()],
        vocabulary: vec!["x".into()],
        tags: vec![vec![0]; 2],
        ..Contents::default()
    };
    contents.write(&other, &[]).unwrap();
    fails(&["train", text(&other), "--out", text(&run), "--device", "cpu", "--contexts", "group"], 2, &["has no group of two"]);
}
