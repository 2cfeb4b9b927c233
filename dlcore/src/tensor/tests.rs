//! Tensors against obvious code: one element at a time, by index arithmetic.

use ndarray::{ArrayD, IxDyn};

use super::shape::broadcast;
use crate::{DType, Tensor};

/// Numbers that repeat, without the process-wide stream that other tests draw from.
pub(super) struct Draws(pub(super) u64);

impl Draws {
    pub(super) fn below(&mut self, bound: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % bound
    }

    pub(super) fn shape(&mut self, rank: usize) -> Vec<usize> {
        (0..rank).map(|_| 1 + self.below(4)).collect()
    }

    /// A tensor whose elements may lie in any order in memory.
    fn tensor(&mut self, shape: &[usize]) -> Tensor {
        let order: Vec<usize> = permutation(self, shape.len());
        let stored: Vec<usize> = order
            .iter()
            .map(|&axis| shape[axis] + self.below(2))
            .collect();
        let size: usize = stored.iter().product();
        let values = (0..size)
            .map(|_| self.below(2000) as f32 / 500.0 - 2.0)
            .collect();
        let whole = Tensor::from_shape_vec(stored, values).unwrap();
        let mut back = vec![0; shape.len()];
        for (to, &from) in order.iter().enumerate() {
            back[from] = to;
        }
        let parts: Vec<super::SliceItem> = shape.iter().map(|&n| (0..n).into()).collect();
        let tensor = whole.permute(&back).slice(parts);
        assert_eq!(tensor.shape(), shape);
        tensor
    }

    /// Two shapes that broadcast.
    pub(super) fn shapes(&mut self) -> (Vec<usize>, Vec<usize>) {
        let rank = self.below(5);
        let whole = self.shape(rank);
        let mut thinned = || {
            let from = self.below(rank + 1);
            let mut shape = whole[from..].to_vec();
            shape
                .iter_mut()
                .for_each(|n| *n = if self.below(3) == 0 { 1 } else { *n });
            shape
        };
        (thinned(), thinned())
    }
}

pub(super) fn permutation(draws: &mut Draws, n: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..n).collect();
    for i in (1..n).rev() {
        order.swap(i, draws.below(i + 1));
    }
    order
}

/// The element of `array` that broadcasting puts at `index`.
fn at(array: &ArrayD<f32>, index: &[usize]) -> f32 {
    let skipped = index.len() - array.ndim();
    let own: Vec<usize> = array
        .shape()
        .iter()
        .zip(&index[skipped..])
        .map(|(&n, &i)| if n == 1 { 0 } else { i })
        .collect();
    array[&own[..]]
}

fn naive(a: &Tensor, b: &Tensor, f: impl Fn(f32, f32) -> f32) -> Tensor {
    let (x, y) = (a.to_ndarray(), b.to_ndarray());
    let shape = broadcast("naive", a.shape(), b.shape()).unwrap();
    ArrayD::from_shape_fn(IxDyn(&shape), |index| {
        let index: Vec<usize> = (0..shape.len()).map(|axis| index[axis]).collect();
        f(at(&x, &index), at(&y, &index))
    })
    .into()
}

#[test]
fn element_wise_operations_broadcast_whatever_the_strides() {
    let mut draws = Draws(1);
    for round in 0..500 {
        let (left, right) = draws.shapes();
        let (a, b) = (draws.tensor(&left), draws.tensor(&right));
        let context = format!("round {round}: {left:?} with {right:?}");
        assert_eq!(&a + &b, naive(&a, &b, |x, y| x + y), "{context}");
        assert_eq!(&a - &b, naive(&a, &b, |x, y| x - y), "{context}");
        assert_eq!(&b - &a, naive(&b, &a, |x, y| x - y), "{context}");
        assert_eq!(a.maximum(&b), naive(&a, &b, f32::max), "{context}");
        let less = naive(&a, &b, |x, y| if x < y { 1.0 } else { 0.0 });
        assert_eq!(a.less(&b).cast(DType::F32), less, "{context}");
        let shape = broadcast("test", a.shape(), b.shape()).unwrap();
        if shape == a.shape() {
            let (mut sum, before) = (a.clone(), a.to_vec());
            sum -= &b;
            assert_eq!(sum, naive(&a, &b, |x, y| x - y), "{context}");
            assert_eq!(a.to_vec(), before, "{context}: the shared operand changed");
        }
    }
}

