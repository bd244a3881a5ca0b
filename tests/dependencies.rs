//! What the crate stands on without its default features: these packages and no other.

use std::process::Command;

/// The design's seven, and what manifests and checkpoints need.
const ALWAYS: [&str; 11] =
    ["bytemuck", "clap", "memmap2", "pollster", "rand", "rayon", "safetensors", "serde", "serde_json", "sha2", "wgpu"];

#[test]
fn without_default_features_there_are_eleven_packages() {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "-e", "normal", "--no-default-features", "--depth", "1", "--prefix", "none", "--format", "{p}"])
        .args(["--offline", "--locked"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let mut packages: Vec<&str> = text.lines().filter_map(|l| l.split(' ').next()).collect();
    assert_eq!(packages.remove(0), "tagwalk");
    packages.sort_unstable();
    assert_eq!(packages, ALWAYS);
}
