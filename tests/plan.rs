//! A plan is data: counted, compared and laid out without a device; the same network, settings and
//! limits give the same plan, and its operations are the published ones.

use tagwalk::kernels::gpu::Limits;
use tagwalk::kernels::{Choice, Family, products::Isa};
use tagwalk::network::family;
use tagwalk::plan::memory::{block, lifetimes, slots};
use tagwalk::plan::{self, Plan, Run, Settings};

const CHOICES: [Family; 6] = [
    Family::Native(Isa::Avx512),
    Family::Native(Isa::Portable),
    Family::Plain,
    Family::Tiled,
    Family::Registers,
    Family::Winograd,
];

fn training(name: &str, batch: usize, family: &Family) -> Plan {
    let choice = match family {
        Family::Native(isa) => Choice::native(*isa),
        other => Choice::gpu(*other),
    };
    let settings = Settings::new(batch, choice);
    plan::training(&family::member(name, 50).unwrap(), &settings).unwrap()
}

/// All that a device is given: tensors, calls and, for a GPU, dispatches.
fn printed(plan: &Plan) -> String {
    let mut text = format!("{plan:#?}");
    for step in &plan.steps {
        text += &format!("{:?}", step.kernel.dispatches(&Limits::WEBGPU));
    }
    text
}

#[test]
fn the_same_choices_give_the_same_plan() {
    let mut all = Vec::new();
    for family in &CHOICES[2..] {
        for (name, batch) in [("3^5-81", 3), ("3^5-81", 4), ("3^9", 2), ("2^10-16", 2)] {
            let plan = training(name, batch, family);
            let again = training(name, batch, family);
            assert_eq!(printed(&plan), printed(&again), "{name}, batch {batch}");
            assert_eq!(block(&plan), block(&again));
            assert_eq!(slots(&plan), slots(&again));
            all.push(printed(&plan));
        }
    }
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 16, "different choices give different plans");
}

/// Lee et al.'s network, 2 a multiply-add, convolutions and dense layer: 3.456 GFLOP forward a clip,
/// three times that less layer 1's input gradient for a training step, 10.35 (counts by layer:
/// 15.117 + 1934.918 + ... + 0.051 MFLOP). What is not a product may add a hundredth.
#[test]
fn operations_are_the_textbooks() {
    for family in &CHOICES {
        let plan = training("3^9", 23, family);
        for (run, gflop) in [(Run::Train, 10.35), (Run::Evaluate, 3.456)] {
            let each = plan.flops(run) as f64 / 23.0 / 1e9;
            println!("{family:?}, {run:?}: {each:.3} GFLOP a clip");
            assert!((each / gflop - 1.0).abs() < 0.01, "{family:?}, {run:?}: {each} against {gflop}");
        }
    }
}

#[test]
fn tensors_that_live_at_the_same_time_share_no_memory() {
    for family in &CHOICES {
        for name in ["3^9", "3^5-81", "2^10-16"] {
            let plan = training(name, 3, family);
            let (block, slots, lives) = (block(&plan), slots(&plan), lifetimes(&plan));
            let mut shared = 0;
            for (i, one) in lives.iter().enumerate() {
                let at = |l: &plan::memory::Lifetime| block.offsets[l.tensor.0]..block.offsets[l.tensor.0] + l.bytes;
                assert!(at(one).end <= block.bytes);
                for other in lives[..i].iter().filter(|other| other.meets(one)) {
                    let apart = at(one).end <= at(other).start || at(other).end <= at(one).start;
                    assert!(apart, "{name}: {:?} and {:?}", plan.tensors[one.tensor.0].name, plan.tensors[other.tensor.0].name);
                    assert_ne!(slots.slot[one.tensor.0], slots.slot[other.tensor.0]);
                }
                shared += lives[..i].iter().filter(|other| slots.slot[other.tensor.0] == slots.slot[one.tensor.0]).count();
            }
            assert!(shared > 0, "{name}: nothing shares memory");
        }
    }
}
