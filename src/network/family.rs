//! Members of the family by name: `3^9` (the released network), `3^5-81` (the small one),
//! any `m^n` or `m^n-s` with first filter and stride s.

use super::{Layer, Network, PoolMode};
use crate::error::{Error, Result};

/// The released SampleCNN: 59,049 samples, 11 convolutions.
pub const RELEASED: &str = "3^9";
/// The member that learns most for its cost on small collections: 19,683 samples, 7 convolutions.
pub const SMALL: &str = "3^5-81";

/// Members of the family by the length of filter and pooling, m = 2 to 5 (`samplecnn.md`, 4), each of about as much
/// audio as its kind allows: 59,049 or 19,683 samples a clip for m = 3, 16,384 for 2 and 4, 15,625 for 5.
pub const MEMBERS: [&str; 6] = ["2^13", "3^9", "3^5-81", "3^7-9", "4^6", "5^5"];

/// Makes the member `name` ("m^n", "m^n-s", "samplecnn", "small"; a suffix "/d" divides all
/// channels by d) for a number of tags. Channels as in the released 3^9 and 2^13: 128 for the
/// first layer and the first two modules, 256, and 512 for the last module and the last layer.
pub fn member(name: &str, tags: usize) -> Result<Network> {
    let plain = match name {
        "samplecnn" => RELEASED,
        "small" => SMALL,
        other => other,
    };
    let unknown = || {
        Error::usage("network", format!("no family member is called '{name}'"))
            .help("Say m^n or m^n-s, for example 3^9 (the released network), 3^5-81 (small and quick), 2^13; or name a JSON file with a table of layers.")
    };
    let (plain, divisor) = match plain.split_once('/') {
        Some((head, d)) => (head, d.parse::<usize>().ok().filter(|d| (1..=64).contains(d)).ok_or_else(unknown)?),
        None => (plain, 1),
    };
    let (m, rest) = plain.split_once('^').ok_or_else(unknown)?;
    let (n, first) = rest.split_once('-').unwrap_or((rest, m));
    let number = |s: &str| s.parse::<usize>().ok().filter(|v| (1..=4096).contains(v)).ok_or_else(unknown);
    let (m, n, first) = (number(m)?, number(n)?, number(first)?);
    let clip_length = u32::try_from(n)
        .ok()
        .and_then(|n| m.checked_pow(n))
        .and_then(|v| v.checked_mul(first))
        .filter(|&v| m >= 2 && v <= 1 << 24)
        .ok_or_else(unknown)?;

    let channels = |module: usize| {
        (if module == n {
            512
        } else if module <= 2 {
            128
        } else {
            256
        }) / divisor
    };
    let mut layers = vec![Layer {
        cin: 1,
        cout: 128 / divisor,
        kernel: first,
        stride: first,
        padding: [0, 0],
        pool: 1,
        pool_mode: PoolMode::Valid,
    }];
    for module in 1..=n {
        // 'same' for an even kernel: TensorFlow's extra zero on the right.
        layers.push(Layer {
            cin: layers[module - 1].cout,
            cout: channels(module),
            kernel: m,
            stride: 1,
            padding: [(m - 1) / 2, m / 2],
            pool: m,
            pool_mode: PoolMode::Valid,
        });
    }
    layers.push(Layer {
        cin: 512 / divisor,
        cout: 512 / divisor,
        kernel: 1,
        stride: 1,
        padding: [0, 0],
        pool: 1,
        pool_mode: PoolMode::Valid,
    });
    let network = Network { clip_length, tags, heads: 1, bn_eps: 1e-3, bn_momentum: 0.01, dropout: 0.5, layers };
    network.check()?;
    Ok(network)
}

impl Network {
    /// Another clip length for the same layers; pooling becomes 'same' where lengths do not
    /// divide (50,000 samples, the paper's; `samplecnn.md`, 3).
    pub fn with_clip(mut self, samples: usize) -> Result<Network> {
        if samples != self.clip_length {
            self.clip_length = samples;
            for layer in &mut self.layers {
                layer.pool_mode = PoolMode::Same;
            }
        }
        self.check()?;
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::Parameters;

    /// `samplecnn.md`, 1 and 4: parameter counts of the family, checked there in PyTorch.
    #[test]
    fn parameter_counts() {
        for (name, tags, clip, parameters) in [
            ("3^9", 50, 59_049, 1_869_874),
            ("3^9", 1000, 59_049, 2_357_224),
            ("3^5-243", 50, 59_049, 1_111_090),
            ("3^6-81", 50, 59_049, 1_287_730),
            ("2^13", 50, 16_384, 1_872_818),
            ("5^5", 50, 15_625, 1_604_914),
            ("4^6", 50, 16_384, 1_605_554),
        ] {
            let network = member(name, tags).unwrap();
            assert_eq!(network.clip_length, clip, "{name}");
            assert_eq!(Parameters::new(&network).unwrap().count(), parameters, "{name}");
        }
    }

    #[test]
    fn fifty_thousand_samples_need_same_pooling() {
        let network = member("3^9", 50).unwrap().with_clip(50_000).unwrap();
        let outputs: Vec<usize> = network.lengths().unwrap().iter().map(|l| l.output).collect();
        assert_eq!(outputs, [16666, 5556, 1852, 618, 206, 69, 23, 8, 3, 1, 1]);
        let mut valid = member("3^9", 50).unwrap();
        valid.clip_length = 50_000;
        assert!(valid.check().is_err());
    }
}
