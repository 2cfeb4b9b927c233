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

type Lane = fn(&[f64]) -> f64;

fn mean(lane: &[f64]) -> f64 {
    lane.iter().sum::<f64>() / lane.len() as f64
}

fn variance(lane: &[f64]) -> f64 {
    let middle = mean(lane);
    mean(
        &lane
            .iter()
            .map(|v| (v - middle).powi(2))
            .collect::<Vec<_>>(),
    )
}

#[test]
fn reduced_tensors() {
    type Along = fn(&Tensor, Vec<usize>) -> Tensor;
    let reductions: [(&str, Along, Along, Lane); 11] = [
        (
            "sum",
            |t, a| t.sum_axis(a),
            |t, a| t.sum_axis_keep(a),
            |l| l.iter().sum(),
        ),
        (
            "mean",
            |t, a| t.mean_axis(a),
            |t, a| t.mean_axis_keep(a),
            mean,
        ),
        (
            "max",
            |t, a| t.max_axis(a),
            |t, a| t.max_axis_keep(a),
            |l| l.iter().copied().fold(f64::MIN, f64::max),
        ),
        (
            "min",
            |t, a| t.min_axis(a),
            |t, a| t.min_axis_keep(a),
            |l| l.iter().copied().fold(f64::MAX, f64::min),
        ),
        (
            "prod",
            |t, a| t.prod_axis(a),
            |t, a| t.prod_axis_keep(a),
            |l| l.iter().product(),
        ),
        (
            "var",
            |t, a| t.var_axis(a),
            |t, a| t.var_axis_keep(a),
            variance,
        ),
        (
            "std",
            |t, a| t.std_axis(a),
            |t, a| t.std_axis_keep(a),
            |l| variance(l).sqrt(),
        ),
        (
            "norm",
            |t, a| t.norm_axis(a),
            |t, a| t.norm_axis_keep(a),
            |l| l.iter().map(|v| v * v).sum::<f64>().sqrt(),
        ),
        (
            "logsumexp",
            |t, a| t.logsumexp_axis(a),
            |t, a| t.logsumexp_axis_keep(a),
            |l| l.iter().map(|v| v.exp()).sum::<f64>().ln(),
        ),
        (
            "any",
            |t, a| t.any_axis(a),
            |t, a| t.any_axis_keep(a),
            |l| f64::from(l.iter().any(|&v| v != 0.0)),
        ),
        (
            "all",
            |t, a| t.all_axis(a),
            |t, a| t.all_axis_keep(a),
            |l| f64::from(l.iter().all(|&v| v != 0.0)),
        ),
    ];
    let count = property("reductions", 9, 100, |draws, check| {
        let (t, _) = draws.case();
        let (plain, shape) = (Plain::of(&t), t.shape().to_vec());
        let chosen = draws.below(shape.len() + 1);
        let axes: Vec<usize> = permutation(draws, shape.len())[..chosen].to_vec();
        let kept: Vec<usize> = (0..shape.len())
            .map(|axis| if axes.contains(&axis) { 1 } else { shape[axis] })
            .collect();
        let gone: Vec<usize> = (0..shape.len())
            .filter(|axis| !axes.contains(axis))
            .map(|axis| shape[axis])
            .collect();
        for (name, without, keeping, of_lane) in reductions {
            let about = format!("{name} along {axes:?} of {shape:?} {}", t.dtype());
            let expected = Plain::build(&kept, |index| {
                let all = places(&shape);
                let here = all.iter().filter(|other| {
                    (0..shape.len()).all(|axis| axes.contains(&axis) || other[axis] == index[axis])
                });
                of_lane(&here.map(|other| plain.at(other)).collect::<Vec<_>>())
            });
            check.equal(&keeping(&t, axes.clone()), &expected, &about);
            let squeezed = Plain {
                shape: gone.clone(),
                values: expected.values,
            };
            check.equal(&without(&t, axes.clone()), &squeezed, &about);
        }
        check.adjoint(draws, &t, |t| t.sum_axis(axes.clone()), "sum_axis");
    });
    assert!(count >= 2300, "{count} cases");
}

