# To be sourced by the scripts of this folder: `root`, the project's folder, and `tagwalk`, the program that is measured: what
# TAGWALK names, else what is built now.
root=$(cd "$(dirname "$0")/.." && pwd)
tagwalk=${TAGWALK:-}
if [ -z "$tagwalk" ]; then
    cargo build --release --manifest-path "$root/Cargo.toml"
    tagwalk=${CARGO_TARGET_DIR:-$root/target}/release/tagwalk
fi
