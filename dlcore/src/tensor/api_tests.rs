//! What NumPy gives for the same calls, and what bad input is told.

use super::SliceItem;
use crate::{DType, Error, GradientTape, Tensor};

fn counting(shape: &[usize]) -> Tensor {
    let size: usize = shape.iter().product();
    Tensor::arange(0.0, size as f64, 1.0)
        .reshape(shape.iter().map(|&n| n as isize).collect::<Vec<_>>())
}

fn message<T: std::fmt::Debug>(result: Result<T, Error>) -> String {
    result.expect_err("bad arguments").to_string()
}

#[test]
fn slices_step_backwards_and_add_axes() {
    let t = counting(&[2, 3, 4]);
    let by = |step| SliceItem::from(..).step(step);
    assert_eq!(t.slice((0, 0, by(-1))).to_vec(), [3.0, 2.0, 1.0, 0.0]);
    assert_eq!(t.slice((0, 0, by(-2))).to_vec(), [3.0, 1.0]);
    assert_eq!(
        t.slice((0, 0, SliceItem::from(1..4).step(-2))).to_vec(),
        [3.0, 1.0]
    );
    assert_eq!(
        t.slice((SliceItem::Ellipsis, 1)).to_vec(),
        t.slice((.., .., 1)).to_vec()
    );
    assert_eq!(t.slice((1, SliceItem::Ellipsis, 0)).shape(), [3]);
    assert_eq!(
        t.slice((SliceItem::NewAxis, SliceItem::Ellipsis)).shape(),
        [1, 2, 3, 4]
    );
    assert_eq!(
        t.slice((0, SliceItem::NewAxis, .., 2, SliceItem::NewAxis))
            .shape(),
        [1, 3, 1]
    );
    let error = message(t.try_slice((SliceItem::Ellipsis, SliceItem::Ellipsis)));
    assert!(error.contains("more than one ellipsis"), "{error}");
    let error = message(t.try_slice((.., by(0))));
    assert!(error.contains("step of 0"), "{error}");
    let error = message(t.try_slice((0, 0, 4)));
    assert!(
        error.contains("axis 2") && error.contains("0 to 3"),
        "{error}"
    );
    // A reversed view multiplies and reshapes as its elements lie.
    let m = counting(&[2, 3]);
    assert_eq!(
        m.flip([0, 1]).dot(&m.transpose()).to_vec(),
        [10.0, 46.0, 1.0, 10.0]
    );
    assert_eq!(
        m.flip(1).reshape([6]).to_vec(),
        [2.0, 1.0, 0.0, 5.0, 4.0, 3.0]
    );
}

#[test]
fn take_and_masks_pick_elements() {
    let t = counting(&[2, 3]);
    assert_eq!(t.take([-1, 0], 1).to_vec(), [2.0, 0.0, 5.0, 3.0]);
    assert_eq!(t.take(1, 0).to_vec(), [3.0, 4.0, 5.0]);
    assert_eq!(t.take([[0, 1], [1, 0]], 0).shape(), [2, 2, 3]);
    assert_eq!(
        t.boolean_mask(&t.greater(1.5)).to_vec(),
        [2.0, 3.0, 4.0, 5.0]
    );
    assert_eq!(t.boolean_mask(&Tensor::from([false, true])), t.slice(1..2));
    assert_eq!(
        t.boolean_mask(&Tensor::from([false, false])).shape(),
        [0, 3]
    );
    assert_eq!(t.greater(3.0).argwhere(), Tensor::from([[1, 1], [1, 2]]));
    assert_eq!(Tensor::from(true).argwhere().shape(), [1, 0]);
    let error = message(t.try_take([3], -1));
    assert!(
        error.contains("position 3") && error.contains("0 to 2"),
        "{error}"
    );
    let error = message(t.try_take([0.5], 0));
    assert!(error.contains("f32"), "{error}");
    let error = message(t.try_boolean_mask(&Tensor::from([true, false, true])));
    assert!(error.contains("[3]") && error.contains("[2, 3]"), "{error}");
    let error = message(t.try_take_along_axis(&Tensor::from([0, 1]), 1));
    assert!(
        error.contains("take_along_axis") && error.contains("[2]"),
        "{error}"
    );
}