#[test]
fn ordered_and_running_tensors() {
    let count = property("along an axis", 10, 250, |draws, check| {
        let (t, axis) = draws.case();
        let (plain, shape, a) = (Plain::of(&t), t.shape().to_vec(), axis as isize);
        let about = |what: &str| format!("{what} along {axis} of {t:?}");
        let order = |lane: &[f64]| {
            let mut order: Vec<usize> = (0..lane.len()).collect();
            order.sort_by(|&i, &j| lane[i].total_cmp(&lane[j]).then(i.cmp(&j)));
            order
        };
        let expected = Plain::build(&shape, |i| order(&plain.lane(i, axis))[i[axis]] as f64);
        check.equal(&t.argsort(a), &expected, &about("argsort"));
        let expected = Plain::build(&shape, |i| {
            let lane = plain.lane(i, axis);
            lane[order(&lane)[i[axis]]]
        });
        check.equal(&t.sort(a), &expected, &about("sort"));
        check.same_type(&t.sort(a), t.dtype(), &about("sort"));

        let reduced = super::reduced(&shape, axis, false);
        let first = |better: fn(f64, f64) -> bool| {
            Plain::build(&reduced, |i| {
                let lane = plain.lane(&[&i[..axis], &[0], &i[axis..]].concat(), axis);
                (1..lane.len()).fold(
                    0,
                    |best, i| if better(lane[i], lane[best]) { i } else { best },
                ) as f64
            })
        };
        check.equal(&t.argmax(a), &first(|x, best| x > best), &about("argmax"));
        check.equal(&t.argmin(a), &first(|x, best| x < best), &about("argmin"));

        let expected = Plain::build(&shape, |i| plain.lane(i, axis)[..=i[axis]].iter().sum());
        check.equal(&t.cumsum(a), &expected, &about("cumsum"));
        check.adjoint(draws, &t, |t| t.cumsum(a), "cumsum");
        let expected = Plain::build(&shape, |i| plain.lane(i, axis)[..=i[axis]].iter().product());
        check.equal(&t.cumprod(a), &expected, &about("cumprod"));

        let mut values = plain.values.clone();
        values.sort_by(f64::total_cmp);
        values.dedup();
        let shape = vec![values.len()];
        check.equal(&t.unique(), &Plain { shape, values }, &about("unique"));
    });
    assert!(count >= 2000, "{count} cases");
}

/// Every assignment of positions to letters, summed: einsum as it is defined.
fn naive_einsum(
    terms: &[Vec<char>],
    output: &[char],
    operands: &[Plain],
    length: &dyn Fn(char) -> usize,
) -> Plain {
    let mut summed: Vec<char> = terms.concat();
    summed.retain(|label| !output.contains(label));
    summed.sort_unstable();
    summed.dedup();
    let lengths = |labels: &[char]| {
        labels
            .iter()
            .map(|&label| length(label))
            .collect::<Vec<_>>()
    };
    let inner = places(&lengths(&summed));
    let all = [output, &summed].concat();
    Plain::build(&lengths(output), |index| {
        let term = |rest: &Vec<usize>| {
            let positions = [index, rest].concat();
            let position =
                |label: &char| positions[all.iter().position(|other| other == label).unwrap()];
            let factor = |(labels, operand): (&Vec<char>, &Plain)| {
                operand.at(&labels.iter().map(position).collect::<Vec<_>>())
            };
            terms.iter().zip(operands).map(factor).product::<f64>()
        };
        inner.iter().map(term).sum()
    })
}

