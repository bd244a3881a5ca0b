//! The rooms without sums over positions: losses, packed weights, the update.

use super::rounded::{WEIGHT as G, rounded};
use super::{Judge, STORED, bytes, double};
use crate::error::Result;
use crate::kernels::loss::Loss;
use crate::kernels::pack_weights::{Layout, PackWeights, filled};
use crate::kernels::products::COLUMNS;
use crate::kernels::reference::{Labels, losses_by_tag, nesterov};
use crate::kernels::sgd::{BLOCK, FINITE, Sgd};

pub fn loss(judge: &mut Judge) -> Result<usize> {
    let kernels = Loss::cases(&judge.subject.choice);
    for (i, kernel) in kernels.iter().enumerate() {
        let mut data = judge.begin(i, kernel);
        let (b, t, heads) = (kernel.clips, kernel.tags, kernel.heads);
        // From certain to undecided, and in some cases so far out that exp must not overflow.
        let spread = [1.0, 8.0, 90.0][i % 3];
        let logits = data.values(b * heads * t, -0.2 * spread, spread);
        let own: Vec<f32> = (0..b * t).map(|_| f32::from(u8::from(data.below(3) == 0))).collect();
        let propagated: Vec<f32> = data.values(b * t, 0.4, 0.8).iter().map(|v| v.clamp(0.0, 1.0)).collect();
        let weights: Vec<f32> = data.values(2 * b, 0.5, 0.4).iter().map(|v| v.max(0.0)).collect();
        let mut tag_weights = vec![1.0; b * t];
        let mut inputs = vec![
            ("logits", bytes(&logits)),
            ("own", bytes(&own)),
            ("propagated", bytes(&propagated)),
            ("weights", bytes(&weights)),
        ];
        if kernel.by_tag {
            tag_weights = data.values(b * t, 0.9, 1.2).iter().map(|v| v.max(0.0)).collect();
            inputs.push(("tag_weights", bytes(&tag_weights)));
        }
        let got = judge.run(kernel, &inputs)?;

        let (mut parts, mut dlogits, mut probabilities) = (Vec::new(), Vec::new(), Vec::new());
        for clip in 0..b {
            let row = |all: &[f32]| double(&all[clip * t..(clip + 1) * t]);
            let labels = Labels {
                own: row(&own),
                propagated: row(&propagated),
                own_weights: double(&weights[clip..=clip]),
                propagated_weights: double(&weights[b + clip..=b + clip]),
            };
            let outputs = double(&logits[clip * heads * t..][..heads * t]);
            let by_tag = row(&tag_weights);
            let one = losses_by_tag(&outputs, &labels, &by_tag, t, heads, kernel.scale.into(), kernel.lambda.into());
            parts.extend([one.own, one.propagated]);
            dlogits.extend(one.dlogits);
            probabilities.extend(one.probabilities);
        }
        judge.compare("losses", &got["losses"], &parts);
        judge.compare("probabilities", &got["probabilities"], &probabilities);
        if kernel.gradient {
            let scale = f64::from(kernel.choice.loss_scale());
            let dlogits: Vec<f64> = dlogits.iter().map(|d| scale * d).collect();
            judge.compare("gradient of the logits", &got["logits_gradient"], &dlogits);
        }
    }
    Ok(kernels.len())
}

