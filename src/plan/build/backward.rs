//! The Backward section of a training plan: from the logits' gradient down to layer 1.

use super::{Builder, Kept};
use crate::kernels::batch_norm_backward::{BatchNormBackward, Of};
use crate::kernels::conv::Source;
use crate::kernels::conv_backward::ConvBackward;
use crate::kernels::dense_backward::DenseBackward;
use crate::plan::{Section, TensorId};

impl Builder<'_> {
    /// Adds the calls of backward; the layers' `kept` tensors are forward's.
    pub(super) fn backward(&mut self, kept: &[Kept], mask: TensorId, dlogits: TensorId) {
        let section = Section::Backward;
        let gradients = self.gradients.expect("a training plan has gradients");
        let choice = self.settings.choice.clone();
        let last = self.convs[self.convs.len() - 1].clone();
        let n = self.convs.len();
        let kernel = DenseBackward {
            clips: last.clips,
            positions: last.windows.count,
            channels: last.cout,
            outputs: self.network.heads * self.network.tags,
            choice: choice.clone(),
        };
        let mut tiles = kernel.tiles();
        let mut dy = self.stored(format!("dy {n}"), &[last.clips, last.windows.count, last.cout]);
        let mut partials = self.temporary(format!("sums {n}"), &[tiles, 2, last.cout]);
        let top = kept[n - 1];
        let views = [
            self.plan.view(top.p.expect("the last layer is stored")),
            self.plan.view(top.norm),
            self.plan.view(mask),
            self.flat(self.parameters, "head.weight"),
            self.plan.view(dlogits),
            self.flat(gradients, "head.weight"),
            self.flat(gradients, "head.bias"),
            self.plan.view(dy),
            self.plan.view(partials),
        ];
        self.plan.call(section, "dense_backward", kernel, &views);

        for i in (0..n).rev() {
            let conv = self.convs[i].clone();
            let gradient = |(kind, leaf): (&str, &str)| self.flat(gradients, &format!("{kind}{i}.{leaf}"));
            let affine = [gradient(("bn", "weight")), gradient(("bn", "bias"))];
            let dw = gradient(("conv", "weight"));
            let mut kernel = BatchNormBackward {
                channels: conv.cout,
                of: Of::Stored,
                tiles,
                positions: conv.positions(),
                choice: choice.clone(),
            };
            let label = format!("batch_norm_backward {}", i + 1);
            let (sums, norm) = (self.plan.view(partials), self.plan.view(kept[i].norm));
            let Some(z) = kept[i].z else {
                // Layer 1, recomputed: its sums are all there is to do.
                kernel.of = Of::FirstLayer { taps: conv.taps };
                let patches = self.plan.view(self.patches.expect("made with the builder"));
                let views = [sums, norm, patches, self.parameter(i, ("conv", "weight")), affine[0], affine[1], dw];
                self.plan.call(section, label, kernel, &views);
                return;
            };
            let coefficients = self.temporary(format!("coefficients {}", i + 1), &[4, conv.cout]);
            let coefficients = self.plan.view(coefficients);
            self.plan.call(section, label, kernel, &[sums, norm, affine[0], affine[1], coefficients]);

            let (source, mut views) = self.source(i, kept);
            let kernel = ConvBackward { conv: conv.clone(), source, choice: choice.clone() };
            views.push(self.plan.view(z));
            if !conv.unpooled() {
                views.push(self.plan.view(kept[i].p.expect("pooled")));
            }
            views.extend([self.plan.view(dy), coefficients]);
            if i > 0 {
                views.push(self.packed(section, i + 1, "", &kernel.packing(), self.parameter(i, ("conv", "weight"))));
            }
            views.push(dw);
            if kernel.source == Source::Below {
                dy = self.stored(format!("dy {i}"), &[conv.clips, conv.input, conv.cin]);
                views.push(self.plan.view(dy));
            }
            if i > 0 {
                tiles = kernel.tiles();
                partials = self.temporary(format!("sums {i}"), &[tiles, kernel.sums(), conv.cin]);
                views.push(self.plan.view(partials));
            }
            self.plan.call(section, format!("conv_backward {}", i + 1), kernel, &views);
        }
    }
}
