//! A plan: the tensors of a training step and its kernel calls, made once, before the first step.
//! It is data: it can be printed, counted and compared without a device.

pub mod build;
pub mod memory;
pub mod names;

use std::sync::Arc;

use crate::kernels::{Access, Kernel};
use crate::tensor::{Role, Tensor};

pub use build::{MOST_CLIPS, Settings, evaluation, training, training_by_tag};

/// A tensor's place in [`Plan::tensors`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TensorId(pub usize);

/// A range of a tensor that a kernel call takes for one of its operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct View {
    /// The tensor it is a range of.
    pub tensor: TensorId,
    /// First element; in bytes a multiple of 256, or 0.
    pub offset: usize,
    /// Elements.
    pub length: usize,
}

/// Parts of a step. A training run is Forward, Backward, Update; an evaluation run is Evaluate.
/// The two share parameters and memory, never a temporary's contents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Section {
    /// From the clips to the losses and the gradient of the logits.
    Forward,
    /// From there to the gradients of all parameters.
    Backward,
    /// The parameters' step along them.
    Update,
    /// From the clips to probabilities and losses, by running statistics and without dropout.
    Evaluate,
}

/// What is run at once: the sections between an upload and a readback.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Run {
    /// Forward, Backward, Update.
    Train,
    /// Evaluate alone.
    Evaluate,
}

impl Run {
    /// Whether a section is part of the run.
    pub fn holds(self, section: Section) -> bool {
        (self == Run::Evaluate) == (section == Section::Evaluate)
    }
}

/// One kernel call.
#[derive(Clone, Debug)]
pub struct Step {
    /// The kernel's name and the layer, for people: `conv_forward 2`.
    pub label: String,
    /// What is called, with its shapes and its choice of family.
    pub kernel: Arc<dyn Kernel>,
    /// One view an operand of the kernel, in its order.
    pub operands: Vec<View>,
    /// When it is run.
    pub section: Section,
}

/// See the module's page.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// All tensors; a [`TensorId`] is a place here.
    pub tensors: Vec<Tensor>,
    /// All calls of all sections, in the order in which they are run.
    pub steps: Vec<Step>,
}

impl Plan {
    /// Adds a tensor.
    pub fn tensor(&mut self, name: impl Into<String>, shape: &[usize], dtype: crate::tensor::DType, role: Role) -> TensorId {
        self.tensors.push(Tensor { name: name.into(), shape: shape.to_vec(), dtype, role });
        TensorId(self.tensors.len() - 1)
    }

    /// All of a tensor.
    pub fn view(&self, tensor: TensorId) -> View {
        View { tensor, offset: 0, length: self.tensors[tensor.0].len() }
    }

    /// Adds a call. Scratch operands get a temporary of their own; the others are `views`, in order.
    pub fn call(&mut self, section: Section, label: impl Into<String>, kernel: impl Kernel + 'static, views: &[View]) {
        let label = label.into();
        let mut given = views.iter();
        let mut operands = Vec::new();
        for operand in kernel.operands() {
            let view = if operand.access == Access::Scratch {
                let id = self.tensor(format!("{label} {}", operand.name), &operand.shape, operand.dtype, Role::Temporary);
                self.view(id)
            } else {
                *given.next().unwrap_or_else(|| panic!("{label}: no view for {}", operand.name))
            };
            let tensor = &self.tensors[view.tensor.0];
            assert_eq!(view.length, operand.len(), "{label}: {} against {}", operand.name, tensor.name);
            assert_eq!(tensor.dtype, operand.dtype, "{label}: {}", operand.name);
            assert_eq!(view.offset * tensor.dtype.bytes() % 256, 0, "{label}: {} begins off alignment", operand.name);
            operands.push(view);
        }
        assert!(given.next().is_none(), "{label}: more views than operands");
        self.steps.push(Step { label, kernel: Arc::new(kernel), operands, section });
    }

    /// The tensor called `name`.
    pub fn find(&self, name: &str) -> Option<TensorId> {
        self.tensors.iter().position(|t| t.name == name).map(TensorId)
    }

    /// The tensor called `name`, which such a plan has: panics where it has not.
    pub fn expect(&self, name: &str) -> TensorId {
        self.find(name).unwrap_or_else(|| panic!("a plan without {name}"))
    }

    /// Makes temporaries readable after a run: they become outputs, with memory of their own.
    /// For tests and for looking inside; names that the plan has not are left out.
    pub fn expose(&mut self, names: &[&str]) {
        for tensor in self.tensors.iter_mut().filter(|t| t.role == Role::Temporary && names.contains(&t.name.as_str())) {
            tensor.role = Role::Output;
        }
    }

    /// Operations of a run, counted directly.
    pub fn flops(&self, run: Run) -> u64 {
        self.steps.iter().filter(|s| run.holds(s.section)).map(|s| s.kernel.flops()).sum()
    }
}