/// Packed weights are copies: the error is 0 or the packing is wrong. Transformed ones are f32's
/// rounding of G w.
pub fn pack_weights(judge: &mut Judge) -> Result<usize> {
    let kernels = PackWeights::cases(&judge.subject.choice);
    for (i, kernel) in kernels.iter().enumerate() {
        let mut data = judge.begin(i, kernel);
        let packing = &kernel.packing;
        let (taps, cin, cout) = (packing.taps, packing.cin, packing.cout);
        let weights = data.values(taps * cin * cout, 0.1, 1.0);
        let at = |tap: usize, i: usize, o: usize| f64::from(weights[(tap * cin + i) * cout + o]);
        let (reduced, given) = packing.sides();
        let length: usize = packing.shape().iter().product();
        let element = |j: usize| match packing.layout {
            Layout::Winograd { width } => {
                let (row, to) = (j / width % reduced, j / width / reduced / G.len() * width + j % width);
                let (i, o) = if packing.is_turned() { (to, row) } else { (row, to) };
                let product = j / width / reduced % G.len();
                if to < given { (0..3).map(|tap| G[product][tap] * at(tap, i, o)).sum() } else { 0.0 }
            }
            Layout::WinogradPairs { width } => {
                let plane = reduced.div_ceil(2) * 2 * width;
                let (row, to) =
                    (j / 2 / width * 2 % reduced.next_multiple_of(2) + j % 2, j / plane / G.len() * width + j / 2 % width);
                let (i, o) = if packing.is_turned() { (to, row) } else { (row, to) };
                let product = j / plane % G.len();
                if to < given && row < reduced { rounded((0..3).map(|tap| G[product][tap] * at(tap, i, o)).sum()) } else { 0.0 }
            }
            Layout::Pairs => {
                let (row, line) = (j / 2 / COLUMNS, j / 2 % COLUMNS);
                let (tap, row) = (row / (filled(reduced) / 2), 2 * (row % (filled(reduced) / 2)) + j % 2);
                let (tap, to) = (tap % taps, tap / taps * COLUMNS + line);
                match packing.is_turned() {
                    _ if to >= given || row >= reduced => 0.0,
                    false => rounded(at(tap, row, to)),
                    true => rounded(at(taps - 1 - tap, to, row)),
                }
            }
            Layout::AsIs => f64::from(weights[j]),
            Layout::Turned => at(j / cin / cout, j % cin, j / cin % cout),
            Layout::Panels { width } => {
                let reduced = taps * reduced;
                let (panel, row, column) = (j / width / reduced, j / width % reduced, j % width);
                let to = panel * width + column;
                match packing.is_turned() {
                    _ if to >= given => 0.0,
                    false => at(row / cin, row % cin, to),
                    true => at(taps - 1 - row / cout, to, row % cout),
                }
            }
        };
        let want: Vec<f64> = (0..length).map(element).collect();
        let got = judge.run(kernel, &vec![("weights", bytes(&weights))])?;
        if let Layout::Winograd { .. } | Layout::WinogradPairs { .. } = packing.layout {
            judge.compare("transformed weights", &got["packed"], &want);
            if let Layout::WinogradPairs { .. } = packing.layout {
                judge.bound(STORED);
            }
            continue;
        }
        let same = got["packed"].iter().zip(&want).all(|(&g, &w)| f64::from(g) == w);
        judge.push("packed weights", if same { 0.0 } else { f64::NAN });
    }
    Ok(kernels.len())
}

pub fn sgd(judge: &mut Judge) -> Result<usize> {
    let kernels = Sgd::cases(&judge.subject.choice);
    for (i, kernel) in kernels.iter().enumerate() {
        let mut data = judge.begin(i, kernel);
        let n = kernel.elements;
        let mut gradients = data.values(n, 0.1, 1.0);
        let mut parameters = data.values(n, 0.2, 1.0);
        let momenta = data.values(n, -0.1, 1.0);
        // In some cases a value that is not finite, and where there is room a second one behind it.
        let bad = (i % 3 != 0).then(|| data.below(n));
        if let Some(at) = bad {
            match i % 4 {
                0 => gradients[at] = f32::NAN,
                1 => gradients[at] = f32::INFINITY,
                2 => gradients[at] = f32::NEG_INFINITY,
                // Finite, but not after the update.
                _ => (parameters[at], gradients[at]) = (f32::MAX, -f32::MAX),
            }
            gradients[n - 1] = f32::NAN;
        }
        let hyper = [[0.03f32, 0.9], [0.5, 0.0], [0.001, 0.99], [0.1, 0.5]][i % 4];
        let inputs = vec![
            ("gradients", bytes(&gradients)),
            ("hyper", bytes(&hyper)),
            ("parameters", bytes(&parameters)),
            ("momenta", bytes(&momenta)),
        ];
        let got = judge.run_raw(kernel, &inputs)?;
        let status = bytemuck::pod_read_unaligned::<u32>(&got["status"]);
        let expected = bad.map_or(FINITE, |at| (at / BLOCK) as u32);
        judge.push("status", if status == expected { 0.0 } else { f64::NAN });

        let (mut p, mut u) = (double(&parameters), double(&momenta));
        let scale = f64::from(kernel.choice.loss_scale());
        let unscaled: Vec<f64> = gradients.iter().map(|&g| f64::from(g) / scale).collect();
        nesterov(&mut p, &mut u, &unscaled, hyper[0].into(), hyper[1].into());
        let sound = |j: &usize| bad.is_none() || (Some(*j) != bad && *j != n - 1);
        for (what, want) in [("parameters", &p), ("momenta", &u)] {
            let found: Vec<f32> = bytemuck::pod_collect_to_vec(&got[what]);
            let finite: Vec<usize> = (0..n).filter(sound).collect();
            let found: Vec<f32> = finite.iter().map(|&j| found[j]).collect();
            judge.compare(what, &found, &finite.iter().map(|&j| want[j]).collect::<Vec<_>>());
        }
    }
    Ok(kernels.len())
}
