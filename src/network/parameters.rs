//! Parameters of a network: names, shapes, places in the flat tensors, initial values.
//!
//! Inside, a convolution's weights lie as `[tap, cin, cout]` and the dense layer's as
//! `[feature, head x tag]`, so that vectors run along output channels. Outside (files), they are
//! PyTorch's `conv{i}.weight [cout, cin, tap]` and `head{h}.weight [tag, feature]`.

use rand::RngExt;

use super::Network;
use crate::error::Result;
use crate::random::{Purpose, generator};

/// Each parameter begins at a multiple of this many floats (256 bytes, wgpu's alignment).
pub const ALIGNMENT: usize = 64;

/// A parameter's place in the flat parameter, gradient and momentum tensors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// `conv{i}.weight`, `conv{i}.bias`, `bn{i}.weight`, `bn{i}.bias`, `head.weight`, `head.bias`.
    pub name: String,
    /// Inside layout.
    pub shape: Vec<usize>,
    /// First element in the flat tensor.
    pub offset: usize,
}

impl Entry {
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A tensor under its outside name and layout.
#[derive(Clone, Debug, PartialEq)]
pub struct Named {
    pub name: String,
    pub shape: Vec<usize>,
    pub values: Vec<f32>,
}

/// The table of all parameters, and of the running statistics beside them.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameters {
    /// In order of layers; four a convolution, then the head's two.
    pub entries: Vec<Entry>,
    /// Length of the flat tensors, padding included.
    pub length: usize,
    /// Layer i's running mean begins at `running[i]`, its variance `cout` later.
    pub running: Vec<usize>,
    pub running_length: usize,
    network: Network,
    features: usize,
}

impl Parameters {
    pub fn new(network: &Network) -> Result<Parameters> {
        let features = network.features()?;
        let mut table = Parameters {
            entries: Vec::new(),
            length: 0,
            running: Vec::new(),
            running_length: 0,
            network: network.clone(),
            features,
        };
        for (i, l) in network.layers.iter().enumerate() {
            table.push(format!("conv{i}.weight"), vec![l.kernel, l.cin, l.cout]);
            table.push(format!("conv{i}.bias"), vec![l.cout]);
            table.push(format!("bn{i}.weight"), vec![l.cout]);
            table.push(format!("bn{i}.bias"), vec![l.cout]);
            table.running.push(table.running_length);
            table.running_length += (2 * l.cout).next_multiple_of(ALIGNMENT);
        }
        let outputs = network.heads * network.tags;
        table.push("head.weight".into(), vec![features, outputs]);
        table.push("head.bias".into(), vec![outputs]);
        Ok(table)
    }

    fn push(&mut self, name: String, shape: Vec<usize>) {
        let entry = Entry { name, shape, offset: self.length };
        self.length += entry.len().next_multiple_of(ALIGNMENT);
        self.entries.push(entry);
    }

    /// Trainable parameters, without padding.
    pub fn count(&self) -> usize {
        self.entries.iter().map(Entry::len).sum()
    }

    /// The entry called `name`; the names are ours, so an unknown one is a mistake in the program.
    pub fn entry(&self, name: &str) -> &Entry {
        self.entries.iter().find(|e| e.name == name).unwrap_or_else(|| panic!("no parameter {name}"))
    }

    /// Which parameter holds flat element `index` (padding counts to the one before it).
    pub fn holder(&self, index: usize) -> &Entry {
        &self.entries[self.entries.partition_point(|e| e.offset <= index).max(1) - 1]
    }

    /// Initial values as the released software's: he_uniform for convolutions,
    /// glorot_uniform for the dense layer, gamma 1, the rest 0. `[length]`.
    pub fn initial(&self, seed: u64) -> Vec<f32> {
        let mut flat = vec![0.0f32; self.length];
        for (i, e) in self.entries.iter().enumerate() {
            let values = &mut flat[e.offset..e.offset + e.len()];
            let limit = match (e.name.as_str(), e.shape.as_slice()) {
                ("head.weight", [features, _]) => (6.0 / (features + self.network.tags) as f64).sqrt(),
                (name, [tap, cin, _]) if name.ends_with(".weight") => (6.0 / (tap * cin) as f64).sqrt(),
                (name, _) if name.starts_with("bn") && name.ends_with(".weight") => {
                    values.fill(1.0);
                    continue;
                }
                _ => continue,
            };
            let mut random = generator(seed, Purpose::Weights, [i as u64, 0, 0]);
            for v in values {
                *v = random.random_range(-limit..limit) as f32;
            }
        }
        flat
    }

