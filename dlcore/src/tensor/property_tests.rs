//! Tensor operations against obvious code, one element at a time, on thousands of random shapes,
//! types and views: permuted, sliced, with steps, backwards. A failing case prints itself.

use super::SliceItem;
use super::tests::{Draws, permutation};
use crate::{DType, GradientTape, Tensor};

const TYPES: [DType; 6] = [
    DType::F32,
    DType::F64,
    DType::U8,
    DType::I32,
    DType::I64,
    DType::Bool,
];

/// Elements in row-major order under a shape.
#[derive(Clone, Debug, PartialEq)]
struct Plain {
    shape: Vec<usize>,
    values: Vec<f64>,
}

impl Plain {
    fn of(tensor: &Tensor) -> Plain {
        let array = tensor.to_array::<f64>();
        Plain::build(tensor.shape(), |index| array[index])
    }

    fn build(shape: &[usize], element: impl Fn(&[usize]) -> f64) -> Plain {
        let values = places(shape).iter().map(|index| element(index)).collect();
        Plain {
            shape: shape.to_vec(),
            values,
        }
    }

    fn at(&self, index: &[usize]) -> f64 {
        assert_eq!(index.len(), self.shape.len());
        let place = index.iter().zip(&self.shape).fold(0, |place, (&i, &n)| {
            assert!(i < n);
            place * n + i
        });
        self.values[place]
    }

    /// The element that broadcasting puts at `index` of a longer shape.
    fn wide(&self, index: &[usize]) -> f64 {
        let own = &index[index.len() - self.shape.len()..];
        let own: Vec<usize> = own
            .iter()
            .zip(&self.shape)
            .map(|(&i, &n)| i.min(n - 1))
            .collect();
        self.at(&own)
    }

    /// The elements along `axis` at `index`, whose place on the axis does not matter.
    fn lane(&self, index: &[usize], axis: usize) -> Vec<f64> {
        (0..self.shape[axis])
            .map(|i| self.at(&with(index, axis, i)))
            .collect()
    }
}

/// Every index of a shape, in row-major order.
fn places(shape: &[usize]) -> Vec<Vec<usize>> {
    let mut places = vec![Vec::new()];
    for &length in shape {
        let longer = |index: &Vec<usize>| {
            let index = index.clone();
            (0..length)
                .map(move |i| [&index[..], &[i]].concat())
                .collect::<Vec<_>>()
        };
        places = places.iter().flat_map(longer).collect();
    }
    places
}

fn with(index: &[usize], axis: usize, position: usize) -> Vec<usize> {
    let mut index = index.to_vec();
    index[axis] = position;
    index
}

impl Draws {
    fn of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }

    /// A view, of small whole numbers, which every type adds and multiplies exactly.
    fn view(&mut self, shape: &[usize], dtype: DType) -> Tensor {
        let order = permutation(self, shape.len());
        let steps: Vec<isize> = shape.iter().map(|_| self.of(&[1, 1, 2, -1])).collect();
        let starts: Vec<usize> = shape.iter().map(|_| self.below(2)).collect();
        let needs = |axis: usize| starts[axis] + shape[axis] * steps[axis].unsigned_abs();
        let stored: Vec<usize> = order.iter().map(|&axis| needs(axis)).collect();
        let size: usize = stored.iter().product();
        let low = if matches!(dtype, DType::U8 | DType::Bool) {
            0.0
        } else {
            -2.0
        };
        let values: Vec<f32> = (0..size).map(|_| self.below(5) as f32 + low).collect();
        let whole = Tensor::from_shape_vec(stored, values).unwrap().cast(dtype);
        let mut back = vec![0; shape.len()];
        for (to, &from) in order.iter().enumerate() {
            back[from] = to;
        }
        let parts: Vec<SliceItem> = (0..shape.len())
            .map(|axis| SliceItem::from(starts[axis]..needs(axis)).step(steps[axis]))
            .collect();
        let view = whole.permute(&back).slice(parts);
        assert_eq!(view.shape(), shape);
        view
    }

    /// A shape with at least one axis, and one of its axes.
    fn shape_and_axis(&mut self) -> (Vec<usize>, usize) {
        let rank = 1 + self.below(4);
        (self.shape(rank), self.below(rank))
    }

    /// A view of any type with at least one axis, and one of its axes.
    fn case(&mut self) -> (Tensor, usize) {
        let (shape, axis) = self.shape_and_axis();
        let dtype = self.of(&TYPES);
        (self.view(&shape, dtype), axis)
    }
}

