//! A run's folder, written so that nothing in it is ever half-written.
//!
//! | file | what |
//! |---|---|
//! | `config.json` | everything that decides the run's numbers: network, settings, dataset, seed, what `train/` chose |
//! | `metrics.jsonl` | a line a step and an epoch, appended |
//! | `best.safetensors` | weights and running statistics of the best epoch, with vocabulary, sample rate and network: all that tagging needs |
//! | `last.safetensors` | the same at the last checkpoint, with momenta and position: all that `--resume` needs |
//! | `step-N.safetensors` | the checkpoint after step N, where a run keeps them all |
//! | `lock` | held while a run is training here |

pub mod checkpoint;
pub mod config;
pub mod folder;
pub mod interrupt;
pub mod log;

pub use checkpoint::{About, Checkpoint, Position, Weights};
pub use config::Config;
pub use folder::Run;
pub use log::Log;

/// Names of the files.
pub mod files {
    pub const CONFIG: &str = "config.json";
    pub const METRICS: &str = "metrics.jsonl";
    pub const BEST: &str = "best.safetensors";
    pub const LAST: &str = "last.safetensors";
    pub const LOCK: &str = "lock";

    /// The checkpoint after so many steps.
    pub fn kept(steps: u64) -> String {
        format!("step-{steps}.safetensors")
    }
}
