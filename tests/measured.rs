//! What a run learnt, measured by `evaluate` and used by `tag`: on the split, the weights and the dataset that were
//! named, with the figures that its own files give, and stopped by Ctrl-C.

use std::path::Path;

use serde_json::Value;
use tagwalk::dataset::{Dataset, Split};
use tagwalk::format::matrix::{Matrix, Values};
use tagwalk::run::files;

mod common;
#[cfg(feature = "import")]
use common::runs::{CLIP, outcome};
use common::runs::{NETWORK, dataset, fails, kind, succeeds, text, with_dataset};

/// The arguments of a run on the CPU.
fn train<'a>(data: &'a Path, run: &'a Path, more: &[&'a str]) -> Vec<&'a str> {
    [&["train", text(data), "--out", text(run), "--device", "cpu", "--batch", "4"][..], &NETWORK, more].concat()
}

fn parse(out: &str) -> Value {
    serde_json::from_str(out).unwrap_or_else(|e| panic!("{e}: {out}"))
}

fn evaluate(run: &Path, more: &[&str]) -> Value {
    parse(&succeeds(&[&["evaluate", text(run), "--device", "cpu", "--json"][..], more].concat()).0)
}

const FIGURES: [&str; 3] = ["annotation_map", "retrieval_map", "roc_auc"];

/// The values of a file of numbers.
fn values(path: &Path) -> (Vec<usize>, Vec<f64>) {
    let Matrix { shape, values } = Matrix::read(path).unwrap();
    let values = match values {
        Values::F32(values) => values.into_iter().map(f64::from).collect(),
        Values::F64(values) => values,
    };
    (shape.to_vec(), values)
}

/// Tags are frequencies, so a network that learns tells the tags of songs it has not heard, though a
/// third of the training songs have none.
#[test]
fn what_was_learnt_is_measured_and_used() {
    // 84 songs are trained on, 16 validate, 12 test.
    let (folder, data) = with_dataset(112);
    let run = folder.path().join("run");
    let (out, _) =
        succeeds(&train(&data, &run, &["--steps", "400", "--rate", "0.05", "--checkpoint-steps", "100", "--keep", "--json"]));
    let events: Vec<Value> = out.lines().map(parse).collect();
    assert!(events.iter().all(|event| event["schema"] == 1));
    assert_eq!(kind(&events, "step").count(), 400);
    let end = events.last().unwrap();
    assert_eq!((&end["kind"], &end["steps"], &end["finished"]), (&"end".into(), &400.into(), &true.into()));

    let figures = evaluate(&run, &[]);
    println!("annotation MAP {}, ROC-AUC {}", figures["annotation_map"], figures["roc_auc"]);
    assert_eq!((figures["songs"].as_u64(), figures["tags"].as_u64()), (Some(12), Some(4)));
    assert!(figures["roc_auc"].as_f64() > Some(0.9) && figures["annotation_map"].as_f64() > Some(0.8), "{figures}");
    let portable = evaluate(&run, &["--family", "portable", "--out", text(&folder.path().join("portable"))]);
    assert!((portable["roc_auc"].as_f64().unwrap() - figures["roc_auc"].as_f64().unwrap()).abs() < 0.02);

    // Its files: the songs of the split in their order, their truth, what was scored, and the same figures.
    let songs = |split| -> Vec<usize> {
        let d = Dataset::open(&data).unwrap();
        (0..d.songs()).filter(|&s| d.split(s) == split).collect()
    };
    let test = songs(Split::Test);
    let [scores, truth] = ["probabilities-test.npy", "truth-test.npy"].map(|name| run.join(name));
    let tags = |songs: &[usize]| -> Vec<f64> {
        songs.iter().flat_map(|song| (0..4).map(move |tag| if song % 4 == tag { 1.0 } else { 0.0 })).collect()
    };
    assert_eq!(values(&truth), (vec![12, 4], tags(&test)));
    let (shape, probabilities) = values(&scores);
    assert_eq!(shape, [12, 4]);
    let files = parse(&succeeds(&["evaluate", "--predictions", text(&scores), "--truth", text(&truth), "--json"]).0);
    assert!(FIGURES.iter().all(|name| files[name].is_f64() && files[name] == figures[name]), "{files} {figures}");
    let table = std::fs::read_to_string(run.join("probabilities-test.csv")).unwrap();
    let mut rows = table.lines();
    assert_eq!(rows.next(), Some("song,high,bright,warm,low"));
    for (song, probabilities) in test.iter().zip(probabilities.chunks(4)) {
        let cells: Vec<&str> = rows.next().unwrap().split(',').collect();
        assert_eq!(cells[0], format!("song {song}.wav"));
        let row: Vec<f64> = cells[1..].iter().map(|cell| f64::from(cell.parse::<f32>().unwrap())).collect();
        assert_eq!(row, probabilities, "{cells:?}");
    }
    assert_eq!(rows.next(), None);
    let valid = evaluate(&run, &["--split", "valid"]);
    assert_eq!(valid["songs"], 16);
    assert_eq!(values(&run.join("truth-valid.npy")), (vec![16, 4], tags(&songs(Split::Valid))));

    // Best and last weights are told apart: a folder whose best are early ones, and one whose best are the last.
    let with_best = |name: &str, best: &str| {
        let other = folder.path().join(name);
        std::fs::create_dir(&other).unwrap();
        for (from, to) in [(files::CONFIG, files::CONFIG), (files::LAST, files::LAST), (best, files::BEST)] {
            std::fs::copy(run.join(from), other.join(to)).unwrap();
        }
        other
    };
    let (early, late) = (with_best("early", &files::kept(100)), with_best("late", files::LAST));
    let scored = |run: &Path, more: &[&str], table: &str| {
        evaluate(run, more);
        values(&run.join(table)).1
    };
    let of_last = scored(&late, &[], "probabilities-test.npy");
    let of_best = scored(&early, &[], "probabilities-test.npy");
    assert_ne!(of_best, of_last);
    assert_eq!(scored(&early, &["--weights", "last"], "probabilities-test-last.npy"), of_last);
    assert_eq!(values(&early.join("probabilities-test.npy")).1, of_best, "the best weights' table is still theirs");
    // A run that can go on says so; this one is at its end, and was not after step 100.
    let said = |run: &Path| succeeds(&["evaluate", text(run), "--device", "cpu"]).1;
    assert!(!said(&late).contains("not finished"), "{}", said(&late));
    std::fs::copy(run.join(files::kept(100)), late.join(files::LAST)).unwrap();
    assert!(said(&late).contains("the run is not finished, 100 steps so far: `tagwalk train --resume --out "), "{}", said(&late));

    // Walks along the playlists: probabilities sum to 1.
    let (out, _) = succeeds(&["walk", text(&data), "--song", "song 0.wav", "--json"]);
    let walk = parse(&out);
    let shares = walk["neighbours"].as_array().unwrap().iter().map(|n| n["exact"].as_f64().unwrap());
    assert!((shares.sum::<f64>() + walk["nothing"]["exact"].as_f64().unwrap() - 1.0).abs() < 1e-9, "{out}");

    // Tagging needs the run alone.
    std::fs::remove_dir_all(&data).unwrap();
    fails(&["evaluate", text(&run), "--device", "cpu"], 2, &["data"]);
    #[cfg(feature = "import")]
    tagging(folder.path(), &run);
}

