//! A chain's copy of its batch.

use super::super::step::Samples;
use crate::Tensor;
use crate::device::cpu::{self, Cost};
use crate::layers::plan::single_mut;
use crate::tensor::{Storage, row_major};

/// Elements of a batch of `x` up to which it is copied even where it is a part of the data as they lie.
const COPIED: usize = 1 << 14;

/// Room for so many samples like those of `data`; nothing where they are not copied.
pub(super) fn room_for(data: &Tensor, count: usize) -> Tensor {
    let shape = [&[count], &data.shape()[1..]].concat();
    match data.storage() {
        Storage::F32(_) => super::anything(&shape),
        Storage::I64(_) => Tensor::from_values(&shape, vec![0_i64; shape.iter().product()]),
        _ => data.slice(..0),
    }
}

/// The same numbers, in row-major order if they are of single precision.
fn in_a_row(tensor: Tensor) -> Tensor {
    match tensor.storage() {
        Storage::F32(values) if !values.is_standard_layout() => {
            Tensor::from_array(row_major(values))
        }
        _ => tensor,
    }
}

/// Puts the samples into `to`, in place where it can.
pub(super) fn load(to: &mut Tensor, data: &Tensor, samples: &Samples<'_>) {
    let row: usize = data.shape()[1..].iter().product();
    let copied = samples.is_shuffled() || samples.count() * row <= COPIED;
    let Some((order, range)) = samples.part().filter(|_| copied) else {
        *to = in_a_row(samples.of(data));
        return;
    };
    if let (Storage::I64(to), Storage::I64(from)) = (to.storage_mut(), data.storage())
        && let (Some(to), Some(from)) = (to.as_slice_mut(), from.as_slice())
        && row > 0
        && to.len() == range.len() * row
    {
        for (to, sample) in to.chunks_exact_mut(row).zip(range) {
            let sample = order.map_or(sample, |order| order[sample]);
            to.copy_from_slice(&from[sample * row..][..row]);
        }
        return;
    }
    let from = match data.storage() {
        Storage::F32(from) if row > 0 && to.len() == range.len() * row => from.as_slice(),
        _ => None,
    };
    let Some(from) = from else {
        *to = in_a_row(samples.of(data));
        return;
    };
    let first = range.start;
    let into = single_mut(to);
    cpu::chunks(into, row, Cost::Cheap, &|start, piece| {
        for (index, to) in piece.chunks_exact_mut(row).enumerate() {
            let sample = first + start / row + index;
            let sample = order.map_or(sample, |order| order[sample]);
            to.copy_from_slice(&from[sample * row..][..row]);
        }
    });
}
