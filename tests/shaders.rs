//! Every shader, without any driver: it parses and validates, naga translates it to SPIR-V and to Metal's
//! language, and it fits what its kernel's room says of it (bindings, access, element types,
//! constants, entry points), within WebGPU's limits.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use naga::valid::{Capabilities, GlobalUse, ModuleInfo, ValidationFlags, Validator};
use naga::{AddressSpace, Module, ScalarKind, ShaderStage, StorageAccess, TypeInner};
use tagwalk::kernels::batch_norm_backward::BatchNormBackward;
use tagwalk::kernels::batch_norm_forward::BatchNormForward;
use tagwalk::kernels::conv_backward::ConvBackward;
use tagwalk::kernels::conv_forward::ConvForward;
use tagwalk::kernels::dense_backward::DenseBackward;
use tagwalk::kernels::dense_forward::DenseForward;
use tagwalk::kernels::gpu::{Dispatch, Limits};
use tagwalk::kernels::loss::Loss;
use tagwalk::kernels::pack_weights::PackWeights;
use tagwalk::kernels::sgd::Sgd;
use tagwalk::kernels::{Access, Choice, Family, Kernel, Precision, Product, cooperative, shaders};
use tagwalk::measure::tune::candidates;
use tagwalk::network::family::member;
use tagwalk::plan::{Settings, training};
use tagwalk::tensor::DType;

/// What naga is told that the adapter has: nothing beyond WGSL but for the shaders of cooperative matrices.
fn capabilities(name: &str) -> Capabilities {
    match name.contains("cooperative") {
        true => {
            Capabilities::SHADER_FLOAT16_IN_FLOAT32
                | Capabilities::SHADER_FLOAT16
                | Capabilities::SUBGROUP
                | Capabilities::COOPERATIVE_MATRIX
        }
        false => Capabilities::SHADER_FLOAT16_IN_FLOAT32,
    }
}

fn parse(name: &str, text: &str) -> (Module, ModuleInfo) {
    let module = naga::front::wgsl::parse_str(text).unwrap_or_else(|e| panic!("{name}: {}", e.emit_to_string(text)));
    // Packed halves are in WGSL itself; naga asks whether a backend has them, and both do.
    let mut validator = Validator::new(ValidationFlags::all(), capabilities(name));
    let info = validator.validate(&module).unwrap_or_else(|e| panic!("{name}: {}", e.emit_to_string(text)));
    (module, info)
}

fn translate(name: &str, module: &Module, info: &ModuleInfo) {
    use naga::back::{msl, spv};
    for entry in &module.entry_points {
        let options = spv::Options { lang_version: (1, 3), ..Default::default() };
        let pipeline = spv::PipelineOptions { shader_stage: ShaderStage::Compute, entry_point: entry.name.clone() };
        let words = spv::write_vec(module, info, &options, Some(&pipeline)).unwrap_or_else(|e| panic!("{name} to SPIR-V: {e}"));
        assert_eq!(words[0], 0x0723_0203, "SPIR-V's magic number");
        let options = msl::Options { lang_version: (2, 4), fake_missing_bindings: true, ..Default::default() };
        let pipeline =
            msl::PipelineOptions { entry_point: Some((ShaderStage::Compute, entry.name.clone())), ..Default::default() };
        let (metal, _) = msl::write_string(module, info, &options, &pipeline).unwrap_or_else(|e| panic!("{name} to Metal: {e}"));
        assert!(metal.contains("kernel void"), "{name}");
    }
}

#[test]
fn every_shader_is_valid_as_it_stands_and_translates() {
    for (name, text) in shaders::TABLE {
        let (module, info) = parse(name, text);
        assert!(!module.entry_points.is_empty(), "{name}");
        translate(name, &module, &info);
    }
}

/// A buffer's type is a flat array: what its indices are stands beside it.
#[test]
fn every_binding_says_its_layout() {
    let mut bindings = 0;
    for (name, text) in shaders::TABLE {
        for line in text.lines().filter(|line| line.starts_with("@group(0)")) {
            let layout = line.split_once("; // [").and_then(|(_, comment)| comment.split_once(']'));
            assert!(layout.is_some_and(|(indices, _)| !indices.is_empty()), "{name}: {line}");
            bindings += 1;
        }
        assert_eq!(text.matches("@binding").count(), text.matches("\n@group(0) @binding").count(), "{name}");
    }
    assert!(bindings > 100, "{bindings}");
}

