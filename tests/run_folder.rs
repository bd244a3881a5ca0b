//! A run's folder is never half-written: round trips, kill -9 while a checkpoint is replaced, a
//! full disk, a second run, a torn log, and checkpoints that somebody damaged on purpose.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use rand::RngExt;
use serde_json::{Value, json};
use tagwalk::kernels::Choice;
use tagwalk::kernels::products::Isa;
use tagwalk::network::{Network, Parameters, family};
use tagwalk::plan::Settings;
use tagwalk::random::{Purpose, generator};
use tagwalk::run::{About, Checkpoint, Config, Log, Position, Run, Weights, files};

fn network() -> Network {
    Network { heads: 2, ..family::member("3^2/8", 7).unwrap() }
}

fn config() -> Config<Value> {
    Config {
        format: tagwalk::run::config::FORMAT.into(),
        version: tagwalk::run::config::VERSION,
        program: "0.1.0".into(),
        device: "a processor".into(),
        network: network(),
        settings: Settings { lambda: 0.7, ..Settings::new(23, Choice::native(Isa::Portable)) },
        seed: u64::MAX,
        dataset: "somewhere/else".into(),
        fingerprint: "ab".repeat(32),
        sample_rate: 22_050,
        vocabulary: ["rock", "80s", "été", "a \"b\"", "\u{1b}", "jazz", "slow"].map(String::from).into(),
        train: json!({"rate": 0.01, "loss": 0.1 + 0.2}),
    }
}

/// A checkpoint whose every value follows from `fill`.
fn checkpoint(network: Network, fill: u64) -> Checkpoint<Value> {
    let table = Parameters::new(&network).unwrap();
    let mut random = generator(fill, Purpose::Synthetic, [0; 3]);
    let mut values = |n: usize| (0..n).map(|_| random.random_range(0.0f32..2.0)).collect::<Vec<f32>>();
    // Through files the padding between parameters becomes zero, which it is in a run.
    let only_parameters = |flat: Vec<f32>| {
        let named = table.export(&flat);
        table.import(|name, _| Ok(named.iter().find(|n| n.name == name).unwrap().values.clone())).unwrap()
    };
    let (parameters, momenta) = (only_parameters(values(table.length)), only_parameters(values(table.length)));
    let all = values(table.running_length);
    let named = table.export_running(&all);
    let running = table.import_running(|name, _| Ok(named.iter().find(|n| n.name == name).unwrap().values.clone())).unwrap();
    let vocabulary = (0..network.tags).map(|t| format!("tag {t}")).collect();
    Checkpoint {
        weights: Weights { about: About { network, vocabulary, sample_rate: 22_050 }, parameters, running },
        momenta,
        position: Position {
            epoch: fill,
            step: 11,
            steps: 17 * fill,
            rate: 0.01 / 5.0,
            best_loss: Some(0.1 + fill as f64 / 3.0),
            log: 0,
            schedule: json!({"bad": 2}),
        },
    }
}

#[test]
fn everything_comes_back_bit_for_bit() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path().join("deep/run");
    let (run, mut log) = Run::create(&at, &config()).unwrap();
    assert_eq!(Config::<Value>::read(&at).unwrap(), config());
    log.write(&json!({"step": 1, "loss": 0.5})).unwrap();
    let mut saved = checkpoint(network(), 3);
    saved.position.log = log.sync().unwrap();
    run.save_last(&saved).unwrap();
    run.save_best(&saved.weights, &[("epoch", "3".into())]).unwrap();
    drop((run, log));

    let (_run, back, _log) = Run::resume::<Value>(&at).unwrap();
    assert_eq!(back, saved);
    assert_eq!(Weights::read(&at.join(files::BEST)).unwrap(), saved.weights);
    assert_eq!(Weights::read(&at.join(files::LAST)).unwrap(), saved.weights, "the last checkpoint can be used as it is");
    assert!(!fs::read_dir(&at).unwrap().any(|e| e.unwrap().path().extension().is_some_and(|e| e == "part")));

    // The same state gives the same bytes, so that two runs can be compared by their files.
    let again = folder.path().join("again.safetensors");
    saved.write(&again).unwrap();
    assert_eq!(fs::read(&again).unwrap(), fs::read(at.join(files::LAST)).unwrap());
}

