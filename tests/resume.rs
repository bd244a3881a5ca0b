//! Stopped and resumed equals not stopped, bit for bit: runs stopped at random steps, by Ctrl-C and by
//! force, each at a checkpoint inside an epoch, and resumed, also with another number of threads.
//! On the CPU and on a Vulkan adapter.
#![cfg(all(unix, feature = "terminal"))]

use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};

use rand::RngExt;
use serde_json::Value;
use tagwalk::device::gpu::adapters;
use tagwalk::kernels::conv::Conv;
use tagwalk::kernels::{Choice, Family, Precision, Product, Way};
use tagwalk::measure::tune::cache::{Cache, Entry, Key};
use tagwalk::network::family;
use tagwalk::random::{Generator, Purpose, generator};
use tagwalk::run::{Checkpoint, files};

mod common;
use common::runs::{NETWORK, fails, kind, log, misleading_dataset, succeeds, tagwalk, text};

const CPU: [&str; 2] = ["--device", "cpu"];
/// The first adapter, whatever it is. Where there is none the test fails, with exit code 3.
const GPU: [&str; 5] = ["--device", "gpu", "--adapter", "0", "--no-tune"];

#[derive(Clone, Copy, Debug)]
enum Stop {
    /// Ctrl-C: the step is finished and everything saved; exit code 130.
    Ask,
    /// kill -9: what was done since the last checkpoint is lost.
    Kill,
}
use Stop::{Ask, Kill};

/// A run with its flags, on a dataset.
struct Runs<'a> {
    data: &'a Path,
    device: &'a [&'a str],
    /// The device's flags when it is resumed.
    again: &'a [&'a str],
    flags: &'a [&'a str],
}

impl Runs<'_> {
    fn begin(&self, run: &Path) -> Vec<String> {
        let train = ["train", text(self.data), "--out", text(run)];
        let network: &[&str] = if self.flags.contains(&"--network") { &[] } else { &NETWORK };
        [&train, self.device, network, self.flags].concat().into_iter().map(String::from).collect()
    }

    fn resume(&self, run: &Path, threads: &str) -> Vec<String> {
        let train = ["train", "--resume", "--out", text(run), "--threads", threads];
        [&train[..], self.again].concat().into_iter().map(String::from).collect()
    }

    /// Stops a run as often as `stops` says, at random steps of `from..to`, and resumes it to its
    /// end. Gives the steps that its checkpoints were at.
    fn stopped(&self, run: &Path, stops: &[Stop], [from, to]: [u64; 2], random: &mut Generator) -> Vec<u64> {
        // A step is soon done: where the whole run is over before the signal arrives, or the
        // checkpoint is at an epoch's end, it is begun anew.
        'again: for _ in 0..50 {
            let _ = std::fs::remove_dir_all(run);
            let mut points: Vec<u64> = stops.iter().map(|_| random.random_range(from..to)).collect();
            points.sort_unstable();
            let mut places = Vec::new();
            for (i, (&stop, point)) in stops.iter().zip(points).enumerate() {
                let mut arguments = if i == 0 { self.begin(run) } else { self.resume(run, ["1", "3"][i % 2]) };
                arguments.extend(["--checkpoint-steps", "4", "--json"].map(String::from));
                match stop_at(&arguments, stop, point, run) {
                    Some(place) => places.push(place),
                    None => continue 'again,
                }
            }
            let last = self.resume(run, ["3", "1"][stops.len() % 2]);
            let (_, said) = succeeds(&last.iter().map(String::as_str).collect::<Vec<_>>());
            assert!(said.contains(&format!("going on after step {}", places[places.len() - 1])), "{said}");
            return places;
        }
        panic!("no run of fifty was stopped inside an epoch");
    }
}

/// Runs the program until it says that step `point` is done, and stops it. Gives the step of the
/// checkpoint that is left; nothing where that is at an epoch's beginning, or the run was over.
fn stop_at(arguments: &[String], stop: Stop, point: u64, run: &Path) -> Option<u64> {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let mut child = tagwalk(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let id = child.id().to_string();
    let mut stopped = false;
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        // What a killed program printed may end within a line.
        let Ok(event) = serde_json::from_str::<Value>(&line.unwrap()) else { break };
        if !stopped && event["kind"] == "step" && event["step"].as_u64() >= Some(point) {
            match stop {
                Kill => child.kill().unwrap(),
                Ask => assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success()),
            }
            stopped = true;
        }
    }
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    let expected = match stop {
        Kill => output.status.signal() == Some(9),
        Ask => output.status.code() == Some(130) && said.contains("everything is saved"),
    };
    if !expected {
        assert_eq!(output.status.code(), Some(0), "{said}");
        return None;
    }
    let position = Checkpoint::<Value>::read(&run.join(files::LAST)).unwrap().position;
    (position.step > 0).then_some(position.steps)
}

