//! `tagwalk reproduce`: a grid that is killed goes on and comes to the same rows; two processes share a
//! folder; a row that was damaged is said and done again; the report has every figure, and its tables say what
//! its CSV files say.
#![cfg(feature = "report")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use clap::Parser;
use serde_json::Value;
use tagwalk::commands::{Cli, Command};
use tagwalk::dataset::{Dataset, Sides, View};
use tagwalk::device::Device;
use tagwalk::experiment::arms;
use tagwalk::experiment::grid::spec::SplitBy;
use tagwalk::experiment::grid::{Row, Spec, TagRow, row};
use tagwalk::experiment::report::{ArmRow, read_categories};
use tagwalk::kernels::Precision;

mod common;
use common::grids::{command, rows};
use common::runs::{dataset, fails, outcome, succeeds, tagwalk, text, with_dataset};

fn finished(out: &Path) -> BTreeSet<String> {
    let names = fs::read_dir(out.join("rows")).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
    names.filter_map(|name| name.strip_suffix(".csv").filter(|n| !n.contains('.')).map(String::from)).collect()
}

/// Starts a process and waits until `until` holds, then kills it, as kill -9 does.
fn killed(arguments: &[&str], until: impl Fn() -> bool) {
    let mut child: Child = tagwalk(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let began = Instant::now();
    while !until() && child.try_wait().unwrap().is_none() {
        assert!(began.elapsed() < Duration::from_secs(300), "nothing was done in five minutes");
        std::thread::sleep(Duration::from_millis(2));
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn killed_and_continued_is_the_same_grid() {
    let (folder, data) = with_dataset(192);
    let [plain, parts, lines] = ["plain", "parts", "lines"].map(|name| folder.path().join(name));
    let (printed, said) = succeeds(&command(&data, &plain, &[]));
    let whole = rows(&plain);
    // Two seeds of none, walk at three ranges, random lenders.
    assert_eq!(whole.len(), 10);
    assert!(said.contains("10 runs (3 arms, 2 seeds, 3 ranges, 2 rates, 4 tags), 10 of them to do"), "{said}");
    assert!(printed.contains("walk, r chosen on validation") && printed.contains("report.html"), "{printed}");
    // Finished runs leave no folders, and are not run again.
    assert!(fs::read_dir(plain.join("runs")).unwrap().all(|e| e.unwrap().path().extension().is_some_and(|e| e == "lock")));
    let (_, said) = succeeds(&command(&data, &plain, &[]));
    assert!(said.contains("all 10 runs are done"), "{said}");
    assert_eq!(rows(&plain), whole);

    // Killed once three rows are there, and again after three more.
    let go = command(&data, &parts, &["--at-once", "2"]);
    killed(&go, || parts.join("rows").exists() && finished(&parts).len() >= 3);
    let done = finished(&parts);
    let (_, said) = succeeds(&command(&data, &parts, &["--collect"]));
    assert!(done.len() >= 3 && said.contains(&format!("{} of 10 runs are missing", 10 - done.len())), "{said}");
    killed(&go, || finished(&parts).len() >= 6);
    succeeds(&go);
    assert_eq!(rows(&parts), whole);

    // The same by lines, each a command of its own.
    let (list, _) = succeeds(&command(&data, &lines, &["--list"]));
    assert_eq!(list.lines().count(), 10);
    for (i, line) in list.lines().enumerate() {
        assert!(line.starts_with("tagwalk reproduce ") && line.ends_with(&format!(" --only {}", i + 1)), "{line}");
        let words: Vec<&str> = line.split(' ').skip(1).collect();
        succeeds(&words);
    }
    assert_eq!(succeeds(&command(&data, &lines, &["--list"])).0, "");
    succeeds(&command(&data, &lines, &["--collect"]));
    assert_eq!(rows(&lines), whole);
    let table = |out: &Path| fs::read(out.join("data/arms.csv")).unwrap();
    assert!(table(&lines) == table(&plain) && table(&parts) == table(&plain));
    fails(&command(&data, &lines, &["--only", "11"]), 2, &["--only: the grid has runs 1 to 10, not 11"]);
}

#[test]
fn two_processes_share_a_grid() {
    let (folder, data) = with_dataset(192);
    let out = folder.path().join("grid");
    let start =
        || tagwalk(&command(&data, &out, &["--at-once", "1"])).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let both = [start(), start()];
    let said: Vec<String> = both
        .into_iter()
        .map(|child| {
            let output = child.wait_with_output().unwrap();
            let said = String::from_utf8(output.stderr).unwrap();
            assert!(output.status.success(), "{said}");
            said
        })
        .collect();
    // Each run was done by one of them.
    let done = |said: &str| said.lines().filter(|line| line.contains(": ROC-AUC ")).count();
    assert_eq!(done(&said[0]) + done(&said[1]), 10, "{said:#?}");
    succeeds(&command(&data, &out, &["--collect"]));
    assert_eq!(rows(&out).len(), 10);
}

#[test]
fn a_damaged_row_is_said_and_done_again() {
    let (folder, data) = with_dataset(192);
    let out = folder.path().join("grid");
    let few = |more: &[&'static str]| -> Vec<String> {
        let own = ["--seeds", "1", "--arms", "none,walk", "--ranges", "0.4"];
        let mut all: Vec<String> = command(&data, &out, more).into_iter().map(String::from).collect();
        for pair in own.chunks(2) {
            let at = all.iter().position(|word| word == pair[0]).unwrap();
            all[at + 1] = pair[1].into();
        }
        all
    };
    let run = |more: &[&'static str]| {
        let words = few(more);
        succeeds(&words.iter().map(String::as_str).collect::<Vec<_>>())
    };
    run(&[]);
    let (whole, hashes) = (rows(&out), finished(&out));
    assert_eq!(hashes.len(), 2);
    let row = |hash: &str, ending: &str| out.join("rows").join(format!("{hash}.{ending}"));
    let first = hashes.first().unwrap();
    let original = fs::read_to_string(row(first, "csv")).unwrap();
    let tags = fs::read_to_string(row(first, "tags.csv")).unwrap();
    let flip = |text: &str| {
        // A digit of a figure becomes another.
        let at = text.rfind("0.").unwrap() + 2;
        let digit = if text.as_bytes()[at] == b'1' { "2" } else { "1" };
        format!("{}{digit}{}", &text[..at], &text[at + 1..])
    };
    let damages: Vec<(&str, String)> = vec![
        ("csv", original[..original.len() / 2].into()),
        ("csv", String::new()),
        ("csv", flip(&original)),
        ("csv", "\0\0\0".repeat(500)),
        ("tags.csv", flip(&tags)),
        ("tags.csv", tags.lines().take(3).collect::<Vec<_>>().join("\n")),
    ];
    for (ending, damaged) in damages {
        fs::write(row(first, ending), &damaged).unwrap();
        // The collected rows would stand in for it.
        fs::remove_file(out.join("runs.csv")).unwrap();
        let (_, said) = run(&["--collect"]);
        assert!(said.contains(first.as_str()) && said.contains("it is left out"), "{ending}: {said}");
        fs::remove_file(out.join("runs.csv")).unwrap();
        let (_, said) = run(&[]);
        assert!(said.contains(first.as_str()) && said.contains("the run is done again"), "{ending}: {said}");
        assert_eq!(rows(&out), whole);
    }
    // Rows that are gone are taken from runs.csv, so that a report needs no training; one changed there is not.
    fs::remove_dir_all(out.join("rows")).unwrap();
    let (_, said) = run(&[]);
    assert!(said.contains("all 2 runs are done"), "{said}");
    assert_eq!(rows(&out), whole);
    let collected = fs::read_to_string(out.join("runs.csv")).unwrap();
    fs::write(out.join("runs.csv"), flip(&collected)).unwrap();
    let (_, said) = run(&["--collect"]);
    assert!(said.contains("its check does not fit its figures"), "{said}");

    // What training left half-way and cannot be gone on with begins again.
    assert_eq!(run(&["--list"]).0.lines().count(), 1);
    for hash in &hashes {
        let folder = out.join("runs").join(hash);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("config.json"), "{}").unwrap();
    }
    fs::remove_file(out.join("runs.csv")).unwrap();
    let (_, said) = run(&[]);
    assert_eq!(said.matches("the run begins again").count(), 2, "{said}");
    assert_eq!(rows(&out), whole);
}

#[test]
fn the_report_has_every_figure_and_its_numbers_are_those_of_the_tables() {
    let (folder, data) = with_dataset(192);
    let out = folder.path().join("grid");
    let categories = folder.path().join("categories.tsv");
    fs::write(&categories, "high\ttreble\nbright\ttreble\nlow\tbass <&>\n").unwrap();
    let flags = ["--categories", text(&categories)];
    let (printed, _) = succeeds(&command(&data, &out, &flags));
    let page = fs::read_to_string(out.join("report.html")).unwrap();
    for n in 1..=6 {
        assert!(page.contains(&format!("id=\"fig{n}\"")) && page.contains(&format!("Fig. {n}")), "figure {n}");
        assert!(out.join(format!("data/fig{n}.csv")).exists(), "figure {n}");
    }
    // Nothing from a network: no address is loaded, and the page's own name for SVG is the only one there.
    assert!(!page.contains("<script") && !page.contains("src=") && !page.contains("@import") && !page.contains("url("));
    assert_eq!(page.matches("http").count(), page.matches("http://www.w3.org/2000/svg").count());
    assert!(page.contains("bass &lt;&amp;&gt;") && !page.contains("bass <&>"));
    assert!(page.contains("Random split") && page.contains("macro PR-AUC") && page.contains("popularity alone"));
    assert!(page.contains("tagwalk reproduce ") && page.contains("--min-positives 2"));
    assert!(page.contains("4 of the 4 tags count in a seed."));
    // The paper's values beside ours.
    assert!(page.contains("0.296") && page.contains("0.0948"));
    let pictures = fs::read_dir(out.join("figures")).unwrap().count();
    assert_eq!(page.matches("<svg ").count(), pictures);

    // Means of the table, from the rows: ROC-AUC over tags with at least two test songs, by arm and range.
    let rows = rows(&out);
    let tags: Vec<TagRow> = row::read(&fs::read(out.join("tags.csv")).unwrap()).unwrap();
    let arms: Vec<ArmRow> = row::read(&fs::read(out.join("data/arms.csv")).unwrap()).unwrap();
    let auc = |hash: &str| {
        let of: Vec<f64> = tags.iter().filter(|t| t.hash == hash && t.positives >= 2).filter_map(|t| t.roc_auc).collect();
        of.iter().sum::<f64>() / of.len() as f64
    };
    let mean = |arm: &str, range: Option<f64>| {
        let of: Vec<f64> =
            rows.values().filter(|r| r.arm == arm && (range.is_none() || r.range == range)).map(|r| auc(&r.hash)).collect();
        assert_eq!(of.len(), 2);
        of.iter().sum::<f64>() / 2.0
    };
    let table = |name: &str| arms.iter().find(|row| row.arm == name && row.measure == "ROC-AUC").unwrap();
    for (name, arm, range) in [
        ("none", "none", None),
        ("walk, r = 0", "walk", Some(0.0)),
        ("walk, r = 0.4", "walk", Some(0.4)),
        ("walk, r = 0.8", "walk", Some(0.8)),
        ("random lenders", "random lenders", None),
    ] {
        let row = table(name);
        assert!((row.test.unwrap() - mean(arm, range)).abs() < 1e-12, "{name}");
        if name != "none" {
            let gain = mean(arm, range) - mean("none", None);
            assert!((row.difference.unwrap() - gain).abs() < 1e-12, "{name}");
            // Nadeau and Bengio, of two seeds: t(1) at 97.5 % is 12.706; the error has the overlap of the splits in it.
            let by_seed = |arm: &str, range: Option<f64>, seed: u64| {
                let of = rows.values().find(|r| r.arm == arm && r.seed == seed && (range.is_none() || r.range == range));
                of.unwrap()
            };
            let of = [0, 1].map(|seed| (by_seed(arm, range, seed), by_seed("none", None, seed)));
            let [a, b] = of.map(|(to, from)| auc(&to.hash) - auc(&from.hash));
            let sides = |count: fn(&Row) -> usize| of.iter().map(|(to, _)| count(to) as f64).sum::<f64>();
            let ratio = sides(|row| row.test_songs) / sides(|row| row.split_songs);
            assert!(ratio > 0.1, "{ratio}: with none the test would say nothing");
            let far = 12.7062047361747 * ((0.5 + ratio) * (a - b).powi(2) / 2.0).sqrt();
            for (end, expected) in [(row.seeds_low, gain - far), (row.seeds_high, gain + far)] {
                assert!((end.unwrap() - expected).abs() < 1e-9 * (1.0 + expected.abs()), "{name}: {end:?}, {expected}");
            }
            assert!(row.songs_low.is_some() && row.groups_low.is_some() && row.tags_low.is_some());
        }
    }
    // Each seed's range is the one that its validation songs like best, whatever its test songs say.
    let chosen = (0..2).map(|seed| {
        let of = rows.values().filter(|r| r.arm == "walk" && r.seed == seed);
        let best = of.max_by(|a, b| {
            let by_range = b.range.unwrap().total_cmp(&a.range.unwrap());
            a.valid_roc_auc.unwrap().total_cmp(&b.valid_roc_auc.unwrap()).then(by_range)
        });
        auc(&best.unwrap().hash)
    });
    let chosen = chosen.sum::<f64>() / 2.0;
    assert!((table("walk, r chosen on validation").test.unwrap() - chosen).abs() < 1e-12);
    let shown = format!("{:.3}", table("none").test.unwrap());
    assert!(page.contains(&shown) && printed.contains(&shown), "{shown}");
    // A seed's arms see the same songs.
    for seed in 0..2 {
        let sizes: BTreeSet<_> =
            rows.values().filter(|r| r.seed == seed).map(|r| (r.test_songs, r.valid_songs, r.steps)).collect();
        assert_eq!(sizes.len(), 1);
    }
}

#[test]
fn a_job_is_a_plain_command() {
    let folder = tempfile::tempdir().unwrap();
    dataset(folder.path(), 48);
    let plain = || Dataset::open(folder.path()).unwrap();
    let mut hashes = BTreeSet::new();
    let (mut count, mut known) = (0, None);
    for (split, remove) in [(SplitBy::Prepared, 0.0), (SplitBy::Songs, 0.5)] {
        let spec = Spec {
            arms: [arms::all(remove), vec![arms::walk_sum(remove)], arms::floors(remove)].concat(),
            scanned: vec!["walk".into()],
            ranges: vec![0.0, 0.35],
            range: 0.3,
            tuned: vec!["walk, sum".into()],
            rates: vec![0.5, 1.0],
            seeds: 3..5,
            tops: vec![Some(2), None],
            vocabulary: 4,
            split,
            network: "3^3-9/8".into(),
            batch: 4,
            rate: 0.05,
            steps: 30,
            clips_per_song: 2,
        };
        // As `tagwalk train` would read a run's flags in a shell.
        let read = |flags: &[String]| {
            let words = ["tagwalk", "train", text(folder.path()), "--out", "run"].map(String::from);
            let cli = Cli::try_parse_from(words.into_iter().chain(flags.to_vec())).unwrap_or_else(|e| panic!("{flags:?}: {e}"));
            let Command::Train(args) = cli.command else { panic!("no training") };
            let seen = args.train.open(folder.path()).unwrap();
            args.train.config(&seen, &Device::Cpu, Device::Cpu.choice())
        };
        for job in spec.jobs(&read).unwrap() {
            count += 1;
            hashes.insert(job.hash());
            if job.learner == arms::Learner::Network {
                known = Some(job.clone());
            }
            let theirs = read(&job.flags).unwrap();
            let seen = plain().seen(job.train.view).unwrap();
            assert_eq!(job.config(&seen, &Device::Cpu, Device::Cpu.choice()), theirs, "{:?}", job.flags);
            assert!(job.began(&theirs));
            // The arm's options, but for the range, arrive as they are.
            let arm = spec.arms.iter().find(|arm| *arm.name == *job.arm).unwrap();
            let range = job.train.propagation.range;
            assert_eq!(job.train.propagation, tagwalk::playlists::Options { range, ..arm.propagation.clone() });
            let ranges: &[f64] = if job.arm == "walk" { &[0.0, 0.35] } else { &[0.3, 0.4] };
            assert!(ranges.contains(&range), "{}: {range}", job.arm);
            assert_eq!(job.train.view.sides, if remove == 0.0 { Sides::Prepared } else { Sides::Songs(job.seed) });
        }
    }
    assert_eq!(hashes.len(), count, "two runs of a grid have one hash");
    assert!(count > 50, "{count} jobs");
    // Precision is a grid's and no arm's: the plain commands say it, too.
    let mut mixed = known.expect("there are jobs");
    assert!(!mixed.commands(folder.path()).contains("--precision"));
    mixed.settings.choice.precision = Precision::Mixed;
    assert!(mixed.commands(folder.path()).contains(" --precision mixed && tagwalk evaluate RUN"));
    // Sides and vocabulary decide a run.
    let seen = plain().seen(View { sides: Sides::Songs(3), top: Some(2) }).unwrap();
    assert_eq!((seen.vocabulary().len(), seen.view().top), (2, Some(2)));
}

#[test]
fn wrong_flags_are_named_before_anything_is_trained() {
    let (folder, data) = with_dataset(48);
    let out = folder.path().join("grid");
    let wrong: &[(&[&str], &str)] = &[
        (&["--remove", "1"], "--remove"),
        (&["--seeds", "0"], "--seeds"),
        (&["--top", "0"], "--top"),
        (&["--top", "some"], "--top"),
        (&["--only", "0"], "--only"),
        (&["--only", "1", "--list"], "--only"),
        (&["--quick", "--full"], "--full"),
        (&["--rates", "3"], "--rates: 3 alone"),
        (&["--rates", "0,1"], "--rates: 0 is not"),
        (&["--at-once", "0"], "--at-once"),
        (&["--choose-by", "luck"], "--choose-by"),
        (&["--audio", "somewhere"], "word msd"),
        (&["--first-seed", "-1"], "--first-seed"),
    ];
    for (flags, says) in wrong {
        fails(&command(&data, &out, flags), 2, &[says]);
    }
    let change = |flag: &str, value: &'static str| -> Vec<String> {
        let mut all: Vec<String> = command(&data, &out, &[]).into_iter().map(String::from).collect();
        let at = all.iter().position(|word| word == flag).unwrap();
        all[at + 1] = value.into();
        all
    };
    for (flag, value, says) in [
        ("--arms", "none,walks", "no arm is called \"walks\""),
        ("--scan", "expected", "no arm is called"),
        ("--ranges", "0,1.5", "--ranges: 1.5 is not"),
        ("--ranges", "nan", "--ranges: NaN is not"),
        ("--network", "3^99", "--network"),
        ("--rate", "0", "--rate"),
        ("--steps", "0", "--steps"),
    ] {
        let words = change(flag, value);
        let (code, _, said) = outcome(&words.iter().map(String::as_str).collect::<Vec<_>>());
        assert!(code == Some(2) && said.contains(says) && !said.contains("panicked"), "{flag} {value}: {said}");
    }
    fails(&["reproduce", "nowhere", "--out", text(&out)], 2, &["nowhere"]);
    fails(&["reproduce", "msd", "--out", text(&out)], 2, &["--tags: is missing"]);
    assert!(!out.join("runs.csv").exists());
}

/// `--with`: any flags of `tagwalk train` make an arm, which may be scanned; its rows are those of a plain run.
#[test]
fn arms_of_ones_own() {
    let (folder, data) = with_dataset(96);
    let out = folder.path().join("grid");
    let categories = folder.path().join("kinds of tags.tsv");
    fs::write(&categories, "high\tpitch\nlow\tpitch\nwarm\tcolour\nbright\tcolour\n").unwrap();
    let by_kind = format!("By kind: --categories '{}' --range-by-category pitch=0.1 --exclude-self", categories.display());
    let base = ["reproduce", text(&data), "--out", text(&out), "--network", "3^3-9/8", "--steps", "4", "--batch", "4"];
    let more = ["--seeds", "1", "--arms", "none,audio-neighbours", "--ranges", "0.2,0.6", "--scan", "by-kind", "--device", "cpu"];
    let with = ["--with", &by_kind, "--with", "wider: --network 3^3-9/4 --heads=2 --range 0.7"];
    let all = [&base[..], &more, &with].concat();
    let (list, _) = succeeds(&[&all[..], &["--list"]].concat());
    assert_eq!(list.lines().count(), 5, "none, what sounds alike, two ranges by kind, wider: {list}");
    succeeds(&all);
    let of = |arm: &str| -> Vec<_> { rows(&out).into_values().filter(|row| row.arm == arm).collect() };
    let ranges: BTreeSet<String> = of("By kind").iter().map(|row| format!("{:?}", row.range)).collect();
    assert_eq!(ranges, BTreeSet::from(["Some(0.2)".to_string(), "Some(0.6)".to_string()]));
    let wider = &of("wider")[0];
    assert_eq!((of("none").len(), of("wider").len(), wider.range, wider.network.as_str()), (1, 1, Some(0.7), "3^3-9/4"));
    assert!(of("audio neighbours")[0].commands.contains("--contexts GRID/alike-"), "{}", of("audio neighbours")[0].commands);
    // As the row says that it can be done by hand.
    let run = folder.path().join("by hand");
    let by_hand: Vec<String> = shlex::split(&wider.commands).unwrap();
    let place = |word: &String| match word.as_str() {
        "DATASET" => text(&data).to_string(),
        "RUN" => text(&run).to_string(),
        _ => word.clone(),
    };
    let by_hand: Vec<String> = by_hand.iter().map(place).collect();
    let (train, evaluate) = by_hand.split_at(by_hand.iter().position(|word| word == "&&").unwrap());
    let of_words = |words: &[String], more: &[&str]| {
        let words: Vec<&str> = words.iter().map(String::as_str).skip_while(|word| *word != "tagwalk").skip(1).collect();
        succeeds(&[&words[..], &["--device", "cpu"], more].concat()).0
    };
    of_words(train, &[]);
    let figures: Value = serde_json::from_str(&of_words(evaluate, &["--json"])).unwrap();
    assert_eq!(figures["roc_auc"].as_f64(), wider.roc_auc);
    // A finished grid's dry run draws nothing, and names the arms that it could have.
    fs::remove_file(out.join("report.html")).unwrap();
    let (printed, said) = succeeds(&[&all[..], &["--dry-run"]].concat());
    assert!(
        said.contains("all 5 runs are done") && printed.contains("wider: ") && printed.contains("three-hops"),
        "{said}{printed}"
    );
    assert!(!out.join("report.html").exists());
    // Rows that were kept are finished runs to --only as well.
    let kept = folder.path().join("kept");
    fs::create_dir(&kept).unwrap();
    for table in ["runs.csv", "tags.csv"] {
        fs::copy(out.join(table), kept.join(table)).unwrap();
    }
    let words: Vec<&str> = all.iter().map(|&word| if word == text(&out) { text(&kept) } else { word }).collect();
    let (_, said) = succeeds(&[&words[..], &["--only", "2"]].concat());
    assert!(said.contains("run 2 is done") && finished(&kept).is_empty(), "{said}");
    // The lines of --list are commands for a shell, names with spaces and all.
    let again = folder.path().join("again");
    let line = list.lines().nth(2).unwrap().replace(text(&out), text(&again));
    let words = shlex::split(&line).unwrap();
    succeeds(&words.iter().skip(1).map(String::as_str).collect::<Vec<_>>());
    fails(&[&all[..], &["--with", "None: --heads 2"]].concat(), 2, &["--with: another arm is called \"None\""]);
    fails(&[&all[..], &["--with", "far: --range 3"]].concat(), 2, &["--with \"far\": 3 is not between 0 and 1"]);
    fails(&[&all[..], &["--with", "far: --rang 3"]].concat(), 2, &["--with \"far\": unexpected argument"]);
    // The first of --arms is the baseline, an own one too.
    let swapped: Vec<&str> = all.iter().map(|&word| if word.starts_with("none,") { "wider,none" } else { word }).collect();
    let (printed, _) = succeeds(&[&swapped[..], &["--dry-run"]].concat());
    assert!(printed.starts_with("  wider: "), "{printed}");
    fails(&[&all[..], &["--with", "longer: --steps 9"]].concat(), 2, &["--steps, which is the same for all arms"]);
    fails(&[&all[..], &["--with", "missing: --contexts nowhere.tsv"]].concat(), 2, &["--contexts: \"nowhere.tsv\""]);
}

#[test]
fn the_demos_tags_have_categories() {
    let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/demo");
    let named: BTreeSet<String> =
        read_categories(&demo.join("categories.tsv")).unwrap().into_iter().flat_map(|(_, tags)| tags).collect();
    let table = fs::read_to_string(demo.join("tags.tsv")).unwrap();
    let tags: BTreeSet<String> = table.lines().skip(1).map(|line| line.split('\t').nth(1).unwrap().to_string()).collect();
    assert_eq!(named, tags);
    let wrong: PathBuf = tempfile::tempdir().unwrap().keep().join("three.tsv");
    fs::write(&wrong, "a\tb\tc\n").unwrap();
    assert!(read_categories(&wrong).unwrap_err().to_string().contains("two columns"));
    fs::remove_dir_all(wrong.parent().unwrap()).unwrap();
}