#[test]
fn long_tensors_go_through_every_piece() {
    // More than one piece for each kind of kernel, and a remainder.
    let n = 3 * (1 << 16) + 7;
    let a = Tensor::arange(0.0, n as f64, 1.0);
    let b = &a * 2.0;
    assert_eq!(b.get(n as isize - 1).item(), 2.0 * (n - 1) as f64);
    assert_eq!((&b - &a), a);
    let rows = a.slice(..(n / 3) * 3).reshape([-1, 3]);
    let sum = &rows + &Tensor::from([0.0, 1.0, 2.0]);
    let expected: Vec<f32> = (0..n / 3 * 3).map(|i| (i + i % 3) as f32).collect();
    assert_eq!(sum.to_vec(), expected);
    let columns = &rows * &Tensor::full([n / 3, 1], 0.5);
    assert_eq!(
        columns.to_vec(),
        a.slice(..(n / 3) * 3)
            .to_vec()
            .iter()
            .map(|v| v * 0.5)
            .collect::<Vec<_>>()
    );
}

#[test]
fn reductions_equal_sums_one_by_one() {
    let mut draws = Draws(2);
    for _ in 0..200 {
        let rank = 1 + draws.below(4);
        let shape = draws.shape(rank);
        let t = draws.tensor(&shape);
        let axis = draws.below(rank);
        let array = t.to_ndarray();
        let close = |got: &Tensor, expected: ArrayD<f32>| {
            let difference = (got - &Tensor::from(expected)).abs().max().item();
            assert!(
                difference < 1e-5,
                "shape {shape:?}, axis {axis}: differs by {difference}"
            );
        };
        let along = ndarray::Axis(axis);
        close(&t.sum_axis(axis as isize), array.sum_axis(along));
        close(
            &t.mean_axis(axis as isize - rank as isize),
            array.mean_axis(along).unwrap(),
        );
        close(
            &t.max_axis(axis as isize),
            array.fold_axis(along, f32::NEG_INFINITY, |a, &b| a.max(b)),
        );
        close(
            &t.min_axis(axis as isize),
            array.fold_axis(along, f32::INFINITY, |a, &b| a.min(b)),
        );
        let first_largest = array.map_axis(along, |lane| {
            (0..lane.len())
                .rev()
                .max_by(|&i, &j| lane[i].total_cmp(&lane[j]))
                .unwrap() as f32
        });
        close(&t.argmax(axis as isize), first_largest);
        assert!((t.sum().item() - array.iter().map(|&v| f64::from(v)).sum::<f64>()).abs() < 1e-4);
    }
}

#[test]
fn large_sums_keep_their_digits() {
    // One after the other, a million tenths in f32 give 100958.
    let million = Tensor::full([1_000_000], 0.1);
    assert!((million.sum().item() - 100_000.0).abs() < 0.05);
    assert!((million.mean().item() - 0.1).abs() < 1e-7);
}

fn naive_product(a: &Tensor, b: &Tensor) -> ArrayD<f32> {
    let (x, y) = (a.to_ndarray(), b.to_ndarray());
    let (m, k, n) = (x.shape()[0], x.shape()[1], y.shape()[1]);
    ArrayD::from_shape_fn(IxDyn(&[m, n]), |i| {
        (0..k)
            .map(|l| f64::from(x[[i[0], l]]) * f64::from(y[[l, i[1]]]))
            .sum::<f64>() as f32
    })
}

fn close(got: &Tensor, expected: &ArrayD<f32>, context: &str) {
    assert_eq!(got.shape(), expected.shape(), "{context}");
    for (got, expected) in got.to_ndarray().iter().zip(expected) {
        let error = (got - expected).abs() / (1.0 + expected.abs());
        assert!(
            error < 1e-4,
            "{context}: {got} where {expected} was expected"
        );
    }
}

