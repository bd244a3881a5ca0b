//! tagwalk: music auto-tagging with playlist-based tag propagation.
//!
//! A map of the crate, in the order in which data flows and modules may use each other:
//!
//! | module | what |
//! |---|---|
//! | [`error`], [`random`], [`format`](mod@format) | errors for people, the only source of chance, small file formats |
//! | [`dataset`], `import`, [`playlists`] | the dataset folder, reading what people have into it, walks along playlists |
//! | [`network`], [`tensor`], [`kernels`], [`plan`], [`device`] | the network as a table, its kernels, the plan of a step, the devices that run it |
//! | [`batch`], [`run`], [`measure`], [`evaluate`], [`train`] | a step's buffers, a run's folder, checks and benches, metrics, the loop |
//! | [`experiment`], [`commands`] | arms, grids and reports, the command line |

pub mod batch;
pub mod commands;
pub mod dataset;
#[warn(missing_docs)]
pub mod device;
pub mod error;
pub mod evaluate;
pub mod experiment;
pub mod format;
#[cfg(feature = "import")]
pub mod import;
pub mod kernels;
pub mod measure;
pub mod network;
#[warn(missing_docs)]
pub mod plan;
pub mod playlists;
pub mod random;
pub mod run;
#[warn(missing_docs)]
pub mod tensor;
pub mod train;