/// Others read the file by the golden names (`samplecnn.md`, "State-dict keys").
#[test]
fn names_shapes_and_metadata_are_the_golden_ones() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("w.safetensors");
    let saved = checkpoint(network(), 1);
    saved.write(&path).unwrap();
    let bytes = fs::read(&path).unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    for (name, shape) in [
        ("conv0.weight", vec![16, 1, 3]),
        ("conv2.weight", vec![64, 16, 3]),
        ("conv3.bias", vec![64]),
        ("bn2.weight", vec![64]),
        ("bn3.running_mean", vec![64]),
        ("bn0.running_var", vec![16]),
        ("head0.weight", vec![7, 64]),
        ("head1.bias", vec![7]),
        ("momentum.conv1.weight", vec![16, 16, 3]),
        ("momentum.head1.weight", vec![7, 64]),
    ] {
        assert_eq!(file.tensor(name).unwrap().shape(), shape, "{name}");
    }
    assert_eq!(file.len(), 4 * 6 + 4 + 4 * 4 + 4);
    let (_, header) = safetensors::SafeTensors::read_metadata(&bytes).unwrap();
    let notes = header.metadata().as_ref().unwrap();
    assert_eq!((notes["sample_rate"].as_str(), notes["clip_length"].as_str()), ("22050", "27"));
    assert_eq!(serde_json::from_str::<Vec<String>>(&notes["vocabulary"]).unwrap(), saved.weights.about.vocabulary);
    assert_eq!(serde_json::from_str::<Network>(&notes["network"]).unwrap(), network());
}

/// Not a test of its own: the process that others kill or starve. It replaces a checkpoint until
/// it is stopped, and prints what it meets.
#[test]
fn writer_process() {
    let Some(folder) = std::env::var_os("TAGWALK_TEST_WRITER") else { return };
    let network = family::member("3^5-81/4", 50).unwrap();
    let table: Vec<_> = (0..4).map(|fill| checkpoint(network.clone(), fill)).collect();
    let path = Path::new(&folder).join(files::LAST);
    for checkpoint in table.iter().cycle().take(100_000) {
        if let Err(error) = checkpoint.write(&path) {
            println!("ERROR {error}");
            return;
        }
        println!("\nwritten");
    }
}

fn writer(folder: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["writer_process", "--exact", "--nocapture"]).env("TAGWALK_TEST_WRITER", folder);
    command
}

#[test]
fn killed_while_writing_leaves_a_whole_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(files::LAST);
    let network = family::member("3^5-81/4", 50).unwrap();
    let mut seen = std::collections::BTreeSet::new();
    let mut torn = 0;
    checkpoint(network.clone(), 0).write(&path).unwrap();
    for round in 0..12 {
        let mut child = writer(folder.path()).stdout(Stdio::piped()).spawn().unwrap();
        // However slow the machine is: after some whole writes, then anywhere in the next ones.
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let whole = 1 + round as usize % 4;
        assert_eq!(lines.by_ref().filter(|line| line == "written").take(whole).count(), whole);
        std::thread::sleep(Duration::from_millis(7 * round));
        child.kill().unwrap();
        child.wait().unwrap();
        torn += usize::from(fs::read_dir(folder.path()).unwrap().count() > 1);
        let back = Checkpoint::<Value>::read(&path).unwrap();
        assert_eq!(back, checkpoint(network.clone(), back.position.epoch));
        seen.insert(back.position.epoch);
    }
    println!("12 kills, {torn} in the middle of a file");
    assert!(seen.len() > 1, "nothing was written between the kills");
}

