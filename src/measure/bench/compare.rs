//! Two files of results side by side. Objects that measured the same (bench, network, batch, call...)
//! make a pair, whatever the device and the family, since those are what one compares; where several
//! did, the first belongs to the first.

use std::path::Path;

use serde::Serialize;
use serde_json::Value;

use crate::error::{Error, Result};

/// What decides whether two objects measured the same. Lines of other programs have no `bench`: they
/// are of steps.
const SAME: [&str; 16] = [
    "bench",
    "label",
    "network",
    "clip",
    "tags",
    "batch",
    "mode",
    "precision",
    "songs",
    "playlists",
    "reading",
    "range",
    "propagation",
    "untagged_lenders",
    "files",
    "rate",
];

/// What is compared, by its path in an object.
const FIGURES: [&str; 13] = [
    "/clips_per_second",
    "/step_ms/median",
    "/idle_share",
    "/peak_memory_mib",
    "/ms/median",
    "/gflops_per_second",
    "/gb_per_second",
    "/of_peak",
    "/of_copy",
    "/walks_per_second",
    "/songs_per_second",
    "/masks_per_second",
    "/audio_seconds_per_second",
];

/// A figure that both have.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Pair {
    /// What was measured.
    pub what: String,
    pub figure: &'static str,
    pub a: f64,
    pub b: f64,
    /// b / a; not a number where a is 0.
    pub ratio: f64,
}

/// Pairs of figures, and what stands in one file only.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Comparison {
    pub pairs: Vec<Pair>,
    pub only_a: Vec<String>,
    pub only_b: Vec<String>,
}

/// Reads a file of JSON lines. Fails, naming file and line, where one is no object.
pub fn read(path: &Path) -> Result<Vec<Value>> {
    let text = std::fs::read_to_string(path).map_err(|e| Error::io(path, "cannot read", e))?;
    let mut all = Vec::new();
    for (i, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        match serde_json::from_str::<Value>(line) {
            Ok(value) if value.is_object() => all.push(value),
            _ => {
                return Err(Error::input(path, format!("line {} is no object of JSON", i + 1))
                    .help("It takes what a `tagwalk bench` with --json prints."));
            }
        }
    }
    Ok(all)
}

/// Sets two files' objects side by side, in the order of the first.
pub fn compare(a: &[Value], b: &[Value]) -> Comparison {
    let mut left: Vec<(String, &Value)> = b.iter().map(|object| (what(object), object)).collect();
    let mut comparison = Comparison::default();
    for one in a {
        let what = what(one);
        match left.iter().position(|(other, _)| *other == what) {
            Some(at) => comparison.pairs.extend(figures(&what, one, left.remove(at).1)),
            None => comparison.only_a.push(what),
        }
    }
    comparison.only_b = left.into_iter().map(|(what, _)| what).collect();
    comparison
}

/// What an object measured, in words.
fn what(object: &Value) -> String {
    let words = SAME.iter().filter_map(|&key| match (key, &object[key]) {
        ("bench", Value::Null) => Some("step".into()),
        (_, Value::Null) => None,
        ("bench" | "label" | "network" | "mode" | "precision", Value::String(text)) => Some(text.clone()),
        (_, Value::String(text)) => Some(format!("{key} {text}")),
        (_, other) => Some(format!("{key} {other}")),
    });
    words.collect::<Vec<_>>().join(", ")
}

fn figures(what: &str, a: &Value, b: &Value) -> Vec<Pair> {
    let both = FIGURES.iter().filter_map(|&path| Some((path, a.pointer(path)?.as_f64()?, b.pointer(path)?.as_f64()?)));
    both.map(|(path, a, b)| Pair { what: what.into(), figure: path.trim_start_matches('/'), a, b, ratio: b / a }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeated_objects_pair_in_their_order_and_the_rest_is_told() {
        let object = |batch: usize, clips: f64| serde_json::json!({"bench": "step", "batch": batch, "clips_per_second": clips});
        let c = compare(&[object(8, 1.0), object(8, 2.0), object(9, 1.0)], &[object(7, 1.0), object(8, 3.0), object(8, 5.0)]);
        let ratios: Vec<f64> = c.pairs.iter().map(|p| p.ratio).collect();
        assert_eq!(ratios, [3.0, 2.5]);
        assert_eq!((c.only_a, c.only_b), (vec!["step, batch 9".to_string()], vec!["step, batch 7".to_string()]));
    }
}
