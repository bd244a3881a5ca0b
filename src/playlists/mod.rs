//! Walks along playlists: eqs. (2) and (4) and the walk in all its readings, exactly and drawn;
//! the labels a song borrows by them; how alike songs are by their distance in a playlist.
//!
//! | file | what |
//! |---|---|
//! | `bits` | a set of songs |
//! | `options` | what a run can choose, by name |
//! | `walks` | playlists as the walks see them: who can be chosen, where each song begins |
//! | `law` | the exact distribution of every reading |
//! | `draw` | drawing from it |
//! | `tags` | tags after a run's removal, and who may lend them |
//! | `labels` | what a clip is trained on: own and propagated labels and their weights |
//! | `similarity` | cosine of tag vectors by distance (Fig. 2) |

mod bits;
mod draw;
mod labels;
mod law;
mod options;
mod similarity;
mod tags;
mod walks;

pub use bits::Bits;
pub use labels::{Labels, Row};
pub use law::{Exact, Outcome};
pub use options::{Lend, Mode, Options, Reading, Untagged, UntaggedLenders};
pub use similarity::{Pairs, shuffled, similarity};
pub use tags::Tags;
pub use walks::Walks;
