//! Every kernel's cases against the reference in f64, on the CPU with every instruction set that
//! this machine has, and on Vulkan in every family. Without any Vulkan adapter it fails: software
//! Vulkan is enough.

mod common;

use std::collections::BTreeSet;

use tagwalk::device::gpu::Gpu;
use tagwalk::device::{gpu, select};
use tagwalk::kernels::product::Product;
use tagwalk::kernels::products::Isa;
use tagwalk::kernels::{Access, Choice, Family, Kernel, Operand, Precision, Way, conv, cpu, winograd};
use tagwalk::measure::check::{Alone, KERNELS, Subject, kernel};

fn check(subject: &Subject, least: usize) {
    let mut failed = Vec::new();
    for name in KERNELS {
        let report = kernel(subject, name).unwrap();
        // The plain shaders read weights as they lie: there alone, and of this kernel alone, is nothing to check.
        if name == "pack_weights" && subject.choice.family == Family::Plain {
            assert_eq!((report.cases, report.compared), (0, 0), "the plain family packs weights");
            continue;
        }
        assert!(report.cases >= least, "{name}: {} cases", report.cases);
        assert!(report.compared >= report.cases, "{name}: {} compared of {} cases", report.compared, report.cases);
        let worst = report.worst.as_ref().expect("something was compared");
        println!("{name}: {} cases, {} compared, worst {} {:.1e}", report.cases, report.compared, worst.what, worst.error);
        failed.extend(report.failed.iter().map(|f| format!("{name} case {}: {} {:.1e} ({})", f.case, f.what, f.error, f.shape)));
    }
    assert!(failed.is_empty(), "{} beyond the bound:\n{}", failed.len(), failed.join("\n"));
}

#[test]
fn on_the_cpu() {
    in_every_way(Precision::F32);
}

/// Mixed precision, with the products of bf16 pairs that are instructions where the processor has them, and their twins
/// everywhere.
#[test]
fn on_the_cpu_in_mixed_precision() {
    in_every_way(Precision::Mixed);
}

fn in_every_way(precision: Precision) {
    let skipped = |isa| precision == Precision::Mixed && !Isa::available_in(precision).contains(&isa);
    for isa in [Isa::Amx, Isa::AmxTwin].into_iter().filter(|&isa| skipped(isa)) {
        common::say(&format!("skipped, for the processor has it not: {}", isa.name()));
    }
    for choice in winograd::ways(precision) {
        println!("{:?}, {:?}", choice.family, choice.tiles);
        if choice.tiles.get(winograd::SIZE) == Some(&3) {
            let way = if choice.isa().has_matrices() { Way::Matrices } else { Way::Winograd };
            let own = conv::cases().iter().filter(|case| Way::of(&case.conv, &choice) == Some(way)).count();
            assert!(own >= 40, "{own} shapes are computed as {way:?}");
        }
        check(&Subject { choice, alone: &|kernel, inputs| Ok(cpu::run_alone(kernel, inputs)) }, 40);
    }
}

/// The judge itself: whatever a kernel writes wrongly or leaves unwritten, in whichever operand, is
/// found. Each operand in turn is spoilt behind the kernel's back.
#[test]
fn what_is_wrong_is_seen() {
    for precision in [Precision::F32, Precision::Mixed] {
        seen(&Choice::cpu(precision).with(winograd::SIZE, 3).with(winograd::PAIRS, 1));
    }
}

