//! Validation loss: the own term on the first segments of the validation songs that have a tag,
//! with running statistics and without dropout (`paper.md`, 0.21).

use crate::dataset::{Dataset, Split};
use crate::device::Program;
use crate::error::Result;
use crate::network::Network;
use crate::plan::build::names;
use crate::plan::{Run, Settings};

/// The songs that count: in the validation split, with audio and a tag.
pub fn songs(dataset: &Dataset) -> Vec<usize> {
    (0..dataset.songs()).filter(|&s| dataset.split(s) == Split::Valid && dataset.samples(s) > 0 && dataset.is_tagged(s)).collect()
}

/// Mean own loss a song, in the unit of the training loss: a mean over tags, or their sum.
/// `None` without songs.
pub fn loss(
    program: &mut dyn Program,
    dataset: &Dataset,
    songs: &[usize],
    network: &Network,
    settings: &Settings,
) -> Result<Option<f64>> {
    if songs.is_empty() {
        return Ok(None);
    }
    let (b, t, stride, clip) = (settings.batch, network.tags, network.wave_stride(), network.clip_length);
    let [wave, own, propagated, weights, losses] = [names::WAVE, names::OWN, names::PROPAGATED, names::WEIGHTS, names::LOSSES]
        .map(|name| program.plan().find(name).unwrap_or_else(|| panic!("a training plan has {name}")));
    program.upload(propagated, &vec![0; b * t * 4])?;
    let (mut waves, mut labels, mut weight, mut out) =
        (vec![0i16; b * stride], vec![0.0f32; b * t], vec![0.0f32; 2 * b], vec![0.0f32; 2 * b]);
    let mut total = 0.0f64;
    for some in songs.chunks(b) {
        waves.fill(0);
        labels.fill(0.0);
        weight.fill(0.0);
        for (i, &song) in some.iter().enumerate() {
            let samples = dataset.wave(song);
            let there = samples.len().min(clip);
            waves[i * stride..i * stride + there].copy_from_slice(&samples[..there]);
            for tag in (0..t).filter(|&tag| dataset.has_tag(song, tag)) {
                labels[i * t + tag] = 1.0;
            }
            weight[i] = 1.0;
        }
        program.upload(wave, bytemuck::cast_slice(&waves))?;
        program.upload(own, bytemuck::cast_slice(&labels))?;
        program.upload(weights, bytemuck::cast_slice(&weight))?;
        let ticket = program.submit(Run::Evaluate)?;
        program.output(ticket, losses, bytemuck::cast_slice_mut(&mut out))?;
        total += out.iter().step_by(2).map(|&v| f64::from(v)).sum::<f64>();
    }
    // The kernel divides by its whole batch, also where places of it are empty.
    let each = if settings.mean { b as f64 } else { 1.0 };
    Ok(Some(total * each / songs.len() as f64))
}
