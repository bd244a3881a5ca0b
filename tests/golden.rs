//! Golden problems: three training steps and an evaluation, computed by PyTorch in float64, against
//! the reference and against a plan on every device, all within the bounds that the problems state.

mod common;

use common::golden::{Comparison, Golden, all, assert_all};
use tagwalk::kernels::reference::step::{Batch, Moments, Rules, State, evaluate, step, tensors};
use tagwalk::kernels::reference::{Labels, Real, sigmoid};
use tagwalk::network::Parameters;

const EVALUATED: usize = 4;

fn reals<T: Real>(values: &[f32]) -> Vec<T> {
    values.iter().map(|&v| T::of(v.into())).collect()
}

fn wave<T: Real>(samples: &[i16]) -> Vec<T> {
    samples.iter().map(|&s| T::of(f64::from(s) / 32768.0)).collect()
}

fn singles<T: Real>(values: &[T]) -> Vec<f32> {
    values.iter().map(|v| v.value() as f32).collect()
}

/// `[clip, position, channel]` as the files' `[clip, channel, position]`.
fn channels_first(values: &[f32], clips: usize, channels: usize) -> Vec<f32> {
    let positions = values.len() / clips / channels;
    let at = |j: usize| (j / (channels * positions), j / positions % channels, j % positions);
    (0..values.len()).map(at).map(|(b, c, l)| values[(b * positions + l) * channels + c]).collect()
}

/// A row of outputs as `logits` and `logits.prop`: head `h`.
fn head(logits: &[f32], heads: usize, tags: usize, h: usize) -> Vec<f32> {
    logits.chunks_exact(heads * tags).flat_map(|row| row[h * tags..][..tags].to_vec()).collect()
}

/// One tensor of outside name and layout out of the reference's, put into a flat one.
fn flat<T: Real>(table: &Parameters, values: &tagwalk::kernels::reference::step::Tensors<T>) -> Vec<f32> {
    let mut all = vec![0.0; table.length];
    for e in &table.entries {
        all[e.offset..e.offset + e.len()].copy_from_slice(&singles(&values[&e.name]));
    }
    all
}

fn flat_running<T: Real>(table: &Parameters, running: &[Moments<T>]) -> Vec<f32> {
    let mut all = vec![0.0; table.running_length];
    for (&at, moments) in table.running.iter().zip(running) {
        let both: Vec<f32> = singles(&moments.mean).into_iter().chain(singles(&moments.variance)).collect();
        all[at..at + both.len()].copy_from_slice(&both);
    }
    all
}

/// Everything that a problem names, from the reference.
fn reference<T: Real>(golden: &Golden, unbiased: bool) -> Vec<Comparison> {
    let (network, table) = (&golden.network, Parameters::new(&golden.network).unwrap());
    let running = golden.running(&table, "before.", unbiased);
    let moments = |(i, at): (usize, &usize)| {
        let c = network.layers[i].cout;
        Moments { mean: reals(&running[*at..at + c]), variance: reals(&running[at + c..at + 2 * c]) }
    };
    let mut state: State<T> = State {
        parameters: tensors(&table, &golden.parameters(&table, "before.")),
        momenta: tensors(&table, &vec![0.0; table.length]),
        running: table.running.iter().enumerate().map(moments).collect(),
    };
    let rules = Rules {
        mean: golden.mean,
        lambda: golden.lambda.into(),
        rate: golden.hyper.lr.into(),
        momentum: golden.hyper.momentum.into(),
        unbiased_variance: unbiased,
    };
    let mut found = Vec::new();
    let mut losses = Vec::new();
    for k in 0..golden.hyper.steps {
        let batch = Batch {
            wave: wave(&golden.wave(Some(k))),
            labels: Labels {
                own: reals(golden.step("tags.own", k)),
                propagated: reals(golden.step("tags.prop", k)),
                own_weights: reals(golden.step("weights.own", k)),
                propagated_weights: reals(golden.step("weights.prop", k)),
            },
            mask: reals(golden.step("dropout.mask", k)),
        };
        let passed = step(network, &mut state, &batch, &rules).unwrap();
        let own = [passed.losses.own, passed.losses.propagated, passed.losses.total];
        losses.extend(singles(&own));
        if k > 0 {
            continue;
        }
        for (i, layer) in passed.layers.iter().enumerate().filter(|(i, _)| golden.has(&format!("act.{i}"))) {
            let act = channels_first(&singles(&layer.output), golden.batch, network.layers[i].cout);
            found.push(golden.compare(&format!("act.{i}"), &act));
        }
        for (h, name) in ["logits", "logits.prop"].iter().enumerate().take(network.heads) {
            found.push(golden.compare(name, &head(&singles(&passed.logits), network.heads, network.tags, h)));
        }
        found.extend(golden.compare_parameters(&table, "grad.", &flat(&table, &passed.gradients)));
        found.extend(golden.compare_parameters(&table, "after1.", &flat(&table, &state.parameters)));
        found.extend(golden.compare_running(&table, "after1.", unbiased, &flat_running(&table, &state.running)));
    }
    found.push(golden.compare("losses.steps", &losses));
    found.extend(golden.compare_parameters(&table, "after.", &flat(&table, &state.parameters)));
    found.extend(golden.compare_parameters(&table, "after.momentum.", &flat(&table, &state.momenta)));
    found.extend(golden.compare_running(&table, "after.", unbiased, &flat_running(&table, &state.running)));
    let logits =
        head(&singles(&evaluate(network, &state, &wave::<T>(&golden.wave(None))).unwrap()), network.heads, network.tags, 0);
    assert_eq!(logits.len(), EVALUATED * network.tags);
    if unbiased {
        found.push(golden.compare("eval.logits", &logits));
    }
    let probabilities: Vec<f32> = logits.iter().map(|&x| sigmoid(x)).collect();
    found.push(golden.compare(if unbiased { "eval.probs" } else { "eval.probs_biased" }, &probabilities));
    found
}

/// Problems that the reference computes in reasonable time.
fn small() -> impl Iterator<Item = Golden> {
    all().into_iter().filter(|g| g.network.clip_length * g.batch < 10_000)
}

#[test]
fn the_reference_in_f64() {
    for golden in small() {
        for unbiased in [true, false] {
            let found = reference::<f64>(&golden, unbiased);
            assert_all(&found);
            // What is left is the rounding of the files' numbers and of the rate to f32.
            for c in found.iter().filter(|c| c.measure == "relative L2") {
                assert!(c.error < 5e-7, "{c}");
            }
        }
    }
}

#[test]
fn the_reference_in_f32() {
    for golden in small() {
        assert_all(&reference::<f32>(&golden, true));
    }
}
