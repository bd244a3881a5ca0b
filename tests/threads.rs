//! A step's bits do not depend on the number of threads, in layers wide enough for every way that the
//! CPU computes a convolution.

use tagwalk::batch::{self, Inputs, Patches};
use tagwalk::device::{Program, cpu};
use tagwalk::kernels::products::Isa;
use tagwalk::kernels::{Choice, Family, Precision, winograd};
use tagwalk::measure::synthetic;
use tagwalk::network::{Parameters, family};
use tagwalk::plan::{Run, Settings, names, training};

const CLIPS: usize = 5;
const STEPS: u64 = 2;

/// Every parameter's bits after two steps.
fn bits(member: &str, choice: &Choice, threads: usize) -> Vec<u8> {
    let network = family::member(member, 7).unwrap();
    let settings = Settings::new(CLIPS, choice.clone());
    let plan = training(&network, &settings).unwrap();
    let (ids, parameters) = (Inputs::of(&plan), plan.expect(names::PARAMETERS));
    let mut program = cpu::load(plan, threads).unwrap();
    synthetic::begin(&mut program, &Parameters::new(&network).unwrap(), 3, 0.05, 0.9).unwrap();
    let patches = Patches::of(&network).unwrap();
    for step in 0..STEPS {
        let mut clips = synthetic::batch(&network, CLIPS, 3, step).unwrap();
        if let Some(patches) = &patches {
            clips.sum_patches(patches, &network);
        }
        batch::upload(&mut program, &ids, &clips).unwrap();
        program.submit(Run::Train).unwrap();
    }
    let mut all = vec![0; program.plan().tensors[parameters.0].bytes()];
    program.download(parameters, &mut all).unwrap();
    all
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    for choice in [Precision::F32, Precision::Mixed].into_iter().flat_map(winograd::ways) {
        // Layer 1 stored, and computed while it is read. AMX's twin takes minutes for layers so wide.
        let members: &[&str] =
            if choice.family == Family::Native(Isa::AmxTwin) { &["3^3-9/4", "3^5/8"] } else { &["3^5-81", "3^7"] };
        for member in members {
            let one = bits(member, &choice, 1);
            for threads in [2, 3, 7] {
                assert!(bits(member, &choice, threads) == one, "{member}, {choice:?}: {threads} threads");
            }
        }
    }
}
