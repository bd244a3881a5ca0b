//! A convolution with its pooling in f64, as the definitions say it, one value at a time: what the
//! shaders' results are held against.

use tagwalk::kernels::conv::{Conv, Source};

/// What a convolution reads, in f64 and before any layout: `[clip][position][channel]`.
pub struct Inputs {
    pub wave: Vec<i16>,
    pub first_weights: Vec<f32>,
    pub below: Vec<f32>,
    /// `[4, cin]`: scale, beta, mean, r.
    pub norm: Vec<f32>,
}

fn at(v: &[f32], i: usize) -> f64 {
    f64::from(v[i])
}

/// Sample `s` of a clip; 0 outside.
pub fn sample(inputs: &Inputs, stride: usize, samples: usize, clip: usize, s: i64) -> f64 {
    let inside = s >= 0 && (s as usize) < samples;
    if inside { f64::from(inputs.wave[clip * stride + s as usize]) / 32768.0 } else { 0.0 }
}

/// What the layer below gives before its batch norm.
pub fn below(conv: &Conv, source: &Source, inputs: &Inputs, b: usize, j: usize, i: usize) -> f64 {
    match source {
        Source::Wave { .. } => unreachable!("nothing lies below the first layer"),
        Source::Below => at(&inputs.below, (b * conv.input + j) * conv.cin + i),
        Source::FirstLayer { layer, samples, stride } => (0..layer.kernel)
            .map(|k| {
                let s = (j * layer.stride + k) as i64 - layer.padding[0] as i64;
                sample(inputs, *stride, *samples, b, s) * at(&inputs.first_weights, k * layer.cout + i)
            })
            .sum(),
    }
}

/// Scale, beta, mean or r of a channel below.
pub fn norm(conv: &Conv, inputs: &Inputs, row: usize, i: usize) -> f64 {
    at(&inputs.norm, row * conv.cin + i)
}

/// Whether the layer below let position j through.
pub fn open(conv: &Conv, source: &Source, inputs: &Inputs, b: usize, j: usize, i: usize) -> bool {
    normal(conv, source, inputs, b, j, i) > 0.0
}

/// scale·(below − mean) + beta.
fn normal(conv: &Conv, source: &Source, inputs: &Inputs, b: usize, j: usize, i: usize) -> f64 {
    let [scale, beta, mean] = [0, 1, 2].map(|row| norm(conv, inputs, row, i));
    scale * (below(conv, source, inputs, b, j, i) - mean) + beta
}

/// a, `[clip][position][channel]`.
pub fn activations(conv: &Conv, source: &Source, inputs: &Inputs) -> Vec<f64> {
    let mut all = Vec::new();
    for b in 0..conv.clips {
        for j in 0..conv.input {
            for i in 0..conv.cin {
                all.push(match source {
                    Source::Wave { stride } => sample(inputs, *stride, conv.input, b, j as i64),
                    _ => normal(conv, source, inputs, b, j, i).max(0.0),
                });
            }
        }
    }
    all
}

/// Calls `f(b, l, k, j)` for every position and tap that meets a real input position.
fn taps(conv: &Conv, mut f: impl FnMut(usize, usize, usize, usize)) {
    for b in 0..conv.clips {
        for l in 0..conv.length() {
            for k in 0..conv.taps {
                let j = (l * conv.stride + k) as i64 - conv.padding[0] as i64;
                if j >= 0 && (j as usize) < conv.input {
                    f(b, l, k, j as usize);
                }
            }
        }
    }
}

/// z, from w `[tap, cin, cout]`.
pub fn forward(conv: &Conv, a: &[f64], w: &[f32]) -> Vec<f64> {
    let mut z = vec![0.0; conv.positions() * conv.cout];
    taps(conv, |b, l, k, j| {
        for i in 0..conv.cin {
            for o in 0..conv.cout {
                z[(b * conv.length() + l) * conv.cout + o] +=
                    a[(b * conv.input + j) * conv.cin + i] * at(w, (k * conv.cin + i) * conv.cout + o);
            }
        }
    });
    z
}

/// The position that each pooled value is taken from, `[clip][window][channel]`: by gamma the first
/// largest, the first smallest or the first of a window's real positions.
pub fn selected<T: PartialOrd + Copy>(conv: &Conv, z: &[T], gamma: &[f32]) -> Vec<usize> {
    let (length, pool, left) = (conv.length() as i64, conv.windows.size as i64, conv.windows.left as i64);
    let mut all = Vec::new();
    for b in 0..conv.clips as i64 {
        for w in 0..conv.windows.count as i64 {
            for (o, &gamma) in gamma.iter().enumerate() {
                let value = |l: i64| z[(b * length + l) as usize * conv.cout + o];
                let mut best = None;
                for l in (w * pool - left..w * pool - left + pool).filter(|l| (0..length).contains(l)) {
                    let better = |held: i64| (gamma > 0.0 && value(l) > value(held)) || (gamma < 0.0 && value(l) < value(held));
                    if best.is_none_or(better) {
                        best = Some(l);
                    }
                }
                all.push(best.expect("a window has a real position") as usize);
            }
        }
    }
    all
}

/// dz `[clip][position][channel]` from `selected`, dy and the coefficients `[3, cout]`.
pub fn dz(conv: &Conv, z: &[f32], selected: &[usize], dy: &[f32], coefficients: &[f32]) -> Vec<f64> {
    let c = conv.cout;
    let coefficient = |row: usize, o: usize| at(coefficients, row * c + o);
    let rest = |n: usize, o: usize| coefficient(1, o) + coefficient(2, o) * (at(z, n) - coefficient(3, o));
    let mut all: Vec<f64> = (0..z.len()).map(|n| rest(n, n % c)).collect();
    for (n, &l) in selected.iter().enumerate() {
        let (b, o) = (n / c / conv.windows.count, n % c);
        all[(b * conv.length() + l) * c + o] += coefficient(0, o) * at(dy, n);
    }
    all
}

/// dw `[tap, cin, cout]` and da `[clip][position][channel]`.
pub fn backward(conv: &Conv, a: &[f64], dz: &[f64], w: &[f32]) -> (Vec<f64>, Vec<f64>) {
    let mut dw = vec![0.0; w.len()];
    let mut da = vec![0.0; a.len()];
    taps(conv, |b, l, k, j| {
        for i in 0..conv.cin {
            for o in 0..conv.cout {
                let d = dz[(b * conv.length() + l) * conv.cout + o];
                let n = (b * conv.input + j) * conv.cin + i;
                dw[(k * conv.cin + i) * conv.cout + o] += a[n] * d;
                da[n] += d * at(w, (k * conv.cin + i) * conv.cout + o);
            }
        }
    });
    (dw, da)
}
