//! Checkpoints: weights and running statistics under the golden files' names
//! (`samplecnn.md`, "State-dict keys"), with what one must know to use them; and, to resume,
//! momenta and the position.

use std::collections::BTreeMap;
use std::path::Path;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::format::safetensors::{self, Reader, Tensor};
use crate::network::parameters::Named;
use crate::network::{Network, Parameters};

pub const FORMAT: &str = "tagwalk weights 1";
const MOMENTUM: &str = "momentum.";

/// What weights are for: enough to tag audio without any dataset.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct About {
    pub network: Network,
    /// The tags, in the order of the network's outputs.
    pub vocabulary: Vec<String>,
    /// Samples a second that the network was trained on.
    pub sample_rate: u32,
}

/// A network that can be run. Both tensors are flat, as [`Parameters`] lays them out.
#[derive(Clone, Debug, PartialEq)]
pub struct Weights {
    pub about: About,
    pub parameters: Vec<f32>,
    pub running: Vec<f32>,
}

/// Where a run stands. Chance needs no state: it is made from these counters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Position<S> {
    /// Epochs done.
    pub epoch: u64,
    /// Steps done in the epoch that has begun.
    pub step: u64,
    /// Steps done in all.
    pub steps: u64,
    /// Learning rate of the next step.
    pub rate: f32,
    /// The best validation loss so far.
    pub best_loss: Option<f64>,
    /// Bytes of `metrics.jsonl` that belong to the steps done.
    pub log: u64,
    /// What the schedule remembers: its own type.
    pub schedule: S,
}

/// Everything that the next step depends on.
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint<S> {
    pub weights: Weights,
    /// Flat, as the parameters.
    pub momenta: Vec<f32>,
    pub position: Position<S>,
}

impl Weights {
    /// Writes them to `path`, all or nothing. `notes` go into the metadata beside what loading needs.
    pub fn write(&self, path: &Path, notes: &[(&str, String)]) -> Result<()> {
        let table = Parameters::new(&self.about.network)?;
        write(path, self, &table, Vec::new(), notes)
    }

    /// Reads and checks a file of weights: of a run, or of anybody who keeps the names.
    pub fn read(path: &Path) -> Result<Weights> {
        let mut reader = Reader::open(path)?;
        read(&mut reader).map(|(weights, _)| weights)
    }
}

impl<S: Serialize> Checkpoint<S> {
    /// Writes it to `path`, all or nothing.
    pub fn write(&self, path: &Path) -> Result<()> {
        let table = Parameters::new(&self.weights.about.network)?;
        let mut momenta = table.export(&self.momenta);
        momenta.iter_mut().for_each(|m| m.name.insert_str(0, MOMENTUM));
        let position = serde_json::to_string(&self.position)
            .map_err(|e| Error::input(path, format!("the position cannot be written: {e}")))?;
        write(path, &self.weights, &table, momenta, &[("position", position)])
    }
}

impl<S: DeserializeOwned> Checkpoint<S> {
    /// Reads and checks what [`Checkpoint::write`] wrote.
    pub fn read(path: &Path) -> Result<Checkpoint<S>> {
        let mut reader = Reader::open(path)?;
        let text = text(&reader, "position")?;
        let position = serde_json::from_str(text).map_err(|e| Error::input(path, format!("its position cannot be read: {e}")))?;
        let (weights, table) = read(&mut reader)?;
        let momenta = table.import(|name, shape| reader.read(&format!("{MOMENTUM}{name}"), shape))?;
        Ok(Checkpoint { weights, momenta, position })
    }
}

fn write(path: &Path, weights: &Weights, table: &Parameters, more: Vec<Named>, notes: &[(&str, String)]) -> Result<()> {
    let Weights { about, parameters, running } = weights;
    let mut metadata: BTreeMap<String, String> = [
        ("format", FORMAT.to_string()),
        ("network", serde_json::json!(about.network).to_string()),
        ("vocabulary", serde_json::json!(about.vocabulary).to_string()),
        ("sample_rate", about.sample_rate.to_string()),
        ("clip_length", about.network.clip_length.to_string()),
    ]
    .map(|(key, value)| (key.to_string(), value))
    .into();
    metadata.extend(notes.iter().map(|(key, value)| (key.to_string(), value.clone())));
    let named: Vec<Named> = [table.export(parameters), table.export_running(running), more].concat();
    let tensors: Vec<Tensor> =
        named.iter().map(|n| Tensor { name: n.name.clone(), shape: n.shape.clone(), values: &n.values }).collect();
    safetensors::write(path, &metadata, &tensors)
}

fn text<'a>(reader: &'a Reader, key: &str) -> Result<&'a str> {
    reader.metadata(key).ok_or_else(|| {
        Error::input(reader.path(), format!("its metadata has no '{key}'"))
            .help("It is not a checkpoint of this program; `best.safetensors` and `last.safetensors` of a run are.")
    })
}

/// Weights of an opened file, and the table of their names.
fn read(reader: &mut Reader) -> Result<(Weights, Parameters)> {
    let path = reader.path().to_path_buf();
    let wrong = |what: String| Error::input(&path, what);
    let format = text(reader, "format")?;
    if format != FORMAT {
        return Err(wrong(format!("is '{format}', not '{FORMAT}'")));
    }
    let unreadable = |key: &'static str| move |e: serde_json::Error| format!("its {key} cannot be read: {e}");
    let network: Network = serde_json::from_str(text(reader, "network")?).map_err(unreadable("network")).map_err(wrong)?;
    let vocabulary: Vec<String> =
        serde_json::from_str(text(reader, "vocabulary")?).map_err(unreadable("vocabulary")).map_err(wrong)?;
    let sample_rate = serde_json::from_str(text(reader, "sample_rate")?).map_err(unreadable("sample_rate")).map_err(wrong)?;
    network.check().map_err(|e| wrong(format!("its network cannot be: {}", e.what)))?;
    if vocabulary.len() != network.tags || sample_rate == 0 {
        return Err(wrong(format!(
            "names {} tags and {sample_rate} Hz for a network of {} tags",
            vocabulary.len(),
            network.tags
        )));
    }
    // Before anything of that size is allocated.
    let table = Parameters::new(&network)?;
    if table.count() > reader.capacity() {
        return Err(wrong(format!("holds {} values, its network needs {}", reader.capacity(), table.count())));
    }
    let parameters = table.import(|name, shape| reader.read(name, shape))?;
    let running = table.import_running(|name, shape| reader.read(name, shape))?;
    if let Some(name) = negative_variance(&table, &running) {
        return Err(wrong(format!("tensor {name} holds a negative variance")).help("Take another checkpoint."));
    }
    Ok((Weights { about: About { network, vocabulary, sample_rate }, parameters, running }, table))
}

fn negative_variance(table: &Parameters, running: &[f32]) -> Option<String> {
    let all = table.export_running(running);
    all.into_iter().find(|n| n.name.ends_with("running_var") && n.values.iter().any(|&v| v < 0.0)).map(|n| n.name)
}
