//! `tagwalk plan`: what a training step is made of, and what it takes, before anything runs.

use serde::Serialize;

use super::flags::{DeviceFlags, NetworkFlags};
use super::{Outcome, print};
use crate::device::Device;
use crate::device::select::DeviceKind;
use crate::error::{Error, Result};
use crate::format::table::{Align, Table};
use crate::kernels::{Access, Choice, Precision};
use crate::network::Network;
use crate::plan::memory::Footprint;
use crate::plan::{MOST_CLIPS, Plan, Run, Settings, training};

/// Show the plan of a training step: tensors, kernel calls, memory, operations, the largest batch
///
/// Nothing is allocated or run. Bytes are the least that a call must move; operations are counted
/// as the textbook does, two a multiply-add.
#[derive(clap::Args, Debug)]
pub struct Args {
    #[command(flatten)]
    pub network: NetworkFlags,
    /// Clips a step
    #[arg(long, value_name = "B", default_value_t = 23)]
    pub batch: usize,
    /// Tags
    #[arg(long, value_name = "T", default_value_t = 50)]
    pub tags: usize,
    // With a GPU's --family and no device named, none is opened.
    #[command(flatten)]
    pub device: DeviceFlags,
    /// Memory, in MiB, that the largest batch is found for
    #[arg(long, value_name = "MIB", default_value_t = 4096)]
    pub memory: usize,
    /// One JSON object a tensor and call, and one for the whole, instead of tables
    #[arg(long)]
    pub json: bool,
}

#[derive(Serialize)]
struct TensorLine<'a> {
    kind: &'static str,
    name: &'a str,
    shape: &'a [usize],
    dtype: String,
    role: String,
    bytes: usize,
}

#[derive(Serialize)]
struct CallLine<'a> {
    kind: &'static str,
    section: String,
    label: &'a str,
    kernel: &'static str,
    operands: Vec<OperandLine<'a>>,
    flops: u64,
    bytes: u64,
}

#[derive(Serialize)]
struct OperandLine<'a> {
    name: &'static str,
    shape: Vec<usize>,
    access: String,
    tensor: &'a str,
}

#[derive(Serialize)]
struct Whole<'a> {
    kind: &'static str,
    network: &'a str,
    device: &'a str,
    family: String,
    batch: usize,
    tags: usize,
    clip: usize,
    parameters: usize,
    tensors: usize,
    calls: usize,
    memory: usize,
    training_flops: u64,
    evaluation_flops: u64,
    training_bytes: u64,
    memory_limit: usize,
    largest_batch: usize,
}

pub fn run(args: Args) -> Result<Outcome> {
    if !(1..=MOST_CLIPS).contains(&args.batch) {
        return Err(Error::usage("--batch", format!("{} is not between 1 and {MOST_CLIPS}", args.batch)));
    }
    let network = args.network.build(args.tags)?;
    let (device, choice) = choose(&args.device)?;
    let largest_tensor = match &device {
        Some(Device::Gpu(gpu)) => usize::try_from(gpu.adapter.max_buffer).unwrap_or(usize::MAX),
        _ => usize::MAX,
    };
    let planned = |batch| plan_of(&network, batch, &choice);
    let plan = planned(args.batch)?;
    let fits = |batch| {
        let plan = planned(batch)?;
        let largest = plan.tensors.iter().map(|t| t.bytes()).max().unwrap_or(0);
        Ok(footprint(&plan, &choice) <= args.memory << 20 && largest <= largest_tensor)
    };
    let whole = Whole {
        kind: "plan",
        network: &args.network.network,
        device: device.as_ref().map_or("no device", Device::name),
        family: choice.to_string(),
        batch: args.batch,
        tags: network.tags,
        clip: network.clip_length,
        parameters: crate::network::Parameters::new(&network)?.count(),
        tensors: plan.tensors.len(),
        calls: plan.steps.len(),
        memory: footprint(&plan, &choice),
        training_flops: plan.flops(Run::Train),
        evaluation_flops: plan.flops(Run::Evaluate),
        training_bytes: plan.steps.iter().filter(|s| Run::Train.holds(s.section)).map(|s| s.kernel.bytes()).sum(),
        memory_limit: args.memory << 20,
        largest_batch: largest(fits)?,
    };
    if args.json {
        lines(&plan, &whole)?
    } else {
        tables(&plan, &whole)?
    }
    Ok(Outcome::Done)
}

