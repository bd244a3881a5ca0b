//! Experiments: arms that differ in one thing, trained on one dataset and compared song by song.
//!
//! | file | what |
//! |---|---|
//! | `audio` | statistics of songs' sound, and the songs nearest by them |
//! | [`arms`] | the arms by name: what each does with tags and playlists |
//! | `floor` | linear models on songs' log-mel statistics, trained on the labels that a network would be |
//! | [`groups`] | the mean tags of a song's group as a predictor |
//! | [`linear`] | logistic regression, the floor |
//! | [`recovery`] | missing tags that propagation recovers and wrong ones it adds, exactly |
//! | [`trial`] | one arm trained and scored |
//! | `world` | made-up songs, tags and playlists of which the truth is known |
//! | [`comparison`] | arms side by side: figures, differences, intervals |
//! | `grid` | runs in a folder that any number of processes share: done once, kept as rows |
//! | `report` | what a grid's rows say: tables, the paper's figures, one page |

pub mod arms;
#[cfg(feature = "baselines")]
pub mod audio;
pub mod comparison;
#[cfg(feature = "baselines")]
pub mod floor;
#[cfg(feature = "report")]
pub mod grid;
pub mod groups;
pub mod linear;
pub mod recovery;
#[cfg(feature = "report")]
pub mod report;
pub mod trial;
#[cfg(feature = "import")]
pub mod world;

pub use arms::Arm;
