//! A chain's copy of its batch.

use super::super::step::Samples;
use crate::device::cpu::{self, Cost};
use crate::layers::plan::single_mut;
use crate::tensor::{Array, Element, Storage, array_from_vec, row_major};
use crate::{DType, Tensor};

/// Elements of a batch of `x` up to which it is copied even where it is a part of the data as they lie.
const COPIED: usize = 1 << 14;

/// Room for so many samples like those of `data`; nothing where they are not copied.
pub(super) fn room_for(data: &Tensor, count: usize) -> Tensor {
    let shape = [&[count], &data.shape()[1..]].concat();
    match data.storage() {
        Storage::F32(_) => super::zeros(&shape),
        Storage::I32(_) => Tensor::from_array(zeros_of::<i32>(&shape)),
        Storage::I64(_) => Tensor::from_array(zeros_of::<i64>(&shape)),
        _ => data.slice(..0),
    }
}

fn zeros_of<T: Element + Default>(shape: &[usize]) -> Array<T> {
    array_from_vec(shape, vec![T::default(); shape.iter().product()])
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
    if copied && row > 0 && copy(to, data, row, samples) {
        return;
    }
    *to = in_a_row(samples.of(data));
}

fn copy(to: &mut Tensor, data: &Tensor, row: usize, samples: &Samples<'_>) -> bool {
    let Some((order, range)) = samples
        .part()
        .filter(|(_, range)| to.len() == range.len() * row)
    else {
        return false;
    };
    let sample = |index: usize| {
        let sample = range.start + index;
        order.map_or(sample, |order| order[sample])
    };
    if to.dtype() != data.dtype() || to.dtype() == DType::F64 {
        return false;
    }
    if let Storage::F32(from) = data.storage() {
        let Some(from) = from.as_slice() else {
            return false;
        };
        let into = single_mut(to);
        cpu::chunks(into, row, Cost::Cheap, &|start, piece| {
            copy_rows(piece, from, row, &|index| sample(start / row + index));
        });
        return true;
    }
    match (to.storage_mut(), data.storage()) {
        (Storage::I32(to), Storage::I32(from)) => copy_whole(to, from, row, &sample),
        (Storage::I64(to), Storage::I64(from)) => copy_whole(to, from, row, &sample),
        _ => false,
    }
}

fn copy_whole<T: Element>(
    to: &mut Array<T>,
    from: &Array<T>,
    row: usize,
    sample: &dyn Fn(usize) -> usize,
) -> bool {
    match (to.as_slice_mut(), from.as_slice()) {
        (Some(to), Some(from)) => {
            copy_rows(to, from, row, sample);
            true
        }
        _ => false,
    }
}

fn copy_rows<T: Copy>(to: &mut [T], from: &[T], row: usize, sample: &dyn Fn(usize) -> usize) {
    for (index, to) in to.chunks_exact_mut(row).enumerate() {
        to.copy_from_slice(&from[sample(index) * row..][..row]);
    }
}