/// Every bit that the run leaves is the same; every step is in the log once, with the same losses.
fn assert_same(whole: &Path, other: &Path, steps: u64) {
    let [a, b] = [whole, other].map(|run| Checkpoint::<Value>::read(&run.join(files::LAST)).unwrap());
    let bits = |values: &[f32]| values.iter().map(|v| v.to_bits()).collect::<Vec<u32>>();
    assert!(bits(&a.weights.parameters) == bits(&b.weights.parameters), "weights differ");
    assert!(bits(&a.weights.running) == bits(&b.weights.running), "running statistics differ");
    assert!(bits(&a.momenta) == bits(&b.momenta), "momenta differ");
    let timeless = |mut c: Checkpoint<Value>| {
        // The log has clips per second in it, so its length is not the same.
        c.position.log = 0;
        c.position
    };
    assert_eq!(timeless(a), timeless(b));
    let [a, b] = [whole, other].map(|run| std::fs::read(run.join(files::BEST)).unwrap());
    assert!(a == b, "best weights differ");
    let [a, b] = [whole, other].map(log);
    assert_eq!(a, b);
    let numbers: Vec<u64> = kind(&b, "step").map(|line| line["step"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (1..=steps).collect::<Vec<u64>>());
}

/// A run left alone, which must have dropped its rate, and every sort of stopped one.
fn stopped_and_resumed(device: &[&str], flags: &[&str], steps: u64, stops: &[&[Stop]], range: [u64; 2]) {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    misleading_dataset(&data, 48);
    let runs = Runs { data: &data, device, again: device, flags };
    let whole = folder.path().join("whole");
    succeeds(&runs.begin(&whole).iter().map(String::as_str).collect::<Vec<_>>());
    let alone = log(&whole);
    let rates: Vec<f64> = kind(&alone, "step").map(|line| line["rate"].as_f64().unwrap()).collect();
    let drop = rates.windows(2).position(|pair| pair[1] < pair[0] / 2.0).expect("the rate drops");
    println!("{device:?}: {steps} steps, the rate drops after step {drop}");
    let mut random = generator(9, Purpose::Synthetic, [0; 3]);
    for (i, stops) in stops.iter().enumerate() {
        let run = folder.path().join(format!("stopped {i}"));
        let places = runs.stopped(&run, stops, range, &mut random);
        println!("{device:?}: {stops:?} at steps {places:?} of {steps}");
        assert_same(&whole, &run, steps);
    }
}

/// 36 training songs: 27 steps an epoch.
const PLATEAU: &[&str] = &["--batch", "4", "--clips-per-song", "3", "--epochs", "7", "--rate", "0.05", "--mode", "walk"];

#[test]
fn on_the_cpu() {
    let stops: [&[Stop]; 6] = [&[Kill], &[Ask], &[Kill, Ask, Kill], &[Ask, Kill], &[Kill, Kill], &[Ask]];
    stopped_and_resumed(&CPU, PLATEAU, 189, &stops, [6, 150]);
}

/// The precision is the run's own: it is kept with it, and no flag changes it.
#[test]
fn in_mixed_precision() {
    let flags = [PLATEAU, &["--precision", "mixed"]].concat();
    stopped_and_resumed(&CPU, &flags, 189, &[&[Kill, Ask], &[Ask], &[Kill]], [6, 150]);
}

/// The same of a GPU's f16; its loss scale is the run's own, too.
#[test]
fn in_mixed_precision_on_a_gpu() {
    let flags = [PLATEAU, &["--precision", "mixed"]].concat();
    stopped_and_resumed(&GPU, &flags, 189, &[&[Kill, Ask], &[Ask]], [6, 150]);
}

#[test]
fn on_a_gpu() {
    let stops: [&[Stop]; 6] = [&[Kill], &[Ask], &[Kill, Ask, Kill], &[Ask, Kill], &[Kill, Kill], &[Ask]];
    stopped_and_resumed(&GPU, PLATEAU, 189, &stops, [6, 150]);
}

/// Wide enough for families and ways that ask for it.
const WIDE: &str = "3^3-9/2";

/// How many layers of the wide network are computed so.
fn layers(so: impl Fn(&Conv) -> bool) -> usize {
    let network = family::member(WIDE, 4).unwrap();
    let convs = network.layers.iter().zip(network.lengths().unwrap()).map(|(layer, lengths)| Conv::new(layer, lengths, 4));
    convs.filter(so).count()
}

/// By F(3,3), and in mixed precision as this processor does best.
#[test]
fn on_the_cpu_in_wide_layers() {
    for precision in [Precision::F32, Precision::Mixed] {
        let choice = Choice::cpu(precision);
        assert!(layers(|conv| Way::of(conv, &choice) != Some(Way::Direct)) >= 3, "{choice}");
        let flags = [PLATEAU, &["--network", WIDE, "--precision", precision.name()]].concat();
        stopped_and_resumed(&CPU, &flags, 189, &[&[Kill, Ask], &[Ask]], [6, 150]);
    }
}

#[test]
fn on_a_gpu_in_registers_and_by_f33() {
    for family in [Family::Registers, Family::Winograd] {
        let choice = Choice::gpu(family);
        for product in Product::ALL {
            assert!(layers(|conv| choice.family_for(product, conv) == family) >= 3, "{family}");
        }
        let flags = [PLATEAU, &["--network", WIDE, "--family", family.name()]].concat();
        stopped_and_resumed(&GPU, &flags, 189, &[&[Kill, Ask], &[Ask]], [6, 150]);
    }
}

/// A run keeps the tile sizes that it began with, whatever was tuned since.
#[test]
fn tuned_again_in_between() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    misleading_dataset(&data, 48);
    let key = Key::of(&adapters::list()[0]);
    let [first, second] = [("first.json", 4), ("second.json", 2)].map(|(name, lanes)| {
        let mut choice = Choice::gpu(Family::Tiled);
        for room in ["conv_forward", "conv_weight_gradient", "conv_input_gradient"] {
            choice.tiles.insert(format!("{room}.tiled.LANES"), lanes);
        }
        let mut cache = Cache::default();
        cache.insert(Entry { key: key.clone(), network: "3^9".into(), batch: 23, choice });
        let path = folder.path().join(name);
        cache.write(&path).unwrap();
        path
    });
    let device = [&GPU[..4], &["--cache", text(&first)]].concat();
    let again = [&GPU[..4], &["--cache", text(&second)]].concat();
    let flags = ["--batch", "4", "--clips-per-song", "3", "--epochs", "2"];
    let runs = Runs { data: &data, device: &device, again: &again, flags: &flags };
    let whole = folder.path().join("whole");
    succeeds(&runs.begin(&whole).iter().map(String::as_str).collect::<Vec<_>>());
    let config = || std::fs::read_to_string(whole.join(files::CONFIG)).unwrap();
    assert!(config().contains("\"conv_forward.tiled.LANES\": 4"), "{}", config());
    let stopped = folder.path().join("stopped");
    runs.stopped(&stopped, &[Kill, Ask], [6, 40], &mut generator(11, Purpose::Synthetic, [0; 3]));
    assert_eq!(config(), std::fs::read_to_string(stopped.join(files::CONFIG)).unwrap());
    assert_same(&whole, &stopped, 54);

    // What no shader can do is refused by the field's name.
    std::fs::write(
        stopped.join(files::CONFIG),
        config().replace("conv_forward.tiled.LANES\": 4", "conv_forward.tiled.LANES\": 0"),
    )
    .unwrap();
    let resumed = runs.resume(&stopped, "1");
    let arguments: Vec<&str> = resumed.iter().map(String::as_str).collect();
    fails(&arguments, 2, &["config.json", "settings.choice", "conv_forward.tiled.LANES is 0"]);
}

/// The released software's schedule goes on from the best weights: stopped before and after that.
#[test]
fn from_stage_to_stage() {
    let flags = ["--batch", "4", "--clips-per-song", "2", "--epochs", "10", "--rate", "0.05", "--schedule", "released"];
    stopped_and_resumed(&CPU, &flags, 180, &[&[Kill, Ask], &[Ask], &[Kill]], [30, 150]);
}