#[test]
fn products_equal_sums_of_products() {
    let mut draws = Draws(3);
    let sizes = [
        (1, 1, 1),
        (3, 1, 5),
        (1, 7, 1),
        (128, 64, 10),
        (10, 128, 64),
        (7, 300, 2),
        (33, 17, 49),
        (128, 96, 200),
        (200, 96, 128),
        (257, 65, 66),
        (65, 66, 257),
        (4, 0, 3),
    ];
    for (m, k, n) in sizes {
        let (a, b) = (draws.tensor(&[m, k]), draws.tensor(&[k, n]));
        let expected = naive_product(&a, &b);
        let context = format!("{m}x{k} · {k}x{n}");
        close(&a.dot(&b), &expected, &context);
        close(&a.matmul(&b), &expected, &context);
        let bias = draws.tensor(&[n]);
        let with_bias = crate::grad::ops::dense(&a, &b, Some(&bias)).unwrap();
        close(
            &with_bias,
            &(expected + &bias.to_ndarray()),
            &format!("{context} + bias"),
        );
    }
}

#[test]
fn dot_of_any_rank_is_numpys() {
    let mut draws = Draws(4);
    for _ in 0..100 {
        let (left_rank, right_rank) = (1 + draws.below(3), 1 + draws.below(3));
        let (mut left, mut right) = (draws.shape(left_rank), draws.shape(right_rank));
        let summed = right_rank.saturating_sub(2);
        left[left_rank - 1] = right[summed];
        let (a, b) = (draws.tensor(&left), draws.tensor(&right));
        let k = right.remove(summed);
        left.pop();
        let (x, y) = (a.to_ndarray(), b.to_ndarray());
        let expected = ArrayD::from_shape_fn(IxDyn(&[&left[..], &right[..]].concat()), |index| {
            let index: Vec<usize> = (0..left.len() + right.len()).map(|i| index[i]).collect();
            let (i, j) = index.split_at(left.len());
            let term = |l: usize| {
                let (mut i, mut j) = (i.to_vec(), j.to_vec());
                i.push(l);
                j.insert(summed, l);
                x[&i[..]] * y[&j[..]]
            };
            (0..k).map(term).sum()
        });
        close(
            &a.dot(&b),
            &expected,
            &format!("{:?} · {:?}", a.shape(), b.shape()),
        );
    }
}

#[test]
fn sparse_products_equal_dense_ones() {
    let mut draws = Draws(5);
    for (rows, features, columns) in [(5, 7, 3), (600, 900, 16), (70, 300, 1), (3, 4, 33)] {
        let row = |draws: &mut Draws| {
            (0..draws.below(features))
                .map(|_| draws.below(features) as u32)
                .collect()
        };
        let content: Vec<Vec<u32>> = (0..rows).map(|_| row(&mut draws)).collect();
        let sparse = Tensor::from_sparse_rows(features, &content).unwrap();
        let dense = sparse.to_dense();
        assert!(sparse.is_sparse() && !dense.is_sparse());
        assert_eq!(sparse, dense);
        let w = draws.tensor(&[features, columns]);
        let context = format!("{rows}x{features} · {features}x{columns}");
        close(&sparse.dot(&w), &naive_product(&dense, &w), &context);

        let gradient = |x: &Tensor| {
            let tape = crate::GradientTape::new();
            let w = tape.watch(&w);
            tape.gradient(&x.dot(&w).square().sum(), &[&w]).remove(0)
        };
        let expected = gradient(&dense);
        let difference = (gradient(&sparse) - &expected).abs().max() / expected.abs().max();
        assert!(
            difference.item() < 1e-5,
            "gradient of {context}: differs by {difference}"
        );
    }
}

