//! Whatever the arguments, a `try_` method returns: an error names its operation, nothing panics.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::TYPES;
use crate::tensor::tests::Draws;
use crate::tensor::{DType, SliceItem};
use crate::{Result, Tensor};

/// Arguments of any kind.
struct Arguments {
    a: Tensor,
    b: Tensor,
    axis: isize,
    axes: Vec<isize>,
    n: usize,
    many: Vec<usize>,
    text: &'static str,
}

impl Arguments {
    fn draw(draws: &mut Draws) -> Arguments {
        let tensor = |draws: &mut Draws| {
            let shape: Vec<usize> = (0..draws.below(5)).map(|_| draws.below(4)).collect();
            let dtype = draws.of(&TYPES);
            draws.view(&shape, dtype)
        };
        let signed = |draws: &mut Draws| draws.below(9) as isize - 4;
        Arguments {
            a: tensor(draws),
            b: tensor(draws),
            axis: signed(draws),
            axes: (0..draws.below(4)).map(|_| signed(draws)).collect(),
            n: draws.below(5),
            many: (0..draws.below(5)).map(|_| draws.below(5)).collect(),
            text: draws.of(&[
                "ij,jk->ik",
                "i,i->",
                "...i,i...->...",
                "ii->i",
                "i->ii",
                "ij",
                "",
                "->",
                "a,",
                "i.j->",
                "...,...->...",
                "......->",
                "reflect",
                "edge",
                "symmetric",
                "mirror",
            ]),
        }
    }

    fn pairs(&self) -> Vec<(usize, usize)> {
        self.many.iter().map(|&n| (n, self.n)).collect()
    }

    fn items(&self) -> Vec<SliceItem> {
        let item = |(place, &axis): (usize, &isize)| match place % 4 {
            0 => SliceItem::from(axis..self.axis),
            1 => SliceItem::Index(axis),
            2 => SliceItem::from(axis..).step(self.axis),
            _ => [SliceItem::NewAxis, SliceItem::Ellipsis][self.n % 2],
        };
        self.axes.iter().enumerate().map(item).collect()
    }
}