/// A tone of one tag's frequency gets that tag, at whatever rate it is stored, and a file that is no audio an exit code of
/// its own.
#[cfg(feature = "import")]
fn tagging(folder: &Path, run: &Path) {
    let music = folder.join("music");
    std::fs::create_dir(&music).unwrap();
    // At twice the run's rate a tone takes twice the samples: read as they are, they were another tag's.
    for (name, rate, period) in [("fast", 16_000, 14.0), ("high", 8000, 7.0), ("low", 8000, 43.0)] {
        let count = 2 * CLIP * rate as usize / 8000;
        let samples = (0..count).map(|i| (6000.0 * (std::f64::consts::TAU * i as f64 / period).sin()) as i16);
        std::fs::write(music.join(format!("{name}.wav")), wav(rate, samples.collect())).unwrap();
    }
    let tag = |more: &[&str]| -> Vec<Vec<(String, f64)>> {
        let (out, _) = succeeds(&[&["tag", text(run), text(&music), "--device", "cpu", "--json"][..], more].concat());
        let one = |tag: &Value| (tag["tag"].as_str().unwrap().to_string(), tag["probability"].as_f64().unwrap());
        out.lines().map(|line| parse(line)["tags"].as_array().unwrap().iter().map(one).collect()).collect()
    };
    let all = tag(&[]);
    for tags in &all {
        assert!(tags.len() == 4 && tags.is_sorted_by(|a, b| a.1 >= b.1), "{tags:?}");
    }
    let best = tag(&["--top", "1"]);
    assert!(best.iter().zip(&all).all(|(best, all)| best[..] == all[..1]), "{best:?} {all:?}");
    assert_eq!(best.iter().map(|tags| tags[0].0.as_str()).collect::<Vec<_>>(), ["high", "high", "low"]);
    // Between the second and the third of the first file.
    let threshold = (all[0][1].1 + all[0][2].1) / 2.0;
    let above = tag(&["--threshold", &threshold.to_string()]);
    assert_eq!(above[0], all[0][..2]);
    assert!(above.iter().zip(&all).all(|(above, all)| all.iter().filter(|tag| tag.1 >= threshold).eq(above)), "{above:?}");

    let silent = folder.join("silent.wav");
    std::fs::write(&silent, wav(8000, vec![0; 2 * CLIP])).unwrap();
    let (_, said) = succeeds(&["tag", text(run), text(&silent), text(&music), "--device", "cpu"]);
    assert_eq!(said.matches("silent from beginning to end").count(), 1, "{said}");
    assert!(said.contains("silent.wav: silent from"), "{said}");

    std::fs::write(music.join("broken.wav"), "RIFFnothing").unwrap();
    let (code, out, said) = outcome(&["tag", text(run), text(&music), "--device", "cpu", "--json"]);
    assert_eq!((code, out.lines().count()), (Some(1), 4), "{out} {said}");
    assert!(said.contains("broken.wav"), "{said}");
}

