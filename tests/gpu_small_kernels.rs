//! The kernels around the convolutions on a Vulkan adapter (software Vulkan will do), with all of the
//! shaders' run-time checks on, against plain loops in f64. Relative errors are L2.

use tagwalk::device::gpu::{Gpu, Options, adapters, open, run_alone};
use tagwalk::device::select::{DeviceKind, Selection};
use tagwalk::kernels::sgd::{BLOCK, FINITE, Sgd};
use tagwalk::kernels::{Choice, Family, Kernel};

/// What the kernels are held to.
const BOUND: f64 = 1e-6;

fn gpu() -> Gpu {
    assert!(
        !adapters::list().is_empty(),
        "these tests need a Vulkan adapter; software will do: install mesa-vulkan-drivers and libvulkan1"
    );
    let selection = Selection { device: DeviceKind::Gpu, adapter: Some("0".into()) };
    open(&selection).unwrap().with(Options { checked: true, ..Options::default() })
}

/// Values that are not symmetric and differ in size: a fixed sequence, no two alike.
fn values(n: usize, seed: u64, low: f64, high: f64) -> Vec<f32> {
    let mut x = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    (0..n)
        .map(|_| {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            (low + (high - low) * (x >> 11) as f64 / (1u64 << 53) as f64) as f32
        })
        .collect()
}

fn run(gpu: &Gpu, kernel: &dyn Kernel, inputs: &[(&str, &[f32])]) -> Vec<Vec<f32>> {
    let bytes = |name: &str| inputs.iter().find(|(n, _)| *n == name).map(|(_, v)| bytemuck::cast_slice(v).to_vec());
    let results = run_alone(gpu, kernel, &|o| bytes(o.name)).unwrap();
    results.iter().map(|b| bytemuck::pod_collect_to_vec(b)).collect()
}

/// ‖a − b‖ / ‖b‖.
fn error(a: &[f32], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    let difference: f64 = a.iter().zip(b).map(|(&a, &b)| (f64::from(a) - b).powi(2)).sum();
    let size: f64 = b.iter().map(|b| b * b).sum();
    (difference / size.max(1e-300)).sqrt()
}

#[track_caller]
fn close(what: &str, a: &[f32], b: &[f64]) {
    let e = error(a, b);
    assert!(e < BOUND, "{what}: relative error {e:e}");
}

#[test]
fn sgd_steps_as_nesterov_and_names_the_first_block_that_is_not_finite() {
    let gpu = gpu();
    for blocks in [1, 5, 300] {
        let n = blocks * BLOCK;
        let kernel = Sgd { elements: n, choice: Choice::gpu(Family::Plain) };
        let (g, p, u) = (values(n, 1, -1.0, 2.0), values(n, 2, -0.3, 0.1), values(n, 3, -3.0, 3.0));
        let hyper = [0.01f32, 0.9];
        let inputs = |g: &[f32]| run(&gpu, &kernel, &[("gradients", g), ("hyper", &hyper), ("parameters", &p), ("momenta", &u)]);
        let results = inputs(&g);
        let (rate, m) = (f64::from(hyper[0]), f64::from(hyper[1]));
        let new: Vec<f64> = g.iter().zip(&u).map(|(&g, &u)| m * f64::from(u) + f64::from(g)).collect();
        let step = |i: usize| f64::from(p[i]) - rate * (f64::from(g[i]) + m * new[i]);
        close("momenta", &results[3], &new);
        close("parameters", &results[2], &(0..n).map(step).collect::<Vec<_>>());
        assert_eq!(results[4][0].to_bits(), FINITE);
        for (bad, at) in [(f32::NAN, n - 1), (f32::INFINITY, n / 2), (f32::NEG_INFINITY, 0)] {
            let mut g = g.clone();
            g[at] = bad;
            g[n - 1] = bad;
            assert_eq!(inputs(&g)[4][0].to_bits(), (at / BLOCK) as u32, "{bad} at {at}");
        }
        // Finite gradients whose step is not.
        let mut g = g.clone();
        g[n - 3] = f32::MAX;
        let huge = [f32::MAX, 0.9];
        let results = run(&gpu, &kernel, &[("gradients", &g), ("hyper", &huge), ("parameters", &p), ("momenta", &u)]);
        assert_ne!(results[4][0].to_bits(), FINITE);
    }
}
