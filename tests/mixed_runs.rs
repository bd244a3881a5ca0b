//! Mixed precision as a choice and in whole runs: what is refused, the loss scale, losses beside f32's, and what a run keeps.
//! (What a step computes: `mixed.rs`.)

mod common;

use common::runs::{NETWORK, fails, kind, log, misleading_dataset, succeeds, text};
use tagwalk::device::gpu::open;
use tagwalk::device::select::{DeviceKind, Selection};
use tagwalk::kernels::products::Isa;
use tagwalk::kernels::{Choice, Family, Precision};
use tagwalk::network::family::member;
use tagwalk::plan::Settings;

#[test]
fn what_cannot_be_is_refused() {
    let mixed = |family| Choice::gpu(family).in_precision(Precision::Mixed);
    let plain = mixed(Family::Plain).check().unwrap_err().to_string();
    assert!(plain.contains("precision"), "{plain}");
    let mut room = mixed(Family::Tiled);
    assert!(room.check().is_ok());
    room.rooms.insert("conv_forward".into(), Family::Plain);
    assert!(room.check().is_err(), "a room that stores f32");
    assert!(Choice::native(Isa::Avx512Bf16).check().is_err(), "no products of f32 pairs");
    assert!(Choice::gpu(Family::Cooperative(8)).check().is_err() && mixed(Family::Cooperative(8)).check().is_ok());
    assert!(mixed(Family::Cooperative(9)).check().is_err());
    for (choice, fits) in
        [(mixed(Family::Tiled), true), (Choice::gpu(Family::Tiled), false), (Choice::cpu(Precision::Mixed), false)]
    {
        let scaled = |scale| Choice { loss_scale: Some(scale), ..choice.clone() }.check().map_err(|e| e.to_string());
        assert_eq!(scaled(1024).is_ok(), fits, "{choice:?}");
        assert!(scaled(1000).unwrap_err().contains("loss_scale") && scaled(1 << 30).is_err() && scaled(0).is_err());
    }
    let gpu = ["--device", "gpu", "--adapter", "0", "--precision", "mixed"];
    fails(&[&["bench", "step"], &gpu[..], &["--family", "plain"]].concat(), 2, &["--family", "f32 only"]);
    fails(&[&["bench", "step"], &gpu[..4], &["--family", "cooperative"]].concat(), 2, &["--precision mixed"]);
    let opened = open(&Selection { device: DeviceKind::Gpu, adapter: Some("0".into()) }).unwrap();
    if opened.cooperative_sizes().is_empty() {
        fails(&[&["bench", "step"], &gpu[..], &["--family", "cooperative"]].concat(), 3, &["no cooperative matrices"]);
    }
}

/// A loss scale undoes the mean and a little more; a sum has no mean to undo.
#[test]
fn a_loss_scale_follows_from_the_loss() {
    let network = member("3^9", 50).unwrap();
    let scale = |batch, mean, choice: Choice| {
        let settings = Settings { batch, mean, lambda: 1.0, unbiased_variance: false, choice };
        settings.settled(network.tags).choice.loss_scale
    };
    let mixed = Choice::gpu(Family::Tiled).in_precision(Precision::Mixed);
    assert_eq!(scale(23, true, mixed.clone()), Some(2048 << 4));
    assert_eq!(scale(23, false, mixed.clone()), Some(1 << 4));
    assert_eq!(scale(1 << 20, true, mixed.clone()), Some(1 << 24));
    assert_eq!(scale(23, true, Choice { loss_scale: Some(2), ..mixed }), Some(2), "a run's own stands");
    assert_eq!(scale(23, true, Choice::gpu(Family::Tiled)), None);
    assert_eq!(scale(23, true, Choice::cpu(Precision::Mixed)), None);
}