/// A mono WAV file of 16-bit samples.
#[cfg(feature = "import")]
fn wav(rate: u32, samples: Vec<i16>) -> Vec<u8> {
    let data = bytemuck::cast_slice::<i16, u8>(&samples);
    let mut file = b"RIFF".to_vec();
    file.extend((36 + data.len() as u32).to_le_bytes());
    file.extend(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    file.extend(rate.to_le_bytes());
    file.extend((2 * rate).to_le_bytes());
    file.extend(b"\x02\0\x10\0data");
    file.extend((data.len() as u32).to_le_bytes());
    file.extend(data);
    file
}

/// Another dataset than the run's is measured on only at the run's rate and with its tags, and then with a word of warning.
#[test]
fn another_dataset_is_refused_or_said_to_be_another() {
    let (folder, data) = with_dataset(48);
    let run = folder.path().join("run");
    succeeds(&train(&data, &run, &["--steps", "3"]));
    let evaluate = |dataset: &Path| ["evaluate", text(&run), "--device", "cpu", "--dataset", text(dataset)].map(String::from);
    let warning = "is not the dataset that the run was trained on";
    let measured = |dataset: &Path| {
        let arguments = evaluate(dataset);
        succeeds(&arguments.each_ref().map(String::as_str)).1.contains(warning)
    };
    // Moved, it is the same.
    let moved = folder.path().join("moved");
    std::fs::rename(&data, &moved).unwrap();
    assert!(!measured(&moved));
    let other = folder.path().join("other");
    dataset(&other, 52);
    let own = std::fs::read(run.join("probabilities-test.npy")).unwrap();
    assert!(measured(&other));
    // What was measured of the run's own songs stays.
    assert!(std::fs::read(run.join("probabilities-test.npy")).unwrap() == own);
    let named = |entry: std::fs::DirEntry| entry.file_name().to_string_lossy().starts_with("probabilities-test-of-");
    assert!(std::fs::read_dir(&run).unwrap().any(|entry| named(entry.unwrap())));
    for (from, to, says) in [
        ("\"sample_rate\": 8000", "\"sample_rate\": 16000", ["16000 Hz", "trained at 8000 Hz", "--rate 8000"]),
        ("\"warm\"", "\"cold\"", ["other tags than the run was trained on", "other: ", "--dataset"]),
    ] {
        let manifest = other.join("manifest.json");
        let before = std::fs::read_to_string(&manifest).unwrap();
        assert!(before.contains(from));
        std::fs::write(&manifest, before.replace(from, to)).unwrap();
        let arguments = evaluate(&other);
        fails(&arguments.each_ref().map(String::as_str), 2, &says);
        std::fs::write(&manifest, before).unwrap();
    }
}

/// Twenty million resamples take minutes: Ctrl-C ends them, with nothing printed.
#[test]
#[cfg(all(unix, feature = "terminal"))]
fn ctrl_c_ends_a_bootstrap() {
    use std::io::{BufRead, BufReader};
    use std::process::Stdio;
    let (folder, data) = with_dataset(48);
    let run = folder.path().join("run");
    succeeds(&train(&data, &run, &["--steps", "3"]));
    let arguments = ["evaluate", text(&run), "--device", "cpu", "--bootstrap", "20000000", "--json"];
    let mut child = common::runs::tagwalk(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    // What comes behind this line is the bootstrap alone.
    assert!(said.any(|line| line.contains("probabilities: ")));
    let interrupted = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(interrupted.unwrap().success());
    let said: Vec<String> = said.collect();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{said:?}");
    assert!(output.stdout.is_empty() && said.iter().any(|line| line.contains("stopped by Ctrl-C")), "{said:?}");
}
