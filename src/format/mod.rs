//! Small file formats that several folders read and write.

pub mod atomic;
pub mod csv;
mod hex;
pub mod html;
pub mod json_lines;
pub mod matrix;
pub mod npy;
pub mod pairs;
pub mod safetensors;
pub mod svg;
pub mod table;

pub use hex::hex;