#[test]
fn powers_and_remainders_are_numpys() {
    let t = Tensor::from([-7, 7, -7, 7]);
    assert_eq!(
        t.remainder(Tensor::from([3, -3, -3, 3])).to_vec(),
        [2.0, -2.0, -1.0, 1.0]
    );
    assert_eq!(t.remainder(0).to_vec(), [0.0; 4]);
    assert_eq!(
        Tensor::from([5.5, -5.5]).remainder(2.0).to_vec(),
        [1.5, 0.5]
    );
    assert_eq!(Tensor::from([i64::MIN]).remainder(-1).to_vec(), [0.0]);
    assert_eq!(
        Tensor::from([2, 3]).power(Tensor::from([3, -1])).to_vec(),
        [8.0, 1.0 / 3.0]
    );
    assert_eq!(Tensor::from([-2.0, 0.0]).power(2).to_vec(), [4.0, 0.0]);
    let tape = GradientTape::new();
    let (x, n) = (
        tape.watch(&Tensor::from([0.0, -2.0])),
        tape.watch(&Tensor::from([2.0, 2.0])),
    );
    let gradients = tape.gradient(&x.power(&n).sum(), &[&x, &n]);
    assert_eq!(gradients[0].to_vec(), [0.0, -4.0]);
    assert_eq!(gradients[1].to_vec(), [0.0, 0.0]);
}

#[test]
fn parts_are_written_in_place() {
    let mut t = counting(&[2, 3]);
    let before = t.clone();
    t.set((.., SliceItem::from(..).step(-2)), Tensor::from([10, 20]));
    assert_eq!(t.to_vec(), [20.0, 1.0, 10.0, 20.0, 4.0, 10.0]);
    assert_eq!(before, counting(&[2, 3]));
    let mut bytes = Tensor::from([1_u8, 2]);
    bytes.set(-1, 7.9);
    assert_eq!((bytes.dtype(), bytes.at(1)), (DType::U8, 7.0));
    let mut rows = Tensor::from_sparse_rows(3, &[vec![1], vec![]]).unwrap();
    assert_eq!((rows.at([0, 1]), rows.at([1, 2])), (1.0, 0.0));
    rows.set([1, 2], 4);
    assert_eq!(rows.to_vec(), [0.0, 1.0, 0.0, 0.0, 0.0, 4.0]);
    let error = message(t.try_set((0, ..), Tensor::from([1, 2])));
    assert!(
        error.starts_with("set: a value of shape [2]") && error.contains("[3]"),
        "{error}"
    );
    let error = message(t.try_at(0));
    assert!(error.contains("one position for each axis"), "{error}");
    let error = message(t.try_at([0, 3]));
    assert!(
        error.starts_with("at: ") && error.contains("0 to 2"),
        "{error}"
    );
}

#[test]
fn where_mixes_types_as_documented() {
    let bytes = Tensor::from([1_u8, 200]);
    let chosen = Tensor::where_(&Tensor::from([true, false]), &bytes, 0);
    assert_eq!(
        (chosen.dtype(), chosen.to_vec()),
        (DType::U8, vec![1.0, 0.0])
    );
    assert_eq!(
        Tensor::where_(&Tensor::from([true, false]), 1.5, &bytes).dtype(),
        DType::F32
    );
    assert_eq!(
        Tensor::where_(&Tensor::from([true, false]), 1, 0).to_vec(),
        [1.0, 0.0]
    );
    // What is not chosen may be anything.
    let safe = Tensor::where_(&Tensor::from([true, false]), Tensor::from([2.0]), f32::NAN);
    assert_eq!(safe.to_vec()[0], 2.0);
    let error = message(Tensor::try_where_(
        &Tensor::from([true, false, true]),
        &bytes,
        0,
    ));
    assert!(error.contains("[3]") && error.contains("[2]"), "{error}");
}