/// Counts cases and says which one failed.
struct Check {
    name: &'static str,
    round: usize,
    count: usize,
}

impl Check {
    fn equal(&mut self, got: &Tensor, expected: &Plain, about: &str) {
        self.count += 1;
        let context = format!("{}, round {}: {about}", self.name, self.round);
        assert_eq!(got.shape(), expected.shape, "{context}");
        for (place, (got, expected)) in Plain::of(got)
            .values
            .iter()
            .zip(&expected.values)
            .enumerate()
        {
            let close = got == expected
                || (got.is_nan() && expected.is_nan())
                || (got - expected).abs() <= 2e-5 * (1.0 + expected.abs());
            assert!(
                close,
                "{context}: element {place} is {got}, expected {expected}"
            );
        }
    }

    fn same_type(&mut self, got: &Tensor, expected: DType, about: &str) {
        let context = format!("{}, round {}: {about}", self.name, self.round);
        assert_eq!(got.dtype(), expected, "{context}");
    }

    /// A function that moves or adds elements is its gradient's adjoint: `f(x)·w = x·∇`.
    fn adjoint(
        &mut self,
        draws: &mut Draws,
        x: &Tensor,
        f: impl Fn(&Tensor) -> Tensor,
        about: &str,
    ) {
        self.count += 1;
        let tape = GradientTape::new();
        let x = tape.watch(&x.cast(DType::F64));
        let y = f(&x);
        let w = draws.view(y.shape(), DType::F64);
        let forward = (&y * &w).sum();
        let gradient = tape.gradient_with(&[&y], &[&w], &[&x]).remove(0);
        let backward = (&gradient * x.detach()).sum();
        assert_eq!(
            forward.item(),
            backward.item(),
            "{}, round {}: adjoint of {about} at {:?}",
            self.name,
            self.round,
            x.shape()
        );
    }
}

fn property(
    name: &'static str,
    seed: u64,
    rounds: usize,
    mut case: impl FnMut(&mut Draws, &mut Check),
) -> usize {
    let mut draws = Draws(seed);
    let mut check = Check {
        name,
        round: 0,
        count: 0,
    };
    for round in 0..rounds {
        check.round = round;
        case(&mut draws, &mut check);
    }
    check.count
}

/// A random part of an axis, and the positions that it takes.
fn random_part(draws: &mut Draws, length: usize) -> (SliceItem, Vec<usize>) {
    if draws.below(4) == 0 {
        let position = draws.below(length);
        let from_end = position as isize - length as isize;
        return (
            SliceItem::Index(draws.of(&[position as isize, from_end])),
            vec![position],
        );
    }
    let start = draws.below(length + 1);
    let end = start + draws.below(length - start + 1);
    let step = draws.of(&[1, 2, 3, -1, -2]);
    let item = SliceItem::Range {
        start: if start < length && draws.below(2) == 0 {
            start as isize - length as isize
        } else {
            start as isize
        },
        end: (end < length).then_some(end as isize),
        step,
    };
    let mut taken: Vec<usize> = (start..end).collect();
    if step < 0 {
        taken.reverse();
    }
    (
        item,
        taken.into_iter().step_by(step.unsigned_abs()).collect(),
    )
}

