//! Validation loss: the own term on the first segments of the validation songs that have a tag,
//! with running statistics and without dropout (`paper.md`, 0.21).

use crate::batch::{self, Inputs, Segments};
use crate::dataset::{Dataset, Split};
use crate::device::Program;
use crate::error::Result;
use crate::network::Network;
use crate::plan::names;
use crate::plan::{Run, Settings};
use crate::playlists::Labels;

/// The songs that count: in the validation split, with audio and a tag.
pub fn songs(dataset: &Dataset) -> Vec<u32> {
    Segments::songs_of(dataset, Split::Valid).into_iter().filter(|&s| dataset.is_tagged(s as usize)).collect()
}

/// Mean own loss a song, in the unit of the training loss: a mean over tags, or their sum.
/// `None` without songs.
pub fn loss(
    program: &mut dyn Program,
    labels: &Labels,
    songs: &[u32],
    network: &Network,
    settings: &Settings,
) -> Result<Option<f64>> {
    if songs.is_empty() {
        return Ok(None);
    }
    let segments = Segments::new(labels, network, songs.to_vec(), settings.batch);
    let mut batch = segments.batch()?;
    let inputs = Inputs::of(program.plan());
    let losses = program.plan().expect(names::LOSSES);
    let mut out = vec![0.0f32; 2 * settings.batch];
    let (mut total, mut weight) = (0.0f64, 0.0f64);
    for i in 0..segments.batches() {
        segments.fill(i, &mut batch);
        batch::upload(program, &inputs, &batch)?;
        let ticket = program.submit(Run::Evaluate)?;
        program.output(ticket, losses, bytemuck::cast_slice_mut(&mut out))?;
        total += out.iter().step_by(2).map(|&v| f64::from(v)).sum::<f64>();
        weight += batch.weights[..settings.batch].iter().map(|&w| f64::from(w)).sum::<f64>();
    }
    // The kernel divides by its whole batch, also where places of it are empty.
    let each = if settings.mean { settings.batch as f64 } else { 1.0 };
    Ok(Some(total * each / weight))
}