#[test]
fn comparisons_with_numbers_keep_their_value() {
    let bytes = Tensor::from([1_u8, 200]);
    assert_eq!(bytes.less(300).to_vec(), [1.0, 1.0]);
    assert_eq!(bytes.greater(199.5).to_vec(), [0.0, 1.0]);
    assert_eq!(Tensor::from([0.1]).equal(0.1).to_vec(), [1.0]);
    assert_eq!(bytes.maximum(100).dtype(), DType::U8);
    let (yes, no) = (Tensor::from([true, true]), Tensor::from([true, false]));
    assert_eq!((&yes & &no).to_vec(), [1.0, 0.0]);
    assert_eq!((&yes ^ &no).to_vec(), [0.0, 1.0]);
    assert_eq!((!no | &yes).to_vec(), [1.0, 1.0]);
    assert_eq!(
        Tensor::from([0.0, f32::NAN]).logical_not().to_vec(),
        [1.0, 0.0]
    );
    let panic =
        std::panic::catch_unwind(|| &Tensor::from([1]) & &Tensor::from([true])).unwrap_err();
    let text = panic.downcast_ref::<String>().unwrap();
    assert!(text.contains("bool") && text.contains("i32"), "{text}");
    let special = Tensor::from([f32::NAN, f32::INFINITY, 1.0]);
    assert_eq!(special.is_nan().to_vec(), [1.0, 0.0, 0.0]);
    assert_eq!(special.is_infinite().to_vec(), [0.0, 1.0, 0.0]);
    assert_eq!(special.is_finite().to_vec(), [0.0, 0.0, 1.0]);
    assert_eq!(special.is_close(&special).to_vec(), [0.0, 1.0, 1.0]);
    assert_eq!(bytes.is_finite().to_vec(), [1.0, 1.0]);
}

#[test]
fn rounding_and_functions_are_numpys() {
    let t = Tensor::from([-1.5, -0.5, 0.5, 1.5, 2.5, f32::NAN]);
    assert_eq!(t.round().to_vec()[..5], [-2.0, -0.0, 0.0, 2.0, 2.0]);
    assert_eq!(t.floor().to_vec()[..5], [-2.0, -1.0, 0.0, 1.0, 2.0]);
    assert_eq!(t.ceil().to_vec()[..5], [-1.0, -0.0, 1.0, 2.0, 3.0]);
    assert!(t.round().to_vec()[5].is_nan());
    assert_eq!(Tensor::from([7_i64, -7]).floor().dtype(), DType::I64);
    assert_eq!(
        Tensor::from([5_u8, 200]).clip(10.0, 100.0).dtype(),
        DType::U8
    );
    // scipy.special.erf, numpy.log1p, numpy.expm1.
    let x = Tensor::from([0.5, -1.25, 1e-8]).cast(DType::F64);
    let expected = [0.5204998778130465, -0.9229001282564582];
    for (got, expected) in x.erf().to_vec_of::<f64>().iter().zip(expected) {
        assert!((got - expected).abs() < 1e-15, "{got} {expected}");
    }
    let small = x.get(2).item();
    assert!((x.log1p().get(2).item() / small - 1.0).abs() < 1e-8);
    assert!((x.expm1().get(2).item() / small - 1.0).abs() < 1e-8);
    let large = Tensor::from([1000.0, -1000.0, 0.0]);
    assert_eq!(
        large.softplus().to_vec(),
        [1000.0, 0.0, std::f32::consts::LN_2]
    );
}