#[test]
fn parts_of_tensors() {
    let mut count = property("slice", 1, 700, |draws, check| {
        let (t, _) = draws.case();
        let (mut items, mut taken, mut shape) = (Vec::new(), Vec::new(), Vec::new());
        for &length in t.shape() {
            if draws.below(6) == 0 {
                items.push(SliceItem::NewAxis);
                shape.push(1);
            }
            let (item, positions) = random_part(draws, length);
            if !matches!(item, SliceItem::Index(_)) {
                shape.push(positions.len());
            }
            items.push(item);
            taken.push(positions);
        }
        let about = format!("{:?} of {:?}", items, t.shape());
        let plain = Plain::of(&t);
        let lengths: Vec<usize> = taken.iter().map(Vec::len).collect();
        let values = places(&lengths).into_iter().map(|index| {
            let own: Vec<usize> = index
                .iter()
                .zip(&taken)
                .map(|(&i, taken)| taken[i])
                .collect();
            plain.at(&own)
        });
        let values = values.collect();
        let expected = Plain { shape, values };
        check.equal(&t.slice(items.clone()), &expected, &about);
        check.same_type(&t.slice(items.clone()), t.dtype(), &about);
        check.adjoint(draws, &t, |t| t.slice(items.clone()), &about);
        let dtype = draws.of(&TYPES);
        let value = draws.view(t.slice(items.clone()).shape(), dtype);
        let mut written = t.clone();
        written.set(items.clone(), &value);
        let value = value.cast(t.dtype());
        check.equal(
            &written.slice(items.clone()),
            &Plain::of(&value),
            &format!("set {about}"),
        );
        check.equal(&t, &plain, &format!("shared after set {about}"));
        written.set(items.clone(), t.slice(items.clone()));
        check.equal(&written, &plain, &format!("set back {about}"));
    });
    count += property("take", 2, 300, |draws, check| {
        let (t, axis) = draws.case();
        let length = t.shape()[axis];
        let index_rank = draws.below(3);
        let index_shape = draws.shape(index_rank);
        let size: usize = index_shape.iter().product();
        let signed = |draws: &mut Draws| draws.below(2 * length) as i64 - length as i64;
        let indices: Vec<i64> = (0..size).map(|_| signed(draws)).collect();
        let indices = Tensor::from_shape_vec_i64(index_shape.clone(), indices).unwrap();
        let (plain, positions) = (Plain::of(&t), Plain::of(&indices));
        let shape = [&t.shape()[..axis], &index_shape, &t.shape()[axis + 1..]].concat();
        let expected = Plain::build(&shape, |index| {
            let at = positions
                .at(&index[axis..axis + index_rank])
                .rem_euclid(length as f64);
            let own = [&index[..axis], &[at as usize], &index[axis + index_rank..]].concat();
            plain.at(&own)
        });
        let about = format!("{indices:?} along {axis} of {:?}", t.shape());
        check.equal(&t.take(&indices, axis as isize), &expected, &about);
        check.adjoint(draws, &t, |t| t.take(&indices, axis as isize), &about);
    });
    count += property("take_along_axis", 3, 300, |draws, check| {
        let (t, axis) = draws.case();
        let shape = with(t.shape(), axis, draws.below(4));
        let size: usize = shape.iter().product();
        let indices: Vec<i64> = (0..size)
            .map(|_| draws.below(t.shape()[axis]) as i64)
            .collect();
        let indices = Tensor::from_shape_vec_i64(shape.clone(), indices).unwrap();
        let (plain, positions) = (Plain::of(&t), Plain::of(&indices));
        let expected = Plain::build(&shape, |index| {
            plain.at(&with(index, axis, positions.at(index) as usize))
        });
        let about = format!("{indices:?} along {axis} of {:?}", t.shape());
        check.equal(
            &t.take_along_axis(&indices, axis as isize),
            &expected,
            &about,
        );
        check.adjoint(
            draws,
            &t,
            |t| t.take_along_axis(&indices, axis as isize),
            &about,
        );
    });
    count += property("boolean_mask", 4, 300, |draws, check| {
        let (t, axis) = draws.case();
        let mask = draws.view(&t.shape()[..=axis], DType::Bool);
        let (plain, truth) = (Plain::of(&t), Plain::of(&mask));
        let chosen = places(mask.shape());
        let chosen: Vec<_> = chosen
            .into_iter()
            .filter(|index| truth.at(index) != 0.0)
            .collect();
        let shape = [&[chosen.len()], &t.shape()[axis + 1..]].concat();
        let expected = Plain::build(&shape, |index| {
            plain.at(&[&chosen[index[0]][..], &index[1..]].concat())
        });
        check.equal(
            &t.boolean_mask(&mask),
            &expected,
            &format!("{mask:?} of {:?}", t.shape()),
        );
        let listed = Plain::build(&[chosen.len(), axis + 1], |index| {
            chosen[index[0]][index[1]] as f64
        });
        check.equal(&mask.argwhere(), &listed, &format!("argwhere of {mask:?}"));
    });
    assert!(count >= 2900, "{count} cases");
}

