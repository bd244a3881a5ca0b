//! Golden problems: every pair NAME.safetensors/NAME.json of `tests/golden/`, `../shared/golden/`
//! and the folder named by `TAGWALK_GOLDEN`, opened for tests, with the bounds that
//! `../shared/golden/README.md` suggests. The architecture comes from the JSON, never from the name.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};

use safetensors::{Dtype, SafeTensors};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use tagwalk::error::Error;
use tagwalk::format::hex;
use tagwalk::network::{Network, Parameters};

/// The part of NAME.json that a test needs.
#[derive(Deserialize)]
struct Description {
    sha256: String,
    architecture: Network,
    batch: usize,
    reduction: String,
    lambda: f32,
    hyper: Hyper,
    float32_error: Errors,
}

/// SGD with Nesterov momentum; `steps` of them.
#[derive(Clone, Debug, Deserialize)]
pub struct Hyper {
    pub lr: f32,
    pub momentum: f32,
    pub nesterov: bool,
    pub weight_decay: f32,
    pub steps: usize,
}

#[derive(Deserialize)]
struct Errors {
    worst: BTreeMap<String, GroupError>,
}

/// PyTorch's float32 against its float64, the worst tensor of a group.
#[derive(Clone, Debug, Deserialize)]
struct GroupError {
    max_abs: f64,
    /// Absent where the exact value is zero.
    rel_l2: Option<f64>,
}

struct Tensor {
    shape: Vec<usize>,
    values: Vec<f32>,
}

/// One golden problem, read and checked.
pub struct Golden {
    /// The file's name without its extension.
    pub name: String,
    pub network: Network,
    /// Clips a step.
    pub batch: usize,
    /// `true`: the loss is the mean over clips and tags; `false`: the sum.
    pub mean: bool,
    /// Weight of the propagated term.
    pub lambda: f32,
    pub hyper: Hyper,
    errors: BTreeMap<String, GroupError>,
    tensors: BTreeMap<String, Tensor>,
}

/// Every golden problem that can be found, each once. Fails where a file is present and wrong, and
/// where there is none at all.
pub fn all() -> Vec<Golden> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders = vec![root.join("tests/golden")];
    let shared = root.join("../shared/golden");
    if shared.is_dir() {
        folders.push(shared);
    } else {
        super::say("skipped, for there is no ../shared/golden: its problems, which are those of tests/golden too");
    }
    folders.extend(std::env::var_os("TAGWALK_GOLDEN").map(PathBuf::from));

    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    for folder in folders {
        let entries = std::fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
        let mut paths: Vec<PathBuf> = entries.map(|e| e.unwrap().path()).collect();
        paths.sort();
        let problems = paths.iter().filter(|p| p.extension().is_some_and(|e| e == "json"));
        let problems: Vec<_> = problems.filter(|p| p.file_stem().is_some_and(|s| s != "paper")).collect();
        assert!(!problems.is_empty(), "{}: no golden problem in this folder", folder.display());
        for json in problems {
            assert!(json.with_extension("safetensors").exists(), "{}: its .safetensors is missing", json.display());
        }
        for path in paths.iter().filter(|p| p.extension().is_some_and(|e| e == "safetensors")) {
            let bytes = read(path);
            let sum = hex(&Sha256::digest(&bytes));
            if seen.insert(sum.clone()) {
                found.push(Golden::parse(path, &bytes, &sum));
            }
        }
    }
    assert!(!found.is_empty(), "no golden problem was found");
    found
}