#[test]
fn reductions_take_several_axes() {
    let t = counting(&[2, 3, 4]);
    assert_eq!(t.sum_axis([0, 2]).to_vec(), [60.0, 92.0, 124.0]);
    assert_eq!(t.sum_axis((0, -1)).to_vec(), t.sum_axis([2, 0]).to_vec());
    assert_eq!(t.max_axis_keep([1, 2]).shape(), [2, 1, 1]);
    assert_eq!(t.mean_axis([0, 1, 2]).item(), 11.5);
    assert_eq!(t.sum_axis(Vec::<isize>::new()), t);
    assert_eq!(t.get(0).var().item(), 11.916666984558105);
    assert!((t.std().item() - 6.922186552431729).abs() < 1e-6);
    assert_eq!(Tensor::from([2_u8, 200]).prod().dtype(), DType::I64);
    assert_eq!(Tensor::from([2_u8, 200]).prod().item(), 400.0);
    assert_eq!(Tensor::zeros([0]).prod().item(), 1.0);
    assert_eq!(Tensor::from([3.0, 4.0]).norm().item(), 5.0);
    let truth = Tensor::from([[true, false], [true, true]]);
    assert_eq!(truth.all_axis(0).to_vec(), [1.0, 0.0]);
    assert_eq!(truth.any_axis_keep(1).shape(), [2, 1]);
    assert_eq!((truth.all().item(), truth.any().item()), (0.0, 1.0));
    assert_eq!(Tensor::zeros([0]).all().item(), 1.0);
    let error = message(t.try_sum_axis([1, -2]));
    assert!(error.contains("one axis twice"), "{error}");
    let error = message(t.try_mean_axis([1, 3]));
    assert!(
        error.contains("mean_axis") && error.contains("axis 3"),
        "{error}"
    );
    let error = message(Tensor::zeros([2, 0]).try_max_axis([0, 1]));
    assert!(error.contains("no elements"), "{error}");
}

#[test]
fn logsumexp_survives_what_overflows() {
    assert_eq!(
        Tensor::from([1000.0, 1000.0]).logsumexp().item() as f32,
        1000.6932
    );
    assert_eq!(
        Tensor::from([f32::NEG_INFINITY; 2]).logsumexp().item(),
        f64::NEG_INFINITY
    );
    assert_eq!(
        Tensor::from([f32::INFINITY, 0.0]).logsumexp().item(),
        f64::INFINITY
    );
}

#[test]
fn order_is_numpys() {
    let t = Tensor::from([[3.0, f32::NAN, -1.0], [2.0, 2.0, 0.0]]);
    assert_eq!(t.sort(1).to_vec()[..2], [-1.0, 3.0]);
    assert!(t.sort(1).to_vec()[2].is_nan());
    assert_eq!(t.argsort(-1).to_vec(), [2.0, 0.0, 1.0, 2.0, 0.0, 1.0]);
    assert_eq!(t.argsort(0).to_vec(), [1.0, 1.0, 0.0, 0.0, 0.0, 1.0]);
    assert_eq!(t.argmin(1).to_vec(), [1.0, 2.0]);
    let (values, positions) = t.get(1).top_k(2);
    assert_eq!(
        (values.to_vec(), positions.to_vec()),
        (vec![2.0, 2.0], vec![0.0, 1.0])
    );
    let (values, counts) = Tensor::from([3_i64, 1, 3, 3]).unique_counts();
    assert_eq!(
        (values.to_vec(), counts.to_vec()),
        (vec![1.0, 3.0], vec![1.0, 3.0])
    );
    assert_eq!(values.dtype(), DType::I64);
    assert_eq!(Tensor::from([f32::NAN, f32::NAN]).unique().len(), 1);
    let error = message(t.try_top_k(4));
    assert!(error.contains("4") && error.contains("[2, 3]"), "{error}");
    assert!(message(Tensor::from(1.0).try_sort(0)).contains("at least one axis"));
}

