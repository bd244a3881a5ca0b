//! safetensors files of f32 tensors: written whole or not at all and always with the same bytes,
//! read tensor by tensor with memory bounded by the file's own size.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use safetensors::Dtype;
use safetensors::tensor::{Metadata, TensorInfo};

use super::atomic;
use crate::error::{Error, Result};

/// A header longer than this is none of ours: it holds a vocabulary and some hundred names.
const LONGEST_HEADER: u64 = 64 << 20;

/// A tensor to be written.
#[derive(Clone, Debug)]
pub struct Tensor<'a> {
    pub name: String,
    pub shape: Vec<usize>,
    pub values: &'a [f32],
}

/// Writes tensors and metadata into `path`, all or nothing. The same content gives the same bytes.
pub fn write(path: &Path, metadata: &BTreeMap<String, String>, tensors: &[Tensor]) -> Result<()> {
    let part = atomic::part_path(path);
    let file = File::create(&part).map_err(|e| Error::io(&part, "cannot create", e))?;
    let written = header(metadata, tensors)
        .map_err(|e| Error::input(path, format!("cannot describe these tensors: {e}")))
        .and_then(|header| write_all(&file, &header, tensors).map_err(|e| atomic::failed_write(path, e)))
        .and_then(|()| atomic::commit(&file, path));
    if written.is_err() {
        // The room it takes may be what is missing; the error that matters is the first.
        let _ = std::fs::remove_file(&part);
    }
    written
}

fn write_all(file: &File, header: &[u8], tensors: &[Tensor]) -> std::io::Result<()> {
    let mut out = BufWriter::with_capacity(1 << 20, file);
    out.write_all(&(header.len() as u64).to_le_bytes())?;
    out.write_all(header)?;
    for tensor in tensors {
        out.write_all(bytemuck::cast_slice(tensor.values))?;
    }
    out.flush()
}

/// The header's JSON with sorted keys, padded to a multiple of 8 bytes.
fn header(metadata: &BTreeMap<String, String>, tensors: &[Tensor]) -> std::result::Result<Vec<u8>, String> {
    let mut end = 0;
    let infos = tensors.iter().map(|t| {
        let start = end;
        end += size_of_val(t.values);
        (t.name.clone(), TensorInfo { dtype: Dtype::F32, shape: t.shape.clone(), data_offsets: (start, end) })
    });
    let metadata: HashMap<String, String> = metadata.clone().into_iter().collect();
    let described = Metadata::new(Some(metadata), infos.collect()).map_err(|e| e.to_string())?;
    // Through a value, whose keys are sorted: the crate's own order changes from run to run.
    let mut bytes = serde_json::to_value(&described).map_err(|e| e.to_string())?.to_string().into_bytes();
    bytes.resize(bytes.len().next_multiple_of(8), b' ');
    Ok(bytes)
}

/// An opened file: its header read and checked, its tensors still on disk.
pub struct Reader {
    path: PathBuf,
    file: File,
    header: Metadata,
    /// Where the tensors begin.
    start: u64,
}

impl Reader {
    /// Opens a file and checks that header and size agree.
    pub fn open(path: &Path) -> Result<Reader> {
        let mut file = File::open(path).map_err(|e| Error::io(path, "cannot open", e))?;
        let meta = file.metadata().map_err(|e| Error::io(path, "cannot read", e))?;
        if !meta.is_file() {
            return Err(Error::input(path, "is not a file"));
        }
        let damaged = |what: String| {
            Error::input(path, format!("is no whole safetensors file: {what}"))
                .help("It was cut off, changed or made by something else: take another checkpoint.")
        };
        let mut length = [0u8; 8];
        file.read_exact(&mut length).map_err(|_| damaged("shorter than 8 bytes".into()))?;
        let length = u64::from_le_bytes(length);
        let rest = meta.len().saturating_sub(8);
        if length > LONGEST_HEADER || length > rest {
            return Err(damaged(format!("its header would have {length} bytes")));
        }
        let mut text = vec![0u8; length as usize];
        file.read_exact(&mut text).map_err(|e| Error::io(path, "cannot read", e))?;
        let header: Metadata = serde_json::from_slice(&text).map_err(|e| damaged(e.to_string()))?;
        if header.data_len() as u64 != rest - length {
            return Err(damaged(format!("it has {} bytes of tensors, its header says {}", rest - length, header.data_len())));
        }
        Ok(Reader { path: path.to_path_buf(), file, header, start: 8 + length })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A text of the metadata.
    pub fn metadata(&self, key: &str) -> Option<&str> {
        self.header.metadata().as_ref()?.get(key).map(String::as_str)
    }

    /// f32 values that the file has room for: a bound for everything read from it.
    pub fn capacity(&self) -> usize {
        self.header.data_len() / size_of::<f32>()
    }

    /// A tensor's values; fails where it is missing, has another shape or type, or holds a value that
    /// is not finite.
    pub fn read(&mut self, name: &str, shape: &[usize]) -> Result<Vec<f32>> {
        let wrong = |what: String| Error::input(&self.path, what);
        let info = self.header.info(name).ok_or_else(|| wrong(format!("has no tensor {name}")))?;
        if info.dtype != Dtype::F32 || info.shape != shape {
            return Err(wrong(format!("tensor {name} is {:?} {:?}, not F32 {shape:?}", info.dtype, info.shape)));
        }
        // The header's offsets agree with the shape and lie within the file: checked at opening.
        let (from, to) = info.data_offsets;
        let mut values = vec![0f32; (to - from) / size_of::<f32>()];
        let mut file = &self.file;
        file.seek(SeekFrom::Start(self.start + from as u64))
            .and_then(|_| file.read_exact(bytemuck::cast_slice_mut(&mut values)))
            .map_err(|e| Error::io(&self.path, "cannot read", e))?;
        match values.iter().position(|v| !v.is_finite()) {
            Some(at) => Err(wrong(format!("tensor {name} holds {} at element {at}", values[at]))
                .help("These weights are damaged: take another checkpoint.")),
            None => Ok(values),
        }
    }
}
