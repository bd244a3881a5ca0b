//! What a dataset is to an experiment: how many songs, tags and groups it has to offer.

use crate::dataset::{Dataset, Split};

/// See the module's page.
pub struct Sizes {
    pub tags: usize,
    pub groups: usize,
    /// Songs with audio on a side.
    pub heard: usize,
    /// Training songs with audio; those of them that have tags.
    pub training: usize,
    pub tagged: usize,
    pub test: usize,
}

impl Sizes {
    pub fn of(dataset: &Dataset) -> Sizes {
        let count = |side, tagged: bool| {
            let on = |&s: &usize| dataset.split(s) == side && dataset.samples(s) > 0 && (!tagged || dataset.is_tagged(s));
            (0..dataset.songs()).filter(on).count()
        };
        Sizes {
            tags: dataset.vocabulary().len(),
            groups: dataset.manifest().groups,
            heard: [Split::Train, Split::Valid, Split::Test].map(|side| count(side, false)).iter().sum(),
            training: count(Split::Train, false),
            tagged: count(Split::Train, true),
            test: count(Split::Test, true),
        }
    }
}
