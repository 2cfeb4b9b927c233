//! Operations that take some elements, and those that put them back: each is the other's gradient.

use ndarray::{Axis, IxDyn, Slice as AxisSlice};

use super::{Rule, Step, apply_any, unbroadcast};
use crate::device::cpu::{self, Cost};
use crate::tensor::{Array, Element, Part, Real, Tensor, array_from_vec, dense, float, with_slice};
use crate::{Error, Result};

/// A part of each axis.
#[derive(Clone, Debug)]
pub(crate) struct Slice {
    /// One for each axis of the operand, within its length, and one for each new axis.
    pub(crate) parts: Vec<Part>,
}

/// `array` without what `parts` do not take.
pub(crate) fn narrow<S: ndarray::RawData>(
    parts: &[Part],
    mut array: ndarray::ArrayBase<S, IxDyn>,
) -> ndarray::ArrayBase<S, IxDyn> {
    let mut axis = array.ndim();
    // From the last: what was done already lies behind `axis`.
    for part in parts.iter().rev() {
        match *part {
            Part::New => array = array.insert_axis(Axis(axis)),
            Part::Index(index) => {
                axis -= 1;
                array = array.index_axis_move(Axis(axis), index);
            }
            Part::Range { start, end, step } => {
                axis -= 1;
                array.slice_axis_inplace(
                    Axis(axis),
                    AxisSlice::new(start as isize, Some(end as isize), step),
                );
            }
        }
    }
    array
}

impl Rule for Slice {
    fn name(&self) -> &'static str {
        "slice"
    }

    fn shape(&self, _: &[&[usize]]) -> Result<Vec<usize>> {
        let kept = self
            .parts
            .iter()
            .filter(|part| !matches!(part, Part::Index(_)));
        Ok(kept.map(Part::len).collect())
    }

    fn forward(&self, inputs: &[&Tensor], _: &[usize]) -> Tensor {
        dense!(inputs[0].storage(), array => {
            Tensor::from_array(narrow(&self.parts, array.clone()))
        })
    }

    fn gradient(&self, step: &Step<'_>, gradient: &Tensor) -> Vec<Option<Tensor>> {
        step.each(|_| {
            let back = Unslice {
                parts: self.parts.clone(),
                shape: step.inputs[0].shape().to_vec(),
            };
            apply_any(back, &[gradient])
        })
    }

    fn differentiable_twice(&self) -> bool {
        true
    }
}

/// The operand put where [`Slice`] takes it from, zeros elsewhere.
#[derive(Clone, Debug)]
pub(crate) struct Unslice {
    pub(crate) parts: Vec<Part>,
    /// The shape that is sliced.
    pub(crate) shape: Vec<usize>,
}

impl Rule for Unslice {
    fn name(&self) -> &'static str {
        "pad"
    }

    fn shape(&self, _: &[&[usize]]) -> Result<Vec<usize>> {
        Ok(self.shape.clone())
    }

    fn forward(&self, inputs: &[&Tensor], shape: &[usize]) -> Tensor {
        fn run<T: Element>(parts: &[Part], part: &Array<T>, shape: &[usize]) -> Array<T> {
            let mut whole = ndarray::ArrayD::<T>::from_elem(shape, T::default());
            narrow(parts, whole.view_mut()).assign(part);
            whole.into_shared()
        }
        dense!(inputs[0].storage(), part => Tensor::from_array(run(&self.parts, part, shape)))
    }

    fn gradient(&self, step: &Step<'_>, gradient: &Tensor) -> Vec<Option<Tensor>> {
        step.each(|_| {
            let parts = self.parts.clone();
            apply_any(Slice { parts }, &[gradient])
        })
    }

    fn differentiable_twice(&self) -> bool {
        true
    }
}

/// Chosen positions of the first axis.
#[derive(Clone, Debug)]
pub(crate) struct Gather {
    pub(crate) rows: Vec<usize>,
}

impl Rule for Gather {
    fn name(&self) -> &'static str {
        "rows"
    }

    fn shape(&self, inputs: &[&[usize]]) -> Result<Vec<usize>> {
        Ok([&[self.rows.len()], &inputs[0][1..]].concat())
    }

    fn forward(&self, inputs: &[&Tensor], shape: &[usize]) -> Tensor {
        fn run<T: Element>(array: &Array<T>, rows: &[usize], shape: &[usize]) -> Array<T> {
            let row: usize = shape[1..].iter().product();
            if row == 1 {
                return with_slice(array, |values| {
                    array_from_vec(shape, rows.iter().map(|&row| values[row]).collect())
                });
            }
            let Some(values) = array.as_slice().filter(|_| row > 0) else {
                // Only the chosen rows are put in row-major order.
                let rows = rows.iter().map(|&row| array.index_axis(Axis(0), row));
                let mut gathered = cpu::buffers::empty(shape.iter().product());
                rows.for_each(|row| gathered.extend(row.iter().copied()));
                return array_from_vec(shape, gathered);
            };
            let gathered = cpu::build(rows.len() * row, row, Cost::Cheap, &|start, piece| {
                for (to, &from) in piece.chunks_exact_mut(row).zip(&rows[start / row..]) {
                    to.write_copy_of_slice(&values[from * row..][..row]);
                }
            });
            array_from_vec(shape, gathered)
        }
        dense!(inputs[0].storage(), array => Tensor::from_array(run(array, &self.rows, shape)))
    }

    fn gradient(&self, step: &Step<'_>, gradient: &Tensor) -> Vec<Option<Tensor>> {
        step.each(|_| {
            let back = ScatterRows {
                rows: self.rows.clone(),
                length: step.inputs[0].shape()[0],
            };
            apply_any(back, &[gradient])
        })
    }

    fn differentiable_twice(&self) -> bool {
        true
    }
}

