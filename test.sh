#!/bin/sh
# All the project's tests: formatting, lints, every test with every shader on a Vulkan adapter, and
# the build without default features. Needs Rust; everything else it asks for by name.
set -eu
cd "$(dirname "$0")"

say() { printf '\n== %s\n' "$*"; }

for tool in rustfmt clippy; do
    cargo "$(echo $tool | sed s/rustfmt/fmt/)" --version >/dev/null 2>&1 ||
        { echo "test.sh: $tool is missing: rustup component add $tool" >&2; exit 2; }
done

say "format"
cargo fmt --all --check

say "lints"
cargo clippy --all-targets -- -D warnings
cargo clippy --no-default-features -- -D warnings
RUSTDOCFLAGS="-D warnings" cargo doc --no-deps --quiet

# The program itself is the judge of whether there is an adapter: it exits with 3 where there is
# none. Software Vulkan will do.
say "adapter"
cargo test --no-run --quiet
adapter() {
    code=0
    target="${CARGO_TARGET_DIR:-target}"
    "$target/debug/tagwalk" devices || code=$?
    return "$code"
}
code=0
adapter || code=$?
if [ "$code" != 0 ] && [ "$code" != 3 ]; then
    echo "test.sh: \`tagwalk devices\` failed with exit code $code" >&2
    exit "$code"
fi
if [ "$code" = 3 ]; then
    need="the shaders' tests need a Vulkan adapter: install a GPU's driver, or software Vulkan (Debian, Ubuntu: apt-get install mesa-vulkan-drivers libvulkan1; Fedora: dnf install mesa-vulkan-drivers vulkan-loader)"
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        say "installing software Vulkan"
        { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y mesa-vulkan-drivers libvulkan1; } >/dev/null ||
            { echo "test.sh: $need" >&2; exit 3; }
        adapter || { echo "test.sh: the driver was installed, but there is still no adapter" >&2; exit 3; }
    else
        echo "test.sh: $need" >&2
        exit 3
    fi
fi

say "tests"
cargo test --no-fail-fast

say "the demo"
demo="$(mktemp -d)"
trap 'rm -rf "$demo"' EXIT
"${CARGO_TARGET_DIR:-target}/debug/tagwalk" demo --out "$demo/runs" >"$demo/said.txt"
TAGWALK_DEMO="$demo" cargo test --test demo -- --ignored what_a_demo_printed | tee "$demo/judged.txt"
grep -q "1 passed" "$demo/judged.txt" || { echo "test.sh: what the demo printed is not right, or nothing judged it" >&2; exit 1; }

say "tests without default features"
cargo test --no-default-features --lib --test golden --test order --test train --test measured

say "all passed"