#[test]
fn rearranging_is_numpys() {
    let t = Tensor::from([[1, 2], [3, 4]]);
    assert_eq!(
        t.repeat(2, 1).to_vec(),
        [1.0, 1.0, 2.0, 2.0, 3.0, 3.0, 4.0, 4.0]
    );
    assert_eq!(
        t.tile([2]).to_vec(),
        [1.0, 2.0, 1.0, 2.0, 3.0, 4.0, 3.0, 4.0]
    );
    assert_eq!(t.tile([2, 1, 1]).shape(), [2, 2, 2]);
    assert_eq!(t.roll(1, 1).to_vec(), [2.0, 1.0, 4.0, 3.0]);
    assert_eq!(
        t.pad(&[(0, 1), (1, 0)], 9.0).to_vec(),
        [9.0, 1.0, 2.0, 9.0, 3.0, 4.0, 9.0, 9.0, 9.0]
    );
    assert_eq!(t.pad(&[], 9.0).dtype(), DType::I32);
    let row = Tensor::from([1, 2, 3]);
    let padded = |mode| row.pad_with(&[(4, 2)], mode).to_vec();
    assert_eq!(
        padded("reflect"),
        [1.0, 2.0, 3.0, 2.0, 1.0, 2.0, 3.0, 2.0, 1.0]
    );
    assert_eq!(
        padded("symmetric"),
        [3.0, 3.0, 2.0, 1.0, 1.0, 2.0, 3.0, 3.0, 2.0]
    );
    assert_eq!(
        padded("edge"),
        [1.0, 1.0, 1.0, 1.0, 1.0, 2.0, 3.0, 3.0, 3.0]
    );
    let parts = row.split_at(&[1, 1], 0);
    assert_eq!(parts.iter().map(Tensor::len).collect::<Vec<_>>(), [1, 0, 2]);
    assert_eq!(t.tril(0).to_vec(), [1.0, 0.0, 3.0, 4.0]);
    assert_eq!(t.triu(1).to_vec(), [0.0, 2.0, 0.0, 0.0]);
    assert_eq!(counting(&[2, 3, 4]).move_axis(0, -1).shape(), [3, 4, 2]);
    assert_eq!(counting(&[2, 3, 4]).swap_axes(0, -1).shape(), [4, 3, 2]);
    let error = message(row.try_split(2, 0));
    assert!(
        error.contains("2 equal parts") && error.contains("[3]"),
        "{error}"
    );
    let error = message(row.try_split_at(&[2, 1], 0));
    assert!(error.contains("ascending"), "{error}");
    let error = message(row.try_broadcast_to([2, 2]));
    assert!(error.contains("[3]") && error.contains("[2, 2]"), "{error}");
    let error = message(row.try_broadcast_to(()));
    assert!(error.contains("[3]"), "{error}");
    let error = message(row.try_pad_with(&[(1, 1)], "reflct"));
    assert!(error.contains("did you mean \"reflect\""), "{error}");
    let error = message(row.try_pad(&[(1, 1), (0, 0)], 0.0));
    assert!(error.contains("2 pairs"), "{error}");
    assert!(message(row.try_tril(0)).contains("at least two axes"));
    assert!(message(Tensor::zeros([0]).try_pad_with(&[(1, 1)], "edge")).contains("no elements"));
}

#[test]
fn running_sums_keep_types() {
    let t = Tensor::from([[1, 2, 3], [4, 5, 6]]);
    assert_eq!(t.cumsum(1).to_vec(), [1.0, 3.0, 6.0, 4.0, 9.0, 15.0]);
    assert_eq!(t.cumprod(0).to_vec(), [1.0, 2.0, 3.0, 4.0, 10.0, 18.0]);
    assert_eq!(t.cumsum(0).dtype(), DType::I64);
    assert_eq!(Tensor::zeros([2, 0]).cumsum(1).shape(), [2, 0]);
    assert_eq!(Tensor::from([0.5, 0.5]).cumsum(0).dtype(), DType::F32);
}