#[test]
fn every_file_is_in_the_table() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/shaders");
    let files: BTreeSet<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|f| f.unwrap().file_name().into_string().unwrap().strip_suffix(".wgsl").expect("only shaders").to_owned())
        .collect();
    let table: BTreeSet<String> = shaders::TABLE.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(files, table);
}

/// Storage buffers that a dispatch may bind: what the input's gradient of a convolution needs. WebGPU itself
/// promises 8; an adapter with too few is refused by name when a plan is loaded.
const STORAGE_BUFFERS: usize = 10;

/// One dispatch against its shader.
fn check(kernel: &dyn Kernel, dispatch: &Dispatch, limits: &Limits) {
    let name = format!("{} of {kernel:?}", dispatch.shader);
    let (module, info) = parse(&name, &shaders::text(dispatch.shader, &dispatch.constants).unwrap());
    let at = module.entry_points.iter().position(|e| e.name == dispatch.entry);
    let at = at.unwrap_or_else(|| panic!("{name} has no entry point {}", dispatch.entry));
    let operands = kernel.operands();
    let uses = info.get_entry_point(at);
    let mut layouter = naga::proc::Layouter::default();
    layouter.update(module.to_ctx()).unwrap();

    assert!(dispatch.bindings.len() <= STORAGE_BUFFERS, "{name}: {} bindings", dispatch.bindings.len());
    let mut bound = BTreeSet::new();
    let mut workgroup_memory = 0;
    for (handle, variable) in module.global_variables.iter().filter(|(h, _)| !uses[*h].is_empty()) {
        let variable_name = variable.name.as_deref().unwrap_or_default();
        match variable.space {
            AddressSpace::WorkGroup => workgroup_memory += layouter[variable.ty].size.next_multiple_of(16),
            AddressSpace::Storage { access } => {
                let place = variable.binding.as_ref().unwrap();
                assert_eq!(place.group, 0, "{name}");
                let binding = dispatch.bindings.get(place.binding as usize);
                let binding = binding.unwrap_or_else(|| panic!("{name}: nothing bound to {variable_name}"));
                let operand = &operands[binding.operand];
                let read_only = !access.contains(StorageAccess::STORE);
                assert_eq!(read_only, binding.access == Access::Read, "{name}: {variable_name}");
                if operand.access == Access::Read {
                    assert!(!uses[handle].contains(GlobalUse::WRITE), "{name} writes {}", operand.name);
                }
                let TypeInner::Array { base, .. } = module.types[variable.ty].inner else { panic!("{name}: {variable_name}") };
                let scalar = module.types[base].inner.scalar().unwrap();
                // Words of any sort may be read as u32 and bitcast; floats only where there are floats. What stands in for an
                // operand that a call has not is never touched, whatever it holds.
                let stands_in = ["mask", "z", "p", "partials"].contains(&variable_name) && operand.name != variable_name;
                let floats = scalar.kind == ScalarKind::Float && (operand.dtype == DType::F32 || stands_in);
                let fits = scalar.kind == ScalarKind::Uint || floats;
                assert!(fits && scalar.width == 4, "{name}: {variable_name} is {scalar:?}, {} {:?}", operand.name, operand.dtype);
                bound.insert(place.binding as usize);
            }
            AddressSpace::Private => {}
            space => panic!("{name}: {variable_name} lies in {space:?}"),
        }
    }
    assert_eq!(bound, (0..dispatch.bindings.len()).collect(), "{name}: bindings that the entry point reaches");
    assert!(workgroup_memory <= limits.workgroup_memory, "{name}: {workgroup_memory} bytes of workgroup memory");
    let size: u32 = module.entry_points[at].workgroup_size.iter().product();
    assert!(size > 0 && size <= limits.invocations, "{name}: {size} invocations");
    assert!(dispatch.workgroups.iter().all(|g| (1..=limits.max_workgroups).contains(g)), "{name}: {:?}", dispatch.workgroups);
    for binding in &dispatch.bindings {
        let operand = &operands[binding.operand];
        let what = format!("{name}: {} {binding:?}", operand.name);
        assert!(binding.length > 0 && binding.length <= limits.max_binding, "{what}");
        assert!(binding.offset + binding.length <= operand.bytes() as u64, "{what}");
        assert_eq!(binding.offset % limits.alignment, 0, "{what}");
        assert_eq!(binding.length % 4, 0, "{what}");
        if operand.access == Access::Read {
            assert_eq!(binding.access, Access::Read, "{what}");
        }
    }
}

