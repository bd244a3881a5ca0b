//! The GPU device: a plan's dispatches as WGSL through wgpu. The only place of the crate that knows
//! wgpu; kernels describe their work as plain data (`kernels::gpu`).

pub mod adapters;
mod alone;
mod errors;
mod memory;
mod pipelines;
mod program;
mod readback;
mod timing;

use std::sync::Arc;

use super::Program;
use super::select::{Adapter, AdapterKind, Chosen, DeviceKind, Selection, choose};
use crate::error::{Error, Result};
use crate::kernels::gpu::Limits;
use crate::plan::Plan;

pub use alone::run_alone;

/// How programs are made. Nothing here changes what is computed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Compile shaders with every run-time check (bounds, endless loops). Tests do; otherwise
    /// shaders are trusted, because the checks cost up to a third of the speed.
    pub checked: bool,
    /// Measure each call, where the adapter can.
    pub timed: bool,
    /// Bytes of one binding, where less than the adapter allows is wanted: to test how a kernel
    /// splits its work.
    pub max_binding: Option<u64>,
}

/// An open GPU.
#[derive(Clone)]
pub struct Gpu {
    /// What it says of itself.
    pub adapter: Adapter,
    /// How it was opened.
    pub options: Options,
    device: wgpu::Device,
    queue: wgpu::Queue,
    faults: Arc<errors::Faults>,
    /// Rows and columns of the cooperative matrices that multiply f16 and add f32, as the driver lists them, the largest
    /// first.
    cooperative_sizes: Vec<u8>,
}

/// Opens the GPU that a selection means; `auto` means a real one here as well (whether the CPU is
/// taken instead is [`super::open`]'s question). Fails with exit code 3 where there is none.
pub fn open(selection: &Selection) -> Result<Gpu> {
    let found = adapters::find();
    let infos: Vec<Adapter> = found.iter().map(|(info, _)| info.clone()).collect();
    let device = if selection.device == DeviceKind::Auto { DeviceKind::Gpu } else { selection.device };
    match choose(&infos, &Selection { device, ..selection.clone() })? {
        Chosen::Gpu(index) => Gpu::new(&found[index]),
        Chosen::Cpu => Err(Error::usage("--device", "cpu is no GPU")),
    }
}

impl Gpu {
    fn new((adapter, handle): &(Adapter, wgpu::Adapter)) -> Result<Gpu> {
        let cooperative_sizes = adapters::cooperative_sizes(handle);
        let (features, experimental) = if cooperative_sizes.is_empty() {
            (wgpu::Features::TIMESTAMP_QUERY, wgpu::ExperimentalFeatures::disabled())
        } else {
            // SAFETY: what is experimental is cooperative matrices. No shader has them but those of that family, which is
            // taken only where it was asked for or tuned, and held against the reference first.
            (wgpu::Features::TIMESTAMP_QUERY | adapters::COOPERATIVE, unsafe { wgpu::ExperimentalFeatures::enabled() })
        };
        let descriptor = wgpu::DeviceDescriptor {
            label: Some("tagwalk"),
            required_features: handle.features() & features,
            experimental_features: experimental,
            // The default would be WebGPU's least limits, whatever the adapter offers.
            required_limits: handle.limits(),
            ..Default::default()
        };
        let (device, queue) = pollster::block_on(handle.request_device(&descriptor)).map_err(|e| {
            Error::device(format!("{} refuses to open: {e}", adapter.name))
                .help("Is the driver up to date? `tagwalk devices` lists others.")
        })?;
        let faults = errors::Faults::watch(&device);
        Ok(Gpu { adapter: adapter.clone(), options: Options::default(), device, queue, faults, cooperative_sizes })
    }

    /// Rows and columns of the cooperative matrices that multiply f16 and add f32, as the driver lists them, the largest
    /// first; none where it has none. Whether they compute right is `measure::check`'s question.
    pub fn cooperative_sizes(&self) -> &[u8] {
        &self.cooperative_sizes
    }

    /// The same GPU with other options.
    pub fn with(&self, options: Options) -> Gpu {
        Gpu { options, ..self.clone() }
    }

    /// What kernels must know of the adapter.
    pub fn limits(&self) -> Limits {
        let adapter = self.adapter.limits;
        let max_binding = self.options.max_binding.map_or(adapter.max_binding, |b| b.min(adapter.max_binding));
        Limits { max_binding, ..adapter }
    }

    /// Whether it is a driver that computes on the CPU.
    pub fn is_software(&self) -> bool {
        self.adapter.kind == AdapterKind::Software
    }

    /// Allocates and compiles all that a plan needs. Fails, naming the tensor or the call, where
    /// the adapter's limits or memory do not suffice or a shader does not fit its kernel.
    pub fn load(&self, plan: Plan) -> Result<Box<dyn Program>> {
        let calls = program::calls(&plan, &self.limits());
        Ok(Box::new(program::GpuProgram::new(self, plan, calls)?))
    }
}