fn seen(choice: &Choice) {
    for name in KERNELS {
        let spoil = |operand: &str, damage: &dyn Fn(&mut [u8])| {
            let alone = |kernel: &dyn Kernel, inputs: &dyn Fn(&Operand) -> Option<Vec<u8>>| {
                let mut all = cpu::run_alone(kernel, inputs);
                let at = kernel.operands().iter().position(|o| o.name == operand).filter(|_| kernel.name() == name);
                if let Some(at) = at {
                    damage(&mut all[at]);
                }
                Ok(all)
            };
            kernel(&Subject { choice: choice.clone(), alone: &alone }, name).unwrap()
        };
        let written = std::cell::RefCell::new(BTreeSet::new());
        let alone = |kernel: &dyn Kernel, inputs: &dyn Fn(&Operand) -> Option<Vec<u8>>| {
            let operands = kernel.operands().into_iter().filter(|o| matches!(o.access, Access::Write | Access::Update));
            if kernel.name() == name {
                written.borrow_mut().extend(operands.map(|o| o.name));
            }
            Ok(cpu::run_alone(kernel, inputs))
        };
        assert!(kernel(&Subject { choice: choice.clone(), alone: &alone }, name).unwrap().failed.is_empty());
        for operand in written.into_inner() {
            let unwritten = spoil(operand, &|bytes| bytes.iter_mut().rev().take(4).for_each(|b| *b = 0xff));
            let expected = if operand == "status" { 1 } else { unwritten.cases / 4 };
            assert!(unwritten.failed.len() >= expected, "{name}: an element of {operand} never written goes unseen");
            let wrong = spoil(operand, &|bytes| {
                for value in bytes.chunks_exact_mut(4) {
                    let v = f32::from_le_bytes(value.try_into().unwrap());
                    value.copy_from_slice(&(v * 1.0001).to_le_bytes());
                }
            });
            // A status is a whole number: the first damage is the one that counts.
            assert!(!wrong.failed.is_empty() || operand == "status", "{name}: an error of 1e-4 in {operand} goes unseen");
        }
    }
}

/// A family that asks something of a layer's shape is told on at least 40 shapes that it computes itself, in each of its
/// products: what it leaves to another family shows nothing of it.
fn has_cases(choice: &Choice) {
    for product in Product::ALL {
        let own = conv::cases().iter().filter(|case| choice.family_for(product, &case.conv) == choice.family).count();
        assert!(own >= 40, "{product:?}: {own} shapes in {}", choice.family);
    }
}

fn open_gpu() -> Gpu {
    let adapter = gpu::adapters::list().into_iter().min_by_key(|a| a.kind).expect("a Vulkan adapter, software or not");
    println!("{}", adapter.name);
    let selection = select::Selection { device: select::DeviceKind::Gpu, adapter: Some(adapter.index.to_string()) };
    gpu::open(&selection).unwrap()
}

fn on_vulkan(choice: Choice) {
    has_cases(&choice);
    let device = open_gpu();
    let alone: &Alone = &|kernel, inputs| gpu::run_alone(&device, kernel, inputs);
    check(&Subject { choice, alone }, 40);
}

#[test]
fn on_vulkan_with_plain_shaders() {
    on_vulkan(Choice::gpu(Family::Plain));
}

#[test]
fn on_vulkan_with_tiled_shaders() {
    on_vulkan(Choice::gpu(Family::Tiled));
}

#[test]
fn on_vulkan_in_mixed_precision() {
    on_vulkan(Choice { loss_scale: Some(1 << 10), ..Choice::gpu(Family::Tiled).in_precision(Precision::Mixed) });
}

#[test]
fn on_vulkan_with_register_shaders() {
    on_vulkan(Choice::gpu(Family::Registers));
}

#[test]
fn on_vulkan_with_winograd_shaders() {
    on_vulkan(Choice::gpu(Family::Winograd).with(winograd::SIZE, 3));
}

/// In every size of cooperative matrices that the adapter has; where it has none, a line says so.
#[test]
fn on_vulkan_with_cooperative_matrices() {
    let sizes = open_gpu().cooperative_sizes().to_vec();
    if sizes.is_empty() {
        common::say("skipped, for the adapter has no cooperative matrices: on_vulkan_with_cooperative_matrices");
    }
    for size in sizes {
        let choice = Choice::gpu(Family::Cooperative(size)).in_precision(Precision::Mixed);
        on_vulkan(Choice { loss_scale: Some(1 << 10), ..choice });
    }
}
