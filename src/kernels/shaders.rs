//! The table of shader texts, and the one change that is ever made to them: other values in
//! their top-level `const` lines, other types in their top-level `alias` lines.
//!
//! How a shader file is written, so that this works and the file is valid as it stands:
//!
//! * No includes and no generated text. Functions that several shaders share (how a sample, a stored value, what lies
//!   below or dz is read) stand in each of them, with one text; `tests/shaders.rs` says which names may differ.
//! * Everything that a dispatch decides is a line `const NAME: u32 = 3u;` (or `f32`) that begins
//!   in the first column; sizes derived from it are `const` expressions below it. A flag is a
//!   u32, 0 or 1. `@workgroup_size(NAME)` may use them.
//! * A type that a dispatch decides, where WGSL makes none of a number (cooperative matrices), is a line
//!   `alias NAME = TYPE;`, in the first column too.
//! * Bindings are `@group(0) @binding(0..n)`, one for each of [`super::gpu::Dispatch::bindings`], in
//!   order, `var<storage, read>` for `Access::Read` and `read_write` for all else. An entry point
//!   reaches exactly the bindings that its dispatch names. Where a kernel has an operand in some
//!   shapes only: entry points that share functions (`loss`), or for one that is read a flag, and
//!   another operand that is read bound in its place (`dense_forward`).
//! * int16 tensors are `array<u32>`, the earlier sample in the low half.
//! * Grids are at most 65,535 workgroups a dimension: [`super::gpu::grid`] and, in the shader,
//!   `group.x + group.y * GRID`.

use super::gpu::Value;
use crate::error::{Error, Result};

/// Every shader: its file's stem under `shaders/`, and its text as it stands.
pub const TABLE: &[(&str, &str)] = &[
    ("batch_norm_backward", include_str!("../../shaders/batch_norm_backward.wgsl")),
    ("batch_norm_backward_first", include_str!("../../shaders/batch_norm_backward_first.wgsl")),
    ("batch_norm_forward", include_str!("../../shaders/batch_norm_forward.wgsl")),
    ("batch_norm_forward_patches", include_str!("../../shaders/batch_norm_forward_patches.wgsl")),
    ("batch_norm_forward_running", include_str!("../../shaders/batch_norm_forward_running.wgsl")),
    ("conv_forward", include_str!("../../shaders/conv_forward.wgsl")),
    ("conv_forward.cooperative", include_str!("../../shaders/conv_forward.cooperative.wgsl")),
    ("conv_forward.registers", include_str!("../../shaders/conv_forward.registers.wgsl")),
    ("conv_forward.tiled", include_str!("../../shaders/conv_forward.tiled.wgsl")),
    ("conv_input", include_str!("../../shaders/conv_input.wgsl")),
    ("conv_input_gradient", include_str!("../../shaders/conv_input_gradient.wgsl")),
    ("conv_input_gradient.cooperative", include_str!("../../shaders/conv_input_gradient.cooperative.wgsl")),
    ("conv_input_gradient.registers", include_str!("../../shaders/conv_input_gradient.registers.wgsl")),
    ("conv_input_gradient.tiled", include_str!("../../shaders/conv_input_gradient.tiled.wgsl")),
    ("conv_output_gradient", include_str!("../../shaders/conv_output_gradient.wgsl")),
    ("conv_weight_gradient", include_str!("../../shaders/conv_weight_gradient.wgsl")),
    ("conv_weight_gradient.cooperative", include_str!("../../shaders/conv_weight_gradient.cooperative.wgsl")),
    ("conv_weight_gradient.registers", include_str!("../../shaders/conv_weight_gradient.registers.wgsl")),
    ("conv_weight_gradient.tiled", include_str!("../../shaders/conv_weight_gradient.tiled.wgsl")),
    ("conv_weight_join", include_str!("../../shaders/conv_weight_join.wgsl")),
    ("dense_forward", include_str!("../../shaders/dense_forward.wgsl")),
    ("dense_forward.tiled", include_str!("../../shaders/dense_forward.tiled.wgsl")),
    ("dense_input_gradient", include_str!("../../shaders/dense_input_gradient.wgsl")),
    ("dense_input_gradient.tiled", include_str!("../../shaders/dense_input_gradient.tiled.wgsl")),
    ("dense_weight_gradient", include_str!("../../shaders/dense_weight_gradient.wgsl")),
    ("loss", include_str!("../../shaders/loss.wgsl")),
    ("pack_weights", include_str!("../../shaders/pack_weights.wgsl")),
    ("pack_weights_winograd", include_str!("../../shaders/pack_weights_winograd.wgsl")),
    ("sgd", include_str!("../../shaders/sgd.wgsl")),
    ("sgd_status", include_str!("../../shaders/sgd_status.wgsl")),
    ("winograd_input", include_str!("../../shaders/winograd_input.wgsl")),
    ("winograd_input_gradient", include_str!("../../shaders/winograd_input_gradient.wgsl")),
    ("winograd_output", include_str!("../../shaders/winograd_output.wgsl")),
    ("winograd_output_gradient", include_str!("../../shaders/winograd_output_gradient.wgsl")),
    ("winograd_weight_join", include_str!("../../shaders/winograd_weight_join.wgsl")),
];

