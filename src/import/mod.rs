//! Reading what people have: audio, tags, playlists, splits; and `prepare`, which makes a dataset of it.

pub mod audio;
pub mod contexts;
pub mod counts;
pub mod groups;
pub mod msd;
pub mod names;
pub mod pickle;
pub mod playlists;
pub mod prepare;
pub mod splits;
pub mod sqlite;
pub mod table;
pub mod tags;
pub mod text;
pub mod titles;
