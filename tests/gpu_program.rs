//! A plan on a GPU (software Vulkan will do), and on the CPU what both promise: uploads are in order with runs, outputs of
//! the last two runs are kept, what does not fit is refused by name, and a step's bits do not change.

use tagwalk::device::gpu::{Gpu, Options, adapters, open};
use tagwalk::device::select::{DeviceKind, Selection};
use tagwalk::device::{Device, Program};
use tagwalk::kernels::conv::Conv;
use tagwalk::kernels::loss::Loss;
use tagwalk::kernels::product::Product;
use tagwalk::kernels::{Choice, Family};
use tagwalk::network::family::member;
use tagwalk::plan::{Plan, Run, Section, Settings, TensorId, names, training};
use tagwalk::tensor::{DType, Role};

const TAGS: usize = 50;

fn gpu() -> Gpu {
    let help = "these tests need a Vulkan adapter; software will do: install mesa-vulkan-drivers and libvulkan1";
    assert!(!adapters::list().is_empty(), "{help}");
    open(&Selection { device: DeviceKind::Gpu, adapter: Some("0".into()) }).unwrap()
}

/// An evaluation that is the loss alone.
fn loss_alone(clips: usize) -> Plan {
    let mut plan = Plan::default();
    plan.tensor(names::WAVE, &[clips, 2], DType::I16, Role::Input);
    let ids = [
        ("logits", vec![clips, TAGS], Role::State),
        ("own", vec![clips, TAGS], Role::Input),
        ("propagated", vec![clips, TAGS], Role::Input),
        ("weights", vec![2, clips], Role::Input),
        ("losses", vec![clips, 2], Role::Output),
        ("probabilities", vec![clips, TAGS], Role::Output),
    ]
    .map(|(name, shape, role)| plan.tensor(name, &shape, DType::F32, role));
    let views = ids.map(|id| plan.view(id));
    let choice = Choice::gpu(Family::Plain);
    let kernel = Loss { clips, tags: TAGS, heads: 1, scale: 1.0, lambda: 0.0, gradient: false, by_tag: false, choice };
    plan.call(Section::Evaluate, "loss", kernel, &views);
    plan
}

fn id(program: &dyn Program, name: &str) -> TensorId {
    program.plan().expect(name)
}

#[test]
fn each_run_sees_what_was_uploaded_before_it_and_two_runs_are_kept() {
    two_runs_are_kept(gpu().load(loss_alone(3)).unwrap());
    two_runs_are_kept(Device::Cpu.load(loss_alone(3), 1).unwrap());
}

/// What every device promises of a program.
fn two_runs_are_kept(mut program: Box<dyn Program>) {
    let (logits, probabilities) = (id(&*program, "logits"), id(&*program, "probabilities"));
    let runs: Vec<_> = [-1.0f32, 0.5, 2.0]
        .into_iter()
        .map(|x| {
            program.upload(logits, bytemuck::cast_slice(&[x; 3 * TAGS])).unwrap();
            (x, program.submit(Run::Evaluate).unwrap())
        })
        .collect();
    let mut out = [0.0f32; 3 * TAGS];
    assert!(program.output(runs[0].1, probabilities, bytemuck::cast_slice_mut(&mut out)).is_err(), "two runs ago");
    for &(x, ticket) in [&runs[2], &runs[1], &runs[2]] {
        program.output(ticket, probabilities, bytemuck::cast_slice_mut(&mut out)).unwrap();
        let expected = 1.0 / (1.0 + (-f64::from(x)).exp());
        assert!(out.iter().all(|&p| (f64::from(p) - expected).abs() < 1e-6), "{x}: {out:?}");
    }
    // What is kept can be read whole; inputs and wrong sizes are refused without a panic.
    let mut kept = [0.0f32; 3 * TAGS];
    program.download(logits, bytemuck::cast_slice_mut(&mut kept)).unwrap();
    assert_eq!(kept, [2.0; 3 * TAGS]);
    let own = id(&*program, "own");
    assert!(program.download(own, bytemuck::cast_slice_mut(&mut kept)).is_err());
    assert!(program.upload(logits, &[0; 4]).is_err());
    assert!(program.upload(probabilities, bytemuck::cast_slice(&kept)).is_err());
    assert!(program.download(logits, &mut [0; 4]).is_err());
    assert!(program.output(runs[2].1, logits, bytemuck::cast_slice_mut(&mut kept)).is_err());
}