/// A shader with the values of its constants replaced; those not named keep theirs.
/// Fails on a shader, a constant or a type that there is not: a kernel's room and its shader
/// disagree.
pub fn text(shader: &str, constants: &[(&str, Value)]) -> Result<String> {
    let wrong =
        |what: String| Error::device(format!("shader {shader}: {what}")).help("This is a mistake in tagwalk; please report it.");
    let Some((_, text)) = TABLE.iter().find(|(name, _)| *name == shader) else {
        return Err(wrong("no such shader in the table".into()));
    };
    replaced(text, constants).map_err(wrong)
}

/// The replacement itself, on any text.
fn replaced(text: &str, constants: &[(&str, Value)]) -> std::result::Result<String, String> {
    let mut found = vec![false; constants.len()];
    let mut lines: Vec<String> = Vec::new();
    for line in text.lines() {
        let at = replaceable(line).and_then(|(name, kind)| Some((constants.iter().position(|(n, _)| *n == name)?, kind)));
        let Some((at, kind)) = at else {
            lines.push(line.to_owned());
            continue;
        };
        let (name, value) = constants[at];
        lines.push(match (value, kind) {
            (Value::U32(v), Some("u32")) => format!("const {name}: u32 = {v}u;"),
            (Value::F32(v), Some("f32")) if v.is_finite() => format!("const {name}: f32 = {v:?}f;"),
            (Value::Type(v), None) => format!("alias {name} = {v};"),
            _ => return Err(format!("{value:?} is nothing for the line `{line}`")),
        });
        found[at] = true;
    }
    match found.iter().position(|f| !f) {
        Some(at) => Err(format!("no single line `const {0}: T = VALUE;` or `alias {0} = TYPE;`", constants[at].0)),
        None => Ok(lines.join("\n") + "\n"),
    }
}

/// Name and type of a top-level constant's line; of an alias's the name alone.
fn replaceable(line: &str) -> Option<(&str, Option<&str>)> {
    let (left, right) = line.split_once('=')?;
    let named = match (left.strip_prefix("const "), left.strip_prefix("alias ")) {
        (Some(constant), _) => constant.split_once(':').map(|(name, kind)| (name.trim(), Some(kind.trim())))?,
        (None, alias) => (alias?.trim(), None),
    };
    right.contains(';').then_some(named)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHADER: &str =
        "const N: u32 = 3u; // how many\nconst EPS: f32 = 1e-3;\nalias M = vec2<f32>;\nfn f() {\n    const N: u32 = 5u;\n}\n";

    #[test]
    fn only_top_level_lines_change_and_f32_keep_every_bit() {
        let eps = f32::from_bits(0x3727_c5ac); // 1e-5, as f32 rounds it
        let text = replaced(SHADER, &[("N", Value::U32(7)), ("EPS", Value::F32(eps))]).unwrap();
        let rest = "fn f() {\n    const N: u32 = 5u;\n}\n";
        assert_eq!(text, format!("const N: u32 = 7u;\nconst EPS: f32 = 1e-5f;\nalias M = vec2<f32>;\n{rest}"));
        let text = replaced(SHADER, &[("M", Value::Type("vec3<f32>"))]).unwrap();
        assert_eq!(text, SHADER.replace("vec2", "vec3"));
        assert_eq!(replaced(SHADER, &[]).unwrap(), SHADER);
    }

    #[test]
    fn unknown_names_types_and_values_are_refused() {
        let (one, half, vector) = (Value::U32(1), Value::F32(0.5), Value::Type("vec3<f32>"));
        let nan = Value::F32(f32::NAN);
        for wrong in [("K", one), ("N", half), ("EPS", one), ("EPS", nan), ("M", one), ("N", vector), ("K", vector)] {
            assert!(replaced(SHADER, &[wrong]).is_err(), "{wrong:?}");
        }
        assert!(text("no such shader", &[]).is_err());
    }
}