#[test]
fn sparse_rows_stay_sparse_where_promised() {
    let x = Tensor::from_sparse_rows(4, &[vec![3, 1, 1], vec![0], vec![], vec![2]]).unwrap();
    assert_eq!(x.get(0).to_vec(), [0.0, 1.0, 0.0, 1.0]);
    let part = x.slice(1..3);
    assert!(part.is_sparse());
    assert_eq!(part.to_vec(), [1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
    let picked = x.slice(1..).rows(&[2, 0, 0]);
    assert!(picked.is_sparse());
    assert_eq!(
        picked.to_vec(),
        [
            [0.0, 0.0, 1.0, 0.0],
            [1.0, 0.0, 0.0, 0.0],
            [1.0, 0.0, 0.0, 0.0]
        ]
        .concat()
    );
    assert_eq!((&x + 1.0).get(3).to_vec(), [1.0, 1.0, 2.0, 1.0]);
    assert_eq!(x.sum().item(), 4.0);
    let error = Tensor::from_sparse_rows(4, &[vec![0], vec![4]])
        .err()
        .unwrap()
        .to_string();
    assert!(
        error.contains("row 1") && error.contains("column 4"),
        "{error}"
    );
}

#[test]
fn slices_are_what_they_say() {
    let t = Tensor::arange(0.0, 24.0, 1.0).reshape([2, 3, 4]);
    assert_eq!(t.slice((0, .., 1)).to_vec(), [1.0, 5.0, 9.0]);
    assert_eq!(t.slice((.., -1)).to_vec(), t.slice((.., 2)).to_vec());
    assert_eq!(t.slice((1, 0, -2..)).to_vec(), [14.0, 15.0]);
    assert_eq!(t.slice((1, ..=1, ..-3)).to_vec(), [12.0, 16.0]);
    let to_last = std::ops::RangeInclusive::new(0, -1);
    assert_eq!(t.slice((1, to_last, 0)).to_vec(), [12.0, 16.0, 20.0]);
    assert_eq!(
        t.slice((0, 0, super::SliceItem::from(..).step(3))).to_vec(),
        [0.0, 3.0]
    );
    assert_eq!(t.slice([0..1, 1..3]).shape(), [1, 2, 4]);
    let n = 1_usize;
    assert_eq!(t.slice(n).shape(), [3, 4]);
    assert_eq!(t.slice(n..n).shape(), [0, 3, 4]);
    assert_eq!(t.slice(n..n + 1).shape(), [1, 3, 4]);
    assert_eq!(t.get(-1).get(0).to_vec(), [12.0, 13.0, 14.0, 15.0]);
}

#[test]
fn a_whole_number_that_a_type_cannot_hold_is_refused_as_in_numpy() {
    fn refused(compute: impl Fn() -> Tensor + std::panic::UnwindSafe) -> String {
        let panic = std::panic::catch_unwind(compute).unwrap_err();
        panic.downcast_ref::<String>().cloned().unwrap_or_default()
    }
    let (bytes, ints) = (Tensor::from([0_u8, 200]), Tensor::from([1_i32]));
    let (b, i) = (|| Tensor::from([0_u8, 200]), || Tensor::from([1_i32]));
    let cases: [(&str, String); 6] = [
        ("300", refused(move || b() - 300)),
        ("300", refused(move || 300 - b())),
        ("-1", refused(move || b() * -1)),
        ("256", refused(move || b().maximum(256))),
        ("3000000000", refused(move || i() + 3_000_000_000_i64)),
        (
            "256",
            refused(move || {
                let mut x = b();
                x += 256;
                x
            }),
        ),
    ];
    for (number, message) in cases {
        assert!(
            message.contains(&format!("{number} does not fit a tensor of"))
                && message.contains("x.cast(DType::I64)"),
            "{message}"
        );
    }
    assert_eq!(
        (&bytes - 1).to_vec(),
        [255.0, 199.0],
        "what fits wraps around"
    );
    assert_eq!((bytes.cast(DType::I64) - 300).to_vec(), [-300.0, -100.0]);
    assert_eq!((&ints * -1).to_vec(), [-1.0]);
}

#[test]
fn types_mix_as_documented() {
    let bytes = Tensor::from([0_u8, 51, 255]);
    assert_eq!((&bytes / 255.0).dtype(), DType::F32);
    assert_eq!((&bytes / 255).to_vec(), [0.0, 0.2, 1.0]);
    assert_eq!((&bytes + 1).dtype(), DType::U8);
    assert_eq!((&bytes + 1).to_vec(), [1.0, 52.0, 0.0]);
    assert_eq!((&bytes + 1.0).to_vec(), [1.0, 52.0, 256.0]);
    // Division is done in floats, which hold any number.
    assert_eq!((&bytes / 510).to_vec(), [0.0, 0.1, 0.5]);
    assert_eq!((510 / bytes.slice(1..)).to_vec(), [10.0, 2.0]);
    assert!(bytes.less(300).to_vec_of::<bool>().iter().all(|less| *less));
    assert_eq!((&bytes + &Tensor::from([-1_i64])).dtype(), DType::I64);
    assert_eq!((&bytes * &Tensor::from([0.5])).dtype(), DType::F32);
    assert_eq!(bytes.sum().dtype(), DType::I64);
    assert_eq!(bytes.sum().item(), 306.0);
    assert_eq!(bytes.mean().item(), 102.0);
    assert_eq!(bytes.max().dtype(), DType::U8);
    assert_eq!((-Tensor::from([1, -2])).to_vec(), [-1.0, 2.0]);
    assert_eq!(
        Tensor::from([1.9, -1.9, f32::NAN])
            .cast(DType::I64)
            .to_vec(),
        [1.0, -1.0, 0.0]
    );
    assert_eq!(
        Tensor::from([true, false, true]).mean().item() as f32,
        2.0 / 3.0
    );
    assert_eq!((Tensor::from([1.0]) * 2.0_f64).dtype(), DType::F32);
    assert_eq!(Tensor::from([2.0]), Tensor::from([2_i64]));
}

#[test]
fn not_a_number_is_not_lost() {
    let t = Tensor::from([1.0, f32::NAN, 3.0]);
    assert!(t.max().item().is_nan() && t.min().item().is_nan() && t.sum().item().is_nan());
    assert!(t.relu().to_vec()[1].is_nan());
    assert!(t.clip(0.0, 1.0).to_vec()[1].is_nan());
    assert!(t.maximum(Tensor::zeros([3])).to_vec()[1].is_nan());
    assert_eq!(t.argmax(0).item(), 1.0);
    assert!(t != t.clone());
}

#[test]
fn softmax_and_its_losses_survive_large_logits() {
    let logits = Tensor::from([[1000.0, 0.0], [-1000.0, -1000.0]]);
    assert_eq!(logits.softmax(-1).to_vec(), [1.0, 0.0, 0.5, 0.5]);
    let losses = crate::grad::ops::softmax_cross_entropy(&logits, &Tensor::from([1, 0])).unwrap();
    assert_eq!(losses.to_vec(), [1000.0, std::f32::consts::LN_2]);
    let z = Tensor::from([[1000.0], [-1000.0]]);
    let losses =
        crate::grad::ops::sigmoid_cross_entropy(&z, &Tensor::from([[0.0], [0.0]])).unwrap();
    assert_eq!(losses.to_vec(), [1000.0, 0.0]);
}

#[test]
fn creation_gives_what_numpy_gives() {
    assert_eq!(Tensor::arange(0.0, 1.0, 0.3).to_vec(), [0.0, 0.3, 0.6, 0.9]);
    assert_eq!(Tensor::arange(3.0, 0.0, -1.0).to_vec(), [3.0, 2.0, 1.0]);
    assert_eq!(
        Tensor::linspace(0.0, 1.0, 5).to_vec(),
        [0.0, 0.25, 0.5, 0.75, 1.0]
    );
    assert_eq!(Tensor::linspace(2.0, 3.0, 1).to_vec(), [2.0]);
    assert_eq!(Tensor::eye(2).to_vec(), [1.0, 0.0, 0.0, 1.0]);
    assert_eq!(
        Tensor::from([2, 0]).one_hot(3).to_vec(),
        [0.0, 0.0, 1.0, 1.0, 0.0, 0.0]
    );
    assert_eq!(Tensor::from(vec![1.0, 2.0]).shape(), [2]);
    assert_eq!(Tensor::from(3.0).shape(), [0; 0]);
    let array = ndarray::array![[1.0_f64, 2.0], [3.0, 4.0]].reversed_axes();
    assert_eq!(Tensor::from(array).to_vec(), [1.0, 3.0, 2.0, 4.0]);
}

#[test]
fn a_single_number_is_written_as_precision_and_width_ask() {
    let mean = Tensor::from(0.009365307);
    assert_eq!(format!("{mean:.4}"), "0.0094");
    assert_eq!(format!("{:8.2}", Tensor::from(2.714)), "    2.71");
    assert_eq!(format!("{:>6}", Tensor::from(1.5)), "   1.5");
    assert_eq!(format!("{:>4}", Tensor::from(7)), "   7");
}
