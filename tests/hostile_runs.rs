//! A run's files of any content give a run or an error: checkpoints, configurations, logs, tables of
//! layers, scores. No panic, no memory beyond what the file is worth. For longer than a few seconds: `fuzz.sh`.

#[path = "common/mutate.rs"]
mod mutate;

use std::path::Path;

use mutate::{mutate, put};
use serde_json::{Value, json};
use tagwalk::format::matrix::Matrix;
use tagwalk::kernels::Choice;
use tagwalk::kernels::products::Isa;
use tagwalk::network::{Network, Parameters, family};
use tagwalk::plan::Settings;
use tagwalk::run::{About, Checkpoint, Log, Position, Weights, config, files};
use tagwalk::train::options::{Config, Options};
use tagwalk::train::{Rule, Schedule};

fn network() -> Network {
    family::member("3^2/64", 3).unwrap()
}

fn checkpoint() -> Checkpoint<Value> {
    let network = network();
    let table = Parameters::new(&network).unwrap();
    let about = About { network, vocabulary: ["a", "é", "c"].map(String::from).into(), sample_rate: 8000 };
    let weights = Weights { about, parameters: table.initial(1), running: table.initial_running() };
    let position = Position { epoch: 1, step: 2, steps: 3, rate: 0.1, best_loss: None, log: 4, schedule: json!({"drops": 1}) };
    Checkpoint { momenta: weights.parameters.clone(), weights, position }
}

fn config() -> Config {
    Config {
        format: config::FORMAT.into(),
        version: config::VERSION,
        program: "0.1.0".into(),
        device: "CPU".into(),
        network: network(),
        settings: Settings::new(4, Choice::native(Isa::Portable)),
        seed: 1,
        dataset: "data".into(),
        fingerprint: "0".repeat(64),
        sample_rate: 8000,
        vocabulary: ["a", "é", "c"].map(String::from).into(),
        train: Options {
            schedule: Schedule { rule: Rule::Plateau, rate: 0.01, momentum: 0.9, epochs: 3, steps: 0 },
            propagation: Default::default(),
            clips_per_song: 10,
            view: Default::default(),
        },
    }
}

/// Files are named in errors; a checkpoint that is read has numbers that are finite.
#[test]
fn checkpoints() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(files::LAST);
    let good = checkpoint();
    good.write(&path).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    // The header alone, its length put right, so that the damage falls on what describes the tensors.
    let header = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let (head, tensors) = bytes[8..].split_at(header);
    let (mut read, mut refused) = (0, 0);
    let mut check = |bytes: &[u8]| {
        put(&path, bytes);
        match (Checkpoint::<Value>::read(&path), Weights::read(&path)) {
            (Ok(checkpoint), _) => {
                assert!(checkpoint.weights.parameters.iter().chain(&checkpoint.momenta).all(|v| v.is_finite()));
                read += 1;
            }
            (Err(error), _) => {
                assert!(error.to_string().contains(files::LAST), "{error}");
                refused += 1;
            }
        }
    };
    mutate(&[&bytes], 9, &mut check);
    mutate(&[head], 10, |head| check(&[&(head.len() as u64).to_le_bytes(), head, tensors].concat()));
    println!("{read} read, {refused} refused");
    assert!(read >= 2, "the file as it was is refused");
}

#[test]
fn configurations() {
    let good = serde_json::to_vec(&config()).unwrap();
    assert_eq!(Config::parse(&good).unwrap(), config());
    let (mut read, mut refused) = (0, 0);
    mutate(&[&good], 11, |bytes| match Config::parse(bytes) {
        Ok(config) => {
            // What was accepted can be planned for, and tells its numbers.
            let small = config.network.clip_length <= 1 << 12 && config.settings.batch <= 1 << 6;
            let tables = Parameters::new(&config.network).unwrap();
            if small && tables.count() < 1 << 20 {
                tagwalk::plan::training(&config.network, &config.settings).unwrap();
            }
            let _ = (config.train.schedule.check(), config.train.propagation.check(), config.about());
            read += 1;
        }
        Err(what) => {
            assert!(!what.is_empty());
            refused += 1;
        }
    });
    println!("{read} read, {refused} refused");
    assert!(read > 0, "the configuration as it was is refused");
}

#[test]
fn logs() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(files::METRICS);
    let good = b"{\"schema\":1,\"kind\":\"step\",\"own\":0.5}\n{\"kind\":\"epoch\",\"validation\":null}\n";
    mutate(&[good], 12, |bytes| {
        put(&path, bytes);
        let lines = Log::read(&path).unwrap().count();
        assert!(lines <= bytes.len());
        let mut log = Log::resume(&path, bytes.len() as u64 / 2).unwrap();
        log.write(&json!({"kind": "step"})).unwrap();
        assert!(std::fs::metadata(&path).unwrap().len() <= bytes.len() as u64 / 2 + 100);
    });
}

/// Scores and truth for `evaluate`, whoever wrote them.
#[test]
fn scores() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/npy");
    let seeds = ["f4", "f8", "u1", "i2", "big_endian", "fortran", "v2", "empty"].map(|name| folder.join(format!("{name}.npy")));
    let seeds: Vec<Vec<u8>> = seeds.iter().filter_map(|path| std::fs::read(path).ok()).collect();
    assert!(seeds.len() > 4);
    mutate(&seeds.iter().map(Vec::as_slice).collect::<Vec<_>>(), 13, |bytes| {
        if let Ok(matrix) = Matrix::parse(bytes) {
            assert!(matrix.shape.iter().product::<usize>() <= bytes.len());
        }
    });
}