#[test]
fn rearranged_tensors() {
    let count = property("rearrange", 5, 300, |draws, check| {
        let (t, axis) = draws.case();
        let (plain, shape, a) = (Plain::of(&t), t.shape().to_vec(), axis as isize);
        let length = shape[axis];
        let about = |what: &str| format!("{what} along {axis} of {shape:?} {}", t.dtype());

        let expected = Plain::build(&shape, |i| plain.at(&with(i, axis, length - 1 - i[axis])));
        check.equal(&t.flip(a), &expected, &about("flip"));
        check.adjoint(draws, &t, |t| t.flip(a), &about("flip"));

        let shift = draws.below(9) as isize - 4;
        let expected = Plain::build(&shape, |i| {
            let from = (i[axis] as isize - shift).rem_euclid(length as isize);
            plain.at(&with(i, axis, from as usize))
        });
        check.equal(
            &t.roll(shift, a),
            &expected,
            &about(&format!("roll {shift}")),
        );
        check.adjoint(draws, &t, |t| t.roll(shift, a), &about("roll"));

        let times = draws.below(4);
        let expected = Plain::build(&with(&shape, axis, length * times), |i| {
            plain.at(&with(i, axis, i[axis] / times))
        });
        check.equal(
            &t.repeat(times, a),
            &expected,
            &about(&format!("repeat {times}")),
        );
        check.adjoint(draws, &t, |t| t.repeat(times, a), &about("repeat"));

        let times: Vec<usize> = (0..draws.below(shape.len() + 2))
            .map(|_| draws.below(3))
            .collect();
        let rank = shape.len().max(times.len());
        let front = |list: &[usize]| [&vec![1; rank - list.len()], list].concat();
        let (long, all) = (front(&shape), front(&times));
        let tiled: Vec<usize> = long.iter().zip(&all).map(|(n, t)| n * t).collect();
        let expected = Plain::build(&tiled, |i| {
            let i: Vec<usize> = i.iter().zip(&long).map(|(i, n)| i % n).collect();
            plain.at(&i[rank - shape.len()..])
        });
        check.equal(
            &t.tile(&times[..]),
            &expected,
            &about(&format!("tile {times:?}")),
        );
        check.adjoint(draws, &t, |t| t.tile(&times[..]), &about("tile"));

        let order = permutation(draws, shape.len());
        let permuted: Vec<usize> = order.iter().map(|&axis| shape[axis]).collect();
        let expected = Plain::build(&permuted, |i| {
            let mut own = vec![0; shape.len()];
            order.iter().zip(i).for_each(|(&axis, &i)| own[axis] = i);
            plain.at(&own)
        });
        check.equal(
            &t.permute(&order),
            &expected,
            &about(&format!("permute {order:?}")),
        );
        let flat = Plain {
            shape: vec![t.len()],
            values: expected.values,
        };
        check.equal(
            &t.permute(&order).flatten(),
            &flat,
            &about("permute and flatten"),
        );
    });
    assert!(count >= 3000, "{count} cases");
}