/// Row i of the operand added to row `rows[i]` of zeros.
#[derive(Clone, Debug)]
pub(crate) struct ScatterRows {
    pub(crate) rows: Vec<usize>,
    /// The rows of the result.
    pub(crate) length: usize,
}

impl Rule for ScatterRows {
    fn name(&self) -> &'static str {
        "scatter_rows"
    }

    fn shape(&self, inputs: &[&[usize]]) -> Result<Vec<usize>> {
        Ok([&[self.length], &inputs[0][1..]].concat())
    }

    fn forward(&self, inputs: &[&Tensor], shape: &[usize]) -> Tensor {
        fn run<T: Real>(rows: &[usize], part: &Array<T>, shape: &[usize]) -> Array<T> {
            let row: usize = shape[1..].iter().product();
            let mut whole = cpu::buffers::zeros(shape.iter().product());
            with_slice(part, |part| {
                for (&to, from) in rows.iter().zip(part.chunks_exact(row.max(1))) {
                    for (sum, &value) in whole[to * row..][..row].iter_mut().zip(from) {
                        *sum += value;
                    }
                }
            });
            array_from_vec(shape, whole)
        }
        float!(inputs[0], part => Tensor::from_array(run(&self.rows, part, shape)))
    }

    fn gradient(&self, step: &Step<'_>, gradient: &Tensor) -> Vec<Option<Tensor>> {
        step.each(|_| {
            let rows = self.rows.clone();
            apply_any(Gather { rows }, &[gradient])
        })
    }

    fn differentiable_twice(&self) -> bool {
        true
    }
}

/// The first operand's element where the condition holds, the second's elsewhere, broadcast.
#[derive(Clone, Debug)]
pub(crate) struct Where {
    pub(crate) condition: Array<bool>,
}

impl Rule for Where {
    fn name(&self) -> &'static str {
        "where"
    }

    fn shape(&self, inputs: &[&[usize]]) -> Result<Vec<usize>> {
        let condition = self.condition.shape();
        let both = crate::tensor::broadcast("where", inputs[0], inputs[1]);
        both.and_then(|both| crate::tensor::broadcast("where", condition, &both))
            .map_err(|_| {
                Error::Shape(format!(
                    "where: a condition of shape {condition:?} and operands of shapes {:?} and {:?} \
                     do not broadcast: matched from the last axis, all must be equal or 1",
                    inputs[0], inputs[1]
                ))
            })
    }

    fn forward(&self, inputs: &[&Tensor], shape: &[usize]) -> Tensor {
        fn run<T: Element>(
            condition: &Array<bool>,
            a: &Array<T>,
            b: &Array<T>,
            shape: &[usize],
        ) -> Array<T> {
            fn values<T: Element>(array: &Array<T>) -> &[T] {
                array.as_slice().expect("repeated in row-major order")
            }
            let condition = &cpu::repeated(condition, shape);
            let (a, b) = (&cpu::repeated(a, shape), &cpu::repeated(b, shape));
            let (condition, a, b) = (values(condition), values(a), values(b));
            let chosen = cpu::build(condition.len(), 1, Cost::Cheap, &|start, piece| {
                let pairs = a[start..].iter().zip(&b[start..]);
                let all = piece.iter_mut().zip(&condition[start..]).zip(pairs);
                for ((to, &condition), (&a, &b)) in all {
                    to.write(if condition { a } else { b });
                }
            });
            array_from_vec(shape, chosen)
        }
        let [a, b] = inputs else {
            unreachable!("two operands");
        };
        dense!(a.storage(), a => {
            let b = b.to_array();
            Tensor::from_array(run(&self.condition, a, &b, shape))
        })
    }

    fn gradient(&self, step: &Step<'_>, gradient: &Tensor) -> Vec<Option<Tensor>> {
        let zero = Tensor::from(0.0).cast(gradient.dtype());
        let op = || Where {
            condition: self.condition.clone(),
        };
        step.each(|side| {
            let share = match side {
                0 => apply_any(op(), &[gradient, &zero]),
                _ => apply_any(op(), &[&zero, gradient]),
            };
            unbroadcast(share, step.inputs[side].shape())
        })
    }

    fn differentiable_twice(&self) -> bool {
        true
    }
}
