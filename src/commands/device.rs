//! The flags that choose a device and the ones that choose a network, shared by several commands.

use std::path::Path;

use crate::device::select::{DeviceKind, Selection};
use crate::error::{Error, Result};
use crate::network::{Network, family};

/// `--device` and `--adapter`.
#[derive(clap::Args, Clone, Debug)]
pub struct DeviceArgs {
    /// cpu, gpu, or auto: a real GPU if there is one, else the CPU
    #[arg(long, value_name = "DEVICE", default_value_t = DeviceKind::Auto)]
    pub device: DeviceKind,
    /// The GPU's name (a part of it, in any case) or its index in `tagwalk devices`; software
    /// Vulkan is taken only when named here
    #[arg(long, value_name = "NAME|INDEX")]
    pub adapter: Option<String>,
}

impl DeviceArgs {
    pub fn selection(&self) -> Selection {
        Selection { device: self.device, adapter: self.adapter.clone() }
    }
}

/// The network called `name` (a family member, or a JSON file with a table of layers) for a number
/// of tags and, if given, another clip length in samples.
pub fn network(name: &str, tags: Option<usize>, clip: Option<usize>) -> Result<Network> {
    let path = Path::new(name);
    let mut network = if path.extension().is_some_and(|e| e == "json") {
        let text = std::fs::read_to_string(path).map_err(|e| Error::io(path, "cannot read", e))?;
        let mut network: Network = serde_json::from_str(&text).map_err(|e| {
            Error::input(path, format!("is no network: {e}")).help(
                "It has the members clip_length, tags, heads, bn_eps, bn_momentum, dropout and layers, as a run's config.json.",
            )
        })?;
        network.tags = tags.unwrap_or(network.tags);
        network
    } else {
        family::member(name, tags.unwrap_or(50))?
    };
    if let Some(samples) = clip {
        network = network.with_clip(samples)?;
    }
    network.check()?;
    Ok(network)
}