#[test]
fn a_tensor_over_the_limit_is_named_with_the_largest_batch_that_fits() {
    // 200 bytes a clip.
    let gpu = gpu().with(Options { max_binding: Some(4096), ..Options::default() });
    let error = gpu.load(loss_alone(40)).err().expect("8,000 bytes do not fit");
    assert_eq!(error.exit_code(), 3);
    let text = error.to_string();
    assert!(text.contains("logits") && text.contains("--batch 20"), "{text}");
    gpu.load(loss_alone(20)).unwrap();
}

/// Two steps of a small network on fixed, uneven data; parameters, running statistics and losses.
fn two_steps(gpu: &Gpu, family: Family) -> (Vec<Vec<u8>>, usize, Vec<f64>) {
    let network = member("3^5-81/4", 5).unwrap();
    let settings = Settings { lambda: 0.3, ..Settings::new(3, Choice::gpu(family)) };
    let layers = network.layers.iter().zip(network.lengths().unwrap()).map(|(layer, lengths)| Conv::new(layer, lengths, 3));
    assert!(layers.into_iter().any(|conv| settings.choice.family_for(Product::Forward, &conv) == family), "{family}");
    let plan = training(&network, &settings).unwrap();
    let calls = plan.steps.iter().filter(|s| Run::Train.holds(s.section)).count();
    let mut program = gpu.load(plan).unwrap();
    let tensors = program.plan().tensors.clone();
    for (i, t) in tensors.iter().enumerate() {
        let wave = |j: usize| ((j * 7919) % 65_536) as f32 / 65_536.0;
        let bytes: Vec<u8> = match (t.dtype, t.role, t.name.as_str()) {
            (DType::I16, Role::Input, _) => {
                (0..t.len()).flat_map(|j| ((wave(j) * 20_000.0) as i16 - 9_000).to_le_bytes()).collect()
            }
            (_, Role::Input, names::HYPER) => bytemuck::cast_slice(&[0.01f32, 0.9]).to_vec(),
            (DType::F32, Role::Input, _) => (0..t.len()).flat_map(|j| wave(j).to_le_bytes()).collect(),
            (_, Role::Parameter, _) => (0..t.len()).flat_map(|j| (wave(j) * 0.2 - 0.05).to_le_bytes()).collect(),
            _ => continue,
        };
        program.upload(TensorId(i), &bytes).unwrap();
    }
    let mut results = Vec::new();
    for _ in 0..2 {
        let ticket = program.submit(Run::Train).unwrap();
        let losses = id(&*program, names::LOSSES);
        let mut bytes = vec![0; tensors[losses.0].bytes()];
        program.output(ticket, losses, &mut bytes).unwrap();
        let status = id(&*program, names::STATUS);
        let mut word = [0u32];
        program.output(ticket, status, bytemuck::cast_slice_mut(&mut word)).unwrap();
        assert_eq!(word[0], tagwalk::kernels::sgd::FINITE);
        results.push(bytes);
    }
    for name in [names::PARAMETERS, names::RUNNING, names::MOMENTA] {
        let tensor = id(&*program, name);
        let mut bytes = vec![0; tensors[tensor.0].bytes()];
        program.download(tensor, &mut bytes).unwrap();
        results.push(bytes);
    }
    (results, calls, program.timings().unwrap())
}

#[test]
fn a_step_gives_the_same_bits_again_checked_or_not_timed_or_not() {
    let gpu = gpu();
    for family in [Family::Plain, Family::Tiled, Family::Registers, Family::Winograd] {
        let (first, calls, timings) = two_steps(&gpu, family);
        assert!(first[0] != first[1], "the losses of two steps differ");
        assert!(timings.is_empty(), "timing was not asked for");
        assert_eq!(two_steps(&gpu, family).0, first, "again");
        let options = Options { timed: true, ..Options::default() };
        let (timed, _, timings) = two_steps(&gpu.with(options), family);
        assert_eq!(timed, first, "timed");
        if gpu.adapter.features.contains(&"timestamps") {
            assert_eq!(timings.len(), calls);
            assert!(timings.iter().all(|t| t.is_finite() && *t >= 0.0), "{timings:?}");
        }
        let checked = Options { checked: true, ..Options::default() };
        assert_eq!(two_steps(&gpu.with(checked), family).0, first, "with the shaders' checks");
    }
}