#[test]
fn einsum_says_what_it_does_not_understand() {
    let (a, b) = (counting(&[2, 3]), counting(&[3, 4]));
    assert_eq!(Tensor::einsum("ij,jk", &[&a, &b]), a.dot(&b));
    assert_eq!(
        Tensor::einsum(" ij , jk -> ki ", &[&a, &b]),
        a.dot(&b).transpose()
    );
    assert_eq!(Tensor::einsum("ba", &[&a]), a.transpose());
    assert_eq!(Tensor::einsum("ij->", &[&a]).item(), 15.0);
    let batch = counting(&[2, 1, 3]);
    assert_eq!(
        Tensor::einsum("...ij,jk->...ik", &[&batch, &b]),
        batch.matmul(&b.expand_dims(0))
    );
    assert_eq!(
        Tensor::einsum("...,...", &[&a, &Tensor::from(2.0)]),
        &a * 2.0
    );
    let error = |equation, operands: &[&Tensor]| message(Tensor::try_einsum(equation, operands));
    let count = error("ij,jk->ik", &[&a]);
    assert!(count.contains("names 2 operands, got 1"), "{count}");
    let rank = error("ijk->i", &[&a]);
    assert!(
        rank.contains("names 3 axes of operand 0") && rank.contains("[2, 3]"),
        "{rank}"
    );
    let length = error("ij,ij->i", &[&a, &b]);
    assert!(
        length.contains("axis i has length 2, but 3 in operand 1"),
        "{length}"
    );
    let unknown = error("ij->ik", &[&a]);
    assert!(unknown.contains("'k', which no operand has"), "{unknown}");
    let letter = error("i1->i", &[&a]);
    assert!(letter.contains("'1'"), "{letter}");
    let twice = error("ij->ii", &[&a]);
    assert!(twice.contains("it has already"), "{twice}");
}

#[test]
fn tensordot_says_what_does_not_fit() {
    let (a, b) = (counting(&[2, 3, 4]), counting(&[4, 3]));
    assert_eq!(a.tensordot_axes(&b, &[2, 1], &[0, 1]).shape(), [2]);
    assert_eq!(a.tensordot(&b, 0).shape(), [2, 3, 4, 4, 3]);
    assert_eq!(
        Tensor::from([1, 2]).outer(&Tensor::from([3, 4])).to_vec(),
        [3.0, 4.0, 6.0, 8.0]
    );
    let error = message(a.try_tensordot(&b, 2));
    assert!(
        error.contains("[3, 4]") && error.contains("[4, 3]"),
        "{error}"
    );
    let error = message(a.try_tensordot(&b, 3));
    assert!(error.contains("3 axes"), "{error}");
}

#[test]
fn repeating_and_padding_take_extremes_and_refuse_the_impossible() {
    assert_eq!(counting(&[2, 3]).repeat(0, 1).shape(), [2, 0]);
    assert_eq!(Tensor::zeros([2, 0]).repeat(3, 0).shape(), [6, 0]);
    let flags = Tensor::from([true, false]).repeat(2, 0);
    assert_eq!(flags, Tensor::from([true, true, false, false]));
    let error = message(Tensor::zeros([2, 3]).try_repeat(usize::MAX, 1));
    assert!(
        error.contains("axis 1 of shape [2, 3] cannot be"),
        "{error}"
    );
    let error = message(Tensor::zeros([2]).try_pad(&[(usize::MAX, 1)], 0.0));
    assert!(
        error.ends_with("around shape [2] would not fit into memory"),
        "{error}"
    );
    let tiled = std::panic::catch_unwind(|| Tensor::zeros([2, 3]).tile(usize::MAX));
    let payload = tiled.expect_err("too many");
    let error = payload.downcast_ref::<String>().expect("a message");
    assert!(error.starts_with("tile: shape [2, 3] taken [1,"), "{error}");
}

#[test]
fn repeating_is_differentiated_twice() {
    let x = Tensor::from([1.0, 2.0]);
    let outer = GradientTape::new();
    let x = outer.watch(&x);
    let inner = GradientTape::new();
    let y = inner.watch(&x);
    let cubes = y.repeat(3, 0).pow(3.0).sum();
    let first = &inner.gradient(&cubes, &[&y])[0];
    let second = &outer.gradient(&first.sum(), &[&x])[0];
    assert_eq!(second.to_vec(), [18.0, 36.0]);
}

#[test]
fn rows_of_one_length_are_a_matrix_and_others_are_refused() {
    let rows = vec![vec![1.0, 2.0, 3.0], vec![4.0, 5.0, 6.0]];
    assert_eq!(
        Tensor::from(&rows),
        Tensor::from([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    );
    let ragged = std::panic::catch_unwind(|| Tensor::from(vec![vec![1, 2], vec![3]]));
    let message = *ragged.unwrap_err().downcast::<String>().unwrap();
    assert!(
        message.contains("row 1 has 1 numbers, expected 2"),
        "{message}"
    );
}