#[test]
fn products_of_tensors() {
    let mut count = property("einsum", 11, 500, |draws, check| {
        let lengths: Vec<usize> = (0..4).map(|_| 1 + draws.below(3)).collect();
        let length = |label: char| lengths[label as usize - 'a' as usize];
        let labels = |draws: &mut Draws| -> Vec<char> {
            (0..draws.below(4))
                .map(|_| draws.of(&['a', 'b', 'c', 'd']))
                .collect()
        };
        let terms: Vec<Vec<char>> = (0..1 + draws.below(3)).map(|_| labels(draws)).collect();
        let mut output: Vec<char> = terms.concat();
        output.sort_unstable();
        output.dedup();
        let order = permutation(draws, output.len());
        let keep = draws.below(output.len() + 1);
        let output: Vec<char> = order[..keep].iter().map(|&place| output[place]).collect();
        let operands: Vec<Tensor> = terms
            .iter()
            .map(|term| {
                let shape: Vec<usize> = term.iter().map(|&label| length(label)).collect();
                let dtype = draws.of(&TYPES);
                draws.view(&shape, dtype)
            })
            .collect();
        let text = |labels: &Vec<char>| labels.iter().collect::<String>();
        let inputs: Vec<String> = terms.iter().map(text).collect();
        let equation = format!("{}->{}", inputs.join(","), text(&output));
        let plain: Vec<Plain> = operands.iter().map(Plain::of).collect();
        let expected = naive_einsum(&terms, &output, &plain, &length);
        let references: Vec<&Tensor> = operands.iter().collect();
        check.equal(
            &Tensor::einsum(&equation, &references),
            &expected,
            &equation,
        );
        let last = operands.len() - 1;
        let with_last =
            |t: &Tensor| Tensor::einsum(&equation, &[&references[..last], &[t]].concat());
        check.adjoint(draws, &operands[last], with_last, &equation);
    });
    count += property("matmul", 12, 200, |draws, check| {
        let (mut left, mut right) = draws.shapes();
        let (m, k, n) = (1 + draws.below(4), draws.below(4), 1 + draws.below(4));
        let batch = super::broadcast("test", &left, &right).unwrap();
        left.extend([m, k]);
        right.extend([k, n]);
        let (a, b) = (
            draws.view(&left, DType::F32),
            draws.view(&right, DType::F32),
        );
        let (p, q) = (Plain::of(&a), Plain::of(&b));
        let expected = Plain::build(&[&batch[..], &[m, n]].concat(), |index| {
            let (before, [i, j]) = index.split_at(index.len() - 2) else {
                unreachable!("two axes more")
            };
            (0..k)
                .map(|l| {
                    p.wide(&[before, &[*i, l]].concat()) * q.wide(&[before, &[l, *j]].concat())
                })
                .sum()
        });
        check.equal(&a.matmul(&b), &expected, &format!("{left:?} · {right:?}"));
    });
    count += property("tensordot", 13, 200, |draws, check| {
        let shared_rank = draws.below(3);
        let shared = draws.shape(shared_rank);
        let (front_rank, back_rank) = (draws.below(3), draws.below(3));
        let (front, back) = (draws.shape(front_rank), draws.shape(back_rank));
        let a = draws.view(&[&front[..], &shared].concat(), DType::F64);
        let b = draws.view(&[&shared[..], &back].concat(), DType::F64);
        let (p, q) = (Plain::of(&a), Plain::of(&b));
        let expected = Plain::build(&[&front[..], &back].concat(), |index| {
            let (i, j) = index.split_at(front.len());
            let inner = places(&shared);
            inner
                .iter()
                .map(|l| p.at(&[i, l].concat()) * q.at(&[l, j].concat()))
                .sum()
        });
        check.equal(
            &a.tensordot(&b, shared.len()),
            &expected,
            &format!("{shared:?}"),
        );
        let outer = Plain::build(&[a.len(), b.len()], |i| p.values[i[0]] * q.values[i[1]]);
        check.equal(&a.outer(&b), &outer, "outer");
    });
    assert!(count >= 1600, "{count} cases");
}

#[test]
fn arithmetic_of_all_types() {
    let count = property("binary", 14, 200, |draws, check| {
        let (left, right) = draws.shapes();
        let shape = super::broadcast("test", &left, &right).unwrap();
        let (x, y) = (draws.of(&TYPES), draws.of(&TYPES));
        let (a, b) = (draws.view(&left, x), draws.view(&right, y));
        let (p, q) = (Plain::of(&a), Plain::of(&b));
        let about = |name: &str| format!("{name} of {a:?} and {b:?}");
        let both = |f: fn(f64, f64) -> f64| Plain::build(&shape, |i| f(p.wide(i), q.wide(i)));
        let truth =
            |f: fn(f64, f64) -> bool| Plain::build(&shape, |i| f64::from(f(p.wide(i), q.wide(i))));
        check.equal(&a.maximum(&b), &both(f64::max), &about("maximum"));
        check.equal(&a.minimum(&b), &both(f64::min), &about("minimum"));
        check.equal(&(&a / &b), &both(|x, y| x / y), &about("div"));
        if x.promote(y) != DType::U8 {
            check.equal(&(&a - &b), &both(|x, y| x - y), &about("sub"));
        }
        check.equal(
            &(&a + &b),
            &both(|x, y| x + y).wrapped(x.promote(y)),
            &about("add"),
        );
        check.equal(&(&a * &b), &both(|x, y| x * y), &about("mul"));
        check.equal(&a.equal(&b), &truth(|x, y| x == y), &about("equal"));
        check.equal(
            &a.less_equal(&b),
            &truth(|x, y| x <= y),
            &about("less_equal"),
        );
        check.equal(
            &a.logical_and(&b),
            &truth(|x, y| x != 0.0 && y != 0.0),
            &about("and"),
        );
        check.equal(
            &a.logical_or(&b),
            &truth(|x, y| x != 0.0 || y != 0.0),
            &about("or"),
        );
        check.equal(
            &a.logical_xor(&b),
            &truth(|x, y| (x != 0.0) != (y != 0.0)),
            &about("xor"),
        );
    });
    assert!(count >= 2000, "{count} cases");
}

impl Plain {
    /// As bytes wrap around.
    fn wrapped(mut self, dtype: DType) -> Plain {
        if dtype == DType::U8 {
            self.values
                .iter_mut()
                .for_each(|v| *v = v.rem_euclid(256.0));
        }
        self
    }
}