/// The cases of every room, and the calls of whole plans.
fn kernels(choice: &Choice) -> Vec<Arc<dyn Kernel>> {
    fn all<K: Kernel + 'static>(cases: Vec<K>) -> impl Iterator<Item = Arc<dyn Kernel>> {
        cases.into_iter().map(|k| Arc::new(k) as Arc<dyn Kernel>)
    }
    let mut kernels: Vec<Arc<dyn Kernel>> = Vec::new();
    kernels.extend(all(ConvForward::cases(choice)));
    kernels.extend(all(ConvBackward::cases(choice)));
    kernels.extend(all(BatchNormForward::cases(choice)));
    kernels.extend(all(BatchNormBackward::cases(choice)));
    kernels.extend(all(DenseForward::cases(choice)));
    kernels.extend(all(DenseBackward::cases(choice)));
    kernels.extend(all(Loss::cases(choice)));
    kernels.extend(all(PackWeights::cases(choice)));
    kernels.extend(all(Sgd::cases(choice)));
    for (name, tags, batch) in [("3^9", 50, 23), ("3^9", 1000, 64), ("3^5-81", 22, 23), ("2^13", 50, 5), ("5^5", 50, 1)] {
        let settings = Settings { batch, mean: true, lambda: 0.3, unbiased_variance: false, choice: choice.clone() };
        let plan = training(&member(name, tags).unwrap(), &settings).unwrap();
        kernels.extend(plan.steps.into_iter().map(|step| step.kernel));
    }
    kernels
}

#[test]
fn every_dispatch_fits_its_shader_within_webgpus_limits() {
    let mut seen = BTreeSet::new();
    let mixed = |family| Choice::gpu(family).in_precision(Precision::Mixed);
    let sizes = cooperative::SIZES.map(|size| mixed(Family::Cooperative(size)));
    let f32s = [Family::Plain, Family::Tiled, Family::Registers, Family::Winograd].map(Choice::gpu);
    for choice in f32s.into_iter().chain([mixed(Family::Tiled)]).chain(sizes) {
        for kernel in kernels(&choice) {
            let dispatches = kernel.dispatches(&Limits::WEBGPU);
            assert!(!dispatches.is_empty(), "{kernel:?}");
            for dispatch in &dispatches {
                check(&*kernel, dispatch, &Limits::WEBGPU);
                seen.insert(dispatch.shader);
            }
            // The same kernel and limits give the same dispatches: a plan is data.
            assert_eq!(dispatches, kernel.dispatches(&Limits::WEBGPU));
        }
    }
    let table: BTreeSet<&str> = shaders::TABLE.iter().map(|(name, _)| *name).collect();
    assert_eq!(seen, table, "shaders that no kernel uses");
}

/// The same of everything that tuning tries.
#[test]
fn every_candidate_fits_its_shader_within_webgpus_limits() {
    for (product, software) in Product::ALL.into_iter().flat_map(|product| [(product, true), (product, false)]) {
        let room = product.name();
        for candidate in candidates::of(room, software) {
            let choice = candidate.put(room, &Choice::gpu(Family::Tiled));
            let kernels: Vec<Box<dyn Kernel>> = match product {
                Product::Forward => ConvForward::cases(&choice).into_iter().map(|k| Box::new(k) as Box<dyn Kernel>).collect(),
                _ => ConvBackward::cases(&choice).into_iter().map(|k| Box::new(k) as Box<dyn Kernel>).collect(),
            };
            for kernel in &kernels {
                for dispatch in kernel.dispatches(&Limits::WEBGPU).iter().filter(|d| d.shader.starts_with(room)) {
                    check(&**kernel, dispatch, &Limits::WEBGPU);
                }
            }
        }
    }
}

