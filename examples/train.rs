//! Trains the small network on two made-up tones, on the CPU: a plan, a device, a loop. What the
//! `train` command adds is data, a schedule and safety.
//!
//!     cargo run --release --example train

use std::f32::consts::TAU;

use tagwalk::batch::{self, Inputs};
use tagwalk::device::{Program, cpu};
use tagwalk::error::Result;
use tagwalk::kernels::{Choice, products::Isa};
use tagwalk::measure::synthetic;
use tagwalk::network::{Parameters, family};
use tagwalk::plan::{self, Run, Settings, names};

const BATCH: usize = 8;
const STEPS: u64 = 30;

fn main() -> Result<()> {
    // Half width: "/2". Two tags, "low" and "high".
    let network = family::member("3^5-81/2", 2)?;
    let choice = Choice::native(Isa::detect());
    let settings = Settings { lambda: 0.0, ..Settings::new(BATCH, choice) };
    let mut program = cpu::load(plan::training(&network, &settings)?, 0)?;
    synthetic::begin(&mut program, &Parameters::new(&network)?, 1, 0.05, 0.9)?;

    let ids = Inputs::of(program.plan());
    let losses = program.plan().expect(names::LOSSES);
    let mut bytes = vec![0u8; program.plan().tensors[losses.0].bytes()];
    for step in 0..STEPS {
        let mut inputs = synthetic::batch(&network, BATCH, 1, step)?; // noise, tags by chance, dropout masks
        for clip in 0..BATCH {
            let high = inputs.own[2 * clip] > 0.0 || clip % 2 == 0;
            let pitch = if high { 880.0 } else { 220.0 };
            for (at, sample) in inputs.waves[clip * network.wave_stride()..][..network.clip_length].iter_mut().enumerate() {
                let tone = (TAU * pitch * at as f32 / 22_050.0).sin();
                *sample = (8_000.0 * tone) as i16 + *sample / 8;
            }
            inputs.own[2 * clip..2 * clip + 2].copy_from_slice(&[f32::from(u8::from(!high)), f32::from(u8::from(high))]);
        }
        batch::upload(&mut program, &ids, &inputs)?;
        let ticket = program.submit(Run::Train)?;
        program.output(ticket, losses, &mut bytes)?;
        // Each clip's part of the own and of the propagated loss.
        let parts: &[f32] = bytemuck::cast_slice(&bytes);
        println!("step {step:2}   loss {:.4}", parts.iter().step_by(2).sum::<f32>());
    }
    Ok(())
}
