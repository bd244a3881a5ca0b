//! Which device a program runs on: what `--device` and `--adapter` ask for, against what there is.
//! No driver is touched here, so that the choice can be tested.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, Result};
use crate::kernels::gpu::Limits;

/// `--device`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum DeviceKind {
    /// The processor.
    Cpu,
    /// A real GPU, or the adapter that is named.
    Gpu,
    /// A real GPU if there is one, else the CPU.
    #[default]
    Auto,
}

impl FromStr for DeviceKind {
    type Err = Error;

    fn from_str(s: &str) -> Result<DeviceKind> {
        match s {
            "cpu" => Ok(DeviceKind::Cpu),
            "gpu" => Ok(DeviceKind::Gpu),
            "auto" => Ok(DeviceKind::Auto),
            _ => Err(Error::usage("--device", format!("'{s}' is not cpu, gpu or auto"))),
        }
    }
}

impl fmt::Display for DeviceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            DeviceKind::Cpu => "cpu",
            DeviceKind::Gpu => "gpu",
            DeviceKind::Auto => "auto",
        })
    }
}

/// What `--device` and `--adapter` ask for.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Selection {
    /// Which kind of device.
    pub device: DeviceKind,
    /// Part of an adapter's name, in any case, or its index in `tagwalk devices`.
    pub adapter: Option<String>,
}

/// What sort of machine an adapter is; in the order in which they are preferred.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AdapterKind {
    /// A GPU with memory of its own.
    Discrete,
    /// A GPU that shares the processor's memory.
    Integrated,
    /// A GPU lent to a virtual machine.
    Virtual,
    /// One whose driver does not tell.
    Other,
    /// A driver that computes on the CPU (llvmpipe, SwiftShader): for tests, never taken unasked.
    Software,
}

impl AdapterKind {
    /// In a word, for people and `--json`.
    pub fn name(self) -> &'static str {
        match self {
            AdapterKind::Discrete => "discrete",
            AdapterKind::Integrated => "integrated",
            AdapterKind::Virtual => "virtual",
            AdapterKind::Other => "other",
            AdapterKind::Software => "software",
        }
    }
}

/// An adapter as `tagwalk devices` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adapter {
    /// Its place among the adapters listed: what `--adapter` takes.
    pub index: usize,
    /// As its driver calls it.
    pub name: String,
    /// What sort of machine it is.
    pub kind: AdapterKind,
    /// `vulkan` or `metal`.
    pub backend: String,
    /// The driver's name and version.
    pub driver: String,
    /// What dispatches must keep within.
    pub limits: Limits,
    /// Bytes of one buffer.
    pub max_buffer: u64,
    /// Storage buffers that one dispatch may bind.
    pub max_storage_buffers: u32,
    /// Of those that tagwalk could use, the ones it has.
    pub features: Vec<&'static str>,
}

/// What was chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chosen {
    /// The processor.
    Cpu,
    /// The adapter with this index.
    Gpu(usize),
}

/// Chooses among the adapters there are.
///
/// `auto` takes the best real GPU, else the CPU; `gpu` takes the best real GPU or fails; software
/// adapters are taken only when `--adapter` names them.
pub fn choose(adapters: &[Adapter], selection: &Selection) -> Result<Chosen> {
    match (selection.device, &selection.adapter) {
        (DeviceKind::Cpu, None) => Ok(Chosen::Cpu),
        (DeviceKind::Cpu, Some(_)) => {
            Err(Error::usage("--adapter", "names a GPU, but --device cpu was given").help("Leave out one of the two."))
        }
        (_, Some(wanted)) => named(adapters, wanted).map(Chosen::Gpu),
        (kind, None) => {
            let best = adapters.iter().filter(|a| a.kind != AdapterKind::Software).min_by_key(|a| (a.kind, a.index));
            match best {
                Some(adapter) => Ok(Chosen::Gpu(adapter.index)),
                None if kind == DeviceKind::Auto => Ok(Chosen::Cpu),
                None => Err(none(adapters)),
            }
        }
    }
}

