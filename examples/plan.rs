//! Builds the plan of a training step and prints it: tensors by size, then the calls in order.
//! No device is needed: a plan is data.
//!
//!     cargo run --example plan -- 3^9 23

use std::collections::BTreeMap;

use tagwalk::error::Result;
use tagwalk::kernels::{Choice, products::Isa};
use tagwalk::network::family;
use tagwalk::plan::{self, Run, Settings, memory};

const MIB: f64 = (1 << 20) as f64;

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let name = arguments.next().unwrap_or_else(|| family::RELEASED.into());
    let batch = arguments.next().and_then(|b| b.parse().ok()).unwrap_or(23);

    let network = family::member(&name, 50)?;
    let choice = Choice::native(Isa::detect());
    let plan = plan::training(&network, &Settings::new(batch, choice))?;

    println!("the ten largest tensors of {}", plan.tensors.len());
    let mut tensors: Vec<_> = plan.tensors.iter().collect();
    tensors.sort_by_key(|t| std::cmp::Reverse(t.bytes()));
    for t in tensors.iter().take(10) {
        println!("  {:<24} {:<20} {:>8.1} MiB  {:?}", t.name, format!("{:?}", t.shape), t.bytes() as f64 / MIB, t.role);
    }
    let apart: usize = plan.tensors.iter().map(|t| t.bytes()).sum();
    let together = memory::block(&plan).bytes;
    println!("apart {:.0} MiB, sharing memory by lifetime {:.0} MiB\n", apart as f64 / MIB, together as f64 / MIB);

    let total = plan.flops(Run::Train) as f64;
    println!("a training step, {:.2} GFLOP a clip", total / batch as f64 / 1e9);
    for step in plan.steps.iter().filter(|s| Run::Train.holds(s.section)) {
        let (flops, bytes) = (step.kernel.flops() as f64, step.kernel.bytes() as f64);
        println!("  {:<24} {:>9.3} GFLOP {:>5.1} % {:>8.1} MiB", step.label, flops / 1e9, 100.0 * flops / total, bytes / MIB);
    }
    let mut kernels = BTreeMap::new();
    for step in &plan.steps {
        *kernels.entry(step.kernel.name()).or_insert(0) += 1;
    }
    println!("\ncalls of each kernel, evaluation included: {kernels:?}");
    Ok(())
}
