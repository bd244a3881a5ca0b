//! A step allocates nothing of ours: what wgpu and Rayon allocate inside is small and does not grow
//! from step to step (a counting allocator; what is alive is counted too, so nothing is kept).

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use tagwalk::batch::{self, Batch, Inputs};
use tagwalk::dataset::{Dataset, View};
use tagwalk::device::select::{DeviceKind, Selection};
use tagwalk::device::{Device, Program, cpu, gpu};
use tagwalk::kernels::{Choice, Family, products::Isa};
use tagwalk::measure::synthetic;
use tagwalk::network::{Network, Parameters, family};
use tagwalk::plan::{self, Plan, Run, Settings, names};
use tagwalk::playlists;
use tagwalk::train::options::{self, Options};
use tagwalk::train::{Cadence, Ending, Event, Rule, Schedule, Session};

mod common;

static CALLS: AtomicU64 = AtomicU64::new(0);
static BYTES: AtomicU64 = AtomicU64::new(0);
static LARGEST: AtomicU64 = AtomicU64::new(0);
static ALIVE: AtomicI64 = AtomicI64::new(0);

struct Counting;

impl Counting {
    fn count(size: usize) {
        CALLS.fetch_add(1, Relaxed);
        BYTES.fetch_add(size as u64, Relaxed);
        LARGEST.fetch_max(size as u64, Relaxed);
        ALIVE.fetch_add(size as i64, Relaxed);
    }
}

// SAFETY: the system's allocator does the work; beside it only numbers are counted.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        Counting::count(layout.size());
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        ALIVE.fetch_sub(layout.size() as i64, Relaxed);
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Only one test counts at a time.
static TURN: Mutex<()> = Mutex::new(());

const BATCH: usize = 4;
const STEPS: usize = 32;

/// Half the small network, with every kernel of a step in its plan.
fn network() -> Network {
    family::member("3^5-81/4", 5).unwrap()
}

fn plan(choice: Choice) -> Plan {
    let settings = Settings::new(BATCH, choice);
    plan::training(&network(), &settings).unwrap()
}

/// Counts over some steps.
#[derive(Debug)]
struct Count {
    calls: u64,
    bytes: u64,
    largest: u64,
    kept: i64,
}

/// Runs training steps as the loop does: upload, submit, read the losses of the step before.
fn steps(program: &mut dyn Program, batches: &[Batch], read: &mut [u8], many: usize) -> Count {
    let (ids, losses) = (Inputs::of(program.plan()), program.plan().expect(names::LOSSES));
    let alive = ALIVE.load(Relaxed);
    for counter in [&CALLS, &BYTES, &LARGEST] {
        counter.store(0, Relaxed);
    }
    let mut before = None;
    for step in 0..many {
        batch::upload(program, &ids, &batches[step % batches.len()]).unwrap();
        let ticket = program.submit(Run::Train).unwrap();
        if let Some(ticket) = before.replace(ticket) {
            program.output(ticket, losses, read).unwrap();
        }
    }
    program.wait().unwrap();
    let kept = ALIVE.load(Relaxed) - alive;
    Count { calls: CALLS.load(Relaxed), bytes: BYTES.load(Relaxed), largest: LARGEST.load(Relaxed), kept }
}

/// Warms up, then counts two stretches of the same length.
fn count(program: &mut dyn Program) -> [Count; 2] {
    let network = network();
    synthetic::begin(program, &Parameters::new(&network).unwrap(), 1, 0.01, 0.9).unwrap();
    let batches: Vec<Batch> = (0..2).map(|step| synthetic::batch(&network, BATCH, 1, step).unwrap()).collect();
    let mut read = vec![0u8; BATCH * 2 * 4];
    steps(program, &batches, &mut read, STEPS);
    let counts = [(); 2].map(|()| steps(program, &batches, &mut read, STEPS));
    let losses: &[f32] = bytemuck::cast_slice(&read);
    assert!(losses.iter().all(|l| l.is_finite()) && losses[0] > 0.0, "the steps did not run: {losses:?}");
    println!("{STEPS} steps, twice: {counts:?}");
    counts
}