/// Losses of whole runs on a GPU, in f32 and mixed: the same batches, so the first two, of which the second sees a whole update,
/// differ by f16's rounding, the first by less than bf16's on the CPU, which is eight times as coarse. From there near-ties that
/// turn over decide: within a dozen steps both stray by hundredths, and f16 is held to four times what bf16 does. The same again
/// to the bit, whatever the threads.
#[test]
fn a_run_on_a_gpu_stays_beside_f32() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    misleading_dataset(&data, 24);
    const GPU: [&str; 5] = ["--device", "gpu", "--adapter", "0", "--no-tune"];
    const CPU: [&str; 2] = ["--device", "cpu"];
    let losses = |name: &str, device: &[&str], flags: &[&str]| {
        let run = folder.path().join(name);
        let length = ["--steps", "12", "--batch", "8"];
        succeeds(&[&["train", text(&data), "--out", text(&run)], device, &length, &NETWORK, flags].concat());
        let log = log(&run);
        let steps: Vec<f64> = kind(&log, "step").map(|line| line["loss"].as_f64().unwrap()).collect();
        (std::fs::read_to_string(run.join("config.json")).unwrap(), steps)
    };
    let (config, single) = losses("f32", &GPU, &[]);
    assert!(!config.contains("loss_scale"), "{config}");
    let (config, mixed) = losses("mixed", &GPU, &["--precision", "mixed", "--threads", "1"]);
    assert!(config.contains("\"loss_scale\": 512"), "{config}");
    let (_, again) = losses("again", &GPU, &["--precision", "mixed", "--threads", "2"]);
    assert_eq!(mixed, again, "the same bits");
    assert_eq!(mixed.len(), 12);
    let apart = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(m, s)| (m - s).abs() / s).collect::<Vec<f64>>();
    let apart16 = apart(&mixed, &single);
    let (_, single) = losses("cpu", &CPU, &[]);
    let (_, mixed) = losses("cpu-mixed", &CPU, &["--precision", "mixed"]);
    let coarser = apart(&mixed, &single);
    println!("relative distance of the losses: f16 {apart16:.5?}, bf16 {coarser:.5?}");
    assert!(apart16[0] > 0.0 && apart16[..2].iter().all(|&d| d < 2e-3), "{apart16:?}");
    let largest = |all: &[f64]| all.iter().fold(0.0, |most: f64, &d| most.max(d));
    assert!(apart16[0] < coarser[0] && largest(&apart16) < 4.0 * largest(&coarser), "{apart16:?} {coarser:?}");
}

/// `auto` is f32, whose configuration says nothing of precision; mixed is kept with the run.
#[test]
fn a_run_keeps_its_precision() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    misleading_dataset(&data, 24);
    let config = |flags: &[&str]| {
        let run = folder.path().join(format!("run{}", flags.join("")));
        let train = ["train", text(&data), "--out", text(&run), "--device", "cpu", "--steps", "2", "--batch", "4"];
        let (_, said) = succeeds(&[&train[..], &NETWORK, flags].concat());
        let config = std::fs::read_to_string(run.join("config.json")).unwrap();
        (run, said, serde_json::from_str::<serde_json::Value>(&config).unwrap()["settings"]["choice"].clone())
    };
    let (_, said, plain) = config(&[]);
    assert!(said.contains("f32)") && plain.get("precision").is_none(), "{said} {plain}");
    let (_, said, auto) = config(&["--precision", "auto"]);
    assert!(said.contains("f32)") && auto == plain, "{said} {auto}");
    let (run, said, mixed) = config(&["--precision", "mixed"]);
    assert!(said.contains("mixed)") && mixed["precision"] == "mixed", "{said} {mixed}");
    fails(&["train", "--resume", "--out", text(&run), "--precision", "f32"], 2, &["--resume", "--precision"]);
    let bench = ["bench", "step", "--device", "cpu", "--batch", "2", "--steps", "1", "--mode", "inference", "--json"];
    let (told, _) = succeeds(&[&bench[..], &NETWORK, &["--precision", "mixed"]].concat());
    assert!(told.contains("\"precision\":\"mixed\""), "{told}");
}
