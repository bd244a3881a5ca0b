//! NumPy's `.npy` files (format versions 1.0 to 3.0 read, 1.0 written): memory-mapped arrays of one
//! element type, little-endian, in C order. Source: numpy's `lib/format` documentation.
//!
//! A written header is always 128 bytes, so the data is aligned for `np.load(mmap_mode="r")`, and
//! the header can be written again when the number of rows is known.

use std::fs::File;
use std::io::{BufWriter, Seek, SeekFrom, Write};
use std::marker::PhantomData;
use std::ops::Deref;
use std::path::{Path, PathBuf};

use memmap2::Mmap;

use super::atomic;
use crate::error::{Error, Result};

const MAGIC: &[u8; 6] = b"\x93NUMPY";
/// Bytes of a header as written here.
pub const HEADER: usize = 128;

/// An element type that is the same in memory and in the file.
pub trait Element: bytemuck::Pod {
    /// NumPy's name of the type.
    const DESCR: &'static str;
}

macro_rules! elements {
    ($($t:ty => $descr:literal),*) => { $(impl Element for $t { const DESCR: &'static str = $descr; })* };
}
elements!(u8 => "|u1", i16 => "<i2", u32 => "<u4", u64 => "<u8", i64 => "<i8", f32 => "<f4", f64 => "<f8");

// The files are little-endian and are mapped as they are.
#[cfg(not(target_endian = "little"))]
compile_error!("tagwalk maps little-endian files and runs on little-endian machines only");

/// What a file's header says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// NumPy's name of the element type, `<f4`.
    pub descr: String,
    pub fortran_order: bool,
    pub shape: Vec<usize>,
    /// Where the data begins, in bytes.
    pub data: usize,
}

impl Header {
    /// Reads a header from the beginning of a file; `Err` says what is wrong with it.
    pub fn parse(bytes: &[u8]) -> std::result::Result<Header, String> {
        if bytes.len() < 10 || &bytes[..6] != MAGIC {
            return Err("not a .npy file".into());
        }
        let (length, start) = match bytes[6] {
            1 => (u16::from_le_bytes([bytes[8], bytes[9]]) as usize, 10),
            2 | 3 if bytes.len() >= 12 => (u32::from_le_bytes([bytes[8], bytes[9], bytes[10], bytes[11]]) as usize, 12),
            version => return Err(format!(".npy version {version} is unknown, or its header is cut off")),
        };
        let text = bytes.get(start..start + length).ok_or("its header is cut off")?;
        let text = std::str::from_utf8(text).map_err(|_| "its header is not text")?;
        let mut dict = Dict { rest: text };
        let (descr, fortran_order, shape) = dict.parse().ok_or_else(|| format!("cannot read its header {:.100}", text.trim()))?;
        Ok(Header { descr, fortran_order, shape, data: start + length })
    }

    /// Elements, where that is a number.
    pub fn elements(&self) -> Option<usize> {
        self.shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d))
    }

    /// A header of 128 bytes for an array of one or two dimensions.
    fn bytes<T: Element>(shape: &[usize]) -> [u8; HEADER] {
        let shape = match shape {
            [n] => format!("({n},)"),
            [n, m] => format!("({n}, {m})"),
            _ => panic!("arrays here have one or two dimensions, not {}", shape.len()),
        };
        let dict = format!("{{'descr': '{}', 'fortran_order': False, 'shape': {shape}, }}", T::DESCR);
        let mut header = [b' '; HEADER];
        header[..6].copy_from_slice(MAGIC);
        header[6..10].copy_from_slice(&[1, 0, (HEADER - 10) as u8, 0]);
        header[10..10 + dict.len()].copy_from_slice(dict.as_bytes());
        header[HEADER - 1] = b'\n';
        header
    }
}

/// The header's dictionary: a Python literal with a string, a bool and a tuple.
struct Dict<'a> {
    rest: &'a str,
}

impl<'a> Dict<'a> {
    fn parse(&mut self) -> Option<(String, bool, Vec<usize>)> {
        let (mut descr, mut fortran, mut shape) = (None, None, None);
        self.token("{")?;
        while self.token("}").is_none() {
            let key = self.string()?;
            self.token(":")?;
            match key {
                "descr" => descr = Some(self.string()?.to_string()),
                "fortran_order" => fortran = Some(self.token("True").is_some() || self.token("False").map(|()| false)?),
                "shape" => shape = Some(self.tuple()?),
                _ => return None,
            }
            if self.token(",").is_none() {
                self.token("}")?;
                break;
            }
        }
        Some((descr?, fortran?, shape?))
    }

    fn token(&mut self, token: &str) -> Option<()> {
        self.rest = self.rest.trim_start().strip_prefix(token)?;
        Some(())
    }

    fn string(&mut self) -> Option<&'a str> {
        let quote = if self.token("'").is_some() { '\'' } else { self.token("\"").map(|()| '"')? };
        let (text, rest) = self.rest.split_once(quote)?;
        self.rest = rest;
        Some(text)
    }

    fn tuple(&mut self) -> Option<Vec<usize>> {
        let mut all = Vec::new();
        self.token("(")?;
        while self.token(")").is_none() {
            let rest = self.rest.trim_start();
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            all.push(rest[..digits].parse().ok()?);
            // Python 2 wrote long integers with an L.
            self.rest = rest[digits..].trim_start_matches('L');
            if self.token(",").is_none() {
                self.token(")")?;
                break;
            }
        }
        Some(all)
    }
}