#[test]
fn padded_joined_and_chosen_tensors() {
    let mut count = property("pad", 6, 200, |draws, check| {
        let (t, _) = draws.case();
        let plain = Plain::of(&t);
        let widths: Vec<(usize, usize)> = t
            .shape()
            .iter()
            .map(|_| (draws.below(4), draws.below(4)))
            .collect();
        let shape: Vec<usize> = t
            .shape()
            .iter()
            .zip(&widths)
            .map(|(n, (a, b))| n + a + b)
            .collect();
        let inside = |index: &[usize]| -> Vec<isize> {
            index
                .iter()
                .zip(&widths)
                .map(|(&i, &(before, _))| i as isize - before as isize)
                .collect()
        };
        let value = draws.of(&[0.0, 1.0]);
        let expected = Plain::build(&shape, |index| {
            let own = inside(index);
            let there = own
                .iter()
                .zip(t.shape())
                .all(|(&i, &n)| (0..n as isize).contains(&i));
            let own: Vec<usize> = own.iter().map(|&i| i.max(0) as usize).collect();
            if there { plain.at(&own) } else { value }
        });
        let about = format!("{widths:?} with {value} of {:?} {}", t.shape(), t.dtype());
        check.equal(&t.pad(&widths, value), &expected, &about);
        check.same_type(&t.pad(&widths, value), t.dtype(), &about);
        for mode in ["edge", "symmetric", "reflect"] {
            let expected = Plain::build(&shape, |index| {
                let walk = |(mut i, n): (isize, isize)| {
                    // Turned back at the ends until it is inside.
                    while !(0..n).contains(&i) {
                        let low = i < 0;
                        i = match mode {
                            "edge" => i.clamp(0, n - 1),
                            "symmetric" if low => -1 - i,
                            "symmetric" => 2 * n - 1 - i,
                            _ if n == 1 => 0,
                            _ if low => -i,
                            _ => 2 * n - 2 - i,
                        };
                    }
                    i as usize
                };
                let lengths = t.shape().iter().map(|&n| n as isize);
                plain.at(&inside(index)
                    .into_iter()
                    .zip(lengths)
                    .map(walk)
                    .collect::<Vec<_>>())
            });
            check.equal(
                &t.pad_with(&widths, mode),
                &expected,
                &format!("{mode} {about}"),
            );
        }
    });
    count += property("concat and split", 7, 200, |draws, check| {
        let (t, axis) = draws.case();
        let a = axis as isize;
        let cuts = draws.below(3);
        let mut positions: Vec<usize> = (0..cuts)
            .map(|_| draws.below(t.shape()[axis] + 1))
            .collect();
        positions.sort_unstable();
        let parts = t.split_at(&positions, a);
        assert_eq!(parts.len(), positions.len() + 1);
        let about = format!("{positions:?} along {axis} of {:?}", t.shape());
        let joined = Tensor::concat(&parts.iter().collect::<Vec<_>>(), a);
        check.equal(&joined, &Plain::of(&t), &about);
        let equal_parts = t.split(t.shape()[axis], a);
        let squeezed: Vec<Tensor> = equal_parts.iter().map(|part| part.squeeze(a)).collect();
        let stacked = Tensor::stack(&squeezed.iter().collect::<Vec<_>>(), a);
        check.equal(&stacked, &Plain::of(&t), &about);
    });
    count += property("where", 8, 300, |draws, check| {
        let (left, right) = draws.shapes();
        let shape = super::broadcast("test", &left, &right).unwrap();
        let cut = draws.below(shape.len() + 1);
        let (x, y) = (draws.of(&TYPES), draws.of(&TYPES));
        let (a, b) = (draws.view(&left, x), draws.view(&right, y));
        let condition = draws.view(&shape[cut..], DType::Bool);
        let (p, q, r) = (Plain::of(&a), Plain::of(&b), Plain::of(&condition));
        let expected = Plain::build(&shape, |i| {
            if r.wide(i) != 0.0 {
                p.wide(i)
            } else {
                q.wide(i)
            }
        });
        let about = format!("{:?}, {left:?} {x}, {right:?} {y}", condition.shape());
        let chosen = Tensor::where_(&condition, &a, &b);
        check.equal(&chosen, &expected, &about);
        check.same_type(&chosen, x.max(y), &about);
        let wide = Plain::build(&shape, |i| p.wide(i));
        check.equal(&a.broadcast_to(&shape), &wide, &about);
        check.adjoint(draws, &a, |a| a.broadcast_to(&shape), "broadcast_to");
        check.adjoint(draws, &a, |a| Tensor::where_(&condition, a, 0.0), "where");
    });
    assert!(count >= 2400, "{count} cases");
}

mod computing;
mod misuse;
