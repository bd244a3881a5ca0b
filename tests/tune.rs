//! Tuning: what computes wrong is never chosen, whether its own numbers or the reference give it away; what
//! is chosen passes every case; a file of winners that is damaged or not ours costs a note. On the
//! Vulkan adapter there is (software will do).

use std::time::Duration;

use tagwalk::device::gpu::{self, Gpu, adapters};
use tagwalk::device::select::{DeviceKind, Selection};
use tagwalk::kernels::gpu::{Dispatch, Limits};
use tagwalk::kernels::{Choice, Family, Kernel, Operand, cpu};
use tagwalk::measure::check::{self, Subject};
use tagwalk::measure::tune::cache::{Cache, Entry, Key};
use tagwalk::measure::tune::{Candidate, Event, Problem, Rig, tune};
use tagwalk::network::Network;
use tagwalk::network::family::member;
use tagwalk::plan::Plan;

mod common;
use common::runs::{fails, succeeds, text};

fn open() -> Gpu {
    let selection = Selection { device: DeviceKind::Gpu, adapter: Some("0".into()) };
    gpu::open(&selection).expect("a Vulkan adapter, software or not")
}

fn network() -> Network {
    member("3^5-9", 5).unwrap()
}

fn tiled(tiles: &[(&'static str, u32)]) -> Candidate {
    Candidate { family: Family::Tiled, tiles: tiles.to_vec() }
}

/// The name that marks a planted candidate: no true one has 12 of anything.
const MARK: (&str, u32) = ("DEPTH", 12);

/// A kernel whose shader does a part of its work only: wrong, and faster than any other.
#[derive(Debug)]
struct Lazy(std::sync::Arc<dyn Kernel>);

impl Kernel for Lazy {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn operands(&self) -> Vec<Operand> {
        self.0.operands()
    }

    fn flops(&self) -> u64 {
        self.0.flops()
    }

    fn run(&self, args: &cpu::Arguments) {
        self.0.run(args)
    }

    fn dispatches(&self, limits: &Limits) -> Vec<Dispatch> {
        let mut all = self.0.dispatches(limits);
        all.iter_mut().for_each(|d| d.workgroups = [1, 1, 1]);
        all
    }
}

fn is_planted(kernel: &dyn Kernel) -> bool {
    format!("{kernel:?}").contains("DEPTH\": 12")
}

/// Tunes with plain shaders first and the planted candidate behind, which is faster anyway, and gives the
/// choice and who was rejected in conv_forward, and why. The plant is wrong where it is timed, or where
/// it is checked.
fn with_a_plant(lazy_in_time: bool, lazy_in_check: bool) -> (Choice, Vec<String>) {
    let gpu = open();
    let load = |mut plan: Plan| {
        for step in plan.steps.iter_mut().filter(|s| lazy_in_time && is_planted(&*s.kernel)) {
            step.kernel = std::sync::Arc::new(Lazy(step.kernel.clone()));
        }
        gpu.load(plan)
    };
    let alone = |kernel: &dyn Kernel, inputs: &dyn Fn(&Operand) -> Option<Vec<u8>>| {
        let mut all = gpu::run_alone(&gpu, kernel, inputs)?;
        if lazy_in_check && is_planted(kernel) && kernel.name() == "conv_forward" {
            // As if its last workgroup had not run.
            all.iter_mut().rev().take(1).for_each(|operand| operand.iter_mut().rev().take(256).for_each(|b| *b = 0xff));
        }
        Ok(all)
    };
    let network = network();
    let candidates = |room: &str| {
        let mut all = vec![Candidate { family: Family::Plain, tiles: vec![] }];
        if room == "conv_forward" {
            all.push(tiled(&[MARK]));
        }
        all
    };
    let rig = Rig { load: &load, alone: &alone, software: gpu.is_software() };
    let problem = Problem { network: &network, batch: 2, budget: Duration::from_secs(600), candidates: &candidates };
    let mut rejected = Vec::new();
    let choice = tune(&rig, &problem, &mut |event| {
        if let Event::Rejected { room: "conv_forward", candidate, why } = event {
            rejected.push(format!("{:?}: {why}", candidate.tiles));
        }
    });
    (choice.unwrap(), rejected)
}

#[test]
fn a_candidate_that_leaves_other_numbers_is_rejected() {
    let (choice, rejected) = with_a_plant(true, false);
    assert!(choice.tiles.is_empty(), "{choice:?}");
    assert!(rejected.iter().any(|r| r.contains("DEPTH") && r.contains("computes something else")), "{rejected:?}");
}

#[test]
fn a_candidate_that_the_reference_refutes_is_rejected() {
    let (choice, rejected) = with_a_plant(false, true);
    assert!(choice.tiles.is_empty(), "{choice:?}");
    assert!(rejected.iter().any(|r| r.contains("DEPTH") && r.contains("wrong against the reference")), "{rejected:?}");
}

#[test]
fn a_sound_candidate_wins_and_passes_every_case() {
    let gpu = open();
    let network = network();
    let candidates = |room: &str| {
        let tiles: &[(&'static str, u32)] =
            if room == "conv_weight_gradient" { &[("LANES", 4)] } else { &[("ROWS", 6), ("LANES", 4)] };
        vec![Candidate { family: Family::Plain, tiles: vec![] }, tiled(tiles)]
    };
    let alone: &check::Alone = &|kernel, inputs| gpu::run_alone(&gpu, kernel, inputs);
    let rig = Rig { load: &|plan| gpu.load(plan), alone, software: gpu.is_software() };
    let problem = Problem { network: &network, batch: 2, budget: Duration::from_secs(600), candidates: &candidates };
    let mut events = Vec::new();
    let choice = tune(&rig, &problem, &mut |event| events.push(format!("{event:?}"))).unwrap();
    assert_eq!(choice.tiles.get("conv_forward.tiled.LANES"), Some(&4), "{choice:?} {events:#?}");
    choice.check().unwrap();
    let subject = Subject { choice, alone };
    for kernel in ["pack_weights", "conv_forward", "conv_backward"] {
        let report = check::kernel(&subject, kernel).unwrap();
        assert!(report.failed.is_empty() && report.compared > 40, "{report:?}");
    }
}

fn entry(adapter: &str, tiles: &[(&str, u32)]) -> Entry {
    let mut choice = Choice::gpu(Family::Tiled);
    choice.tiles.extend(tiles.iter().map(|(n, v)| (n.to_string(), *v)));
    let [backend, driver, shaders] = ["vulkan", "1.0", "0123"].map(String::from);
    Entry { key: Key { adapter: adapter.into(), backend, driver, shaders }, network: "3^9".into(), batch: 23, choice }
}

#[test]
fn entries_are_found_by_adapter_driver_and_shaders_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new").join("tune.json");
    assert_eq!(Cache::read(&path), (Cache::default(), None));
    let (one, two) = (entry("one", &[("conv_forward.tiled.ROWS", 9)]), entry("two", &[]));
    let mut cache = Cache::default();
    [&one, &two].into_iter().for_each(|e| cache.insert(e.clone()));
    cache.write(&path).unwrap();
    let (read, note) = Cache::read(&path);
    assert_eq!((&read, note), (&cache, None));
    assert_eq!(read.find(&one.key), Some(&one.choice));
    for other in [
        Key { driver: "1.1".into(), ..one.key.clone() },
        Key { shaders: "4567".into(), ..one.key.clone() },
        Key { backend: "metal".into(), ..one.key.clone() },
    ] {
        assert_eq!(read.find(&other), None);
    }
    // Another driver takes the old one's place.
    cache.insert(Entry { key: Key { driver: "2.0".into(), ..one.key.clone() }, ..one });
    assert_eq!(cache.entries.len(), 2);
}

#[test]
fn a_damaged_or_foreign_file_costs_a_note_and_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tune.json");
    let mut cache = Cache::default();
    cache.insert(entry("one", &[("conv_forward.tiled.ROWS", 9)]));
    cache.write(&path).unwrap();
    let sound = std::fs::read_to_string(&path).unwrap();
    let replaced = |a: &str, b: &str| {
        assert!(sound.contains(a), "{sound}");
        sound.replace(a, b).into_bytes()
    };
    let damaged = [
        vec![],
        b"\0\xff\xfe".to_vec(),
        b"{\"somebody\": \"else's\"}".to_vec(),
        sound.as_bytes()[..sound.len() / 2].to_vec(),
        replaced("tagwalk tune", "tagwalk run"),
        replaced("\"version\": 1", "\"version\": 2"),
        replaced("ROWS\": 9", "ROWS\": 0"),
        replaced("ROWS\": 9", "ROWS\": -1"),
        replaced("tiled.ROWS", "tiled.NONSENSE"),
        replaced("\"tiled\"", "{\"native\": \"portable\"}"),
        replaced("\"tiled\"", "\"no such family\""),
        vec![b' '; 2 << 20],
    ];
    for bytes in &damaged {
        std::fs::write(&path, bytes).unwrap();
        let (cache, note) = Cache::read(&path);
        assert!(cache.entries.is_empty(), "{:?}", String::from_utf8_lossy(bytes));
        assert!(note.is_some_and(|n| n.contains("tune.json") && n.contains("ignored")));
    }
    // A folder in its place is no file either.
    assert!(Cache::read(folder.path()).1.is_some());

    std::fs::write(&path, &damaged[2]).unwrap();
    let (_, said) = succeeds(&["tune", "--show", "--cache", text(&path)]);
    assert!(said.contains("it is ignored") && said.contains("0 entries"), "{said}");
    let device = ["--device", "gpu", "--adapter", "0", "--cache", text(&path), "--network", "3^3-9/8"];
    let (_, said) = succeeds(&[&["bench", "step", "--batch", "2", "--steps", "1", "--warm-up", "0"][..], &device].concat());
    assert!(said.contains("it is ignored") && said.contains("tiled shaders"), "{said}");
    succeeds(&[&["tune", "--batch", "2", "--seconds", "0"][..], &device].concat());
    let (cache, note) = Cache::read(&path);
    assert_eq!((cache.entries.len(), note), (1, None));
    assert_eq!(cache.entries[0].key, Key::of(&adapters::list()[0]));
    let (shown, _) = succeeds(&["tune", "--show", "--json", "--cache", text(&path)]);
    assert!(shown.contains("\"network\":\"3^3-9/8\""), "{shown}");
    succeeds(&["tune", "--reset", "--cache", text(&path)]);
    assert!(!path.exists());
    fails(&["tune", "--device", "cpu", "--cache", text(&path)], 3, &["nothing to tune on the CPU"]);
}
