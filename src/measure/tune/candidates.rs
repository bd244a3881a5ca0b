//! The tile sizes that are tried in each room. The first is what stands untuned; the others are sorted
//! by what they are for, because only measuring tells: many threads with shared memory on GPUs, few
//! threads with large tiles in registers where memory of a workgroup is no faster than any other.

use crate::kernels::{Choice, Family, Precision, Product};

/// A way to compute one of a GPU's products.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    pub family: Family,
    /// Of the family's shader in this room.
    pub tiles: Vec<(&'static str, u32)>,
}

impl Candidate {
    fn tiled(names: [&'static str; 5], sizes: [u32; 5]) -> Candidate {
        Candidate { family: Family::Tiled, tiles: names.into_iter().zip(sizes).collect() }
    }

    /// A choice with this room's part replaced.
    pub fn put(&self, room: &str, choice: &Choice) -> Choice {
        let mut choice = choice.clone();
        choice.tiles.retain(|name, _| name.split('.').next() != Some(room));
        choice.rooms.remove(room);
        if self.family != choice.family {
            choice.rooms.insert(room.into(), self.family);
        }
        let shader = match self.family {
            Family::Tiled => format!("{room}.tiled"),
            Family::Registers | Family::Winograd => format!("{room}.registers"),
            _ => room.to_string(),
        };
        choice.tiles.extend(self.tiles.iter().map(|(name, size)| (format!("{shader}.{name}"), *size)));
        choice
    }
}

/// What is tried in a room, the untuned one first: for GPUs tiles in workgroup memory before those in registers alone,
/// for drivers that compute on the processor the other way round.
pub fn of(room: &str, software: bool) -> Vec<Candidate> {
    let registers = registers(room, software);
    let mut all = vec![Candidate { family: Family::Tiled, tiles: vec![] }];
    if software {
        all.extend(registers);
        all.extend(tiled(room));
    } else {
        all.extend(tiled(room));
        all.extend(registers);
    }
    all.push(Candidate { family: Family::Plain, tiles: vec![] });
    all
}

/// F(3,3) and the direct products in registers. A processor keeps few sums in registers anyway, and gains by loading
/// less; on a GPU more than some thirty fours leave no room for other threads.
fn registers(room: &str, software: bool) -> Vec<Candidate> {
    let sizes: &[[u32; 2]] = match (room == Product::WeightGradient.name(), software) {
        (true, true) => &[[8, 4], [3, 4], [6, 4]],
        (true, false) => &[[2, 2], [2, 4], [1, 4], [4, 2], [3, 3]],
        (false, true) => &[[12, 4], [9, 4], [24, 4], [18, 4]],
        (false, false) => &[[6, 4], [9, 4], [9, 2], [12, 2], [6, 2]],
    };
    let candidate =
        |family: Family, &[rows, quads]: &[u32; 2]| Candidate { family, tiles: vec![("ROWS", rows), ("QUADS", quads)] };
    let both = [Family::Winograd, Family::Registers];
    sizes.iter().flat_map(|sizes| both.map(move |family| candidate(family, sizes))).collect()
}

fn tiled(room: &str) -> Vec<Candidate> {
    if room == Product::WeightGradient.name() {
        const NAMES: [&str; 5] = ["ROW_QUADS", "QUADS", "LANES", "COLUMNS", "DEPTH"];
        // What a workgroup reads it makes from z, p and dy: the more rows, the less often.
        const SIZES: [[u32; 5]; 8] = [
            [4, 2, 8, 8, 16],
            [2, 2, 16, 8, 16],
            [2, 2, 16, 16, 8],
            [2, 2, 8, 16, 16],
            [3, 2, 16, 8, 8],
            [4, 4, 8, 8, 16],
            [4, 2, 4, 8, 16],
            [1, 1, 16, 16, 16],
        ];
        return SIZES.map(|sizes| Candidate::tiled(NAMES, sizes)).to_vec();
    }
    const NAMES: [&str; 5] = ["ROWS", "QUADS", "LANES", "COLUMNS", "DEPTH"];
    const SIZES: [[u32; 5]; 9] = [
        [6, 2, 4, 16, 16],
        [9, 4, 2, 8, 16],
        [9, 2, 4, 16, 16],
        [9, 4, 4, 8, 16],
        [6, 1, 8, 32, 8],
        [12, 2, 4, 8, 16],
        [3, 2, 16, 8, 16],
        [6, 2, 4, 8, 32],
        [3, 1, 16, 16, 16],
    ];
    SIZES.map(|sizes| Candidate::tiled(NAMES, sizes)).to_vec()
}

/// What is tried in a room in mixed precision on an adapter with cooperative matrices of these sizes, whose shaders come
/// first of what is not untuned: they are what such an adapter is for.
pub fn mixed(room: &str, cooperative_sizes: &[u8]) -> Vec<Candidate> {
    let mut all = of(room, false);
    all.retain(|candidate| candidate.family.has(Precision::Mixed));
    let cooperative = cooperative_sizes.iter().map(|&size| Candidate { family: Family::Cooperative(size), tiles: vec![] });
    all.splice(1..1, cooperative);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_candidate_can_be_and_leaves_the_other_rooms_alone() {
        for (room, software) in Product::ALL.into_iter().map(Product::name).flat_map(|room| [(room, true), (room, false)]) {
            for candidate in of(room, software) {
                let choice = candidate.put(room, &Choice::gpu(Family::Tiled));
                choice.check().unwrap_or_else(|e| panic!("{room} {candidate:?}: {e}"));
                assert!(choice.tiles.keys().chain(choice.rooms.keys()).all(|name| name.starts_with(room)));
                assert_eq!(
                    of(room, software)[0].put(room, &choice),
                    Choice::gpu(Family::Tiled),
                    "the first is what stands untuned"
                );
            }
            let untuned = Choice::gpu(Family::Tiled).in_precision(Precision::Mixed);
            for candidate in mixed(room, &[16, 8]) {
                candidate.put(room, &untuned).check().unwrap_or_else(|e| panic!("{room} {candidate:?}: {e}"));
            }
            assert_eq!(mixed(room, &[])[0].put(room, &untuned), untuned);
            assert_eq!(mixed(room, &[8])[1].put(room, &untuned).cooperative_size(), Some(8));
        }
    }
}