/// A limit on the size of files stands for a full disk: the same refusal in the middle of a write.
#[cfg(unix)]
#[test]
fn a_full_disk_leaves_the_old_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(files::LAST);
    let old = checkpoint(family::member("3^5-81/4", 50).unwrap(), 0);
    old.write(&path).unwrap();
    let whole = writer(folder.path());
    // 64 blocks of 512 (or 1024) bytes; the signal that would kill is ignored, so that the write fails.
    let mut limited = Command::new("sh");
    limited.args(["-c", "trap '' XFSZ; ulimit -f 64; exec \"$@\"", "sh"]).arg(whole.get_program()).args(whole.get_args());
    let output = limited.env("TAGWALK_TEST_WRITER", folder.path()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("ERROR") && said.contains(files::LAST) && said.contains("Make room"), "{said}");
    assert_eq!(Checkpoint::<Value>::read(&path).unwrap(), old);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "what was half-written is gone");
}

#[test]
fn a_second_run_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (run, _log) = Run::create(folder.path(), &config()).unwrap();
    run.save_last(&checkpoint(network(), 1)).unwrap();
    let refused = |error: tagwalk::error::Error| {
        let text = error.to_string();
        assert!(text.contains(&format!("process {} is training", std::process::id())), "{text}");
        assert_eq!(error.exit_code(), 2);
    };
    refused(Run::create(folder.path(), &config()).err().unwrap());
    refused(Run::resume::<Value>(folder.path()).err().unwrap());
    drop(run);
    assert!(Run::create(folder.path(), &config()).err().unwrap().to_string().contains("--resume"));
    Run::resume::<Value>(folder.path()).unwrap();
}

/// Neither music nor a dataset gets a run's files among its own.
#[test]
fn a_folder_of_something_else_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("manifest.json"), "{}").unwrap();
    let error = Run::create(folder.path(), &config()).err().unwrap().to_string();
    assert!(error.contains("not empty (manifest.json)"), "{error}");
    assert_eq!(Run::vacant(folder.path()).unwrap_err().to_string(), error);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    // What a beginning that was killed leaves is a run's own.
    fs::remove_file(folder.path().join("manifest.json")).unwrap();
    for name in [files::LOCK, files::METRICS, ".hidden"] {
        fs::write(folder.path().join(name), "").unwrap();
    }
    Run::vacant(folder.path()).unwrap();
    drop(Run::create(folder.path(), &config()).unwrap());
    let error = Run::vacant(folder.path()).unwrap_err().to_string();
    assert!(error.contains("a run is there already (config.json)"), "{error}");
    Run::vacant(&folder.path().join("new/run")).unwrap();
    assert!(!folder.path().join("new").exists());
}

#[test]
fn a_folder_that_cannot_be_written_is_refused_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let error = Run::create(&file.join("run"), &config()).err().unwrap();
    assert!(error.to_string().contains("file: is a file, and no folder"), "{error}");
    let error = Run::resume::<Value>(&folder.path().join("nowhere")).err().unwrap();
    assert!(error.to_string().contains("nowhere"), "{error}");
}

#[test]
fn a_torn_log_is_cut_and_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(files::METRICS);
    let steps = || -> Vec<u64> { Log::read(&path).unwrap().map(|l| l.unwrap()["step"].as_u64().unwrap()).collect() };
    let mut log = Log::create(&path).unwrap();
    for step in 0..5 {
        log.write(&json!({ "step": step })).unwrap();
    }
    let kept = log.sync().unwrap();
    for step in 5..8 {
        log.write(&json!({ "step": step })).unwrap();
    }
    let whole = fs::read(&path).unwrap();
    // Torn anywhere after the checkpoint: the reader takes whole lines, the run goes on at step 5.
    for end in kept as usize..=whole.len() {
        fs::write(&path, &whole[..end]).unwrap();
        assert!((5..=8).contains(&steps().len()));
        let mut log = Log::resume(&path, kept).unwrap();
        log.write(&json!({ "step": 5 })).unwrap();
        assert_eq!(steps(), [0, 1, 2, 3, 4, 5]);
    }
    // Torn before it (the machine went down): what is whole stays.
    fs::write(&path, &whole[..kept as usize - 3]).unwrap();
    Log::resume(&path, kept).unwrap();
    assert_eq!(steps(), [0, 1, 2, 3]);
    fs::write(&path, b"{\"step\": 1}\n{oops\n{\"step\": 3}\n").unwrap();
    let error = Log::read(&path).unwrap().find_map(Result::err).unwrap().to_string();
    assert!(error.contains("line 2"), "{error}");
}

