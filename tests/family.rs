//! Every member of the family that is named trains at its clip length on both devices, and both say the
//! same: a step of an eighth of its channels on a small collection, first loss beside first loss.

use tagwalk::network::family::{self, MEMBERS};
use tagwalk::network::{Network, Parameters};

mod common;
use common::runs::{kind, log, succeeds, text, with_dataset};

/// Losses of two steps, own and propagated.
fn losses(data: &std::path::Path, run: &std::path::Path, member: &str, device: &[&str]) -> Vec<[f64; 2]> {
    let base = ["train", text(data), "--out", text(run), "--network", member, "--batch", "2", "--steps", "2", "--quiet"];
    succeeds(&[&base[..], &["--no-tune", "--exclude-self", "--heads", "2"], device].concat());
    kind(&log(run), "step").map(|step| ["own", "propagated"].map(|term| step[term].as_f64().unwrap())).collect()
}

#[test]
fn every_member_trains_on_both_devices() {
    let (folder, data) = with_dataset(48);
    for member in MEMBERS {
        let small = format!("{member}/8");
        let run = |device: &str| folder.path().join(format!("{}-{device}", member.replace('^', "-")));
        let cpu = losses(&data, &run("cpu"), &small, &["--device", "cpu"]);
        let gpu = losses(&data, &run("gpu"), &small, &["--device", "gpu", "--adapter", "0"]);
        println!("{member}: {cpu:?}, {gpu:?}");
        assert_eq!((cpu.len(), gpu.len()), (2, 2));
        // From the same weights; the second step's went through each device's own rounding.
        for (a, b) in cpu[0].iter().zip(gpu[0]) {
            assert!(a.is_finite() && (a - b).abs() <= 1e-4 * a.abs(), "{member}: {cpu:?}, {gpu:?}");
        }
    }
}

/// One of each m, at the clip lengths that --help and `samplecnn.md`, 4 give.
#[test]
fn members_are_of_every_kind() {
    let of = |name: &str| -> Network { family::member(name, 50).unwrap() };
    let clips: Vec<(&str, usize, usize)> =
        MEMBERS.into_iter().map(|name| (name, of(name).clip_length, of(name).layers[1].kernel)).collect();
    let want = [
        ("2^13", 16_384, 2),
        ("3^9", 59_049, 3),
        ("3^5-81", 19_683, 3),
        ("3^7-9", 19_683, 3),
        ("4^6", 16_384, 4),
        ("5^5", 15_625, 5),
    ];
    assert_eq!(clips, want);
    // samplecnn.md, 4: 3^7 with a first filter of 9.
    assert_eq!(Parameters::new(&of("3^7-9")).unwrap().count(), 1_475_890);
}