    /// Running statistics before the first step: mean 0, variance 1. `[running_length]`.
    pub fn initial_running(&self) -> Vec<f32> {
        let mut running = vec![0.0; self.running_length];
        for (i, l) in self.network.layers.iter().enumerate() {
            let at = self.running[i] + l.cout;
            running[at..at + l.cout].fill(1.0);
        }
        running
    }

    /// A flat tensor (parameters, gradients or momenta) under outside names and layouts.
    pub fn export(&self, flat: &[f32]) -> Vec<Named> {
        let mut all = Vec::new();
        for e in &self.entries {
            let inside = &flat[e.offset..e.offset + e.len()];
            match (e.name.as_str(), e.shape.as_slice()) {
                ("head.weight" | "head.bias", shape) => {
                    let tags = self.network.tags;
                    let rows = if shape.len() == 2 { shape[0] } else { 1 };
                    let outputs = self.network.heads * tags;
                    for h in 0..self.network.heads {
                        let values = (0..tags).flat_map(|t| (0..rows).map(move |f| inside[f * outputs + h * tags + t])).collect();
                        let shape = if shape.len() == 2 { vec![tags, rows] } else { vec![tags] };
                        all.push(Named { name: e.name.replace("head", &format!("head{h}")), shape, values });
                    }
                }
                (_, &[taps, cin, cout]) => {
                    let values = (0..cout * cin * taps)
                        .map(|j| {
                            let (o, i, k) = (j / (cin * taps), j / taps % cin, j % taps);
                            inside[(k * cin + i) * cout + o]
                        })
                        .collect();
                    all.push(Named { name: e.name.clone(), shape: vec![cout, cin, taps], values });
                }
                (_, shape) => all.push(Named { name: e.name.clone(), shape: shape.to_vec(), values: inside.to_vec() }),
            }
        }
        all
    }

    /// The adjoint of [`Parameters::export`]: fills a flat tensor from outside names. `find` gives
    /// the values of a name and checks its shape; its error is passed on.
    pub fn import(&self, mut find: impl FnMut(&str, &[usize]) -> Result<Vec<f32>>) -> Result<Vec<f32>> {
        let mut flat = vec![0.0f32; self.length];
        for e in &self.entries {
            let inside = &mut flat[e.offset..e.offset + e.len()];
            match (e.name.as_str(), e.shape.as_slice()) {
                ("head.weight" | "head.bias", shape) => {
                    let tags = self.network.tags;
                    let rows = if shape.len() == 2 { shape[0] } else { 1 };
                    let outputs = self.network.heads * tags;
                    for h in 0..self.network.heads {
                        let outside = if shape.len() == 2 { vec![tags, rows] } else { vec![tags] };
                        let values = find(&e.name.replace("head", &format!("head{h}")), &outside)?;
                        for (j, v) in values.into_iter().enumerate() {
                            inside[j % rows * outputs + h * tags + j / rows] = v;
                        }
                    }
                }
                (_, &[taps, cin, cout]) => {
                    for (j, v) in find(&e.name, &[cout, cin, taps])?.into_iter().enumerate() {
                        let (o, i, k) = (j / (cin * taps), j / taps % cin, j % taps);
                        inside[(k * cin + i) * cout + o] = v;
                    }
                }
                (_, shape) => inside.copy_from_slice(&find(&e.name, shape)?),
            }
        }
        Ok(flat)
    }

    /// Running statistics as `bn{i}.running_mean` and `bn{i}.running_var`.
    pub fn export_running(&self, running: &[f32]) -> Vec<Named> {
        let mut all = Vec::new();
        for (i, l) in self.network.layers.iter().enumerate() {
            for (j, what) in ["running_mean", "running_var"].into_iter().enumerate() {
                let at = self.running[i] + j * l.cout;
                all.push(Named { name: format!("bn{i}.{what}"), shape: vec![l.cout], values: running[at..at + l.cout].to_vec() });
            }
        }
        all
    }

    /// The adjoint of [`Parameters::export_running`].
    pub fn import_running(&self, mut find: impl FnMut(&str, &[usize]) -> Result<Vec<f32>>) -> Result<Vec<f32>> {
        let mut running = vec![0.0; self.running_length];
        for (i, l) in self.network.layers.iter().enumerate() {
            for (j, what) in ["running_mean", "running_var"].into_iter().enumerate() {
                let at = self.running[i] + j * l.cout;
                running[at..at + l.cout].copy_from_slice(&find(&format!("bn{i}.{what}"), &[l.cout])?);
            }
        }
        Ok(running)
    }

    pub fn network(&self) -> &Network {
        &self.network
    }

    /// Features that the dense layer reads.
    pub fn features(&self) -> usize {
        self.features
    }
}
