//! Every kernel's cases against the reference in f64, on the CPU with every instruction set that
//! this machine has, and on Vulkan in both families. Without any Vulkan adapter it fails: software
//! Vulkan is enough.

use tagwalk::device::{gpu, select};
use tagwalk::kernels::products::Isa;
use tagwalk::kernels::{Choice, Family, cpu};
use tagwalk::measure::check::{Alone, KERNELS, Subject, kernel};

fn check(subject: &Subject, least: usize) {
    let mut failed = Vec::new();
    for name in KERNELS {
        let report = kernel(subject, name).unwrap();
        if let Some(worst) = &report.worst {
            println!("{name}: {} cases, {} compared, worst {} {:.1e}", report.cases, report.compared, worst.what, worst.error);
            assert!(report.cases >= least, "{name}: {} cases", report.cases);
        }
        failed.extend(report.failed.iter().map(|f| format!("{name} case {}: {} {:.1e} ({})", f.case, f.what, f.error, f.shape)));
    }
    assert!(failed.is_empty(), "{} beyond the bound:\n{}", failed.len(), failed.join("\n"));
}

#[test]
fn on_the_cpu() {
    for isa in Isa::available() {
        println!("{isa:?}");
        let alone: &Alone = &|kernel, inputs| Ok(cpu::run_alone(kernel, inputs));
        check(&Subject { choice: Choice::native(isa), alone }, 40);
    }
}

fn on_vulkan(family: Family) {
    let adapter = gpu::adapters::list().into_iter().min_by_key(|a| a.kind).expect("a Vulkan adapter, software or not");
    println!("{}", adapter.name);
    let selection = select::Selection { device: select::DeviceKind::Gpu, adapter: Some(adapter.index.to_string()) };
    let device = gpu::open(&selection).unwrap();
    let alone: &Alone = &|kernel, inputs| gpu::run_alone(&device, kernel, inputs);
    check(&Subject { choice: Choice::gpu(family), alone }, 40);
}

#[test]
fn on_vulkan_with_plain_shaders() {
    on_vulkan(Family::Plain);
}

#[test]
fn on_vulkan_with_tiled_shaders() {
    on_vulkan(Family::Tiled);
}
