//! Walks along playlists: eqs. (2) and (4) and the walk in all its readings, exactly and drawn;
//! the labels a song borrows by them; how alike songs are by their distance in a playlist.
//!
//! | file | what |
//! |---|---|
//! | `bits` | a set of songs |
//! | [`contexts`] | what walks go along: playlists, groups, lists of files, alone or mixed |
//! | `options` | what a run can choose, by name |
//! | `walks` | playlists as the walks see them: who can be chosen, where each song begins |
//! | `law` | the exact distribution of every reading |
//! | `controls` | who lends in place of the song that was drawn |
//! | `draw` | drawing from it |
//! | [`explain`] | by which ways a tag comes to a song, exactly |
//! | `flags` | options as flags of `tagwalk train` |
//! | [`hops`] | labels that have gone several hops |
//! | `tags` | tags after a run's removal, and who may lend them |
//! | `labels` | what a clip is trained on: own and propagated labels and their weights |
//! | `similarity` | cosine of tag vectors by distance (Fig. 2) |

mod bits;
pub mod contexts;
mod controls;
mod draw;
pub mod explain;
mod flags;
pub mod hops;
mod labels;
mod law;
pub mod options;
mod similarity;
mod tags;
mod walks;

pub use bits::Bits;
pub use contexts::Contexts;
pub use controls::Substitutes;
pub use labels::{Labels, Row};
pub use law::{Exact, Outcome};
pub use options::{Lend, Mode, Options, RandomLenders, Reading, TagWeights, Untagged, UntaggedLenders};
pub use similarity::{Pairs, shuffled, similarity};
pub use tags::Tags;
pub use walks::Walks;
