//! wgpu's errors as the crate's: scopes while a program is made, so that the call is named; and a
//! list of faults for what comes later (a lost device, an error in a run). wgpu's default is to
//! panic.

use std::sync::{Arc, Mutex};

use crate::error::{Error, Result};

/// Does something with a device and turns what wgpu finds wrong with it into an error that says
/// what was being done.
pub fn guard<T>(device: &wgpu::Device, doing: &str, f: impl FnOnce() -> T) -> Result<T> {
    use wgpu::ErrorFilter::{Internal, OutOfMemory, Validation};
    let internal = device.push_error_scope(Internal);
    let memory = device.push_error_scope(OutOfMemory);
    let validation = device.push_error_scope(Validation);
    let made = f();
    // All are popped, the last pushed first, before any is looked at.
    let found = [validation.pop(), memory.pop(), internal.pop()].map(pollster::block_on);
    match found.into_iter().flatten().next() {
        None => Ok(made),
        Some(error) => Err(translated(doing, &error)),
    }
}

fn translated(doing: &str, error: &wgpu::Error) -> Error {
    match error {
        wgpu::Error::OutOfMemory { .. } => Error::device(format!("{doing}: the device's memory is full"))
            .help("Take a smaller batch (--batch), or close what else uses the GPU."),
        _ => Error::device(format!("{doing}: {}", one_line(&error.to_string())))
            .help("This is a mistake in tagwalk or the driver; please report it with `tagwalk devices`."),
    }
}

fn one_line(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|l| !l.is_empty()).collect();
    lines.join("; ")
}

/// What went wrong behind the program's back.
#[derive(Debug, Default)]
pub struct Faults {
    list: Mutex<Vec<String>>,
}

impl Faults {
    /// Begins to listen to a device.
    pub fn watch(device: &wgpu::Device) -> Arc<Faults> {
        let faults = Arc::new(Faults::default());
        let heard = Arc::clone(&faults);
        device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| heard.add(one_line(&error.to_string()))));
        let heard = Arc::clone(&faults);
        device.set_device_lost_callback(move |reason, message| {
            heard.add(format!("the device was lost ({reason:?}): {}", one_line(&message)));
        });
        faults
    }

    fn add(&self, what: String) {
        // A poisoned lock still holds the list.
        self.list.lock().unwrap_or_else(|e| e.into_inner()).push(what);
    }

    /// Fails if anything went wrong so far. Faults are not forgotten: the device's state is unknown
    /// from then on.
    pub fn check(&self, doing: &str) -> Result<()> {
        match self.list.lock().unwrap_or_else(|e| e.into_inner()).first() {
            None => Ok(()),
            Some(what) => Err(Error::device(format!("{doing}: {what}"))
                .help("Go on from the last checkpoint (--resume); if it happens again, try a smaller batch or --device cpu.")),
        }
    }
}