/// Rayon's queue takes a block of some kilobytes every 32 jobs handed to the pool; nothing else.
#[test]
fn the_cpu_device() {
    let _turn = TURN.lock();
    let mut program = cpu::load(plan(Choice::native(Isa::detect())), 2).unwrap();
    for count in count(&mut program) {
        assert!(count.calls <= STEPS as u64, "{count:?}: more than one allocation a step");
        assert!(count.largest <= 4096, "{count:?}: larger than a block of Rayon's queue");
        assert!(count.kept.unsigned_abs() <= 4096, "{count:?}: memory stays");
    }
}

/// The loop itself: batches with their walks, the trainer's step, its losses read, its line in the log. The threads take
/// their blocks here, too; nothing else is taken between an epoch's steps.
#[test]
fn a_session_between_two_epochs() {
    let _turn = TURN.lock();
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    common::runs::dataset(&data, 48);
    let dataset = Dataset::open(&data).unwrap();
    let network = family::member(common::runs::NETWORK[1], 4).unwrap();
    let choice = Choice::native(Isa::detect());
    let settings = Settings::new(BATCH, choice);
    // An epoch of 36 songs, 20 times each, in fours.
    let schedule = Schedule { rule: Rule::Plateau, rate: 0.01, momentum: 0.9, epochs: 1, steps: 0 };
    let train = Options { schedule, propagation: playlists::Options::default(), clips_per_song: 20, view: View::default() };
    let config = options::config(&dataset, &Device::Cpu, network, settings, 1, train);
    let cadence = Cadence { every: Duration::from_secs(3600), steps: 0, keep: false };
    let mut session = Session::begin(&folder.path().join("run"), config, &dataset, &Device::Cpu, 2, cadence).unwrap();
    let (mut before, mut alive) = (0, 0);
    let mut counted = None;
    let ending = session.run(&mut |event| {
        let Event::Step { done, .. } = event else { return };
        match done.number() {
            50 => {
                (before, alive) = (CALLS.load(Relaxed), ALIVE.load(Relaxed));
                LARGEST.store(0, Relaxed);
            }
            170 => counted = Some((CALLS.load(Relaxed) - before, LARGEST.load(Relaxed), ALIVE.load(Relaxed) - alive)),
            _ => {}
        }
    });
    assert_eq!(ending.unwrap(), Ending::Finished);
    let (calls, largest, kept) = counted.unwrap();
    println!("120 steps: {calls} allocations, the largest of {largest} bytes, {kept} bytes kept");
    assert!(calls <= 120 && largest <= 4096 && kept.unsigned_abs() <= 4096, "{calls} of up to {largest} bytes, {kept} kept");
}

/// wgpu's encoders and submissions allocate by the number of dispatches, in small pieces.
#[test]
fn a_vulkan_adapter() {
    let _turn = TURN.lock();
    let gpu = gpu::open(&Selection { device: DeviceKind::Gpu, adapter: None })
        .or_else(|_| gpu::open(&Selection { device: DeviceKind::Gpu, adapter: Some("llvmpipe".into()) }))
        .expect("an adapter; ./test.sh says which driver to install");
    println!("{}", gpu.adapter.name);
    let mut program = gpu.load(plan(Choice::gpu(Family::Tiled))).unwrap();
    let [first, second] = count(&mut *program);
    let smallest_tensor_of_a_clip = network().wave_stride() * 2;
    for count in [&first, &second] {
        assert!(count.largest < smallest_tensor_of_a_clip as u64, "{count:?}: as large as a clip");
        assert!(count.kept.unsigned_abs() <= 256 << 10, "{count:?}: memory stays");
    }
    assert!(second.bytes as f64 <= 1.1 * first.bytes as f64, "it grows: {first:?}, then {second:?}");
}