type Call = (&'static str, fn(&Arguments) -> Result<()>);

macro_rules! calls {
    ($($name:ident: |$x:ident| $call:expr;)*) => {
        vec![$((stringify!($name), (|$x: &Arguments| $call.map(drop)) as fn(&Arguments) -> Result<()>)),*]
    };
}

fn calls() -> Vec<Call> {
    calls! {
        add: |x| x.a.try_add(&x.b);
        maximum: |x| x.a.try_maximum(&x.b);
        power: |x| x.a.try_power(&x.b);
        remainder: |x| x.a.try_remainder(&x.b);
        less: |x| x.a.try_less(&x.b);
        logical_or: |x| x.a.try_logical_or(&x.b);
        is_close: |x| x.a.try_is_close(&x.b);
        dot: |x| x.a.try_dot(&x.b);
        matmul: |x| x.a.try_matmul(&x.b);
        outer: |x| x.a.try_outer(&x.b);
        tensordot: |x| x.a.try_tensordot(&x.b, x.n);
        tensordot_axes: |x| x.a.try_tensordot_axes(&x.b, &x.axes, &[x.axis]);
        einsum: |x| Tensor::try_einsum(x.text, &[&x.a, &x.b]);
        einsum_of_one: |x| Tensor::try_einsum(x.text, &[&x.a]);
        where_: |x| Tensor::try_where_(&x.a, &x.b, &x.a);
        boolean_mask: |x| x.a.try_boolean_mask(&x.b);
        take: |x| x.a.try_take(&x.b, x.axis);
        take_along_axis: |x| x.a.try_take_along_axis(&x.b, x.axis);
        rows: |x| x.a.try_rows(&x.many);
        get: |x| x.a.try_get(x.axis);
        slice: |x| x.a.try_slice(x.items());
        at: |x| x.a.try_at(x.items());
        set: |x| x.a.clone().try_set(x.items(), &x.b);
        reshape: |x| x.a.try_reshape(&x.axes[..]);
        permute: |x| x.a.try_permute(&x.many);
        expand_dims: |x| x.a.try_expand_dims(x.axis);
        squeeze: |x| x.a.try_squeeze(x.axis);
        concat: |x| Tensor::try_concat(&[&x.a, &x.b], x.axis);
        stack: |x| Tensor::try_stack(&[&x.a, &x.b], x.axis);
        split: |x| x.a.try_split(x.n, x.axis);
        split_at: |x| x.a.try_split_at(&x.many, x.axis);
        broadcast_to: |x| x.a.try_broadcast_to(&x.many);
        repeat: |x| x.a.try_repeat(x.n, x.axis);
        roll: |x| x.a.try_roll(x.n as isize, x.axis);
        flip: |x| x.a.try_flip(&x.axes[..]);
        pad: |x| x.a.try_pad(&x.pairs(), 1.0);
        pad_with: |x| x.a.try_pad_with(&x.pairs(), x.text);
        swap_axes: |x| x.a.try_swap_axes(x.axis, x.n as isize);
        move_axis: |x| x.a.try_move_axis(x.axis, x.n as isize);
        tril: |x| x.a.try_tril(x.axis);
        triu: |x| x.a.try_triu(x.axis);
        sum_axis: |x| x.a.try_sum_axis(&x.axes[..]);
        mean_axis: |x| x.a.try_mean_axis_keep(&x.axes[..]);
        max_axis: |x| x.a.try_max_axis(&x.axes[..]);
        max: |x| x.a.try_max();
        prod_axis: |x| x.a.try_prod_axis(&x.axes[..]);
        std_axis: |x| x.a.try_std_axis(&x.axes[..]);
        logsumexp_axis: |x| x.a.try_logsumexp_axis(&x.axes[..]);
        all_axis: |x| x.a.try_all_axis_keep(&x.axes[..]);
        norm: |x| x.a.try_norm();
        argmax: |x| x.a.try_argmax(x.axis);
        argmin: |x| x.a.try_argmin(x.axis);
        softmax: |x| x.a.try_softmax(x.axis);
        log_softmax: |x| x.a.try_log_softmax(x.axis);
        sort: |x| x.a.try_sort(x.axis);
        argsort: |x| x.a.try_argsort(x.axis);
        top_k: |x| x.a.try_top_k(x.n);
        cumsum: |x| x.a.try_cumsum(x.axis);
        cumprod: |x| x.a.try_cumprod(x.axis);
        one_hot: |x| x.a.try_one_hot(x.n);
        item: |x| x.a.try_item();
        shuffle: |x| crate::random::shuffle(&x.a);
        choice: |x| crate::random::choice(&x.a, x.n, x.axis > 0);
        categorical: |x| crate::random::categorical(&x.a, x.n);
    }
}

#[test]
fn bad_arguments_are_told_so_and_nothing_panics() {
    let mut draws = Draws(99);
    let (mut fitting, mut refused) = (0, 0);
    let mut wrong = std::collections::BTreeMap::new();
    for round in 0..250 {
        let arguments = Arguments::draw(&mut draws);
        for (name, call) in calls() {
            let about = || {
                let (a, b) = (&arguments.a, &arguments.b);
                format!(
                    "{name}, round {round}: {:?} {} and {:?} {}, axis {}, axes {:?}, n {}, many {:?}, {:?}",
                    a.shape(),
                    a.dtype(),
                    b.shape(),
                    b.dtype(),
                    arguments.axis,
                    arguments.axes,
                    arguments.n,
                    arguments.many,
                    arguments.text
                )
            };
            match catch_unwind(AssertUnwindSafe(|| call(&arguments))) {
                Ok(Ok(())) => fitting += 1,
                Ok(Err(error)) => {
                    refused += 1;
                    let error = error.to_string();
                    let operation = name.split('_').next().unwrap_or(name);
                    let composed = ["is_close", "outer"].contains(&name);
                    if !composed && !error.contains(operation) {
                        wrong
                            .entry(name)
                            .or_insert_with(|| format!("{}: {error}", about()));
                    }
                }
                Err(_) => {
                    wrong
                        .entry(name)
                        .or_insert_with(|| format!("a panic in {}", about()));
                }
            }
        }
    }
    let wrong: Vec<String> = wrong.into_values().collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(
        fitting > 3000 && refused > 3000,
        "{fitting} fitting, {refused} refused"
    );
}

#[test]
fn empty_tensors_reduce_and_multiply_as_in_numpy() {
    let empty = Tensor::zeros([2, 0, 3]);
    assert_eq!(empty.sum_axis(1), Tensor::zeros([2, 3]));
    assert_eq!(empty.prod_axis([0, 1]), Tensor::ones([3]));
    assert!(empty.mean_axis(1).is_nan().all().item() == 1.0);
    assert_eq!(empty.matmul(&Tensor::zeros([3, 4])).shape(), [2, 0, 4]);
    assert_eq!(
        Tensor::zeros([2, 0]).dot(&Tensor::zeros([0, 3])),
        Tensor::zeros([2, 3])
    );
    assert_eq!(empty.sort(1).shape(), [2, 0, 3]);
    assert_eq!(empty.softmax(1).shape(), [2, 0, 3]);
    assert_eq!(empty.unique().dtype(), DType::F32);
}
