//! Promise: training the released network at the paper's batch takes less than 1,500 MiB on a CPU:
//! the plan's block and the threads' working spaces, as they are taken, not as they are estimated.

use tagwalk::device::{Program, cpu};
use tagwalk::kernels::{Choice, Precision, products::Isa};
use tagwalk::network::family;
use tagwalk::plan::{self, Settings};

#[test]
fn the_released_network_fits_at_batch_23() {
    let network = family::member(family::RELEASED, 50).unwrap();
    let settings = Settings::new(23, Choice::native(Isa::detect()));
    let plan = plan::training(&network, &settings).unwrap();
    let block = plan::memory::block(&plan).bytes;
    let program = cpu::load(plan, 2).unwrap();
    let mib = |bytes: usize| bytes as f64 / f64::from(1 << 20);
    println!("{:.0} MiB, {:.0} of them the plan's block", mib(program.memory()), mib(block));
    assert!(program.memory() >= block);
    assert!(mib(program.memory()) < 1500.0, "{:.0} MiB", mib(program.memory()));
}

/// Mixed precision stores what grows with the batch in half: less than 450 MiB.
#[test]
fn mixed_precision_fits_in_less() {
    let network = family::member(family::RELEASED, 50).unwrap();
    let bytes = [Precision::F32, Precision::Mixed].map(|precision| {
        let settings = Settings::new(23, Choice::cpu(precision));
        cpu::load(plan::training(&network, &settings).unwrap(), 2).unwrap().memory()
    });
    println!("{} and {} MiB", bytes[0] >> 20, bytes[1] >> 20);
    assert!(bytes[1] < 450 << 20 && 10 * bytes[1] < 6 * bytes[0], "{bytes:?}");
}
