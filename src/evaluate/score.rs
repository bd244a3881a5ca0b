//! Probabilities of songs: the network over a song's consecutive segments, averaged (Lee et al.
//! 2017; `paper.md`, 0.17).

use super::segments::Accumulator;
use crate::batch::{cut, segments};
use crate::device::{Program, Ticket};
use crate::error::Result;
use crate::network::Network;
use crate::plan::names;
use crate::plan::{Run, TensorId};
use crate::run::Weights;

/// Runs a plan's evaluation over songs.
pub struct Scorer<'a> {
    program: &'a mut dyn Program,
    wave: TensorId,
    probabilities: TensorId,
    clip: usize,
    stride: usize,
    tags: usize,
    batch: usize,
    waves: Vec<i16>,
    output: Vec<f32>,
}

impl<'a> Scorer<'a> {
    /// Buffers for the plan in `program`, which was built for `network`.
    pub fn new(program: &'a mut dyn Program, network: &Network) -> Result<Scorer<'a>> {
        let find = |name: &str| program.plan().find(name).unwrap_or_else(|| panic!("a training plan has {name}"));
        let (wave, probabilities) = (find(names::WAVE), find(names::PROBABILITIES));
        let zeros: Vec<(TensorId, usize)> = [names::OWN, names::PROPAGATED, names::WEIGHTS]
            .map(find)
            .into_iter()
            .map(|id| (id, program.plan().tensors[id.0].bytes()))
            .collect();
        let batch = program.plan().tensors[wave.0].shape[0];
        // Labels play no part in probabilities; zeros keep the losses finite.
        for (id, bytes) in zeros {
            program.upload(id, &vec![0; bytes])?;
        }
        let stride = network.wave_stride();
        Ok(Scorer {
            program,
            wave,
            probabilities,
            clip: network.clip_length,
            stride,
            tags: network.tags,
            batch,
            waves: vec![0; batch * stride],
            output: vec![0.0; batch * network.tags],
        })
    }

    /// Puts a network's weights into the program.
    pub fn load(&mut self, weights: &Weights) -> Result<()> {
        for (name, values) in [(names::PARAMETERS, &weights.parameters), (names::RUNNING, &weights.running)] {
            let id = self.program.plan().find(name).unwrap_or_else(|| panic!("a plan has {name}"));
            self.program.upload(id, bytemuck::cast_slice(values))?;
        }
        Ok(())
    }

    /// Mean probabilities `[song, tag]` of songs given as int16 audio at the network's rate.
    /// `progress` hears how many songs are done; an error from it ends the work.
    pub fn songs<'w>(
        &mut self,
        count: usize,
        wave: impl Fn(usize) -> &'w [i16],
        mut progress: impl FnMut(usize) -> Result<()>,
    ) -> Result<Vec<f32>> {
        let mut sums = Accumulator::new(count, self.tags);
        let mut owners: Vec<usize> = Vec::with_capacity(self.batch);
        // The run before: on a GPU it is read back while the next one works.
        let mut before: Option<(Ticket, Vec<usize>)> = None;
        let clip = self.clip;
        let mut works = (0..count).flat_map(|song| (0..segments(wave(song).len(), clip)).map(move |s| (song, s))).peekable();
        while works.peek().is_some() {
            owners.clear();
            for place in 0..self.batch {
                let out = &mut self.waves[place * self.stride..(place + 1) * self.stride];
                let Some((song, segment)) = works.next() else {
                    out.fill(0);
                    continue;
                };
                cut(wave(song), segment * self.clip, self.clip, out);
                owners.push(song);
            }
            self.program.upload(self.wave, bytemuck::cast_slice(&self.waves))?;
            let ticket = self.program.submit(Run::Evaluate)?;
            if let Some(earlier) = before.replace((ticket, owners.clone())) {
                self.collect(earlier, &mut sums)?;
            }
            progress(owners.last().map_or(count, |&song| song))?;
        }
        if let Some(last) = before {
            self.collect(last, &mut sums)?;
        }
        sums.means()
    }

    fn collect(&mut self, (ticket, owners): (Ticket, Vec<usize>), sums: &mut Accumulator) -> Result<()> {
        self.program.output(ticket, self.probabilities, bytemuck::cast_slice_mut(&mut self.output))?;
        for (song, values) in owners.iter().zip(self.output.chunks_exact(self.tags)) {
            sums.add(*song, values);
        }
        Ok(())
    }
}