/// A header with its length before it, and tensors of that many bytes.
fn file(header: &str, bytes: usize) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes(), header.as_bytes(), &vec![0; bytes][..]].concat()
}

#[test]
fn wrong_checkpoints_say_what_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(files::BEST);
    let good = checkpoint(network(), 1);
    let write = |change: &dyn Fn(&mut Weights)| {
        let mut weights = good.weights.clone();
        change(&mut weights);
        weights.write(&path, &[]).unwrap();
        Weights::read(&path).unwrap_err().to_string()
    };
    let head = Parameters::new(&network()).unwrap().entry("head.bias").offset;
    let said = write(&|w| w.parameters[head + 1] = f32::NAN);
    assert!(said.contains("best.safetensors: tensor head0.bias holds NaN at element 1"), "{said}");
    let said = write(&|w| w.running.fill(-1.0));
    assert!(said.contains("bn0.running_var holds a negative variance"), "{said}");
    let said = write(&|w| w.about.vocabulary.truncate(3));
    assert!(said.contains("names 3 tags"), "{said}");
    let said = write(&|w| w.about.sample_rate = 0);
    assert!(said.contains("0 Hz"), "{said}");

    good.weights.write(&path, &[]).unwrap();
    let said = Checkpoint::<Value>::read(&path).unwrap_err().to_string();
    assert!(said.contains("has no 'position'"), "{said}");
    let bytes = fs::read(&path).unwrap();
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let header = std::str::from_utf8(&bytes[8..8 + length]).unwrap();
    let data = bytes.len() - 8 - length;
    for (from, to, says) in [
        ("conv1.weight", "conv9.weight", "has no tensor conv1.weight"),
        ("[16,16,3]", "[16,3,16]", "tensor conv1.weight is F32 [16, 3, 16], not F32 [16, 16, 3]"),
        (r#""dtype":"F32","shape":[7]"#, r#""dtype":"I32","shape":[7]"#, "is I32 [7], not F32 [7]"),
        ("tagwalk weights 1", "tagwalk weights 9", "'tagwalk weights 9'"),
        (r#"\"tags\":7"#, r#"\"tags\":8"#, "names 7 tags"),
        (r#"\"kernel\":3"#, r#"\"kernel\":99999999999"#, "its network cannot be"),
        (r#"\"clip_length\":27"#, r#"\"clip_length\":18446744073709551615"#, "its network cannot be"),
        (r#"\"cout\":64"#, r#"\"cout\":65"#, "its network cannot be"),
        (r#""sample_rate":"22050""#, r#""sample_rate":"fast!""#, "its sample_rate cannot be read"),
    ] {
        assert!(header.contains(from), "{from} in {header}");
        fs::write(&path, file(&header.replace(from, to), data)).unwrap();
        let said = Weights::read(&path).unwrap_err().to_string();
        assert!(said.contains("best.safetensors") && said.contains(says), "{to}: {said}");
    }
    let network_of_giants = header.replace(r#"\"tags\":7"#, r#"\"tags\":1000000"#);
    let names = format!(r#""vocabulary":"[{}]""#, vec![r#"\"\""#; 1_000_000].join(","));
    let from = header.find(r#""vocabulary":""#).unwrap();
    let to = from + header[from..].find("]\"").unwrap() + 2;
    let giant = network_of_giants.replace(&header[from..to], &names);
    fs::write(&path, file(&giant, data)).unwrap();
    let said = Weights::read(&path).unwrap_err().to_string();
    assert!(said.contains("values, its network needs"), "{said}");
}

/// Seeded mutations of a good file: an error or a good checkpoint, never a panic. Memory is bounded
/// by the file's own size, because nothing is allocated that the file has no bytes for.
#[test]
fn hostile_checkpoints_never_panic() {
    let folder = tempfile::tempdir().unwrap();
    let path: PathBuf = folder.path().join(files::LAST);
    checkpoint(network(), 1).write(&path).unwrap();
    let good = fs::read(&path).unwrap();
    let header = u64::from_le_bytes(good[..8].try_into().unwrap()) as usize + 8;
    let mut random = generator(5, Purpose::Synthetic, [0; 3]);
    let interesting =
        [&b"18446744073709551615"[..], b"-1", b"1e309", b"\"", b"{", b"[", b"null", b"0", b"\\u0000", b"F64", b"\xff"];
    let (mut errors, rounds) = (0, 3000);
    for round in 0..rounds {
        let mut bytes = good.clone();
        for _ in 0..random.random_range(1..4) {
            let at = random.random_range(0..header.min(bytes.len().max(1)));
            match random.random_range(0..7) {
                0 => bytes[at] ^= 1 << random.random_range(0..8u32),
                1 => bytes.truncate(random.random_range(8..=bytes.len())),
                2 => bytes.extend(vec![7; random.random_range(1..64)]),
                3 => {
                    let with = interesting[random.random_range(0..interesting.len())];
                    let end = (at + random.random_range(0..12)).min(bytes.len());
                    bytes.splice(at..end, with.iter().copied());
                }
                // A number changed, which leaves the text JSON.
                4 | 5 => {
                    let digits: Vec<usize> = (8..header).filter(|&i| bytes[i].is_ascii_digit()).collect();
                    bytes[digits[random.random_range(0..digits.len())]] = b'0' + random.random_range(0..10u8);
                }
                // As above, with the length put right, so that the text itself is what is read.
                _ => {
                    let with = interesting[random.random_range(0..interesting.len())];
                    let at = at.max(8);
                    let end = (at + random.random_range(0..12)).min(header).max(at);
                    bytes.splice(at..end, with.iter().copied());
                    let length = (header - 8 + with.len() - (end - at)) as u64;
                    bytes[..8].copy_from_slice(&length.to_le_bytes());
                }
            }
            if bytes.len() != good.len() {
                break;
            }
        }
        fs::write(&path, &bytes).unwrap();
        if let Err(error) = Checkpoint::<Value>::read(&path) {
            assert!(error.to_string().contains(files::LAST), "round {round}: {error}");
            errors += 1;
        }
    }
    println!("{errors} of {rounds} mutated files refused");
    assert!(errors > rounds / 2 && errors < rounds);
}

/// A header can claim any size; seven tensors of 2^61 bytes would overflow a careless sum.
#[test]
fn headers_that_claim_too_much() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("claims.safetensors");
    let each = 1u64 << 61;
    let tensor = |i: u64| format!(r#""t{i}":{{"dtype":"U8","shape":[{each}],"data_offsets":[{},{}]}}"#, i * each, (i + 1) * each);
    let seven: Vec<String> = (0..7).map(tensor).collect();
    for bytes in [
        file(&format!("{{{}}}", seven.join(",")), 16),
        file(r#"{"t":{"dtype":"F32","shape":[4294967296,4294967296,4],"data_offsets":[0,16]}}"#, 16),
        [&u64::MAX.to_le_bytes()[..], b"{}"].concat(),
        [&(1u64 << 40).to_le_bytes()[..], b"{}"].concat(),
        vec![0; 5],
        vec![],
    ] {
        fs::write(&path, &bytes).unwrap();
        let error = Weights::read(&path).unwrap_err().to_string();
        assert!(error.contains("is no whole safetensors file"), "{error}");
    }
}

/// A file that was edited by hand is named, and the field in it; nobody typed a flag.
#[test]
fn a_wrong_number_in_a_configuration_is_named_by_file_and_field() {
    let folder = tempfile::tempdir().unwrap();
    let mut wrong = config();
    wrong.settings.batch = 0;
    wrong.write(folder.path()).unwrap();
    let error = Config::<Value>::read(folder.path()).unwrap_err();
    let path = folder.path().join(files::CONFIG);
    assert_eq!(error.clause(), format!("{}: settings.batch: 0 is not between 1 and 1048576", path.display()));
    wrong = config();
    wrong.network.clip_length = 1;
    wrong.write(folder.path()).unwrap();
    let error = Config::<Value>::read(folder.path()).unwrap_err();
    assert!(error.clause().contains("config.json: network: a clip of 1 samples") && !error.clause().contains("--"), "{error}");
}
