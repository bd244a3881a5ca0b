//! The reference's gradients, written by hand, against finite differences of its forward functions
//! in f64: every operation with a random upstream gradient, then the whole network.
//!
//! Central differences of fourth order; inputs keep away from kinks (ReLU's zero, equal values in a
//! pooling window), where there is no derivative and only a convention, which the golden problems
//! test.

use rand::RngExt;
use tagwalk::kernels::reference::step::{Batch, Rules, Tensors, pass};
use tagwalk::kernels::reference::{
    Labels, Shape, batch_norm, batch_norm_backward, convolution, convolution_backward, dense, dense_backward, losses,
    losses_by_tag, max_pool, max_pool_backward, relu, relu_backward, statistics, times,
};
use tagwalk::network::{Layer, Network, Parameters, PoolMode};
use tagwalk::random::{Generator, Purpose, generator};

/// Relative L2 error of an operation's gradient: smooth functions leave only rounding.
const OPERATION: f64 = 1e-9;
/// The same for a parameter tensor of a network of five layers, whose kinks force a small step.
const NETWORK: f64 = 1e-7;

fn random(stream: u64) -> Generator {
    generator(11, Purpose::Synthetic, [stream, 0, 0])
}

fn values(g: &mut Generator, n: usize, from: f64, to: f64) -> Vec<f64> {
    (0..n).map(|_| g.random_range(from..to)).collect()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Fourth-order central differences of `f` at `x`.
fn differences(f: impl Fn(&[f64]) -> f64, x: &[f64], step: f64) -> Vec<f64> {
    let mut at = x.to_vec();
    (0..x.len())
        .map(|j| {
            let mut moved = |by: f64| {
                at[j] = x[j] + by;
                let value = f(&at);
                at[j] = x[j];
                value
            };
            (8.0 * (moved(step) - moved(-step)) - (moved(2.0 * step) - moved(-2.0 * step))) / (12.0 * step)
        })
        .collect()
}

fn agree(what: &str, by_hand: &[f64], by_difference: &[f64], bound: f64) {
    assert_eq!(by_hand.len(), by_difference.len(), "{what}");
    let difference: Vec<f64> = by_hand.iter().zip(by_difference).map(|(a, b)| a - b).collect();
    let size = dot(by_difference, by_difference).sqrt();
    assert!(size > 1e-3, "{what}: nothing to compare");
    let error = dot(&difference, &difference).sqrt() / size;
    println!("{what}: {error:.1e}");
    assert!(error <= bound, "{what}: relative error {error:.1e}");
}

fn layer(channels: [usize; 2], [kernel, stride, before, after]: [usize; 4], pool: usize, pool_mode: PoolMode) -> Layer {
    Layer { cin: channels[0], cout: channels[1], kernel, stride, padding: [before, after], pool, pool_mode }
}

#[test]
fn convolutions() {
    let shapes = [
        (2, 9, [3, 5], [3, 1, 1, 1]),
        (1, 8, [2, 3], [2, 1, 0, 1]),
        (3, 11, [1, 4], [3, 3, 0, 0]),
        (2, 13, [4, 2], [5, 2, 2, 1]),
        (2, 1, [3, 3], [3, 1, 1, 1]),
        (2, 4, [3, 2], [1, 1, 0, 0]),
    ];
    for (i, (clips, input, channels, taps)) in shapes.into_iter().enumerate() {
        let layer = layer(channels, taps, 1, PoolMode::Valid);
        let shape = Shape { layer: &layer, clips, input };
        let mut g = random(i as u64);
        let a = values(&mut g, clips * input * layer.cin, -1.0, 2.0);
        let w = values(&mut g, layer.kernel * layer.cin * layer.cout, -1.0, 1.5);
        let bias = values(&mut g, layer.cout, -1.0, 1.0);
        let upstream = values(&mut g, clips * shape.length() * layer.cout, -1.0, 2.0);
        let gradient = convolution_backward(shape, &a, &w, &upstream);
        let of_a = differences(|a| dot(&upstream, &convolution(shape, a, &w, &bias)), &a, 1e-2);
        let of_w = differences(|w| dot(&upstream, &convolution(shape, &a, w, &bias)), &w, 1e-2);
        let of_bias = differences(|b| dot(&upstream, &convolution(shape, &a, &w, b)), &bias, 1e-2);
        agree(&format!("convolution {i} by a"), &gradient.a, &of_a, OPERATION);
        agree(&format!("convolution {i} by w"), &gradient.w, &of_w, OPERATION);
        agree(&format!("convolution {i} by bias"), &gradient.bias, &of_bias, OPERATION);
    }
}

#[test]
fn batch_norms() {
    for (i, (positions, channels, eps)) in [(7, 5, 1e-3), (20, 1, 1e-5), (3, 4, 1e-1), (50, 7, 1e-3)].into_iter().enumerate() {
        let mut g = random(100 + i as u64);
        let z = values(&mut g, positions * channels, -1.0, 4.0);
        // Positive, negative and zero.
        let gamma: Vec<f64> = (0..channels).map(|c| [1.3, -0.7, 0.0, -1.1][c % 4]).collect();
        let beta = values(&mut g, channels, -1.0, 1.0);
        let upstream = values(&mut g, z.len(), -1.0, 2.0);
        let f = |z: &[f64], gamma: &[f64], beta: &[f64]| {
            let (mean, variance) = statistics(z, channels);
            dot(&upstream, &batch_norm(z, &mean, &variance, gamma, beta, eps))
        };
        let gradient = batch_norm_backward(&z, &upstream, &gamma, eps);
        agree(&format!("batch norm {i} by z"), &gradient.z, &differences(|z| f(z, &gamma, &beta), &z, 1e-3), OPERATION);
        agree(&format!("batch norm {i} by gamma"), &gradient.gamma, &differences(|v| f(&z, v, &beta), &gamma, 1e-2), OPERATION);
        agree(&format!("batch norm {i} by beta"), &gradient.beta, &differences(|v| f(&z, &gamma, v), &beta, 1e-2), OPERATION);
    }
}

#[test]
fn relus_and_poolings() {
    for (i, (length, pool, mode)) in [
        (9, 3, PoolMode::Valid),
        (10, 3, PoolMode::Valid),
        (10, 3, PoolMode::Same),
        (11, 3, PoolMode::Same),
        (7, 5, PoolMode::Same),
        (7, 2, PoolMode::Ceil),
        (5, 1, PoolMode::Valid),
    ]
    .into_iter()
    .enumerate()
    {
        let layer = layer([1, 3], [1, 1, 0, 0], pool, mode);
        let shape = Shape { layer: &layer, clips: 2, input: length };
        let mut g = random(200 + i as u64);
        let n = 2 * length * 3;
        // All different and none zero, by more than the step moves them.
        let mut a: Vec<f64> = (0..n).map(|j| 0.1 * (j as f64 - n as f64 / 3.0) + 0.03).collect();
        for j in (1..n).rev() {
            a.swap(j, g.random_range(0..=j));
        }
        let upstream = values(&mut g, max_pool(shape, &a).0.len(), -1.0, 2.0);
        let (_, places) = max_pool(shape, &a);
        let by_hand = max_pool_backward(&places, &upstream, n);
        let by_difference = differences(|a| dot(&upstream, &max_pool(shape, a).0), &a, 1e-3);
        agree(&format!("pooling {i}"), &by_hand, &by_difference, OPERATION);
        let upstream = values(&mut g, n, -1.0, 2.0);
        let by_difference = differences(|a| dot(&upstream, &relu(a)), &a, 1e-3);
        agree(&format!("relu {i}"), &relu_backward(&a, &upstream), &by_difference, OPERATION);
    }
}

/// PyTorch's pooling gives all of the gradient to the first of equal values; ReLU's gradient at 0
/// is 0. Conventions, not derivatives: stated here as they are.
#[test]
fn conventions_at_kinks() {
    let layer = layer([1, 1], [1, 1, 0, 0], 3, PoolMode::Same);
    // Windows begin at −1: (·, 2, 2), (1, 5, 5), (0, 0, ·).
    let shape = Shape { layer: &layer, clips: 1, input: 7 };
    let (pooled, places) = max_pool(shape, &[2.0, 2.0, 1.0, 5.0, 5.0, 0.0, 0.0]);
    assert_eq!(pooled, [2.0, 5.0, 0.0]);
    assert_eq!(max_pool_backward(&places, &[1.0, 10.0, 100.0], 7), [1.0, 0.0, 0.0, 10.0, 0.0, 100.0, 0.0]);
    assert_eq!(relu_backward(&[-1.0, 0.0, 1.0], &[3.0, 3.0, 3.0]), [0.0, 0.0, 3.0]);
}

#[test]
fn the_dense_layer_with_dropout() {
    let mut g = random(300);
    let (clips, features, outputs) = (4, 6, 5);
    let (x, w) = (values(&mut g, clips * features, -1.0, 2.0), values(&mut g, features * outputs, -1.0, 1.0));
    let bias = values(&mut g, outputs, -1.0, 1.0);
    let mask: Vec<f64> = (0..x.len()).map(|j| if j % 3 == 1 { 0.0 } else { 1.5 }).collect();
    let upstream = values(&mut g, clips * outputs, -1.0, 2.0);
    let f = |x: &[f64], w: &[f64], bias: &[f64]| dot(&upstream, &dense(&times(x, &mask), w, bias));
    let gradient = dense_backward(&times(&x, &mask), &w, &upstream, outputs);
    agree("dense by x", &times(&gradient.x, &mask), &differences(|x| f(x, &w, &bias), &x, 1e-2), OPERATION);
    agree("dense by w", &gradient.w, &differences(|w| f(&x, w, &bias), &w, 1e-2), OPERATION);
    agree("dense by bias", &gradient.bias, &differences(|b| f(&x, &w, b), &bias, 1e-2), OPERATION);
}

#[test]
fn both_losses() {
    for (i, (heads, scale, lambda)) in
        [(1, 1.0, 1.0), (1, 1.0 / 12.0, 0.5), (2, 1.0, 0.7), (2, 1.0 / 12.0, 0.0)].into_iter().enumerate()
    {
        let (clips, tags) = (3, 4);
        let mut g = random(400 + i as u64);
        let labels = Labels {
            own: values(&mut g, clips * tags, 0.0, 1.0).into_iter().map(f64::round).collect(),
            propagated: values(&mut g, clips * tags, 0.0, 1.0),
            own_weights: values(&mut g, clips, 0.0, 1.0),
            propagated_weights: values(&mut g, clips, 0.0, 1.0),
        };
        // Both signs, and none so near to 0 that |x| has no derivative within a step.
        let logits: Vec<f64> = values(&mut g, clips * heads * tags, 0.1, 3.0)
            .into_iter()
            .enumerate()
            .map(|(j, v)| if j % 2 == 0 { v } else { -v })
            .collect();
        let found = losses(&logits, &labels, tags, heads, scale, lambda);
        let by_difference = differences(|x| losses(x, &labels, tags, heads, scale, lambda).total, &logits, 1e-3);
        agree(&format!("losses {i}"), &found.dlogits, &by_difference, OPERATION);

        // With weights of tags, some 0; all 1 they change nothing, all 2 they double the propagated term.
        let weights: Vec<f64> = values(&mut g, clips * tags, -0.5, 2.0).iter().map(|w| w.max(0.0)).collect();
        let weighed = |x: &[f64], w: &[f64]| losses_by_tag(x, &labels, w, tags, heads, scale, lambda);
        let by_difference = differences(|x| weighed(x, &weights).total, &logits, 1e-3);
        agree(&format!("losses by tag {i}"), &weighed(&logits, &weights).dlogits, &by_difference, OPERATION);
        let [ones, twos] = [1.0, 2.0].map(|w| weighed(&logits, &vec![w; clips * tags]));
        assert!(ones.dlogits == found.dlogits && ones.total == found.total);
        assert!((twos.propagated - 2.0 * found.propagated).abs() < 1e-12 && twos.own == found.own);
    }
}

#[test]
fn the_whole_network() {
    use PoolMode::{Ceil, Same, Valid};
    let base = |clip_length, tags, heads, layers| Network {
        clip_length,
        tags,
        heads,
        bn_eps: 1e-3,
        bn_momentum: 0.1,
        dropout: 0.25,
        layers,
    };
    let networks = [
        base(
            100,
            3,
            2,
            vec![
                layer([1, 5], [3, 3, 0, 0], 1, Valid),
                layer([5, 4], [3, 1, 1, 1], 3, Same),
                layer([4, 5], [3, 1, 1, 1], 3, Same),
                layer([5, 6], [3, 1, 1, 1], 2, Ceil),
                layer([6, 6], [1, 1, 0, 0], 1, Valid),
            ],
        ),
        base(
            131,
            4,
            1,
            vec![
                layer([1, 4], [9, 5, 2, 3], 2, Ceil),
                layer([4, 6], [2, 1, 0, 1], 2, Valid),
                layer([6, 5], [5, 2, 2, 2], 1, Valid),
            ],
        ),
    ];
    for (i, network) in networks.iter().enumerate() {
        network.check().unwrap();
        let clips = 4;
        let table = Parameters::new(network).unwrap();
        let mut g = random(500 + i as u64);
        let mut parameters: Tensors<f64> = Tensors::new();
        for e in &table.entries {
            let spread = if e.shape.len() > 1 { (3.0 / (e.len() / e.shape[e.shape.len() - 1]) as f64).sqrt() } else { 0.4 };
            let mut v = values(&mut g, e.len(), -spread, 1.2 * spread);
            if e.name.starts_with("bn") && e.name.ends_with("weight") {
                // Both signs. Zero is a kink where a layer pools: there another position wins on
                // either side.
                v.iter_mut().enumerate().for_each(|(c, v)| *v = (1.0 + *v) * if c % 3 == 1 { -1.0 } else { 1.0 });
                if network.layers[e.name[2..3].parse::<usize>().unwrap()].pool == 1 {
                    v[0] = 0.0;
                }
            }
            parameters.insert(e.name.clone(), v);
        }
        let labels = |g: &mut Generator| values(g, clips * network.tags, 0.0, 1.0);
        let batch = Batch {
            wave: values(&mut g, clips * network.clip_length, -0.6, 0.8),
            labels: Labels {
                own: labels(&mut g).into_iter().map(f64::round).collect(),
                propagated: labels(&mut g),
                own_weights: vec![1.0, 0.5, 0.0, 1.0],
                propagated_weights: vec![0.3, 0.0, 0.8, 1.0],
            },
            mask: (0..clips * table.features()).map(|j| if j % 4 == 2 { 0.0 } else { 4.0 / 3.0 }).collect(),
        };
        let rules = Rules { mean: i == 0, lambda: 0.7, rate: 0.0, momentum: 0.0, unbiased_variance: false };
        let passed = pass(network, &parameters, &batch, &rules).unwrap();
        for e in &table.entries {
            let f = |v: &[f64]| {
                let mut moved = parameters.clone();
                moved.insert(e.name.clone(), v.to_vec());
                pass(network, &moved, &batch, &rules).unwrap().losses.total
            };
            let by_difference = differences(f, &parameters[&e.name], 1e-6);
            let by_hand = &passed.gradients[&e.name];
            if e.name.starts_with("conv") && e.name.ends_with("bias") {
                // Batch norm takes the bias away again.
                let largest = by_hand.iter().chain(&by_difference).fold(0.0f64, |a, b| a.max(b.abs()));
                assert!(largest < 1e-8, "{}: {largest:e}", e.name);
            } else {
                agree(&format!("network {i} by {}", e.name), by_hand, &by_difference, NETWORK);
            }
        }
    }
}