/// `../shared/golden/paper.json`, or the copy of it in `tests/golden/`: equations, walks, metrics.
pub fn paper() -> serde_json::Value {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let shared = root.join("../shared/golden/paper.json");
    let path = if shared.exists() { shared } else { root.join("tests/golden/paper.json") };
    serde_json::from_slice(&read(&path)).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn read(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

impl Golden {
    fn parse(path: &Path, bytes: &[u8], sum: &str) -> Golden {
        let at = path.display();
        let json = path.with_extension("json");
        let about: Description = serde_json::from_slice(&read(&json)).unwrap_or_else(|e| panic!("{}: {e}", json.display()));
        assert_eq!(about.sha256, sum, "{at}: not the file that its JSON describes");
        about.architecture.check().unwrap_or_else(|e| panic!("{at}: {e}"));
        assert!(about.hyper.nesterov && about.hyper.weight_decay == 0.0, "{at}: another optimiser");
        let mean = match about.reduction.as_str() {
            "mean" => true,
            "sum" => false,
            other => panic!("{at}: reduction '{other}'"),
        };
        let file = SafeTensors::deserialize(bytes).unwrap_or_else(|e| panic!("{at}: {e}"));
        let tensors = file.iter().map(|(name, view)| {
            let data = view.data();
            let values = match view.dtype() {
                Dtype::F32 => data.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect(),
                Dtype::I16 => data.chunks_exact(2).map(|b| f32::from(i16::from_le_bytes([b[0], b[1]]))).collect(),
                Dtype::U8 => data.iter().map(|&b| f32::from(b)).collect(),
                other => panic!("{at}: {name} is {other:?}"),
            };
            (name.to_string(), Tensor { shape: view.shape().to_vec(), values })
        });
        Golden {
            name: path.file_stem().unwrap().to_string_lossy().into_owned(),
            network: about.architecture,
            batch: about.batch,
            mean,
            lambda: about.lambda,
            hyper: about.hyper,
            errors: about.float32_error.worst,
            tensors: tensors.collect(),
        }
    }

    fn tensor(&self, name: &str) -> &Tensor {
        self.tensors.get(name).unwrap_or_else(|| panic!("{}: no tensor {name}", self.name))
    }

    pub fn has(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    /// All names, in order of the alphabet.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// The names of what is computed, not given.
    pub fn results(&self) -> impl Iterator<Item = &str> {
        let given = ["waveform", "tags.", "weights.", "dropout.", "before.", "eval.waveform"];
        self.names().filter(move |name| !given.iter().any(|prefix| name.starts_with(prefix)))
    }

    pub fn shape(&self, name: &str) -> &[usize] {
        &self.tensor(name).shape
    }

    /// A tensor's values as f32, which holds every type of the files exactly; samples are not scaled.
    pub fn values(&self, name: &str) -> &[f32] {
        &self.tensor(name).values
    }

    /// Slice `step` of a tensor whose first dimension is the step.
    pub fn step(&self, name: &str, step: usize) -> &[f32] {
        let Tensor { shape, values } = self.tensor(name);
        let each = values.len() / shape[0];
        &values[step * each..][..each]
    }

    /// int16 clips `[clip, clip_length]`, without padding: of a step, or (`None`) `eval.waveform`.
    pub fn wave(&self, step: Option<usize>) -> Vec<i16> {
        let samples = match step {
            Some(step) => self.step("waveform", step),
            None => self.values("eval.waveform"),
        };
        samples.iter().map(|&s| s as i16).collect()
    }

    /// The flat tensor of all parameters (gradients, momenta) whose names begin with `prefix`:
    /// `before.`, `grad.`, `after1.`, `after.`, `after.momentum.`.
    pub fn parameters(&self, table: &Parameters, prefix: &str) -> Vec<f32> {
        table.import(|name, shape| self.shaped(&format!("{prefix}{name}"), shape)).unwrap()
    }

    /// The flat tensor of running statistics under `prefix` (`before.`, `after1.`, `after.`).
    /// `unbiased`: PyTorch's variance; otherwise the biased one, which `before.` has no other name for.
    pub fn running(&self, table: &Parameters, prefix: &str, unbiased: bool) -> Vec<f32> {
        let biased = |name: &str| format!("{prefix}{name}_biased");
        let stored = |name: &str| {
            let plain = format!("{prefix}{name}");
            if !unbiased && self.has(&biased(name)) { biased(name) } else { plain }
        };
        table.import_running(|name, shape| self.shaped(&stored(name), shape)).unwrap()
    }

    fn shaped(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, Error> {
        assert_eq!(self.shape(name), shape, "{}: {name}", self.name);
        Ok(self.values(name).to_vec())
    }

    /// The bound on a group's relative L2 error: 4 times PyTorch's own, never below 1e-6, and for
    /// gradients and what follows from them never below 1e-5.
    pub fn tolerance(&self, group: &str) -> f64 {
        let forward = matches!(group, "act" | "loss") || group.starts_with("logits");
        let own = self.error(group).rel_l2.unwrap_or(0.0);
        (4.0 * own).max(if forward { 1e-6 } else { 1e-5 })
    }

    fn error(&self, group: &str) -> &GroupError {
        self.errors.get(group).unwrap_or_else(|| panic!("{}: no error stated for {group}", self.name))
    }

    /// Compares values with the tensor `name`: by relative L2 error, or, where the reference is
    /// zero, by the largest absolute value.
    pub fn compare(&self, name: &str, got: &[f32]) -> Comparison {
        let group = group(name);
        let want = self.values(name);
        assert_eq!(got.len(), want.len(), "{}: {name}", self.name);
        let label = format!("{} {name}", self.name);
        if want.iter().all(|v| v.abs() <= 1e-12) {
            let error = got.iter().zip(want).map(|(g, w)| f64::from((g - w).abs()));
            let error = error.fold(0.0, |a: f64, b| if b.is_nan() { b } else { a.max(b) });
            let bound = (4.0 * self.error(&group).max_abs).max(1e-5);
            return Comparison { label, measure: "max abs", error, bound };
        }
        let error = relative_l2(got, want);
        Comparison { label, measure: "relative L2", error, bound: self.tolerance(&group) }
    }

    /// Compares a flat tensor of parameters (gradients, momenta) with all tensors under `prefix`.
    pub fn compare_parameters(&self, table: &Parameters, prefix: &str, flat: &[f32]) -> Vec<Comparison> {
        table.export(flat).iter().map(|n| self.compare(&format!("{prefix}{}", n.name), &n.values)).collect()
    }

    /// Compares a flat tensor of running statistics with those under `prefix` (`after1.`, `after.`).
    pub fn compare_running(&self, table: &Parameters, prefix: &str, unbiased: bool, flat: &[f32]) -> Vec<Comparison> {
        let all = table.export_running(flat);
        let named = all.iter().map(|n| {
            let biased = !unbiased && n.name.ends_with("running_var");
            (format!("{prefix}{}{}", n.name, if biased { "_biased" } else { "" }), &n.values)
        });
        named.map(|(name, values)| self.compare(&name, values)).collect()
    }
}

/// The group of `float32_error` that a tensor belongs to: `after1.conv3.weight` is in
/// `after1.conv.weight`, `act.2` in `act`, `loss.own` in `loss`.
pub fn group(name: &str) -> String {
    for prefix in ["grad.", "after1.", "after.momentum.", "after."] {
        if let Some(rest) = name.strip_prefix(prefix) {
            let (kind, leaf) = rest.split_once('.').unwrap_or((rest, ""));
            return format!("{prefix}{}.{leaf}", kind.trim_end_matches(|c: char| c.is_ascii_digit()));
        }
    }
    match name.split_once('.') {
        Some((head @ ("act" | "loss"), _)) => head.to_string(),
        _ => name.to_string(),
    }
}

/// Euclidean length of the difference over that of the reference.
pub fn relative_l2(got: &[f32], want: &[f32]) -> f64 {
    let square = |v: f64| v * v;
    let difference: f64 = got.iter().zip(want).map(|(g, w)| square(f64::from(*g) - f64::from(*w))).sum();
    let size: f64 = want.iter().map(|w| square(f64::from(*w))).sum();
    (difference / size).sqrt()
}

/// An error beside its bound.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// Problem and tensor.
    pub label: String,
    pub measure: &'static str,
    pub error: f64,
    pub bound: f64,
}

impl Comparison {
    /// Whether it is of the tensor `name`.
    pub fn is_of(&self, name: &str) -> bool {
        self.label.rsplit_once(' ').is_some_and(|(_, tensor)| tensor == name)
    }

    /// Whether it is of activations or logits of a step.
    pub fn is_forward(&self) -> bool {
        self.label.rsplit_once(' ').is_some_and(|(_, tensor)| tensor.starts_with("act.") || tensor.starts_with("logits"))
    }

    /// Not-a-number never holds.
    pub fn holds(&self) -> bool {
        self.error <= self.bound
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Comparison { label, measure, error, bound } = self;
        write!(f, "{label}: {measure} error {error:.2e}, bound {bound:.1e}")
    }
}

/// Prints the comparison that comes nearest to its bound; fails with all that do not hold.
pub fn assert_all(comparisons: &[Comparison]) {
    let worst = comparisons.iter().max_by(|a, b| (a.error / a.bound).total_cmp(&(b.error / b.bound)));
    println!("{} compared; nearest to its bound: {}", comparisons.len(), worst.expect("something to compare"));
    let failed: Vec<String> = comparisons.iter().filter(|c| !c.holds()).map(|c| format!("  {c}")).collect();
    assert!(failed.is_empty(), "beyond the bound:\n{}", failed.join("\n"));
}