/// A file's bytes, memory-mapped. The file must not be shortened while it is in use.
pub struct Bytes {
    map: Mmap,
}

impl Bytes {
    pub fn open(path: &Path) -> Result<Bytes> {
        let file = File::open(path).map_err(|e| Error::io(path, "cannot open", e))?;
        let meta = file.metadata().map_err(|e| Error::io(path, "cannot read", e))?;
        if !meta.is_file() {
            return Err(Error::input(path, "is not a file"));
        }
        // SAFETY: the map is read only, and every use of it is bounded by the length it had here.
        // A file cut by somebody else meanwhile ends the program with a bus error: the documented limit.
        let map = unsafe { Mmap::map(&file) }.map_err(|e| Error::io(path, "cannot map", e))?;
        Ok(Bytes { map })
    }
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.map
    }
}

/// A memory-mapped array: derefs to its elements, row after row.
pub struct Array<T> {
    bytes: Bytes,
    data: usize,
    shape: Vec<usize>,
    element: PhantomData<T>,
}

impl<T: Element> Array<T> {
    /// Opens a file whose elements are `T` and whose size is exactly what its header says.
    pub fn open(path: &Path) -> Result<Array<T>> {
        let bytes = Bytes::open(path)?;
        let header = Header::parse(&bytes).map_err(|what| Error::input(path, what))?;
        if header.descr != T::DESCR {
            let help = format!("In Python: np.save(path, np.load(path).astype('{}')).", T::DESCR);
            return Err(Error::input(path, format!("holds {}, not {}", header.descr, T::DESCR)).help(help));
        }
        if header.fortran_order && header.shape.len() > 1 {
            return Err(
                Error::input(path, "is in Fortran order").help("In Python: np.save(path, np.ascontiguousarray(np.load(path))).")
            );
        }
        let expected = header.elements().and_then(|n| n.checked_mul(size_of::<T>())).and_then(|n| n.checked_add(header.data));
        if expected != Some(bytes.len()) {
            let what = format!("has {} bytes, but its header says shape {:?} of {}", bytes.len(), header.shape, header.descr);
            return Err(Error::input(path, what).help("The file was cut off or changed: make it again."));
        }
        if bytemuck::try_cast_slice::<u8, T>(&bytes[header.data..]).is_err() {
            return Err(Error::input(path, "its data is not aligned"));
        }
        Ok(Array { bytes, data: header.data, shape: header.shape, element: PhantomData })
    }

    pub fn shape(&self) -> &[usize] {
        &self.shape
    }
}

impl<T: Element> Deref for Array<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        bytemuck::cast_slice(&self.bytes[self.data..])
    }
}

/// Writes an array of one or two dimensions, all or nothing.
pub fn write<T: Element>(path: &Path, shape: &[usize], values: &[T]) -> Result<()> {
    assert_eq!(shape.iter().product::<usize>(), values.len(), "shape {shape:?}");
    let mut writer = Writer::create(path)?;
    writer.push(values)?;
    writer.finish(shape)
}

/// Makes an array of zeros that takes no room on the disk, where its file system knows holes: to try what
/// size alone does.
pub fn write_hole<T: Element>(path: &Path, shape: &[usize]) -> Result<()> {
    let bytes = HEADER + shape.iter().product::<usize>() * size_of::<T>();
    let failed = |e| atomic::failed_write(path, e);
    let mut file = File::create(path).map_err(|e| Error::io(path, "cannot create", e))?;
    file.write_all(&Header::bytes::<T>(shape)).map_err(failed)?;
    file.set_len(bytes as u64).map_err(failed)
}

/// Writes an array bit by bit; it appears under its name when it is finished.
pub struct Writer<T> {
    path: PathBuf,
    file: BufWriter<File>,
    written: usize,
    element: PhantomData<T>,
}

impl<T: Element> Writer<T> {
    pub fn create(path: &Path) -> Result<Writer<T>> {
        let part = atomic::part_path(path);
        let file = File::create(&part).map_err(|e| Error::io(&part, "cannot create", e))?;
        let mut file = BufWriter::with_capacity(1 << 18, file);
        file.write_all(&Header::bytes::<T>(&[0])).map_err(|e| atomic::failed_write(path, e))?;
        Ok(Writer { path: path.to_path_buf(), file, written: 0, element: PhantomData })
    }

    /// Appends elements.
    pub fn push(&mut self, values: &[T]) -> Result<()> {
        self.written += values.len();
        self.file.write_all(bytemuck::cast_slice(values)).map_err(|e| atomic::failed_write(&self.path, e))
    }

    /// Elements so far.
    pub fn len(&self) -> usize {
        self.written
    }

    pub fn is_empty(&self) -> bool {
        self.written == 0
    }

    /// Writes the header and puts the file into its place.
    pub fn finish(mut self, shape: &[usize]) -> Result<()> {
        assert_eq!(shape.iter().product::<usize>(), self.written, "shape {shape:?}");
        let failed = |e| atomic::failed_write(&self.path, e);
        self.file.flush().map_err(failed)?;
        let file = self.file.get_mut();
        file.seek(SeekFrom::Start(0)).map_err(failed)?;
        file.write_all(&Header::bytes::<T>(shape)).map_err(failed)?;
        atomic::commit(file, &self.path)
    }
}
