//! Reading what people have: audio, tags, playlists, splits; and `prepare`, which makes a dataset of it.

pub mod audio;
pub mod groups;
pub mod names;
pub mod playlists;
pub mod prepare;
pub mod splits;
pub mod table;
pub mod tags;
pub mod text;
