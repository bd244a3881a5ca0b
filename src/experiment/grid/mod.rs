//! A grid of runs: each is a plain training run and its evaluation, known by the hash of everything that
//! decides its numbers. What is finished lies as rows in a folder that any number of processes share.
//!
//! | file | what |
//! |---|---|
//! | [`job`] | one run: its configuration, its hash, its plain commands |
//! | [`sizes`] | what a dataset has to offer |
//! | [`spec`] | which runs: arms, ranges, seeds, vocabularies |
//! | [`store`] | the folder: rows written whole, read with suspicion, claimed by one process at a time |
//! | [`row`] | what is kept of a run |
//! | [`work`] | a job done: trained or gone on with, scored, kept |
//! | [`floor`] | what needs no network, fitted in a run's place |
//! | [`measured`] | the row of a run that has ended |
//! | [`crew`] | several at once, as many as memory allows; what they cost, measured before they begin |

pub mod crew;
pub mod floor;
pub mod job;
pub mod measured;
pub mod row;
pub mod sizes;
pub mod spec;
pub mod store;
pub mod work;

pub use job::Job;
pub use row::{Finished, Row, TagRow};
pub use sizes::Sizes;
pub use spec::Spec;
pub use store::Store;
