//! Where tensors lie: lifetimes from the calls, then for a CPU offsets in one block, and for a
//! GPU slots, whole buffers that several tensors take in turn.

use super::{Plan, Run, TensorId};
use crate::kernels::Choice;
use crate::tensor::Role;

/// When a temporary is needed: calls `first..=last` of a run, counted among that run's calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetime {
    /// The temporary.
    pub tensor: TensorId,
    /// The run that its calls are of.
    pub run: Run,
    /// The call that first takes it.
    pub first: usize,
    /// The call that last takes it, included.
    pub last: usize,
    /// Its size.
    pub bytes: usize,
}

impl Lifetime {
    /// Whether the two may not share memory. Runs come one after the other, so temporaries of
    /// different runs always may.
    pub fn meets(&self, other: &Lifetime) -> bool {
        self.run == other.run && self.first <= other.last && other.first <= self.last
    }
}

/// Lifetimes of all temporaries, largest first, then in order of id.
pub fn lifetimes(plan: &Plan) -> Vec<Lifetime> {
    let mut all: Vec<Lifetime> = Vec::new();
    for run in [Run::Train, Run::Evaluate] {
        let steps = plan.steps.iter().filter(|s| run.holds(s.section)).enumerate();
        for (at, step) in steps {
            for view in &step.operands {
                let tensor = &plan.tensors[view.tensor.0];
                if tensor.role != Role::Temporary {
                    continue;
                }
                match all.iter_mut().find(|l| l.tensor == view.tensor) {
                    Some(l) => {
                        assert_eq!(l.run, run, "temporary {} in two runs", tensor.name);
                        l.last = at;
                    }
                    None => all.push(Lifetime { tensor: view.tensor, run, first: at, last: at, bytes: tensor.bytes() }),
                }
            }
        }
    }
    all.sort_by_key(|l| (std::cmp::Reverse(l.bytes), l.tensor));
    all
}

/// Offsets in one block, in bytes; tensors that are kept come first, temporaries share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// By tensor id.
    pub offsets: Vec<usize>,
    /// The block's length.
    pub bytes: usize,
}

/// Lays a plan out in one block. Every tensor begins at a multiple of 256 bytes.
pub fn block(plan: &Plan) -> Block {
    const ALIGN: usize = 256;
    let mut offsets = vec![0; plan.tensors.len()];
    let mut end = 0;
    for (i, t) in plan.tensors.iter().enumerate() {
        if t.role != Role::Temporary {
            offsets[i] = end;
            end += t.bytes().next_multiple_of(ALIGN);
        }
    }
    let base = end;
    // Largest first into the lowest gap that no tensor alive at the same time occupies.
    let mut placed: Vec<(Lifetime, usize)> = Vec::new();
    for life in lifetimes(plan) {
        let mut busy: Vec<(usize, usize)> =
            placed.iter().filter(|(l, _)| l.meets(&life)).map(|(l, at)| (*at, at + l.bytes)).collect();
        busy.sort_unstable();
        let mut at = base;
        for (from, to) in busy {
            if at + life.bytes <= from {
                break;
            }
            at = at.max(to.next_multiple_of(ALIGN));
        }
        offsets[life.tensor.0] = at;
        end = end.max(at + life.bytes.next_multiple_of(ALIGN));
        placed.push((life, at));
    }
    Block { offsets, bytes: end }
}

/// Whole buffers that temporaries take in turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slots {
    /// By tensor id: which slot; `None` for tensors that have a buffer of their own.
    pub slot: Vec<Option<usize>>,
    /// Bytes of each slot.
    pub bytes: Vec<usize>,
}

/// Shares slots among temporaries: largest first, into the first slot that is free at that time.
/// Tensors of one call never share, so no buffer is bound twice with different access.
pub fn slots(plan: &Plan) -> Slots {
    let mut slot = vec![None; plan.tensors.len()];
    let mut bytes: Vec<usize> = Vec::new();
    let mut tenants: Vec<Vec<Lifetime>> = Vec::new();
    for life in lifetimes(plan) {
        let free = tenants.iter().position(|t| t.iter().all(|l| !l.meets(&life)));
        let at = free.unwrap_or_else(|| {
            bytes.push(life.bytes);
            tenants.push(Vec::new());
            tenants.len() - 1
        });
        tenants[at].push(life);
        slot[life.tensor.0] = Some(at);
    }
    Slots { slot, bytes }
}

/// Bytes that a plan takes on a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Footprint {
    /// Its tensors, where temporaries share memory.
    pub tensors: usize,
    /// Working spaces of the CPU's threads; a GPU's are its own.
    pub workspace: usize,
}

impl Footprint {
    /// Of a plan made for `choice`, on so many threads.
    pub fn of(plan: &Plan, choice: &Choice, threads: usize) -> Footprint {
        if choice.is_native() {
            let each = plan.steps.iter().map(|s| s.kernel.workspace()).max().unwrap_or(0) * size_of::<f32>();
            return Footprint { tensors: block(plan).bytes, workspace: each * threads };
        }
        let slots = slots(plan);
        let own = plan.tensors.iter().zip(&slots.slot).filter(|(_, slot)| slot.is_none()).map(|(t, _)| t.bytes());
        Footprint { tensors: own.sum::<usize>() + slots.bytes.iter().sum::<usize>(), workspace: 0 }
    }

    /// Both together, in bytes.
    pub fn bytes(self) -> usize {
        self.tensors + self.workspace
    }
}
