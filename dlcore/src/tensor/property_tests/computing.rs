//! What is computed from elements: reductions, order, running sums, products, arithmetic.

use super::{Plain, TYPES, places, property};
use crate::tensor::tests::{Draws, permutation};
use crate::tensor::{broadcast, reduced};
use crate::{DType, Tensor};

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

        let reduced = reduced(&shape, axis, false);
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
        let batch = broadcast("test", &left, &right).unwrap();
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
        let shape = broadcast("test", &left, &right).unwrap();
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
