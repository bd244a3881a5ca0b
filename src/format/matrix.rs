//! A table of numbers from somebody else's `.npy` file: two dimensions, any of numpy's plain
//! number types, either byte order, C or Fortran order.

use std::path::Path;

use super::npy::{Bytes, Header};
use crate::error::{Error, Result};

/// Values row after row. 32-bit floats stay what they are, because rounding would make or break
/// ties; everything else fits into f64.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    F32(Vec<f32>),
    F64(Vec<f64>),
}

#[derive(Clone, Debug, PartialEq)]
pub struct Matrix {
    /// Rows, columns.
    pub shape: [usize; 2],
    pub values: Values,
}

impl Matrix {
    /// Reads a file whole. Fails where it is no such array, or is cut off.
    pub fn read(path: &Path) -> Result<Matrix> {
        let bytes = Bytes::open(path)?;
        Matrix::parse(&bytes).map_err(|(what, help)| {
            let error = Error::input(path, what);
            if help.is_empty() { error } else { error.help(help) }
        })
    }

    /// Reads an array from the bytes of a file; `Err` is what is wrong and what to do.
    pub fn parse(bytes: &[u8]) -> std::result::Result<Matrix, (String, &'static str)> {
        let header = Header::parse(bytes).map_err(|what| (what, "Write it with numpy.save(path, array)."))?;
        let &[rows, columns] = header.shape.as_slice() else {
            let help = "It needs two dimensions, [songs, tags].";
            return Err((format!("has shape {:?}", header.shape), help));
        };
        let mut kind = header.descr.chars();
        let big = match kind.next() {
            Some('<' | '|' | '=') => false,
            Some('>') => true,
            _ => return Err(unknown(&header.descr)),
        };
        let kind = kind.as_str();
        let data = bytes.get(header.data..).unwrap_or(&[]);
        let elements = rows.checked_mul(columns);
        // Bounded by what the file holds before anything is allocated.
        let all = |width: usize| {
            if elements.and_then(|n| n.checked_mul(width)) != Some(data.len()) {
                let what =
                    format!("has {} bytes of data, but its header says {rows} x {columns} of {}", data.len(), header.descr);
                return Err((what, "The file was cut off or changed: make it again."));
            }
            let at = move |row: usize, column: usize| {
                if header.fortran_order { column * rows + row } else { row * columns + column }
            };
            // By elements, not by rows: there may be 2^60 rows of nothing.
            let places = (0..elements.unwrap_or(0)).map(move |i| at(i / columns, i % columns) * width);
            // Eight bytes, the element's at the end that its order begins with.
            Ok(places.map(move |at| {
                let mut element = [0u8; 8];
                element[..width].copy_from_slice(&data[at..at + width]);
                if big {
                    element[..width].reverse();
                }
                element
            }))
        };
        let low = |e: [u8; 8]| u32::from_le_bytes([e[0], e[1], e[2], e[3]]);
        let signed = |e: [u8; 8], bits: u32| (i64::from_le_bytes(e) << (64 - bits)) >> (64 - bits);
        let values = match kind {
            "f4" => Values::F32(all(4)?.map(|e| f32::from_bits(low(e))).collect()),
            "f8" => Values::F64(all(8)?.map(f64::from_le_bytes).collect()),
            "b1" | "u1" => Values::F64(all(1)?.map(|e| f64::from(e[0])).collect()),
            "u2" => Values::F64(all(2)?.map(|e| f64::from(low(e))).collect()),
            "u4" => Values::F64(all(4)?.map(|e| f64::from(low(e))).collect()),
            "i1" => Values::F64(all(1)?.map(|e| signed(e, 8) as f64).collect()),
            "i2" => Values::F64(all(2)?.map(|e| signed(e, 16) as f64).collect()),
            "i4" => Values::F64(all(4)?.map(|e| signed(e, 32) as f64).collect()),
            "i8" | "u8" => {
                let exact = |e: [u8; 8]| {
                    let value = if kind == "i8" { i64::from_le_bytes(e).into() } else { i128::from(u64::from_le_bytes(e)) };
                    (value.unsigned_abs() <= 1 << 53).then_some(value as f64)
                };
                let values: Option<Vec<f64>> = all(8)?.map(exact).collect();
                let help = "Ranks are enough: numpy.argsort twice.";
                Values::F64(
                    values.ok_or_else(|| ("holds whole numbers beyond 2^53, which f64 cannot tell apart".to_string(), help))?,
                )
            }
            _ => return Err(unknown(&header.descr)),
        };
        Ok(Matrix { shape: [rows, columns], values })
    }
}

fn unknown(descr: &str) -> (String, &'static str) {
    (format!("holds elements of type {descr}"), "Save it as float32: numpy.save(path, array.astype('float32')).")
}
