//! Training: the loop over steps and epochs, its schedule, validation, checkpoints.
//!
//! | file | what |
//! |---|---|
//! | [`schedule`] | rates over time, early stopping |
//! | [`options`] | what a run chose beside network and settings, kept in `config.json` |
//! | [`trainer`] | a network being trained on a device: steps, losses, weights in and out |
//! | [`validation`] | the own term on the validation songs |
//! | [`batches`] | a run's first steps as files, for other programs |
//! | [`session`] | a run from its folder's beginning or checkpoint to its end |

pub mod batches;
#[warn(missing_docs)]
pub mod options;
pub mod schedule;
pub mod session;
pub mod trainer;
pub mod validation;

pub use options::Options;
pub use schedule::{Rule, Schedule};
pub use session::{Cadence, Ending, Event, Left, Session};
pub use trainer::Trainer;
