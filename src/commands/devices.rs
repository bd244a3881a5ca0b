//! `tagwalk devices`: what a network can be trained on here, with limits and features.

use std::thread::available_parallelism;

use serde::Serialize;

use super::{Outcome, print};
use crate::device::gpu::adapters;
use crate::device::select::{Adapter, AdapterKind, Chosen, HELP, Selection, choose};
use crate::error::{Error, Result};
use crate::format::table::{Align, Table};
use crate::kernels::Choice;
use crate::kernels::products::Isa;

/// List the devices a network can be trained on: the CPU and every GPU adapter
///
/// The CPU is always there; where there is no adapter at all, the exit code is 3 and what to install
/// is said. Adapters of type software compute on the CPU: they are for tests and taken only when
/// --adapter names them.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// One JSON object a device, a line each (limits in bytes)
    #[arg(long)]
    pub json: bool,
}

/// A device as a line of JSON.
#[derive(Serialize)]
struct Line<'a> {
    device: &'static str,
    /// Whether `--device auto` takes it.
    auto: bool,
    #[serde(flatten)]
    what: What<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum What<'a> {
    Cpu {
        threads: usize,
        instructions: Isa,
    },
    Gpu {
        index: usize,
        name: &'a str,
        r#type: &'static str,
        software: bool,
        backend: &'a str,
        driver: &'a str,
        max_binding: u64,
        max_buffer: u64,
        binding_alignment: u64,
        max_storage_buffers: u32,
        max_workgroups: u32,
        workgroup_memory: u32,
        workgroup_invocations: u32,
        features: &'a [&'static str],
    },
}

pub fn run(args: Args) -> Result<Outcome> {
    let adapters = adapters::list();
    let auto = choose(&adapters, &Selection::default())?;
    let threads = available_parallelism().map_or(1, usize::from);
    let cpu = Line { device: "cpu", auto: auto == Chosen::Cpu, what: What::Cpu { threads, instructions: Isa::detect() } };
    if args.json {
        print::json(&cpu)?;
        for adapter in &adapters {
            print::json(&line(adapter, auto))?;
        }
    } else {
        print::line(format_args!("CPU: {threads} threads, {}", Choice::native(Isa::detect())))?;
        if !adapters.is_empty() {
            print::line(table(&adapters))?;
        }
        match auto {
            Chosen::Cpu => print::line("--device auto takes the CPU.")?,
            Chosen::Gpu(index) => print::line(format_args!("--device auto takes adapter {index}."))?,
        }
    }
    if adapters.is_empty() { Err(Error::device("no GPU adapter found").help(HELP)) } else { Ok(Outcome::Done) }
}

fn line(adapter: &Adapter, auto: Chosen) -> Line<'_> {
    let what = What::Gpu {
        index: adapter.index,
        name: &adapter.name,
        r#type: adapter.kind.name(),
        software: adapter.kind == AdapterKind::Software,
        backend: &adapter.backend,
        driver: &adapter.driver,
        max_binding: adapter.limits.max_binding,
        max_buffer: adapter.max_buffer,
        binding_alignment: adapter.limits.alignment,
        max_storage_buffers: adapter.max_storage_buffers,
        max_workgroups: adapter.limits.max_workgroups,
        workgroup_memory: adapter.limits.workgroup_memory,
        workgroup_invocations: adapter.limits.invocations,
        features: &adapter.features,
    };
    Line { device: "gpu", auto: auto == Chosen::Gpu(adapter.index), what }
}

fn table(adapters: &[Adapter]) -> Table {
    use Align::{Left, Right};
    let mut table = Table::new(&[
        ("adapter", Right),
        ("name", Left),
        ("type", Left),
        ("driver", Left),
        ("binding, MiB", Right),
        ("buffer, MiB", Right),
        ("workgroup", Right),
        ("features", Left),
    ]);
    for a in adapters {
        table.row([
            a.index.to_string(),
            a.name.clone(),
            a.kind.name().to_string(),
            format!("{} {}", a.backend, a.driver),
            (a.limits.max_binding >> 20).to_string(),
            (a.max_buffer >> 20).to_string(),
            format!("{} x {} KiB", a.limits.invocations, a.limits.workgroup_memory >> 10),
            a.features.join(", "),
        ]);
    }
    table
}
