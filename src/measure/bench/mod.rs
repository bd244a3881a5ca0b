//! How fast something is, as figures that can be compared: medians with their spread.
//!
//! | file | what |
//! |---|---|
//! | `step` | whole steps of a network, on made-up clips or a dataset's |
//! | `calls` | each kernel call of a step, checked before it is timed |
//! | `walks` | walks and rows of labels |
//! | `audio` | decoding and resampling, beside ffmpeg |
//! | `compare` | two files of results side by side |
//! | `quantiles` | order statistics |

#[cfg(feature = "import")]
pub mod audio;
pub mod calls;
pub mod compare;
mod quantiles;
pub mod step;
pub mod walks;

pub use quantiles::Quantiles;