#[test]
fn grids_stay_within_the_limits_and_cover_everything() {
    use tagwalk::kernels::gpu::grid;
    for groups in [1, 2, 65_535, 65_536, 104_976, 1_000_003, 4_000_000_000] {
        let [x, y, z] = grid(groups, &Limits::WEBGPU);
        assert!(x <= 65_535 && y <= 65_535 && z == 1);
        let all = u64::from(x) * u64::from(y);
        assert!(all >= groups as u64 && all < groups as u64 + u64::from(y), "{groups}: {x} x {y}");
    }
}

/// A shader's SIZE is a number and its matrices' size a type: they are exchanged together, all of them.
#[test]
fn cooperative_shaders_have_matrices_of_the_size_that_is_chosen() {
    use naga::CooperativeSize::{Eight, Sixteen};
    for (product, (size, of)) in Product::ALL.into_iter().flat_map(|product| [(product, (8, Eight)), (product, (16, Sixteen))]) {
        let name = product.shader(Family::Cooperative(size));
        let (module, info) = parse(name, &shaders::text(name, &cooperative::matrices(size)).unwrap());
        translate(name, &module, &info);
        let sizes = module.types.iter().filter_map(|(_, t)| match t.inner {
            TypeInner::CooperativeMatrix { columns, rows, .. } => Some((columns, rows)),
            _ => None,
        });
        let sizes: Vec<_> = sizes.collect();
        assert!(sizes.len() >= 3 && sizes.iter().all(|&s| s == (of, of)), "{name}: {sizes:?}");
        let constant = |name: &str| {
            let found = module.constants.iter().find(|(_, c)| c.name.as_deref() == Some(name)).map(|(_, c)| c.init);
            found.map(|init| match module.global_expressions[init] {
                naga::Expression::Literal(naga::Literal::U32(value)) => value,
                ref other => panic!("{name} is no number: {other:?}"),
            })
        };
        assert_eq!(constant("SIZE"), Some(u32::from(size)), "{name}");
        // What a workgroup owns is cut into whole matrices.
        for cut in ["SPAN", "WIDTH", "DEPTH"].into_iter().filter_map(constant) {
            assert!(cut.is_multiple_of(u32::from(size)), "{name}: {cut} by {size}");
        }
    }
}

/// Functions that only have their name in common.
const DIFFERENT: [&str; 8] = ["main", "fill_held", "fill_panel", "write_statistics", "join", "feature", "weight", "gradient"];

/// The plain convolutions read f32 alone, and so read their operands by functions of their own, one text among the three.
const PLAIN: [&str; 3] = ["conv_forward", "conv_input_gradient", "conv_weight_gradient"];
const OF_PLAIN: [&str; 2] = ["below", "dz"];

/// Each shader is valid as it stands, so what several need is written in each: with one text.
/// And no sum depends on who comes first.
#[test]
fn repeated_functions_have_one_text_and_nothing_is_atomic() {
    let mut functions: BTreeMap<(&str, bool), Vec<(&str, &str)>> = BTreeMap::new();
    for &(shader, text) in shaders::TABLE {
        assert!(!text.contains("atomic"), "{shader}");
        for (start, _) in text.match_indices("\nfn ") {
            let function = &text[start..][..text[start..].find("\n}\n").expect("a function ends")];
            let name = function["\nfn ".len()..].split('(').next().unwrap();
            let plain = PLAIN.contains(&shader) && OF_PLAIN.contains(&name);
            functions.entry((name, plain)).or_default().push((shader, function));
        }
    }
    let mut repeated = 0;
    for ((name, _), texts) in &functions {
        let (first, one) = texts[0];
        let other = texts.iter().find(|(_, text)| *text != one);
        if DIFFERENT.contains(name) {
            assert!(other.is_some(), "{name} has one text");
        } else if let Some((other, _)) = other {
            panic!("{name} in {first} and in {other}");
        } else {
            repeated += texts.len() - 1;
        }
    }
    assert!(repeated >= 40, "only {repeated} repetitions found");
}