fn named(adapters: &[Adapter], wanted: &str) -> Result<usize> {
    let lower = wanted.to_lowercase();
    let by_index = wanted.parse().ok().and_then(|i: usize| adapters.iter().find(|a| a.index == i));
    let found = by_index.or_else(|| adapters.iter().find(|a| a.name.to_lowercase().contains(&lower)));
    found.map(|a| a.index).ok_or_else(|| {
        let names: Vec<String> = adapters.iter().map(|a| format!("{} {}", a.index, a.name)).collect();
        let there = if names.is_empty() { "there is none at all".into() } else { format!("there are: {}", names.join(", ")) };
        Error::device(format!("no adapter is called '{wanted}'; {there}")).help(HELP)
    })
}

fn none(adapters: &[Adapter]) -> Error {
    match adapters.iter().find(|a| a.kind == AdapterKind::Software) {
        Some(a) => Error::device(format!("no GPU found, only software Vulkan ({})", a.name)).help(format!(
            "Use --device cpu, which is faster than software Vulkan; or name it: --device gpu --adapter {}.",
            a.index
        )),
        None => Error::device("no GPU found").help(HELP),
    }
}

/// What to install where there is no adapter.
pub const HELP: &str = "`tagwalk devices` lists the adapters. On Linux a GPU needs its Vulkan driver (NVIDIA's own, or mesa-vulkan-drivers) and \
     libvulkan1; or use --device cpu.";

#[cfg(test)]
mod tests {
    use super::*;

    fn adapter(index: usize, name: &str, kind: AdapterKind) -> Adapter {
        Adapter {
            index,
            name: name.into(),
            kind,
            backend: "vulkan".into(),
            driver: String::new(),
            limits: Limits::WEBGPU,
            max_buffer: 1 << 30,
            max_storage_buffers: 8,
            features: vec![],
        }
    }

    fn ask(adapters: &[Adapter], device: DeviceKind, name: Option<&str>) -> Result<Chosen> {
        choose(adapters, &Selection { device, adapter: name.map(String::from) })
    }

    #[test]
    fn a_real_gpu_is_taken_unasked_and_software_only_by_name() {
        use DeviceKind::{Auto, Cpu, Gpu};
        let soft = adapter(0, "llvmpipe (LLVM 15)", AdapterKind::Software);
        let weak = adapter(1, "Intel Iris", AdapterKind::Integrated);
        let strong = adapter(2, "Radeon RX", AdapterKind::Discrete);
        let all = [soft.clone(), weak, strong];
        assert_eq!(ask(&all, Auto, None).unwrap(), Chosen::Gpu(2));
        assert_eq!(ask(&all, Gpu, None).unwrap(), Chosen::Gpu(2));
        assert_eq!(ask(&all, Cpu, None).unwrap(), Chosen::Cpu);
        assert_eq!(ask(&all, Auto, Some("iris")).unwrap(), Chosen::Gpu(1));
        assert_eq!(ask(&all, Auto, Some("0")).unwrap(), Chosen::Gpu(0));
        let only = [soft];
        assert_eq!(ask(&only, Auto, None).unwrap(), Chosen::Cpu);
        assert_eq!(ask(&only, Gpu, Some("LLVMPIPE")).unwrap(), Chosen::Gpu(0));
        assert_eq!(ask(&only, Gpu, None).unwrap_err().exit_code(), 3);
        assert_eq!(ask(&[], Auto, None).unwrap(), Chosen::Cpu);
        assert_eq!(ask(&[], Gpu, None).unwrap_err().exit_code(), 3);
        assert_eq!(ask(&only, Auto, Some("Radeon")).unwrap_err().exit_code(), 3);
        assert_eq!(ask(&only, Cpu, Some("llvmpipe")).unwrap_err().exit_code(), 2);
    }
}