/// The device and the kernels; shaders can be planned for without a device.
fn choose(flags: &DeviceFlags) -> Result<(Option<Device>, Choice)> {
    let f32s = flags.precision.resolve() == Precision::F32;
    if f32s
        && flags.device == DeviceKind::Auto
        && flags.adapter.is_none()
        && let Some(family) = flags.family.filter(|family| !family.is_native() && family.has(Precision::F32))
    {
        return Ok((None, Choice::gpu(family)));
    }
    let (device, choice) = flags.open()?;
    Ok((Some(device), choice))
}

fn plan_of(network: &Network, batch: usize, choice: &Choice) -> Result<Plan> {
    // Losses and variances do not change what a plan needs.
    let settings = Settings::new(batch, choice.clone());
    training(network, &settings)
}

fn footprint(plan: &Plan, choice: &Choice) -> usize {
    Footprint::of(plan, choice, rayon::current_num_threads()).bytes()
}

/// The largest batch that fits; 0 where not even one clip does.
fn largest(fits: impl Fn(usize) -> Result<bool>) -> Result<usize> {
    let (mut yes, mut no) = (0, 1);
    while no < MOST_CLIPS && fits(no)? {
        (yes, no) = (no, 2 * no);
    }
    while no - yes > 1 {
        let middle = yes + (no - yes) / 2;
        if fits(middle)? { yes = middle } else { no = middle }
    }
    Ok(yes)
}

fn lower(value: impl std::fmt::Debug) -> String {
    format!("{value:?}").to_lowercase()
}

fn lines(plan: &Plan, whole: &Whole) -> Result<()> {
    for t in &plan.tensors {
        let (dtype, role) = (lower(t.dtype), lower(t.role));
        print::json(&TensorLine { kind: "tensor", name: &t.name, shape: &t.shape, dtype, role, bytes: t.bytes() })?;
    }
    for step in &plan.steps {
        let operands = step.kernel.operands().into_iter().zip(&step.operands).map(|(o, view)| OperandLine {
            name: o.name,
            access: lower(o.access),
            shape: o.shape,
            tensor: &plan.tensors[view.tensor.0].name,
        });
        print::json(&CallLine {
            kind: "call",
            section: lower(step.section),
            label: &step.label,
            kernel: step.kernel.name(),
            operands: operands.collect(),
            flops: step.kernel.flops(),
            bytes: step.kernel.bytes(),
        })?;
    }
    print::json(whole)
}

fn mib(bytes: impl TryInto<u64>) -> String {
    let bytes = bytes.try_into().unwrap_or(u64::MAX);
    format!("{:.2}", bytes as f64 / (1u64 << 20) as f64)
}

fn shape(shape: &[usize]) -> String {
    shape.iter().map(usize::to_string).collect::<Vec<_>>().join(" x ")
}

fn tables(plan: &Plan, whole: &Whole) -> Result<()> {
    let mut table = Table::new(&[("tensor", Align::Left), ("shape", Align::Left), ("role", Align::Left), ("MiB", Align::Right)]);
    for t in &plan.tensors {
        table.row([t.name.clone(), shape(&t.shape), lower(t.role), mib(t.bytes())]);
    }
    print::line(table)?;
    print::line("")?;
    let columns = [("section", Align::Left), ("call", Align::Left), ("writes", Align::Left)];
    let columns = [&columns[..], &[("MFLOP", Align::Right), ("MiB moved", Align::Right)]].concat();
    let mut table = Table::new(&columns);
    for step in &plan.steps {
        let written = step.kernel.operands().into_iter().filter(|o| matches!(o.access, Access::Write | Access::Update));
        let written = written.map(|o| format!("{} {}", o.name, shape(&o.shape))).collect::<Vec<_>>().join(", ");
        let flops = format!("{:.2}", step.kernel.flops() as f64 / 1e6);
        table.row([lower(step.section), step.label.clone(), written, flops, mib(step.kernel.bytes())]);
    }
    print::line(table)?;
    print::line("")?;
    let w = whole;
    let per_clip = |flops: u64| flops as f64 / 1e9 / w.batch as f64;
    print::line(format!("{} with {} tags: {} parameters, clips of {} samples", w.network, w.tags, w.parameters, w.clip))?;
    print::line(format!("{} tensors and {} calls for {} ({})", w.tensors, w.calls, w.device, w.family))?;
    print::line(format!(
        "a training step of {} clips: {:.2} GFLOP ({:.2} a clip), {} MiB moved at least",
        w.batch,
        w.training_flops as f64 / 1e9,
        per_clip(w.training_flops),
        mib(w.training_bytes)
    ))?;
    print::line(format!("an evaluation: {:.2} GFLOP a clip", per_clip(w.evaluation_flops)))?;
    print::line(format!(
        "memory: {} MiB; the largest batch within {} MiB: {}",
        mib(w.memory),
        w.memory_limit >> 20,
        w.largest_batch
    ))
}
